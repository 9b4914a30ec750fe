/* What the tests of torch's formats share: files of the corpus, opened. */
#ifndef TESTS_UNIT_TORCH_FILE_H
#define TESTS_UNIT_TORCH_FILE_H

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <ferry/tensor.h>

#include "formats/torch/torch.h"

typedef int (*torch_read_fn)(const struct ferry_input *in,
			     struct ferry_document *doc,
			     struct ferry_error *err);
typedef int (*torch_scan_fn)(const struct ferry_input *in,
			     struct ferry_store *store,
			     struct ferry_value **out,
			     struct ferry_error *err);

static struct ferry_error err;
static struct ferry_source *file;
static struct ferry_document *doc;

static inline void open_path(const char *path)
{
	ferry_error_clear(&err);
	cr_assert_eq(ferry_source_open_file(&file, path, &err), 0, "%s",
		     err.text);
}

static inline void open_file(const char *name)
{
	const char *corpus = getenv("FERRY_CORPUS");
	char path[512];

	snprintf(path, sizeof(path), "%s/torch/%s",
		 corpus ? corpus : "tests/corpus", name);
	open_path(path);
}

static inline void close_file(void)
{
	ferry_document_free(doc);
	doc = NULL;
	ferry_source_unref(file);
	file = NULL;
}

static inline int read_opened(torch_read_fn read)
{
	struct ferry_input in = { .source = file, .path = "" };
	int r;

	cr_assert_eq(ferry_document_new(&doc, NULL, &err), 0);
	if (!doc->findings)
		cr_assert_eq(ferry_findings_new(&doc->findings, &err), 0);
	r = read(&in, doc, &err);
	return r ? r : ferry_document_check(doc, &err);
}

static inline int try_read(torch_read_fn read, const char *name)
{
	open_file(name);
	return read_opened(read);
}

static inline void must_read(torch_read_fn read, const char *name)
{
	int r = try_read(read, name);

	cr_assert_eq(r, 0, "%s: %s", name, err.text);
}

static inline void must_fail(torch_read_fn read, const char *name, int code,
			     const char *text)
{
	int r = try_read(read, name);

	cr_assert_eq(r, code, "%s: %d %s", name, r, err.text);
	cr_assert(strstr(err.text, text), "%s: %s", name, err.text);
	close_file();
}

static inline struct ferry_value *at(const char *path)
{
	struct ferry_value *v = ferry_value_at(doc->root, path);

	cr_assert_not_null(v, "%s", path);
	return v;
}

static inline const struct ferry_tensor *tensor_at(const char *path)
{
	struct ferry_value *v = ferry_value_payload(at(path));

	cr_assert_eq(v->kind, FERRY_TENSOR, "%s is %s", path,
		     ferry_kind_name(v->kind));
	return v->u.tensor;
}

/* The elements of a tensor of float32. */
static inline void expect_floats(const char *path, const float *want, size_t n)
{
	const struct ferry_tensor *t = tensor_at(path);
	float got[64];

	cr_assert_eq(t->dtype, FERRY_F32);
	cr_assert_eq(ferry_tensor_nelem(t), n, "%s", path);
	cr_assert_eq(ferry_tensor_read(t, 0, n, got, &err), 0, "%s", err.text);
	for (size_t i = 0; i < n; i++)
		cr_assert_eq(got[i], want[i], "%s[%zu] is %g", path, i, got[i]);
}

static inline void expect_about(const char *key, const char *text)
{
	const struct ferry_value *v = ferry_dict_get(doc->about, key);

	cr_assert_not_null(v, "%s", key);
	cr_assert(ferry_value_is(v, text), "%s is %.*s", key,
		  v->kind == FERRY_STRING ? (int)v->u.s.nbytes : 0,
		  v->kind == FERRY_STRING ? v->u.s.data : "");
}

static inline void expect_finding(const char *code)
{
	for (size_t i = 0; i < ferry_findings_count(doc->findings); i++) {
		if (!strcmp(ferry_findings_get(doc->findings, i)->code, code))
			return;
	}
	cr_assert_fail("no finding \"%s\"", code);
}

#endif
