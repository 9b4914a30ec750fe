/* Handling: rules on the weights, before or after the conversions. */
#include "config.h"

#include <string.h>

#include "core/chain/others.h"
#include "core/chain/walk.h"
#include "core/handling/rules.h"

/* Values do not fit what is no floating dtype: to be wanted, in words. */
static int check_casts(const struct ferry_plan *p, struct ferry_error *err)
{
	const struct ferry__rule *rule;

	for (size_t i = 0; i < p->rules->n; i++) {
		rule = &p->rules->rules[i];
		if (rule->kind != FERRY_EDIT_CAST ||
		    ferry_dtype_is_float(rule->dtype) ||
		    ferry_dtype_is_complex(rule->dtype) ||
		    ferry__is_allowed(p, "cast"))
			continue;
		return ferry_fail(err, FERRY_MISUSE, "plan", FERRY_NO_OFFSET,
				  "rule %s truncates: casts are to floating "
				  "dtypes; --allow-loss=cast casts all the same",
				  rule->label);
	}
	return 0;
}

int ferry__make_rules(struct ferry_plan *p, const char *const *settings,
		      size_t n, struct ferry_rules **out,
		      struct ferry_error *err)
{
	const struct ferry_job *job = &p->job;
	const struct ferry_known *model;
	struct ferry_rules *r;
	int rc = ferry_rules_new(&r, err);

	if (rc)
		return rc;
	if (job->model) {
		model = ferry_session_find(p->s, FERRY_KNOWN_MODELS,
					   job->model);
		rc = model ? ferry_rules_load_for(r, model->file, p->store,
						  settings, n, err) :
		     ferry__fail_unknown(p->s, FERRY_KNOWN_MODELS, "model",
					 job->model, err);
	}
	if (!rc && job->rules)
		rc = ferry_rules_load_for(r, job->rules, p->store, settings, n,
					  err);
	for (size_t i = 0; i < job->n_edits && !rc; i++)
		rc = ferry_rules_add(r, &job->edits[i], err);
	if (rc)
		ferry_rules_free(r);
	else
		*out = r;
	return rc;
}

int ferry__load_rules(struct ferry_plan *p, struct ferry_error *err)
{
	const struct ferry_job *job = &p->job;
	int rc;

	if (!job->model && !job->rules && !job->n_edits)
		return 0;
	rc = ferry__make_rules(p, job->settings, job->n_settings, &p->rules,
			       err);
	return rc ? rc : check_casts(p, err);
}

struct search {
	const struct ferry_value *wanted;
};

static int is_wanted(void *ctx, struct ferry_value **slot, bool seen)
{
	const struct search *s = ctx;

	return !seen && *slot == s->wanted;
}

/* Whether a value stands in the document, or was made for the asking. */
static int stands_inside(struct ferry_document *doc,
			 const struct ferry_value *wanted,
			 struct ferry_error *err)
{
	struct search s = { wanted };
	struct ferry__walk w = { .visit = is_wanted, .ctx = &s };
	int rc;

	if (doc->root == wanted)
		return 1;
	if (ferry_marks_init(&w.marks, doc->store))
		return ferry_fail_nomem(err, "a plan");
	rc = ferry__walk(&w, &doc->root);
	ferry_marks_release(&w.marks);
	return rc;
}

/* The mapping rules act on: the weights, or a root of no known meaning. */
static int find_weights(struct ferry_plan *p, struct ferry_value **out,
			struct ferry_error *err)
{
	int rc = ferry_weights(p->s, p->doc, p->what.type, out, err);

	if (rc || *out)
		return rc;
	*out = p->doc->root;
	if (ferry_value_items(*out))
		return 0;
	return ferry_fail(err, FERRY_MISUSE, "plan", FERRY_NO_OFFSET,
			  "there is no mapping of names for the rules to act "
			  "on: the document is of kind %s; --select names a "
			  "part of it", ferry_kind_name((*out)->kind));
}

static int apply_rules(struct ferry_plan *p, struct ferry_value *weights,
		       struct ferry_error *err)
{
	struct ferry_findings *found;
	size_t n = ferry_rules_count(p->rules);
	int rc = ferry_findings_new(&found, err);

	if (rc)
		return rc;
	rc = ferry_rules_apply(p->rules, p->doc, weights, found, err);
	if (!rc)
		rc = ferry__take_remarks(p, found, err);
	ferry_findings_free(found);
	if (rc)
		return rc;
	p->handled = true;
	return ferry__add_step(p, "handle", p->job.model ? p->job.model :
			       "rules", err, "%zu rule%s on the %s", n,
			       n == 1 ? "" : "s",
			       weights == p->doc->root ? "mapping" : "weights");
}

/* The keys a rule file looks for weights under, in words. */
static int fail_source(const struct ferry_rules *rules, const char *at,
		       const struct ferry_value *found, struct ferry_error *err)
{
	struct ferry_buffer keys = FERRY_BUFFER_INIT;
	bool empty = found && ferry_value_items((struct ferry_value *)found);
	const char *key;

	for (size_t i = 0; (key = ferry_rules_source(rules, i)); i++)
		ferry_buffer_printf(&keys, "%s'%s'", i ? ", " : "", key);
	ferry_fail(err, FERRY_MISUSE, "plan", FERRY_NO_OFFSET,
		   "the rules take the weights from the first of %.200s that "
		   "is there: %s%s%s", keys.data ? keys.data : "",
		   found ? at : "none is", !found ? "" : empty ? " is, and is "
		   "empty" : " is, and is of kind ", !found || empty ? "" :
		   ferry_kind_name(found->kind));
	ferry_buffer_release(&keys);
	return FERRY_MISUSE;
}

int ferry__find_source(const struct ferry_rules *rules,
		       struct ferry_value *root, const char **key,
		       struct ferry_value **out, struct ferry_error *err)
{
	struct ferry_value *items = ferry_value_items(root), *found = NULL;

	*key = NULL;
	for (size_t i = 0; !found && (*key = ferry_rules_source(rules, i)); i++)
		found = !**key ? root : items ? ferry_dict_get(items, *key) :
			NULL;
	items = found ? ferry_value_items(found) : NULL;
	if (!items || !items->u.dict.n)
		return fail_source(rules, *key && **key ? *key : "the root",
				   found, err);
	*out = found;
	return 0;
}

/*
 * Rules that say where the weights are take these and leave out the rest: the
 * first key that is there, whatever it holds.
 */
static int take_source(struct ferry_plan *p, struct ferry_error *err)
{
	struct ferry_value *root = p->doc->root, *found;
	const char *key;
	int rc;

	if (!ferry_rules_source(p->rules, 0))
		return 0;
	rc = ferry__find_source(p->rules, root, &key, &found, err);
	if (rc || found == root)
		return rc;
	key = ferry_store_strndup(p->store, key, strlen(key));
	p->doc->root = found;
	if (!key)
		return ferry_fail_nomem(err, "a plan");
	rc = ferry__add_step(p, "select", key, err, "%s: the weights the rules "
			     "are for", key);
	return rc ? rc : ferry__plan_recognise(p, NULL, err);
}

static bool has_role(const struct ferry_conversion *c, const char *name)
{
	for (const struct ferry_role *role = c->roles; role->name; role++)
		if (!strcmp(role->name, name))
			return true;
	return false;
}

/* The main input is to be merged with another one, given by its role. */
static bool is_to_merge(const struct ferry_plan *p)
{
	const struct ferry_known *row;

	for (size_t i = 0; p->job.to && p->what.type &&
	     (row = ferry_session_get(p->s, FERRY_KNOWN_CONVERSIONS, i)); i++) {
		if (!(row->conversion->flags & FERRY_CONVERSION_MERGES) ||
		    strcmp(row->conversion->roles->type, p->what.type->name))
			continue;
		for (size_t k = 1; k < p->n_inputs; k++)
			if (p->inputs[k].role &&
			    has_role(row->conversion, p->inputs[k].role))
				return true;
	}
	return false;
}

static int handle(struct ferry_plan *p, bool wait, struct ferry_error *err)
{
	struct ferry_value *weights = NULL, *root = p->doc->root;
	struct ferry__others others = { .n = 0 };
	int rc = p->n_conversions ? 0 : take_source(p, err);

	if (!rc)
		rc = find_weights(p, &weights, err);
	if (rc)
		return rc;
	rc = stands_inside(p->doc, weights, err);
	if (rc < 0 || (!rc && wait))
		return rc < 0 ? rc : 0;
	if (!rc)
		return ferry_fail(err, FERRY_UNSUPPORTED, "plan",
				  FERRY_NO_OFFSET, "the weights of type '%s' are "
				  "not one mapping, so rules can't change them "
				  "in place; take them out with --weights or "
				  "--to", p->what.type->name);
	rc = ferry__others_try(&others, p, root, weights, err);
	if (!rc)
		rc = apply_rules(p, weights, err);
	if (!rc)
		rc = ferry__others_tell(&others, p, weights, err);
	ferry__others_release(&others);
	return rc;
}

int ferry__handle(struct ferry_plan *p, bool wait, struct ferry_error *err)
{
	int rc;

	if (!p->rules || p->handled || (wait && is_to_merge(p)))
		return 0;
	rc = ferry__need_type(p, err);
	return rc ? rc : handle(p, wait, err);
}
