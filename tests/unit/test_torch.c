/* torch.save() archives: every form of tensor, every oddity of the archive. */
#include "config.h"

#include "tests/unit/torch_file.h"

#include <ferry/sys/alloc.h>
#include <ferry/sys/build.h>
#include <ferry/sys/sink.h>

#include "formats/pickle/pickle.h"
#include "formats/torch/allowed.h"
#include "formats/zip/zip.h"

TestSuite(torch, .fini = close_file);

static const float counting[12] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 };

static void expect_basic(void)
{
	static const float columns[12] = { 0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7,
					   11 };

	expect_floats("a", counting, 12);
	expect_floats("t", columns, 12);
	expect_floats("row", counting + 5, 2);
	expect_floats("scalar", counting + 7, 1);
	cr_assert_eq(tensor_at("scalar")->ndim, 0);
	cr_assert_eq(tensor_at("empty")->shape[1], 3);
	cr_assert_eq(tensor_at("mask")->dtype, FERRY_BOOL8);
	cr_assert_eq(tensor_at("half")->dtype, FERRY_F16);
	cr_assert_eq(at("epoch")->u.i, 3);
	cr_assert(ferry_value_is(at("name"), "n\xc3\xa9"));
}

/* ---- archives ---------------------------------------------------------- */

Test(torch, reads_views_of_one_storage)
{
	must_read(torch_read, "basic.pt");
	expect_basic();
	cr_assert_eq(tensor_at("a")->storage, tensor_at("t")->storage);
	cr_assert_eq(tensor_at("a")->storage, tensor_at("row")->storage);
	cr_assert_neq(tensor_at("a")->storage, tensor_at("half")->storage);
	cr_assert_eq(at("tied"), at("tied2"), "one object twice");
	expect_about("kind", "torch.save");
	expect_about("writer", "torch 2.7 or later");
	expect_about("byteorder", "little");
	cr_assert_eq(ferry_dict_get(doc->about, "version")->u.i, 3);
	cr_assert_eq(ferry_dict_get(doc->about, "alignment")->u.i, 64);
	cr_assert_eq(ferry_findings_count(doc->findings), 0);
}

Test(torch, reads_what_torch_reads)
{
	static const char *const names[] = {
		"protocol4.pt", "deflated.pt", "dot_version.pt", "trailing.pt",
		"wrong_crc.pt", "no_crcs.pt", "upper.pt",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		must_read(torch_read, names[i]);
		expect_basic();
		cr_assert_eq(ferry_findings_count(doc->findings), 0, "%s",
			     names[i]);
		close_file();
	}
}

Test(torch, reads_with_a_warning_what_torch_refuses)
{
	static const char *const names[][2] = {
		{ "no_version.pt", "no-version" },
		{ "no_folder.pt", "folder" },
		{ "macosx.pt", "folder" },
		{ "embedded.pt", "embedded" },
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		must_read(torch_read, names[i][0]);
		expect_basic();
		expect_finding(names[i][1]);
		close_file();
	}
}

static void expect_lost(const char *name, size_t i, const char *code,
			const char *text)
{
	const struct ferry_finding *f = ferry_findings_get(doc->findings, i);

	cr_assert_not_null(f, "%s", name);
	cr_expect_eq(f->level, FERRY_WARNING);
	cr_expect_str_eq(f->code, code);
	cr_expect(strstr(f->text, text), "%s: %s", name, f->text);
}

Test(torch, records_that_are_not_read_are_told)
{
	must_read(torch_read, "extra.pt");
	expect_basic();
	expect_lost("extra.pt", 0, "files", "2 records of the archive are no "
		    "part of the checkpoint: extra/notes.txt, data/99");
	cr_expect_eq(ferry_findings_count(doc->findings), 1);
	close_file();
	must_read(torch_read, "script_extra.pt");
	expect_lost("script_extra.pt", 0, "files", "extra/labels.json");
	expect_lost("script_extra.pt", 1, "program", "code");
	close_file();
	must_read(torch_read, "basic.pt");
	cr_expect_eq(ferry_findings_count(doc->findings), 0);
}

Test(torch, keys_are_opaque_texts)
{
	must_read(torch_read, "pointer_keys.pt");
	expect_floats("a", counting, 6);
	expect_about("writer", "torch 1.6 to 1.8");
	close_file();
	must_read(torch_read, "old_numeric_keys.pt");
	expect_about("writer", "torch 1.9 to 2.0");
	for (int64_t i = 0; i < 12; i++) {
		char name[8];
		int64_t got = -1;

		snprintf(name, sizeof(name), "%d", (int)i);
		cr_assert_eq(ferry_tensor_read(tensor_at(name), 0, 1, &got,
					       &err), 0);
		cr_assert_eq(got, i);
	}
}

Test(torch, refuses_damaged_archives)
{
	must_fail(torch_read, "truncated.pt", FERRY_MALFORMED, "cut off");
	must_fail(torch_read, "missing.pt", FERRY_MALFORMED,
		  "record data/0 is missing");
	must_fail(torch_read, "short.pt", FERRY_MALFORMED,
		  "record data/0 is short: it has 44 bytes");
	must_fail(torch_read, "duplicate.pt", FERRY_MALFORMED, "twice");
	must_fail(torch_read, "overlap.pt", FERRY_MALFORMED, "overlaps");
	must_fail(torch_read, "encrypted.pt", FERRY_UNSUPPORTED, "encrypted");
	must_fail(torch_read, "bomb.pt", FERRY_MALFORMED, "can hold");
	must_fail(torch_read, "two_folders.pt", FERRY_MALFORMED,
		  "two checkpoints");
}

Test(torch, takes_versions_from_1_to_10)
{
	must_fail(torch_read, "version_0.pt", FERRY_MALFORMED, "from 1 to 10");
	must_fail(torch_read, "version_abc.pt", FERRY_MALFORMED,
		  "from 1 to 10");
	must_fail(torch_read, "version_11.pt", FERRY_UNSUPPORTED, "says 11");
}

Test(torch, swaps_the_data_of_big_endian_files)
{
	uint16_t u[2];
	float c[2];
	uint8_t b[2];

	must_read(torch_read, "big_endian.pt");
	expect_about("byteorder", "big");
	expect_floats("f", counting, 6);
	cr_assert_eq(ferry_tensor_read(tensor_at("u"), 0, 2, u, &err), 0);
	cr_assert_eq(u[1], 515);
	cr_assert_eq(ferry_tensor_read(tensor_at("c"), 0, 1, c, &err), 0);
	cr_assert_eq(c[0], 1);
	cr_assert_eq(c[1], 2);
	cr_assert_eq(ferry_tensor_read(tensor_at("b"), 0, 2, b, &err), 0);
	cr_assert_eq(b[0], 1);
	expect_finding("big-endian-untyped");
	close_file();
	must_fail(torch_read, "big_endian_mixed.pt", FERRY_UNSUPPORTED,
		  "two sizes");
}

/* ---- tensors ----------------------------------------------------------- */

Test(torch, reads_dtypes_without_a_storage_class)
{
	uint64_t u[3];

	must_read(torch_read, "newer.pt");
	cr_assert_eq(tensor_at("f8")->dtype, FERRY_F8_E4M3FN);
	cr_assert_eq(tensor_at("u16")->dtype, FERRY_U16);
	cr_assert(tensor_at("u64")->storage->flags & FERRY_UNTYPED);
	cr_assert_eq(ferry_tensor_read(tensor_at("u64"), 0, 3, u, &err), 0);
	cr_assert_eq(u[2], 2);
}

Test(torch, parameters_keep_their_tensor_as_payload)
{
	struct ferry_value *tagged;

	must_read(torch_read, "parameters.pt");
	cr_assert_eq(at("plain")->kind, FERRY_OBJECT);
	cr_assert_eq(tensor_at("plain")->shape[0], 3);
	cr_assert_eq(tensor_at("noted")->shape[0], 2);
	tagged = at("tagged");
	cr_assert_eq(tagged->u.object->payload, 2);
	cr_assert_eq(tensor_at("tagged")->dtype, FERRY_F32);
}

Test(torch, conjugate_and_negative_bits_are_resolved_when_read)
{
	float c[4], n[2];

	must_read(torch_read, "conj.pt");
	cr_assert_eq(tensor_at("c")->flags, FERRY_CONJ);
	cr_assert_eq(ferry_tensor_read(tensor_at("c"), 0, 2, c, &err), 0);
	cr_assert_eq(c[1], -2);
	cr_assert_eq(c[3], -3);
	cr_assert_eq(tensor_at("n")->flags, FERRY_NEG);
	cr_assert_eq(ferry_tensor_read(tensor_at("n"), 0, 2, n, &err), 0);
	cr_assert_eq(n[0], -1);
}

static const struct ferry_value *torch_extra(const char *path, const char *key)
{
	const struct ferry_value *extra = tensor_at(path)->extra;

	cr_assert_not_null(extra, "%s", path);
	return ferry_dict_get(ferry_dict_get(extra, "torch"), key);
}

Test(torch, quantised_tensors_carry_their_quantizer)
{
	const struct ferry_value *q;

	must_read(torch_read, "quantized.pt");
	cr_assert_eq(tensor_at("t")->dtype, FERRY_QU8);
	q = torch_extra("t", "quantizer");
	cr_assert_eq(q->u.list.n, 3);
	cr_assert_eq(q->u.list.items[1]->u.f, 0.5);
	q = torch_extra("c", "quantizer");
	cr_assert_eq(q->u.list.items[1]->kind, FERRY_TENSOR);
}

Test(torch, unknown_metadata_is_kept)
{
	const struct ferry_value *m;

	must_read(torch_read, "metadata.pt");
	cr_assert_eq(tensor_at("x")->flags, FERRY_CONJ);
	m = torch_extra("x", "metadata");
	cr_assert(ferry_value_is(ferry_dict_get(m, "vendor"), "x"));
}

Test(torch, sparse_tensors_are_objects_around_tensors)
{
	must_read(torch_read, "sparse.pt");
	cr_assert_eq(at("coo")->kind, FERRY_OBJECT);
	cr_assert_eq(at("coo.1.1")->kind, FERRY_TENSOR);
	cr_assert_eq(at("csr.1.2")->kind, FERRY_TENSOR);
}

Test(torch, meta_tensors_have_no_storage)
{
	must_read(torch_read, "meta.pt");
	cr_assert_eq(tensor_at("m")->flags, FERRY_META);
	cr_assert_null(tensor_at("m")->storage);
	cr_assert_eq(tensor_at("m")->shape[1], 3);
}

Test(torch, bare_storages_are_values)
{
	must_read(torch_read, "bare_storages.pt");
	cr_assert_eq(at("s")->kind, FERRY_STORAGE);
	cr_assert_eq(at("s")->u.st.storage->nbytes, 16);
	cr_assert(at("s")->u.st.storage->flags & FERRY_UNTYPED);
	cr_assert_eq(at("t")->u.st.storage->dtype, FERRY_I64);
}

Test(torch, reads_the_first_rebuild_call)
{
	must_read(torch_read, "tensor_v1.pt");
	expect_floats("x", counting + 2, 4);
}

Test(torch, state_dicts_keep_their_metadata)
{
	must_read(torch_read, "state_dict.pt");
	cr_assert_eq(tensor_at("fc.weight")->shape[1], 3);
	cr_assert_not_null(ferry_value_items(doc->root));
	cr_assert_not_null(ferry_dict_get(doc->root->u.object->state,
					  "_metadata"));
}

Test(torch, a_storage_named_twice_goes_by_its_first_class)
{
	must_read(torch_read, "two_classes.pt");
	cr_assert_eq(tensor_at("1")->dtype, FERRY_F32);
	cr_assert_eq(tensor_at("0")->storage, tensor_at("1")->storage);
	expect_finding("storage-class");
}

Test(torch, refuses_tensors_that_are_not)
{
	must_fail(torch_read, "out_of_bounds.pt", FERRY_MALFORMED,
		  "archive/data/0");
	must_fail(torch_read, "negative_stride.pt", FERRY_MALFORMED, "stride");
	must_fail(torch_read, "overflow.pt", FERRY_MALFORMED, "overflow");
	must_fail(torch_read, "few_arguments.pt", FERRY_MALFORMED,
		  "4 arguments");
	must_fail(torch_read, "rank.pt", FERRY_LIMIT, "65 dimensions");
	must_fail(torch_read, "ranks_differ.pt", FERRY_MALFORMED,
		  "one length");
	must_fail(torch_read, "not_storage.pt", FERRY_MALFORMED,
		  "not a storage");
	must_fail(torch_read, "unknown_storage.pt", FERRY_UNSUPPORTED,
		  "OddStorage");
	must_fail(torch_read, "unknown_pid.pt", FERRY_MALFORMED,
		  "another kind");
	must_fail(torch_read, "protocol0.pt", FERRY_UNSUPPORTED,
		  "protocol 0");
}

Test(torch, calls_of_any_name_are_data)
{
	const struct ferry_object *o;

	must_read(torch_read, "unknown_class.pt");
	o = at("x")->u.object;
	cr_assert(ferry_value_is_global(o->callable, "os", "system"));
	expect_floats("w", counting, 6);
}

#define SEED "../fuzz/torch/"

/* What a storage that was given a state or items has become. */
static const struct ferry_object *changed_storage(const char *path)
{
	const struct ferry_object *o;

	cr_assert_eq(at(path)->kind, FERRY_OBJECT);
	o = at(path)->u.object;
	cr_assert_eq(o->form, FERRY_FORM_SELF);
	cr_assert_eq(o->args->u.list.items[0]->kind, FERRY_STORAGE);
	cr_assert_eq(o->args->u.list.items[0]->u.st.storage->nbytes, 16);
	return o;
}

Test(torch, a_storage_given_a_state_is_the_same_when_named_again)
{
	must_read(torch_read, SEED "storage_given_state");
	cr_assert_not_null(changed_storage("0")->state);
	cr_assert_eq(at("0"), at("1"));
	close_file();
	must_read(torch_read, SEED "storage_given_state_int");
	cr_assert_eq(changed_storage("0")->state->u.i, 1);
	cr_assert_eq(at("0"), at("1"));
}

Test(torch, a_call_over_a_storage_with_items_is_left_as_it_is)
{
	must_read(torch_read, SEED "storage_given_items");
	cr_assert_not_null(changed_storage("0")->list);
	cr_assert_eq(at("1")->kind, FERRY_OBJECT);
	cr_assert_eq(at("1")->u.object->args->u.list.items[0], at("0"));
	close_file();
	must_read(torch_read, SEED "storage_given_pairs");
	cr_assert_not_null(changed_storage("0")->dict);
	cr_assert_eq(at("1")->u.object->args->u.list.items[0], at("0"));
}

Test(torch, rebuilds_of_rebuilds_from_a_type_are_left_as_they_are)
{
	int r;

	must_read(torch_read, SEED "from_type_in_from_type");
	cr_assert_eq(doc->root->kind, FERRY_OBJECT);
	cr_assert_lt(doc->root->u.object->payload, 0);
	cr_assert_eq(doc->root->u.object->args->u.list.items[2]->kind,
		     FERRY_TUPLE);
	close_file();
	r = try_read(torch_read, SEED "from_type_nested");
	cr_assert(!r || r == FERRY_LIMIT, "%d %s", r, err.text);
}

Test(torch, names_are_compared_to_their_end)
{
	static const char *const others[] = { "0", "1", "2", "3", "4", "6" };

	must_read(torch_read, SEED "names_with_nul");
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		cr_assert_eq(at(others[i])->kind, FERRY_OBJECT, "%s",
			     others[i]);
	cr_assert_eq(at("5")->kind, FERRY_TENSOR);
}

Test(torch, arguments_may_be_objects_without_a_class)
{
	must_fail(torch_read, SEED "size_extension", FERRY_MALFORMED,
		  "size and stride");
	must_read(torch_read, SEED "hooks_extension");
	cr_assert_eq(torch_extra("0", "hooks")->kind, FERRY_OBJECT);
}

Test(torch, four_states_are_not_one_of_four)
{
	must_read(torch_read, SEED "four_states");
	cr_assert_eq(at("0")->kind, FERRY_OBJECT);
	cr_assert(at("0")->u.object->flags & FERRY_STATES);
}

Test(torch, a_big_endian_storage_named_with_more_is_swapped_in_full)
{
	must_read(torch_read, SEED "big_endian_grows");
	expect_floats("0", counting, 2);
	expect_floats("1", counting, 4);
	cr_assert_eq(tensor_at("0")->storage, tensor_at("1")->storage);
}

/* ---- probes ------------------------------------------------------------ */

static void fill_probe(struct ferry_probe *p, uint8_t *head, uint8_t *tail,
		       const char *name)
{
	*p = (struct ferry_probe){ .head = head, .tail = tail, .name = name,
				   .nbytes = file->nbytes };
	p->nhead = p->ntail = file->nbytes < FERRY_PROBE_BYTES ?
		(size_t)file->nbytes : FERRY_PROBE_BYTES;
	cr_assert_eq(ferry_source_read(file, head, 0, p->nhead, &err), 0);
	cr_assert_eq(ferry_source_read(file, tail, file->nbytes - p->ntail,
				       p->ntail, &err), 0);
}

Test(torch, each_format_knows_its_own)
{
	static const struct {
		const char *name;
		int save, script, legacy, tar;
	} files[] = {
		{ "basic.pt", 100, 0, 0, 0 },
		{ "deflated.pt", 100, 0, 0, 0 },
		{ "embedded.pt", 80, 0, 0, 0 },
		{ "script.pt", 50, 100, 0, 0 },
		{ "script_frozen.pt", 50, 100, 0, 0 },
		{ "legacy.pt", 0, 0, 100, 0 },
		{ "legacy_views_p1.pt", 0, 0, 100, 0 },
		{ "legacy_views_p4.pt", 0, 0, 100, 0 },
		{ "tar.pt", 0, 0, 0, 100 },
		{ "tar_gnu.pt", 0, 0, 0, 100 },
	};
	uint8_t head[FERRY_PROBE_BYTES], tail[FERRY_PROBE_BYTES];
	struct ferry_probe p;

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		open_file(files[i].name);
		fill_probe(&p, head, tail, "x.bin");
		cr_assert_eq(torch_probe(&p), files[i].save, "%s",
			     files[i].name);
		cr_assert_eq(torch_script_probe(&p), files[i].script, "%s",
			     files[i].name);
		cr_assert_eq(torch_legacy_probe(&p), files[i].legacy, "%s",
			     files[i].name);
		cr_assert_eq(torch_tar_probe(&p), files[i].tar, "%s",
			     files[i].name);
		close_file();
	}
}

/* ---- scanning and verifying -------------------------------------------- */

static struct ferry_value *scan(const char *name)
{
	struct ferry_input in = { .path = "" };
	struct ferry_value *out = NULL;

	open_file(name);
	cr_assert_eq(ferry_document_new(&doc, NULL, &err), 0);
	in.source = file;
	cr_assert_eq(torch_scan(&in, doc->store, &out, &err), 0, "%s",
		     err.text);
	return out;
}

Test(torch, scan_tells_what_weights_only_takes)
{
	struct ferry_value *report = scan("basic.pt");

	cr_assert(ferry_value_is(ferry_dict_get(report, "weights_only"),
				 "loads"));
	cr_assert(ferry_value_is(ferry_dict_get(report, "weights_only_1_13"),
				 "loads"));
	cr_assert_eq(ferry_dict_get(report, "protocol")->u.i, 2);
	close_file();
	report = scan("newer.pt");
	cr_assert(ferry_value_is(ferry_dict_get(report, "weights_only"),
				 "loads"));
	cr_assert(ferry_value_is(ferry_dict_get(report, "weights_only_1_13"),
				 "refused"));
	close_file();
	report = scan("protocol4.pt");
	cr_assert(ferry_value_is(ferry_dict_get(report, "weights_only"),
				 "refused"));
	cr_assert_gt(ferry_dict_get(report, "opcodes_refused")->u.list.n, 0);
}

Test(torch, scan_names_what_is_dangerous)
{
	struct ferry_value *report = scan("unknown_class.pt"), *first;

	cr_assert_eq(ferry_dict_get(report, "dangerous")->u.i, 1);
	first = ferry_dict_get(report, "globals")->u.list.items[0];
	cr_assert(ferry_value_is(ferry_dict_get(first, "module"), "os"));
	cr_assert(ferry_dict_get(first, "dangerous")->u.b);
	cr_assert(ferry_value_is(ferry_dict_get(first, "weights_only"),
				 "refused"));
}

Test(torch, scan_of_a_broken_pickle_tells_what_came_before)
{
	static const char pickle[] =
		"\x80\x02" "cos\nsystem\n(X\1\0\0\0xtR\xff";
	struct ferry_input in = { .path = "" };
	struct ferry_value *report = NULL;

	cr_assert_eq(ferry_source_from_memory(&file, pickle,
					      sizeof(pickle) - 1, "x", &err),
		     0);
	cr_assert_eq(ferry_document_new(&doc, NULL, &err), 0);
	in.source = file;
	cr_assert_eq(torch_pickle_scan(&in, doc->store, &report, &err), 0,
		     "%s", err.text);
	cr_assert_eq(ferry_dict_get(report, "dangerous")->u.i, 1);
	cr_assert_not_null(ferry_dict_get(report, "broken"));
	cr_assert(ferry_value_is(ferry_dict_get(report, "weights_only"),
				 "refused"));
}

Test(torch, allow_lists_are_those_of_the_releases)
{
	cr_assert_eq(torch_allowed_global("torch", "FloatStorage"),
		     TORCH_1_13 | TORCH_2_13);
	cr_assert_eq(torch_allowed_global("torch", "bfloat16"), TORCH_2_13);
	cr_assert_eq(torch_allowed_global("__builtin__", "set"), TORCH_2_13);
	cr_assert_eq(torch_allowed_global("torch._utils",
					  "_rebuild_sparse_csr_tensor"),
		     TORCH_1_13);
	cr_assert_eq(torch_allowed_global("os", "system"), 0);
	cr_assert_eq(torch_allowed_opcode('G'), TORCH_2_13);
	cr_assert_eq(torch_allowed_opcode(0x94), 0);
	cr_assert(pickle_is_dangerous("__builtin__", "eval"));
	cr_assert(pickle_is_dangerous("os.path", "join"));
	cr_assert_not(pickle_is_dangerous("osmosis", "x"));
	cr_assert_not(pickle_is_dangerous("collections", "OrderedDict"));
}

Test(torch, verify_warns_of_wrong_checksums)
{
	struct ferry_input in = { .path = "" };
	struct ferry_findings *f;

	must_read(torch_read, "wrong_crc.pt");
	in.source = file;
	cr_assert_eq(ferry_findings_new(&f, &err), 0);
	cr_assert_eq(torch_verify(&in, doc, NULL, f, &err), 0);
	cr_assert_eq(ferry_findings_count(f), 1);
	cr_assert_str_eq(ferry_findings_get(f, 0)->path, "basic/data/0");
	cr_assert_eq(ferry_findings_get(f, 0)->level, FERRY_WARNING);
	ferry_findings_free(f);
}

/* ---- writing ----------------------------------------------------------- */

static struct ferry_work work = { .no_sync = true, .threads = 1 };
static char dir[64], path[96];

static void write_document(void)
{
	struct ferry_output *output;

	snprintf(dir, sizeof(dir), "/tmp/ferry-torch-XXXXXX");
	cr_assert_not_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/out.v2.pt", dir);
	cr_assert_eq(ferry_output_new(&output, path, false, NULL, 0, &work,
				      &err), 0, "%s", err.text);
	cr_assert_eq(torch_write(doc, output, NULL, NULL, &err), 0, "%s",
		     err.text);
	cr_assert_eq(ferry_output_commit(output, &err), 0, "%s", err.text);
	ferry_output_free(output);
}

static void remove_written(void)
{
	unlink(path);
	rmdir(dir);
}

Test(torch, what_is_written_reads_back_equal)
{
	static const char *const names[] = {
		"basic.pt", "parameters.pt", "conj.pt", "newer.pt",
		"quantized.pt", "sparse.pt", "meta.pt", "large_view.pt",
		"bare_storages.pt", "state_dict.pt", "refused.pt",
		"metadata.pt", "tensor_v1.pt", "big_endian.pt",
		"unknown_class.pt",
	};
	static const struct ferry_compare exactly = {
		.data = true, .strides = true, .sharing = true,
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct ferry_document *before;
		struct ferry_source *source;
		struct ferry_findings *f;
		int r;

		must_read(torch_read, names[i]);
		before = doc;
		source = file;
		write_document();
		open_path(path);
		cr_assert_eq(read_opened(torch_read), 0, "%s: %s", names[i],
			     err.text);
		cr_assert_eq(ferry_findings_new(&f, &err), 0);
		r = ferry_document_compare(before, doc, &exactly, f, &err);
		cr_assert_eq(r, 1, "%s: %s %s", names[i],
			     r ? err.text : ferry_findings_get(f, 0)->path,
			     r ? "" : ferry_findings_get(f, 0)->text);
		ferry_findings_free(f);
		close_file();
		ferry_document_free(before);
		ferry_source_unref(source);
		remove_written();
	}
}

Test(torch, records_lie_as_torch_lays_them)
{
	static const char *const order[] = {
		"out.v2/data.pkl", "out.v2/byteorder", "out.v2/data/0",
		"out.v2/data/1", "out.v2/data/2",
	};
	struct zip *z;

	must_read(torch_read, "basic.pt");
	write_document();
	close_file();
	open_path(path);
	cr_assert_eq(zip_open(&z, file, false, &err), 0);
	cr_assert_eq(zip_count(z), 9);
	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++)
		cr_assert_str_eq(zip_member(z, i)->name, order[i]);
	cr_assert_str_eq(zip_member(z, 8)->name, "out.v2/version");
	for (size_t i = 0; i < zip_count(z); i++) {
		struct ferry_source *src;
		uint64_t place;
		int fd;

		cr_assert_eq(zip_member_source(z, zip_member(z, i), &src,
					       &err), 0);
		if (ferry_source_file_range(src, 0, src->nbytes, &fd, &place))
			cr_assert_eq(place % 64, 0);
		ferry_source_unref(src);
	}
	zip_free(z);
	remove_written();
}

Test(torch, a_script_is_a_loss_and_a_state_dict_is_none)
{
	struct ferry_findings *f;

	cr_assert_eq(ferry_findings_new(&f, &err), 0);
	must_read(torch_read, "state_dict.pt");
	cr_assert_eq(torch_losses(doc, NULL, f, &err), 0);
	cr_assert_eq(ferry_findings_count(f), 0);
	close_file();
	must_read(torch_read, "script.pt");
	cr_assert_eq(torch_losses(doc, NULL, f, &err), 0);
	cr_assert_eq(ferry_findings_count_level(f, FERRY_WARNING), 1);
	cr_assert_str_eq(ferry_findings_get(f, 0)->code, "torchscript");
	ferry_findings_free(f);
}

/* An extra {"numpy": {key: "<U4"}} */
static void note_numpy(struct ferry_value *tensor, const char *key)
{
	struct ferry_value *numpy = ferry_dict(doc->store, 1);
	struct ferry_value *extra = ferry_dict(doc->store, 1);

	ferry_dict_set_str(doc->store, numpy, key,
			   ferry_cstring(doc->store, "<U4"));
	ferry_dict_set_str(doc->store, extra, "numpy", numpy);
	tensor->u.tensor->extra = extra;
}

Test(torch, arrays_of_texts_are_a_loss_and_those_of_pickles_are_none)
{
	struct ferry_places places;
	struct ferry_value *tensor;
	struct ferry_findings *f;

	cr_assert_eq(ferry_findings_new(&f, &err), 0);
	must_read(torch_read, "state_dict.pt");
	cr_assert_eq(ferry_places_init(&places, doc, &err), 0);
	tensor = places.items[0].value;
	ferry_places_release(&places);
	note_numpy(tensor, "rebuild");
	cr_assert_eq(torch_losses(doc, NULL, f, &err), 0);
	cr_assert_eq(ferry_findings_count(f), 0);
	note_numpy(tensor, "descr");
	cr_assert_eq(torch_losses(doc, NULL, f, &err), 0);
	cr_assert_eq(ferry_findings_count_level(f, FERRY_WARNING), 1);
	cr_assert_str_eq(ferry_findings_get(f, 0)->code, "numpy-type");
	cr_assert(strstr(ferry_findings_get(f, 0)->text, "(<U4)"));
	ferry_findings_free(f);
}

Test(torch, storages_of_1_4_lie_in_another_folder)
{
	static const float w[4] = { 0, 1, 2, 3 };

	must_read(torch_read, "tensors_folder.pt");
	expect_about("writer", "torch 1.4 or 1.5");
	expect_floats("w", w, 4);
}

/* ---- memory ------------------------------------------------------------ */

Test(torch, every_failed_allocation_is_reported)
{
	int r = FERRY_NOMEM;

	open_file("quantized.pt");
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

static int write_failing_at(uint64_t nth)
{
	struct ferry_output *output;
	int r;

	ferry_error_clear(&err);
	ferry_alloc_fail_at(nth);
	r = ferry_output_new(&output, path, false, NULL, 0, &work, &err);
	if (!r) {
		r = torch_write(doc, output, NULL, NULL, &err);
		if (!r)
			r = ferry_output_commit(output, &err);
		ferry_output_free(output);
	}
	ferry_alloc_fail_at(0);
	return r;
}

Test(torch, a_write_without_memory_leaves_no_file)
{
	int r = FERRY_NOMEM;

	must_read(torch_read, "quantized.pt");
	snprintf(dir, sizeof(dir), "/tmp/ferry-torch-XXXXXX");
	cr_assert_not_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/out.pt", dir);
	for (uint64_t nth = 1; r; nth++) {
		r = write_failing_at(nth);
		cr_assert(!r || r == FERRY_NOMEM, "%d %s", r, err.text);
		cr_assert(!r || access(path, F_OK), "nth %d", (int)nth);
		cr_assert_lt(nth, 5000);
	}
	remove_written();
}
