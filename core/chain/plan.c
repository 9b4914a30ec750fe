/* Plans: made of a job, step by step. */
#include "config.h"

#include "core/chain/plan.h"

#include <stdio.h>
#include <string.h>

#include <ferry/sys/alloc.h>

/* ---- what a plan says ---------------------------------------------------- */

static int reserve_step(struct ferry_plan *p, struct ferry_error *err)
{
	size_t cap = p->cap_steps ? 2 * p->cap_steps : 8;
	void *steps;

	if (p->n_steps < p->cap_steps)
		return 0;
	steps = ferry_alloc_resize(p->steps, cap, sizeof(*p->steps));
	if (!steps)
		return ferry_fail_nomem(err, "a plan");
	p->steps = steps;
	p->cap_steps = cap;
	return 0;
}

int ferry__add_step(struct ferry_plan *p, const char *what, const char *name,
		    struct ferry_error *err, const char *fmt, ...)
{
	char text[512];
	struct ferry_step step = { .what = what };
	va_list ap;
	int rc = reserve_step(p, err);

	if (rc)
		return rc;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	step.name = ferry_store_strndup(p->store, name, strlen(name));
	step.detail = ferry_store_strndup(p->store, text, strlen(text));
	if (!step.name || !step.detail)
		return ferry_fail_nomem(err, "a plan");
	p->steps[p->n_steps++] = step;
	return 0;
}

static bool is_allowed(const struct ferry_job *job, const char *kind)
{
	if (job->allow_all_losses)
		return true;
	for (size_t i = 0; i < job->n_allow_loss; i++)
		if (!strcmp(job->allow_loss[i], kind))
			return true;
	return false;
}

bool ferry__is_allowed(const struct ferry_plan *p, const char *kind)
{
	return is_allowed(&p->job, kind);
}

int ferry__take_losses(struct ferry_plan *p, const struct ferry_findings *from,
		       bool asked, struct ferry_error *err)
{
	const struct ferry_finding *f;
	enum ferry_level level;

	for (size_t i = 0; (f = ferry_findings_get(from, i)); i++) {
		level = asked || f->level == FERRY_NOTE ? FERRY_NOTE :
			FERRY_WARNING;
		if (level != FERRY_NOTE) {
			p->n_losses++;
			p->n_refused += !is_allowed(&p->job, f->code);
		}
		if (ferry_findings_add(p->findings, level, f->code, f->path,
				       f->offset, "%s", f->text))
			return ferry_fail_nomem(err, "findings");
	}
	return 0;
}

int ferry__take_remarks(struct ferry_plan *p, const struct ferry_findings *from,
			struct ferry_error *err)
{
	const struct ferry_finding *f;

	for (size_t i = 0; (f = ferry_findings_get(from, i)); i++)
		if (ferry_findings_add(f->level == FERRY_NOTE ? p->findings :
				       p->warnings, f->level, f->code, f->path,
				       f->offset, "%s", f->text))
			return ferry_fail_nomem(err, "findings");
	return 0;
}

int ferry__take_notes(struct ferry_plan *p, const struct ferry_findings *from,
		      struct ferry_error *err)
{
	const struct ferry_finding *f;

	for (size_t i = 0; (f = ferry_findings_get(from, i)); i++)
		if (ferry_findings_add(p->findings, FERRY_NOTE, f->code,
				       f->path, f->offset, "%s", f->text))
			return ferry_fail_nomem(err, "findings");
	return 0;
}

int ferry__plan_recognise(struct ferry_plan *p, const char *type,
			  struct ferry_error *err)
{
	struct ferry_error why = FERRY_ERROR_INIT;
	struct ferry_recognised what = { .type = NULL };
	int rc = ferry_recognise(p->s, p->doc, p->job.inputs[0], type, &what,
				 &why);

	ferry_error_clear(&p->unclear);
	if (rc == FERRY_AMBIGUOUS && !type)
		p->unclear = why;
	else if (rc)
		return ferry_fail(err, rc, why.origin, why.offset, "%s",
				  why.text);
	p->what = what;
	if (type && what.score <= 0)
		return ferry__fail_unlike(type, err);
	return 0;
}

int ferry__need_type(const struct ferry_plan *p, struct ferry_error *err)
{
	const struct ferry_error *why = &p->unclear;

	if (!why->code)
		return 0;
	return ferry_fail(err, why->code, why->origin, why->offset, "%s",
			  why->text);
}

/* ---- making -------------------------------------------------------------- */

static int copy_text(struct ferry_plan *p, const char **text)
{
	if (!*text)
		return 0;
	*text = ferry_store_strndup(p->store, *text, strlen(*text));
	return *text ? 0 : FERRY_NOMEM;
}

static int copy_list(struct ferry_plan *p, const char *const **list, size_t n)
{
	const char **copy = ferry_store_array(p->store, n, sizeof(*copy));

	if (!copy)
		return FERRY_NOMEM;
	for (size_t i = 0; i < n; i++) {
		copy[i] = (*list)[i];
		if (copy_text(p, &copy[i]))
			return FERRY_NOMEM;
	}
	*list = copy;
	return 0;
}

/* The job's texts need not outlive the call. */
static int copy_job(struct ferry_plan *p, const struct ferry_job *job,
		    struct ferry_error *err)
{
	struct ferry_job *j = &p->job;

	*j = *job;
	if (copy_text(p, &j->output) || copy_text(p, &j->from) ||
	    copy_text(p, &j->to) || copy_text(p, &j->from_format) ||
	    copy_text(p, &j->to_format) || copy_text(p, &j->model) ||
	    copy_text(p, &j->rules) || copy_text(p, &j->expect) ||
	    copy_list(p, &j->inputs, j->n_inputs) ||
	    copy_list(p, &j->with, j->n_with) ||
	    copy_list(p, &j->settings, j->n_settings) ||
	    copy_list(p, &j->select, j->n_select) ||
	    copy_list(p, &j->map_paths, j->n_map_paths) ||
	    copy_list(p, &j->allow_loss, j->n_allow_loss))
		return ferry_fail_nomem(err, "a plan");
	if ((unsigned)j->shared > FERRY_SHARED_ERROR)
		return ferry_fail(err, FERRY_MISUSE, "plan", FERRY_NO_OFFSET,
				  "the policy for shared tensors is %d; 0 to 3 "
				  "are known", (int)j->shared);
	return 0;
}

static int check_used(const struct ferry_plan *p, struct ferry_error *err)
{
	const struct ferry__input *in;
	char path[256];

	for (size_t i = 1; i < p->n_inputs; i++) {
		in = &p->inputs[i];
		if (in->used)
			continue;
		ferry_escape(path, sizeof(path), in->path, strlen(in->path));
		return ferry_fail(err, FERRY_MISUSE, "plan", FERRY_NO_OFFSET,
				  "input %s%s%s%s has no part in this plan%s",
				  path, in->what.type ? " ('" : "",
				  in->what.type ? in->what.type->name : "",
				  in->what.type ? "')" : "", p->job.to ? "" :
				  "; --to says what the inputs make");
	}
	return 0;
}

static int make(struct ferry_plan *p, struct ferry_error *err)
{
	int rc = ferry__load_rules(p, err);

	if (!rc)
		rc = ferry__check_maps(p, err);
	if (!rc)
		rc = ferry__choose_writer(p, err);
	if (!rc)
		rc = ferry__read_inputs(p, err);
	if (!rc)
		rc = ferry__choose_writer(p, err);
	if (!rc)
		rc = ferry__average(p, err);
	if (!rc)
		rc = ferry__choose_writer(p, err);
	if (!rc)
		rc = ferry__select(p, err);
	if (!rc)
		rc = ferry__handle(p, p->job.to || p->job.weights, err);
	if (!rc)
		rc = ferry__convert(p, err);
	if (!rc)
		rc = check_used(p, err);
	if (!rc)
		rc = ferry__take_weights(p, err);
	if (!rc)
		rc = ferry__handle(p, false, err);
	if (!rc)
		rc = ferry__check_settings(p, err);
	if (!rc)
		rc = ferry__set_options(p, err);
	if (!rc)
		rc = ferry__share(p, err);
	return rc ? rc : ferry__check_target(p, err);
}

int ferry_plan_new(struct ferry_plan **out, struct ferry_session *s,
		   const struct ferry_job *job, struct ferry_error *err)
{
	struct ferry_plan *p = ferry_alloc_zero(1, sizeof(*p));
	int rc;

	if (!p)
		return ferry_fail_nomem(err, "a plan");
	p->s = s;
	ferry_error_clear(&p->unclear);
	rc = ferry_store_new(&p->store, err);
	if (!rc)
		rc = ferry__store_know(p->store, s, err);
	if (!rc)
		rc = ferry_findings_new(&p->findings, err);
	if (!rc)
		rc = ferry_findings_new(&p->warnings, err);
	if (!rc)
		rc = copy_job(p, job, err);
	if (!rc)
		rc = make(p, err);
	if (rc)
		ferry_plan_free(p);
	else
		*out = p;
	return rc;
}

static void release_input(struct ferry__input *in)
{
	ferry_document_free(in->doc);
	ferry_source_unref(in->source);
}

void ferry_plan_free(struct ferry_plan *p)
{
	if (!p)
		return;
	for (size_t i = 0; i < p->n_inputs; i++)
		release_input(&p->inputs[i]);
	for (size_t i = 0; i < p->n_named; i++)
		release_input(p->named[i]);
	for (size_t i = 0; i < p->n_made; i++)
		ferry_document_free(p->made[i]);
	ferry_alloc_free(p->made);
	ferry_rules_free(p->rules);
	ferry_findings_free(p->findings);
	ferry_findings_free(p->warnings);
	ferry_buffer_release(&p->paths);
	ferry_alloc_free(p->steps);
	ferry_store_unref(p->store);
	ferry_alloc_free(p);
}

/* ---- asking -------------------------------------------------------------- */

size_t ferry_plan_n_steps(const struct ferry_plan *p)
{
	return p->n_steps;
}

const struct ferry_step *ferry_plan_step(const struct ferry_plan *p, size_t i)
{
	return i < p->n_steps ? &p->steps[i] : NULL;
}

const struct ferry_findings *ferry_plan_findings(const struct ferry_plan *p)
{
	return p->findings;
}

const struct ferry_findings *ferry_plan_warnings(const struct ferry_plan *p)
{
	return p->warnings;
}

size_t ferry_plan_refused(const struct ferry_plan *p)
{
	return p->n_refused;
}

struct ferry_document *ferry_plan_document(const struct ferry_plan *p)
{
	return p->doc;
}

const struct ferry_recognised *
ferry_plan_input_type(const struct ferry_plan *p)
{
	return &p->input_type;
}

const char *ferry_plan_output_type(const struct ferry_plan *p)
{
	return p->what.type ? p->what.type->name : NULL;
}

const char *ferry_plan_input_format(const struct ferry_plan *p)
{
	return p->inputs[0].format->name;
}

const char *ferry_plan_output_format(const struct ferry_plan *p)
{
	return p->writer ? p->writer->name : NULL;
}

uint64_t ferry_plan_bytes_in(const struct ferry_plan *p)
{
	return p->bytes_in;
}

uint64_t ferry_plan_bytes_out(const struct ferry_plan *p)
{
	return p->bytes_out;
}
