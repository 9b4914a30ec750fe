/* Where a plan ends: the format written, and what it can't hold. */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/chain/plan.h"
#include "core/chain/walk.h"

static bool ends_with(const char *name, const char *suffix)
{
	size_t n = strlen(name), m = strlen(suffix);

	return m && n >= m && !strcmp(name + n - m, suffix);
}

/* ---- choosing ------------------------------------------------------------ */

struct choice {
	const struct ferry_known *row, *tied;
	size_t length;		/* of the suffix */
};

static void offer_suffixes(struct choice *c, const struct ferry_known *row,
			   const char *name)
{
	const char *const *suffix = row->format->suffixes;
	size_t longest = 0;

	for (; suffix && *suffix; suffix++)
		if (ends_with(name, *suffix) && strlen(*suffix) > longest)
			longest = strlen(*suffix);
	if (!longest || longest < c->length)
		return;
	c->tied = longest == c->length ? c->row : NULL;
	c->row = row;
	c->length = longest;
}

static int fail_suffix(const struct ferry_plan *p, const char *name,
		       struct ferry_error *err)
{
	struct ferry_buffer known = FERRY_BUFFER_INIT;
	const struct ferry_known *row;
	char shown[200];

	if (!ferry_session_count(p->s, FERRY_KNOWN_FORMATS))
		return ferry__fail_no_plugins(p->s, err);
	for (size_t i = 0; (row = ferry_session_get(p->s, FERRY_KNOWN_FORMATS,
						    i)); i++)
		if (row->format->write)
			ferry_buffer_printf(&known, "%s%s", known.n ? ", " : "",
					    row->name);
	ferry_escape(shown, sizeof(shown), name, strlen(name));
	ferry_fail(err, FERRY_UNSUPPORTED, "plan", FERRY_NO_OFFSET,
		   "output '%s' has no ending that says its format: choose "
		   "with --to-format (%.300s)", shown,
		   known.data ? known.data : "no format here can be written");
	ferry_buffer_release(&known);
	return FERRY_UNSUPPORTED;
}

static int choose_by_suffix(struct ferry_plan *p, struct ferry_error *err)
{
	const char *name = ferry__base_name(p->job.output);
	struct choice c = { .row = NULL };
	const struct ferry_known *row;
	char shown[200];

	for (size_t i = 0; (row = ferry_session_get(p->s, FERRY_KNOWN_FORMATS,
						    i)); i++)
		if (row->format->write)
			offer_suffixes(&c, row, name);
	if (!c.row)
		return fail_suffix(p, name, err);
	ferry_escape(shown, sizeof(shown), name, strlen(name));
	if (c.tied)
		return ferry_fail(err, FERRY_AMBIGUOUS, "plan",
				  FERRY_NO_OFFSET, "output '%s' may be '%s' or "
				  "'%s': choose with --to-format", shown,
				  c.tied->name, c.row->name);
	p->writer = c.row;
	return 0;
}

static int choose_named(struct ferry_plan *p, struct ferry_error *err)
{
	p->writer = ferry_session_find(p->s, FERRY_KNOWN_FORMATS,
				       p->job.to_format);
	if (!p->writer)
		return ferry__fail_unknown(p->s, FERRY_KNOWN_FORMATS, "format",
					   p->job.to_format, err);
	if (p->writer->format->write)
		return 0;
	return ferry_fail(err, FERRY_UNSUPPORTED, "plan", FERRY_NO_OFFSET,
			  "format %s can be read but not written",
			  p->writer->name);
}

int ferry__choose_writer(struct ferry_plan *p, struct ferry_error *err)
{
	if (p->job.to_format)
		return choose_named(p, err);
	return p->job.output ? choose_by_suffix(p, err) : 0;
}

/* ---- checking ------------------------------------------------------------ */

struct survey {
	uint8_t max_rank;
	const struct ferry_tensor *too_deep;
	uint64_t tensors, storages, objects, strided;
};

static int survey_slot(void *ctx, struct ferry_value **slot, bool seen)
{
	struct survey *s = ctx;
	const struct ferry_value *v = *slot;

	if (seen)
		return 0;
	if (v->kind == FERRY_TENSOR) {
		s->tensors++;
		s->strided += !ferry_tensor_is_contiguous(v->u.tensor);
		if (v->u.tensor->ndim > s->max_rank)
			s->too_deep = v->u.tensor;
	} else if (v->kind == FERRY_OBJECT || v->kind == FERRY_GLOBAL ||
		   v->kind == FERRY_STORAGE) {
		s->objects++;
		s->storages += v->kind == FERRY_STORAGE;
	}
	return 0;
}

static int survey(struct ferry_plan *p, struct survey *s,
		  struct ferry_error *err)
{
	struct ferry__walk w = { .visit = survey_slot, .ctx = s };
	uint8_t most = p->writer->format->max_rank;

	*s = (struct survey){ .max_rank = most ? most : FERRY_MAX_RANK };
	if (ferry_marks_init(&w.marks, p->store))
		return ferry_fail_nomem(err, "a plan");
	ferry__walk(&w, &p->doc->root);
	ferry_marks_release(&w.marks);
	if (!s->too_deep)
		return 0;
	return ferry_fail(err, FERRY_UNSUPPORTED, "plan", FERRY_NO_OFFSET,
			  "a tensor has %u dimensions; %s holds at most %u",
			  s->too_deep->ndim, p->writer->name, s->max_rank);
}

/* A mapping of names to tensors, or one tensor. */
static bool is_flat(const struct ferry_value *root)
{
	if (root->kind == FERRY_TENSOR)
		return true;
	if (root->kind != FERRY_DICT)
		return false;
	for (uint32_t i = 0; i < root->u.dict.n; i++)
		if (root->u.dict.pairs[i].key->kind != FERRY_STRING ||
		    root->u.dict.pairs[i].value->kind != FERRY_TENSOR)
			return false;
	return true;
}

static bool has_code(const struct ferry_findings *f, const char *code)
{
	const struct ferry_finding *item;

	for (size_t i = 0; (item = ferry_findings_get(f, i)); i++)
		if (!strcmp(item->code, code))
			return true;
	return false;
}

/* What the flags alone tell; the format's own word on a kind goes first. */
static int compare_flags(struct ferry_plan *p, const struct survey *s,
			 struct ferry_findings *f)
{
	uint32_t flags = p->writer->format->flags;
	const char *name = p->writer->name;
	bool own = p->writer->format->losses;
	int rc = 0;

	if (!(flags & FERRY_FORMAT_TENSORS) && s->tensors &&
	    !has_code(f, "tensors"))
		rc = ferry_findings_add(f, FERRY_WARNING, "tensors", "",
					FERRY_NO_OFFSET, "%s holds no tensors: "
					"%" PRIu64 " would be lost", name,
					s->tensors);
	if (flags & FERRY_FORMAT_LOSSLESS)
		return rc;
	if (!rc && !(flags & FERRY_FORMAT_OBJECTS) && s->objects && !own)
		rc = ferry_findings_add(f, FERRY_WARNING, "objects", "",
					FERRY_NO_OFFSET, "%s holds no classes "
					"and calls: %" PRIu64 " would be lost",
					name, s->objects);
	if (!rc && !(flags & FERRY_FORMAT_NESTED) && !own &&
	    !is_flat(p->doc->root))
		rc = ferry_findings_add(f, FERRY_WARNING, "values", "",
					FERRY_NO_OFFSET, "%s holds named "
					"tensors and nothing else: the rest "
					"would be lost; --weights takes the "
					"model only", name);
	if (!rc && !(flags & FERRY_FORMAT_STRIDED) &&
	    (flags & FERRY_FORMAT_TENSORS) && s->strided &&
	    !has_code(f, "strides"))
		rc = ferry_findings_add(f, FERRY_NOTE, "strides", "",
					FERRY_NO_OFFSET, "%" PRIu64 " tensor%s "
					"written densely in C order: %s keeps "
					"no strides", s->strided,
					s->strided == 1 ? " is" : "s are",
					name);
	return rc;
}

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
static int check_empty(const struct ferry_plan *p, const struct survey *s,
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

static int check_losses(struct ferry_plan *p, const struct survey *s,
			struct ferry_error *err)
{
	const struct ferry_format *f = p->writer->format;
	struct ferry_findings *found;
	int rc = ferry_findings_new(&found, err);

	if (rc)
		return rc;
	if (f->losses)
		rc = ferry__callback_result(f->losses(p->doc,
						      &p->write_options, found,
						      err),
					    "losses", f->name, err);
	if (!rc && (compare_flags(p, s, found) || check_empty(p, s, found) ||
		    note_metadata(p, found)))
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
	if (writes_storages(p)) {
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
	struct survey s;
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
	rc = survey(p, &s, err);
	if (!rc)
		rc = check_losses(p, &s, err);
	if (!rc)
		rc = ferry__note_kept(p, err);
	return rc ? rc : describe_write(p, err);
}
