/*
 * numpy arrays in pickles.
 *
 * Before protocol 5 an array is _reconstruct(ndarray, (0,), b"b") given the
 * state (version, shape, dtype, is_fortran, data); in band at protocol 5 it is
 * _frombuffer(data, dtype, shape, order).  A dtype is dtype("f4", align, copy)
 * given the state (version, byte order, subarray, names, fields, size,
 * alignment, flags[, metadata]).
 */
#include "config.h"

#include <string.h>

#include <ferry/sys/ops.h>
#include <ferry/sys/python_name.h>

#include "formats/pickle/machine.h"

struct numpy_dtype {
	enum ferry_dtype dtype;
	bool big_endian;
};

struct numpy_array {
	struct numpy_dtype dtype;
	unsigned ndim;
	uint64_t shape[FERRY_MAX_RANK];
	int64_t strides[FERRY_MAX_RANK];
	bool fortran;
	struct ferry_value *data;
};

struct dtype_name {
	const char *name;
	enum ferry_dtype dtype;
};

static const struct dtype_name dtype_names[] = {
	{ "b1", FERRY_BOOL8 },	{ "u1", FERRY_U8 },   { "i1", FERRY_I8 },
	{ "u2", FERRY_U16 },	{ "i2", FERRY_I16 },  { "u4", FERRY_U32 },
	{ "i4", FERRY_I32 },	{ "u8", FERRY_U64 },  { "i8", FERRY_I64 },
	{ "f2", FERRY_F16 },	{ "f4", FERRY_F32 },  { "f8", FERRY_F64 },
	{ "c8", FERRY_C64 },	{ "c16", FERRY_C128 },
};

/* Classes of the package ml_dtypes, which name themselves. */
static const struct dtype_name class_names[] = {
	{ "bfloat16", FERRY_BF16 },
	{ "float8_e4m3fn", FERRY_F8_E4M3FN },
	{ "float8_e5m2", FERRY_F8_E5M2 },
	{ "float8_e4m3fnuz", FERRY_F8_E4M3FNUZ },
	{ "float8_e5m2fnuz", FERRY_F8_E5M2FNUZ },
	{ "float8_e8m0fnu", FERRY_F8_E8M0FNU },
};

enum {
	N_DTYPES = sizeof(dtype_names) / sizeof(dtype_names[0]),
	N_CLASSES = sizeof(class_names) / sizeof(class_names[0]),
};

/* The same text as a string of either Python. */
static bool is_text(const struct ferry_value *v, const char *text)
{
	if (v->kind == FERRY_BYTES && v->flags == FERRY_PY2)
		return v->u.s.nbytes == strlen(text) &&
		       !memcmp(v->u.s.data, text, v->u.s.nbytes);
	return ferry_value_is(v, text);
}

/* numpy moved its inner modules from "numpy.core" to "numpy._core". */
static bool is_numpy(const struct ferry_value *v, const char *module,
		     const char *name)
{
	struct ferry_name inner;

	if (v->kind != FERRY_GLOBAL)
		return false;
	inner = (struct ferry_name){ v->u.global.module, v->u.global.name,
				      v->u.global.module_len,
				      v->u.global.name_len };
	if (!strncmp(inner.module, "numpy.core.", 11)) {
		inner.module += 11;
		inner.module_len -= 11;
	} else if (!strncmp(inner.module, "numpy._core.", 12)) {
		inner.module += 12;
		inner.module_len -= 12;
	} else {
		return false;
	}
	return ferry_name_is(inner, module, name);
}

static const struct ferry_object *call(const struct ferry_value *v, uint32_t n)
{
	const struct ferry_object *o;

	if (v->kind != FERRY_OBJECT)
		return NULL;
	o = v->u.object;
	if (o->form != FERRY_FORM_CALL || o->args->kind != FERRY_TUPLE ||
	    o->args->u.list.n != n || o->list || o->dict)
		return NULL;
	return o;
}

static enum ferry_dtype dtype_of_name(const struct ferry_value *name)
{
	for (int i = 0; i < N_DTYPES; i++)
		if (is_text(name, dtype_names[i].name))
			return dtype_names[i].dtype;
	for (int i = 0; i < N_CLASSES; i++)
		if (ferry_value_is_global(name, "ml_dtypes",
					  class_names[i].name))
			return class_names[i].dtype;
	return FERRY_DTYPE_NONE;
}

/* The state of a dtype that is no record, subarray or string. */
static bool parse_dtype_state(const struct ferry_value *state, bool *big_endian)
{
	struct ferry_value **items;

	if (!state)
		return true;
	if (state->kind != FERRY_TUPLE || state->u.list.n < 5)
		return false;
	items = state->u.list.items;
	*big_endian = is_text(items[1], ">");
	return items[2]->kind == FERRY_NONE && items[3]->kind == FERRY_NONE &&
	       items[4]->kind == FERRY_NONE;
}

static bool parse_dtype(const struct ferry_value *v, struct numpy_dtype *out)
{
	const struct ferry_object *o = call(v, 3);

	out->big_endian = false;
	if (!o || o->flags & FERRY_STATES ||
	    !ferry_value_is_global(o->callable, "numpy", "dtype"))
		return false;
	out->dtype = dtype_of_name(o->args->u.list.items[0]);
	return out->dtype && parse_dtype_state(o->state, &out->big_endian);
}

static bool parse_shape(const struct ferry_value *v, struct numpy_array *out)
{
	const struct ferry_value *item;

	if (v->kind != FERRY_TUPLE || v->u.list.n > FERRY_MAX_RANK)
		return false;
	out->ndim = v->u.list.n;
	for (uint32_t i = 0; i < out->ndim; i++) {
		item = v->u.list.items[i];
		if (item->kind != FERRY_INT || item->flags || item->u.i < 0)
			return false;
		out->shape[i] = (uint64_t)item->u.i;
	}
	return true;
}

static uint64_t data_length(const struct ferry_value *v)
{
	return v->flags & FERRY_RANGE ? v->u.range.nbytes : v->u.s.nbytes;
}

/* Strides, and the check of the data's length. */
static bool lay_out(struct numpy_array *a)
{
	uint64_t size = ferry_dtype_size(a->dtype.dtype), total = 1;
	unsigned axis;

	for (unsigned i = 0; i < a->ndim; i++) {
		axis = a->fortran ? i : a->ndim - 1 - i;
		a->strides[axis] = (int64_t)total;
		if (a->shape[axis] &&
		    __builtin_mul_overflow(total, a->shape[axis], &total))
			return false;
		if (total > INT64_MAX / size)
			return false;
	}
	for (unsigned i = 0; i < a->ndim; i++)
		if (!a->shape[i])
			total = 0;
	return a->data->kind == FERRY_BYTES &&
	       data_length(a->data) == total * size;
}

/* A source over the bytes of a value, and where in it they start. */
static int data_source(struct ferry_store *store,
		       const struct ferry_value *data,
		       struct ferry_source **src, uint64_t *offset,
		       struct ferry_error *err)
{
	int ret;

	if (data->flags & FERRY_RANGE) {
		*src = data->u.range.source;
		*offset = data->u.range.offset;
		return 0;
	}
	*offset = 0;
	ret = ferry_source_from_memory(src, data->u.s.data, data->u.s.nbytes,
				       "numpy array", err);
	if (ret)
		return ret;
	ret = ferry_store_take_source(store, *src);
	if (ret) {
		ferry_source_unref(*src);
		return ferry_fail_nomem(err, "a numpy array");
	}
	return 0;
}

/* Replace a range of a source by one with the bytes of elements swapped. */
static int swap(struct ferry_store *store, enum ferry_dtype dtype,
		struct ferry_source **src, uint64_t *offset, uint64_t n,
		struct ferry_error *err)
{
	struct ferry_source *swapped;
	unsigned unit = ferry_dtype_swap_size(dtype);
	int ret;

	if (unit < 2)
		return 0;
	ret = ferry_source_swap_range(&swapped, *src, *offset, n, unit,
				      "numpy array", err);
	if (ret)
		return ret;
	ret = ferry_store_take_source(store, swapped);
	if (ret) {
		ferry_source_unref(swapped);
		return ferry_fail_nomem(err, "a numpy array");
	}
	*src = swapped;
	*offset = 0;
	return 0;
}

static int make_tensor(struct ferry_store *store, const struct numpy_array *a,
		       struct ferry_value *notes, struct ferry_value **out,
		       struct ferry_error *err)
{
	enum ferry_dtype dtype = a->dtype.dtype;
	uint64_t offset, n = data_length(a->data);
	struct ferry_value *tensor = NULL, *extra;
	struct ferry_storage *storage;
	struct ferry_source *src;
	int ret;

	ret = data_source(store, a->data, &src, &offset, err);
	if (!ret && a->dtype.big_endian)
		ret = swap(store, dtype, &src, &offset, n, err);
	if (ret)
		return ret;
	storage = ferry_storage(store, dtype, src, offset, n);
	extra = ferry_dict(store, 1);
	if (storage)
		tensor = ferry_tensor(store, dtype, a->ndim, a->shape,
				      a->strides, 0, storage);
	if (!tensor || !extra ||
	    ferry_dict_set_str(store, extra, "numpy", notes))
		return ferry_fail_nomem(err, "a numpy array");
	tensor->u.tensor->extra = extra;
	*out = tensor;
	return 0;
}

/* A DICT of notes; a value of NULL is a failed allocation. */
static struct ferry_value *take_notes(struct ferry_store *store,
				      const char *const *keys,
				      struct ferry_value *const *values,
				      size_t n)
{
	struct ferry_value *notes = ferry_dict(store, (uint32_t)n);

	for (size_t i = 0; notes && i < n; i++)
		if (!values[i] ||
		    ferry_dict_set_str(store, notes, keys[i], values[i]))
			return NULL;
	return notes;
}

static int reconstruct(struct ferry_store *store, const struct ferry_object *o,
		       struct ferry_value **out, struct ferry_error *err)
{
	static const char *const keys[] = { "rebuild", "args", "version",
					    "dtype", "fortran" };
	const struct ferry_value *state = o->state;
	struct ferry_value **items, *notes;
	struct numpy_array a;

	/* a state or shape used twice is nobody's array */
	if (state->kind != FERRY_TUPLE || state->u.list.n != 5 ||
	    pickle_fetched(state))
		return 0;
	items = state->u.list.items;
	if (items[3]->kind != FERRY_BOOL &&
	    (items[3]->kind != FERRY_INT || items[3]->flags))
		return 0;
	a.fortran = items[3]->kind == FERRY_BOOL ? items[3]->u.b
						 : items[3]->u.i != 0;
	a.data = items[4];
	if (pickle_fetched(items[1]) || !parse_dtype(items[2], &a.dtype) ||
	    !parse_shape(items[1], &a) || !lay_out(&a))
		return 0;
	notes = take_notes(store, keys,
			   (struct ferry_value *[]){ o->callable, o->args,
						     items[0], items[2],
						     items[3] }, 5);
	return notes ? make_tensor(store, &a, notes, out, err)
		     : ferry_fail_nomem(err, "a numpy array");
}

static int from_buffer(struct ferry_store *store, const struct ferry_object *o,
		       struct ferry_value **out, struct ferry_error *err)
{
	static const char *const keys[] = { "rebuild", "dtype", "order",
					    "mutable" };
	struct ferry_value **items = o->args->u.list.items, *notes;
	struct numpy_array a;

	a.data = items[0];
	a.fortran = is_text(items[3], "F");
	if ((!a.fortran && !is_text(items[3], "C")) ||
	    pickle_fetched(o->args) || pickle_fetched(items[2]) ||
	    !parse_dtype(items[1], &a.dtype) || !parse_shape(items[2], &a) ||
	    !lay_out(&a))
		return 0;
	notes = take_notes(store, keys,
			   (struct ferry_value *[]){
				   o->callable, items[1], items[3],
				   ferry_bool(a.data->flags & FERRY_MUTABLE),
			   }, 4);
	return notes ? make_tensor(store, &a, notes, out, err)
		     : ferry_fail_nomem(err, "a numpy array");
}

int pickle_numpy_reduce(void *ctx, struct ferry_store *store,
			struct ferry_value *object, bool built,
			struct ferry_value **out, struct ferry_error *err)
{
	const struct ferry_object *o;

	(void)ctx;
	o = built ? call(object, 3) : call(object, 4);
	if (!o || o->flags)
		return 0;
	if (built && is_numpy(o->callable, "multiarray", "_reconstruct") &&
	    ferry_value_is_global(o->args->u.list.items[0], "numpy", "ndarray"))
		return reconstruct(store, o, out, err);
	if (!built && is_numpy(o->callable, "numeric", "_frombuffer"))
		return from_buffer(store, o, out, err);
	return 0;
}

static struct ferry_value *tuple(struct ferry_store *store,
				 struct ferry_value *const *items, uint32_t n)
{
	struct ferry_value *v = ferry_sequence(store, FERRY_TUPLE, n);

	for (uint32_t i = 0; v && i < n; i++)
		if (!items[i] || ferry_list_add(store, v, items[i]))
			return NULL;
	return v;
}

/* A numpy dtype made from ours, in little-endian; *out stays NULL when numpy
 * has none. */
static int make_dtype(struct ferry_store *store, enum ferry_dtype dtype,
		      struct ferry_value **out, struct ferry_error *err)
{
	struct ferry_value *none = ferry_none(), *least, *args = NULL, *state;
	const char *name = NULL;
	unsigned size = ferry_dtype_size(dtype);

	for (int i = 0; i < N_DTYPES; i++)
		if (dtype_names[i].dtype == dtype)
			name = dtype_names[i].name;
	if (!name)
		return 0;
	least = ferry_int(store, -1);
	args = tuple(store, (struct ferry_value *[]){
			ferry_cstring(store, name), ferry_bool(false),
			ferry_bool(true) }, 3);
	state = tuple(store, (struct ferry_value *[]){
			ferry_int(store, 3),
			ferry_cstring(store, size > 1 ? "<" : "|"),
			none, none, none, least, least,
			ferry_int(store, 0) }, 8);
	if (args && state)
		*out = ferry_object(store, FERRY_FORM_CALL,
				    ferry_global(store, "numpy", 5, "dtype", 5),
				    args, NULL);
	if (!*out || !(*out)->u.object->callable)
		return ferry_fail_nomem(err, "a numpy dtype");
	(*out)->u.object->state = state;
	return 0;
}

/* The dtype to write: the one that was read, unless the tensor has another by
 * now. */
static int choose_dtype(struct ferry_store *store,
			const struct ferry_tensor *t,
			struct ferry_value *noted, struct ferry_value **out,
			bool *big_endian, struct ferry_error *err)
{
	struct numpy_dtype was;
	int ret;

	*big_endian = false;
	if (noted && parse_dtype(noted, &was) && was.dtype == t->dtype) {
		*big_endian = was.big_endian;
		*out = noted;
		return 0;
	}
	*out = NULL;
	ret = make_dtype(store, (enum ferry_dtype)t->dtype, out, err);
	if (!ret && !*out)
		ret = ferry_fail(err, FERRY_UNSUPPORTED, "pickle",
				 FERRY_NO_OFFSET,
				 "a numpy array can't have the dtype %s",
				 ferry_dtype_name((enum ferry_dtype)t->dtype));
	return ret;
}

static bool is_fortran(const struct ferry_tensor *t)
{
	uint64_t stride = 1;

	for (unsigned i = 0; i < t->ndim; i++) {
		if (t->shape[i] > 1 && (uint64_t)t->strides[i] != stride)
			return false;
		stride *= t->shape[i];
	}
	return t->ndim > 1;
}

/* The elements as BYTES, in C order or, transposed, in Fortran's. */
static int make_data(struct ferry_store *store, const struct ferry_value *value,
		     bool fortran, bool big_endian, unsigned flags,
		     struct ferry_value **out, struct ferry_error *err)
{
	const struct ferry_tensor *t = value->u.tensor;
	unsigned axes[FERRY_MAX_RANK];
	struct ferry_value *view = (struct ferry_value *)value;
	struct ferry_source *src;
	uint64_t offset, n = ferry_tensor_nbytes(t);
	int ret = 0;

	for (unsigned i = 0; i < t->ndim; i++)
		axes[i] = t->ndim - 1 - i;
	if (fortran)
		ret = ferry_op_permute(store, view, axes, &view, err);
	if (!ret)
		ret = ferry_tensor_source(store, view->u.tensor, &src, &offset,
					  err);
	if (!ret && big_endian)
		ret = swap(store, (enum ferry_dtype)t->dtype, &src, &offset, n,
			   err);
	if (ret)
		return ret;
	*out = ferry_bytes_range(store, src, offset, n, flags);
	return *out ? 0 : ferry_fail_nomem(err, "a numpy array");
}

static struct ferry_value *make_shape(struct ferry_store *store,
				      const struct ferry_tensor *t)
{
	struct ferry_value *dims[FERRY_MAX_RANK];

	for (unsigned i = 0; i < t->ndim; i++)
		dims[i] = ferry_uint(store, t->shape[i]);
	return tuple(store, dims, t->ndim);
}

static struct ferry_value *
write_reconstruct(struct ferry_store *store, const struct ferry_value *notes,
		  struct ferry_value *shape, struct ferry_value *dtype,
		  bool fortran, struct ferry_value *data)
{
	struct ferry_value *args = ferry_dict_get(notes, "args");
	struct ferry_value *version = ferry_dict_get(notes, "version");
	struct ferry_value *object = NULL, *state;

	state = tuple(store, (struct ferry_value *[]){ version, shape, dtype,
						       ferry_bool(fortran),
						       data }, 5);
	if (args && state)
		object = ferry_object(store, FERRY_FORM_CALL,
				      ferry_dict_get(notes, "rebuild"), args,
				      NULL);
	if (object)
		object->u.object->state = state;
	return object;
}

static struct ferry_value *
write_from_buffer(struct ferry_store *store, const struct ferry_value *notes,
		  struct ferry_value *shape, struct ferry_value *dtype,
		  bool fortran, struct ferry_value *data)
{
	struct ferry_value *args;

	args = tuple(store, (struct ferry_value *[]){
			data, dtype, shape,
			ferry_cstring(store, fortran ? "F" : "C") }, 4);
	return args ? ferry_object(store, FERRY_FORM_CALL,
				   ferry_dict_get(notes, "rebuild"), args, NULL)
		    : NULL;
}

static bool noted_true(const struct ferry_value *notes, const char *key)
{
	struct ferry_value *v = ferry_dict_get(notes, key);

	return v && ((v->kind == FERRY_BOOL && v->u.b) ||
		     (v->kind == FERRY_INT && v->u.i) ||
		     is_text(v, "F"));
}

static int write_back(struct ferry_store *store, struct ferry_value *value,
		      const struct ferry_value *notes, struct ferry_value **out,
		      struct ferry_error *err)
{
	struct ferry_tensor *t = value->u.tensor;
	bool whole = ferry_dict_get(notes, "args"), fortran, big_endian;
	struct ferry_value *dtype, *data, *object, *shape;
	unsigned flags = noted_true(notes, "mutable") ? FERRY_MUTABLE : 0;
	int ret;

	fortran = noted_true(notes, whole ? "fortran" : "order") &&
		  is_fortran(t);
	ret = choose_dtype(store, t, ferry_dict_get(notes, "dtype"), &dtype,
			   &big_endian, err);
	if (!ret)
		ret = make_data(store, value, fortran, big_endian, flags, &data,
				err);
	if (ret)
		return ret;
	shape = make_shape(store, t);
	object = !shape ? NULL :
		 whole	? write_reconstruct(store, notes, shape, dtype,
					    fortran, data) :
			  write_from_buffer(store, notes, shape, dtype,
					    fortran, data);
	if (!object)
		return ferry_fail_nomem(err, "a numpy array");
	*out = object;
	return 0;
}

int pickle_numpy_replace(struct ferry_store *store, struct ferry_value *value,
			 struct ferry_value **out, struct ferry_error *err)
{
	struct ferry_value *notes;

	if (value->kind != FERRY_TENSOR || !value->u.tensor->extra)
		return 0;
	notes = ferry_dict_get(value->u.tensor->extra, "numpy");
	if (!notes || notes->kind != FERRY_DICT ||
	    !ferry_dict_get(notes, "rebuild"))
		return 0;
	return write_back(store, value, notes, out, err);
}
