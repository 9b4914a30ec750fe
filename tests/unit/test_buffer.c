/* The growing buffer. */
#include "config.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include <ferry/sys/alloc.h>
#include <ferry/sys/base64.h>
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

Test(buffer, base64_pads_each_length)
{
	static const char *const texts[] = { "", "+w==", "+/8=", "+/8A",
					     "+/8AYQ==" };
	static const char bytes[] = { '\xfb', '\xff', 0, 'a' };
	struct ferry_buffer b = FERRY_BUFFER_INIT;

	for (size_t n = 0; n < 5; n++) {
		b.n = 0;
		ferry_base64_add(&b, bytes, n);
		cr_expect_eq(b.n, strlen(texts[n]));
		cr_expect_arr_eq(b.data, texts[n], b.n);
	}
	ferry_buffer_release(&b);
	cr_expect_eq(ferry_base64_value('A'), 0);
	cr_expect_eq(ferry_base64_value('z'), 51);
	cr_expect_eq(ferry_base64_value('9'), 61);
	cr_expect_eq(ferry_base64_value('+'), 62);
	cr_expect_eq(ferry_base64_value('/'), 63);
	cr_expect_eq(ferry_base64_value('='), -1);
	cr_expect_eq(ferry_base64_value('-'), -1);
}

Test(buffer, prints_what_just_fits_and_what_does_not)
{
	char text[200];

	memset(text, 'x', sizeof(text));
	for (int n = 0; n < 200; n++) {
		struct ferry_buffer b = FERRY_BUFFER_INIT;

		ferry_buffer_printf(&b, "%.*s", n, text);
		ferry_buffer_printf(&b, "%d", n);
		text[n] = '\0';
		cr_expect(b.n > (size_t)n && !memcmp(b.data, text, (size_t)n) &&
			  atol(b.data + n) == n);
		text[n] = 'x';
		ferry_buffer_release(&b);
	}
}

Test(buffer, adds_numbers)
{
	struct ferry_buffer b = FERRY_BUFFER_INIT;

	ferry_buffer_add_uint(&b, 0);
	ferry_buffer_add_str(&b, " ");
	ferry_buffer_add_uint(&b, 1090);
	ferry_buffer_add_str(&b, " ");
	ferry_buffer_add_uint(&b, UINT64_MAX);
	cr_expect_str_eq(b.data, "0 1090 18446744073709551615");
	b.n = 0;
	ferry_buffer_add_uints(&b, (const uint64_t[]){ 2, 30, 4 }, 3);
	ferry_buffer_add_uints(&b, NULL, 0);
	cr_expect_str_eq(b.data, "2,30,4");
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
