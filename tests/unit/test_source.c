/* Sources: files, memory, ranges, deflated and swapped data. */
#include "config.h"

#include <criterion/criterion.h>

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <ferry/sys/alloc.h>
#include <ferry/sys/source.h>

#include "core/io/file_source.h"

static char dir[64];

static void set_up(void)
{
	snprintf(dir, sizeof(dir), "/tmp/ferry-source-XXXXXX");
	cr_assert(mkdtemp(dir));
}

static void tear_down(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	cr_assert_eq(system(command), 0);
}

TestSuite(source, .init = set_up, .fini = tear_down);

static const char *make_file(const char *name, const void *data, size_t n)
{
	static char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "wb");
	cr_assert(f);
	cr_assert_eq(fwrite(data, 1, n, f), n);
	fclose(f);
	return path;
}

static struct ferry_source *memory(const void *data, size_t n)
{
	struct ferry_source *src;

	cr_assert_eq(ferry_source_from_memory(&src, data, n, "memory", NULL),
		     0);
	return src;
}

Test(source, file_is_read_at_any_offset)
{
	struct ferry_error err = FERRY_ERROR_INIT;
	const char *path = make_file("f", "0123456789", 10);
	struct ferry_source *src;
	uint64_t offset;
	char buf[11] = "";
	int fd;

	cr_assert_eq(ferry_source_open_file(&src, path, &err), 0);
	cr_assert_eq(src->nbytes, 10);
	cr_assert_str_eq(src->name, path);
	cr_assert_eq(ferry_source_read(src, buf, 3, 4, &err), 0);
	cr_assert_str_eq(buf, "3456");
	cr_assert_eq(ferry_source_read(src, buf, 10, 0, &err), 0);
	cr_assert(ferry_source_file_range(src, 4, 6, &fd, &offset));
	cr_assert_eq(offset, 4);
	cr_assert(!ferry_source_file_range(src, 5, 6, &fd, &offset));
	cr_assert_null(ferry_source_memory(src, 0, 1));
	cr_assert_eq(ferry_source_read(src, buf, 9, 2, &err),
		     FERRY_MALFORMED);
	cr_assert(strstr(err.text, "ends at byte 10"));
	cr_assert_eq(err.offset, 9);
	cr_assert_eq(ferry_source_read(src, buf, UINT64_MAX, 2, NULL),
		     FERRY_MALFORMED);
	ferry_source_unref(src);
}

Test(source, what_is_no_regular_file_is_refused_by_kind)
{
	struct ferry_error err = FERRY_ERROR_INIT;
	struct ferry_source *src = NULL;
	char path[128];

	cr_assert_eq(ferry_source_open_file(&src, dir, &err),
		     FERRY_UNSUPPORTED);
	cr_assert(strstr(err.text, "is a directory"));
	ferry_error_clear(&err);
	snprintf(path, sizeof(path), "%s/pipe", dir);
	cr_assert_eq(mkfifo(path, 0600), 0);
	cr_assert_eq(ferry_source_open_file(&src, path, &err),
		     FERRY_UNSUPPORTED);
	cr_assert(strstr(err.text, "is a pipe"));
	cr_assert_eq(ferry_source_open_file(&src, "/dev/null", NULL),
		     FERRY_UNSUPPORTED);
	ferry_error_clear(&err);
	snprintf(path, sizeof(path), "%s/a\nb", dir);
	cr_assert_eq(ferry_source_open_file(&src, path, &err), FERRY_NOTFOUND);
	cr_assert(strstr(err.text, "a\\nb: no such file"));
	cr_assert_null(src);
}

Test(source, file_that_shrinks_is_an_io_error)
{
	struct ferry_error err = FERRY_ERROR_INIT;
	const char *path = make_file("f", "0123456789", 10);
	struct ferry_source *src;
	char buf[10];

	cr_assert_eq(ferry_source_open_file(&src, path, NULL), 0);
	cr_assert_eq(truncate(path, 4), 0);
	cr_assert_eq(ferry_source_read(src, buf, 2, 6, &err), FERRY_IO);
	cr_assert(strstr(err.text, "shrank"));
	cr_assert(strstr(err.text, path));
	cr_assert_eq(err.offset, 4);
	ferry_source_unref(src);
}

static void check_read(struct ferry_source *src, const char *data,
		       uint64_t offset, size_t n)
{
	static char got[100000];

	cr_assert_eq(ferry_source_read(src, got, offset, n, NULL), 0,
		     "%zu bytes at %llu", n, (unsigned long long)offset);
	cr_assert_arr_eq(got, data + offset, n);
}

Test(source, ends_are_held_until_let_go)
{
	enum { N = 100000, END = 16384 };
	static const uint64_t at[] = {
		0, 4, END - 5, END - 1, END, N / 2, N - END - 1, N - END,
		N - END + 1, N - 6,
	};
	struct ferry_error err = FERRY_ERROR_INIT;
	static char data[N];
	struct ferry_source *src;
	const char *path;
	char c;

	for (size_t i = 0; i < N; i++)
		data[i] = (char)(i * 2654435761u >> 13);
	path = make_file("f", data, N);
	cr_assert_eq(ferry_source_open_file(&src, path, NULL), 0);
	ferry_source_hold(src);
	for (size_t i = 0; i < sizeof(at) / sizeof(*at); i++)
		check_read(src, data, at[i], 6);
	check_read(src, data, 0, END + 1);
	check_read(src, data, 1, N - 2);

	cr_assert_eq(truncate(path, 0), 0);
	check_read(src, data, 0, END);
	check_read(src, data, N - END, END);
	cr_expect_eq(ferry_source_read(src, &c, END, 1, NULL), FERRY_IO);
	ferry_source_let_go(src);
	cr_expect_eq(ferry_source_read(src, &c, 0, 1, &err), FERRY_IO);
	cr_expect(strstr(err.text, "shrank"), "%s", err.text);
	ferry_source_let_go(src);

	/* What can't be read whole any more is read as it was. */
	cr_assert_eq(truncate(path, 10), 0);
	ferry_source_hold(src);
	cr_expect_eq(ferry_source_read(src, &c, 9, 1, NULL), 0);
	cr_expect_eq(ferry_source_read(src, &c, 10, 1, NULL), FERRY_IO);
	ferry_source_unref(src);
}

#define MANY 100

static void allow_few_files(void)
{
	struct rlimit limit;

	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = 40;
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

Test(source, more_files_are_open_than_there_are_descriptors)
{
	struct ferry_error err = FERRY_ERROR_INIT;
	struct ferry_source *src[MANY];
	char name[16], got[8], text[16], path[128];
	uint64_t at;
	int i, fd;

	allow_few_files();
	for (i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		snprintf(text, sizeof(text), "%08d", i);
		cr_assert_eq(ferry_source_open_file(&src[i],
						    make_file(name, text, 8),
						    &err), 0, "%s", err.text);
	}
	for (i = 0; i < MANY; i++) {
		snprintf(text, sizeof(text), "%08d", i);
		cr_assert_eq(ferry_source_read(src[i], got, 0, 8, &err), 0,
			     "%s", err.text);
		cr_expect_arr_eq(got, text, 8);
	}
	cr_expect(ferry_source_file_range(src[0], 0, 8, &fd, &at));
	cr_expect(!ferry_source_file_range(src[MANY - 1], 0, 8, &fd, &at));

	snprintf(path, sizeof(path), "%s", make_file("new", "newer!!!", 8));
	cr_assert_eq(rename(path, src[MANY - 1]->name), 0);
	cr_expect_eq(ferry_source_read(src[MANY - 1], got, 0, 8, &err),
		     FERRY_IO);
	cr_expect(strstr(err.text, "f99: file was changed or replaced while it "
			 "was read"), "%s", err.text);
	ferry_error_clear(&err);
	cr_assert_eq(unlink(src[MANY - 2]->name), 0);
	cr_expect_eq(ferry_source_read(src[MANY - 2], got, 0, 8, &err),
		     FERRY_IO);
	cr_expect(strstr(err.text, "f98: can't open it again: No such file"),
		  "%s", err.text);
	for (i = 0; i < MANY; i++)
		ferry_source_unref(src[i]);
}

Test(source, ranges_nest_and_keep_their_parent)
{
	struct ferry_error err = FERRY_ERROR_INIT;
	struct ferry_source *src = memory("0123456789", 10), *a, *b;
	char buf[5] = "";

	cr_assert_eq(ferry_source_range(&a, src, 2, 7, "a", NULL), 0);
	ferry_source_unref(src);
	cr_assert_eq(ferry_source_range(&b, a, 1, 4, "b", NULL), 0);
	ferry_source_unref(a);
	cr_assert_eq(ferry_source_read(b, buf, 0, 4, NULL), 0);
	cr_assert_str_eq(buf, "3456");
	cr_assert_eq(ferry_source_read(b, buf, 1, 4, &err), FERRY_MALFORMED);
	cr_assert(strstr(err.text, "b: ends at byte 4"));
	cr_assert_eq(ferry_source_range(&a, b, 2, 3, "a", NULL),
		     FERRY_MALFORMED);
	cr_assert_eq(ferry_source_range(&a, b, 5, UINT64_MAX, "a", NULL),
		     FERRY_MALFORMED);
	cr_assert_eq(ferry_source_range(&a, b, 4, 0, "a", NULL), 0);
	ferry_source_unref(a);
	ferry_source_unref(b);
}

Test(source, recorded_crc_is_for_the_whole_range_alone)
{
	struct ferry_source *src = memory("0123456789", 10), *a, *b;
	uint32_t crc = 0;

	cr_assert_eq(ferry_source_range_crc32(&a, src, 2, 4, 0xabcd, "a", NULL),
		     0);
	cr_assert(ferry_source_crc32(a, 0, 4, &crc));
	cr_assert_eq(crc, 0xabcd);
	cr_assert(!ferry_source_crc32(a, 0, 3, &crc));
	cr_assert(!ferry_source_crc32(src, 0, 10, &crc));
	crc = 0;
	cr_assert_eq(ferry_source_range(&b, a, 0, 4, "b", NULL), 0);
	cr_assert(ferry_source_crc32(b, 0, 4, &crc));
	cr_assert_eq(crc, 0xabcd);
	ferry_source_unref(b);
	ferry_source_unref(a);
	ferry_source_unref(src);
}

Test(source, swap_reverses_elements_from_any_byte)
{
	static const unsigned units[] = { 2, 4, 8, 16 };
	unsigned char data[48], want[48], got[48];
	struct ferry_source *src, *swapped;
	unsigned i, u, first, n;

	for (i = 0; i < 48; i++)
		data[i] = (unsigned char)i;
	src = memory(data, 48);
	for (u = 0; u < 4; u++) {
		for (i = 0; i < 48; i++)
			want[i] = data[i / units[u] * units[u] + units[u] - 1 -
				       i % units[u]];
		cr_assert_eq(ferry_source_swap(&swapped, src, units[u], "s",
					       NULL), 0);
		for (first = 0; first < 48; first++)
			for (n = 1; n <= 48 - first; n++) {
				cr_assert_eq(ferry_source_read(swapped, got,
							       first, n, NULL),
					     0);
				cr_assert(!memcmp(got, want + first, n));
			}
		ferry_source_unref(swapped);
	}
	cr_assert_eq(ferry_source_swap(&swapped, src, 3, "s", NULL),
		     FERRY_MISUSE);
	ferry_source_unref(src);
	src = memory(data, 47);
	cr_assert_eq(ferry_source_swap(&swapped, src, 2, "s", NULL),
		     FERRY_MALFORMED);
	ferry_source_unref(src);
}

static size_t deflated(const void *data, size_t n, unsigned char *out,
		       size_t cap)
{
	z_stream z = { 0 };

	cr_assert_eq(deflateInit2(&z, 6, Z_DEFLATED, -15, 8,
				  Z_DEFAULT_STRATEGY), Z_OK);
	z.next_in = (unsigned char *)data;
	z.avail_in = (unsigned)n;
	z.next_out = out;
	z.avail_out = (unsigned)cap;
	cr_assert_eq(deflate(&z, Z_FINISH), Z_STREAM_END);
	deflateEnd(&z);
	return cap - z.avail_out;
}

#define PLAIN ((size_t)1 << 20)

struct stream {
	unsigned char *plain, *packed;
	size_t n;
	struct ferry_source *parent, *src;
};

static void open_stream(struct stream *s, uint64_t declared)
{
	size_t i;

	s->plain = malloc(PLAIN);
	s->packed = malloc(2 * PLAIN);
	cr_assert(s->plain && s->packed);
	for (i = 0; i < PLAIN; i++)
		s->plain[i] = (unsigned char)(i * i >> (i >> 14) % 9);
	s->n = deflated(s->plain, PLAIN, s->packed, 2 * PLAIN);
	s->parent = memory(s->packed, s->n);
	cr_assert_eq(ferry_source_inflate(&s->src, s->parent, declared,
					  "member", NULL), 0);
}

static void close_stream(struct stream *s)
{
	ferry_source_unref(s->src);
	ferry_source_unref(s->parent);
	free(s->plain);
	free(s->packed);
}

Test(source, inflate_reads_forwards_and_back)
{
	unsigned char *buf = malloc(PLAIN);
	struct stream s;
	uint64_t x = 99;
	unsigned i;

	cr_assert(buf);
	open_stream(&s, PLAIN);
	cr_assert_eq(ferry_source_chunk(s.src), FERRY_CHUNK_FORWARDS);
	cr_assert_eq(ferry_source_read(s.src, buf, 0, PLAIN, NULL), 0);
	cr_assert(!memcmp(buf, s.plain, PLAIN));
	for (i = 0; i < 100; i++) {
		size_t first, n;

		x = x * 6364136223846793005u + 1442695040888963407u;
		first = (x >> 20) % PLAIN;
		n = (x >> 40) % (PLAIN - first) + 1;
		cr_assert_eq(ferry_source_read(s.src, buf, first, n, NULL), 0);
		cr_assert(!memcmp(buf, s.plain + first, n));
	}
	close_stream(&s);
	free(buf);
}

Test(source, inflate_of_another_length_is_malformed)
{
	struct ferry_error err = FERRY_ERROR_INIT;
	unsigned char *buf = malloc(PLAIN + 1);
	struct stream s;

	cr_assert(buf);
	open_stream(&s, PLAIN - 1);
	cr_assert_eq(ferry_source_read(s.src, buf, 0, PLAIN - 2, NULL), 0);
	cr_assert_eq(ferry_source_read(s.src, buf, 0, PLAIN - 1, &err),
		     FERRY_MALFORMED);
	cr_assert(strstr(err.text, "member: deflated data is longer"));
	close_stream(&s);
	ferry_error_clear(&err);
	open_stream(&s, PLAIN + 1);
	cr_assert_eq(ferry_source_read(s.src, buf, 0, PLAIN, NULL), 0);
	cr_assert_eq(ferry_source_read(s.src, buf, PLAIN, 1, &err),
		     FERRY_MALFORMED);
	cr_assert(strstr(err.text, "shorter than declared"));
	close_stream(&s);
	free(buf);
}

Test(source, inflate_of_broken_data_is_malformed)
{
	struct ferry_error err = FERRY_ERROR_INIT;
	unsigned char *buf = malloc(PLAIN);
	struct ferry_source *cut, *src;
	struct stream s;
	size_t i;

	cr_assert(buf);
	open_stream(&s, PLAIN);
	cr_assert_eq(ferry_source_range(&cut, s.parent, 0, s.n / 2, "cut",
					NULL), 0);
	cr_assert_eq(ferry_source_inflate(&src, cut, PLAIN, "cut", NULL), 0);
	cr_assert_eq(ferry_source_read(src, buf, 0, PLAIN, &err),
		     FERRY_MALFORMED);
	cr_assert(strstr(err.text, "ends too early"));
	ferry_source_unref(src);
	ferry_source_unref(cut);
	for (i = 0; i < s.n; i++)
		s.packed[i] ^= (unsigned char)(i * 37);
	cr_assert_eq(ferry_source_read(s.src, buf, 0, PLAIN, NULL),
		     FERRY_MALFORMED);
	close_stream(&s);
	src = memory("", 0);
	cr_assert_eq(ferry_source_inflate(&cut, src, 5, "empty", NULL), 0);
	cr_assert_eq(ferry_source_read(cut, buf, 0, 5, NULL), FERRY_MALFORMED);
	ferry_source_unref(cut);
	ferry_source_unref(src);
	free(buf);
}

Test(source, many_half_read_streams_hold_few_windows)
{
	struct ferry_source *all[200];
	struct stream s;
	struct mallinfo2 before, after;
	char buf[100];
	size_t i, round;

	open_stream(&s, PLAIN);
	before = mallinfo2();
	for (i = 0; i < 200; i++)
		cr_assert_eq(ferry_source_inflate(&all[i], s.parent, PLAIN,
						  "m", NULL), 0);
	for (round = 0; round < 3; round++)
		for (i = 0; i < 200; i++) {
			cr_assert_eq(ferry_source_read(all[i], buf,
						       round * 1000, 100,
						       NULL), 0);
			cr_assert(!memcmp(buf, s.plain + round * 1000, 100));
		}
	after = mallinfo2();
	cr_assert_lt(after.uordblks + after.hblkhd,
		     before.uordblks + before.hblkhd + (4 << 20));
	for (i = 0; i < 200; i++)
		ferry_source_unref(all[i]);
	close_stream(&s);
}

Test(source, zeros_are_zeros)
{
	struct ferry_source *src;
	char buf[9] = "xxxxxxxx";

	cr_assert_eq(ferry_source_zero(&src, UINT64_C(1) << 50, NULL), 0);
	cr_assert_eq(ferry_source_read(src, buf, (UINT64_C(1) << 50) - 8, 8,
				       NULL), 0);
	cr_assert(!memcmp(buf, "\0\0\0\0\0\0\0\0", 8));
	ferry_source_unref(src);
}

/* Every allocation of a constructor may fail, and nothing is lost then. */
Test(source, constructors_survive_failing_allocations)
{
	struct ferry_source *src = memory("01234567", 8), *out;
	uint64_t nth;
	int code;

	for (nth = 1; nth < 10; nth++) {
		struct ferry_error err = FERRY_ERROR_INIT;

		ferry_alloc_fail_at(nth);
		code = ferry_source_inflate(&out, src, 8, "i", &err);
		ferry_alloc_fail_at(0);
		if (!code) {
			ferry_source_unref(out);
			break;
		}
		cr_assert_eq(code, FERRY_NOMEM);
		cr_assert_eq(err.code, FERRY_NOMEM);
	}
	cr_assert_lt(nth, 10);
	cr_assert_gt(nth, 1);
	cr_assert_eq(atomic_load(&src->refs), 1);
	ferry_source_unref(src);
}
