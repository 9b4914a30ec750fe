/*
 * Base64 with the digits of RFC 4648 section 4: what the text formats that hold
 * bytes agree on.  Which texts are taken differs between them and is theirs.
 * Thread-safe.
 */
#ifndef FERRY_SYS_BASE64_H
#define FERRY_SYS_BASE64_H

#include <stddef.h>

#include <ferry/api.h>
#include <ferry/sys/buffer.h>

FERRY_BEGIN

/* Append n bytes as padded text, without line breaks. */
FERRY_API void ferry_base64_add(struct ferry_buffer *out, const void *data,
				size_t n);
/* The six bits a digit stands for; -1: it is none ('=' included). */
FERRY_API int ferry_base64_value(char digit);

FERRY_END

#endif
