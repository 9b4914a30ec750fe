/* Handling, and taking the weights alone. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "core/chain/plan.h"
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

int ferry__load_rules(struct ferry_plan *p, struct ferry_error *err)
{
	const struct ferry_job *job = &p->job;
	const struct ferry_known *model;
	int rc;

	if (!job->model && !job->rules && !job->n_edits)
		return 0;
	rc = ferry_rules_new(&p->rules, err);
	if (!rc && job->model) {
		model = ferry_session_find(p->s, FERRY_KNOWN_MODELS,
					   job->model);
		rc = model ? ferry_rules_load_for(p->rules, model->file, p->store,
					    job->settings, job->n_settings, err) :
		     ferry__fail_unknown(p->s, FERRY_KNOWN_MODELS, "model",
					 job->model, err);
	}
	if (!rc && job->rules)
		rc = ferry_rules_load_for(p->rules, job->rules, p->store,
					  job->settings, job->n_settings, err);
	for (size_t i = 0; i < job->n_edits && !rc; i++)
		rc = ferry_rules_add(p->rules, &job->edits[i], err);
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
static int fail_source(struct ferry_plan *p, const char *at,
		       const struct ferry_value *found, struct ferry_error *err)
{
	struct ferry_buffer keys = FERRY_BUFFER_INIT;
	const char *key;

	for (size_t i = 0; (key = ferry_rules_source(p->rules, i)); i++)
		ferry_buffer_printf(&keys, "%s'%s'", i ? ", " : "", key);
	ferry_fail(err, FERRY_MISUSE, "plan", FERRY_NO_OFFSET,
		   "the rules take the weights from the first of %.200s that "
		   "is there: %s%s%s", keys.data ? keys.data : "",
		   found ? at : "none is", found ? " is, and is of kind " : "",
		   found ? ferry_kind_name(found->kind) : "");
	ferry_buffer_release(&keys);
	return FERRY_MISUSE;
}

/*
 * Rules that say where the weights are take these and leave out the rest: the
 * first key that is there, whatever it holds.
 */
static int take_source(struct ferry_plan *p, struct ferry_error *err)
{
	struct ferry_value *root = p->doc->root, *found = NULL;
	struct ferry_value *items = ferry_value_items(root);
	const char *key = NULL;

	if (!ferry_rules_source(p->rules, 0))
		return 0;
	for (size_t i = 0; !found && (key = ferry_rules_source(p->rules, i));
	     i++)
		found = !*key ? root : items ? ferry_dict_get(items, key) :
			NULL;
	if (!found || !ferry_value_items(found))
		return fail_source(p, key && *key ? key : "the root", found,
				   err);
	if (found == root)
		return 0;
	key = ferry_store_strndup(p->store, key, strlen(key));
	p->doc->root = found;
	if (!key)
		return ferry_fail_nomem(err, "a plan");
	if (ferry__add_step(p, "select", key, err, "%s: the weights the rules "
			    "are for", key))
		return err->code;
	return ferry__plan_recognise(p, NULL, err);
}

int ferry__handle(struct ferry_plan *p, bool wait, struct ferry_error *err)
{
	struct ferry_value *weights = NULL;
	int rc;

	if (!p->rules || p->handled)
		return 0;
	rc = ferry__need_type(p, err);
	if (!rc && !p->n_conversions)
		rc = take_source(p, err);
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
	return apply_rules(p, weights, err);
}

/* ---- the weights alone --------------------------------------------------- */

#define ENTRIES_MOST 10000000	/* a mapping may be shared without end */

struct taking {
	struct ferry_plan *p;
	const struct ferry_value *above[FERRY_MAX_DEPTH];	/* on the way */
	size_t depth, visited;
	struct ferry_value *flat;	/* the result, when it is a new one */
	struct ferry_buffer name;
	struct ferry_buffer left;	/* names of what is no tensor */
	size_t n_left;
	size_t tensors;
};

#define SHOWN_LEFT 8

/* Whatever is no tensor may name code, so that a loader would refuse it all. */
static bool is_weight(struct ferry_value *v)
{
	return ferry_value_payload(v)->kind == FERRY_TENSOR;
}

/* "args (argparse.Namespace)" */
static void leave(struct taking *t, const char *name, size_t n,
		  const struct ferry_value *v)
{
	const struct ferry_value *class = v;
	char shown[120], of[160];

	if (t->n_left++ >= SHOWN_LEFT)
		return;
	ferry_escape(shown, sizeof(shown), name, n);
	ferry_buffer_printf(&t->left, "%s%s", t->left.n ? ", " : "",
			    *shown ? shown : "''");
	if (v->kind == FERRY_OBJECT)
		class = v->u.object->callable;
	if (!class || class->kind != FERRY_GLOBAL)
		return;
	snprintf(of, sizeof(of), "%s.%s", class->u.global.module,
		 class->u.global.name);
	ferry_escape(shown, sizeof(shown), of, strlen(of));
	ferry_buffer_printf(&t->left, " (%s)", shown);
}

/* What decorates a tensor goes, and with it that gradients are wanted. */
static struct ferry_value *bare(struct ferry_value *v)
{
	struct ferry_value *t = ferry_value_payload(v);

	if (t->kind != FERRY_TENSOR)
		return v;
	t->u.tensor->flags &= (uint8_t)~FERRY_REQUIRES_GRAD;
	return t;
}

static bool is_nested(struct ferry_value *items)
{
	for (uint32_t i = 0; i < items->u.dict.n; i++)
		if (ferry_value_items(items->u.dict.pairs[i].value))
			return true;
	return false;
}

static bool add_key(struct ferry_store *store, struct ferry_buffer *name,
		    const struct ferry_value *key)
{
	const char *digits;

	if (key->kind == FERRY_STRING) {
		ferry_buffer_add(name, key->u.s.data, key->u.s.nbytes);
		return true;
	}
	digits = key->kind == FERRY_INT ? ferry_int_text(store, key) : NULL;
	if (digits)
		ferry_buffer_add_str(name, digits);
	return digits;
}

/* The key's text in t->name. */
static bool name_key(struct taking *t, const struct ferry_value *key)
{
	t->name.n = 0;
	ferry_buffer_add_str(&t->name, "");
	return add_key(t->p->store, &t->name, key);
}

static bool is_ordered(const struct ferry_value *v)
{
	const struct ferry_value *class = v->kind == FERRY_OBJECT ?
					  v->u.object->callable : NULL;

	return class && class->kind == FERRY_GLOBAL &&
	       !strcmp(class->u.global.module, "collections") &&
	       !strcmp(class->u.global.name, "OrderedDict");
}

static int flatten(struct taking *t, struct ferry_value *items,
		   struct ferry_error *err);

static int flatten_pair(struct taking *t, const struct ferry_pair *pair,
			struct ferry_error *err)
{
	struct ferry_value *items = ferry_value_items(pair->value), *key;

	if (items && items->u.dict.n) {
		ferry_buffer_add_str(&t->name, ".");
		return flatten(t, items, err);
	}
	if (!is_weight(pair->value)) {
		leave(t, t->name.data, t->name.n, pair->value);
		return 0;
	}
	key = ferry_string(t->p->store, t->name.data, t->name.n);
	if (!key || t->name.failed)
		return ferry_fail_nomem(err, "weights");
	if (ferry_dict_find(t->flat, key))
		return ferry_fail(err, FERRY_UNSUPPORTED, "plan",
				  FERRY_NO_OFFSET, "two weights have the name "
				  "'%.200s'", t->name.data);
	t->tensors++;
	return ferry_dict_set(t->p->store, t->flat, key, bare(pair->value)) ?
	       ferry_fail_nomem(err, "weights") : 0;
}

static int flatten(struct taking *t, struct ferry_value *items,
		   struct ferry_error *err)
{
	size_t n = t->name.n;
	int rc = 0;

	for (size_t i = 0; i < t->depth; i++)
		if (t->above[i] == items)
			return 0;
	t->visited += items->u.dict.n;
	if (t->depth == FERRY_MAX_DEPTH || t->visited > ENTRIES_MOST)
		return ferry_fail(err, FERRY_LIMIT, "plan", FERRY_NO_OFFSET,
				  "the weights have more than %d names or are "
				  "nested more than %d deep", ENTRIES_MOST,
				  FERRY_MAX_DEPTH);
	t->above[t->depth++] = items;
	for (uint32_t i = 0; i < items->u.dict.n && !rc; i++) {
		t->name.n = n;
		if (add_key(t->p->store, &t->name, items->u.dict.pairs[i].key))
			rc = flatten_pair(t, &items->u.dict.pairs[i], err);
		else
			leave(t, "a key that is no text", 21,
			      items->u.dict.pairs[i].value);
	}
	t->depth--;
	t->name.n = n;
	return rc;
}

static bool is_data(const struct ferry_value *v, unsigned depth)
{
	const struct ferry_value *items;

	if (v->kind < FERRY_LIST)
		return true;
	items = ferry_value_items((struct ferry_value *)v);
	if (!items || depth == 8)
		return false;
	for (uint32_t i = 0; i < items->u.dict.n; i++)
		if (items->u.dict.pairs[i].key->kind >= FERRY_LIST ||
		    !is_data(items->u.dict.pairs[i].value, depth + 1))
			return false;
	return v->kind == FERRY_DICT || is_ordered(v);
}

/* Of a mapping's state the versions of its modules stay. */
static int thin_state(struct taking *t, struct ferry_object *o,
		      struct ferry_error *err)
{
	static const char name[] = "_metadata";
	struct ferry_value *versions = NULL, *state;

	if (!o->state)
		return 0;
	if (o->state->kind == FERRY_DICT)
		versions = ferry_dict_get(o->state, name);
	if (versions && o->state->u.dict.n == 1 && is_data(versions, 0))
		return 0;
	o->state = NULL;
	if (!versions || !is_data(versions, 0))
		return 0;
	state = ferry_dict(t->p->store, 1);
	if (!state || ferry_dict_set_str(t->p->store, state, name, versions))
		return ferry_fail_nomem(err, "weights");
	o->state = state;
	return 0;
}

/* An ordered dict stays one; of other classes the items are taken. */
static int thin_out(struct taking *t, struct ferry_value *items,
		    struct ferry_error *err)
{
	struct ferry_pair *pairs = items->u.dict.pairs, *kept;
	uint32_t n = 0;

	kept = ferry_store_array(t->p->store, items->u.dict.n + 1,
				 sizeof(*kept));
	if (!kept)
		return ferry_fail_nomem(err, "weights");
	for (uint32_t i = 0; i < items->u.dict.n; i++) {
		if (!name_key(t, pairs[i].key) || !is_weight(pairs[i].value)) {
			leave(t, t->name.data, t->name.n, pairs[i].value);
			continue;
		}
		kept[n].key = pairs[i].key;
		kept[n++].value = bare(pairs[i].value);
	}
	t->tensors = n;
	return ferry_dict_replace(t->p->store, items, kept, n) ?
	       ferry_fail_nomem(err, "weights") : 0;
}

/* What is left of the mapping, with a class that carries no code. */
static int take_thin(struct taking *t, struct ferry_value *weights,
		     struct ferry_value **out, struct ferry_error *err)
{
	struct ferry_value *items = ferry_value_items(weights);
	int rc = thin_out(t, items, err);

	*out = is_ordered(weights) ? weights : items;
	if (!rc && *out != items)
		rc = thin_state(t, weights->u.object, err);
	return rc;
}

static int take_mapping(struct taking *t, struct ferry_value *weights,
			struct ferry_value **out, struct ferry_error *err)
{
	struct ferry_value *items = ferry_value_items(weights);
	int rc;

	if (!is_nested(items))
		return take_thin(t, weights, out, err);
	t->flat = ferry_dict(t->p->store, items->u.dict.n);
	if (!t->flat)
		return ferry_fail_nomem(err, "weights");
	rc = flatten(t, items, err);
	*out = t->flat;
	return rc;
}

static int fail_without(const struct ferry_plan *p, struct ferry_error *err)
{
	if (!p->what.type)
		return ferry_fail(err, FERRY_UNSUPPORTED, "plan",
				  FERRY_NO_OFFSET, "no artifact type here "
				  "recognises the content, so its weights are "
				  "not known; --select PATH takes a part of it, "
				  "--from says what it is");
	return ferry_fail(err, FERRY_UNSUPPORTED, "plan", FERRY_NO_OFFSET,
			  "type '%s' has no weights; --select PATH takes a part "
			  "of it", p->what.type->name);
}

static int note_dropped(struct taking *t, struct ferry_error *err)
{
	if (!t->n_left)
		return 0;
	if (t->n_left > SHOWN_LEFT)
		ferry_buffer_printf(&t->left, " and %zu more",
				    t->n_left - SHOWN_LEFT);
	if (t->left.failed ||
	    ferry_findings_add(t->p->findings, FERRY_NOTE, "values", "",
			       FERRY_NO_OFFSET, "left out: %s", t->left.data))
		return ferry_fail_nomem(err, "findings");
	return 0;
}

/* Several models may be in one file: its type says which. */
static int note_others(struct ferry_plan *p, struct ferry_error *err)
{
	struct ferry_value *facts, *others;
	char shown[200];
	int rc = ferry_describe(p->s, p->doc, p->what.type, &facts, err);

	if (rc)
		return rc;
	others = ferry_dict_get(facts, "other weights at");
	if (!others || others->kind != FERRY_STRING)
		return 0;
	ferry_escape(shown, sizeof(shown), others->u.s.data,
		     others->u.s.nbytes);
	return ferry_findings_add(p->findings, FERRY_NOTE, "other-weights", "",
				  FERRY_NO_OFFSET, "other weights are at %s: "
				  "--select takes those", shown) ?
	       ferry_fail_nomem(err, "findings") : 0;
}

int ferry__take_weights(struct ferry_plan *p, struct ferry_error *err)
{
	struct taking t = {
		.p = p, .name = FERRY_BUFFER_INIT, .left = FERRY_BUFFER_INIT,
	};
	struct ferry_value *weights = NULL;
	int rc;

	if (!p->job.weights)
		return 0;
	rc = ferry__need_type(p, err);
	if (!rc)
		rc = ferry_weights(p->s, p->doc, p->what.type, &weights, err);
	if (!rc && !weights)
		rc = fail_without(p, err);
	if (!rc)
		rc = note_others(p, err);
	if (!rc)
		rc = ferry__note_left(p, weights, err);
	if (!rc)
		rc = take_mapping(&t, weights, &p->doc->root, err);
	if (!rc)
		rc = note_dropped(&t, err);
	p->doc->hints = NULL;
	ferry_buffer_release(&t.name);
	ferry_buffer_release(&t.left);
	if (!rc)
		rc = ferry__add_step(p, "select", "weights", err, "the weights "
				     "of type '%s' alone: %zu tensor%s",
				     p->what.type->name, t.tensors,
				     t.tensors == 1 ? "" : "s");
	return rc ? rc : ferry__plan_recognise(p, NULL, err);
}
