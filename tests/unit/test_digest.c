/* SHA-256 against OpenSSL's, however the bytes are handed over; files and spans
 * of them. */
#include "config.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "core/batch/sha256.h"
#include "core/batch/span.h"

#define MOST 4096

static unsigned char data[MOST];

static void fill(void)
{
	uint32_t x = 12345;

	if (!ferry__sha256_works())
		cr_skip_test("the processor has no SHA instructions");
	for (size_t i = 0; i < MOST; i++) {
		x = x * 1664525 + 1013904223;
		data[i] = (unsigned char)(x >> 24);
	}
}

static void is_digest(struct ferry__sha256 *s, size_t from, size_t n)
{
	unsigned char got[32], wanted[32];

	ferry__sha256_end(s, got);
	cr_assert(EVP_Digest(data + from, n, wanted, NULL, EVP_sha256(), NULL));
	cr_assert_arr_eq(got, wanted, 32, "%zu bytes from %zu on", n, from);
}

Test(sha256, every_length, .init = fill)
{
	struct ferry__sha256 s;

	for (size_t n = 0; n < 300; n++) {
		ferry__sha256_init(&s);
		ferry__sha256_add(&s, data, n);
		is_digest(&s, 0, n);
	}
}

Test(sha256, in_pieces, .init = fill)
{
	struct ferry__sha256 s;

	for (size_t step = 1; step < 200; step++) {
		ferry__sha256_init(&s);
		for (size_t at = 0; at < 1000; at += step)
			ferry__sha256_add(&s, data + at, at + step < 1000 ?
					  step : 1000 - at);
		is_digest(&s, 0, 1000);
	}
}

/* One stream has `lead` bytes more before those that both get in pieces. */
static void add_to_both(size_t lead, size_t n, size_t step)
{
	struct ferry__sha256 a, b;

	ferry__sha256_init(&a);
	ferry__sha256_init(&b);
	ferry__sha256_add(&a, data, lead);
	for (size_t at = 0; at < n; at += step)
		ferry__sha256_add_both(&a, &b, data + lead + at,
				       at + step < n ? step : n - at);
	is_digest(&a, 0, lead + n);
	is_digest(&b, lead, n);
}

Test(sha256, two_at_once, .init = fill)
{
	static const size_t steps[] = { 1, 7, 63, 64, 65, 200, 1000, MOST };

	for (size_t lead = 0; lead < 130; lead++)
		for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++)
			add_to_both(lead, 700, steps[i]);
	for (size_t n = 0; n < 300; n++)
		add_to_both(8, n, MOST);
}

/* ---- spans --------------------------------------------------------------- */

#define FILE_NBYTES ((size_t)700 << 10)

static char path[] = "/tmp/ferry-digest.XXXXXX";
static unsigned char *bytes;
static struct stat st;

static void make_file(void)
{
	int fd = mkstemp(path);

	bytes = malloc(FILE_NBYTES);
	cr_assert(fd >= 0 && bytes);
	for (size_t i = 0; i < FILE_NBYTES; i++)
		bytes[i] = (unsigned char)(i * 7 + i / 251);
	cr_assert_eq(write(fd, bytes, FILE_NBYTES), (ssize_t)FILE_NBYTES);
	cr_assert(!fstat(fd, &st));
	close(fd);
}

static void remove_file(void)
{
	unlink(path);
	free(bytes);
}

static void is_told(const char *digest, enum ferry_digest_kind kind,
		    size_t offset, size_t n)
{
	struct ferry__digest d;
	char wanted[FERRY__DIGEST_TEXT];

	ferry__digest_init(&d, kind);
	ferry__digest_add(&d, bytes + offset, n);
	cr_assert_eq(ferry__digest_end(&d, wanted, NULL), 0);
	cr_assert_str_eq(digest, wanted, "%zu bytes at %zu", n, offset);
}

/* What overlaps another is left to be read by itself; what is equal is not. */
static void read_once(enum ferry_digest_kind kind)
{
	static const struct {
		size_t offset, nbytes;
		bool told;
	} given[] = {
		{ 8, 100, true }, { 8, 100, true }, { 8, 200, false },
		{ 50, 8, false }, { 108, 1, true }, { 109, 1, true },
		{ 200, 1 << 18, true }, { 262344, 63, true },
		{ 300000, FILE_NBYTES - 300000, true },
	};
	enum { N = sizeof(given) / sizeof(given[0]) };
	struct ferry__span spans[N + 1] = { 0 };
	struct ferry__span_file file;
	size_t at;

	for (size_t i = 0; i < N; i++)
		spans[i] = (struct ferry__span){
			.dev = st.st_dev, .ino = st.st_ino,
			.offset = given[N - 1 - i].offset,
			.nbytes = given[N - 1 - i].nbytes, .at = N - 1 - i,
		};
	ferry__span_sort(spans, N + 1);
	cr_assert_eq(ferry__span_digests(&file, kind, path, spans, N + 1, NULL,
					 NULL), 0);
	cr_assert_eq(file.nbytes, FILE_NBYTES);
	is_told(file.digest, kind, 0, FILE_NBYTES);
	for (size_t i = 0; i <= N; i++) {
		at = spans[i].at;
		cr_assert_eq(*spans[i].digest != '\0', spans[i].ino &&
			     given[at].told, "span %zu", at);
		if (*spans[i].digest)
			is_told(spans[i].digest, kind, given[at].offset,
				given[at].nbytes);
	}
}

Test(span, sha256, .init = make_file, .fini = remove_file)
{
	read_once(FERRY_DIGEST_SHA256);
}

Test(span, crc32, .init = make_file, .fini = remove_file)
{
	read_once(FERRY_DIGEST_CRC32);
}

Test(span, without_own_instructions, .init = make_file, .fini = remove_file)
{
	setenv("FERRY_CPU", "scalar", 1);
	read_once(FERRY_DIGEST_SHA256);
}

/* It ends before a span does: that one is told nothing of. */
Test(span, cut_off, .init = make_file, .fini = remove_file)
{
	struct ferry__span span = { .dev = st.st_dev, .ino = st.st_ino,
				    .offset = 100, .nbytes = FILE_NBYTES };
	struct ferry__span_file file;

	cr_assert_eq(ferry__span_digests(&file, FERRY_DIGEST_SHA256, path,
					 &span, 1, NULL, NULL), 0);
	cr_assert_str_empty(span.digest);
	is_told(file.digest, FERRY_DIGEST_SHA256, 0, FILE_NBYTES);
}
