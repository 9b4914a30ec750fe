/* The dtypes of safetensors and of the model. */
#include "config.h"

#include "formats/safetensors/layout.h"

#include <string.h>

static const struct {
	const char *name;
	unsigned bits;
	enum ferry_dtype model;
} dtypes[ST_N_DTYPES] = {
	[ST_BOOL] = { "BOOL", 8, FERRY_BOOL8 },
	[ST_F4] = { "F4", 4, FERRY_F4_E2M1 },
	[ST_F6_E2M3] = { "F6_E2M3", 6, FERRY_F6_E2M3 },
	[ST_F6_E3M2] = { "F6_E3M2", 6, FERRY_F6_E3M2 },
	[ST_U8] = { "U8", 8, FERRY_U8 },
	[ST_I8] = { "I8", 8, FERRY_I8 },
	[ST_F8_E5M2] = { "F8_E5M2", 8, FERRY_F8_E5M2 },
	[ST_F8_E4M3] = { "F8_E4M3", 8, FERRY_F8_E4M3FN },
	[ST_F8_E8M0] = { "F8_E8M0", 8, FERRY_F8_E8M0FNU },
	[ST_F8_E4M3FNUZ] = { "F8_E4M3FNUZ", 8, FERRY_F8_E4M3FNUZ },
	[ST_F8_E5M2FNUZ] = { "F8_E5M2FNUZ", 8, FERRY_F8_E5M2FNUZ },
	[ST_I16] = { "I16", 16, FERRY_I16 },
	[ST_U16] = { "U16", 16, FERRY_U16 },
	[ST_F16] = { "F16", 16, FERRY_F16 },
	[ST_BF16] = { "BF16", 16, FERRY_BF16 },
	[ST_I32] = { "I32", 32, FERRY_I32 },
	[ST_U32] = { "U32", 32, FERRY_U32 },
	[ST_F32] = { "F32", 32, FERRY_F32 },
	[ST_C64] = { "C64", 64, FERRY_C64 },
	[ST_F64] = { "F64", 64, FERRY_F64 },
	[ST_I64] = { "I64", 64, FERRY_I64 },
	[ST_U64] = { "U64", 64, FERRY_U64 },
};

const char *st_dtype_name(enum st_dtype dtype)
{
	return dtypes[dtype].name;
}

unsigned st_dtype_bits(enum st_dtype dtype)
{
	return dtypes[dtype].bits;
}

enum st_dtype st_dtype_find(const char *name, size_t n)
{
	for (unsigned i = 0; i < ST_N_DTYPES; i++)
		if (strlen(dtypes[i].name) == n &&
		    !memcmp(dtypes[i].name, name, n))
			return i;
	return ST_N_DTYPES;
}

enum ferry_dtype st_dtype_model(enum st_dtype dtype, unsigned ndim,
				const uint64_t *shape, bool *halved)
{
	*halved = dtype == ST_F4 && ndim && shape[ndim - 1] % 2 == 0;
	return *halved ? FERRY_F4_E2M1_X2 : dtypes[dtype].model;
}

enum st_dtype st_dtype_stored(enum ferry_dtype dtype, enum st_form *form)
{
	*form = ST_AS_IS;
	switch (dtype) {
	case FERRY_C32:
		*form = ST_PAIRS;
		return ST_F16;
	case FERRY_C128:
		*form = ST_PAIRS;
		return ST_F64;
	case FERRY_F4_E2M1_X2:
		*form = ST_DOUBLED;
		return ST_F4;
	case FERRY_QU4X2:
	case FERRY_QU2X4:
		*form = ST_FLAT;
		return ST_U8;
	case FERRY_QI8:
		return ST_I8;
	case FERRY_QI32:
		return ST_I32;
	case FERRY_BITS16:
		return ST_U16;
	case FERRY_QU8:
	case FERRY_BITS8:
	case FERRY_BITS1X8:
	case FERRY_BITS2X4:
	case FERRY_BITS4X2:
		return ST_U8;
	default:
		break;
	}
	for (unsigned i = 0; i < ST_N_DTYPES; i++)
		if (dtypes[i].model == dtype)
			return i;
	*form = ST_FLAT;
	return ST_U8;
}
