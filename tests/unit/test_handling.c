/* Handling rules over names. */
#include "config.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <ferry/handling.h>
#include <ferry/sys/build.h>
#include <ferry/tensor.h>

/* A document whose root is the weights, made of names. */
struct bench {
	struct ferry_document *doc;
	struct ferry_storage *storage;	/* float32 0 ... 7 */
	struct ferry_rules *rules;
	struct ferry_findings *out;
	struct ferry_error err;
	float data[8];
};

static struct bench *bench_new(void)
{
	struct bench *b = calloc(1, sizeof(*b));
	struct ferry_source *src;

	for (int i = 0; i < 8; i++)
		b->data[i] = (float)i + 0.25f;
	ferry_error_clear(&b->err);
	cr_assert_eq(ferry_document_new(&b->doc, NULL, NULL), 0);
	cr_assert_eq(ferry_rules_new(&b->rules, NULL), 0);
	cr_assert_eq(ferry_findings_new(&b->out, NULL), 0);
	cr_assert_eq(ferry_source_from_memory(&src, b->data, sizeof(b->data),
					      "numbers", NULL), 0);
	cr_assert_eq(ferry_store_take_source(b->doc->store, src), 0);
	b->storage = ferry_storage(b->doc->store, FERRY_F32, src, 0,
				   sizeof(b->data));
	b->doc->root = ferry_dict(b->doc->store, 0);
	return b;
}

static void bench_free(struct bench *b)
{
	ferry_rules_free(b->rules);
	ferry_findings_free(b->out);
	ferry_document_free(b->doc);
	free(b);
}

static struct ferry_value *tensor_of(struct bench *b, enum ferry_dtype dtype)
{
	uint64_t n = 2;

	return ferry_tensor(b->doc->store, dtype, 1, &n, NULL, 0, b->storage);
}

static void fill(struct bench *b, struct ferry_value *dict,
		 const char *const *names)
{
	for (; *names; names++)
		ferry_dict_set_str(b->doc->store, dict, *names,
				   tensor_of(b, FERRY_F32));
}

#define FILL(b, dict, ...) \
	fill(b, dict, (const char *const[]){ __VA_ARGS__, NULL })

static void edit(struct bench *b, enum ferry_edit_kind kind, const char *a,
		 const char *to)
{
	struct ferry_edit e = { kind, a, to };

	cr_assert_eq(ferry_rules_add(b->rules, &e, &b->err), 0, "%s",
		     b->err.text);
}

static void apply(struct bench *b)
{
	cr_assert_eq(ferry_rules_apply(b->rules, b->doc, b->doc->root, b->out,
				       &b->err), 0, "%s", b->err.text);
}

static void put_names(FILE *f, struct ferry_value *dict)
{
	struct ferry_value *items;

	for (uint32_t i = 0; i < dict->u.dict.n; i++) {
		const struct ferry_pair *p = &dict->u.dict.pairs[i];

		fprintf(f, "%s%.*s", i ? " " : "",
			(int)p->key->u.s.nbytes, p->key->u.s.data);
		items = ferry_value_items(p->value);
		if (!items)
			continue;
		fputc('{', f);
		put_names(f, items);
		fputc('}', f);
	}
}

static void names_are(struct ferry_value *dict, const char *expected)
{
	char *text = NULL;
	size_t n;
	FILE *f = open_memstream(&text, &n);

	put_names(f, ferry_value_items(dict));
	fclose(f);
	cr_assert_str_eq(text, expected);
	free(text);
}

static void has_finding(struct bench *b, enum ferry_level level,
			const char *code, const char *text)
{
	const struct ferry_finding *f;

	for (size_t i = 0; (f = ferry_findings_get(b->out, i)); i++)
		if (f->level == level && !strcmp(f->code, code) &&
		    strstr(f->text, text))
			return;
	cr_assert_fail("no finding %s with '%s'", code, text);
}

Test(handling, drops_by_regex)
{
	struct bench *b = bench_new();

	FILL(b, b->doc->root, "head.w", "a.head.w", "body.w", "header");
	edit(b, FERRY_EDIT_DROP, "^head\\.", NULL);
	apply(b);
	names_are(b->doc->root, "a.head.w body.w header");
	has_finding(b, FERRY_NOTE, "dropped", "1 of 4 names");
	bench_free(b);
}

Test(handling, keeps_what_any_of_the_adjacent_rules_matches)
{
	struct bench *b = bench_new();

	FILL(b, b->doc->root, "a.w", "b.w", "c.w");
	edit(b, FERRY_EDIT_KEEP, "^a", NULL);
	edit(b, FERRY_EDIT_KEEP, "^b", NULL);
	apply(b);
	names_are(b->doc->root, "a.w b.w");
	bench_free(b);
}

Test(handling, renames_as_re_sub_does)
{
	static const struct {
		const char *from, *to, *name, *expected;
	} cases[] = {
		{ "^backbone\\.(.*)$", "\\1", "backbone.x", "x" },
		{ "(\\w+)\\.(\\w+)", "$2.$1", "a.b", "b.a" },
		{ "a", "b", "a.a.ca", "b.b.cb" },
		{ "x*", "-", "abxd", "-a-b--d-" },
		{ "(?P<n>\\d+)", "<\\g<n>>", "l10.l2", "l<10>.l<2>" },
		{ "(?P<n>\\d+)", "${n}0", "l1", "l10" },
		{ "(a)(z)?", "[\\1\\2]", "a", "[a]" },
		{ "^gamma$", "w$$\\\\", "gamma", "w$\\" },
		{ "\\bhead\\b", "tail", "head.ahead.head", "tail.ahead.tail" },
		{ "(.)", "\\g<1>1", "ab", "a1b1" },
		{ "\xc3\xa9", "e", "caf\xc3\xa9", "cafe" },
		{ "^.", "", "\xc3\xa9x", "x" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct bench *b = bench_new();

		FILL(b, b->doc->root, cases[i].name);
		edit(b, FERRY_EDIT_RENAME, cases[i].from, cases[i].to);
		apply(b);
		names_are(b->doc->root, cases[i].expected);
		bench_free(b);
	}
}

Test(handling, names_that_are_no_utf8_pass_through)
{
	struct bench *b = bench_new();

	FILL(b, b->doc->root, "a\xed\xa0\x80z", "a\xff", "plain");
	edit(b, FERRY_EDIT_RENAME, "^a", "b");
	apply(b);
	names_are(b->doc->root, "b\xed\xa0\x80z b\xff plain");
	bench_free(b);
}

Test(handling, strips_a_prefix_at_the_start_only)
{
	struct bench *b = bench_new();

	FILL(b, b->doc->root, "module.a", "b.module.c", "module.module.d");
	edit(b, FERRY_EDIT_STRIP_PREFIX, "module.", NULL);
	apply(b);
	names_are(b->doc->root, "a b.module.c module.d");
	has_finding(b, FERRY_NOTE, "renamed", "2 of 3 names");
	bench_free(b);
}

Test(handling, adds_a_prefix_and_keeps_the_order)
{
	struct bench *b = bench_new();

	FILL(b, b->doc->root, "z", "a");
	edit(b, FERRY_EDIT_ADD_PREFIX, "model.", NULL);
	apply(b);
	names_are(b->doc->root, "model.z model.a");
	bench_free(b);
}

Test(handling, a_collision_names_both)
{
	struct bench *b = bench_new();

	FILL(b, b->doc->root, "module.a", "a");
	edit(b, FERRY_EDIT_STRIP_PREFIX, "module.", NULL);
	cr_assert_eq(ferry_rules_apply(b->rules, b->doc, b->doc->root, b->out,
				       &b->err), FERRY_MISUSE);
	cr_assert(strstr(b->err.text, "'module.a' and 'a'"), "%s",
		  b->err.text);
	names_are(b->doc->root, "module.a a");
	bench_free(b);
}

Test(handling, a_name_does_not_become_empty)
{
	struct bench *b = bench_new();

	FILL(b, b->doc->root, "module.");
	edit(b, FERRY_EDIT_STRIP_PREFIX, "module.", NULL);
	cr_assert_eq(ferry_rules_apply(b->rules, b->doc, b->doc->root, b->out,
				       &b->err), FERRY_MISUSE);
	bench_free(b);
}

Test(handling, a_rule_without_a_match_is_a_warning)
{
	struct bench *b = bench_new();

	FILL(b, b->doc->root, "a");
	edit(b, FERRY_EDIT_DROP, "nothing", NULL);
	apply(b);
	has_finding(b, FERRY_WARNING, "rule-unmatched", "drop 'nothing'");
	bench_free(b);
}

Test(handling, rules_see_the_names_the_one_before_left)
{
	struct bench *b = bench_new();

	FILL(b, b->doc->root, "m.a", "m.b");
	edit(b, FERRY_EDIT_STRIP_PREFIX, "m.", NULL);
	edit(b, FERRY_EDIT_DROP, "^a$", NULL);
	edit(b, FERRY_EDIT_ADD_PREFIX, "n.", NULL);
	apply(b);
	names_are(b->doc->root, "n.b");
	bench_free(b);
}

Test(handling, bad_patterns_are_misuse_with_the_place)
{
	static const struct {
		enum ferry_edit_kind kind;
		const char *a, *b, *says;
	} cases[] = {
		{ FERRY_EDIT_DROP, "ab(c", NULL, "character 5" },
		{ FERRY_EDIT_RENAME, "a", "\\1", "group" },
		{ FERRY_EDIT_RENAME, "a", "\\g<x>", "group" },
		{ FERRY_EDIT_RENAME, "a", "\\q", "backslash" },
		{ FERRY_EDIT_CAST, "float33", NULL, "float33" },
		{ FERRY_EDIT_STRIP_PREFIX, "", NULL, "empty" },
		{ FERRY_EDIT_RENAME, "a", NULL, "replacement" },
	};
	struct bench *b = bench_new();

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct ferry_edit e = { cases[i].kind, cases[i].a,
					cases[i].b };

		ferry_error_clear(&b->err);
		cr_assert_eq(ferry_rules_add(b->rules, &e, &b->err),
			     FERRY_MISUSE, "%zu", i);
		cr_assert(strstr(b->err.text, cases[i].says), "%s",
			  b->err.text);
	}
	cr_assert_eq(ferry_rules_count(b->rules), 0);
	bench_free(b);
}

Test(handling, a_pattern_without_end_is_stopped, .timeout = 10)
{
	struct bench *b = bench_new();
	char name[64];

	memset(name, 'a', 60);
	strcpy(name + 60, "!");
	FILL(b, b->doc->root, name);
	edit(b, FERRY_EDIT_DROP, "^(a+)+$", NULL);
	cr_assert_eq(ferry_rules_apply(b->rules, b->doc, b->doc->root, b->out,
				       &b->err), FERRY_LIMIT, "%s",
		     b->err.text);
	cr_assert(strstr(b->err.text, "(a+)+"), "%s", b->err.text);
	bench_free(b);
}

/* ---- nested mappings ----------------------------------------------------- */

static struct ferry_value *nest(struct bench *b, struct ferry_value *in,
				const char *key)
{
	struct ferry_value *dict = ferry_dict(b->doc->store, 0);

	ferry_dict_set_str(b->doc->store, in, key, dict);
	return dict;
}

Test(handling, nested_names_are_joined_and_taken_apart_again)
{
	struct bench *b = bench_new();
	struct ferry_value *root = b->doc->root, *m = nest(b, root, "module");
	struct ferry_value *enc = nest(b, m, "enc");

	FILL(b, enc, "w", "b");
	FILL(b, m, "x.y");
	FILL(b, root, "z");
	edit(b, FERRY_EDIT_RENAME, "^module\\.enc\\.", "module.dec.");
	apply(b);
	names_are(root, "module{dec{w b} x.y} z");
	bench_free(b);
}

Test(handling, a_level_that_is_stripped_is_gone)
{
	struct bench *b = bench_new();
	struct ferry_value *root = b->doc->root, *m = nest(b, root, "module");
	struct ferry_value *enc = nest(b, m, "enc");

	FILL(b, enc, "w");
	FILL(b, m, "x.y");
	edit(b, FERRY_EDIT_STRIP_PREFIX, "module.", NULL);
	apply(b);
	names_are(root, "enc{w} x.y");
	bench_free(b);
}

Test(handling, keys_with_dots_keep_them)
{
	struct bench *b = bench_new();
	struct ferry_value *root = b->doc->root, *m = nest(b, root, "a.b");

	FILL(b, m, "c.w", "d");
	edit(b, FERRY_EDIT_RENAME, "w$", "weight");
	apply(b);
	names_are(root, "a.b{c.weight d}");
	bench_free(b);
}

Test(handling, an_emptied_mapping_goes)
{
	struct bench *b = bench_new();
	struct ferry_value *root = b->doc->root;

	FILL(b, nest(b, root, "head"), "w");
	FILL(b, nest(b, root, "body"), "w");
	nest(b, root, "void");
	edit(b, FERRY_EDIT_DROP, "^head", NULL);
	apply(b);
	names_are(root, "body{w} void{}");
	bench_free(b);
}

Test(handling, a_tensor_and_a_mapping_do_not_share_a_name)
{
	struct bench *b = bench_new();
	struct ferry_value *root = b->doc->root;

	FILL(b, root, "a");
	FILL(b, nest(b, root, "x"), "w");
	edit(b, FERRY_EDIT_RENAME, "^x\\.", "a.");
	cr_assert_eq(ferry_rules_apply(b->rules, b->doc, root, b->out,
				       &b->err), FERRY_MISUSE);
	names_are(root, "a x{w}");
	bench_free(b);
}

Test(handling, a_mapping_inside_of_itself_ends)
{
	struct bench *b = bench_new();
	struct ferry_value *root = b->doc->root;

	FILL(b, root, "m.a");
	ferry_dict_set_str(b->doc->store, root, "m.self", root);
	edit(b, FERRY_EDIT_STRIP_PREFIX, "m.", NULL);
	apply(b);
	cr_assert_not_null(ferry_dict_get(root, "a"));
	cr_assert_eq(ferry_dict_get(root, "self"), root);
	bench_free(b);
}

/* ---- metadata of modules ------------------------------------------------- */

static struct ferry_value *ordered(struct bench *b, const char *const *modules)
{
	struct ferry_store *s = b->doc->store;
	struct ferry_value *args = ferry_sequence(s, FERRY_TUPLE, 0);
	struct ferry_value *o = ferry_object(s, FERRY_FORM_CALL,
					     ferry_global(s, "m", 1, "O", 1),
					     args, NULL);
	struct ferry_value *table = ferry_dict(s, 0);

	for (; *modules; modules++)
		ferry_dict_set_str(s, table, *modules, ferry_dict(s, 0));
	o->u.object->dict = ferry_dict(s, 0);
	o->u.object->state = ferry_dict(s, 0);
	ferry_dict_set_str(s, o->u.object->state, "_metadata", table);
	b->doc->root = o;
	return table;
}

static void table_is(struct ferry_value *table, const char *expected)
{
	struct ferry_value *names = table;
	char *text = NULL;
	size_t n;
	FILE *f = open_memstream(&text, &n);

	for (uint32_t i = 0; i < names->u.dict.n; i++)
		fprintf(f, "[%.*s]",
			(int)names->u.dict.pairs[i].key->u.s.nbytes,
			names->u.dict.pairs[i].key->u.s.data);
	fclose(f);
	cr_assert_str_eq(text, expected);
	free(text);
}

static const char *const modules[] = {
	"", "module", "module.a", "module.act", "module.b", "module.b.c", NULL
};

Test(handling, metadata_follows_a_stripped_prefix)
{
	struct bench *b = bench_new();
	struct ferry_value *table = ordered(b, modules);

	FILL(b, b->doc->root->u.object->dict, "module.a.w", "module.b.c.w");
	edit(b, FERRY_EDIT_STRIP_PREFIX, "module.", NULL);
	apply(b);
	table_is(table, "[][a][act][b][b.c]");
	bench_free(b);
}

Test(handling, metadata_follows_an_added_prefix)
{
	struct bench *b = bench_new();
	struct ferry_value *table = ordered(b, modules);

	FILL(b, b->doc->root->u.object->dict, "module.a.w", "module.b.c.w");
	edit(b, FERRY_EDIT_ADD_PREFIX, "net.", NULL);
	apply(b);
	table_is(table, "[net][net.module][net.module.a][net.module.act]"
		 "[net.module.b][net.module.b.c]");
	bench_free(b);
}

Test(handling, metadata_goes_with_dropped_modules)
{
	struct bench *b = bench_new();
	struct ferry_value *table = ordered(b, modules);

	FILL(b, b->doc->root->u.object->dict, "module.a.w", "module.b.c.w");
	edit(b, FERRY_EDIT_DROP, "^module\\.b", NULL);
	apply(b);
	table_is(table, "[][module][module.a][module.act]");
	bench_free(b);
}

Test(handling, metadata_follows_a_rename_of_a_module)
{
	struct bench *b = bench_new();
	struct ferry_value *table = ordered(b, modules);

	FILL(b, b->doc->root->u.object->dict, "module.a.gamma",
	     "module.b.c.w");
	edit(b, FERRY_EDIT_RENAME, "^module\\.b\\.", "module.z.");
	edit(b, FERRY_EDIT_RENAME, "gamma$", "weight");
	apply(b);
	table_is(table, "[][module][module.a][module.act][module.z]"
		 "[module.z.c]");
	bench_free(b);
}

/* An ordered dict with a table, under a key of another. */
static struct ferry_value *nested(struct bench *b, const char *key,
				  struct ferry_value *root)
{
	struct ferry_value *table = ordered(b, modules);

	FILL(b, b->doc->root->u.object->dict, "module.a.w", "module.b.c.w");
	ferry_dict_set_str(b->doc->store, root, key, b->doc->root);
	b->doc->root = root;
	return table;
}

Test(handling, metadata_of_nested_mappings_follows)
{
	struct bench *b = bench_new();
	struct ferry_value *root = b->doc->root;
	struct ferry_value *gen = nested(b, "gen", root);
	struct ferry_value *disc = nested(b, "disc", root);

	edit(b, FERRY_EDIT_RENAME, "^gen\\.module\\.", "gen.");
	edit(b, FERRY_EDIT_DROP, "^disc\\.module\\.b", NULL);
	apply(b);
	table_is(gen, "[][a][act][b][b.c]");
	table_is(disc, "[][module][module.a][module.act]");
	bench_free(b);
}

Test(handling, a_mapping_under_another_name_keeps_its_class_and_metadata)
{
	struct bench *b = bench_new();
	struct ferry_value *root = b->doc->root, *object;
	struct ferry_value *table = nested(b, "gen", root);

	object = ferry_dict_get(root, "gen");
	edit(b, FERRY_EDIT_RENAME, "^gen\\.module\\.", "net.");
	apply(b);
	cr_expect_null(ferry_dict_get(root, "gen"));
	cr_expect_eq(ferry_dict_get(root, "net"), object);
	cr_expect_not_null(ferry_dict_get(object->u.object->dict, "a.w"));
	table_is(table, "[][a][act][b][b.c]");
	bench_free(b);
}

Test(handling, a_mapping_that_only_some_names_leave_stays)
{
	struct bench *b = bench_new();
	struct ferry_value *root = b->doc->root, *object;
	struct ferry_value *table = nested(b, "gen", root);

	object = ferry_dict_get(root, "gen");
	edit(b, FERRY_EDIT_RENAME, "^gen\\.module\\.b", "net.b");
	apply(b);
	cr_expect_eq(ferry_dict_get(root, "gen"), object);
	cr_expect_eq(ferry_dict_get(root, "net")->kind, FERRY_DICT);
	table_is(table, "[][module][module.a][module.act]");
	bench_free(b);
}

/* ---- casts --------------------------------------------------------------- */

static enum ferry_dtype dtype_at(struct bench *b, const char *name)
{
	return ferry_value_payload(ferry_dict_get(b->doc->root, name))
		->u.tensor->dtype;
}

Test(handling, casts_floats_and_leaves_the_rest)
{
	struct bench *b = bench_new();
	struct ferry_store *s = b->doc->store;
	struct ferry_value *root = b->doc->root;

	ferry_dict_set_str(s, root, "f", tensor_of(b, FERRY_F32));
	ferry_dict_set_str(s, root, "i", tensor_of(b, FERRY_I32));
	ferry_dict_set_str(s, root, "c", tensor_of(b, FERRY_C64));
	ferry_dict_set_str(s, root, "b", tensor_of(b, FERRY_BOOL8));
	edit(b, FERRY_EDIT_CAST, "float64", NULL);
	apply(b);
	cr_assert_eq(dtype_at(b, "f"), FERRY_F64);
	cr_assert_eq(dtype_at(b, "i"), FERRY_I32);
	cr_assert_eq(dtype_at(b, "c"), FERRY_C64);
	cr_assert_eq(dtype_at(b, "b"), FERRY_BOOL8);
	bench_free(b);
}

Test(handling, casts_what_a_pattern_names)
{
	struct bench *b = bench_new();

	FILL(b, b->doc->root, "a.weight", "a.bias");
	edit(b, FERRY_EDIT_CAST, "bf16", "weight$");
	apply(b);
	cr_assert_eq(dtype_at(b, "a.weight"), FERRY_BF16);
	cr_assert_eq(dtype_at(b, "a.bias"), FERRY_F32);
	has_finding(b, FERRY_NOTE, "cast", "1 of 2 names");
	bench_free(b);
}

Test(handling, tied_tensors_stay_tied_and_keep_their_strides)
{
	struct bench *b = bench_new();
	struct ferry_store *s = b->doc->store;
	uint64_t shape[] = { 2, 2 };
	int64_t strides[] = { 1, 2 };
	struct ferry_value *x, *y;
	double read[4];

	x = ferry_tensor(s, FERRY_F32, 2, shape, strides, 0, b->storage);
	y = ferry_tensor(s, FERRY_F32, 2, shape, NULL, 4, b->storage);
	ferry_dict_set_str(s, b->doc->root, "x", x);
	ferry_dict_set_str(s, b->doc->root, "y", y);
	ferry_dict_set_str(s, b->doc->root, "z", x);
	edit(b, FERRY_EDIT_CAST, "float64", NULL);
	apply(b);
	x = ferry_dict_get(b->doc->root, "x");
	y = ferry_dict_get(b->doc->root, "y");
	cr_assert_eq(x, ferry_dict_get(b->doc->root, "z"));
	cr_assert_eq(x->u.tensor->storage, y->u.tensor->storage);
	cr_assert_eq(x->u.tensor->strides[1], 2);
	cr_assert_eq(y->u.tensor->offset, 4);
	cr_assert_eq(ferry_tensor_read(x->u.tensor, 0, 4, read, NULL), 0);
	cr_assert(read[0] == 0.25 && read[1] == 2.25 && read[2] == 1.25 &&
		  read[3] == 3.25);
	cr_assert_eq(ferry_tensor_read(y->u.tensor, 0, 4, read, NULL), 0);
	cr_assert(read[0] == 4.25 && read[3] == 7.25);
	bench_free(b);
}

Test(handling, what_decorates_a_tensor_stays)
{
	struct bench *b = bench_new();
	struct ferry_store *s = b->doc->store;
	struct ferry_value *args = ferry_sequence(s, FERRY_TUPLE, 1), *p;

	ferry_list_add(s, args, tensor_of(b, FERRY_F32));
	p = ferry_object(s, FERRY_FORM_CALL, ferry_global(s, "m", 1, "P", 1),
			 args, NULL);
	p->u.object->payload = 0;
	ferry_dict_set_str(s, b->doc->root, "p", p);
	edit(b, FERRY_EDIT_CAST, "float16", NULL);
	apply(b);
	cr_assert_eq(ferry_dict_get(b->doc->root, "p"), p);
	cr_assert_eq(dtype_at(b, "p"), FERRY_F16);
	bench_free(b);
}

/* ---- files --------------------------------------------------------------- */

static char *file_of(const char *text)
{
	static char path[] = "/tmp/ferry-rules-XXXXXX";
	int fd;

	strcpy(path + sizeof(path) - 7, "XXXXXX");
	fd = mkstemp(path);
	cr_assert_geq(fd, 0);
	cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
	return path;
}

Test(handling, loads_every_rule)
{
	struct bench *b = bench_new();
	char *path = file_of(
		"name: example/model\n"
		"description: one line\n"
		"rules:\n"
		"  - strip_prefix: \"module.\"\n"
		"  - drop: \"^head\\\\.\"\n"
		"  - drop: {match: glob, pattern: \"*.num_batches_tracked\"}\n"
		"  - keep: {match: prefix, pattern: \"encoder.\"}\n"
		"  - keep: {match: exact, pattern: \"odd[1]\"}\n"
		"  - rename: {match: substring, pattern: \"[1]\", to: \"_1\"}\n"
		"  - rename: {match: glob, pattern: \"*.gamma\", "
		"to: \"\\\\1.weight\"}\n"
		"  - add_prefix: {prefix: \"model.\"}\n"
		"  - cast: {dtype: bfloat16, pattern: \"weight$\"}\n");

	FILL(b, b->doc->root, "module.head.w",
	     "module.encoder.a.num_batches_tracked", "module.encoder.a.gamma",
	     "module.odd[1]", "module.odd1", "module.encoder.bias");
	cr_assert_eq(ferry_rules_load(b->rules, path, &b->err), 0, "%s",
		     b->err.text);
	cr_assert_eq(ferry_rules_count(b->rules), 9);
	apply(b);
	names_are(b->doc->root, "model.encoder.a.weight model.odd_1 "
		  "model.encoder.bias");
	cr_assert_eq(dtype_at(b, "model.encoder.a.weight"), FERRY_BF16);
	unlink(path);
	bench_free(b);
}

/* "$list" gives a list again for a few bytes, as often as a rule asks. */
Test(handling, rules_do_not_grow_without_end)
{
	struct bench *b = bench_new();
	size_t cap = 20000, used;
	char *text = malloc(cap), *path;

	cr_assert(text);
	used = (size_t)snprintf(text, cap, "pretrained:\n  drop_params: [");
	for (int i = 0; i < 1000; i++)
		used += (size_t)snprintf(text + used, cap - used, "x,");
	used += (size_t)snprintf(text + used, cap - used, "]\nrules:\n");
	for (int i = 0; i < 101; i++)
		used += (size_t)snprintf(text + used, cap - used, "- drop: "
					 "{match: exact, pattern: "
					 "$drop_params}\n");
	path = file_of(text);
	cr_assert_eq(ferry_rules_load(b->rules, path, &b->err), FERRY_LIMIT);
	cr_assert_str_eq(b->err.text, "there are more than 100000 rules, or "
			 "they have more than 16777216 bytes of patterns and "
			 "names");
	unlink(path);
	free(text);
	bench_free(b);
}

Test(handling, a_required_prefix_is_on_every_name)
{
	struct bench *b = bench_new();
	char *path = file_of("rules:\n- strip_prefix: "
			     "{prefix: \"m.\", required: true}\n");

	FILL(b, b->doc->root, "m.a", "b");
	cr_assert_eq(ferry_rules_load(b->rules, path, &b->err), 0, "%s",
		     b->err.text);
	cr_assert_eq(ferry_rules_apply(b->rules, b->doc, b->doc->root, b->out,
				       &b->err), FERRY_MISUSE);
	cr_assert(strstr(b->err.text, "'b'"), "%s", b->err.text);
	unlink(path);
	bench_free(b);
}

Test(handling, bad_files_say_line_and_column)
{
	static const struct {
		const char *text, *says;
	} cases[] = {
		{ "rules:\n  - drop: \"(\"\n", "line 2 column 11" },
		{ "rules:\n  - dorp: x\n", "'dorp' is not known" },
		{ "rules:\n  - drop: x\n    keep: y\n", "line 2 column 5" },
		{ "rules:\n  - drop: {pattern: x, to: y}\n", "'to'" },
		{ "rules:\n  - drop: {match: fuzzy, pattern: x}\n", "glob" },
		{ "rules:\n  - rename: {pattern: x}\n", "to is missing" },
		{ "rules:\n  - rename: x\n", "a mapping" },
		{ "rules:\n  - cast: {pattern: x}\n", "dtype is missing" },
		{ "rules:\n  - cast: float99\n", "float99" },
		{ "rules: 5\n", "a list" },
		{ "name: x\n", "a list" },
		{ "ruels: []\n", "'ruels'" },
		{ "- a\n", "a mapping" },
		{ "", "a mapping" },
		{ "rules: [\n", "line 2" },
		{ "rules:\n  - when: {a: b}\n    drop: x\n", "'a' is neither" },
		{ "rules:\n  - when: x\n    drop: x\n", "when: a mapping" },
		{ "rules:\n  - drop: $size\n", "'size'" },
		{ "rules:\n  - resize_bias: {pattern: x, image: 3}\n",
		  "stride is missing" },
		{ "rules:\n  - resize_bias: {pattern: x, image: a, "
		  "stride: 2}\n", "a whole number" },
		{ "rules:\n  - resize_bias: {pattern: x, image: 8, "
		  "stride: 16}\n", "has 0 rows" },
		{ "pretrained: {drop_parms: []}\n", "'drop_parms'" },
		{ "pretrained: {drop_params: head}\n", "a list" },
		{ "pretrained: {strict: maybe}\n", "true or false" },
		{ "pretrained: {interpolate_rel_pos_bias: true}\n",
		  "needs a procedure" },
		{ "options: {a: 5}\nrules: []\n", "an option is" },
		{ "source: []\nrules: []\n", "a list of keys" },
		{ "expect: []\nrules: []\n", "name of a tensor schema" },
		{ "rules: \"\\xff\x01\"\n", "line" },
	};
	struct bench *b = bench_new();

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char *path = file_of(cases[i].text);

		ferry_error_clear(&b->err);
		cr_assert_eq(ferry_rules_load(b->rules, path, &b->err),
			     FERRY_MALFORMED, "%s", cases[i].text);
		cr_assert(strstr(b->err.text, cases[i].says), "%s",
			  b->err.text);
		cr_assert_eq(ferry_rules_count(b->rules), 0);
		unlink(path);
	}
	bench_free(b);
}

/* A word ends where Python's \\b says, wherever the pattern is found. */
Test(handling, words_end_and_dots_are_any_character)
{
	struct bench *b = bench_new();
	char *path = file_of(
		"rules:\n"
		"  - drop: {match: word, pattern: [head, \"norm.\", meta_]}\n");

	FILL(b, b->doc->root, "head", "head.weight", "xhead.y", "head-x",
	     "head_fc", "headroom", "norm", "norm1.weight", "final_norm.w",
	     "meta_spatial_head_1.0.weight", "a.meta_.w");
	cr_assert_eq(ferry_rules_load(b->rules, path, &b->err), 0, "%s",
		     b->err.text);
	cr_assert_eq(ferry_rules_count(b->rules), 3);
	apply(b);
	names_are(b->doc->root, "head_fc headroom norm "
		  "meta_spatial_head_1.0.weight");
	unlink(path);
	bench_free(b);
}

static const char optional_file[] =
	"options:\n"
	"  wrapped: {default: \"no\", values: [\"yes\", \"no\"]}\n"
	"  top: {default: m}\n"
	"pretrained: {drop_params: [head], drop_buffers: [index], "
	"strict: true}\n"
	"source: [model, \"\"]\n"
	"expect: a/b\n"
	"rules:\n"
	"  - when: {wrapped: \"yes\", supports_module_prefix: [true]}\n"
	"    add_prefix: {prefix: module., unless_present: true}\n"
	"  - rename: {match: exact, pattern: $top, to: $$top}\n"
	"  - drop: {pattern: never, optional: true}\n";

Test(handling, options_choose_rules_and_fill_in_texts)
{
	static const char *const settings[] = { "wrapped=yes", "top=a",
						"other=1" };
	struct bench *b = bench_new();
	char *path = file_of(optional_file);

	FILL(b, b->doc->root, "a", "head.w", "my_index");
	cr_assert_eq(ferry_rules_load_for(b->rules, path, NULL, settings, 3,
					  &b->err), 0, "%s", b->err.text);
	cr_assert_str_eq(ferry_rules_options(b->rules)[1].name, "top");
	cr_assert_null(ferry_rules_options(b->rules)[2].name);
	cr_assert_str_eq(ferry_rules_source(b->rules, 0), "model");
	cr_assert_str_eq(ferry_rules_source(b->rules, 1), "");
	cr_assert_null(ferry_rules_source(b->rules, 2));
	cr_assert_str_eq(ferry_rules_expect(b->rules), "a/b");
	cr_assert(ferry_rules_strict(b->rules));
	apply(b);
	names_are(b->doc->root, "module.a");
	for (size_t i = 0; i < ferry_findings_count(b->out); i++)
		cr_assert(!strstr(ferry_findings_get(b->out, i)->text,
				  "never"));
	unlink(path);
	bench_free(b);
}

Test(handling, an_option_has_one_of_its_values)
{
	static const char *const settings[] = { "wrapped=maybe" };
	struct bench *b = bench_new();
	char *path = file_of(optional_file);

	cr_assert_eq(ferry_rules_load_for(b->rules, path, NULL, settings, 1,
					  &b->err), FERRY_MISUSE);
	cr_assert(strstr(b->err.text, "'maybe': give one of yes, no"), "%s",
		  b->err.text);
	unlink(path);
	bench_free(b);
}

/* The middle of four values is their mean, by symmetry. */
Test(handling, biases_are_resized_around_their_first_row)
{
	const uint64_t shape[] = { 5, 1 };
	struct bench *b = bench_new();
	char *path = file_of("rules:\n- resize_bias: {pattern: bias, "
			     "image: 32, stride: 16}\n");
	struct ferry_value *t = ferry_tensor(b->doc->store, FERRY_F32, 2,
					     shape, NULL, 0, b->storage);
	float out[10];

	ferry_dict_set_str(b->doc->store, b->doc->root, "bias", t);
	cr_assert_eq(ferry_rules_load(b->rules, path, &b->err), 0, "%s",
		     b->err.text);
	apply(b);
	t = ferry_dict_get(b->doc->root, "bias");
	cr_assert_eq(t->u.tensor->shape[0], 10);
	cr_assert_eq(ferry_tensor_read(t->u.tensor, 0, 10, out, NULL), 0);
	cr_assert_eq(out[0], b->data[0]);
	cr_assert_float_eq(out[5], 2.75f, 1e-6f);
	unlink(path);
	bench_free(b);
}

Test(handling, biases_that_are_no_square_are_refused)
{
	const uint64_t shape[] = { 4, 2 };
	struct bench *b = bench_new();
	char *path = file_of("rules:\n- resize_bias: {pattern: bias, "
			     "image: 32, stride: 16}\n");

	ferry_dict_set_str(b->doc->store, b->doc->root, "bias",
			   ferry_tensor(b->doc->store, FERRY_F32, 2, shape,
					NULL, 0, b->storage));
	cr_assert_eq(ferry_rules_load(b->rules, path, &b->err), 0, "%s",
		     b->err.text);
	cr_assert_eq(ferry_rules_apply(b->rules, b->doc, b->doc->root, b->out,
				       &b->err), FERRY_MISUSE);
	cr_assert(strstr(b->err.text, "'bias' has 4 rows"), "%s", b->err.text);
	unlink(path);
	bench_free(b);
}

Test(handling, shipped_rules_load_and_strip)
{
	static const struct {
		const char *file, *in, *out;
	} cases[] = {
		{ "ddp", "module.a.module.b", "a.module.b" },
		{ "compile", "_orig_mod.a._orig_mod.b", "a.b" },
		{ "fsdp", "_fsdp_wrapped_module.a._fsdp_wrapped_module."
		  "_checkpoint_wrapped_module.b", "a.b" },
		{ "wrappers", "_orig_mod.module.a._orig_mod.module.b",
		  "a.module.b" },
	};
	const char *top = getenv("abs_top_srcdir");
	char path[1024];

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct bench *b = bench_new();

		snprintf(path, sizeof(path), "%s/schemas/handling/%s.yaml",
			 top ? top : ".", cases[i].file);
		cr_assert_eq(ferry_rules_load(b->rules, path, &b->err), 0,
			     "%s", b->err.text);
		FILL(b, b->doc->root, cases[i].in);
		apply(b);
		names_are(b->doc->root, cases[i].out);
		bench_free(b);
	}
}

Test(handling, many_names_and_rules_are_linear, .timeout = 60)
{
	struct bench *b = bench_new();
	struct timespec from, to;
	char name[80], rule[40];
	double small = 0, large;

	for (int round = 0; round < 2; round++) {
		int n = round ? 100000 : 25000;

		b->doc->root = ferry_dict(b->doc->store, 0);
		for (int i = 0; i < n; i++) {
			snprintf(name, sizeof(name),
				 "module.layers.%d.attention.weight", i);
			FILL(b, b->doc->root, name);
		}
		for (int i = 0; !round && i < 20; i++) {
			snprintf(rule, sizeof(rule), "^(.*)\\.layers\\.%d\\.",
				 i);
			edit(b, FERRY_EDIT_RENAME, rule, "\\1.block.");
			if (!i)
				edit(b, FERRY_EDIT_STRIP_PREFIX, "module.",
				     NULL);
		}
		clock_gettime(CLOCK_MONOTONIC, &from);
		apply(b);
		clock_gettime(CLOCK_MONOTONIC, &to);
		large = (double)(to.tv_sec - from.tv_sec) +
			(double)(to.tv_nsec - from.tv_nsec) / 1e9;
		if (!round)
			small = large;
	}
	cr_log_info("25,000: %.3f s, 100,000: %.3f s", small, large);
	cr_assert_lt(large, 12 * small + 0.5);
	bench_free(b);
}
