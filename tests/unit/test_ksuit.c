/* Files of ksuit and noether: names, keys, layouts, weights renamed. */
#include "config.h"

#include <criterion/criterion.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>

#include <ferry/plan.h>

#include "core/registry/option.h"
#include "plugins/ksuit/ksuit.h"
#include "plugins/ksuit/scalar.h"

static struct ferry_error err = FERRY_ERROR_INIT;
static struct ferry_store *store;
static struct ferry_session *session;

static void open_store(void)
{
	cr_assert_eq(ferry_store_new(&store, &err), 0);
}

static void close_store(void)
{
	ferry_store_unref(store);
}

static void slice_equal(struct slice s, const char *text)
{
	cr_expect(slice_is(s, slice_of(text)), "'%.*s' is not '%s'", (int)s.n,
		  s.p, text);
}

TestSuite(ksuit_names, .init = open_store, .fini = close_store);

/* ---- file names -------------------------------------------------------------- */

static const struct {
	const char *file, *model, *tag, *ema;
	enum part part;
	bool old;
	const char *head, *v1;
} good[] = {
	{ "encoder_cp=latest_model.th", "encoder", "latest", "", PART_MODEL,
	  false, "encoder_cp=latest_model.th", "encoder_cp=latest_model.th" },
	{ "a/b/ae.enc_cp=E10_U200_S800_optim.th", "ae.enc", "E10_U200_S800",
	  "", PART_OPTIM, false, "ae.enc_cp=E10_U200_S800_optim.th",
	  "ae.enc_cp=E10_U200_S800_optim.th" },
	{ "m_ema=0.9999_cp=last_model.th", "m", "last", "0.9999", PART_MODEL,
	  false, "m_ema=0.9999_cp=last_model.th",
	  "m_cp=last_ema=0.9999_model.th" },
	{ "m_cp=E1_U2_S3_ema=1e-05_model.th", "m", "E1_U2_S3", "1e-05",
	  PART_MODEL, true, "m_ema=1e-05_cp=E1_U2_S3_model.th",
	  "m_cp=E1_U2_S3_ema=1e-05_model.th" },
	{ "m_cp=1_cp=best_model.loss.val_trainer.th", "m_cp=1",
	  "best_model.loss.val", "", PART_TRAINER, false,
	  "m_cp=1_cp=best_model.loss.val_trainer.th",
	  "m_cp=1_cp=best_model.loss.val_trainer.th" },
	{ "m_cp=best_model.a.tolerance5_model.th", "m",
	  "best_model.a.tolerance5", "", PART_MODEL, false,
	  "m_cp=best_model.a.tolerance=5_model.th",
	  "m_cp=best_model.a.tolerance5_model.th" },
	{ "m_cp=best_model.a.tolerance=5_model.th", "m",
	  "best_model.a.tolerance=5", "", PART_MODEL, false,
	  "m_cp=best_model.a.tolerance=5_model.th",
	  "m_cp=best_model.a.tolerance5_model.th" },
	{ "dummy_model_ema_cp=latest_model.th", "dummy_model_ema", "latest", "",
	  PART_MODEL, false, "dummy_model_ema_cp=latest_model.th",
	  "dummy_model_ema_cp=latest_model.th" },
	{ "m_ema=x_cp=latest_model.th", "m_ema=x", "latest", "", PART_MODEL,
	  false, "m_ema=x_cp=latest_model.th", "m_ema=x_cp=latest_model.th" },
};

Test(ksuit_names, both_grammars_are_parsed_and_spelled)
{
	struct file_name name;

	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		cr_assert(name_parse(good[i].file, &name), "%s", good[i].file);
		slice_equal(name.model, good[i].model);
		slice_equal(name.tag, good[i].tag);
		slice_equal(name.ema, good[i].ema);
		cr_expect_eq(name.part, good[i].part, "%s", good[i].file);
		cr_expect_eq(name.old, good[i].old, "%s", good[i].file);
		cr_expect_str_eq(name_build(store, &name, true), good[i].head);
		cr_expect_str_eq(name_build(store, &name, false), good[i].v1);
	}
}

Test(ksuit_names, what_is_no_such_name_is_none)
{
	static const char *const bad[] = {
		"", ".th", "model.th", "m_model.th", "m_cp=_model.th",
		"_cp=latest_model.th", "m_cp=latest_model.pt",
		"m_cp=latest_modal.th", "m_cp=latest.th", "m_cp=latest_model.th/",
	};
	struct file_name name;

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		cr_expect(!name_parse(bad[i], &name), "%s", bad[i]);
}

Test(ksuit_names, the_tag_of_the_content_tells_information_apart)
{
	struct file_name name;

	cr_assert(name_parse("m_cp=latest_teacher_model.th", &name));
	slice_equal(name.tag, "latest_teacher");
	name_split_info(&name, slice_of("latest"));
	slice_equal(name.tag, "latest");
	slice_equal(name.info, "teacher");
	cr_expect_str_eq(name_build(store, &name, true),
			 "m_teacher_cp=latest_model.th");
	cr_expect_str_eq(name_build(store, &name, false),
			 "m_cp=latest_teacher_model.th");
}

Test(ksuit_names, iterations_are_found)
{
	struct iteration it;
	struct slice digits;
	int which;

	cr_assert(iteration_at(slice_of("E007_U12_S123_rest"), &it));
	slice_equal(it.digits[0], "7");
	slice_equal(it.digits[2], "123");
	slice_equal(it.text, "E007_U12_S123");
	cr_expect(!iteration_at(slice_of(" E1_U2_S3"), &it));
	cr_expect(!iteration_at(slice_of("E5_UNone_S10"), &it));
	cr_assert(iteration_find(slice_of("EE1_E2_U3_S4E5_U6_S7"), &it));
	slice_equal(it.text, "E2_U3_S4");
	cr_expect(!iteration_find(slice_of("E1_U2_S"), &it));
	cr_assert(iteration_minimal(slice_of("U0200"), &which, &digits));
	cr_expect_eq(which, 1);
	slice_equal(digits, "200");
	cr_expect(!iteration_minimal(slice_of("E"), &which, &digits));
	cr_expect(!iteration_minimal(slice_of("E1_U2_S3"), &which, &digits));
	cr_expect(!iteration_minimal(slice_of("Elatest"), &which, &digits));
}

Test(ksuit_names, tags_are_equal_however_they_are_spelled)
{
	static const struct {
		const char *a, *b;
		bool equal;
	} tags[] = {
		{ "latest", "latest", true },
		{ "latest", "last", false },
		{ "best.loss", "best_model.loss", true },
		{ "best_model.loss.tolerance5", "best_model.loss.tolerance=5",
		  true },
		{ "best.loss.tolerance=5", "best_model.loss.tolerance5", true },
		{ "best.loss.tolerance=5", "best_model.loss.tolerance6", false },
		{ "best_model.a", "a", false },
		{ "best_model.a.tolerance5", "best_model.b.tolerance=5", false },
	};

	for (size_t i = 0; i < sizeof(tags) / sizeof(*tags); i++) {
		cr_expect_eq(tag_equal(slice_of(tags[i].a), slice_of(tags[i].b)),
			     tags[i].equal, "%s, %s", tags[i].a, tags[i].b);
		cr_expect_eq(tag_equal(slice_of(tags[i].b), slice_of(tags[i].a)),
			     tags[i].equal, "%s, %s", tags[i].b, tags[i].a);
	}
}

/* ---- which files of a run ---------------------------------------------------- */

static const char *const run_names[] = {
	"finetune/checkpoints/head_cp=last_model.th",
	"train/checkpoints/ae.dec_cp=E10_U200_S800_model.th",
	"train/checkpoints/ae.enc_cp=E10_U100_S400_model.th",
	"train/checkpoints/ae.enc_cp=E10_U200_S800_model.th",
	"train/checkpoints/ae.enc_cp=best_model.a.tolerance5_model.th",
	"train/checkpoints/ae.enc_cp=latest_ema=0.99_model.th",
	"train/checkpoints/ae.enc_cp=latest_optim.th",
	"train/checkpoints/ae_cp=latest_trainer.th",
	"train/checkpoints/aerial_cp=latest_model.th",
	"train/tracker/entries_cp=latest_model.th",
};

/* How many of the names the settings take, and the tag. */
static size_t taken(struct slice *tag, const char *const *settings, size_t n)
{
	struct ferry_options options = { .settings = settings, .n = n };
	struct choice choice;
	size_t out = 0, all = sizeof(run_names) / sizeof(*run_names);

	ferry_error_clear(&err);
	if (choice_make(&choice, &options, run_names, all, &err))
		return 0;
	for (size_t i = 0; i < all; i++)
		out += choice_takes(&choice, run_names[i]);
	*tag = choice.tag;
	return out;
}

#define TAKEN(...) taken(&tag, (const char *[]){ __VA_ARGS__ }, \
			 sizeof((const char *[]){ __VA_ARGS__ }) / \
			 sizeof(const char *))

Test(ksuit_names, files_of_a_run_are_chosen)
{
	struct slice tag = { NULL, 0 };

	cr_expect_eq(TAKEN("x="), 9);
	cr_expect_eq(TAKEN("tag=latest"), 4);
	cr_expect_eq(TAKEN("tag=latest", "model=ae"), 3);
	cr_expect_eq(TAKEN("tag=latest", "model=ae.enc"), 2);
	cr_expect_eq(TAKEN("stage=finetune"), 1);
	cr_expect_eq(TAKEN("tag=best.a.tolerance=5"), 1);
	cr_expect_eq(TAKEN("tag=E10"), 2, "the first by byte");
	slice_equal(tag, "E10_U200_S800");
	cr_expect_eq(TAKEN("tag=E10", "model=ae.enc"), 1);
	slice_equal(tag, "E10_U100_S400");
	cr_expect_eq(TAKEN("tag=S800"), 2);
	cr_expect_eq(TAKEN("tag=U201"), 0);
	cr_expect_eq(err.code, FERRY_NOTFOUND);
	cr_expect(strstr(err.text, "no file of tag 'U201'; it has last, "
			 "E10_U200_S800, E10_U100_S400"), "%s", err.text);
	cr_expect_eq(TAKEN("model=nobody"), 0);
	cr_expect_eq(err.code, FERRY_NOTFOUND);
}

Test(ksuit_names, stages_are_told)
{
	struct slice stage;

	cr_assert(stage_of("checkpoints/m_cp=a_model.th", &stage));
	slice_equal(stage, "");
	cr_assert(stage_of("r/train/checkpoints/m_cp=a_model.th", &stage));
	slice_equal(stage, "r/train");
	cr_assert(stage_of("m_cp=a_model.th", &stage));
	slice_equal(stage, "");
	cr_expect(!stage_of("train/m_cp=a_model.th", &stage));
	cr_expect(!stage_of("my_checkpoints/m_cp=a_model.th", &stage));
}

/* ---- files apart ---------------------------------------------------------------- */

/* {"w": a tensor, "v": another of the storage, "l": list, "m": the same} */
static struct ferry_value *content(struct ferry_storage *st,
				   struct ferry_value *list)
{
	struct ferry_value *dict = ferry_dict(store, 0);
	const uint64_t n = 2;

	for (int i = 0; i < 2; i++)
		ferry_dict_set_str(store, dict, i ? "v" : "w",
				   ferry_tensor(store, FERRY_U8, 1, &n, NULL,
						(uint64_t)i, st));
	ferry_dict_set_str(store, dict, "l", list);
	ferry_dict_set_str(store, dict, "m", list);
	return dict;
}

static struct ferry_storage *storage_in(struct ferry_value *root,
					const char *name)
{
	return ferry_dict_get(root, name)->u.tensor->storage;
}

Test(ksuit_names, files_of_a_run_share_nothing)
{
	static const uint8_t bytes[] = { 1, 2, 3 };
	struct ferry_value *list = ferry_sequence(store, FERRY_LIST, 0), *was;
	struct run_file files[] = { { .path = "a" }, { .path = "b" },
				    { .path = "c" } };
	struct ferry_storage *st;
	struct ferry_source *src;

	cr_assert_eq(ferry_source_from_memory(&src, bytes, sizeof(bytes), "b",
					      NULL), 0);
	cr_assert_eq(ferry_store_take_source(store, src), 0);
	st = ferry_storage(store, FERRY_U8, src, 0, sizeof(bytes));
	ferry_list_add(store, list, list);
	files[0].root = content(st, list);
	files[1].root = content(st, list);
	files[2].root = content(ferry_storage(store, FERRY_U8, src, 0, 3),
				ferry_sequence(store, FERRY_LIST, 0));
	was = files[2].root;
	cr_assert_eq(files_apart(store, files, 3, &err), 0);

	cr_expect_eq(files[2].root, was, "it shared nothing");
	cr_expect_eq(storage_in(files[0].root, "w"), st);
	cr_expect_neq(storage_in(files[1].root, "w"), st);
	cr_expect_eq(storage_in(files[1].root, "w"),
		     storage_in(files[1].root, "v"), "what is tied stays so");
	cr_expect_eq(ferry_dict_get(files[1].root, "v")->u.tensor->offset, 1);
	list = ferry_dict_get(files[1].root, "l");
	cr_expect_neq(list, ferry_dict_get(files[0].root, "l"));
	cr_expect_eq(list, ferry_dict_get(files[1].root, "m"));
	cr_expect_eq(list, list->u.list.items[0], "a cycle stays one");
}

/* ---- the transformations of a previous run -------------------------------------- */

/* Names, each with its place as value; what Python makes of them. */
#define WEIGHTS "a.w a.b b.w b.b ab.a.w c"

static const struct {
	const char *weights;
	const char *settings[6];
	const char *expected;
} moves[] = {
	{ WEIGHTS, { "patterns-to-rename=a.=>x." },
	  "b.w=2 b.b=3 c=5 x.w=0 x.b=1 ab.x.w=4" },
	{ WEIGHTS, { "patterns-to-rename=a.w=>b.w" },
	  "a.b=1 b.w=0 b.b=3 c=5 ab.b.w=4" },
	{ WEIGHTS, { "patterns-to-rename=b=>a", "patterns-to-rename=a." },
	  "c=5 w=2 a=3 aw=4" },
	{ WEIGHTS, { "patterns-to-rename=a=>aa" },
	  "b.w=2 b.b=3 c=5 aa.w=0 aa.b=1 aab.aa.w=4" },
	{ WEIGHTS, { "patterns-to-rename=c=>c" },
	  "a.w=0 a.b=1 b.w=2 b.b=3 ab.a.w=4 c=5" },
	{ WEIGHTS, { "patterns-to-rename=b.=>a.", "patterns-to-remove=b.b",
		     "keys-to-remove=c" },
	  "a.w=2 a.b=1 aa.a.w=4" },
	{ WEIGHTS, { "patterns-to-rename==>-" },
	  "-a-.-w-=0 -a-.-b-=1 -b-.-w-=2 -b-.-b-=3 -a-b-.-a-.-w-=4 -c-=5" },
	{ WEIGHTS, { "patterns-to-remove=." }, "c=5" },
	{ WEIGHTS, { "patterns-to-instantiate=w", "patterns-to-instantiate=c" },
	  "a.w=93 a.b=1 b.w=2 b.b=3 ab.a.w=4 c=91 n.w=90" },
	{ WEIGHTS, { "patterns-to-rename=a.w=>t", "patterns-to-rename=t=>b.b" },
	  "a.b=1 b.w=2 b.b=0 c=5 ab.b.b=4" },
	{ "\xc3\xa9 x", { "patterns-to-rename==>-" }, "-\xc3\xa9-=0 -x-=1" },
};

static struct ferry_value *numbered(const char *names)
{
	struct ferry_value *dict = ferry_dict(store, 0);
	int64_t i = 0;

	for (size_t n; *names; names += n + (names[n] == ' ')) {
		n = strcspn(names, " ");
		ferry_dict_set(store, dict, ferry_string(store, names, n),
			       ferry_int(store, i++));
	}
	return dict;
}

static struct ferry_value *target_of_test(void)
{
	struct ferry_value *dict = ferry_dict(store, 0);

	ferry_dict_set_str(store, dict, "n.w", ferry_int(store, 90));
	ferry_dict_set_str(store, dict, "c", ferry_int(store, 91));
	ferry_dict_set_str(store, dict, "q", ferry_int(store, 92));
	ferry_dict_set_str(store, dict, "a.w", ferry_int(store, 93));
	return dict;
}

static void show(const struct ferry_value *dict, char *out, size_t cap)
{
	size_t used = 0;

	*out = '\0';
	for (uint32_t i = 0; i < dict->u.dict.n; i++) {
		struct slice key = text_of(dict->u.dict.pairs[i].key);

		used += (size_t)snprintf(out + used, cap - used, "%s%.*s=%d",
					 i ? " " : "", (int)key.n, key.p,
					 (int)dict->u.dict.pairs[i].value->u.i);
	}
}

static int move(const char *weights, const char *const *settings, size_t n,
		char *out, size_t cap)
{
	struct ferry_options options = { .settings = settings, .n = n };
	struct ferry_value *made = NULL;
	struct ordered o;
	int rc;

	ferry_error_clear(&err);
	cr_assert_eq(ordered_init(&o, store, numbered(weights), &err), 0);
	rc = previous_apply(&o, &options, target_of_test(), true, NULL);
	if (!rc) {
		cr_assert_eq(ordered_make(&o, NULL, &made), 0);
		show(made, out, cap);
	}
	ordered_release(&o);
	return rc;
}

Test(ksuit_names, weights_are_renamed_as_python_renames_them)
{
	char out[400];
	size_t n;

	for (size_t i = 0; i < sizeof(moves) / sizeof(*moves); i++) {
		for (n = 0; moves[i].settings[n];)
			n++;
		cr_assert_eq(move(moves[i].weights, moves[i].settings, n, out,
				  sizeof(out)), 0, "%s", err.text);
		cr_expect_str_eq(out, moves[i].expected);
	}
}

Test(ksuit_names, a_key_to_remove_must_be_there)
{
	static const char *const settings[] = { "keys-to-remove=c",
						"keys-to-remove=c" };
	char out[400];

	cr_assert_eq(move(WEIGHTS, settings, 2, out, sizeof(out)),
		     FERRY_NOTFOUND);
	cr_expect_str_eq(err.text, "keys-to-remove: 'c' is no name of the "
			 "weights");
}

Test(ksuit_names, names_do_not_grow_without_end)
{
	static const char *settings[40];
	char out[400];

	for (size_t i = 0; i < 40; i++)
		settings[i] = "patterns-to-rename=a=>aaaa";
	cr_assert_eq(move("a", settings, 40, out, sizeof(out)), FERRY_LIMIT);
}

/* ---- plain values ------------------------------------------------------------------ */

static struct ferry_value *call(const char *module, const char *name,
				struct ferry_value *const *args, uint32_t n)
{
	struct ferry_value *tuple = ferry_sequence(store, FERRY_TUPLE, n);
	struct ferry_value *class;

	for (uint32_t i = 0; i < n; i++)
		ferry_list_add(store, tuple, args[i]);
	class = ferry_global(store, module, strlen(module), name,
			     strlen(name));
	return ferry_object(store, FERRY_FORM_CALL, class, tuple, NULL);
}

static struct ferry_value *scalar(const char *code, const char *order,
				  const void *bytes, size_t n)
{
	struct ferry_value *dtype, *state, *args[3];

	args[0] = ferry_cstring(store, code);
	args[1] = ferry_bool(false);
	args[2] = ferry_bool(true);
	dtype = call("numpy", "dtype", args, 3);
	state = ferry_sequence(store, FERRY_TUPLE, 2);
	ferry_list_add(store, state, ferry_int(store, 3));
	ferry_list_add(store, state, ferry_cstring(store, order));
	dtype->u.object->state = state;
	args[0] = dtype;
	args[1] = ferry_bytes(store, bytes, n, 0);
	return call("numpy._core.multiarray", "scalar", args, 2);
}

static struct ferry_value *plain(struct ferry_value *v)
{
	struct plain p = { .store = store, .err = &err };
	struct ferry_value *out = NULL;
	int rc;

	ferry_error_clear(&err);
	rc = plain_value(&p, v, "config", &out);
	plain_release(&p);
	return rc ? NULL : out;
}

Test(ksuit_names, scalars_of_numpy_become_numbers)
{
	struct ferry_value *v;

	v = plain(scalar("f8", "<", "\0\0\0\0\0\0\xf8\x3f", 8));
	cr_assert_eq(v->kind, FERRY_FLOAT);
	cr_expect_eq(v->u.f, 1.5);
	cr_expect_eq(plain(scalar("f4", ">", "\x3f\xc0\0\0", 4))->u.f, 1.5);
	cr_expect_eq(plain(scalar("f2", "<", "\x01\x00", 2))->u.f, 0x1p-24);
	cr_expect_eq(plain(scalar("f2", "<", "\x00\xbe", 2))->u.f, -1.5);
	cr_expect_eq(plain(scalar("f2", "<", "\xff\x7b", 2))->u.f, 65504);
	cr_expect_eq(plain(scalar("f2", "<", "\x00\xfc", 2))->u.f,
		     -__builtin_inf());
	cr_expect_eq(plain(scalar("i2", "<", "\xfe\xff", 2))->u.i, -2);
	cr_expect_eq(plain(scalar("u1", "|", "\xfe", 1))->u.i, 254);
	v = plain(scalar("u8", "<", "\xff\xff\xff\xff\xff\xff\xff\xff", 8));
	cr_assert_eq(v->kind, FERRY_INT);
	cr_expect_str_eq(ferry_int_text(store, v), "18446744073709551615");
	v = plain(scalar("b1", "|", "\1", 1));
	cr_assert_eq(v->kind, FERRY_BOOL);
	cr_expect(v->u.b);
	v = plain(scalar("U3", "<", "a\0\0\0\xe9\0\0\0\0\0\0\0", 12));
	cr_expect(ferry_value_is(v, "a\xc3\xa9"));
	cr_expect_null(plain(scalar("f8", "<", "\0\0\0\0", 4)));
	cr_expect_eq(err.code, FERRY_UNSUPPORTED);
}

static void path_is(const char *class, const char *expected, const char *a,
		    const char *b)
{
	struct ferry_value *args[] = { ferry_cstring(store, a),
				       ferry_cstring(store, b) };
	struct ferry_value *v = plain(call("pathlib", class, args,
					   *b ? 2 : *a ? 1 : 0));

	cr_expect(ferry_value_is(v, expected), "%s: %.*s", expected,
		  (int)v->u.s.nbytes, v->u.s.data);
}

Test(ksuit_names, paths_become_text)
{
	path_is("PosixPath", "/data", "/", "data");
	path_is("PosixPath", "a/b", "a", "b");
	path_is("PosixPath", "a/b", "a//./b/", "");
	path_is("PosixPath", "/c", "a", "/c");
	path_is("PurePosixPath", ".", "", "");
	path_is("PosixPath", "//net/x", "//net", "x");
	path_is("PosixPath", "/net/x", "///net", "x");
	path_is("WindowsPath", "C:\\a", "C:\\", "a");
	path_is("PureWindowsPath", "a\\b", "a", "b");
}

Test(ksuit_names, members_of_enums_become_their_values)
{
	struct ferry_value *value = ferry_cstring(store, "adam"), *v;
	struct ferry_value *text = ferry_cstring(store, "1.0");

	v = plain(call("models.solvers", "Solver", &value, 1));
	cr_expect(ferry_value_is(v, "adam"));
	cr_expect_null(plain(call("decimal", "Decimal", &text, 1)));
	cr_expect_str_eq(err.text, "'config' is made by decimal.Decimal, which "
			 "has no plain form and which weights_only=True "
			 "refuses: leave it out with --set without=config");
}

Test(ksuit_names, what_is_shared_stays_shared_and_cycles_end)
{
	struct ferry_value *list = ferry_sequence(store, FERRY_LIST, 2);
	struct ferry_value *dict = ferry_dict(store, 1), *v;

	ferry_list_add(store, list, dict);
	ferry_list_add(store, list, dict);
	ferry_dict_set_str(store, dict, "up", list);
	v = plain(list);
	cr_assert_not_null(v);
	cr_expect_neq(v, list);
	cr_expect_eq(v->u.list.items[0], v->u.list.items[1]);
	cr_expect_eq(ferry_dict_get(v->u.list.items[0], "up"), v);
}

/* ---- files of the corpus -------------------------------------------------------------- */

static struct ferry_document *doc;
static struct ferry_plan *plan;

static void open_session(void)
{
	struct ferry_session_options options = { .plugin_path = NULL };

	cr_assert_eq(ferry_session_new(&session, &options, &err), 0, "%s",
		     err.text);
}

static void close_session(void)
{
	ferry_plan_free(plan);
	ferry_document_free(doc);
	ferry_session_free(session);
}

TestSuite(ksuit_files, .init = open_session, .fini = close_session);

static const char *corpus(const char *name)
{
	static char path[600];
	const char *at = getenv("FERRY_CORPUS");

	snprintf(path, sizeof(path), "%s/ksuit/%s", at ? at : "tests/corpus",
		 name);
	return path;
}

static const struct ferry_recognised *open_file(const char *name)
{
	static struct ferry_recognised what;

	ferry_document_free(doc);
	doc = NULL;
	ferry_error_clear(&err);
	cr_assert_eq(ferry_open(session, corpus(name), NULL, &doc, &err), 0,
		     "%s", err.text);
	cr_assert_eq(ferry_recognise(session, doc, corpus(name), NULL, &what,
				     &err), 0, "%s", err.text);
	cr_assert_not_null(what.type, "%s", name);
	return &what;
}

#define TAG "E10_U200_S800"

Test(ksuit_files, each_kind_is_recognised)
{
	static const char *const files[][2] = {
		{ "models/encoder_cp=" TAG "_model.th", "ksuit/model" },
		{ "models/dummy_model_ema_cp=latest_model.th", "ksuit/model" },
		{ "models/encoder_ema=0.9999_cp=" TAG "_model.th",
		  "ksuit/ema" },
		{ "models/encoder_cp=" TAG "_ema=0.99_model.th", "ksuit/ema" },
		{ "models/encoder_cp=" TAG "_optim.th", "ksuit/optimizer" },
		{ "ksuit/encoder_cp=" TAG "_model.th", "ksuit/model" },
		{ "ksuit/encoder_cp=last_model.th", "ksuit/model" },
		{ "ksuit/encoder_cp=" TAG "_trainer.th", "ksuit/trainer" },
		{ "ksuit/encoder_cp=last_trainer.th", "ksuit/trainer" },
		{ "trainers/T0_cp=" TAG "_trainer.th", "ksuit/trainer" },
		{ "trainers/T1_cp=" TAG "_trainer.th", "ksuit/trainer" },
		{ "trainers/T2_cp=" TAG "_trainer.th", "ksuit/trainer" },
	};

	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++)
		cr_expect_str_eq(open_file(files[i][0])->type->name,
				 files[i][1]);
	cr_expect_str_eq(open_file("trainers/T0_cp=" TAG "_trainer.th")->reason,
			 "callback states, and counters at the top (T0); 'T0' "
			 "of tag '" TAG "' by its name");
}

static const char *fact(const char *file, const char *key)
{
	static char text[300];
	struct ferry_value *facts, *v;
	const struct ferry_known *type = open_file(file)->type;

	cr_assert_eq(ferry_describe(session, doc, type, &facts, &err), 0);
	v = ferry_dict_get(facts, key);
	snprintf(text, sizeof(text), "%.*s", v ? (int)v->u.s.nbytes : 4,
		 v ? v->u.s.data : "none");
	return text;
}

Test(ksuit_files, generations_are_told_and_how_they_are_known)
{
	cr_expect_str_eq(fact("ksuit/encoder_cp=" TAG "_model.th",
			      "generation"),
			 "ksuit: keys are members of CheckpointKeys, pickled by "
			 "value (CPython 3.11.4 or later)");
	cr_expect_str_eq(fact("ksuit/encoder_cp=last_model.th", "generation"),
			 "ksuit: keys are members of CheckpointKeys, pickled by "
			 "member name (CPython 3.11.0 to 3.11.3)");
	cr_expect_str_eq(fact("ksuit/encoder_cp=last_model.th", "tag"), TAG);
	cr_expect_str_eq(fact("ksuit/encoder_cp=last_model.th", "iteration"),
			 "epoch 10, update 200, sample 800");
	cr_expect_str_eq(fact("trainers/T0_cp=" TAG "_trainer.th",
			      "generation"),
			 "T0: noether before v1.0, for the counters are at the "
			 "top");
	cr_expect_str_eq(fact("trainers/T1_cp=" TAG "_trainer.th",
			      "generation"),
			 "T1: noether v1.0 or v1.1, for callback states are a "
			 "list");
	cr_expect_str_eq(fact("trainers/T1_cp=" TAG "_trainer.th",
			      "callbacks"), "3, 1 with a state");
	cr_expect_str_eq(fact("trainers/T2_cp=" TAG "_trainer.th",
			      "callbacks"), "BestCheckpointCallback");
}

static int make_plan(const char *file, const char *to,
		     const char *const *settings, size_t n)
{
	const char *inputs[] = { corpus(file) };
	struct ferry_job job = {
		.inputs = inputs, .n_inputs = 1, .to = to,
		.settings = settings, .n_settings = n, .upgrade = !to && !n,
	};

	ferry_plan_free(plan);
	plan = NULL;
	ferry_error_clear(&err);
	return ferry_plan_new(&plan, session, &job, &err);
}

#define PLAN(file, ...) make_plan(file, NULL, \
				  (const char *[]){ __VA_ARGS__ }, \
				  sizeof((const char *[]){ __VA_ARGS__ }) / \
				  sizeof(const char *))

static struct ferry_value *at(const char *path)
{
	struct ferry_value *v = ferry_value_at(ferry_plan_document(plan)->root,
					       path);

	cr_assert_not_null(v, "%s", path);
	return v;
}

Test(ksuit_files, keys_become_text)
{
	static const char *const files[] = {
		"ksuit/encoder_cp=" TAG "_model.th",
		"ksuit/encoder_cp=last_model.th",
	};
	struct ferry_value *root;

	for (size_t i = 0; i < 2; i++) {
		cr_assert_eq(make_plan(files[i], NULL, NULL, 0), 0, "%s",
			     err.text);
		root = ferry_plan_document(plan)->root;
		cr_assert_eq(root->u.dict.n, 6);
		cr_expect(ferry_value_is(root->u.dict.pairs[0].key,
					 "state_dict"));
		cr_expect(ferry_value_is(root->u.dict.pairs[5].key,
					 "config_kind"));
		cr_expect(ferry_value_is(at("run_id"), "2026-02-01_ab12c"));
		cr_expect_eq(at("training_iteration.sample")->u.i, 800);
		cr_expect_eq(ferry_plan_refused(plan), 0);
	}
}

Test(ksuit_files, configurations_become_plain)
{
	cr_assert_eq(make_plan("models/objects_cp=last_model.th", NULL, NULL,
			       0), 0, "%s", err.text);
	cr_expect(ferry_value_is(at("model_config.solver"), "adam"));
	cr_expect(ferry_value_is(at("model_config.weights"), "/data/w.th"));
	cr_expect_eq(at("model_config.eps")->u.f, 1e-6);
	cr_expect_eq(at("model_config.depth")->u.i, 3);
	cr_expect_eq(at("model_config.kinds.adam")->u.i, 1);
	cr_expect(ferry_value_is(at("model_config.activation"),
				 "torch.nn.modules.activation.GELU"));
	cr_expect_eq(at("model_config.shape")->kind, FERRY_OBJECT);
	cr_expect_eq(at("model_config.dtype")->kind, FERRY_GLOBAL);
}

Test(ksuit_files, a_member_without_its_value_is_asked_for)
{
	static const char file[] = "models/by_name_cp=last_model.th";

	cr_assert_eq(make_plan(file, NULL, NULL, 0), FERRY_UNSUPPORTED);
	cr_expect(strstr(err.text, "give it with --set "
			 "enum=models.solvers.Solver.ADAM=VALUE"), "%s",
		  err.text);
	cr_assert_eq(PLAN(file, "enum=models.solvers.Solver.ADAM=a=b"), 0);
	cr_expect(ferry_value_is(at("model_config.solver"), "a=b"));
	cr_assert_eq(PLAN(file, "without=model_config.solver"), 0);
	cr_expect_eq(at("model_config")->u.dict.n, 7);
}

static void key_is(struct ferry_value *dict, uint32_t i, const char *key)
{
	cr_assert_lt(i, dict->u.dict.n);
	cr_expect(ferry_value_is(dict->u.dict.pairs[i].key, key), "%s", key);
}

Test(ksuit_files, trainers_go_from_layout_to_layout)
{
	static const char t0[] = "trainers/T0_cp=" TAG "_trainer.th";
	struct ferry_value *root;

	cr_assert_eq(PLAN(t0, "generation=v1.0"), 0, "%s", err.text);
	root = ferry_plan_document(plan)->root;
	cr_assert_eq(root->u.dict.n, 3);
	key_is(root, 0, "callback_state_dicts");
	key_is(root, 1, "training_iteration");
	key_is(root, 2, "grad_scaler");
	key_is(at("training_iteration"), 0, "epoch");
	key_is(at("training_iteration"), 2, "sample");
	cr_expect_eq(at("callback_state_dicts")->u.list.n, 3);
	cr_expect_eq(ferry_plan_refused(plan), 0);
	cr_assert_eq(make_plan(t0, NULL, NULL, 0), 0, "%s", err.text);
	cr_assert_eq(at("callback_state_dicts")->u.dict.n, 1);
	cr_expect_eq(at("callback_state_dicts.BestCheckpointCallback."
			"tolerance_counter")->u.i, 3);
	cr_assert_eq(PLAN(t0, "generation=head", "callbacks=a,best,c"), 0);
	key_is(at("callback_state_dicts"), 0, "best");
	cr_assert_eq(PLAN(t0, "callbacks=mine"), 0);
	key_is(at("callback_state_dicts"), 0, "mine");
}

Test(ksuit_files, callbacks_that_nothing_tells_are_asked_for)
{
	static const char two[] = "trainers/two_cp=latest_trainer.th";
	static const char other[] = "trainers/other_cp=latest_trainer.th";

	cr_assert_eq(make_plan(two, NULL, NULL, 0), FERRY_UNSUPPORTED);
	cr_expect_str_eq(err.text, "callback 2 is a second "
			 "'BestCheckpointCallback', and keys must differ: name "
			 "them with --set callbacks=A,B,...");
	cr_assert_eq(PLAN(two, "callbacks=a,b"), 0);
	key_is(at("callback_state_dicts"), 1, "b");
	cr_assert_eq(PLAN(two, "callbacks=a,a"), FERRY_UNSUPPORTED);
	cr_assert_eq(PLAN(two, "callbacks=a"), FERRY_MISUSE);
	cr_expect_str_eq(err.text, "1 callbacks are named, but the trainer has "
			 "3, 2 of them with a state: name either all or those "
			 "with a state");
	cr_assert_eq(make_plan(other, NULL, NULL, 0), FERRY_UNSUPPORTED);
	cr_expect(strstr(err.text, "callback 0 is of an unknown kind (its "
			 "state has: history)"), "%s", err.text);
}

Test(ksuit_files, no_older_layout_is_made)
{
	cr_assert_eq(PLAN("trainers/T2_cp=" TAG "_trainer.th",
			  "generation=T1"), FERRY_MISUSE);
	cr_expect_str_eq(err.text, "the trainer's layout is T2 already: ferry "
			 "makes no older one of it");
	cr_assert_eq(PLAN("trainers/T2_cp=" TAG "_trainer.th",
			  "generation=v2"), FERRY_MISUSE);
}

Test(ksuit_files, an_optimizer_follows_the_names)
{
	static const char file[] = "models/encoder_cp=" TAG "_optim.th";

	cr_assert_eq(PLAN(file, "patterns-to-rename=proj=>lin",
			  "patterns-to-remove=norm.w"), 0, "%s", err.text);
	cr_assert_eq(at("param_idx_to_name")->u.dict.n, 3);
	cr_expect(ferry_value_is(at("param_idx_to_name.0"), "lin.weight"));
	cr_expect(ferry_value_is(at("param_idx_to_name.2"), "lin.bias"));
	cr_expect_eq(at("state")->u.dict.n, 3);
	cr_expect_eq(at("param_groups.0.params")->u.list.n, 1);
	cr_expect_eq(at("param_groups.1.params")->u.list.n, 2);
	cr_expect_eq(ferry_plan_refused(plan), 0);
}

TestSuite(ksuit_rules, .init = open_session, .fini = close_session);

static int plan_edits(const char *file, const char *setting,
		      const struct ferry_edit *edits, size_t n)
{
	const char *input = corpus(file);
	struct ferry_job job = {
		.inputs = &input, .n_inputs = 1, .output = "out/",
		.settings = &setting, .n_settings = setting != NULL,
		.edits = edits, .n_edits = n,
	};

	return ferry_plan_new(&plan, session, &job, &err);
}

static const struct ferry_edit edits[] = {
	{ FERRY_EDIT_RENAME, "^proj", "lin" },
	{ FERRY_EDIT_DROP, "^norm\\.weight", NULL },
};

/* A value of a file of the run. */
static struct ferry_value *of_file(const char *file, const char *key)
{
	struct ferry_value *stages = at("stages");
	struct ferry_value *stage = ferry_dict_get(stages, "train");

	cr_assert_not_null(ferry_dict_get(stage, file), "%s", file);
	return field(ferry_dict_get(stage, file), key);
}

Test(ksuit_rules, optimizers_of_a_run_follow_rules)
{
	struct ferry_value *names, *weights;

	cr_assert_eq(plan_edits("run/2026-02-01_ab12c", "tag=latest", edits,
				2), 0, "%s", err.text);
	for (size_t i = 0; i < 2; i++) {
		names = of_file(i ? "autoencoder.decoder_cp=latest_optim.th" :
				"autoencoder.encoder_cp=latest_optim.th",
				"param_idx_to_name");
		cr_assert_eq(names->u.dict.n, 3);
		for (uint32_t k = 0; k < 3; k++)
			cr_expect(!ferry_value_is(names->u.dict.pairs[k].value,
						  "proj.weight"));
		weights = of_file(i ? "autoencoder.decoder_cp=latest_model.th" :
				  "autoencoder.encoder_cp=latest_model.th",
				  "state_dict");
		weights = ferry_value_items(weights);
		cr_expect_not_null(ferry_dict_get(weights, "lin.weight"));
		cr_expect_null(ferry_dict_get(weights, "norm.weight"));
		for (uint32_t k = 0; k < 3; k++)
			cr_expect_not_null(ferry_dict_find(
				weights, names->u.dict.pairs[k].value));
	}
	weights = of_file("autoencoder.encoder_cp=latest_ema=0.99_model.th",
			  "state_dict");
	cr_expect_not_null(ferry_dict_get(ferry_value_items(weights),
					  "lin.weight"));
	cr_expect_eq(of_file("autoencoder.encoder_cp=latest_optim.th",
			     "state")->u.dict.n, 3);
}

Test(ksuit_rules, an_optimizer_alone_follows_rules)
{
	cr_assert_eq(plan_edits("models/encoder_cp=" TAG "_optim.th", NULL,
				edits, 2), 0, "%s", err.text);
	cr_assert_eq(at("param_idx_to_name")->u.dict.n, 3);
	cr_expect(ferry_value_is(at("param_idx_to_name.0"), "lin.weight"));
	cr_expect(ferry_value_is(at("param_idx_to_name.2"), "lin.bias"));
	cr_expect_eq(at("state")->u.dict.n, 3);
	cr_expect_eq(at("param_groups.0.params")->u.list.n, 1);
	cr_expect_eq(ferry_plan_refused(plan), 0);
}

Test(ksuit_rules, a_trainer_has_no_names_for_rules)
{
	cr_assert_eq(plan_edits("trainers/T1_cp=" TAG "_trainer.th", NULL,
				edits, 2), FERRY_UNSUPPORTED);
	cr_expect(strstr(err.text, "this 'ksuit/trainer' has no names for "
			 "rules to act on"), "%s", err.text);
}

/* A locale whose decimal point is a comma, made for the test. */
static bool enter_comma_locale(void)
{
	char dir[] = "/tmp/ferry-locale-XXXXXX", command[160];
	bool made;

	cr_assert_not_null(mkdtemp(dir));
	snprintf(command, sizeof(command), "localedef -i de_DE -f "
		 "ISO-8859-1 %s/de_DE >%s/log 2>&1", dir, dir);
	made = system(command) == 0;
	setenv("LOCPATH", dir, 1);
	made = made && setlocale(LC_NUMERIC, "de_DE");
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	cr_assert_eq(system(command), 0);
	return made && *localeconv()->decimal_point == ',';
}

Test(ksuit_rules, factors_are_read_under_any_locale)
{
	const char *input = corpus("models/encoder_cp=" TAG "_model.th");
	const char *setting = "ema=0.75";
	struct ferry_job job = {
		.inputs = &input, .n_inputs = 1, .output = "out.th",
		.settings = &setting, .n_settings = 1, .to = "ksuit/ema",
	};

	if (!enter_comma_locale())
		cr_skip_test("no locale with a decimal comma can be made here");
	cr_assert_eq(ferry_plan_new(&plan, session, &job, &err), 0, "%s",
		     err.text);
	cr_expect_eq(at("ema")->u.f, 0.75);
}

static size_t violations(const char *file, const char *code)
{
	struct ferry_findings *found;
	const struct ferry_finding *f;
	size_t n = 0;

	cr_assert_eq(ferry_findings_new(&found, &err), 0);
	cr_assert_eq(ferry_verify(session, corpus(file), NULL, NULL, NULL,
				  found, &err), 0, "%s", err.text);
	for (size_t i = 0; (f = ferry_findings_get(found, i)); i++)
		n += f->level == FERRY_VIOLATION &&
		     (!code || !strcmp(f->code, code));
	ferry_findings_free(found);
	return n;
}

Test(ksuit_files, what_loaders_refuse_is_a_violation)
{
	cr_expect_eq(violations("models/encoder_cp=" TAG "_model.th", NULL), 0);
	cr_expect_eq(violations("models/encoder_cp=" TAG "_optim.th", NULL), 0);
	cr_expect_eq(violations("models/dummy_model_ema_cp=latest_model.th",
				NULL), 0);
	cr_expect_eq(violations("trainers/T1_cp=" TAG "_trainer.th", NULL), 0);
	cr_expect_eq(violations("trainers/T2_cp=" TAG "_trainer.th", NULL), 0);
	cr_expect_eq(violations("trainers/T0_cp=" TAG "_trainer.th", "layout"),
		     1);
	cr_expect_eq(violations("ksuit/encoder_cp=" TAG "_model.th",
				"enum-key"), 6);
	cr_expect_eq(violations("ksuit/encoder_cp=" TAG "_model.th", NULL), 6);
	cr_expect_eq(violations("ksuit/encoder_cp=last_trainer.th", "enum-key"),
		     3);
	cr_expect_eq(violations("models/objects_cp=last_model.th", "refused"),
		     5);
}

Test(ksuit_files, weights_are_taken_out)
{
	cr_assert_eq(make_plan("ksuit/encoder_cp=last_model.th", "state-dict",
			       NULL, 0), 0, "%s", err.text);
	cr_expect_eq(ferry_plan_refused(plan), 0);
	cr_expect_eq(at("proj.weight")->kind, FERRY_TENSOR);
	cr_expect_eq(at("")->u.object->dict->u.dict.n, 7);
	cr_assert_eq(make_plan("models/encoder_ema=0.9999_cp=" TAG "_model.th",
			       "ksuit/model", NULL, 0), 0, "%s", err.text);
	cr_expect_null(ferry_dict_get(at(""), "ema"));
	cr_expect_eq(at("")->u.dict.n, 6);
}
