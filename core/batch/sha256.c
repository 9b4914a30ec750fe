/* SHA-256 with Intel's SHA extensions. */
#include "config.h"

#include "core/batch/sha256.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#endif

#define BLOCK 64

static bool works;

static bool ask_cpu(void)
{
#if defined(__x86_64__)
	unsigned a, b, c, d;

	return __get_cpuid(1, &a, &b, &c, &d) && c & bit_SSE4_1 &&
	       c & bit_SSSE3 && __get_cpuid_count(7, 0, &a, &b, &c, &d) &&
	       b & bit_SHA;
#else
	return false;
#endif
}

static void find_out(void)
{
	const char *cap = getenv("FERRY_CPU");

	works = ask_cpu() && (!cap || strcmp(cap, "scalar") != 0);
}

bool ferry__sha256_works(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, find_out);
	return works;
}

/* ---- blocks -------------------------------------------------------------- */

#if defined(__x86_64__)
#define SHA __attribute__((target("sha,sse4.1,ssse3")))
#define STEP SHA static inline __attribute__((always_inline))

static const uint32_t constants[64] __attribute__((aligned(16))) = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1,
	0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3,
	0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786,
	0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
	0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147,
	0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13,
	0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
	0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
	0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a,
	0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208,
	0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

/* The state as the instructions have it: words a b e f, and c d g h. */
struct lane {
	__m128i abef, cdgh;
	__m128i words[4];	/* of the schedule, the last 16 */
};

STEP void enter(struct lane *l, const uint32_t state[8])
{
	__m128i low = _mm_loadu_si128((const __m128i *)state);
	__m128i high = _mm_loadu_si128((const __m128i *)(state + 4));

	low = _mm_shuffle_epi32(low, 0xb1);
	high = _mm_shuffle_epi32(high, 0x1b);
	l->abef = _mm_alignr_epi8(low, high, 8);
	l->cdgh = _mm_blend_epi16(high, low, 0xf0);
}

STEP void leave(const struct lane *l, uint32_t state[8])
{
	__m128i low = _mm_shuffle_epi32(l->abef, 0x1b);
	__m128i high = _mm_shuffle_epi32(l->cdgh, 0xb1);

	_mm_storeu_si128((__m128i *)state, _mm_blend_epi16(low, high, 0xf0));
	_mm_storeu_si128((__m128i *)(state + 4),
			 _mm_alignr_epi8(high, low, 8));
}

STEP void load(struct lane *l, const unsigned char *block)
{
	const __m128i order = _mm_set_epi64x(0x0c0d0e0f08090a0b,
					     0x0405060700010203);

	for (int i = 0; i < 4; i++)
		l->words[i] = _mm_shuffle_epi8(_mm_loadu_si128(
				(const __m128i *)(block + 16 * i)), order);
}

/* Rounds 4i to 4i + 3, and before them their words of the schedule. */
STEP void rounds(struct lane *l, int i)
{
	__m128i *at = &l->words[i & 3], *next = &l->words[(i + 1) & 3];
	__m128i *before = &l->words[(i + 3) & 3], sum;

	if (i >= 4) {
		sum = _mm_alignr_epi8(*before, l->words[(i + 2) & 3], 4);
		sum = _mm_add_epi32(_mm_sha256msg1_epu32(*at, *next), sum);
		*at = _mm_sha256msg2_epu32(sum, *before);
	}
	sum = _mm_add_epi32(*at, _mm_load_si128((const __m128i *)
						(constants + 4 * i)));
	l->cdgh = _mm_sha256rnds2_epu32(l->cdgh, l->abef, sum);
	l->abef = _mm_sha256rnds2_epu32(l->abef, l->cdgh,
					_mm_shuffle_epi32(sum, 0x0e));
}

STEP void add_up(struct lane *l, const struct lane *was)
{
	l->abef = _mm_add_epi32(l->abef, was->abef);
	l->cdgh = _mm_add_epi32(l->cdgh, was->cdgh);
}

SHA static void add_blocks(uint32_t state[8], const unsigned char *p, size_t n)
{
	struct lane a, was;

	enter(&a, state);
	for (; n; n--, p += BLOCK) {
		was = a;
		load(&a, p);
#pragma GCC unroll 16
		for (int i = 0; i < 16; i++)
			rounds(&a, i);
		add_up(&a, &was);
	}
	leave(&a, state);
}

SHA static void add_two(uint32_t state[8], const unsigned char *p,
			uint32_t other[8], const unsigned char *q, size_t n)
{
	struct lane a, b, was_a, was_b;

	enter(&a, state);
	enter(&b, other);
	for (; n; n--, p += BLOCK, q += BLOCK) {
		was_a = a;
		was_b = b;
		load(&a, p);
		load(&b, q);
#pragma GCC unroll 16
		for (int i = 0; i < 16; i++) {
			rounds(&a, i);
			rounds(&b, i);
		}
		add_up(&a, &was_a);
		add_up(&b, &was_b);
	}
	leave(&a, state);
	leave(&b, other);
}
#else
/* Never called: ferry__sha256_works() tells. */
static void add_blocks(uint32_t state[8], const unsigned char *p, size_t n)
{
	(void)state;
	(void)p;
	(void)n;
}

static void add_two(uint32_t state[8], const unsigned char *p,
		    uint32_t other[8], const unsigned char *q, size_t n)
{
	add_blocks(state, p, n);
	add_blocks(other, q, n);
}
#endif

/* ---- streams ------------------------------------------------------------- */

void ferry__sha256_init(struct ferry__sha256 *s)
{
	static const uint32_t start[8] = {
		0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
		0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
	};

	memcpy(s->state, start, sizeof(start));
	s->nbytes = 0;
}

/* What completes the block that was begun; the bytes taken. */
static size_t fill_up(struct ferry__sha256 *s, const unsigned char *p, size_t n)
{
	size_t held = s->nbytes % BLOCK;
	size_t most = held ? BLOCK - held : 0;

	if (n > most)
		n = most;
	if (!n)
		return 0;
	memcpy(s->held + held, p, n);
	s->nbytes += n;
	if (n == most)
		add_blocks(s->state, s->held, 1);
	return n;
}

static void add_rest(struct ferry__sha256 *s, const unsigned char *p, size_t n)
{
	size_t whole = n / BLOCK;

	if (whole)
		add_blocks(s->state, p, whole);
	if (n % BLOCK)
		memcpy(s->held, p + whole * BLOCK, n % BLOCK);
	s->nbytes += n;
}

void ferry__sha256_add(struct ferry__sha256 *s, const void *data, size_t n)
{
	size_t first = fill_up(s, data, n);

	if (n > first)
		add_rest(s, (const unsigned char *)data + first, n - first);
}

void ferry__sha256_add_both(struct ferry__sha256 *a, struct ferry__sha256 *b,
			    const void *data, size_t n)
{
	const unsigned char *p = data;
	size_t at_a = fill_up(a, p, n), at_b = fill_up(b, p, n);
	size_t both = (n - (at_a > at_b ? at_a : at_b)) / BLOCK;

	if (both) {
		add_two(a->state, p + at_a, b->state, p + at_b, both);
		a->nbytes += both * BLOCK;
		b->nbytes += both * BLOCK;
	}
	at_a += both * BLOCK;
	at_b += both * BLOCK;
	if (n > at_a)
		add_rest(a, p + at_a, n - at_a);
	if (n > at_b)
		add_rest(b, p + at_b, n - at_b);
}

void ferry__sha256_end(struct ferry__sha256 *s, unsigned char out[32])
{
	size_t held = s->nbytes % BLOCK;
	unsigned char last[2 * BLOCK] = { 0 };
	size_t n = held < BLOCK - 8 ? 1 : 2;
	uint64_t nbits = s->nbytes * 8;

	memcpy(last, s->held, held);
	last[held] = 0x80;
	for (int i = 0; i < 8; i++)
		last[n * BLOCK - 1 - i] = (unsigned char)(nbits >> 8 * i);
	add_blocks(s->state, last, n);
	for (int i = 0; i < 32; i++)
		out[i] = (unsigned char)(s->state[i / 4] >>
					 8 * (3 - i % 4));
}
