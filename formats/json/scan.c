/* The scanner: tokens of RFC 8259, checked. */
#include "config.h"

#include "formats/json/scan.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "formats/json/text.h"

enum state {
	WANT_VALUE,
	WANT_VALUE_OR_END,	/* after [ */
	WANT_KEY,
	WANT_KEY_OR_END,	/* after { */
	AFTER_VALUE,
};

void json_scan_init(struct json_scan *s, const char *text, size_t n,
		    const char *origin)
{
	memset(s, 0, offsetof(struct json_scan, open));
	s->text = text;
	s->n = n;
	s->origin = origin;
	s->state = WANT_VALUE;
}

void json_scan_release(struct json_scan *s)
{
	ferry_buffer_release(&s->unescaped);
}

static int fail_at(const struct json_scan *s, struct ferry_error *err,
		   size_t pos, const char *what)
{
	char c[16];

	if (pos >= s->n)
		return ferry_fail(err, FERRY_MALFORMED, s->origin,
				  s->base + s->n,
				  "JSON text ends where %s was expected", what);
	ferry_escape(c, sizeof(c), s->text + pos, 1);
	return ferry_fail(err, FERRY_MALFORMED, s->origin, s->base + pos,
			  "JSON text has '%s' where %s was expected", c, what);
}

int json_scan_fail(const struct json_scan *s, struct ferry_error *err,
		   const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return ferry_fail(err, FERRY_MALFORMED, s->origin, s->base + s->start,
			  "%s", text);
}

static void skip_space(struct json_scan *s)
{
	while (s->pos < s->n) {
		char c = s->text[s->pos];

		if (c != ' ' && c != '\n' && c != '\r' && c != '\t')
			return;
		s->pos++;
	}
}

static int hex4(const struct json_scan *s, size_t pos, unsigned *out)
{
	unsigned v = 0;

	if (s->n - pos < 4)
		return -1;
	for (size_t i = 0; i < 4; i++) {
		int digit = json_hex_digit(s->text[pos + i]);

		if (digit < 0)
			return -1;
		v = v << 4 | (unsigned)digit;
	}
	*out = v;
	return 0;
}

/* \uXXXX, with the low half that follows a high one. */
static int unescape_unit(struct json_scan *s, struct ferry_error *err)
{
	unsigned unit, low;
	char utf8[4];

	if (hex4(s, s->pos, &unit))
		return fail_at(s, err, s->pos, "four hexadecimal digits");
	s->pos += 4;
	if (unit >= 0xd800 && unit < 0xdc00 && s->n - s->pos >= 6 &&
	    s->text[s->pos] == '\\' && s->text[s->pos + 1] == 'u' &&
	    !hex4(s, s->pos + 2, &low) && low >= 0xdc00 && low < 0xe000) {
		unit = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
		s->pos += 6;
	} else if (unit >= 0xd800 && unit < 0xe000 && s->refuse_surrogates) {
		return ferry_fail(err, FERRY_MALFORMED, s->origin,
				  s->base + s->pos - 6,
				  "string has \\u%04x, half a surrogate pair",
				  unit);
	}
	ferry_buffer_add(&s->unescaped, utf8, json_utf8_put(utf8, unit));
	return 0;
}

static int unescape(struct json_scan *s, struct ferry_error *err)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *at;

	s->pos++;
	if (s->pos >= s->n)
		return fail_at(s, err, s->pos, "an escape");
	at = memchr(from, s->text[s->pos], sizeof(from) - 1);
	if (!at && s->text[s->pos] != 'u')
		return fail_at(s, err, s->pos, "an escape");
	s->pos++;
	if (!at)
		return unescape_unit(s, err);
	ferry_buffer_add(&s->unescaped, to + (at - from), 1);
	return 0;
}

/* Bytes that stand for themselves, up to a quote or a backslash. */
static int plain_run(struct json_scan *s, struct ferry_error *err)
{
	for (;;) {
		unsigned char c;
		size_t len;

		s->pos += json_plain_len(s->text + s->pos, s->n - s->pos);
		if (s->pos >= s->n)
			break;
		c = (unsigned char)s->text[s->pos];
		if (c == '"' || c == '\\')
			return 0;
		if (c < 0x20)
			return fail_at(s, err, s->pos,
				       "an escaped control character");
		len = c < 0x80 ? 1 : json_utf8_len(s->text + s->pos,
						   s->n - s->pos);
		if (!len)
			return ferry_fail(err, FERRY_MALFORMED, s->origin,
					  s->base + s->pos,
					  "JSON text is not UTF-8: byte 0x%02x",
					  c);
		s->pos += len;
	}
	return fail_at(s, err, s->pos, "the end of a string");
}

static int scan_string(struct json_scan *s, struct ferry_error *err)
{
	size_t from = ++s->pos;
	int rc = plain_run(s, err);

	if (rc)
		return rc;
	s->str = s->text + from;
	s->nstr = s->pos - from;
	s->borrowed = s->text[s->pos] == '"';
	if (s->borrowed) {
		s->pos++;
		return 0;
	}
	s->unescaped.n = 0;
	while (s->text[s->pos] == '\\') {
		ferry_buffer_add(&s->unescaped, s->text + from, s->pos - from);
		rc = unescape(s, err);
		from = s->pos;
		if (!rc)
			rc = plain_run(s, err);
		if (rc)
			return rc;
	}
	ferry_buffer_add(&s->unescaped, s->text + from, s->pos - from);
	if (s->unescaped.failed)
		return ferry_fail_nomem(err, "a JSON string");
	s->str = s->unescaped.data;
	s->nstr = s->unescaped.n;
	s->pos++;
	return 0;
}

static size_t digits(struct json_scan *s)
{
	size_t from = s->pos;

	while (s->pos < s->n && s->text[s->pos] >= '0' &&
	       s->text[s->pos] <= '9')
		s->pos++;
	return s->pos - from;
}

static bool at(const struct json_scan *s, char c)
{
	return s->pos < s->n && s->text[s->pos] == c;
}

static int scan_number(struct json_scan *s, struct ferry_error *err)
{
	size_t from = s->pos;
	bool zero;

	s->is_real = false;
	if (at(s, '-'))
		s->pos++;
	zero = at(s, '0');
	if (zero)
		s->pos++;
	else if (!digits(s))
		return fail_at(s, err, s->pos, "a digit");
	if (at(s, '.')) {
		s->is_real = true;
		s->pos++;
		if (!digits(s))
			return fail_at(s, err, s->pos, "a digit");
	}
	if (at(s, 'e') || at(s, 'E')) {
		s->is_real = true;
		s->pos++;
		if (at(s, '+') || at(s, '-'))
			s->pos++;
		if (!digits(s))
			return fail_at(s, err, s->pos, "a digit");
	}
	s->str = s->text + from;
	s->nstr = s->pos - from;
	s->borrowed = true;
	return 0;
}

static bool literal(struct json_scan *s, const char *word)
{
	size_t n = strlen(word);

	if (s->n - s->pos < n || memcmp(s->text + s->pos, word, n) != 0)
		return false;
	s->pos += n;
	return true;
}

static int open_container(struct json_scan *s, enum json_token *token,
			  struct ferry_error *err)
{
	bool object = s->text[s->pos] == '{';

	if (s->depth == JSON_MAX_NESTING)
		return ferry_fail(err, FERRY_LIMIT, s->origin,
				  s->base + s->pos,
				  "JSON text is nested more than %d deep",
				  JSON_MAX_NESTING);
	s->open[s->depth++] = object;
	s->pos++;
	s->state = object ? WANT_KEY_OR_END : WANT_VALUE_OR_END;
	*token = object ? JSON_BEGIN_OBJECT : JSON_BEGIN_ARRAY;
	return 0;
}

static int close_container(struct json_scan *s, enum json_token *token)
{
	s->pos++;
	s->depth--;
	s->state = AFTER_VALUE;
	*token = s->open[s->depth] ? JSON_END_OBJECT : JSON_END_ARRAY;
	return 0;
}

static int scan_value(struct json_scan *s, enum json_token *token,
		      struct ferry_error *err)
{
	char c = s->pos < s->n ? s->text[s->pos] : 0;

	if (c == '{' || c == '[')
		return open_container(s, token, err);
	s->state = AFTER_VALUE;
	if (c == '"') {
		*token = JSON_TEXT;
		return scan_string(s, err);
	}
	if (c == '-' || (c >= '0' && c <= '9')) {
		*token = JSON_NUMBER;
		return scan_number(s, err);
	}
	if (literal(s, "true"))
		*token = JSON_LITERAL_TRUE;
	else if (literal(s, "false"))
		*token = JSON_LITERAL_FALSE;
	else if (literal(s, "null"))
		*token = JSON_LITERAL_NULL;
	else
		return fail_at(s, err, s->pos, "a value");
	return 0;
}

static int scan_key(struct json_scan *s, enum json_token *token,
		    struct ferry_error *err)
{
	int rc;

	if (!at(s, '"'))
		return fail_at(s, err, s->pos, "a key");
	rc = scan_string(s, err);
	if (rc)
		return rc;
	skip_space(s);
	if (!at(s, ':'))
		return fail_at(s, err, s->pos, "':'");
	s->pos++;
	s->state = WANT_VALUE;
	*token = JSON_KEY;
	return 0;
}

/* After a value inside a container: its end, or a comma and the next item. */
static int scan_after(struct json_scan *s, enum json_token *token,
		      struct ferry_error *err)
{
	bool object = s->open[s->depth - 1];

	if (at(s, object ? '}' : ']'))
		return close_container(s, token);
	if (!at(s, ','))
		return fail_at(s, err, s->pos, object ? "',' or '}'" :
						       "',' or ']'");
	s->pos++;
	skip_space(s);
	s->start = s->pos;
	s->state = object ? WANT_KEY : WANT_VALUE;
	return object ? scan_key(s, token, err) : scan_value(s, token, err);
}

int json_scan_next(struct json_scan *s, enum json_token *token,
		   struct ferry_error *err)
{
	skip_space(s);
	s->start = s->pos;
	switch (s->state) {
	case WANT_VALUE_OR_END:
		if (at(s, ']'))
			return close_container(s, token);
		return scan_value(s, token, err);
	case WANT_VALUE:
		return scan_value(s, token, err);
	case WANT_KEY_OR_END:
		if (at(s, '}'))
			return close_container(s, token);
		return scan_key(s, token, err);
	case WANT_KEY:
		return scan_key(s, token, err);
	default:
		break;
	}
	if (s->depth)
		return scan_after(s, token, err);
	if (s->pos < s->n)
		return fail_at(s, err, s->pos, "the end of the text");
	*token = JSON_END;
	return 0;
}

int json_scan_expect(struct json_scan *s, enum json_token want,
		     const char *what, struct ferry_error *err)
{
	enum json_token token;
	int rc = json_scan_next(s, &token, err);

	if (!rc && token != want)
		rc = fail_at(s, err, s->start, what);
	return rc;
}

int json_scan_skip(struct json_scan *s, enum json_token token,
		   struct ferry_error *err)
{
	unsigned depth = s->depth - 1;
	int rc = 0;

	if (token != JSON_BEGIN_OBJECT && token != JSON_BEGIN_ARRAY)
		return 0;
	while (!rc && s->depth > depth)
		rc = json_scan_next(s, &token, err);
	return rc;
}

bool json_scan_u64(const struct json_scan *s, enum json_token token,
		   uint64_t *out)
{
	uint64_t v = 0;

	if (token != JSON_NUMBER || s->is_real || s->str[0] == '-')
		return false;
	for (size_t i = 0; i < s->nstr; i++)
		if (__builtin_mul_overflow(v, UINT64_C(10), &v) ||
		    __builtin_add_overflow(v, (uint64_t)(s->str[i] - '0'), &v))
			return false;
	*out = v;
	return true;
}

bool json_scan_is(const struct json_scan *s, const char *str)
{
	return strlen(str) == s->nstr && !memcmp(s->str, str, s->nstr);
}
