/* The mean of tensors, lazily. */
#include "config.h"

#include "core/model/mean.h"

#include <string.h>

#include <ferry/sys/alloc.h>

#include "core/model/gather_box.h"
#include "core/model/ops.h"

/* Of each input at a time: the sum should stay in the second-level cache. */
#define STEP_NBYTES ((size_t)128 << 10)

struct mean_part {
	struct ferry_source *source;
	uint64_t offset;		/* of its data in source */
};

struct mean_source {
	struct ferry_source base;
	struct mean mean;
	size_t chunk, step;		/* bytes */
	size_t n;
	struct mean_part parts[];
};

static int add_part(const struct mean_source *m, const struct mean_part *p,
		    uint64_t at, void *acc, size_t nelem, void *held,
		    struct ferry_error *err)
{
	size_t nbytes = nelem * m->mean.nbytes;
	const void *in = ferry_source_memory(p->source, p->offset + at,
					     nbytes);
	int code;

	if (!in) {
		code = ferry_source_read(p->source, held, p->offset + at,
					 nbytes, err);
		if (code)
			return code;
		in = held;
	}
	m->mean.add(&m->mean, acc, in, nelem);
	return 0;
}

static int mean_elements(void *ctx, void *buf, uint64_t first, uint64_t n,
			 struct ferry_error *err)
{
	const struct mean_source *m = ctx;
	uint64_t step = m->step / m->mean.nbytes, at;
	unsigned char *to = buf;
	void *held = ferry_alloc(m->step);
	size_t i;
	int code = 0;

	if (!held)
		return ferry_fail_nomem(err, "a buffer for a mean");
	for (; n && !code; n -= step) {
		if (step > n)
			step = n;
		at = first * m->mean.nbytes;
		code = ferry_source_read(m->parts[0].source, to,
					 m->parts[0].offset + at,
					 step * m->mean.nbytes, err);
		for (i = 1; !code && i < m->n; i++)
			code = add_part(m, &m->parts[i], at, to, step, held,
					err);
		if (!code)
			m->mean.divide(&m->mean, to, step);
		first += step;
		to += step * m->mean.nbytes;
	}
	ferry_alloc_free(held);
	return code;
}

static int mean_read(struct ferry_source *src, void *buf, uint64_t offset,
		     size_t n, struct ferry_error *err)
{
	struct mean_source *m = (struct mean_source *)src;

	return box_read_bytes(mean_elements, m, m->mean.nbytes, buf, offset, n,
			      err);
}

static size_t mean_chunk(struct ferry_source *src)
{
	return ((struct mean_source *)src)->chunk;
}

static void mean_free(struct ferry_source *src)
{
	struct mean_source *m = (struct mean_source *)src;
	size_t i;

	for (i = 0; i < m->n; i++)
		ferry_source_unref(m->parts[i].source);
	ferry_alloc_free(m);
}

static const struct ferry_source_ops mean_ops = {
	.read = mean_read,
	.chunk = mean_chunk,
	.free = mean_free,
};

static int fail_fit(size_t i, const char *what, struct ferry_error *err)
{
	return ferry_fail(err, FERRY_MISUSE, "", FERRY_NO_OFFSET,
			  "mean: tensor %zu differs from tensor 0 in %s", i,
			  what);
}

static int check_parts(struct ferry_value *const *tensors, size_t n,
		       struct ferry_error *err)
{
	const struct ferry_tensor *a, *b;
	size_t i;
	int code;

	for (i = 0; i < n; i++) {
		code = ops_check(tensors[i], "mean", err);
		if (code)
			return code;
		a = tensors[0]->u.tensor;
		b = tensors[i]->u.tensor;
		if (a->dtype != b->dtype)
			return fail_fit(i, "dtype", err);
		if (a->ndim != b->ndim ||
		    memcmp(a->shape, b->shape, a->ndim * sizeof(a->shape[0])))
			return fail_fit(i, "shape", err);
		if ((a->flags ^ b->flags) & FERRY_META)
			return fail_fit(i, "being on the meta device", err);
	}
	return 0;
}

static int add_source(struct mean_source *m, struct ferry_store *s,
		      const struct ferry_tensor *t, struct ferry_error *err)
{
	struct mean_part *p = &m->parts[m->n];
	size_t chunk;
	int code = ferry_tensor_source(s, t, &p->source, &p->offset, err);

	if (code)
		return code;
	ferry_source_ref(p->source);
	m->base.reads += ferry_source_reads(p->source, m->base.nbytes);
	m->n++;
	chunk = ferry_source_chunk(p->source);
	if (chunk > m->chunk)
		m->chunk = chunk;
	if (chunk != FERRY_CHUNK_FORWARDS && chunk > m->step)
		m->step = chunk;
	return 0;
}

static int mean_new(struct mean_source **out, struct ferry_store *s,
		    struct ferry_value *const *tensors, size_t n,
		    const struct mean *mean, struct ferry_error *err)
{
	struct mean_source *m = NULL;
	size_t i;
	int code;

	if (n <= (SIZE_MAX - sizeof(*m)) / sizeof(m->parts[0]))
		m = ferry_alloc(sizeof(*m) + n * sizeof(m->parts[0]));
	if (!m)
		return ferry_fail_nomem(err, "a mean");
	code = ferry_source_init(&m->base, &mean_ops,
				 ferry_tensor_nbytes(tensors[0]->u.tensor),
				 "mean", err);
	if (code) {
		ferry_alloc_free(m);
		return code;
	}
	m->mean = *mean;
	m->n = 0;
	m->chunk = 0;
	m->step = STEP_NBYTES;
	for (i = 0; !code && i < n; i++)
		code = add_source(m, s, tensors[i]->u.tensor, err);
	m->step -= m->step % mean->nbytes;
	if (code)
		ferry_source_unref(&m->base);
	else
		*out = m;
	return code;
}

int ferry_op_mean(struct ferry_store *s, struct ferry_value *const *tensors,
		  size_t n, uint64_t divisor, struct ferry_value **out,
		  struct ferry_error *err)
{
	const struct ferry_tensor *first;
	struct mean_source *m = NULL;
	struct mean mean;
	int code;

	if (!n)
		return ferry_fail(err, FERRY_MISUSE, "", FERRY_NO_OFFSET,
				  "mean: no tensor is given");
	code = check_parts(tensors, n, err);
	if (code)
		return code;
	first = tensors[0]->u.tensor;
	if (!mean_init(&mean, first->dtype, divisor ? divisor : n))
		return ferry_fail(err, FERRY_UNSUPPORTED, "", FERRY_NO_OFFSET,
				  "mean: tensors of %s can't be added and "
				  "divided; cast them to a floating dtype of 16 "
				  "bits or more first",
				  ferry_dtype_name(first->dtype));
	if (ferry_tensor_nelem(first) > INT64_MAX / mean.nbytes)
		return ferry_fail(err, FERRY_LIMIT, "", FERRY_NO_OFFSET,
				  "mean: size of the result overflows 63 bits");
	if (first->flags & FERRY_META)
		return ops_meta(s, first, first->dtype, first->ndim,
				first->shape, out, err);
	code = mean_new(&m, s, tensors, n, &mean, err);
	if (code)
		return code;
	return ops_dense(s, first, first->dtype, first->ndim, first->shape,
			 &m->base, out, err);
}
