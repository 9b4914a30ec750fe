/* Programs of torch.export: their weights and constants. */
#include "config.h"

#include "tests/unit/torch_file.h"

#include <ferry/sys/alloc.h>
#include <ferry/sys/build.h>

TestSuite(torch_export, .fini = close_file);

static const float counting[6] = { 0, 1, 2, 3, 4, 5 };
static const float row[2] = { 1, 2 };
static const float scale[2] = { 2, 4 };

static int probe(int (*fn)(const struct ferry_probe *), const char *name)
{
	static uint8_t head[FERRY_PROBE_BYTES], tail[FERRY_PROBE_BYTES];
	struct ferry_probe p = { .head = head, .tail = tail, .name = "x.pt2" };
	int score;

	open_file(name);
	p.nbytes = file->nbytes;
	p.nhead = p.ntail = p.nbytes < FERRY_PROBE_BYTES ? (size_t)p.nbytes :
							   FERRY_PROBE_BYTES;
	cr_assert_eq(ferry_source_read(file, head, 0, p.nhead, &err), 0);
	cr_assert_eq(ferry_source_read(file, tail, p.nbytes - p.ntail,
				       p.ntail, &err), 0);
	score = fn(&p);
	ferry_source_unref(file);
	file = NULL;
	return score;
}

Test(torch_export, is_told_from_the_other_archives)
{
	static const char *const programs[] = { "export.pt2", "export_old.pt2" };
	static const char *const others[] = {
		"basic.pt", "script.pt", "script_frozen.pt", "legacy.pt",
	};

	for (int i = 0; i < 2; i++) {
		cr_expect_eq(probe(torch_export_probe, programs[i]), 100);
		cr_expect_eq(probe(torch_probe, programs[i]), 0);
		cr_expect_eq(probe(torch_script_probe, programs[i]), 0);
	}
	for (int i = 0; i < 4; i++)
		cr_expect_lt(probe(torch_export_probe, others[i]),
			     i < 3 ? 70 : 1);
}

static void expect_weights(const char *name)
{
	must_read(torch_export_read, name);
	expect_about("kind", "torch.export program");
	expect_floats("state_dict.fc.weight", counting, 6);
	expect_floats("state_dict.row", row, 2);
	expect_floats("constants.scale", scale, 2);
	cr_expect_eq(tensor_at("state_dict.bn.num_batches_tracked")->dtype,
		     FERRY_I64);
	cr_expect_eq(tensor_at("state_dict.tied")->storage,
		     tensor_at("state_dict.fc.weight")->storage);
	cr_assert_eq(ferry_findings_count_level(doc->findings, FERRY_WARNING),
		     1);
	cr_expect_str_eq(ferry_findings_get(doc->findings, 0)->code,
			 "program");
}

Test(torch_export, weights_and_constants_are_read)
{
	expect_weights("export.pt2");
	cr_expect_eq(ferry_dict_get(doc->about, "parameters")->u.list.n, 5);
}

Test(torch_export, of_older_releases_too)
{
	expect_weights("export_old.pt2");
}

static void expect_scan(const char *name, const char *pickle)
{
	struct ferry_input in = { .path = "" };
	const struct ferry_value *globals, *first;
	struct ferry_value *report;

	must_read(torch_export_read, name);
	in.source = file;
	cr_assert_eq(torch_export_scan(&in, doc->store, &report, &err), 0,
		     "%s", err.text);
	globals = ferry_dict_get(report, "globals");
	cr_assert_gt(globals->u.list.n, 0);
	first = globals->u.list.items[0];
	cr_expect(ferry_value_is(ferry_dict_get(first, "pickle"), pickle));
	cr_expect(ferry_value_is(ferry_dict_get(report, "weights_only"),
				 "loads"));
	close_file();
}

Test(torch_export, its_pickles_are_scanned)
{
	expect_scan("export.pt2", "export/data/sample_inputs/model.pt");
	expect_scan("export_old.pt2", "serialized_state_dict.pt");
}

Test(torch_export, other_archives_are_refused)
{
	cr_expect_eq(try_read(torch_export_read, "basic.pt"), FERRY_MALFORMED);
	cr_expect(strstr(err.text, "archive_format"));
	close_file();
	cr_expect_eq(try_read(torch_read, "export.pt2"), FERRY_UNSUPPORTED);
	cr_expect(strstr(err.text, "torch-export"));
}

Test(torch_export, every_failed_allocation_is_reported)
{
	int r = FERRY_NOMEM;

	open_file("export.pt2");
	for (uint64_t nth = 1; r; nth++) {
		struct ferry_input in = { .source = file, .path = "" };
		struct ferry_document *d;

		ferry_error_clear(&err);
		cr_assert_eq(ferry_document_new(&d, NULL, &err), 0);
		ferry_alloc_fail_at(nth);
		r = torch_export_read(&in, d, &err);
		ferry_alloc_fail_at(0);
		cr_assert(!r || r == FERRY_NOMEM, "%d: %s", r, err.text);
		ferry_document_free(d);
	}
}
