/*
 * Bulk data into a sink: shared extents first, then pieces of what is left,
 * handed out to threads.
 */
#include "config.h"

#include "core/io/transfer.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include <ferry/sys/alloc.h>
#include <ferry/sys/ckd.h>

#include "core/io/thread.h"

#define MEMORY_DEFAULT (UINT64_C(256) << 20)
#define BUFFER_NBYTES ((size_t)512 << 10)
#define BUFFER_MIN ((size_t)64 << 10)
/* Larger ranges gain nothing from company. */
#define GATHER_BELOW ((uint64_t)BUFFER_MIN)
/* Runs in blocks of the least are some pages long; those of the most are long
 * enough.  What all threads hold at a time is to be little, if it can. */
#define BLOCK_MIN ((size_t)2 << 20)
#define BLOCK_MAX ((size_t)16 << 20)
#define BLOCKS_NBYTES ((size_t)32 << 20)
#define RESERVE_MIN (UINT64_C(8) << 20)
#define THREADS_MAX 256

/* Part of one job, or several whole ones: of one forward-only source, or small
 * and side by side. */
struct piece {
	size_t first, end;		/* jobs */
	uint64_t offset, nbytes;	/* of the only job, unless whole; or
					 * numbers of blocks */
	bool whole, gathered;
};

static void fail(struct ferry_engine *e, int code,
		 const struct ferry_error *error)
{
	pthread_mutex_lock(&e->lock);
	if (!e->code) {
		e->code = code;
		e->error = *error;
	}
	pthread_mutex_unlock(&e->lock);
	atomic_store(&e->stop, true);
}

static bool forwards(const struct ferry_portion *job)
{
	return job->load->chunk == FERRY_CHUNK_FORWARDS;
}

/* How many bytes to read at a time, within the thread's share of memory. */
static size_t step_nbytes(const struct ferry_engine *e,
			  const struct ferry_portion *job)
{
	size_t step = job->load->chunk;

	if (step == FERRY_CHUNK_FORWARDS || step < BUFFER_NBYTES)
		step = BUFFER_NBYTES;
	return step < e->buffer_max ? step : e->buffer_max;
}

/* The end of the small jobs that one write takes from `first` on. */
static size_t gather_end(const struct ferry_engine *e, size_t first)
{
	const struct ferry_portion *job = &e->jobs[first];
	uint64_t start = job->load->t->sink_offset + job->offset, at = start;

	for (; job < e->jobs + e->n; at += job++->nbytes)
		if (job->look || forwards(job) || job->nbytes >= GATHER_BELOW ||
		    job->load->t->sink_offset + job->offset != at ||
		    job->nbytes > e->gather_max - (at - start) ||
		    (size_t)(job - e->jobs) - first == FERRY_GATHER_MOST)
			break;
	return (size_t)(job - e->jobs);
}

/* A block, or all where they have an order. */
static void claim_blocks(struct ferry_engine *e,
			 const struct ferry_portion *job, struct piece *p)
{
	const struct ferry_grid *grid = job->load->grid;
	uint64_t left = ferry_grid_count(grid) - e->next_offset;

	p->end = p->first + 1;
	p->nbytes = grid->in_order ? left : 1;
	e->next_offset += p->nbytes;
	if (p->nbytes == left) {
		e->next++;
		e->next_offset = 0;
	}
}

static bool claim(struct ferry_engine *e, struct piece *p)
{
	const struct ferry_portion *job;
	uint64_t left, most;
	bool more;

	pthread_mutex_lock(&e->lock);
	more = e->next < e->n && !e->code;
	if (!more)
		goto out;
	job = &e->jobs[e->next];
	p->first = e->next;
	p->offset = e->next_offset;
	p->whole = forwards(job);
	p->gathered = false;
	if (job->load->grid) {
		claim_blocks(e, job, p);
		goto out;
	}
	if (p->whole) {
		while (++e->next < e->n && e->jobs[e->next].load->t->source ==
					   job->load->t->source)
			;
		p->end = e->next;
		goto out;
	}
	p->end = p->offset ? p->first : gather_end(e, p->first);
	p->gathered = p->end > p->first + 1;
	if (p->gathered) {
		e->next = p->end;
		goto out;
	}
	left = job->nbytes - p->offset;
	most = step_nbytes(e, job);
	if (most < FERRY_PIECE_NBYTES)
		most = FERRY_PIECE_NBYTES / most * most;
	p->nbytes = left < most ? left : most;
	p->end = p->first + 1;
	e->next_offset += p->nbytes;
	if (p->nbytes == left) {
		e->next++;
		e->next_offset = 0;
	}
out:
	pthread_mutex_unlock(&e->lock);
	return more;
}

static int carry_piece(struct ferry_carrier *w, const struct piece *p,
		       struct ferry_error *err)
{
	struct ferry_engine *e = w->engine;
	size_t i;
	int code = 0;

	if (p->gathered)
		return ferry_carrier_gather(w, &e->jobs[p->first],
					    p->end - p->first, err);
	if (e->jobs[p->first].load->grid)
		return ferry_carrier_blocks(w, &e->jobs[p->first], p->offset,
					    p->nbytes, err);
	for (i = p->first; !code && i < p->end; i++) {
		const struct ferry_portion *job = &e->jobs[i];

		code = ferry_carrier_carry(w, job, job->offset +
					   (p->whole ? 0 : p->offset),
					   p->whole ? job->nbytes : p->nbytes,
					   step_nbytes(e, job), err);
	}
	return code;
}

static void *work_on(void *arg)
{
	struct ferry_error error = FERRY_ERROR_INIT;
	struct ferry_carrier *w = arg;
	struct piece p = { 0 };
	int code;

	while (claim(w->engine, &p)) {
		code = carry_piece(w, &p, &error);
		if (code) {
			fail(w->engine, code, &error);
			break;
		}
	}
	ferry_carrier_release(w);
	return NULL;
}

static unsigned n_threads(const struct ferry_engine *e, uint64_t nbytes)
{
	uint64_t most = nbytes / (FERRY_PIECE_NBYTES / 2) + 1;
	unsigned n = e->work->threads ? e->work->threads : ferry_core_count();

	if (n > THREADS_MAX)
		n = THREADS_MAX;
	return most < n ? (unsigned)most : n;
}

static int plan_blocks(struct ferry_engine *e, unsigned n_threads,
		       struct ferry_error *err)
{
	size_t i;
	int code = 0;

	e->block_max = BLOCKS_NBYTES / n_threads;
	if (e->block_max < BLOCK_MIN)
		e->block_max = BLOCK_MIN;
	if (e->block_max > BLOCK_MAX)
		e->block_max = BLOCK_MAX;
	if (e->block_max > e->buffer_max)
		e->block_max = e->buffer_max;
	for (i = 0; i < e->n && !code; i++)
		if (e->jobs[i].nbytes >= GATHER_BELOW)
			code = ferry_carrier_plan(e, &e->jobs[i], err);
	return code;
}

/* Fewer threads than wanted, down to the caller's own, still do all. */
static int run(struct ferry_engine *e, uint64_t nbytes, struct ferry_error *err)
{
	uint64_t memory = e->work->max_memory;
	unsigned n = n_threads(e, nbytes);
	struct ferry_carrier *workers;
	unsigned i;
	int code;

	if (!memory)
		memory = MEMORY_DEFAULT;
	if (memory / 2 / n < BUFFER_MIN)
		n = memory / 2 < BUFFER_MIN ? 1 :
		    (unsigned)(memory / 2 / BUFFER_MIN);
	/*
	 * Writers of one file queue for its lock at every 64 KiB that the
	 * kernel copies by itself, which costs more than it saves, unless a
	 * server does the work.
	 */
	atomic_init(&e->kernel_copy, !e->work->no_clone &&
		    (n == 1 || ferry_sink_is_remote(e->sink)));
	e->buffer_max = memory / 2 / n < BUFFER_MIN ? BUFFER_MIN :
			(size_t)(memory / 2 / n);
	e->gather_max = (e->buffer_max < BUFFER_NBYTES ? e->buffer_max :
			 BUFFER_NBYTES) / 2;
	code = plan_blocks(e, n, err);
	if (code)
		return code;
	workers = ferry_alloc_zero(n, sizeof(*workers));
	if (!workers)
		return ferry_fail_nomem(err, "worker threads");
	for (i = 0; i < n; i++)
		workers[i].engine = e;
	for (i = 1; i < n; i++)
		if (ferry_thread_start(&workers[i].thread, work_on,
				       &workers[i]))
			workers[i].engine = NULL;
	workers[0].calling = true;
	work_on(&workers[0]);
	for (i = 1; i < n; i++)
		if (workers[i].engine)
			pthread_join(workers[i].thread, NULL);
	e->work->done += atomic_exchange(&e->done, 0);
	ferry_carrier_report(&workers[0], true);
	ferry_alloc_free(workers);
	if (e->code && err && !err->code)
		*err = e->error;
	return e->code;
}

static void add_job(struct ferry_engine *e, struct ferry_load *l,
		    uint64_t offset, uint64_t nbytes, bool look)
{
	if (nbytes)
		e->jobs[e->n++] = (struct ferry_portion){
			l, offset, nbytes, look
		};
}

/* Share what can be shared; what can't becomes jobs, three at the most. */
static void share(struct ferry_engine *e, struct ferry_load *l)
{
	const struct ferry_transfer *t = l->t;
	uint64_t from, head, tail;
	int fd;

	if (!ferry_source_file_range(t->source, t->source_offset, t->nbytes,
				     &fd, &from) ||
	    !ferry_sink_clone(e->sink, fd, from, t->nbytes, t->sink_offset,
			      &head, &tail)) {
		add_job(e, l, 0, t->nbytes, false);
		return;
	}
	add_job(e, l, 0, head, false);
	if (l->must_compute)
		add_job(e, l, head, t->nbytes - head - tail, true);
	else
		atomic_fetch_add(&e->done, t->nbytes - head - tail);
	add_job(e, l, t->nbytes - tail, tail, false);
}

static void prepare_crc(struct ferry_load *l)
{
	struct ferry_transfer *t = l->t;
	bool known;

	t->crc32_differs = false;
	known = ((t->want_crc32 && t->trust_crc32) || t->check_crc32) &&
		ferry_source_crc32(t->source, t->source_offset, t->nbytes,
				   &l->recorded);
	l->must_compute = t->want_crc32 && !(known && t->trust_crc32);
	l->may_compare = known;
	if (t->want_crc32)
		t->crc32 = l->must_compute ? 0 : l->recorded;
}

/* All is carried: what is known of the CRC now. */
static void conclude_crc(struct ferry_load *l)
{
	struct ferry_transfer *t = l->t;

	if (!(l->must_compute || l->may_compare) ||
	    atomic_load(&l->seen) != t->nbytes)
		return;
	if (t->want_crc32)
		t->crc32 = l->crc;
	t->crc32_differs = l->may_compare && l->crc != l->recorded;
}

static int prepare_transfer(struct ferry_engine *e, struct ferry_load *l,
			    uint64_t *total, struct ferry_error *err)
{
	struct ferry_transfer *t = l->t;
	uint64_t end;

	if (ferry_ckd_outside(t->source_offset, t->nbytes, t->source->nbytes))
		return ferry_source_read(t->source, NULL, t->source_offset,
					 (size_t)t->nbytes, err);
	if (ferry_ckd_add(&end, t->sink_offset, t->nbytes) ||
	    end > INT64_MAX || ferry_ckd_add(total, *total, t->nbytes))
		return ferry_sink_fail(e->sink, EFBIG, t->nbytes,
				       t->sink_offset, err);
	l->chunk = ferry_source_chunk(t->source);
	prepare_crc(l);
	if (e->sink->end < end && t->nbytes)
		e->sink->end = end;
	return 0;
}

/* Jobs of forward-only sources come first, each source's in reading order. */
static int by_source(const void *a, const void *b)
{
	const struct ferry_portion *x = a, *y = b;
	const struct ferry_transfer *tx = x->load->t, *ty = y->load->t;
	bool fx = forwards(x), fy = forwards(y);

	if (fx != fy)
		return fx ? -1 : 1;
	if (fx && tx->source != ty->source)
		return (uintptr_t)tx->source < (uintptr_t)ty->source ? -1 : 1;
	if (fx && tx->source_offset != ty->source_offset)
		return tx->source_offset < ty->source_offset ? -1 : 1;
	if (tx != ty)
		return tx < ty ? -1 : 1;
	return x->offset < y->offset ? -1 : x->offset > y->offset;
}

static void arrange(struct ferry_engine *e)
{
	size_t i;

	for (i = 0; i < e->n && !forwards(&e->jobs[i]); i++)
		;
	if (i < e->n)
		qsort(e->jobs, e->n, sizeof(*e->jobs), by_source);
}

/* Nothing is taken in advance where extents are shared or the gaps are wide. */
static int reserve_space(struct ferry_engine *e, uint64_t nbytes,
			 struct ferry_error *err)
{
	uint64_t first = UINT64_MAX, end = 0;
	size_t i;

	if (nbytes < RESERVE_MIN || e->sink->clone_works)
		return 0;
	for (i = 0; i < e->n; i++) {
		const struct ferry_transfer *t = e->jobs[i].load->t;

		if (first > t->sink_offset)
			first = t->sink_offset;
		if (end < t->sink_offset + t->nbytes)
			end = t->sink_offset + t->nbytes;
	}
	if ((end - first) / 8 * 7 > nbytes)
		return 0;
	return ferry_sink_reserve(e->sink, first, end - first, err);
}

static int transfer_loads(struct ferry_engine *e, size_t n, uint64_t total,
			  struct ferry_error *err)
{
	uint64_t left = 0;
	size_t i;
	int code = 0;

	if (e->work->total < e->work->done + total)
		e->work->total = e->work->done + total;
	for (i = 0; i < n && !code; i++) {
		share(e, &e->loads[i]);
		code = ferry_work_check(e->work, err);
	}
	for (i = 0; i < e->n; i++)
		left += e->jobs[i].nbytes;
	if (!code)
		code = reserve_space(e, left, err);
	arrange(e);
	if (!code)
		code = run(e, left, err);
	for (i = 0; i < n && !code; i++)
		conclude_crc(&e->loads[i]);
	return code;
}

int ferry_sink_transfer(struct ferry_sink *s, struct ferry_transfer *t,
			size_t n, struct ferry_error *err)
{
	struct ferry_engine e = { .sink = s, .work = ferry_sink_work(s) };
	int code = ferry_sink_flush(s, err);
	uint64_t total = 0;
	size_t i;

	if (!code)
		code = ferry_sink_wake(s, err);
	if (code || !n)
		return code;
	e.loads = ferry_alloc_zero(n, sizeof(*e.loads));
	e.jobs = n > SIZE_MAX / 3 ? NULL :
		 ferry_alloc_zero(3 * n, sizeof(*e.jobs));
	if (!e.loads || !e.jobs)
		code = ferry_fail_nomem(err, "a list of transfers");
	for (i = 0; !code && i < n; i++) {
		e.loads[i].t = &t[i];
		code = prepare_transfer(&e, &e.loads[i], &total, err);
	}
	if (!code) {
		pthread_mutex_init(&e.lock, NULL);
		code = transfer_loads(&e, n, total, err);
		pthread_mutex_destroy(&e.lock);
	}
	for (i = 0; e.loads && i < n; i++)
		ferry_alloc_free(e.loads[i].grid);
	ferry_alloc_free(e.jobs);
	ferry_alloc_free(e.loads);
	return code;
}
