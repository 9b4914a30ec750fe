/*
 * The allocator everything in ferry goes through, so that a test can make the
 * nth allocation fail.
 *
 * Thread: safe.  ferry_alloc_fail_at() is for single-threaded tests.
 */
#ifndef FERRY_SYS_ALLOC_H
#define FERRY_SYS_ALLOC_H

#include <stddef.h>
#include <stdint.h>

#include <ferry/api.h>

FERRY_BEGIN

/* NULL on failure or when n * size overflows.  n * size of 0 gives a pointer
 * that may be freed. */
FERRY_API void *ferry_alloc(size_t nbytes);
FERRY_API void *ferry_alloc_zero(size_t n, size_t size);
FERRY_API void *ferry_alloc_resize(void *old, size_t n, size_t size);
FERRY_API void ferry_alloc_free(void *p);
FERRY_API char *ferry_alloc_strdup(const char *s);

/* Let the nth allocation from now (1 = the next) and all after it fail; 0:
 * never.  Returns how many allocations were made since the last call. */
FERRY_API uint64_t ferry_alloc_fail_at(uint64_t nth);

FERRY_END

#endif
