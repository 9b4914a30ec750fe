/* TorchScript archives: attributes by path, constants, what the code tells. */
#include "config.h"

#include "tests/unit/torch_file.h"

#include <ferry/sys/alloc.h>
#include <ferry/sys/build.h>

TestSuite(torchscript, .fini = close_file);

static const float counting[6] = { 0, 1, 2, 3, 4, 5 };

static void expect_list(const char *key, const char *const *want, uint32_t n)
{
	const struct ferry_value *list = ferry_dict_get(doc->about, key);

	cr_assert_not_null(list);
	cr_assert_eq(list->u.list.n, n, "%s has %u", key, list->u.list.n);
	for (uint32_t i = 0; i < n; i++)
		cr_assert(ferry_value_is(list->u.list.items[i], want[i]));
}

Test(torchscript, attributes_are_found_by_path)
{
	static const char *const parameters[] = {
		"fc.weight", "fc.bias", "bn.weight", "bn.bias",
	};
	static const char *const buffers[] = {
		"bn.running_mean", "bn.running_var", "bn.num_batches_tracked",
	};

	must_read(torch_read, "script.pt");
	expect_about("kind", "torchscript");
	expect_floats("fc.weight", counting, 6);
	cr_assert_eq(tensor_at("bn.num_batches_tracked")->dtype, FERRY_I64);
	cr_assert(tensor_at("fc.bias")->flags & FERRY_REQUIRES_GRAD);
	cr_assert_eq(at("training")->kind, FERRY_BOOL);
	expect_list("parameters", parameters, 4);
	expect_list("buffers", buffers, 3);
}

Test(torchscript, constants_are_attributes_of_the_root)
{
	must_read(torch_read, "script_frozen.pt");
	/* the weight, with the normalisation folded in */
	cr_assert_eq(tensor_at("CONSTANTS.c0")->shape[1], 3);
	cr_assert_eq(ferry_tensor_nelem(tensor_at("CONSTANTS.c1")), 2);
	expect_list("parameters", NULL, 0);
}

Test(torchscript, weights_only_refuses_it)
{
	struct ferry_input in = { .path = "" };
	struct ferry_value *report = NULL;

	open_file("script.pt");
	cr_assert_eq(ferry_document_new(&doc, NULL, &err), 0);
	in.source = file;
	cr_assert_eq(torch_scan(&in, doc->store, &report, &err), 0, "%s",
		     err.text);
	cr_assert(ferry_value_is(ferry_dict_get(report, "weights_only"),
				 "refused"));
	cr_assert_eq(ferry_dict_get(report, "dangerous")->u.i, 0);
}

Test(torchscript, every_failed_allocation_is_reported)
{
	int r = FERRY_NOMEM;

	open_file("script.pt");
	for (uint64_t nth = 1; r; nth++) {
		struct ferry_input in = { .source = file, .path = "" };

		ferry_error_clear(&err);
		cr_assert_eq(ferry_document_new(&doc, NULL, &err), 0);
		ferry_alloc_fail_at(nth);
		r = torch_read(&in, doc, &err);
		ferry_alloc_fail_at(0);
		cr_assert(!r || r == FERRY_NOMEM, "%d %s", r, err.text);
		ferry_document_free(doc);
		doc = NULL;
		cr_assert_lt(nth, 5000);
	}
}
