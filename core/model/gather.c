/* The data of a tensor, densely in C order. */
#include "config.h"

#include <string.h>

#include <ferry/sys/alloc.h>
#include <ferry/sys/ckd.h>
#include <ferry/sys/ops.h>

#include "core/model/gather_box.h"

#define RESOLVE (FERRY_CONJ | FERRY_NEG)

struct gather {
	struct ferry_source base;
	struct ferry_source *parent;
	uint64_t first;			/* byte of the parent: the origin */
	uint8_t dtype, flags;
	unsigned ndim;
	struct box_axis axis[];
};

static unsigned part_nbytes(enum ferry_dtype dtype)
{
	unsigned n = ferry_dtype_size(dtype);

	return ferry_dtype_is_complex(dtype) ? n / 2 : n;
}

/* Flip the sign of n numbers of `size` bytes that stand `step` bytes apart. */
static void flip_floats(unsigned char *p, uint64_t n, unsigned size,
			unsigned step)
{
	uint64_t i;

	for (i = 0; i < n; i++)
		p[i * step + size - 1] ^= 0x80;
}

static void negate_integers(unsigned char *p, uint64_t n, unsigned size)
{
	uint64_t i, v;

	for (i = 0; i < n; i++) {
		v = 0;
		memcpy(&v, p + i * size, size);
		v = -v;
		memcpy(p + i * size, &v, size);
	}
}

static void resolve(void *data, uint64_t n, enum ferry_dtype dtype,
		    unsigned flags)
{
	unsigned size = ferry_dtype_size(dtype);
	unsigned part = part_nbytes(dtype);
	unsigned char *p = data;

	if (flags & FERRY_NEG && (ferry_dtype_is_float(dtype) || part != size))
		flip_floats(p, n * (size / part), part, part);
	else if (flags & FERRY_NEG)
		negate_integers(p, n, size);
	if (flags & FERRY_CONJ && part != size)
		flip_floats(p + part, n, part, size);
}

static void get_box(const struct gather *g, struct box *b)
{
	b->ndim = g->ndim;
	b->esize = ferry_dtype_size(g->dtype);
	memcpy(b->axis, g->axis, g->ndim * sizeof(g->axis[0]));
}

static int gather_elements(void *ctx, void *buf, uint64_t first, uint64_t n,
			   struct ferry_error *err)
{
	struct gather *g = ctx;
	struct box b;
	int code;

	get_box(g, &b);
	code = box_read(&b, g->parent, g->first, first, n, buf,
			first * b.esize, err);
	if (!code && g->flags)
		resolve(buf, n, g->dtype, g->flags);
	return code;
}

static int gather_read(struct ferry_source *src, void *buf, uint64_t offset,
		       size_t n, struct ferry_error *err)
{
	struct gather *g = (struct gather *)src;

	return box_read_bytes(gather_elements, g, ferry_dtype_size(g->dtype),
			      buf, offset, n, err);
}

static size_t gather_chunk(struct ferry_source *src)
{
	struct gather *g = (struct gather *)src;
	struct box b;

	get_box(g, &b);
	if (b.ndim == 1 && b.axis[0].from == 1)
		return ferry_source_chunk(g->parent);
	return box_chunk(&b);
}

static bool streams(const struct gather *g)
{
	return ferry_source_chunk(g->parent) == FERRY_CHUNK_FORWARDS;
}

static bool gather_grid(struct ferry_source *src, size_t most,
			struct ferry_grid *out)
{
	struct gather *g = (struct gather *)src;
	struct box b;

	if (g->ndim < 2 || ferry_source_memory(g->parent, g->first, 1))
		return false;
	get_box(g, &b);
	return box_grid(&b, most, streams(g), out);
}

static int gather_read_block(struct ferry_source *src, void *buf,
			     const uint64_t *first, const uint64_t *count,
			     struct ferry_error *err)
{
	struct gather *g = (struct gather *)src;
	uint64_t from[FERRY_MAX_RANK], n[FERRY_MAX_RANK], nelem = 1;
	unsigned i;
	struct box b;
	int code;

	get_box(g, &b);
	for (i = 0; i < b.ndim; i++) {
		from[i] = first[i] / (i + 1 == b.ndim ? b.esize : 1);
		n[i] = count[i] / (i + 1 == b.ndim ? b.esize : 1);
		nelem *= n[i];
	}
	code = box_read_block(&b, g->parent, g->first, from, n, streams(g),
			      buf, err);
	if (!code && g->flags)
		resolve(buf, nelem, g->dtype, g->flags);
	return code;
}

static void gather_free(struct ferry_source *src)
{
	ferry_source_unref(((struct gather *)src)->parent);
	ferry_alloc_free(src);
}

static const struct ferry_source_ops gather_ops = {
	.read = gather_read,
	.chunk = gather_chunk,
	.grid = gather_grid,
	.read_block = gather_read_block,
	.free = gather_free,
};

static void make_box(const struct ferry_tensor *t, struct box *b)
{
	unsigned i;

	b->ndim = t->ndim;
	b->esize = ferry_dtype_size(t->dtype);
	for (i = 0; i < t->ndim; i++) {
		b->axis[i].count = t->shape[i];
		b->axis[i].from = (uint64_t)t->strides[i];
	}
	box_make_dense(b);
	box_simplify(b);
}

static int fail_meta(struct ferry_error *err)
{
	return ferry_fail(err, FERRY_MISUSE, "", FERRY_NO_OFFSET,
			  "tensor is on the meta device and has no data");
}

static int fail_packed(const struct ferry_tensor *t, struct ferry_error *err)
{
	return ferry_fail(err, FERRY_UNSUPPORTED, "", FERRY_NO_OFFSET,
			  "tensor of packed dtype %s is not dense in C order "
			  "or does not begin at a byte, and can't be gathered",
			  ferry_dtype_name(t->dtype));
}

/* Byte of the storage's source where the first element of t stands. */
static uint64_t origin(const struct ferry_tensor *t)
{
	unsigned bits = ferry_dtype_bits(t->dtype);

	return t->storage->offset + t->offset / 8 * bits +
	       t->offset % 8 * bits / 8;
}

static bool is_plain(const struct ferry_tensor *t)
{
	return ferry_tensor_is_contiguous(t) && !(t->flags & RESOLVE);
}

static bool is_packed(const struct ferry_tensor *t)
{
	return !ferry_dtype_size(t->dtype);
}

static int check_packed(const struct ferry_tensor *t, struct ferry_error *err)
{
	unsigned bits = ferry_dtype_bits(t->dtype);

	if (is_packed(t) && (!is_plain(t) || t->offset % 8 * bits % 8))
		return fail_packed(t, err);
	return 0;
}

static int read_packed(const struct ferry_tensor *t, uint64_t first,
		       uint64_t nelem, void *buf, struct ferry_error *err)
{
	unsigned bits = ferry_dtype_bits(t->dtype);
	uint64_t last = first + nelem == ferry_tensor_nelem(t) ? 7 : 0;
	uint64_t n = nelem / 8 * bits + (nelem % 8 * bits + last) / 8;

	if (first % 8 * bits % 8 || (!last && nelem % 8 * bits % 8))
		return ferry_fail(err, FERRY_MISUSE, "", FERRY_NO_OFFSET,
				  "elements of packed dtype %s are asked for "
				  "from the middle of a byte",
				  ferry_dtype_name(t->dtype));
	return ferry_source_read(t->storage->source, buf, origin(t) +
				 first / 8 * bits + first % 8 * bits / 8, n,
				 err);
}

int ferry_tensor_read(const struct ferry_tensor *t, uint64_t first,
		      uint64_t nelem, void *buf, struct ferry_error *err)
{
	unsigned size = ferry_dtype_size(t->dtype);
	struct box b;
	int code = 0;

	if (t->flags & FERRY_META || !t->storage)
		return fail_meta(err);
	if (ferry_ckd_outside(first, nelem, ferry_tensor_nelem(t)))
		return ferry_fail(err, FERRY_MISUSE, "", FERRY_NO_OFFSET,
				  "elements outside of a tensor are asked for");
	if (!nelem)
		return 0;
	code = check_packed(t, err);
	if (code)
		return code;
	if (!size)
		return read_packed(t, first, nelem, buf, err);
	make_box(t, &b);
	code = box_read(&b, t->storage->source, origin(t), first, nelem, buf,
			first * size, err);
	if (!code && t->flags & RESOLVE)
		resolve(buf, nelem, t->dtype, t->flags);
	return code;
}

static int gather_new(struct ferry_source **out, const struct ferry_tensor *t,
		      struct ferry_error *err)
{
	struct gather *g;
	struct box b;
	int code;

	make_box(t, &b);
	g = ferry_alloc(sizeof(*g) + b.ndim * sizeof(b.axis[0]));
	if (!g)
		return ferry_fail_nomem(err, "a gather");
	code = ferry_source_init(&g->base, &gather_ops, ferry_tensor_nbytes(t),
				 t->storage->source->name, err);
	if (code) {
		ferry_alloc_free(g);
		return code;
	}
	g->parent = ferry_source_ref(t->storage->source);
	g->base.reads = ferry_source_reads(g->parent, g->base.nbytes);
	g->first = origin(t);
	g->dtype = t->dtype;
	g->flags = t->flags & RESOLVE;
	g->ndim = b.ndim;
	memcpy(g->axis, b.axis, b.ndim * sizeof(b.axis[0]));
	*out = &g->base;
	return 0;
}

int ferry_tensor_source(struct ferry_store *s, const struct ferry_tensor *t,
			struct ferry_source **src, uint64_t *offset,
			struct ferry_error *err)
{
	struct ferry_source *g;
	int code;

	if (t->flags & FERRY_META || !t->storage)
		return fail_meta(err);
	code = check_packed(t, err);
	if (code)
		return code;
	if (is_plain(t)) {
		*src = t->storage->source;
		*offset = ferry_tensor_nelem(t) ? origin(t) :
			  t->storage->offset;
		return 0;
	}
	code = gather_new(&g, t, err);
	if (code)
		return code;
	if (ferry_store_take_source(s, g)) {
		ferry_source_unref(g);
		return ferry_fail_nomem(err, "a gather");
	}
	*src = g;
	*offset = 0;
	return 0;
}

void ferry_tensor_extent(const struct ferry_tensor *t, uint64_t *first,
			 uint64_t *end)
{
	unsigned bits = ferry_dtype_bits(t->dtype);
	uint64_t last = t->offset;
	unsigned i;

	*first = t->offset / 8 * bits + t->offset % 8 * bits / 8;
	*end = *first;
	if (!ferry_tensor_nelem(t))
		return;
	for (i = 0; i < t->ndim; i++)
		last += (t->shape[i] - 1) * (uint64_t)t->strides[i];
	last++;
	*end = last / 8 * bits + (last % 8 * bits + 7) / 8;
}
