/*
 * Every allocation fails once: whatever is being built, walked or compared ends
 * in FERRY_NOMEM, and what was there can still be freed.
 */
#include "config.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include <ferry/sys/alloc.h>
#include <ferry/sys/buffer.h>
#include <ferry/sys/build.h>
#include <ferry/sys/map.h>
#include <ferry/tensor.h>

/* One constructor, or NOMEM for the function it stands in. */
#define MAKE(v, expression)             \
	do {                            \
		(v) = (expression);     \
		if (!(v))               \
			return FERRY_NOMEM; \
	} while (0)

#define DO(expression)                  \
	do {                            \
		int code_ = (expression); \
		if (code_)              \
			return code_;   \
	} while (0)

static int add_tensor(struct ferry_store *s, struct ferry_value *dict,
		      const char *key, struct ferry_storage *st)
{
	struct ferry_value *t, *args, *class, *o;

	MAKE(t, ferry_tensor(s, FERRY_F32, 1, (uint64_t[]){ 4 }, NULL, 0, st));
	MAKE(args, ferry_sequence(s, FERRY_TUPLE, 0));
	DO(ferry_list_add(s, args, t));
	MAKE(class, ferry_global(s, "m", 1, "C", 1));
	MAKE(o, ferry_object(s, FERRY_FORM_CALL, class, args, NULL));
	o->u.object->payload = 0;
	return ferry_dict_set_str(s, dict, key, o);
}

static int add_storage(struct ferry_store *s, struct ferry_storage **out)
{
	struct ferry_source *src;
	int code;

	DO(ferry_source_zero(&src, 4096, NULL));
	code = ferry_store_take_source(s, src);
	if (code) {
		ferry_source_unref(src);
		return code;
	}
	MAKE(*out, ferry_storage(s, FERRY_F32, src, 0, 4096));
	return 0;
}

static int fill(struct ferry_document *doc, int n)
{
	struct ferry_store *s = doc->store;
	struct ferry_value *list, *set, *v;
	struct ferry_storage *st;
	char key[32];
	bool bad;

	MAKE(doc->root, ferry_dict(s, 0));
	MAKE(list, ferry_sequence(s, FERRY_LIST, 0));
	MAKE(set, ferry_sequence(s, FERRY_SET, 0));
	DO(ferry_dict_set_str(s, doc->root, "list", list));
	DO(ferry_dict_set_str(s, doc->root, "set", set));
	DO(add_storage(s, &st));
	for (int i = 0; i < n; i++) {
		snprintf(key, sizeof(key), "layer.%d", i);
		DO(add_tensor(s, doc->root, key, st));
		MAKE(v, ferry_float(s, i));
		DO(ferry_list_add(s, list, v));
		MAKE(v, ferry_cstring(s, key));
		DO(ferry_list_add(s, set, v));
	}
	MAKE(v, ferry_big_decimal(s, "123456789012345678901234567890", 30,
				  &bad));
	cr_assert_not_null(ferry_value_at(doc->root, "list"));
	return ferry_dict_set(s, doc->root, v, list);
}

static int build(struct ferry_document **out, int n, struct ferry_error *err)
{
	struct ferry_document *doc;
	int code;

	DO(ferry_document_new(&doc, NULL, err));
	code = fill(doc, n);
	if (!code)
		code = ferry_document_check(doc, err);
	if (code)
		ferry_document_free(doc);
	else
		*out = doc;
	return code;
}

static const struct ferry_compare how = {
	.data = true, .strides = true, .sharing = true,
};

static int run_build(void *ctx, struct ferry_error *err)
{
	struct ferry_document *doc;
	int code = build(&doc, 3000, err);

	(void)ctx;
	if (!code)
		ferry_document_free(doc);
	return code;
}

static int run_places(void *ctx, struct ferry_error *err)
{
	struct ferry_document **docs = ctx;
	struct ferry_places places;
	int code = ferry_places_init(&places, docs[0], err);

	if (!code)
		ferry_places_release(&places);
	return code;
}

static int run_compare(void *ctx, struct ferry_error *err)
{
	struct ferry_document **docs = ctx;
	struct ferry_findings *found;
	int code;

	DO(ferry_findings_new(&found, err));
	code = ferry_document_compare(docs[0], docs[1], &how, found, err);
	ferry_findings_free(found);
	return code < 0 ? code : 0;
}

static int run_text(void *ctx, struct ferry_error *err)
{
	struct ferry_buffer b = FERRY_BUFFER_INIT;
	struct ferry_map map = FERRY_MAP_INIT;
	static const char *const keys[] = { "a", "b", "c", "d" };
	int code = 0;

	(void)ctx;
	for (int i = 0; i < 100; i++)
		ferry_buffer_printf(&b, "%d", i);
	for (int i = 0; !code && i < 4; i++)
		code = ferry_map_put(&map, keys[i], 1, 1);
	if (b.failed)
		code = ferry_fail_nomem(err, "a buffer");
	ferry_buffer_release(&b);
	ferry_map_release(&map);
	return code;
}

/* Run with each allocation failing in turn, until none does. */
static void fail_each(int (*run)(void *, struct ferry_error *), void *ctx)
{
	struct ferry_error err;
	uint64_t n;
	int code;

	for (n = 1;; n++) {
		ferry_error_clear(&err);
		ferry_alloc_fail_at(n);
		code = run(ctx, &err);
		if (ferry_alloc_fail_at(0) < n)
			break;
		cr_assert_eq(code, FERRY_NOMEM, "allocation %d: %d",
			     (int)n, code);
		cr_assert(!err.code || err.code == FERRY_NOMEM);
	}
	cr_assert_eq(code, 0);
	cr_assert_gt(n, 2);
}

Test(alloc_failure, building_and_checking)
{
	fail_each(run_build, NULL);
}

Test(alloc_failure, text_and_maps)
{
	fail_each(run_text, NULL);
}

Test(alloc_failure, walking_and_comparing)
{
	struct ferry_document *docs[2];

	cr_assert_eq(build(&docs[0], 50, NULL), 0);
	cr_assert_eq(build(&docs[1], 60, NULL), 0);
	fail_each(run_places, docs);
	fail_each(run_compare, docs);
	ferry_document_free(docs[0]);
	ferry_document_free(docs[1]);
}

Test(alloc_failure, a_failed_setting_changes_nothing)
{
	struct ferry_document *doc;
	struct ferry_value *d, *key;
	int code = 0, i;

	cr_assert_eq(ferry_document_new(&doc, NULL, NULL), 0);
	d = ferry_dict(doc->store, 0);
	for (i = 0; !code && i < 1000000; i++) {
		key = ferry_int(doc->store, i);
		if (i == 5000)
			ferry_alloc_fail_at(1);
		code = key ? ferry_dict_set(doc->store, d, key, key) :
			     FERRY_NOMEM;
	}
	ferry_alloc_fail_at(0);
	cr_assert_eq(code, FERRY_NOMEM);
	cr_assert_eq(d->u.dict.n, (uint32_t)i - 1);
	for (uint32_t k = 0; k < d->u.dict.n; k++)
		cr_assert_eq(ferry_dict_find(d, d->u.dict.pairs[k].key)->u.i,
			     k);
	ferry_document_free(doc);
}
