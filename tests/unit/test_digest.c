/* Digests of bytes, and of files and spans of them. */
#include "config.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/batch/span.h"

#define LONG \
	"ffffffffffffffffffffffffffffffffffffffffffffffffff" \
	"ffffffffffffffffffffffffffffffffffffffffffffffffffx"

/* What sha256sum, xxhsum -H2 and crc32 print. */
static const struct {
	enum ferry_digest_kind kind;
	const char *text, *digest;
} told[] = {
	{ FERRY_DIGEST_XXH128, "ferry",
	  "xxh128:85ca3a0dfcfe59849331f43fcdbd2eb8" },
	{ FERRY_DIGEST_SHA256, "ferry",
	  "sha256:e9087d0b20d80d3e12bc8530d883d7ad9c1eb3ebc5cb61824a2b4"
	  "60816503797" },
	{ FERRY_DIGEST_CRC32, "ferry",
	  "crc32:bf0d1c13" },
	{ FERRY_DIGEST_XXH128, LONG,
	  "xxh128:7330fddb534d8c8b5bdb3a6277d9de4e" },
	{ FERRY_DIGEST_SHA256, LONG,
	  "sha256:2a3f03b1e08dca3ae20367c75c70515317fcbda190fa7b470019e"
	  "b5edd2ebdbf" },
	{ FERRY_DIGEST_CRC32, LONG,
	  "crc32:f019ca8e" },
};

Test(digest, are_those_of_the_tools)
{
	char got[FERRY__DIGEST_TEXT];
	enum ferry_digest_kind kind;
	struct ferry__digest d, twin;

	for (size_t i = 0; i < sizeof(told) / sizeof(told[0]); i++) {
		ferry__digest_init(&d, told[i].kind);
		ferry__digest_init(&twin, told[i].kind);
		ferry__digest_add(&d, told[i].text, 1);
		ferry__digest_add_both(&d, &twin, told[i].text + 1,
				       strlen(told[i].text) - 1);
		ferry__digest_drop(&twin);
		cr_assert_eq(ferry__digest_end(&d, got, NULL), 0);
		cr_expect_str_eq(got, told[i].digest);
		cr_assert(ferry__digest_kind_of(got, &kind));
		cr_expect_eq(kind, told[i].kind);
	}
	cr_expect(!ferry__digest_kind_of("sha256", &kind));
	cr_expect(!ferry__digest_kind_of("sha:00", &kind));
	cr_expect(!ferry__digest_kind_of("", &kind));
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

Test(span, xxh128, .init = make_file, .fini = remove_file)
{
	read_once(FERRY_DIGEST_XXH128);
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
