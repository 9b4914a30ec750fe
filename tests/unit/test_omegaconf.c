/*
 * Configurations of OmegaConf: the pickles in tests/corpus/audiocraft/configs,
 * each with the plain values OmegaConf itself tells (see configs.py there).
 */
#include "config.h"

#include "formats/omegaconf/omegaconf.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "formats/pickle/pickle.h"

#define DIRECTORY "tests/corpus/audiocraft/configs/"

static struct ferry_store *store;
static struct ferry_error err;
static struct ferry_findings *findings;

static void set_up(void)
{
	ferry_error_clear(&err);
	cr_assert_eq(ferry_store_new(&store, &err), 0);
	cr_assert_eq(ferry_findings_new(&findings, &err), 0);
}

static void tear_down(void)
{
	ferry_findings_free(findings);
	ferry_store_unref(store);
}

TestSuite(omegaconf, .init = set_up, .fini = tear_down);

static void read_file(const char *name, const char *end,
		      struct ferry_buffer *out)
{
	const char *top = getenv("srcdir");
	char path[512];
	FILE *f;

	snprintf(path, sizeof(path), "%s/" DIRECTORY "%s.%s", top ? top : ".",
		 name, end);
	f = fopen(path, "rb");
	cr_assert(f, "%s", path);
	for (int c; (c = getc(f)) != EOF;)
		ferry_buffer_add(out, &(char){ (char)c }, 1);
	fclose(f);
	cr_assert(!out->failed);
}

static struct ferry_value *load(const void *data, size_t n)
{
	struct ferry_value *v = NULL;
	struct ferry_source *src;
	uint64_t end;

	cr_assert_eq(ferry_source_from_memory(&src, data, n, "test", &err), 0);
	cr_assert_eq(ferry_store_take_source(store, src), 0);
	cr_assert_eq(pickle_read(src, 0, store, NULL, &v, &end, &err), 0, "%s",
		     err.text);
	return v;
}

static struct ferry_value *load_file(const char *name)
{
	struct ferry_buffer bytes = FERRY_BUFFER_INIT;
	struct ferry_value *v;
	char *kept;

	read_file(name, "pkl", &bytes);
	kept = ferry_store_alloc(store, bytes.n);
	memcpy(kept, bytes.data, bytes.n);
	v = load(kept, bytes.n);
	ferry_buffer_release(&bytes);
	return v;
}

/* ---- plain values as text ---------------------------------------------------- */

static void dump(struct ferry_buffer *out, const struct ferry_value *v);

static void dump_items(struct ferry_buffer *out, const struct ferry_value *v)
{
	for (uint32_t i = 0; i < v->u.list.n; i++) {
		ferry_buffer_add_str(out, i ? ", " : "");
		dump(out, v->u.list.items[i]);
	}
}

static void dump_pairs(struct ferry_buffer *out, const struct ferry_value *v)
{
	for (uint32_t i = 0; i < v->u.dict.n; i++) {
		ferry_buffer_add_str(out, i ? ", " : "");
		dump(out, v->u.dict.pairs[i].key);
		ferry_buffer_add_str(out, ": ");
		dump(out, v->u.dict.pairs[i].value);
	}
}

/* pathlib.PosixPath("/", "a", "b") */
static void dump_path(struct ferry_buffer *out, const struct ferry_value *v)
{
	const struct ferry_value *parts = v->u.object->args;

	for (uint32_t i = 0; i < parts->u.list.n; i++) {
		ferry_buffer_add_str(out, i > 1 ? "/" : "");
		ferry_buffer_add(out, parts->u.list.items[i]->u.s.data,
				 parts->u.list.items[i]->u.s.nbytes);
	}
}

static void dump(struct ferry_buffer *out, const struct ferry_value *v)
{
	switch (v->kind) {
	case FERRY_NONE:
		ferry_buffer_add_str(out, "None");
		break;
	case FERRY_BOOL:
		ferry_buffer_add_str(out, v->u.b ? "True" : "False");
		break;
	case FERRY_INT:
		ferry_buffer_printf(out, "%" PRId64, v->u.i);
		break;
	case FERRY_FLOAT:
		ferry_buffer_printf(out, "%.17g", v->u.f);
		break;
	case FERRY_STRING:
		ferry_buffer_add_str(out, "\"");
		ferry_buffer_add(out, v->u.s.data, v->u.s.nbytes);
		ferry_buffer_add_str(out, "\"");
		break;
	case FERRY_BYTES:
		ferry_buffer_add_str(out, "b");
		for (uint64_t i = 0; i < v->u.s.nbytes; i++)
			ferry_buffer_printf(out, "%02x",
					    (uint8_t)v->u.s.data[i]);
		break;
	case FERRY_OBJECT:
		ferry_buffer_add_str(out, "\"");
		dump_path(out, v);
		ferry_buffer_add_str(out, "\"");
		break;
	case FERRY_LIST:
		ferry_buffer_add_str(out, "[");
		dump_items(out, v);
		ferry_buffer_add_str(out, "]");
		break;
	default:
		cr_assert_eq(v->kind, FERRY_DICT);
		ferry_buffer_add_str(out, "{");
		dump_pairs(out, v);
		ferry_buffer_add_str(out, "}");
		break;
	}
}

static void expect_text(const struct ferry_value *v, const char *text)
{
	struct ferry_buffer out = FERRY_BUFFER_INIT;

	dump(&out, v);
	cr_expect_str_eq(out.data, text);
	ferry_buffer_release(&out);
}

static struct ferry_value *plain_of(const struct ferry_value *config)
{
	struct ferry_value *out = NULL;

	cr_assert_eq(omegaconf_plain(store, config, NULL, findings, &out, &err),
		     0, "%s", err.text);
	return out;
}

static void expect_plain(const struct ferry_value *config, const char *text)
{
	expect_text(plain_of(config), text);
}

static struct ferry_value *config_of(const char *name)
{
	struct ferry_value *copy = NULL;

	cr_assert_eq(ferry_value_copy(store, load_file(name), NULL, NULL,
				      &copy, &err), 0);
	return copy;
}

static struct ferry_value *text(const char *s)
{
	return ferry_cstring(store, s);
}

static struct ferry_value *mapping(const char *key, struct ferry_value *v)
{
	struct ferry_value *dict = ferry_dict(store, 1);

	if (key)
		ferry_dict_set_str(store, dict, key, v);
	return dict;
}

/* ---- reading ----------------------------------------------------------------- */

static void expect_file(const char *name, const char *release)
{
	struct ferry_buffer expected = FERRY_BUFFER_INIT;
	char file[80];

	snprintf(file, sizeof(file), "%s-%s", name, release);
	read_file(file, "txt", &expected);
	expected.data[expected.n - 1] = '\0';
	expect_plain(load_file(file), expected.data);
	ferry_buffer_release(&expected);
}

static const char *const releases[] = { "2.0.6", "2.1.2", "2.2.3", "2.3.0" };

Test(omegaconf, reads_what_every_release_pickles)
{
	static const char *const names[] = {
		"vector", "text", "list", "special", "flags", "cached", "typed",
	};

	for (size_t i = 0; i < 4; i++)
		for (size_t k = 0; k < sizeof(names) / sizeof(*names); k++)
			expect_file(names[k], releases[i]);
	cr_expect_eq(ferry_findings_count(findings), 0);
}

Test(omegaconf, reads_bytes_paths_and_unions)
{
	expect_file("bytes", "2.2.3");
	expect_file("bytes", "2.3.0");
	expect_file("union", "2.2.3");
	expect_file("union", "2.3.0");
}

Test(omegaconf, reads_a_copy_as_the_original)
{
	struct ferry_value *v = config_of("typed-2.3.0");

	cr_expect_neq(v, load_file("typed-2.3.0"));
	expect_plain(v, "{\"i\": 7, \"f\": 0.5, \"b\": True, \"s\": \"text\", "
		     "\"mode\": \"VALID\", \"later\": None, \"inner\": {\"n\": "
		     "3, \"name\": \"???\"}, \"sizes\": [1, 2], \"table\": "
		     "{\"x\": 1}}");
}

Test(omegaconf, tells_layouts_apart)
{
	static const enum omegaconf_layout layouts[] = {
		OMEGACONF_2_0, OMEGACONF_2_1, OMEGACONF_2_2, OMEGACONF_2_2,
	};
	char name[80];

	for (size_t i = 0; i < 4; i++) {
		snprintf(name, sizeof(name), "vector-%s", releases[i]);
		cr_expect_eq(omegaconf_layout_of(load_file(name)), layouts[i]);
		snprintf(name, sizeof(name), "list-%s", releases[i]);
		cr_expect_eq(omegaconf_layout_of(load_file(name)), layouts[i]);
	}
	cr_expect_eq(omegaconf_layout_of(ferry_dict(store, 0)), OMEGACONF_NONE);
}

Test(omegaconf, surveys_what_plain_values_lose)
{
	struct omegaconf_survey s;
	struct ferry_value *out;

	omegaconf_plain(store, load_file("vector-2.3.0"), &s, NULL, &out, &err);
	cr_expect_eq(s.dicts, 2);
	cr_expect_eq(s.lists, 1);
	cr_expect_eq(s.scalars, 10);
	cr_expect_eq(s.missing, 1);
	cr_expect_eq(s.interpolations, 1);
	cr_expect_eq(s.typed + s.enums + s.flags + s.cached, 0);
	omegaconf_plain(store, load_file("typed-2.3.0"), &s, NULL, &out, &err);
	cr_expect_eq(s.enums, 1);
	cr_expect_gt(s.typed, 6);
	omegaconf_plain(store, load_file("flags-2.3.0"), &s, NULL, &out, &err);
	cr_expect_eq(s.flags, 2);
	omegaconf_plain(store, load_file("cached-2.3.0"), &s, NULL, &out, &err);
	cr_expect_eq(s.cached, 1);
}

Test(omegaconf, looks_up_nodes_and_plain_values)
{
	struct ferry_value *config = load_file("text-2.1.2"), *v;

	v = omegaconf_at(config, "optim.betas.1");
	cr_assert(v);
	cr_expect_float_eq(omegaconf_value(v)->u.f, 0.95, 0);
	cr_expect(!omegaconf_at(config, "optim.betas.2"));
	cr_expect(!omegaconf_at(config, "optim.nothing.x"));
	v = omegaconf_at(plain_of(config), "schedule.updates");
	cr_expect(ferry_value_is(v, "${optim.updates_per_epoch}"));
	cr_expect_eq(omegaconf_flag(load_file("flags-2.3.0"), "struct"), 1);
	cr_expect_eq(omegaconf_flag(config, "struct"), -1);
}

Test(omegaconf, refuses_what_is_no_node)
{
	struct ferry_value *config = config_of("vector-2.3.0");
	struct ferry_value *node = omegaconf_at(config, "d.x"), *out;

	ferry_dict_replace(store, node->u.object->state, NULL, 0);
	cr_expect_eq(omegaconf_plain(store, config, NULL, NULL, &out, &err),
		     FERRY_MALFORMED);
	cr_expect_str_eq(err.text, "d.x: a AnyNode has no _val");
	ferry_error_clear(&err);
	cr_expect_eq(omegaconf_plain(store, text("x"), NULL, NULL, &out, &err),
		     FERRY_MALFORMED);
	cr_expect_str_eq(err.text, "the configuration: a value of kind string "
			 "stands where a node of OmegaConf must");
}

Test(omegaconf, refuses_a_configuration_that_contains_itself)
{
	struct ferry_value *config = config_of("vector-2.3.0"), *out;
	struct ferry_value *content = ferry_dict_get(config->u.object->state,
						     "_content");

	ferry_dict_set_str(store, content, "d", config);
	cr_expect_eq(omegaconf_plain(store, config, NULL, NULL, &out, &err),
		     FERRY_LIMIT);
}

/* ---- making: the very bytes of Python ---------------------------------------- */

static void expect_pickle(const struct ferry_value *config, const char *file)
{
	struct pickle_writer_options options = { .store_all = true };
	struct ferry_buffer out = FERRY_BUFFER_INIT;
	struct ferry_buffer expected = FERRY_BUFFER_INIT;

	read_file(file, "pkl", &expected);
	cr_assert_eq(pickle_write(config, &options, &out, &err), 0, "%s",
		     err.text);
	cr_expect_eq(out.n, expected.n, "%s: %zu, not %zu", file, out.n,
		     expected.n);
	cr_expect(out.n == expected.n &&
		  !memcmp(out.data, expected.data, out.n), "%s", file);
	ferry_buffer_release(&out);
	ferry_buffer_release(&expected);
}

static void expect_same_bytes(const char *name, const char *release,
			      enum omegaconf_layout layout, bool is_struct)
{
	struct omegaconf_maker maker = { layout, is_struct };
	struct ferry_value *config;
	char file[80];

	snprintf(file, sizeof(file), "%s-%s", name, release);
	cr_assert_eq(omegaconf_create(store, plain_of(load_file(file)), &maker,
				      &config, &err), 0, "%s", err.text);
	expect_pickle(config, file);
}

Test(omegaconf, makes_the_bytes_that_python_makes)
{
	static const char *const names[] = { "vector", "list", "text", "one" };

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		expect_same_bytes(names[i], "2.0.6", OMEGACONF_2_0, false);
		expect_same_bytes(names[i], "2.1.2", OMEGACONF_2_1, false);
		expect_same_bytes(names[i], "2.2.3", OMEGACONF_2_2, false);
		expect_same_bytes(names[i], "2.3.0", OMEGACONF_NONE, false);
	}
}

/* More than the 256 entries of a memo that one byte counts. */
Test(omegaconf, makes_large_ones)
{
	expect_same_bytes("large", "2.3.0", OMEGACONF_2_2, false);
}

Test(omegaconf, makes_structs)
{
	expect_same_bytes("struct", "2.0.6", OMEGACONF_2_0, true);
	expect_same_bytes("struct", "2.1.2", OMEGACONF_2_1, true);
	expect_same_bytes("struct", "2.3.0", OMEGACONF_2_2, true);
}

Test(omegaconf, is_written_as_it_was_read)
{
	expect_pickle(load_file("typed-2.3.0"), "typed-2.3.0");
	expect_pickle(load_file("cached-2.1.2"), "cached-2.1.2");
	expect_pickle(load_file("special-2.0.6"), "special-2.0.6");
}

Test(omegaconf, makes_nothing_of_what_has_no_place)
{
	struct ferry_value *set = ferry_sequence(store, FERRY_SET, 0), *out;
	struct ferry_value *dict = ferry_dict(store, 1);

	cr_expect_eq(omegaconf_create(store, mapping("a", set), NULL, &out,
				      &err), FERRY_UNSUPPORTED);
	cr_expect_str_eq(err.text, "a: a value of kind set has no place in a "
			 "configuration");
	ferry_error_clear(&err);
	ferry_dict_set(store, dict, ferry_none(), ferry_none());
	cr_expect_eq(omegaconf_create(store, dict, NULL, &out, &err),
		     FERRY_UNSUPPORTED);
	ferry_error_clear(&err);
	cr_expect_eq(omegaconf_create(store, text("x"), NULL, &out, &err),
		     FERRY_UNSUPPORTED);
}

/* ---- changing ---------------------------------------------------------------- */

static void update(struct ferry_value *config, const char *key,
		   struct ferry_value *v)
{
	cr_assert_eq(omegaconf_update(store, config, key, v, false, findings,
				      &err), 0, "%s", err.text);
}

static void refused(struct ferry_value *config, const char *key,
		    struct ferry_value *v, enum ferry_code code,
		    const char *why)
{
	cr_expect_eq(omegaconf_update(store, config, key, v, false, findings,
				      &err), (int)code);
	cr_expect_str_eq(err.text, why);
	ferry_error_clear(&err);
}

Test(omegaconf, updates_scalars_mappings_and_lists)
{
	struct ferry_value *config = config_of("vector-2.3.0");
	struct ferry_value *list = ferry_sequence(store, FERRY_LIST, 1);
	struct ferry_value *node = omegaconf_at(config, "a");

	ferry_list_add(store, list, ferry_float(store, 0.5));
	update(config, "a", ferry_int(store, 2));
	update(config, "l[1]", text("y"));
	update(config, "[d].x", ferry_bool(true));
	update(config, "d", mapping("z", list));
	update(config, "f", list);
	cr_expect_eq(omegaconf_at(config, "a"), node);
	expect_plain(config, "{\"a\": 2, \"l\": [1, \"y\"], \"s\": \"str\", "
		     "\"i\": \"${a}\", \"m\": \"???\", \"n\": None, \"f\": "
		     "[0.5], \"b\": True, \"d\": {\"x\": True, \"z\": [0.5]}}");
	update(config, "l", list);
	update(config, "new.deep.key", ferry_int(store, 1));
	update(config, "s.t", ferry_int(store, 1));
	expect_plain(config, "{\"a\": 2, \"l\": [0.5], \"s\": {\"t\": 1}, "
		     "\"i\": \"${a}\", \"m\": \"???\", \"n\": None, \"f\": "
		     "[0.5], \"b\": True, \"d\": {\"x\": True, \"z\": [0.5]}, "
		     "\"new\": {\"deep\": {\"key\": 1}}}");
	cr_expect_str_eq(ferry_findings_get(findings, 0)->text,
			 "d.z was not in the configuration: added");
}

Test(omegaconf, tells_interpolations_from_what_is_none)
{
	static const char *const good[] = {
		"", "$", "{}", "$ {", "}", "\\${x", "${a}", "${ a }", "${.a}",
		"${..a.b[0]}", "${[a].b}", "${a.${b}.c}", "${oc.env:USER}",
		"${now:%Y-%m-%d}", "x ${a} y ${b}", "${f:}", "${f:a,b}",
		"${f:{a: 1},[2]}", "${f:'}'}", "${f:\"${a}\"}", "${a-b}",
	};
	static const char *const bad[] = {
		"${", "${}", "${ }", "${.}", "${a", "x ${a", "${a b}",
		"${f:", "${f:${a}", "${f:'}", "${a.${b}", "${a{b}}",
		"\\\\${a",
	};

	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
		cr_expect(omegaconf_is_text(text(good[i])), "%s", good[i]);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		cr_expect_not(omegaconf_is_text(text(bad[i])), "%s", bad[i]);
}

Test(omegaconf, leaves_the_original_as_it_is)
{
	struct ferry_value *original = load_file("vector-2.3.0"), *copy;

	cr_assert_eq(ferry_value_copy(store, original, NULL, NULL, &copy,
				      &err), 0);
	update(copy, "d.x", ferry_int(store, 9));
	cr_assert_eq(omegaconf_delete(store, copy, "l", &err), 0);
	expect_pickle(original, "vector-2.3.0");
}

Test(omegaconf, keeps_structs_and_what_is_read_only)
{
	struct ferry_value *config = config_of("flags-2.3.0");

	update(config, "a", ferry_int(store, 5));
	refused(config, "nothing", ferry_int(store, 1), FERRY_MISUSE,
		"nothing is not in the configuration, which is a struct: --set "
		"force-add=yes adds what it lacks; beside it there is a, l, s, "
		"i, m, n, f, b, d");
	refused(config, "d.x", ferry_int(store, 1), FERRY_MISUSE,
		"d.x is read-only");
	refused(config, "i.x", ferry_int(store, 1), FERRY_MISUSE,
		"i is an interpolation: change what it refers to");
	refused(config, "l[2]", ferry_int(store, 1), FERRY_MISUSE,
		"l.2 is no index of the list, which has 2 items");
	refused(config, "a.x", ferry_int(store, 1), FERRY_MISUSE,
		"a is a value and holds no keys, and the configuration is a "
		"struct: --set force-add=yes makes a mapping of it");
	refused(config, "a", text("${b"), FERRY_MISUSE,
		"a: '${b' begins an interpolation that is none: write ${a.b}, "
		"or \\${ for the characters");
	refused(config, "d", mapping("x", text("1 ${}")), FERRY_MISUSE,
		"d: '1 ${}' begins an interpolation that is none: write "
		"${a.b}, or \\${ for the characters");
	refused(config, "l", mapping("a", ferry_none()), FERRY_MISUSE,
		"l is a list: a mapping does not merge into it; delete it "
		"first");
	cr_assert_eq(omegaconf_update(store, config, "nothing", text("x"), true,
				      findings, &err), 0);
	cr_expect(ferry_value_is(omegaconf_value(omegaconf_at(config,
							      "nothing")),
				 "x"));
}

Test(omegaconf, refuses_keys_that_are_none)
{
	struct ferry_value *config = config_of("vector-2.3.0");

	refused(config, "a..b", ferry_none(), FERRY_MISUSE,
		"key 'a..b' has an empty part: write it as a.b or a[0].b");
	refused(config, "l[0", ferry_none(), FERRY_MISUSE,
		"key 'l[0' has a [ without a ]: write it as a.b or a[0].b");
	refused(config, "", ferry_none(), FERRY_MISUSE,
		"key '' has an empty part: write it as a.b or a[0].b");
}

Test(omegaconf, holds_typed_nodes_to_their_types)
{
	struct ferry_value *config = config_of("typed-2.2.3");

	update(config, "f", ferry_int(store, 2));
	update(config, "mode", text("TRAIN"));
	update(config, "inner.name", text("x"));
	refused(config, "i", text("seven"), FERRY_MISUSE,
		"i is a IntegerNode, which does not take a value of kind "
		"string");
	refused(config, "mode", text("NEVER"), FERRY_MISUSE,
		"mode is a EnumNode, which does not take a value of kind "
		"string");
	refused(config, "inner.more", text("x"), FERRY_MISUSE,
		"inner.more is not in the configuration, which is a struct: "
		"--set force-add=yes adds what it lacks; beside it there is n, "
		"name");
	expect_plain(config, "{\"i\": 7, \"f\": 2, \"b\": True, \"s\": "
		     "\"text\", \"mode\": \"TRAIN\", \"later\": None, "
		     "\"inner\": {\"n\": 3, \"name\": \"x\"}, \"sizes\": [1, "
		     "2], \"table\": {\"x\": 1}}");
}

Test(omegaconf, changes_no_node_without_a_state)
{
	struct ferry_value *config = config_of("vector-2.3.0");
	struct ferry_object *node = omegaconf_at(config, "d.x")->u.object;

	node->state = NULL;
	refused(config, "d.x", ferry_int(store, 1), FERRY_MALFORMED,
		"d.x is a AnyNode without _val");
	node->state = ferry_sequence(store, FERRY_LIST, 0);
	refused(config, "d.x", ferry_int(store, 1), FERRY_MALFORMED,
		"d.x is a AnyNode without _val");
}

Test(omegaconf, deletes_keys_and_items)
{
	struct ferry_value *config = config_of("flags-2.1.2");
	struct ferry_value *key;

	cr_assert_eq(omegaconf_delete(store, config, "l[0]", &err), 0);
	cr_assert_eq(omegaconf_delete(store, config, "a", &err), 0);
	key = ferry_value_at(omegaconf_at(config, "l.0"), "_metadata.key");
	cr_assert(key);
	cr_expect_eq(key->u.i, 0);
	expect_plain(config, "{\"l\": [\"x\"], \"s\": \"str\", \"i\": "
		     "\"${a}\", \"m\": \"???\", \"n\": None, \"f\": 1.5, "
		     "\"b\": True, \"d\": {\"x\": 0}}");
	cr_expect_eq(omegaconf_delete(store, config, "d.y", &err),
		     FERRY_NOTFOUND);
	cr_expect_str_eq(err.text, "d.y is not in the configuration; beside it "
			 "there is x");
	ferry_error_clear(&err);
	cr_expect_eq(omegaconf_delete(store, config, "d.x.z", &err),
		     FERRY_NOTFOUND);
	cr_expect_str_eq(err.text, "d.x has nothing below it");
}
