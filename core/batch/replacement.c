/* Sets that are replaced in place: told of, ended, undone. */
#include "config.h"

#include "core/batch/replacement.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <ferry/sys/buffer.h>

#include "core/batch/batch.h"
#include "core/batch/path.h"
#include "core/batch/record.h"
#include "core/io/target.h"
#include "core/registry/registry.h"

struct ending {
	const struct ferry__replacement *r;
	struct ferry_store *store;
	char *dir;		/* with its slash, or "" */
	json_t *output, *source, *backup;
	struct ferry_error *err;
};

/* ---- files --------------------------------------------------------------- */

static int begin(struct ending *e, const struct ferry__replacement *r,
		 struct ferry_error *err)
{
	const json_t *sidecar = json_object_get(r->plan, "sidecar");
	size_t n = ferry_target_dir(r->path);
	int rc = ferry_store_new(&e->store, err);

	if (rc)
		return rc;
	e->r = r;
	e->err = err;
	e->dir = ferry_store_strndup(e->store, r->path, n);
	e->output = json_object_get(sidecar, "output");
	e->source = json_object_get(r->plan, "source");
	e->backup = json_object_get(r->plan, "backup");
	return e->dir ? 0 : ferry_fail_nomem(err, "a file name");
}

static const char *name_of(const struct ending *e, const json_t *row)
{
	const char *name = ferry__record_text(e->store,
					      json_object_get(row, "name"));

	return name && ferry_stays_inside(name) ? name : NULL;
}

/* In the store; NULL for what is no name below the directory. */
static const char *path_of(const struct ending *e, const json_t *row)
{
	const char *name = name_of(e, row);
	size_t n = name ? strlen(name) : 0, dir = strlen(e->dir);
	char *path = name ? ferry_store_alloc(e->store, dir + n + 1) : NULL;

	if (!path)
		return NULL;
	memcpy(path, e->dir, dir);
	memcpy(path + dir, name, n + 1);
	return path;
}

static int64_t mtime_of(const struct stat *st)
{
	return (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec;
}

/* It is the file that the row tells of: an original, or its backup. */
static bool is_there(const struct ending *e, const json_t *row)
{
	const char *path = path_of(e, row);
	struct stat st;

	return path && !stat(path, &st) && mtime_of(&st) == json_integer_value(
			json_object_get(row, "mtime_ns")) &&
	       ferry__is_as_told(e->dir, row);
}

static bool is_same(const struct ending *e, const json_t *a, const json_t *b)
{
	const char *x = path_of(e, a), *y = path_of(e, b);
	struct stat s, t;

	return x && y && !lstat(x, &s) && !lstat(y, &t) &&
	       s.st_ino == t.st_ino && s.st_dev == t.st_dev;
}

static bool is_among(const json_t *rows, const json_t *row)
{
	const json_t *name = json_object_get(row, "name"), *each;
	size_t i;

	json_array_foreach(rows, i, each)
		if (json_equal(json_object_get(each, "name"), name))
			return true;
	return false;
}

/* With the directories that are empty by that. */
static int drop(const struct ending *e, const json_t *row)
{
	const char *path = path_of(e, row);

	if (!path)
		return ferry__path_fail(e->err, e->r->path, "remove", ENOMEM);
	if (unlink(path) && errno != ENOENT)
		return ferry__path_fail(e->err, path, "remove", errno);
	ferry__remove_empty(path, strlen(e->dir));
	return 0;
}

/* ---- telling ------------------------------------------------------------- */

static int write_plan(const struct ferry__replacement *r, int fd)
{
	char *text = json_dumps(r->plan, JSON_SORT_KEYS | JSON_COMPACT);
	int e = text ? ferry__write_all(fd, text, strlen(text)) : ENOMEM;

	if (!e && r->sync && fdatasync(fd))
		e = errno;
	free(text);
	return e;
}

/* Where there are no locks, none holds. */
static int lock(int fd, int how)
{
	int rc;

	do
		rc = flock(fd, how);
	while (rc && errno == EINTR);
	return rc && errno == EWOULDBLOCK ? EWOULDBLOCK : 0;
}

int ferry__replacement_begin(struct ferry__replacement *r,
			     struct ferry_error *err)
{
	struct ferry_buffer temp = FERRY_BUFFER_INIT;
	int e = 0;

	ferry_buffer_printf(&temp, "%s/moving", r->aside);
	r->lock = temp.failed ? -1 : open(temp.data, O_WRONLY | O_CREAT |
					  O_TRUNC | O_CLOEXEC, 0666);
	if (r->lock < 0)
		e = temp.failed ? ENOMEM : errno;
	if (!e)
		e = lock(r->lock, LOCK_EX | LOCK_NB);
	if (!e)
		e = write_plan(r, r->lock);
	if (!e && link(temp.data, r->path))
		e = errno;
	if (!temp.failed)
		unlink(temp.data);
	ferry_buffer_release(&temp);
	if (e)
		ferry__replacement_close(r);
	if (e == EEXIST)
		return ferry_fail(err, FERRY_EXISTS, "migrate", FERRY_NO_OFFSET,
				  "is being replaced by another run");
	return e ? ferry__path_fail(err, r->path, "write", e) : 0;
}

void ferry__replacement_close(struct ferry__replacement *r)
{
	if (r->lock >= 0)
		close(r->lock);
	r->lock = -1;
}

static int forget(const struct ending *e)
{
	if (unlink(e->r->path) && errno != ENOENT)
		return ferry__path_fail(e->err, e->r->path, "remove", errno);
	return e->r->sync ? ferry__sync_directory(e->dir, e->err) : 0;
}

/* ---- ending -------------------------------------------------------------- */

static const char *sidecar_path(const struct ending *e, const json_t *row)
{
	const char *path = path_of(e, row);
	size_t n = path ? strlen(path) : 0;
	char *out = path ? ferry_store_alloc(e->store, n +
					     sizeof(FERRY__SIDECAR)) : NULL;

	if (out)
		snprintf(out, n + sizeof(FERRY__SIDECAR), "%s" FERRY__SIDECAR,
			 path);
	return out;
}

static int write_sidecar(const struct ending *e)
{
	const char *path = sidecar_path(e, e->r->plan);
	size_t n = strlen(e->dir) + sizeof(FERRY__MOVING) + 24;
	char *aside = ferry_store_alloc(e->store, n);
	struct stat st;
	int rc;

	if (!path || !aside)
		return ferry_fail_nomem(e->err, "a file name");
	if (fstat(e->r->lock, &st))
		return ferry__path_fail(e->err, e->r->path, "look at", errno);
	/* One's own, and that of whoever ends it after a kill. */
	snprintf(aside, n, "%s" FERRY__MOVING ".%ju", e->dir,
		 (uintmax_t)st.st_ino);
	if (mkdir(aside, 0777) && errno != EEXIST)
		return ferry__path_fail(e->err, aside, "make", errno);
	rc = ferry__record_write(json_object_get(e->r->plan, "sidecar"), aside,
				 path, e->r->sync, e->err);
	rmdir(aside);
	return rc;
}

/* With the record that tells of what it was made of. */
static int drop_source(const struct ending *e, const json_t *row)
{
	const char *path = sidecar_path(e, row);

	if (path && !json_equal(json_object_get(row, "name"),
				json_object_get(e->r->plan, "name")))
		unlink(path);
	return drop(e, row);
}

/* Those that did not become files of the output. */
static int drop_sources(const struct ending *e)
{
	const json_t *row;
	int rc = 0;
	size_t i;

	json_array_foreach(e->source, i, row)
		if (!rc && !is_among(e->output, row) && is_there(e, row))
			rc = drop_source(e, row);
	return rc;
}

static bool is_others(const struct ending *e, const json_t *row)
{
	const char *path = path_of(e, row);

	return !json_equal(json_object_get(row, "name"),
			   json_object_get(e->r->plan, "name")) &&
	       (!path || ferry__has_sidecar(path));
}

/* Of an output that was made before, unless somebody changed them. */
static int drop_before(const struct ending *e)
{
	const json_t *row;
	int rc = 0;
	size_t i;

	json_array_foreach(json_object_get(e->r->plan, "before"), i, row)
		if (!rc && !is_among(e->output, row) && !is_others(e, row) &&
		    ferry__is_as_told(e->dir, row))
			rc = drop(e, row);
	return rc;
}

static int drop_backups(const struct ending *e)
{
	const json_t *row;
	int rc = 0;
	size_t i;

	if (json_is_true(json_object_get(e->r->plan, "keep")))
		return 0;
	json_array_foreach(e->backup, i, row)
		if (!rc && is_there(e, row))
			rc = drop(e, row);
	return rc;
}

static int end(const struct ending *e)
{
	int rc = write_sidecar(e);

	if (!rc && e->r->sync)
		rc = ferry__sync_directory(e->dir, e->err);
	if (!rc)
		rc = drop_sources(e);
	if (!rc)
		rc = drop_before(e);
	if (!rc)
		rc = drop_backups(e);
	return rc ? rc : forget(e);
}

int ferry__replacement_end(struct ferry__replacement *r,
			   struct ferry_error *err)
{
	struct ending e = { .r = NULL };
	int rc = begin(&e, r, err);

	if (!rc)
		rc = end(&e);
	ferry_store_unref(e.store);
	return rc;
}

/* ---- undoing ------------------------------------------------------------- */

static int fail_lost(const struct ending *e, const json_t *row)
{
	const char *name = name_of(e, row);
	char shown[256];

	name = name ? name : "";
	ferry_escape(shown, sizeof(shown), name, strlen(name));
	return ferry_fail(e->err, FERRY_EXISTS, "migrate", FERRY_NO_OFFSET,
			  "is partly replaced by a run that was stopped, and "
			  "the original of '%s' is neither there nor in a "
			  "backup: put it back, or remove '%s' to go on with "
			  "what is there", shown,
			  ferry__base_name(e->r->path));
}

static int check_originals(const struct ending *e)
{
	const json_t *row;
	size_t i;

	json_array_foreach(e->source, i, row)
		if (!is_there(e, row) &&
		    !is_there(e, json_array_get(e->backup, i)))
			return fail_lost(e, row);
	return 0;
}

static int put_back(const struct ending *e, const json_t *row,
		    const json_t *backup)
{
	const char *to = path_of(e, row), *from = path_of(e, backup);

	if (!is_there(e, backup))
		return 0;
	if (is_same(e, row, backup))
		return drop(e, backup);
	return rename(from, to) ?
	       ferry__path_fail(e->err, to, "put back", errno) : 0;
}

/* What has a name that no original has; the names of others are taken back. */
static int drop_outputs(const struct ending *e)
{
	const json_t *row;
	int rc = 0;
	size_t i;

	json_array_foreach(e->output, i, row)
		if (!rc && !is_among(e->source, row) &&
		    ferry__is_proved(e->dir, row, NULL))
			rc = drop(e, row);
	return rc;
}

static int undo(const struct ending *e)
{
	const json_t *row;
	int rc = check_originals(e);
	size_t i;

	json_array_foreach(e->source, i, row)
		if (!rc)
			rc = put_back(e, row, json_array_get(e->backup, i));
	if (!rc)
		rc = drop_outputs(e);
	return rc ? rc : forget(e);
}

int ferry__replacement_undo(struct ferry__replacement *r,
			    struct ferry_error *err)
{
	struct ending e = { .r = NULL };
	int rc = begin(&e, r, err);

	if (!rc)
		rc = undo(&e);
	ferry_store_unref(e.store);
	return rc;
}

/* ---- after a kill -------------------------------------------------------- */

/* Its record stands, or could: every file is there. */
static bool is_moved(const struct ending *e)
{
	const char *path = sidecar_path(e, e->r->plan);
	json_t *told = NULL;
	const json_t *row;
	bool all = false;
	size_t i;

	if (path && !ferry__record_read(&told, path, FERRY__SIDECAR_MOST, NULL))
		all = json_equal(told, json_object_get(e->r->plan, "sidecar"));
	json_decref(told);
	if (all)
		return true;
	json_array_foreach(e->output, i, row)
		if (!ferry__is_proved(e->dir, row, NULL))
			return false;
	return json_array_size(e->output) > 0;
}

static int resume(struct ferry__replacement *r, struct ferry_error *err)
{
	struct ending e = { .r = NULL };
	int rc = ferry__record_read(&r->plan, r->path, FERRY__SIDECAR_MOST,
				    err);

	if (!rc)
		rc = begin(&e, r, err);
	if (!rc && ferry__record_uint(r->plan, "ferry_moving") != 1)
		rc = ferry_fail(err, FERRY_UNSUPPORTED, "migrate",
				FERRY_NO_OFFSET, "%s: is none of this ferry's",
				r->path);
	if (!rc)
		rc = is_moved(&e) ? end(&e) : undo(&e);
	ferry_store_unref(e.store);
	json_decref(r->plan);
	return rc;
}

int ferry__replacement_resume(const char *path, struct ferry_error *err)
{
	struct ferry__replacement r = {
		.path = path, .sync = true,
		.lock = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK),
	};
	struct stat st;
	int rc = 0;

	if (r.lock < 0)
		return errno == ENOENT ? 0 :
		       ferry__path_fail(err, path, "open", errno);
	lock(r.lock, LOCK_EX);
	/* Whoever held it ended it. */
	if (!fstat(r.lock, &st) && st.st_nlink)
		rc = resume(&r, err);
	ferry__replacement_close(&r);
	return rc;
}

static int resume_of(struct ferry_buffer *path, struct ferry_error *err)
{
	ferry_buffer_add_str(path, FERRY__MOVING);
	return path->failed ? ferry_fail_nomem(err, "a file name") :
	       ferry__replacement_resume(path->data, err);
}

int ferry__replacement_resume_of(const char *source, struct ferry_error *err)
{
	struct ferry_buffer path = FERRY_BUFFER_INIT;
	int rc;

	ferry_buffer_add_str(&path, source);
	rc = resume_of(&path, err);
	path.n = 0;
	if (!rc && ferry__index_name(source, &path))
		rc = resume_of(&path, err);
	ferry_buffer_release(&path);
	return rc;
}

bool ferry__replacement_names(const json_t *plan, const char *path,
			      const char *file)
{
	const char *keys[] = { "source", "output" };
	size_t n = ferry_target_dir(path);
	json_t *name, *rows;
	bool is = false;

	if (strncmp(path, file, n))
		return false;
	name = json_pack("{so}", "name", ferry__record_name(file + n));
	for (size_t i = 0; i < 2; i++) {
		rows = json_object_get(i ? json_object_get(plan, "sidecar") :
				       plan, keys[i]);
		is = is || is_among(rows, name);
	}
	json_decref(name);
	return is;
}
