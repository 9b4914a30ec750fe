/*
 * Equality of two graphs: a walk over both at once, with its own stack.
 *
 * Ids of one side are paired with ids of the other when they first meet; a pair
 * met again is done.  Where the two share differently an id has several
 * partners: such pairs are remembered too, and bounded in number, for there
 * could be as many as the product of both graphs.
 */
#include "config.h"

#include <ferry/value.h>

#include <inttypes.h>
#include <string.h>

#include <ferry/sys/alloc.h>
#include <ferry/sys/build.h>

#include "core/model/compare.h"
#include "core/model/key.h"

enum { MOST = 100 }; /* differences reported by default */

static int differ_here(struct comparison *c)
{
	struct ferry_value *v = c->steps[c->n - 1].child.value;

	return ferry_differ(c, "missing", "%s is in the first only",
			    ferry_kind_name(v->kind));
}

/* A child of the other side that has no like on this one. */
static int differ_there(struct comparison *c, struct ferry_value *there,
			const struct ferry_child *child)
{
	int code;

	c->steps[c->n].value = there;
	c->steps[c->n++].child = *child;
	code = ferry_differ(c, "unexpected", "%s is in the second only",
			    ferry_kind_name(child->value->kind));
	c->n--;
	return code;
}

/* Remember a pair beside those that were first. */
static int pair_extra(struct comparison *c, uint32_t a, uint32_t b, bool *known)
{
	uint32_t ids[2] = { a, b };
	uint32_t *key;

	*known = ferry_map_get(&c->extra, ids, sizeof(ids), NULL);
	if (*known)
		return 0;
	if (!c->extra_left--)
		return ferry_fail(c->err, FERRY_LIMIT, "", FERRY_NO_OFFSET,
				  "documents share values too differently to "
				  "be compared");
	key = ferry_store_alloc(c->scratch, sizeof(ids));
	if (!key)
		return ferry_compare_nomem(c);
	memcpy(key, ids, sizeof(ids));
	return ferry_map_put(&c->extra, key, sizeof(ids), 0)
		       ? ferry_compare_nomem(c)
		       : 0;
}

/* Containers that Python would tell apart by `is`; an empty tuple is one. */
static bool has_sharing(const struct ferry_value *v)
{
	if (v->kind == FERRY_TUPLE)
		return v->u.list.n > 0;
	return v->kind >= FERRY_LIST && v->kind != FERRY_GLOBAL;
}

static int meet(struct comparison *c, const struct ferry_value *a,
		const struct ferry_value *b, bool *known)
{
	int code = 0;

	*known = false;
	if (a->id > c->values.n_a || b->id > c->values.n_b)
		return ferry_fail(c->err, FERRY_MISUSE, "", FERRY_NO_OFFSET,
				  "document holds values of another store");
	switch (ferry_compare_pair(&c->values, a->id, b->id)) {
	case 0:
		return 0;
	case 1:
		*known = true;
		return 0;
	default:
		code = pair_extra(c, a->id, b->id, known);
		if (code || *known || !c->how->sharing || !has_sharing(a))
			return code;
		return ferry_differ(c, "sharing",
				    "%s is shared with another place "
				    "in one of the two only",
				    ferry_kind_name(a->kind));
	}
}

static bool is_set(const struct ferry_value *v)
{
	return v->kind == FERRY_SET || v->kind == FERRY_FROZENSET;
}

static int push(struct comparison *c, struct ferry_value *a,
		struct ferry_value *b)
{
	size_t cap = c->cap ? 2 * c->cap : 64;
	struct ferry_step *steps;
	struct partner *partners;

	if (c->n == c->cap) {
		steps = ferry_alloc_resize(c->steps, cap, sizeof(*steps));
		if (!steps)
			return ferry_compare_nomem(c);
		c->steps = steps;
		partners =
			ferry_alloc_resize(c->partners, cap, sizeof(*partners));
		if (!partners)
			return ferry_compare_nomem(c);
		c->partners = partners;
		c->cap = cap;
	}
	c->steps[c->n] = (struct ferry_step){ .value = a };
	c->partners[c->n++] = (struct partner){ .value = b };
	return 0;
}

static bool is_walked(const struct comparison *c, const struct ferry_value *v)
{
	return (v->kind >= FERRY_LIST && v->kind < FERRY_TENSOR) ||
	       (v->kind == FERRY_TENSOR && !c->how->bare) ||
	       v->kind == FERRY_OBJECT;
}

static int visit(struct comparison *c, struct ferry_value *a,
		 struct ferry_value *b)
{
	bool known = false;
	int code = 0;

	if (a == b)
		return 0;
	if (a->kind != b->kind)
		return ferry_differ(
			c, "kind", "%s in the first, %s in the second",
			ferry_kind_name(a->kind), ferry_kind_name(b->kind));
	if (a->id && b->id)
		code = meet(c, a, b, &known);
	if (code || known)
		return code;
	code = ferry_compare_selves(c, a, b);
	return code || !is_walked(c, a) ? code : push(c, a, b);
}

static int step_list(struct comparison *c, const struct ferry_child *child,
		     const struct partner *to)
{
	if (child->index >= to->value->u.list.n)
		return 0;
	return visit(c, child->value, to->value->u.list.items[child->index]);
}

/* The items that go by value, as keys of a DICT. */
static int index_set(struct comparison *c, const struct ferry_value *set,
		     struct ferry_value **out)
{
	struct ferry_value *dict = ferry_dict(c->scratch, 0);
	struct ferry_value *item;

	for (uint32_t i = 0; dict && i < set->u.list.n; i++) {
		item = set->u.list.items[i];
		if (ferry_key_by_value(item) &&
		    ferry_dict_set(c->scratch, dict, item, item))
			return ferry_compare_nomem(c);
	}
	*out = dict;
	return dict ? 0 : ferry_compare_nomem(c);
}

/* The next item of the other set that goes by identity: pairs with its like by
 * position, for there is nothing else to go by. */
static struct ferry_value *next_nameless(struct partner *to)
{
	struct ferry_value *item;

	while (to->next < to->value->u.list.n) {
		item = to->value->u.list.items[to->next++];
		if (!ferry_key_by_value(item))
			return item;
	}
	return NULL;
}

static int step_set(struct comparison *c, const struct ferry_child *child,
		    struct partner *to)
{
	const struct ferry_pair *pair;
	struct ferry_value *like;
	int code;

	if (!to->set) {
		code = index_set(c, to->value, &to->set);
		if (code)
			return code;
	}
	if (ferry_key_by_value(child->value)) {
		pair = ferry_dict_pair(to->set, child->value);
		like = pair ? pair->key : NULL;
	} else {
		like = next_nameless(to);
	}
	if (!like)
		return differ_here(c);
	to->matched++;
	return visit(c, child->value, like);
}

/* The pair of the other DICT that belongs to a key, most often the next. */
static const struct ferry_pair *match_key(const struct partner *to,
					  const struct ferry_value *key)
{
	const struct ferry_value *dict = to->value;
	const struct ferry_pair *next = NULL;

	if (to->next < dict->u.dict.n)
		next = &dict->u.dict.pairs[to->next];
	if (next && ferry_key_same(next->key, key, false))
		return next;
	if (ferry_key_by_value(key))
		return ferry_dict_pair(dict, key);
	return next && !ferry_key_by_value(next->key) ? next : NULL;
}

static int step_key(struct comparison *c, struct ferry_step *step,
		    struct partner *to)
{
	struct ferry_value *key = step->child.value;
	const struct ferry_pair *pair = match_key(to, key);
	uint32_t at;

	if (!pair) {
		ferry_child_next(step->value, &step->at, &step->child);
		return differ_here(c);
	}
	at = (uint32_t)(pair - to->value->u.dict.pairs);
	to->matched++;
	to->next = at + 1;
	if (at < to->highest)
		to->moved = true;
	else
		to->highest = at;
	return key->kind == FERRY_STRING ? 0 : visit(c, key, pair->key);
}

static struct ferry_value *field(const struct ferry_value *v,
				 enum ferry_role role)
{
	const struct ferry_object *o = v->u.object;

	switch (role) {
	case FERRY_ROLE_CALLABLE:
		return o->callable;
	case FERRY_ROLE_ARGS:
		return o->args;
	case FERRY_ROLE_KWARGS:
		return o->kwargs;
	case FERRY_ROLE_LIST:
		return o->list;
	case FERRY_ROLE_DICT:
		return o->dict;
	case FERRY_ROLE_STATE:
		return o->state;
	default:
		return v->u.tensor->extra;
	}
}

static int step(struct comparison *c)
{
	struct ferry_step *at = &c->steps[c->n - 1];
	struct partner *to = &c->partners[c->n - 1];
	struct ferry_value *like;

	switch (at->child.role) {
	case FERRY_ROLE_ITEM:
		if (is_set(at->value))
			return step_set(c, &at->child, to);
		return step_list(c, &at->child, to);
	case FERRY_ROLE_KEY:
		return step_key(c, at, to);
	case FERRY_ROLE_VALUE:
		like = to->value->u.dict.pairs[to->next - 1].value;
		return visit(c, at->child.value, like);
	default:
		like = field(to->value, at->child.role);
		return like ? visit(c, at->child.value, like) : 0;
	}
}

/* Keys of the second DICT that the first has not. */
static int finish_dict(struct comparison *c, struct ferry_value *a,
		       const struct partner *to)
{
	struct ferry_child child = { .role = FERRY_ROLE_VALUE };
	struct ferry_value *b = to->value;
	uint32_t missing = b->u.dict.n - to->matched;
	struct ferry_value *key;
	int code = 0;

	if (to->moved)
		code = ferry_differ(c, "order", "keys are in another order");
	for (uint32_t i = 0; !code && missing && i < b->u.dict.n; i++) {
		key = b->u.dict.pairs[i].key;
		if (!ferry_key_by_value(key) || ferry_dict_pair(a, key))
			continue;
		child.value = b->u.dict.pairs[i].value;
		child.index = i;
		code = differ_there(c, b, &child);
		missing--;
	}
	if (!code && missing)
		code = ferry_differ(c, "unexpected",
				    "%" PRIu32 " keys that go by "
				    "identity are in the second only",
				    missing);
	return code;
}

static int finish_set(struct comparison *c, struct ferry_value *a,
		      const struct partner *to)
{
	struct ferry_child child = { .role = FERRY_ROLE_ITEM };
	struct ferry_value *b = to->value, *known;
	uint32_t missing = b->u.list.n - to->matched;
	int code = missing ? index_set(c, a, &known) : 0;

	for (uint32_t i = 0; !code && missing && i < b->u.list.n; i++) {
		child.value = b->u.list.items[i];
		child.index = i;
		if (!ferry_key_by_value(child.value) ||
		    ferry_dict_pair(known, child.value))
			continue;
		code = differ_there(c, b, &child);
		missing--;
	}
	if (!code && missing)
		code = ferry_differ(c, "unexpected",
				    "%" PRIu32 " items more are in "
				    "the second",
				    missing);
	return code;
}

static int finish_list(struct comparison *c, const struct ferry_value *a,
		       const struct ferry_value *b)
{
	if (a->u.list.n == b->u.list.n)
		return 0;
	return ferry_differ(c, "length",
			    "%s has %" PRIu32 " items in the first, %" PRIu32
			    " in the second",
			    ferry_kind_name(a->kind), a->u.list.n, b->u.list.n);
}

/* What can only be said when all of the first side was seen. */
static int finish(struct comparison *c)
{
	struct ferry_value *a = c->steps[--c->n].value;
	const struct partner to = c->partners[c->n];

	if (a->kind == FERRY_DICT)
		return finish_dict(c, a, &to);
	if (is_set(a))
		return finish_set(c, a, &to);
	if (a->kind == FERRY_LIST || a->kind == FERRY_TUPLE)
		return finish_list(c, a, to.value);
	return 0;
}

static int compare_roots(struct comparison *c, struct ferry_value *a,
			 struct ferry_value *b)
{
	struct ferry_step *at;
	int code = visit(c, a, b);

	while (!code && c->n && c->differences < c->most) {
		at = &c->steps[c->n - 1];
		if (ferry_child_next(at->value, &at->at, &at->child))
			code = step(c);
		else
			code = finish(c);
	}
	return code;
}

static bool pairing_init(struct pairing *p, uint32_t n_a, uint32_t n_b)
{
	p->n_a = n_a;
	p->n_b = n_b;
	p->to_b = ferry_alloc_zero((size_t)n_a + 1, sizeof(*p->to_b));
	p->to_a = ferry_alloc_zero((size_t)n_b + 1, sizeof(*p->to_a));
	return p->to_b && p->to_a;
}

static void pairing_release(struct pairing *p)
{
	ferry_alloc_free(p->to_b);
	ferry_alloc_free(p->to_a);
}

static bool prepare(struct comparison *c, const struct ferry_store *a,
		    const struct ferry_store *b)
{
	uint32_t n_a = ferry_store_ids(a), n_b = ferry_store_ids(b);

	c->most = c->how->most ? c->how->most : MOST;
	c->extra_left = 4 * ((uint64_t)n_a + n_b) + 1000000;
	return pairing_init(&c->values, n_a, n_b) &&
	       pairing_init(&c->storages, ferry_store_storage_ids(a),
			    ferry_store_storage_ids(b));
}

int ferry_document_compare(struct ferry_document *a, struct ferry_document *b,
			   const struct ferry_compare *how,
			   struct ferry_findings *out, struct ferry_error *err)
{
	struct comparison c = { .how = how, .out = out, .err = err };
	int code = ferry_store_new(&c.scratch, err);

	if (!code && !prepare(&c, a->store, b->store))
		code = ferry_compare_nomem(&c);
	if (!code)
		code = compare_roots(&c, a->root, b->root);
	pairing_release(&c.values);
	pairing_release(&c.storages);
	ferry_map_release(&c.extra);
	ferry_store_unref(c.scratch);
	ferry_alloc_free(c.steps);
	ferry_alloc_free(c.partners);
	if (code)
		return code;
	return !c.differences;
}
