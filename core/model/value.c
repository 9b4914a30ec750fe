/* Constructors of values with identity, and questions about values. */
#include "config.h"

#include <ferry/value.h>

#include <string.h>

#include <ferry/sys/build.h>

#include "core/model/store.h"

struct ferry_value *ferry_string_borrow(struct ferry_store *s, const char *data,
					uint64_t n)
{
	struct ferry_value *v = store_value(s, FERRY_STRING);

	if (v) {
		v->u.s.data = data;
		v->u.s.nbytes = n;
	}
	return v;
}

struct ferry_value *ferry_string(struct ferry_store *s, const char *data,
				 uint64_t n)
{
	char *copy = n < SIZE_MAX ? store_alloc(s, n + 1) : NULL;

	if (!copy)
		return NULL;
	if (n)
		memcpy(copy, data, n);
	copy[n] = '\0';
	return ferry_string_borrow(s, copy, n);
}

struct ferry_value *ferry_cstring(struct ferry_store *s, const char *text)
{
	return ferry_string(s, text, strlen(text));
}

struct ferry_value *ferry_bytes(struct ferry_store *s, const void *data,
				uint64_t n, unsigned flags)
{
	struct ferry_value *v = ferry_string(s, data, n);

	if (v) {
		v->kind = FERRY_BYTES;
		v->flags = (uint8_t)flags;
	}
	return v;
}

struct ferry_value *ferry_bytes_range(struct ferry_store *s,
				      struct ferry_source *src, uint64_t offset,
				      uint64_t n, unsigned flags)
{
	struct ferry_value *v = store_value(s, FERRY_BYTES);

	if (v) {
		v->flags = (uint8_t)(flags | FERRY_RANGE);
		v->u.range.source = src;
		v->u.range.offset = offset;
		v->u.range.nbytes = n;
	}
	return v;
}

/* Both names lie in one piece of memory. */
struct ferry_value *ferry_global(struct ferry_store *s, const char *module,
				 size_t nm, const char *name, size_t nn)
{
	struct ferry_value *v;
	char *text = NULL;

	if (nm > UINT32_MAX || nn > UINT32_MAX)
		return NULL;
	v = store_value(s, FERRY_GLOBAL);
	if (v)
		text = store_alloc(s, nm + nn + 2);
	if (!text)
		return NULL;
	if (nm)
		memcpy(text, module, nm);
	text[nm] = '\0';
	if (nn)
		memcpy(text + nm + 1, name, nn);
	text[nm + 1 + nn] = '\0';
	v->u.global.module = text;
	v->u.global.module_len = (uint32_t)nm;
	v->u.global.name = text + nm + 1;
	v->u.global.name_len = (uint32_t)nn;
	return v;
}

struct ferry_value *ferry_object(struct ferry_store *s, enum ferry_form form,
				 struct ferry_value *callable,
				 struct ferry_value *args,
				 struct ferry_value *kwargs)
{
	struct ferry_value *v = store_value(s, FERRY_OBJECT);
	struct ferry_object *object;

	if (!v)
		return NULL;
	object = store_alloc(s, sizeof(*object));
	if (!object)
		return NULL;
	*object = (struct ferry_object){
		.form = (uint8_t)form, .payload = -1, .callable = callable,
		.args = args, .kwargs = kwargs,
	};
	v->u.object = object;
	return v;
}

static bool dense_strides(int64_t *strides, const uint64_t *shape,
			  unsigned ndim)
{
	uint64_t stride = 1;

	for (unsigned i = ndim; i--;) {
		if (stride > INT64_MAX)
			return false;
		strides[i] = (int64_t)stride;
		if (shape[i] > 1 &&
		    __builtin_mul_overflow(stride, shape[i], &stride))
			stride = UINT64_MAX;
	}
	return true;
}

/* Where dense strides overflow the shape is one that ferry_tensor_check()
 * refuses, unless it is empty: then they don't matter and are 0. */
static void copy_layout(struct ferry_tensor *t, uint64_t *shape,
			int64_t *strides, const uint64_t *from_shape,
			const int64_t *from_strides)
{
	if (t->ndim)
		memcpy(shape, from_shape, t->ndim * sizeof(*shape));
	if (t->ndim && from_strides)
		memcpy(strides, from_strides, t->ndim * sizeof(*strides));
	else if (!dense_strides(strides, shape, t->ndim))
		memset(strides, 0, t->ndim * sizeof(*strides));
	t->shape = shape;
	t->strides = strides;
}

struct ferry_value *ferry_tensor(struct ferry_store *s, enum ferry_dtype dtype,
				 unsigned ndim, const uint64_t *shape,
				 const int64_t *strides, uint64_t offset,
				 struct ferry_storage *storage)
{
	struct ferry_value *v = store_value(s, FERRY_TENSOR);
	unsigned rank = ndim < UINT8_MAX ? ndim : UINT8_MAX;
	struct ferry_tensor *t;
	uint64_t *dims;

	if (!v)
		return NULL;
	t = store_alloc(s, sizeof(*t) + 2 * rank * sizeof(*dims));
	if (!t)
		return NULL;
	dims = (uint64_t *)(t + 1);
	*t = (struct ferry_tensor){
		.dtype = (uint8_t)dtype, .ndim = (uint8_t)rank,
		.offset = offset, .storage = storage,
	};
	copy_layout(t, dims, (int64_t *)(dims + rank), shape, strides);
	v->u.tensor = t;
	return v;
}

struct ferry_storage *ferry_storage(struct ferry_store *s,
				    enum ferry_dtype dtype,
				    struct ferry_source *src, uint64_t offset,
				    uint64_t nbytes)
{
	struct ferry_storage *st = store_alloc(s, sizeof(*st));

	if (!st || s->storage_ids == UINT32_MAX)
		return NULL;
	*st = (struct ferry_storage){
		.dtype = (uint8_t)dtype, .id = ++s->storage_ids,
		.source = src, .offset = offset, .nbytes = nbytes,
	};
	return st;
}

struct ferry_value *ferry_storage_value(struct ferry_store *s,
					struct ferry_storage *st)
{
	struct ferry_value *v = store_value(s, FERRY_STORAGE);

	if (v)
		v->u.st.storage = st;
	return v;
}

struct ferry_value *ferry_value_items(struct ferry_value *value)
{
	if (value->kind == FERRY_DICT)
		return value;
	if (value->kind == FERRY_OBJECT)
		return value->u.object->dict;
	return NULL;
}

/* The payload of one OBJECT, or NULL. */
static struct ferry_value *wrapped(const struct ferry_value *value)
{
	const struct ferry_object *o;

	if (value->kind != FERRY_OBJECT)
		return NULL;
	o = value->u.object;
	if (o->payload < 0 || !o->args || o->args->kind != FERRY_TUPLE ||
	    (uint32_t)o->payload >= o->args->u.list.n)
		return NULL;
	return o->args->u.list.items[o->payload];
}

struct ferry_value *ferry_value_payload(struct ferry_value *value)
{
	enum { MOST = 16 };
	struct ferry_value *inner = wrapped(value);

	for (int i = 0; inner && i < MOST; i++) {
		value = inner;
		inner = wrapped(value);
	}
	return value;
}

bool ferry_value_is(const struct ferry_value *value, const char *str)
{
	return value->kind == FERRY_STRING &&
	       value->u.s.nbytes == strlen(str) &&
	       !memcmp(value->u.s.data, str, value->u.s.nbytes);
}

bool ferry_value_is_global(const struct ferry_value *value, const char *module,
			   const char *name)
{
	return value->kind == FERRY_GLOBAL &&
	       value->u.global.module_len == strlen(module) &&
	       value->u.global.name_len == strlen(name) &&
	       !strcmp(value->u.global.module, module) &&
	       !strcmp(value->u.global.name, name);
}

const char *ferry_kind_name(int kind)
{
	static const char *const names[FERRY_N_KINDS] = {
		"none", "bool", "int", "float", "complex", "string", "bytes",
		"list", "tuple", "set", "frozenset", "dict", "tensor",
		"storage", "global", "object",
	};

	return kind >= 0 && kind < FERRY_N_KINDS ? names[kind] : "unknown";
}
