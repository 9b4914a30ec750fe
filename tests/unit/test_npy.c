/* npy: what real numpy made is read bit by bit, and written as it writes. */
#include "config.h"

#include "tests/unit/numpy_files.h"

#include <inttypes.h>

#include "formats/numpy/array.h"
#include "formats/numpy/literal.h"
#include "formats/zip/zip.h"

static const char *const dirs[] = { "numpy-1.24", "numpy-2" };

/* ---- the corpus --------------------------------------------------------- */

static struct ferry_document *open_corpus(const char *dir, const char *file)
{
	const struct numpy_read_options options = { .v1 = FERRY_F8_E4M3FN };
	bool npz = strstr(file, ".npz");

	return read_file(npz ? npz_read : npy_read, corpus_path(dir, file),
			 &options);
}

static struct ferry_value *find_array(struct ferry_document *doc, char *key)
{
	struct ferry_value *v;
	char *space;

	if (!strcmp(key, "-"))
		return doc->root;
	while ((space = strstr(key, "%20"))) {
		*space = ' ';
		memmove(space + 1, space + 3, strlen(space + 3) + 1);
	}
	v = ferry_dict_get(doc->root, key);
	return v ? v : ferry_value_at(doc->root, key);
}

static void check_shape(const struct ferry_tensor *t, const char *text,
			const char *what)
{
	char have[256] = "";
	size_t n = 0;

	for (unsigned i = 0; i < t->ndim; i++)
		n += (size_t)snprintf(have + n, sizeof(have) - n,
				      "%s%" PRIu64, i ? "," : "", t->shape[i]);
	cr_assert_str_eq(t->ndim ? have : "-", text, "shape of %s", what);
}

static void check_row(struct ferry_document *doc, char *key, const char *dtype,
		      const char *shape, uint32_t crc, const char *what)
{
	struct ferry_value *v = find_array(doc, key);
	char *data;

	cr_assert_not_null(v, "%s is absent", what);
	cr_assert_eq(v->kind, FERRY_TENSOR, "%s is a %s", what,
		     ferry_kind_name(v->kind));
	cr_expect_str_eq(ferry_dtype_name(v->u.tensor->dtype), dtype, "%s",
			 what);
	check_shape(v->u.tensor, shape, what);
	data = elements(v->u.tensor);
	cr_expect_eq(ferry_crc32(0, data, ferry_tensor_nbytes(v->u.tensor)),
		     crc, "elements of %s", what);
	free(data);
}

Test(npy, reads_every_array_that_numpy_made)
{
	char file[64], key[128], dtype[32], shape[64], line[512];
	char last[64] = "";
	unsigned rows = 0;
	uint32_t crc;

	for (size_t i = 0; i < 2; i++) {
		FILE *f = fopen(corpus_path(dirs[i], "expect.txt"), "r");
		struct ferry_document *doc = NULL;

		cr_assert_not_null(f);
		*last = 0;
		while (fgets(line, sizeof(line), f)) {
			cr_assert_eq(sscanf(line, "%63s %127s %31s %63s %"
					    SCNx32, file, key, dtype, shape,
					    &crc), 5);
			if (strcmp(file, last)) {
				ferry_document_free(doc);
				doc = open_corpus(dirs[i], file);
				snprintf(last, sizeof(last), "%s", file);
			}
			check_row(doc, key, dtype, shape, crc, line);
			rows++;
		}
		ferry_document_free(doc);
		fclose(f);
	}
	cr_expect_gt(rows, 450);
}

static int read_header(unsigned major, const char *text)
{
	size_t n = strlen(text), at = major == 1 ? 10 : 12;
	char *data = calloc(1, at + n + 65536);
	struct ferry_error err = FERRY_ERROR_INIT;
	struct ferry_document *doc;
	int rc;

	memcpy(data, NPY_MAGIC, NPY_MAGIC_NBYTES);
	data[6] = (char)major;
	data[8] = (char)n;
	data[9] = (char)(n >> 8);
	memcpy(data + at, text, n);
	rc = read_memory(npy_read, data, at + n + 65536, NULL, &doc, &err);
	ferry_document_free(doc);
	free(data);
	return rc;
}

Test(npy, takes_and_refuses_the_headers_that_numpy_does)
{
	for (size_t i = 0; i < 2; i++) {
		FILE *f = fopen(corpus_path(dirs[i], "verdicts.txt"), "r");
		char line[512];

		cr_assert_not_null(f);
		while (fgets(line, sizeof(line), f)) {
			bool take = !strncmp(line, "accept", 6);

			cr_expect_eq(!read_header((unsigned)line[7] - '0',
						  line + 9), take,
				     "%s: %s", dirs[i], line);
		}
		fclose(f);
	}
}

/* ---- writing ------------------------------------------------------------ */

/* Members of an archive that numpy wrote, as files of their own. */
static void write_back(const char *archive, const char *skip)
{
	const char *path = corpus_path("numpy-2", archive);
	struct ferry_error err = FERRY_ERROR_INIT;
	struct ferry_source *src, *member;
	struct ferry_document *doc;
	char *have, *want = malloc(1 << 20);
	struct zip *z;
	size_t n;

	cr_assert_eq(ferry_source_open_file(&src, path, &err), 0);
	cr_assert_eq(zip_open(&z, src, true, &err), 0);
	for (size_t i = 0; i < zip_count(z); i++) {
		const struct zip_member *m = zip_member(z, i);

		if (skip && (strstr(m->name, "-be") || strstr(m->name, skip) ||
			     strstr(m->name, "-3")))
			continue;
		cr_assert_eq(zip_member_source(z, m, &member, &err), 0);
		cr_assert_eq(read_source(npy_read, member, NULL, &doc, &err),
			     0, "%s: %s", m->name, err.text);
		write_file(npy_write, doc, scratch_path("a.npy"), NULL);
		ferry_document_free(doc);
		have = slurp(scratch_path("a.npy"), &n);
		cr_expect_eq(n, m->nbytes, "%s", m->name);
		ferry_source_read(member, want, 0, m->nbytes, &err);
		cr_expect(n == m->nbytes && !memcmp(have, want, n),
			  "%s differs from what numpy wrote", m->name);
		free(have);
		ferry_source_unref(member);
	}
	zip_free(z);
	ferry_source_unref(src);
	free(want);
}

Test(npy, writes_what_numpy_writes_byte_by_byte)
{
	write_back("matrix.npz", "-2");
	write_back("shapes.npz", "-be");
	write_back("savez.npz", NULL);
	write_back("compressed.npz", NULL);
	write_back("texts.npz", "-be");
	remove_file(scratch_path("a.npy"));
}

Test(npy, records_become_a_dict_and_a_warning)
{
	struct ferry_document *doc;

	doc = read_file(npy_read, corpus_path("numpy-2", "packed.npy"), NULL);
	cr_assert_eq(doc->root->kind, FERRY_DICT);
	cr_assert_eq(ferry_findings_count_level(doc->findings, FERRY_WARNING),
		     1);
	cr_expect_str_eq(ferry_findings_get(doc->findings, 0)->code,
			 "records");
	ferry_document_free(doc);
}

Test(npy, writes_bfloat16_as_untyped_or_as_float32)
{
	const struct numpy_write_options f32 = { .bf16_as_f32 = true };
	struct ferry_document *doc, *again;
	size_t n;
	char *have, *want;

	doc = read_file(npy_read, corpus_path("numpy-2", "bfloat16.npy"), NULL);
	cr_assert_eq(doc->root->u.tensor->dtype, FERRY_BF16);
	cr_expect_eq(ferry_findings_count(doc->findings), 1);
	write_file(npy_write, doc, scratch_path("a.npy"), NULL);
	have = slurp(scratch_path("a.npy"), &n);
	want = slurp(corpus_path("numpy-2", "bfloat16.npy"), &n);
	cr_expect_arr_eq(have, want, n);
	free(have);
	free(want);
	write_file(npy_write, doc, scratch_path("a.npy"), &f32);
	again = read_file(npy_read, scratch_path("a.npy"), NULL);
	cr_expect_eq(again->root->u.tensor->dtype, FERRY_F32);
	have = elements(again->root->u.tensor);
	want = elements(doc->root->u.tensor);
	for (size_t i = 0; i < ferry_tensor_nelem(doc->root->u.tensor); i++)
		cr_expect(!memcmp(have + 4 * i + 2, want + 2 * i, 2) &&
			  !have[4 * i] && !have[4 * i + 1]);
	free(have);
	free(want);
	ferry_document_free(again);
	ferry_document_free(doc);
	remove_file(scratch_path("a.npy"));
}

Test(npy, refuses_to_write_several_tensors_or_none)
{
	struct ferry_document *doc = open_corpus("numpy-2", "savez.npz");
	struct ferry_error err = FERRY_ERROR_INIT;

	cr_expect_eq(try_write(npy_write, doc, scratch_path("a.npy"), NULL,
			       &err), FERRY_LOSSY);
	cr_expect_not_null(strstr(err.text, "layer/0/kernel"), "%s", err.text);
	doc->root = ferry_dict(doc->store, 0);
	ferry_error_clear(&err);
	cr_expect_eq(try_write(npy_write, doc, scratch_path("a.npy"), NULL,
			       &err), FERRY_LOSSY);
	ferry_document_free(doc);
	remove_file(scratch_path("a.npy"));
}

Test(npy, says_what_stands_around_the_only_tensor)
{
	const struct numpy_write_options options = { 0 };
	struct ferry_document *doc = new_document();
	struct ferry_error err = FERRY_ERROR_INIT;
	struct ferry_value *root = ferry_dict(doc->store, 2);
	struct ferry_findings *out;
	struct ferry_source *zero;
	uint64_t shape = 4;

	cr_assert_eq(ferry_source_zero(&zero, 16, &err), 0);
	cr_assert_eq(ferry_store_take_source(doc->store, zero), 0);
	doc->root = root;
	ferry_dict_set_str(doc->store, root, "w", ferry_tensor(doc->store,
			   FERRY_F32, 1, &shape, NULL, 0,
			   ferry_storage(doc->store, FERRY_F32, zero, 0, 16)));
	cr_assert_eq(ferry_findings_new(&out, &err), 0);
	cr_assert_eq(npy_losses(doc, &options, out, &err), 0);
	cr_expect_eq(ferry_findings_count_level(out, FERRY_WARNING), 0);
	ferry_dict_set_str(doc->store, root, "epoch",
			   ferry_int(doc->store, 3));
	cr_assert_eq(npy_losses(doc, &options, out, &err), 0);
	cr_expect_eq(ferry_findings_count_level(out, FERRY_WARNING), 1);
	ferry_findings_free(out);
	ferry_document_free(doc);
}

/* ---- options ------------------------------------------------------------ */

Test(npy, reads_one_byte_elements_only_when_told_what_they_are)
{
	const struct numpy_read_options raw = { .v1_raw = true };
	const struct numpy_read_options e8m0 = { .v1 = FERRY_F8_E8M0FNU };
	struct ferry_error err = FERRY_ERROR_INIT;
	struct ferry_document *doc;
	size_t n;
	char *data = slurp(corpus_path("numpy-2", "float8_e4m3fn.npy"), &n);

	cr_expect_eq(read_memory(npy_read, data, n, NULL, &doc, &err),
		     FERRY_UNSUPPORTED);
	cr_expect_not_null(strstr(err.text, "npy-v1"), "%s", err.text);
	cr_assert_eq(read_memory(npy_read, data, n, &e8m0, &doc, NULL), 0);
	cr_expect_eq(doc->root->u.tensor->dtype, FERRY_F8_E8M0FNU);
	ferry_document_free(doc);
	cr_assert_eq(read_memory(npy_read, data, n, &raw, &doc, NULL), 0);
	cr_expect_eq(doc->root->u.tensor->dtype, FERRY_U8);
	cr_expect_eq(doc->root->u.tensor->ndim, 2);
	cr_expect_not_null(doc->root->u.tensor->extra);
	ferry_document_free(doc);
	free(data);
}

Test(npy, keeps_two_byte_elements_raw_when_told)
{
	const struct numpy_read_options raw = { .v2_raw = true };
	struct ferry_document *doc =
		read_file(npy_read, corpus_path("numpy-2", "bfloat16.npy"),
			  &raw);

	cr_expect_eq(doc->root->u.tensor->dtype, FERRY_U8);
	cr_expect_eq(doc->root->u.tensor->ndim, 2);
	cr_expect_eq(doc->root->u.tensor->shape[1], 2);
	ferry_document_free(doc);
}

Test(npy, takes_dtypes_by_name)
{
	cr_expect_eq(read_header(1, "{'descr': 'bfloat16', 'fortran_order': "
				 "False, 'shape': (2,)}"), 0);
	cr_expect_eq(read_header(1, "{'descr': 'float8_e4m3fn', "
				 "'fortran_order': False, 'shape': (2,)}"), 0);
	cr_expect_eq(read_header(1, "{'descr': 'qint8', 'fortran_order': "
				 "False, 'shape': (2,)}"), FERRY_UNSUPPORTED);
	cr_expect_eq(read_header(1, "{'descr': '<f16', 'fortran_order': "
				 "False, 'shape': (2,)}"), FERRY_UNSUPPORTED);
}

/* ---- hostile input ------------------------------------------------------ */

Test(npy, a_file_cut_off_anywhere_is_malformed)
{
	struct ferry_document *doc;
	size_t n;
	char *data = slurp(corpus_path("numpy-2", "nested.npy"), &n);

	for (size_t i = 0; i < n; i++) {
		struct ferry_error err = FERRY_ERROR_INIT;
		/* exactly as long as it says, so that a tool sees a read past
		 * the end */
		char *copy = malloc(i + 1);

		memcpy(copy, data, i);
		cr_expect_eq(read_memory(npy_read, copy, i, NULL, &doc, &err),
			     FERRY_MALFORMED, "%zu bytes: %s", i, err.text);
		ferry_document_free(doc);
		free(copy);
	}
	free(data);
}

Test(npy, deep_nesting_is_a_limit)
{
	char text[200];

	memset(text, '(', sizeof(text) - 1);
	text[sizeof(text) - 1] = 0;
	cr_expect_eq(read_header(1, text), FERRY_LIMIT);
}

Test(npy, huge_shapes_do_not_overflow)
{
	static const char *const shapes[] = {
		"(9223372036854775807, 2)",
		"(4294967296, 4294967296)",
		"(0, 9223372036854775807, 9223372036854775807)",
		"(2305843009213693952,)",
		"(9223372036854775808,)",
	};

	for (size_t i = 0; i < sizeof(shapes) / sizeof(*shapes); i++) {
		char text[256];

		snprintf(text, sizeof(text), "{'descr': [('a', '<f8', (3,)), "
			 "('b', '<U7')], 'fortran_order': %s, 'shape': %s}",
			 i % 2 ? "True" : "False", shapes[i]);
		cr_expect_eq(read_header(1, text), FERRY_MALFORMED, "%s", text);
	}
}

Test(npy, survives_a_failing_allocator)
{
	static const char *const files[] = { "nested.npy", "dict.npy",
					     "fortran.npy" };

	for (size_t i = 0; i < 3; i++) {
		struct ferry_document *doc;
		size_t n;
		char *data = slurp(corpus_path("numpy-2", files[i]), &n);
		int rc = FERRY_NOMEM;

		for (uint64_t nth = 1; rc && nth < 2000; nth++) {
			struct ferry_error err = FERRY_ERROR_INIT;

			ferry_alloc_fail_at(nth);
			rc = read_memory(npy_read, data, n, NULL, &doc, &err);
			ferry_alloc_fail_at(0);
			cr_expect(rc == 0 || rc == FERRY_NOMEM, "%s: %s",
				  files[i], err.text);
			ferry_document_free(doc);
		}
		cr_expect_eq(rc, 0);
		free(data);
	}
}

/* ---- objects ------------------------------------------------------------ */

Test(npy, an_array_of_objects_stays_what_the_pickle_says)
{
	struct ferry_document *doc = open_corpus("numpy-1.24", "objects.npy");

	cr_expect_eq(doc->root->kind, FERRY_OBJECT);
	ferry_document_free(doc);
}

Test(npy, scan_lists_what_an_array_of_objects_names)
{
	struct ferry_document *doc = new_document();
	struct ferry_error err = FERRY_ERROR_INIT;
	struct ferry_value *report, *rows, *row;
	struct ferry_source *src;

	cr_assert_eq(ferry_source_open_file(&src, corpus_path("numpy-2",
					    "evil.npy"), &err), 0);
	cr_assert_eq(npy_scan(src, doc->store, &report, &err), 0, "%s",
		     err.text);
	rows = ferry_dict_get(report, "globals");
	cr_assert_gt(rows->u.list.n, 1);
	row = rows->u.list.items[0];
	cr_expect(ferry_value_is(ferry_dict_get(row, "name"), "_reconstruct"));
	cr_expect_eq(ferry_dict_get(report, "dangerous")->u.i, 1);
	ferry_source_unref(src);
	ferry_document_free(doc);
}
