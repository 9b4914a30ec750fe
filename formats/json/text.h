/* Strings, bytes and numbers as JSON text. */
#ifndef FORMATS_JSON_TEXT_H
#define FORMATS_JSON_TEXT_H

#include <ferry/sys/buffer.h>
#include <ferry/sys/build.h>
#include <ferry/sys/map.h>

/* Longest integer, in decimal digits, that is read or written as a number:
 * what Python takes too. */
#define JSON_MAX_DIGITS 4300
/* Bytes of a big integer whose decimal text is sure to be shorter. */
#define JSON_MAX_DECIMAL_BYTES 1750

/* Value of a hexadecimal digit, or -1. */
int json_hex_digit(char c);

/* How many bytes at the start stand for themselves in a string whatever reads
 * it: printable ASCII without '"' and '\\'. */
size_t json_plain_len(const char *text, size_t n);
bool json_is_utf8(const char *text, size_t n);
/* Bytes of the UTF-8 sequence that text starts with; 0 when it is none:
 * overlong forms, surrogates and code points above U+10FFFF are none. */
size_t json_utf8_len(const char *text, size_t n);
/* True when text starts with a surrogate in three bytes; *unit gets it. */
bool json_surrogate(const char *text, size_t n, unsigned *unit);
/* Encode a code point, a surrogate too; returns the length. */
size_t json_utf8_put(char out[4], unsigned code);

/*
 * True when JSON text gives the string back as it is: UTF-8, with lone
 * surrogates but no two that would join to a pair.
 */
bool json_is_clean(const char *text, size_t n);

/* Append fifteen digits, or as few more as read back as the same double; it is
 * finite. */
int json_add_real(struct ferry_buffer *out, double f, struct ferry_error *err);
/* 0, FERRY_NOMEM, or FERRY_LIMIT for what a double can't hold. */
int json_parse_real(const char *text, size_t n, double *out);

/* Append any INT in decimal; the caller has checked JSON_MAX_DECIMAL_BYTES. */
int json_add_int(struct ferry_buffer *out, const struct ferry_value *v,
		 struct ferry_error *err);
/* The INT of a NUMBER token that is no real. */
int json_parse_int(struct ferry_store *store, const char *text, size_t n,
		   struct ferry_value **out, struct ferry_error *err);

/* Decode into new bytes of the store; MALFORMED when it is not base64. */
int json_parse_base64(struct ferry_store *store, const char *text, size_t n,
		      char **out, size_t *nout, struct ferry_error *err);

/*
 * The STRING with that text, made once per map: keys that repeat in thousands
 * of entries cost one value.  NULL when memory is out.
 */
struct ferry_value *json_intern(struct ferry_store *store,
				struct ferry_map *strings, const char *text,
				size_t n);

#endif
