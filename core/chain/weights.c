/* Taking the weights alone. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "core/chain/plan.h"

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
