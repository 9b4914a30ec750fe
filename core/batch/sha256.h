/*
 * SHA-256 (FIPS 180-4) by the processor's own instructions: of one stream, or
 * of the same bytes in two streams at once.  Each step waits for the one before
 * it, so that two streams take hardly longer than one.
 *
 * Thread: a stream belongs to one thread.
 */
#ifndef CORE_BATCH_SHA256_H
#define CORE_BATCH_SHA256_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ferry__sha256 {
	uint32_t state[8];
	uint64_t nbytes;
	unsigned char held[64];		/* the last nbytes % 64 */
};

/* The processor has them, and FERRY_CPU=scalar does not forbid it.  Without
 * them, nothing below may be called. */
bool ferry__sha256_works(void);

void ferry__sha256_init(struct ferry__sha256 *s);
void ferry__sha256_add(struct ferry__sha256 *s, const void *data, size_t n);
void ferry__sha256_add_both(struct ferry__sha256 *a, struct ferry__sha256 *b,
			    const void *data, size_t n);
/* The stream can't be added to after this. */
void ferry__sha256_end(struct ferry__sha256 *s, unsigned char out[32]);

#endif
