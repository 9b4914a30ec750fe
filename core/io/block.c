/*
 * Bytes that come in blocks: a box of the result at a time, whose runs are
 * written each to its place.
 */
#include "config.h"

#include "core/io/transfer.h"

#include <limits.h>

#include <ferry/sys/alloc.h>

#define FLUSH_NBYTES (UINT64_C(8) << 20)

struct block {
	uint64_t first[FERRY_GRID_RANK];
	uint64_t count[FERRY_GRID_RANK];
	uint64_t stride[FERRY_GRID_RANK];	/* bytes of the result */
	unsigned outer;		/* dimensions that are walked run by run */
	uint64_t offset;	/* of the first run in the result */
	uint64_t run, nbytes;
};

/* The CRC of the runs so far, with zero bytes for what is between them. */
struct sum {
	uint32_t crc, power;
	uint64_t end, n;	/* power: of n bytes */
};

static uint64_t n_steps(const struct ferry_grid *grid, unsigned i)
{
	return (grid->shape[i] - 1) / grid->step[i] + 1;
}

uint64_t ferry_grid_count(const struct ferry_grid *grid)
{
	uint64_t n = 1;
	unsigned i;

	for (i = 0; i < grid->ndim; i++)
		n *= n_steps(grid, i);
	return n;
}

int ferry_carrier_plan(const struct ferry_engine *e, struct ferry_portion *job,
		       struct ferry_error *err)
{
	const struct ferry_transfer *t = job->load->t;
	struct ferry_grid grid;

	if (job->look || job->nbytes != t->nbytes ||
	    !ferry_source_grid(t->source, t->source_offset, t->nbytes,
			       e->block_max, &grid))
		return 0;
	job->load->grid = ferry_alloc(sizeof(grid));
	if (!job->load->grid)
		return ferry_fail_nomem(err, "a grid");
	*job->load->grid = grid;
	return 0;
}

/* Where block `number` of the walk is. */
static void locate(const struct ferry_grid *grid, uint64_t number,
		   struct block *b)
{
	uint64_t stride = 1, left;
	unsigned i, k;

	for (k = grid->ndim; k--; ) {
		i = grid->walk[k];
		b->first[i] = number % n_steps(grid, i) * grid->step[i];
		number /= n_steps(grid, i);
		left = grid->shape[i] - b->first[i];
		b->count[i] = left < grid->step[i] ? left : grid->step[i];
	}
	b->offset = 0;
	b->nbytes = 1;
	for (i = grid->ndim; i--; ) {
		b->stride[i] = stride;
		stride *= grid->shape[i];
		b->offset += b->first[i] * b->stride[i];
		b->nbytes *= b->count[i];
	}
	b->outer = grid->ndim - 1;
	b->run = b->count[b->outer];
	while (b->outer && b->count[b->outer] == grid->shape[b->outer])
		b->run *= b->count[--b->outer];
}

static void add_run(struct sum *s, const void *data, uint64_t offset,
		    uint64_t n)
{
	uint64_t end = offset + n;

	if (s->n != end - s->end) {
		s->n = end - s->end;
		s->power = ferry_crc32_power(s->n);
	}
	s->crc = ferry_crc32_append(s->crc, ferry_crc32(0, data, n), s->power);
	s->end = end;
}

static int put_runs(struct ferry_carrier *w, const struct ferry_load *l,
		    const struct block *b, struct sum *sum,
		    struct ferry_error *err)
{
	uint64_t index[FERRY_GRID_RANK] = { 0 };
	const unsigned char *data = w->buffer;
	uint64_t at = b->offset;
	unsigned i;
	int code;

	for (;; data += b->run) {
		code = ferry_sink_put(w->engine->sink, data, b->run,
				      l->t->sink_offset + at, err);
		if (code)
			return code;
		if (sum)
			add_run(sum, data, at, b->run);
		for (i = b->outer; i--; ) {
			at += b->stride[i];
			if (++index[i] < b->count[i])
				break;
			at -= b->stride[i] * b->count[i];
			index[i] = 0;
		}
		if (i == UINT_MAX)
			return 0;
	}
}

/* All before a row of blocks was claimed before them, and is mostly written. */
static void flush(struct ferry_carrier *w, struct ferry_load *l,
		  const struct block *b)
{
	unsigned last = l->grid->ndim - 1;
	uint64_t begun = atomic_load(&l->flushed), end = b->offset;
	unsigned i;

	if (l->grid->in_order)
		return;
	for (i = b->outer; i <= last; i++)
		end -= b->first[i] * b->stride[i];
	if (!b->outer)
		end = b->offset + b->nbytes;
	if (end > begun && end - begun >= FLUSH_NBYTES &&
	    atomic_compare_exchange_strong(&l->flushed, &begun, end))
		ferry_carrier_written(w, l->t->sink_offset + begun,
				      end - begun);
}

static int carry_block(struct ferry_carrier *w, const struct ferry_portion *job,
		       uint64_t number, struct ferry_error *err)
{
	struct ferry_load *l = job->load;
	bool see = ferry_carrier_sees(job);
	struct sum sum = { 0 };
	struct block b;
	int code;

	locate(l->grid, number, &b);
	sum.end = b.offset;
	code = ferry_carrier_reserve(w, l->t->nbytes < w->engine->block_max ?
				     (size_t)l->t->nbytes :
				     w->engine->block_max, err);
	if (!code)
		code = ferry_source_read_block(l->t->source, w->buffer, b.first,
					       b.count, err);
	if (!code)
		code = put_runs(w, l, &b, see ? &sum : NULL, err);
	if (code)
		return code;
	if (see)
		ferry_carrier_add_crc(l, sum.end - b.nbytes, b.nbytes, sum.crc);
	flush(w, l, &b);
	return ferry_carrier_advance(w, b.nbytes, err);
}

int ferry_carrier_blocks(struct ferry_carrier *w,
			 const struct ferry_portion *job, uint64_t first,
			 uint64_t n, struct ferry_error *err)
{
	int code = 0;

	for (; !code && n && !atomic_load(&w->engine->stop); n--)
		code = carry_block(w, job, first++, err);
	return code;
}
