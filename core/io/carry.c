/* Bytes from their source into a sink: by the kernel or through memory. */
#include "config.h"

#include "core/io/transfer.h"

#include <errno.h>
#include <time.h>
#include <unistd.h>

#include <ferry/sys/alloc.h>

#define PROGRESS_NS INT64_C(100000000)

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

void ferry_carrier_report(struct ferry_carrier *w, bool always)
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
int ferry_carrier_advance(struct ferry_carrier *w, uint64_t n,
			  struct ferry_error *err)
{
	struct ferry_engine *e = w->engine;

	atomic_fetch_add_explicit(&e->done, n, memory_order_relaxed);
	if (w->calling)
		ferry_carrier_report(w, false);
	return ferry_work_check(e->work, err);
}

int ferry_carrier_reserve(struct ferry_carrier *w, size_t n,
			  struct ferry_error *err)
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
void ferry_carrier_written(struct ferry_carrier *w, uint64_t offset, uint64_t n)
{
	if (!w->engine->work->no_sync)
		ferry_sink_write_back(w->engine->sink, offset, n);
}

/* Through memory; the CRC of the piece on its own goes to *crc. */
static int carry_data(struct ferry_carrier *w, const struct ferry_transfer *t,
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
			code = ferry_carrier_reserve(w, step, err);
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
			code = ferry_carrier_advance(w, n, err);
		if (code)
			return code;
		if (!look)
			ferry_carrier_written(w, to, n);
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
static int carry_kernel(struct ferry_carrier *w, int fd, uint64_t from,
			uint64_t to, uint64_t nbytes, uint64_t *done,
			struct ferry_error *err)
{
	struct ferry_engine *e = w->engine;
	loff_t in = (loff_t)from, out = (loff_t)to;
	ssize_t n;
	int code;

	*done = 0;
	while (*done < nbytes && !atomic_load(&e->stop)) {
		n = copy_file_range(fd, &in, e->sink->fd, &out, nbytes - *done <
				    FERRY_PIECE_NBYTES ? nbytes - *done :
				    FERRY_PIECE_NBYTES, 0);
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
		ferry_carrier_written(w, (uint64_t)out - (uint64_t)n,
				      (uint64_t)n);
		code = ferry_carrier_advance(w, (uint64_t)n, err);
		if (code)
			return code;
	}
	return 0;
}

void ferry_carrier_add_crc(struct ferry_load *l, uint64_t offset,
			   uint64_t nbytes, uint32_t crc)
{
	crc = ferry_crc32_combine(crc, 0, l->t->nbytes - offset - nbytes);
	__atomic_fetch_xor(&l->crc, crc, __ATOMIC_RELAXED);
	atomic_fetch_add_explicit(&l->seen, nbytes, memory_order_relaxed);
}

/* The CRC of bytes on their way is wanted, or can be compared. */
bool ferry_carrier_sees(const struct ferry_portion *job)
{
	const struct ferry_load *l = job->load;

	return l->must_compute ||
	       (l->may_compare && job->nbytes == l->t->nbytes);
}

int ferry_carrier_carry(struct ferry_carrier *w,
			const struct ferry_portion *job, uint64_t offset,
			uint64_t nbytes, size_t step, struct ferry_error *err)
{
	struct ferry_load *l = job->load;
	struct ferry_transfer *t = l->t;
	bool see = ferry_carrier_sees(job);
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
		ferry_carrier_add_crc(l, offset, nbytes, crc);
	return code;
}

/* Lay the jobs' bytes one behind the other; *nbytes in all. */
static int collect(struct ferry_carrier *w, const struct ferry_portion *jobs,
		   size_t n, size_t *nbytes, struct ferry_error *err)
{
	size_t cap = w->engine->gather_max;
	size_t i, at = 0;

	for (i = 0; i < n; i++) {
		const struct ferry_transfer *t = jobs[i].load->t;

		w->fragments[i] = (struct ferry_fragment){
			.source = t->source,
			.offset = t->source_offset + jobs[i].offset,
			.n = (size_t)jobs[i].nbytes,
			.to = w->buffer + at,
		};
		at += w->fragments[i].n;
	}
	*nbytes = at;
	return ferry_fragments_read(w->fragments, n, w->buffer + cap, cap,
				    err);
}

/* Each job's bytes have a CRC of their own. */
static void see(const struct ferry_portion *jobs, size_t n,
		const unsigned char *data)
{
	size_t i;

	for (i = 0; i < n; data += jobs[i++].nbytes)
		if (ferry_carrier_sees(&jobs[i]))
			ferry_carrier_add_crc(jobs[i].load, jobs[i].offset,
				jobs[i].nbytes,
				ferry_crc32(0, data, (size_t)jobs[i].nbytes));
}

int ferry_carrier_gather(struct ferry_carrier *w,
			 const struct ferry_portion *jobs, size_t n,
			 struct ferry_error *err)
{
	uint64_t to = jobs[0].load->t->sink_offset + jobs[0].offset;
	size_t nbytes = 0;
	int code = ferry_carrier_reserve(w, 2 * w->engine->gather_max, err);

	if (!code && !w->fragments)
		w->fragments = ferry_alloc_zero(FERRY_GATHER_MOST,
						sizeof(*w->fragments));
	if (!code && !w->fragments)
		code = ferry_fail_nomem(err, "a list of small ranges");
	if (!code)
		code = collect(w, jobs, n, &nbytes, err);
	if (code || atomic_load(&w->engine->stop))
		return code;
	see(jobs, n, w->buffer);
	code = ferry_sink_put(w->engine->sink, w->buffer, nbytes, to, err);
	if (!code)
		code = ferry_carrier_advance(w, nbytes, err);
	if (!code)
		ferry_carrier_written(w, to, nbytes);
	return code;
}

void ferry_carrier_release(struct ferry_carrier *w)
{
	ferry_alloc_free(w->fragments);
	ferry_alloc_free(w->buffer);
}
