/* A graph anew. */
#include "config.h"

#include "formats/omegaconf/node.h"

#include <ferry/sys/map.h>

struct copying {
	struct ferry_store *store;
	struct ferry_map made;		/* id to the copy */
	struct ferry_error *err;
	unsigned depth;
};

static int copy_value(struct copying *c, struct ferry_value *v,
		      struct ferry_value **out);

static int nomem(struct copying *c)
{
	return ferry_fail_nomem(c->err, "a configuration");
}

static int copy_items(struct copying *c, const struct ferry_value *from,
		      struct ferry_value *to)
{
	struct ferry_value *item;
	int rc = 0;

	for (uint32_t i = 0; i < from->u.list.n && !rc; i++) {
		rc = copy_value(c, from->u.list.items[i], &item);
		if (!rc && ferry_list_add(c->store, to, item))
			rc = nomem(c);
	}
	return rc;
}

/* Keys are what can be a key in Python: they do not change. */
static int copy_pairs(struct copying *c, const struct ferry_value *from,
		      struct ferry_value *to)
{
	struct ferry_value *v;
	int rc = 0;

	for (uint32_t i = 0; i < from->u.dict.n && !rc; i++) {
		rc = copy_value(c, from->u.dict.pairs[i].value, &v);
		if (!rc && ferry_dict_set(c->store, to,
					  from->u.dict.pairs[i].key, v))
			rc = nomem(c);
	}
	return rc;
}

static int copy_parts(struct copying *c, const struct ferry_object *from,
		      struct ferry_object *to)
{
	struct ferry_value *const parts[] = {
		from->args, from->kwargs, from->list, from->dict, from->state,
	};
	struct ferry_value **const places[] = {
		&to->args, &to->kwargs, &to->list, &to->dict, &to->state,
	};
	int rc = 0;

	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts) && !rc; i++)
		if (parts[i])
			rc = copy_value(c, parts[i], places[i]);
	return rc;
}

/* An empty one of the kind of v; NULL for what is shared. */
static struct ferry_value *shell(struct copying *c, const struct ferry_value *v)
{
	const struct ferry_object *o;
	struct ferry_value *out;

	switch (v->kind) {
	case FERRY_LIST:
	case FERRY_TUPLE:
	case FERRY_SET:
	case FERRY_FROZENSET:
		return ferry_sequence(c->store, (enum ferry_kind)v->kind,
				      v->u.list.n);
	case FERRY_DICT:
		return ferry_dict(c->store, v->u.dict.n);
	default:
		o = v->u.object;
		out = ferry_object(c->store, (enum ferry_form)o->form,
				   o->callable, o->args, NULL);
		if (out) {
			out->u.object->flags = o->flags;
			out->u.object->payload = o->payload;
		}
		return out;
	}
}

static int fill(struct copying *c, const struct ferry_value *from,
		struct ferry_value *to)
{
	if (from->kind == FERRY_DICT)
		return copy_pairs(c, from, to);
	if (from->kind == FERRY_OBJECT)
		return copy_parts(c, from->u.object, to->u.object);
	return copy_items(c, from, to);
}

static bool is_copied(const struct ferry_value *v)
{
	return v->kind == FERRY_OBJECT ||
	       (v->kind >= FERRY_LIST && v->kind <= FERRY_DICT);
}

static int copy_value(struct copying *c, struct ferry_value *v,
		      struct ferry_value **out)
{
	uint64_t made;
	int rc;

	*out = v;
	if (!is_copied(v))
		return 0;
	if (ferry_map_get(&c->made, &v->id, sizeof(v->id), &made)) {
		*out = (struct ferry_value *)(uintptr_t)made;
		return 0;
	}
	if (c->depth >= FERRY_MAX_DEPTH)
		return ferry_fail(c->err, FERRY_LIMIT, "omegaconf",
				  FERRY_NO_OFFSET, "a configuration is more "
				  "than %d values deep", FERRY_MAX_DEPTH);
	*out = shell(c, v);
	if (!*out || ferry_map_put(&c->made, &v->id, sizeof(v->id),
				   (uint64_t)(uintptr_t)*out))
		return nomem(c);
	c->depth++;
	rc = fill(c, v, *out);
	c->depth--;
	return rc;
}

int omegaconf_copy(struct ferry_store *store, const struct ferry_value *config,
		   struct ferry_value **out, struct ferry_error *err)
{
	struct copying c = { .store = store, .err = err };
	int rc = copy_value(&c, (struct ferry_value *)config, out);

	ferry_map_release(&c.made);
	return rc;
}
