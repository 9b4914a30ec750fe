/* Making an entry's outputs, aside from where they belong. */
#include "config.h"

#include "core/batch/batch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include <ferry/sys/alloc.h>
#include <ferry/sys/buffer.h>
#include <ferry/sys/sink.h>

#include "core/batch/digest.h"
#include "core/batch/record.h"
#include "core/batch/replacement.h"
#include "core/io/tree.h"
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
	char need[32], left[32], spare[32];
	struct statvfs fs;
	uint64_t free_bytes;

	if (statvfs(w->work, &fs))
		return 0;
	free_bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
	if (free_bytes > nbytes && free_bytes - nbytes > SPARE)
		return 0;
	*full = true;
	return ferry_fail(err, FERRY_IO, "migrate", FERRY_NO_OFFSET,
			  "no space left on device: %s are needed, with %s to "
			  "spare, and %s are free",
			  ferry_bytes_text(nbytes, need),
			  ferry_bytes_text(SPARE, spare),
			  ferry_bytes_text(free_bytes, left));
}

/* A device has room for bytes yet, and for no file. */
static bool lacks_inodes(const struct ferry__worker *w)
{
	struct statvfs fs;

	return w->work && !statvfs(w->work, &fs) && fs.f_files && !fs.f_favail;
}

static void note_full(const struct ferry__worker *w, struct ferry_error *err,
		      bool *full)
{
	char text[sizeof(err->text)];

	if (err->code != FERRY_IO ||
	    (!strstr(err->text, strerror(ENOSPC)) &&
	     !strcasestr(err->text, "no space left") &&
	     !strstr(err->text, strerror(EDQUOT))))
		return;
	*full = true;
	if (!lacks_inodes(w))
		return;
	snprintf(text, sizeof(text), "%s", err->text);
	ferry_error_clear(err);
	ferry_fail(err, FERRY_IO, "migrate", FERRY_NO_OFFSET, "%s: its inodes "
		   "are used up: remove files", text);
}

/* ---- converting ---------------------------------------------------------- */

static int refuse(const struct ferry_buffer *refused, struct ferry_error *err)
{
	return ferry_fail(err, FERRY_LOSSY, "plan", FERRY_NO_OFFSET,
			  "would lose %s; --allow-loss or the recipe's "
			  "allow-loss allows it",
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

static int convert(struct ferry__worker *w, struct ferry__made *made,
		   const char *base, struct ferry_error *err)
{
	struct ferry_buffer path = FERRY_BUFFER_INIT;
	struct ferry_buffer refused = FERRY_BUFFER_INIT;
	bool directory = ferry__makes_directory(w->m, made->entry);
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
		rc = ferry__tell_outputs(w, made, base, made->entry->item.to_format,
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
		rc = ferry__tell_outputs(w, made, base, NULL, false, err);
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
	int rc = rule ? ferry__key_of(PACKAGE_VERSION, source, rule,
				      e->item.output, key, err) :
		 ferry_fail_nomem(err, "a record");

	if (!rc)
		made->sidecar = json_pack("{si ss ss sO sO}", "ferry_sidecar",
					  1, "ferry", PACKAGE_VERSION, "key",
					  key, "source", source, "rule", rule);
	if (made->sidecar && m->o.verify && e->action == FERRY__CONVERT)
		json_object_set_new(made->sidecar, "verified", json_true());
	if (made->sidecar && m->o.remove_source &&
	    e->action == FERRY__CONVERT)
		json_object_set_new(made->sidecar, "source_removed",
				    json_true());
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
	ferry_buffer_printf(&path, "%s/%u", w->work, w->slot);
	if (path.failed)
		rc = ferry_fail_nomem(err, "a file name");
	else if (mkdir(path.data, 0777) && errno != EEXIST)
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

/* What would be made of less than the whole, and replace what was. */
static int check_whole(const struct ferry__made *made, const json_t *source,
		       struct ferry_error *err)
{
	const char *base = ferry__base_name(made->entry->item.output);
	char shown[256];

	ferry_escape(shown, sizeof(shown), base, strlen(base));
	if (ferry__is_rest(source, made->before))
		return ferry_fail(err, FERRY_EXISTS, "migrate", FERRY_NO_OFFSET,
				  "is what a run that removes sources left of "
				  "it, not the whole that '%s' was made of: "
				  "remove it, or '%s" FERRY__SIDECAR "' to "
				  "make an output of what is left", shown,
				  shown);
	return 0;
}

static int make(struct ferry__worker *w, struct ferry__made *made,
		json_t *source, struct ferry_error *err)
{
	struct ferry__entry *e = made->entry;
	const char *base = ferry__base_name(e->item.output);
	char key[FERRY__DIGEST_TEXT];
	bool converts = e->action == FERRY__CONVERT;
	const struct ferry__wanted wanted = {
		.key = key, .source = source, .cancel = w->cancel,
		.verified = converts && w->m->o.verify,
		.proved = converts && w->m->o.remove_source &&
			  !ferry__in_place(e),
	};
	int rc = begin_sidecar(w->m, e, source, made, key, err);

	if (rc)
		return rc;
	if (ferry__is_done(e, &wanted, &made->before)) {
		e->item.state = FERRY_ITEM_KEPT;
		return 0;
	}
	rc = check_whole(made, source, err);
	if (!rc && e->rest)
		rc = ferry_fail(err, FERRY_NOTFOUND, "migrate",
				FERRY_NO_OFFSET, "is not whole any more");
	if (!rc)
		rc = make_aside(w, made, err);
	if (!rc)
		rc = e->action == FERRY__COPY ? copy(w, made, base, err) :
		     convert(w, made, base, err);
	/* In place it is looked at when it is replaced. */
	return rc || ferry__in_place(e) ? rc : check_unchanged(e, source, err);
}

static void forget(struct ferry__made *made)
{
	if (made->aside)
		ferry_tree_remove(AT_FDCWD, made->aside);
	ferry_alloc_free(made->aside);
	json_decref(made->sidecar);
	json_decref(made->before);
	made->aside = NULL;
	made->sidecar = made->before = NULL;
}

/* Sources that an earlier run removed, or began to, as a frozen manifest tells
 * of them, or another run meanwhile; its own error stands for all others that
 * are not there. */
static int keep_removed(struct ferry__worker *w, struct ferry__made *made)
{
	struct ferry__entry *e = made->entry;
	const struct ferry_error why = made->err;
	json_t *source = NULL;
	bool rest = e->rest;
	int rc;

	ferry_error_clear(&made->err);
	forget(made);
	e->rest = true;
	rc = ferry__identify_source(e, &source, &e->item.nbytes, &made->err);
	if (!rc && e->action == FERRY__CONVERT)
		rc = make(w, made, source, &made->err);
	json_decref(source);
	e->rest = rest;
	if (!rc && e->item.state == FERRY_ITEM_KEPT)
		return 0;
	made->err = why;
	return why.code;
}

static int check_held(const struct ferry__entry *e, struct ferry_error *err)
{
	char shown[256];

	if (!e->held)
		return 0;
	return ferry_fail(err, FERRY_EXISTS, "migrate", FERRY_NO_OFFSET,
			  "is not removed, as nothing could be made of '%s', "
			  "which leads to it: mend or remove that link",
			  ferry_escape(shown, sizeof(shown), e->held,
				       strlen(e->held)));
}

void ferry__make(struct ferry__worker *w, struct ferry__entry *e,
		 struct ferry__made *out)
{
	double begun = now();
	json_t *source = NULL;
	int rc;

	*out = (struct ferry__made){ .entry = e, .err = FERRY_ERROR_INIT };
	rc = check_held(e, &out->err);
	/* A frozen manifest tells of the files as they were before. */
	if (!rc && ferry__in_place(e))
		rc = ferry__replacement_resume_of(e->item.source, &out->err);
	if (!rc)
		rc = ferry__identify_source(e, &source, &e->item.nbytes,
					    &out->err);
	if (!rc)
		rc = make(w, out, source, &out->err);
	if (rc == FERRY_NOTFOUND)
		rc = keep_removed(w, out);
	json_decref(source);
	if (rc)
		note_full(w, &out->err, &out->full);
	if (rc)
		out->err.code = rc;
	e->item.seconds = now() - begun;
}
