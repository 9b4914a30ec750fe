/* The plugin for files as they are. */
#include "config.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <ferry/sys/plugin.h>

extern const struct ferry_plugin ferry_plugin_v1;

static struct ferry_error err = FERRY_ERROR_INIT;
static struct ferry_document *doc;
static char scratch[] = "/tmp/ferry-raw-XXXXXX";

static const struct ferry_format *format(void)
{
	return ferry_plugin_v1.formats[0];
}

static void set_up(void)
{
	cr_assert_eq(ferry_document_new(&doc, NULL, &err), 0);
	cr_assert_not_null(mkdtemp(scratch));
	cr_assert_eq(chdir(scratch), 0);
}

static void tear_down(void)
{
	ferry_document_free(doc);
	unlink("in");
	unlink("out");
	cr_expect_eq(chdir("/") | rmdir(scratch), 0);
}

TestSuite(raw, .init = set_up, .fini = tear_down);

static int probe(const char *name, const char *data)
{
	const struct ferry_probe p = {
		.head = (const uint8_t *)data, .nhead = strlen(data),
		.nbytes = strlen(data), .name = name,
	};

	return format()->probe(&p);
}

/* Write doc->root to "out"; then that is read back. */
static int write_root(char *text, size_t cap, size_t *n)
{
	struct ferry_output *output;
	FILE *f;
	int rc = ferry_output_new(&output, "out", true, NULL, 0, NULL, &err);

	cr_assert_eq(rc, 0);
	rc = format()->write(doc, output, NULL, doc->findings, &err);
	if (!rc)
		rc = ferry_output_commit(output, &err);
	ferry_output_free(output);
	if (rc)
		return rc;
	f = fopen("out", "rb");
	cr_assert_not_null(f);
	*n = fread(text, 1, cap, f);
	fclose(f);
	return 0;
}

static void writes(const char *want, size_t n)
{
	char text[256];
	size_t got;

	cr_assert_not_null(doc->root);
	cr_assert_eq(write_root(text, sizeof(text), &got), 0, "%s", err.text);
	cr_assert_eq(got, n);
	cr_assert_arr_eq(text, want, n);
}

Test(raw, claims_by_name_alone_and_last)
{
	cr_expect_eq(probe("spm.model", "\x0a\x0b"), 1);
	cr_expect_eq(probe("words.vocab", ""), 1);
	cr_expect_eq(probe("notes.txt", "x"), 1);
	cr_expect_eq(probe("x.raw", "x"), 1);
	cr_expect_eq(probe("model.bin", "x"), 0);
	cr_expect_eq(probe(".txt", "x"), 0);
	cr_expect_eq(probe("model", "x"), 0);
	cr_expect_eq(probe("", "x"), 0);
}

Test(raw, writes_what_values_hold)
{
	static const char data[] = "a\0b\xff\n";

	doc->root = ferry_bytes(doc->store, data, 5, 0);
	writes(data, 5);
	doc->root = ferry_bytes(doc->store, data, 5, FERRY_MUTABLE);
	writes(data, 5);
	doc->root = ferry_string_borrow(doc->store, "gr\xc3\xbc\xc3\x9f", 6);
	writes("gr\xc3\xbc\xc3\x9f", 6);
	doc->root = ferry_bytes(doc->store, "", 0, 0);
	writes("", 0);
}

Test(raw, reads_a_range_and_passes_it_on)
{
	struct ferry_input in = { .path = "in" };
	FILE *f = fopen("in", "wb");

	cr_assert_not_null(f);
	fputs("some bytes", f);
	fclose(f);
	cr_assert_eq(ferry_source_open_file(&in.source, "in", &err), 0);
	cr_assert_eq(format()->read(&in, doc, &err), 0, "%s", err.text);
	ferry_source_unref(in.source);
	cr_assert_eq(doc->root->kind, FERRY_BYTES);
	cr_assert(doc->root->flags & FERRY_RANGE);
	cr_assert_eq(doc->root->u.range.nbytes, 10);
	writes("some bytes", 10);
	doc->root = ferry_bytes_range(doc->store, doc->root->u.range.source, 5,
				      3, 0);
	writes("byt", 3);
	doc->root = ferry_bytes_range(doc->store, doc->root->u.range.source, 5,
				      0, 0);
	writes("", 0);
}

Test(raw, refuses_what_is_no_run_of_bytes)
{
	char text[8];
	size_t n;

	doc->root = ferry_dict(doc->store, 0);
	cr_assert_eq(format()->losses(doc, NULL, doc->findings, &err),
		     FERRY_UNSUPPORTED);
	cr_expect_not_null(strstr(err.text, "of kind dict"), "%s", err.text);
	cr_expect_not_null(strstr(err.text, "--select"), "%s", err.text);
	cr_assert_eq(write_root(text, sizeof(text), &n), FERRY_UNSUPPORTED);
	doc->root = ferry_int(doc->store, 1);
	cr_assert_eq(format()->losses(doc, NULL, doc->findings, NULL),
		     FERRY_UNSUPPORTED);
}
