/* What the tests of npy and npz share: documents to and from files. */
#ifndef TESTS_UNIT_NUMPY_FILES_H
#define TESTS_UNIT_NUMPY_FILES_H

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <ferry/sys/alloc.h>
#include <ferry/sys/build.h>
#include <ferry/sys/ops.h>
#include <ferry/sys/sink.h>

#include "formats/numpy/numpy.h"

typedef int (*reader_fn)(struct ferry_source *, struct ferry_document *,
			 const struct numpy_read_options *,
			 struct ferry_error *);
typedef int (*writer_fn)(struct ferry_document *, struct ferry_sink *,
			 const struct numpy_write_options *,
			 struct ferry_findings *, struct ferry_error *);

static inline struct ferry_document *new_document(void)
{
	struct ferry_error err = FERRY_ERROR_INIT;
	struct ferry_document *doc;

	cr_assert_eq(ferry_document_new(&doc, NULL, &err), 0, "%s", err.text);
	return doc;
}

/* The code; *out is NULL when it is not 0. */
static inline int read_source(reader_fn read, struct ferry_source *src,
			      const struct numpy_read_options *options,
			      struct ferry_document **out,
			      struct ferry_error *err)
{
	static const struct numpy_read_options none;
	struct ferry_document *doc;
	int rc;

	*out = NULL;
	rc = ferry_document_new(&doc, NULL, err);
	if (rc)
		return rc;
	rc = read(src, doc, options ? options : &none, err);
	if (!rc)
		rc = ferry_document_check(doc, err);
	if (rc)
		ferry_document_free(doc);
	else
		*out = doc;
	return rc;
}

static inline int read_memory(reader_fn read, const void *data, size_t n,
			      const struct numpy_read_options *options,
			      struct ferry_document **out,
			      struct ferry_error *err)
{
	struct ferry_source *src;
	int rc;

	*out = NULL;
	rc = ferry_source_from_memory(&src, data, n, "memory", err);
	if (rc)
		return rc;
	rc = read_source(read, src, options, out, err);
	ferry_source_unref(src);
	return rc;
}

static inline struct ferry_document *read_file(reader_fn read, const char *path,
					       const struct numpy_read_options
					       *options)
{
	struct ferry_error err = FERRY_ERROR_INIT;
	struct ferry_document *doc;
	struct ferry_source *src;

	cr_assert_eq(ferry_source_open_file(&src, path, &err), 0, "%s",
		     err.text);
	cr_assert_eq(read_source(read, src, options, &doc, &err), 0, "%s: %s",
		     path, err.text);
	ferry_source_unref(src);
	return doc;
}

/* A path in a directory of this test's own; remove_file() removes both. */
static inline char *scratch_path(const char *name)
{
	static char path[256];
	static char dir[] = "/tmp/ferry-test-XXXXXX";
	static bool made;

	if (!made)
		cr_assert_not_null(mkdtemp(dir));
	made = true;
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static inline int try_write(writer_fn write, struct ferry_document *doc,
			    const char *path,
			    const struct numpy_write_options *options,
			    struct ferry_error *err)
{
	static const struct numpy_write_options none;
	struct ferry_work work = { .threads = 1, .no_sync = true };
	struct ferry_output *output;
	struct ferry_sink *sink;
	int rc;

	rc = ferry_output_new(&output, path, true, NULL, 0, &work, err);
	if (rc)
		return rc;
	rc = ferry_output_open(output, NULL, &sink, err);
	if (!rc)
		rc = write(doc, sink, options ? options : &none, NULL, err);
	if (!rc)
		rc = ferry_output_commit(output, err);
	ferry_output_free(output);
	return rc;
}

static inline void write_file(writer_fn write, struct ferry_document *doc,
			      const char *path,
			      const struct numpy_write_options *options)
{
	struct ferry_error err = FERRY_ERROR_INIT;

	cr_assert_eq(try_write(write, doc, path, options, &err), 0, "%s",
		     err.text);
}

static inline char *slurp(const char *path, size_t *n)
{
	FILE *f = fopen(path, "rb");
	char *data = malloc(1 << 20);

	cr_assert_not_null(f, "%s", path);
	*n = fread(data, 1, 1 << 20, f);
	fclose(f);
	return data;
}

static inline void remove_file(const char *path)
{
	char dir[256];

	unlink(path);
	snprintf(dir, sizeof(dir), "%s", path);
	*strrchr(dir, '/') = 0;
	rmdir(dir);
}

static inline const char *corpus_path(const char *dir, const char *file)
{
	static char path[4096];
	const char *corpus = getenv("FERRY_CORPUS");

	snprintf(path, sizeof(path), "%s/numpy/%s/%s",
		 corpus ? corpus : "tests/corpus", dir, file);
	return path;
}

/* The tensor's elements in C order; free() them. */
static inline char *elements(const struct ferry_tensor *t)
{
	struct ferry_error err = FERRY_ERROR_INIT;
	char *data = malloc(ferry_tensor_nbytes(t) + 1);

	cr_assert_eq(ferry_tensor_read(t, 0, ferry_tensor_nelem(t), data, &err),
		     0, "%s", err.text);
	return data;
}

#endif
