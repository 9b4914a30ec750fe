/*
 * Casting for rules.  Tensors that look into one storage are cast by casting
 * the storage, so that ties and strides stay as they are.
 */
#include "config.h"

#include "core/handling/rules.h"

#include <string.h>

#include <ferry/sys/alloc.h>
#include <ferry/sys/map.h>
#include <ferry/sys/ops.h>

/* A storage read as one dtype and cast to another. */
struct cast_key {
	uint32_t storage;
	uint8_t from, to;
	uint16_t zero;
};

struct cast_done {
	struct cast_key key;
	struct ferry_storage *storage;
};

struct value_done {
	uint32_t id;
	uint32_t to;
};

struct ferry__caster {
	struct ferry_store *store;
	struct ferry_store *scratch;
	uint32_t *lookers;	/* tensors per storage id */
	uint32_t n_lookers;
	struct ferry_map storages;	/* struct cast_key -> storage */
	struct ferry_map values;	/* struct value_done -> value */
};

struct ferry_value **ferry__tensor_slot(struct ferry_value **slot)
{
	struct ferry_object *o;

	for (int depth = 0; depth < FERRY_MAX_DEPTH; depth++) {
		if ((*slot)->kind == FERRY_TENSOR)
			return slot;
		if ((*slot)->kind != FERRY_OBJECT)
			return NULL;
		o = (*slot)->u.object;
		if (o->payload < 0 || !o->args ||
		    o->args->kind != FERRY_TUPLE ||
		    (uint32_t)o->payload >= o->args->u.list.n)
			return NULL;
		slot = &o->args->u.list.items[o->payload];
	}
	return NULL;
}

static int count_lookers(struct ferry__caster *c,
			 const struct ferry__names *names,
			 struct ferry_error *err)
{
	struct ferry_marks seen;
	struct ferry_value **slot;
	const struct ferry_storage *st;

	if (ferry_marks_init(&seen, c->store))
		return ferry_fail_nomem(err, "a cast");
	for (size_t i = 0; i < names->n; i++) {
		slot = ferry__tensor_slot(&names->entries[i].value);
		if (!slot || ferry_mark(&seen, *slot))
			continue;
		st = (*slot)->u.tensor->storage;
		if (st && st->id < c->n_lookers)
			c->lookers[st->id]++;
	}
	ferry_marks_release(&seen);
	return 0;
}

int ferry__caster_new(struct ferry__caster **out,
		      const struct ferry__names *names,
		      struct ferry_store *store, struct ferry_error *err)
{
	struct ferry__caster *c = ferry_alloc_zero(1, sizeof(*c));
	int rc;

	if (!c)
		return ferry_fail_nomem(err, "a cast");
	c->store = store;
	c->n_lookers = ferry_store_storage_ids(store) + 1;
	c->lookers = ferry_alloc_zero(c->n_lookers, sizeof(*c->lookers));
	rc = c->lookers ? ferry_store_new(&c->scratch, err) :
	     ferry_fail_nomem(err, "a cast");
	if (!rc)
		rc = count_lookers(c, names, err);
	if (rc)
		ferry__caster_free(c);
	else
		*out = c;
	return rc;
}

void ferry__caster_free(struct ferry__caster *c)
{
	if (!c)
		return;
	ferry_map_release(&c->storages);
	ferry_map_release(&c->values);
	ferry_store_unref(c->scratch);
	ferry_alloc_free(c->lookers);
	ferry_alloc_free(c);
}

/* Worth casting whole: others look into it too, or most of it is this. */
static bool whole_storage(const struct ferry__caster *c,
			  const struct ferry_tensor *t)
{
	const struct ferry_storage *st = t->storage;
	uint64_t first, end;

	if (!ferry_dtype_size(t->dtype) ||
	    st->nbytes < ferry_dtype_size(t->dtype))
		return false;
	if (st->id < c->n_lookers && c->lookers[st->id] > 1)
		return true;
	ferry_tensor_extent(t, &first, &end);
	return !ferry_tensor_is_contiguous(t) && end - first >= st->nbytes / 2;
}

static int cast_storage(struct ferry__caster *c, const struct ferry_tensor *t,
			enum ferry_dtype to, struct ferry_storage **out,
			struct ferry_error *err)
{
	struct cast_key key = {
		.storage = t->storage->id, .from = t->dtype, .to = (uint8_t)to,
	};
	uint64_t n = t->storage->nbytes / ferry_dtype_size(t->dtype), found;
	struct ferry_value *all, *cast;
	struct cast_done *done;
	int rc;

	if (ferry_map_get(&c->storages, &key, sizeof(key), &found)) {
		*out = ((struct cast_done *)(uintptr_t)found)->storage;
		return 0;
	}
	all = ferry_tensor(c->store, t->dtype, 1, &n, NULL, 0, t->storage);
	done = ferry_store_alloc(c->scratch, sizeof(*done));
	if (!all || !done)
		return ferry_fail_nomem(err, "a cast");
	rc = ferry_op_cast(c->store, all, to, &cast, err);
	if (rc)
		return rc;
	done->key = key;
	done->storage = cast->u.tensor->storage;
	if (ferry_map_put(&c->storages, &done->key, sizeof(done->key),
			  (uintptr_t)done))
		return ferry_fail_nomem(err, "a cast");
	*out = done->storage;
	return 0;
}

static int cast_view(struct ferry__caster *c, const struct ferry_tensor *t,
		     enum ferry_dtype to, struct ferry_value **out,
		     struct ferry_error *err)
{
	struct ferry_storage *storage = NULL;
	struct ferry_value *v;
	int rc = 0;

	if (t->storage)
		rc = cast_storage(c, t, to, &storage, err);
	if (rc)
		return rc;
	v = ferry_tensor(c->store, to, t->ndim, t->shape, t->strides,
			 t->offset, storage);
	if (!v)
		return ferry_fail_nomem(err, "a cast");
	v->u.tensor->flags = t->flags;
	*out = v;
	return 0;
}

int ferry__caster_cast(struct ferry__caster *c, struct ferry_value *tensor,
		       enum ferry_dtype dtype, struct ferry_value **out,
		       struct ferry_error *err)
{
	const struct ferry_tensor *t = tensor->u.tensor;
	struct value_done key = { tensor->id, dtype }, *kept;
	uint64_t found;
	int rc;

	if (t->dtype == dtype) {
		*out = tensor;
		return 0;
	}
	if (ferry_map_get(&c->values, &key, sizeof(key), &found)) {
		*out = (struct ferry_value *)(uintptr_t)found;
		return 0;
	}
	rc = !t->storage || whole_storage(c, t) ?
	     cast_view(c, t, dtype, out, err) :
	     ferry_op_cast(c->store, tensor, dtype, out, err);
	if (rc)
		return rc;
	kept = ferry_store_alloc(c->scratch, sizeof(*kept));
	if (!kept)
		return ferry_fail_nomem(err, "a cast");
	*kept = key;
	return ferry_map_put(&c->values, kept, sizeof(*kept),
			     (uintptr_t)*out) ?
	       ferry_fail_nomem(err, "a cast") : 0;
}
