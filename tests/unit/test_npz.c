/* npz: any document comes back equal, and arrays alone stay arrays alone. */
#include "config.h"

#include "tests/unit/numpy_files.h"

#include "formats/zip/zip.h"

static struct ferry_document *doc;
static struct ferry_value *root;

static void begin(void)
{
	doc = new_document();
	root = ferry_dict(doc->store, 8);
	doc->root = root;
}

static void end(void)
{
	ferry_document_free(doc);
	remove_file(scratch_path("a.npz"));
}

TestSuite(npz, .init = begin, .fini = end);

static void set(const char *key, struct ferry_value *value)
{
	cr_assert_not_null(value);
	cr_assert_eq(ferry_dict_set_str(doc->store, root, key, value), 0);
}

/* n bytes that differ, as a storage. */
static struct ferry_storage *bytes_storage(enum ferry_dtype dtype, size_t n)
{
	struct ferry_error err = FERRY_ERROR_INIT;
	unsigned char *data = ferry_alloc(n + 1);
	struct ferry_source *src;

	for (size_t i = 0; i < n; i++)
		data[i] = (unsigned char)(i * 37 + n);
	cr_assert_eq(ferry_source_take_memory(&src, data, n, "test", &err), 0);
	cr_assert_eq(ferry_store_take_source(doc->store, src), 0);
	return ferry_storage(doc->store, dtype, src, 0, n);
}

/* Strides of 0, 0: C order. */
static struct ferry_value *view(struct ferry_storage *st, enum ferry_dtype d,
				unsigned ndim, uint64_t a, uint64_t b,
				int64_t sa, int64_t sb, uint64_t offset)
{
	const uint64_t shape[] = { a, b };
	const int64_t strides[] = { sa, sb };

	return ferry_tensor(doc->store, d, ndim, shape,
			    sa || sb ? strides : NULL, offset, st);
}

/* A dense matrix of its own. */
static struct ferry_value *matrix(enum ferry_dtype d, uint64_t a, uint64_t b)
{
	size_t bits = (size_t)(a * b) * ferry_dtype_bits(d);

	return view(bytes_storage(d, (bits + 7) / 8), d, 2, a, b, 0, 0, 0);
}

static bool has_document(void)
{
	struct ferry_error err = FERRY_ERROR_INIT;
	struct ferry_source *src;
	struct zip *z;
	bool found;

	cr_assert_eq(ferry_source_open_file(&src, scratch_path("a.npz"), &err),
		     0);
	cr_assert_eq(zip_open(&z, src, false, &err), 0, "%s", err.text);
	found = zip_find(z, NPZ_DOCUMENT, strlen(NPZ_DOCUMENT));
	zip_free(z);
	ferry_source_unref(src);
	return found;
}

/* Write, read and compare; `plain` tells whether arrays alone must do. */
static void check_return(bool plain)
{
	const struct ferry_compare how = { .data = true, .strides = true,
					   .sharing = true };
	struct ferry_error err = FERRY_ERROR_INIT;
	struct ferry_document *again;
	struct ferry_findings *out;
	int rc;

	write_file(npz_write, doc, scratch_path("a.npz"), NULL);
	cr_expect_eq(has_document(), !plain);
	again = read_file(npz_read, scratch_path("a.npz"), NULL);
	cr_assert_eq(ferry_findings_new(&out, &err), 0);
	rc = ferry_document_compare(doc, again, &how, out, &err);
	cr_expect_eq(rc, 1, "%d %s %s: %s", rc, err.text,
		     ferry_findings_count(out) ?
		     ferry_findings_get(out, 0)->path : "",
		     ferry_findings_count(out) ?
		     ferry_findings_get(out, 0)->text : "");
	ferry_findings_free(out);
	ferry_document_free(again);
}

/* ---- arrays alone ------------------------------------------------------- */

Test(npz, a_mapping_of_arrays_needs_no_document)
{
	set("a/b", matrix(FERRY_F32, 2, 3));
	set("größe", matrix(FERRY_BOOL8, 1, 4));
	set("x.npy", matrix(FERRY_C128, 2, 2));
	set("", matrix(FERRY_U16, 0, 4));
	set("bf16", matrix(FERRY_BF16, 3, 3));
	set("scalar", view(bytes_storage(FERRY_I64, 8), FERRY_I64, 0, 0, 0, 0,
			   0, 0));
	set("F", view(bytes_storage(FERRY_F64, 48), FERRY_F64, 2, 2, 3, 1, 2,
		      0));
	set("note.txt", ferry_bytes(doc->store, "text", 4, 0));
	check_return(true);
}

Test(npz, an_empty_mapping_returns)
{
	check_return(true);
}

Test(npz, arrays_of_texts_and_dates_stay_what_they_were)
{
	ferry_document_free(doc);
	doc = read_file(npz_read, corpus_path("numpy-2", "texts.npz"), NULL);
	root = doc->root;
	check_return(true);
}

Test(npz, members_that_are_no_arrays_and_double_names)
{
	struct ferry_document *mixed =
		read_file(npz_read, corpus_path("numpy-2", "mixed.npz"), NULL);
	struct ferry_value *v = ferry_dict_get(mixed->root, "readme.txt");

	cr_assert(v && v->kind == FERRY_BYTES);
	cr_expect_eq(v->u.s.nbytes, 12);
	v = ferry_dict_get(mixed->root, "broken");
	cr_expect(v && v->kind == FERRY_BYTES);
	cr_expect_eq(mixed->root->u.dict.n, 4);
	cr_expect_eq(ferry_findings_count_level(mixed->findings,
						FERRY_WARNING), 1);
	ferry_document_free(mixed);
}

Test(npz, an_archive_of_nothing)
{
	struct ferry_document *none =
		read_file(npz_read, corpus_path("numpy-2", "none.npz"), NULL);

	cr_expect_eq(none->root->kind, FERRY_DICT);
	cr_expect_eq(none->root->u.dict.n, 0);
	ferry_document_free(none);
}

/* ---- whole documents ---------------------------------------------------- */

Test(npz, dtypes_numpy_lacks_return)
{
	for (int d = 1; d < FERRY_N_DTYPES; d++)
		set(ferry_dtype_name(d), matrix(d, 4, 8));
	check_return(false);
}

Test(npz, tensors_that_share_a_storage_are_tied_again)
{
	struct ferry_storage *st = bytes_storage(FERRY_F32, 80);

	set("whole", view(st, FERRY_F32, 2, 4, 5, 0, 0, 0));
	set("tied", view(st, FERRY_F32, 2, 4, 5, 0, 0, 0));
	set("transposed", view(st, FERRY_F32, 2, 5, 4, 1, 5, 0));
	set("row", view(st, FERRY_F32, 1, 5, 0, 1, 0, 10));
	check_return(false);
}

Test(npz, one_tensor_under_two_names_stays_one)
{
	struct ferry_value *t = matrix(FERRY_F32, 2, 2);

	set("a", t);
	set("b", t);
	check_return(false);
}

Test(npz, views_of_parts_keep_strides_and_offsets)
{
	set("step", view(bytes_storage(FERRY_I16, 40), FERRY_I16, 2, 3, 2, 4,
			 2, 3));
	set("expanded", view(bytes_storage(FERRY_F32, 12), FERRY_F32, 2, 4, 3,
			     0, 1, 0));
	set("odd", view(bytes_storage(FERRY_F32, 12), FERRY_F32, 2, 3, 1, 1, 7,
			0));
	check_return(false);
}

Test(npz, lazily_conjugated_views_return)
{
	struct ferry_storage *st = bytes_storage(FERRY_C64, 48);
	struct ferry_value *conj = view(st, FERRY_C64, 2, 2, 3, 0, 0, 0);

	conj->u.tensor->flags = FERRY_CONJ;
	set("x", view(st, FERRY_C64, 2, 2, 3, 0, 0, 0));
	set("conj", conj);
	check_return(false);
}

Test(npz, storages_and_untyped_views_return)
{
	struct ferry_storage *st = bytes_storage(FERRY_U8, 32);

	st->flags = FERRY_UNTYPED;
	set("storage", ferry_storage_value(doc->store, st));
	set("as_f32", view(st, FERRY_F32, 2, 2, 4, 0, 0, 0));
	set("as_i16", view(st, FERRY_I16, 1, 8, 0, 1, 0, 8));
	check_return(false);
}

Test(npz, what_is_no_tensor_returns)
{
	char large[5000];
	struct ferry_value *list = ferry_sequence(doc->store, FERRY_LIST, 2);
	struct ferry_value *meta;

	memset(large, 7, sizeof(large));
	set("large", ferry_bytes(doc->store, large, sizeof(large), 0));
	set("array", ferry_bytes(doc->store, NPY_MAGIC, 6, 0));
	set("mutable", ferry_bytes(doc->store, large, 2000, FERRY_MUTABLE));
	set("epoch", ferry_int(doc->store, 3));
	set("nan", ferry_float(doc->store, 0.0 / 0.0));
	ferry_list_add(doc->store, list, list);
	ferry_list_add(doc->store, list, matrix(FERRY_F32, 1, 2));
	set("cycle", list);
	meta = view(NULL, FERRY_F32, 2, 3, 3, 0, 0, 0);
	meta->u.tensor->flags = FERRY_META;
	set("meta", meta);
	set("class", ferry_object(doc->store, FERRY_FORM_CALL,
				  ferry_global(doc->store, "m", 1, "C", 1),
				  ferry_sequence(doc->store, FERRY_TUPLE, 0),
				  NULL));
	check_return(false);
}

Test(npz, names_a_zip_or_python_cannot_hold_return)
{
	char *longest = malloc(70001);

	memset(longest, 'x', 70000);
	longest[70000] = 0;
	set(longest, matrix(FERRY_F32, 1, 1));
	ferry_dict_set(doc->store, root,
		       ferry_string(doc->store, "a\0b", 3),
		       matrix(FERRY_F32, 1, 2));
	ferry_dict_set(doc->store, root,
		       ferry_string(doc->store, "\xed\xa0\x80", 3),
		       matrix(FERRY_F32, 1, 3));
	ferry_dict_set(doc->store, root, ferry_int(doc->store, 5),
		       matrix(FERRY_F32, 1, 4));
	set("tensor-0-0", matrix(FERRY_F32, 1, 5));
	check_return(false);
	free(longest);
}

Test(npz, a_tensor_alone_is_arr_0)
{
	struct ferry_document *again;

	doc->root = matrix(FERRY_F32, 2, 2);
	check_return(false);
	again = read_file(npz_read, scratch_path("a.npz"), NULL);
	cr_expect_eq(again->root->kind, FERRY_TENSOR);
	ferry_document_free(again);
}

Test(npz, notes_say_what_is_written_otherwise)
{
	const struct numpy_write_options options = { 0 };
	struct ferry_error err = FERRY_ERROR_INIT;
	struct ferry_findings *out;
	struct ferry_value *t = matrix(FERRY_F8_E5M2, 2, 2);

	set("a", t);
	set("b", t);
	cr_assert_eq(ferry_findings_new(&out, &err), 0);
	cr_assert_eq(npz_losses(doc, &options, out, &err), 0);
	cr_expect_eq(ferry_findings_count_level(out, FERRY_WARNING), 0);
	cr_expect_eq(ferry_findings_count_level(out, FERRY_NOTE), 3);
	ferry_findings_free(out);
}

/* ---- hostile input ------------------------------------------------------ */

/* An archive with these members. */
static char *archive(const char *const *names, const void *const *data,
		     const size_t *sizes, size_t n, size_t *nbytes)
{
	struct ferry_work work = { .threads = 1, .no_sync = true };
	struct ferry_error err = FERRY_ERROR_INIT;
	struct ferry_output *output;
	struct ferry_sink *sink;
	struct zip_writer *w;

	cr_assert_eq(ferry_output_new(&output, scratch_path("a.npz"), true,
				      NULL, 0, &work, &err), 0);
	cr_assert_eq(ferry_output_open(output, NULL, &sink, &err), 0);
	cr_assert_eq(zip_writer_new(&w, sink, 1, &err), 0);
	for (size_t i = 0; i < n; i++)
		cr_assert_eq(zip_writer_add_memory(w, names[i], data[i],
						   sizes[i], &err), 0);
	cr_assert_eq(zip_writer_run(w, &err), 0);
	zip_writer_free(w);
	cr_assert_eq(ferry_output_commit(output, &err), 0);
	ferry_output_free(output);
	return slurp(scratch_path("a.npz"), nbytes);
}

static int read_document(const char *json, struct ferry_error *err)
{
	const char *const names[] = { "w.npy", NPZ_DOCUMENT };
	size_t sizes[2], n;
	char *npy = slurp(corpus_path("numpy-2", "plain.npy"), &sizes[0]);
	const void *const data[] = { npy, json };
	struct ferry_document *out;
	char *zip;
	int rc;

	sizes[1] = strlen(json);
	zip = archive(names, data, sizes, 2, &n);
	rc = read_memory(npz_read, zip, n, NULL, &out, err);
	ferry_document_free(out);
	free(zip);
	free(npy);
	return rc;
}

#define DOCUMENT(tensor) \
	"{\"$ferry\":1,\"document\":{\"w\":{\"$tensor\":" tensor "}}}"

Test(npz, a_document_that_lies_is_malformed)
{
	static const char *const lies[] = {
		DOCUMENT("\"absent\""),
		DOCUMENT("\"w\",\"dtype\":\"float7\""),
		DOCUMENT("\"w\",\"dtype\":\"float64\""),
		DOCUMENT("\"w\",\"shape\":[3,6]"),
		DOCUMENT("\"w\",\"shape\":[4294967296,4294967296]"),
		DOCUMENT("\"w\",\"shape\":\"3\""),
		DOCUMENT("\"w\",\"storage\":1"),
		DOCUMENT("\"w\",\"storage\":1,\"nbytes\":59"),
		DOCUMENT("\"w\",\"storage\":1,\"nbytes\":60,\"offset\":1"),
		DOCUMENT("\"w\",\"storage\":1,\"nbytes\":60,"
			 "\"strides\":[9223372036854775807,1]"),
		DOCUMENT("\"w\",\"storage\":1,\"nbytes\":60,\"strides\":[5]"),
		"{\"$ferry\":1,\"document\":{\"$storage\":\"w\"}}",
		"{\"$ferry\":1,\"document\":{\"$storage\":\"w\",\"storage\":1,"
		"\"nbytes\":60}}",
		"{\"$ferry\":1,\"document\":{\"$bytes\":{\"stored\":\"no\"}}}",
		"{\"$ferry\":1,\"document\":",
	};

	for (size_t i = 0; i < sizeof(lies) / sizeof(*lies); i++) {
		struct ferry_error err = FERRY_ERROR_INIT;

		cr_expect_eq(read_document(lies[i], &err), FERRY_MALFORMED,
			     "%s: %d %s", lies[i], err.code, err.text);
	}
}

Test(npz, a_document_that_tells_the_truth_is_read)
{
	static const char *const truths[] = {
		DOCUMENT("\"w\""),
		DOCUMENT("\"w\",\"storage\":1,\"nbytes\":60"),
		DOCUMENT("\"w\",\"storage\":1,\"nbytes\":80,\"offset\":5,"
			 "\"strides\":[1,3]"),
		DOCUMENT("\"w\",\"dtype\":\"int32\",\"shape\":[15]"),
		"{\"no\":\"document of ferry\"}",
		"nor this",
	};

	for (size_t i = 0; i < sizeof(truths) / sizeof(*truths); i++) {
		struct ferry_error err = FERRY_ERROR_INIT;

		cr_expect_eq(read_document(truths[i], &err), 0, "%s: %s",
			     truths[i], err.text);
	}
}

Test(npz, a_storage_made_up_of_air_is_a_limit)
{
	struct ferry_error err = FERRY_ERROR_INIT;

	cr_expect_eq(read_document(DOCUMENT("\"w\",\"storage\":1,"
					    "\"nbytes\":1000000000000000"),
				   &err), FERRY_LIMIT, "%s", err.text);
	ferry_error_clear(&err);
	/* Each by itself is small enough. */
	cr_expect_eq(read_document("{\"$ferry\":1,\"document\":["
				   "{\"$tensor\":\"w\",\"storage\":1,"
				   "\"nbytes\":2147483648},"
				   "{\"$tensor\":\"w\",\"storage\":2,"
				   "\"nbytes\":2147483648},"
				   "{\"$tensor\":\"w\",\"storage\":3,"
				   "\"nbytes\":2147483648}]}", &err),
		     FERRY_LIMIT, "%s", err.text);
}

Test(npz, little_archives_that_become_much_memory_are_limits)
{
	static const char *const bombs[] = { "bomb-headers.npz",
					     "bomb-document.npz",
					     "bomb-pickle.npz" };

	for (size_t i = 0; i < 3; i++) {
		struct ferry_error err = FERRY_ERROR_INIT;
		struct ferry_document *out;
		size_t n;
		char *data = slurp(corpus_path("numpy-2", bombs[i]), &n);

		cr_expect_eq(read_memory(npz_read, data, n, NULL, &out, &err),
			     FERRY_LIMIT, "%s: %s", bombs[i], err.text);
		ferry_document_free(out);
		free(data);
	}
}

Test(npz, a_broken_array_is_named_by_its_member)
{
	const char *const names[] = { "layer/w.npy" };
	const void *const data[] = { NPY_MAGIC "\1\0\2\0{}" };
	const size_t sizes[] = { 12 };
	struct ferry_error err = FERRY_ERROR_INIT;
	struct ferry_document *out;
	size_t n;
	char *zip = archive(names, data, sizes, 1, &n);

	cr_expect_eq(read_memory(npz_read, zip, n, NULL, &out, &err),
		     FERRY_MALFORMED);
	cr_expect_not_null(strstr(err.text, "layer/w.npy"), "%s", err.text);
	free(zip);
}

Test(npz, survives_a_failing_allocator)
{
	struct ferry_storage *st = bytes_storage(FERRY_F32, 80);
	struct ferry_document *again;
	int rc = FERRY_NOMEM;
	char *data;
	size_t n;

	set("a", view(st, FERRY_F32, 2, 4, 5, 0, 0, 0));
	set("b", view(st, FERRY_F32, 1, 5, 0, 2, 0, 1));
	set("c", ferry_int(doc->store, 1));
	write_file(npz_write, doc, scratch_path("a.npz"), NULL);
	data = slurp(scratch_path("a.npz"), &n);
	for (uint64_t nth = 1; rc && nth < 5000; nth++) {
		struct ferry_error err = FERRY_ERROR_INIT;

		ferry_alloc_fail_at(nth);
		rc = read_memory(npz_read, data, n, NULL, &again, &err);
		ferry_alloc_fail_at(0);
		cr_expect(rc == 0 || rc == FERRY_NOMEM, "%d %s", rc, err.text);
		ferry_document_free(again);
	}
	cr_expect_eq(rc, 0);
	for (uint64_t nth = 1, failed = 1; failed && nth < 5000; nth++) {
		struct ferry_error err = FERRY_ERROR_INIT;

		ferry_alloc_fail_at(nth);
		rc = try_write(npz_write, doc, scratch_path("a.npz"), NULL,
			       &err);
		ferry_alloc_fail_at(0);
		cr_expect(rc == 0 || rc == FERRY_NOMEM, "%d %s", rc, err.text);
		failed = rc != 0;
	}
	free(data);
}
