/*
 * Into which blocks a dense result is cut whose elements stand in another order
 * in the source.
 */
#include "config.h"

#include "core/model/gather_box.h"

/* Longer runs of both orders are read as they are. */
#define RUN_NBYTES (64 << 10)
#define PAGE_NBYTES 4096

_Static_assert(FERRY_GRID_RANK == FERRY_MAX_RANK, "a grid fits any tensor");

struct cut {
	const struct box *b;
	unsigned by_from[FERRY_MAX_RANK];	/* nearest first */
	unsigned by_to[FERRY_MAX_RANK];
	uint64_t step[FERRY_MAX_RANK];
	uint64_t n, most;			/* elements of a block */
};

static bool is_crossed(const struct box *b, bool forwards)
{
	const struct box_axis *x = b->axis, *end = b->axis + b->ndim;
	bool crossed = false;

	for (; x < end; x++) {
		if (!x->from)
			return false;
		crossed = crossed || (x + 1 < end && x->from < x[1].from);
	}
	x--;
	return crossed && (forwards || x->from != 1 ||
			   x->count < RUN_NBYTES / b->esize);
}

static void take_steps(struct cut *c, unsigned axis, uint64_t step)
{
	c->n = c->n / c->step[axis] * step;
	c->step[axis] = step;
}

/* The most indices of a dimension that the block has room for. */
static uint64_t room(const struct cut *c, unsigned axis)
{
	uint64_t most = c->most / (c->n / c->step[axis]);

	return most < c->b->axis[axis].count ? most : c->b->axis[axis].count;
}

/* The run of a block in an order, and the dimension that ends it. */
static uint64_t run(const struct cut *c, const unsigned *order, unsigned *axis)
{
	uint64_t n = 1;
	unsigned k;

	*axis = order[0];
	for (k = 0; k < c->b->ndim; k++) {
		*axis = order[k];
		n *= c->step[*axis];
		if (c->step[*axis] < c->b->axis[*axis].count)
			break;
	}
	return n;
}

/* The size of equal pieces, at most `most` each. */
static uint64_t even(uint64_t count, uint64_t most)
{
	return (count - 1) / ((count - 1) / most + 1) + 1;
}

/* Twice the step of a dimension, or what makes fewer pieces of it. */
static bool enlarge(struct cut *c, unsigned axis)
{
	uint64_t step = c->step[axis], most = room(c, axis);

	if (most >= 2 * step)
		most = 2 * step;
	else
		most = even(c->b->axis[axis].count, most);
	if (most <= step)
		return false;
	take_steps(c, axis, most);
	return true;
}

/* Let the runs of both orders grow alike. */
static void cut_tiles(struct cut *c)
{
	unsigned a, b;

	for (;;) {
		bool nearer = run(c, c->by_from, &a) <= run(c, c->by_to, &b);

		if (!enlarge(c, nearer ? a : b) && !enlarge(c, nearer ? b : a))
			return;
	}
}

/* Blocks of about one size, and of whole pages where a run begins. */
static void even_out(struct cut *c)
{
	uint64_t page = PAGE_NBYTES / c->b->esize, step;
	unsigned i;

	for (i = 0; i < c->b->ndim; i++) {
		step = even(c->b->axis[i].count, c->step[i]);
		take_steps(c, i, step);
		if (i != c->by_from[0] && i != c->by_to[0])
			continue;
		step = (step + page - 1) / page * page;
		if (step <= room(c, i))
			take_steps(c, i, step);
	}
}

static void fill(struct cut *c, const unsigned *order, uint64_t most)
{
	uint64_t step;
	unsigned k;

	for (k = 0; k < c->b->ndim && c->n < most; k++) {
		step = (most - 1) / (c->n / c->step[order[k]]) + 1;
		if (step > room(c, order[k]))
			step = room(c, order[k]);
		if (step > c->step[order[k]])
			take_steps(c, order[k], step);
		if (c->step[order[k]] < c->b->axis[order[k]].count)
			break;
	}
}

/* A slab of the stream, or of some columns of it. */
static void cut_slabs(struct cut *c)
{
	uint64_t least = (FERRY_GRID_RUN_MIN - 1) / c->b->esize + 1;
	unsigned axis, i;

	fill(c, c->by_from, c->most);
	if (run(c, c->by_to, &axis) >= least)
		return;
	for (i = 0; i < c->b->ndim; i++)
		c->step[i] = 1;
	c->n = 1;
	fill(c, c->by_to, least);
	fill(c, c->by_from, c->most);
}

/* As the stream goes; what divides it into passes changes last. */
static void walk_forwards(const struct cut *c, unsigned char *walk)
{
	unsigned n = c->b->ndim, slab = n - 1, k, at = 0;

	while (slab && c->step[c->by_from[slab]] == 1)
		slab--;
	for (k = 0; k < slab; k++)
		walk[at++] = (unsigned char)c->by_from[k];
	for (k = n; k-- > slab; )
		walk[at++] = (unsigned char)c->by_from[k];
}

bool box_grid(const struct box *b, size_t most, bool forwards,
	      struct ferry_grid *out)
{
	struct cut c = { .b = b, .n = 1, .most = most / b->esize };
	unsigned i;

	if (!is_crossed(b, forwards) || !c.most)
		return false;
	box_sort(b, c.by_from);
	for (i = 0; i < b->ndim; i++) {
		c.by_to[i] = b->ndim - 1 - i;
		c.step[i] = 1;
		out->walk[i] = (unsigned char)i;
	}
	if (forwards) {
		cut_slabs(&c);
		walk_forwards(&c, out->walk);
	} else {
		cut_tiles(&c);
		even_out(&c);
	}
	out->ndim = b->ndim;
	out->in_order = forwards;
	for (i = 0; i < b->ndim; i++) {
		out->shape[i] = b->axis[i].count;
		out->step[i] = c.step[i];
	}
	out->shape[b->ndim - 1] *= b->esize;
	out->step[b->ndim - 1] *= b->esize;
	return true;
}
