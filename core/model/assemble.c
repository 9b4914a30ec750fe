/*
 * A storage put together from dense tensors, lazily: the inverse of a gather.
 *
 * A part's dimensions are sorted by descending stride.  Where every stride then
 * steps over all that the smaller ones span, storage order is the C order of
 * the sorted dimensions, and a window of the storage is one run of it.  Where
 * they interleave or overlap (windows made by as_strided), the sorted
 * dimensions are searched for what falls into the window.
 */
#include "config.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <ferry/sys/alloc.h>
#include <ferry/sys/ckd.h>

#include "core/model/gather_box.h"
#include "core/model/ops.h"

#define CACHE_NBYTES ((size_t)64 << 10)
#define CACHE_MIN ((size_t)1 << 10)

struct assembled_part {
	struct ferry_source *source;
	uint64_t offset;		/* of its dense data in source */
	uint64_t start, end;		/* bytes of the storage it spans */
	unsigned esize;
	bool ordered;
	unsigned ndim;
	struct box_axis *axis;		/* by descending `to`; from: dense */
	uint64_t *span;			/* [ndim + 1]: last position of what
					 * dimension k and later reach */
};

struct assembled {
	struct ferry_source base;
	size_t n;
	size_t chunk;
	bool sorted;			/* parts: by start, none overlapping */
	struct assembled_part *parts;	/* with their arrays, in one piece */
};

/* A view of a part's dense data for the search, which asks in small runs. */
struct cache {
	unsigned char *data;
	uint64_t first, n;		/* elements held */
	size_t want;			/* bytes to read next time */
};

struct search {
	const struct assembled_part *part;
	struct cache *cache;
	uint64_t low, high;		/* positions wanted: [low, high) */
	unsigned char *to;		/* where position low goes */
	uint64_t found;
	struct ferry_error *err;
};

static uint64_t ceil_div(uint64_t a, uint64_t b)
{
	return a / b + (a % b != 0);
}

/* How many elements of an ordered part stand before `position`. */
static uint64_t count_before(const struct assembled_part *p, uint64_t position)
{
	uint64_t inner = 1, count = 0, index;
	unsigned k;

	for (k = 0; k < p->ndim; k++)
		inner *= p->axis[k].count;
	for (k = 0; k < p->ndim; k++) {
		inner /= p->axis[k].count;
		index = position / p->axis[k].to;
		if (index >= p->axis[k].count)
			index = p->axis[k].count - 1;
		count += index * inner;
		position -= index * p->axis[k].to;
	}
	return count + (position > 0);
}

static int read_ordered(const struct assembled_part *p, uint64_t low,
			uint64_t high, unsigned char *to, uint64_t *found,
			struct ferry_error *err)
{
	uint64_t first = count_before(p, low);
	uint64_t n = count_before(p, high) - first;
	struct box b = { .ndim = p->ndim, .esize = p->esize };

	*found = n;
	if (!n)
		return 0;
	memcpy(b.axis, p->axis, p->ndim * sizeof(b.axis[0]));
	return box_read(&b, p->source, p->offset, first, n, to,
			low * p->esize, err);
}

/* Have dense elements [first, first + n) at *out; they fit the cache. */
static int cache_get(struct search *s, uint64_t first, uint64_t n,
		     const unsigned char **out)
{
	const struct assembled_part *p = s->part;
	struct cache *c = s->cache;
	uint64_t left, want;
	int code;

	if (first < c->first || first + n > c->first + c->n) {
		if (!c->data)
			c->data = ferry_alloc(CACHE_NBYTES);
		if (!c->data)
			return ferry_fail_nomem(s->err, "an assembly buffer");
		/* Going on where the last read ended pays for a longer one. */
		c->want = c->n && first >= c->first &&
			  first <= c->first + c->n &&
			  c->want < CACHE_NBYTES ? c->want * 2 : CACHE_MIN;
		left = p->source->nbytes - p->offset - first * p->esize;
		want = n * p->esize > c->want ? n * p->esize : c->want;
		if (want > left)
			want = left / p->esize * p->esize;
		c->n = 0;
		code = ferry_source_read(p->source, c->data, p->offset +
					 first * p->esize, want, s->err);
		if (code)
			return code;
		c->first = first;
		c->n = want / p->esize;
	}
	*out = c->data + (first - c->first) * p->esize;
	return 0;
}

/* Indices [low, high) of the last dimension, from the element `index`. */
static int take_run(struct search *s, struct box_axis x, uint64_t index,
		    uint64_t position, uint64_t low, uint64_t high)
{
	const struct assembled_part *p = s->part;
	uint64_t first = index + low * x.from, n = high - low, i;
	uint64_t reach = (n - 1) * x.from + 1;
	unsigned char *to = s->to + (position + low * x.to - s->low) * p->esize;
	const unsigned char *from = NULL;
	struct box b = { .ndim = 1, .esize = p->esize };
	int code;

	s->found += n;
	if (reach > CACHE_NBYTES / p->esize) {
		b.axis[0] = (struct box_axis){ n, x.from, x.to };
		return box_read(&b, p->source, p->offset + first * p->esize, 0,
				n, to, 0, s->err);
	}
	code = cache_get(s, first, reach, &from);
	for (i = 0; !code && i < n; i++)
		memcpy(to + i * x.to * p->esize,
		       from + i * x.from * p->esize, p->esize);
	return code;
}

/* Recursion goes as deep as the rank. */
static int search(struct search *s, unsigned k, uint64_t index,
		  uint64_t position)
{
	static const struct box_axis one = { 1, 0, 1 };
	const struct assembled_part *p = s->part;
	const struct box_axis x = k < p->ndim ? p->axis[k] : one;
	uint64_t span = k < p->ndim ? p->span[k + 1] : 0;
	uint64_t low = 0, high = x.count, i;
	int code = 0;

	if (position >= s->high)
		return 0;
	if (position + span < s->low)
		low = ceil_div(s->low - position - span, x.to);
	if (high > ceil_div(s->high - position, x.to))
		high = ceil_div(s->high - position, x.to);
	if (low >= high)
		return 0;
	if (k + 1 >= p->ndim)
		return take_run(s, x, index, position, low, high);
	for (i = low; !code && i < high; i++)
		code = search(s, k + 1, index + i * x.from,
			      position + i * x.to);
	return code;
}

/* Elements at positions [low, high) of the part; `to` is where low goes. */
static int read_positions(const struct assembled_part *p, struct cache *cache,
			  uint64_t low, uint64_t high, unsigned char *to,
			  uint64_t *found, struct ferry_error *err)
{
	struct search s = { .part = p, .cache = cache, .low = low,
			    .high = high, .to = to, .err = err };
	int code;

	if (p->ordered)
		return read_ordered(p, low, high, to, found, err);
	code = search(&s, 0, 0, 0);
	*found = s.found;
	return code;
}

/* Bytes [skip, skip + n) of the one element that may stand at a position. */
static int read_torn(const struct assembled_part *p, struct cache *cache,
		     uint64_t position, unsigned skip, unsigned n,
		     unsigned char *to, struct ferry_error *err)
{
	unsigned char one[16];
	uint64_t found;
	int code = read_positions(p, cache, position, position + 1, one,
				  &found, err);

	if (!code && found)
		memcpy(to, one + skip, n);
	return code;
}

/* Bytes [low, high) of the part's span; `to` is where low goes. */
static int read_part(const struct assembled_part *p, uint64_t low,
		     uint64_t high, unsigned char *to, struct ferry_error *err)
{
	struct cache cache = { 0 };
	unsigned esize = p->esize, skip = (unsigned)(low % esize), n;
	uint64_t found;
	int code = 0;

	if (skip) {
		n = high - low < esize - skip ? (unsigned)(high - low) :
		    esize - skip;
		code = read_torn(p, &cache, low / esize, skip, n, to, err);
		low += n;
		to += n;
	}
	if (!code && high / esize > low / esize && low < high) {
		code = read_positions(p, &cache, low / esize, high / esize, to,
				      &found, err);
		to += high / esize * esize - low;
		low = high / esize * esize;
	}
	if (!code && low < high)
		code = read_torn(p, &cache, low / esize, 0,
				 (unsigned)(high - low), to, err);
	ferry_alloc_free(cache.data);
	return code;
}

static int read_overlap(const struct assembled_part *p, unsigned char *to,
			uint64_t offset, size_t n, struct ferry_error *err)
{
	uint64_t low = p->start > offset ? p->start : offset;
	uint64_t high = p->end < offset + n ? p->end : offset + n;

	if (low >= high)
		return 0;
	return read_part(p, low - p->start, high - p->start,
			 to + (low - offset), err);
}

/* The first of the sorted parts that ends past offset. */
static size_t find_part(const struct assembled *a, uint64_t offset)
{
	size_t low = 0, high = a->n, mid;

	while (low < high) {
		mid = low + (high - low) / 2;
		if (a->parts[mid].end <= offset)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static int assembled_read(struct ferry_source *src, void *buf, uint64_t offset,
			  size_t n, struct ferry_error *err)
{
	const struct assembled *a = (const struct assembled *)src;
	size_t i;
	int code = 0;

	memset(buf, 0, n);
	if (a->sorted) {
		for (i = find_part(a, offset); !code && i < a->n &&
		     a->parts[i].start < offset + n; i++)
			code = read_overlap(&a->parts[i], buf, offset, n, err);
		return code;
	}
	/* Backwards, for the earlier part has the last word. */
	for (i = a->n; !code && i--; )
		code = read_overlap(&a->parts[i], buf, offset, n, err);
	return code;
}

static size_t assembled_chunk(struct ferry_source *src)
{
	return ((const struct assembled *)src)->chunk;
}

static size_t find_chunk(const struct assembled *a)
{
	size_t chunk, most = 0;
	size_t i;

	for (i = 0; i < a->n; i++) {
		struct box b = { .ndim = a->parts[i].ndim,
				 .esize = a->parts[i].esize };

		memcpy(b.axis, a->parts[i].axis, b.ndim * sizeof(b.axis[0]));
		chunk = box_chunk(&b);
		if (chunk > most)
			most = chunk;
		if (ferry_source_chunk(a->parts[i].source) ==
		    FERRY_CHUNK_FORWARDS)
			return FERRY_CHUNK_FORWARDS;
	}
	return most;
}

/* The order of parts that begin alike is of no matter: they overlap. */
static int by_start(const void *x, const void *y)
{
	const struct assembled_part *a = x, *b = y;

	return a->start < b->start ? -1 : a->start > b->start;
}

/* Sort the parts by start, unless some overlap: then their order counts. */
static int sort_parts(struct assembled *a, struct ferry_error *err)
{
	struct assembled_part *sorted;
	size_t i;

	if (a->n < 2) {
		a->sorted = true;
		return 0;
	}
	sorted = ferry_alloc(a->n * sizeof(*sorted));
	if (!sorted)
		return ferry_fail_nomem(err, "an assembled storage");
	memcpy(sorted, a->parts, a->n * sizeof(*sorted));
	qsort(sorted, a->n, sizeof(*sorted), by_start);
	for (i = 1; i < a->n && sorted[i - 1].end <= sorted[i].start; i++)
		;
	a->sorted = i == a->n;
	if (a->sorted)
		memcpy(a->parts, sorted, a->n * sizeof(*sorted));
	ferry_alloc_free(sorted);
	return 0;
}

static void assembled_free(struct ferry_source *src)
{
	struct assembled *a = (struct assembled *)src;
	size_t i;

	for (i = 0; i < a->n; i++)
		ferry_source_unref(a->parts[i].source);
	ferry_alloc_free(a->parts);
	ferry_alloc_free(a);
}

static const struct ferry_source_ops assembled_ops = {
	.read = assembled_read,
	.chunk = assembled_chunk,
	.free = assembled_free,
};

/* Dimensions of one, and of stride 0 (whose first index stands for all), are
 * left out. */
static unsigned sort_axes(const struct ferry_tensor *t, const int64_t *strides,
			  struct box_axis *axis)
{
	uint64_t dense = 1;
	unsigned i, j, n = 0;

	for (i = t->ndim; i--; dense *= t->shape[i]) {
		struct box_axis x = { t->shape[i], dense,
				      (uint64_t)strides[i] };

		if (x.count == 1 || !x.to)
			continue;
		for (j = n++; j && axis[j - 1].to < x.to; j--)
			axis[j] = axis[j - 1];
		axis[j] = x;
	}
	return n;
}

static int fail_outside(size_t i, struct ferry_error *err)
{
	return ferry_fail(err, FERRY_MALFORMED, "", FERRY_NO_OFFSET,
			  "part %zu of an assembled storage lies outside of it",
			  i);
}

/* Sizes and spans with checked arithmetic; the arrays are in `room`. */
static int measure(struct assembled_part *p, uint64_t nbytes, size_t i,
		   struct ferry_error *err)
{
	uint64_t reach, end;
	unsigned k;

	p->span[p->ndim] = 0;
	p->ordered = true;
	for (k = p->ndim; k--; ) {
		p->ordered = p->ordered && p->axis[k].to > p->span[k + 1];
		if (ferry_ckd_mul(&reach, p->axis[k].count - 1,
				  p->axis[k].to) ||
		    ferry_ckd_add(&p->span[k], p->span[k + 1], reach))
			return fail_outside(i, err);
	}
	if (ferry_ckd_add(&end, p->span[0], 1) ||
	    ferry_ckd_mul(&end, end, p->esize) ||
	    ferry_ckd_add(&p->end, p->start, end) || p->end > nbytes)
		return fail_outside(i, err);
	return 0;
}

static int add_part(struct ferry_store *s, struct assembled *a,
		    const struct ferry_part *from, size_t i,
		    struct box_axis *axis, struct ferry_error *err)
{
	struct assembled_part *p = &a->parts[a->n];
	const struct ferry_tensor *t = from->tensor->u.tensor;
	struct ferry_tensor dense = *t;
	struct box b;
	unsigned k;
	int code;

	p->esize = ferry_dtype_size(t->dtype);
	if (!p->esize) {
		/* Packed elements can only lie as one run of bytes. */
		dense.strides = from->strides;
		if (!ferry_tensor_is_contiguous(&dense) ||
		    from->offset % 8 * ferry_dtype_bits(t->dtype) % 8)
			return ferry_fail(err, FERRY_UNSUPPORTED, "",
					  FERRY_NO_OFFSET, "part %zu of an "
					  "assembled storage: elements of "
					  "packed dtype %s must be dense", i,
					  ferry_dtype_name(t->dtype));
		p->esize = 1;
		b.ndim = 1;
		b.axis[0] = (struct box_axis){ ferry_tensor_nbytes(t), 1, 1 };
	} else {
		b.ndim = sort_axes(t, from->strides, b.axis);
	}
	b.esize = p->esize;
	p->axis = axis;
	p->span = (uint64_t *)(axis + t->ndim + 1);
	p->ndim = b.ndim;
	memcpy(p->axis, b.axis, b.ndim * sizeof(b.axis[0]));
	if (ferry_ckd_mul(&p->start, from->offset, ferry_dtype_bits(t->dtype)))
		return fail_outside(i, err);
	p->start /= 8;
	code = measure(p, a->base.nbytes, i, err);
	if (code)
		return code;
	if (p->ordered) {
		box_simplify(&b);
		p->ndim = b.ndim;
		memcpy(p->axis, b.axis, b.ndim * sizeof(b.axis[0]));
		for (k = p->ndim, p->span[k] = 0; k--; )
			p->span[k] = p->span[k + 1] + (p->axis[k].count - 1) *
				     p->axis[k].to;
	}
	code = ferry_tensor_source(s, t, &p->source, &p->offset, err);
	if (code)
		return code;
	ferry_source_ref(p->source);
	a->n++;
	return 0;
}

static int check_part(const struct ferry_part *part, size_t i,
		      struct ferry_error *err)
{
	const struct ferry_tensor *t;
	unsigned k;
	int code = ops_check(part->tensor, "assemble", err);

	if (code)
		return code;
	t = part->tensor->u.tensor;
	for (k = 0; k < t->ndim; k++)
		if (part->strides[k] < 0)
			return ferry_fail(err, FERRY_MALFORMED, "",
					  FERRY_NO_OFFSET, "part %zu of an "
					  "assembled storage: stride of "
					  "dimension %u is negative", i, k);
	return 0;
}

/* Room for one part's axes (one at least) and spans, in units of an axis. */
static size_t part_room(const struct ferry_tensor *t)
{
	return t->ndim + 1u + (t->ndim + 3u) / 3;
}

static int assembled_new(struct assembled **out, struct ferry_store *s,
			 uint64_t nbytes, const struct ferry_part *parts,
			 size_t n, struct ferry_error *err)
{
	struct assembled *a = ferry_alloc_zero(1, sizeof(*a));
	struct box_axis *axis;
	size_t i, room = 0;
	int code;

	if (!a)
		return ferry_fail_nomem(err, "an assembled storage");
	code = ferry_source_init(&a->base, &assembled_ops, nbytes,
				 "assembled storage", err);
	if (code) {
		ferry_alloc_free(a);
		return code;
	}
	for (i = 0; !code && i < n; i++) {
		code = check_part(&parts[i], i, err);
		if (!code)
			room += part_room(parts[i].tensor->u.tensor);
	}
	if (!code)
		a->parts = ferry_alloc_zero(1, n * sizeof(*a->parts) + room *
					    sizeof(*axis));
	if (!code && !a->parts)
		code = ferry_fail_nomem(err, "an assembled storage");
	axis = a->parts ? (struct box_axis *)(a->parts + n) : NULL;
	for (i = 0; !code && i < n; i++) {
		const struct ferry_tensor *t = parts[i].tensor->u.tensor;

		if (ferry_tensor_nelem(t))
			code = add_part(s, a, &parts[i], i, axis, err);
		axis += part_room(t);
	}
	if (!code)
		code = sort_parts(a, err);
	if (!code)
		a->chunk = find_chunk(a);
	if (code)
		ferry_source_unref(&a->base);
	else
		*out = a;
	return code;
}

/* The one part that is the whole storage as it stands, or NULL. */
static const struct assembled_part *whole_part(const struct assembled *a)
{
	const struct assembled_part *p = a->parts;

	if (a->n != 1 || !p->ordered || p->ndim > 1 || p->start ||
	    p->end != a->base.nbytes)
		return NULL;
	if (p->ndim && (p->axis[0].from != 1 || p->axis[0].to != 1))
		return NULL;
	return p;
}

int ferry_op_assemble(struct ferry_store *s, enum ferry_dtype dtype,
		      uint64_t nbytes, const struct ferry_part *parts, size_t n,
		      struct ferry_storage **out, struct ferry_error *err)
{
	const struct assembled_part *whole;
	struct ferry_storage *st = NULL;
	struct assembled *a = NULL;
	int code = assembled_new(&a, s, nbytes, parts, n, err);

	if (code)
		return code;
	whole = whole_part(a);
	if (whole) {
		st = ferry_storage(s, dtype, whole->source, whole->offset,
				   nbytes);
		ferry_source_unref(&a->base);
	} else if (ferry_store_take_source(s, &a->base)) {
		ferry_source_unref(&a->base);
	} else {
		st = ferry_storage(s, dtype, &a->base, 0, nbytes);
	}
	if (!st)
		return ferry_fail_nomem(err, "a storage");
	*out = st;
	return 0;
}
