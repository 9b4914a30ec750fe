/* Finding items: walks, lists, single files. */
#include "config.h"

#include "core/batch/batch.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <ferry/sys/alloc.h>
#include <ferry/sys/buffer.h>

#include "core/batch/record.h"
#include "core/batch/replacement.h"
#include "core/io/directory.h"
#include "core/registry/registry.h"

#define DEPTH_MOST 200

struct finder {
	struct ferry_migration *m;
	struct ferry_buffer path;	/* of what is looked at */
	size_t root;			/* bytes of it that are the root's */
	struct stat dst;		/* st_ino 0: none */
	struct ferry_map entered;	/* directories; 0: a source, not yet */
	uint64_t n_seen;		/* names that are not ferry's own */
	bool directories;		/* some format is one */
	unsigned depth;
	unsigned inside;		/* an item: its depth + 1; 0: none */
	json_t *moving;			/* paths that tell of replacements */
	struct ferry_error *err;
};

static const char *below(const struct finder *f)
{
	const char *p = f->path.data + f->root;

	while (*p == '/')
		p++;
	return p;
}

static int note(struct finder *f, enum ferry_level level, const char *code,
		const char *text)
{
	return ferry_findings_add(f->m->findings, level, code, f->path.data,
				  FERRY_NO_OFFSET, "%s", text) ?
	       ferry_fail_nomem(f->err, "findings") : 0;
}

/* What ferry itself leaves beside outputs. */
static bool is_own(const char *name)
{
	return ferry__ends_with(name, FERRY__SIDECAR) ||
	       strstr(name, FERRY__BACKUP) || strstr(name, FERRY__MOVING) ||
	       !strcmp(name, FERRY__LEDGER);
}

static void note_moving(struct finder *f, const char *path)
{
	json_array_append_new(f->moving, ferry__record_name(path));
}

/* Of a source that was named itself. */
static bool look_for_moving(struct finder *f, const char *source)
{
	struct ferry_buffer path = FERRY_BUFFER_INIT;
	bool is;

	ferry_buffer_printf(&path, "%s" FERRY__MOVING, source);
	is = !path.failed && !access(path.data, F_OK);
	if (is)
		note_moving(f, path.data);
	ferry_buffer_release(&path);
	return is;
}

/* ---- entries ------------------------------------------------------------- */

static struct ferry__entry *append(struct ferry_migration *m)
{
	size_t cap = m->cap ? 2 * m->cap : 256;
	struct ferry__entry *entries;

	if (m->n == m->cap) {
		entries = ferry_alloc_resize(m->entries, cap, sizeof(*entries));
		if (!entries)
			return NULL;
		m->entries = entries;
		m->cap = cap;
	}
	memset(&m->entries[m->n], 0, sizeof(*m->entries));
	return &m->entries[m->n++];
}

int ferry__add_entry(struct ferry_migration *m, const char *source,
		     const char *path, struct ferry__entry **out,
		     struct ferry_error *err)
{
	struct ferry__entry *e;

	*out = NULL;
	if (ferry_map_get(&m->by_source, source, strlen(source), NULL))
		return 0;
	e = append(m);
	if (!e || ferry_map_put(&m->by_source, source, strlen(source),
				m->n - 1))
		return ferry_fail_nomem(err, "an item");
	e->item.source = source;
	e->item.n_files = 1;
	e->path = path;
	*out = e;
	return 0;
}

/* An entry for the path at hand; *out is NULL for one that is there already. */
static int add_here(struct finder *f, struct ferry__entry **out)
{
	const char *source = ferry_store_strndup(f->m->store, f->path.data,
						 f->path.n);

	if (!source)
		return ferry_fail_nomem(f->err, "an item");
	return ferry__add_entry(f->m, source,
				source + (below(f) - f->path.data), out,
				f->err);
}

static int add_file(struct finder *f, uint64_t nbytes)
{
	struct ferry__entry *e;
	int rc = add_here(f, &e);

	if (rc || !e)
		return rc;
	e->item.nbytes = nbytes;
	e->found = true;
	return 0;
}

/* ---- directories --------------------------------------------------------- */

static int add_artifact(struct finder *f, const struct ferry_known *format,
			const struct ferry_directory *d)
{
	struct ferry__entry *e;
	int rc = add_here(f, &e);

	if (rc || !e)
		return rc;
	e->directory = true;
	e->item.format = format->name;
	e->tensors = format->format->flags & FERRY_FORMAT_TENSORS;
	for (size_t i = 0; i < d->n; i++)
		e->item.nbytes += d->sizes[i];
	return 0;
}

/* A directory that is an artifact, as a whole, is an item; the files in it are
 * looked at as everywhere, and those that its reader opens are the item's. */
static int add_directory(struct finder *f)
{
	const struct ferry_known *format;
	struct ferry_directory d;
	int rc = 0;

	if (!f->directories || f->inside ||
	    ferry_directory_list(&d, f->path.data, NULL, NULL))
		return 0;
	if (ferry__is_artifact(f->m->s, &d, f->path.data, &format)) {
		f->inside = f->depth + 1;
		rc = add_artifact(f, format, &d);
	}
	ferry_directory_release(&d);
	return rc;
}

/* What could not be looked into may have held anything. */
static int add_unseen(struct finder *f, enum ferry_code code, const char *text)
{
	struct ferry_error why = FERRY_ERROR_INIT;
	struct ferry__entry *e;
	int rc = add_here(f, &e);

	if (rc || !e)
		return rc;
	ferry_fail(&why, code, "migrate", FERRY_NO_OFFSET, "%s", text);
	ferry__entry_fail(f->m, e, &why);
	return 0;
}

static int add_unreadable(struct finder *f, int e)
{
	char text[200];

	snprintf(text, sizeof(text), "is a directory that can't be looked "
		 "into: %s", strerror(e));
	return add_unseen(f, FERRY_IO, text);
}

static int add_unlooked(struct finder *f, int e)
{
	char text[200];

	snprintf(text, sizeof(text), "can't be looked at: %s", strerror(e));
	return add_unseen(f, FERRY_IO, text);
}

/* What no call that takes a path can reach. */
static int add_distant(struct finder *f)
{
	char text[200];

	snprintf(text, sizeof(text), "has a path of %zu bytes and %d are the "
		 "most that can be opened: run ferry from a directory nearer "
		 "to it", f->path.n, PATH_MAX - 1);
	return add_unseen(f, FERRY_LIMIT, text);
}

/* ---- directories that are met again -------------------------------------- */

struct identity {
	dev_t dev;
	ino_t ino;
};

static void identify(const struct stat *st, struct identity *out)
{
	memset(out, 0, sizeof(*out));
	out->dev = st->st_dev;
	out->ino = st->st_ino;
}

static bool is_known(const struct finder *f, const struct stat *st,
		     uint64_t *entered)
{
	struct identity id;

	identify(st, &id);
	return ferry_map_get(&f->entered, &id, sizeof(id), entered);
}

static int know(struct finder *f, const struct stat *st, bool entered)
{
	struct identity *id = ferry_store_alloc(f->m->store, sizeof(*id));

	if (!id)
		return ferry_fail_nomem(f->err, "a directory");
	identify(st, id);
	return ferry_map_put(&f->entered, id, sizeof(*id), entered) ?
	       ferry_fail_nomem(f->err, "a directory") : 0;
}

static int know_sources(struct finder *f)
{
	const struct ferry_migration_options *o = &f->m->o;
	struct stat st;
	int rc = 0;

	for (size_t i = 0; i < o->n_sources && !rc; i++)
		if (!stat(o->sources[i], &st) && S_ISDIR(st.st_mode))
			rc = know(f, &st, false);
	return rc;
}

static int note_again(struct finder *f)
{
	return note(f, FERRY_NOTE, "again", "was looked into already, as a "
		    "source or in one, and is passed over");
}

static int walk(struct finder *f, int fd);

static int enter(struct finder *f, int parent, const char *name,
		 const struct stat *st)
{
	uint64_t entered = 0;
	bool known = is_known(f, st, &entered);
	int fd, rc;

	if (f->dst.st_ino && st->st_ino == f->dst.st_ino &&
	    st->st_dev == f->dst.st_dev)
		return note(f, FERRY_NOTE, "destination",
			    "is where the outputs go, and is passed over");
	if (entered)
		return note_again(f);
	if (f->depth == DEPTH_MOST)
		return known ? note(f, FERRY_NOTE, "again", "is a source of "
				    "its own") :
		       add_unseen(f, FERRY_LIMIT, "is a directory that lies "
				  "too deep and was not looked into: name it "
				  "as a source of its own");
	rc = know(f, st, true);
	if (!rc)
		rc = add_directory(f);
	if (rc)
		return rc;
	fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW |
		    O_CLOEXEC);
	if (fd < 0)
		return add_unreadable(f, errno);
	f->depth++;
	rc = walk(f, fd);
	f->depth--;
	if (f->inside == f->depth + 1)
		f->inside = 0;
	return rc;
}

static const char *kind_of(mode_t mode)
{
	return S_ISFIFO(mode) ? "a pipe" : S_ISSOCK(mode) ? "a socket" :
	       "a device";
}

static int note_special(struct finder *f, mode_t mode)
{
	char text[80];

	snprintf(text, sizeof(text), "is no regular file but %s, and is passed "
		 "over", kind_of(mode));
	return note(f, FERRY_NOTE, "no-file", text);
}

static int take_link(struct finder *f, int dir, const char *name)
{
	struct stat st;

	if (fstatat(dir, name, &st, 0))
		return errno == EACCES ?
		       add_unseen(f, FERRY_IO, "is a symbolic link to what "
				  "can't be looked at: Permission denied") :
		       note(f, FERRY_WARNING, "broken-link", errno == ELOOP ?
			    "is a symbolic link that leads back to itself, and "
			    "is passed over" :
			    "is a symbolic link to nothing, and is passed "
			    "over");
	if (S_ISREG(st.st_mode))
		return add_file(f, (uint64_t)st.st_size);
	return S_ISDIR(st.st_mode) ?
	       note(f, FERRY_NOTE, "linked-directory", "is a link to a "
		    "directory, which is not followed: name that as a source, "
		    "too, if it is wanted") : note_special(f, st.st_mode);
}

static int take(struct finder *f, int dir, const char *name)
{
	struct stat st;

	if (ferry__ends_with(name, FERRY__MOVING))
		note_moving(f, f->path.data);
	if (is_own(name))
		return 0;
	f->n_seen++;
	if (f->path.n >= PATH_MAX)
		return add_distant(f);
	if (ferry_is_temporary(name))
		return note(f, FERRY_NOTE, "leftover", "is what an interrupted "
			    "conversion left behind; it can be removed");
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW))
		return errno == ENOENT ? 0 : add_unlooked(f, errno);
	if (S_ISDIR(st.st_mode))
		return enter(f, dir, name, &st);
	if (S_ISREG(st.st_mode))
		return add_file(f, (uint64_t)st.st_size);
	if (S_ISLNK(st.st_mode))
		return take_link(f, dir, name);
	return note_special(f, st.st_mode);
}

/* Takes the descriptor over. */
static int walk(struct finder *f, int fd)
{
	DIR *dir = fdopendir(fd);
	const struct dirent *entry;
	size_t n = f->path.n;
	int rc = 0;

	if (!dir) {
		close(fd);
		return ferry_fail_nomem(f->err, "a directory");
	}
	for (errno = 0; !rc && (entry = readdir(dir)); errno = 0) {
		if (!strcmp(entry->d_name, ".") ||
		    !strcmp(entry->d_name, ".."))
			continue;
		ferry_buffer_printf(&f->path, "%s%s", n &&
				    f->path.data[n - 1] == '/' ? "" : "/",
				    entry->d_name);
		if (f->path.failed)
			rc = ferry_fail_nomem(f->err, "a file name");
		else
			rc = take(f, fd, entry->d_name);
		f->path.n = n;
		if (f->path.data)
			f->path.data[n] = '\0';
	}
	if (!rc && errno)
		rc = add_unreadable(f, errno);
	closedir(dir);
	return rc;
}

/* ---- sources ------------------------------------------------------------- */

static int fail_source(const char *path, int e, struct ferry_error *err)
{
	char shown[256];

	ferry_escape(shown, sizeof(shown), path, strlen(path));
	if (e == ENOENT)
		return ferry_fail(err, FERRY_NOTFOUND, "migrate",
				  FERRY_NO_OFFSET, "%s: is not there: check "
				  "its name, and that its disk is mounted",
				  shown);
	return ferry_fail_errno(err, e, "%s: can't look into it", shown);
}

static int fail_special(const char *path, mode_t mode, struct ferry_error *err)
{
	char shown[256];

	return ferry_fail(err, FERRY_MISUSE, "migrate", FERRY_NO_OFFSET,
			  "%s: is %s: a source is a directory, a file or a "
			  "manifest", ferry_escape(shown, sizeof(shown), path,
						   strlen(path)),
			  kind_of(mode));
}

static int check_apart(const struct finder *f, const struct stat *st,
		       struct ferry_error *err)
{
	if (!f->dst.st_ino || st->st_ino != f->dst.st_ino ||
	    st->st_dev != f->dst.st_dev)
		return 0;
	return ferry_fail(err, FERRY_MISUSE, "migrate", FERRY_NO_OFFSET,
			  "%s: is source and destination; --in-place replaces "
			  "files where they are", f->path.data);
}

static int find_below(struct finder *f, const char *source,
		      const struct stat *st)
{
	uint64_t seen = f->n_seen;
	int fd, rc = know(f, st, true);

	f->root = (size_t)(ferry__base_name(f->path.data) - f->path.data);
	if (!rc)
		rc = add_directory(f);
	if (rc)
		return rc;
	if (!f->inside)
		f->root = f->path.n;
	fd = open(source, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	f->depth = 1;
	rc = fd < 0 ? fail_source(source, errno, f->err) : walk(f, fd);
	f->depth = 0;
	f->inside = 0;
	if (rc || f->n_seen != seen)
		return rc;
	return note(f, FERRY_WARNING, "empty", "is empty: nothing is to be "
		    "done; is its disk mounted?");
}

static int find_in(struct finder *f, const char *source)
{
	struct ferry_error *err = f->err;
	uint64_t entered = 0;
	struct stat st;
	bool moving;
	int rc;

	f->path.n = 0;
	ferry_buffer_add_str(&f->path, source);
	while (f->path.n > 1 && f->path.data[f->path.n - 1] == '/')
		f->path.data[--f->path.n] = '\0';
	if (f->path.failed)
		return ferry_fail_nomem(err, "a file name");
	moving = look_for_moving(f, f->path.data);
	if (stat(source, &st))
		return moving ? 0 : fail_source(source, errno, err);
	f->root = f->path.n;
	if (S_ISREG(st.st_mode)) {
		f->root = (size_t)(ferry__base_name(f->path.data) -
				   f->path.data);
		return add_file(f, (uint64_t)st.st_size);
	}
	if (!S_ISDIR(st.st_mode))
		return fail_special(source, st.st_mode, err);
	rc = check_apart(f, &st, err);
	if (rc)
		return rc;
	return is_known(f, &st, &entered) && entered ? note_again(f) :
	       find_below(f, source, &st);
}

static int by_source(const void *a, const void *b)
{
	return strcmp(((const struct ferry__entry *)a)->item.source,
		      ((const struct ferry__entry *)b)->item.source);
}

static int sort_entries(struct ferry_migration *m, struct ferry_error *err)
{
	if (m->n)
		qsort(m->entries, m->n, sizeof(*m->entries), by_source);
	ferry_map_release(&m->by_source);
	for (size_t i = 0; i < m->n; i++)
		if (ferry_map_put(&m->by_source, m->entries[i].item.source,
				  strlen(m->entries[i].item.source), i))
			return ferry_fail_nomem(err, "an item");
	return 0;
}

/* ---- replacements that were stopped -------------------------------------- */

static void fail_entry(struct ferry_migration *m, struct ferry__entry *e,
		       const struct ferry_error *why)
{
	struct ferry_error copy = *why;

	copy.offset = FERRY_NO_OFFSET;
	if (e->item.state != FERRY_ITEM_FAILED)
		ferry__entry_fail(m, e, &copy);
}

/* Nothing is made of the files of a set of which some are replaced.  Of what
 * can't be read, those are all in its directory. */
static void fail_files(struct ferry_migration *m, const char *path,
		       const struct ferry_error *why)
{
	size_t dir = (size_t)(ferry__base_name(path) - path);
	size_t n = strlen(path) - strlen(FERRY__MOVING);
	json_t *plan = NULL;

	ferry__record_read(&plan, path, FERRY__SIDECAR_MOST, NULL);
	for (size_t i = 0; i < m->n; i++) {
		const char *source = m->entries[i].item.source;

		if (plan ? ferry__replacement_names(plan, path, source) ||
			   (!strncmp(source, path, n) && !source[n]) :
			   !strncmp(source, path, dir))
			fail_entry(m, &m->entries[i], why);
	}
	json_decref(plan);
}

/* Those that can be ended are; *again: there were some. */
static void end_replacements(struct finder *f, bool *again)
{
	struct ferry_migration *m = f->m;
	struct ferry_error why;
	json_t *each;
	size_t i;

	json_array_foreach(f->moving, i, each) {
		const char *path = ferry__record_text(m->store, each);

		ferry_error_clear(&why);
		if (!m->o.resume || m->output)
			ferry_fail(&why, FERRY_EXISTS, "migrate",
				   FERRY_NO_OFFSET, "is partly replaced by a "
				   "run in place that was stopped: run that "
				   "again to end it");
		else if (path && !ferry__replacement_resume(path, &why))
			*again = true;
		if (path && why.code)
			fail_files(m, path, &why);
	}
}

static int find_all(struct finder *f)
{
	struct ferry_migration *m = f->m;
	int rc = know_sources(f);

	for (size_t i = 0; i < m->o.n_sources && !rc; i++)
		rc = ferry__is_manifest(m->o.sources[i]) ?
		     ferry__manifest_load(m, m->o.sources[i], f->err) :
		     find_in(f, m->o.sources[i]);
	return rc ? rc : ferry__sniff(m, f->err);
}

/* What was found lies elsewhere now. */
static int forget(struct finder *f)
{
	struct ferry_migration *m = f->m;

	m->n = 0;
	ferry_map_release(&m->by_source);
	ferry_map_release(&f->entered);
	json_array_clear(f->moving);
	ferry_findings_free(m->findings);
	m->findings = NULL;
	return ferry_findings_new(&m->findings, f->err);
}

int ferry__discover(struct ferry_migration *m, struct ferry_error *err)
{
	struct finder f = { .m = m, .err = err, .moving = json_array() };
	int rc = f.moving ? 0 : ferry_fail_nomem(err, "a migration");
	bool again = false;

	f.directories = ferry__any_directory_format(m->s);
	if (m->output && stat(m->output, &f.dst))
		f.dst.st_ino = 0;
	if (!rc)
		rc = find_all(&f);
	if (!rc)
		end_replacements(&f, &again);
	if (!rc && again)
		rc = forget(&f);
	if (!rc && again)
		rc = find_all(&f);
	if (!rc && again)
		end_replacements(&f, &again);
	ferry_map_release(&f.entered);
	ferry_buffer_release(&f.path);
	json_decref(f.moving);
	return rc ? rc : sort_entries(m, err);
}
