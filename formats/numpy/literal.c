/* Python literals: a recursive descent over one line of text. */
#include "config.h"

#include "formats/numpy/literal.h"

#include <string.h>

#include <ferry/sys/alloc.h>
#include <ferry/sys/buffer.h>

struct parser {
	const char *text;
	size_t n, at;
	uint64_t base;
	unsigned depth;
	bool python2;
	struct ferry_store *store;
	struct ferry_error *err;
};

static int parse(struct parser *p, struct ferry_value **out);

static int malformed(struct parser *p, const char *what)
{
	return ferry_fail(p->err, FERRY_MALFORMED, "npy", p->base + p->at,
			  "array header: %s at character %zu", what, p->at);
}

static int nomem(struct parser *p)
{
	return ferry_fail_nomem(p->err, "an array header");
}

static int peek(const struct parser *p)
{
	return p->at < p->n ? (unsigned char)p->text[p->at] : -1;
}

static void skip_space(struct parser *p)
{
	while (p->at < p->n && strchr(" \t\n\r\f", p->text[p->at]) &&
	       p->text[p->at])
		p->at++;
}

static bool take(struct parser *p, char c)
{
	skip_space(p);
	if (peek(p) != (unsigned char)c)
		return false;
	p->at++;
	return true;
}

static bool is_word(int c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || c == '_' || c >= 0x80;
}

static int hex(int c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static void add_utf8(struct ferry_buffer *b, uint32_t c)
{
	char u[4];
	size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;

	if (n == 1) {
		u[0] = (char)c;
	} else {
		for (size_t i = n - 1; i; i--, c >>= 6)
			u[i] = (char)(0x80 | (c & 0x3f));
		u[0] = (char)((0xf0u << (4 - n)) | c);
	}
	ferry_buffer_add(b, u, n);
}

/* digits hex digits after \x, \u or \U */
static int escape_hex(struct parser *p, unsigned digits, struct ferry_buffer *b)
{
	uint32_t c = 0;

	for (unsigned i = 0; i < digits; i++, p->at++) {
		int h = hex(peek(p));

		if (h < 0)
			return malformed(p, "a cut-off escape");
		c = c << 4 | (uint32_t)h;
	}
	if (c > 0x10ffff)
		return malformed(p, "an escape beyond Unicode");
	add_utf8(b, c);
	return 0;
}

static int escape_octal(struct parser *p, struct ferry_buffer *b)
{
	uint32_t c = 0;

	for (int i = 0; i < 3 && peek(p) >= '0' && peek(p) <= '7'; i++)
		c = c << 3 | (uint32_t)(p->text[p->at++] - '0');
	add_utf8(b, c);
	return 0;
}

/* p->at is after the backslash */
static int escape(struct parser *p, struct ferry_buffer *b)
{
	static const char from[] = "abfnrtv\\'\"", to[] = "\a\b\f\n\r\t\v\\'\"";
	int c = peek(p);
	const char *known;

	if (c < 0)
		return malformed(p, "a string without an end");
	if (c >= '0' && c <= '7')
		return escape_octal(p, b);
	p->at++;
	if (c == '\n')
		return 0;
	if (c == 'x')
		return escape_hex(p, 2, b);
	if (c == 'u')
		return escape_hex(p, 4, b);
	if (c == 'U')
		return escape_hex(p, 8, b);
	known = c ? strchr(from, c) : NULL;
	if (!known)
		ferry_buffer_add(b, "\\", 1);
	ferry_buffer_add(b, known ? to + (known - from) : p->text + p->at - 1,
			 1);
	return 0;
}

static int string_piece(struct parser *p, bool raw, struct ferry_buffer *b)
{
	int quote = peek(p), c;

	for (p->at++; (c = peek(p)) != quote; ) {
		if (c < 0 || c == '\n')
			return malformed(p, "a string without an end");
		p->at++;
		if (c != '\\' || raw)
			ferry_buffer_add(b, p->text + p->at - 1, 1);
		else if (escape(p, b))
			return FERRY_MALFORMED;
	}
	p->at++;
	return 0;
}

/* The length of a string's prefix (u, r, U, R) when a string begins here. */
static bool string_begins(const struct parser *p, size_t *prefix)
{
	size_t i = p->at;

	if (i < p->n && p->text[i] && strchr("uUrR", p->text[i]))
		i++;
	*prefix = i - p->at;
	return i < p->n && (p->text[i] == '\'' || p->text[i] == '"');
}

static int parse_string(struct parser *p, struct ferry_value **out)
{
	struct ferry_buffer b = FERRY_BUFFER_INIT;
	size_t prefix;
	int rc = 0;

	while (!rc && string_begins(p, &prefix)) {
		bool raw = prefix && (p->text[p->at] | 32) == 'r';

		p->at += prefix;
		rc = string_piece(p, raw, &b);
		skip_space(p);
	}
	if (!rc && b.failed)
		rc = nomem(p);
	if (!rc) {
		*out = ferry_string(p->store, b.data ? b.data : "", b.n);
		rc = *out ? 0 : nomem(p);
	}
	ferry_buffer_release(&b);
	return rc;
}

static int digit_base(struct parser *p)
{
	int c = p->at + 1 < p->n ? p->text[p->at + 1] | 32 : 0;

	if (peek(p) != '0')
		return 10;
	return c == 'x' ? 16 : c == 'o' ? 8 : c == 'b' ? 2 : 10;
}

/* Numbers beyond int64 make no sense anywhere in a header. */
static int parse_int(struct parser *p, struct ferry_value **out)
{
	bool minus = false;
	int64_t value = 0;
	int base, digit;
	size_t first;

	while (peek(p) == '-' || peek(p) == '+') {
		minus ^= peek(p) == '-';
		p->at++;
		skip_space(p);
	}
	base = digit_base(p);
	if (base != 10)
		p->at += 2;
	for (first = p->at; is_word(peek(p)); p->at++) {
		if (peek(p) == '_' && p->at > first)
			continue;
		if (p->python2 && peek(p) == 'L' && p->at > first) {
			p->at++;
			break;
		}
		digit = hex(peek(p));
		if (digit < 0 || digit >= base)
			return malformed(p, "a number that is none");
		if (__builtin_mul_overflow(value, base, &value) ||
		    __builtin_add_overflow(value, digit, &value))
			return malformed(p, "a number beyond 64 bits");
	}
	if (p->at == first || is_word(peek(p)) || peek(p) == '.' ||
	    (base == 10 && p->text[first] == '0' && value))
		return malformed(p, "a number that is none");
	*out = ferry_int(p->store, minus ? -value : value);
	return *out ? 0 : nomem(p);
}

static int parse_word(struct parser *p, struct ferry_value **out)
{
	size_t first = p->at;
	const char *word = p->text + first;
	size_t n;

	while (is_word(peek(p)))
		p->at++;
	n = p->at - first;
	if (n == 4 && !memcmp(word, "True", 4)) {
		*out = ferry_bool(true);
	} else if (n == 5 && !memcmp(word, "False", 5)) {
		*out = ferry_bool(false);
	} else if (n == 4 && !memcmp(word, "None", 4)) {
		*out = ferry_none();
	} else {
		p->at = first;
		return malformed(p, "something that is no literal");
	}
	return 0;
}

/* After "(" or "[": items up to `close`; *comma tells (x) from (x,). */
static int parse_items(struct parser *p, char close, struct ferry_value *list,
		       bool *comma)
{
	struct ferry_value *item;
	int rc;

	*comma = false;
	while (!take(p, close)) {
		if (list->u.list.n && !*comma)
			return malformed(p, "a comma missing");
		rc = parse(p, &item);
		if (!rc && ferry_list_add(p->store, list, item))
			rc = nomem(p);
		if (rc)
			return rc;
		*comma = take(p, ',');
	}
	return 0;
}

static int parse_sequence(struct parser *p, struct ferry_value **out)
{
	bool tuple = peek(p) == '(', comma;
	struct ferry_value *list;
	int rc;

	p->at++;
	list = ferry_sequence(p->store, tuple ? FERRY_TUPLE : FERRY_LIST, 4);
	if (!list)
		return nomem(p);
	rc = parse_items(p, tuple ? ')' : ']', list, &comma);
	if (rc)
		return rc;
	*out = tuple && list->u.list.n == 1 && !comma ? list->u.list.items[0]
						      : list;
	return 0;
}

static int parse_dict(struct parser *p, struct ferry_value **out)
{
	struct ferry_value *dict = ferry_dict(p->store, 4), *key, *value;
	bool comma = true;
	int rc;

	if (!dict)
		return nomem(p);
	for (p->at++; !take(p, '}'); comma = take(p, ',')) {
		if (!comma)
			return malformed(p, "a comma missing");
		rc = parse(p, &key);
		if (!rc && key->kind != FERRY_STRING)
			rc = malformed(p, "a key that is no string");
		if (!rc && !take(p, ':'))
			rc = malformed(p, "a colon missing");
		if (!rc)
			rc = parse(p, &value);
		if (!rc && ferry_dict_set(p->store, dict, key, value))
			rc = nomem(p);
		if (rc)
			return rc;
	}
	*out = dict;
	return 0;
}

static int parse_value(struct parser *p, struct ferry_value **out)
{
	size_t prefix;
	int c;

	skip_space(p);
	c = peek(p);
	if (c == '{')
		return parse_dict(p, out);
	if (c == '(' || c == '[')
		return parse_sequence(p, out);
	if (string_begins(p, &prefix))
		return parse_string(p, out);
	if ((c >= '0' && c <= '9') || c == '-' || c == '+')
		return parse_int(p, out);
	return parse_word(p, out);
}

static int parse(struct parser *p, struct ferry_value **out)
{
	int rc;

	if (++p->depth > LITERAL_MAX_DEPTH)
		return ferry_fail(p->err, FERRY_LIMIT, "npy", p->base + p->at,
				  "array header nests deeper than %d levels",
				  LITERAL_MAX_DEPTH);
	rc = parse_value(p, out);
	p->depth--;
	return rc;
}

int literal_read(const char *text, size_t n, uint64_t base, bool python2,
		 struct ferry_store *store, struct ferry_value **out,
		 struct ferry_error *err)
{
	struct parser p = { .text = text, .n = n, .base = base,
			    .python2 = python2,
			    .store = store, .err = err };
	struct ferry_value *value;
	int rc = parse(&p, &value);

	if (rc)
		return rc;
	skip_space(&p);
	if (p.at < n)
		return malformed(&p, "more than one literal");
	*out = value;
	return 0;
}
