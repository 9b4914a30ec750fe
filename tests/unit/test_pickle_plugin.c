/* The plugin for plain pickles: which files are its own, reading, writing, what
 * an array of numpy can't hold. */
#include "config.h"

#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <ferry/sys/plugin.h>

extern const struct ferry_plugin ferry_plugin_v1;

static struct ferry_error err;
static struct ferry_document *doc;
static char path[] = "/tmp/ferry-pickle-XXXXXX";

static const struct ferry_format *format(void)
{
	return ferry_plugin_v1.formats[0];
}

static void set_up(void)
{
	ferry_error_clear(&err);
	cr_assert_eq(ferry_document_new(&doc, NULL, &err), 0);
	if (!doc->findings)
		cr_assert_eq(ferry_findings_new(&doc->findings, &err), 0);
	cr_assert_geq(mkstemp(path), 0);
}

static void tear_down(void)
{
	ferry_document_free(doc);
	unlink(path);
}

TestSuite(pickle_plugin, .init = set_up, .fini = tear_down);

static int probe(const char *name, const char *data, size_t n)
{
	const struct ferry_probe p = {
		.head = (const uint8_t *)data, .nhead = n,
		.tail = (const uint8_t *)data, .ntail = n,
		.nbytes = n, .name = name,
	};

	return format()->probe(&p);
}

Test(pickle_plugin, knows_its_files)
{
	static const char stream[] =
		"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";

	cr_expect_eq(probe("a", "\x80\x04N.", 4), 90);
	cr_expect_eq(probe("a", "\x80\x04N", 3), 60);
	cr_expect_eq(probe("a", "\x80\x06N.", 4), 0);
	cr_expect_eq(probe("a.txt", "(dp0\n.", 6), 80);
	cr_expect_eq(probe("a.txt", "(dp0\nS'a", 8), 60);
	cr_expect_eq(probe("a.txt", "cos\nsystem\n(S'", 14), 60);
	cr_expect_eq(probe("a.pkl", "cos\nsys", 7), 30);
	cr_expect_eq(probe("a.txt", "config\ntrain\nlr: 1\n.", 21), 0);
	cr_expect_eq(probe("a.txt", "(a list) of things.", 19), 0);
	cr_expect_eq(probe("a.PKL", "I1\n.", 4), 60);
	cr_expect_eq(probe("a.pkl", "", 0), 0);
	cr_expect_eq(probe("a.pkl", stream, sizeof(stream) - 1), 0);
}

static int read_text(const char *data, size_t n)
{
	struct ferry_input in = { .path = "" };
	int rc;

	cr_assert_eq(ferry_source_from_memory(&in.source, data, n, "test",
					      &err), 0);
	rc = format()->read(&in, doc, &err);
	ferry_source_unref(in.source);
	return rc;
}

Test(pickle_plugin, reads_one_pickle_and_warns_of_what_follows)
{
	cr_assert_eq(read_text("\x80\x04K\x07.xyz", 8), 0, "%s", err.text);
	cr_assert_eq(doc->root->kind, FERRY_INT);
	cr_expect_eq(doc->root->u.i, 7);
	cr_expect_eq(ferry_dict_get(doc->about, "protocol")->u.i, 4);
	cr_assert_eq(ferry_findings_count(doc->findings), 1);
	cr_expect_str_eq(ferry_findings_get(doc->findings, 0)->code,
			 "trailing-bytes");
}

Test(pickle_plugin, refuses_what_breaks_off)
{
	cr_expect_eq(read_text("\x80", 1), FERRY_MALFORMED);
	ferry_error_clear(&err);
	cr_expect_eq(read_text("", 0), FERRY_MALFORMED);
}

static struct ferry_value *tensor(struct ferry_storage *st, uint64_t n,
				  uint64_t offset)
{
	return ferry_tensor(doc->store, FERRY_F32, 1, &n, NULL, offset, st);
}

static struct ferry_storage *storage(void)
{
	static float data[] = { 1, 2, 3, 4 };
	struct ferry_source *src;

	cr_assert_eq(ferry_source_from_memory(&src, data, sizeof(data), "data",
					      &err), 0);
	cr_assert_eq(ferry_store_take_source(doc->store, src), 0);
	return ferry_storage(doc->store, FERRY_F32, src, 0, sizeof(data));
}

static void write_root(void)
{
	struct ferry_output *o;

	cr_assert_eq(ferry_output_new(&o, path, true, NULL, 0, NULL, &err), 0);
	cr_assert_eq(format()->write(doc, o, NULL, NULL, &err), 0, "%s",
		     err.text);
	cr_assert_eq(ferry_output_commit(o, &err), 0, "%s", err.text);
	ferry_output_free(o);
}

static void read_back(void)
{
	struct ferry_input in = { .path = path };
	struct ferry_store *store = ferry_store_ref(doc->store);

	ferry_document_free(doc);
	ferry_store_unref(store);
	cr_assert_eq(ferry_document_new(&doc, NULL, &err), 0);
	if (!doc->findings)
		cr_assert_eq(ferry_findings_new(&doc->findings, &err), 0);
	cr_assert_eq(ferry_source_open_file(&in.source, path, &err), 0);
	cr_assert_eq(format()->read(&in, doc, &err), 0, "%s", err.text);
	ferry_source_unref(in.source);
}

Test(pickle_plugin, tensors_become_arrays_and_come_back)
{
	struct ferry_value *t = tensor(storage(), 3, 1), *back;
	float got[3];

	doc->root = ferry_sequence(doc->store, FERRY_LIST, 2);
	cr_assert_eq(ferry_list_add(doc->store, doc->root, t), 0);
	cr_assert_eq(ferry_list_add(doc->store, doc->root, t), 0);
	write_root();
	read_back();
	cr_assert_eq(doc->root->kind, FERRY_LIST);
	back = doc->root->u.list.items[0];
	cr_assert_eq(back, doc->root->u.list.items[1]);
	cr_assert_eq(back->kind, FERRY_TENSOR);
	cr_assert_eq(ferry_tensor_read(back->u.tensor, 0, 3, got, &err), 0);
	cr_expect(got[0] == 2 && got[1] == 3 && got[2] == 4);
}

Test(pickle_plugin, a_bare_storage_is_refused)
{
	struct ferry_output *o;

	doc->root = ferry_storage_value(doc->store, storage());
	cr_assert_eq(ferry_output_new(&o, path, true, NULL, 0, NULL, &err), 0);
	cr_expect_eq(format()->write(doc, o, NULL, NULL, &err),
		     FERRY_UNSUPPORTED);
	ferry_output_free(o);
}

static void losses(size_t n_warnings, const char *code)
{
	struct ferry_findings *f;

	cr_assert_eq(ferry_findings_new(&f, &err), 0);
	cr_assert_eq(format()->losses(doc, NULL, f, &err), 0);
	cr_assert_eq(ferry_findings_count_level(f, FERRY_WARNING), n_warnings);
	if (code)
		cr_expect_str_eq(ferry_findings_get(f, 0)->code, code);
	ferry_findings_free(f);
}

Test(pickle_plugin, texts_of_an_array_are_a_loss)
{
	struct ferry_value *extra = ferry_dict(doc->store, 1);
	struct ferry_value *numpy = ferry_dict(doc->store, 1);

	doc->root = tensor(storage(), 4, 0);
	losses(0, NULL);
	cr_assert_eq(ferry_dict_set_str(doc->store, numpy, "descr",
					ferry_cstring(doc->store, "<U1")), 0);
	cr_assert_eq(ferry_dict_set_str(doc->store, extra, "numpy", numpy), 0);
	doc->root->u.tensor->extra = extra;
	losses(1, "numpy-type");
}

Test(pickle_plugin, a_call_around_an_array_is_a_loss)
{
	struct ferry_value *args = ferry_sequence(doc->store, FERRY_TUPLE, 1);

	cr_assert_eq(ferry_list_add(doc->store, args,
				    tensor(storage(), 4, 0)), 0);
	doc->root = ferry_object(doc->store, FERRY_FORM_CALL,
				 ferry_global(doc->store, "torch._utils", 12,
					      "_rebuild_parameter", 18), args,
				 NULL);
	doc->root->u.object->payload = 0;
	losses(1, "parameters");
}
