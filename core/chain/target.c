/* Where a plan ends: the format written, and what it can't hold. */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "core/chain/hold.h"
#include "core/chain/plan.h"

/* ---- choosing ------------------------------------------------------------ */

static bool wants_directory(const struct ferry_job *job)
{
	size_t n = job->output ? strlen(job->output) : 0;
	struct stat st;

	return n && (job->output[n - 1] == '/' ||
		     (!stat(job->output, &st) && S_ISDIR(st.st_mode)));
}

static int check_kind(const struct ferry_plan *p, bool directory,
		      struct ferry_error *err)
{
	char shown[200];

	if (!directory || !p->writer ||
	    ferry__is_directory_format(p->writer))
		return 0;
	ferry_escape(shown, sizeof(shown), p->job.output,
		     strlen(p->job.output));
	return ferry_fail(err, FERRY_UNSUPPORTED, "plan", FERRY_NO_OFFSET,
			  "%s: is a directory and can't be replaced by a file; "
			  "%s is a format of files: name another output",
			  shown, p->writer->name);
}

static bool says_directory(const char *path)
{
	size_t n = strlen(path);

	return n && path[n - 1] == '/';
}

int ferry__choose_writer(struct ferry_plan *p, struct ferry_error *err)
{
	bool directory;
	int rc = 0;

	if (p->writer)
		return 0;
	directory = wants_directory(&p->job);
	if (p->job.to_format)
		rc = ferry__writer_named(p->s, p->job.to_format, &p->writer,
					 err);
	else if (directory && p->n_inputs)
		rc = ferry__writer_of_directory(p->s, p->job.output,
						p->inputs[0].format,
						p->job.to ||
						says_directory(p->job.output),
						&p->writer, err);
	else if (p->job.output && !directory)
		rc = ferry__writer_of(p->s, p->job.output, &p->writer, err);
	return rc ? rc : check_kind(p, directory, err);
}

/* ---- checking ------------------------------------------------------------ */

static bool is_narrowed(const struct ferry_job *job)
{
	return job->model || job->rules || job->n_edits || job->weights ||
	       job->n_select;
}

/* Why nothing is left. */
static void explain_empty(const struct ferry_plan *p, char *out, size_t cap)
{
	const struct ferry_job *job = &p->job;
	char pattern[200];

	if (!p->tensors_in) {
		snprintf(out, cap, "the input has none");
		return;
	}
	for (size_t i = 0; i < job->n_edits; i++) {
		if (job->edits[i].kind != FERRY_EDIT_KEEP)
			continue;
		ferry_escape(pattern, sizeof(pattern), job->edits[i].a,
			     strlen(job->edits[i].a));
		snprintf(out, cap, "--keep '%s' matched none", pattern);
		return;
	}
	snprintf(out, cap, job->model || job->rules || job->n_edits ?
		 "the rules dropped all" : job->n_select ?
		 "--select took a part without one" :
		 "none was among the weights");
}

/* A file of tensors without one is hardly what was wanted. */
static int check_empty(const struct ferry_plan *p, const struct ferry__holding *s,
		       struct ferry_findings *f)
{
	const struct ferry_known *from = p->inputs[0].format;
	char why[260];

	if (s->tensors || s->storages ||
	    !(p->writer->format->flags & FERRY_FORMAT_TENSORS))
		return 0;
	if (!is_narrowed(&p->job) && !p->tensors_in &&
	    (from->format->flags & FERRY_FORMAT_TENSORS ||
	     p->writer->format->flags & FERRY_FORMAT_NESTED))
		return 0;
	explain_empty(p, why, sizeof(why));
	return ferry_findings_add(f, FERRY_WARNING, "empty", "",
				  FERRY_NO_OFFSET, "no tensor is left: %s",
				  why);
}

#define SHOWN_ENTRIES 6

/* What the input's file says of itself, beside the document. */
static int note_metadata(const struct ferry_plan *p, struct ferry_findings *f)
{
	const struct ferry_document *in = p->inputs[0].doc;
	struct ferry_buffer names = FERRY_BUFFER_INIT;
	const struct ferry_value *from;
	char name[100];
	uint32_t n = 0;
	int rc = 0;

	if (!in->about || (in == p->doc && !strcmp(in->format,
						   p->writer->name)))
		return 0;
	from = ferry_dict_get(in->about, "metadata");
	if (!from || from->kind != FERRY_DICT)
		return 0;
	for (uint32_t i = 0; i < from->u.dict.n; i++) {
		const struct ferry_value *key = from->u.dict.pairs[i].key;

		if (key->kind != FERRY_STRING || ferry_value_is(key, "format"))
			continue;
		if (n++ >= SHOWN_ENTRIES)
			continue;
		ferry_escape(name, sizeof(name), key->u.s.data,
			     key->u.s.nbytes);
		ferry_buffer_printf(&names, "%s%s", n > 1 ? ", " : "",
				    *name ? name : "''");
	}
	if (n)
		rc = names.failed ? FERRY_NOMEM :
		     ferry_findings_add(f, FERRY_NOTE, "metadata", "",
					FERRY_NO_OFFSET, "metadata of the input "
					"not kept: %s%s (%u entr%s)",
					names.data, n > SHOWN_ENTRIES ?
					", ..." : "", n, n == 1 ? "y" : "ies");
	ferry_buffer_release(&names);
	return rc;
}

static int check_losses(struct ferry_plan *p, struct ferry_error *err)
{
	struct ferry__holding held;
	struct ferry_findings *found;
	int rc = ferry_findings_new(&found, err);

	if (rc)
		return rc;
	rc = ferry__hold(p->writer, p->doc, &p->write_options, &held, found,
			 err);
	if (!rc && (check_empty(p, &held, found) || note_metadata(p, found)))
		rc = ferry_fail_nomem(err, "findings");
	if (!rc)
		rc = ferry__take_losses(p, found, false, err);
	ferry_findings_free(found);
	return rc;
}

/* Violations of what a conversion made are refused; of what came so, told. */
static int check_artifact(struct ferry_plan *p, struct ferry_error *err)
{
	const struct ferry_artifact_type *t = p->what.type ?
					      p->what.type->type : NULL;
	struct ferry_findings *found;
	int rc;

	if (!t || !t->check)
		return 0;
	rc = ferry_findings_new(&found, err);
	if (rc)
		return rc;
	rc = ferry__callback_result(t->check(p->doc, found, err), "check",
				    t->name, err);
	if (!rc)
		rc = p->n_conversions ? ferry__take_losses(p, found, false, err)
				      : ferry__take_notes(p, found, err);
	ferry_findings_free(found);
	return rc ? rc : ferry__add_step(p, "check", t->name, err, "%s",
					 t->title);
}

/* Options that the core knows by name, for what plans say of sizes. */
static bool has_option(const struct ferry_plan *p, const char *name)
{
	const struct ferry_option_spec *spec = p->write_options.specs;

	for (; spec && spec->name; spec++)
		if (!strcmp(spec->name, name))
			return true;
	return false;
}

/* Whole storages are written, whatever of them tensors reach. */
static bool writes_storages(const struct ferry_plan *p)
{
	bool compact = false;

	if (!(p->writer->format->flags & FERRY_FORMAT_STRIDED))
		return false;
	if (has_option(p, "compact"))
		ferry_option_bool(&p->write_options, "compact", &compact,
				  NULL);
	return !compact;
}

#define WASTE_LEAST 1024

static int note_waste(struct ferry_plan *p, const struct ferry__amount *amount,
		      struct ferry_error *err)
{
	char all[32], reached[32];

	if (!has_option(p, "compact") ||
	    amount->storage_nbytes < WASTE_LEAST ||
	    amount->storage_nbytes / 2 < amount->nbytes)
		return 0;
	return ferry_findings_add(p->findings, FERRY_NOTE, "waste", "",
				  FERRY_NO_OFFSET, "storages of %s are written, "
				  "of which tensors reach %s: --set compact=yes "
				  "leaves the rest out",
				  ferry_bytes_text(amount->storage_nbytes,
						    all),
				  ferry_bytes_text(amount->nbytes, reached)) ?
	       ferry_fail_nomem(err, "findings") : 0;
}

static int describe_write(struct ferry_plan *p, struct ferry_error *err)
{
	struct ferry__amount amount;
	char path[256], size[32];
	int rc = ferry__measure(p->doc, &amount, err);

	if (rc)
		return rc;
	p->bytes_in = amount.reads;
	p->bytes_out = amount.nbytes;
	if (!(p->writer->format->flags & FERRY_FORMAT_TENSORS)) {
		p->bytes_in = 0;
		p->bytes_out = 0;
		amount.tensors = 0;
	} else if (writes_storages(p)) {
		p->bytes_in = amount.storage_reads;
		p->bytes_out = amount.storage_nbytes;
		rc = note_waste(p, &amount, err);
	}
	ferry_escape(path, sizeof(path), p->job.output ? p->job.output : "",
		     p->job.output ? strlen(p->job.output) : 0);
	return rc ? rc : ferry__add_step(p, "write", p->writer->name, err,
			       "%s%s%s, %" PRIu64 " tensor%s, %s", path,
			       *path ? ": " : "", p->writer->title,
			       amount.tensors, amount.tensors == 1 ? "" : "s",
			       ferry_bytes_text(p->bytes_out, size));
}

/* Nothing is written: what a writer would have to read. */
static int measure_made(struct ferry_plan *p, struct ferry_error *err)
{
	struct ferry__amount amount;
	int rc = ferry__measure(p->doc, &amount, err);

	if (!rc)
		p->bytes_in = amount.reads;
	return rc;
}

int ferry__check_target(struct ferry_plan *p, struct ferry_error *err)
{
	const struct ferry_artifact_type *t = p->what.type ?
					      p->what.type->type : NULL;
	const struct ferry_format *f = p->writer ? p->writer->format : NULL;
	int rc = 0;

	if (t && t->dtypes)
		rc = ferry__fit_dtypes(p, t->dtypes, t->name, err);
	if (!rc && f && (f->flags & FERRY_FORMAT_TENSORS) &&
	    !(f->flags & FERRY_FORMAT_LOSSLESS))
		rc = ferry__fit_dtypes(p, f->dtypes, f->name, err);
	if (!rc)
		rc = ferry_document_check(p->doc, err);
	if (!rc)
		rc = check_artifact(p, err);
	if (!rc)
		rc = ferry__expect(p, err);
	if (rc || !f)
		return rc ? rc : measure_made(p, err);
	rc = check_losses(p, err);
	if (!rc)
		rc = ferry__note_kept(p, err);
	return rc ? rc : describe_write(p, err);
}
