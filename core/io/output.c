/* The files of one output: made aside, synced, renamed together. */
#include "config.h"

#include "core/io/output.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <ferry/sys/alloc.h>

#include "core/io/target.h"

#define TEMP_TRIES 100

const char *ferry_output_name(const struct ferry_output *o)
{
	if (o->tree)
		return ferry_tree_name(o->tree);
	return o->path + ferry_target_dir(o->path);
}

struct ferry_work *ferry_output_work(struct ferry_output *o)
{
	return o->work;
}

struct ferry_work *ferry_sink_work(struct ferry_sink *s)
{
	return s->output->work;
}

static int by_identity(const void *a, const void *b)
{
	const struct ferry_identity *x = a, *y = b;

	if (x->dev != y->dev)
		return x->dev < y->dev ? -1 : 1;
	return x->ino < y->ino ? -1 : x->ino > y->ino;
}

int ferry_output_check_input(const struct ferry_output *o,
			     const struct ferry_target *t, const char *path,
			     struct ferry_error *err)
{
	struct ferry_identity id = { .dev = t->st.st_dev, .ino = t->st.st_ino };
	char text[512];

	if (!t->exists || !bsearch(&id, o->inputs, o->n_inputs,
				   sizeof(*o->inputs), by_identity))
		return 0;
	ferry_escape(text, sizeof(text), path, strlen(path));
	return ferry_fail(err, FERRY_MISUSE, "", FERRY_NO_OFFSET,
			  "%s: is one of the inputs, which are never written "
			  "to; name another output", text);
}

static int note_inputs(struct ferry_output *o, const char *const *inputs,
		       size_t n, struct ferry_error *err)
{
	struct stat st;
	size_t i;

	o->inputs = ferry_alloc_zero(n, sizeof(*o->inputs));
	if (!o->inputs)
		return ferry_fail_nomem(err, "an output");
	for (i = 0; i < n; i++) {
		if (stat(inputs[i], &st))
			continue;
		o->inputs[o->n_inputs].dev = st.st_dev;
		o->inputs[o->n_inputs++].ino = st.st_ino;
	}
	qsort(o->inputs, o->n_inputs, sizeof(*o->inputs), by_identity);
	return 0;
}

static int begin(struct ferry_output **out, const char *path, bool overwrite,
		 const char *const *inputs, size_t n_inputs,
		 struct ferry_work *work, struct ferry_error *err)
{
	struct ferry_output *o = ferry_alloc_zero(1, sizeof(*o));
	int code;

	if (!o)
		return ferry_fail_nomem(err, "an output");
	o->overwrite = overwrite;
	o->work = work ? work : &o->own_work;
	o->path = ferry_alloc_strdup(path);
	code = o->path ? note_inputs(o, inputs, n_inputs, err) :
	       ferry_fail_nomem(err, "an output");
	if (code)
		ferry_output_free(o);
	else
		*out = o;
	return code;
}

int ferry_output_new(struct ferry_output **out, const char *path,
		     bool overwrite, const char *const *inputs, size_t n_inputs,
		     struct ferry_work *work, struct ferry_error *err)
{
	struct ferry_target target = { 0 };
	struct ferry_output *o;
	int code = begin(&o, path, overwrite, inputs, n_inputs, work, err);

	if (code)
		return code;
	code = ferry_target_init(&target, path, true, err);
	/* Being an input is the graver complaint than being there. */
	if (!code)
		code = ferry_output_check_input(o, &target, path, err);
	if (!code && target.exists && !overwrite)
		code = ferry_target_fail_exists(path, err);
	ferry_target_release(&target);
	if (code)
		ferry_output_free(o);
	else
		*out = o;
	return code;
}

int ferry_output_new_directory(struct ferry_output **out, const char *path,
			       bool overwrite, const char *const *inputs,
			       size_t n_inputs, struct ferry_session *session,
			       struct ferry_work *work, struct ferry_error *err)
{
	struct ferry_output *o;
	int code = begin(&o, path, overwrite, inputs, n_inputs, work, err);

	if (code)
		return code;
	o->session = session;
	code = ferry_tree_new(&o->tree, path, err);
	if (!code) {
		ferry_alloc_free(o->path);
		o->path = ferry_alloc_strdup(ferry_tree_temp_path(o->tree));
		o->shown_dir = ferry_alloc_strdup(ferry_tree_path(o->tree));
		if (!o->path || !o->shown_dir)
			code = ferry_fail_nomem(err, "an output");
	}
	if (code)
		ferry_output_free(o);
	else
		*out = o;
	return code;
}

int ferry_output_new_file(struct ferry_output **out, struct ferry_output *o,
			  const char *name, struct ferry_error *err)
{
	struct ferry_output *file = NULL;
	char *path;
	int code = ferry_tree_admit(o, name, err);

	if (code)
		return code;
	path = ferry_target_sibling(o->path, name);
	code = path ? begin(&file, path, false, NULL, 0, o->work, err) :
	       ferry_fail_nomem(err, "an output");
	ferry_alloc_free(path);
	if (code)
		return code;
	file->session = o->session;
	file->shown_dir = ferry_target_sibling(o->shown_dir, name);
	if (!file->shown_dir) {
		ferry_output_free(file);
		return ferry_fail_nomem(err, "an output");
	}
	file->shown_dir[ferry_target_dir(file->shown_dir)] = '\0';
	*out = file;
	return 0;
}

const char *ferry_output_directory(const struct ferry_output *o)
{
	return o->tree ? o->path : NULL;
}

static int check_name(const struct ferry_output *o, const char *name,
		      struct ferry_error *err)
{
	char text[256];

	if (*name && strcmp(name, ".") && strcmp(name, "..") &&
	    !strchr(name, '/') && strlen(name) <= NAME_MAX)
		return 0;
	ferry_escape(text, sizeof(text), name, strlen(name));
	return ferry_fail(err, FERRY_MISUSE, "", FERRY_NO_OFFSET,
			  "%s: sibling '%s' is not a plain file name",
			  ferry_output_name(o), text);
}

static int name_temp(struct ferry_sink *s, struct ferry_error *err)
{
	char name[NAME_MAX + 1];
	uint32_t r = 0;
	int keep;

	if (getrandom(&r, sizeof(r), 0) != sizeof(r))
		return ferry_fail_errno(err, errno, "%s: no random name",
					s->text);
	keep = (int)strlen(s->name);
	if (keep > NAME_MAX - 40)
		keep = NAME_MAX - 40;
	snprintf(name, sizeof(name), ".%.*s.%ld.%08x" FERRY_TEMP_SUFFIX, keep,
		 s->name, (long)getpid(), (unsigned)r);
	ferry_alloc_free(s->temp_path);
	s->temp_path = ferry_target_sibling(s->path, name);
	if (!s->temp_path)
		return ferry_fail_nomem(err, "an output");
	s->temp = s->temp_path + ferry_target_dir(s->temp_path);
	return 0;
}

static int make_temp(struct ferry_sink *s, struct ferry_error *err)
{
	unsigned tries;
	int code;

	for (tries = 0; tries < TEMP_TRIES; tries++) {
		code = name_temp(s, err);
		if (!code)
			code = ferry_pending_add(&s->pending, s->dirfd, s->temp,
						 err);
		if (code)
			return code;
		s->fd = openat(s->dirfd, s->temp,
			       O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC |
			       O_NOFOLLOW, 0666);
		if (s->fd >= 0)
			return 0;
		ferry_pending_done(s->pending);
		s->pending = NULL;
		if (errno != EEXIST && errno != EINTR)
			break;
	}
	return ferry_fail_errno(err, errno,
				"%s: can't make a temporary file beside it",
				s->text);
}

static void sink_free(struct ferry_sink *s)
{
	if (!s)
		return;
	if (s->pending)
		unlinkat(s->dirfd, s->temp, 0);
	ferry_pending_done(s->pending);
	ferry_sink_close(s);
	ferry_alloc_free(s->held);
	ferry_alloc_free(s->key);
	ferry_alloc_free(s->text);
	ferry_alloc_free(s->path);
	ferry_alloc_free(s->temp_path);
	ferry_alloc_free(s);
}

static int reserve(struct ferry_output *o, struct ferry_error *err)
{
	size_t cap = o->cap ? o->cap * 2 : 4;
	void *p;

	if (o->n < o->cap)
		return 0;
	p = ferry_alloc_resize(o->sinks, cap, sizeof(struct ferry_sink *));
	if (!p)
		return ferry_fail_nomem(err, "an output");
	o->sinks = p;
	o->cap = cap;
	return 0;
}

/* Directory and name are the key of a file. */
static int check_twice(struct ferry_output *o, struct ferry_sink *s,
		       struct ferry_error *err)
{
	size_t n = strlen(s->name), k = sizeof(s->dirfd);

	s->key = ferry_alloc(k + n);
	if (!s->key)
		return ferry_fail_nomem(err, "an output");
	memcpy(s->key, &s->dirfd, k);
	memcpy(s->key + k, s->name, n);
	if (ferry_map_get(&o->keys, s->key, k + n, NULL))
		return ferry_fail(err, FERRY_MISUSE, "", FERRY_NO_OFFSET,
				  "%s: is one output twice", s->text);
	s->n_key = k + n;
	return ferry_map_put(&o->keys, s->key, k + n, 0) ?
	       ferry_fail_nomem(err, "an output") : 0;
}

static int sink_init(struct ferry_sink *s, const char *path,
		     const struct ferry_target *target, struct ferry_error *err)
{
	size_t n = strlen(path) * 8 + 1;
	int code;

	s->text = ferry_alloc(n);
	s->path = ferry_alloc_strdup(target->path);
	if (!s->text || !s->path)
		return ferry_fail_nomem(err, "an output");
	ferry_escape(s->text, n, path, strlen(path));
	s->name = s->path + ferry_target_dir(s->path);
	code = ferry_output_dir(s->output, target->path, s->text, &s->dirfd,
				err);
	if (!code)
		code = check_twice(s->output, s, err);
	if (!code)
		code = ferry_output_make_room(s->output, err);
	if (!code)
		code = make_temp(s, err);
	if (!code)
		code = ferry_sink_note_open(s, err);
	if (code)
		return code;
	if (fstatfs(s->fd, &s->fs))
		memset(&s->fs, 0, sizeof(s->fs));
	if (target->exists && fchmod(s->fd, target->st.st_mode & 07777))
		return ferry_fail_errno(err, errno, "%s: can't keep its mode",
					s->text);
	return 0;
}

int ferry_output_open(struct ferry_output *o, const char *name,
		      struct ferry_sink **out, struct ferry_error *err)
{
	struct ferry_target target = { 0 };
	struct ferry_sink *s = NULL;
	char *path = NULL, *shown = NULL;
	int code;

	if (o->tree)
		code = ferry_tree_admit(o, name, err);
	else
		code = name ? check_name(o, name, err) : 0;
	if (code)
		return code;
	code = reserve(o, err);
	if (code)
		return code;
	path = ferry_target_sibling(o->path,
				    name ? name : ferry_output_name(o));
	shown = ferry_target_sibling(o->shown_dir ? o->shown_dir : o->path,
				     name ? name : ferry_output_name(o));
	s = ferry_alloc_zero(1, sizeof(*s));
	if (!path || !shown || !s) {
		code = ferry_fail_nomem(err, "an output");
		goto out;
	}
	s->output = o;
	s->is_main = !name;
	s->fd = s->dirfd = -1;
	code = ferry_target_init(&target, path, o->overwrite && !o->tree, err);
	if (!code)
		code = ferry_output_check_input(o, &target, path, err);
	if (!code)
		code = sink_init(s, shown, &target, err);
	if (!code)
		*out = o->sinks[o->n++] = s;
out:
	if (code && s && s->n_key)
		ferry_map_remove(&o->keys, s->key, s->n_key);
	if (code)
		sink_free(s);
	ferry_target_release(&target);
	ferry_alloc_free(shown);
	ferry_alloc_free(path);
	return code;
}

int ferry_output_open_main(struct ferry_output *o, const char *name,
			   struct ferry_sink **out, struct ferry_error *err)
{
	struct ferry_target target = { 0 };
	char text[512];
	int code = ferry_target_init(&target, o->path, true, err);

	ferry_escape(text, sizeof(text), o->path, strlen(o->path));
	if (!code && target.exists)
		code = ferry_fail(err, FERRY_EXISTS, "", FERRY_NO_OFFSET,
				  "%s: exists, and the output is cut into files "
				  "of other names; remove it, or name '%s' as "
				  "the output", text, name);
	ferry_target_release(&target);
	if (!code)
		code = ferry_output_open(o, name, out, err);
	if (!code)
		(*out)->is_main = true;
	return code;
}

size_t ferry_output_count(const struct ferry_output *o)
{
	return o->n;
}

struct ferry_sink *ferry_output_get(const struct ferry_output *o, size_t i)
{
	return i < o->n ? o->sinks[i] : NULL;
}

void ferry_output_free(struct ferry_output *o)
{
	size_t i;

	if (!o)
		return;
	for (i = o->n; i--; )
		sink_free(o->sinks[i]);
	for (i = o->n_dirs; i--; )
		close(o->dirs[i].fd);
	ferry_tree_free(o->tree);
	ferry_map_release(&o->keys);
	ferry_alloc_free(o->dirs);
	ferry_alloc_free(o->shown_dir);
	ferry_alloc_free(o->sinks);
	ferry_alloc_free(o->inputs);
	ferry_alloc_free(o->path);
	ferry_alloc_free(o);
}
