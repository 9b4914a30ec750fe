/*
 * A growing byte buffer with a sticky failure: append as often as you like,
 * check `failed` once.
 */
#ifndef FERRY_SYS_BUFFER_H
#define FERRY_SYS_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <ferry/api.h>

FERRY_BEGIN

struct ferry_buffer {
	char *data;		/* NUL-terminated after any append */
	size_t n, cap;
	bool failed;
};

#define FERRY_BUFFER_INIT { 0 }

/* Room for n more bytes and the NUL; false when failed. */
FERRY_API bool ferry_buffer_reserve(struct ferry_buffer *b, size_t n);

/* Room for n more bytes, uninitialised and counted in; NULL when failed. */
static inline void *ferry_buffer_extend(struct ferry_buffer *b, size_t n)
{
	char *room;

	if ((b->failed || n >= b->cap - b->n) && !ferry_buffer_reserve(b, n))
		return NULL;
	room = b->data + b->n;
	b->n += n;
	b->data[b->n] = '\0';
	return room;
}

static inline void ferry_buffer_add(struct ferry_buffer *b, const void *data,
				    size_t n)
{
	void *room = ferry_buffer_extend(b, n);

	if (room && n)
		memcpy(room, data, n);
}

static inline void ferry_buffer_add_str(struct ferry_buffer *b, const char *s)
{
	ferry_buffer_add(b, s, strlen(s));
}

/* In decimal. */
FERRY_API void ferry_buffer_add_uint(struct ferry_buffer *b, uint64_t v);
/* With commas between them. */
FERRY_API void ferry_buffer_add_uints(struct ferry_buffer *b,
				      const uint64_t *v, size_t n);
FERRY_API void ferry_buffer_printf(struct ferry_buffer *b, const char *fmt, ...)
	FERRY_PRINTF(2, 3);
FERRY_API void ferry_buffer_release(struct ferry_buffer *b);

FERRY_END

#endif
