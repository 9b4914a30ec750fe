/*
 * Integers of any size.
 *
 * Decimal conversion is quadratic, so it stops at a number of digits that costs
 * little; what is larger is written, and read again, in hexadecimal.
 */
#include "config.h"

#include "core/model/big.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <ferry/sys/alloc.h>
#include <ferry/sys/build.h>
#include <ferry/sys/bytes.h>

#include "core/model/store.h"

enum {
	DECIMAL_DIGITS = 20000,	/* at most, in decimal text that is read */
	DECIMAL_BYTES = 8192,	/* at most, in an integer written so */
	STEP = 9,		/* decimal digits handled at once */
};

static const uint32_t powers[STEP + 1] = {
	1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000,
	1000000000,
};

size_t ferry_big_trim(const uint8_t *le, size_t n)
{
	uint8_t fill;

	while (n > 1) {
		fill = le[n - 2] & 0x80 ? 0xff : 0;
		if (le[n - 1] != fill)
			break;
		n--;
	}
	return n;
}

static void negate(uint8_t *le, size_t n)
{
	unsigned carry = 1;

	for (size_t i = 0; i < n; i++) {
		carry += (uint8_t)~le[i];
		le[i] = (uint8_t)carry;
		carry >>= 8;
	}
}

size_t ferry_big_from_double(double f, uint8_t le[BIG_DOUBLE])
{
	int exponent;
	uint64_t mantissa = (uint64_t)ldexp(frexp(fabs(f), &exponent), 53);
	unsigned shift = exponent > 53 ? (unsigned)(exponent - 53) : 0;

	if (exponent < 53)
		mantissa = (uint64_t)fabs(f);
	memset(le, 0, BIG_DOUBLE);
	for (unsigned i = 0; i < 8; i++, mantissa >>= 8) {
		le[shift / 8 + i] |= (uint8_t)(mantissa << shift % 8);
		le[shift / 8 + i + 1] |= (uint8_t)((mantissa & 0xff) >>
						   (8 - shift % 8));
	}
	if (f < 0)
		negate(le, BIG_DOUBLE);
	return ferry_big_trim(le, BIG_DOUBLE);
}

struct ferry_value *ferry_big(struct ferry_store *s, const void *le, size_t n)
{
	const uint8_t *bytes = le;
	struct ferry_value *v;
	uint64_t small;

	if (!n)
		return ferry_int(s, 0);
	n = ferry_big_trim(bytes, n);
	if (n <= 8) {
		small = bytes[n - 1] & 0x80 ? UINT64_MAX : 0;
		for (size_t i = n; i--;)
			small = small << 8 | bytes[i];
		return ferry_int(s, (int64_t)small);
	}
	v = store_scalar(s, FERRY_INT);
	if (!v)
		return NULL;
	v->flags = FERRY_BIG;
	v->u.s.data = ferry_store_strndup(s, le, n);
	v->u.s.nbytes = n;
	return v->u.s.data ? v : NULL;
}

struct ferry_value *ferry_uint(struct ferry_store *s, uint64_t i)
{
	uint8_t le[9] = { 0 };

	ferry_put_le64(le, i);
	return ferry_big(s, le, sizeof(le));
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* Hexadecimal digits into le, which has n / 2 + 2 bytes, zeroed. */
static bool from_hex(uint8_t *le, const char *text, size_t n)
{
	int d;

	for (size_t i = 0; i < n; i++) {
		d = digit(text[n - 1 - i]);
		if (d < 0)
			return false;
		le[i / 2] |= (uint8_t)(d << (i % 2 * 4));
	}
	return true;
}

/* le = le * by + add, in 32-bit limbs. */
static void multiply_add(uint8_t *le, size_t n_limbs, uint32_t by, uint32_t add)
{
	uint64_t carry = add;

	for (size_t i = 0; i < n_limbs; i++) {
		carry += (uint64_t)ferry_le32(le + 4 * i) * by;
		ferry_put_le32(le + 4 * i, (uint32_t)carry);
		carry >>= 32;
	}
}

/* Decimal digits into le, which has n / 2 + 8 bytes, zeroed: a limb holds more
 * than 9 digits. */
static bool from_decimal(uint8_t *le, const char *text, size_t n)
{
	size_t n_limbs = 0, used;
	uint32_t part;

	for (; n; n -= used, text += used) {
		used = n % STEP ? n % STEP : STEP;
		part = 0;
		for (size_t i = 0; i < used; i++) {
			if (text[i] < '0' || text[i] > '9')
				return false;
			part = part * 10 + (uint32_t)(text[i] - '0');
		}
		multiply_add(le, ++n_limbs, powers[used], part);
	}
	return true;
}

struct ferry_value *ferry_big_decimal(struct ferry_store *s, const char *text,
				      size_t n, bool *bad)
{
	bool negative = n && *text == '-';
	struct ferry_value *v = NULL;
	uint8_t *le;
	bool hex;

	*bad = true;
	if (n && (*text == '-' || *text == '+'))
		text++, n--;
	hex = n > 2 && text[0] == '0' && (text[1] | 0x20) == 'x';
	if (hex)
		text += 2, n -= 2;
	if (!n || (!hex && n > DECIMAL_DIGITS))
		return NULL;
	le = ferry_alloc_zero(1, n / 2 + 8);
	*bad = false;
	if (!le)
		return NULL;
	*bad = hex ? !from_hex(le, text, n) : !from_decimal(le, text, n);
	if (negative)
		negate(le, n / 2 + 8);
	if (!*bad)
		v = ferry_big(s, le, n / 2 + 8);
	ferry_alloc_free(le);
	return v;
}

/* Divide the n limbs by 10^9; gives the remainder and drops leading zeros. */
static uint32_t divide(uint32_t *limbs, size_t *n)
{
	uint64_t rest = 0;

	for (size_t i = *n; i--;) {
		rest = rest << 32 | limbs[i];
		limbs[i] = (uint32_t)(rest / powers[STEP]);
		rest %= powers[STEP];
	}
	while (*n && !limbs[*n - 1])
		(*n)--;
	return (uint32_t)rest;
}

/* The magnitude in le (n bytes, padded to limbs) as text that ends at end. */
static char *write_decimal(char *end, const uint8_t *le, size_t n)
{
	uint32_t limbs[DECIMAL_BYTES / 4 + 2];
	size_t n_limbs = n / 4;
	uint32_t part;

	for (size_t i = 0; i < n_limbs; i++)
		limbs[i] = ferry_le32(le + 4 * i);
	while (n_limbs && !limbs[n_limbs - 1])
		n_limbs--;
	*end = '\0';
	while (n_limbs) {
		part = divide(limbs, &n_limbs);
		for (int i = 0; i < STEP && (part || n_limbs); i++) {
			*--end = (char)('0' + part % 10);
			part /= 10;
		}
	}
	return end;
}

static char *write_hex(char *end, const uint8_t *le, size_t n)
{
	*end = '\0';
	while (n && !le[n - 1])
		n--;
	for (size_t i = 0; i < n; i++) {
		*--end = "0123456789abcdef"[le[i] & 15];
		*--end = "0123456789abcdef"[le[i] >> 4];
	}
	*--end = 'x';
	*--end = '0';
	return end;
}

char *ferry_big_format(const struct ferry_value *v, char *room)
{
	size_t n = v->u.s.nbytes, padded = (n + 7) & ~(size_t)3;
	bool negative = v->u.s.data[n - 1] & 0x80;
	uint8_t *le = ferry_alloc(padded);
	char *text;

	if (!le)
		return NULL;
	memcpy(le, v->u.s.data, n);
	memset(le + n, negative ? 0xff : 0, padded - n);
	if (negative)
		negate(le, padded);
	if (n > DECIMAL_BYTES)
		text = write_hex(room + 3 * n + 7, le, padded);
	else
		text = write_decimal(room + 3 * n + 7, le, padded);
	if (negative)
		*--text = '-';
	ferry_alloc_free(le);
	return text;
}

char *ferry_int_text(struct ferry_store *s, const struct ferry_value *v)
{
	char text[24];
	char *room;

	if (v->flags & FERRY_BIG) {
		room = ferry_store_array(s, v->u.s.nbytes + 8, 3);
		return room ? ferry_big_format(v, room) : NULL;
	}
	snprintf(text, sizeof(text), "%" PRId64, v->u.i);
	return ferry_store_strndup(s, text, strlen(text));
}
