/* A mapping of names, changed as Python changes a dict. */
#include "config.h"

#include "plugins/ksuit/ksuit.h"

#include <ferry/sys/alloc.h>

static int reserve(struct ordered *o)
{
	size_t cap = o->cap ? 2 * o->cap : 64;
	void *entries;

	if (o->n < o->cap)
		return 0;
	entries = ferry_alloc_resize(o->entries, cap, sizeof(*o->entries));
	if (!entries)
		return FERRY_NOMEM;
	o->entries = entries;
	o->cap = cap;
	return 0;
}

static int append(struct ordered *o, struct ferry_value *key,
		  struct ferry_value *value)
{
	if (reserve(o) || ferry_map_put(&o->at, key->u.s.data, key->u.s.nbytes,
					o->n))
		return ferry_fail_nomem(o->err, "names");
	o->entries[o->n++] = (struct ordered_entry){ key, value, false };
	return 0;
}

int ordered_init(struct ordered *o, struct ferry_store *store,
		 struct ferry_value *mapping, struct ferry_error *err)
{
	const struct ferry_value *items = ferry_value_items(mapping);
	const struct ferry_pair *pair;
	int rc = 0;

	memset(o, 0, sizeof(*o));
	o->store = store;
	o->err = err;
	for (uint32_t i = 0; items && i < items->u.dict.n && !rc; i++) {
		pair = &items->u.dict.pairs[i];
		if (pair->key->kind != FERRY_STRING)
			return ferry_fail(err, FERRY_MALFORMED, ORIGIN,
					  FERRY_NO_OFFSET, "key %u of the "
					  "weights is of kind %s, not text", i,
					  ferry_kind_name(pair->key->kind));
		rc = append(o, pair->key, pair->value);
	}
	return rc;
}

void ordered_release(struct ordered *o)
{
	ferry_map_release(&o->at);
	ferry_alloc_free(o->entries);
	memset(o, 0, sizeof(*o));
}

struct ferry_value *ordered_get(const struct ordered *o, struct slice name)
{
	uint64_t at;

	return ferry_map_get(&o->at, name.p, name.n, &at) ?
	       o->entries[at].value : NULL;
}

bool ordered_remove(struct ordered *o, struct slice name)
{
	uint64_t at;

	if (!ferry_map_get(&o->at, name.p, name.n, &at))
		return false;
	ferry_map_remove(&o->at, name.p, name.n);
	o->entries[at].gone = true;
	return true;
}

int ordered_set(struct ordered *o, struct slice name, struct ferry_value *value)
{
	struct ferry_value *key;
	uint64_t at;

	if (ferry_map_get(&o->at, name.p, name.n, &at)) {
		o->entries[at].value = value;
		return 0;
	}
	key = ferry_string(o->store, name.p, name.n);
	return key ? append(o, key, value) : ferry_fail_nomem(o->err, "names");
}

struct ferry_value *mapping_like(struct ferry_store *store,
				 struct ferry_value *like,
				 struct ferry_value *items)
{
	const struct ferry_object *old;
	struct ferry_value *made;

	if (!like || like->kind != FERRY_OBJECT)
		return items;
	old = like->u.object;
	made = ferry_object(store, old->form, old->callable, old->args,
			    old->kwargs);
	if (!made)
		return NULL;
	made->u.object->flags = old->flags;
	made->u.object->state = old->state;
	made->u.object->dict = items;
	return made;
}

int ordered_make(const struct ordered *o, struct ferry_value *like,
		 struct ferry_value **out)
{
	struct ferry_value *dict = ferry_dict(o->store, 0);
	int rc = dict ? 0 : FERRY_NOMEM;

	for (size_t i = 0; i < o->n && !rc; i++)
		if (!o->entries[i].gone)
			rc = ferry_dict_set(o->store, dict, o->entries[i].key,
					    o->entries[i].value);
	if (!rc)
		*out = mapping_like(o->store, like, dict);
	return rc || !*out ? ferry_fail_nomem(o->err, "weights") : 0;
}
