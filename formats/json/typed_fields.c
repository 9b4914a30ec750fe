/* What typed JSON says on data that is stored elsewhere. */
#include "config.h"

#include "formats/json/typed_fields.h"

#include <string.h>

#include <ferry/sys/ckd.h>

#define SANE_NBYTES (UINT64_C(4) << 30)
#define SANE_RATIO 100

static bool get_number(const struct ferry_value *members, const char *key,
		       uint64_t *out)
{
	const struct ferry_value *v = ferry_dict_get(members, key);

	if (!v || v->kind != FERRY_INT || v->flags & FERRY_BIG || v->u.i < 0)
		return false;
	*out = (uint64_t)v->u.i;
	return true;
}

static bool get_true(const struct ferry_value *members, const char *key)
{
	const struct ferry_value *v = ferry_dict_get(members, key);

	return v && v->kind == FERRY_BOOL && v->u.b;
}

/* False when the member is there and is no list of numbers. */
static bool get_numbers(const struct ferry_value *members, const char *key,
			bool *has, unsigned *n, uint64_t *out)
{
	const struct ferry_value *v = ferry_dict_get(members, key);

	*has = v;
	if (!v)
		return true;
	if (v->kind != FERRY_LIST || v->u.list.n > FERRY_MAX_RANK)
		return false;
	*n = v->u.list.n;
	for (unsigned i = 0; i < *n; i++) {
		const struct ferry_value *item = v->u.list.items[i];

		if (item->kind != FERRY_INT || item->flags & FERRY_BIG ||
		    item->u.i < 0)
			return false;
		out[i] = (uint64_t)item->u.i;
	}
	return true;
}

static bool get_dtype(const struct ferry_value *members, const char *key,
		      enum ferry_dtype *out)
{
	const struct ferry_value *v = ferry_dict_get(members, key);
	char name[32];

	if (!v)
		return true;
	if (v->kind != FERRY_STRING || v->u.s.nbytes >= sizeof(name))
		return false;
	memcpy(name, v->u.s.data, (size_t)v->u.s.nbytes);
	name[v->u.s.nbytes] = 0;
	*out = ferry_dtype_find(name);
	return *out != FERRY_DTYPE_NONE;
}

const char *typed_fields_read(struct typed_fields *f,
			      const struct ferry_value *members)
{
	unsigned nstrides = 0;

	memset(f, 0, sizeof(*f));
	if (!get_dtype(members, "dtype", &f->dtype) ||
	    !get_dtype(members, "storage_dtype", &f->storage_dtype))
		return "its dtype is unknown";
	if (!get_numbers(members, "shape", &f->has_shape, &f->ndim,
			 f->shape) ||
	    !get_numbers(members, "strides", &f->has_strides, &nstrides,
			 f->strides))
		return "its shape or strides are no numbers";
	if (f->has_strides && f->has_shape && nstrides != f->ndim)
		return "its shape and strides differ in rank";
	if (f->has_strides)
		f->ndim = nstrides;
	f->grouped = get_number(members, "storage", &f->group);
	if (f->grouped && !get_number(members, "nbytes", &f->nbytes))
		return "its storage has no size";
	get_number(members, "offset", &f->offset);
	f->untyped = get_true(members, "untyped");
	f->conj = get_true(members, "conj");
	f->neg = get_true(members, "neg");
	f->storage = ferry_dict_get(members, "$storage");
	return NULL;
}

void typed_sizes_add(struct typed_sizes *s, uint64_t made, uint64_t stored)
{
	if (ferry_ckd_add(&s->made, s->made, made))
		s->made = UINT64_MAX;
	if (ferry_ckd_add(&s->stored, s->stored, stored))
		s->stored = UINT64_MAX;
}

bool typed_sizes_are_sane(const struct typed_sizes *s)
{
	return s->made <= SANE_NBYTES || s->made / SANE_RATIO <= s->stored;
}
