/* Element types. */
#include "config.h"

#include <criterion/criterion.h>
#include <string.h>

#include <ferry/dtype.h>

Test(dtype, every_one_is_described)
{
	for (int d = FERRY_DTYPE_NONE + 1; d < FERRY_N_DTYPES; d++) {
		enum ferry_dtype dtype = (enum ferry_dtype)d;
		unsigned bits = ferry_dtype_bits(dtype);

		cr_assert_eq(ferry_dtype_find(ferry_dtype_name(dtype)), dtype);
		cr_assert_gt(bits, 0);
		cr_assert_eq(ferry_dtype_size(dtype), bits % 8 ? 0 : bits / 8);
		cr_assert_geq(ferry_dtype_swap_size(dtype), 1);
		cr_assert_leq(ferry_dtype_is_float(dtype) +
			      ferry_dtype_is_complex(dtype) +
			      ferry_dtype_is_quantized(dtype), 1);
	}
}

Test(dtype, sizes)
{
	cr_assert_eq(ferry_dtype_size(FERRY_BF16), 2);
	cr_assert_eq(ferry_dtype_size(FERRY_C128), 16);
	cr_assert_eq(ferry_dtype_swap_size(FERRY_C128), 8);
	cr_assert_eq(ferry_dtype_swap_size(FERRY_C64), 4);
	cr_assert_eq(ferry_dtype_swap_size(FERRY_C32), 2);
	cr_assert_eq(ferry_dtype_swap_size(FERRY_BITS16), 2);
	cr_assert_eq(ferry_dtype_bits(FERRY_QU2X4), 2);
	cr_assert_eq(ferry_dtype_size(FERRY_QU2X4), 0);
	cr_assert_eq(ferry_dtype_bits(FERRY_F4_E2M1_X2), 8);
	cr_assert_eq(ferry_dtype_bits(FERRY_F6_E3M2), 6);
	cr_assert_eq(ferry_dtype_bits((enum ferry_dtype)200), 0);
}

Test(dtype, names_are_found)
{
	cr_assert_eq(ferry_dtype_find("bf16"), FERRY_BF16);
	cr_assert_eq(ferry_dtype_find("BF16"), FERRY_BF16);
	cr_assert_eq(ferry_dtype_find("F8_E4M3"), FERRY_F8_E4M3FN);
	cr_assert_eq(ferry_dtype_find("half"), FERRY_F16);
	cr_assert_eq(ferry_dtype_find("long"), FERRY_I64);
	cr_assert_eq(ferry_dtype_find("C64"), FERRY_C64);
	cr_assert_eq(ferry_dtype_find("none"), FERRY_DTYPE_NONE);
	cr_assert_eq(ferry_dtype_find(""), FERRY_DTYPE_NONE);
	cr_assert_str_eq(ferry_dtype_name((enum ferry_dtype)-1), "unknown");
}

Test(dtype, classes)
{
	cr_assert(ferry_dtype_is_float(FERRY_F8_E8M0FNU));
	cr_assert(!ferry_dtype_is_float(FERRY_C64));
	cr_assert(ferry_dtype_is_complex(FERRY_C32));
	cr_assert(ferry_dtype_is_quantized(FERRY_QU4X2));
	cr_assert(!ferry_dtype_is_quantized(FERRY_BITS8));
}
