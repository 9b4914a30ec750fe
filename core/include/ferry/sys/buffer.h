/*
 * A growing byte buffer with a sticky failure: append as often as you like,
 * check `failed` once.
 */
#ifndef FERRY_SYS_BUFFER_H
#define FERRY_SYS_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ferry/api.h>

FERRY_BEGIN

struct ferry_buffer {
	char *data;		/* NUL-terminated after any append */
	size_t n, cap;
	bool failed;
};

#define FERRY_BUFFER_INIT { 0 }

FERRY_API void ferry_buffer_add(struct ferry_buffer *b, const void *data,
				size_t n);
FERRY_API void ferry_buffer_add_str(struct ferry_buffer *b, const char *s);
/* In decimal. */
FERRY_API void ferry_buffer_add_uint(struct ferry_buffer *b, uint64_t v);
/* With commas between them. */
FERRY_API void ferry_buffer_add_uints(struct ferry_buffer *b,
				      const uint64_t *v, size_t n);
FERRY_API void ferry_buffer_printf(struct ferry_buffer *b, const char *fmt, ...)
	FERRY_PRINTF(2, 3);
/* Room for n more bytes, uninitialised and counted in; NULL when failed. */
FERRY_API void *ferry_buffer_extend(struct ferry_buffer *b, size_t n);
FERRY_API void ferry_buffer_release(struct ferry_buffer *b);

FERRY_END

#endif
