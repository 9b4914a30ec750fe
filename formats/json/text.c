/* Strings, bytes and numbers as JSON text. */
#include "config.h"

#include "formats/json/text.h"

#include <string.h>

#include <jansson.h>

#include <ferry/sys/alloc.h>
#include <ferry/sys/base64.h>

#include "formats/json/json.h"

#define INTERN_MAX 256

int json_hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

static bool continues(const unsigned char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return false;
	return true;
}

size_t json_utf8_len(const char *text, size_t n)
{
	const unsigned char *p = (const unsigned char *)text;

	if (!n)
		return 0;
	if (p[0] < 0x80)
		return 1;
	if (p[0] >= 0xc2 && p[0] < 0xe0)
		return n >= 2 && continues(p + 1, 1) ? 2 : 0;
	if ((p[0] & 0xf0) == 0xe0) {
		if (n < 3 || !continues(p + 1, 2) ||
		    (p[0] == 0xe0 && p[1] < 0xa0) ||
		    (p[0] == 0xed && p[1] >= 0xa0))
			return 0;
		return 3;
	}
	if (p[0] >= 0xf0 && p[0] < 0xf5) {
		if (n < 4 || !continues(p + 1, 3) ||
		    (p[0] == 0xf0 && p[1] < 0x90) ||
		    (p[0] == 0xf4 && p[1] >= 0x90))
			return 0;
		return 4;
	}
	return 0;
}

bool json_surrogate(const char *text, size_t n, unsigned *unit)
{
	const unsigned char *p = (const unsigned char *)text;

	if (n < 3 || p[0] != 0xed || p[1] < 0xa0 || !continues(p + 1, 2))
		return false;
	*unit = 0xd000 | (unsigned)(p[1] & 0x3f) << 6 | (p[2] & 0x3f);
	return true;
}

size_t json_utf8_put(char out[4], unsigned code)
{
	if (code < 0x80) {
		out[0] = (char)code;
		return 1;
	}
	if (code < 0x800) {
		out[0] = (char)(0xc0 | code >> 6);
		out[1] = (char)(0x80 | (code & 0x3f));
		return 2;
	}
	if (code < 0x10000) {
		out[0] = (char)(0xe0 | code >> 12);
		out[1] = (char)(0x80 | (code >> 6 & 0x3f));
		out[2] = (char)(0x80 | (code & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | code >> 18);
	out[1] = (char)(0x80 | (code >> 12 & 0x3f));
	out[2] = (char)(0x80 | (code >> 6 & 0x3f));
	out[3] = (char)(0x80 | (code & 0x3f));
	return 4;
}

bool json_is_clean(const char *text, size_t n)
{
	bool high = false;

	for (size_t i = 0, len; i < n; i += len) {
		unsigned unit;

		len = json_utf8_len(text + i, n - i);
		if (len) {
			high = false;
			continue;
		}
		if (!json_surrogate(text + i, n - i, &unit) ||
		    (high && unit >= 0xdc00))
			return false;
		high = unit < 0xdc00;
		len = 3;
	}
	return true;
}

size_t json_plain_len(const char *text, size_t n)
{
	static const bool plain[256] = {
		[' ' ... '!'] = true,	/* then '"' */
		['#' ... '['] = true,	/* then '\\' */
		[']' ... '~'] = true,
	};
	size_t i = 0;

	while (i < n && plain[(unsigned char)text[i]])
		i++;
	return i;
}

bool json_is_utf8(const char *text, size_t n)
{
	size_t i = json_plain_len(text, n), len = 1;

	for (; i < n && len; i += len)
		len = json_utf8_len(text + i, n - i);
	return len;
}

/* What a string may hold as it is, up to the next byte that needs care. */
static size_t quotable(const char *text, size_t n)
{
	size_t i = json_plain_len(text, n);

	while (i < n && (unsigned char)text[i] >= 0x80) {
		size_t len = json_utf8_len(text + i, n - i);

		if (!len)
			break;
		i += len;
		i += json_plain_len(text + i, n - i);
	}
	return i;
}

/* One byte or sequence that is not quotable; returns its length. */
static size_t quote_special(struct ferry_buffer *out, const char *text,
			    size_t n)
{
	static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
	const char *at = memchr(from, *text, sizeof(from) - 1);
	unsigned unit;

	if (at) {
		const char escape[2] = { '\\', to[at - from] };

		ferry_buffer_add(out, escape, 2);
		return 1;
	}
	if (json_surrogate(text, n, &unit)) {
		ferry_buffer_printf(out, "\\u%04x", unit);
		return 3;
	}
	if ((unsigned char)*text < 0x80)
		ferry_buffer_printf(out, "\\u%04x", (unsigned char)*text);
	else
		ferry_buffer_add_str(out, "\\ufffd");
	return 1;
}

void json_quote(struct ferry_buffer *out, const char *text, size_t n)
{
	ferry_buffer_add(out, "\"", 1);
	while (n) {
		size_t plain = quotable(text, n);

		ferry_buffer_add(out, text, plain);
		text += plain;
		n -= plain;
		if (n) {
			size_t len = quote_special(out, text, n);

			text += len;
			n -= len;
		}
	}
	ferry_buffer_add(out, "\"", 1);
}

/*
 * jansson prints and reads doubles under any locale; seventeen digits are
 * always enough, and fewer often are.
 */
int json_add_real(struct ferry_buffer *out, double f, struct ferry_error *err)
{
	json_t *real = json_real(f);
	char text[64];
	size_t n = 0;

	if (!real)
		return ferry_fail_nomem(err, "a JSON number");
	for (unsigned digits = 15; digits <= 17; digits++) {
		double back;

		n = json_dumpb(real, text, sizeof(text), JSON_ENCODE_ANY |
			       JSON_REAL_PRECISION(digits));
		if (n && n <= sizeof(text) &&
		    !json_parse_real(text, n, &back) &&
		    !memcmp(&back, &f, sizeof(f)))
			break;
		n = 0;
	}
	json_decref(real);
	if (!n)
		return ferry_fail_nomem(err, "a JSON number");
	ferry_buffer_add(out, text, n);
	return 0;
}

int json_parse_real(const char *text, size_t n, double *out)
{
	json_error_t error;
	json_t *v = json_loadb(text, n, JSON_DECODE_ANY, &error);

	if (!v)
		return json_error_code(&error) == json_error_out_of_memory ?
			FERRY_NOMEM : FERRY_LIMIT;
	*out = json_number_value(v);
	json_decref(v);
	return 0;
}

/* Divide a little-endian magnitude by 10^9 in place; returns the remainder. */
static uint32_t divide(uint32_t *words, size_t n)
{
	uint64_t rest = 0;

	for (size_t i = n; i--;) {
		rest = rest << 32 | words[i];
		words[i] = (uint32_t)(rest / 1000000000);
		rest %= 1000000000;
	}
	return (uint32_t)rest;
}

/* The magnitude of a two's complement integer as 32-bit words. */
static bool magnitude(const struct ferry_value *v, uint32_t *words, size_t n)
{
	const unsigned char *le = (const unsigned char *)v->u.s.data;
	size_t nbytes = (size_t)v->u.s.nbytes;
	bool negative = nbytes && le[nbytes - 1] & 0x80;
	unsigned carry = negative;

	memset(words, 0, n * sizeof(*words));
	for (size_t i = 0; i < nbytes; i++) {
		unsigned byte = negative ? (~le[i] & 0xffu) + carry : le[i];

		carry = byte >> 8;
		words[i / 4] |= (uint32_t)(byte & 0xff) << i % 4 * 8;
	}
	return negative;
}

static int add_big(struct ferry_buffer *out, const struct ferry_value *v,
		   struct ferry_error *err)
{
	uint32_t words[JSON_MAX_DECIMAL_BYTES / 4 + 2];
	uint32_t groups[JSON_MAX_DIGITS / 9 + 2];
	size_t n = (size_t)v->u.s.nbytes / 4 + 1, ngroups = 0;

	if (v->u.s.nbytes > JSON_MAX_DECIMAL_BYTES)
		return ferry_fail(err, FERRY_LIMIT, "json", FERRY_NO_OFFSET,
				  "integer of %llu bytes is too long for JSON",
				  (unsigned long long)v->u.s.nbytes);
	if (magnitude(v, words, n))
		ferry_buffer_add(out, "-", 1);
	while (n) {
		groups[ngroups++] = divide(words, n);
		while (n && !words[n - 1])
			n--;
	}
	ferry_buffer_printf(out, "%u", groups[--ngroups]);
	while (ngroups)
		ferry_buffer_printf(out, "%09u", groups[--ngroups]);
	return 0;
}

int json_add_int(struct ferry_buffer *out, const struct ferry_value *v,
		 struct ferry_error *err)
{
	if (v->flags & FERRY_BIG)
		return add_big(out, v, err);
	ferry_buffer_printf(out, "%lld", (long long)v->u.i);
	return 0;
}

int json_parse_int(struct ferry_store *store, const char *text, size_t n,
		   struct ferry_value **out, struct ferry_error *err)
{
	bool bad = false;

	if (n > JSON_MAX_DIGITS)
		return ferry_fail(err, FERRY_LIMIT, "json", FERRY_NO_OFFSET,
				  "integer has %zu digits, the limit is %d", n,
				  JSON_MAX_DIGITS);
	*out = ferry_big_decimal(store, text, n, &bad);
	if (bad)
		return ferry_fail(err, FERRY_MALFORMED, "json",
				  FERRY_NO_OFFSET, "text is no integer");
	return *out ? 0 : ferry_fail_nomem(err, "an integer");
}

int json_parse_base64(struct ferry_store *store, const char *text, size_t n,
		      char **out, size_t *nout, struct ferry_error *err)
{
	uint32_t group = 0;
	size_t pad, size;
	char *data;

	if (n % 4)
		goto bad;
	pad = n && text[n - 1] == '=' ? 1 + (text[n - 2] == '=') : 0;
	size = n / 4 * 3 - pad;
	data = ferry_store_alloc(store, size + 1);
	if (!data)
		return ferry_fail_nomem(err, "bytes");
	for (size_t i = 0; i < n; i++) {
		int v = i < n - pad ? ferry_base64_value(text[i]) : 0;
		size_t at = i / 4 * 3;

		if (v < 0)
			goto bad;
		group = group << 6 | (uint32_t)v;
		if (i % 4 != 3)
			continue;
		for (size_t k = 0; k < 3 && at + k < size; k++)
			data[at + k] = (char)(group >> (16 - 8 * k));
		group = 0;
	}
	*out = data;
	*nout = size;
	return 0;
bad:
	return ferry_fail(err, FERRY_MALFORMED, "json", FERRY_NO_OFFSET,
			  "text of %zu bytes is not base64", n);
}

struct ferry_value *json_intern(struct ferry_store *store,
				struct ferry_map *strings, const char *text,
				size_t n)
{
	struct ferry_value *v;
	uint64_t known;

	if (n > INTERN_MAX)
		return ferry_string(store, text, n);
	if (ferry_map_get(strings, text, n, &known))
		return (struct ferry_value *)(uintptr_t)known;
	v = ferry_string(store, text, n);
	if (v && ferry_map_put(strings, v->u.s.data, n, (uintptr_t)v))
		return NULL;
	return v;
}
