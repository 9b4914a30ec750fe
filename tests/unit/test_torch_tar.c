/* The tar of the first releases: tables of storages and tensors. */
#include "config.h"

#include "tests/unit/torch_file.h"

#include <ferry/sys/alloc.h>
#include <ferry/sys/build.h>

TestSuite(torch_tar, .fini = close_file);

static const float counting[6] = { 0, 1, 2, 3, 4, 5 };

Test(torch_tar, reads_tensors_and_views)
{
	static const char *const names[] = { "tar.pt", "tar_gnu.pt" };

	for (size_t i = 0; i < 2; i++) {
		must_read(torch_tar_read, names[i]);
		expect_floats("a", counting, 6);
		expect_floats("b", counting + 3, 2);
		cr_assert_eq(tensor_at("a")->storage, tensor_at("b")->storage);
		cr_assert_eq(at("n")->u.i, 5);
		expect_about("kind", "torch.save tar");
		close_file();
	}
}

Test(torch_tar, refuses_damaged_archives)
{
	must_fail(torch_tar_read, "tar_no_tensors.pt", FERRY_MALFORMED,
		  "no member \"tensors\"");
	must_fail(torch_tar_read, "tar_truncated.pt", FERRY_MALFORMED, "");
	must_fail(torch_tar_read, "basic.pt", FERRY_MALFORMED, "damaged");
}

Test(torch_tar, scans_every_table)
{
	struct ferry_input in = { .path = "" };
	struct ferry_value *report = NULL;

	open_file("tar.pt");
	cr_assert_eq(ferry_document_new(&doc, NULL, &err), 0);
	in.source = file;
	cr_assert_eq(torch_tar_scan(&in, doc->store, &report, &err), 0, "%s",
		     err.text);
	cr_assert(ferry_value_is(ferry_value_at(report, "globals.0.name"),
				 "FloatStorage"));
	cr_assert(ferry_value_is(ferry_value_at(report, "globals.1.name"),
				 "FloatTensor"));
	cr_assert_eq(ferry_value_at(report, "globals.1.count")->u.i, 2);
	cr_assert(ferry_value_is(ferry_dict_get(report, "weights_only"),
				 "refused"));
}

Test(torch_tar, every_failed_allocation_is_reported)
{
	int r = FERRY_NOMEM;

	open_file("tar.pt");
	for (uint64_t nth = 1; r; nth++) {
		struct ferry_input in = { .source = file, .path = "" };

		ferry_error_clear(&err);
		cr_assert_eq(ferry_document_new(&doc, NULL, &err), 0);
		ferry_alloc_fail_at(nth);
		r = torch_tar_read(&in, doc, &err);
		ferry_alloc_fail_at(0);
		cr_assert(!r || r == FERRY_NOMEM, "%d %s", r, err.text);
		ferry_document_free(doc);
		doc = NULL;
		cr_assert_lt(nth, 5000);
	}
}
