/* Walking a document.  It is at most FERRY_MAX_DEPTH deep: a recursion. */
#include "config.h"

#include "core/chain/walk.h"

static int walk_items(struct ferry__walk *w, struct ferry_value *v)
{
	int rc = 0;

	for (uint32_t i = 0; i < v->u.list.n && !rc; i++)
		rc = ferry__walk(w, &v->u.list.items[i]);
	return rc;
}

/* Keys are found by what they are: a replacement of one is not taken. */
static int walk_pairs(struct ferry__walk *w, struct ferry_value *v)
{
	struct ferry_value *key;
	int rc = 0;

	for (uint32_t i = 0; i < v->u.dict.n && !rc; i++) {
		key = v->u.dict.pairs[i].key;
		if (key->kind >= FERRY_LIST)
			rc = ferry__walk(w, &key);
		if (!rc)
			rc = ferry__walk(w, &v->u.dict.pairs[i].value);
	}
	return rc;
}

static int walk_object(struct ferry__walk *w, struct ferry_object *o)
{
	struct ferry_value **const slots[] = {
		&o->callable, &o->args, &o->kwargs, &o->list, &o->dict,
		&o->state,
	};
	int rc = 0;

	for (size_t i = 0; i < sizeof(slots) / sizeof(*slots) && !rc; i++)
		if (*slots[i])
			rc = ferry__walk(w, slots[i]);
	return rc;
}

int ferry__walk(struct ferry__walk *w, struct ferry_value **slot)
{
	bool seen = ferry_mark(&w->marks, *slot);
	int rc = w->visit(w->ctx, slot, seen);
	struct ferry_value *v = *slot;

	if (rc || seen)
		return rc;
	switch (v->kind) {
	case FERRY_LIST:
	case FERRY_TUPLE:
	case FERRY_SET:
	case FERRY_FROZENSET:
		return walk_items(w, v);
	case FERRY_DICT:
		return walk_pairs(w, v);
	case FERRY_OBJECT:
		return walk_object(w, v->u.object);
	default:
		return 0;
	}
}
