/* Arguments that are lines of text, and the checks of text. */
#include "config.h"

#include "formats/pickle/machine.h"

#include <errno.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include <ferry/sys/alloc.h>

enum {
	MOST_DIGITS = 20000,	/* decimal text is read in quadratic time */
	SHORT_LINE = 64,
};

static int bad_line(struct pickle_machine *m, const char *what,
		    const char *line, size_t n)
{
	char shown[80];

	return pickle_fail(m, FERRY_MALFORMED, "pickle has '%s' for %s",
			   ferry_escape(shown, sizeof(shown), line, n), what);
}

static bool is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static void trim(const char **line, size_t *n)
{
	while (*n && is_space(**line)) {
		++*line;
		--*n;
	}
	while (*n && is_space((*line)[*n - 1]))
		--*n;
}

bool pickle_parse_index(const char *line, size_t n, uint64_t *out)
{
	uint64_t index = 0;

	trim(&line, &n);
	if (!n || n > 18)
		return false;
	for (; n; n--, line++) {
		if (*line < '0' || *line > '9')
			return false;
		index = index * 10 + (uint64_t)(*line - '0');
	}
	*out = index;
	return true;
}

int pickle_line_index(struct pickle_machine *m, uint64_t *out)
{
	const char *line;
	size_t n;

	if (pickle_input_line(&m->in, &line, &n))
		return FERRY_MALFORMED;
	return pickle_parse_index(line, n, out)
		       ? 0
		       : bad_line(m, "a memo index", line, n);
}

static int push_decimal(struct pickle_machine *m, const char *line, size_t n)
{
	const char *digits = line;
	struct ferry_value *v;
	size_t left = n;
	bool bad = false;

	trim(&digits, &left);
	if (left && *digits == '+') {
		digits++;
		left--;
	}
	if (left > MOST_DIGITS)
		return pickle_fail(m, FERRY_LIMIT,
				   "pickle has an integer of %zu digits; at "
				   "most %d are read", left, MOST_DIGITS);
	v = ferry_big_decimal(m->store, digits, left, &bad);
	if (!v && bad)
		return bad_line(m, "an integer", line, n);
	return pickle_made(m, v);
}

/* base 0: as C spells integers, which is how Python reads INT. */
static bool short_int(const char *line, size_t n, int base, int64_t *out)
{
	char text[SHORT_LINE];
	char *stop;

	if (!n || n >= sizeof(text))
		return false;
	memcpy(text, line, n);
	text[n] = '\0';
	errno = 0;
	*out = strtoll(text, &stop, base);
	return !errno && stop == text + n;
}

int pickle_op_int(struct pickle_machine *m)
{
	const char *line;
	int64_t i;
	size_t n;

	if (pickle_input_line(&m->in, &line, &n))
		return FERRY_MALFORMED;
	if (!short_int(line, n, 0, &i))
		return push_decimal(m, line, n);
	if (n == 2 && (i == 0 || i == 1))
		return pickle_push(m, ferry_bool(i));
	return pickle_made(m, ferry_int(m->store, i));
}

int pickle_op_long(struct pickle_machine *m)
{
	const char *line;
	int64_t i;
	size_t n;

	if (pickle_input_line(&m->in, &line, &n))
		return FERRY_MALFORMED;
	if (n && line[n - 1] == 'L')
		n--;
	if (short_int(line, n, 10, &i))
		return pickle_made(m, ferry_int(m->store, i));
	return push_decimal(m, line, n);
}

static bool is_float_text(const char *line, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!line[i] || !strchr("0123456789+-.eEinfatyINFATY", line[i]))
			return false;
	return n > 0;
}

/* The C locale's decimal point, whatever the program's locale is. */
static bool parse_float(const char *line, size_t n, double *out)
{
	char text[2 * SHORT_LINE];
	locale_t c_locale;
	char *stop;

	if (n >= sizeof(text) || !is_float_text(line, n))
		return false;
	c_locale = newlocale(LC_NUMERIC_MASK, "C", (locale_t)0);
	if (!c_locale)
		return false;
	memcpy(text, line, n);
	text[n] = '\0';
	*out = strtod_l(text, &stop, c_locale);
	freelocale(c_locale);
	return stop == text + n;
}

int pickle_op_float(struct pickle_machine *m)
{
	const char *line;
	double f;
	size_t n;

	if (pickle_input_line(&m->in, &line, &n))
		return FERRY_MALFORMED;
	if (!parse_float(line, n, &f))
		return bad_line(m, "a number", line, n);
	return pickle_made(m, ferry_float(m->store, f));
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The number of the first `digits` hexadecimal digits, or -1. */
static int64_t hex_number(const char *text, size_t n, size_t digits)
{
	int64_t number = 0;

	if (n < digits)
		return -1;
	for (size_t i = 0; i < digits; i++) {
		if (hex_digit(text[i]) < 0)
			return -1;
		number = number << 4 | hex_digit(text[i]);
	}
	return number;
}

/* Decode what follows a backslash: bytes read, or 0 when it is broken. */
static size_t unescape_one(const char *text, size_t n, char *out, size_t *nout)
{
	static const char names[] = "\\'\"bftnrva";
	static const char means[] = "\\'\"\b\f\t\n\r\v\a";
	const char *at = text[0] ? strchr(names, text[0]) : NULL;
	unsigned octal = 0;
	size_t i = 0;

	if (at) {
		out[(*nout)++] = means[at - names];
		return 1;
	}
	if (text[0] == 'x') {
		if (hex_number(text + 1, n - 1, 2) < 0)
			return 0;
		out[(*nout)++] = (char)hex_number(text + 1, n - 1, 2);
		return 3;
	}
	for (; i < 3 && i < n && text[i] >= '0' && text[i] <= '7'; i++)
		octal = octal * 8 + (unsigned)(text[i] - '0');
	if (i) {
		out[(*nout)++] = (char)octal;
		return i;
	}
	out[(*nout)++] = '\\';
	out[(*nout)++] = text[0];
	return 1;
}

bool pickle_unescape(const char *line, size_t n, char *out, size_t *nout)
{
	size_t taken;

	*nout = 0;
	trim(&line, &n);
	if (n < 2 || (*line != '\'' && *line != '"') || line[n - 1] != *line)
		return false;
	line++;
	n -= 2;
	while (n) {
		if (*line != '\\') {
			out[(*nout)++] = *line++;
			n--;
			continue;
		}
		if (n < 2)
			return false;
		taken = unescape_one(line + 1, n - 1, out, nout);
		if (!taken)
			return false;
		line += taken + 1;
		n -= taken + 1;
	}
	return true;
}

static void put_utf8(char *out, size_t *n, uint32_t code)
{
	if (code < 0x80) {
		out[(*n)++] = (char)code;
		return;
	}
	if (code < 0x800) {
		out[(*n)++] = (char)(0xc0 | code >> 6);
	} else if (code < 0x10000) {
		out[(*n)++] = (char)(0xe0 | code >> 12);
		out[(*n)++] = (char)(0x80 | (code >> 6 & 0x3f));
	} else {
		out[(*n)++] = (char)(0xf0 | code >> 18);
		out[(*n)++] = (char)(0x80 | (code >> 12 & 0x3f));
		out[(*n)++] = (char)(0x80 | (code >> 6 & 0x3f));
	}
	out[(*n)++] = (char)(0x80 | (code & 0x3f));
}

bool pickle_unescape_raw(const char *line, size_t n, char *out, size_t *nout)
{
	int64_t code;
	size_t digits;

	*nout = 0;
	while (n) {
		digits = 0;
		if (*line == '\\' && n > 1)
			digits = line[1] == 'u' ? 4 : line[1] == 'U' ? 8 : 0;
		if (digits) {
			code = hex_number(line + 2, n - 2, digits);
			if (code < 0 || code > 0x10ffff)
				return false;
			put_utf8(out, nout, (uint32_t)code);
			line += digits + 2;
			n -= digits + 2;
			continue;
		}
		/* a backslash takes the byte after it along */
		if (*line == '\\' && n > 1) {
			put_utf8(out, nout, '\\');
			line++;
			n--;
		}
		put_utf8(out, nout, (uint8_t)*line++);
		n--;
	}
	return true;
}

int pickle_op_unicode(struct pickle_machine *m)
{
	const char *line;
	size_t n, nout;
	char *out;

	if (pickle_input_line(&m->in, &line, &n))
		return FERRY_MALFORMED;
	/* a Latin-1 byte becomes two of UTF-8 */
	out = ferry_store_array(m->store, n, 2);
	if (!out)
		return pickle_nomem(m);
	if (!pickle_unescape_raw(line, n, out, &nout))
		return bad_line(m, "a string", line, n);
	return pickle_made(m, ferry_string_borrow(m->store, out, nout));
}

int pickle_op_string(struct pickle_machine *m)
{
	struct ferry_value *v;
	const char *line;
	size_t n, nout;
	char *out;

	if (pickle_input_line(&m->in, &line, &n))
		return FERRY_MALFORMED;
	out = ferry_store_alloc(m->store, n);
	if (!out)
		return pickle_nomem(m);
	if (!pickle_unescape(line, n, out, &nout))
		return bad_line(m, "a quoted string", line, n);
	v = ferry_string_borrow(m->store, out, nout);
	if (v) {
		v->kind = FERRY_BYTES;
		v->flags = FERRY_PY2;
	}
	return pickle_made(m, v);
}

static bool is_tail(uint8_t c)
{
	return (c & 0xc0) == 0x80;
}

/* Bytes of the sequence at p, which may be a surrogate's; 0: ill-formed. */
static size_t sequence(const uint8_t *p, size_t n)
{
	if (p[0] >= 0xc2 && p[0] <= 0xdf)
		return n > 1 && is_tail(p[1]) ? 2 : 0;
	if (p[0] >= 0xe0 && p[0] <= 0xef)
		return n > 2 && is_tail(p[1]) && is_tail(p[2]) &&
				       (p[0] != 0xe0 || p[1] >= 0xa0)
			       ? 3
			       : 0;
	if (p[0] >= 0xf0 && p[0] <= 0xf4)
		return n > 3 && is_tail(p[1]) && is_tail(p[2]) &&
				       is_tail(p[3]) &&
				       (p[0] != 0xf0 || p[1] >= 0x90) &&
				       (p[0] != 0xf4 || p[1] <= 0x8f)
			       ? 4
			       : 0;
	return 0;
}

bool pickle_is_text(const char *text, size_t n)
{
	const uint8_t *p = (const uint8_t *)text;
	const uint8_t *end = p + n;
	uint64_t eight;
	size_t taken;

	while (p < end) {
		if (end - p >= 8) {
			memcpy(&eight, p, 8);
			if (!(eight & UINT64_C(0x8080808080808080))) {
				p += 8;
				continue;
			}
		}
		if (*p < 0x80) {
			p++;
			continue;
		}
		taken = sequence(p, (size_t)(end - p));
		if (!taken)
			return false;
		p += taken;
	}
	return true;
}
