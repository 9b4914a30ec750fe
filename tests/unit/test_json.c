/* Plain JSON: what is taken, what is refused, and that jansson agrees. */
#include "config.h"

#include "formats/json/json.h"

#include <math.h>
#include <string.h>

#include <criterion/criterion.h>
#include <jansson.h>

#include <ferry/sys/alloc.h>

static struct ferry_store *store;

static void set_up(void)
{
	cr_assert_eq(ferry_store_new(&store, NULL), 0);
}

static void tear_down(void)
{
	ferry_store_unref(store);
}

TestSuite(json, .init = set_up, .fini = tear_down);

static int read_text(const char *text, struct ferry_value **out,
		     struct ferry_error *err)
{
	ferry_error_clear(err);
	return json_read(text, strlen(text), store, out, err);
}

static void expect_round_trip(const char *text, const char *want)
{
	struct ferry_error err = FERRY_ERROR_INIT;
	struct ferry_buffer out = FERRY_BUFFER_INIT;
	struct ferry_value *v = NULL;

	cr_assert_eq(read_text(text, &v, &err), 0, "%s: %s", text, err.text);
	cr_assert(json_is_plain(v), "%s", text);
	cr_assert_eq(json_write(v, 0, &out, &err), 0, "%s", err.text);
	cr_assert_str_eq(out.data, want);
	ferry_buffer_release(&out);
}

Test(json, text_comes_back_compact)
{
	static const char *const same[] = {
		"null", "true", "false", "0", "-1", "[]", "{}", "\"\"",
		"9223372036854775807", "-9223372036854775808",
		"9223372036854775808",
		"-170141183460469231731687303715884105728",
		"340282366920938463463374607431768211456",
		"0.1", "-0.0", "4.94065645841247e-324",
		"1.7976931348623157e308",
		"1e22", "0.30000000000000004", "123456789.125",
		"{\"b\":1,\"a\":[2,{\"c\":null}]}",
		"\"\\\"\\\\\\b\\f\\n\\r\\t\\u0000\\u001f\\u007f\"",
		"\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"",
		"\"\\ud800 \\udfff\"", "\"\\udc00\\ud800\"",
		"[[[[]]],{\"\":{}}]",
	};

	for (size_t i = 0; i < sizeof(same) / sizeof(*same); i++)
		expect_round_trip(same[i], same[i]);
	expect_round_trip(" [ 1 , 2 ] \r\n", "[1,2]");
	expect_round_trip("\"\\u00e9\\/\\ud83d\\ude00\"",
			  "\"\xc3\xa9/\xf0\x9f\x98\x80\"");
	expect_round_trip("1E2", "100.0");
	expect_round_trip("-0", "0");
}

Test(json, keys_keep_their_order)
{
	expect_round_trip("{\"z\":1,\"a\":2,\"m\":3,\"0\":4}",
			  "{\"z\":1,\"a\":2,\"m\":3,\"0\":4}");
}

Test(json, negative_zero_keeps_its_sign)
{
	struct ferry_error err = FERRY_ERROR_INIT;
	struct ferry_value *v;

	cr_assert_eq(read_text("-0.0", &v, &err), 0);
	cr_assert_eq(v->kind, FERRY_FLOAT);
	cr_assert(signbit(v->u.f));
}

static const struct refusal {
	const char *text;
	int code;
	uint64_t offset;
	const char *says;
} refusals[] = {
	{ "", FERRY_MALFORMED, 0, "a value" },
	{ "  ", FERRY_MALFORMED, 2, "a value" },
	{ "[1,]", FERRY_MALFORMED, 3, "a value" },
	{ "[1 2]", FERRY_MALFORMED, 3, "',' or ']'" },
	{ "{\"a\":1,}", FERRY_MALFORMED, 7, "a key" },
	{ "{\"a\" 1}", FERRY_MALFORMED, 5, "':'" },
	{ "{1:2}", FERRY_MALFORMED, 1, "a key" },
	{ "[1]]", FERRY_MALFORMED, 3, "the end of the text" },
	{ "1 2", FERRY_MALFORMED, 2, "the end of the text" },
	{ "01", FERRY_MALFORMED, 1, "the end of the text" },
	{ "-", FERRY_MALFORMED, 1, "a digit" },
	{ "1.", FERRY_MALFORMED, 2, "a digit" },
	{ "1e", FERRY_MALFORMED, 2, "a digit" },
	{ ".5", FERRY_MALFORMED, 0, "a value" },
	{ "+1", FERRY_MALFORMED, 0, "a value" },
	{ "NaN", FERRY_MALFORMED, 0, "a value" },
	{ "Infinity", FERRY_MALFORMED, 0, "a value" },
	{ "nul", FERRY_MALFORMED, 0, "a value" },
	{ "'a'", FERRY_MALFORMED, 0, "a value" },
	{ "\"a", FERRY_MALFORMED, 2, "the end of a string" },
	{ "\"a\nb\"", FERRY_MALFORMED, 2, "control character" },
	{ "\"\\x\"", FERRY_MALFORMED, 2, "an escape" },
	{ "\"\\u12\"", FERRY_MALFORMED, 3, "hexadecimal" },
	{ "\"\xff\"", FERRY_MALFORMED, 1, "not UTF-8" },
	{ "\"\xc0\x80\"", FERRY_MALFORMED, 1, "not UTF-8" },
	{ "\"\xed\xa0\x80\"", FERRY_MALFORMED, 1, "not UTF-8" },
	{ "\"\xf4\x90\x80\x80\"", FERRY_MALFORMED, 1, "not UTF-8" },
	{ "\xef\xbb\xbf{}", FERRY_MALFORMED, 0, "a value" },
	{ "{\"a\":1,\"a\":2}", FERRY_MALFORMED, 11, "'a' twice" },
	{ "1e400", FERRY_LIMIT, 0, "float64" },
	{ "// c\n1", FERRY_MALFORMED, 0, "a value" },
};

Test(json, refuses_what_is_no_json)
{
	for (size_t i = 0; i < sizeof(refusals) / sizeof(*refusals); i++) {
		const struct refusal *r = &refusals[i];
		struct ferry_error err = FERRY_ERROR_INIT;
		struct ferry_value *v = NULL;

		cr_expect_eq(read_text(r->text, &v, &err), r->code, "%s",
			     r->text);
		cr_expect_null(v);
		cr_expect_eq(err.offset, r->offset, "%s: at %llu", r->text,
			     (unsigned long long)err.offset);
		cr_expect(strstr(err.text, r->says), "%s: %s", r->text,
			  err.text);
	}
}

/* The verdicts of an independent parser. */
Test(json, jansson_agrees)
{
	static const char *const texts[] = {
		"[1,2,3]", "{\"a\":{\"b\":[]}}", "\"\\u0041\\u00e9\"",
		"[1e5,-2.5E-3,0]", "\"\\u0000\"", "{\"\":0}", "[\"\xc2\x80\"]",
		"\"\xf4\x8f\xbf\xbf\"", " \t\r\n1", "[true,false,null]",
		"[tru]", "[1,,2]", "{,}", "[-]", "[1.e3]", "[0x1]", "[\"\t\"]",
		"{\"a\":1 \"b\":2}", "[\"\xe0\x80\x80\"]", "{\"a\"}", "[", "]",
		"\"\\ud83d\\ude00\"", "[00]", "{\"a\":1,\"a\":1}",
	};

	for (size_t i = 0; i < sizeof(refusals) / sizeof(*refusals); i++) {
		json_t *v = json_loads(refusals[i].text,
				       JSON_DECODE_ANY | JSON_REJECT_DUPLICATES,
				       NULL);

		cr_expect_null(v, "%s", refusals[i].text);
	}
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		json_t *theirs = json_loads(texts[i], JSON_DECODE_ANY |
					    JSON_ALLOW_NUL |
					    JSON_REJECT_DUPLICATES, NULL);
		struct ferry_error err = FERRY_ERROR_INIT;
		struct ferry_value *ours = NULL;
		int rc = read_text(texts[i], &ours, &err);

		cr_expect_eq(!rc, theirs != NULL, "%s: %s", texts[i], err.text);
		json_decref(theirs);
	}
}

static char *nested(size_t depth)
{
	char *text = ferry_alloc(2 * depth + 1);

	cr_assert(text);
	memset(text, '[', depth);
	memset(text + depth, ']', depth);
	text[2 * depth] = 0;
	return text;
}

Test(json, nesting_is_limited)
{
	struct ferry_error err = FERRY_ERROR_INIT;
	struct ferry_value *v;
	char *text = nested(FERRY_MAX_DEPTH);

	expect_round_trip(text, text);
	ferry_alloc_free(text);
	text = nested(FERRY_MAX_DEPTH + 1);
	cr_assert_eq(read_text(text, &v, &err), FERRY_LIMIT);
	cr_assert_eq(err.offset, FERRY_MAX_DEPTH);
	ferry_alloc_free(text);
	text = nested(1000000);
	cr_assert_eq(read_text(text, &v, &err), FERRY_LIMIT);
	ferry_alloc_free(text);
}

Test(json, long_integers_are_kept_up_to_a_limit)
{
	struct ferry_error err = FERRY_ERROR_INIT;
	struct ferry_value *v;
	char digits[4302];

	memset(digits, '7', sizeof(digits));
	digits[4200] = 0;
	expect_round_trip(digits, digits);
	digits[4200] = '7';
	digits[4301] = 0;
	cr_assert_eq(read_text(digits, &v, &err), FERRY_LIMIT);
	cr_assert_eq(err.offset, 0);
}

Test(json, layout_is_that_of_two_spaces)
{
	static const char text[] =
		"{\"a\":[1,{}],\"b\":[],\"c\":{\"d\":\"x\"}}";
	static const char want[] =
		"{\n  \"a\": [\n    1,\n    {}\n  ],\n  \"b\": [],\n"
		"  \"c\": {\n    \"d\": \"x\"\n  }\n}";
	struct ferry_buffer written = FERRY_BUFFER_INIT;
	struct ferry_buffer laid = FERRY_BUFFER_INIT;
	struct ferry_error err = FERRY_ERROR_INIT;
	struct ferry_value *v;

	cr_assert_eq(read_text(text, &v, &err), 0);
	cr_assert_eq(json_write(v, 2, &written, &err), 0);
	cr_assert_str_eq(written.data, want);
	cr_assert_eq(json_indent(text, strlen(text), 2, &laid, &err), 0);
	cr_assert_str_eq(laid.data, want);
	ferry_buffer_release(&written);
	ferry_buffer_release(&laid);
}

Test(json, what_json_cannot_say_is_not_plain)
{
	struct ferry_error err = FERRY_ERROR_INIT;
	struct ferry_value *list = ferry_sequence(store, FERRY_LIST, 0);
	struct ferry_value *twice = ferry_sequence(store, FERRY_LIST, 0);
	struct ferry_value *marked = ferry_dict(store, 0);
	struct ferry_value *numbers = ferry_dict(store, 0);
	struct ferry_buffer out = FERRY_BUFFER_INIT;

	cr_assert_not(json_is_plain(ferry_float(store, NAN)));
	cr_assert_not(json_is_plain(ferry_float(store, INFINITY)));
	cr_assert_not(json_is_plain(ferry_complex(store, 1, 2)));
	cr_assert_not(json_is_plain(ferry_bytes(store, "x", 1, 0)));
	cr_assert_not(json_is_plain(ferry_sequence(store, FERRY_TUPLE, 0)));
	cr_assert_not(json_is_plain(ferry_string(store, "\xff", 1)));
	/* two surrogates that JSON text would join */
	cr_assert_not(json_is_plain(ferry_string(store,
				    "\xed\xa0\xbd\xed\xb8\x80", 6)));
	cr_assert(json_is_plain(ferry_string(store,
				"\xed\xb8\x80\xed\xa0\xbd", 6)));
	ferry_list_add(store, list, twice);
	cr_assert(json_is_plain(list));
	ferry_list_add(store, list, twice);
	cr_assert_not(json_is_plain(list));
	ferry_list_add(store, twice, list);
	cr_assert_not(json_is_plain(list));
	cr_assert_eq(json_write(list, 0, &out, &err), FERRY_LIMIT);
	ferry_dict_set_str(store, marked, "$ferry", ferry_int(store, 1));
	cr_assert_not(json_is_plain(marked));
	ferry_dict_set(store, numbers, ferry_int(store, 1), ferry_none());
	cr_assert_not(json_is_plain(numbers));
	ferry_error_clear(&err);
	cr_assert_eq(json_write(numbers, 0, &out, &err), FERRY_UNSUPPORTED);
	ferry_buffer_release(&out);
}

Test(json, every_failing_allocation_is_an_error)
{
	static const char text[] =
		"{\"a\":[1,2.5,\"\\u00e9x\",{\"b\":99999999999999999999}]}";
	struct ferry_buffer out = FERRY_BUFFER_INIT;
	uint64_t n = 0;
	int rc;

	do {
		struct ferry_error err = FERRY_ERROR_INIT;
		struct ferry_store *own = NULL;
		struct ferry_value *v;

		cr_assert_lt(n, 1000);
		ferry_alloc_fail_at(++n);
		rc = ferry_store_new(&own, &err);
		if (!rc)
			rc = json_read(text, strlen(text), own, &v, &err);
		if (!rc)
			rc = json_write(v, 0, &out, &err);
		ferry_alloc_fail_at(0);
		ferry_buffer_release(&out);
		ferry_store_unref(own);
		cr_assert(!rc || rc == FERRY_NOMEM, "%d: %s", rc, err.text);
	} while (rc);
	cr_assert_gt(n, 1);
}
