/*
 * Files of a run share nothing: what two of them have in common, and tensors
 * that look into one storage, each gets for its own.
 */
#include "config.h"

#include "plugins/ksuit/ksuit.h"

struct parting {
	struct ferry_store *store;
	struct ferry_map values;	/* id to the file it was met in */
	struct ferry_map storages;
	uint64_t file;
	struct ferry_map storages_made;	/* id to the copy, of one file */
	struct ferry_error *err;
};

static int no_memory(struct parting *p)
{
	return ferry_fail_nomem(p->err, "a run");
}

/* ---- is anything met in an earlier file? --------------------------------- */

/* 1: in an earlier file, 2: in this one, 0: nowhere. */
static int meet(struct parting *p, struct ferry_map *met, const uint32_t *id)
{
	uint64_t file;

	if (ferry_map_get(met, id, sizeof(*id), &file))
		return file == p->file ? 2 : 1;
	return ferry_map_put(met, id, sizeof(*id), p->file) ? no_memory(p) : 0;
}

/* 1: in an earlier file; 0, or an error. */
static int meet_storage(struct parting *p, const struct ferry_storage *st)
{
	int met = st ? meet(p, &p->storages, &st->id) : 0;

	return met == 2 ? 0 : met;
}

static int look(struct parting *p, const struct ferry_value *v);

static int look_at_object(struct parting *p, const struct ferry_object *o)
{
	struct ferry_value *const parts[] = {
		o->args, o->kwargs, o->list, o->dict, o->state,
	};
	int rc = 0;

	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts) && !rc; i++)
		if (parts[i])
			rc = look(p, parts[i]);
	return rc;
}

static int look_inside(struct parting *p, const struct ferry_value *v)
{
	int rc = 0;

	switch (v->kind) {
	case FERRY_LIST:
	case FERRY_TUPLE:
	case FERRY_SET:
	case FERRY_FROZENSET:
		for (uint32_t i = 0; i < v->u.list.n && !rc; i++)
			rc = look(p, v->u.list.items[i]);
		return rc;
	case FERRY_DICT:
		for (uint32_t i = 0; i < v->u.dict.n && !rc; i++)
			rc = look(p, v->u.dict.pairs[i].value);
		return rc;
	case FERRY_OBJECT:
		return look_at_object(p, v->u.object);
	case FERRY_TENSOR:
		return meet_storage(p, v->u.tensor->storage);
	case FERRY_STORAGE:
		return meet_storage(p, v->u.st.storage);
	default:
		return 0;
	}
}

/* 1: something was, 0: nothing, or an error. */
static int look(struct parting *p, const struct ferry_value *v)
{
	int met;

	if (v->kind < FERRY_LIST || v->kind == FERRY_GLOBAL)
		return 0;
	met = v->id ? meet(p, &p->values, &v->id) : 0;
	if (met == 2)
		return 0;
	return met ? met : look_inside(p, v);
}

/* ---- a file's content anew ------------------------------------------------- */

static struct ferry_storage *own_storage(struct parting *p,
					 struct ferry_storage *st)
{
	struct ferry_storage *made;
	uint64_t found;

	if (ferry_map_get(&p->storages_made, &st->id, sizeof(st->id), &found))
		return (struct ferry_storage *)(uintptr_t)found;
	made = ferry_storage(p->store, st->dtype, st->source, st->offset,
			     st->nbytes);
	if (!made || ferry_map_put(&p->storages_made, &st->id, sizeof(st->id),
				   (uintptr_t)made))
		return NULL;
	made->flags = st->flags;
	return made;
}

static struct ferry_value *own_tensor(struct parting *p,
				      const struct ferry_tensor *t)
{
	struct ferry_storage *st = t->storage;
	struct ferry_value *made = NULL;

	if (st)
		st = own_storage(p, st);
	if (st || !t->storage)
		made = ferry_tensor(p->store, t->dtype, t->ndim, t->shape,
				    t->strides, t->offset, st);
	if (made) {
		made->u.tensor->flags = t->flags;
		made->u.tensor->extra = t->extra;
	}
	return made;
}

static struct ferry_value *own_data(void *ctx, const struct ferry_value *v)
{
	struct parting *p = ctx;
	struct ferry_storage *st;

	if (v->kind == FERRY_TENSOR)
		return own_tensor(p, v->u.tensor);
	st = own_storage(p, v->u.st.storage);
	return st ? ferry_storage_value(p->store, st) : NULL;
}

static int part(struct parting *p, struct run_file *file)
{
	struct ferry_value *root = file->root;
	int rc = look(p, root);

	if (rc <= 0)
		return rc;
	rc = ferry_value_copy(p->store, root, own_data, p, &file->root,
			      p->err);
	ferry_map_release(&p->storages_made);
	return rc;
}

int files_apart(struct ferry_store *store, struct run_file *items, size_t n,
		struct ferry_error *err)
{
	struct parting p = {
		.store = store, .values = FERRY_MAP_INIT,
		.storages = FERRY_MAP_INIT, .storages_made = FERRY_MAP_INIT,
		.err = err,
	};
	int rc = 0;

	for (; p.file < n && !rc; p.file++)
		rc = part(&p, &items[p.file]);
	ferry_map_release(&p.values);
	ferry_map_release(&p.storages);
	return rc;
}
