/*
 * Single elements: from bits to float, and from float to bits with round to
 * nearest, ties to even.  These are the meaning; wide kernels give the same
 * bits.
 *
 * NaN, infinities and overflow come out as torch's CPU kernels have them on
 * x86-64: float16 keeps a NaN's sign and upper payload and makes it quiet, as
 * VCVTPS2PH does; the float8 kinds have one NaN per sign (fnuz: one).
 */
#ifndef CORE_MODEL_CAST_NUMBER_H
#define CORE_MODEL_CAST_NUMBER_H

#include <stdint.h>
#include <string.h>

static inline float number_float(uint32_t bits)
{
	float f;

	memcpy(&f, &bits, sizeof(f));
	return f;
}

static inline uint32_t number_bits(float f)
{
	uint32_t bits;

	memcpy(&bits, &f, sizeof(bits));
	return bits;
}

/*
 * A small float of `mbits` mantissa bits and exponent bias `bias`, without its
 * sign and not special, as the bits of a float32.
 */
static inline uint32_t number_widen(uint32_t a, unsigned mbits, unsigned bias)
{
	uint32_t exponent = a >> mbits;
	uint32_t mantissa = a & ((1u << mbits) - 1);
	unsigned shift;

	if (exponent)
		return (exponent + 127 - bias) << 23 |
		       mantissa << (23 - mbits);
	if (!mantissa)
		return 0;
	shift = (unsigned)__builtin_clz(mantissa) - (31 - mbits);
	return (128 - bias - shift) << 23 |
	       (mantissa << shift & ((1u << mbits) - 1)) << (23 - mbits);
}

/*
 * The finite float32 bits `a` (sign cleared) rounded to such a small float;
 * what is too large comes out above its largest finite number.
 */
static inline uint32_t number_narrow(uint32_t a, unsigned mbits, unsigned bias)
{
	unsigned drop = 23 - mbits;
	unsigned least = 128 - bias;	/* exponent of the least normal */
	uint32_t exponent = a >> 23;
	uint32_t mantissa = (a & 0x7fffff) | 0x800000;
	uint32_t kept, rest, half;

	if (exponent >= least) {
		a += (1u << (drop - 1)) - 1 + (a >> drop & 1);
		return (a >> drop) - ((127 - bias) << mbits);
	}
	drop += least - exponent;
	if (drop > 24)
		return 0;
	kept = mantissa >> drop;
	half = 1u << (drop - 1);
	rest = mantissa & (2 * half - 1);
	return kept + (rest > half || (rest == half && (kept & 1)));
}

static inline float number_from_f16(uint16_t h)
{
	uint32_t sign = (uint32_t)(h & 0x8000) << 16;
	uint32_t a = h & 0x7fff;

	if (a > 0x7c00)
		return number_float(sign | 0x7fc00000 | (a & 0x3ff) << 13);
	if (a == 0x7c00)
		return number_float(sign | 0x7f800000);
	return number_float(sign | number_widen(a, 10, 15));
}

static inline uint16_t number_to_f16(float f)
{
	uint32_t x = number_bits(f);
	uint32_t sign = x >> 16 & 0x8000;
	uint32_t a = x & 0x7fffffff;

	if (a > 0x7f800000)
		return (uint16_t)(sign | 0x7e00 | (a >> 13 & 0x3ff));
	if (a >= 0x477ff000)
		return (uint16_t)(sign | 0x7c00);
	return (uint16_t)(sign | number_narrow(a, 10, 15));
}

static inline float number_from_bf16(uint16_t h)
{
	return number_float((uint32_t)h << 16);
}

static inline uint16_t number_to_bf16(float f, uint16_t nan)
{
	uint32_t x = number_bits(f);

	if ((x & 0x7fffffff) > 0x7f800000)
		return nan;
	return (uint16_t)((x + 0x7fff + (x >> 16 & 1)) >> 16);
}

static inline float number_from_e4m3fn(uint8_t b)
{
	uint32_t sign = (uint32_t)(b & 0x80) << 24;
	uint32_t a = b & 0x7f;

	return number_float(sign | (a == 0x7f ? 0x7ff00000 :
				    number_widen(a, 3, 7)));
}

/* No infinity: what is too large becomes the largest, 448 (torch 2.13; its
 * earlier releases made it NaN). */
static inline uint8_t number_to_e4m3fn(float f)
{
	uint32_t x = number_bits(f);
	uint32_t sign = x >> 24 & 0x80;
	uint32_t a = x & 0x7fffffff;

	if (a > 0x7f800000)
		return (uint8_t)(sign | 0x7f);
	if (a > 0x43e00000)
		return (uint8_t)(sign | 0x7e);
	return (uint8_t)(sign | number_narrow(a, 3, 7));
}

static inline float number_from_e5m2(uint8_t b)
{
	return number_from_f16((uint16_t)(b << 8));
}

static inline uint8_t number_to_e5m2(float f)
{
	uint32_t x = number_bits(f);
	uint32_t sign = x >> 24 & 0x80;
	uint32_t a = x & 0x7fffffff;

	if (a > 0x7f800000)
		return (uint8_t)(sign | 0x7f);
	if (a >= 0x47800000)
		return (uint8_t)(sign | 0x7c);
	return (uint8_t)(sign | number_narrow(a, 2, 15));
}

/* fnuz: no negative zero, no infinity; 0x80 is the only NaN. */
static inline float number_from_fnuz(uint8_t b, unsigned mbits, unsigned bias)
{
	uint32_t sign = (uint32_t)(b & 0x80) << 24;

	if (b == 0x80)
		return number_float(0x7f800001);
	return number_float(sign | number_widen(b & 0x7f, mbits, bias));
}

static inline uint8_t number_to_fnuz(float f, unsigned mbits, unsigned bias)
{
	uint32_t x = number_bits(f);
	uint32_t sign = x >> 24 & 0x80;
	uint32_t a = x & 0x7fffffff;
	uint32_t r;

	if (a >= 0x7f800000)
		return 0x80;
	r = number_narrow(a, mbits, bias);
	if (r > 0x7f)
		return 0x80;
	return (uint8_t)(r ? sign | r : 0);
}

/* A power of two, by its exponent alone; ties go up, as in torch. */
static inline float number_from_e8m0(uint8_t b)
{
	if (b == 0xff)
		return number_float(0x7f800001);
	return number_float(b ? (uint32_t)b << 23 : 0x00400000);
}

static inline uint8_t number_to_e8m0(float f)
{
	uint32_t a = number_bits(f) & 0x7fffffff;
	uint32_t exponent = a >> 23;
	uint32_t rest = a & 0x7fffff;

	if (exponent == 0xff)
		return 0xff;
	return (uint8_t)(exponent + (rest > 0x400000 ||
				     (rest == 0x400000 && exponent)));
}

/*
 * Truncation.  What does not fit has no meaning in C; x86-64's CVTT* give the
 * least integer, and narrower integers are cut out of the 32-bit one.
 */
static inline int32_t number_to_i32(double d)
{
	return d > -2147483649.0 && d < 2147483648.0 ? (int32_t)d : INT32_MIN;
}

static inline int64_t number_to_i64(double d)
{
	return d >= -0x1p63 && d < 0x1p63 ? (int64_t)d : INT64_MIN;
}

/* torch's own results outside the range depend on a tensor's length here; this
 * is what long ones give. */
static inline uint32_t number_to_u32(double d)
{
	if (d >= 0x1p31)
		return (uint32_t)number_to_i32(d - 0x1p31) ^ 0x80000000;
	return (uint32_t)number_to_i32(d);
}

static inline uint64_t number_to_u64(double d)
{
	if (d >= 0x1p63)
		return (uint64_t)number_to_i64(d - 0x1p63) ^ UINT64_C(1) << 63;
	return (uint64_t)number_to_i64(d);
}

#endif
