/* What a reader opens beside its input, or within it. */
#include "config.h"

#include "core/registry/opened.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "core/io/output.h"
#include "core/io/target.h"

/* Where a file of an output lies before it gets its name; 0: not one of them */
static int find_unnamed(struct ferry_output *output, const char *name,
			const char **path, struct ferry_error *err)
{
	struct ferry_sink *sink;

	*path = NULL;
	for (size_t i = 0; output && i < ferry_output_count(output); i++) {
		sink = ferry_output_get(output, i);
		if (strcmp(ferry__base_name(sink->path), name))
			continue;
		*path = sink->temp_path;
		return ferry_sink_flush(sink, err);
	}
	return 0;
}

int ferry__note_path(struct ferry__context *c, const char *path,
		     struct ferry_error *err)
{
	if (!c->paths)
		return 0;
	ferry_buffer_add(c->paths, path, strlen(path) + 1);
	return c->paths->failed ? ferry_fail_nomem(err, "a file name") : 0;
}

static int fail_missing(const struct ferry__context *c, const char *path,
			struct ferry_error *err)
{
	char shown[256];

	ferry_escape(shown, sizeof(shown), path, strlen(path));
	return ferry_fail(err, FERRY_NOTFOUND, "open", FERRY_NO_OFFSET,
			  "file %s is %s but missing%s", shown, c->directory ?
			  "needed of the directory" : "named in it",
			  c->directory ? "" : ": put it beside this file");
}

/* Where the name lies now: *unnamed while an output waits for its name, else
 * in `path`. */
static int locate(const struct ferry_input *in, const char *name,
		  struct ferry_buffer *path, const char **unnamed,
		  struct ferry_error *err)
{
	struct ferry__context none = { .prefix = in->path };
	const struct ferry__context *c = in->priv ? in->priv : &none;
	char shown[256];

	if (!ferry_stays_inside(name)) {
		ferry_escape(shown, sizeof(shown), name, strlen(name));
		return ferry_fail(err, FERRY_MALFORMED, "open",
				  FERRY_NO_OFFSET, "file name '%s' in it leaves "
				  "the directory; only files beside it are "
				  "read", shown);
	}
	ferry_buffer_printf(path, "%.*s%s", (int)c->dir, c->prefix, name);
	if (path->failed)
		return ferry_fail_nomem(err, "a file name");
	return find_unnamed(c->output, name, unnamed, err);
}

static void mark_read(struct ferry__context *c, const char *name)
{
	size_t i = c->directory ? ferry_directory_find(c->directory, name) : 0;

	if (c->directory && i < c->directory->n)
		c->read[i] = 1;
}

static int open_sibling(struct ferry__context *c, const char *path,
			const char *unnamed, struct ferry_source **out,
			struct ferry_error *err)
{
	struct ferry_error why = FERRY_ERROR_INIT;
	int rc = ferry_source_open_file(out, unnamed ? unnamed : path, &why);

	if (!rc) {
		rc = ferry__note_path(c, path, err);
		if (rc)
			ferry_source_unref(*out);
		return rc;
	}
	if (rc == FERRY_NOTFOUND)
		return fail_missing(c, path, err);
	return ferry_fail(err, rc, why.origin, why.offset, "%s", why.text);
}

int ferry_input_sibling(const struct ferry_input *in, const char *name,
			struct ferry_source **out, struct ferry_error *err)
{
	struct ferry__context none = { .prefix = in->path };
	struct ferry__context *c = in->priv ? in->priv : &none;
	struct ferry_buffer path = FERRY_BUFFER_INIT;
	const char *unnamed;
	int rc = locate(in, name, &path, &unnamed, err);

	if (!rc)
		rc = open_sibling(c, path.data, unnamed, out, err);
	if (!rc)
		mark_read(c, name);
	ferry_buffer_release(&path);
	return rc;
}

static int read_member(struct ferry__context *c, const char *path,
		       struct ferry_store *store, struct ferry_document **out,
		       struct ferry_error *err)
{
	struct ferry__reading how = {
		.store = store, .paths = c->paths, .depth = c->depth + 1,
	};
	struct ferry_error why = FERRY_ERROR_INIT;
	int rc;

	if (c->depth == FERRY_DIRECTORY_DEPTH)
		return ferry_fail(err, FERRY_LIMIT, "open", FERRY_NO_OFFSET,
				  "files name each other more than %d deep",
				  FERRY_DIRECTORY_DEPTH);
	if (access(path, F_OK) && errno == ENOENT)
		return fail_missing(c, path, err);
	rc = ferry__read_document(c->session, path, &how, out, &why);
	return rc ? ferry__name_file(path, &why, rc, err) : 0;
}

int ferry_input_document(const struct ferry_input *in, const char *name,
			 struct ferry_store *store,
			 struct ferry_document **out, struct ferry_error *err)
{
	struct ferry_buffer path = FERRY_BUFFER_INIT;
	struct ferry__context *c = in->priv;
	const char *unnamed;
	int rc;

	if (!c)
		return ferry_fail(err, FERRY_MISUSE, "open", FERRY_NO_OFFSET,
				  "an input without a session has no documents "
				  "beside it");
	rc = locate(in, name, &path, &unnamed, err);
	if (!rc)
		rc = read_member(c, unnamed ? unnamed : path.data, store, out,
				 err);
	if (!rc) {
		mark_read(c, name);
		rc = ferry__copy_findings((*out)->findings, name, c->findings,
					  err);
		if (rc)
			ferry_document_free(*out);
	}
	ferry_buffer_release(&path);
	return rc;
}
