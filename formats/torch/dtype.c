/* torch's dtypes and storage classes. */
#include "config.h"

#include "formats/torch/dtype.h"

#include <string.h>

static const struct torch_dtype dtypes[] = {
	{ FERRY_F32, "float32", "FloatStorage", 4 },
	{ FERRY_BF16, "bfloat16", "BFloat16Storage", 2 },
	{ FERRY_F16, "float16", "HalfStorage", 2 },
	{ FERRY_I64, "int64", "LongStorage", 8 },
	{ FERRY_F64, "float64", "DoubleStorage", 8 },
	{ FERRY_I32, "int32", "IntStorage", 4 },
	{ FERRY_I16, "int16", "ShortStorage", 2 },
	{ FERRY_I8, "int8", "CharStorage", 1 },
	{ FERRY_U8, "uint8", "ByteStorage", 1 },
	{ FERRY_BOOL8, "bool", "BoolStorage", 1 },
	{ FERRY_C128, "complex128", "ComplexDoubleStorage", 16 },
	{ FERRY_C64, "complex64", "ComplexFloatStorage", 8 },
	{ FERRY_QI8, "qint8", "QInt8Storage", 1 },
	{ FERRY_QU8, "quint8", "QUInt8Storage", 1 },
	{ FERRY_QI32, "qint32", "QInt32Storage", 4 },
	{ FERRY_QU4X2, "quint4x2", "QUInt4x2Storage", 1 },
	{ FERRY_QU2X4, "quint2x4", "QUInt2x4Storage", 1 },
	{ FERRY_C32, "complex32", NULL, 4 },
	{ FERRY_U16, "uint16", NULL, 2 },
	{ FERRY_U32, "uint32", NULL, 4 },
	{ FERRY_U64, "uint64", NULL, 8 },
	{ FERRY_F8_E4M3FN, "float8_e4m3fn", NULL, 1 },
	{ FERRY_F8_E5M2, "float8_e5m2", NULL, 1 },
	{ FERRY_F8_E4M3FNUZ, "float8_e4m3fnuz", NULL, 1 },
	{ FERRY_F8_E5M2FNUZ, "float8_e5m2fnuz", NULL, 1 },
	{ FERRY_F8_E8M0FNU, "float8_e8m0fnu", NULL, 1 },
	{ FERRY_F4_E2M1_X2, "float4_e2m1fn_x2", NULL, 1 },
	{ FERRY_BITS8, "bits8", NULL, 1 },
	{ FERRY_BITS16, "bits16", NULL, 2 },
	{ FERRY_BITS1X8, "bits1x8", NULL, 1 },
	{ FERRY_BITS2X4, "bits2x4", NULL, 1 },
	{ FERRY_BITS4X2, "bits4x2", NULL, 1 },
};

#define N_DTYPES (sizeof(dtypes) / sizeof(dtypes[0]))

static const struct {
	const char *alias;
	enum ferry_dtype dtype;
} aliases[] = {
	{ "float", FERRY_F32 },
	{ "double", FERRY_F64 },
	{ "half", FERRY_F16 },
	{ "long", FERRY_I64 },
	{ "int", FERRY_I32 },
	{ "short", FERRY_I16 },
	{ "chalf", FERRY_C32 },
	{ "cfloat", FERRY_C64 },
	{ "cdouble", FERRY_C128 },
};

static bool same(const char *a, const char *name, size_t n)
{
	return a && strlen(a) == n && !memcmp(a, name, n);
}

const struct torch_dtype *torch_dtype_find(enum ferry_dtype dtype)
{
	for (size_t i = 0; i < N_DTYPES; i++) {
		if (dtypes[i].dtype == dtype)
			return &dtypes[i];
	}
	return NULL;
}

const struct torch_dtype *torch_dtype_named(const char *name, size_t n)
{
	for (size_t i = 0; i < N_DTYPES; i++) {
		if (same(dtypes[i].name, name, n))
			return &dtypes[i];
	}
	for (size_t i = 0; i < sizeof(aliases) / sizeof(aliases[0]); i++) {
		if (same(aliases[i].alias, name, n))
			return torch_dtype_find(aliases[i].dtype);
	}
	return NULL;
}

const struct torch_dtype *torch_dtype_of_storage(const char *name, size_t n,
						 bool *untyped)
{
	*untyped = same("UntypedStorage", name, n) ||
		   same("_UntypedStorage", name, n);
	if (*untyped)
		return torch_dtype_find(FERRY_U8);
	for (size_t i = 0; i < N_DTYPES; i++) {
		if (same(dtypes[i].storage, name, n))
			return &dtypes[i];
	}
	return NULL;
}
