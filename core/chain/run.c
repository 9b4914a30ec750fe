/* Running a plan: write, look again, give the name. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include <ferry/sys/alloc.h>

#include "core/chain/plan.h"
#include "core/io/output.h"

static int fail_lossy(const struct ferry_plan *p, struct ferry_error *err)
{
	struct ferry_buffer list = FERRY_BUFFER_INIT;
	const struct ferry_finding *f;

	for (size_t i = 0; (f = ferry_findings_get(p->findings, i)); i++)
		if (f->level != FERRY_NOTE && list.n < 500)
			ferry_buffer_printf(&list, "%s%s (%s)", list.n ? "; " :
					    "", f->text, f->code);
	ferry_fail(err, FERRY_LOSSY, "plan", FERRY_NO_OFFSET,
		   "refused: %.500s; --allow-loss=KIND allows a kind of loss",
		   list.data ? list.data : "losses");
	ferry_buffer_release(&list);
	return FERRY_LOSSY;
}

/* ---- looking again ------------------------------------------------------- */

static int reread(struct ferry_plan *p, struct ferry_output *output,
		  struct ferry_findings *proof, struct ferry_work *work,
		  struct ferry_document **out, struct ferry_error *err)
{
	struct ferry__reading how = {
		.format = p->writer, .output = output, .store = p->store,
		.proof = proof, .work = work,
	};
	struct ferry_sink *sink;
	int rc;

	if (ferry_output_directory(output)) {
		how.output = NULL;
		rc = ferry_output_settle(output, err);
		return rc ? rc :
		       ferry__read_document(p->s,
					    ferry_output_directory(output),
					    &how, out, err);
	}
	for (size_t i = 0; (sink = ferry_output_get(output, i)); i++)
		if (sink->is_main)
			break;
	if (!sink)
		return ferry_fail(err, FERRY_PLUGIN, "plugin", FERRY_NO_OFFSET,
				  "writer of '%s' wrote no main file",
				  p->writer->name);
	rc = ferry_sink_flush(sink, err);
	return rc ? rc : ferry__read_document(p->s, sink->temp_path, &how, out,
					      err);
}

/* The tensors in document order: what is left to compare where the form or
 * the values around them were not kept. */
static int list_tensors(struct ferry_document *doc, struct ferry_store *store,
			struct ferry_value **out, struct ferry_error *err)
{
	struct ferry_places places;
	int rc = ferry_places_init(&places, doc, err);

	if (rc)
		return rc;
	*out = ferry_sequence(store, FERRY_LIST, (uint32_t)places.n);
	for (size_t i = 0; *out && i < places.n; i++)
		if (ferry_list_add(store, *out, places.items[i].value))
			*out = NULL;
	ferry_places_release(&places);
	return *out ? 0 : ferry_fail_nomem(err, "a comparison");
}

static int compare_tensors(struct ferry_plan *p, struct ferry_document *again,
			   const struct ferry_compare *how,
			   struct ferry_findings *out, struct ferry_error *err)
{
	struct ferry_value *planned = p->doc->root, *found = again->root;
	int rc = list_tensors(p->doc, p->store, &p->doc->root, err);

	if (!rc)
		rc = list_tensors(again, p->store, &again->root, err);
	if (!rc)
		rc = ferry_document_compare(p->doc, again, how, out, err);
	p->doc->root = planned;
	again->root = found;
	return rc;
}

static int compare(struct ferry_plan *p, struct ferry_document *again,
		   struct ferry_findings *out, struct ferry_error *err)
{
	uint32_t flags = p->writer->format->flags;
	bool whole = flags & FERRY_FORMAT_LOSSLESS ||
		     (flags & FERRY_FORMAT_NESTED &&
		      flags & FERRY_FORMAT_OBJECTS);
	struct ferry_compare how = {
		.data = true, .most = 5,
		.strides = flags & (FERRY_FORMAT_LOSSLESS |
				    FERRY_FORMAT_STRIDED),
		.sharing = whole,
	};

	/* Other formats have notes of their own about their tensors. */
	how.bare = !how.strides;

	if (whole && !p->n_losses)
		return ferry_document_compare(p->doc, again, &how, out, err);
	if (!(flags & FERRY_FORMAT_TENSORS))
		return 1;
	how.strides = false;
	how.sharing = false;
	how.bare = true;
	return compare_tensors(p, again, &how, out, err);
}

/* What the format's own check says of the output. */
static int check_proof(const struct ferry_findings *proof,
		       struct ferry_error *err)
{
	const struct ferry_finding *f;

	for (size_t i = 0; (f = ferry_findings_get(proof, i)); i++)
		if (f->level == FERRY_VIOLATION ||
		    !strcmp(f->code, "crc-mismatch"))
			return ferry_fail(err, FERRY_MALFORMED, "plan",
					  f->offset, "the output is not sound: "
					  "%s%s%s; nothing was written",
					  f->path, *f->path ? ": " : "",
					  f->text);
	return 0;
}

/* What the writer saw of the inputs' own checksums. */
static int check_source(const struct ferry_plan *p, struct ferry_error *err)
{
	const struct ferry_finding *f;

	for (size_t i = 0; (f = ferry_findings_get(p->warnings, i)); i++)
		if (!strcmp(f->code, "crc-mismatch"))
			return ferry_fail(err, FERRY_MALFORMED, "plan",
					  f->offset, "%s; nothing was written: "
					  "without --verify the bytes are taken "
					  "as they are", f->text);
	return 0;
}

static int verify(struct ferry_plan *p, struct ferry_output *output,
		  const struct ferry_work *how, struct ferry_error *err)
{
	struct ferry_work work = {
		.max_memory = how->max_memory, .threads = how->threads,
		.cancel = how->cancel,
	};
	struct ferry_findings *proof = NULL;
	const struct ferry_finding *first;
	struct ferry_document *again = NULL;
	struct ferry_findings *found;
	int rc = ferry_findings_new(&found, err);

	if (rc)
		return rc;
	rc = ferry_findings_new(&proof, err);
	if (!rc)
		rc = check_source(p, err);
	if (!rc)
		rc = reread(p, output, proof, &work, &again, err);
	if (!rc)
		rc = check_proof(proof, err);
	if (!rc)
		rc = compare(p, again, found, err);
	first = ferry_findings_get(found, 0);
	if (!rc)
		rc = ferry_fail(err, FERRY_MALFORMED, "plan", FERRY_NO_OFFSET,
				"the output read again differs from the plan "
				"at '%s': %s; nothing was written",
				first ? first->path : "",
				first ? first->text : "unknown");
	ferry_document_free(again);
	ferry_findings_free(found);
	ferry_findings_free(proof);
	return rc < 0 ? rc : 0;
}

/* ---- running ------------------------------------------------------------- */

static int list_inputs(struct ferry_plan *p, const char ***out, size_t *n,
		       struct ferry_error *err)
{
	const char *at = p->paths.data;
	const char *end = at + p->paths.n;
	size_t count = 0;

	for (size_t i = 0; i < p->paths.n; i++)
		count += !at[i];
	*out = ferry_store_array(p->store, count, sizeof(**out));
	if (!*out)
		return ferry_fail_nomem(err, "a plan");
	for (*n = 0; at < end; at += strlen(at) + 1)
		(*out)[(*n)++] = at;
	return 0;
}

static int write_output(struct ferry_plan *p, struct ferry_output *output,
			const struct ferry_work *work, struct ferry_error *err)
{
	const struct ferry_format *f = p->writer->format;
	int rc;

	rc = ferry__callback_result(f->write(p->doc, output, &p->write_options,
					     p->warnings, err),
				    "writer", f->name, err);
	if (!rc && p->job.verify)
		rc = verify(p, output, work, err);
	return rc ? rc : ferry_output_commit(output, err);
}

static bool is_cancelled(const struct ferry_run_options *options)
{
	return options && options->cancel && atomic_load(options->cancel);
}

int ferry_plan_run(struct ferry_plan *p,
		   const struct ferry_run_options *options,
		   struct ferry_error *err)
{
	struct ferry_work work = { .total = p->bytes_out };
	struct ferry_output *output;
	const char **inputs;
	size_t n = 0;
	int rc;

	if (p->n_refused)
		return fail_lossy(p, err);
	if (!p->job.output || !p->writer)
		return ferry_fail(err, FERRY_MISUSE, "plan", FERRY_NO_OFFSET,
				  "the plan has no output to write");
	if (is_cancelled(options))
		return ferry_fail(err, FERRY_CANCELLED, "plan",
				  FERRY_NO_OFFSET, "cancelled");
	if (options) {
		work.max_memory = options->max_memory;
		work.threads = options->threads;
		work.no_sync = options->no_sync;
		work.no_clone = options->no_clone;
		work.cancel = options->cancel;
		work.progress = options->progress;
		work.progress_ctx = options->progress_ctx;
	}
	rc = list_inputs(p, &inputs, &n, err);
	if (rc)
		return rc;
	rc = ferry__is_directory_format(p->writer) ?
	     ferry_output_new_directory(&output, p->job.output,
					p->job.overwrite, inputs, n, p->s,
					&work, err) :
	     ferry_output_new(&output, p->job.output, p->job.overwrite, inputs,
			      n, &work, err);
	if (rc)
		return rc;
	rc = write_output(p, output, &work, err);
	ferry_output_free(output);
	return rc;
}
