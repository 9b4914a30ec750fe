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
	struct ferry_rules *r;
	int rc = ferry_rules_new(&r, err);

	if (rc)
		return rc;
	if (job->model)
		rc = ferry_rules_load_model(r, p->s, job->model, settings, n,
					    err);
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

static const struct ferry_artifact_type *type_of(const struct ferry_plan *p)
{
	return p->what.type ? p->what.type->type : NULL;
}

static int fail_unmapped(const char *type, const struct ferry_value *v,
			 struct ferry_error *err)
{
	return ferry_fail(err, FERRY_PLUGIN, "plugin", FERRY_NO_OFFSET,
			  "what rules act on in '%s' is of kind %s; this is a "
			  "bug of the plugin", type, v ?
			  ferry_kind_name(v->kind) : "none");
}

/* Those the type names. */
static int ask_mappings(struct ferry_plan *p,
			const struct ferry_artifact_type *t,
			struct ferry_value **out, struct ferry_error *err)
{
	struct ferry_value *list = NULL, *v;
	int rc = ferry__callback_result(t->handled(p->doc, &list, err),
					"handled", t->name, err);

	if (rc)
		return rc;
	if (!list || list->kind != FERRY_LIST)
		return fail_unmapped(t->name, list, err);
	for (uint32_t i = 0; i < list->u.list.n; i++) {
		v = list->u.list.items[i];
		if (!ferry_value_items(v))
			return fail_unmapped(t->name, v, err);
	}
	*out = list;
	if (list->u.list.n)
		return 0;
	return ferry_fail(err, FERRY_UNSUPPORTED, "plan", FERRY_NO_OFFSET,
			  "this '%s' has no names for rules to act on",
			  t->name);
}

/* What rules act on, a LIST of mappings: those of the type; the weights; or a
 * root of no known meaning. */
static int find_mappings(struct ferry_plan *p, struct ferry_value **out,
			 struct ferry_error *err)
{
	const struct ferry_artifact_type *t = type_of(p);
	struct ferry_value *v = NULL;
	int rc;

	if (t && t->handled)
		return ask_mappings(p, t, out, err);
	rc = ferry_weights(p->s, p->doc, p->what.type, &v, err);
	if (rc)
		return rc;
	v = v ? v : p->doc->root;
	if (!ferry_value_items(v))
		return ferry_fail(err, FERRY_MISUSE, "plan", FERRY_NO_OFFSET,
				  "there is no mapping of names for the rules "
				  "to act on: the document is of kind %s; "
				  "--select names a part of it",
				  ferry_kind_name(v->kind));
	*out = ferry_sequence(p->store, FERRY_LIST, 1);
	return *out && !ferry_list_add(p->store, *out, v) ? 0 :
	       ferry_fail_nomem(err, "a plan");
}

struct telling {
	struct ferry_plan *p;
	struct ferry_findings *found;
};

static int tell_renamed(void *ctx, const struct ferry_renaming *changes,
			size_t n, struct ferry_error *err)
{
	struct telling *t = ctx;
	const struct ferry_artifact_type *type = type_of(t->p);

	return ferry__callback_result(type->renamed(t->p->doc, changes, n,
						    t->found, err),
				      "renamed", type->name, err);
}

static int note_rules(struct ferry_plan *p, const struct ferry_value *list,
		      bool whole, struct ferry_error *err)
{
	size_t n = ferry_rules_count(p->rules);
	const char *name = p->job.model ? p->job.model : "rules";
	const char *s = n == 1 ? "" : "s";

	p->handled = true;
	if (list->u.list.n > 1)
		return ferry__add_step(p, "handle", name, err, "%zu rule%s on "
				       "the names of %u mappings, each by "
				       "itself", n, s, list->u.list.n);
	return ferry__add_step(p, "handle", name, err, "%zu rule%s on the %s",
			       n, s, whole ? "mapping" : "weights");
}

static int apply_rules(struct ferry_plan *p, const struct ferry_value *list,
		       struct ferry_error *err)
{
	const struct ferry_artifact_type *type = type_of(p);
	bool whole = list->u.list.items[0] == p->doc->root;
	struct telling t = { .p = p };
	int rc = ferry_findings_new(&t.found, err);

	if (rc)
		return rc;
	rc = ferry__rules_apply(p->rules, p->doc, list->u.list.items,
				list->u.list.n, type && type->renamed ?
				tell_renamed : NULL, &t, t.found, err);
	if (!rc)
		rc = ferry__take_remarks(p, t.found, err);
	ferry_findings_free(t.found);
	return rc ? rc : note_rules(p, list, whole, err);
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

/* 1 when all stand in the document. */
static int are_inside(struct ferry_plan *p, const struct ferry_value *list,
		      struct ferry_error *err)
{
	int rc = 1;

	for (uint32_t i = 0; i < list->u.list.n && rc > 0; i++)
		rc = stands_inside(p->doc, list->u.list.items[i], err);
	return rc;
}

/* A conversion makes one model of several; rules act on that. */
static bool is_joined(const struct ferry_plan *p,
		      const struct ferry_value *list)
{
	return list->u.list.n > 1 && p->job.to &&
	       strcmp(p->job.to, p->what.type->name) != 0;
}

/* Rules with other options are compared on the weights of one model. */
static int apply_and_compare(struct ferry_plan *p, struct ferry_value *root,
			     const struct ferry_value *list,
			     struct ferry_error *err)
{
	struct ferry_value *weights = list->u.list.items[0];
	struct ferry__others others = { .n = 0 };
	int rc = 0;

	if (list->u.list.n == 1)
		rc = ferry__others_try(&others, p, root, weights, err);
	if (!rc)
		rc = apply_rules(p, list, err);
	if (!rc)
		rc = ferry__others_tell(&others, p, weights, err);
	ferry__others_release(&others);
	return rc;
}

/* Whether what was made for the asking is taken over afterwards. */
static bool takes_over(const struct ferry_artifact_type *t)
{
	return t && t->handled && t->renamed;
}

static int handle(struct ferry_plan *p, bool wait, struct ferry_error *err)
{
	struct ferry_value *list = NULL, *root = p->doc->root;
	int rc = p->n_conversions ? 0 : take_source(p, err);

	if (!rc)
		rc = find_mappings(p, &list, err);
	if (rc)
		return rc;
	if (wait && is_joined(p, list))
		return 0;
	rc = takes_over(type_of(p)) ? 1 : are_inside(p, list, err);
	if (rc < 0 || (!rc && wait))
		return rc < 0 ? rc : 0;
	if (!rc)
		return ferry_fail(err, FERRY_UNSUPPORTED, "plan",
				  FERRY_NO_OFFSET, "the weights of type '%s' are "
				  "not one mapping, so rules can't change them "
				  "in place; take them out with --weights or "
				  "--to", p->what.type->name);
	return apply_and_compare(p, root, list, err);
}

int ferry__handle(struct ferry_plan *p, bool wait, struct ferry_error *err)
{
	int rc;

	if (!p->rules || p->handled || (wait && is_to_merge(p)))
		return 0;
	rc = ferry__need_type(p, err);
	return rc ? rc : handle(p, wait, err);
}
