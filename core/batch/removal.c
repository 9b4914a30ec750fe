/* Sources and files of earlier outputs, removed when the record stands. */
#include "config.h"

#include "core/batch/settling.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "core/batch/path.h"

static bool is_output(struct settling *s, const char *path)
{
	struct ferry_buffer out = FERRY_BUFFER_INIT;
	bool is = false;

	for (size_t i = 0; i < ferry__count_files(s->made) && !is; i++)
		is = ferry__file_path(s, s->dir, "", i, &out) &&
		     !strcmp(out.data, path);
	ferry_buffer_release(&out);
	return is;
}

static int fail_removal(struct settling *s, const char *path, int e)
{
	char shown[256];

	ferry_escape(shown, sizeof(shown), path, strlen(path));
	return ferry_fail_errno(s->err, e, "%s: its output is made, but it "
				"can't be removed", shown);
}

/* Nothing is made of what was written to it since. */
static int check_sources(struct settling *s)
{
	const struct ferry__entry *e = s->made->entry;
	const char *path;
	char shown[256];

	for (size_t i = 0; (path = ferry__source_at(e, i)); i++) {
		if ((ferry__in_place(e) && is_output(s, path)) ||
		    ferry__is_source_told(e, path, s->made->sidecar, i))
			continue;
		ferry_escape(shown, sizeof(shown), path, strlen(path));
		return ferry_fail(s->err, FERRY_IO, "migrate", FERRY_NO_OFFSET,
				  "%s: changed after it was read, and stays: "
				  "run again when nothing writes to it", shown);
	}
	return 0;
}

/* Those of the source that did not become files of the output; the one that
 * names the others last, so that what is left is never taken for a whole. */
int ferry__remove_files(struct settling *s)
{
	const struct ferry__entry *e = s->made->entry;
	size_t i = 0;
	const char *path;
	int rc = ferry__sync_names(s);

	if (!rc)
		rc = check_sources(s);
	while (ferry__source_at(e, i))
		i++;
	while (!rc && i--) {
		path = ferry__source_at(e, i);
		if (ferry__in_place(e) && is_output(s, path))
			continue;
		if (unlink(path) && errno != ENOENT)
			return fail_removal(s, path, errno);
		if (e->directory)
			ferry__remove_empty(path, strlen(e->item.source));
	}
	return rc;
}

/* It is the output of an item of its own, or is one by now. */
static bool is_others(struct settling *s, const char *path)
{
	return strcmp(path, s->made->entry->item.output) &&
	       ferry__has_sidecar(path);
}

/* Files of an output that was made before and is made of others now, unless
 * somebody changed them. */
int ferry__remove_stale(struct settling *s)
{
	const json_t *before = json_object_get(s->made->before, "output");
	struct ferry_buffer path = FERRY_BUFFER_INIT;
	const json_t *row;
	int rc = 0;

	for (size_t i = 0; !rc && i < json_array_size(before); i++) {
		row = json_array_get(before, i);
		if (ferry__row_path(s, row, s->dir, "", &path) &&
		    !is_output(s, path.data) && !is_others(s, path.data) &&
		    ferry__is_as_told(s->dir, row) && unlink(path.data))
			rc = ferry__path_fail(s->err, path.data, "remove",
					      errno);
	}
	ferry_buffer_release(&path);
	return rc;
}
