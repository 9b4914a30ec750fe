/* Outputs get their names, and sidecars after them. */
#include "config.h"

#include "core/batch/batch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <ferry/sys/alloc.h>
#include <ferry/sys/buffer.h>

#include "core/batch/digest.h"
#include "core/batch/record.h"
#include "core/batch/replacement.h"
#include "core/io/sync.h"
#include "core/io/target.h"
#include "core/io/tree.h"
#include "core/registry/registry.h"

#define BACKUPS_MOST 1000

struct settling {
	struct ferry__worker *w;
	struct ferry__made *made;
	char *dir;			/* of the output, with its slash */
	struct ferry_error *err;
};

static int fail(struct settling *s, const char *path, const char *what, int e)
{
	char shown[256];

	ferry_escape(shown, sizeof(shown), path, strlen(path));
	return ferry_fail_errno(s->err, e, "%s: can't %s it", shown, what);
}

static int fail_kind(struct settling *s, const char *path, const char *what)
{
	char shown[256];

	return ferry_fail(s->err, FERRY_EXISTS, "migrate", FERRY_NO_OFFSET,
			  "%s: %s: move it away, or give the output another "
			  "name with --name or the recipe's output",
			  ferry_escape(shown, sizeof(shown), path,
				       strlen(path)), what);
}

/* ---- directories --------------------------------------------------------- */

/* Every directory that leads to the path. */
static int make_way(struct settling *s, char *path)
{
	char *last = strrchr(path, '/');
	struct stat st;
	bool there;

	if (!last || last == path)
		return 0;
	*last = '\0';
	there = !stat(path, &st) && S_ISDIR(st.st_mode);
	*last = '/';
	if (there)
		return 0;
	for (char *p = path + 1; (p = strchr(p, '/')); p++) {
		*p = '\0';
		if (mkdir(path, 0777) &&
		    (errno != EEXIST || stat(path, &st) ||
		     !S_ISDIR(st.st_mode))) {
			int rc = errno == EEXIST ?
				 fail_kind(s, path, "is no directory, and has "
					   "to be one for its output") :
				 fail(s, path, "make", errno);

			*p = '/';
			return rc;
		}
		*p = '/';
	}
	return 0;
}

static int sync_directory(struct settling *s, const char *path)
{
	int fd = open(*path ? path : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc = 0;

	if (fd < 0)
		return fail(s, path, "open", errno);
	if (fsync(fd) && errno != EINVAL)
		rc = fail(s, path, "sync", errno);
	close(fd);
	return rc;
}

/* ---- data ---------------------------------------------------------------- */

static json_t *files_of(const struct ferry__made *made)
{
	return json_object_get(made->sidecar, "output");
}

/* A path below `dir`, in buf. */
static const char *row_path(struct settling *s, const json_t *row,
			    const char *dir, const char *slash,
			    struct ferry_buffer *buf)
{
	const char *name = ferry__record_text(s->w->m->store,
					      json_object_get(row, "name"));

	buf->n = 0;
	ferry_buffer_printf(buf, "%s%s%s", dir, slash, name ? name : "");
	return name && ferry_stays_inside(name) && !buf->failed ? buf->data :
								  NULL;
}

/* The i-th file's path. */
static const char *file_path(struct settling *s, const char *dir,
			     const char *slash, size_t i,
			     struct ferry_buffer *buf)
{
	return row_path(s, json_array_get(files_of(s->made), i), dir, slash,
			buf);
}

/* Its files where they lie: made aside, or under their names from an earlier
 * run. */
static int list_files(struct settling *s, size_t owner,
		      struct ferry_synced *out, size_t *n)
{
	const char *dir = s->made->aside ? s->made->aside : s->dir;
	const char *slash = s->made->aside ? "/" : "";

	for (size_t i = 0; i < json_array_size(files_of(s->made)); i++) {
		struct ferry_buffer path = FERRY_BUFFER_INIT;

		if (!file_path(s, dir, slash, i, &path)) {
			ferry_buffer_release(&path);
			return ferry_fail_nomem(s->err, "a file name");
		}
		out[*n].path = path.data;
		out[(*n)++].owner = owner;
	}
	return 0;
}

/* Those of n items together. */
static void sync_files(struct settling *s, size_t n)
{
	struct ferry_synced *files;
	size_t n_files = 0;

	for (size_t i = 0; i < n; i++)
		n_files += json_array_size(files_of(s[i].made));
	files = ferry_alloc_zero(n_files, sizeof(*files));
	n_files = 0;
	for (size_t i = 0; i < n; i++)
		s[i].err->code = files ? list_files(&s[i], i, files, &n_files) :
				 ferry_fail_nomem(s[i].err, "file names");
	ferry_sync_files(files, n_files);
	for (size_t i = 0; i < n_files; i++) {
		struct settling *owner = &s[files[i].owner];

		if (files[i].error && !owner->err->code)
			owner->err->code = fail(owner, files[i].path, "sync",
						files[i].error);
		ferry_alloc_free(files[i].path);
	}
	ferry_alloc_free(files);
}

/* The directories that the files lie in, by their final names. */
static int sync_outputs(struct settling *s)
{
	struct ferry_buffer path = FERRY_BUFFER_INIT, last = FERRY_BUFFER_INIT;
	int rc = sync_directory(s, s->dir);
	size_t dir;

	for (size_t i = 0; !rc && i < json_array_size(files_of(s->made)); i++) {
		if (!file_path(s, s->dir, "", i, &path)) {
			rc = ferry_fail_nomem(s->err, "a file name");
			break;
		}
		dir = ferry_target_dir(path.data);
		path.data[dir] = '\0';
		if (!strcmp(path.data, last.n ? last.data : s->dir))
			continue;
		last.n = 0;
		ferry_buffer_add_str(&last, path.data);
		rc = last.failed ? ferry_fail_nomem(s->err, "a file name") :
		     sync_directory(s, path.data);
	}
	ferry_buffer_release(&path);
	ferry_buffer_release(&last);
	return rc;
}

/* ---- what is there ------------------------------------------------------- */

/* Files that the output was made of: the i-th, or NULL. */
static const char *source_at(const struct ferry__entry *e, size_t i)
{
	if (!e->directory && !i--)
		return e->item.source;
	return i < e->n_members ? e->members[i] : NULL;
}

static bool is_same_file(const char *a, const char *b)
{
	struct stat x, y;

	return !stat(a, &x) && !stat(b, &y) && x.st_dev == y.st_dev &&
	       x.st_ino == y.st_ino;
}

/* One name in one directory, by whichever links it is reached. */
static bool is_same_name(const char *a, const char *b)
{
	struct ferry_buffer x = FERRY_BUFFER_INIT, y = FERRY_BUFFER_INIT;
	bool same = !strcmp(ferry__base_name(a), ferry__base_name(b));

	if (same) {
		ferry_buffer_printf(&x, "%.*s.", (int)ferry_target_dir(a), a);
		ferry_buffer_printf(&y, "%.*s.", (int)ferry_target_dir(b), b);
		same = !x.failed && !y.failed && is_same_file(x.data, y.data);
	}
	ferry_buffer_release(&x);
	ferry_buffer_release(&y);
	return same;
}

static bool is_source(const struct ferry__entry *e, const char *path)
{
	const char *source;

	for (size_t i = 0; (source = source_at(e, i)); i++)
		if (is_same_name(path, source))
			return true;
	return false;
}

/* The sidecar of what was made before tells of the i-th file, too. */
static bool was_made(struct settling *s, size_t i)
{
	const json_t *name = json_object_get(json_array_get(
					     files_of(s->made), i), "name");
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
	const char *told = ferry__record_get(json_array_get(files_of(s->made),
							    i), "digest");
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
		return fail_kind(s, path, "is a directory, and its output is "
				 "to have that name");
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
	       fail_kind(s, path->data, "is a directory, and its sidecar is to "
			 "have that name") : 0;
}

/* Nothing is replaced but what an earlier run made, and sources in place. */
static int check_free(struct settling *s)
{
	struct ferry_buffer path = FERRY_BUFFER_INIT;
	int rc = check_sidecar(s, &path);

	for (size_t i = 0; !rc && i < json_array_size(files_of(s->made)); i++)
		rc = file_path(s, s->dir, "", i, &path) ?
		     check_file(s, i, path.data) :
		     ferry_fail_nomem(s->err, "a file name");
	ferry_buffer_release(&path);
	return rc;
}

/* ---- moving -------------------------------------------------------------- */

/* A second name for what is replaced in place; none is ever taken twice. */
static int keep_backup(struct settling *s, const char *source, json_t *names)
{
	struct ferry_buffer path = FERRY_BUFFER_INIT;
	int e = EEXIST;

	for (int i = 0; e == EEXIST && i < BACKUPS_MOST; i++) {
		path.n = 0;
		ferry_buffer_printf(&path, "%s" FERRY__BACKUP, source);
		if (i)
			ferry_buffer_printf(&path, ".%d", i);
		e = path.failed ? ENOMEM : link(source, path.data) ? errno : 0;
		if (e == EEXIST && is_same_file(source, path.data))
			e = 0;
	}
	if (!e && json_array_append_new(names, ferry__record_name(path.data +
								  strlen(s->dir))))
		e = ENOMEM;
	ferry_buffer_release(&path);
	return e ? ferry_fail_errno(s->err, e, "%s: can't keep a backup of it",
				    source) : 0;
}

/* Their names are told below `dir`. */
static int keep_backups(struct settling *s, json_t *names)
{
	const struct ferry__entry *e = s->made->entry;
	const char *path;
	int rc = names ? 0 : ferry_fail_nomem(s->err, "a record");

	for (size_t i = 0; !rc && (path = source_at(e, i)); i++)
		rc = keep_backup(s, path, names);
	return rc;
}

static int move_one(struct settling *s, size_t i)
{
	struct ferry_buffer from = FERRY_BUFFER_INIT, to = FERRY_BUFFER_INIT;
	int rc;

	if (!file_path(s, s->made->aside, "/", i, &from) ||
	    !file_path(s, s->dir, "", i, &to))
		rc = ferry_fail_nomem(s->err, "a file name");
	else
		rc = make_way(s, to.data);
	if (!rc && rename(from.data, to.data))
		rc = fail(s, to.data, "give that name to", errno);
	ferry_buffer_release(&from);
	ferry_buffer_release(&to);
	return rc;
}

static bool is_main(struct settling *s, size_t i)
{
	const char *base = ferry__base_name(s->made->entry->item.output);
	const char *name = ferry__record_text(s->w->m->store, json_object_get(
			json_array_get(files_of(s->made), i), "name"));

	return name && !strncmp(name, base, strlen(base));
}

/* Siblings first; what bears the output's name, which stands for all, last. */
static int move_all(struct settling *s)
{
	size_t n = json_array_size(files_of(s->made));
	int rc = 0;

	for (int last = 0; last < 2; last++)
		for (size_t i = 0; i < n && !rc; i++)
			if (is_main(s, i) == last)
				rc = move_one(s, i);
	return rc;
}

static int write_sidecar(struct settling *s, const char *aside)
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
static int announce(struct settling *s)
{
	bool keep = !s->w->m->o.remove_source &&
		    ferry__in_place(s->made->entry);
	json_t *names = keep ? json_array() : NULL;
	int rc = keep ? keep_backups(s, names) : 0;

	if (!rc && names)
		json_object_set(s->made->sidecar, "backup", names);
	json_decref(names);
	if (rc)
		return rc;
	json_object_set_new(s->made->sidecar, "moving", json_true());
	rc = write_sidecar(s, s->made->aside);
	json_object_del(s->made->sidecar, "moving");
	return rc;
}

/* ---- sets in place ------------------------------------------------------- */

static bool is_set(const struct ferry__made *made)
{
	const struct ferry__entry *e = made->entry;

	return ferry__in_place(e) && e->action == FERRY__CONVERT &&
	       (e->directory || e->n_members ||
		json_array_size(files_of(made)) > 1);
}

/* A file of the set as it was read, by its name or that of its backup. */
static int tell_file(struct settling *s, const char *path, size_t i,
		     json_t *list)
{
	const json_t *told = json_array_get(json_object_get(s->made->sidecar,
							    "source"), i);
	size_t dir = strlen(s->dir);
	json_t *row;

	if (strncmp(path, s->dir, dir) || !ferry_stays_inside(path + dir))
		return ferry_fail(s->err, FERRY_UNSUPPORTED, "migrate",
				  FERRY_NO_OFFSET, "%s: lies in another "
				  "directory than the set that it is a part "
				  "of: that can't be replaced in place", path);
	row = json_pack("{so sO sO sO}", "name",
			ferry__record_name(path + dir),
			"nbytes", json_object_get(told, "nbytes"),
			"mtime_ns", json_object_get(told, "mtime_ns"),
			"ends", json_object_get(told, "ends"));
	return json_array_append_new(list, row) ?
	       ferry_fail_nomem(s->err, "a record") : 0;
}

static int tell_backups(struct settling *s, json_t *names, json_t *list)
{
	int rc = keep_backups(s, names);
	json_t *row;
	size_t i;

	json_array_foreach(json_object_get(s->made->sidecar, "source"), i, row)
		if (!rc && i < json_array_size(names)) {
			row = json_copy(row);
			json_object_del(row, "path");
			json_object_set(row, "name", json_array_get(names, i));
			json_array_append_new(list, row);
		}
	return rc;
}

/* The file that stands for all, beside which the record lies; of a directory,
 * that. */
static const char *main_name(struct settling *s)
{
	const struct ferry__entry *e = s->made->entry;
	const char *found = NULL, *name;
	const json_t *row;
	size_t i;

	json_array_foreach(files_of(s->made), i, row) {
		name = ferry__record_text(s->w->m->store,
					  json_object_get(row, "name"));
		if (!e->directory && name && is_main(s, i) &&
		    (!found || strlen(name) < strlen(found)))
			found = name;
	}
	return found ? found : ferry__base_name(e->item.output);
}

/* It may have another name than the source, and is the item of the next run. */
static int rename_output(struct settling *s, const char *name)
{
	struct ferry_buffer path = FERRY_BUFFER_INIT;
	char key[FERRY__DIGEST_TEXT];
	json_t *sidecar = s->made->sidecar;
	int rc;

	if (!strcmp(name, ferry__base_name(s->made->entry->item.output)))
		return 0;
	ferry_buffer_printf(&path, "%s%s", s->dir, name);
	rc = path.failed ? ferry_fail_nomem(s->err, "a file name") :
	     ferry__key_of(PACKAGE_VERSION, json_object_get(sidecar, "source"),
			   json_object_get(sidecar, "rule"), path.data, key,
			   s->err);
	if (!rc)
		json_object_set_new(sidecar, "key", json_string(key));
	ferry_buffer_release(&path);
	return rc;
}

static int tell_replacement(struct settling *s, json_t *plan)
{
	json_t *source = json_array(), *backup = json_array();
	json_t *names = json_array();
	bool keep = !s->w->m->o.remove_source;
	const char *name = main_name(s), *path;
	int rc = rename_output(s, name);

	for (size_t i = 0; !rc && (path = source_at(s->made->entry, i)); i++)
		rc = tell_file(s, path, i, source);
	if (!rc)
		rc = tell_backups(s, names, backup);
	if (!rc && keep)
		json_object_set(s->made->sidecar, "backup", names);
	json_object_set_new(plan, "ferry_moving", json_integer(1));
	json_object_set(plan, "sidecar", s->made->sidecar);
	json_object_set_new(plan, "name", ferry__record_name(name));
	json_object_set_new(plan, "source", source);
	json_object_set_new(plan, "backup", backup);
	json_object_set_new(plan, "keep", json_boolean(keep));
	if (s->made->before)
		json_object_set(plan, "before", json_object_get(s->made->before,
								"output"));
	json_decref(names);
	return rc;
}

static bool is_unchanged(struct settling *s)
{
	json_t *now = NULL;
	uint64_t nbytes;
	bool same = !ferry__identify_source(s->made->entry, &now, &nbytes,
					    NULL) &&
		    json_equal(now, json_object_get(s->made->sidecar,
						    "source"));

	json_decref(now);
	return same;
}

/* Another run made it meanwhile, or does. */
static int give_way(struct settling *s, const char *path)
{
	struct ferry__entry *e = s->made->entry;
	const struct ferry__wanted wanted = {
		.verified = s->w->m->o.verify, .cancel = s->w->cancel,
		.key = "",
	};

	ferry_error_clear(s->err);
	ferry__replacement_resume(path, NULL);
	json_decref(s->made->before);
	if (ferry__is_done(e, &wanted, &s->made->before)) {
		e->item.state = FERRY_ITEM_KEPT;
		return 0;
	}
	return ferry_fail(s->err, FERRY_IO, "migrate", FERRY_NO_OFFSET,
			  "changed while it was read: run again when nothing "
			  "writes to it");
}

static void tell_unsynced(struct settling *s);

static int move_set(struct settling *s, struct ferry__replacement *r)
{
	int rc = move_all(s);

	if (rc) {
		ferry__replacement_undo(r, NULL);
		return rc;
	}
	if (r->sync && sync_outputs(s)) {
		tell_unsynced(s);
		r->sync = false;
	}
	return s->err->code ? s->err->code : ferry__replacement_end(r, s->err);
}

static int replace_set(struct settling *s, const char *path)
{
	struct ferry__replacement r = {
		.path = path, .aside = s->made->aside, .lock = -1,
		.sync = !s->w->how->no_sync, .plan = json_object(),
	};
	int rc = tell_replacement(s, r.plan);

	if (!rc)
		rc = ferry__replacement_begin(&r, s->err);
	if (rc == FERRY_EXISTS)
		rc = give_way(s, path);
	else if (!rc)
		rc = move_set(s, &r);
	ferry__replacement_close(&r);
	json_decref(r.plan);
	return rc;
}

static int replace(struct settling *s)
{
	struct ferry_item *item = &s->made->entry->item;
	struct ferry_buffer path = FERRY_BUFFER_INIT;
	const char *name = main_name(s);
	int rc;

	s->made->replaced = true;
	ferry_buffer_printf(&path, "%s" FERRY__MOVING, item->source);
	rc = path.failed ? ferry_fail_nomem(s->err, "a file name") :
	     is_unchanged(s) ? replace_set(s, path.data) :
	     give_way(s, path.data);
	path.n = 0;
	ferry_buffer_printf(&path, "%s%s", s->dir, name);
	if (!rc && strcmp(name, ferry__base_name(item->output)))
		item->output = ferry__keep(s->w->m, path.data);
	ferry_buffer_release(&path);
	return rc;
}

static int move(struct settling *s)
{
	int rc = check_free(s);

	if (!rc && is_set(s->made))
		return replace(s);
	if (!rc && !s->w->m->output)
		rc = announce(s);
	return rc ? rc : move_all(s);
}

/* ---- recording ----------------------------------------------------------- */

static bool is_output(struct settling *s, const char *path)
{
	struct ferry_buffer out = FERRY_BUFFER_INIT;
	bool is = false;

	for (size_t i = 0; i < json_array_size(files_of(s->made)) && !is; i++)
		is = file_path(s, s->dir, "", i, &out) &&
		     !strcmp(out.data, path);
	ferry_buffer_release(&out);
	return is;
}

/* Directories that are empty now, up to that of the item. */
static void remove_empty(const struct ferry__entry *e, const char *path)
{
	size_t root = strlen(e->item.source);
	struct ferry_buffer dir = FERRY_BUFFER_INIT;

	ferry_buffer_add_str(&dir, path);
	for (char *slash; !dir.failed && (slash = strrchr(dir.data, '/')) &&
	     (size_t)(slash - dir.data) >= root;) {
		*slash = '\0';
		if (rmdir(dir.data))
			break;
	}
	ferry_buffer_release(&dir);
}

static int fail_removal(struct settling *s, const char *path, int e)
{
	char shown[256];

	ferry_escape(shown, sizeof(shown), path, strlen(path));
	return ferry_fail_errno(s->err, e, "%s: its output is made, but it "
				"can't be removed", shown);
}

/* Those of the source that did not become files of the output; the one that
 * names the others last, so that what is left is never taken for a whole. */
static int remove_files(struct settling *s)
{
	const struct ferry__entry *e = s->made->entry;
	size_t i = 0;
	const char *path;
	int rc = sync_outputs(s);

	while (source_at(e, i))
		i++;
	while (!rc && i--) {
		path = source_at(e, i);
		if (ferry__in_place(e) && is_output(s, path))
			continue;
		if (unlink(path) && errno != ENOENT)
			return fail_removal(s, path, errno);
		if (e->directory)
			remove_empty(e, path);
	}
	return rc;
}

/* It is the output of an item of its own, or is one by now. */
static bool has_sidecar(struct settling *s, const char *path)
{
	struct ferry_buffer name = FERRY_BUFFER_INIT;
	struct stat st;
	bool has;

	ferry_buffer_printf(&name, "%s" FERRY__SIDECAR, path);
	has = strcmp(path, s->made->entry->item.output) &&
	      (name.failed || !lstat(name.data, &st));
	ferry_buffer_release(&name);
	return has;
}

/* Files of an output that was made before and is made of others now, unless
 * somebody changed them. */
static int remove_stale(struct settling *s)
{
	const json_t *before = json_object_get(s->made->before, "output");
	struct ferry_buffer path = FERRY_BUFFER_INIT;
	const json_t *row;
	int rc = 0;

	for (size_t i = 0; !rc && i < json_array_size(before); i++) {
		row = json_array_get(before, i);
		if (row_path(s, row, s->dir, "", &path) &&
		    !is_output(s, path.data) && !has_sidecar(s, path.data) &&
		    ferry__is_as_told(s->dir, row) && unlink(path.data))
			rc = fail(s, path.data, "remove", errno);
	}
	ferry_buffer_release(&path);
	return rc;
}

static int record(struct settling *s)
{
	const struct ferry_migration_options *o = &s->w->m->o;
	int rc;

	if (s->made->replaced)
		return 0;
	rc = write_sidecar(s, s->made->aside);
	if (!rc)
		rc = remove_stale(s);
	if (!rc && s->made->entry->action == FERRY__CONVERT &&
	    (o->remove_source || ferry__in_place(s->made->entry)))
		rc = remove_files(s);
	return rc;
}

/* ---- all of them --------------------------------------------------------- */

static char *directory_of(const char *path)
{
	struct ferry_buffer dir = FERRY_BUFFER_INIT;

	ferry_buffer_printf(&dir, "%.*s", (int)ferry_target_dir(path), path);
	return dir.failed ? NULL : dir.data;
}

/* What was made, and is well so far. */
static size_t choose(struct ferry__worker *w, struct ferry__made *made,
		     size_t n, char **dirs, struct settling *out)
{
	size_t k = 0;

	for (size_t i = 0; i < n; i++) {
		struct settling s = { w, &made[i], dirs[i], &made[i].err };

		if (!made[i].aside || made[i].err.code)
			continue;
		if (dirs[i])
			out[k++] = s;
		else
			s.err->code = ferry_fail_nomem(s.err, "a name");
	}
	return k;
}

static void each(struct settling *s, size_t n, int (*step)(struct settling *s))
{
	for (size_t i = 0; i < n; i++) {
		int rc = s[i].err->code ? 0 : step(&s[i]);

		if (rc)
			s[i].err->code = rc;
	}
}

/* The output stands under its name by then; a source is kept, as it may be all
 * that is left after a crash. */
static void tell_unsynced(struct settling *s)
{
	struct ferry_item *item = &s->made->entry->item;
	char text[sizeof(s->err->text) + 80];

	if (s->w->m->o.remove_source) {
		s->err->code = FERRY_IO;
		return;
	}
	snprintf(text, sizeof(text), "%s; the output is whole, but a crash of "
		 "the machine may take its name back", s->err->text);
	item->reason = ferry__keep(s->w->m, text);
	ferry_error_clear(s->err);
}

static bool is_unsynced(const struct settling *s)
{
	return !s->err->code && !s->made->replaced;
}

/* Of a directory, each file's; else one for all, which items next to each
 * other often share. */
static void sync_directories(struct settling *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		size_t k = i;

		if (!is_unsynced(&s[i]))
			continue;
		while (k && (!is_unsynced(&s[k - 1]) ||
			     strcmp(s[k - 1].dir, s[i].dir)))
			k--;
		if ((!k || ferry__makes_directory(s[i].w->m,
						  s[i].made->entry)) &&
		    sync_outputs(&s[i]))
			tell_unsynced(&s[i]);
	}
}

/* An earlier run did not remove the sources.  They are only removed for what
 * is on the disk, and once the sidecar tells so: else what is left when this
 * run is killed would pass for another source. */
static int remove_kept(struct settling *s)
{
	bool told = json_object_del(s->made->sidecar, "moving") &&
		    json_is_true(json_object_get(s->made->sidecar,
						 "source_removed"));
	int rc;

	if (!s->w->how->no_sync)
		sync_files(s, 1);
	rc = s->err->code;
	if (!rc && !told)
		rc = ferry__work_open(s->w, s->err);
	if (!rc && !told) {
		json_object_set_new(s->made->sidecar, "source_removed",
				    json_true());
		rc = write_sidecar(s, s->w->work);
	}
	return rc ? rc : remove_files(s);
}

/* An earlier run in place was killed after it moved the output. */
static int end_move(struct settling *s)
{
	int rc = ferry__work_open(s->w, s->err);

	if (!json_object_del(s->made->sidecar, "moving") && !rc)
		rc = write_sidecar(s, s->w->work);
	return rc;
}

static void settle_kept(struct ferry__worker *w, struct ferry__made *made,
			size_t n, char **dirs)
{
	for (size_t i = 0; i < n; i++) {
		struct settling s = { w, &made[i], dirs[i], &made[i].err };

		if (made[i].entry->item.state != FERRY_ITEM_KEPT || !dirs[i] ||
		    made[i].entry->action != FERRY__CONVERT)
			continue;
		json_decref(made[i].sidecar);
		made[i].sidecar = json_incref(made[i].before);
		if (!ferry__in_place(made[i].entry) && w->m->o.remove_source)
			made[i].err.code = remove_kept(&s);
		else if (json_object_get(made[i].before, "moving"))
			made[i].err.code = end_move(&s);
	}
}

static void end(struct ferry__worker *w, struct ferry__made *made)
{
	struct ferry_item *item = &made->entry->item;

	if (made->err.code)
		ferry__entry_fail(w->m, made->entry, &made->err);
	else if (item->state != FERRY_ITEM_KEPT)
		item->state = made->entry->action == FERRY__COPY ?
			      FERRY_ITEM_COPIED : FERRY_ITEM_DONE;
	/* Moved files leave it empty, for the next to use. */
	if (made->aside && (made->err.code || made->replaced ||
			    ferry__makes_directory(w->m, made->entry)))
		ferry_tree_remove(AT_FDCWD, made->aside);
	json_decref(made->sidecar);
	json_decref(made->before);
	ferry_alloc_free(made->aside);
}

void ferry__settle(struct ferry__worker *w, struct ferry__made *made, size_t n)
{
	struct settling s[FERRY__TASK_MOST];
	char *dirs[FERRY__TASK_MOST];
	size_t n_made;

	for (size_t i = 0; i < n; i++)
		dirs[i] = directory_of(made[i].entry->item.output);
	n_made = choose(w, made, n, dirs, s);
	if (!w->how->no_sync)
		sync_files(s, n_made);
	each(s, n_made, move);
	if (!w->how->no_sync)
		sync_directories(s, n_made);
	each(s, n_made, record);
	settle_kept(w, made, n, dirs);
	for (size_t i = 0; i < n; i++) {
		ferry_alloc_free(dirs[i]);
		end(w, &made[i]);
	}
}
