/* Which parameters each group takes. */
#include "config.h"

#include "core/handling/filter.h"

#include <string.h>

#include <ferry/sys/alloc.h>
#include <ferry/sys/ckd.h>

/* What a wrapper for several devices puts before every name. */
#define WRAPPER "module."

struct reporter {
	const struct ferry_filters *filters;
	const struct ferry_tensor_schema *params;
	struct ferry_store *store;
	struct ferry__matcher matcher;
	struct filter_subject subject;
	size_t n;
	bool *out;		/* by parameter: it is a buffer */
	bool *frozen;
	bool *taken;		/* by some group */
	bool *mark;		/* what is being asked */
};

static uint64_t nelem_of(const struct ferry_tensor_spec *spec)
{
	uint64_t n = 1;

	for (unsigned i = 0; i < spec->ndim; i++)
		n *= spec->shape[i];
	return n;
}

/* Set r->mark for every parameter that the filter takes. */
static int ask(struct reporter *r, const struct filter *f, bool unwrap)
{
	const struct ferry_tensor_spec *spec;
	const char *name;
	int rc = 0;

	for (size_t i = 0; i < r->n && rc >= 0; i++) {
		spec = ferry_tensor_schema_get(r->params, i);
		name = spec->name;
		if (unwrap && !strncmp(name, WRAPPER, sizeof(WRAPPER) - 1))
			name += sizeof(WRAPPER) - 1;
		r->subject.spec = spec;
		r->subject.name = name;
		r->subject.n_name = strlen(name);
		rc = r->out[i] ? 0 : ferry__filter_match(&r->subject, f);
		r->mark[i] = rc > 0;
	}
	return rc < 0 ? rc : 0;
}

static int keep(struct reporter *r, struct ferry_filter_list *out,
		struct ferry_error *err)
{
	size_t *items;
	size_t n = 0;

	for (size_t i = 0; i < r->n; i++)
		n += r->mark[i];
	items = ferry_store_array(r->store, n, sizeof(*items));
	if (!items)
		return ferry_fail_nomem(err, "a group of parameters");
	*out = (struct ferry_filter_list){ .items = items };
	for (size_t i = 0; i < r->n; i++) {
		if (!r->mark[i])
			continue;
		items[out->n++] = i;
		if (ferry_ckd_add(&out->nelem, out->nelem,
				  nelem_of(ferry_tensor_schema_get(r->params,
								   i))))
			out->nelem = UINT64_MAX;
	}
	return 0;
}

static int keep_text(struct reporter *r, const char *text, const char **out,
		     struct ferry_error *err)
{
	*out = NULL;
	if (!text)
		return 0;
	*out = ferry_store_strndup(r->store, text, strlen(text));
	return *out ? 0 : ferry_fail_nomem(err, "a group of parameters");
}

static int fill_group(struct reporter *r, const struct filter_group *from,
		      struct ferry_filter_group *to, struct ferry_error *err)
{
	int rc = 0;

	if (from->filter)
		rc = ask(r, from->filter, false);
	for (size_t i = 0; i < r->n && !from->filter; i++)
		r->mark[i] = !r->out[i] && !r->taken[i] && !r->frozen[i];
	for (size_t i = 0; i < r->n && !rc; i++)
		r->taken[i] = r->taken[i] || r->mark[i];
	if (!rc)
		rc = keep(r, &to->members, err);
	if (!rc)
		rc = keep_text(r, from->name, &to->name, err);
	if (!rc)
		rc = keep_text(r, from->lr_multiplier, &to->lr_multiplier, err);
	if (!rc)
		rc = keep_text(r, from->optimizer, &to->optimizer, err);
	if (!rc)
		rc = keep_text(r, from->weight_decay, &to->weight_decay, err);
	return rc;
}

static int fill_groups(struct reporter *r, struct ferry_filter_report *out,
		       struct ferry_error *err)
{
	struct ferry_filter_group *groups;
	size_t n = r->filters->n_groups;
	int rc = 0;

	groups = ferry_store_array(r->store, n, sizeof(*groups));
	if (!groups)
		return ferry_fail_nomem(err, "groups of parameters");
	for (size_t i = 0; i < n && !rc; i++)
		rc = fill_group(r, &r->filters->groups[i], &groups[i], err);
	out->groups = groups;
	out->n_groups = n;
	return rc;
}

static void ask_patterns(struct reporter *r)
{
	const struct filter_texts *t = &r->filters->exclude_patterns;
	const char *name;

	for (size_t i = 0; i < r->n; i++) {
		name = ferry_tensor_schema_get(r->params, i)->name;
		r->mark[i] = false;
		for (size_t k = 0; k < t->n && !r->out[i]; k++)
			if (strstr(name, t->items[k]))
				r->mark[i] = true;
	}
}

static int fill_gradnorm(struct reporter *r, struct ferry_filter_report *out,
			 struct ferry_error *err)
{
	int rc = 0;

	out->has_gradnorm = r->filters->has_gradnorm;
	if (!out->has_gradnorm)
		return 0;
	out->unified = r->filters->exclude;
	if (out->unified)
		rc = ask(r, r->filters->exclude, true);
	else
		ask_patterns(r);
	for (size_t i = 0; i < r->n; i++)
		r->mark[i] = !r->out[i] && (r->mark[i] || r->frozen[i]);
	if (!rc)
		rc = keep(r, &out->excluded, err);
	for (size_t i = 0; i < r->n; i++)
		r->mark[i] = !r->out[i] && !r->mark[i];
	return rc ? rc : keep(r, &out->included, err);
}

/* What filters asked for and nobody gave. */
static int note_absent(struct reporter *r, struct ferry_findings *notes,
		       struct ferry_error *err)
{
	if (r->subject.asked_initial &&
	    ferry_findings_add(notes, FERRY_WARNING, "no-initial", "",
			       FERRY_NO_OFFSET, "no checkpoint was given to "
			       "compare with, so that filters of type "
			       "initialization take every parameter"))
		return ferry_fail_nomem(err, "a note");
	if (r->subject.asked_stages &&
	    ferry_findings_add(notes, FERRY_WARNING, "no-stages", "",
			       FERRY_NO_OFFSET, "no stages were given, so that "
			       "filters of type stage_based take no parameter: "
			       "add a table `stages`, or name the model that "
			       "has them"))
		return ferry_fail_nomem(err, "a note");
	return 0;
}

static int reporter_init(struct reporter *r, struct ferry_error *err)
{
	bool *marks = ferry_alloc_zero(4 * r->n, sizeof(*marks));
	int rc = ferry_store_new(&r->store, err);

	if (!rc)
		rc = ferry__matcher_init(&r->matcher, err);
	if (!rc && !marks)
		rc = ferry_fail_nomem(err, "parameters");
	r->out = marks;
	if (rc)
		return rc;
	r->frozen = marks + r->n;
	r->taken = marks + 2 * r->n;
	r->mark = marks + 3 * r->n;
	r->subject.matcher = &r->matcher;
	return 0;
}

static int report(struct reporter *r, struct ferry_filter_report *out,
		  struct ferry_findings *notes, struct ferry_error *err)
{
	int rc = reporter_init(r, err);

	if (!rc && r->filters->buffers) {
		rc = ask(r, r->filters->buffers, true);
		memcpy(r->out, r->mark, r->n * sizeof(*r->out));
	}
	if (!rc && r->filters->frozen) {
		rc = ask(r, r->filters->frozen, true);
		memcpy(r->frozen, r->mark, r->n * sizeof(*r->frozen));
	}
	if (!rc)
		rc = fill_groups(r, out, err);
	if (!rc)
		rc = fill_gradnorm(r, out, err);
	return rc ? rc : note_absent(r, notes, err);
}

int ferry_filters_report(struct ferry_filter_report *out,
			 const struct ferry_filters *f,
			 const struct ferry_tensor_schema *params,
			 const struct ferry_tensor_schema *initial,
			 struct ferry_findings *notes, struct ferry_error *err)
{
	struct reporter r = {
		.filters = f, .params = params,
		.n = ferry_tensor_schema_count(params),
	};
	int rc;

	r.subject.filters = f;
	r.subject.initial = initial;
	r.subject.err = err;
	memset(out, 0, sizeof(*out));
	rc = report(&r, out, notes, err);
	ferry_alloc_free(r.out);
	ferry__matcher_release(&r.matcher);
	if (rc)
		ferry_store_unref(r.store);
	else
		out->owner = r.store;
	return rc;
}

void ferry_filter_report_release(struct ferry_filter_report *r)
{
	ferry_store_unref(r->owner);
	memset(r, 0, sizeof(*r));
}
