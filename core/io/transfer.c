/*
 * Bulk data into a sink: shared extents first, then pieces of what is left,
 * handed out to threads.
 */
#include "config.h"

#include "core/io/output.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <ferry/sys/alloc.h>
#include <ferry/sys/ckd.h>

#define MEMORY_DEFAULT (UINT64_C(256) << 20)
#define BUFFER_NBYTES ((size_t)512 << 10)
#define BUFFER_MIN ((size_t)64 << 10)
#define PIECE_NBYTES (UINT64_C(8) << 20)
#define RESERVE_MIN (UINT64_C(8) << 20)
#define THREADS_MAX 256
#define PROGRESS_NS INT64_C(100000000)

/* What is to be done of a transfer: all, or an edge of what was shared. */
struct job {
	struct ferry_transfer *t;
	uint64_t offset, nbytes;	/* in the transfer */
};

struct engine {
	struct ferry_sink *sink;
	struct ferry_work *work;
	struct job *jobs;
	size_t n;
	size_t buffer_max;		/* per thread */
	atomic_bool kernel_copy;	/* copy_file_range still works */
	atomic_bool stop;
	_Atomic uint64_t done;

	pthread_mutex_t lock;		/* of what follows */
	size_t next;			/* job */
	uint64_t next_offset;		/* in that job */
	int code;
	struct ferry_error error;
};

/* Part of one job, or (whole) several jobs of one forward-only source. */
struct piece {
	size_t first, end;		/* jobs */
	uint64_t offset, nbytes;	/* of the only job, unless whole */
	bool whole;
};

struct worker {
	struct engine *engine;
	pthread_t thread;
	bool calling;			/* the caller's own thread */
	unsigned char *buffer;
	size_t cap;
	int64_t reported_ns;
};

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void fail(struct engine *e, int code, const struct ferry_error *error)
{
	pthread_mutex_lock(&e->lock);
	if (!e->code) {
		e->code = code;
		e->error = *error;
	}
	pthread_mutex_unlock(&e->lock);
	atomic_store(&e->stop, true);
}

static void report(struct worker *w, bool always)
{
	struct ferry_work *work = w->engine->work;
	uint64_t done = work->done + atomic_load(&w->engine->done);
	int64_t now;

	if (!work->progress)
		return;
	now = now_ns();
	if (!always && now - w->reported_ns < PROGRESS_NS)
		return;
	w->reported_ns = now;
	work->progress(work->progress_ctx, done, work->total);
}

/* After every buffer: count, tell, and see whether to go on. */
static int advance(struct worker *w, uint64_t n, struct ferry_error *err)
{
	struct engine *e = w->engine;

	atomic_fetch_add_explicit(&e->done, n, memory_order_relaxed);
	if (w->calling)
		report(w, false);
	return ferry_work_check(e->work, err);
}

static int reserve(struct worker *w, size_t n, struct ferry_error *err)
{
	if (n <= w->cap)
		return 0;
	ferry_alloc_free(w->buffer);
	w->cap = 0;
	w->buffer = ferry_alloc(n);
	if (!w->buffer)
		return ferry_fail_nomem(err, "a copy buffer");
	w->cap = n;
	return 0;
}

/* One more range of the sink is written. */
static void written(struct worker *w, uint64_t offset, uint64_t n)
{
	if (!w->engine->work->no_sync)
		ferry_sink_write_back(w->engine->sink, offset, n);
}

static bool must_compute(const struct ferry_transfer *t)
{
	return t->want_crc32 && !t->trust_crc32;
}

/* Through memory; the CRC of the piece on its own goes to *crc. */
static int carry_data(struct worker *w, struct ferry_transfer *t,
		      uint64_t offset, uint64_t nbytes, size_t step,
		      uint32_t *crc, struct ferry_error *err)
{
	uint64_t from = t->source_offset + offset;
	uint64_t to = t->sink_offset + offset;
	const void *data;
	size_t n;
	int code;

	while (nbytes && !atomic_load(&w->engine->stop)) {
		n = nbytes < step ? (size_t)nbytes : step;
		data = ferry_source_memory(t->source, from, n);
		if (!data) {
			code = reserve(w, step, err);
			if (!code)
				code = ferry_source_read(t->source, w->buffer,
							 from, n, err);
			if (code)
				return code;
			data = w->buffer;
		}
		if (crc)
			*crc = ferry_crc32(*crc, data, n);
		code = ferry_sink_put(w->engine->sink, data, n, to, err);
		if (!code)
			code = advance(w, n, err);
		if (code)
			return code;
		written(w, to, n);
		from += n;
		to += n;
		nbytes -= n;
	}
	return 0;
}

static bool not_for_these_files(int e)
{
	return e == EXDEV || e == EINVAL || e == ENOSYS || e == EOPNOTSUPP ||
	       e == EBADF || e == ETXTBSY || e == EPERM || e == EACCES;
}

/*
 * Let the kernel copy as much as it will: *done bytes.  What is left, at
 * whatever cause but a failed write, is for carry_data(), whose errors know
 * which side they are about.
 */
static int carry_kernel(struct worker *w, int fd, uint64_t from, uint64_t to,
			uint64_t nbytes, uint64_t *done,
			struct ferry_error *err)
{
	struct engine *e = w->engine;
	loff_t in = (loff_t)from, out = (loff_t)to;
	ssize_t n;
	int code;

	*done = 0;
	while (*done < nbytes && !atomic_load(&e->stop)) {
		n = copy_file_range(fd, &in, e->sink->fd, &out, nbytes - *done <
				    PIECE_NBYTES ? nbytes - *done :
				    PIECE_NBYTES, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && not_for_these_files(errno))
			atomic_store(&e->kernel_copy, false);
		if (n < 0 && (errno == ENOSPC || errno == EDQUOT))
			return ferry_sink_fail(e->sink, errno, nbytes - *done,
					       (uint64_t)out, err);
		if (n <= 0)
			return 0;
		*done += (uint64_t)n;
		written(w, (uint64_t)out - (uint64_t)n, (uint64_t)n);
		code = advance(w, (uint64_t)n, err);
		if (code)
			return code;
	}
	return 0;
}

static int carry(struct worker *w, struct ferry_transfer *t, uint64_t offset,
		 uint64_t nbytes, size_t step, struct ferry_error *err)
{
	uint32_t crc = 0, *want = must_compute(t) ? &crc : NULL;
	uint64_t from, done = 0;
	int code = 0;
	int fd;

	if (!want && atomic_load(&w->engine->kernel_copy) &&
	    ferry_source_file_range(t->source, t->source_offset + offset,
				    nbytes, &fd, &from))
		code = carry_kernel(w, fd, from, t->sink_offset + offset,
				    nbytes, &done, err);
	if (!code && done < nbytes)
		code = carry_data(w, t, offset + done, nbytes - done, step,
				  want, err);
	if (!code && want)
		__atomic_fetch_xor(&t->crc32,
				   ferry_crc32_combine(crc, 0, t->nbytes -
						       offset - nbytes),
				   __ATOMIC_RELAXED);
	return code;
}

static bool forwards(const struct ferry_transfer *t)
{
	return ferry_source_chunk(t->source) == FERRY_CHUNK_FORWARDS;
}

/* How many bytes to read at a time, within the thread's share of memory. */
static size_t step_nbytes(const struct engine *e,
			  const struct ferry_transfer *t)
{
	size_t step = ferry_source_chunk(t->source);

	if (step == FERRY_CHUNK_FORWARDS || step < BUFFER_NBYTES)
		step = BUFFER_NBYTES;
	return step < e->buffer_max ? step : e->buffer_max;
}

static bool claim(struct engine *e, struct piece *p)
{
	const struct job *job;
	uint64_t left, most;
	bool more;

	pthread_mutex_lock(&e->lock);
	more = e->next < e->n && !e->code;
	if (!more)
		goto out;
	job = &e->jobs[e->next];
	p->first = e->next;
	p->offset = e->next_offset;
	p->whole = forwards(job->t);
	if (p->whole) {
		while (++e->next < e->n &&
		       e->jobs[e->next].t->source == job->t->source)
			;
		p->end = e->next;
		goto out;
	}
	left = job->nbytes - p->offset;
	most = step_nbytes(e, job->t);
	if (most < PIECE_NBYTES)
		most = PIECE_NBYTES / most * most;
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

static int carry_piece(struct worker *w, const struct piece *p,
		       struct ferry_error *err)
{
	struct engine *e = w->engine;
	size_t i;
	int code = 0;

	for (i = p->first; !code && i < p->end; i++) {
		const struct job *job = &e->jobs[i];

		code = carry(w, job->t,
			     job->offset + (p->whole ? 0 : p->offset),
			     p->whole ? job->nbytes : p->nbytes,
			     step_nbytes(e, job->t), err);
	}
	return code;
}

static void *work_on(void *arg)
{
	struct ferry_error error = FERRY_ERROR_INIT;
	struct worker *w = arg;
	struct piece p = { 0 };
	int code;

	while (claim(w->engine, &p)) {
		code = carry_piece(w, &p, &error);
		if (code) {
			fail(w->engine, code, &error);
			break;
		}
	}
	ferry_alloc_free(w->buffer);
	return NULL;
}

static unsigned n_threads(const struct engine *e, uint64_t nbytes)
{
	uint64_t most = nbytes / (PIECE_NBYTES / 2) + 1;
	long cores = e->work->threads;

	if (!cores)
		cores = sysconf(_SC_NPROCESSORS_ONLN);
	if (cores < 1)
		cores = 1;
	if (cores > THREADS_MAX)
		cores = THREADS_MAX;
	return most < (uint64_t)cores ? (unsigned)most : (unsigned)cores;
}

/* Signals are the calling thread's business. */
static void start(struct worker *w)
{
	sigset_t all, old;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	if (pthread_create(&w->thread, NULL, work_on, w))
		w->engine = NULL;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
}

/* Fewer threads than wanted, down to the caller's own, still do all. */
static int run(struct engine *e, uint64_t nbytes, struct ferry_error *err)
{
	uint64_t memory = e->work->max_memory;
	unsigned n = n_threads(e, nbytes);
	struct worker *workers;
	unsigned i;

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
	workers = ferry_alloc_zero(n, sizeof(*workers));
	if (!workers)
		return ferry_fail_nomem(err, "worker threads");
	for (i = 0; i < n; i++)
		workers[i].engine = e;
	for (i = 1; i < n; i++)
		start(&workers[i]);
	workers[0].calling = true;
	work_on(&workers[0]);
	for (i = 1; i < n; i++)
		if (workers[i].engine)
			pthread_join(workers[i].thread, NULL);
	e->work->done += atomic_exchange(&e->done, 0);
	report(&workers[0], true);
	ferry_alloc_free(workers);
	if (e->code && err && !err->code)
		*err = e->error;
	return e->code;
}

static void add_job(struct engine *e, struct ferry_transfer *t,
		    uint64_t offset, uint64_t nbytes)
{
	if (nbytes)
		e->jobs[e->n++] = (struct job){ t, offset, nbytes };
}

/* Share what can be shared; what can't becomes jobs, two at the most. */
static void share(struct engine *e, struct ferry_transfer *t)
{
	uint64_t from, head, tail;
	int fd;

	if (must_compute(t) ||
	    !ferry_source_file_range(t->source, t->source_offset, t->nbytes,
				     &fd, &from) ||
	    !ferry_sink_clone(e->sink, fd, from, t->nbytes, t->sink_offset,
			      &head, &tail)) {
		add_job(e, t, 0, t->nbytes);
		return;
	}
	atomic_fetch_add(&e->done, t->nbytes - head - tail);
	add_job(e, t, 0, head);
	add_job(e, t, t->nbytes - tail, tail);
}

static int prepare_transfer(struct engine *e, struct ferry_transfer *t,
			    uint64_t *total, struct ferry_error *err)
{
	uint64_t end;

	if (ferry_ckd_outside(t->source_offset, t->nbytes, t->source->nbytes))
		return ferry_source_read(t->source, NULL, t->source_offset,
					 (size_t)t->nbytes, err);
	if (ferry_ckd_add(&end, t->sink_offset, t->nbytes) ||
	    end > INT64_MAX || ferry_ckd_add(total, *total, t->nbytes))
		return ferry_sink_fail(e->sink, EFBIG, t->nbytes,
				       t->sink_offset, err);
	t->trust_crc32 = t->trust_crc32 && t->want_crc32 &&
			 ferry_source_crc32(t->source, t->source_offset,
					    t->nbytes, &t->crc32);
	if (must_compute(t))
		t->crc32 = 0;
	if (e->sink->end < end && t->nbytes)
		e->sink->end = end;
	return 0;
}

/* Jobs of forward-only sources come first, each source's in reading order. */
static int by_source(const void *a, const void *b)
{
	const struct job *x = a, *y = b;
	bool fx = forwards(x->t), fy = forwards(y->t);

	if (fx != fy)
		return fx ? -1 : 1;
	if (fx && x->t->source != y->t->source)
		return (uintptr_t)x->t->source < (uintptr_t)y->t->source ?
		       -1 : 1;
	if (fx && x->t->source_offset != y->t->source_offset)
		return x->t->source_offset < y->t->source_offset ? -1 : 1;
	if (x->t != y->t)
		return x->t < y->t ? -1 : 1;
	return x->offset < y->offset ? -1 : x->offset > y->offset;
}

static void arrange(struct engine *e)
{
	size_t i;

	for (i = 0; i < e->n && !forwards(e->jobs[i].t); i++)
		;
	if (i < e->n)
		qsort(e->jobs, e->n, sizeof(*e->jobs), by_source);
}

/* Nothing is taken in advance where extents are shared or the gaps are wide. */
static int reserve_space(struct engine *e, uint64_t nbytes,
			 struct ferry_error *err)
{
	uint64_t first = UINT64_MAX, end = 0;
	size_t i;

	if (nbytes < RESERVE_MIN || e->sink->clone_works)
		return 0;
	for (i = 0; i < e->n; i++) {
		const struct ferry_transfer *t = e->jobs[i].t;

		if (first > t->sink_offset)
			first = t->sink_offset;
		if (end < t->sink_offset + t->nbytes)
			end = t->sink_offset + t->nbytes;
	}
	if ((end - first) / 8 * 7 > nbytes)
		return 0;
	return ferry_sink_reserve(e->sink, first, end - first, err);
}

int ferry_sink_transfer(struct ferry_sink *s, struct ferry_transfer *t,
			size_t n, struct ferry_error *err)
{
	struct engine e = { .sink = s, .work = ferry_sink_work(s) };
	int code = ferry_sink_flush(s, err);
	uint64_t total = 0, left = 0;
	size_t i;

	for (i = 0; !code && i < n; i++)
		code = prepare_transfer(&e, &t[i], &total, err);
	if (code || !n)
		return code;
	e.jobs = n > SIZE_MAX / 2 ? NULL :
		 ferry_alloc_zero(2 * n, sizeof(*e.jobs));
	if (!e.jobs)
		return ferry_fail_nomem(err, "a list of transfers");
	pthread_mutex_init(&e.lock, NULL);
	if (e.work->total < e.work->done + total)
		e.work->total = e.work->done + total;
	for (i = 0; i < n && !code; i++) {
		share(&e, &t[i]);
		code = ferry_work_check(e.work, err);
	}
	for (i = 0; i < e.n; i++)
		left += e.jobs[i].nbytes;
	if (!code)
		code = reserve_space(&e, left, err);
	arrange(&e);
	if (!code)
		code = run(&e, left, err);
	pthread_mutex_destroy(&e.lock);
	ferry_alloc_free(e.jobs);
	return code;
}
