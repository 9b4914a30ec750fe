/* Integers and floats, as Python reads and prints them. */
#include "config.h"

#include <ctype.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ferry/sys/alloc.h>

#include "formats/yaml/scalar.h"

#define SIXTY_WORDS 64		/* of 32 bits, of a base 60 integer */
#define SIXTY_PARTS 13		/* of a base 60 float: 60^12 is exact */
#define MOST_EXPONENT 1000000000L	/* beyond any text's length */

/* A text without underscores: [p, end). */
struct span {
	const char *p, *end;
};

static bool is_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static void strip(struct span *s)
{
	while (s->p < s->end && is_blank(*s->p))
		s->p++;
	while (s->end > s->p && is_blank(s->end[-1]))
		s->end--;
}

static bool take_sign(struct span *s)
{
	bool minus = s->p < s->end && *s->p == '-';

	if (s->p < s->end && (*s->p == '-' || *s->p == '+'))
		s->p++;
	return minus;
}

static int digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return 16;
}

/* ---- integers ------------------------------------------------------------ */

static int made(struct ferry_value *v, struct ferry_value **out)
{
	*out = v;
	return v ? 0 : FERRY_NOMEM;
}

/* The integer of a magnitude with room for a sign bit; le is overwritten. */
static int make_big(struct ferry_store *store, unsigned char *le, size_t n,
		    bool minus, struct ferry_value **out)
{
	unsigned carry = 1;

	for (size_t i = 0; minus && i < n; i++) {
		carry += (unsigned char)~le[i];
		le[i] = (unsigned char)carry;
		carry >>= 8;
	}
	return made(ferry_big(store, le, n), out);
}

/* Digits of 1, 3 or 4 bits. */
static int parse_bits(struct ferry_store *store, struct span s, unsigned bits,
		      bool minus, struct ferry_value **out)
{
	size_t n = (size_t)(s.end - s.p), at = 0;
	unsigned char *le;
	int rc;

	if (!n)
		return FERRY_MALFORMED;
	le = ferry_alloc_zero(n / 8 * bits + 8, 1);
	if (!le)
		return FERRY_NOMEM;
	for (size_t i = n; i--; at += bits) {
		int digit = digit_of(s.p[i]);

		if (digit >> bits) {
			ferry_alloc_free(le);
			return FERRY_MALFORMED;
		}
		for (unsigned k = 0; k < bits; k++)
			le[(at + k) / 8] |= (unsigned char)((digit >> k & 1) <<
							    (at + k) % 8);
	}
	rc = make_big(store, le, n / 8 * bits + 8, minus, out);
	ferry_alloc_free(le);
	return rc;
}

/* words = words * by + add; false when it does not fit. */
static bool multiply(uint32_t *words, uint32_t by, uint32_t add)
{
	uint64_t carry = add;

	for (size_t i = 0; i < SIXTY_WORDS; i++) {
		carry += (uint64_t)words[i] * by;
		words[i] = (uint32_t)carry;
		carry >>= 32;
	}
	return !carry;
}

static bool add_words(uint32_t *sum, const uint32_t *more)
{
	uint64_t carry = 0;

	for (size_t i = 0; i < SIXTY_WORDS; i++) {
		carry += (uint64_t)sum[i] + more[i];
		sum[i] = (uint32_t)carry;
		carry >>= 32;
	}
	return !carry;
}

static int parse_sixties(struct ferry_store *store, struct span s, bool minus,
			 struct ferry_value **out)
{
	uint32_t sum[SIXTY_WORDS] = { 0 }, part[SIXTY_WORDS] = { 0 };
	unsigned char le[4 * SIXTY_WORDS + 1] = { 0 };
	bool any = false;

	for (;; s.p++) {
		if (s.p == s.end || *s.p == ':') {
			if (!any)
				return FERRY_MALFORMED;
			if (!multiply(sum, 60, 0) || !add_words(sum, part))
				return FERRY_LIMIT;
			if (s.p == s.end)
				break;
			memset(part, 0, sizeof(part));
			any = false;
			continue;
		}
		if (digit_of(*s.p) > 9)
			return FERRY_MALFORMED;
		if (!multiply(part, 10, (uint32_t)digit_of(*s.p)))
			return FERRY_LIMIT;
		any = true;
	}
	for (size_t i = 0; i < SIXTY_WORDS; i++)
		for (unsigned k = 0; k < 4; k++)
			le[4 * i + k] = (unsigned char)(sum[i] >> 8 * k);
	return make_big(store, le, sizeof(le), minus, out);
}

static int parse_decimal(struct ferry_store *store, struct span s, bool minus,
			 struct ferry_value **out)
{
	bool bad = false;
	char *text;
	size_t n;

	while (s.end - s.p > 1 && *s.p == '0')
		s.p++;
	n = (size_t)(s.end - s.p);
	if (n > YAML_MAX_DIGITS)
		return FERRY_LIMIT;
	for (size_t i = 0; i < n; i++)
		if (digit_of(s.p[i]) > 9)
			return FERRY_MALFORMED;
	text = ferry_alloc(n + 1);
	if (!text)
		return FERRY_NOMEM;
	text[0] = '-';
	memcpy(text + minus, s.p, n);
	*out = ferry_big_decimal(store, text, n + minus, &bad);
	ferry_alloc_free(text);
	return bad ? FERRY_MALFORMED : *out ? 0 : FERRY_NOMEM;
}

static int parse_int(struct ferry_store *store, struct span s,
		     struct ferry_value **out)
{
	bool minus = take_sign(&s), decimal;
	size_t n = (size_t)(s.end - s.p);

	if (!n)
		return FERRY_MALFORMED;
	if (n > 2 && *s.p == '0' && (s.p[1] == 'b' || s.p[1] == 'x')) {
		unsigned bits = s.p[1] == 'b' ? 1 : 4;

		s.p += 2;
		return parse_bits(store, s, bits, minus, out);
	}
	decimal = *s.p != '0';
	if (memchr(s.p, ':', n) && decimal)
		return parse_sixties(store, s, minus, out);
	strip(&s);
	if (decimal && take_sign(&s))
		minus = !minus;
	if (decimal)
		return s.p == s.end ? FERRY_MALFORMED :
				      parse_decimal(store, s, minus, out);
	if (s.end - s.p > 2 && (s.p[1] == 'o' || s.p[1] == 'O'))
		s.p += 2;
	return parse_bits(store, s, 3, minus, out);
}

/* A copy without underscores; the caller frees s->p. */
static char *without_underscores(const char *text, size_t n, struct span *s)
{
	char *copy = ferry_alloc(n + 1), *to = copy;

	if (!copy)
		return NULL;
	for (size_t i = 0; i < n; i++)
		if (text[i] != '_')
			*to++ = text[i];
	*to = '\0';
	s->p = copy;
	s->end = to;
	return copy;
}

int yaml_parse_int(struct ferry_store *store, const char *text, size_t n,
		   struct ferry_value **out)
{
	struct span s;
	char *copy = without_underscores(text, n, &s);
	int rc;

	if (!copy)
		return FERRY_NOMEM;
	rc = parse_int(store, s, out);
	ferry_alloc_free(copy);
	return rc;
}

/* ---- floats -------------------------------------------------------------- */

static bool is_word(struct span s, const char *word)
{
	size_t n = strlen(word);

	if ((size_t)(s.end - s.p) != n)
		return false;
	for (size_t i = 0; i < n; i++)
		if (tolower((unsigned char)s.p[i]) != word[i])
			return false;
	return true;
}

/* Digits with single underscores between, copied to *to. */
static bool take_digits(struct span *s, char **to)
{
	const char *from = s->p;

	for (; s->p < s->end; s->p++) {
		if (*s->p == '_') {
			if (s->p == from || s->p[-1] == '_')
				return false;
			continue;
		}
		if (digit_of(*s->p) > 9)
			break;
		*(*to)++ = *s->p;
	}
	return s->p == from || s->p[-1] != '_';
}

static bool take_exponent(struct span *s, long *out)
{
	bool minus;
	long e = 0;

	if (s->p == s->end || (*s->p != 'e' && *s->p != 'E'))
		return true;
	s->p++;
	minus = take_sign(s);
	if (s->p == s->end || digit_of(*s->p) > 9)
		return false;
	for (; s->p < s->end; s->p++) {
		if (*s->p == '_' && s->p[-1] != '_')
			continue;
		if (digit_of(*s->p) > 9)
			return false;
		if (e < MOST_EXPONENT)
			e = e * 10 + (*s->p - '0');
	}
	*out = minus ? -e : e;
	return s->p[-1] != '_';
}

/*
 * The digits go to strtod() without a point, which would be the locale's; an
 * exponent says where it stood.
 */
static double convert(char *digits, char *end, long exponent, long fraction)
{
	snprintf(end, 32, "e%ld", exponent - fraction);
	return strtod(digits, NULL);
}

static int parse_finite(struct span s, double *out)
{
	long exponent = 0, fraction = 0;
	char *digits, *to;
	bool good;

	if (s.p == s.end || (digit_of(*s.p) > 9 && *s.p != '.'))
		return FERRY_MALFORMED;
	digits = to = ferry_alloc((size_t)(s.end - s.p) + 33);
	if (!digits)
		return FERRY_NOMEM;
	good = take_digits(&s, &to);
	if (good && s.p < s.end && *s.p == '.') {
		char *point = to;

		s.p++;
		good = take_digits(&s, &to);
		fraction = to - point;
	}
	good = good && to > digits && take_exponent(&s, &exponent) &&
	       s.p == s.end;
	if (good)
		*out = convert(digits, to, exponent, fraction);
	ferry_alloc_free(digits);
	return good ? 0 : FERRY_MALFORMED;
}

int yaml_python_float(const char *text, size_t n, double *out)
{
	struct span s = { text, text + n };
	bool minus;
	int rc = 0;

	strip(&s);
	minus = take_sign(&s);
	if (is_word(s, "inf") || is_word(s, "infinity"))
		*out = (double)INFINITY;
	else if (is_word(s, "nan"))
		*out = (double)NAN;
	else
		rc = parse_finite(s, out);
	if (!rc && minus)
		*out = -*out;
	return rc;
}

/* From the last part to the first, as PyYAML sums, for the same rounding. */
static int parse_float_sixties(struct span s, double *out)
{
	double base = 1, sum = 0, part;
	unsigned n = 0;
	int rc;

	for (const char *end = s.end; end; base *= 60) {
		const char *from = end;

		while (from > s.p && from[-1] != ':')
			from--;
		if (++n > SIXTY_PARTS)
			return FERRY_LIMIT;
		rc = yaml_python_float(from, (size_t)(end - from), &part);
		if (rc)
			return rc;
		sum += part * base;
		end = from > s.p ? from - 1 : NULL;
	}
	*out = sum;
	return 0;
}

static int parse_float(struct span s, double *out)
{
	bool minus = take_sign(&s);
	int rc = 0;

	if (s.p == s.end)
		return FERRY_MALFORMED;
	if (is_word(s, ".nan")) {
		*out = (double)NAN;
		return 0;
	}
	if (is_word(s, ".inf"))
		*out = (double)INFINITY;
	else if (memchr(s.p, ':', (size_t)(s.end - s.p)))
		rc = parse_float_sixties(s, out);
	else
		rc = yaml_python_float(s.p, (size_t)(s.end - s.p), out);
	if (!rc && minus)
		*out = -*out;
	return rc;
}

int yaml_parse_float(const char *text, size_t n, double *out)
{
	struct span s;
	char *copy = without_underscores(text, n, &s);
	int rc;

	if (!copy)
		return FERRY_NOMEM;
	rc = parse_float(s, out);
	ferry_alloc_free(copy);
	return rc;
}

/* ---- the shortest text --------------------------------------------------- */

/* digits * 10^(exponent - n + 1), digits being n of them */
struct decimal {
	char digits[20];
	int n, exponent;
};

static bool reads_back(const struct decimal *d, double f)
{
	char text[40];

	snprintf(text, sizeof(text), "%.*se%d", d->n, d->digits,
		 d->exponent - d->n + 1);
	return strtod(text, NULL) == f;
}

/* "%e" without its point, which is the locale's. */
static void round_to(double f, int n, struct decimal *d)
{
	char text[64], *p = text;

	snprintf(text, sizeof(text), "%.*e", n - 1, f);
	for (d->n = 0; *p != 'e'; p++)
		if (*p >= '0' && *p <= '9')
			d->digits[d->n++] = *p;
	d->exponent = (int)strtol(p + 1, NULL, 10);
}

/* One up in the last place; the digits are not all nines. */
static void step_up(struct decimal *d)
{
	int i = d->n - 1;

	while (i > 0 && d->digits[i] == '9')
		d->digits[i--] = '0';
	d->digits[i]++;
}

/*
 * Fifteen digits are found by rounding if they are enough, and below the
 * normal numbers fewer may be.  At a power of two the neighbour below is
 * nearer than the one above: there the next number up may still read back.
 */
static void shortest(double f, struct decimal *d)
{
	int exponent;

	for (int n = f < DBL_MIN ? 1 : 15; n <= 17; n++) {
		round_to(f, n, d);
		if (reads_back(d, f))
			break;
		if (n == 16 && frexp(f, &exponent) == 0.5) {
			step_up(d);
			if (reads_back(d, f))
				break;
		}
	}
	while (d->n > 1 && d->digits[d->n - 1] == '0')
		d->n--;
}

static void add_fixed(struct ferry_buffer *out, const struct decimal *d)
{
	int whole = d->exponent + 1;

	if (whole <= 0)
		ferry_buffer_printf(out, "0.%.*s%.*s", -whole, "000",
				    d->n, d->digits);
	else if (whole >= d->n)
		ferry_buffer_printf(out, "%.*s%.*s.0", d->n, d->digits,
				    whole - d->n, "0000000000000000");
	else
		ferry_buffer_printf(out, "%.*s.%.*s", whole, d->digits,
				    d->n - whole, d->digits + whole);
}

void yaml_add_float(struct ferry_buffer *out, double f)
{
	struct decimal d;

	if (isnan(f)) {
		ferry_buffer_add_str(out, ".nan");
		return;
	}
	if (signbit(f))
		ferry_buffer_add(out, "-", 1);
	f = fabs(f);
	if (isinf(f)) {
		ferry_buffer_add_str(out, ".inf");
		return;
	}
	if (f == 0) {
		ferry_buffer_add_str(out, "0.0");
		return;
	}
	shortest(f, &d);
	if (d.exponent >= -4 && d.exponent < 16)
		add_fixed(out, &d);
	else
		ferry_buffer_printf(out, "%c.%.*se%c%02d", d.digits[0],
				    d.n > 1 ? d.n - 1 : 1,
				    d.n > 1 ? d.digits + 1 : "0",
				    d.exponent < 0 ? '-' : '+',
				    abs(d.exponent));
}
