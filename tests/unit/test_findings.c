/* Findings. */
#include "config.h"

#include <criterion/criterion.h>
#include <string.h>

#include <ferry/findings.h>

Test(findings, are_kept_in_order)
{
	const struct ferry_finding *got;
	struct ferry_findings *f;

	cr_assert_eq(ferry_findings_new(&f, NULL), 0);
	cr_assert_eq(ferry_findings_add(f, FERRY_WARNING, "crc", "a.b", 7,
					"crc of %d bytes", 3), 0);
	cr_assert_eq(ferry_findings_add(f, FERRY_NOTE, "n", NULL,
					FERRY_NO_OFFSET, "x"), 0);
	cr_assert_eq(ferry_findings_count(f), 2);
	cr_assert_eq(ferry_findings_count_level(f, FERRY_WARNING), 1);
	cr_assert_eq(ferry_findings_count_level(f, FERRY_VIOLATION), 0);
	got = ferry_findings_get(f, 0);
	cr_assert_eq(got->level, FERRY_WARNING);
	cr_assert_str_eq(got->code, "crc");
	cr_assert_str_eq(got->path, "a.b");
	cr_assert_eq(got->offset, 7);
	cr_assert_str_eq(got->text, "crc of 3 bytes");
	cr_assert_str_eq(ferry_findings_get(f, 1)->path, "");
	cr_assert_null(ferry_findings_get(f, 2));
	ferry_findings_free(f);
}

Test(findings, are_escaped)
{
	const struct ferry_finding *got;
	struct ferry_findings *f;

	ferry_findings_new(&f, NULL);
	ferry_findings_add(f, FERRY_NOTE, "n", "a\x1b\\", 0, "t\x1b[0m \\x00");
	got = ferry_findings_get(f, 0);
	cr_assert_str_eq(got->path, "a\\x1B\\\\");
	cr_assert_str_eq(got->text, "t\\x1B[0m \\x00");
	ferry_findings_free(f);
}

Test(findings, beyond_ten_thousand_are_counted)
{
	struct ferry_findings *f;

	ferry_findings_new(&f, NULL);
	for (int i = 0; i < 10050; i++)
		cr_assert_eq(ferry_findings_add(f, FERRY_VIOLATION, "v", "p",
						0, "%d", i), 0);
	cr_assert_eq(ferry_findings_count(f), 10050);
	cr_assert_str_eq(ferry_findings_get(f, 9999)->text, "9999");
	cr_assert_null(ferry_findings_get(f, 10000));
	ferry_findings_free(f);
}

Test(findings, none_are_asked_for)
{
	cr_assert_eq(ferry_findings_add(NULL, FERRY_NOTE, "n", "", 0, "x"), 0);
	cr_assert_eq(ferry_findings_count(NULL), 0);
	ferry_findings_free(NULL);
}

Test(findings, long_text_is_cut)
{
	char text[5000];
	struct ferry_findings *f;
	const char *got;

	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	ferry_findings_new(&f, NULL);
	ferry_findings_add(f, FERRY_NOTE, "n", text, 0, "%s", text);
	got = ferry_findings_get(f, 0)->text;
	cr_assert_str_eq(got + strlen(got) - 3, "...");
	got = ferry_findings_get(f, 0)->path;
	cr_assert_str_eq(got + strlen(got) - 3, "...");
	ferry_findings_free(f);
}
