/* Documents written as safetensors and read again: nothing may be missing. */
#include "config.h"

#include "formats/safetensors/safetensors.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include <ferry/sys/alloc.h>
#include <ferry/sys/buffer.h>
#include <ferry/sys/bytes.h>

#include "core/registry/option.h"

static char folder[64];
static struct ferry_document *doc;
static struct ferry_store *store;
static struct ferry_findings *notes;
static struct ferry_error err;

static void set_up(void)
{
	snprintf(folder, sizeof(folder), "/tmp/ferry-test-XXXXXX");
	cr_assert(mkdtemp(folder));
	cr_assert_eq(chdir(folder), 0);
	ferry_error_clear(&err);
	cr_assert_eq(ferry_document_new(&doc, NULL, &err), 0);
	cr_assert_eq(ferry_findings_new(&notes, &err), 0);
	store = doc->store;
}

static void tear_down(void)
{
	char command[128];

	ferry_document_free(doc);
	ferry_findings_free(notes);
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	cr_assert_eq(system(command), 0);
}

TestSuite(safetensors, .init = set_up, .fini = tear_down);

/* ---- documents ----------------------------------------------------------- */

/* A storage of bytes 1, 2, 3, ... */
static struct ferry_storage *make_storage(enum ferry_dtype dtype,
					  uint64_t nbytes)
{
	struct ferry_source *src;
	unsigned char *data = ferry_alloc((size_t)nbytes + 1);

	cr_assert(data);
	for (uint64_t i = 0; i < nbytes; i++)
		data[i] = (unsigned char)(dtype == FERRY_BOOL8 ? i & 1 :
							    i + 1);
	cr_assert_eq(ferry_source_take_memory(&src, data, (size_t)nbytes, "m",
					      &err), 0);
	cr_assert_eq(ferry_store_take_source(store, src), 0);
	return ferry_storage(store, dtype, src, 0, nbytes);
}

static struct ferry_value *view(struct ferry_storage *st,
				enum ferry_dtype dtype, unsigned ndim,
				const uint64_t *shape, const int64_t *strides,
				uint64_t offset)
{
	struct ferry_value *v = ferry_tensor(store, dtype, ndim, shape,
					     strides, offset, st);

	cr_assert_eq(ferry_tensor_check(v->u.tensor, "view", &err), 0, "%s",
		     err.text);
	return v;
}

#define SHAPE(...) (const uint64_t[]){ __VA_ARGS__ }
#define STRIDES(...) (const int64_t[]){ __VA_ARGS__ }

static struct ferry_value *vector(enum ferry_dtype dtype, uint64_t n)
{
	unsigned bits = ferry_dtype_bits(dtype);

	return view(make_storage(dtype, (n * bits + 7) / 8), dtype, 1,
		    SHAPE(n), NULL, 0);
}

static void set(const char *key, struct ferry_value *value)
{
	if (!doc->root)
		doc->root = ferry_dict(store, 0);
	cr_assert_eq(ferry_dict_set_str(store, doc->root, key, value), 0);
}

static struct ferry_value *ordered_dict(struct ferry_value *dict)
{
	static const char module[] = "collections", name[] = "OrderedDict";
	struct ferry_value *v;

	v = ferry_object(store, FERRY_FORM_CALL,
			 ferry_global(store, module, sizeof(module) - 1, name,
				      sizeof(name) - 1),
			 ferry_sequence(store, FERRY_TUPLE, 0), NULL);
	v->u.object->dict = dict;
	return v;
}

/* ---- writing and reading ------------------------------------------------- */

static int write_file(const char *name, const char *setting)
{
	const struct ferry_options options = {
		.specs = safetensors_write_options,
		.settings = &setting,
		.n = setting != NULL,
	};
	struct ferry_work work = { .no_sync = true };
	struct ferry_output *output;
	int rc = safetensors_losses(doc, &options, notes, &err);

	if (!rc)
		rc = ferry_output_new(&output, name, true, NULL, 0, &work,
				      &err);
	if (rc)
		return rc;
	rc = safetensors_write(doc, output, &options, notes, &err);
	if (!rc)
		rc = ferry_output_commit(output, &err);
	ferry_output_free(output);
	return rc;
}

static int read_file(const char *name, struct ferry_document **out)
{
	struct ferry_input in = { .path = name };
	int rc = ferry_source_open_file(&in.source, name, &err);

	if (rc)
		return rc;
	cr_assert_eq(ferry_document_new(out, store, &err), 0);
	rc = safetensors_read(&in, *out, &err);
	if (!rc)
		rc = ferry_document_check(*out, &err);
	(*out)->format = "safetensors";
	ferry_source_unref(in.source);
	return rc;
}

static void expect_equal(struct ferry_document *back)
{
	const struct ferry_compare how = {
		.data = true, .strides = true, .sharing = true,
	};
	struct ferry_findings *found;
	int rc;

	cr_assert_eq(ferry_findings_new(&found, &err), 0);
	rc = ferry_document_compare(doc, back, &how, found, &err);
	cr_assert_eq(rc, 1, "%s: %s", ferry_findings_count(found) ?
		     ferry_findings_get(found, 0)->path : "",
		     ferry_findings_count(found) ?
		     ferry_findings_get(found, 0)->text : err.text);
	ferry_findings_free(found);
	cr_assert_eq(ferry_findings_count(back->findings), 0, "%s",
		     ferry_findings_get(back->findings, 0) ?
		     ferry_findings_get(back->findings, 0)->text : "");
}

static void round_trip_as(const char *name, const char *setting,
			  const char *again)
{
	struct ferry_document *back;

	cr_assert_eq(write_file(name, setting), 0, "%s", err.text);
	cr_assert_eq(read_file(again, &back), 0, "%s", err.text);
	expect_equal(back);
	ferry_document_free(back);
}

static void round_trip(void)
{
	round_trip_as("a.safetensors", NULL, "a.safetensors");
}

/* The header of a written file, NUL-terminated; to be freed. */
static char *header_of(const char *name)
{
	unsigned char length[8];
	FILE *file = fopen(name, "rb");
	uint64_t n;
	char *text;

	cr_assert(file);
	cr_assert_eq(fread(length, 1, 8, file), 8);
	n = ferry_le64(length);
	text = calloc(1, (size_t)n + 1);
	cr_assert_eq(fread(text, 1, (size_t)n, file), n);
	fclose(file);
	return text;
}

static void expect_header(const char *name, const char *want)
{
	char *text = header_of(name);

	cr_assert_str_eq(text, want);
	cr_assert_eq(strlen(text) % 8, 0);
	free(text);
}

static bool has_note(const char *code)
{
	for (size_t i = 0; i < ferry_findings_count(notes); i++)
		if (!strcmp(ferry_findings_get(notes, i)->code, code))
			return true;
	return false;
}

static bool is_kept(const char *name)
{
	char *text = header_of(name);
	bool kept = strstr(text, "ferry.document");

	free(text);
	return kept;
}

/* ---- plain files --------------------------------------------------------- */

Test(safetensors, plain_dict_in_reference_order_needs_nothing_else)
{
	set("a", vector(FERRY_I64, 1));
	set("b", vector(FERRY_F32, 2));
	set("c", vector(FERRY_F32, 1));
	set("d", vector(FERRY_BOOL8, 3));
	round_trip();
	expect_header("a.safetensors",
		      "{\"__metadata__\":{\"format\":\"pt\"},"
		      "\"a\":{\"dtype\":\"I64\",\"shape\":[1],"
		      "\"data_offsets\":[0,8]},"
		      "\"b\":{\"dtype\":\"F32\",\"shape\":[2],"
		      "\"data_offsets\":[8,16]},"
		      "\"c\":{\"dtype\":\"F32\",\"shape\":[1],"
		      "\"data_offsets\":[16,20]},"
		      "\"d\":{\"dtype\":\"BOOL\",\"shape\":[3],"
		      "\"data_offsets\":[20,23]}}      ");
	cr_assert_eq(ferry_findings_count(notes), 0);
}

Test(safetensors, another_order_is_kept)
{
	set("b", vector(FERRY_F32, 2));
	set("a", vector(FERRY_F32, 2));
	round_trip();
	cr_assert(is_kept("a.safetensors"));
}

Test(safetensors, empty_dict)
{
	doc->root = ferry_dict(store, 0);
	round_trip();
	expect_header("a.safetensors",
		      "{\"__metadata__\":{\"format\":\"pt\"}}");
}

Test(safetensors, names_of_one_tensor_come_last_without_a_document)
{
	struct ferry_value *a = vector(FERRY_F32, 2);
	const struct ferry_tensor *t = a->u.tensor;

	set("a", a);
	set("tied", view(t->storage, FERRY_F32, 1, t->shape, NULL, 0));
	round_trip();
	cr_assert_not(is_kept("a.safetensors"));
	cr_assert(has_note("shared-tensors"));
}

Test(safetensors, the_tensors_alone_when_asked)
{
	struct ferry_document *back;

	set("b", vector(FERRY_F32, 2));
	set("a", ferry_int(store, 1));
	cr_assert_eq(write_file("a.safetensors", "document=no"), 0);
	cr_assert_not(is_kept("a.safetensors"));
	cr_assert_eq(read_file("a.safetensors", &back), 0);
	cr_assert_eq(back->root->u.dict.n, 1);
	ferry_document_free(back);
	cr_assert(has_note("document"));
}

/* ---- everything else ----------------------------------------------------- */

Test(safetensors, trees_come_back)
{
	struct ferry_value *weights = ferry_dict(store, 0);
	struct ferry_value *state = ferry_dict(store, 0);
	struct ferry_value *model, *list;

	ferry_dict_set_str(store, weights, "fc.weight", vector(FERRY_F32, 6));
	ferry_dict_set_str(store, weights, "fc.bias", vector(FERRY_F16, 3));
	weights->u.dict.pairs[0].value->u.tensor->flags =
		FERRY_REQUIRES_GRAD;
	model = ordered_dict(weights);
	ferry_dict_set_str(store, state, "_metadata", ferry_dict(store, 0));
	model->u.object->state = state;
	list = ferry_sequence(store, FERRY_LIST, 0);
	ferry_list_add(store, list, vector(FERRY_BF16, 4));
	ferry_list_add(store, list, ferry_float(store, NAN));
	ferry_list_add(store, list, list);
	set("model", model);
	set("ema", model);
	set("rest", list);
	set("fc.weight", vector(FERRY_U8, 1));
	round_trip();
}

Test(safetensors, root_of_any_kind)
{
	doc->root = ferry_int(store, 7);
	round_trip();
	doc->root = vector(FERRY_F64, 3);
	round_trip();
}

Test(safetensors, one_value_in_two_places)
{
	struct ferry_value *a = vector(FERRY_F32, 2);

	set("a", a);
	set("b", a);
	round_trip();
	cr_assert(is_kept("a.safetensors"));
}

Test(safetensors, views_of_one_storage)
{
	struct ferry_storage *st = make_storage(FERRY_F32, 96);

	set("all", view(st, FERRY_F32, 2, SHAPE(4, 6), NULL, 0));
	set("t", view(st, FERRY_F32, 2, SHAPE(6, 4), STRIDES(1, 6), 0));
	set("row", view(st, FERRY_F32, 1, SHAPE(6), NULL, 6));
	set("column", view(st, FERRY_F32, 1, SHAPE(4), STRIDES(6), 2));
	set("wide", view(st, FERRY_F32, 2, SHAPE(3, 4), STRIDES(0, 1), 1));
	set("window", view(st, FERRY_F32, 2, SHAPE(3, 4), STRIDES(1, 1), 1));
	set("none", view(st, FERRY_F32, 1, SHAPE(0), NULL, 3));
	set("same", view(st, FERRY_F32, 1, SHAPE(6), NULL, 6));
	round_trip();
	cr_assert(has_note("shared-storage"));
	cr_assert(has_note("repeated-data"));
}

Test(safetensors, transposed_alone)
{
	struct ferry_storage *st = make_storage(FERRY_F64, 48);

	set("t", view(st, FERRY_F64, 2, SHAPE(2, 3), STRIDES(1, 2), 0));
	round_trip();
	set("odd", view(make_storage(FERRY_F32, 12), FERRY_F32, 2,
			SHAPE(1, 3), STRIDES(5, 1), 0));
	round_trip();
}

Test(safetensors, views_of_another_dtype)
{
	struct ferry_storage *st = make_storage(FERRY_U8, 32);

	st->flags = FERRY_UNTYPED;
	set("a", view(st, FERRY_F32, 1, SHAPE(4), NULL, 0));
	set("b", view(st, FERRY_I64, 1, SHAPE(2), NULL, 2));
	set("s", ferry_storage_value(store, st));
	round_trip();
	cr_assert_eq(ferry_value_at(doc->root, "a")->u.tensor->storage->flags,
		     FERRY_UNTYPED);
}

Test(safetensors, storages_alone)
{
	struct ferry_storage *st = make_storage(FERRY_F32, 12);

	set("s", ferry_storage_value(store, st));
	set("again", ferry_value_at(doc->root, "s"));
	set("empty", ferry_storage_value(store, make_storage(FERRY_I8, 0)));
	round_trip();
}

Test(safetensors, conjugated_and_negated)
{
	struct ferry_value *a = vector(FERRY_C64, 4);
	struct ferry_value *b = vector(FERRY_F32, 4);

	a->u.tensor->flags = FERRY_CONJ;
	b->u.tensor->flags = FERRY_NEG;
	set("a", a);
	set("b", b);
	set("c", view(a->u.tensor->storage, FERRY_C64, 1, SHAPE(4), NULL, 0));
	round_trip();
}

Test(safetensors, storage_longer_than_its_tensors)
{
	struct ferry_document *back;
	struct ferry_storage *st = make_storage(FERRY_F32, 64);
	unsigned char data[64];

	set("a", view(st, FERRY_F32, 1, SHAPE(10), NULL, 3));
	set("b", view(make_storage(FERRY_F32, 4096), FERRY_F32, 1, SHAPE(4),
		      NULL, 100));
	cr_assert_eq(write_file("a.safetensors", NULL), 0, "%s", err.text);
	cr_assert(has_note("unreached-bytes"));
	cr_assert_eq(read_file("a.safetensors", &back), 0, "%s", err.text);
	expect_equal(back);
	st = ferry_value_at(back->root, "a")->u.tensor->storage;
	cr_assert_eq(st->nbytes, 64);
	cr_assert_eq(ferry_source_read(st->source, data, st->offset, 64, &err),
		     0);
	for (int i = 0; i < 64; i++)
		cr_assert_eq(data[i], i < 12 || i >= 52 ? 0 : i + 1);
	ferry_document_free(back);
}

/* Each by itself is small enough to be made up. */
Test(safetensors, storages_that_together_are_made_up_of_air)
{
	static const char json[] =
		"{\"__metadata__\":{\"ferry.document\":\"{\\\"$ferry\\\":1,"
		"\\\"document\\\":[";
	struct ferry_buffer b = FERRY_BUFFER_INIT;
	struct ferry_document *back;
	unsigned char length[8];
	FILE *file;

	ferry_buffer_add_str(&b, json);
	for (int i = 0; i < 3; i++)
		ferry_buffer_printf(&b, "%s{\\\"$tensor\\\":\\\"w\\\","
				    "\\\"storage\\\":%d,\\\"nbytes\\\":"
				    "2147483648}", i ? "," : "", i);
	ferry_buffer_add_str(&b, "]}\"},\"w\":{\"dtype\":\"F32\",\"shape\":"
			     "[1],\"data_offsets\":[0,4]}}");
	ferry_put_le64(length, b.n);
	file = fopen("air.safetensors", "wb");
	fwrite(length, 1, 8, file);
	fwrite(b.data, 1, b.n, file);
	fwrite("data", 1, 4, file);
	fclose(file);
	ferry_buffer_release(&b);
	cr_assert_eq(read_file("air.safetensors", &back), FERRY_LIMIT, "%s",
		     err.text);
	cr_assert(strstr(err.text, "gaps=any"));
	ferry_document_free(back);
}

Test(safetensors, storage_hardly_looked_at)
{
	struct ferry_storage *st;
	struct ferry_source *zeros;
	const struct ferry_tensor *t;

	cr_assert_eq(ferry_source_zero(&zeros, UINT64_C(3) << 30, &err), 0);
	cr_assert_eq(ferry_store_take_source(store, zeros), 0);
	st = ferry_storage(store, FERRY_F32, zeros, 0, zeros->nbytes);
	set("a", view(st, FERRY_F32, 1, SHAPE(10), NULL, 1003));
	set("b", view(st, FERRY_F64, 1, SHAPE(4), NULL, 700));
	set("c", view(st, FERRY_F32, 1, SHAPE(10), NULL, 1003));
	round_trip();
	t = ferry_value_at(doc->root, "c")->u.tensor;
	cr_assert_eq(t->offset, 3);
	cr_assert_eq(t->storage->nbytes, 5632 - 4000);
}

Test(safetensors, every_dtype_comes_back)
{
	char name[32];

	for (int d = FERRY_DTYPE_NONE + 1; d < FERRY_N_DTYPES; d++) {
		for (uint64_t n = 0; n < 6; n++) {
			snprintf(name, sizeof(name), "%s.%u",
				 ferry_dtype_name(d), (unsigned)n);
			set(name, vector(d, n));
		}
		snprintf(name, sizeof(name), "%s.0d", ferry_dtype_name(d));
		set(name, view(make_storage(d, (ferry_dtype_bits(d) + 7) / 8),
			       d, 0, SHAPE(1), NULL, 0));
		snprintf(name, sizeof(name), "%s.2d", ferry_dtype_name(d));
		set(name, view(make_storage(d, ferry_dtype_bits(d) * 2), d, 2,
			       SHAPE(4, 4), NULL, 0));
	}
	round_trip();
	cr_assert(has_note("stored-dtype"));
}

Test(safetensors, dtypes_that_others_can_use)
{
	char *text;

	set("c", vector(FERRY_C128, 3));
	set("q", vector(FERRY_QI8, 3));
	set("p", vector(FERRY_QU4X2, 4));
	set("x", vector(FERRY_F4_E2M1_X2, 4));
	round_trip();
	text = header_of("a.safetensors");
	cr_assert(strstr(text, "\"c\":{\"dtype\":\"F64\",\"shape\":[3,2]"));
	cr_assert(strstr(text, "\"q\":{\"dtype\":\"I8\",\"shape\":[3]"));
	cr_assert(strstr(text, "\"p\":{\"dtype\":\"U8\",\"shape\":[2]"));
	cr_assert(strstr(text, "\"x\":{\"dtype\":\"F4\",\"shape\":[8]"));
	free(text);
}

Test(safetensors, tensors_without_data_and_inside_tensors)
{
	struct ferry_value *t = vector(FERRY_QI8, 4);
	struct ferry_value *extra = ferry_dict(store, 0);
	struct ferry_value *meta = ferry_tensor(store, FERRY_F32, 1, SHAPE(9),
						NULL, 0, NULL);

	ferry_dict_set_str(store, extra, "scales", vector(FERRY_F64, 2));
	t->u.tensor->extra = extra;
	meta->u.tensor->flags = FERRY_META;
	set("q", t);
	set("m", meta);
	round_trip();
}

Test(safetensors, names_that_a_header_can_not_hold)
{
	struct ferry_value *dict;

	set("__metadata__", vector(FERRY_U8, 1));
	set("\xed\xa0\x80", vector(FERRY_U8, 2));
	set("\\ud800", vector(FERRY_U8, 3));
	set("", vector(FERRY_U8, 4));
	set("quote\"back\\slash\n\x01", vector(FERRY_U8, 5));
	dict = doc->root;
	ferry_dict_set(store, dict, ferry_string(store, "a\0b", 3),
		       vector(FERRY_U8, 6));
	ferry_dict_set(store, dict, ferry_int(store, 5), vector(FERRY_U8, 7));
	ferry_dict_set(store, dict, ferry_cstring(store, "5"),
		       vector(FERRY_U8, 8));
	round_trip();
	cr_assert(has_note("renamed"));
}

Test(safetensors, long_bytes_are_stored_as_a_tensor)
{
	struct ferry_storage *st = make_storage(FERRY_U8, 3 << 20);
	struct ferry_value *range, *memory;
	char *data = ferry_store_alloc(store, 2 << 20);
	char *text;

	memset(data, 'x', 2 << 20);
	range = ferry_bytes_range(store, st->source, 1, 2 << 20, FERRY_RANGE);
	memory = ferry_bytes(store, data, 2 << 20, FERRY_MUTABLE);
	set("range", range);
	set("memory", memory);
	set("memory again", memory);
	set("short", ferry_bytes(store, "abc", 3, 0));
	round_trip();
	text = header_of("a.safetensors");
	cr_assert_lt(strlen(text), 2000);
	cr_assert(strstr(text, "\"ferry.bytes.0\""));
	cr_assert(strstr(text, "\"ferry.bytes.1\""));
	cr_assert_not(strstr(text, "\"ferry.bytes.2\""));
	free(text);
}

/* ---- files beside -------------------------------------------------------- */

Test(safetensors, long_metadata_goes_into_a_file_beside)
{
	struct ferry_document *back;
	struct ferry_findings *found;
	struct ferry_input in = { .path = "a.safetensors" };

	set("b", vector(FERRY_F32, 2));
	set("a", ferry_cstring(store, "something"));
	round_trip_as("a.safetensors", "header-limit=100", "a.safetensors");
	cr_assert_not(is_kept("a.safetensors"));
	cr_assert_eq(access("a.safetensors.ferry.json", R_OK), 0);
	cr_assert(has_note("sidecar"));

	cr_assert_eq(truncate("a.safetensors.ferry.json", 10), 0);
	cr_assert_eq(read_file("a.safetensors", &back), 0, "%s", err.text);
	cr_assert_eq(back->root->u.dict.n, 1);
	cr_assert_str_eq(ferry_findings_get(back->findings, 0)->code,
			 "sidecar");
	cr_assert_eq(ferry_findings_new(&found, &err), 0);
	cr_assert_eq(ferry_source_open_file(&in.source, in.path, &err), 0);
	cr_assert_eq(safetensors_verify(&in, back, NULL, found, &err), 0, "%s",
		     err.text);
	cr_assert_eq(ferry_findings_count_level(found, FERRY_VIOLATION), 1);
	ferry_source_unref(in.source);
	ferry_findings_free(found);
	ferry_document_free(back);
}

Test(safetensors, shards_are_one_document)
{
	for (int i = 0; i < 10; i++) {
		char name[16];

		snprintf(name, sizeof(name), "w%d", 9 - i);
		set(name, vector(i % 2 ? FERRY_F32 : FERRY_F16, 25));
	}
	set("big", vector(FERRY_F64, 100));
	set("step", ferry_int(store, 3));
	round_trip_as("m.safetensors", "shard-size=200",
		      "m.safetensors.index.json");
	cr_assert_eq(access("m.safetensors", F_OK), -1);
	cr_assert_eq(access("m-00001-of-00006.safetensors", R_OK), 0);
	cr_assert_eq(access("m-00006-of-00006.safetensors", R_OK), 0);
	cr_assert_not(is_kept("m-00001-of-00006.safetensors"));
	cr_assert(has_note("shards"));
}

Test(safetensors, an_index_may_be_named_itself)
{
	set("b", vector(FERRY_F32, 2));
	set("a", vector(FERRY_F32, 2));
	round_trip_as("m.safetensors.index.json", NULL,
		      "m.safetensors.index.json");
	cr_assert_eq(access("m-00001-of-00001.safetensors", R_OK), 0);
	/* what fits one file is one file */
	round_trip_as("n.safetensors", "shard-size=5GB", "n.safetensors");
	cr_assert_eq(access("n.safetensors.index.json", F_OK), -1);
}

Test(safetensors, shards_do_not_leave_an_older_file_in_their_place)
{
	set("a", vector(FERRY_F32, 200));
	set("b", vector(FERRY_F32, 200));
	cr_assert_eq(write_file("m.safetensors", NULL), 0);
	cr_assert_eq(write_file("m.safetensors", "shard-size=1000"),
		     FERRY_EXISTS);
	cr_assert_eq(access("m.safetensors.index.json", F_OK), -1);
	ferry_error_clear(&err);
	cr_assert_eq(write_file("m.safetensors", "shard-size=0"),
		     FERRY_MISUSE);
}

Test(safetensors, sharded_metadata_beside_too)
{
	set("a", vector(FERRY_F32, 2));
	set("b", ferry_none());
	round_trip_as("m.safetensors.index.json", "header-limit=10",
		      "m.safetensors.index.json");
	cr_assert_eq(access("m.safetensors.index.json.ferry.json", R_OK), 0);
}

Test(safetensors, metadata_of_others_goes_along)
{
	struct ferry_value *about = ferry_dict(store, 0);
	struct ferry_value *metadata = ferry_dict(store, 0);
	struct ferry_document *back;

	set("a", vector(FERRY_F32, 2));
	ferry_dict_set_str(store, metadata, "author",
			   ferry_cstring(store, "me"));
	ferry_dict_set_str(store, about, "format",
			   ferry_cstring(store, "mlx"));
	ferry_dict_set_str(store, metadata, "n", ferry_int(store, 3));
	ferry_dict_set_str(store, about, "metadata", metadata);
	doc->about = about;
	doc->format = "safetensors";
	cr_assert_eq(write_file("a.safetensors", NULL), 0);
	cr_assert_eq(read_file("a.safetensors", &back), 0);
	metadata = ferry_dict_get(back->about, "metadata");
	cr_assert(ferry_value_is(ferry_dict_get(metadata, "author"), "me"));
	cr_assert_not(ferry_dict_get(metadata, "format"));
	cr_assert(ferry_value_is(ferry_dict_get(back->about, "format"),
				 "mlx"));
	cr_assert(ferry_value_is(ferry_dict_get(metadata, "n"), "3"));
	ferry_document_free(back);
	doc->format = "torch";
	cr_assert_eq(write_file("a.safetensors", NULL), 0);
	cr_assert_eq(read_file("a.safetensors", &back), 0);
	cr_assert_not(ferry_dict_get(back->about, "metadata"));
	cr_assert(ferry_value_is(ferry_dict_get(back->about, "format"), "pt"));
	ferry_document_free(back);
}

Test(safetensors, ferrys_own_metadata_is_no_metadata_of_others)
{
	struct ferry_document *back;

	set("b", vector(FERRY_F32, 2));
	set("a", ferry_int(store, 1));
	cr_assert_eq(write_file("a.safetensors", NULL), 0);
	cr_assert(is_kept("a.safetensors"));
	cr_assert_eq(read_file("a.safetensors", &back), 0);
	cr_assert_not(ferry_dict_get(back->about, "metadata"));
	ferry_document_free(back);
}

/* ---- many, and not enough ------------------------------------------------ */

Test(safetensors, many_tensors, .timeout = 60)
{
	struct ferry_storage *st = make_storage(FERRY_F32, 200008);
	char name[32];

	for (int i = 0; i < 50000; i++) {
		snprintf(name, sizeof(name), "layer.%d.weight", 50000 - i);
		set(name, i % 50 ? vector(FERRY_F32, 1) :
		    view(st, FERRY_F32, 1, SHAPE(2), NULL, (uint64_t)i));
	}
	round_trip();
}

/* Objects inside objects inside ... as deep as a document may be. */
Test(safetensors, deep_documents)
{
	struct ferry_value *v = vector(FERRY_U8, 1);

	for (int i = 0; i < FERRY_MAX_DEPTH - 1; i++) {
		struct ferry_value *list = ferry_sequence(store, FERRY_LIST,
							  1);

		ferry_list_add(store, list, v);
		v = list;
	}
	doc->root = v;
	round_trip();
}

Test(safetensors, every_failing_allocation_is_an_error)
{
	struct ferry_storage *st = make_storage(FERRY_F32, 96);
	uint64_t n = 0;
	int rc;

	set("all", view(st, FERRY_F32, 2, SHAPE(4, 6), NULL, 0));
	set("t", view(st, FERRY_F32, 2, SHAPE(6, 4), STRIDES(1, 6), 0));
	set("same", view(st, FERRY_F32, 2, SHAPE(4, 6), NULL, 0));
	set("x", ferry_bytes(store, "abc", 3, 0));
	do {
		struct ferry_document *back = NULL;

		cr_assert_lt(n, 5000);
		ferry_error_clear(&err);
		ferry_alloc_fail_at(++n);
		rc = write_file("a.safetensors", NULL);
		ferry_alloc_fail_at(0);
		cr_assert(!rc || rc == FERRY_NOMEM, "%d: %s", rc, err.text);
		ferry_document_free(back);
	} while (rc);
	cr_assert_gt(n, 10);
}

Test(safetensors, every_failing_allocation_of_a_read_is_an_error)
{
	struct ferry_storage *st = make_storage(FERRY_F32, 96);
	struct ferry_input in = { .path = "a.safetensors" };
	uint64_t n = 0;
	int rc;

	set("t", view(st, FERRY_F32, 2, SHAPE(6, 4), STRIDES(1, 6), 0));
	set("same", view(st, FERRY_F32, 1, SHAPE(4), NULL, 0));
	set("x", ferry_bytes(store, "abc", 3, 0));
	cr_assert_eq(write_file(in.path, NULL), 0);
	do {
		struct ferry_document *back = NULL;

		cr_assert_lt(n, 5000);
		ferry_error_clear(&err);
		cr_assert_eq(ferry_source_open_file(&in.source, in.path, &err),
			     0);
		ferry_alloc_fail_at(++n);
		rc = ferry_document_new(&back, NULL, &err);
		if (!rc)
			rc = safetensors_read(&in, back, &err);
		ferry_alloc_fail_at(0);
		ferry_source_unref(in.source);
		ferry_document_free(back);
		cr_assert(!rc || rc == FERRY_NOMEM, "%d: %s", rc, err.text);
	} while (rc);
	cr_assert_gt(n, 10);
}
