/* Equality of documents. */
#include "config.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <ferry/sys/build.h>
#include <ferry/tensor.h>

/* A document under construction; two of them are compared. */
struct side {
	struct ferry_document *doc;
	struct ferry_store *s;
	struct ferry_value *root;
};

static struct side a, b;
static struct ferry_findings *found;
static struct ferry_compare how;

static void open_side(struct side *x)
{
	cr_assert_eq(ferry_document_new(&x->doc, NULL, NULL), 0);
	x->s = x->doc->store;
	x->root = ferry_dict(x->s, 0);
}

static void open_both(void)
{
	open_side(&a);
	/* Ids of the two are not to agree by chance. */
	open_side(&b);
	ferry_cstring(b.s, "shift");
	cr_assert_eq(ferry_findings_new(&found, NULL), 0);
	how = (struct ferry_compare){ .data = true, .strides = true,
				      .sharing = true };
}

static void close_both(void)
{
	ferry_findings_free(found);
	ferry_document_free(a.doc);
	ferry_document_free(b.doc);
}

TestSuite(compare, .init = open_both, .fini = close_both);

static void set(struct side *x, const char *key, struct ferry_value *v)
{
	cr_assert_eq(ferry_dict_set_str(x->s, x->root, key, v), 0);
}

static struct ferry_value *list(struct side *x, enum ferry_kind kind,
				const char *text)
{
	struct ferry_value *v = ferry_sequence(x->s, kind, 0);

	for (; *text; text++)
		ferry_list_add(x->s, v, ferry_string(x->s, text, 1));
	return v;
}

static struct ferry_storage *storage(struct side *x, const void *data, size_t n)
{
	struct ferry_source *src;
	char *copy = ferry_store_alloc(x->s, n);

	memcpy(copy, data, n);
	cr_assert_eq(ferry_source_from_memory(&src, copy, n, "m", NULL), 0);
	cr_assert_eq(ferry_store_take_source(x->s, src), 0);
	return ferry_storage(x->s, FERRY_F32, src, 0, n);
}

static struct ferry_value *floats(struct side *x, const float *data, size_t n)
{
	uint64_t shape[] = { n / 2, 2 };

	return ferry_tensor(x->s, FERRY_F32, 2, shape, NULL, 0,
			    storage(x, data, n * sizeof(*data)));
}

static int compare(void)
{
	struct ferry_error err = FERRY_ERROR_INIT;
	int code;

	a.doc->root = a.root;
	b.doc->root = b.root;
	code = ferry_document_compare(a.doc, b.doc, &how, found, &err);
	cr_assert_geq(code, 0, "%s", err.text);
	cr_assert_eq(code == 1, ferry_findings_count(found) == 0);
	return code;
}

/* Exactly the one difference. */
static void one(const char *code, const char *path, const char *text)
{
	const struct ferry_finding *f;

	compare();
	cr_assert_eq(ferry_findings_count(found), 1, "%zu",
		     ferry_findings_count(found));
	f = ferry_findings_get(found, 0);
	cr_assert_str_eq(f->path, path);
	cr_assert_str_eq(f->code, code);
	cr_assert_str_eq(f->text, text);
}

static struct ferry_value *everything(struct side *x)
{
	static const float data[] = { 1, 2, 3, NAN };
	struct ferry_value *o, *t = floats(x, data, 4);
	struct ferry_value *cycle = ferry_sequence(x->s, FERRY_LIST, 1);
	bool bad;

	ferry_list_add(x->s, cycle, cycle);
	set(x, "none", ferry_none());
	set(x, "bool", ferry_bool(true));
	set(x, "int", ferry_int(x->s, 123456));
	set(x, "big", ferry_big_decimal(x->s, "123456789012345678901", 21,
					&bad));
	set(x, "float", ferry_float(x->s, NAN));
	set(x, "complex", ferry_complex(x->s, 1, -0.0));
	set(x, "string", ferry_cstring(x->s, "text"));
	set(x, "bytes", ferry_bytes(x->s, "\0\1", 2, 0));
	set(x, "list", list(x, FERRY_LIST, "abc"));
	set(x, "tuple", list(x, FERRY_TUPLE, ""));
	set(x, "cycle", cycle);
	set(x, "tensor", t);
	set(x, "tied", t);
	set(x, "storage", ferry_storage_value(x->s, t->u.tensor->storage));
	set(x, "global", ferry_global(x->s, "m", 1, "n", 1));
	o = ferry_object(x->s, FERRY_FORM_NEW,
			 ferry_global(x->s, "m", 1, "C", 1),
			 list(x, FERRY_TUPLE, "12"), NULL);
	o->u.object->state = x->root;
	set(x, "object", o);
	ferry_dict_set(x->s, x->root, list(x, FERRY_TUPLE, "k"), ferry_none());
	return o;
}

Test(compare, equal_documents_are_equal)
{
	everything(&a);
	everything(&b);
	cr_assert_eq(compare(), 1);
	b.root = a.root;
	b.doc->root = a.doc->root;
	cr_assert_eq(ferry_document_compare(a.doc, a.doc, &how, found, NULL),
		     1);
	cr_assert_eq(ferry_document_compare(a.doc, a.doc, &how, NULL, NULL),
		     1);
}

Test(compare, values)
{
	set(&a, "i", ferry_int(a.s, 1000));
	set(&b, "i", ferry_int(b.s, 1001));
	one("value", "i", "int is 1000 in the first, 1001 in the second");
}

Test(compare, names_of_python_2_are_those_of_python_3)
{
	struct ferry_value *old = ferry_global(a.s, "__builtin__", 11,
					       "xrange", 6);

	old->flags |= FERRY_PY2;
	set(&a, "g", old);
	set(&b, "g", ferry_global(b.s, "builtins", 8, "range", 5));
	cr_assert_eq(compare(), 1);
	set(&b, "g", ferry_global(b.s, "builtins", 8, "slice", 5));
	one("value", "g", "global is __builtin__.xrange in the first, "
	    "builtins.slice in the second");
}

Test(compare, notes_beside_elements_count_unless_bare)
{
	static const float x[] = { 1, 2, 3, 4 };
	struct ferry_value *t = floats(&b, x, 4);

	t->u.tensor->extra = ferry_dict(b.s, 0);
	set(&a, "t", floats(&a, x, 4));
	set(&b, "t", t);
	how.bare = true;
	cr_assert_eq(compare(), 1);
	how.bare = false;
	one("unexpected", "t", "extra: in the second only");
}

Test(compare, strings)
{
	set(&a, "s", ferry_cstring(a.s, "x"));
	set(&b, "s", ferry_cstring(b.s, "y\x1b"));
	one("value", "s", "string is 'x' in the first, 'y\\x1B' in the second");
}

Test(compare, zeros_differ_by_sign)
{
	set(&a, "f", ferry_float(a.s, 0.0));
	set(&b, "f", ferry_float(b.s, -0.0));
	one("value", "f", "float is 0 in the first, -0 in the second");
}

Test(compare, kinds)
{
	set(&a, "f", list(&a, FERRY_LIST, ""));
	set(&b, "f", list(&b, FERRY_TUPLE, ""));
	one("kind", "f", "list in the first, tuple in the second");
}

Test(compare, equal_keys_of_different_kinds_differ)
{
	ferry_dict_set(a.s, a.root, ferry_int(a.s, 1), ferry_none());
	ferry_dict_set(b.s, b.root, ferry_bool(true), ferry_none());
	one("kind", "keys.0", "int in the first, bool in the second");
}

Test(compare, a_missing_key_is_one_difference)
{
	char key[16];

	for (int i = 0; i < 100; i++) {
		snprintf(key, sizeof(key), "k%d", i);
		set(&a, key, ferry_int(a.s, i));
		if (i != 3)
			set(&b, key, ferry_int(b.s, i));
	}
	one("missing", "k3", "int is in the first only");
}

Test(compare, an_unexpected_key_is_one_difference)
{
	set(&a, "x", ferry_none());
	set(&b, "new", ferry_cstring(b.s, ""));
	set(&b, "x", ferry_none());
	one("unexpected", "new", "string is in the second only");
}

Test(compare, order_is_one_difference)
{
	for (int i = 0; i < 50; i++)
		ferry_dict_set(a.s, a.root, ferry_int(a.s, i), ferry_none());
	for (int i = 50; i--;)
		ferry_dict_set(b.s, b.root, ferry_int(b.s, i), ferry_none());
	one("order", "", "keys are in another order");
}

Test(compare, lengths)
{
	set(&a, "l", list(&a, FERRY_LIST, "ab"));
	set(&b, "l", list(&b, FERRY_LIST, "abc"));
	one("length", "l", "list has 2 items in the first, 3 in the second");
}

Test(compare, sets_have_no_order)
{
	set(&a, "s", list(&a, FERRY_SET, "abcdefghijkl"));
	set(&b, "s", list(&b, FERRY_SET, "lkjihgfedcba"));
	cr_assert_eq(compare(), 1);
}

Test(compare, set_items)
{
	set(&a, "s", list(&a, FERRY_FROZENSET, "ab"));
	set(&b, "s", list(&b, FERRY_FROZENSET, "bc"));
	cr_assert_eq(compare(), 0);
	cr_assert_eq(ferry_findings_count(found), 2);
	cr_assert_str_eq(ferry_findings_get(found, 0)->code, "missing");
	cr_assert_str_eq(ferry_findings_get(found, 0)->path, "s.0");
	cr_assert_str_eq(ferry_findings_get(found, 1)->code, "unexpected");
	cr_assert_str_eq(ferry_findings_get(found, 1)->path, "s.1");
}

Test(compare, sharing)
{
	struct ferry_value *l = list(&a, FERRY_LIST, "x");

	set(&a, "one", l);
	set(&a, "two", l);
	set(&b, "one", list(&b, FERRY_LIST, "x"));
	set(&b, "two", list(&b, FERRY_LIST, "x"));
	one("sharing", "two",
	    "list is shared with another place in one of the two only");
	how.sharing = false;
	ferry_findings_free(found);
	ferry_findings_new(&found, NULL);
	cr_assert_eq(compare(), 1);
}

Test(compare, sharing_the_other_way_round)
{
	struct ferry_value *l = list(&b, FERRY_LIST, "x");

	set(&a, "one", list(&a, FERRY_LIST, "x"));
	set(&a, "two", list(&a, FERRY_LIST, "y"));
	set(&b, "one", l);
	set(&b, "two", l);
	how.sharing = false;
	one("value", "two.0",
	    "string is 'y' in the first, 'x' in the second");
}

Test(compare, shared_strings_are_no_difference)
{
	struct ferry_value *x = ferry_cstring(a.s, "x");

	set(&a, "one", x);
	set(&a, "two", x);
	set(&b, "one", ferry_cstring(b.s, "x"));
	set(&b, "two", ferry_cstring(b.s, "x"));
	cr_assert_eq(compare(), 1);
}

Test(compare, tensor_data)
{
	static const float x[] = { 1, 2, 3, 4 }, y[] = { 1, 2, 3.5, 4 };

	set(&a, "t", floats(&a, x, 4));
	set(&b, "t", floats(&b, y, 4));
	one("data", "t", "1 of 4 elements differ, the first at [1, 0] "
	    "(3 and 3.5)");
	how.data = false;
	ferry_findings_free(found);
	ferry_findings_new(&found, NULL);
	cr_assert_eq(compare(), 1);
}

Test(compare, tolerance)
{
	static const float x[] = { 1, NAN, 100, INFINITY };
	static const float y[] = { 1.05f, NAN, 104, INFINITY };

	how.rtol = 0.05;
	set(&a, "t", floats(&a, x, 4));
	set(&b, "t", floats(&b, y, 4));
	cr_assert_eq(compare(), 1);
	how.rtol = 0;
	how.atol = 1;
	one("data", "t", "1 of 4 elements differ, the first at [1, 0] "
	    "(100 and 104); the largest difference is 4");
}

Test(compare, nan_is_close_to_nan_alone)
{
	static const float x[] = { 1, NAN, -INFINITY, 0 };
	static const float y[] = { 1, 1, INFINITY, 0 };

	how.rtol = 1e9;
	set(&a, "t", floats(&a, x, 4));
	set(&b, "t", floats(&b, y, 4));
	cr_assert_eq(compare(), 0);
	cr_assert_not_null(strstr(ferry_findings_get(found, 0)->text,
				  "2 of 4 elements differ"));
}

Test(compare, shapes_and_dtypes)
{
	static const float x[8] = { 0 };
	struct ferry_value *t;

	set(&a, "t", floats(&a, x, 4));
	set(&b, "t", floats(&b, x, 8));
	t = floats(&b, x, 4);
	set(&a, "u", floats(&a, x, 4));
	t->u.tensor->dtype = FERRY_I32;
	set(&b, "u", t);
	cr_assert_eq(compare(), 0);
	cr_assert_eq(ferry_findings_count(found), 2);
	cr_assert_str_eq(ferry_findings_get(found, 0)->text,
			 "shape is [2, 2] in the first, [4, 2] in the second");
	cr_assert_str_eq(ferry_findings_get(found, 1)->text,
			 "dtype is float32 in the first, int32 in the second");
}

Test(compare, strides_matter_when_asked)
{
	static const float x[] = { 1, 2, 2, 1 };
	struct ferry_value *t = floats(&b, x, 4);
	struct ferry_value *u;

	u = ferry_tensor(b.s, FERRY_F32, 2, t->u.tensor->shape,
			 (int64_t[]){ 1, 2 }, 0, t->u.tensor->storage);
	set(&a, "t", floats(&a, x, 4));
	set(&b, "t", u);
	how.strides = false;
	cr_assert_eq(compare(), 1);
	how.strides = true;
	one("strides", "t", "strides are [2, 1] from element 0 in the first, "
	    "[1, 2] from element 0 in the second");
}

Test(compare, tied_storages)
{
	static const float x[] = { 1, 2, 2, 1 };
	struct ferry_value *t = floats(&a, x, 4);

	set(&a, "t", t);
	set(&a, "u", ferry_tensor(a.s, FERRY_F32, 2, t->u.tensor->shape, NULL,
				  0, t->u.tensor->storage));
	set(&b, "t", floats(&b, x, 4));
	set(&b, "u", floats(&b, x, 4));
	one("storage", "u", "storage is shared with another tensor in one of "
	    "the two only");
}

Test(compare, large_data_in_pieces)
{
	enum { N = 1 << 20 };
	float *x = ferry_store_alloc(a.s, N * sizeof(*x));

	for (int i = 0; i < N; i++)
		x[i] = (float)i;
	set(&a, "t", floats(&a, x, N));
	x[N - 1] = -1;
	x[300001] = -1;
	set(&b, "t", floats(&b, x, N));
	one("data", "t", "2 of 1048576 elements differ, the first at "
	    "[150000, 1] (300001 and -1)");
}

Test(compare, expanded_tensors_are_read_once, .timeout = 10)
{
	static const float x[] = { 1 }, y[] = { 2 };
	uint64_t shape[] = { 1000000, 1000000 };
	int64_t strides[] = { 0, 0 };

	set(&a, "t", ferry_tensor(a.s, FERRY_F32, 2, shape, strides, 0,
				  storage(&a, x, 4)));
	set(&b, "t", ferry_tensor(b.s, FERRY_F32, 2, shape, strides, 0,
				  storage(&b, y, 4)));
	one("data", "t", "1 of 1000000000000 elements differ, the first at "
	    "[0, 0] (1 and 2)");
}

Test(compare, overlapping_tensors_are_a_limit, .timeout = 10)
{
	uint64_t shape[] = { 1000, 1000, 1000, 1000 };
	int64_t strides[] = { 1, 1, 1, 1 };
	static const float x[4000];

	set(&a, "t", ferry_tensor(a.s, FERRY_F32, 4, shape, strides, 0,
				  storage(&a, x, sizeof(x))));
	set(&b, "t", ferry_tensor(b.s, FERRY_F32, 4, shape, strides, 0,
				  storage(&b, x, sizeof(x))));
	a.doc->root = a.root;
	b.doc->root = b.root;
	cr_assert_eq(ferry_document_compare(a.doc, b.doc, &how, found, NULL),
		     FERRY_LIMIT);
}

Test(compare, packed_elements)
{
	uint64_t shape[] = { 7 };

	set(&a, "t", ferry_tensor(a.s, FERRY_QU4X2, 1, shape, NULL, 0,
				  storage(&a, "\x12\x34\x56\x07", 4)));
	set(&b, "t", ferry_tensor(b.s, FERRY_QU4X2, 1, shape, NULL, 0,
				  storage(&b, "\x12\x34\x57\x07", 4)));
	one("data", "t", "1 bytes differ, the first at 2");
}

Test(compare, tolerance_for_narrow_floats)
{
	uint64_t shape[] = { 2 };

	how.atol = 0.25;
	set(&a, "t", ferry_tensor(a.s, FERRY_BF16, 1, shape, NULL, 0,
				  storage(&a, "\x80\x3f\x00\x40", 4)));
	set(&b, "t", ferry_tensor(b.s, FERRY_BF16, 1, shape, NULL, 0,
				  storage(&b, "\x81\x3f\x40\x40", 4)));
	one("data", "t", "1 of 2 elements differ, the first at [1] (2 and 3); "
	    "the largest difference is 1");
}

Test(compare, negation_is_a_way_to_store)
{
	static const float x[] = { 1, -2 }, y[] = { -1, 2 };
	struct ferry_value *t = floats(&b, y, 2);

	t->u.tensor->flags = FERRY_NEG;
	set(&a, "t", floats(&a, x, 2));
	set(&b, "t", t);
	how.strides = false;
	cr_assert_eq(compare(), 1);
	how.strides = true;
	one("strides", "t", "tensor is to be conjugated or negated when read "
	    "in one of the two only");
}

Test(compare, bytes_in_a_source)
{
	struct ferry_storage *st = storage(&b, "xabcx", 5);

	set(&a, "b", ferry_bytes(a.s, "abc", 3, 0));
	set(&b, "b", ferry_bytes_range(b.s, st->source, 1, 3, 0));
	cr_assert_eq(compare(), 1);
	set(&b, "b", ferry_bytes_range(b.s, st->source, 0, 3, 0));
	one("value", "b", "3 of 3 bytes differ, the first at 0");
}

Test(compare, objects)
{
	struct ferry_value *x = everything(&a);
	struct ferry_value *y = everything(&b);

	y->u.object->callable = ferry_global(b.s, "m", 1, "D", 1);
	y->u.object->kwargs = ferry_dict(b.s, 0);
	x->u.object->flags = FERRY_ADD_ITEMS;
	cr_assert_eq(compare(), 0);
	cr_assert_eq(ferry_findings_count(found), 3);
	cr_assert_str_eq(ferry_findings_get(found, 0)->code, "form");
	cr_assert_str_eq(ferry_findings_get(found, 1)->text,
			 "keyword arguments: in the second only");
	cr_assert_str_eq(ferry_findings_get(found, 2)->path, "object.callable");
	cr_assert_str_eq(ferry_findings_get(found, 2)->text,
			 "global is m.C in the first, m.D in the second");
}

Test(compare, differences_are_limited)
{
	char key[16];

	for (int i = 0; i < 1000; i++) {
		snprintf(key, sizeof(key), "k%d", i);
		set(&a, key, ferry_int(a.s, i));
		set(&b, key, ferry_int(b.s, i + 1));
	}
	how.most = 7;
	cr_assert_eq(compare(), 0);
	cr_assert_eq(ferry_findings_count(found), 7);
}

static struct ferry_value *ladder(struct side *x, int rungs, bool shared)
{
	struct ferry_value *left = ferry_sequence(x->s, FERRY_LIST, 0);
	struct ferry_value *right = left, *l, *r;

	for (int i = 0; i < rungs; i++) {
		l = ferry_sequence(x->s, FERRY_LIST, 2);
		ferry_list_add(x->s, l, left);
		ferry_list_add(x->s, l, right);
		r = l;
		if (!shared) {
			r = ferry_sequence(x->s, FERRY_LIST, 2);
			ferry_list_add(x->s, r, right);
			ferry_list_add(x->s, r, left);
		}
		left = l;
		right = r;
	}
	return left;
}

Test(compare, graphs_that_unfold_without_end_are_walked_once, .timeout = 20)
{
	set(&a, "g", ladder(&a, 900, true));
	set(&b, "g", ladder(&b, 900, true));
	cr_assert_eq(compare(), 1);
	how.sharing = false;
	set(&b, "g", ladder(&b, 900, false));
	cr_assert_eq(compare(), 1);
}

Test(compare, cycles_of_different_lengths_end, .timeout = 20)
{
	struct ferry_value *first, *l, *next;

	how.sharing = false;
	for (int k = 0; k < 2; k++) {
		struct side *x = k ? &b : &a;

		first = l = ferry_sequence(x->s, FERRY_LIST, 1);
		for (int i = 0; i < (k ? 6 : 9); i++) {
			next = ferry_sequence(x->s, FERRY_LIST, 1);
			ferry_list_add(x->s, l, next);
			l = next;
		}
		ferry_list_add(x->s, l, first);
		set(x, "c", first);
	}
	cr_assert_eq(compare(), 1);
}
