/* The growing byte buffer. */
#include "config.h"

#include <ferry/sys/buffer.h>

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <ferry/sys/alloc.h>

bool ferry_buffer_reserve(struct ferry_buffer *b, size_t n)
{
	size_t need, cap;
	char *data;

	if (b->failed)
		return false;
	if (__builtin_add_overflow(b->n, n, &need) || need == SIZE_MAX)
		goto fail;
	if (need < b->cap)
		return true;
	cap = b->cap < SIZE_MAX / 2 ? 2 * b->cap : SIZE_MAX;
	if (cap < need + 1)
		cap = need + 1;
	if (cap < 64)
		cap = 64;
	data = ferry_alloc_resize(b->data, cap, 1);
	if (!data)
		goto fail;
	b->data = data;
	b->cap = cap;
	return true;
fail:
	b->failed = true;
	return false;
}

void ferry_buffer_add_uint(struct ferry_buffer *b, uint64_t v)
{
	char digits[20];
	size_t at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + v % 10);
		v /= 10;
	} while (v);
	ferry_buffer_add(b, digits + at, sizeof(digits) - at);
}

void ferry_buffer_add_uints(struct ferry_buffer *b, const uint64_t *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		ferry_buffer_add_str(b, i ? "," : "");
		ferry_buffer_add_uint(b, v[i]);
	}
}

void ferry_buffer_printf(struct ferry_buffer *b, const char *fmt, ...)
{
	va_list args, again;
	size_t room;
	int n;

	if (!ferry_buffer_reserve(b, 0))
		return;
	room = b->cap - b->n;
	va_start(args, fmt);
	va_copy(again, args);
	n = vsnprintf(b->data + b->n, room, fmt, args);
	if (n >= 0 && (size_t)n >= room && ferry_buffer_reserve(b, (size_t)n))
		vsnprintf(b->data + b->n, (size_t)n + 1, fmt, again);
	if (n < 0)
		b->failed = true;
	if (b->failed)
		b->data[b->n] = '\0';
	else
		b->n += (size_t)n;
	va_end(again);
	va_end(args);
}

void ferry_buffer_release(struct ferry_buffer *b)
{
	ferry_alloc_free(b->data);
	*b = (struct ferry_buffer)FERRY_BUFFER_INIT;
}
