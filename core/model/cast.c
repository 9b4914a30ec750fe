/* Casting, lazily: a source that converts as it is read. */
#include "config.h"

#include "core/model/cast.h"

#include <ferry/sys/alloc.h>

#include "core/model/gather_box.h"
#include "core/model/ops.h"

/* Input converted at a time; it should stay in the second-level cache. */
#define STEP_NBYTES ((size_t)128 << 10)

/* From here on it counts in which order a tensor is read. */
#define OTHERWISE_NBYTES ((uint64_t)64 << 10)

struct cast_source {
	struct ferry_source base;
	struct ferry_source *parent;
	uint64_t offset;		/* of the input in parent */
	struct cast cast;
};

static int cast_elements(void *ctx, void *buf, uint64_t first, uint64_t n,
			 struct ferry_error *err)
{
	struct cast_source *c = ctx;
	unsigned in_size = c->cast.in_nbytes;
	uint64_t step = STEP_NBYTES / in_size;
	uint64_t at = c->offset + first * in_size;
	unsigned char *to = buf, *held = NULL;
	const void *in;
	size_t chunk = ferry_source_chunk(c->parent);
	int code = 0;

	if (chunk != FERRY_CHUNK_FORWARDS && chunk / in_size > step)
		step = chunk / in_size;
	if (step > n)
		step = n;
	while (n && !code) {
		if (step > n)
			step = n;
		in = ferry_source_memory(c->parent, at, step * in_size);
		if (!in && !held) {
			held = ferry_alloc(step * in_size);
			if (!held)
				return ferry_fail_nomem(err, "a cast buffer");
		}
		if (!in)
			code = ferry_source_read(c->parent, held, at,
						 step * in_size, err);
		if (!code)
			cast_run(&c->cast, in ? in : held, to, step);
		at += step * in_size;
		to += step * c->cast.out_nbytes;
		n -= step;
	}
	ferry_alloc_free(held);
	return code;
}

static int cast_read(struct ferry_source *src, void *buf, uint64_t offset,
		     size_t n, struct ferry_error *err)
{
	struct cast_source *c = (struct cast_source *)src;

	return box_read_bytes(cast_elements, c, c->cast.out_nbytes, buf,
			      offset, n, err);
}

static size_t cast_chunk(struct ferry_source *src)
{
	struct cast_source *c = (struct cast_source *)src;
	size_t chunk = ferry_source_chunk(c->parent);

	if (chunk == FERRY_CHUNK_FORWARDS)
		return chunk;
	return chunk / c->cast.in_nbytes * c->cast.out_nbytes;
}

static void cast_free(struct ferry_source *src)
{
	ferry_source_unref(((struct cast_source *)src)->parent);
	ferry_alloc_free(src);
}

static const struct ferry_source_ops cast_ops = {
	.read = cast_read,
	.chunk = cast_chunk,
	.free = cast_free,
};

static int cast_new(struct ferry_source **out, struct ferry_source *parent,
		    uint64_t offset, uint64_t nelem, const struct cast *cast,
		    struct ferry_error *err)
{
	struct cast_source *c = ferry_alloc(sizeof(*c));
	int code;

	if (!c)
		return ferry_fail_nomem(err, "a cast");
	code = ferry_source_init(&c->base, &cast_ops, nelem * cast->out_nbytes,
				 parent->name, err);
	if (code) {
		ferry_alloc_free(c);
		return code;
	}
	c->parent = ferry_source_ref(parent);
	c->base.reads = ferry_source_reads(parent, nelem * cast->in_nbytes);
	c->offset = offset;
	c->cast = *cast;
	*out = &c->base;
	return 0;
}

/*
 * The order in which t lies below, which a cast had better read it in, and the
 * way back; false when it is t's own.
 */
static bool lies_otherwise(const struct ferry_tensor *t, unsigned *order,
			   unsigned *back)
{
	bool otherwise = false;
	unsigned i, j;

	for (i = 0; i < t->ndim; i++) {
		if (!t->strides[i])
			return false;
		for (j = i; j && t->strides[order[j - 1]] < t->strides[i]; j--)
			order[j] = order[j - 1];
		order[j] = i;
		otherwise = otherwise || j < i;
	}
	for (i = 0; i < t->ndim; i++)
		back[order[i]] = i;
	return otherwise && ferry_tensor_nbytes(t) >= OTHERWISE_NBYTES;
}

/* Moved when it is cast, not before: then it can be read in blocks. */
static int cast_below(struct ferry_store *s, struct ferry_value *t,
		      enum ferry_dtype dtype, const unsigned *order,
		      const unsigned *back, struct ferry_value **out,
		      struct ferry_error *err)
{
	struct ferry_value *v;
	int code = ferry_op_permute(s, t, order, &v, err);

	if (!code)
		code = ferry_op_cast(s, v, dtype, &v, err);
	if (!code)
		code = ferry_op_permute(s, v, back, &v, err);
	return code ? code : ferry_op_contiguous(s, v, out, err);
}

int ferry_op_cast(struct ferry_store *s, struct ferry_value *t,
		  enum ferry_dtype dtype, struct ferry_value **out,
		  struct ferry_error *err)
{
	unsigned order[FERRY_MAX_RANK], back[FERRY_MAX_RANK];
	const struct ferry_tensor *in;
	struct ferry_source *src;
	struct cast cast;
	uint64_t offset;
	int code = ops_check(t, "cast", err);

	if (code)
		return code;
	in = t->u.tensor;
	if (in->dtype == dtype) {
		*out = t;
		return 0;
	}
	if (!cast_init(&cast, in->dtype, dtype))
		return ferry_fail(err, FERRY_UNSUPPORTED, "", FERRY_NO_OFFSET,
				  "cast: %s can't be converted to %s",
				  ferry_dtype_name(in->dtype),
				  ferry_dtype_name(dtype));
	if (ferry_tensor_nelem(in) > INT64_MAX / cast.out_nbytes)
		return ferry_fail(err, FERRY_LIMIT, "", FERRY_NO_OFFSET,
				  "cast: size of the result overflows 63 bits");
	if (in->flags & FERRY_META)
		return ops_meta(s, in, dtype, in->ndim, in->shape, out, err);
	if (lies_otherwise(in, order, back))
		return cast_below(s, t, dtype, order, back, out, err);
	code = ferry_tensor_source(s, in, &src, &offset, err);
	if (!code)
		code = cast_new(&src, src, offset, ferry_tensor_nelem(in),
				&cast, err);
	if (code)
		return code;
	return ops_dense(s, in, dtype, in->ndim, in->shape, src, out, err);
}
