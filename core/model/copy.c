/* A graph anew. */
#include "config.h"

#include <ferry/sys/build.h>
#include <ferry/sys/map.h>

struct copying {
	struct ferry_store *store;
	struct ferry_value *(*data)(void *ctx, const struct ferry_value *v);
	void *ctx;
	struct ferry_map made;		/* id to the copy */
	struct ferry_error *err;
	unsigned depth;
};

static int copy(struct copying *c, struct ferry_value *v,
		struct ferry_value **out);

static int nomem(struct copying *c)
{
	return ferry_fail_nomem(c->err, "a copy");
}

static int copy_items(struct copying *c, const struct ferry_value *from,
		      struct ferry_value *to)
{
	struct ferry_value *item;
	int rc = 0;

	for (uint32_t i = 0; i < from->u.list.n && !rc; i++) {
		rc = copy(c, from->u.list.items[i], &item);
		if (!rc && ferry_list_add(c->store, to, item))
			rc = nomem(c);
	}
	return rc;
}

/* Keys are what can be a key in Python: they do not change. */
static int copy_pairs(struct copying *c, const struct ferry_value *from,
		      struct ferry_value *to)
{
	struct ferry_value *value;
	int rc = 0;

	for (uint32_t i = 0; i < from->u.dict.n && !rc; i++) {
		rc = copy(c, from->u.dict.pairs[i].value, &value);
		if (!rc && ferry_dict_set(c->store, to,
					  from->u.dict.pairs[i].key, value))
			rc = nomem(c);
	}
	return rc;
}

static int copy_parts(struct copying *c, const struct ferry_object *from,
		      struct ferry_object *to)
{
	struct ferry_value **const slots[] = {
		&to->args, &to->kwargs, &to->list, &to->dict, &to->state,
	};
	int rc = 0;

	*to = *from;
	for (size_t i = 0; i < sizeof(slots) / sizeof(*slots) && !rc; i++)
		if (*slots[i])
			rc = copy(c, *slots[i], slots[i]);
	return rc;
}

static bool is_copied(const struct copying *c, const struct ferry_value *v)
{
	return v->kind == FERRY_TENSOR || v->kind == FERRY_STORAGE ?
	       c->data != NULL :
	       v->kind == FERRY_OBJECT ||
	       (v->kind >= FERRY_LIST && v->kind <= FERRY_DICT);
}

/* What is filled later; data is whole. */
static struct ferry_value *shell(struct copying *c, const struct ferry_value *v)
{
	const struct ferry_object *o;

	switch (v->kind) {
	case FERRY_TENSOR:
	case FERRY_STORAGE:
		return c->data(c->ctx, v);
	case FERRY_DICT:
		return ferry_dict(c->store, v->u.dict.n);
	case FERRY_OBJECT:
		o = v->u.object;
		return ferry_object(c->store, (enum ferry_form)o->form,
				    o->callable, o->args, o->kwargs);
	default:
		return ferry_sequence(c->store, (enum ferry_kind)v->kind,
				      v->u.list.n);
	}
}

static int fill(struct copying *c, const struct ferry_value *from,
		struct ferry_value *to)
{
	switch (from->kind) {
	case FERRY_TENSOR:
	case FERRY_STORAGE:
		return 0;
	case FERRY_DICT:
		return copy_pairs(c, from, to);
	case FERRY_OBJECT:
		return copy_parts(c, from->u.object, to->u.object);
	default:
		return copy_items(c, from, to);
	}
}

static int copy(struct copying *c, struct ferry_value *v,
		struct ferry_value **out)
{
	uint64_t made;
	int rc;

	*out = v;
	if (!is_copied(c, v))
		return 0;
	if (v->id && ferry_map_get(&c->made, &v->id, sizeof(v->id), &made)) {
		*out = (struct ferry_value *)(uintptr_t)made;
		return 0;
	}
	if (c->depth >= FERRY_MAX_DEPTH)
		return ferry_fail(c->err, FERRY_LIMIT, "", FERRY_NO_OFFSET,
				  "a value is more than %d values deep",
				  FERRY_MAX_DEPTH);
	*out = shell(c, v);
	if (!*out || (v->id && ferry_map_put(&c->made, &v->id, sizeof(v->id),
					     (uintptr_t)*out)))
		return nomem(c);
	c->depth++;
	rc = fill(c, v, *out);
	c->depth--;
	return rc;
}

int ferry_value_copy(struct ferry_store *store, const struct ferry_value *v,
		     struct ferry_value *(*data)(void *ctx,
						 const struct ferry_value *v),
		     void *ctx, struct ferry_value **out,
		     struct ferry_error *err)
{
	struct copying c = {
		.store = store, .data = data, .ctx = ctx,
		.made = FERRY_MAP_INIT, .err = err,
	};
	int rc = copy(&c, (struct ferry_value *)v, out);

	ferry_map_release(&c.made);
	return rc;
}
