/* Values: constructors, dicts and keys, paths, checks. */
#include "config.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <ferry/sys/build.h>
#include <ferry/tensor.h>

static struct ferry_store *s;

static void open_store(void)
{
	cr_assert_eq(ferry_store_new(&s, NULL), 0);
}

static void close_store(void)
{
	ferry_store_unref(s);
}

TestSuite(value, .init = open_store, .fini = close_store);

static struct ferry_value *tuple2(struct ferry_value *a, struct ferry_value *b)
{
	struct ferry_value *t = ferry_sequence(s, FERRY_TUPLE, 2);

	cr_assert_eq(ferry_list_add(s, t, a), 0);
	cr_assert_eq(ferry_list_add(s, t, b), 0);
	return t;
}

static void set(struct ferry_value *dict, struct ferry_value *key, int64_t i)
{
	cr_assert_eq(ferry_dict_set(s, dict, key, ferry_int(s, i)), 0);
}

static int64_t get(struct ferry_value *dict, struct ferry_value *key)
{
	struct ferry_value *v = ferry_dict_find(dict, key);

	return v ? v->u.i : INT64_MIN;
}

Test(value, a_value_is_32_bytes)
{
	cr_assert_eq(sizeof(struct ferry_value), 32);
}

Test(value, constants_are_shared)
{
	cr_assert_eq(ferry_none(), ferry_none());
	cr_assert_eq(ferry_bool(true)->u.b, true);
	cr_assert_eq(ferry_bool(false), ferry_bool(false));
	for (int64_t i = -300; i < 600; i++) {
		cr_assert_eq(ferry_int(s, i)->kind, FERRY_INT);
		cr_assert_eq(ferry_int(s, i)->u.i, i);
	}
	cr_assert_eq(ferry_int(s, 255), ferry_int(s, 255));
	cr_assert_eq(ferry_int(s, -5), ferry_int(s, -5));
}

Test(value, ids_are_dense_and_scalars_have_none)
{
	struct ferry_value *a = ferry_cstring(s, "a");
	struct ferry_value *i = ferry_int(s, 100000);
	struct ferry_value *b = ferry_sequence(s, FERRY_LIST, 0);

	cr_assert_eq(a->id, 1);
	cr_assert_eq(i->id, 0);
	cr_assert_eq(ferry_float(s, 1)->id, 0);
	cr_assert_eq(b->id, 2);
	cr_assert_eq(ferry_store_ids(s), 2);
}

Test(value, strings_are_copied_and_terminated)
{
	char text[] = "ab\0cd";
	struct ferry_value *v = ferry_string(s, text, 5);

	text[0] = 'x';
	cr_assert_eq(v->u.s.nbytes, 5);
	cr_assert(!memcmp(v->u.s.data, "ab\0cd", 6));
	cr_assert_eq(ferry_string_borrow(s, text, 5)->u.s.data, text);
	v = ferry_bytes(s, "\xff", 1, FERRY_MUTABLE);
	cr_assert_eq(v->kind, FERRY_BYTES);
	cr_assert_eq(v->flags, FERRY_MUTABLE);
	v = ferry_global(s, "a.b", 3, "C\0D", 3);
	cr_assert_str_eq(v->u.global.module, "a.b");
	cr_assert_eq(v->u.global.name_len, 3);
	cr_assert(!ferry_value_is_global(v, "a.b", "C"));
	v = ferry_global(s, "a.b", 3, "C", 1);
	cr_assert(ferry_value_is_global(v, "a.b", "C"));
	cr_assert(!ferry_value_is_global(v, "a", "b.C"));
	cr_assert(ferry_value_is(ferry_cstring(s, "x"), "x"));
	cr_assert(!ferry_value_is(ferry_bytes(s, "x", 1, 0), "x"));
}

Test(value, huge_requests_fail)
{
	cr_assert_null(ferry_store_alloc(s, SIZE_MAX));
	cr_assert_null(ferry_store_alloc(s, SIZE_MAX - 20));
	cr_assert_null(ferry_store_array(s, SIZE_MAX / 4, 8));
	cr_assert_null(ferry_string(s, "x", UINT64_MAX));
}

Test(value, lists_grow)
{
	struct ferry_value *a = ferry_sequence(s, FERRY_LIST, 0);
	struct ferry_value *b = ferry_sequence(s, FERRY_LIST, 3);

	for (int64_t i = 0; i < 300000; i++) {
		cr_assert_eq(ferry_list_add(s, a, ferry_int(s, i)), 0);
		if (i % 3)
			cr_assert_eq(ferry_list_add(s, b, ferry_int(s, -i)), 0);
	}
	cr_assert_eq(a->u.list.n, 300000);
	for (int64_t i = 0; i < 300000; i++)
		cr_assert_eq(a->u.list.items[i]->u.i, i);
	cr_assert_eq(b->u.list.items[199999]->u.i, -299999);
	cr_assert_lt(ferry_store_nbytes(s), 40000000);
}

static void decimal(const char *text)
{
	bool bad;
	struct ferry_value *v = ferry_big_decimal(s, text, strlen(text), &bad);

	cr_assert(v && !bad, "%s", text);
	cr_assert_str_eq(ferry_int_text(s, v), text);
}

Test(value, integers_of_any_size)
{
	static const uint8_t minus_one[] = { 0xff, 0xff, 0xff };
	static const uint8_t two_63[] = { 0, 0, 0, 0, 0, 0, 0, 0x80, 0, 0 };
	struct ferry_value *v;
	char text[6000];

	cr_assert_eq(ferry_big(s, minus_one, 3), ferry_int(s, -1));
	cr_assert_eq(ferry_big(s, NULL, 0), ferry_int(s, 0));
	v = ferry_big(s, two_63, sizeof(two_63));
	cr_assert(v->flags & FERRY_BIG && v->u.s.nbytes == 9);
	cr_assert_str_eq(ferry_int_text(s, v), "9223372036854775808");
	cr_assert_str_eq(ferry_int_text(s, ferry_uint(s, UINT64_MAX)),
			 "18446744073709551615");
	cr_assert_eq(ferry_uint(s, 7), ferry_int(s, 7));
	decimal("0");
	decimal("-1");
	decimal("9223372036854775807");
	decimal("-9223372036854775808");
	decimal("-9223372036854775809");
	decimal("18446744073709551616");
	decimal("340282366920938463463374607431768211456");
	decimal("-123456789012345678901234567890123456789012345678901234567890");
	memset(text, '9', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	decimal(text);
	memset(text + 1, '0', sizeof(text) - 2);
	decimal(text);
}

Test(value, huge_integers_are_hexadecimal)
{
	size_t n = 40000;
	uint8_t *le = ferry_store_alloc(s, n);
	struct ferry_value *v, *again;
	char *text;
	bool bad;

	memset(le, 0x5a, n);
	for (int sign = 0; sign < 2; sign++) {
		le[n - 1] = sign ? 0xa5 : 0x5a;
		v = ferry_big(s, le, n);
		text = ferry_int_text(s, v);
		cr_assert(!strncmp(text, sign ? "-0x" : "0x", sign ? 3 : 2));
		again = ferry_big_decimal(s, text, strlen(text), &bad);
		cr_assert(again && !bad);
		cr_assert_eq(again->u.s.nbytes, n);
		cr_assert(!memcmp(again->u.s.data, le, n));
	}
}

Test(value, text_that_is_no_integer_is_bad)
{
	static const char *const texts[] = {
		"", "-", "+", "1a", " 1", "1 ", "--1", "0x", "0xg", "1_0",
	};
	char *many = ferry_store_alloc(s, 30000);
	bool bad;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		cr_assert_null(ferry_big_decimal(s, texts[i], strlen(texts[i]),
						 &bad));
		cr_assert(bad);
	}
	memset(many, '7', 30000);
	cr_assert_null(ferry_big_decimal(s, many, 30000, &bad));
	cr_assert(bad);
}

Test(value, equal_numbers_are_one_key)
{
	for (int wide = 0; wide < 2; wide++) {
		struct ferry_value *d = ferry_dict(s, 0);
		bool bad;

		for (int i = 0; wide && i < 50; i++)
			set(d, ferry_int(s, 1000 + i), i);
		set(d, ferry_int(s, 1), 1);
		set(d, ferry_bool(true), 2);
		set(d, ferry_float(s, 1.0), 3);
		set(d, ferry_complex(s, 1.0, 0), 4);
		cr_assert_eq(d->u.dict.n, wide ? 51 : 1);
		cr_assert_eq(get(d, ferry_int(s, 1)), 4);
		cr_assert_eq(d->u.dict.pairs[wide ? 50 : 0].key->kind,
			     FERRY_INT);
		set(d, ferry_float(s, -0.0), 5);
		cr_assert_eq(get(d, ferry_bool(false)), 5);
		set(d, ferry_big_decimal(s, "1267650600228229401496703205376",
					 31, &bad), 6);
		cr_assert_eq(get(d, ferry_float(s, 0x1p100)), 6);
		cr_assert_eq(get(d, ferry_float(s, 0x1.0000000000001p100)),
			     INT64_MIN);
		set(d, ferry_float(s, -0x1p1000), 7);
		cr_assert_eq(get(d, ferry_float(s, -0x1p1000)), 7);
		set(d, ferry_uint(s, UINT64_C(1) << 63), 8);
		cr_assert_eq(get(d, ferry_float(s, 0x1p63)), 8);
		set(d, ferry_int(s, INT64_MIN), 9);
		cr_assert_eq(get(d, ferry_float(s, -0x1p63)), 9);
		set(d, ferry_float(s, 0.5), 10);
		cr_assert_eq(get(d, ferry_complex(s, 0.5, 0)), 10);
		cr_assert_eq(get(d, ferry_complex(s, 0.5, 1)), INT64_MIN);
		set(d, ferry_float(s, INFINITY), 11);
		cr_assert_eq(get(d, ferry_float(s, INFINITY)), 11);
	}
}

Test(value, nan_is_a_key_by_identity)
{
	struct ferry_value *d = ferry_dict(s, 0);
	struct ferry_value *nan1 = ferry_float(s, NAN);

	set(d, nan1, 1);
	set(d, ferry_float(s, NAN), 2);
	set(d, nan1, 3);
	cr_assert_eq(d->u.dict.n, 2);
	cr_assert_eq(get(d, nan1), 3);
	cr_assert_eq(get(d, ferry_float(s, NAN)), INT64_MIN);
}

Test(value, text_keys_of_different_kinds_differ)
{
	struct ferry_value *d = ferry_dict(s, 0);
	struct ferry_value *array = ferry_bytes(s, "a", 1, FERRY_MUTABLE);

	set(d, ferry_cstring(s, "a"), 1);
	set(d, ferry_bytes(s, "a", 1, 0), 2);
	set(d, ferry_bytes(s, "a", 1, FERRY_PY2), 3);
	set(d, array, 4);
	set(d, ferry_bytes(s, "a", 1, FERRY_MUTABLE), 5);
	set(d, ferry_none(), 6);
	set(d, ferry_global(s, "m", 1, "n", 1), 7);
	cr_assert_eq(d->u.dict.n, 7);
	cr_assert_eq(get(d, ferry_cstring(s, "a")), 1);
	cr_assert_eq(get(d, ferry_bytes(s, "a", 1, 0)), 2);
	cr_assert_eq(get(d, ferry_bytes(s, "a", 1, FERRY_PY2)), 3);
	cr_assert_eq(get(d, array), 4);
	cr_assert_eq(get(d, ferry_none()), 6);
	cr_assert_eq(get(d, ferry_global(s, "m", 1, "n", 1)), 7);
	cr_assert_eq(get(d, ferry_global(s, "mn", 2, "", 0)), INT64_MIN);
}

Test(value, tuple_keys_go_by_value)
{
	struct ferry_value *d = ferry_dict(s, 0);
	struct ferry_value *list = ferry_sequence(s, FERRY_LIST, 0);

	for (int i = 0; i < 30; i++)
		set(d, tuple2(ferry_int(s, i), ferry_cstring(s, "x")), i);
	cr_assert_eq(get(d, tuple2(ferry_float(s, 7), ferry_cstring(s, "x"))),
		     7);
	set(d, tuple2(tuple2(ferry_int(s, 1), ferry_none()),
		      ferry_cstring(s, "y")), 100);
	cr_assert_eq(get(d, tuple2(tuple2(ferry_bool(true), ferry_none()),
				   ferry_cstring(s, "y"))), 100);
	set(d, tuple2(list, ferry_none()), 101);
	cr_assert_eq(get(d, tuple2(list, ferry_none())), 101);
	cr_assert_eq(get(d, tuple2(ferry_sequence(s, FERRY_LIST, 0),
				   ferry_none())), INT64_MIN);
}

Test(value, tuple_bombs_as_keys_cost_little, .timeout = 20)
{
	struct ferry_value *d = ferry_dict(s, 0);
	struct ferry_value *t = ferry_cstring(s, "leaf");
	struct ferry_value *twin = ferry_cstring(s, "leaf");

	for (int i = 0; i < 20000; i++) {
		t = tuple2(t, t);
		twin = tuple2(twin, twin);
		set(d, t, 2 * i);
		set(d, twin, 2 * i + 1);
		cr_assert_eq(get(d, t), i < 5 ? 2 * i + 1 : 2 * i);
	}
	cr_assert_eq(d->u.dict.n, 2 * 20000 - 5);
}

Test(value, long_equal_keys_cost_little, .timeout = 20)
{
	enum { LONG = 1 << 20 };
	struct ferry_value *d = ferry_dict(s, 0);
	struct ferry_value *keys[4];
	char *text = ferry_store_alloc(s, LONG);

	memset(text, 'k', LONG);
	keys[0] = ferry_string(s, text, LONG);
	keys[1] = ferry_string(s, text, LONG);
	text[LONG - 1] = 'x';
	keys[2] = ferry_string(s, text, LONG);
	text[LONG - 1] = 'y';
	keys[3] = ferry_string(s, text, LONG);
	for (int i = 0; i < 1000000; i++)
		set(d, keys[i % 4], i);
	cr_assert_eq(d->u.dict.n, 3);
	cr_assert_eq(get(d, keys[0]), 999997);
}

Test(value, dicts_keep_order_and_places)
{
	struct ferry_value *d = ferry_dict(s, 0);
	char key[32];

	for (int round = 0; round < 2; round++)
		for (int i = 0; i < 50000; i++) {
			snprintf(key, sizeof(key), "layers.%d.weight", i);
			cr_assert_eq(ferry_dict_set_str(s, d, key,
						ferry_int(s, i + round)), 0);
		}
	cr_assert_eq(d->u.dict.n, 50000);
	cr_assert(ferry_value_is(d->u.dict.pairs[123].key,
				 "layers.123.weight"));
	cr_assert_eq(ferry_dict_get(d, "layers.49999.weight")->u.i, 50000);
	cr_assert_null(ferry_dict_get(d, "layers.50000.weight"));
	cr_assert_null(ferry_dict_get(ferry_none(), "x"));
}

Test(value, dict_replace_takes_a_selection)
{
	struct ferry_value *d = ferry_dict(s, 0);

	for (int i = 0; i < 100; i++)
		set(d, ferry_int(s, i), i);
	cr_assert_eq(ferry_dict_replace(s, d, d->u.dict.pairs + 50, 40), 0);
	cr_assert_eq(d->u.dict.n, 40);
	cr_assert_eq(get(d, ferry_int(s, 49)), INT64_MIN);
	cr_assert_eq(get(d, ferry_int(s, 89)), 89);
	set(d, ferry_int(s, 7), 7);
	cr_assert_eq(get(d, ferry_int(s, 7)), 7);
	cr_assert_eq(ferry_dict_replace(s, d, d->u.dict.pairs, 2), 0);
	cr_assert_eq(get(d, ferry_int(s, 51)), 51);
	cr_assert_eq(ferry_dict_replace(s, d, NULL, 0), 0);
	set(d, ferry_int(s, 1), 1);
	cr_assert_eq(d->u.dict.n, 1);
}

static struct ferry_storage *storage(uint64_t nbytes)
{
	struct ferry_source *src;

	cr_assert_eq(ferry_source_zero(&src, nbytes, NULL), 0);
	cr_assert_eq(ferry_store_take_source(s, src), 0);
	return ferry_storage(s, FERRY_F32, src, 0, nbytes);
}

static int check(enum ferry_dtype dtype, unsigned ndim, const uint64_t *shape,
		 const int64_t *strides, uint64_t offset, uint64_t nbytes)
{
	struct ferry_value *v = ferry_tensor(s, dtype, ndim, shape, strides,
					     offset, storage(nbytes));

	return ferry_tensor_check(v->u.tensor, "t", NULL);
}

Test(value, tensors_must_lie_in_their_storage)
{
	uint64_t big = UINT64_C(1) << 32;

	cr_assert_eq(check(FERRY_F32, 0, NULL, NULL, 0, 4), 0);
	cr_assert_eq(check(FERRY_F32, 0, NULL, NULL, 1, 4), FERRY_MALFORMED);
	cr_assert_eq(check(FERRY_F32, 2, (uint64_t[]){ 2, 3 }, NULL, 0, 24), 0);
	cr_assert_eq(check(FERRY_F32, 2, (uint64_t[]){ 2, 3 }, NULL, 0, 23),
		     FERRY_MALFORMED);
	cr_assert_eq(check(FERRY_F32, 2, (uint64_t[]){ 2, 3 },
			   (int64_t[]){ 1, 2 }, 0, 24), 0);
	cr_assert_eq(check(FERRY_F32, 2, (uint64_t[]){ 2, 3 },
			   (int64_t[]){ 1, 3 }, 0, 24), FERRY_MALFORMED);
	cr_assert_eq(check(FERRY_F32, 1, (uint64_t[]){ 1000 },
			   (int64_t[]){ 0 }, 5, 24), 0);
	cr_assert_eq(check(FERRY_F32, 1, (uint64_t[]){ 2 },
			   (int64_t[]){ -1 }, 5, 24), FERRY_MALFORMED);
	cr_assert_eq(check(FERRY_F32, 1, (uint64_t[]){ 2 },
			   (int64_t[]){ INT64_MAX }, 5, 24), FERRY_MALFORMED);
	cr_assert_eq(check(FERRY_F32, 1, (uint64_t[]){ 1 }, NULL,
			   UINT64_MAX, 24), FERRY_MALFORMED);
	cr_assert_eq(check(FERRY_F32, 2, (uint64_t[]){ big, big },
			   (int64_t[]){ 0, 0 }, 0, 4), FERRY_MALFORMED);
	cr_assert_eq(check(FERRY_F32, 3, (uint64_t[]){ big, big, 0 },
			   NULL, 99, 0), 0);
	cr_assert_eq(check(FERRY_QU4X2, 1, (uint64_t[]){ 7 }, NULL, 0, 4), 0);
	cr_assert_eq(check(FERRY_QU4X2, 1, (uint64_t[]){ 9 }, NULL, 0, 4),
		     FERRY_MALFORMED);
	cr_assert_eq(check(FERRY_DTYPE_NONE, 0, NULL, NULL, 0, 4),
		     FERRY_MALFORMED);
}

Test(value, rank_is_limited)
{
	uint64_t shape[300];

	for (int i = 0; i < 300; i++)
		shape[i] = 1;
	cr_assert_eq(check(FERRY_U8, 64, shape, NULL, 0, 1), 0);
	cr_assert_eq(check(FERRY_U8, 65, shape, NULL, 0, 1), FERRY_LIMIT);
	cr_assert_eq(check(FERRY_U8, 300, shape, NULL, 0, 1), FERRY_LIMIT);
}

Test(value, tensor_sizes)
{
	struct ferry_storage *st = storage(1000);
	struct ferry_value *v;

	v = ferry_tensor(s, FERRY_BF16, 3, (uint64_t[]){ 2, 1, 5 }, NULL, 0,
			 st);
	cr_assert_eq(v->u.tensor->strides[0], 5);
	cr_assert_eq(ferry_tensor_nelem(v->u.tensor), 10);
	cr_assert_eq(ferry_tensor_nbytes(v->u.tensor), 20);
	cr_assert(ferry_tensor_is_contiguous(v->u.tensor));
	v = ferry_tensor(s, FERRY_BF16, 3, (uint64_t[]){ 2, 1, 5 },
			 (int64_t[]){ 5, 77, 1 }, 0, st);
	cr_assert(ferry_tensor_is_contiguous(v->u.tensor));
	v = ferry_tensor(s, FERRY_BF16, 2, (uint64_t[]){ 2, 5 },
			 (int64_t[]){ 1, 2 }, 0, st);
	cr_assert(!ferry_tensor_is_contiguous(v->u.tensor));
	v = ferry_tensor(s, FERRY_F6_E2M3, 1, (uint64_t[]){ 5 }, NULL, 0, st);
	cr_assert_eq(ferry_tensor_nbytes(v->u.tensor), 4);
	v = ferry_tensor(s, FERRY_F32, 2, (uint64_t[]){ 0, UINT64_MAX }, NULL,
			 0, st);
	cr_assert_eq(ferry_tensor_nelem(v->u.tensor), 0);
	cr_assert(ferry_tensor_is_contiguous(v->u.tensor));
}

static int check_document(struct ferry_value *root, struct ferry_error *err)
{
	struct ferry_document *doc;
	int code;

	cr_assert_eq(ferry_document_new(&doc, s, NULL), 0);
	doc->root = root;
	code = ferry_document_check(doc, err);
	ferry_document_free(doc);
	return code;
}

static struct ferry_value *nest(struct ferry_value *v, int depth)
{
	struct ferry_value *outer;

	for (int i = 0; i < depth; i++) {
		outer = ferry_sequence(s, FERRY_LIST, 1);
		cr_assert_eq(ferry_list_add(s, outer, v), 0);
		v = outer;
	}
	return v;
}

Test(value, document_depth_is_limited)
{
	struct ferry_error err = FERRY_ERROR_INIT;

	cr_assert_eq(check_document(nest(ferry_none(), FERRY_MAX_DEPTH), NULL),
		     0);
	cr_assert_eq(check_document(nest(ferry_none(), FERRY_MAX_DEPTH + 1),
				    &err), FERRY_LIMIT);
	cr_assert(strstr(err.text, "'0.0.0.0"));
}

Test(value, cycles_and_shared_graphs_are_checked_in_linear_time, .timeout = 10)
{
	struct ferry_value *v = ferry_sequence(s, FERRY_LIST, 0);
	struct ferry_value *outer, *cycle = v;

	for (int i = 0; i < 900; i++) {
		outer = ferry_sequence(s, FERRY_LIST, 2);
		ferry_list_add(s, outer, v);
		ferry_list_add(s, outer, v);
		v = outer;
	}
	ferry_list_add(s, cycle, v);
	cr_assert_eq(check_document(v, NULL), 0);
}

Test(value, a_broken_document_is_refused_with_the_path)
{
	struct ferry_error err = FERRY_ERROR_INIT;
	struct ferry_value *d = ferry_dict(s, 0);
	struct ferry_value *o = ferry_object(s, FERRY_FORM_CALL, NULL,
					     ferry_sequence(s, FERRY_TUPLE, 0),
					     NULL);
	struct ferry_value *t = ferry_tensor(s, FERRY_F32, 1,
					     (uint64_t[]){ 3 }, NULL, 0,
					     storage(8));

	ferry_dict_set_str(s, d, "w\x1b", nest(t, 1));
	cr_assert_eq(check_document(d, &err), FERRY_MALFORMED);
	cr_assert_str_eq(err.text, "'w\\x1B.0': tensor: tensor ends at byte 12 "
			 "of its storage, which has 8 bytes");
	cr_assert_eq(check_document(NULL, NULL), FERRY_MALFORMED);
	cr_assert_eq(check_document(nest(NULL, 2), NULL), FERRY_MALFORMED);
	cr_assert_eq(check_document(o, NULL), FERRY_MALFORMED);
	o->u.object->form = FERRY_FORM_PERSISTENT;
	cr_assert_eq(check_document(o, NULL), 0);
	o->u.object->dict = nest(NULL, 1);
	cr_assert_eq(check_document(o, NULL), FERRY_MALFORMED);
}

static struct ferry_value *object(struct ferry_value *args)
{
	return ferry_object(s, FERRY_FORM_CALL, ferry_global(s, "m", 1, "C", 1),
			    args, NULL);
}

Test(value, paths_are_followed)
{
	struct ferry_value *root = ferry_dict(s, 0), *a = ferry_dict(s, 0);
	struct ferry_value *list = nest(ferry_cstring(s, "item"), 1);
	bool bad;

	ferry_dict_set_str(s, root, "a", a);
	ferry_dict_set_str(s, root, "a.b", ferry_cstring(s, "long"));
	ferry_dict_set_str(s, a, "b", ferry_cstring(s, "short"));
	ferry_dict_set_str(s, a, "b.c", ferry_cstring(s, "abc"));
	ferry_dict_set_str(s, a, "", ferry_cstring(s, "empty"));
	ferry_dict_set(s, root, ferry_int(s, -12), list);
	ferry_dict_set(s, root, tuple2(ferry_int(s, 1), ferry_cstring(s, "q")),
		       ferry_cstring(s, "tupled"));
	ferry_dict_set(s, root, ferry_none(), ferry_cstring(s, "no"));
	ferry_dict_set(s, root, ferry_big_decimal(s, "99999999999999999999",
						  20, &bad),
		       ferry_cstring(s, "big"));
	cr_assert_eq(ferry_value_at(root, ""), root);
	cr_assert_eq(ferry_value_at(root, "a"), a);
	cr_assert(ferry_value_is(ferry_value_at(root, "a.b"), "long"));
	cr_assert(ferry_value_is(ferry_value_at(root, "a.b.c"), "abc"));
	cr_assert(ferry_value_is(ferry_value_at(root, "-12.0"), "item"));
	cr_assert(ferry_value_is(ferry_value_at(root, "(1,q)"), "tupled"));
	cr_assert(ferry_value_is(ferry_value_at(root, "None"), "no"));
	cr_assert(ferry_value_is(ferry_value_at(root, "99999999999999999999"),
				 "big"));
	cr_assert(ferry_value_is(ferry_value_at(root, "keys.1"), "a.b"));
	cr_assert_null(ferry_value_at(root, "b"));
	cr_assert_null(ferry_value_at(root, "a.b.c.d"));
	cr_assert_null(ferry_value_at(root, "-12.1"));
	cr_assert_null(ferry_value_at(root, "-12.-0"));
	cr_assert_null(ferry_value_at(root, "-12.00"));
	cr_assert_null(ferry_value_at(root, "."));
}

Test(value, paths_enter_objects)
{
	struct ferry_value *o = object(nest(ferry_cstring(s, "arg"), 1));
	struct ferry_value *state = ferry_dict(s, 0), *dict = ferry_dict(s, 0);
	struct ferry_value *wrapper;

	o->u.object->args->kind = FERRY_TUPLE;
	cr_assert(ferry_value_is(ferry_value_at(o, "args.0"), "arg"));
	cr_assert(ferry_value_is(ferry_value_at(o, "0"), "arg"));
	o->u.object->list = nest(ferry_cstring(s, "item"), 1);
	cr_assert(ferry_value_is(ferry_value_at(o, "0"), "item"));
	cr_assert(ferry_value_is(ferry_value_at(o, "args.0"), "arg"));
	ferry_dict_set_str(s, state, "x", ferry_cstring(s, "of state"));
	o->u.object->state = tuple2(ferry_none(), state);
	cr_assert(ferry_value_is(ferry_value_at(o, "x"), "of state"));
	o->u.object->state = state;
	cr_assert(ferry_value_is(ferry_value_at(o, "x"), "of state"));
	ferry_dict_set_str(s, dict, "x", ferry_cstring(s, "of dict"));
	o->u.object->dict = dict;
	cr_assert(ferry_value_is(ferry_value_at(o, "x"), "of dict"));
	cr_assert(ferry_value_is(ferry_value_at(o, "state.x"), "of state"));
	cr_assert_eq(ferry_value_items(o), dict);
	cr_assert(ferry_value_is(ferry_dict_get(o, "x"), "of dict"));
	wrapper = object(tuple2(ferry_none(), o));
	wrapper->u.object->payload = 1;
	cr_assert_eq(ferry_value_payload(wrapper), o);
	cr_assert(ferry_value_is(ferry_value_at(wrapper, "x"), "of dict"));
	cr_assert_eq(ferry_value_at(wrapper, ""), wrapper);
}

Test(value, hostile_paths_end, .timeout = 20)
{
	struct ferry_value *d = ferry_dict(s, 0);
	struct ferry_value *o = object(tuple2(d, d));
	char path[4001];
	char key[64];

	for (int i = 1; i < 60; i++) {
		memset(key, '.', (size_t)i);
		key[i] = '\0';
		ferry_dict_set_str(s, d, key, d);
	}
	memset(path, '.', 4000);
	path[3999] = 'x';
	path[4000] = '\0';
	cr_assert_null(ferry_value_at(d, path));
	o->u.object->payload = 0;
	o->u.object->args->u.list.items[0] = o;
	cr_assert_null(ferry_value_at(o, "x"));
	cr_assert_not_null(ferry_value_payload(o));
}

Test(value, stores_are_shared_by_documents)
{
	struct ferry_document *a, *b;

	cr_assert_eq(ferry_document_new(&a, NULL, NULL), 0);
	cr_assert_eq(ferry_document_new(&b, a->store, NULL), 0);
	b->root = ferry_cstring(a->store, "kept");
	ferry_document_free(a);
	cr_assert(ferry_value_is(b->root, "kept"));
	ferry_document_free(b);
	ferry_document_free(NULL);
}

Test(value, marks)
{
	struct ferry_value *v[130];
	struct ferry_marks marks;

	for (int i = 0; i < 130; i++)
		v[i] = ferry_sequence(s, FERRY_LIST, 0);
	cr_assert_eq(ferry_marks_init(&marks, s), 0);
	for (int i = 0; i < 130; i += 2)
		cr_assert(!ferry_mark(&marks, v[i]));
	for (int i = 0; i < 130; i++)
		cr_assert_eq(ferry_mark(&marks, v[i]), i % 2 == 0);
	cr_assert(!ferry_mark(&marks, ferry_none()));
	ferry_marks_release(&marks);
}

/* A tensor of n float32 at an offset, or of as many bytes. */
static bool met(struct ferry_views *v, struct ferry_storage *st,
		enum ferry_dtype dtype, uint64_t offset, uint64_t n)
{
	struct ferry_value *t = ferry_tensor(s, dtype, 1, &n, NULL, offset, st);
	bool before;

	cr_assert_not_null(t);
	cr_assert_eq(ferry_views_meet(v, t->u.tensor, &before), 0);
	return before;
}

Test(value, views)
{
	struct ferry_storage *st[3];
	struct ferry_source *src;
	struct ferry_views *v;

	cr_assert_eq(ferry_source_zero(&src, 4096, NULL), 0);
	cr_assert_eq(ferry_store_take_source(s, src), 0);
	for (int i = 0; i < 3; i++)
		st[i] = ferry_storage(s, FERRY_F32, src, 0, 4096);
	cr_assert_eq(ferry_views_new(&v, s), 0);
	for (int round = 0; round < 2; round++)
		for (int i = 0; i < 3; i++) {
			cr_assert_eq(met(v, st[i], FERRY_F32, 0, 16), round);
			cr_assert_eq(met(v, st[i], FERRY_F32, 8, 16), round);
			cr_assert_eq(met(v, st[i], FERRY_F32, 0, 15), round);
			cr_assert_eq(met(v, st[i], FERRY_I32, 0, 16), round);
		}
	cr_assert(!met(v, NULL, FERRY_F32, 0, 16));
	cr_assert(!met(v, NULL, FERRY_F32, 0, 16));
	/* Of a storage that is younger than what is kept of the store. */
	st[0] = ferry_storage(s, FERRY_F32, src, 0, 4096);
	cr_assert(!met(v, st[0], FERRY_F32, 0, 16));
	cr_assert(met(v, st[0], FERRY_F32, 0, 16));
	ferry_views_free(v);
	ferry_views_free(NULL);
}
