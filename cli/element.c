/* Elements as doubles. */
#include "config.h"

#include "cli/element.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

static uint64_t load(const uint8_t *p, unsigned size)
{
	uint64_t x = 0;

	for (unsigned i = 0; i < size; i++)
		x |= (uint64_t)p[i] << (8 * i);
	return x;
}

static int64_t load_signed(const uint8_t *p, unsigned size)
{
	unsigned unused = 64 - 8 * size;

	return (int64_t)(load(p, size) << unused) >> unused;
}

/* IEEE 754 layout with the top exponent for infinity and NaN. */
static double ieee(uint32_t bits, int exponent_bits, int mantissa_bits)
{
	int top = (1 << exponent_bits) - 1, bias = top >> 1;
	int exponent = (int)(bits >> mantissa_bits) & top;
	uint32_t mantissa = bits & ((1u << mantissa_bits) - 1);
	bool negative = bits >> (exponent_bits + mantissa_bits) & 1;
	double x;

	if (exponent == top)
		x = mantissa ? NAN : INFINITY;
	else if (exponent)
		x = ldexp((double)(mantissa | 1u << mantissa_bits),
			  exponent - bias - mantissa_bits);
	else
		x = ldexp((double)mantissa, 1 - bias - mantissa_bits);
	return negative ? -x : x;
}

/* The float8 kinds without infinities; FNUZ have no negative zero and a bias
 * one higher. */
static double finite8(uint8_t bits, int mantissa_bits, bool fnuz)
{
	int exponent_bits = 7 - mantissa_bits;
	int bias = (1 << (exponent_bits - 1)) - !fnuz;
	int exponent = bits >> mantissa_bits & ((1 << exponent_bits) - 1);
	uint32_t mantissa = bits & ((1u << mantissa_bits) - 1);
	double x;

	if (fnuz ? bits == 0x80 : (bits & 0x7f) == 0x7f)
		return NAN;
	if (exponent)
		x = ldexp((double)(mantissa | 1u << mantissa_bits),
			  exponent - bias - mantissa_bits);
	else
		x = ldexp((double)mantissa, 1 - bias - mantissa_bits);
	return bits & 0x80 ? -x : x;
}

static double load_float(enum ferry_dtype dtype, const uint8_t *p)
{
	uint32_t word;
	uint64_t wide;
	float f;
	double d;

	switch (dtype) {
	case FERRY_F16:
		return ieee((uint32_t)load(p, 2), 5, 10);
	case FERRY_F8_E5M2:
		return ieee(*p, 5, 2);
	case FERRY_F8_E4M3FN:
		return finite8(*p, 3, false);
	case FERRY_F8_E4M3FNUZ:
		return finite8(*p, 3, true);
	case FERRY_F8_E5M2FNUZ:
		return finite8(*p, 2, true);
	case FERRY_F8_E8M0FNU:
		return *p == 0xff ? NAN : ldexp(1, *p - 127);
	case FERRY_F64:
		wide = load(p, 8);
		memcpy(&d, &wide, sizeof(d));
		return d;
	default:
		word = dtype == FERRY_BF16 ? (uint32_t)load(p, 2) << 16 :
					     (uint32_t)load(p, 4);
		memcpy(&f, &word, sizeof(f));
		return (double)f;
	}
}

static double load_number(enum ferry_dtype dtype, const uint8_t *p)
{
	switch (dtype) {
	case FERRY_BOOL8:
	case FERRY_U8:
	case FERRY_U16:
	case FERRY_U32:
	case FERRY_U64:
		return (double)load(p, ferry_dtype_size(dtype));
	case FERRY_I8:
	case FERRY_I16:
	case FERRY_I32:
	case FERRY_I64:
		return (double)load_signed(p, ferry_dtype_size(dtype));
	default:
		return load_float(dtype, p);
	}
}

static enum ferry_dtype part_of(enum ferry_dtype dtype)
{
	switch (dtype) {
	case FERRY_C32:
		return FERRY_F16;
	case FERRY_C64:
		return FERRY_F32;
	case FERRY_C128:
		return FERRY_F64;
	default:
		return dtype;
	}
}

unsigned cli_element_numbers(enum ferry_dtype dtype)
{
	if (dtype >= FERRY_BOOL8 && dtype <= FERRY_F64)
		return 1;
	if (ferry_dtype_is_complex(dtype))
		return 2;
	return dtype >= FERRY_F8_E4M3FN && dtype <= FERRY_F8_E8M0FNU;
}

void cli_elements(enum ferry_dtype dtype, const void *data, size_t nelem,
		  double *out)
{
	enum ferry_dtype part = part_of(dtype);
	size_t n = nelem * cli_element_numbers(dtype);
	unsigned size = ferry_dtype_size(part);
	const uint8_t *p = data;

	for (size_t i = 0; i < n; i++, p += size)
		out[i] = load_number(part, p);
}
