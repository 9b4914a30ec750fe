/* Bulk data into sinks: every way there is, whatever the threads do. */
#include "config.h"

#include <criterion/criterion.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <zlib.h>

#include <ferry/sys/alloc.h>
#include <ferry/sys/sink.h>

#define DATA_NBYTES ((size_t)24 << 20)
#define LEAD 100

static char dir[64];
static unsigned char *data;
static struct ferry_source *file;
static struct ferry_output *o;
static struct ferry_sink *s;

/* Bytes that were cloned, by a file system that can; SIZE_MAX: by the one there
 * is. */
static size_t n_cloned = SIZE_MAX;

static int clone_by_copy(int to, const struct file_clone_range *range)
{
	size_t n = range->src_length;
	char *all = malloc(n);
	int rc = -1;

	errno = EINVAL;
	if (!((range->src_offset | range->dest_offset | n) & 4095) && all &&
	    pread((int)range->src_fd, all, n, (off_t)range->src_offset) ==
	    (ssize_t)n &&
	    pwrite(to, all, n, (off_t)range->dest_offset) == (ssize_t)n)
		rc = 0;
	free(all);
	n_cloned += rc ? 0 : n;
	return rc;
}

/* The library calls this one. */
FERRY_API int ioctl(int fd, unsigned long request, ...)
{
	va_list args;
	void *arg;

	va_start(args, request);
	arg = va_arg(args, void *);
	va_end(args);
	if (request == FICLONERANGE && n_cloned != SIZE_MAX)
		return clone_by_copy(fd, arg);
	return (int)syscall(SYS_ioctl, fd, request, arg);
}

static char *in_dir(const char *name)
{
	static char path[160];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static void set_up(void)
{
	uint64_t x = 42;
	size_t i;
	int fd;

	snprintf(dir, sizeof(dir), "/tmp/ferry-move-XXXXXX");
	cr_assert(mkdtemp(dir));
	data = malloc(DATA_NBYTES);
	cr_assert(data);
	for (i = 0; i < DATA_NBYTES; i += 8) {
		x = x * 6364136223846793005u + 1442695040888963407u;
		memcpy(data + i, &x, 8);
	}
	fd = open(in_dir("in"), O_CREAT | O_WRONLY, 0644);
	cr_assert_geq(fd, 0);
	cr_assert_eq(write(fd, data, DATA_NBYTES), (ssize_t)DATA_NBYTES);
	close(fd);
	cr_assert_eq(ferry_source_open_file(&file, in_dir("in"), NULL), 0);
}

static void tear_down(void)
{
	char command[128];

	ferry_source_unref(file);
	free(data);
	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	cr_assert_eq(system(command), 0);
}

TestSuite(transfer, .init = set_up, .fini = tear_down);

/* The file's bytes under a chosen chunk, and not to be had but by reading. */
struct odd_source {
	struct ferry_source base;
	size_t chunk;
	uint64_t last;			/* FORWARDS: where reading stands */
	bool backwards;			/* it went back */
	size_t most;			/* largest read */
};

static int odd_read(struct ferry_source *src, void *buf, uint64_t offset,
		    size_t n, struct ferry_error *err)
{
	struct odd_source *odd = (struct odd_source *)src;

	(void)err;
	if (odd->chunk == FERRY_CHUNK_FORWARDS) {
		odd->backwards = odd->backwards || offset < odd->last;
		odd->last = offset + n;
	} else if (__atomic_load_n(&odd->most, __ATOMIC_RELAXED) < n) {
		__atomic_store_n(&odd->most, n, __ATOMIC_RELAXED);
	}
	memcpy(buf, data + offset, n);
	return 0;
}

static size_t odd_chunk(struct ferry_source *src)
{
	return ((struct odd_source *)src)->chunk;
}

static const struct ferry_source_ops odd_ops = {
	.read = odd_read,
	.chunk = odd_chunk,
};

static struct ferry_source *odd_source(size_t chunk)
{
	struct odd_source *odd = ferry_alloc_zero(1, sizeof(*odd));

	cr_assert(odd);
	cr_assert_eq(ferry_source_init(&odd->base, &odd_ops, DATA_NBYTES,
				       "odd", NULL), 0);
	odd->chunk = chunk;
	return &odd->base;
}

/* Cut the source into n unequal transfers, each a little after the other. */
static struct ferry_transfer *cut(struct ferry_source *src, size_t n)
{
	struct ferry_transfer *t = calloc(n, sizeof(*t));
	uint64_t at = 0, next;
	size_t i;

	cr_assert(t);
	for (i = 0; i < n; i++) {
		next = i + 1 == n ? DATA_NBYTES :
		       DATA_NBYTES / n * (i + 1) - (i * 7919) % 911;
		t[i] = (struct ferry_transfer){
			.source = src, .source_offset = at,
			.nbytes = next - at, .sink_offset = LEAD + at,
		};
		at = next;
	}
	return t;
}

static void check_output(const char *name)
{
	unsigned char *got = malloc(LEAD + DATA_NBYTES);
	int fd = open(in_dir(name), O_RDONLY);

	cr_assert(got);
	cr_assert_geq(fd, 0);
	cr_assert_eq(pread(fd, got, LEAD + DATA_NBYTES, 0),
		     (ssize_t)(LEAD + DATA_NBYTES));
	cr_assert_eq(got[0], 'L');
	cr_assert(!memcmp(got + LEAD, data, DATA_NBYTES));
	close(fd);
	free(got);
}

static void carry(struct ferry_source *src, size_t n, bool crc,
		  struct ferry_work *work)
{
	struct ferry_transfer *t = cut(src, n);
	struct ferry_error err = FERRY_ERROR_INIT;
	size_t i;

	for (i = 0; i < n; i++)
		t[i].want_crc32 = crc;
	cr_assert_eq(ferry_output_new(&o, in_dir("out"), true, NULL, 0, work,
				      NULL), 0);
	cr_assert_eq(ferry_output_open(o, NULL, &s, NULL), 0);
	cr_assert_eq(ferry_sink_append(s, "L", 1, NULL), 0);
	cr_assert_eq(ferry_sink_transfer(s, t, n, &err), 0, "%s", err.text);
	cr_assert_eq(ferry_sink_nbytes(s), LEAD + DATA_NBYTES);
	cr_assert_eq(ferry_sink_tell(s), 1);
	cr_assert_eq(ferry_output_commit(o, NULL), 0);
	ferry_output_free(o);
	check_output("out");
	for (i = 0; crc && i < n; i++)
		cr_assert_eq(t[i].crc32,
			     crc32(0, data + t[i].source_offset,
				   (uInt)t[i].nbytes));
	cr_assert_eq(work->done, DATA_NBYTES);
	cr_assert_eq(work->total, DATA_NBYTES);
	free(t);
}

Test(transfer, file_arrives_by_every_way)
{
	static const size_t counts[] = { 1, 3, 1000 };
	unsigned threads, crc, clone, k;

	for (threads = 1; threads <= 4; threads += 3)
		for (crc = 0; crc < 2; crc++)
			for (clone = 0; clone < 2; clone++)
				for (k = 0; k < 3; k++) {
					struct ferry_work work = {
						.threads = threads,
						.no_clone = clone,
						.no_sync = k,
					};

					carry(file, counts[k], crc, &work);
				}
}

static void holds(const char *name, uint64_t at, const void *want, size_t n)
{
	int fd = open(in_dir(name), O_RDONLY);
	char *got = malloc(n);

	cr_assert(got && fd >= 0);
	cr_assert_eq(pread(fd, got, n, (off_t)at), (ssize_t)n);
	cr_expect(!memcmp(got, want, n));
	close(fd);
	free(got);
}

/* Two loads that begin and end within blocks, one with its CRC on record. */
static void carry_clones(bool trust)
{
	static const uint64_t from = 5000, n = (uint64_t)3 << 20;
	struct ferry_work work = { .threads = 2, .no_sync = true };
	uint32_t want = (uint32_t)crc32(0, data + from, (uInt)n);
	struct ferry_source *known;
	struct ferry_transfer t[2];

	cr_assert_eq(ferry_source_range_crc32(&known, file, from, n, want, "k",
					      NULL), 0);
	t[0] = (struct ferry_transfer){
		.source = known, .nbytes = n, .sink_offset = from - 4096,
		.want_crc32 = true, .trust_crc32 = trust,
	};
	t[1] = (struct ferry_transfer){
		.source = file, .source_offset = from, .nbytes = n,
		.sink_offset = from + n + 8192 - n % 4096,
		.want_crc32 = true, .trust_crc32 = trust,
	};
	cr_assert_eq(ferry_output_new(&o, in_dir("out"), true, NULL, 0, &work,
				      NULL), 0);
	cr_assert_eq(ferry_output_open(o, NULL, &s, NULL), 0);
	n_cloned = 0;
	cr_assert_eq(ferry_sink_transfer(s, t, 2, NULL), 0);
	cr_expect_geq(n_cloned, 2 * (n - 2 * 4096));
	n_cloned = SIZE_MAX;
	cr_assert_eq(ferry_output_commit(o, NULL), 0);
	ferry_output_free(o);
	ferry_source_unref(known);
	for (int i = 0; i < 2; i++) {
		cr_expect_eq(t[i].crc32, want, "%d", i);
		cr_expect(!t[i].crc32_differs);
		holds("out", t[i].sink_offset, data + from, n);
	}
	cr_expect_eq(work.done, 2 * n);
}

Test(transfer, clones_have_their_crc)
{
	carry_clones(false);
	carry_clones(true);
}

Test(transfer, memory_arrives)
{
	struct ferry_work work = { .threads = 3, .no_sync = true };
	struct ferry_source *src;

	cr_assert_eq(ferry_source_from_memory(&src, data, DATA_NBYTES, "m",
					      NULL), 0);
	carry(src, 5, true, &work);
	ferry_source_unref(src);
}

Test(transfer, forward_sources_are_read_forwards)
{
	struct ferry_source *src = odd_source(FERRY_CHUNK_FORWARDS);
	struct ferry_work work = { .threads = 4, .no_sync = true };

	carry(src, 20, true, &work);
	cr_assert(!((struct odd_source *)src)->backwards);
	ferry_source_unref(src);
}

Test(transfer, chunks_are_kept_within_memory)
{
	struct ferry_source *src = odd_source((size_t)3 << 20);
	struct ferry_work work = { .threads = 2, .no_sync = true };
	struct odd_source *odd = (struct odd_source *)src;

	carry(src, 2, true, &work);
	cr_assert_eq(odd->most, 3 << 20);
	odd->most = 0;
	work = (struct ferry_work){ .threads = 4, .no_sync = true,
				    .max_memory = 2 << 20 };
	carry(src, 2, true, &work);
	cr_assert_leq(odd->most, (2 << 20) / 2 / 4);
	odd->most = 0;
	work = (struct ferry_work){ .threads = 4, .no_sync = true,
				    .max_memory = 1 };
	carry(src, 2, true, &work);
	cr_assert_leq(odd->most, 64 << 10);
	ferry_source_unref(src);
}

Test(transfer, recorded_crc_is_checked_where_the_bytes_are_seen)
{
	struct ferry_work work = { .no_sync = true };
	struct ferry_source *known;
	struct ferry_transfer t[2];

	cr_assert_eq(ferry_source_range_crc32(&known, file, 0, 1 << 20, 0x1234,
					      "k", NULL), 0);
	t[0] = (struct ferry_transfer){ .source = known, .nbytes = 1 << 20,
					.want_crc32 = true,
					.trust_crc32 = true };
	t[1] = t[0];
	t[1].sink_offset = 1 << 20;
	t[1].nbytes--;
	cr_assert_eq(ferry_output_new(&o, in_dir("out"), true, NULL, 0, &work,
				      NULL), 0);
	cr_assert_eq(ferry_output_open(o, NULL, &s, NULL), 0);
	cr_assert_eq(ferry_sink_transfer(s, t, 2, NULL), 0);
	cr_assert(t[0].crc32_differs);
	cr_assert_eq(t[0].crc32, crc32(0, data, 1 << 20));
	cr_assert_eq(t[1].crc32, crc32(0, data, (1 << 20) - 1));
	ferry_output_free(o);
	ferry_source_unref(known);
}

Test(transfer, empty_and_foreign_ranges)
{
	struct ferry_work work = { .no_sync = true };
	struct ferry_error err = FERRY_ERROR_INIT;
	struct ferry_transfer t = { .source = file, .want_crc32 = true,
				    .crc32 = 7, .sink_offset = 50 };

	cr_assert_eq(ferry_output_new(&o, in_dir("out"), true, NULL, 0, &work,
				      NULL), 0);
	cr_assert_eq(ferry_output_open(o, NULL, &s, NULL), 0);
	cr_assert_eq(ferry_sink_transfer(s, &t, 1, NULL), 0);
	cr_assert_eq(t.crc32, 0);
	cr_assert_eq(ferry_sink_nbytes(s), 0);
	cr_assert_eq(ferry_sink_transfer(s, NULL, 0, NULL), 0);
	t.source_offset = DATA_NBYTES - 1;
	t.nbytes = 2;
	cr_assert_eq(ferry_sink_transfer(s, &t, 1, &err), FERRY_MALFORMED);
	t.source_offset = 0;
	t.sink_offset = UINT64_MAX - 1;
	cr_assert_eq(ferry_sink_transfer(s, &t, 1, NULL), FERRY_IO);
	ferry_output_free(o);
}

static void check_shrunk(bool crc, unsigned threads)
{
	struct ferry_work work = { .no_sync = true, .threads = threads };
	struct ferry_error err = FERRY_ERROR_INIT;
	struct ferry_transfer t = { .source = file, .nbytes = DATA_NBYTES,
				    .want_crc32 = crc };

	cr_assert_eq(ferry_output_new(&o, in_dir("out"), true, NULL, 0, &work,
				      NULL), 0);
	cr_assert_eq(ferry_output_open(o, NULL, &s, NULL), 0);
	cr_assert_eq(ferry_sink_transfer(s, &t, 1, &err), FERRY_IO);
	cr_assert(strstr(err.text, "in: file shrank while it was read"), "%s",
		  err.text);
	ferry_output_free(o);
}

Test(transfer, file_that_shrinks_is_an_io_error)
{
	cr_assert_eq(truncate(in_dir("in"), DATA_NBYTES / 2 + 1234), 0);
	check_shrunk(true, 1);
	check_shrunk(true, 4);
	check_shrunk(false, 1);
	check_shrunk(false, 4);
}

Test(transfer, full_file_is_one_error_and_no_output)
{
	struct rlimit limit = { 5 << 20, 5 << 20 };
	struct ferry_work work = { .threads = 4 };
	struct ferry_error err = FERRY_ERROR_INIT;
	struct ferry_transfer t = { .source = file, .nbytes = DATA_NBYTES,
				    .want_crc32 = true };

	signal(SIGXFSZ, SIG_IGN);
	cr_assert_eq(ferry_output_new(&o, in_dir("out"), true, NULL, 0, &work,
				      NULL), 0);
	cr_assert_eq(ferry_output_open(o, NULL, &s, NULL), 0);
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	cr_assert_eq(ferry_sink_transfer(s, &t, 1, &err), FERRY_IO);
	cr_assert(strstr(err.text, "ulimit -f"), "%s", err.text);
	ferry_output_free(o);
	cr_assert_neq(access(in_dir("out"), F_OK), 0);
}

struct seen {
	atomic_bool cancel;
	uint64_t stop_at, last, total;
	unsigned calls;
};

static void on_progress(void *ctx, uint64_t done, uint64_t total)
{
	struct seen *seen = ctx;

	cr_assert_geq(done, seen->last);
	cr_assert_leq(done, total);
	seen->last = done;
	seen->total = total;
	seen->calls++;
	if (seen->stop_at && done >= seen->stop_at)
		atomic_store(&seen->cancel, true);
}

Test(transfer, progress_ends_at_the_total)
{
	struct seen seen = { 0 };
	struct ferry_work work = { .threads = 2, .progress = on_progress,
				   .progress_ctx = &seen, .no_sync = true };

	carry(file, 50, true, &work);
	cr_assert_eq(seen.last, DATA_NBYTES);
	cr_assert_eq(seen.total, DATA_NBYTES);
	cr_assert_geq(seen.calls, 1);
}

Test(transfer, cancel_stops_in_the_middle)
{
	struct seen seen = { .stop_at = 1 };
	struct ferry_work work = { .threads = 2, .progress = on_progress,
				   .progress_ctx = &seen, .no_sync = true,
				   .cancel = &seen.cancel };
	struct ferry_transfer t = { .source = file, .nbytes = DATA_NBYTES,
				    .want_crc32 = true };

	cr_assert_eq(ferry_output_new(&o, in_dir("out"), true, NULL, 0, &work,
				      NULL), 0);
	cr_assert_eq(ferry_output_open(o, NULL, &s, NULL), 0);
	cr_assert_eq(ferry_sink_transfer(s, &t, 1, NULL), FERRY_CANCELLED);
	cr_assert_lt(work.done, DATA_NBYTES);
	ferry_output_free(o);
}

Test(transfer, failing_allocations_end_cleanly)
{
	struct ferry_transfer t = { .source = file, .nbytes = 1 << 20,
				    .want_crc32 = true };
	struct ferry_work work = { .no_sync = true, .threads = 1 };
	uint64_t nth;
	int code = FERRY_NOMEM;

	for (nth = 1; code && nth < 30; nth++) {
		struct ferry_error err = FERRY_ERROR_INIT;

		cr_assert_eq(ferry_output_new(&o, in_dir("out"), true, NULL, 0,
					      &work, NULL), 0);
		cr_assert_eq(ferry_output_open(o, NULL, &s, NULL), 0);
		ferry_alloc_fail_at(nth);
		code = ferry_sink_transfer(s, &t, 1, &err);
		ferry_alloc_fail_at(0);
		cr_assert(!code || code == FERRY_NOMEM);
		cr_assert_eq(err.code, code);
		ferry_output_free(o);
	}
	cr_assert_lt(nth, 30);
	cr_assert_gt(nth, 2);
}

static void begin_output(struct ferry_work *work)
{
	cr_assert_eq(ferry_output_new(&o, in_dir("out"), true, NULL, 0, work,
				      NULL), 0);
	cr_assert_eq(ferry_output_open(o, NULL, &s, NULL), 0);
}

/* Through memory, for kernel copies take the record's word. */
Test(transfer, bytes_that_belie_their_recorded_crc_are_told)
{
	struct ferry_work work = { .no_sync = true, .no_clone = true };
	uint32_t truth = crc32(0, data, 1 << 20);
	struct ferry_source *wrong, *right;
	struct ferry_transfer t[4];

	cr_assert_eq(ferry_source_range_crc32(&wrong, file, 0, 1 << 20, ~truth,
					      "w", NULL), 0);
	cr_assert_eq(ferry_source_range_crc32(&right, file, 0, 1 << 20, truth,
					      "r", NULL), 0);
	t[0] = (struct ferry_transfer){ .source = wrong, .nbytes = 1 << 20,
					.want_crc32 = true,
					.trust_crc32 = true };
	t[1] = (struct ferry_transfer){ .source = wrong, .nbytes = 1 << 20,
					.sink_offset = 1 << 20,
					.check_crc32 = true };
	t[2] = t[1];
	t[2].source = right;
	t[2].sink_offset = 2 << 20;
	t[3] = t[1];
	t[3].nbytes--;
	t[3].sink_offset = 3 << 20;
	begin_output(&work);
	cr_assert_eq(ferry_sink_transfer(s, t, 4, NULL), 0);
	cr_assert(t[0].crc32_differs);
	cr_assert_eq(t[0].crc32, truth);
	cr_assert(t[1].crc32_differs);
	cr_assert(!t[2].crc32_differs);
	cr_assert(!t[3].crc32_differs);
	ferry_output_free(o);
	ferry_source_unref(wrong);
	ferry_source_unref(right);
}
