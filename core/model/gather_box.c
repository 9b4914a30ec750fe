/*
 * Boxes out of a source: what lies near together is read at once into a packed
 * scratch, and spread from there.
 */
#include "config.h"

#include "core/model/gather_box.h"

#include <string.h>

#include <ferry/sys/alloc.h>
#include <ferry/sys/ckd.h>

#include "core/model/gather_copy.h"

#define SCRATCH_NBYTES ((uint64_t)512 << 10)

/* Reading this much for nothing costs about as much as another read. */
#define GAP_NBYTES 8192

/* Rows packed at a power of two apart would share the ways of the cache. */
#define PAD_NBYTES 64

#define SEGMENT_NBYTES 4096
#define CHUNK_MIN ((uint64_t)1 << 20)
#define CHUNK_MAX ((uint64_t)64 << 20)

/* How one box is read: a block at a time, into a scratch that holds a block for
 * every index of the packed dimensions; the others are walked. */
struct reading {
	struct ferry_source *src;
	unsigned char *scratch;
	unsigned esize;
	unsigned order[FERRY_MAX_RANK];	/* by ascending stride of the source */
	unsigned n_block;		/* of order: read together */
	uint64_t step[FERRY_MAX_RANK];	/* indices taken together */
	bool packed[FERRY_MAX_RANK];
	bool direct;			/* without the scratch */
	bool forwards;			/* in the order of the source */
	const uint64_t *whole;		/* counts of what it is a block of */
};

void box_simplify(struct box *b)
{
	unsigned i, n = 0;

	for (i = 0; i < b->ndim; i++) {
		const struct box_axis x = b->axis[i];
		struct box_axis *last = n ? &b->axis[n - 1] : NULL;

		if (x.count == 1)
			continue;
		if (last && last->from == x.from * x.count &&
		    last->to == x.to * x.count) {
			last->count *= x.count;
			last->from = x.from;
			last->to = x.to;
		} else {
			b->axis[n++] = x;
		}
	}
	b->ndim = n;
}

void box_make_dense(struct box *b)
{
	uint64_t stride = 1;
	unsigned i;

	for (i = b->ndim; i--; ) {
		b->axis[i].to = stride;
		stride *= b->axis[i].count;
	}
}

void box_sort(const struct box *b, unsigned *order)
{
	unsigned i, j;

	for (i = 0; i < b->ndim; i++) {
		for (j = i; j && b->axis[order[j - 1]].from >
		     b->axis[i].from; j--)
			order[j] = order[j - 1];
		order[j] = i;
	}
}

/* Choose the dimensions that one read covers; returns its span in elements. */
static uint64_t choose_block(struct reading *r, const struct box *b)
{
	uint64_t most = SCRATCH_NBYTES / b->esize;
	uint64_t span = 1, gap = 0, room;
	unsigned k;

	for (k = 0; k < b->ndim; k++) {
		const struct box_axis *x = &b->axis[r->order[k]];

		if (x->from > span + GAP_NBYTES / b->esize ||
		    (gap > span / 8 && !r->forwards))
			break;
		r->step[r->order[k]] = x->count;
		room = x->from ? (most - span) / x->from + 1 : x->count;
		if (room < x->count) {
			r->step[r->order[k]] = room;
			span += (room - 1) * x->from;
			k += room > 1;
			break;
		}
		span += (x->count - 1) * x->from;
		if (r->whole)
			gap += (r->whole[r->order[k]] - x->count) * x->from;
	}
	r->n_block = k;
	return span;
}

/* Fill the scratch with more such reads, for neighbours in memory. */
static uint64_t choose_pack(struct reading *r, const struct box *b,
			    uint64_t span)
{
	uint64_t stride = span + PAD_NBYTES / b->esize;
	uint64_t room = SCRATCH_NBYTES / b->esize / stride;
	uint64_t n = 1;
	unsigned k, best;

	/* A partly read dimension comes first, or its rest would come late. */
	if (r->forwards && r->n_block &&
	    r->step[r->order[r->n_block - 1]] <
	    b->axis[r->order[r->n_block - 1]].count)
		return 1;

	while (room > 1) {
		best = b->ndim;
		for (k = r->n_block; k < b->ndim; k++)
			if (!r->packed[r->order[k]] &&
			    (best == b->ndim || (!r->forwards &&
			     b->axis[r->order[k]].to < b->axis[best].to)))
				best = r->order[k];
		if (best == b->ndim)
			break;
		r->packed[best] = true;
		r->step[best] = b->axis[best].count < room ?
				b->axis[best].count : room;
		n *= r->step[best];
		if (r->step[best] < b->axis[best].count)
			break;
		room /= r->step[best];
	}
	return n;
}

/* The sub-box of `b` of the counts in `count`, its source side as it lies in
 * the scratch. */
static void pack_layout(const struct reading *r, const struct box *b,
			const uint64_t *count, uint64_t stride,
			struct box *local)
{
	unsigned i;

	local->ndim = b->ndim;
	local->esize = b->esize;
	for (i = 0; i < b->ndim; i++) {
		local->axis[i] = b->axis[i];
		local->axis[i].count = count[i];
		if (!r->packed[i])
			continue;
		local->axis[i].from = stride;
		stride *= count[i];
	}
	box_simplify(local);
}

/* Span of the block for the counts of this turn, in elements. */
static uint64_t block_span(const struct reading *r, const struct box *b,
			   const uint64_t *count)
{
	uint64_t span = 1;
	unsigned k;

	for (k = 0; k < r->n_block; k++)
		span += (count[r->order[k]] - 1) * b->axis[r->order[k]].from;
	return span;
}

static int fill_scratch(const struct reading *r, const struct box *b,
			const uint64_t *count, uint64_t position,
			uint64_t span, uint64_t stride, struct ferry_error *err)
{
	uint64_t index[FERRY_MAX_RANK] = { 0 };
	unsigned char *to = r->scratch;
	unsigned i;
	int code;

	for (;;) {
		code = ferry_source_read(r->src, to, position,
					 span * b->esize, err);
		if (code)
			return code;
		to += stride * b->esize;
		for (i = 0; i < b->ndim; i++) {
			uint64_t step = b->axis[i].from * b->esize;

			if (!r->packed[i])
				continue;
			position += step;
			if (++index[i] < count[i])
				break;
			position -= step * count[i];
			index[i] = 0;
		}
		if (i == b->ndim)
			return 0;
	}
}

/* One turn: `count` indices of every dimension from `position` on. */
static int take(const struct reading *r, const struct box *b,
		const uint64_t *count, uint64_t position, unsigned char *to,
		struct ferry_error *err)
{
	uint64_t span = block_span(r, b, count);
	uint64_t stride = span + PAD_NBYTES / b->esize;
	struct box local;
	int code;

	if (r->direct)
		return ferry_source_read(r->src, to, position,
					 span * b->esize, err);
	code = fill_scratch(r, b, count, position, span, stride, err);
	if (code)
		return code;
	pack_layout(r, b, count, stride, &local);
	box_copy(&local, r->scratch, to);
	return 0;
}

static int walk(const struct reading *r, const struct box *b, uint64_t position,
		unsigned char *to, struct ferry_error *err)
{
	uint64_t index[FERRY_MAX_RANK] = { 0 };
	uint64_t count[FERRY_MAX_RANK];
	unsigned i;
	int code;

	for (i = 0; i < b->ndim; i++)
		count[i] = r->step[i];
	for (;;) {
		code = take(r, b, count, position, to, err);
		if (code)
			return code;
		for (i = 0; i < b->ndim; i++) {
			const struct box_axis *x = &b->axis[i];

			if (r->step[i] == x->count)
				continue;
			position += x->from * b->esize * count[i];
			to += x->to * b->esize * count[i];
			index[i] += count[i];
			count[i] = x->count - index[i] < r->step[i] ?
				   x->count - index[i] : r->step[i];
			if (count[i])
				break;
			position -= x->from * b->esize * x->count;
			to -= x->to * b->esize * x->count;
			index[i] = 0;
			count[i] = r->step[i];
		}
		if (i == b->ndim)
			return 0;
	}
}

/* A run that is one in both orders, and long, goes straight to its place. */
static bool is_direct(const struct reading *r, const struct box *b)
{
	const struct box_axis *x;

	if (!b->ndim)
		return true;
	if (r->n_block != 1)
		return false;
	x = &b->axis[r->order[0]];
	return x->from == 1 && x->to == 1 && x->count * b->esize >= 2048;
}

static int walk_packed(struct reading *r, const struct box *b,
		       uint64_t position, unsigned char *to,
		       struct ferry_error *err)
{
	uint64_t span, n;
	int code;

	box_sort(b, r->order);
	span = choose_block(r, b);
	r->direct = is_direct(r, b);
	if (r->direct)
		return walk(r, b, position, to, err);
	n = choose_pack(r, b, span);
	r->scratch = ferry_alloc((span + PAD_NBYTES / b->esize) * n * b->esize);
	if (!r->scratch)
		return ferry_fail_nomem(err, "a gather buffer");
	code = walk(r, b, position, to, err);
	ferry_alloc_free(r->scratch);
	return code;
}

/* Going to and fro in a stream would start it again and again. */
static int read_whole(const struct box *b, struct ferry_source *src,
		      uint64_t position, uint64_t nbytes, unsigned char *to,
		      struct ferry_error *err)
{
	void *all = ferry_alloc(nbytes);
	int code;

	if (!all)
		return ferry_fail_nomem(err, "a gather buffer");
	code = ferry_source_read(src, all, position, nbytes, err);
	if (!code)
		box_copy(b, all, to);
	ferry_alloc_free(all);
	return code;
}

static int read_box(const struct box *whole, struct ferry_source *src,
		    uint64_t position, unsigned char *to,
		    struct ferry_error *err)
{
	struct reading r = { .src = src };
	struct box b = *whole;
	uint64_t reach = 1;
	const void *memory;
	unsigned i;

	box_simplify(&b);
	if (b.ndim == 1 && b.axis[0].from == 1 && b.axis[0].to == 1)
		return ferry_source_read(src, to, position,
					 b.axis[0].count * b.esize, err);
	for (i = 0; i < b.ndim; i++) {
		r.step[i] = 1;
		reach += (b.axis[i].count - 1) * b.axis[i].from;
	}
	memory = ferry_source_memory(src, position, reach * b.esize);
	if (memory) {
		box_copy(&b, memory, to);
		return 0;
	}
	if (reach <= CHUNK_MAX / b.esize &&
	    ferry_source_chunk(src) == FERRY_CHUNK_FORWARDS)
		return read_whole(&b, src, position, reach * b.esize, to, err);
	return walk_packed(&r, &b, position, to, err);
}

/* The dimensions go by ascending stride, so that reading goes forwards. */
int box_read_block(const struct box *b, struct ferry_source *src, uint64_t base,
		   const uint64_t *first, const uint64_t *count, bool forwards,
		   void *to, struct ferry_error *err)
{
	uint64_t whole[FERRY_MAX_RANK], stride[FERRY_MAX_RANK], dense = 1;
	struct reading r = { .src = src, .forwards = forwards };
	struct box part = { .esize = b->esize };
	unsigned order[FERRY_MAX_RANK], i, k;

	for (i = b->ndim; i--; ) {
		base += first[i] * b->axis[i].from * b->esize;
		stride[i] = dense;
		dense *= count[i];
	}
	box_sort(b, order);
	for (k = 0; k < b->ndim; k++) {
		i = order[k];
		r.step[k] = 1;
		whole[k] = b->axis[i].count;
		part.axis[part.ndim++] = (struct box_axis){
			count[i], b->axis[i].from, stride[i]
		};
	}
	r.whole = whole;
	return walk_packed(&r, &part, base, to, err);
}

/*
 * A run of C order is at most 2 * ndim - 1 boxes: each time the largest one
 * that begins here and does not pass the end.
 */
int box_read(const struct box *b, struct ferry_source *src, uint64_t base,
	     uint64_t first, uint64_t n, void *to, uint64_t skip,
	     struct ferry_error *err)
{
	uint64_t inner[FERRY_MAX_RANK + 1], rest, index, count, from, at;
	struct box part;
	unsigned i, k;
	int code;

	inner[b->ndim] = 1;
	for (i = b->ndim; i--; )
		inner[i] = inner[i + 1] * b->axis[i].count;
	while (n) {
		for (k = b->ndim; k > 1 && first % inner[k - 1] == 0 &&
		     n >= inner[k - 1]; k--)
			;
		from = at = 0;
		rest = first;
		index = 0;
		for (i = 0; i < k; i++) {
			index = rest / inner[i + 1];
			rest %= inner[i + 1];
			from += index * b->axis[i].from;
			at += index * b->axis[i].to;
		}
		part.esize = b->esize;
		part.ndim = b->ndim ? b->ndim - k + 1 : 0;
		count = 1;
		if (k) {
			memcpy(part.axis, b->axis + k - 1,
			       part.ndim * sizeof(part.axis[0]));
			count = b->axis[k - 1].count - index;
			if (count > n / inner[k])
				count = n / inner[k];
			part.axis[0].count = count;
		}
		code = read_box(&part, src, base + from * b->esize,
				(unsigned char *)to + (at * b->esize - skip),
				err);
		if (code)
			return code;
		first += count * inner[k];
		n -= count * inner[k];
	}
	return 0;
}

/*
 * Reading a few rows of a transposed matrix takes a bit of every column.  The
 * bits should be a page long: that many rows are asked for together.
 */
size_t box_chunk(const struct box *b)
{
	uint64_t inner = b->esize, rows, chunk, least = UINT64_MAX;
	unsigned i, near = 0;

	for (i = 0; i < b->ndim; i++)
		if (b->axis[i].from && b->axis[i].from < least) {
			least = b->axis[i].from;
			near = i;
		}
	if (least == UINT64_MAX || near + 1 == b->ndim)
		return 0;
	for (i = near + 1; i < b->ndim; i++)
		if (ferry_ckd_mul(&inner, inner, b->axis[i].count))
			return CHUNK_MAX;
	rows = SEGMENT_NBYTES / b->esize / least + 1;
	if (rows > b->axis[near].count)
		rows = b->axis[near].count;
	if (ferry_ckd_mul(&chunk, rows, inner) || chunk > CHUNK_MAX)
		return CHUNK_MAX;
	return chunk < CHUNK_MIN ? 0 : (size_t)chunk;
}

static int read_torn(box_read_elements *read, void *ctx, unsigned char *to,
		     uint64_t index, unsigned skip, size_t n,
		     struct ferry_error *err)
{
	unsigned char one[16];
	int code = read(ctx, one, index, 1, err);

	if (!code)
		memcpy(to, one + skip, n);
	return code;
}

int box_read_bytes(box_read_elements *read, void *ctx, unsigned esize,
		   void *buf, uint64_t offset, size_t n,
		   struct ferry_error *err)
{
	unsigned skip = (unsigned)(offset % esize);
	uint64_t index = offset / esize;
	unsigned char *to = buf;
	size_t part;
	int code = 0;

	if (skip) {
		part = esize - skip < n ? esize - skip : n;
		code = read_torn(read, ctx, to, index++, skip, part, err);
		to += part;
		n -= part;
	}
	part = n / esize;
	if (!code && part)
		code = read(ctx, to, index, part, err);
	if (!code && n % esize)
		code = read_torn(read, ctx, to + part * esize, index + part, 0,
				 n % esize, err);
	return code;
}
