/* YAML: what PyYAML and OmegaConf read and write, errors, limits. */
#include "config.h"

#include "formats/yaml/yaml.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include <ferry/sys/alloc.h>

static struct ferry_store *store;
static struct ferry_error err;

static const struct yaml_reader pyyaml = { .schema = YAML_PYYAML };
static const struct yaml_reader omegaconf = { .schema = YAML_OMEGACONF };

static void set_up(void)
{
	ferry_error_clear(&err);
	cr_assert_eq(ferry_store_new(&store, NULL), 0);
}

static void tear_down(void)
{
	ferry_store_unref(store);
}

TestSuite(yaml, .init = set_up, .fini = tear_down);

static int try_read(const char *text, const struct yaml_reader *reader,
		    struct ferry_value **out)
{
	ferry_error_clear(&err);
	*out = NULL;
	return yaml_read(text, strlen(text), store, reader, out, &err);
}

static struct ferry_value *load(const char *text,
				const struct yaml_reader *reader)
{
	struct ferry_value *v;

	cr_assert_eq(try_read(text, reader, &v), 0, "%s: %s", text, err.text);
	return v;
}

static char *dump(const struct ferry_value *v, const struct yaml_writer *how)
{
	struct ferry_buffer out = FERRY_BUFFER_INIT;

	cr_assert_eq(yaml_write(store, v, how, &out, &err), 0, "%s", err.text);
	return out.data;
}

static void expect_text(const char *text, const struct yaml_reader *reader,
			const struct yaml_writer *how, const char *want)
{
	char *made = dump(load(text, reader), how);

	cr_expect_str_eq(made, want, "%s", text);
	ferry_alloc_free(made);
}

static char *corpus(const char *name, size_t *n)
{
	const char *dir = getenv("FERRY_CORPUS");
	struct ferry_source *src;
	char path[1024], *data;

	cr_assert(dir, "FERRY_CORPUS is not set");
	snprintf(path, sizeof(path), "%s/yaml/%s", dir, name);
	cr_assert_eq(ferry_source_open_file(&src, path, &err), 0, "%s",
		     err.text);
	data = ferry_alloc((size_t)src->nbytes + 1);
	cr_assert_eq(ferry_source_read(src, data, 0, (size_t)src->nbytes,
				       &err), 0);
	*n = (size_t)src->nbytes;
	data[*n] = '\0';
	ferry_source_unref(src);
	return data;
}

/* ---- what the libraries read ------------------------------------------------ */

/* As the corpus has it: "int 5", "None", "bytes 6869". */
static void describe(const struct ferry_value *v, struct ferry_buffer *out)
{
	const struct yaml_writer how = { .style = YAML_STYLE_PYYAML };
	char *text;

	switch (v->kind) {
	case FERRY_NONE:
		ferry_buffer_add_str(out, "None");
		return;
	case FERRY_BOOL:
		ferry_buffer_add_str(out, v->u.b ? "True" : "False");
		return;
	case FERRY_INT:
		ferry_buffer_printf(out, "int %s", ferry_int_text(store, v));
		return;
	case FERRY_FLOAT:
		ferry_buffer_add_str(out, "float ");
		yaml_add_float(out, v->u.f);
		return;
	case FERRY_STRING:
		ferry_buffer_add_str(out, "str ");
		ferry_buffer_add(out, v->u.s.data, (size_t)v->u.s.nbytes);
		return;
	case FERRY_BYTES:
		ferry_buffer_add_str(out, "bytes ");
		for (uint64_t i = 0; i < v->u.s.nbytes; i++)
			ferry_buffer_printf(out, "%02x",
					    (unsigned char)v->u.s.data[i]);
		return;
	default:
		text = dump(v, &how);
		cr_assert_eq(v->kind, FERRY_OBJECT, "%s", text);
		ferry_buffer_printf(out, "%s %.*s", v->u.object->callable->
				    u.global.name, (int)strcspn(text, "\n"),
				    text);
		ferry_alloc_free(text);
	}
}

static void expect_scalar(const char *text, const struct yaml_reader *reader,
			  const char *want)
{
	struct ferry_buffer made = FERRY_BUFFER_INIT;
	struct ferry_value *v;
	char line[256];

	snprintf(line, sizeof(line), "- %s\n", text);
	if (try_read(line, reader, &v)) {
		cr_expect_str_eq(want, "-", "%s: %s", text, err.text);
		cr_expect_eq(strncmp(err.text, "line 1 column 3: ", 17), 0,
			     "%s", err.text);
		return;
	}
	describe(v->u.list.items[0], &made);
	cr_expect_str_eq(made.data, want, "%s", text);
	ferry_buffer_release(&made);
}

Test(yaml, scalars_are_what_the_libraries_read)
{
	char *data, *line, *rest, *text, *py;
	unsigned n = 0;
	size_t size;

	data = corpus("scalars.tsv", &size);
	for (line = strtok_r(data, "\n", &rest); line;
	     line = strtok_r(NULL, "\n", &rest), n++) {
		text = strsep(&line, "\t");
		py = strsep(&line, "\t");
		expect_scalar(text, &pyyaml, py);
		expect_scalar(text, &omegaconf, line);
	}
	cr_expect_gt(n, 90);
	ferry_alloc_free(data);
}

static void expect_same_again(const char *name,
			      const struct yaml_reader *reader,
			      const struct yaml_writer *how)
{
	struct ferry_value *v;
	size_t n;
	char *data = corpus(name, &n), *made;

	cr_assert_eq(yaml_read(data, n, store, reader, &v, &err), 0, "%s",
		     err.text);
	made = dump(v, how);
	cr_expect_str_eq(made, data);
	ferry_alloc_free(made);
	ferry_alloc_free(data);
}

Test(yaml, what_they_wrote_is_written_again)
{
	const struct yaml_writer how = { .style = YAML_STYLE_PYYAML };

	expect_same_again("omegaconf.yaml", &omegaconf, NULL);
	expect_same_again("pyyaml.yaml", &pyyaml, &how);
}

Test(yaml, loading_a_configuration_sorts_and_unshares_it)
{
	const struct yaml_writer how = { .style = YAML_STYLE_PYYAML };
	struct ferry_value *v, *sorted;
	char *want, *made, *data;
	size_t n;

	data = corpus("load.yaml", &n);
	want = corpus("load.sorted.yaml", &n);
	v = load(data, &pyyaml);
	cr_assert_eq(yaml_copy_sorted(store, v, &sorted, &err), 0);
	made = dump(sorted, &how);
	cr_expect_str_eq(made, want);
	cr_expect_eq(ferry_value_at(v, "input_val.filterbank_features"),
		     ferry_value_at(v, "input_train.filterbank_features"));
	cr_expect_neq(ferry_value_at(sorted, "input_val.filterbank_features"),
		      ferry_value_at(sorted,
				     "input_train.filterbank_features"));
	ferry_alloc_free(made);
	ferry_alloc_free(want);
	ferry_alloc_free(data);
}

Test(yaml, merge_keys_come_first_and_are_overridden_in_place)
{
	static const char want[] = "a:\n  x: 1\n  v: 2\nb:\n  x: 1\n  v: 3\n"
				   "  z: 0\n";

	expect_text("a: &a {x: 1, v: 2}\nb:\n  z: 0\n  <<: *a\n  v: 3\n",
		    &pyyaml, NULL, want);
	expect_text("a: &a {x: 1, v: 2}\nb:\n  z: 0\n  !!merge <<: *a\n"
		    "  v: 3\n", &omegaconf, NULL, want);
	expect_text("a: {<<: [{x: 1}, {x: 2, v: 2}], z: 3}", &pyyaml, NULL,
		    "a:\n  x: 1\n  v: 2\n  z: 3\n");
}

Test(yaml, omegaconf_makes_a_mapping_of_a_lone_string)
{
	expect_text("", &omegaconf, NULL, "{}\n");
	expect_text("null", &omegaconf, NULL, "{}\n");
	expect_text("abc", &omegaconf, NULL, "abc: null\n");
	cr_expect_eq(load("", &pyyaml)->kind, FERRY_NONE);
	cr_expect_eq(load("abc", &pyyaml)->kind, FERRY_STRING);
}

Test(yaml, aliases_share_and_may_make_cycles)
{
	const struct yaml_writer how = { .style = YAML_STYLE_PYYAML };
	struct ferry_value *v = load("&a {self: *a, l: &l [1], m: *l}",
				     &pyyaml);

	cr_expect_eq(ferry_dict_get(v, "self"), v);
	cr_expect_eq(ferry_dict_get(v, "l"), ferry_dict_get(v, "m"));
	expect_text("&a {self: *a, l: &l [1], m: *l}", &pyyaml, &how,
		    "&id001\nself: *id001\nl: &id002\n- 1\nm: *id002\n");
}

/* ---- keys twice -------------------------------------------------------------- */

Test(yaml, keys_that_stand_twice)
{
	struct yaml_reader reader = { .schema = YAML_PYYAML };
	static const char text[] = "a: 1\nb: 2\n\xc3\xa9: 3\na: 4\n";
	const struct ferry_finding *f;
	struct ferry_value *v;

	cr_assert_eq(ferry_findings_new(&reader.findings, NULL), 0);
	v = load(text, &reader);
	cr_expect_eq(ferry_dict_get(v, "a")->u.i, 4);
	cr_expect(ferry_value_is(v->u.dict.pairs[0].key, "a"));
	cr_assert_eq(ferry_findings_count(reader.findings), 1);
	f = ferry_findings_get(reader.findings, 0);
	cr_expect_str_eq(f->code, "duplicate-key");
	cr_expect_eq(f->offset, 16);
	cr_expect(strstr(f->text, "line 4 column 1"), "%s", f->text);
	load("a: &a {x: 1}\nb: {<<: *a, x: 2}\n", &reader);
	cr_expect_eq(ferry_findings_count(reader.findings), 1);
	load("a: &a {x: 1}\nb: {<<: *a, x: 2, x: 3}\n", &reader);
	cr_expect_eq(ferry_findings_count(reader.findings), 2);
	reader.duplicates = YAML_DUPLICATES_REFUSE;
	cr_expect_eq(try_read(text, &reader, &v), FERRY_MALFORMED);
	cr_expect_eq(try_read(text, &omegaconf, &v), FERRY_MALFORMED);
	cr_expect_eq(try_read("1: a\n1: b\n", &omegaconf, &v), 0);
	ferry_findings_free(reader.findings);
}

/* ---- errors ------------------------------------------------------------------ */

static void expect_error(const char *text, const struct yaml_reader *reader,
			 int code, uint64_t offset, const char *what)
{
	struct ferry_value *v;

	cr_expect_eq(try_read(text, reader, &v), code, "%s: %d %s", text,
		     err.code, err.text);
	cr_expect_eq(err.offset, offset, "%s: %llu", text,
		     (unsigned long long)err.offset);
	cr_expect(strstr(err.text, what), "%s: %s", text, err.text);
}

Test(yaml, errors_say_where)
{
	expect_error("a: 1\nb: [1,\n", &pyyaml, FERRY_MALFORMED, 12,
		     "line 3 column 1: ");
	expect_error("\xc3\xa9: {b: *x}", &pyyaml, FERRY_MALFORMED, 8,
		     "line 1 column 8: alias 'x' names no anchor above");
	expect_error("a: &x 1\nb: &x 2\n", &pyyaml, FERRY_MALFORMED, 11,
		     "line 2 column 4: anchor 'x' stands twice");
	expect_error("a: 1\n---\nb: 1\n", &pyyaml, FERRY_MALFORMED, 5,
		     "line 2 column 1: a second document begins");
	expect_error("a:\n  !!python/object:os.system x", &pyyaml,
		     FERRY_UNSUPPORTED, 5, "line 2 column 3: ");
	expect_error("[1]: 2", &pyyaml, FERRY_MALFORMED, 0,
		     "line 1 column 1: a list can't be a key");
	expect_error("a: \xff", &pyyaml, FERRY_MALFORMED, 3,
		     "line 1 column 4: ");
	expect_error("a: 1\n~: 2", &omegaconf, FERRY_MALFORMED, 5,
		     "line 2 column 1: a null can't be a key");
	expect_error("a: &a [*a]", &omegaconf, FERRY_MALFORMED, 3,
		     "this node contains itself");
	expect_error("a: !!set {b}", &omegaconf, FERRY_UNSUPPORTED, 3,
		     "OmegaConf holds no sets");
	expect_error("a: &a {<<: *a}", &pyyaml, FERRY_UNSUPPORTED, 3,
		     "a mapping merges itself");
	expect_error("a: {<<: [1]}", &pyyaml, FERRY_MALFORMED, 9,
		     "a mapping to merge is expected");
	expect_error("1", &omegaconf, FERRY_MALFORMED, 0,
		     "a configuration is a mapping");
}

/* ---- limits ------------------------------------------------------------------ */

static char *repeat(const char *head, const char *text, unsigned n,
		    const char *tail)
{
	struct ferry_buffer b = FERRY_BUFFER_INIT;

	ferry_buffer_add_str(&b, head);
	while (n--)
		ferry_buffer_add_str(&b, text);
	ferry_buffer_add_str(&b, tail);
	cr_assert(!b.failed);
	return b.data;
}

static void expect_limit(char *text, const char *what)
{
	struct ferry_value *v;

	cr_expect_eq(try_read(text, &pyyaml, &v), FERRY_LIMIT, "%d %s",
		     err.code, err.text);
	cr_expect(strstr(err.text, what), "%s", err.text);
	ferry_alloc_free(text);
}

Test(yaml, depth_is_bounded)
{
	expect_limit(repeat("", "[", 100000, ""), "nested more than 1000 deep");
	expect_limit(repeat("", "- ", 100000, ""), "deep");
	expect_limit(repeat("", "? ", 100000, ""), "deep");
}

Test(yaml, sizes_are_bounded)
{
	const struct yaml_reader small = { .max_nbytes = 10 };
	struct ferry_value *v;

	cr_expect_eq(try_read("a: 12345678", &small, &v), FERRY_LIMIT);
	expect_limit(repeat("a: ", "9", 20001, ""), "integer of 20001");
	expect_limit(repeat("", "%TAG !a! b\n", 100, "--- a"), "%TAG");
	expect_limit(repeat("a: 1", ":59", 500, ""), "too long");
	cr_expect_eq(load("a: -0b1", &pyyaml)->u.dict.pairs[0].value->u.i, -1);
}

/* Nine aliases of nine aliases of ...: shared when read, refused when unfolded. */
static char *bomb(const char *first, const char *open, const char *close)
{
	struct ferry_buffer b = FERRY_BUFFER_INIT;

	ferry_buffer_printf(&b, "a: &a %s\n", first);
	for (char c = 'b'; c <= 'l'; c++) {
		ferry_buffer_printf(&b, "%c: &%c %s", c, c, open);
		for (int i = 0; i < 9; i++)
			ferry_buffer_printf(&b, "%s*%c", i ? ", " : "", c - 1);
		ferry_buffer_printf(&b, "%s\n", close);
	}
	cr_assert(!b.failed);
	return b.data;
}

Test(yaml, alias_bombs_stay_small)
{
	const struct yaml_writer how = { .style = YAML_STYLE_PYYAML };
	struct ferry_buffer out = FERRY_BUFFER_INIT;
	struct ferry_value *v, *copy;
	char *text = bomb("[x]", "[", "]"), *made;

	v = load(text, &pyyaml);
	made = dump(v, &how);
	cr_expect_lt(strlen(made), 2000);
	cr_expect_eq(yaml_write(store, v, NULL, &out, &err), FERRY_LIMIT);
	ferry_error_clear(&err);
	cr_expect_eq(yaml_copy_sorted(store, v, &copy, &err), FERRY_LIMIT);
	ferry_buffer_release(&out);
	ferry_alloc_free(made);
	ferry_alloc_free(text);
	expect_limit(bomb("{x: 1}", "{<<: [", "]}"), "merge keys copy");
}

/* ---- writing ------------------------------------------------------------------ */

Test(yaml, what_yaml_has_no_form_for_is_told)
{
	struct ferry_value *root = ferry_dict(store, 0), *list;
	struct ferry_findings *found;
	char *made;

	list = ferry_sequence(store, FERRY_LIST, 2);
	ferry_list_add(store, list, ferry_global(store, "m", 1, "f", 1));
	ferry_list_add(store, list, ferry_int(store, 1));
	ferry_dict_set_str(store, root, "z", ferry_complex(store, 1, 2));
	ferry_dict_set_str(store, root, "list", list);
	ferry_dict_set_str(store, root, "again", list);
	ferry_dict_set_str(store, root, "t", ferry_sequence(store, FERRY_TUPLE,
							    0));
	ferry_dict_set_str(store, root, "s", ferry_cstring(store, "1._5e3"));
	cr_assert_eq(ferry_findings_new(&found, NULL), 0);
	cr_expect_eq(yaml_losses(store, root, NULL, found, &err), 0);
	cr_assert_eq(ferry_findings_count(found), 5);
	cr_expect_str_eq(ferry_findings_get(found, 0)->code, "objects");
	cr_expect_str_eq(ferry_findings_get(found, 0)->path, "list.0");
	cr_expect_str_eq(ferry_findings_get(found, 1)->code, "values");
	cr_expect_str_eq(ferry_findings_get(found, 2)->code, "kinds");
	cr_expect_str_eq(ferry_findings_get(found, 3)->code, "text");
	cr_expect_eq(ferry_findings_get(found, 4)->level, FERRY_NOTE);
	made = dump(root, NULL);
	cr_expect_str_eq(made, "list:\n- null\n- 1\nagain:\n- null\n- 1\n"
			 "t: []\ns: 1._5e3\n");
	ferry_alloc_free(made);
	ferry_findings_free(found);
}

Test(yaml, a_cycle_has_no_end_without_aliases)
{
	struct ferry_buffer out = FERRY_BUFFER_INIT;
	struct ferry_value *v = load("&a [*a]", &pyyaml), *copy;

	cr_expect_eq(yaml_write(store, v, NULL, &out, &err), FERRY_LIMIT);
	ferry_error_clear(&err);
	cr_expect_eq(yaml_copy_sorted(store, v, &copy, &err), FERRY_LIMIT);
	ferry_buffer_release(&out);
}

Test(yaml, numbers_are_exact)
{
	static const struct {
		double f;
		const char *text;
	} known[] = {
		{ 5.684341886080802e-14, "5.684341886080802e-14" },
		{ 5e-324, "5.0e-324" },
		{ 1e-5, "1.0e-05" },
		{ 1e15, "1000000000000000.0" },
		{ 1e16, "1.0e+16" },
		{ 0.0001, "0.0001" },
		{ -123.25, "-123.25" },
		{ 1.7976931348623157e308, "1.7976931348623157e+308" },
		{ INFINITY, ".inf" },
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
		struct ferry_buffer out = FERRY_BUFFER_INIT;

		yaml_add_float(&out, known[i].f);
		cr_expect_str_eq(out.data, known[i].text);
		cr_expect_eq(load(out.data, &pyyaml)->u.f, known[i].f);
		ferry_buffer_release(&out);
	}
}

Test(yaml, every_allocation_may_fail)
{
	static const char text[] =
		"a: &a {x: [1, 0x1f, 1.5, 1:30, 2020-01-01], y: !!binary aGk="
		"}\nb: {<<: *a, z: !!set {p}}\nc: !!omap [q: é]\n";
	const struct yaml_writer how = { .style = YAML_STYLE_PYYAML };
	int rc = FERRY_NOMEM;

	for (uint64_t nth = 1; rc && nth < 2000; nth++) {
		struct ferry_buffer out = FERRY_BUFFER_INIT;
		struct ferry_store *fresh;
		struct ferry_value *v;

		cr_assert_eq(ferry_store_new(&fresh, NULL), 0);
		ferry_error_clear(&err);
		ferry_alloc_fail_at(nth);
		rc = yaml_read(text, strlen(text), fresh, NULL, &v, &err);
		if (!rc)
			rc = yaml_write(fresh, v, &how, &out, &err);
		ferry_alloc_fail_at(0);
		cr_assert(!rc || rc == FERRY_NOMEM, "%llu: %d %s",
			  (unsigned long long)nth, rc, err.text);
		ferry_buffer_release(&out);
		ferry_store_unref(fresh);
	}
	cr_expect_eq(rc, 0);
}
