/* Checked arithmetic: true means overflow, as in C23's stdckdint.h. */
#ifndef FERRY_SYS_CKD_H
#define FERRY_SYS_CKD_H

#include <stdbool.h>
#include <stdint.h>

static inline bool ferry_ckd_add(uint64_t *out, uint64_t a, uint64_t b)
{
	return __builtin_add_overflow(a, b, out);
}

static inline bool ferry_ckd_mul(uint64_t *out, uint64_t a, uint64_t b)
{
	return __builtin_mul_overflow(a, b, out);
}

/* True when [offset, offset + n) does not lie in [0, size). */
static inline bool ferry_ckd_outside(uint64_t offset, uint64_t n, uint64_t size)
{
	return offset > size || n > size - offset;
}

#endif
