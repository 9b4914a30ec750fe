/* Small ranges side by side in a sink: gathered, and yet each by itself. */
#include "config.h"

#include <criterion/criterion.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <zlib.h>

#include <ferry/sys/alloc.h>
#include <ferry/sys/sink.h>

#define DATA_NBYTES ((size_t)4 << 20)
#define SINK_MOST (4 * DATA_NBYTES)
#define SMALL ((uint64_t)64 << 10)
#define N_MOST 2000

static char dir[64];
static unsigned char *data, *expected;
static struct ferry_source *file;
static struct ferry_output *o;
static struct ferry_sink *s;
static struct ferry_transfer t[N_MOST];
static size_t n;
static uint64_t end;

/* What the library asked of the kernel, and where the disk is full. */
static atomic_uint n_writes, n_reads;
static off_t full_at;

/* The library calls these. */
FERRY_API ssize_t pwrite(int fd, const void *buf, size_t nb, off_t at)
{
	atomic_fetch_add(&n_writes, 1);
	if (full_at && at >= full_at) {
		errno = ENOSPC;
		return -1;
	}
	if (full_at && (off_t)nb > full_at - at)
		nb = (size_t)(full_at - at);
	return syscall(SYS_pwrite64, fd, buf, nb, at);
}

FERRY_API ssize_t pread(int fd, void *buf, size_t nb, off_t at)
{
	atomic_fetch_add(&n_reads, 1);
	return syscall(SYS_pread64, fd, buf, nb, at);
}

static char *in_dir(const char *name)
{
	static char path[160];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static void set_up(void)
{
	uint64_t x = 7;
	size_t i;
	int fd;

	snprintf(dir, sizeof(dir), "/tmp/ferry-small-XXXXXX");
	cr_assert(mkdtemp(dir));
	data = malloc(DATA_NBYTES);
	expected = calloc(1, SINK_MOST);
	cr_assert(data && expected);
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
	free(expected);
	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	cr_assert_eq(system(command), 0);
}

TestSuite(fragment, .init = set_up, .fini = tear_down);

/* nb bytes at `from`, behind what there is. */
static struct ferry_transfer *add(struct ferry_source *src, uint64_t from,
				  uint64_t nb)
{
	cr_assert_lt(n, N_MOST);
	cr_assert_leq(from + nb, src->nbytes);
	cr_assert_leq(end + nb, SINK_MOST);
	t[n] = (struct ferry_transfer){
		.source = src, .source_offset = from, .nbytes = nb,
		.sink_offset = end, .want_crc32 = true,
	};
	memcpy(expected + end, data + from, nb);
	end += nb;
	return &t[n++];
}

static void begin(struct ferry_work *work)
{
	cr_assert_eq(ferry_output_new(&o, in_dir("out"), true, NULL, 0, work,
				      NULL), 0);
	cr_assert_eq(ferry_output_open(o, NULL, &s, NULL), 0);
	atomic_store(&n_writes, 0);
	atomic_store(&n_reads, 0);
}

/* All arrives, with its CRC. */
static void carry(struct ferry_work *work)
{
	struct ferry_error err = FERRY_ERROR_INIT;
	unsigned char *got = malloc(end);
	size_t i;
	int fd;

	begin(work);
	cr_assert_eq(ferry_sink_transfer(s, t, n, &err), 0, "%s", err.text);
	for (i = 0; i < n; i++)
		cr_assert_eq(t[i].crc32,
			     crc32(0, expected + t[i].sink_offset,
				   (uInt)t[i].nbytes), "%zu", i);
	cr_assert_eq(ferry_sink_nbytes(s), end);
	cr_assert_eq(ferry_output_commit(o, NULL), 0);
	ferry_output_free(o);
	fd = open(in_dir("out"), O_RDONLY);
	cr_assert(got && fd >= 0);
	cr_assert_eq(syscall(SYS_pread64, fd, got, end, 0), (long)end);
	cr_assert(!memcmp(got, expected, end));
	close(fd);
	free(got);
}

/* As a checkpoint's tensors lie: headers between them, in another order. */
static void add_tensors(struct ferry_source *src, size_t count, size_t nb)
{
	size_t i;

	for (i = 0; i < count; i++)
		add(src, 100 + i * 7 % count * (nb + 64), nb);
}

Test(fragment, small_ranges_are_written_and_read_by_few_calls)
{
	struct ferry_work work = { .threads = 1, .no_sync = true };

	add_tensors(file, 100, 1024);
	carry(&work);
	cr_expect_eq(n_writes, 1, "%u writes", n_writes);
	cr_expect_eq(n_reads, 1, "%u reads", n_reads);
}

Test(fragment, what_lies_far_apart_is_not_read_in_between)
{
	struct ferry_work work = { .threads = 1, .no_sync = true };
	size_t i;

	for (i = 0; i < 100; i++)
		add(file, i * 40000, 16);
	carry(&work);
	cr_expect_eq(n_writes, 1, "%u writes", n_writes);
	cr_expect_eq(n_reads, 100, "%u reads", n_reads);
}

Test(fragment, gaps_in_the_sink_are_left_alone)
{
	struct ferry_work work = { .threads = 1, .no_sync = true };
	size_t i;

	for (i = 0; i < 10; i++) {
		add(file, i * 1000, 500);
		add(file, i * 1000 + 500, 500);
		end += i + 1 < 10;
	}
	carry(&work);
	cr_expect_eq(n_writes, 10, "%u writes", n_writes);
}

Test(fragment, many_and_tiny_ranges_are_gathered_in_turns)
{
	struct ferry_work work = { .threads = 1, .no_sync = true };
	size_t i;

	for (i = 0; i < N_MOST; i++)
		add(file, i * 3, i % 5);
	carry(&work);
	cr_expect_leq(n_writes, 4, "%u writes", n_writes);
}

static void add_mixture(struct ferry_source *src)
{
	static const uint64_t sizes[] = {
		1, SMALL - 1, SMALL - 1, SMALL, SMALL + 1, 3, 700000, 5, 0, 9,
		SMALL / 2, SMALL / 2, SMALL / 2, SMALL / 2, SMALL / 2, 1, 1,
	};
	uint64_t at = 17;
	size_t i, k;

	for (k = 0; k < 3; k++)
		for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
			add(src, at, sizes[i]);
			at = (at + 1234567) % (DATA_NBYTES - 700000);
		}
}

static int plain_read(struct ferry_source *src, void *buf, uint64_t offset,
		      size_t nb, struct ferry_error *err)
{
	(void)src;
	(void)err;
	memcpy(buf, data + offset, nb);
	return 0;
}

static const struct ferry_source_ops plain_ops = { .read = plain_read };

/* Bytes that are in no file and not in memory. */
static struct ferry_source *plain_source(const struct ferry_source_ops *ops)
{
	struct ferry_source *src = ferry_alloc_zero(1, sizeof(*src));

	cr_assert(src);
	cr_assert_eq(ferry_source_init(src, ops, DATA_NBYTES, "plain", NULL),
		     0);
	return src;
}

Test(fragment, every_mixture_arrives_from_every_source)
{
	struct ferry_source *sources[3] = { file };
	unsigned i, threads, small;

	cr_assert_eq(ferry_source_from_memory(&sources[1], data, DATA_NBYTES,
					      "m", NULL), 0);
	sources[2] = plain_source(&plain_ops);
	for (i = 0; i < 3; i++)
		add_mixture(sources[i]);
	for (threads = 1; threads <= 4; threads += 3)
		for (small = 0; small < 2; small++) {
			struct ferry_work work = {
				.threads = threads, .no_sync = true,
				.max_memory = small,
			};

			carry(&work);
			cr_expect_eq(work.done, end);
		}
	ferry_source_unref(sources[1]);
	ferry_source_unref(sources[2]);
}

Test(fragment, only_the_range_that_belies_its_crc_is_told)
{
	struct ferry_work work = { .threads = 1, .no_sync = true };
	struct ferry_source *range;
	size_t i;

	for (i = 0; i < 20; i++) {
		uint32_t crc = (uint32_t)crc32(0, data + i * 600, 500);

		cr_assert_eq(ferry_source_range_crc32(&range, file, i * 600,
						      500, crc ^ (i == 11),
						      "r", NULL), 0);
		add(range, 0, 500);
		memcpy(expected + end - 500, data + i * 600, 500);
		t[i].trust_crc32 = i % 2;
		t[i].check_crc32 = true;
	}
	carry(&work);
	cr_expect_eq(n_writes, 1);
	for (i = 0; i < 20; i++) {
		cr_expect_eq(t[i].crc32_differs, i == 11, "%zu", i);
		ferry_source_unref(t[i].source);
	}
}

static void fails_with(struct ferry_work *work, const char *a, const char *b)
{
	struct ferry_error err = FERRY_ERROR_INIT;

	begin(work);
	cr_assert_eq(ferry_sink_transfer(s, t, n, &err), FERRY_IO);
	cr_expect(strstr(err.text, a), "%s", err.text);
	cr_expect(strstr(err.text, b), "%s", err.text);
	ferry_output_free(o);
	cr_expect_neq(access(in_dir("out"), F_OK), 0);
}

Test(fragment, a_full_disk_is_told_with_the_place_it_was_met)
{
	struct ferry_work work = { .threads = 1, .no_sync = true };

	add_tensors(file, 100, 1024);
	full_at = 54321;
	fails_with(&work, "out: no space left on device",
		   "48079 bytes more are needed from byte 54321,");
}

Test(fragment, a_file_that_shrinks_is_told_with_its_name)
{
	struct ferry_work work = { .threads = 1, .no_sync = true };

	add_tensors(file, 100, 1024);
	cr_assert_eq(truncate(in_dir("in"), 50000), 0);
	fails_with(&work, "in: file shrank while it was read", "byte 50000,");
	work.threads = 4;
	fails_with(&work, "in: file shrank while it was read", "byte 50000,");
}

static int broken_read(struct ferry_source *src, void *buf, uint64_t offset,
		       size_t nb, struct ferry_error *err)
{
	if (offset > 50000)
		return ferry_fail(err, FERRY_IO, "", offset, "%s: broken at "
				  "byte %llu", src->name,
				  (unsigned long long)offset);
	return plain_read(src, buf, offset, nb, err);
}

static const struct ferry_source_ops broken_ops = { .read = broken_read };

Test(fragment, an_error_of_one_source_is_that_of_all)
{
	struct ferry_work work = { .threads = 1, .no_sync = true };
	struct ferry_source *src = plain_source(&broken_ops);

	add(file, 0, 1000);
	add(src, 70000, 10);
	add(file, 1000, 1000);
	fails_with(&work, "plain: broken", "byte 70000");
	cr_expect_eq(n_writes, 0);
	ferry_source_unref(src);
}

Test(fragment, cancel_stops_between_writes)
{
	atomic_bool cancel = true;
	struct ferry_work work = { .threads = 1, .no_sync = true,
				   .cancel = &cancel };

	add_tensors(file, 100, 1024);
	begin(&work);
	cr_assert_eq(ferry_sink_transfer(s, t, n, NULL), FERRY_CANCELLED);
	ferry_output_free(o);
	cr_expect_neq(access(in_dir("out"), F_OK), 0);
}

Test(fragment, failing_allocations_end_cleanly)
{
	struct ferry_work work = { .threads = 1, .no_sync = true };
	int code = FERRY_NOMEM;
	uint64_t nth;

	add_tensors(file, 10, 1024);
	for (nth = 1; code && nth < 30; nth++) {
		struct ferry_error err = FERRY_ERROR_INIT;

		begin(&work);
		ferry_alloc_fail_at(nth);
		code = ferry_sink_transfer(s, t, n, &err);
		ferry_alloc_fail_at(0);
		cr_assert(!code || code == FERRY_NOMEM);
		cr_assert_eq(err.code, code);
		ferry_output_free(o);
	}
	cr_assert_lt(nth, 30);
	cr_assert_gt(nth, 5);
}
