/* Descriptors of an output: few, however many files it has. */
#include "config.h"

#include "core/io/output.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <ferry/sys/alloc.h>

#include "core/io/target.h"

#define MOST_OPEN 32

/* ---- files --------------------------------------------------------------- */

static void append(struct ferry_sink *s)
{
	struct ferry_output *o = s->output;

	s->next = NULL;
	if (o->newest)
		o->newest->next = s;
	else
		o->oldest = s;
	o->newest = s;
	o->n_open++;
}

static void take_out(struct ferry_sink *s)
{
	struct ferry_output *o = s->output;
	struct ferry_sink *before = NULL, *at = o->oldest;

	for (; at && at != s; at = at->next)
		before = at;
	if (!at)
		return;
	if (before)
		before->next = s->next;
	else
		o->oldest = s->next;
	if (o->newest == s)
		o->newest = before;
	o->n_open--;
}

void ferry_sink_close(struct ferry_sink *s)
{
	if (s->fd < 0)
		return;
	take_out(s);
	close(s->fd);
	s->fd = -1;
}

static int identify(const struct ferry_sink *s, struct ferry_identity *out,
		    struct ferry_error *err)
{
	struct stat st;

	if (fstat(s->fd, &st))
		return ferry_fail_errno(err, errno, "%s: can't tell its "
					"temporary file", s->text);
	out->dev = st.st_dev;
	out->ino = st.st_ino;
	return 0;
}

int ferry_sink_note_open(struct ferry_sink *s, struct ferry_error *err)
{
	append(s);
	return identify(s, &s->id, err);
}

int ferry_sink_sync(struct ferry_sink *s, struct ferry_error *err)
{
	int code = s->synced ? 0 : ferry_sink_wake(s, err);

	if (code || s->synced)
		return code;
	code = ferry_sink_flush(s, err);
	if (code)
		return code;
	while (!s->output->work->no_sync && fdatasync(s->fd))
		if (errno != EINTR)
			return ferry_sink_fail(s, errno, s->end, 0, err);
	s->synced = true;
	return 0;
}

int ferry_output_make_room(struct ferry_output *o, struct ferry_error *err)
{
	while (o->n_open >= MOST_OPEN) {
		struct ferry_sink *s = o->oldest;
		int code = ferry_sink_sync(s, err);

		if (code)
			return code;
		ferry_sink_close(s);
		ferry_alloc_free(s->held);
		s->held = NULL;
	}
	return 0;
}

int ferry_sink_wake(struct ferry_sink *s, struct ferry_error *err)
{
	struct ferry_identity id;
	int code;

	if (s->fd >= 0) {
		s->synced = false;
		return 0;
	}
	code = ferry_output_make_room(s->output, err);
	if (code)
		return code;
	s->fd = openat(s->dirfd, s->temp, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (s->fd < 0)
		return ferry_fail_errno(err, errno, "%s: can't open its "
					"temporary file again", s->text);
	append(s);
	s->synced = false;
	code = identify(s, &id, err);
	if (!code && memcmp(&id, &s->id, sizeof(id)))
		code = ferry_fail(err, FERRY_IO, "", FERRY_NO_OFFSET,
				  "%s: another file is in the place of its "
				  "temporary one", s->text);
	return code;
}

/* ---- directories --------------------------------------------------------- */

static int add_dir(struct ferry_output *o, const char *dir, const char *text,
		   int *fd, struct ferry_error *err)
{
	struct ferry_dir *dirs;
	struct stat st;

	dirs = ferry_alloc_resize(o->dirs, o->n_dirs + 1, sizeof(*dirs));
	if (!dirs)
		return ferry_fail_nomem(err, "an output");
	o->dirs = dirs;
	*fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*fd < 0 || fstat(*fd, &st)) {
		int e = errno;

		if (*fd >= 0)
			close(*fd);
		return ferry_fail_errno(err, e, "%s: can't open its directory",
					text);
	}
	dirs[o->n_dirs++] = (struct ferry_dir){
		.id = { .dev = st.st_dev, .ino = st.st_ino }, .fd = *fd,
	};
	return 0;
}

int ferry_output_dir(struct ferry_output *o, const char *path,
		     const char *text, int *fd, struct ferry_error *err)
{
	size_t n = ferry_target_dir(path);
	char *dir = ferry_alloc(n + 2);
	struct stat st;
	int code = 0;

	if (!dir)
		return ferry_fail_nomem(err, "a path");
	memcpy(dir, n ? path : ".", n ? n : 1);
	dir[n ? n : 1] = '\0';
	*fd = -1;
	if (o->n_dirs && !stat(dir, &st))
		for (size_t i = 0; i < o->n_dirs && *fd < 0; i++)
			if (o->dirs[i].id.dev == st.st_dev &&
			    o->dirs[i].id.ino == st.st_ino)
				*fd = o->dirs[i].fd;
	if (*fd < 0)
		code = add_dir(o, dir, text, fd, err);
	ferry_alloc_free(dir);
	return code;
}
