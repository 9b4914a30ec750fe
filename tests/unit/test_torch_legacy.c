/* The stream of pickles: storages behind them, views into them. */
#include "config.h"

#include "tests/unit/torch_file.h"

#include <ferry/sys/alloc.h>
#include <ferry/sys/build.h>

TestSuite(torch_legacy, .fini = close_file);

static const float counting[12] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 };

Test(torch_legacy, reads_what_torch_wrote)
{
	static const float columns[4] = { 0, 4, 8, 1 };
	float got[4];

	must_read(torch_legacy_read, "legacy.pt");
	expect_floats("a", counting, 12);
	cr_assert_eq(ferry_tensor_read(tensor_at("t"), 0, 4, got, &err), 0);
	cr_assert_arr_eq(got, columns, sizeof(got));
	cr_assert_eq(tensor_at("row")->storage, tensor_at("a")->storage);
	cr_assert_eq(at("tied"), at("tied2"));
	cr_assert_eq(tensor_at("empty")->shape[0], 0);
	expect_about("kind", "torch.save stream");
}

Test(torch_legacy, reads_views_of_storages_in_every_protocol)
{
	static const char *const names[] = {
		"legacy_views_p1.pt", "legacy_views_p2.pt",
		"legacy_views_p4.pt",
	};
	float got[2];

	for (size_t i = 0; i < 3; i++) {
		struct ferry_storage *bare;

		must_read(torch_legacy_read, names[i]);
		expect_floats("whole", counting, 6);
		expect_floats("view", counting + 3, 2);
		cr_assert_eq(tensor_at("view")->storage,
			     tensor_at("whole")->storage);
		cr_assert_eq(at("bare")->kind, FERRY_STORAGE);
		bare = at("bare")->u.st.storage;
		cr_assert_eq(bare->nbytes, 8);
		cr_assert_eq(ferry_source_read(bare->source, got, bare->offset,
					       8, &err), 0);
		cr_assert_eq(got[0], 4);
		cr_assert_eq(got[1], 5);
		close_file();
	}
}

Test(torch_legacy, module_ids_stand_for_their_class)
{
	must_read(torch_legacy_read, "legacy_modules.pt");
	cr_assert_eq(doc->root->kind, FERRY_OBJECT);
	cr_assert_str_eq(doc->root->u.object->callable->u.global.name, "Net");
	cr_assert_eq(ferry_dict_get(doc->about, "module_sources")->u.i, 3);
	cr_assert_eq(tensor_at("_modules.fc._parameters.weight")->shape[1], 3);
}

Test(torch_legacy, tells_trailing_bytes)
{
	must_read(torch_legacy_read, "legacy_trailing.pt");
	expect_finding("trailing-bytes");
}

Test(torch_legacy, refuses_damaged_streams)
{
	must_fail(torch_legacy_read, "legacy_truncated.pt", FERRY_MALFORMED,
		  "cut off");
	must_fail(torch_legacy_read, "legacy_count.pt", FERRY_MALFORMED,
		  "5 elements");
	must_fail(torch_legacy_read, "legacy_missing_key.pt", FERRY_MALFORMED,
		  "lacks one");
	must_fail(torch_legacy_read, "legacy_view_outside.pt", FERRY_MALFORMED,
		  "outside its 24 bytes");
	must_fail(torch_legacy_read, "basic.pt", FERRY_MALFORMED, "");
}

Test(torch_legacy, a_storage_given_a_state_is_the_same_when_named_again)
{
	const struct ferry_object *o;

	must_read(torch_legacy_read, "../fuzz/torch/legacy_storage_given_state");
	cr_assert_eq(at("0"), at("1"));
	cr_assert_eq(at("0")->kind, FERRY_OBJECT);
	o = at("0")->u.object;
	cr_assert_eq(o->form, FERRY_FORM_SELF);
	cr_assert_eq(o->args->u.list.items[0]->u.st.storage->nbytes, 16);
	cr_assert_eq(at("2")->kind, FERRY_STORAGE);
	cr_assert_eq(at("2")->u.st.storage->nbytes, 8);
}

Test(torch_legacy, a_view_given_a_state_is_the_same_when_named_again)
{
	must_read(torch_legacy_read, "../fuzz/torch/legacy_view_given_state");
	cr_assert_eq(at("0"), at("1"));
	cr_assert_eq(at("0")->kind, FERRY_OBJECT);
	expect_floats("2", counting, 4);
}

Test(torch_legacy, scans_all_its_pickles)
{
	struct ferry_input in = { .path = "" };
	struct ferry_value *report = NULL;

	open_file("legacy_modules.pt");
	cr_assert_eq(ferry_document_new(&doc, NULL, &err), 0);
	in.source = file;
	cr_assert_eq(torch_legacy_scan(&in, doc->store, &report, &err), 0,
		     "%s", err.text);
	cr_assert(ferry_value_is(ferry_dict_get(report, "weights_only"),
				 "refused"));
	cr_assert(ferry_value_is(ferry_value_at(report, "globals.0.name"),
				 "Net"));
}

Test(torch_legacy, verifies_by_reading)
{
	struct ferry_input in = { .path = "" };
	struct ferry_findings *f;

	must_read(torch_legacy_read, "legacy.pt");
	in.source = file;
	cr_assert_eq(ferry_findings_new(&f, &err), 0);
	cr_assert_eq(torch_stream_verify(&in, doc, NULL, f, &err), 0);
	cr_assert_eq(ferry_findings_count_level(f, FERRY_VIOLATION), 0);
	ferry_findings_free(f);
}

Test(torch_legacy, every_failed_allocation_is_reported)
{
	int r = FERRY_NOMEM;

	open_file("legacy_modules.pt");
	for (uint64_t nth = 1; r; nth++) {
		struct ferry_input in = { .source = file, .path = "" };

		ferry_error_clear(&err);
		cr_assert_eq(ferry_document_new(&doc, NULL, &err), 0);
		ferry_alloc_fail_at(nth);
		r = torch_legacy_read(&in, doc, &err);
		ferry_alloc_fail_at(0);
		cr_assert(!r || r == FERRY_NOMEM, "%d %s", r, err.text);
		ferry_document_free(doc);
		doc = NULL;
		cr_assert_lt(nth, 5000);
	}
}
