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

/* A transfer under way. */
struct load {
	struct ferry_transfer *t;
	size_t chunk;			/* what its source asks for */
	bool must_compute;		/* its CRC: all bytes are to be seen */
	bool may_compare;		/* with recorded, if all were seen */
	uint32_t recorded;
	uint32_t crc;			/* of the seen bytes, atomic */
	_Atomic uint64_t seen;
};

/* What is to be done of a load: all, or an edge of what was shared, or what
 * was shared, which is only to be looked at for its CRC. */
struct job {
	struct load *load;
	uint64_t offset, nbytes;	/* in the transfer */
	bool look;
};

struct engine {
	struct ferry_sink *sink;
	struct ferry_work *work;
	struct load *loads;
	struct job *jobs;
	size_t n;			/* jobs */
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

/* Through memory; the CRC of the piece on its own goes to *crc. */
static int carry_data(struct worker *w, const struct ferry_transfer *t,
		      uint64_t offset, uint64_t nbytes, size_t step, bool look,
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
		code = look ? 0 : ferry_sink_put(w->engine->sink, data, n, to,
						 err);
		if (!code)
			code = advance(w, n, err);
		if (code)
			return code;
		if (!look)
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

static void add_crc(struct load *l, uint64_t offset, uint64_t nbytes,
		    uint32_t crc)
{
	crc = ferry_crc32_combine(crc, 0, l->t->nbytes - offset - nbytes);
	__atomic_fetch_xor(&l->crc, crc, __ATOMIC_RELAXED);
	atomic_fetch_add_explicit(&l->seen, nbytes, memory_order_relaxed);
}

static int carry(struct worker *w, const struct job *job, uint64_t offset,
		 uint64_t nbytes, size_t step, struct ferry_error *err)
{
	struct load *l = job->load;
	struct ferry_transfer *t = l->t;
	bool see = l->must_compute ||
		   (l->may_compare && job->nbytes == t->nbytes);
	uint64_t from, done = 0;
	uint32_t crc = 0;
	int code = 0;
	int fd;

	/* The kernel would not see that the bytes belie their record. */
	if (!see && atomic_load(&w->engine->kernel_copy) &&
	    ferry_source_file_range(t->source, t->source_offset + offset,
				    nbytes, &fd, &from))
		code = carry_kernel(w, fd, from, t->sink_offset + offset,
				    nbytes, &done, err);
	if (!code && done < nbytes)
		code = carry_data(w, t, offset + done, nbytes - done, step,
				  job->look, see ? &crc : NULL, err);
	if (!code && see && !done)
		add_crc(l, offset, nbytes, crc);
	return code;
}

static bool forwards(const struct job *job)
{
	return job->load->chunk == FERRY_CHUNK_FORWARDS;
}

/* How many bytes to read at a time, within the thread's share of memory. */
static size_t step_nbytes(const struct engine *e, const struct job *job)
{
	size_t step = job->load->chunk;

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
	p->whole = forwards(job);
	if (p->whole) {
		while (++e->next < e->n && e->jobs[e->next].load->t->source ==
					   job->load->t->source)
			;
		p->end = e->next;
		goto out;
	}
	left = job->nbytes - p->offset;
	most = step_nbytes(e, job);
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

		code = carry(w, job, job->offset + (p->whole ? 0 : p->offset),
			     p->whole ? job->nbytes : p->nbytes,
			     step_nbytes(e, job), err);
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

static void add_job(struct engine *e, struct load *l, uint64_t offset,
		    uint64_t nbytes, bool look)
{
	if (nbytes)
		e->jobs[e->n++] = (struct job){ l, offset, nbytes, look };
}

/* Share what can be shared; what can't becomes jobs, three at the most. */
static void share(struct engine *e, struct load *l)
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

static void prepare_crc(struct load *l)
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
static void conclude_crc(struct load *l)
{
	struct ferry_transfer *t = l->t;

	if (!(l->must_compute || l->may_compare) ||
	    atomic_load(&l->seen) != t->nbytes)
		return;
	if (t->want_crc32)
		t->crc32 = l->crc;
	t->crc32_differs = l->may_compare && l->crc != l->recorded;
}

static int prepare_transfer(struct engine *e, struct load *l,
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
	const struct job *x = a, *y = b;
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

static void arrange(struct engine *e)
{
	size_t i;

	for (i = 0; i < e->n && !forwards(&e->jobs[i]); i++)
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

static int transfer_loads(struct engine *e, size_t n, uint64_t total,
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
	struct engine e = { .sink = s, .work = ferry_sink_work(s) };
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
	ferry_alloc_free(e.jobs);
	ferry_alloc_free(e.loads);
	return code;
}
