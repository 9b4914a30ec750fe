/* Making an entry's outputs, aside from where they belong. */
#include "config.h"

#include "core/batch/batch.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include <ferry/sys/buffer.h>
#include <ferry/sys/sink.h>
#include <ferry/tensor.h>

#include "core/batch/digest.h"
#include "core/batch/record.h"
#include "core/io/directory.h"
#include "core/registry/registry.h"

#define SPARE ((uint64_t)1 << 20)	/* bytes for sidecars and journals */

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- room ---------------------------------------------------------------- */

static int check_room(const struct ferry__worker *w, uint64_t nbytes,
		      bool *full, struct ferry_error *err)
{
	char need[32], left[32];
	struct statvfs fs;
	uint64_t free_bytes;

	if (statvfs(w->work, &fs))
		return 0;
	free_bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
	if (free_bytes > nbytes && free_bytes - nbytes > SPARE)
		return 0;
	*full = true;
	return ferry_fail(err, FERRY_IO, "migrate", FERRY_NO_OFFSET,
			  "no space left on device: %s are needed and %s are "
			  "free", ferry_bytes_text(nbytes, need),
			  ferry_bytes_text(free_bytes, left));
}

static void note_full(const struct ferry_error *err, bool *full)
{
	if (err->code == FERRY_IO &&
	    (strstr(err->text, strerror(ENOSPC)) ||
	     strcasestr(err->text, "no space left") ||
	     strstr(err->text, strerror(EDQUOT))))
		*full = true;
}

/* ---- digests ------------------------------------------------------------- */

static json_t *shape_of(const struct ferry_tensor *t)
{
	json_t *shape = json_array();

	for (unsigned i = 0; i < t->ndim; i++)
		json_array_append_new(shape,
				      json_integer((json_int_t)t->shape[i]));
	return shape;
}

static int tell_tensor(const struct ferry__worker *w,
		       const struct ferry_place *place, json_t *out,
		       struct ferry_error *err)
{
	const struct ferry_tensor *t = place->value->u.tensor;
	char digest[FERRY__DIGEST_TEXT], name[1100];
	json_t *row;
	int rc;

	if (place->value->kind != FERRY_TENSOR || t->flags & FERRY_META)
		return 0;
	rc = ferry__digest_tensor(w->m->o.digest, t, w->cancel, digest, err);
	if (rc)
		return rc;
	row = json_pack("{ss so ss}", "dtype", ferry_dtype_name(t->dtype),
			"shape", shape_of(t), "digest", digest);
	if (!json_object_set(out, place->name, row)) {
		json_decref(row);
		return 0;
	}
	ferry_escape(name, sizeof(name), place->name, strlen(place->name));
	return json_object_set_new(out, name, row) ?
	       ferry_fail_nomem(err, "a record") : 0;
}

static int tell_tensors(const struct ferry__worker *w, const char *path,
			const char *format, json_t *sidecar,
			struct ferry_error *err)
{
	struct ferry_open_options how = { .format = format };
	json_t *out = json_object();
	struct ferry_document *doc;
	struct ferry_places places;
	int rc = ferry_open(w->m->s, path, &how, &doc, err);

	if (!rc) {
		rc = ferry_places_init(&places, doc, err);
		for (size_t i = 0; !rc && i < places.n; i++)
			rc = tell_tensor(w, &places.items[i], out, err);
		if (!rc)
			ferry_places_release(&places);
		ferry_document_free(doc);
	}
	if (!rc && json_object_size(out))
		json_object_set(sidecar, "tensors", out);
	json_decref(out);
	return rc;
}

static int tell_file(const struct ferry__worker *w, const char *aside,
		     const char *name, json_t *list, uint64_t *nbytes,
		     struct ferry_error *err)
{
	char digest[FERRY__DIGEST_TEXT], ends[FERRY__DIGEST_TEXT];
	struct ferry_buffer path = FERRY_BUFFER_INIT;
	struct stat st = { .st_size = 0 };
	int fd, rc;

	ferry_buffer_printf(&path, "%s/%s", aside, name);
	if (path.failed)
		return ferry_fail_nomem(err, "a file name");
	rc = ferry__digest_file(w->m->o.digest, path.data, w->cancel, digest,
				err);
	fd = rc ? -1 : open(path.data, O_RDONLY | O_CLOEXEC);
	if (fd >= 0 && !fstat(fd, &st))
		rc = ferry__digest_ends(fd, path.data, (uint64_t)st.st_size,
					ends, err);
	else if (!rc)
		rc = ferry_fail_errno(err, errno, "%s: can't look at it",
				      path.data);
	if (fd >= 0)
		close(fd);
	ferry_buffer_release(&path);
	if (rc)
		return rc;
	*nbytes += (uint64_t)st.st_size;
	return json_array_append_new(list, json_pack(
		"{so sI ss ss}", "name", ferry__record_name(name), "nbytes",
		(json_int_t)st.st_size, "digest", digest, "ends", ends)) ?
	       ferry_fail_nomem(err, "a record") : 0;
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

static int tell_outputs(const struct ferry__worker *w,
			const struct ferry__made *made, const char *base,
			const char *format, bool directory,
			struct ferry_error *err)
{
	struct ferry_buffer path = FERRY_BUFFER_INIT;
	json_t *list = json_array();
	uint64_t *nbytes = &made->entry->item.bytes_out;
	const char *main;
	struct ferry_directory d;
	int rc = ferry_directory_list(&d, made->aside, NULL, err);

	*nbytes = 0;
	json_object_set_new(made->sidecar, "output", list);
	if (rc)
		return rc;
	for (size_t i = 0; i < d.n && !rc; i++)
		rc = tell_file(w, made->aside, d.names[i], list, nbytes, err);
	main = directory ? base : main_of(&d, base);
	if (!rc && main && format) {
		ferry_buffer_printf(&path, "%s/%s", made->aside, main);
		rc = path.failed ? ferry_fail_nomem(err, "a file name") :
		     tell_tensors(w, path.data, format, made->sidecar, err);
	}
	ferry_buffer_release(&path);
	ferry_directory_release(&d);
	return rc;
}

/* ---- converting ---------------------------------------------------------- */

static int refuse(const struct ferry_buffer *refused, struct ferry_error *err)
{
	return ferry_fail(err, FERRY_LOSSY, "plan", FERRY_NO_OFFSET,
			  "would lose %s; allow-loss allows it",
			  refused->data ? refused->data : "something");
}

static int run_plan(struct ferry__worker *w, struct ferry__made *made,
		    struct ferry_plan *p, struct ferry_error *err)
{
	struct ferry_run_options run = {
		.max_memory = w->memory, .threads = w->threads,
		.no_sync = true, .cancel = w->cancel,
		.progress = w->progress, .progress_ctx = w->progress_ctx,
	};
	int rc = check_room(w, ferry_plan_bytes_out(p), &made->full, err);

	return rc ? rc : ferry_plan_run(p, &run, err);
}

static void tell_plan(struct ferry__worker *w, struct ferry__made *made,
		      const struct ferry_plan *p)
{
	const struct ferry_recognised *in = ferry_plan_input_type(p);
	struct ferry_item *item = &made->entry->item;

	item->format = ferry__keep(w->m, ferry_plan_input_format(p));
	item->to_format = ferry__keep(w->m, ferry_plan_output_format(p));
	item->to_type = ferry__keep(w->m, ferry_plan_output_type(p));
	if (in && in->type)
		item->type = in->type->name;
	ferry__record_put(made->sidecar, "format", item->format);
	ferry__record_put(made->sidecar, "type", item->type);
	ferry__record_put(made->sidecar, "version", item->version);
	ferry__record_put(made->sidecar, "to_format", item->to_format);
	ferry__record_put(made->sidecar, "to_type", item->to_type);
	ferry__record_put(made->sidecar, "losses", item->losses);
}

static bool writes_directory(const struct ferry_migration *m,
			     const struct ferry__entry *e)
{
	const char *name = e->rule->job.to_format;
	const struct ferry_known *f = !name ? NULL :
		ferry_session_find(m->s, FERRY_KNOWN_FORMATS, name);

	return f && f->format->flags & FERRY_FORMAT_DIRECTORY;
}

static int convert(struct ferry__worker *w, struct ferry__made *made,
		   const char *base, struct ferry_error *err)
{
	struct ferry_buffer path = FERRY_BUFFER_INIT;
	struct ferry_buffer refused = FERRY_BUFFER_INIT;
	bool directory = writes_directory(w->m, made->entry);
	struct ferry_plan *p = NULL;
	int rc;

	ferry_buffer_printf(&path, "%s/%s%s", made->aside, base,
			    directory ? "/" : "");
	rc = path.failed ? ferry_fail_nomem(err, "a file name") :
	     ferry__plan_entry(w->m, made->entry, path.data, &p, err);
	if (!rc) {
		ferry__tell_losses(w->m, made->entry, p, &refused);
		tell_plan(w, made, p);
		rc = ferry_plan_refused(p) ? refuse(&refused, err) :
		     run_plan(w, made, p, err);
	}
	ferry_plan_free(p);
	if (!rc)
		rc = tell_outputs(w, made, base, made->entry->item.to_format,
				  directory, err);
	ferry_buffer_release(&refused);
	ferry_buffer_release(&path);
	return rc;
}

static int copy_bytes(struct ferry__worker *w, struct ferry_source *src,
		      const char *path, struct ferry_error *err)
{
	struct ferry_work work = {
		.max_memory = w->memory, .threads = w->threads,
		.no_sync = true, .cancel = w->cancel, .total = src->nbytes,
		.progress = w->progress, .progress_ctx = w->progress_ctx,
	};
	struct ferry_transfer all = { .source = src, .nbytes = src->nbytes };
	struct ferry_output *output;
	struct ferry_sink *sink;
	int rc = ferry_output_new(&output, path, true, NULL, 0, &work, err);

	if (rc)
		return rc;
	rc = ferry_output_open(output, NULL, &sink, err);
	if (!rc && src->nbytes)
		rc = ferry_sink_transfer(sink, &all, 1, err);
	if (!rc)
		rc = ferry_output_commit(output, err);
	ferry_output_free(output);
	return rc;
}

static int copy(struct ferry__worker *w, struct ferry__made *made,
		const char *base, struct ferry_error *err)
{
	struct ferry_buffer path = FERRY_BUFFER_INIT;
	struct ferry_source *src;
	int rc = ferry_source_open_file(&src, made->entry->item.source, err);

	if (rc)
		return rc;
	ferry_buffer_printf(&path, "%s/%s", made->aside, base);
	rc = path.failed ? ferry_fail_nomem(err, "a file name") :
	     check_room(w, src->nbytes, &made->full, err);
	if (!rc)
		rc = copy_bytes(w, src, path.data, err);
	if (!rc)
		rc = tell_outputs(w, made, base, NULL, false, err);
	ferry_source_unref(src);
	ferry_buffer_release(&path);
	return rc;
}

/* ---- an entry ------------------------------------------------------------ */

static json_t *rule_of(const struct ferry__entry *e)
{
	return e->action == FERRY__COPY ? json_pack("{ss}", "do", "copy") :
	       json_loads(e->rule->text, 0, NULL);
}

static int begin_sidecar(const struct ferry_migration *m,
			 const struct ferry__entry *e, json_t *source,
			 struct ferry__made *made, char key[FERRY__DIGEST_TEXT],
			 struct ferry_error *err)
{
	json_t *rule = rule_of(e);
	json_t *what = json_pack("{ss sO sO so}", "ferry", PACKAGE_VERSION,
				 "source", source, "rule", rule, "output",
				 ferry__record_name(ferry__base_name(
						    e->item.output)));
	char *text = what ? json_dumps(what, JSON_SORT_KEYS | JSON_COMPACT) :
		     NULL;
	int rc = text ? ferry__digest_bytes(text, strlen(text), key, err) :
		 ferry_fail_nomem(err, "a record");

	if (!rc)
		made->sidecar = json_pack("{si ss ss sO sO}", "ferry_sidecar",
					  1, "ferry", PACKAGE_VERSION, "key",
					  key, "source", source, "rule", rule);
	if (made->sidecar && m->o.verify && e->action == FERRY__CONVERT)
		json_object_set_new(made->sidecar, "verified", json_true());
	free(text);
	json_decref(what);
	json_decref(rule);
	return rc || made->sidecar ? rc : ferry_fail_nomem(err, "a record");
}

static int make_aside(struct ferry__worker *w, struct ferry__made *made,
		      struct ferry_error *err)
{
	struct ferry_buffer path = FERRY_BUFFER_INIT;
	int rc = ferry__work_open(w, err);

	if (rc)
		return rc;
	ferry_buffer_printf(&path, "%s/%" PRIu64, w->work, w->n_made++);
	if (path.failed)
		rc = ferry_fail_nomem(err, "a file name");
	else if (mkdir(path.data, 0777))
		rc = ferry_fail_errno(err, errno, "%s: can't make it",
				      path.data);
	if (!rc)
		made->aside = path.data;
	else
		ferry_buffer_release(&path);
	return rc;
}

static int check_unchanged(const struct ferry__entry *e, const json_t *before,
			   struct ferry_error *err)
{
	json_t *after;
	uint64_t nbytes;
	int rc = ferry__identify_source(e, &after, &nbytes, err);

	if (rc)
		return rc;
	rc = json_equal((json_t *)before, after);
	json_decref(after);
	return rc ? 0 : ferry_fail(err, FERRY_IO, "migrate", FERRY_NO_OFFSET,
				   "changed while it was read: run again when "
				   "nothing writes to it");
}

static int make(struct ferry__worker *w, struct ferry__made *made,
		json_t *source, struct ferry_error *err)
{
	struct ferry__entry *e = made->entry;
	const char *base = ferry__base_name(e->item.output);
	char key[FERRY__DIGEST_TEXT];
	int rc = begin_sidecar(w->m, e, source, made, key, err);

	if (rc)
		return rc;
	if (ferry__is_done(e, key, w->m->o.verify &&
			   e->action == FERRY__CONVERT, &made->known)) {
		e->item.state = FERRY_ITEM_KEPT;
		return 0;
	}
	rc = make_aside(w, made, err);
	if (!rc)
		rc = e->action == FERRY__COPY ? copy(w, made, base, err) :
		     convert(w, made, base, err);
	return rc ? rc : check_unchanged(e, source, err);
}

void ferry__make(struct ferry__worker *w, struct ferry__entry *e,
		 struct ferry__made *out)
{
	double begun = now();
	json_t *source = NULL;
	int rc;

	*out = (struct ferry__made){ .entry = e, .err = FERRY_ERROR_INIT };
	rc = ferry__identify_source(e, &source, &e->item.nbytes, &out->err);
	if (!rc)
		rc = make(w, out, source, &out->err);
	json_decref(source);
	if (rc)
		note_full(&out->err, &out->full);
	if (rc)
		out->err.code = rc;
	e->item.seconds = now() - begun;
}
