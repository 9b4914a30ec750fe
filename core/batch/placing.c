/* Outputs moved to their names: what is there, backups, renames. */
#include "config.h"

#include "core/batch/settling.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/batch/path.h"
#include "core/batch/record.h"
#include "core/io/target.h"
#include "core/registry/registry.h"

#define BACKUPS_MOST 1000

/* ---- what is there ------------------------------------------------------- */

/* One name in one directory, by whichever links it is reached. */
static bool is_same_name(const char *a, const char *b)
{
	struct ferry_buffer x = FERRY_BUFFER_INIT, y = FERRY_BUFFER_INIT;
	bool same = !strcmp(ferry__base_name(a), ferry__base_name(b));

	if (same) {
		ferry_buffer_printf(&x, "%.*s.", (int)ferry_target_dir(a), a);
		ferry_buffer_printf(&y, "%.*s.", (int)ferry_target_dir(b), b);
		same = !x.failed && !y.failed &&
		       ferry__is_same_file(x.data, y.data);
	}
	ferry_buffer_release(&x);
	ferry_buffer_release(&y);
	return same;
}

static bool is_source(const struct ferry__entry *e, const char *path)
{
	const char *source;

	for (size_t i = 0; (source = ferry__source_at(e, i)); i++)
		if (is_same_name(path, source))
			return true;
	return false;
}

/* The sidecar of what was made before tells of the i-th file, too. */
static bool was_made(struct settling *s, size_t i)
{
	const json_t *name = json_object_get(
		json_array_get(ferry__output_files(s->made), i), "name");
	const json_t *row;
	size_t k;

	json_array_foreach(json_object_get(s->made->before, "output"), k, row)
		if (json_equal(json_object_get(row, "name"), name))
			return true;
	return false;
}

/* What was moved by a run that was killed before it could say so. */
static bool is_made(struct settling *s, size_t i, const char *path)
{
	const char *told = ferry__record_get(json_array_get(
				ferry__output_files(s->made), i), "digest");
	char digest[FERRY__DIGEST_TEXT];

	return told && !ferry__digest_file(s->w->m->o.digest, path,
					   s->w->cancel, digest, NULL) &&
	       !strcmp(told, digest);
}

static int check_file(struct settling *s, size_t i, const char *path)
{
	const struct ferry__entry *e = s->made->entry;
	char shown[256];
	struct stat st;
	bool ours;

	if (lstat(path, &st))
		return 0;
	if (S_ISDIR(st.st_mode))
		return ferry__fail_kind(s, path, "is a directory, and its "
					"output is to have that name");
	ours = is_source(e, path);
	if (ours && ferry__in_place(e))
		return 0;
	ferry_escape(shown, sizeof(shown), path, strlen(path));
	if (ours)
		return ferry_fail(s->err, FERRY_EXISTS, "migrate",
				  FERRY_NO_OFFSET, "%s: is the source itself, "
				  "by another path; --in-place replaces files "
				  "where they are", shown);
	if (s->w->m->o.overwrite || was_made(s, i) || is_made(s, i, path))
		return 0;
	return ferry_fail(s->err, FERRY_EXISTS, "migrate", FERRY_NO_OFFSET,
			  "%s: exists already and is not what this would make "
			  "of it; use --overwrite to replace it", shown);
}

static int check_sidecar(struct settling *s, struct ferry_buffer *path)
{
	struct stat st;

	ferry_buffer_printf(path, "%s" FERRY__SIDECAR,
			    s->made->entry->item.output);
	if (path->failed)
		return ferry_fail_nomem(s->err, "a file name");
	return !lstat(path->data, &st) && S_ISDIR(st.st_mode) ?
	       ferry__fail_kind(s, path->data, "is a directory, and its "
				"sidecar is to have that name") : 0;
}

/* Nothing is replaced but what an earlier run made, and sources in place. */
int ferry__check_free(struct settling *s)
{
	struct ferry_buffer path = FERRY_BUFFER_INIT;
	int rc = check_sidecar(s, &path);

	for (size_t i = 0; !rc && i < ferry__count_files(s->made); i++)
		rc = ferry__file_path(s, s->dir, "", i, &path) ?
		     check_file(s, i, path.data) :
		     ferry_fail_nomem(s->err, "a file name");
	ferry_buffer_release(&path);
	return rc;
}

/* ---- moving -------------------------------------------------------------- */

/* A second name for what is replaced in place; none is ever taken twice.  A
 * twin takes the same name first, and replaces then: where that is taken and
 * is no name of what is there now, this may be what a twin made (EXISTS). */
static int keep_backup(struct settling *s, const char *source, json_t *names)
{
	struct ferry_buffer path = FERRY_BUFFER_INIT;
	int e = EEXIST, rc = 0;

	for (int i = 0; e == EEXIST && !rc && i < BACKUPS_MOST; i++) {
		path.n = 0;
		ferry_buffer_printf(&path, "%s" FERRY__BACKUP, source);
		if (i)
			ferry_buffer_printf(&path, ".%d", i);
		e = path.failed ? ENOMEM : link(source, path.data) ? errno : 0;
		if (e == EEXIST && ferry__is_same_file(source, path.data))
			e = 0;
		if ((e == EEXIST || e == ENOENT) && !ferry__is_unchanged(s))
			rc = FERRY_EXISTS;
	}
	if (!e && json_array_append_new(names, ferry__record_name(
						path.data + strlen(s->dir))))
		e = ENOMEM;
	ferry_buffer_release(&path);
	if (e && !rc)
		rc = ferry__path_fail(s->err, source, "keep a backup of", e);
	return rc;
}

/* Their names are told below `dir`. */
int ferry__keep_backups(struct settling *s, json_t *names)
{
	const struct ferry__entry *e = s->made->entry;
	const char *path;
	int rc = names ? 0 : ferry_fail_nomem(s->err, "a record");

	for (size_t i = 0; !rc && (path = ferry__source_at(e, i)); i++)
		rc = keep_backup(s, path, names);
	return rc;
}

/* In place it stays whose it was; nowhere may more read it than the source. */
static int keep_mode(struct settling *s, const char *made)
{
	const char *source = ferry__source_at(s->made->entry, 0);
	struct stat was, is;

	if (!source || stat(source, &was) || stat(made, &is))
		return 0;
	if (s->w->m->output)
		was.st_mode = is.st_mode & (was.st_mode | S_IRUSR | S_IWUSR);
	else if ((was.st_uid != is.st_uid || was.st_gid != is.st_gid) &&
		 chown(made, was.st_uid, was.st_gid) && errno != EPERM)
		return ferry__path_fail(s->err, made, "give away", errno);
	return (was.st_mode ^ is.st_mode) & 0777 &&
	       chmod(made, was.st_mode & 0777) ?
	       ferry__path_fail(s->err, made, "restrict", errno) : 0;
}

static int move_one(struct settling *s, size_t i)
{
	struct ferry_buffer from = FERRY_BUFFER_INIT, to = FERRY_BUFFER_INIT;
	int rc;

	if (!ferry__file_path(s, s->made->aside, "/", i, &from) ||
	    !ferry__file_path(s, s->dir, "", i, &to))
		rc = ferry_fail_nomem(s->err, "a file name");
	else
		rc = ferry__make_way(s, to.data);
	if (!rc)
		rc = keep_mode(s, from.data);
	if (!rc && rename(from.data, to.data))
		rc = ferry__path_fail(s->err, to.data, "give that name to",
				      errno);
	ferry_buffer_release(&from);
	ferry_buffer_release(&to);
	return rc;
}

bool ferry__is_main(struct settling *s, size_t i)
{
	const char *base = ferry__base_name(s->made->entry->item.output);
	const json_t *row = json_array_get(ferry__output_files(s->made), i);
	const char *name = ferry__record_text(s->w->m->store,
					      json_object_get(row, "name"));

	return name && !strncmp(name, base, strlen(base));
}

/* Siblings first; what bears the output's name, which stands for all, last. */
int ferry__move_all(struct settling *s)
{
	size_t n = ferry__count_files(s->made);
	int rc = 0;

	for (int last = 0; last < 2; last++)
		for (size_t i = 0; i < n && !rc; i++)
			if (ferry__is_main(s, i) == last)
				rc = move_one(s, i);
	return rc;
}

int ferry__write_sidecar(struct settling *s, const char *aside)
{
	struct ferry_buffer path = FERRY_BUFFER_INIT;
	int rc;

	ferry_buffer_printf(&path, "%s" FERRY__SIDECAR,
			    s->made->entry->item.output);
	rc = path.failed ? ferry_fail_nomem(s->err, "a file name") :
	     ferry__record_write(s->made->sidecar, aside, path.data,
				 s->w->m->o.remove_source &&
				 !s->w->how->no_sync, s->err);
	ferry_buffer_release(&path);
	return rc;
}

/* In place, an output can't be told from a source that nothing was done to, so
 * it is told of before it takes the name. */
int ferry__announce(struct settling *s)
{
	bool keep = !s->w->m->o.remove_source &&
		    ferry__in_place(s->made->entry);
	json_t *names = keep ? json_array() : NULL;
	int rc = keep ? ferry__keep_backups(s, names) : 0;

	if (!rc && names)
		json_object_set(s->made->sidecar, "backup", names);
	json_decref(names);
	if (rc)
		return rc;
	json_object_set_new(s->made->sidecar, "moving", json_true());
	rc = ferry__write_sidecar(s, s->made->aside);
	json_object_del(s->made->sidecar, "moving");
	return rc;
}
