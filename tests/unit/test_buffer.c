/* The growing buffer. */
#include "config.h"

#include <criterion/criterion.h>
#include <string.h>

#include <ferry/sys/alloc.h>
#include <ferry/sys/buffer.h>

Test(buffer, appends_and_terminates)
{
	struct ferry_buffer b = FERRY_BUFFER_INIT;

	ferry_buffer_add(&b, "", 0);
	cr_assert_str_eq(b.data, "");
	ferry_buffer_add_str(&b, "a");
	ferry_buffer_printf(&b, "%d-%s", 12, "x");
	ferry_buffer_add(&b, "\0z", 2);
	memcpy(ferry_buffer_extend(&b, 3), "END", 3);
	cr_assert_eq(b.n, 10);
	cr_assert(!memcmp(b.data, "a12-x\0zEND", 11));
	cr_assert(!b.failed);
	ferry_buffer_release(&b);
	cr_assert_null(b.data);
}

Test(buffer, grows_over_many_appends)
{
	struct ferry_buffer b = FERRY_BUFFER_INIT;

	for (int i = 0; i < 100000; i++)
		ferry_buffer_printf(&b, "%05d", i);
	cr_assert_eq(b.n, 500000);
	cr_assert(!memcmp(b.data + 5 * 54321, "54321", 5));
	ferry_buffer_release(&b);
}

Test(buffer, failure_sticks)
{
	struct ferry_buffer b = FERRY_BUFFER_INIT;

	ferry_buffer_add_str(&b, "kept");
	cr_assert_null(ferry_buffer_extend(&b, SIZE_MAX - 2));
	cr_assert(b.failed);
	ferry_buffer_add_str(&b, "more");
	ferry_buffer_printf(&b, "more");
	cr_assert_str_eq(b.data, "kept");
	ferry_buffer_release(&b);

	ferry_alloc_fail_at(1);
	ferry_buffer_printf(&b, "x");
	ferry_alloc_fail_at(0);
	cr_assert(b.failed);
	ferry_buffer_release(&b);
}
