/* Weights as one mapping of names to tensors. */
#include "config.h"

#include "plugins/statedict/statedict.h"

#include <string.h>

#include <ferry/sys/buffer.h>
#include <ferry/sys/map.h>

#define ENTRIES_MOST 10000000	/* visited: a tree may be shared without end */
#define DEPTH_MOST 200

struct flattening {
	struct ferry_store *store;
	struct ferry_value *out;
	struct ferry_buffer name;
	size_t visited;
	struct ferry_error *err;
};

static int too_many(struct flattening *f)
{
	return ferry_fail(f->err, FERRY_LIMIT, "statedict", FERRY_NO_OFFSET,
			  "the tree of modules has more than %d entries or is "
			  "more than %d deep; it seems to contain itself",
			  ENTRIES_MOST, DEPTH_MOST);
}

static int add_weight(struct flattening *f, struct ferry_value *v)
{
	struct ferry_value *key = ferry_string(f->store, f->name.data,
					       f->name.n);

	if (!key || f->name.failed || ferry_dict_set(f->store, f->out, key, v))
		return ferry_fail_nomem(f->err, "weights");
	return 0;
}

/* Names hold only so long as the caller goes on: cut back to n after use. */
static bool push_key(struct flattening *f, const struct ferry_value *key)
{
	const char *digits;

	if (f->name.n)
		ferry_buffer_add_str(&f->name, ".");
	if (key->kind == FERRY_STRING) {
		ferry_buffer_add(&f->name, key->u.s.data, key->u.s.nbytes);
		return true;
	}
	digits = key->kind == FERRY_INT ? ferry_int_text(f->store, key) : NULL;
	if (digits)
		ferry_buffer_add_str(&f->name, digits);
	return digits;
}

static struct ferry_value *state_of(const struct ferry_value *v)
{
	struct ferry_value *state = v->u.object->state;

	return state->kind == FERRY_TUPLE ? state->u.list.items[0] : state;
}

static bool contains(const struct ferry_value *set,
		     const struct ferry_value *key)
{
	const struct ferry_value *item;

	if (!set)
		return false;
	for (uint32_t i = 0; i < set->u.list.n; i++) {
		item = set->u.list.items[i];
		if (item->kind == FERRY_STRING && key->kind == FERRY_STRING &&
		    item->u.s.nbytes == key->u.s.nbytes &&
		    !memcmp(item->u.s.data, key->u.s.data, key->u.s.nbytes))
			return true;
	}
	return false;
}

/* The tensors of one of a module's mappings; NONE stands for a missing one. */
static int add_tensors(struct flattening *f, struct ferry_value *mapping,
		       const struct ferry_value *without)
{
	const struct ferry_value *items = mapping ? ferry_value_items(mapping) :
					  NULL;
	const struct ferry_pair *pair;
	size_t n = f->name.n;
	int rc = 0;

	for (uint32_t i = 0; items && i < items->u.dict.n && !rc; i++) {
		pair = &items->u.dict.pairs[i];
		f->visited += 1 + (without ? without->u.list.n : 0);
		if (is_tensor(pair->value) && !contains(without, pair->key) &&
		    push_key(f, pair->key))
			rc = add_weight(f, pair->value);
		if (f->visited > ENTRIES_MOST)
			rc = too_many(f);
		f->name.n = n;
	}
	return rc;
}

static const struct ferry_value *hidden_buffers(const struct ferry_value *state)
{
	const struct ferry_value *set;

	set = ferry_dict_get(state, "_non_persistent_buffers_set");
	return set && (set->kind == FERRY_SET || set->kind == FERRY_LIST) ?
	       set : NULL;
}

static int walk_module(struct flattening *f, struct ferry_value *v,
		       unsigned depth)
{
	const struct ferry_value *state = state_of(v), *items;
	struct ferry_value *modules = ferry_dict_get(state, "_modules");
	size_t n = f->name.n;
	int rc;

	if (++f->visited > ENTRIES_MOST || depth > DEPTH_MOST)
		return too_many(f);
	rc = add_tensors(f, ferry_dict_get(state, "_parameters"), NULL);
	if (!rc)
		rc = add_tensors(f, ferry_dict_get(state, "_buffers"),
				 hidden_buffers(state));
	items = modules ? ferry_value_items(modules) : NULL;
	for (uint32_t i = 0; items && i < items->u.dict.n && !rc; i++) {
		if (!is_module(items->u.dict.pairs[i].value))
			continue;
		if (push_key(f, items->u.dict.pairs[i].key))
			rc = walk_module(f, items->u.dict.pairs[i].value,
					 depth + 1);
		f->name.n = n;
	}
	return rc;
}

/* A script module keeps parameters, buffers and modules as attributes. */
static int walk_script(struct flattening *f, struct ferry_value *v,
		       unsigned depth)
{
	const struct ferry_value *state = state_of(v);
	const struct ferry_pair *pair;
	size_t n = f->name.n;
	int rc;

	if (++f->visited > ENTRIES_MOST || depth > DEPTH_MOST)
		return too_many(f);
	rc = add_tensors(f, (struct ferry_value *)state, NULL);
	for (uint32_t i = 0; i < state->u.dict.n && !rc; i++) {
		pair = &state->u.dict.pairs[i];
		if (is_script(pair->value) && push_key(f, pair->key))
			rc = walk_script(f, pair->value, depth + 1);
		f->name.n = n;
	}
	return rc;
}

/* Of a frozen module nothing is left but the constants of its code: the names
 * that they had are gone. */
static int add_constants(struct flattening *f, const struct ferry_value *v)
{
	struct ferry_value *constants = ferry_dict_get(state_of(v),
						       "CONSTANTS");
	int rc;

	if (!constants)
		return 0;
	ferry_buffer_add_str(&f->name, "CONSTANTS");
	rc = add_tensors(f, constants, NULL);
	f->name.n = 0;
	return rc;
}

static int start(struct flattening *f, struct ferry_store *store,
		 struct ferry_error *err)
{
	memset(f, 0, sizeof(*f));
	f->store = store;
	f->err = err;
	f->out = ferry_dict(store, 0);
	return f->out ? 0 : ferry_fail_nomem(err, "weights");
}

int flatten_module(struct ferry_store *store, struct ferry_value *module,
		   struct ferry_value **out, struct ferry_error *err)
{
	struct flattening f;
	int rc = start(&f, store, err);

	if (!rc)
		rc = is_script(module) ? walk_script(&f, module, 0) :
		     walk_module(&f, module, 0);
	if (!rc && is_script(module) && !f.out->u.dict.n)
		rc = add_constants(&f, module);
	ferry_buffer_release(&f.name);
	if (!rc)
		*out = f.out;
	return rc;
}

static int walk_mapping(struct flattening *f, struct ferry_value *mapping,
			unsigned depth)
{
	const struct ferry_value *items = ferry_value_items(mapping);
	struct ferry_value *value;
	size_t n = f->name.n;
	int rc = 0;

	if (++f->visited > ENTRIES_MOST || depth > DEPTH_MOST)
		return too_many(f);
	for (uint32_t i = 0; i < items->u.dict.n && !rc; i++) {
		value = items->u.dict.pairs[i].value;
		if (++f->visited > ENTRIES_MOST)
			return too_many(f);
		if (!push_key(f, items->u.dict.pairs[i].key))
			value = NULL;
		if (value && is_tensor(value))
			rc = add_weight(f, value);
		else if (value && ferry_value_items(value))
			rc = walk_mapping(f, value, depth + 1);
		f->name.n = n;
	}
	return rc;
}

int flatten_mapping(struct ferry_store *store, struct ferry_value *mapping,
		    struct ferry_value **out, struct ferry_error *err)
{
	struct flattening f;
	int rc = start(&f, store, err);

	if (!rc)
		rc = walk_mapping(&f, mapping, 0);
	ferry_buffer_release(&f.name);
	if (!rc)
		*out = f.out;
	return rc;
}

/* ---- bare tensors -------------------------------------------------------- */

/* One tensor stays one: those that lose a flag are made once. */
static int bare_tensor(struct ferry_store *store, struct ferry_map *made,
		       struct ferry_value *v, struct ferry_value **out)
{
	struct ferry_value *t = ferry_value_payload(v);
	const struct ferry_tensor *old = t->u.tensor;
	uint64_t found;

	*out = t;
	if (!(old->flags & FERRY_REQUIRES_GRAD))
		return 0;
	if (ferry_map_get(made, &t->id, sizeof(t->id), &found)) {
		*out = (struct ferry_value *)(uintptr_t)found;
		return 0;
	}
	*out = ferry_tensor(store, old->dtype, old->ndim, old->shape,
			    old->strides, old->offset, old->storage);
	if (!*out)
		return FERRY_NOMEM;
	(*out)->u.tensor->flags = old->flags &
				  (uint8_t)~FERRY_REQUIRES_GRAD;
	(*out)->u.tensor->extra = old->extra;
	return ferry_map_put(made, &t->id, sizeof(t->id), (uintptr_t)*out);
}

static int fill_bare(struct ferry_store *store, const struct ferry_value *items,
		     struct ferry_value *dict)
{
	struct ferry_map made = FERRY_MAP_INIT;
	struct ferry_value *tensor;
	int rc = 0;

	for (uint32_t i = 0; i < items->u.dict.n && !rc; i++) {
		if (!is_tensor(items->u.dict.pairs[i].value))
			continue;
		rc = bare_tensor(store, &made, items->u.dict.pairs[i].value,
				 &tensor);
		if (!rc)
			rc = ferry_dict_set(store, dict,
					    items->u.dict.pairs[i].key,
					    tensor);
	}
	ferry_map_release(&made);
	return rc;
}

int bare_mapping(struct ferry_store *store, struct ferry_value *mapping,
		 struct ferry_value **out, struct ferry_error *err)
{
	const struct ferry_value *items = ferry_value_items(mapping);
	struct ferry_value *dict = ferry_dict(store, items->u.dict.n);
	const struct ferry_object *old;
	struct ferry_value *made = dict;

	if (!dict || fill_bare(store, items, dict))
		return ferry_fail_nomem(err, "weights");
	if (mapping->kind == FERRY_OBJECT) {
		old = mapping->u.object;
		made = ferry_object(store, old->form, old->callable, old->args,
				    old->kwargs);
		if (!made)
			return ferry_fail_nomem(err, "weights");
		made->u.object->flags = old->flags;
		made->u.object->dict = dict;
		made->u.object->state = old->state;
	}
	*out = made;
	return 0;
}
