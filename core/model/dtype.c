/* The table of element types. */
#include "config.h"

#include <ferry/dtype.h>

#include <stddef.h>
#include <strings.h>

enum {
	FLOAT = 1,
	COMPLEX = 2,
	QUANTIZED = 4,
};

static const struct {
	const char *name;
	uint8_t bits, swap, class;
} dtypes[FERRY_N_DTYPES] = {
	[FERRY_DTYPE_NONE] = { "none", 0, 0, 0 },
	[FERRY_BOOL8] = { "bool", 8, 1, 0 },
	[FERRY_U8] = { "uint8", 8, 1, 0 },
	[FERRY_I8] = { "int8", 8, 1, 0 },
	[FERRY_U16] = { "uint16", 16, 2, 0 },
	[FERRY_I16] = { "int16", 16, 2, 0 },
	[FERRY_U32] = { "uint32", 32, 4, 0 },
	[FERRY_I32] = { "int32", 32, 4, 0 },
	[FERRY_U64] = { "uint64", 64, 8, 0 },
	[FERRY_I64] = { "int64", 64, 8, 0 },
	[FERRY_F16] = { "float16", 16, 2, FLOAT },
	[FERRY_BF16] = { "bfloat16", 16, 2, FLOAT },
	[FERRY_F32] = { "float32", 32, 4, FLOAT },
	[FERRY_F64] = { "float64", 64, 8, FLOAT },
	[FERRY_C32] = { "complex32", 32, 2, COMPLEX },
	[FERRY_C64] = { "complex64", 64, 4, COMPLEX },
	[FERRY_C128] = { "complex128", 128, 8, COMPLEX },
	[FERRY_F8_E4M3FN] = { "float8_e4m3fn", 8, 1, FLOAT },
	[FERRY_F8_E5M2] = { "float8_e5m2", 8, 1, FLOAT },
	[FERRY_F8_E4M3FNUZ] = { "float8_e4m3fnuz", 8, 1, FLOAT },
	[FERRY_F8_E5M2FNUZ] = { "float8_e5m2fnuz", 8, 1, FLOAT },
	[FERRY_F8_E8M0FNU] = { "float8_e8m0fnu", 8, 1, FLOAT },
	[FERRY_F4_E2M1_X2] = { "float4_e2m1fn_x2", 8, 1, FLOAT },
	[FERRY_F6_E2M3] = { "float6_e2m3fn", 6, 1, FLOAT },
	[FERRY_F6_E3M2] = { "float6_e3m2fn", 6, 1, FLOAT },
	[FERRY_QI8] = { "qint8", 8, 1, QUANTIZED },
	[FERRY_QU8] = { "quint8", 8, 1, QUANTIZED },
	[FERRY_QI32] = { "qint32", 32, 4, QUANTIZED },
	[FERRY_QU4X2] = { "quint4x2", 4, 1, QUANTIZED },
	[FERRY_QU2X4] = { "quint2x4", 2, 1, QUANTIZED },
	[FERRY_BITS8] = { "bits8", 8, 1, 0 },
	[FERRY_BITS16] = { "bits16", 16, 2, 0 },
	[FERRY_BITS1X8] = { "bits1x8", 8, 1, 0 },
	[FERRY_BITS2X4] = { "bits2x4", 8, 1, 0 },
	[FERRY_BITS4X2] = { "bits4x2", 8, 1, 0 },
	[FERRY_F4_E2M1] = { "float4_e2m1fn", 4, 1, FLOAT },
};

/* What torch, numpy, safetensors and people call them besides. */
static const struct {
	const char *name;
	uint8_t dtype;
} aliases[] = {
	{ "bf16", FERRY_BF16 },
	{ "bool8", FERRY_BOOL8 },
	{ "byte", FERRY_U8 },
	{ "c128", FERRY_C128 },
	{ "c32", FERRY_C32 },
	{ "c64", FERRY_C64 },
	{ "cdouble", FERRY_C128 },
	{ "cfloat", FERRY_C64 },
	{ "chalf", FERRY_C32 },
	{ "char", FERRY_I8 },
	{ "double", FERRY_F64 },
	{ "e4m3", FERRY_F8_E4M3FN },
	{ "e5m2", FERRY_F8_E5M2 },
	{ "f16", FERRY_F16 },
	{ "f32", FERRY_F32 },
	{ "f4", FERRY_F4_E2M1 },
	{ "f4_e2m1", FERRY_F4_E2M1 },
	{ "f64", FERRY_F64 },
	{ "f6_e2m3", FERRY_F6_E2M3 },
	{ "f6_e3m2", FERRY_F6_E3M2 },
	{ "f8_e4m3", FERRY_F8_E4M3FN },
	{ "f8_e4m3fnuz", FERRY_F8_E4M3FNUZ },
	{ "f8_e5m2", FERRY_F8_E5M2 },
	{ "f8_e5m2fnuz", FERRY_F8_E5M2FNUZ },
	{ "f8_e8m0", FERRY_F8_E8M0FNU },
	{ "float", FERRY_F32 },
	{ "fp16", FERRY_F16 },
	{ "fp32", FERRY_F32 },
	{ "fp64", FERRY_F64 },
	{ "fp8_e4m3", FERRY_F8_E4M3FN },
	{ "fp8_e4m3fn", FERRY_F8_E4M3FN },
	{ "fp8_e5m2", FERRY_F8_E5M2 },
	{ "half", FERRY_F16 },
	{ "i16", FERRY_I16 },
	{ "i32", FERRY_I32 },
	{ "i64", FERRY_I64 },
	{ "i8", FERRY_I8 },
	{ "int", FERRY_I32 },
	{ "long", FERRY_I64 },
	{ "short", FERRY_I16 },
	{ "u16", FERRY_U16 },
	{ "u32", FERRY_U32 },
	{ "u64", FERRY_U64 },
	{ "u8", FERRY_U8 },
};

static bool is_dtype(enum ferry_dtype dtype)
{
	return (unsigned)dtype < FERRY_N_DTYPES;
}

const char *ferry_dtype_name(enum ferry_dtype dtype)
{
	return is_dtype(dtype) ? dtypes[dtype].name : "unknown";
}

enum ferry_dtype ferry_dtype_find(const char *name)
{
	for (int d = FERRY_DTYPE_NONE + 1; d < FERRY_N_DTYPES; d++)
		if (!strcasecmp(name, dtypes[d].name))
			return (enum ferry_dtype)d;
	for (size_t i = 0; i < sizeof(aliases) / sizeof(aliases[0]); i++)
		if (!strcasecmp(name, aliases[i].name))
			return (enum ferry_dtype)aliases[i].dtype;
	return FERRY_DTYPE_NONE;
}

unsigned ferry_dtype_bits(enum ferry_dtype dtype)
{
	return is_dtype(dtype) ? dtypes[dtype].bits : 0;
}

unsigned ferry_dtype_size(enum ferry_dtype dtype)
{
	unsigned bits = ferry_dtype_bits(dtype);

	return bits % 8 ? 0 : bits / 8;
}

unsigned ferry_dtype_swap_size(enum ferry_dtype dtype)
{
	return is_dtype(dtype) ? dtypes[dtype].swap : 0;
}

static bool has_class(enum ferry_dtype dtype, unsigned class)
{
	return is_dtype(dtype) && dtypes[dtype].class & class;
}

bool ferry_dtype_is_float(enum ferry_dtype dtype)
{
	return has_class(dtype, FLOAT);
}

bool ferry_dtype_is_complex(enum ferry_dtype dtype)
{
	return has_class(dtype, COMPLEX);
}

bool ferry_dtype_is_quantized(enum ferry_dtype dtype)
{
	return has_class(dtype, QUANTIZED);
}
