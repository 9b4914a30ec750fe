/* The allocator, with a switch that makes the nth allocation fail. */
#include "config.h"

#include <ferry/sys/alloc.h>

#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static atomic_uint_fast64_t made;
static atomic_uint_fast64_t fail_from;

static bool refused(void)
{
	uint64_t nth = 1 + atomic_fetch_add_explicit(&made, 1,
						     memory_order_relaxed);
	uint64_t from = atomic_load_explicit(&fail_from, memory_order_relaxed);

	return from && nth >= from;
}

void *ferry_alloc(size_t nbytes)
{
	if (refused())
		return NULL;
	return malloc(nbytes ? nbytes : 1);
}

void *ferry_alloc_zero(size_t n, size_t size)
{
	if (refused())
		return NULL;
	if (!n || !size)
		n = size = 1;
	return calloc(n, size);
}

void *ferry_alloc_resize(void *old, size_t n, size_t size)
{
	size_t nbytes;

	if (__builtin_mul_overflow(n, size, &nbytes) || refused())
		return NULL;
	return realloc(old, nbytes ? nbytes : 1);
}

void ferry_alloc_free(void *p)
{
	free(p);
}

char *ferry_alloc_strdup(const char *s)
{
	size_t n = strlen(s) + 1;
	char *copy = ferry_alloc(n);

	return copy ? memcpy(copy, s, n) : NULL;
}

uint64_t ferry_alloc_fail_at(uint64_t nth)
{
	atomic_store(&fail_from, nth);
	return atomic_exchange(&made, 0);
}
