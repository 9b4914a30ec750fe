/* What was made, for the record: files and tensors, by their digests. */
#include "config.h"

#include "core/batch/batch.h"

#include <string.h>
#include <sys/stat.h>

#include <ferry/sys/alloc.h>
#include <ferry/sys/buffer.h>
#include <ferry/sys/ops.h>
#include <ferry/sys/source.h>
#include <ferry/tensor.h>

#include "core/batch/digest.h"
#include "core/batch/record.h"
#include "core/batch/span.h"
#include "core/io/directory.h"

struct contents {
	const struct ferry__worker *w;
	struct ferry_document *doc;	/* of the main file, or NULL */
	struct ferry_places places;
	struct ferry__span *spans;	/* one for each tensor */
	size_t n;
	int fd;				/* the last that was looked at, */
	struct stat st;			/* and what it is */
	struct ferry_error *err;
};

static bool has_data(const struct ferry_place *place)
{
	return place->value->kind == FERRY_TENSOR &&
	       !(place->value->u.tensor->flags & FERRY_META);
}

/* ---- where tensors lie --------------------------------------------------- */

static bool look_at(struct contents *c, int fd)
{
	if (c->fd == fd)
		return true;
	c->fd = fstat(fd, &c->st) ? -1 : fd;
	return c->fd == fd;
}

/* What lies in no file as it is told gets no place, and is read by itself. */
static int locate(struct contents *c, size_t at, struct ferry__span *span)
{
	const struct ferry_tensor *t = c->places.items[at].value->u.tensor;
	struct ferry_source *src;
	uint64_t offset;
	int rc, fd;

	*span = (struct ferry__span){ .at = at,
				      .nbytes = ferry_tensor_nbytes(t) };
	if (!span->nbytes)
		return 0;
	rc = ferry_tensor_source(c->doc->store, t, &src, &offset, c->err);
	if (rc)
		return rc;
	if (ferry_source_file_range(src, offset, span->nbytes, &fd,
				    &span->offset) && look_at(c, fd)) {
		span->dev = c->st.st_dev;
		span->ino = c->st.st_ino;
	}
	return 0;
}

static int open_main(struct contents *c, const char *path, const char *format)
{
	struct ferry_open_options how = { .format = format };
	int rc = ferry_open(c->w->m->s, path, &how, &c->doc, c->err);

	if (!rc)
		rc = ferry_places_init(&c->places, c->doc, c->err);
	if (rc)
		return rc;
	c->spans = ferry_alloc_zero(c->places.n + 1, sizeof(*c->spans));
	if (!c->spans)
		return ferry_fail_nomem(c->err, "a record");
	for (size_t i = 0; i < c->places.n && !rc; i++)
		if (has_data(&c->places.items[i]))
			rc = locate(c, i, &c->spans[c->n++]);
	ferry__span_sort(c->spans, c->n);
	return rc;
}

static void release(struct contents *c)
{
	ferry_alloc_free(c->spans);
	if (c->places.owner)
		ferry_places_release(&c->places);
	if (c->doc)
		ferry_document_free(c->doc);
}

/* ---- telling ------------------------------------------------------------- */

/* "float32 [2,3] xxh128:..." */
static void describe(const struct ferry_tensor *t, const char *digest,
		     struct ferry_buffer *out)
{
	ferry_buffer_add_str(out, ferry_dtype_name(t->dtype));
	ferry_buffer_add_str(out, " [");
	ferry_buffer_add_uints(out, t->shape, t->ndim);
	ferry_buffer_add_str(out, "] ");
	ferry_buffer_add_str(out, digest);
}

/* Names that are not UTF-8 are told escaped. */
static int tell_tensor(struct contents *c, struct ferry__span *span,
		       json_t *out)
{
	const struct ferry_place *place = &c->places.items[span->at];
	const struct ferry_tensor *t = place->value->u.tensor;
	struct ferry_buffer text = FERRY_BUFFER_INIT;
	char name[1100];
	json_t *row;
	int rc = 0;

	if (!*span->digest)
		rc = ferry__digest_tensor(c->w->m->o.digest, t, c->w->cancel,
					  span->digest, c->err);
	if (rc)
		return rc;
	describe(t, span->digest, &text);
	row = text.failed ? NULL : json_stringn_nocheck(text.data, text.n);
	ferry_buffer_release(&text);
	if (!json_object_set(out, place->name, row)) {
		json_decref(row);
		return 0;
	}
	ferry_escape(name, sizeof(name), place->name, strlen(place->name));
	return json_object_set_new(out, name, row) ?
	       ferry_fail_nomem(c->err, "a record") : 0;
}

static int tell_tensors(struct contents *c, json_t *sidecar)
{
	json_t *out = json_object();
	int rc = 0;

	for (size_t i = 0; i < c->n && !rc; i++)
		rc = tell_tensor(c, &c->spans[i], out);
	if (!rc && c->n && json_object_set(sidecar, "tensors", out))
		rc = ferry_fail_nomem(c->err, "a record");
	json_decref(out);
	return rc;
}

static int tell_file(struct contents *c, const char *aside, const char *name,
		     json_t *list, uint64_t *nbytes)
{
	struct ferry_buffer path = FERRY_BUFFER_INIT;
	struct ferry__span_file file;
	int rc;

	ferry_buffer_printf(&path, "%s/%s", aside, name);
	rc = path.failed ? ferry_fail_nomem(c->err, "a file name") :
	     ferry__span_digests(&file, c->w->m->o.digest, path.data, c->spans,
				 c->n, c->w->cancel, c->err);
	ferry_buffer_release(&path);
	if (rc)
		return rc;
	*nbytes += file.nbytes;
	return json_array_append_new(list, json_pack(
		"{so sI ss ss}", "name", ferry__record_name(name), "nbytes",
		(json_int_t)file.nbytes, "digest", file.digest, "ends",
		file.ends)) ? ferry_fail_nomem(c->err, "a record") : 0;
}

/* The main file, whose name begins with that of the output. */
static const char *main_of(const struct ferry_directory *d, const char *base)
{
	const char *found = NULL;

	for (size_t i = 0; i < d->n; i++)
		if (!strncmp(d->names[i], base, strlen(base)) &&
		    (!found || strlen(d->names[i]) < strlen(found)))
			found = d->names[i];
	return found;
}

static int tell_all(struct contents *c, const struct ferry__made *made,
		    const struct ferry_directory *d, const char *main,
		    const char *format)
{
	struct ferry_buffer path = FERRY_BUFFER_INIT;
	uint64_t *nbytes = &made->entry->item.bytes_out;
	json_t *list = json_array();
	int rc = 0;

	*nbytes = 0;
	json_object_set_new(made->sidecar, "output", list);
	if (main && format) {
		ferry_buffer_printf(&path, "%s/%s", made->aside, main);
		rc = path.failed ? ferry_fail_nomem(c->err, "a file name") :
		     open_main(c, path.data, format);
	}
	for (size_t i = 0; i < d->n && !rc; i++)
		rc = tell_file(c, made->aside, d->names[i], list, nbytes);
	if (!rc)
		rc = tell_tensors(c, made->sidecar);
	ferry_buffer_release(&path);
	return rc;
}

int ferry__tell_outputs(const struct ferry__worker *w,
			const struct ferry__made *made, const char *base,
			const char *format, bool directory,
			struct ferry_error *err)
{
	struct contents c = { .w = w, .fd = -1, .err = err };
	struct ferry_directory d;
	int rc = ferry_directory_list(&d, made->aside, NULL, err);

	if (rc)
		return rc;
	rc = tell_all(&c, made, &d, directory ? base : main_of(&d, base),
		      format);
	release(&c);
	ferry_directory_release(&d);
	return rc;
}
