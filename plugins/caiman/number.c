/* Numbers as text. */
#include "config.h"

#include "plugins/caiman/number.h"

#include <locale.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <ferry/sys/buffer.h>

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* ---- white space ----------------------------------------------------------- */

/* str.isspace() beyond ASCII, as UTF-8. */
static const char *const spaces[] = {
	"\xc2\x85", "\xc2\xa0", "\xe1\x9a\x80", "\xe2\x80\x80", "\xe2\x80\x81",
	"\xe2\x80\x82", "\xe2\x80\x83", "\xe2\x80\x84", "\xe2\x80\x85",
	"\xe2\x80\x86", "\xe2\x80\x87", "\xe2\x80\x88", "\xe2\x80\x89",
	"\xe2\x80\x8a", "\xe2\x80\xa8", "\xe2\x80\xa9", "\xe2\x80\xaf",
	"\xe2\x81\x9f", "\xe3\x80\x80", " ", "\t", "\n", "\v", "\f", "\r", NULL
};

static size_t space_at(const char *text, size_t n, bool last)
{
	size_t len;

	for (size_t i = 0; spaces[i]; i++) {
		len = strlen(spaces[i]);
		if (len <= n && !memcmp(last ? text + n - len : text,
					spaces[i], len))
			return len;
	}
	return 0;
}

void number_strip(const char **text, size_t *n)
{
	size_t len;

	while ((len = space_at(*text, *n, false))) {
		*text += len;
		*n -= len;
	}
	while ((len = space_at(*text, *n, true)))
		*n -= len;
}

/* ---- integers -------------------------------------------------------------- */

/* Digits without underscores: sign and all. */
static int decimal(struct ferry_store *store, const struct ferry_buffer *text,
		   struct ferry_value **out)
{
	bool bad = false;

	*out = NULL;
	if (text->failed)
		return FERRY_NOMEM;
	*out = ferry_big_decimal(store, text->data, text->n, &bad);
	return *out || bad ? 0 : FERRY_NOMEM;
}

/* A run of digits, single underscores between them: their number in *digits.
 * What is not so gives false. */
static bool add_digits(const char *text, size_t n, struct ferry_buffer *out,
		       size_t *digits)
{
	*digits = 0;
	for (size_t i = 0; i < n; i++) {
		if (text[i] == '_' && i && text[i - 1] != '_' && i + 1 < n)
			continue;
		if (!is_digit(text[i]))
			return false;
		ferry_buffer_add(out, &text[i], 1);
		++*digits;
	}
	return *digits;
}

int number_python_int(struct ferry_store *store, const char *text, size_t n,
		      struct ferry_value **out)
{
	struct ferry_buffer plain = FERRY_BUFFER_INIT;
	size_t digits;
	int rc = 0;

	*out = NULL;
	number_strip(&text, &n);
	if (n && (*text == '-' || *text == '+')) {
		if (*text == '-')
			ferry_buffer_add_str(&plain, "-");
		text++;
		n--;
	}
	if (add_digits(text, n, &plain, &digits) &&
	    digits <= NUMBER_MAX_DIGITS)
		rc = decimal(store, &plain, out);
	ferry_buffer_release(&plain);
	return rc;
}

/* "-" and digits that don't begin with a needless 0. */
static bool is_strict(const char *text, size_t n)
{
	if (n && *text == '-') {
		text++;
		n--;
	}
	if (!n || (n > 1 && *text == '0'))
		return false;
	for (size_t i = 0; i < n; i++)
		if (!is_digit(text[i]))
			return false;
	return true;
}

/* The text from its first digit that counts; false: it has none. */
static bool skip_zeros(const char **text, size_t *n)
{
	const char *t = *text;
	size_t i = 1;

	if (!*n || (*t != '0' && *t != '-' && !is_digit(*t)))
		return false;
	if (*t != '0')
		return true;
	while (i < *n && (t[i] == '0' || t[i] == '_'))
		i++;
	if (i < *n && t[i] != '.' && t[i] != '-' && !is_digit(t[i]))
		return false;
	if (i == *n || t[i] == '.')
		i--;
	*text += i;
	*n -= i;
	return true;
}

/* Without a point and the zeros after it, of which there must be some. */
static bool cut_zeros(const char *text, size_t *n)
{
	const char *point = memchr(text, '.', *n);
	size_t at = point ? (size_t)(point - text) : *n;

	if (point && at + 1 == *n)
		return false;
	for (size_t i = at + 1; i < *n; i++)
		if (text[i] != '0')
			return false;
	*n = at;
	return true;
}

static bool drop_underscores(const char *text, size_t n,
			     struct ferry_buffer *out)
{
	for (size_t i = 0; i < n; i++) {
		if (text[i] != '_')
			ferry_buffer_add(out, &text[i], 1);
		else if (!i || i + 1 == n || text[i - 1] == '_')
			return false;
	}
	return out->n;
}

int number_pydantic_int(struct ferry_store *store, const char *text, size_t n,
			struct ferry_value **out)
{
	struct ferry_buffer plain = FERRY_BUFFER_INIT;
	int rc = 0;

	*out = NULL;
	number_strip(&text, &n);
	if (n > NUMBER_MAX_DIGITS)
		return 0;
	if (n && *text == '+') {
		text++;
		n--;
		if (n && *text == '-')
			return 0;
	}
	if (is_strict(text, n) ||
	    (skip_zeros(&text, &n) && cut_zeros(text, &n))) {
		if (drop_underscores(text, n, &plain) &&
		    is_strict(plain.data, plain.n))
			rc = decimal(store, &plain, out);
	}
	ferry_buffer_release(&plain);
	return rc;
}

/* ---- floats ---------------------------------------------------------------- */

/* "inf", "nan", "Infinity": case aside. */
static bool named(const char *text, size_t n, double *out)
{
	bool minus = n && *text == '-';

	if (n && (*text == '-' || *text == '+')) {
		text++;
		n--;
	}
	if ((n == 3 && !strncasecmp(text, "inf", 3)) ||
	    (n == 8 && !strncasecmp(text, "infinity", 8)))
		*out = minus ? -INFINITY : INFINITY;
	else if (n == 3 && !strncasecmp(text, "nan", 3))
		*out = minus ? -(double)NAN : (double)NAN;
	else
		return false;
	return true;
}

static size_t skip_digits(const char *text, size_t i, size_t n)
{
	while (i < n && is_digit(text[i]))
		i++;
	return i;
}

/* [+-] digits [. digits] [e [+-] digits], with a digit before the exponent. */
static bool is_float(const char *text, size_t n)
{
	size_t i = n && (*text == '-' || *text == '+'), start = i, digits;

	i = skip_digits(text, i, n);
	digits = i - start;
	if (i < n && text[i] == '.') {
		start = ++i;
		i = skip_digits(text, i, n);
		digits += i - start;
	}
	if (!digits)
		return false;
	if (i == n)
		return true;
	if (text[i] != 'e' && text[i] != 'E')
		return false;
	i++;
	if (i < n && (text[i] == '-' || text[i] == '+'))
		i++;
	return i < n && skip_digits(text, i, n) == n;
}

static bool to_double(const char *text, double *out)
{
	locale_t c = newlocale(LC_NUMERIC_MASK, "C", (locale_t)0);

	if (!c)
		return false;
	*out = strtod_l(text, NULL, c);
	freelocale(c);
	return true;
}

/* Python wants a digit on both sides of an underscore. */
static bool underscores_stand_well(const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (text[i] == '_' && (!i || i + 1 == n ||
				       !is_digit(text[i - 1]) ||
				       !is_digit(text[i + 1])))
			return false;
	return true;
}

bool number_float(const char *text, size_t n, bool loose, double *out)
{
	struct ferry_buffer plain = FERRY_BUFFER_INIT;
	bool ok;

	number_strip(&text, &n);
	if (named(text, n, out))
		return true;
	ok = (loose || underscores_stand_well(text, n)) &&
	     drop_underscores(text, n, &plain) && !plain.failed &&
	     (named(plain.data, plain.n, out) ||
	      (is_float(plain.data, plain.n) && to_double(plain.data, out)));
	ferry_buffer_release(&plain);
	return ok;
}

struct ferry_value *number_truncate(struct ferry_store *store, double f)
{
	uint8_t le[136] = { 0 };
	uint64_t mantissa, part;
	int exponent;
	unsigned carry = 1;

	if (fabs(f) < 9e18)
		return ferry_int(store, (int64_t)f);
	mantissa = (uint64_t)ldexp(frexp(fabs(f), &exponent), 53);
	exponent -= 53;
	part = mantissa << (exponent % 8);
	for (unsigned i = 0; i < 8; i++)
		le[(unsigned)exponent / 8 + i] = (uint8_t)(part >> (8 * i));
	for (size_t i = 0; f < 0 && i < sizeof(le); i++) {
		carry += (uint8_t)~le[i];
		le[i] = (uint8_t)carry;
		carry >>= 8;
	}
	return ferry_big(store, le, sizeof(le));
}

/* The shortest digits that read back the same, and the power of ten of the
 * first. */
static int shortest(double f, char digits[20], int *n)
{
	char text[40];
	double back;
	char *e;

	for (int precision = 0; precision < 17; precision++) {
		snprintf(text, sizeof(text), "%.*e", precision, f);
		text[1] = precision ? '.' : text[1];
		if (to_double(text, &back) && back == f)
			break;
	}
	e = strchr(text, 'e');
	*n = 0;
	for (char *p = text; p < e; p++)
		if (is_digit(*p) && *n < 19)
			digits[(*n)++] = *p;
	while (*n > 1 && digits[*n - 1] == '0')
		--*n;
	digits[*n] = '\0';
	return (int)strtol(e + 1, NULL, 10);
}

void number_repr(double f, char out[NUMBER_REPR_CAP])
{
	const char *sign = signbit(f) ? "-" : "";
	char digits[20];
	int n, exponent;

	if (isnan(f)) {
		snprintf(out, NUMBER_REPR_CAP, "nan");
		return;
	}
	if (isinf(f)) {
		snprintf(out, NUMBER_REPR_CAP, "%sinf", sign);
		return;
	}
	exponent = shortest(fabs(f), digits, &n);
	if (exponent < -4 || exponent >= 16)
		snprintf(out, NUMBER_REPR_CAP, "%s%c%s%se%c%02d", sign,
			 digits[0], n > 1 ? "." : "", digits + 1,
			 exponent < 0 ? '-' : '+', abs(exponent));
	else if (exponent < 0)
		snprintf(out, NUMBER_REPR_CAP, "%s0.%.*s%s", sign,
			 -exponent - 1, "0000", digits);
	else if (n <= exponent + 1)
		snprintf(out, NUMBER_REPR_CAP, "%s%s%.*s.0", sign, digits,
			 exponent + 1 - n, "0000000000000000");
	else
		snprintf(out, NUMBER_REPR_CAP, "%s%.*s.%s", sign, exponent + 1,
			 digits, digits + exponent + 1);
}
