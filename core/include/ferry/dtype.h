/*
 * Element types.  The list is a superset of what the known formats store; a
 * format declares which it can hold as a mask of FERRY_DTYPE_BIT().
 *
 * Multi-byte elements are little-endian in every storage of the model; a
 * reader of a big-endian file swaps (ferry/sys/ops.h).  Complex elements are
 * (re, im) pairs of their component type.
 */
#ifndef FERRY_DTYPE_H
#define FERRY_DTYPE_H

#include <stdbool.h>
#include <stdint.h>

#include <ferry/api.h>

FERRY_BEGIN

enum ferry_dtype {
	FERRY_DTYPE_NONE = 0,
	FERRY_BOOL8,		/* one byte, 0 or 1 */
	FERRY_U8,
	FERRY_I8,
	FERRY_U16,
	FERRY_I16,
	FERRY_U32,
	FERRY_I32,
	FERRY_U64,
	FERRY_I64,
	FERRY_F16,
	FERRY_BF16,
	FERRY_F32,
	FERRY_F64,
	FERRY_C32,		/* two F16 */
	FERRY_C64,		/* two F32 */
	FERRY_C128,		/* two F64 */
	FERRY_F8_E4M3FN,
	FERRY_F8_E5M2,
	FERRY_F8_E4M3FNUZ,
	FERRY_F8_E5M2FNUZ,
	FERRY_F8_E8M0FNU,
	FERRY_F4_E2M1_X2,	/* two per byte; shape counts bytes */
	FERRY_F6_E2M3,		/* 6 bits, packed; shape counts elements */
	FERRY_F6_E3M2,
	FERRY_QI8,		/* quantised: the integer representation */
	FERRY_QU8,
	FERRY_QI32,
	FERRY_QU4X2,		/* two per byte; shape counts elements */
	FERRY_QU2X4,		/* four per byte; shape counts elements */
	FERRY_BITS8,
	FERRY_BITS16,
	FERRY_BITS1X8,		/* one byte holding 8 */
	FERRY_BITS2X4,
	FERRY_BITS4X2,
	FERRY_F4_E2M1,		/* 4 bits, packed; shape counts elements */
	FERRY_N_DTYPES
};

#define FERRY_DTYPE_BIT(d) (UINT64_C(1) << (d))

/* "float32", "bfloat16", "float8_e4m3fn", "bool", "qint8", ... */
FERRY_API const char *ferry_dtype_name(enum ferry_dtype dtype);

/*
 * The dtype of that name, or of a usual alias ("f32", "float", "half", "bf16",
 * "fp8_e4m3", "long", "double", ...); FERRY_DTYPE_NONE when there is none.
 */
FERRY_API enum ferry_dtype ferry_dtype_find(const char *name);

/*
 * Bits of one element: 8 for FERRY_U8, 4 for FERRY_QU4X2, 6 for FERRY_F6_*.
 * For the _X2 and BITS* kinds, whose shape counts bytes, 8 (BITS16: 16).
 */
FERRY_API unsigned ferry_dtype_bits(enum ferry_dtype dtype);

/* Whole bytes of one element, or 0 for a packed dtype (bits not n*8). */
FERRY_API unsigned ferry_dtype_size(enum ferry_dtype dtype);

/* Bytes that must be reversed together to swap endianness: 4 for C64. */
FERRY_API unsigned ferry_dtype_swap_size(enum ferry_dtype dtype);

FERRY_API bool ferry_dtype_is_float(enum ferry_dtype dtype); /* not complex */
FERRY_API bool ferry_dtype_is_complex(enum ferry_dtype dtype);
FERRY_API bool ferry_dtype_is_quantized(enum ferry_dtype dtype);

FERRY_END

#endif
