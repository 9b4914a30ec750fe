/* UTF-8, as the text of messages needs it. */
#ifndef CORE_BASE_UTF8_H
#define CORE_BASE_UTF8_H

#include <stddef.h>
#include <stdint.h>

/*
 * Bytes of the well-formed sequence at the start of text[0..n), n > 0, with its
 * code point in *code; 0 when it is ill-formed (overlong, surrogate, above
 * U+10FFFF, cut short).
 */
size_t ferry_utf8_decode(const char *text, size_t n, uint32_t *code);

/* The largest length <= at that cuts no sequence of text in two. */
size_t ferry_utf8_cut(const char *text, size_t at);

#endif
