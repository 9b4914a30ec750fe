/* How a tensor becomes an array. */
#include "config.h"

#include "formats/numpy/array.h"

#include <stdio.h>
#include <string.h>

#include <ferry/sys/ops.h>

/* The dtype as numpy had it, where the tensor still is what that says. */
static bool special_descr(const struct ferry_tensor *t, struct element *e)
{
	static const struct numpy_read_options raw = { .v2_raw = true,
						       .v1_raw = true };
	const struct ferry_value *numpy, *descr;

	numpy = t->extra ? ferry_dict_get(t->extra, "numpy") : NULL;
	if (!numpy || numpy->kind != FERRY_DICT)
		return false;
	descr = ferry_dict_get(numpy, "descr");
	if (!descr || element_parse(descr, &raw, e, NULL) || !e->special ||
	    e->dtype != t->dtype)
		return false;
	return !e->tail || (t->ndim && t->shape[t->ndim - 1] == e->per);
}

/* Reading the array makes this very extra. */
static bool is_whole_extra(const struct ferry_tensor *t,
			   const struct element *e)
{
	const struct ferry_value *numpy;

	if (t->extra->u.dict.n != 1)
		return false;
	numpy = ferry_dict_get(t->extra, "numpy");
	return numpy->u.dict.n == 1 &&
	       ferry_value_is(ferry_dict_get(numpy, "descr"), e->descr);
}

static void set_descr(struct npy_encoded *a, const char *descr)
{
	snprintf(a->descr, sizeof(a->descr), "%s", descr);
}

static void set_shape(struct npy_encoded *a, const struct ferry_tensor *t,
		      unsigned ndim)
{
	a->ndim = ndim;
	memcpy(a->shape, t->shape, ndim * sizeof(*a->shape));
}

/* dtypes numpy has no name for: integers of their size, or plain bytes. */
static void encode_bytes(const struct ferry_tensor *t, struct npy_encoded *a)
{
	unsigned size = ferry_dtype_size(t->dtype);

	set_shape(a, t, t->ndim);
	if (t->dtype == FERRY_C32 && t->ndim < FERRY_MAX_RANK) {
		set_descr(a, "<f2");
		a->shape[a->ndim++] = 2;
	} else if (t->dtype == FERRY_QI8) {
		set_descr(a, "|i1");
	} else if (size == 1 || size == 2 || size == 4) {
		set_descr(a, size == 1 ? "|u1" : size == 2 ? "<u2" : "<i4");
	} else {
		set_descr(a, "|u1");
		a->ndim = 1;
		a->shape[0] = ferry_tensor_nbytes(t);
	}
}

/* Dense in Fortran order (and not in C order); the last `tail` dimensions are
 * inside numpy's elements. */
static bool is_fortran(const struct ferry_tensor *t, unsigned tail)
{
	uint64_t want = 1;

	if (ferry_tensor_is_contiguous(t) || !ferry_tensor_nelem(t))
		return false;
	for (unsigned i = 0; i < tail; i++) {
		unsigned k = t->ndim - 1 - i;

		if (t->shape[k] != 1 && (uint64_t)t->strides[k] != want)
			return false;
		want *= t->shape[k];
	}
	for (unsigned i = 0; i < t->ndim - tail; i++) {
		if (t->shape[i] != 1 && (uint64_t)t->strides[i] != want)
			return false;
		want *= t->shape[i];
	}
	return true;
}

int npy_encode(const struct ferry_tensor *t,
	       const struct numpy_write_options *options,
	       struct npy_encoded *out, struct ferry_error *err)
{
	struct npy_encoded a = { .natural = true };
	struct element e;
	const char *descr;

	if (t->flags & FERRY_META)
		return ferry_fail(err, FERRY_UNSUPPORTED, "npy",
				  FERRY_NO_OFFSET, "a meta tensor has no data "
				  "to write; drop it or materialise it first");
	set_shape(&a, t, t->ndim);
	if (t->extra && special_descr(t, &e)) {
		set_descr(&a, e.descr);
		a.ndim -= e.tail;
		a.natural = strcmp(e.descr, "|V1") && strcmp(e.descr, "|V2");
		a.exact = a.natural && is_whole_extra(t, &e);
		a.fortran = is_fortran(t, e.tail);
	} else if (t->dtype == FERRY_BF16 && options->bf16_as_f32) {
		set_descr(&a, "<f4");
		a.cast = true;
		a.exact = !t->extra;
	} else if ((descr = element_descr(t->dtype))) {
		set_descr(&a, descr);
		a.natural = strcmp(descr, "|V1");
		a.exact = a.natural && !t->extra;
		a.fortran = is_fortran(t, 0);
	} else {
		encode_bytes(t, &a);
		a.natural = false;
	}
	*out = a;
	return 0;
}

static int reversed(struct ferry_store *store, struct ferry_value *tensor,
		    unsigned lead, struct ferry_value **out,
		    struct ferry_error *err)
{
	unsigned axes[FERRY_MAX_RANK];

	for (unsigned i = 0; i < tensor->u.tensor->ndim; i++)
		axes[i] = i < lead ? lead - 1 - i : i;
	return ferry_op_permute(store, tensor, axes, out, err);
}

int npy_encoded_source(struct ferry_store *store, struct ferry_value *tensor,
		       const struct npy_encoded *encoded,
		       struct ferry_source **src, uint64_t *offset,
		       uint64_t *nbytes, struct ferry_error *err)
{
	int rc = 0;

	if (encoded->cast)
		rc = ferry_op_cast(store, tensor, FERRY_F32, &tensor, err);
	else if (encoded->fortran)
		rc = reversed(store, tensor, encoded->ndim, &tensor, err);
	if (!rc)
		rc = ferry_tensor_source(store, tensor->u.tensor, src, offset,
					 err);
	if (!rc)
		*nbytes = ferry_tensor_nbytes(tensor->u.tensor);
	return rc;
}
