/* CRC-32 of zip, whole and in pieces. */
#include "config.h"

#include <libdeflate.h>

#include "core/io/transfer.h"

#define POLYNOMIAL UINT32_C(0xedb88320)
#define ONE (UINT32_C(1) << 31)		/* x^0: bits run from the top */
#define X_8 (UINT32_C(1) << 23)

uint32_t ferry_crc32(uint32_t crc, const void *data, size_t n)
{
	return libdeflate_crc32(crc, data, n);
}

/* a * b modulo the polynomial, over GF(2). */
static uint32_t multiply(uint32_t a, uint32_t b)
{
	uint32_t product = 0;

	for (; a; a <<= 1) {
		if (a & ONE)
			product ^= b;
		b = b >> 1 ^ (POLYNOMIAL & -(b & 1));
	}
	return product;
}

uint32_t ferry_crc32_power(uint64_t nb)
{
	uint32_t power = X_8, result = ONE;

	for (; nb; nb >>= 1) {
		if (nb & 1)
			result = multiply(result, power);
		power = multiply(power, power);
	}
	return result;
}

uint32_t ferry_crc32_append(uint32_t a, uint32_t b, uint32_t power)
{
	return multiply(a, power) ^ b;
}

uint32_t ferry_crc32_combine(uint32_t a, uint32_t b, uint64_t nb)
{
	return a ? ferry_crc32_append(a, b, ferry_crc32_power(nb)) : b;
}
