/* Concatenation, lazily. */
#include "config.h"

#include <inttypes.h>
#include <string.h>

#include <ferry/sys/alloc.h>
#include <ferry/sys/ckd.h>

#include "core/model/gather_box.h"
#include "core/model/ops.h"

struct concat_part {
	struct ferry_source *source;
	uint64_t offset;		/* of its data in source */
	uint64_t run;			/* bytes it gives to each row */
	uint64_t start;			/* of these in a row */
};

/* Rows (all dimensions before the joined one) of one run from every part. */
struct concat {
	struct ferry_source base;
	unsigned esize;
	uint64_t rows, row;		/* number, bytes of one */
	size_t n;
	struct concat_part parts[];
};

static size_t part_at(const struct concat *c, uint64_t at)
{
	size_t low = 0, high = c->n, middle;

	while (high - low > 1) {
		middle = low + (high - low) / 2;
		if (c->parts[middle].start <= at)
			low = middle;
		else
			high = middle;
	}
	return low;
}

static int read_rows(const struct concat *c, unsigned char *to, uint64_t first,
		     uint64_t n, struct ferry_error *err)
{
	struct box b = { .ndim = 2, .esize = c->esize };
	size_t i;
	int code = 0;

	for (i = 0; !code && i < c->n; i++) {
		const struct concat_part *p = &c->parts[i];
		uint64_t run = p->run / c->esize;

		b.axis[0] = (struct box_axis){ n, run, c->row / c->esize };
		b.axis[1] = (struct box_axis){ run, 1, 1 };
		code = box_read(&b, p->source, p->offset + first * p->run, 0,
				n * run, to + p->start, 0, err);
	}
	return code;
}

static int concat_read(struct ferry_source *src, void *buf, uint64_t offset,
		       size_t n, struct ferry_error *err)
{
	const struct concat *c = (const struct concat *)src;
	unsigned char *to = buf;
	int code = 0;

	while (n && !code) {
		uint64_t row = offset / c->row, at = offset % c->row;
		const struct concat_part *p;
		uint64_t left;

		if (!at && n >= c->row && c->rows > 1) {
			left = n / c->row * c->row;
			code = read_rows(c, to, row, n / c->row, err);
		} else {
			p = &c->parts[part_at(c, at)];
			left = p->start + p->run - at;
			if (left > n)
				left = n;
			code = ferry_source_read(p->source, to, p->offset +
						 row * p->run + at - p->start,
						 left, err);
		}
		to += left;
		offset += left;
		n -= left;
	}
	return code;
}

/* The part that [offset, offset + n) lies in, when the parts follow each other
 * whole. */
static const struct concat_part *only_part(const struct concat *c,
					   uint64_t offset, uint64_t n)
{
	const struct concat_part *p;

	if (c->rows != 1 || !c->n)
		return NULL;
	p = &c->parts[part_at(c, offset)];
	return n <= p->start + p->run - offset ? p : NULL;
}

static bool concat_file_range(struct ferry_source *src, uint64_t offset,
			      uint64_t n, int *fd, uint64_t *file_offset)
{
	const struct concat_part *p = only_part((struct concat *)src, offset,
						n);

	return p && ferry_source_file_range(p->source, p->offset + offset -
					    p->start, n, fd, file_offset);
}

static const void *concat_memory(struct ferry_source *src, uint64_t offset,
				 size_t n)
{
	const struct concat_part *p = only_part((struct concat *)src, offset,
						n);

	return p ? ferry_source_memory(p->source, p->offset + offset - p->start,
				       n) : NULL;
}

static size_t concat_chunk(struct ferry_source *src)
{
	const struct concat *c = (const struct concat *)src;
	size_t chunk, most = 0;
	size_t i;

	for (i = 0; i < c->n; i++) {
		chunk = ferry_source_chunk(c->parts[i].source);
		if (chunk > most)
			most = chunk;
	}
	return most;
}

static void concat_free(struct ferry_source *src)
{
	struct concat *c = (struct concat *)src;
	size_t i;

	for (i = 0; i < c->n; i++)
		ferry_source_unref(c->parts[i].source);
	ferry_alloc_free(c);
}

static const struct ferry_source_ops concat_ops = {
	.read = concat_read,
	.file_range = concat_file_range,
	.memory = concat_memory,
	.chunk = concat_chunk,
	.free = concat_free,
};

static int fail_fit(size_t i, const char *what, struct ferry_error *err)
{
	return ferry_fail(err, FERRY_MISUSE, "", FERRY_NO_OFFSET,
			  "concat: tensor %zu differs from tensor 0 in %s", i,
			  what);
}

/* All alike but for `dim`; *total is its sum. */
static int check_parts(struct ferry_value *const *tensors, size_t n,
		       unsigned dim, uint64_t *total, struct ferry_error *err)
{
	const struct ferry_tensor *a, *b;
	unsigned k;
	size_t i;
	int code;

	*total = 0;
	for (i = 0; i < n; i++) {
		code = ops_check(tensors[i], "concat", err);
		if (code)
			return code;
		a = tensors[0]->u.tensor;
		b = tensors[i]->u.tensor;
		if (a->dtype != b->dtype)
			return fail_fit(i, "dtype", err);
		if (a->ndim != b->ndim)
			return fail_fit(i, "rank", err);
		if ((a->flags ^ b->flags) & FERRY_META)
			return fail_fit(i, "being on the meta device", err);
		if (dim >= a->ndim)
			return ferry_fail(err, FERRY_MISUSE, "",
					  FERRY_NO_OFFSET, "concat: dimension "
					  "%u is given for tensors of rank %u",
					  dim, a->ndim);
		for (k = 0; k < a->ndim; k++)
			if (k != dim && a->shape[k] != b->shape[k])
				return fail_fit(i, "shape", err);
		if (ferry_ckd_add(total, *total, b->shape[dim]))
			return ferry_fail(err, FERRY_LIMIT, "", FERRY_NO_OFFSET,
					  "concat: dimension %u overflows 64 "
					  "bits", dim);
	}
	return 0;
}

static int check_kind(struct ferry_value *const *tensors, size_t n,
		      uint64_t rows, struct ferry_error *err)
{
	enum ferry_dtype dtype = tensors[0]->u.tensor->dtype;
	unsigned bits = ferry_dtype_bits(dtype);
	size_t i;

	for (i = 0; i < n; i++) {
		if (ferry_dtype_is_quantized(dtype) &&
		    tensors[i]->u.tensor->extra)
			return ferry_fail(err, FERRY_UNSUPPORTED, "",
					  FERRY_NO_OFFSET, "concat: quantised "
					  "tensors have scales of their own; "
					  "dequantise them first");
		if (bits % 8 && (rows != 1 || ferry_tensor_nelem(
					tensors[i]->u.tensor) * bits % 8))
			return ferry_fail(err, FERRY_UNSUPPORTED, "",
					  FERRY_NO_OFFSET, "concat: elements "
					  "of packed dtype %s would be cut",
					  ferry_dtype_name(dtype));
	}
	return 0;
}

static int concat_new(struct concat **out, struct ferry_store *s,
		      struct ferry_value *const *tensors, size_t n,
		      uint64_t rows, struct ferry_error *err)
{
	struct concat *c;
	uint64_t nbytes;
	size_t i;
	int code;

	if (n > (SIZE_MAX - sizeof(*c)) / sizeof(c->parts[0]))
		return ferry_fail_nomem(err, "a concatenation");
	c = ferry_alloc(sizeof(*c) + n * sizeof(c->parts[0]));
	if (!c)
		return ferry_fail_nomem(err, "a concatenation");
	c->esize = ferry_dtype_size(tensors[0]->u.tensor->dtype);
	if (!c->esize)
		c->esize = 1;
	c->rows = rows;
	c->row = 0;
	c->n = 0;
	code = ferry_source_init(&c->base, &concat_ops, 0, "concatenation",
				 err);
	if (code) {
		ferry_alloc_free(c);
		return code;
	}
	for (i = 0; i < n; i++) {
		struct concat_part *p = &c->parts[c->n];

		nbytes = ferry_tensor_nbytes(tensors[i]->u.tensor);
		if (!nbytes)
			continue;
		code = ferry_tensor_source(s, tensors[i]->u.tensor, &p->source,
					   &p->offset, err);
		if (code) {
			ferry_source_unref(&c->base);
			return code;
		}
		ferry_source_ref(p->source);
		c->base.reads += ferry_source_reads(p->source, nbytes);
		p->run = nbytes / rows;
		p->start = c->row;
		c->row += p->run;
		c->n++;
	}
	c->base.nbytes = c->row * rows;
	*out = c;
	return 0;
}

int ferry_op_concat(struct ferry_store *s, struct ferry_value *const *tensors,
		    size_t n, unsigned dim, struct ferry_value **out,
		    struct ferry_error *err)
{
	uint64_t shape[FERRY_MAX_RANK], rows = 1, nelem = 1;
	const struct ferry_tensor *first;
	struct concat *c = NULL;
	bool empty = false;
	unsigned k;
	int code;

	if (!n)
		return ferry_fail(err, FERRY_MISUSE, "", FERRY_NO_OFFSET,
				  "concat: no tensor is given");
	code = check_parts(tensors, n, dim, &nelem, err);
	if (code)
		return code;
	first = tensors[0]->u.tensor;
	memcpy(shape, first->shape, first->ndim * sizeof(shape[0]));
	shape[dim] = nelem;
	nelem = 1;
	for (k = 0; k < first->ndim; k++) {
		empty = empty || !shape[k];
		if (!empty && (ferry_ckd_mul(&nelem, nelem, shape[k]) ||
			       nelem > INT64_MAX / 16))
			return ferry_fail(err, FERRY_LIMIT, "", FERRY_NO_OFFSET,
					  "concat: size overflows 63 bits");
		if (k < dim && shape[k])
			rows *= shape[k];
	}
	code = check_kind(tensors, n, rows, err);
	if (code)
		return code;
	if (first->flags & FERRY_META)
		return ops_meta(s, first, first->dtype, first->ndim, shape,
				out, err);
	code = concat_new(&c, s, tensors, n, rows, err);
	if (code)
		return code;
	return ops_dense(s, first, first->dtype, first->ndim, shape, &c->base,
			 out, err);
}
