/* What settling stands on: paths, directories, data on the disk. */
#include "config.h"

#include "core/batch/settling.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <ferry/sys/alloc.h>

#include "core/batch/path.h"
#include "core/batch/record.h"
#include "core/io/target.h"

int ferry__fail_kind(struct settling *s, const char *path, const char *what)
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
int ferry__make_way(struct settling *s, char *path)
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
				 ferry__fail_kind(s, path, "is no directory, "
						  "and has to be one for its "
						  "output") :
				 ferry__path_fail(s->err, path, "make", errno);

			*p = '/';
			return rc;
		}
		*p = '/';
	}
	return 0;
}

/* ---- data ---------------------------------------------------------------- */

json_t *ferry__output_files(const struct ferry__made *made)
{
	return json_object_get(made->sidecar, "output");
}

size_t ferry__count_files(const struct ferry__made *made)
{
	return json_array_size(ferry__output_files(made));
}

/* A path below `dir`, in buf. */
const char *ferry__row_path(struct settling *s, const json_t *row,
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
const char *ferry__file_path(struct settling *s, const char *dir,
			     const char *slash, size_t i,
			     struct ferry_buffer *buf)
{
	return ferry__row_path(s, json_array_get(ferry__output_files(s->made),
						i), dir, slash, buf);
}

/* Its files where they lie: made aside, or under their names from an earlier
 * run. */
static int list_files(struct settling *s, size_t owner,
		      struct ferry_synced *out, size_t *n)
{
	const char *dir = s->made->aside ? s->made->aside : s->dir;
	const char *slash = s->made->aside ? "/" : "";

	for (size_t i = 0; i < ferry__count_files(s->made); i++) {
		struct ferry_buffer path = FERRY_BUFFER_INIT;

		if (!ferry__file_path(s, dir, slash, i, &path)) {
			ferry_buffer_release(&path);
			return ferry_fail_nomem(s->err, "a file name");
		}
		out[*n].path = path.data;
		out[(*n)++].owner = owner;
	}
	return 0;
}

void ferry__sync_begin(struct ferry_syncing *out, struct settling *s, size_t n)
{
	struct ferry_synced *files;
	size_t n_files = 0;

	for (size_t i = 0; i < n; i++)
		n_files += ferry__count_files(s[i].made);
	files = ferry_alloc_zero(n_files, sizeof(*files));
	n_files = 0;
	for (size_t i = 0; i < n; i++)
		s[i].err->code = files ? list_files(&s[i], i, files, &n_files) :
				 ferry_fail_nomem(s[i].err, "file names");
	ferry_sync_begin(out, files, n_files);
}

void ferry__sync_end(struct ferry_syncing *sync, struct settling *s)
{
	ferry_sync_end(sync);
	for (size_t i = 0; i < sync->n; i++) {
		const struct ferry_synced *f = &sync->files[i];
		struct settling *owner = &s[f->owner];

		if (f->error && !owner->err->code)
			owner->err->code = ferry__path_fail(
				owner->err, f->path, "sync", f->error);
		ferry_alloc_free(f->path);
	}
	ferry_alloc_free(sync->files);
}

/* The directories that the files lie in, by their final names. */
int ferry__sync_names(struct settling *s)
{
	struct ferry_buffer path = FERRY_BUFFER_INIT, last = FERRY_BUFFER_INIT;
	int rc = ferry__sync_directory(s->dir, s->err);
	size_t dir;

	for (size_t i = 0; !rc && i < ferry__count_files(s->made); i++) {
		if (!ferry__file_path(s, s->dir, "", i, &path)) {
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
		     ferry__sync_directory(path.data, s->err);
	}
	ferry_buffer_release(&path);
	ferry_buffer_release(&last);
	return rc;
}

/* ---- sources ------------------------------------------------------------- */

/* Files that the output was made of: the i-th, or NULL. */
const char *ferry__source_at(const struct ferry__entry *e, size_t i)
{
	if (!e->directory && !i--)
		return e->item.source;
	return i < e->n_members ? e->members[i] : NULL;
}

bool ferry__is_same_file(const char *a, const char *b)
{
	struct stat x, y;

	return !stat(a, &x) && !stat(b, &y) && x.st_dev == y.st_dev &&
	       x.st_ino == y.st_ino;
}

/* ---- what went wrong ----------------------------------------------------- */

/* The output stands under its name by then; a source is kept, as it may be all
 * that is left after a crash. */
void ferry__tell_unsynced(struct settling *s)
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
