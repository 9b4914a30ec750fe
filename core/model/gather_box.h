/*
 * Rectangular runs of elements that stand in one order in a source and in
 * another in memory: the common ground of gathers, concatenations and
 * assembled storages.
 */
#ifndef CORE_MODEL_GATHER_BOX_H
#define CORE_MODEL_GATHER_BOX_H

#include <ferry/sys/source.h>
#include <ferry/value.h>

/* One dimension; strides in elements.  No `to` stride is 0 where count > 1. */
struct box_axis {
	uint64_t count;
	uint64_t from;
	uint64_t to;
};

struct box {
	unsigned ndim;
	unsigned esize;			/* bytes of an element: 1 to 16 */
	struct box_axis axis[FERRY_MAX_RANK];
};

/* Drop dimensions of one, and join those that are one run in both orders.  The
 * C order of the elements stays as it was. */
void box_simplify(struct box *b);

/* The dimensions by ascending stride of the source. */
void box_sort(const struct box *b, unsigned *order);

/* Set every `to` to what a dense C-order array has. */
void box_make_dense(struct box *b);

/*
 * Copy elements [first, first + n) of the box, counted in C order.  The box's
 * origin is byte `base` of src and byte `-skip` of memory at `to`: an element
 * at memory position p goes to (char *)to + p * esize - skip.
 *
 * Memory use is bounded by some hundred KiB.
 */
int box_read(const struct box *b, struct ferry_source *src, uint64_t base,
	     uint64_t first, uint64_t n, void *to, uint64_t skip,
	     struct ferry_error *err);

/*
 * Copy the sub-box of count[i] indices from first[i] on, densely in C order.
 * What lies between its runs and belongs to its neighbours is not read for
 * nothing.  forwards: src is a stream, which is read once from front to back.
 *
 * Memory as box_read().
 */
int box_read_block(const struct box *b, struct ferry_source *src, uint64_t base,
		   const uint64_t *first, const uint64_t *count, bool forwards,
		   void *to, struct ferry_error *err);

/* A grid of sub-boxes of at most `most` bytes for a dense result of a
 * simplified box; false where reading in order is as good. */
bool box_grid(const struct box *b, size_t most, bool forwards,
	      struct ferry_grid *out);

/* Bytes of the result best read at a time, for a dense result: 0 for any. */
size_t box_chunk(const struct box *b);

/*
 * Read bytes [offset, offset + n) of something that is made of whole elements:
 * read(ctx, buf, first, n) gives n elements from the element `first` on.
 */
typedef int box_read_elements(void *ctx, void *buf, uint64_t first, uint64_t n,
			      struct ferry_error *err);

int box_read_bytes(box_read_elements *read, void *ctx, unsigned esize,
		   void *buf, uint64_t offset, size_t n,
		   struct ferry_error *err);

#endif
