/* Typed JSON: every kind and flag of a value comes back. */
#include "config.h"

#include "formats/json/json.h"

#include <math.h>
#include <string.h>

#include <criterion/criterion.h>

#include <ferry/sys/alloc.h>

static struct ferry_store *store;
static struct ferry_document *document;
static struct ferry_error err;

static void set_up(void)
{
	ferry_error_clear(&err);
	cr_assert_eq(ferry_document_new(&document, NULL, &err), 0);
	store = document->store;
}

static void tear_down(void)
{
	ferry_document_free(document);
}

TestSuite(typed_json, .init = set_up, .fini = tear_down);

static struct ferry_value *string(const char *text)
{
	return ferry_cstring(store, text);
}

static struct ferry_value *sequence(enum ferry_kind kind,
				    struct ferry_value *a,
				    struct ferry_value *b)
{
	struct ferry_value *v = ferry_sequence(store, kind, 2);

	if (a)
		cr_assert_eq(ferry_list_add(store, v, a), 0);
	if (b)
		cr_assert_eq(ferry_list_add(store, v, b), 0);
	return v;
}

static struct ferry_value *global(const char *module, const char *name)
{
	return ferry_global(store, module, strlen(module), name, strlen(name));
}

static struct ferry_value *call(struct ferry_value *callable,
				struct ferry_value *args)
{
	return ferry_object(store, FERRY_FORM_CALL, callable, args, NULL);
}

/* One tensor's data lies behind every name. */
static struct ferry_storage *stored;

static int tensor_name(void *ctx, const struct ferry_value *v,
		       const char **name, struct ferry_buffer *fields,
		       struct ferry_error *error)
{
	(void)error;
	*name = v->kind == FERRY_TENSOR ? "the \"tensor\"" : "storage";
	ferry_buffer_add_str(fields, ",\"strides\":[1,4]");
	++*(int *)ctx;
	return 0;
}

static int tensor_back(void *ctx, struct ferry_store *s, const char *name,
		       struct ferry_value *members, struct ferry_value **out,
		       struct ferry_error *error)
{
	const uint64_t shape[1] = { 4 };

	(void)error;
	++*(int *)ctx;
	cr_assert(ferry_dict_get(members, "strides"));
	if (ferry_dict_get(members, "$storage")) {
		cr_assert_str_eq(name, "storage");
		*out = ferry_storage_value(s, stored);
	} else {
		cr_assert_str_eq(name, "the \"tensor\"");
		*out = ferry_tensor(s, FERRY_U8, 1, shape, NULL, 0, stored);
	}
	return 0;
}

static void make_storage(void)
{
	struct ferry_source *src;

	cr_assert_eq(ferry_source_zero(&src, 4, &err), 0);
	cr_assert_eq(ferry_store_take_source(store, src), 0);
	stored = ferry_storage(store, FERRY_U8, src, 0, 4);
}

/* Write, read into the same store, compare; returns the text. */
static char *round_trip(struct ferry_value *root)
{
	const struct ferry_compare how = { .strides = true, .sharing = true };
	int asked = 0, made = 0;
	const struct typed_json_writer writer = {
		.tensor_name = tensor_name, .ctx = &asked,
	};
	const struct typed_json_reader reader = {
		.tensor = tensor_back, .ctx = &made,
	};
	struct ferry_buffer text = FERRY_BUFFER_INIT;
	struct ferry_document *back;
	struct ferry_findings *findings;
	int rc;

	document->root = root;
	cr_assert_eq(typed_json_write(root, &writer, &text, &err), 0, "%s",
		     err.text);
	cr_assert_eq(ferry_document_new(&back, store, &err), 0);
	rc = typed_json_read(text.data, text.n, store, &reader, &back->root,
			     &err);
	cr_assert_eq(rc, 0, "%s\n%s", err.text, text.data);
	cr_assert_eq(asked, made);
	cr_assert_eq(ferry_document_check(back, &err), 0, "%s", err.text);
	cr_assert_eq(ferry_findings_new(&findings, &err), 0);
	rc = ferry_document_compare(document, back, &how, findings, &err);
	cr_assert_eq(rc, 1, "%s\n%s", text.data,
		     ferry_findings_count(findings) ?
		     ferry_findings_get(findings, 0)->text : err.text);
	ferry_findings_free(findings);
	document->root = back->root;
	ferry_document_free(back);
	return text.data;
}

static void expect_text(struct ferry_value *root, const char *want)
{
	char *text = round_trip(root);
	static const char head[] = "{\"$ferry\":1,\"document\":";
	size_t n = strlen(text);

	cr_assert_eq(strncmp(text, head, strlen(head)), 0);
	text[n - 1] = 0;
	cr_assert_str_eq(text + strlen(head), want);
	ferry_alloc_free(text);
}

Test(typed_json, plain_values_stand_as_themselves)
{
	struct ferry_value *dict = ferry_dict(store, 0);

	expect_text(ferry_none(), "null");
	expect_text(ferry_bool(true), "true");
	expect_text(ferry_int(store, -5), "-5");
	expect_text(ferry_float(store, 1), "1.0");
	expect_text(ferry_float(store, -0.0), "-0.0");
	expect_text(string("a\"b"), "\"a\\\"b\"");
	ferry_dict_set_str(store, dict, "z", ferry_int(store, 1));
	ferry_dict_set_str(store, dict, "a", sequence(FERRY_LIST, dict, NULL));
	dict->u.dict.pairs[1].value = sequence(FERRY_LIST, ferry_none(), NULL);
	expect_text(dict, "{\"z\":1,\"a\":[null]}");
}

Test(typed_json, numbers_json_has_not)
{
	static const unsigned char big[9] = { 0, 0, 0, 0, 0, 0, 0, 0, 1 };
	unsigned char huge[100] = { 1 };
	uint64_t bits = UINT64_C(0xfff0000000000123);
	double payload;

	huge[99] = 0x80;
	memcpy(&payload, &bits, sizeof(bits));
	expect_text(ferry_big(store, big, 9),
		    "{\"$int\":\"18446744073709551616\"}");
	ferry_alloc_free(round_trip(ferry_big(store, huge, 100)));
	cr_assert_eq(document->root->u.s.nbytes, 100);
	cr_assert_eq(memcmp(document->root->u.s.data, huge, 100), 0);
	expect_text(ferry_float(store, INFINITY), "{\"$float\":\"inf\"}");
	expect_text(ferry_float(store, -INFINITY), "{\"$float\":\"-inf\"}");
	expect_text(ferry_float(store, NAN), "{\"$float\":\"nan\"}");
	expect_text(ferry_float(store, payload),
		    "{\"$float\":\"nan:fff0000000000123\"}");
	cr_assert_eq(memcmp(&document->root->u.f, &bits, 8), 0);
	expect_text(ferry_complex(store, -0.0, INFINITY),
		    "{\"$complex\":[-0.0,\"inf\"]}");
	cr_assert(signbit(document->root->u.c.re));
}

Test(typed_json, floats_are_kept_bit_by_bit)
{
	uint64_t x = 88172645463325252u;

	for (int i = 0; i < 2000; i++) {
		struct ferry_value *v;
		double f;

		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		memcpy(&f, &x, sizeof(f));
		v = ferry_float(store, f);
		ferry_alloc_free(round_trip(v));
		cr_assert_eq(memcmp(&document->root->u.f, &x, 8), 0);
	}
}

Test(typed_json, bytes_and_texts)
{
	expect_text(ferry_bytes(store, "", 0, 0), "{\"$bytes\":\"\"}");
	expect_text(ferry_bytes(store, "f", 1, 0), "{\"$bytes\":\"Zg==\"}");
	expect_text(ferry_bytes(store, "fo", 2, FERRY_MUTABLE),
		    "{\"$bytearray\":\"Zm8=\"}");
	expect_text(ferry_bytes(store, "\0\xff\x10", 3, FERRY_PY2),
		    "{\"$py2str\":\"AP8Q\"}");
	expect_text(ferry_string(store, "a\0b", 3), "\"a\\u0000b\"");
	expect_text(ferry_string(store, "\xed\xa0\x80", 3), "\"\\ud800\"");
	expect_text(ferry_string(store, "\xed\xa0\xbd\xed\xb8\x80", 6),
		    "{\"$str\":\"7aC97biA\"}");
}

Test(typed_json, bytes_left_in_a_file_are_read_in)
{
	struct ferry_source *src;

	cr_assert_eq(ferry_source_from_memory(&src, "xxhello", 7, "m", &err),
		     0);
	cr_assert_eq(ferry_store_take_source(store, src), 0);
	document->root = ferry_bytes_range(store, src, 2, 5, FERRY_RANGE);
	{
		struct ferry_buffer text = FERRY_BUFFER_INIT;

		cr_assert_eq(typed_json_write(document->root, NULL, &text,
					      &err), 0);
		cr_assert(strstr(text.data, "{\"$bytes\":\"aGVsbG8=\"}"));
		ferry_buffer_release(&text);
	}
}

static int bytes_name(void *ctx, const struct ferry_value *v,
		      const char **name, struct ferry_error *error)
{
	(void)ctx;
	(void)error;
	if (v->u.s.nbytes > 3)
		*name = "kept.0";
	return 0;
}

static int bytes_back(void *ctx, struct ferry_store *s, const char *name,
		      unsigned flags, struct ferry_value **out,
		      struct ferry_error *error)
{
	(void)ctx;
	(void)error;
	cr_assert_str_eq(name, "kept.0");
	*out = ferry_bytes(s, "long bytes", 10, flags);
	return 0;
}

Test(typed_json, long_bytes_may_be_stored_elsewhere)
{
	const struct typed_json_writer writer = { .bytes_name = bytes_name };
	const struct typed_json_reader reader = { .bytes = bytes_back };
	struct ferry_buffer text = FERRY_BUFFER_INIT;
	struct ferry_value *back;

	cr_assert_eq(typed_json_write(sequence(FERRY_LIST,
		     ferry_bytes(store, "long bytes", 10, FERRY_MUTABLE),
		     ferry_bytes(store, "abc", 3, 0)), &writer, &text, &err),
		     0);
	cr_assert_str_eq(text.data, "{\"$ferry\":1,\"document\":"
			 "[{\"$bytearray\":{\"stored\":\"kept.0\"}},"
			 "{\"$bytes\":\"YWJj\"}]}");
	cr_assert_eq(typed_json_read(text.data, text.n, store, &reader, &back,
				     &err), 0, "%s", err.text);
	cr_assert_eq(back->u.list.items[0]->flags, FERRY_MUTABLE);
	cr_assert_eq(typed_json_read(text.data, text.n, store, NULL, &back,
				     &err), FERRY_UNSUPPORTED);
	ferry_buffer_release(&text);
}

Test(typed_json, containers_of_every_kind)
{
	struct ferry_value *dict = ferry_dict(store, 0);
	struct ferry_value *dollar = ferry_dict(store, 0);

	expect_text(sequence(FERRY_TUPLE, ferry_int(store, 1), NULL),
		    "{\"$tuple\":[1]}");
	expect_text(sequence(FERRY_SET, ferry_int(store, 1), NULL),
		    "{\"$set\":[1]}");
	expect_text(sequence(FERRY_FROZENSET, NULL, NULL),
		    "{\"$frozenset\":[]}");
	ferry_dict_set(store, dict, ferry_int(store, 3), ferry_none());
	ferry_dict_set(store, dict, sequence(FERRY_TUPLE, string("k"), NULL),
		       ferry_bool(false));
	expect_text(dict, "{\"$dict\":[3,null,{\"$tuple\":[\"k\"]},false]}");
	ferry_dict_set_str(store, dollar, "$ref", ferry_int(store, 1));
	expect_text(dollar, "{\"$items\":{\"$ref\":1}}");
	expect_text(global("a.b", "C.d"), "{\"$global\":\"a.b:C.d\"}");
	expect_text(global("a:b", "c"), "{\"$global\":[\"a:b\",\"c\"]}");
}

Test(typed_json, sharing_and_cycles)
{
	struct ferry_value *inner = sequence(FERRY_LIST, NULL, NULL);
	struct ferry_value *ring = sequence(FERRY_LIST, NULL, NULL);
	struct ferry_value *dict = ferry_dict(store, 0);
	struct ferry_value *tuple;

	expect_text(sequence(FERRY_LIST, inner, inner),
		    "[{\"$id\":1,\"$list\":[]},{\"$ref\":1}]");
	ferry_list_add(store, ring, ring);
	expect_text(ring, "{\"$id\":1,\"$list\":[{\"$ref\":1}]}");
	ferry_dict_set_str(store, dict, "self", dict);
	expect_text(dict, "{\"$id\":1,\"$items\":{\"self\":{\"$ref\":1}}}");
	inner = sequence(FERRY_LIST, NULL, NULL);
	tuple = sequence(FERRY_TUPLE, inner, NULL);
	ferry_list_add(store, inner, tuple);
	expect_text(tuple,
		    "{\"$id\":1,\"$tuple\":[[{\"$ref\":1}]]}");
}

Test(typed_json, objects_of_every_form)
{
	struct ferry_value *v = call(global("m", "f"),
				     sequence(FERRY_TUPLE, ferry_int(store, 1),
					      string("x")));
	struct ferry_value *n, *p;

	expect_text(v, "{\"$call\":\"m:f\",\"args\":[1,\"x\"]}");
	v->u.object->payload = 1;
	v->u.object->flags = FERRY_STATE_FIRST | FERRY_STATES |
			     FERRY_ADD_ITEMS | FERRY_DISCARDED;
	v->u.object->kwargs = ferry_dict(store, 0);
	v->u.object->list = sequence(FERRY_LIST, ferry_none(), NULL);
	v->u.object->dict = ferry_dict(store, 0);
	v->u.object->state = sequence(FERRY_TUPLE, v, NULL);
	expect_text(v, "{\"$id\":1,\"$call\":\"m:f\",\"args\":[1,\"x\"],"
		    "\"kwargs\":{},\"payload\":1,\"state_first\":true,"
		    "\"states\":true,\"add_items\":true,\"discarded\":true,"
		    "\"list\":[null],\"dict\":{},\"state\":{\"$tuple\":[{\"$ref\":1}]}}");
	n = ferry_object(store, FERRY_FORM_NEW, global("m", "C"),
			 sequence(FERRY_TUPLE, NULL, NULL), NULL);
	expect_text(n, "{\"$new\":\"m:C\"}");
	n = ferry_object(store, FERRY_FORM_INSTANCE, global("m", "C"),
			 sequence(FERRY_LIST, NULL, NULL), NULL);
	n->u.object->args = sequence(FERRY_TUPLE, NULL, NULL);
	expect_text(n, "{\"$instance\":\"m:C\"}");
	p = ferry_object(store, FERRY_FORM_PERSISTENT, NULL, string("id"),
			 NULL);
	expect_text(p, "{\"$persistent\":null,\"args\":\"id\"}");
	p = ferry_object(store, FERRY_FORM_EXTENSION, NULL,
			 ferry_int(store, 7), NULL);
	expect_text(p, "{\"$extension\":null,\"args\":7}");
	v = call(v, sequence(FERRY_TUPLE, NULL, NULL));
	ferry_alloc_free(round_trip(v));
}

static struct ferry_value *ordered_dict(void)
{
	struct ferry_value *v = call(global("collections", "OrderedDict"),
				     sequence(FERRY_TUPLE, NULL, NULL));

	v->u.object->dict = ferry_dict(store, 0);
	return v;
}

Test(typed_json, ordered_dicts_are_brief)
{
	struct ferry_value *v = ordered_dict();

	ferry_dict_set_str(store, v->u.object->dict, "$a", ferry_none());
	expect_text(v, "{\"$odict\":{\"$a\":null}}");
	v->u.object->state = ferry_dict(store, 0);
	expect_text(v, "{\"$odict\":{\"$a\":null},\"state\":{}}");
	ferry_dict_set(store, v->u.object->dict, ferry_int(store, 1),
		       ferry_none());
	expect_text(sequence(FERRY_LIST, v, v),
		    "[{\"$id\":1,\"$odict\":[\"$a\",null,1,null],"
		    "\"state\":{}},{\"$ref\":1}]");
}

Test(typed_json, tensors_and_storages)
{
	const uint64_t shape[2] = { 2, 2 };
	struct ferry_value *t, *extra = ferry_dict(store, 0);

	make_storage();
	t = ferry_tensor(store, FERRY_U8, 1, shape + 1, NULL, 0, stored);
	t->u.tensor->shape = (const uint64_t[]){ 4 };
	expect_text(t, "{\"$tensor\":\"the \\\"tensor\\\"\","
		    "\"strides\":[1,4]}");
	t->u.tensor->flags = FERRY_REQUIRES_GRAD;
	ferry_dict_set_str(store, extra, "torch", t);
	t->u.tensor->extra = extra;
	expect_text(t, "{\"$id\":1,\"$tensor\":\"the \\\"tensor\\\"\","
		    "\"strides\":[1,4],\"requires_grad\":true,"
		    "\"extra\":{\"torch\":{\"$ref\":1}}}");
	expect_text(ferry_storage_value(store, stored),
		    "{\"$storage\":\"storage\",\"strides\":[1,4]}");
}

Test(typed_json, meta_tensors_need_no_data)
{
	const uint64_t shape[2] = { 3, 1 };
	const int64_t strides[2] = { 5, 7 };
	struct ferry_value *t = ferry_tensor(store, FERRY_BF16, 2, shape,
					     strides, 0, NULL);

	t->u.tensor->flags = FERRY_META;
	expect_text(t, "{\"$meta\":\"bfloat16\",\"shape\":[3,1],"
		    "\"strides\":[5,7]}");
	t = ferry_tensor(store, FERRY_F32, 0, shape, NULL, 0, NULL);
	t->u.tensor->flags = FERRY_META;
	expect_text(t, "{\"$meta\":\"float32\",\"shape\":[]}");
}

Test(typed_json, data_may_be_left_out)
{
	const struct typed_json_writer writer = { .drop_data = true };
	const uint64_t shape[1] = { 4 };
	struct ferry_buffer text = FERRY_BUFFER_INIT;
	struct ferry_value *t;

	make_storage();
	t = ferry_tensor(store, FERRY_U8, 1, shape, NULL, 0, stored);
	cr_assert_eq(typed_json_write(sequence(FERRY_LIST, t,
				      ferry_storage_value(store, stored)),
				      &writer, &text, &err), 0);
	cr_assert_str_eq(text.data, "{\"$ferry\":1,\"document\":"
			 "[{\"$meta\":\"uint8\",\"shape\":[4]},null]}");
	text.n = 0;
	cr_assert_eq(typed_json_write(t, NULL, &text, &err),
		     FERRY_UNSUPPORTED);
	ferry_buffer_release(&text);
}

/* A document as deep as they come, each level costing the most there is. */
Test(typed_json, a_thousand_levels_come_back)
{
	struct ferry_value *v = ferry_none();

	for (int i = 0; i < FERRY_MAX_DEPTH - 2; i++)
		v = sequence(i % 2 ? FERRY_TUPLE : FERRY_SET, v, NULL);
	ferry_alloc_free(round_trip(v));
	v = ferry_none();
	for (int i = 0; i < FERRY_MAX_DEPTH / 2 - 2; i++)
		v = call(global("m", "f"), sequence(FERRY_TUPLE, v, NULL));
	ferry_alloc_free(round_trip(v));
	v = ferry_none();
	for (int i = 0; i < FERRY_MAX_DEPTH - 2; i++) {
		struct ferry_value *o = call(global("m", "f"),
					     sequence(FERRY_TUPLE, NULL, NULL));

		o->u.object->state = v;
		v = o;
	}
	ferry_alloc_free(round_trip(v));
}

Test(typed_json, deeper_is_refused)
{
	struct ferry_buffer text = FERRY_BUFFER_INIT;
	struct ferry_value *v = ferry_none();

	for (int i = 0; i < 2 * FERRY_MAX_DEPTH; i++)
		v = sequence(FERRY_LIST, v, NULL);
	cr_assert_eq(typed_json_write(v, NULL, &text, &err), FERRY_LIMIT);
	ferry_buffer_release(&text);
}

Test(typed_json, globals_and_texts_are_made_once)
{
	static const char text[] = "{\"$ferry\":1,\"document\":["
		"{\"$global\":\"m:f\"},{\"$global\":[\"m\",\"f\"]},"
		"{\"$global\":\"m:g\"},\"s\",\"s\"]}";
	struct ferry_value *v;

	cr_assert_eq(typed_json_read(text, strlen(text), store, NULL, &v,
				     &err), 0, "%s", err.text);
	cr_assert_eq(v->u.list.items[0], v->u.list.items[1]);
	cr_assert_neq(v->u.list.items[0], v->u.list.items[2]);
	cr_assert_eq(v->u.list.items[3], v->u.list.items[4]);
}

static const struct refusal {
	const char *document;
	const char *says;
} refusals[] = {
	{ "{\"$ref\":1}", "$ref" },
	{ "[{\"$id\":1,\"$list\":[]},{\"$ref\":2}]", "$ref" },
	{ "[{\"$id\":2,\"$list\":[]},{\"$id\":1,\"$list\":[]}]", "rise" },
	{ "{\"$id\":0,\"$list\":[]}", "positive" },
	{ "{\"$id\":1}", "a tag" },
	{ "{\"$what\":1}", "'$what' is no word" },
	{ "{\"$tuple\":1}", "'['" },
	{ "{\"$tuple\":[],\"x\":1}", "'}'" },
	{ "{\"$dict\":[1]}", "after a key" },
	{ "{\"$dict\":[1,2,1,3]}", "twice" },
	{ "{\"$dict\":[1,2,true,3]}", "twice" },
	{ "{\"$dict\":3}", "no pairs" },
	{ "{\"a\":1,\"a\":2}", "'a' twice" },
	{ "{\"$items\":{\"a\":1,\"a\":2}}", "'a' twice" },
	{ "{\"$bytes\":\"Zg=\"}", "base64" },
	{ "{\"$bytes\":\"Z===\"}", "base64" },
	{ "{\"$bytes\":\"Z*==\"}", "base64" },
	{ "{\"$bytes\":{\"stored\":\"x\"}}", "outside this text" },
	{ "{\"$int\":\"12x\"}", "integer" },
	{ "{\"$int\":12}", "integer" },
	{ "{\"$int\":\"0x1\"}", "hexadecimal" },
	{ "{\"$float\":\"nanx\"}", "float" },
	{ "{\"$float\":\"nan:7ff800000000000g\"}", "float" },
	{ "{\"$complex\":[1]}", "float" },
	{ "{\"$global\":\"nocolon\"}", "module:name" },
	{ "{\"$global\":[1,2]}", "no text" },
	{ "{\"$call\":\"m:f\",\"payload\":0}", "payload" },
	{ "{\"$call\":\"m:f\",\"args\":[1],\"payload\":1}", "payload" },
	{ "{\"$call\":\"m:f\",\"args\":[1],\"payload\":-1}", "payload" },
	{ "{\"$call\":\"m:f\",\"args\":[],\"args\":[]}", "'args'" },
	{ "{\"$call\":\"m:f\",\"kwargs\":[]}", "no dict" },
	{ "{\"$call\":\"m:f\",\"list\":{}}", "no list" },
	{ "{\"$call\":\"m:f\",\"dict\":[]}", "no dict" },
	{ "{\"$call\":\"m:f\",\"state\":1,\"state\":2}", "twice" },
	{ "{\"$call\":\"m:f\",\"states\":true,\"state\":1}", "no tuple" },
	{ "{\"$call\":null,\"args\":[]}", "no callable" },
	{ "{\"$persistent\":\"m:f\",\"args\":1}", "no callable" },
	{ "{\"$call\":\"m:f\",\"what\":1}", "'what'" },
	{ "{\"$tensor\":\"x\"}", "outside this text" },
	{ "{\"$tensor\":\"x\\u0000\"}", "NUL" },
	{ "{\"$meta\":\"float33\",\"shape\":[]}", "meta" },
	{ "{\"$meta\":\"float32\"}", "meta" },
	{ "{\"$meta\":\"float32\",\"shape\":[-1]}", "meta" },
	{ "{\"$meta\":\"float32\",\"shape\":[1],\"strides\":[]}", "meta" },
	{ "{\"$meta\":\"float32\",\"shape\":[4294967296,4294967296]}",
	  "meta" },
	{ "{\"$meta\":\"float32\",\"shape\":[1],\"extra\":{},\"x\":1}",
	  "extra" },
};

Test(typed_json, refuses_what_it_did_not_write)
{
	for (size_t i = 0; i < sizeof(refusals) / sizeof(*refusals); i++) {
		struct ferry_buffer text = FERRY_BUFFER_INIT;
		struct ferry_value *v = NULL;
		int rc;

		ferry_error_clear(&err);
		ferry_buffer_printf(&text, "{\"$ferry\":1,\"document\":%s}",
				    refusals[i].document);
		rc = typed_json_read(text.data, text.n, store, NULL, &v, &err);
		cr_expect(rc == FERRY_MALFORMED || rc == FERRY_UNSUPPORTED,
			  "%s: %d", text.data, rc);
		cr_expect_null(v);
		cr_expect(strstr(err.text, refusals[i].says), "%s: %s",
			  text.data, err.text);
		cr_expect_neq(err.offset, FERRY_NO_OFFSET, "%s", text.data);
		ferry_buffer_release(&text);
	}
}

Test(typed_json, envelope_is_checked)
{
	static const char *const bad[] = {
		"{}", "[]", "{\"document\":1}", "{\"$ferry\":1}",
		"{\"$ferry\":\"1\",\"document\":1}",
		"{\"$ferry\":1,\"documents\":1}",
		"{\"$ferry\":1,\"document\":1,\"x\":2}",
		"{\"$ferry\":1,\"document\":1} x",
	};
	static const char newer[] = "{\"$ferry\":2,\"document\":1}";
	struct ferry_value *v;

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		ferry_error_clear(&err);
		cr_expect_eq(typed_json_read(bad[i], strlen(bad[i]), store,
					     NULL, &v, &err), FERRY_MALFORMED,
			     "%s", bad[i]);
	}
	ferry_error_clear(&err);
	cr_expect_eq(typed_json_read(newer, strlen(newer), store, NULL, &v,
				     &err), FERRY_UNSUPPORTED);
	cr_expect(typed_json_probe(newer, strlen(newer)));
	cr_expect(typed_json_probe(newer, 12));
	cr_expect_not(typed_json_probe("{\"a\":1}", 7));
	cr_expect_not(typed_json_probe("[1]", 3));
}

Test(typed_json, every_failing_allocation_is_an_error)
{
	static const char text[] = "{\"$ferry\":1,\"document\":{\"a\":"
		"[{\"$id\":1,\"$call\":\"m:f\",\"args\":[1.5,{\"$ref\":1}]},"
		"{\"$bytes\":\"AAAA\"},{\"$int\":\"604462909807314587353087\"},"
		"{\"$meta\":\"int8\",\"shape\":[2]}]}}";
	uint64_t n = 0;
	int rc;

	do {
		struct ferry_error e = FERRY_ERROR_INIT;
		struct ferry_buffer out = FERRY_BUFFER_INIT;
		struct ferry_store *own = NULL;
		struct ferry_value *v;

		cr_assert_lt(n, 1000);
		ferry_alloc_fail_at(++n);
		rc = ferry_store_new(&own, &e);
		if (!rc)
			rc = typed_json_read(text, strlen(text), own, NULL, &v,
					     &e);
		if (!rc)
			rc = typed_json_write(v, NULL, &out, &e);
		ferry_alloc_fail_at(0);
		if (!rc)
			cr_assert_str_eq(out.data, text);
		ferry_buffer_release(&out);
		ferry_store_unref(own);
		cr_assert(!rc || rc == FERRY_NOMEM, "%d: %s", rc, e.text);
	} while (rc);
	cr_assert_gt(n, 1);
}
