/*
 * Parameter filters: any file is read or refused with a reason; what was read
 * puts each parameter into DEFAULT or a group, or freezes it, and does so the
 * same way twice.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ferry/filters.h>
#include <ferry/sys/build.h>

#include "tests/fuzz/target.h"

static const char *const names[] = {
	"stem.conv1.weight", "stem.conv1.bias", "stages.0.blocks.0.norm.weight",
	"stages.1.blocks.0.attn.qkv.weight", "module.head.fc.weight",
	"head.taxa_L10.weight", "meta.date.bias", "pos_embed", "cls_token",
	"relative_position_bias_table", "norm.running_mean", "w\xc3\xa9ight",
};

/* Parameters of one to four dimensions. */
static struct ferry_tensor_schema *parameters(size_t n)
{
	static const uint64_t shape[] = { 4, 3, 2, 2 };
	struct ferry_tensor_schema *s = NULL;
	struct ferry_document *doc;
	struct ferry_value *v;

	if (ferry_document_new(&doc, NULL, NULL))
		abort();
	doc->root = ferry_dict(doc->store, 0);
	for (size_t i = 0; i < n; i++) {
		v = ferry_tensor(doc->store, FERRY_F32, 1 + i % 4, shape, NULL,
				 0, NULL);
		v->u.tensor->flags = FERRY_META;
		ferry_dict_set_str(doc->store, doc->root, names[i], v);
	}
	if (ferry_tensor_schema_of(&s, doc, doc->root, NULL))
		abort();
	ferry_document_free(doc);
	return s;
}

static bool same_list(const struct ferry_filter_list *a,
		      const struct ferry_filter_list *b)
{
	return a->n == b->n && a->nelem == b->nelem &&
	       (!a->n || !memcmp(a->items, b->items, a->n * sizeof(*a->items)));
}

static void check_report(const struct ferry_filter_report *r,
			 const struct ferry_filter_report *again, size_t n)
{
	require(r->n_groups && r->n_groups == again->n_groups);
	for (size_t i = 0; i < r->n_groups; i++) {
		const struct ferry_filter_group *g = &r->groups[i];

		require(!strcmp(g->name, again->groups[i].name));
		require(same_list(&g->members, &again->groups[i].members));
		require(g->members.n <= n);
		for (size_t k = 0; k < g->members.n; k++)
			require(g->members.items[k] < n);
	}
	require(!strcmp(r->groups[r->n_groups - 1].name, "DEFAULT"));
	require(same_list(&r->included, &again->included));
	require(same_list(&r->excluded, &again->excluded));
}

static void report(const struct ferry_filters *f,
		   const struct ferry_tensor_schema *params,
		   const struct ferry_tensor_schema *initial)
{
	struct ferry_error err = FERRY_ERROR_INIT;
	struct ferry_filter_report r, again;
	int rc = ferry_filters_report(&r, f, params, initial, NULL, &err);

	require(rc == err.code);
	require(!rc || err.text[0]);
	ferry_error_clear(&err);
	if (rc)
		return;
	require(!ferry_filters_report(&again, f, params, initial, NULL, &err));
	check_report(&r, &again, ferry_tensor_schema_count(params));
	ferry_filter_report_release(&r);
	ferry_filter_report_release(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct ferry_tensor_schema *params, *initial;
	const char *path = fuzz_file(data, size);
	struct ferry_error err = FERRY_ERROR_INIT;
	struct ferry_filters *f = NULL;
	struct ferry_findings *notes;
	int rc;

	if (!path || ferry_findings_new(&notes, NULL))
		return 0;
	if (!params) {
		params = parameters(sizeof(names) / sizeof(*names));
		initial = parameters(4);
	}
	rc = ferry_filters_load(&f, path, notes, &err);
	require(rc == err.code);
	require(!rc || err.text[0]);
	if (!rc) {
		report(f, params, NULL);
		report(f, params, initial);
		ferry_filters_free(f);
	}
	ferry_error_clear(&err);
	ferry_findings_free(notes);
	return 0;
}
