/* Tensor schemas: formulas, loops, files based on files, checks. */
#include "config.h"

#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <ferry/schema.h>
#include <ferry/sys/build.h>

static char folder[64];

static void set_up(void)
{
	strcpy(folder, "/tmp/ferry-schema-XXXXXX");
	cr_assert(mkdtemp(folder));
	cr_assert_eq(chdir(folder), 0);
}

static void tear_down(void)
{
	char command[100];

	snprintf(command, sizeof(command), "rm -r %s", folder);
	cr_assert_eq(chdir("/"), 0);
	cr_assert_eq(system(command), 0);
}

TestSuite(schema, .init = set_up, .fini = tear_down, .timeout = 60);

static void put(const char *file, const char *text)
{
	FILE *f = fopen(file, "w");

	cr_assert(f);
	cr_assert(fputs(text, f) >= 0);
	cr_assert_eq(fclose(f), 0);
}

static struct ferry_tensor_schema *load(const char *text)
{
	struct ferry_error err = FERRY_ERROR_INIT;
	struct ferry_tensor_schema *s = NULL;

	put("s.yaml", text);
	cr_assert_eq(ferry_tensor_schema_load(&s, "s.yaml", NULL, 0, &err), 0,
		     "%s", err.text);
	return s;
}

static void refuse(const char *text, int code, const char *why)
{
	struct ferry_error err = FERRY_ERROR_INIT;
	struct ferry_tensor_schema *s;

	put("s.yaml", text);
	cr_expect_eq(ferry_tensor_schema_load(&s, "s.yaml", NULL, 0, &err),
		     code, "%s: %s", text, err.text);
	cr_expect_str_eq(err.text, why);
}

/* "name[2,3]" of all tensors, one after another. */
static const char *outline(const struct ferry_tensor_schema *s)
{
	static char out[4096];
	const struct ferry_tensor_spec *spec;
	size_t n = 0, i;
	unsigned k;

	out[0] = '\0';
	for (i = 0; (spec = ferry_tensor_schema_get(s, i)); i++) {
		n += (size_t)snprintf(out + n, sizeof(out) - n, "%s%s[",
				      i ? " " : "", spec->name);
		for (k = 0; k < spec->ndim; k++)
			n += (size_t)snprintf(out + n, sizeof(out) - n,
					      "%s%llu", k ? "," : "",
					      (unsigned long long)
					      spec->shape[k]);
		n += (size_t)snprintf(out + n, sizeof(out) - n, "]");
	}
	return out;
}

static uint64_t elements(const struct ferry_tensor_schema *s)
{
	const struct ferry_tensor_spec *spec;
	uint64_t total = 0, n;
	size_t i;
	unsigned k;

	for (i = 0; (spec = ferry_tensor_schema_get(s, i)); i++) {
		n = 1;
		for (k = 0; k < spec->ndim; k++)
			n *= spec->shape[k];
		total += n;
	}
	return total;
}

Test(schema, formulas_give_sizes_and_names)
{
	struct ferry_tensor_schema *s = load(
		"name: example/one\n"
		"dims: {E: 6, L: 2, H: \"E / 3\", T: \"E*L - 2*(1 + 1)\"}\n"
		"tensors:\n"
		"- {name: a, shape: [E, \"4*E\", T], dtype: float32}\n"
		"- for: {i: [0, L], j: [i, L]}\n"
		"  tensors:\n"
		"  - {name: \"l{i}.{10*i + j}\", shape: [\"i == 0 ? H : E\"]}\n"
		"- {name: b, shape: [], optional: true, dtype: [f16, bf16]}\n"
		"- {name: c, shape: [\"-7 % 4 + 4\", \"1 - -1\", \"2>=2\","
		" \"3 != 3\", \"1 < 2 ? 2 > 1 ? 7 : 8 : 9\"]}\n"
		"- {name: d, shape: [\"L == 0 ? 6 / L : 3\"]}\n");
	const struct ferry_tensor_spec *spec;

	cr_expect_str_eq(outline(s), "a[6,24,8] l0.0[2] l0.1[2] l1.11[6] b[] "
			 "c[1,2,1,0,7] d[3]");
	cr_expect_str_eq(ferry_tensor_schema_name(s), "example/one");
	cr_expect_eq(ferry_tensor_schema_count(s), 7);
	cr_expect_eq(ferry_tensor_schema_dim(s, "T"), 8);
	cr_expect_eq(ferry_tensor_schema_dim(s, "X"), 0);
	spec = ferry_tensor_schema_at(s, "b");
	cr_assert(spec);
	cr_expect(spec->optional);
	cr_expect_eq(spec->dtypes, FERRY_DTYPE_BIT(FERRY_F16) |
		     FERRY_DTYPE_BIT(FERRY_BF16));
	cr_expect_eq(ferry_tensor_schema_at(s, "a")->dtypes,
		     FERRY_DTYPE_BIT(FERRY_F32));
	cr_expect_null(ferry_tensor_schema_at(s, "z"));
	cr_expect_null(ferry_tensor_schema_get(s, 7));
	ferry_tensor_schema_free(s);
}

Test(schema, given_dimensions_take_the_place_of_the_files)
{
	const char *dims[] = { "E=8", "L=1" }, *bad[] = { "X=1" };
	const char *word[] = { "E=e" }, *bare[] = { "E" };
	struct ferry_error err = FERRY_ERROR_INIT;
	struct ferry_tensor_schema *s;

	put("s.yaml", "dims: {L: 2, E: L*4, H: E/2}\n"
	    "tensors: [{name: a, shape: [L, E, H]}]\n");
	cr_assert_eq(ferry_tensor_schema_load(&s, "s.yaml", dims, 2, NULL), 0);
	cr_expect_str_eq(outline(s), "a[1,8,4]");
	cr_expect_str_eq(ferry_tensor_schema_name(s), "s.yaml");
	ferry_tensor_schema_free(s);
	cr_expect_eq(ferry_tensor_schema_load(&s, "s.yaml", bad, 1, &err),
		     FERRY_MISUSE);
	cr_expect_str_eq(err.text, "dimension 'X=1': there is no such name; "
			 "s.yaml has L, E, H");
	ferry_error_clear(&err);
	cr_expect_eq(ferry_tensor_schema_load(&s, "s.yaml", word, 1, &err),
		     FERRY_MISUSE);
	cr_expect_str_eq(err.text, "dimension 'E=e': the value is an integer "
			 "of up to 18 digits; s.yaml has L, E, H");
	ferry_error_clear(&err);
	cr_expect_eq(ferry_tensor_schema_load(&s, "s.yaml", bare, 1, &err),
		     FERRY_MISUSE);
	cr_expect_str_eq(err.text, "dimension 'E': NAME=INTEGER is expected; "
			 "s.yaml has L, E, H");
}

Test(schema, a_file_builds_on_another)
{
	struct ferry_tensor_schema *s;

	put("body.yaml", "dims: {E: , H: E*2}\n"
	    "tensors: [{name: a, shape: [E, H]}]\n");
	s = load("base: body.yaml\ndims: {E: 5, X: H+1}\n"
		 "tensors: [{name: b, shape: [X]}]\n");
	cr_expect_str_eq(outline(s), "a[5,10] b[11]");
	ferry_tensor_schema_free(s);
	s = load("base: body.yaml\ndims: {H: 1, E: 7}\n");
	cr_expect_str_eq(outline(s), "a[7,1]");
	ferry_tensor_schema_free(s);
	refuse("base: body.yaml\n", FERRY_MALFORMED, "body.yaml line 1 column "
	       "11: dimension E has no value: give it, as in E=1024");
	refuse("base: s.yaml\n", FERRY_LIMIT, "s.yaml line 1 column 7: base: "
	       "more than 16 files are based on each other; they may go in a "
	       "circle");
	refuse("base: ../s.yaml\n", FERRY_MALFORMED, "s.yaml line 1 column 7: "
	       "base: the name of a schema file is expected, beside this one "
	       "or below it");
	refuse("base: none.yaml\n", FERRY_MALFORMED, "s.yaml line 1 column 7: "
	       "base: none.yaml is neither beside this file nor in a schema "
	       "directory");
}

Test(schema, a_file_anywhere_may_build_on_an_installed_one)
{
	struct ferry_tensor_schema *s = load(
		"name: mine\nbase: caiman/tensors/base.yaml\n"
		"dims: {C: 5001}\n");

	cr_expect_eq(ferry_tensor_schema_count(s), 47);
	cr_expect_eq(ferry_tensor_schema_at(s, "joint_net.2.bias")->shape[0],
		     5001);
	ferry_tensor_schema_free(s);
}

Test(schema, errors_say_where)
{
	refuse("tensors: [{name: a, shape: [4*X]}]\n", FERRY_MALFORMED,
	       "s.yaml line 1 column 29: formula '4*X' character 3: no "
	       "dimension and no loop is called 'X'");
	refuse("dims: {E: 3}\ntensors:\n- {name: a, shape: [E/2]}\n",
	       FERRY_MALFORMED, "s.yaml line 3 column 21: formula 'E/2' "
	       "character 4: 3 is no multiple of 2");
	refuse("dims: {E: 1/0}\n", FERRY_MALFORMED, "s.yaml line 1 column 11: "
	       "formula '1/0' character 4: division by 0");
	refuse("dims: {E: 9223372036854775807*2}\n", FERRY_MALFORMED, "s.yaml "
	       "line 1 column 11: formula '9223372036854775807*2' character "
	       "22: overflows 63 bits");
	refuse("dims: {E: 9223372036854775808}\n", FERRY_MALFORMED, "s.yaml "
	       "line 1 column 11: formula '9223372036854775808' character 19: "
	       "the number overflows 63 bits");
	refuse("dims: {E: -1}\n", FERRY_MALFORMED, "s.yaml line 1 column 11: "
	       "the dimension would be -1; it can't be negative");
	refuse("dims: {E: 1 2}\n", FERRY_MALFORMED, "s.yaml line 1 column 11: "
	       "formula '1 2' character 3: an operator is expected");
	refuse("dims: {E: (1}\n", FERRY_MALFORMED, "s.yaml line 1 column 11: "
	       "formula '(1' character 3: ) is expected");
	refuse("dims: {E: '1 ? 2'}\n", FERRY_MALFORMED, "s.yaml line 1 column "
	       "11: formula '1 ? 2' character 6: : is expected");
	refuse("dims: {E: 1+}\n", FERRY_MALFORMED, "s.yaml line 1 column 11: "
	       "formula '1+' character 3: ends where a number or a name is "
	       "expected");
	refuse("dims: {E F: 1}\n", FERRY_MALFORMED, "s.yaml line 1 column 13: "
	       "dims: 'E F' can't be the name of a dimension; it may have "
	       "letters, digits and _");
	refuse("dims: {E: 1, E: 2}\n", FERRY_MALFORMED, "s.yaml line 1 column "
	       "17: dims: E is given twice");
	refuse("tensors: [{name: a, shape: []}, {name: a, shape: [1]}]\n",
	       FERRY_MALFORMED, "s.yaml line 1 column 33: a second tensor is "
	       "called 'a'");
	refuse("tensors: [{name: 'a{1', shape: []}]\n", FERRY_MALFORMED,
	       "s.yaml line 1 column 18: { without a }");
	refuse("tensors: [{name: a}]\n", FERRY_MALFORMED, "s.yaml line 1 "
	       "column 11: a tensor needs a name and a shape");
	refuse("tensors: [{name: a, shape: [], kind: x}]\n", FERRY_MALFORMED,
	       "s.yaml line 1 column 38: field 'kind' is not known; a tensor "
	       "has name, shape, dtype and optional");
	refuse("tensors: [{name: a, shape: [], dtype: flat}]\n",
	       FERRY_MALFORMED, "s.yaml line 1 column 39: dtype: 'flat' is no "
	       "dtype; float32 is one");
	refuse("tensors: [{name: a, shape: [4294967296, 4294967296]}]\n",
	       FERRY_MALFORMED, "s.yaml line 1 column 28: shape: the number "
	       "of elements overflows 63 bits");
	refuse("tensors: [{for: {i: [0, 1]}, tensors: [{for: {i: [0, 1]}, "
	       "tensors: []}]}]\n", FERRY_MALFORMED, "s.yaml line 1 column 50: "
	       "for: 'i' is a dimension or an outer loop already");
	refuse("tensors: [{for: {i: [0]}, tensors: []}]\n", FERRY_MALFORMED,
	       "s.yaml line 1 column 21: for: a range [first, end] is "
	       "expected, and ends before its end");
	refuse("{}\n", FERRY_MALFORMED, "s.yaml: neither this schema nor its "
	       "base has tensors");
	refuse("more: 1\n", FERRY_MALFORMED, "s.yaml line 1 column 7: field "
	       "'more' is not known; a tensor schema has name, description, "
	       "base, dims and tensors");
	refuse("tensors: [\n", FERRY_MALFORMED, "s.yaml line 2 column 1: did "
	       "not find expected node content");
}

Test(schema, hostile_files_end_soon)
{
	char deep[2000];
	size_t i;

	refuse("tensors: [{for: {i: [0, 9223372036854775807]}, tensors: []}]",
	       FERRY_LIMIT, "s.yaml line 1 column 21: loops and formulas of "
	       "this schema take more than 268435456 steps");
	refuse("tensors: [{for: {i: [0, 1000], j: [0, 1001]}, tensors: "
	       "[{name: \"{1000*i+j}\", shape: []}]}]", FERRY_MALFORMED,
	       "s.yaml line 1 column 57: a second tensor is called '1000'");
	refuse("tensors: [{for: {i: [0, 1000001]}, tensors: "
	       "[{name: \"{i}\", shape: []}]}]", FERRY_LIMIT,
	       "s.yaml line 1 column 46: the schema has more than 1000000 "
	       "tensors");
	refuse("tensors: &x [{for: {}, tensors: *x}]", FERRY_MALFORMED,
	       "s.yaml line 1 column 33: '*x' stands in what it names");
	strcpy(deep, "dims: ");
	for (i = 0; i < 900; i++)
		strcat(deep, "[");
	refuse(deep, FERRY_LIMIT, "s.yaml line 1 column 70: more than 64 "
	       "levels of nesting");
	strcpy(deep, "dims: {E: ");
	for (i = 0; i < 900; i++)
		strcat(deep, "(");
	strcat(deep, "}");
	refuse(deep, FERRY_MALFORMED, "s.yaml line 1 column 11: formula "
	       "'(((((((((((((((((((((((((((((((((((((((((((((((((((((((((((("
	       "((((((((((((((((...' character 33: is nested more than 64 "
	       "deep");
}

/* "a0: &a0 [x, ...], a1: &a1 [*a0, ...]": n of them, each of `width` items. */
static void put_aliases(char *text, size_t cap, int n, int width,
			const char *leaf)
{
	size_t used = (size_t)snprintf(text, cap, "tensors: []\n");

	for (int i = 0; i < n; i++) {
		used += (size_t)snprintf(text + used, cap - used,
					 "a%d: &a%d [", i, i);
		for (int k = 0; k < width; k++)
			used += (size_t)(i ? snprintf(text + used, cap - used,
						      "*a%d,", i - 1) :
					 snprintf(text + used, cap - used,
						  "%s,", leaf));
		used += (size_t)snprintf(text + used, cap - used, "]\n");
	}
}

Test(schema, what_aliases_give_is_counted)
{
	char text[20000], name[4200], loop[4400];

	put_aliases(text, sizeof(text), 12, 10, "x");
	refuse(text, FERRY_LIMIT, "s.yaml line 7 column 38: more than 16777216 "
	       "bytes are given again by aliases");
	put_aliases(text, sizeof(text), 64, 1, "x");
	refuse(text, FERRY_LIMIT, "s.yaml line 65 column 12: more than 64 "
	       "levels of nesting");
	put_aliases(text, sizeof(text), 62, 1, "x");
	refuse(text, FERRY_MALFORMED, "s.yaml line 2 column 5: field 'a0' is "
	       "not known; a tensor schema has name, description, base, dims "
	       "and tensors");
	memset(name, 'n', 4000);
	name[4000] = '\0';
	snprintf(loop, sizeof(loop), "tensors: [{for: {i: [0, 900000]}, "
		 "tensors: [{name: \"%s{i}\", shape: []}]}]", name);
	refuse(loop, FERRY_LIMIT, "s.yaml line 1 column 45: the names of the "
	       "schema have more than 268435456 bytes");
}

Test(schema, many_anchors_and_deep_nesting_take_no_time)
{
	size_t n = 4 << 20, i;
	char *text = malloc(n + 1);

	cr_assert(text);
	memset(text, '[', n);
	text[n] = '\0';
	refuse(text, FERRY_LIMIT, "s.yaml line 1 column 65: more than 64 levels "
	       "of nesting");
	for (i = 0; i + 16 < n; i += 16)
		snprintf(text + i, 17, "- &a%08zx .\n\n", i);
	text[i] = '\0';
	refuse(text, FERRY_LIMIT, "s.yaml line 2001 column 3: more than 1000 "
	       "anchors");
	free(text);
}

static void expect_variant(const char *name, size_t n, uint64_t total)
{
	struct ferry_error err = FERRY_ERROR_INIT;
	struct ferry_tensor_schema *s;
	struct ferry_store *store;

	cr_assert_eq(ferry_store_new(&store, NULL), 0);
	cr_assert_eq(ferry_tensor_schema_find(&s, store, name, NULL, 0, &err),
		     0, "%s", err.text);
	cr_expect_eq(ferry_tensor_schema_count(s), n);
	cr_expect_eq(elements(s), total, "%s has %llu", name,
		     (unsigned long long)elements(s));
	cr_expect_str_eq(ferry_tensor_schema_name(s), name);
	ferry_tensor_schema_free(s);
	ferry_store_unref(store);
}

Test(schema, shipped_variants_have_the_known_sizes)
{
	expect_variant("caiman/testing", 35, 49006080);
	expect_variant("caiman/base", 47, 84690432);
	expect_variant("caiman/large", 47, 195590400);
	/* as the frameworks' own modules have them */
	expect_variant("audiocraft/encodec-base-24khz", 228, 23097218);
	expect_variant("audiocraft/encodec-musicgen-32khz", 116, 58990022);
	expect_variant("audiocraft/encodec-audiogen-16khz", 116, 58924486);
	expect_variant("audiocraft/encodec-24khz", 252, 23273218);
	expect_variant("audiocraft/encodec-48khz", 224, 19066998);
	expect_variant("audiocraft/dac-16khz", 322, 74175906);
	expect_variant("audiocraft/dac-24khz", 462, 74708706);
	expect_variant("audiocraft/dac-44khz", 301, 76651890);
}

Test(schema, what_no_directory_has_is_not_found)
{
	const char *names[] = { "caiman/huge", "../caiman/base", "/etc/base",
		"", "caiman//base" };
	struct ferry_error err = FERRY_ERROR_INIT;
	struct ferry_tensor_schema *s;
	struct ferry_store *store;
	size_t i;

	cr_assert_eq(ferry_store_new(&store, NULL), 0);
	for (i = 0; i < sizeof(names) / sizeof(*names); i++)
		cr_expect_eq(ferry_tensor_schema_find(&s, store, names[i],
						      NULL, 0, &err),
			     FERRY_NOTFOUND);
	cr_expect_str_eq(err.text, "tensor schema caiman/huge is not known "
			 "(did you mean 'caiman/base', 'caiman/large' or "
			 "'caiman/rnnt'?): no schema directory has it; to use "
			 "a file, give its path");
	cr_expect_eq(ferry_tensor_schema_find(&s, NULL, "caiman/huge", NULL, 0,
					      NULL), FERRY_NOTFOUND);
	cr_assert_eq(ferry_tensor_schema_find(&s, NULL, "caiman/base", NULL, 0,
					      NULL), 0);
	ferry_tensor_schema_free(s);
	ferry_store_unref(store);
}

static struct ferry_document *new_document(void)
{
	struct ferry_document *doc;

	cr_assert_eq(ferry_document_new(&doc, NULL, NULL), 0);
	doc->root = ferry_dict(doc->store, 0);
	cr_assert(doc->root);
	return doc;
}

static void add(struct ferry_document *doc, struct ferry_value *to,
		const char *name, enum ferry_dtype dtype, uint64_t a,
		uint64_t b)
{
	const uint64_t shape[] = { a, b };
	struct ferry_value *v = ferry_tensor(doc->store, dtype, b ? 2 : 1,
					     shape, NULL, 0, NULL);

	cr_assert(v);
	v->u.tensor->flags = FERRY_META;
	cr_assert_eq(ferry_dict_set_str(doc->store, to, name, v), 0);
}

static void expect_findings(const struct ferry_findings *f, const char *want)
{
	const struct ferry_finding *x;
	char text[2000] = "";
	size_t n = 0, i;

	for (i = 0; (x = ferry_findings_get(f, i)); i++) {
		cr_expect_eq(x->level, FERRY_VIOLATION);
		n += (size_t)snprintf(text + n, sizeof(text) - n,
				      "%s %s: %s\n", x->code, x->path,
				      x->text);
	}
	cr_expect_str_eq(text, want);
}

static int check(const struct ferry_tensor_schema *s,
		 struct ferry_document *doc, uint32_t flags, const char *want)
{
	struct ferry_findings *f;
	int rc;

	cr_assert_eq(ferry_findings_new(&f, NULL), 0);
	rc = ferry_tensor_schema_check(s, doc, doc->root, flags, f, NULL);
	expect_findings(f, want);
	ferry_findings_free(f);
	return rc;
}

Test(schema, weights_are_compared_with_it)
{
	struct ferry_tensor_schema *s = load(
		"tensors:\n"
		"- {name: a.weight, shape: [2, 3], dtype: [float32, float16]}\n"
		"- {name: a.bias, shape: [2]}\n"
		"- {name: b.weight, shape: [4]}\n"
		"- {name: c, shape: [1], optional: true}\n"
		"- {name: d, shape: [7], dtype: float32}\n");
	struct ferry_document *doc = new_document();
	struct ferry_value *nested = ferry_dict(doc->store, 0);

	cr_assert(nested);
	add(doc, nested, "weight", FERRY_F16, 2, 3);
	add(doc, nested, "bias", FERRY_F64, 2, 0);
	cr_assert_eq(ferry_dict_set_str(doc->store, doc->root, "a", nested),
		     0);
	add(doc, doc->root, "b.weight", FERRY_F32, 4, 0);
	add(doc, doc->root, "d", FERRY_F32, 7, 0);
	cr_assert_eq(ferry_dict_set_str(doc->store, doc->root, "note",
					ferry_none()), 0);
	cr_expect_eq(check(s, doc, FERRY_SCHEMA_ORDER, ""), 1);

	add(doc, doc->root, "b.weight", FERRY_F32, 4, 1);
	add(doc, doc->root, "d", FERRY_BF16, 7, 0);
	add(doc, doc->root, "x", FERRY_I64, 1, 0);
	add(doc, nested, "bias", FERRY_F64, 3, 0);
	cr_expect_eq(check(s, doc, 0,
			   "shape a.bias: shape is [3], but [2] is expected\n"
			   "shape b.weight: shape is [4, 1], but [4] is "
			   "expected\n"
			   "dtype d: dtype is bfloat16, but float32 is "
			   "expected\n"
			   "unexpected x: no such tensor is expected; it is "
			   "int64 of shape [1]\n"), 0);
	ferry_tensor_schema_free(s);
	ferry_document_free(doc);
}

Test(schema, order_counts_when_asked_and_absence_when_not_allowed)
{
	struct ferry_tensor_schema *s = load(
		"tensors:\n"
		"- {name: a, shape: [2]}\n- {name: b, shape: [2]}\n"
		"- {name: c, shape: [2]}\n"
		"- {name: d, shape: [7], dtype: float32}\n");
	struct ferry_document *doc = new_document();

	add(doc, doc->root, "c", FERRY_F32, 2, 0);
	add(doc, doc->root, "a", FERRY_F32, 2, 0);
	add(doc, doc->root, "b", FERRY_F32, 2, 0);
	cr_expect_eq(check(s, doc, 0, "missing d: is missing; float32 of shape "
			   "[7] is expected\n"), 0);
	cr_expect_eq(check(s, doc, FERRY_SCHEMA_ALLOW_MISSING, ""), 1);
	cr_expect_eq(check(s, doc, FERRY_SCHEMA_ALLOW_MISSING |
			   FERRY_SCHEMA_ORDER, "order a: stands after c, but "
			   "is expected before it\n"), 0);
	add(doc, doc->root, "x", FERRY_F32, 2, 0);
	cr_expect_eq(check(s, doc, FERRY_SCHEMA_ALLOW_MISSING |
			   FERRY_SCHEMA_ALLOW_UNEXPECTED, ""), 1);
	ferry_tensor_schema_free(s);
	ferry_document_free(doc);
}

Test(schema, weights_make_a_schema_that_they_fit)
{
	struct ferry_document *doc = new_document();
	struct ferry_tensor_schema *s;

	add(doc, doc->root, "b", FERRY_F32, 2, 4);
	add(doc, doc->root, "a", FERRY_I64, 1, 0);
	cr_assert_eq(ferry_tensor_schema_of(&s, doc, doc->root, NULL), 0);
	cr_expect_str_eq(outline(s), "b[2,4] a[1]");
	cr_expect_eq(check(s, doc, FERRY_SCHEMA_ORDER, ""), 1);
	add(doc, doc->root, "a", FERRY_I32, 1, 0);
	cr_expect_eq(check(s, doc, 0, "dtype a: dtype is int32, but int64 is "
			   "expected\n"), 0);
	ferry_tensor_schema_free(s);
	ferry_document_free(doc);
}
