/* Errors and escaping. */
#include "config.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <ferry/error.h>

Test(error, first_error_wins)
{
	struct ferry_error err = FERRY_ERROR_INIT;

	cr_assert_eq(ferry_fail(&err, FERRY_MALFORMED, "torch", 12, "bad %d",
				7), FERRY_MALFORMED);
	cr_assert_eq(ferry_fail(&err, FERRY_IO, "x", 1, "other"), FERRY_IO);
	cr_assert_eq(err.code, FERRY_MALFORMED);
	cr_assert_eq(err.offset, 12);
	cr_assert_str_eq(err.origin, "torch");
	cr_assert_str_eq(err.text, "bad 7");
	ferry_error_clear(&err);
	cr_assert_eq(err.code, 0);
	cr_assert_eq(err.offset, FERRY_NO_OFFSET);
	cr_assert_eq(ferry_fail(NULL, FERRY_LIMIT, NULL, 0, "x"), FERRY_LIMIT);
}

Test(error, long_text_is_cut_at_a_character)
{
	struct ferry_error err = FERRY_ERROR_INIT;
	char text[2000];
	size_t n;

	for (size_t i = 0; i + 2 < sizeof(text); i += 2)
		memcpy(text + i, "\xc3\xa9", 3);
	for (int shift = 0; shift < 2; shift++) {
		ferry_error_clear(&err);
		ferry_fail(&err, FERRY_IO, "", 0, "%s%s", shift ? "x" : "",
			   text);
		n = strlen(err.text);
		cr_assert_geq(n, sizeof(err.text) - 5);
		cr_assert_str_eq(err.text + n - 3, "...");
		cr_assert_eq((n - 3 - (size_t)shift) % 2, 0);
	}
}

Test(error, errno_is_quoted)
{
	struct ferry_error err = FERRY_ERROR_INIT;
	char name[1000];

	cr_assert_eq(ferry_fail_errno(&err, ENOENT, "open '%s'", "a.pt"),
		     FERRY_IO);
	cr_assert_str_eq(err.text, "open 'a.pt': No such file or directory");
	ferry_error_clear(&err);
	memset(name, 'n', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	ferry_fail_errno(&err, ENOSPC, "%s", name);
	cr_assert(strstr(err.text, "...: No space left on device"));
	ferry_error_clear(&err);
	cr_assert_eq(ferry_fail_nomem(&err, "a map"), FERRY_NOMEM);
	cr_assert_str_eq(err.text, "out of memory for a map");
}

Test(error, codes_have_names)
{
	cr_assert_str_eq(ferry_code_name(0), "ok");
	cr_assert_str_eq(ferry_code_name(FERRY_MALFORMED), "malformed");
	cr_assert_str_eq(ferry_code_name(FERRY_PLUGIN), "plugin");
	cr_assert_str_eq(ferry_code_name(1), "unknown");
	cr_assert_str_eq(ferry_code_name(-13), "unknown");
}

static void escapes(const char *text, size_t n, const char *expected)
{
	char out[200];

	cr_assert_str_eq(ferry_escape(out, sizeof(out), text, n), expected);
}

Test(error, escape_leaves_nothing_that_moves_a_terminal)
{
	escapes("caf\xc3\xa9 \xe6\xbc\xa2", 9, "caf\xc3\xa9 \xe6\xbc\xa2");
	escapes("a\nb\tc\\d", 7, "a\\nb\\tc\\\\d");
	escapes("\x1b[31m\r\0", 7, "\\x1B[31m\\x0D\\x00");
	escapes("\x7f", 1, "\\x7F");
	escapes("\xc2\x9b", 2, "\\u{009B}");
	escapes("\xe2\x80\xae\xe2\x81\xa6", 6, "\\u{202E}\\u{2066}");
	escapes("\xff\xc3", 2, "\\xFF\\xC3");
	escapes("\xed\xa0\x80", 3, "\\xED\\xA0\\x80");
	escapes("\xc0\xaf\xf4\x90\x80\x80", 6,
		"\\xC0\\xAF\\xF4\\x90\\x80\\x80");
	escapes("\xf0\x9f\x98\x80", 4, "\xf0\x9f\x98\x80");
}

Test(error, escape_fits_its_room_and_never_cuts_an_escape)
{
	static const char text[] = "ab\ncd\xc3\xa9\x01 and more of it";
	char out[64], whole[64];
	size_t n;

	ferry_escape(whole, sizeof(whole), text, sizeof(text) - 1);
	for (size_t cap = 1; cap < sizeof(out); cap++) {
		memset(out, 'Z', sizeof(out));
		ferry_escape(out, cap, text, sizeof(text) - 1);
		n = strlen(out);
		cr_assert_lt(n, cap);
		if (n == strlen(whole) || n < 3)
			continue;
		cr_assert_str_eq(out + n - 3, "...");
		cr_assert(!strncmp(out, whole, n - 3));
		cr_assert_neq(n > 3 ? out[n - 4] : 'x', '\\');
	}
}

static void bytes_are(uint64_t nbytes, const char *expected)
{
	char text[32];

	cr_assert_str_eq(ferry_bytes_text(nbytes, text), expected);
}

Test(error, sizes_read_well)
{
	bytes_are(0, "0 bytes");
	bytes_are(1, "1 byte");
	bytes_are(999, "999 bytes");
	bytes_are(1000, "1.0 kB");
	bytes_are(9949, "9.9 kB");
	bytes_are(9950, "10 kB");
	bytes_are(999499, "999 kB");
	bytes_are(999500, "1.0 MB");
	bytes_are(UINT64_MAX, "18 EB");
}
