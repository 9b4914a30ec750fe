/* Filter files: what is taken, what is refused and where. */
#include "config.h"

#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <ferry/filters.h>

static char folder[64];

static void set_up(void)
{
	strcpy(folder, "/tmp/ferry-filters-XXXXXX");
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

TestSuite(filters, .init = set_up, .fini = tear_down, .timeout = 60);

static void put(const char *file, const char *text)
{
	FILE *f = fopen(file, "w");

	cr_assert(f);
	cr_assert(fputs(text, f) >= 0);
	cr_assert_eq(fclose(f), 0);
}

static void refuse(const char *text, int code, const char *why)
{
	struct ferry_error err = FERRY_ERROR_INIT;
	struct ferry_filters *f = NULL;

	put("f.yaml", text);
	cr_expect_eq(ferry_filters_load(&f, "f.yaml", NULL, &err), code, "%s",
		     text);
	cr_expect_str_eq(err.text, why);
	ferry_filters_free(f);
}

static struct ferry_tensor_schema *schema(const char *text)
{
	struct ferry_tensor_schema *s;

	put("s.yaml", text);
	cr_assert_eq(ferry_tensor_schema_load(&s, "s.yaml", NULL, 0, NULL), 0);
	return s;
}

/* "group: names" of a filter, by a schema of names of one dimension. */
static void expect_taken(const char *filter, const char *names,
			 const char *want)
{
	struct ferry_error err = FERRY_ERROR_INIT;
	struct ferry_filter_report r;
	struct ferry_tensor_schema *s;
	struct ferry_filters *f;
	char text[2000], got[500] = "";
	size_t n = 0, i;

	snprintf(text, sizeof(text), "tensors:\n- for: {}\n  tensors: []\n");
	n = strlen(text);
	for (; *names; names += strcspn(names, " "), names += *names == ' ')
		n += (size_t)snprintf(text + n, sizeof(text) - n,
				      "- {name: \"%.*s\", shape: [2]}\n",
				      (int)strcspn(names, " "), names);
	s = schema(text);
	snprintf(text, sizeof(text), "groups: {g: {filter: %s}}\n"
		 "stages: {a: [x], b: [xy, q], c: [xyz]}\n", filter);
	put("f.yaml", text);
	cr_assert_eq(ferry_filters_load(&f, "f.yaml", NULL, &err), 0, "%s",
		     err.text);
	cr_assert_eq(ferry_filters_report(&r, f, s, NULL, NULL, &err), 0, "%s",
		     err.text);
	cr_assert_eq(r.n_groups, 2);
	n = 0;
	for (i = 0; i < r.groups[0].members.n; i++)
		n += (size_t)snprintf(got + n, sizeof(got) - n, "%s%s",
				      i ? " " : "", ferry_tensor_schema_get(
				      s, r.groups[0].members.items[i])->name);
	cr_expect_str_eq(got, want, "%s takes %s", filter, got);
	cr_expect_eq(r.groups[0].members.nelem, 2 * r.groups[0].members.n);
	cr_expect_eq(r.groups[1].members.n + r.groups[0].members.n,
		     ferry_tensor_schema_count(s));
	ferry_filter_report_release(&r);
	ferry_filters_free(f);
	ferry_tensor_schema_free(s);
}

Test(filters, regexes_are_searched_as_python_does)
{
	const char *names = "head.weight head_fc.weight headroom.x norm1.w "
			    "meta_spatial_head_1.0.weight xhead.y pos_embed";

	expect_taken("{type: name, match_type: regex, patterns: ['head.']}",
		     names, "head.weight head_fc.weight headroom.x "
		     "meta_spatial_head_1.0.weight xhead.y");
	expect_taken("{type: name, match_type: regex, patterns: ['head\\b']}",
		     names, "head.weight xhead.y");
	expect_taken("{type: name, match_type: regex, patterns: ['meta_\\b']}",
		     names, "");
	expect_taken("{type: name, match_type: regex, patterns: [^pos, 1.w$]}",
		     names, "norm1.w pos_embed");
}

Test(filters, keys_and_words_may_be_in_capitals)
{
	expect_taken("{TYPE: NAME, MATCH_TYPE: STARTSWITH, PATTERNS: [a]}",
		     "a.b b.a", "a.b");
	expect_taken("{TYPE: Not, FILTER: {TYPE: name, PATTERNS: a}}",
		     "a.b b.c", "b.c");
}

Test(filters, the_last_stage_that_has_a_part_of_a_name_is_its_stage)
{
	expect_taken("{type: stage_based, stages: [a]}", "x xy xyz q z", "x");
	expect_taken("{type: stage_based, stages: [b]}", "x xy xyz q z",
		     "xy q");
	expect_taken("{type: stage_based, stages: [c, b]}", "x xy xyz q z",
		     "xy xyz q");
	expect_taken("{type: stage_based, stages: [none]}", "x xy", "");
}

Test(filters, empty_lists_mean_all_and_none)
{
	expect_taken("{type: and, filters: []}", "a b", "a b");
	expect_taken("{type: or, filters: []}", "a b", "");
	expect_taken("{type: name, patterns: []}", "a b", "");
	expect_taken("{type: dimension, dimensions: []}", "a b", "");
	expect_taken("{type: dimension, dimensions: [1, 4]}", "a b", "a b");
}

Test(filters, errors_say_where)
{
	refuse("groups: {g: {filter: {type: nam}}}\n", FERRY_MALFORMED,
	       "f.yaml line 1 column 22: a filter's type is one of dimension, "
	       "convolutional, name, layer_type, initialization, stage_based, "
	       "and, or, not, all_except; this has nam");
	refuse("groups: {g: {filter: {patterns: []}}}\n", FERRY_MALFORMED,
	       "f.yaml line 1 column 22: a filter's type is one of dimension, "
	       "convolutional, name, layer_type, initialization, stage_based, "
	       "and, or, not, all_except; this has none");
	refuse("groups: {g: {filter: {type: name}}}\n", FERRY_MALFORMED,
	       "f.yaml line 1 column 22: the filter needs patterns");
	refuse("groups: {g: {filter: {type: name, patterns: [a], match_type: "
	       "glob}}}\n", FERRY_MALFORMED, "f.yaml line 1 column 62: "
	       "match_type is contains, startswith, endswith or regex");
	refuse("groups: {g: {filter: {type: name, patterns: ['(a'], "
	       "match_type: regex}}}\n", FERRY_MALFORMED, "f.yaml line 1 column "
	       "22: pattern '(a' at character 3: missing closing parenthesis");
	refuse("groups: {g: {filter: {type: dimension, dimensions: [-1]}}}\n",
	       FERRY_MALFORMED, "f.yaml line 1 column 53: dimensions: numbers "
	       "of dimensions below 64 are expected");
	refuse("groups: {g: {filter: {type: or, filters: {}}}}\n",
	       FERRY_MALFORMED, "f.yaml line 1 column 42: filters: a list of "
	       "filters is expected");
	refuse("groups: []\n", FERRY_MALFORMED, "f.yaml line 1 column 9: "
	       "groups: a mapping of names to groups is expected");
	refuse("gradnorm: {exclude_config: null, exclude_patterns: []}\n",
	       FERRY_MALFORMED, "f.yaml line 1 column 11: gradnorm: neither "
	       "exclude_config nor exclude_patterns is given");
	refuse("stages: [a]\n", FERRY_MALFORMED, "f.yaml line 1 column 9: "
	       "stages: a mapping of stages to parts of names is expected");
	refuse("", FERRY_MALFORMED, "f.yaml: a filter file is a mapping with "
	       "groups");
}

Test(filters, aliases_do_not_unfold_without_end)
{
	char text[4000] = "frozen: &a0 {type: name, patterns: [a]}\n";
	size_t n = strlen(text), i;

	refuse("frozen: &a {type: not, filter: *a}\n", FERRY_MALFORMED,
	       "f.yaml line 1 column 32: '*a' stands in what it names");
	for (i = 1; i < 15; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n,
				      "k%zu: &a%zu {type: or, filters: "
				      "[*a%zu, *a%zu]}\n", i, i, i - 1, i - 1);
	snprintf(text + n, sizeof(text) - n, "buffers: *a14\n");
	refuse(text, FERRY_LIMIT, "f.yaml line 2 column 5: more than 10000 "
	       "filters are given");
}

Test(filters, what_is_passed_over_is_noted)
{
	struct ferry_findings *notes;
	struct ferry_filters *f;

	put("f.yaml", "ENABLED: true\ngroups:\n  ENABLED: true\n  a: {x: 1}\n"
	    "  b: {filter: {type: initialization, patterns: []}}\n");
	cr_assert_eq(ferry_findings_new(&notes, NULL), 0);
	cr_assert_eq(ferry_filters_load(&f, "f.yaml", notes, NULL), 0);
	cr_assert_eq(ferry_findings_count(notes), 3);
	cr_expect_str_eq(ferry_findings_get(notes, 0)->text, "line 1: field "
			 "'ENABLED' is not known here, and is passed over");
	cr_expect_str_eq(ferry_findings_get(notes, 1)->text, "line 4: group 'a' "
			 "has no filter, and is passed over");
	cr_expect_str_eq(ferry_findings_get(notes, 2)->text, "line 5: field "
			 "'patterns' is not known here, and is passed over");
	ferry_filters_free(f);
	ferry_findings_free(notes);
}
