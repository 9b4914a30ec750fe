/* Views and dense copies: the same elements under another shape. */
#include "config.h"

#include "core/model/ops.h"

#include <inttypes.h>
#include <string.h>

#include <ferry/sys/ckd.h>

#define RESOLVE (FERRY_CONJ | FERRY_NEG)

int ops_check(const struct ferry_value *v, const char *what,
	      struct ferry_error *err)
{
	if (v && v->kind == FERRY_TENSOR)
		return 0;
	return ferry_fail(err, FERRY_MISUSE, "", FERRY_NO_OFFSET,
			  "%s needs a tensor, but is given kind %s", what,
			  v ? ferry_kind_name(v->kind) : "NULL");
}

/* Axes of quantisation scales are in `extra`, whose words core does not
 * know. */
static int check_view(const struct ferry_value *v, const char *what,
		      struct ferry_error *err)
{
	int code = ops_check(v, what, err);

	if (code || !ferry_dtype_is_quantized(v->u.tensor->dtype) ||
	    !v->u.tensor->extra)
		return code;
	return ferry_fail(err, FERRY_UNSUPPORTED, "", FERRY_NO_OFFSET,
			  "%s of a quantised tensor would part its data from "
			  "its scales; dequantise it first", what);
}

static int fail_dim(const char *what, unsigned dim, unsigned ndim,
		    struct ferry_error *err)
{
	return ferry_fail(err, FERRY_MISUSE, "", FERRY_NO_OFFSET,
			  "%s: dimension %u is given for a tensor of rank %u",
			  what, dim, ndim);
}

static int fail_packed(const char *what, enum ferry_dtype dtype,
		       struct ferry_error *err)
{
	return ferry_fail(err, FERRY_UNSUPPORTED, "", FERRY_NO_OFFSET,
			  "%s: elements of packed dtype %s can't be moved one "
			  "by one", what, ferry_dtype_name(dtype));
}

static int view(struct ferry_store *s, const struct ferry_tensor *t,
		unsigned ndim, const uint64_t *shape, const int64_t *strides,
		uint64_t offset, struct ferry_value **out,
		struct ferry_error *err)
{
	struct ferry_value *v = ferry_tensor(s, t->dtype, ndim, shape, strides,
					     offset, t->storage);

	if (!v)
		return ferry_fail_nomem(err, "a tensor");
	v->u.tensor->flags = t->flags;
	v->u.tensor->extra = t->extra;
	*out = v;
	return 0;
}

int ops_meta(struct ferry_store *s, const struct ferry_tensor *like,
	     enum ferry_dtype dtype, unsigned ndim, const uint64_t *shape,
	     struct ferry_value **out, struct ferry_error *err)
{
	struct ferry_value *v = ferry_tensor(s, dtype, ndim, shape, NULL, 0,
					     NULL);

	if (!v)
		return ferry_fail_nomem(err, "a tensor");
	v->u.tensor->flags = FERRY_META;
	if (ferry_dtype_is_float(dtype) || ferry_dtype_is_complex(dtype))
		v->u.tensor->flags |= like->flags & FERRY_REQUIRES_GRAD;
	*out = v;
	return 0;
}

int ops_dense(struct ferry_store *s, const struct ferry_tensor *like,
	      enum ferry_dtype dtype, unsigned ndim, const uint64_t *shape,
	      struct ferry_source *src, struct ferry_value **out,
	      struct ferry_error *err)
{
	struct ferry_storage *st;
	struct ferry_value *v;
	uint64_t nbytes = src->nbytes;

	if (ferry_store_take_source(s, src)) {
		ferry_source_unref(src);
		return ferry_fail_nomem(err, "a tensor");
	}
	st = ferry_storage(s, dtype, src, 0, nbytes);
	v = st ? ferry_tensor(s, dtype, ndim, shape, NULL, 0, st) : NULL;
	if (!v)
		return ferry_fail_nomem(err, "a tensor");
	if (ferry_dtype_is_float(dtype) || ferry_dtype_is_complex(dtype))
		v->u.tensor->flags = like->flags & FERRY_REQUIRES_GRAD;
	*out = v;
	return 0;
}

int ferry_op_permute(struct ferry_store *s, struct ferry_value *t,
		     const unsigned *axes, struct ferry_value **out,
		     struct ferry_error *err)
{
	uint64_t shape[FERRY_MAX_RANK], seen = 0;
	int64_t strides[FERRY_MAX_RANK];
	const struct ferry_tensor *in;
	unsigned i;
	int code = check_view(t, "permute", err);

	if (code)
		return code;
	in = t->u.tensor;
	for (i = 0; i < in->ndim; i++) {
		if (axes[i] >= in->ndim)
			return fail_dim("permute", axes[i], in->ndim, err);
		if (seen & UINT64_C(1) << axes[i])
			return ferry_fail(err, FERRY_MISUSE, "",
					  FERRY_NO_OFFSET, "permute: dimension "
					  "%u is given twice", axes[i]);
		seen |= UINT64_C(1) << axes[i];
		shape[i] = in->shape[axes[i]];
		strides[i] = in->strides[axes[i]];
	}
	return view(s, in, in->ndim, shape, strides, in->offset, out, err);
}

int ferry_op_transpose(struct ferry_store *s, struct ferry_value *t,
		       unsigned a, unsigned b, struct ferry_value **out,
		       struct ferry_error *err)
{
	unsigned axes[FERRY_MAX_RANK];
	unsigned i, ndim;
	int code = ops_check(t, "transpose", err);

	if (code)
		return code;
	ndim = t->u.tensor->ndim;
	if (a >= ndim || b >= ndim)
		return fail_dim("transpose", a >= ndim ? a : b, ndim, err);
	for (i = 0; i < ndim; i++)
		axes[i] = i;
	axes[a] = b;
	axes[b] = a;
	return ferry_op_permute(s, t, axes, out, err);
}

int ferry_op_slice(struct ferry_store *s, struct ferry_value *t, unsigned dim,
		   uint64_t start, uint64_t stop, uint64_t step,
		   struct ferry_value **out, struct ferry_error *err)
{
	uint64_t shape[FERRY_MAX_RANK], stride, offset;
	int64_t strides[FERRY_MAX_RANK];
	const struct ferry_tensor *in;
	int code = check_view(t, "slice", err);

	if (code)
		return code;
	in = t->u.tensor;
	if (dim >= in->ndim)
		return fail_dim("slice", dim, in->ndim, err);
	if (start > stop || stop > in->shape[dim] || !step)
		return ferry_fail(err, FERRY_MISUSE, "", FERRY_NO_OFFSET,
				  "slice: %" PRIu64 " to %" PRIu64 " by %"
				  PRIu64 " is outside of dimension %u, which "
				  "has %" PRIu64, start, stop, step, dim,
				  in->shape[dim]);
	memcpy(shape, in->shape, in->ndim * sizeof(shape[0]));
	memcpy(strides, in->strides, in->ndim * sizeof(strides[0]));
	shape[dim] = (stop - start) / step + ((stop - start) % step != 0);
	offset = in->offset;
	if (ferry_tensor_nelem(in) && shape[dim])
		offset += start * (uint64_t)in->strides[dim];
	/* A step beyond the end is never taken. */
	if (shape[dim] > 1) {
		if (ferry_ckd_mul(&stride, (uint64_t)strides[dim], step) ||
		    stride > INT64_MAX)
			return ferry_fail(err, FERRY_LIMIT, "", FERRY_NO_OFFSET,
					  "slice: stride overflows 63 bits");
		strides[dim] = (int64_t)stride;
	}
	return view(s, in, in->ndim, shape, strides, offset, out, err);
}

/*
 * Strides of the new shape over the old elements, if there are any: every group
 * of old dimensions that is one run must hold a group of new ones exactly.
 */
static bool view_strides(const struct ferry_tensor *t, unsigned ndim,
			 const uint64_t *shape, int64_t *strides)
{
	uint64_t base, held, used;
	unsigned i = t->ndim, k = ndim;

	while (i) {
		held = t->shape[--i];
		base = (uint64_t)t->strides[i];
		while (i && (t->shape[i - 1] == 1 || held == 1 ||
			     (uint64_t)t->strides[i - 1] == held * base)) {
			if (held == 1)
				base = (uint64_t)t->strides[i - 1];
			held *= t->shape[--i];
		}
		used = 1;
		while (k && (used < held || shape[k - 1] == 1)) {
			strides[--k] = (int64_t)(used * base);
			used *= shape[k];
		}
		if (used != held)
			return false;
	}
	while (k && shape[k - 1] == 1)
		strides[--k] = 1;
	return !k;
}

static int check_reshape(const struct ferry_tensor *t, unsigned ndim,
			 const uint64_t *shape, struct ferry_error *err)
{
	uint64_t n = 1;
	bool empty = false, over = false;
	unsigned i;

	if (ndim > FERRY_MAX_RANK)
		return ferry_fail(err, FERRY_LIMIT, "", FERRY_NO_OFFSET,
				  "reshape: rank of %u is above the limit of "
				  "%d", ndim, FERRY_MAX_RANK);
	for (i = 0; i < ndim; i++) {
		empty = empty || !shape[i];
		over = ferry_ckd_mul(&n, n, shape[i]) || over;
	}
	if (empty ? !ferry_tensor_nelem(t) :
	    !over && n == ferry_tensor_nelem(t))
		return 0;
	return ferry_fail(err, FERRY_MISUSE, "", FERRY_NO_OFFSET,
			  "reshape: the tensor has %" PRIu64 " elements, the "
			  "new shape has %s%" PRIu64, ferry_tensor_nelem(t),
			  over && !empty ? "more than " : "",
			  empty ? 0 : over ? UINT64_MAX : n);
}

int ferry_op_reshape(struct ferry_store *s, struct ferry_value *t,
		     unsigned ndim, const uint64_t *shape,
		     struct ferry_value **out, struct ferry_error *err)
{
	int64_t strides[FERRY_MAX_RANK];
	struct ferry_value *dense;
	int code = check_view(t, "reshape", err);

	if (!code)
		code = check_reshape(t->u.tensor, ndim, shape, err);
	if (code)
		return code;
	if (ferry_tensor_is_contiguous(t->u.tensor))
		return view(s, t->u.tensor, ndim, shape, NULL,
			    t->u.tensor->offset, out, err);
	if (view_strides(t->u.tensor, ndim, shape, strides))
		return view(s, t->u.tensor, ndim, shape, strides,
			    t->u.tensor->offset, out, err);
	code = ferry_op_contiguous(s, t, &dense, err);
	if (code)
		return code;
	return view(s, dense->u.tensor, ndim, shape, NULL,
		    dense->u.tensor->offset, out, err);
}

int ferry_op_contiguous(struct ferry_store *s, struct ferry_value *t,
			struct ferry_value **out, struct ferry_error *err)
{
	const struct ferry_tensor *in;
	struct ferry_storage *st;
	struct ferry_source *src;
	struct ferry_value *v;
	uint64_t offset;
	int code = ops_check(t, "contiguous", err);

	if (code)
		return code;
	in = t->u.tensor;
	if (ferry_tensor_is_contiguous(in) && !(in->flags & RESOLVE)) {
		*out = t;
		return 0;
	}
	if (!ferry_dtype_size(in->dtype))
		return fail_packed("contiguous", in->dtype, err);
	if (in->flags & FERRY_META) {
		code = ops_meta(s, in, in->dtype, in->ndim, in->shape, out,
				err);
		if (!code)
			(*out)->u.tensor->extra = in->extra;
		return code;
	}
	code = ferry_tensor_source(s, in, &src, &offset, err);
	if (code)
		return code;
	st = ferry_storage(s, in->dtype, src, offset, ferry_tensor_nbytes(in));
	v = st ? ferry_tensor(s, in->dtype, in->ndim, in->shape, NULL, 0, st) :
		 NULL;
	if (!v)
		return ferry_fail_nomem(err, "a tensor");
	v->u.tensor->flags = in->flags & (uint8_t)~RESOLVE;
	v->u.tensor->extra = in->extra;
	*out = v;
	return 0;
}
