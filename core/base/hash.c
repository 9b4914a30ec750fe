/*
 * SipHash-1-3 (Aumasson and Bernstein), keyed per process: whoever writes a
 * file can't know which keys collide.
 */
#include "config.h"

#include <ferry/sys/map.h>

#include <pthread.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include <ferry/sys/bytes.h>

static struct {
	pthread_once_t once;
	uint64_t k0, k1;
} key = { PTHREAD_ONCE_INIT, 0, 0 };

static void draw_key(void)
{
	uint64_t drawn[2];
	struct timespec now;

	if (getrandom(drawn, sizeof(drawn), GRND_NONBLOCK) != sizeof(drawn)) {
		clock_gettime(CLOCK_MONOTONIC, &now);
		drawn[0] = (uint64_t)now.tv_nsec * UINT64_C(0x9e3779b97f4a7c15);
		drawn[1] = (uint64_t)(uintptr_t)&now ^ (uint64_t)getpid() << 40;
	}
	key.k0 = drawn[0];
	key.k1 = drawn[1];
}

static inline uint64_t rotl(uint64_t x, int by)
{
	return x << by | x >> (64 - by);
}

static inline void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = rotl(v[1], 13) ^ v[0];
	v[0] = rotl(v[0], 32);
	v[2] += v[3];
	v[3] = rotl(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotl(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotl(v[1], 17) ^ v[2];
	v[2] = rotl(v[2], 32);
}

static inline void absorb(uint64_t v[4], uint64_t word)
{
	v[3] ^= word;
	sip_round(v);
	v[0] ^= word;
}

uint64_t ferry_hash(const void *data, size_t n)
{
	const uint8_t *p = data;
	uint64_t last = (uint64_t)n << 56;
	uint64_t v[4];

	pthread_once(&key.once, draw_key);
	v[0] = key.k0 ^ UINT64_C(0x736f6d6570736575);
	v[1] = key.k1 ^ UINT64_C(0x646f72616e646f6d);
	v[2] = key.k0 ^ UINT64_C(0x6c7967656e657261);
	v[3] = key.k1 ^ UINT64_C(0x7465646279746573);
	for (size_t left = n; left >= 8; left -= 8, p += 8)
		absorb(v, ferry_le64(p));
	if (n >= 8 && n & 7)
		last |= ferry_le64(p + (n & 7) - 8) >> (64 - 8 * (n & 7));
	else
		for (size_t i = 0; i < (n & 7); i++)
			last |= (uint64_t)p[i] << (8 * i);
	absorb(v, last);
	v[2] ^= 0xff;
	sip_round(v);
	sip_round(v);
	sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}
