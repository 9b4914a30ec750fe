/*
 * The cases of tests/corpus/safetensors: valid/<case>/expect is the document as
 * typed JSON without data, with "warning CODE" lines after it; of an invalid
 * case, "code", "offset" (or "-") and a part of the text.
 */
#include "config.h"

#include "formats/safetensors/safetensors.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include <ferry/sys/alloc.h>

#include "formats/json/json.h"

#define INPUT "input.safetensors"

static char *slurp(const char *path)
{
	struct ferry_source *src;
	char *text;

	cr_assert_eq(ferry_source_open_file(&src, path, NULL), 0, "%s", path);
	text = ferry_alloc((size_t)src->nbytes + 1);
	cr_assert(text);
	cr_assert_eq(ferry_source_read(src, text, 0, (size_t)src->nbytes,
				       NULL), 0);
	text[src->nbytes] = 0;
	ferry_source_unref(src);
	return text;
}

static int read_input(struct ferry_document *doc, struct ferry_error *err)
{
	const char *path = access(INPUT, F_OK) ? INPUT ".index.json" : INPUT;
	struct ferry_input in = { .path = path };
	int rc = ferry_source_open_file(&in.source, path, err);

	cr_assert_eq(rc, 0, "%s", err->text);
	rc = safetensors_read(&in, doc, err);
	if (!rc)
		rc = ferry_document_check(doc, err);
	ferry_source_unref(in.source);
	return rc;
}

static void describe(struct ferry_document *doc, struct ferry_buffer *out)
{
	const struct typed_json_writer writer = { .drop_data = true };
	struct ferry_error err = FERRY_ERROR_INIT;
	size_t n = ferry_findings_count(doc->findings);

	cr_assert_eq(typed_json_write(doc->root, &writer, out, &err), 0, "%s",
		     err.text);
	ferry_buffer_add_str(out, "\n");
	for (size_t i = 0; i < n; i++)
		ferry_buffer_printf(out, "warning %s\n",
				    ferry_findings_get(doc->findings,
						       i)->code);
}

static void check_valid(const char *name, const char *expect)
{
	struct ferry_buffer got = FERRY_BUFFER_INIT;
	struct ferry_error err = FERRY_ERROR_INIT;
	struct ferry_document *doc;
	int rc;

	cr_assert_eq(ferry_document_new(&doc, NULL, &err), 0);
	rc = read_input(doc, &err);
	cr_expect_eq(rc, 0, "%s: %s", name, err.text);
	if (!rc) {
		describe(doc, &got);
		cr_expect_str_eq(got.data, expect, "%s:\n%s", name, got.data);
	}
	ferry_buffer_release(&got);
	ferry_document_free(doc);
}

static void check_invalid(const char *name, const char *expect)
{
	char code[32], offset[32], want[32], text[400];
	struct ferry_error err = FERRY_ERROR_INIT;
	struct ferry_document *doc;

	cr_assert_eq(sscanf(expect, "%31s %31s %399[^\n]", code, offset, text),
		     3, "%s: expect is not three lines", name);
	cr_assert_eq(ferry_document_new(&doc, NULL, &err), 0);
	cr_expect_str_eq(ferry_code_name(read_input(doc, &err)), code, "%s: %s",
			 name, err.text);
	snprintf(want, sizeof(want), "%llu", (unsigned long long)err.offset);
	cr_expect_str_eq(err.offset == FERRY_NO_OFFSET ? "-" : want, offset,
			 "%s: %s at %s", name, err.text, want);
	cr_expect(strstr(err.text, text), "%s: %s", name, err.text);
	ferry_document_free(doc);
}

static void run_cases(const char *verdict,
		      void (*check)(const char *name, const char *expect))
{
	const char *corpus = getenv("FERRY_CORPUS");
	char folder[8192], path[9216], root[PATH_MAX];
	struct dirent *entry;
	unsigned n = 0;
	DIR *dir;

	cr_assert(realpath(corpus ? corpus : "tests/corpus", root));
	snprintf(folder, sizeof(folder), "%s/safetensors/%s", root, verdict);
	dir = opendir(folder);
	cr_assert(dir, "%s", folder);
	while ((entry = readdir(dir))) {
		char *expect;

		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
		/* files beside are found from where the case lies */
		cr_assert_eq(chdir(path), 0, "%s", path);
		expect = slurp("expect");
		check(entry->d_name, expect);
		ferry_alloc_free(expect);
		n++;
	}
	closedir(dir);
	cr_assert_gt(n, 30);
}

static char *start;

static void remember_directory(void)
{
	start = getcwd(NULL, 0);
}

static void go_back(void)
{
	cr_assert_eq(chdir(start), 0);
	free(start);
}

TestSuite(safetensors_corpus, .init = remember_directory, .fini = go_back);

Test(safetensors_corpus, valid_files_read_as_expected)
{
	run_cases("valid", check_valid);
}

Test(safetensors_corpus, invalid_files_are_refused_as_expected)
{
	run_cases("invalid", check_invalid);
}
