/*
 * Handling rules: any file is read or refused with a reason; what was read is
 * applied to weights, which it changes into weights or refuses.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ferry/handling.h>
#include <ferry/sys/build.h>

#include "tests/fuzz/target.h"

static const char *const names[] = {
	"module.head.fc.weight", "module.head.fc.bias", "encoder.0.weight",
	"encoder.0.bias", "relative_position_bias_table", "num_batches_tracked",
	"a", "b", "w\xc3\xa9ight",
};

static const char *const settings[] = {
	"semantics=documented", "variant=sm", "a=1",
};

static const float numbers[16] = { 0.5f, 1.0f, 2.0f, 3.0f };

static bool add_weight(struct ferry_document *doc,
		       struct ferry_storage *storage, struct ferry_value *dict,
		       size_t i)
{
	uint64_t shape[] = { 4, 2, 2 };
	struct ferry_value *v = ferry_tensor(doc->store, FERRY_F32, 1 + i % 3,
					     shape, NULL, 0, storage);

	return v && !ferry_dict_set_str(doc->store, dict, names[i], v);
}

/* {"model": weights, "epoch": 1}; the weights have "_metadata" beside them. */
static struct ferry_value *make_weights(struct ferry_document *doc)
{
	struct ferry_value *dict = ferry_dict(doc->store, 0);
	struct ferry_storage *storage;
	struct ferry_source *src;

	if (!dict || ferry_source_from_memory(&src, numbers, sizeof(numbers),
					      "numbers", NULL) ||
	    ferry_store_take_source(doc->store, src))
		return NULL;
	storage = ferry_storage(doc->store, FERRY_F32, src, 0,
				sizeof(numbers));
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (!add_weight(doc, storage, dict, i))
			return NULL;
	doc->root = ferry_dict(doc->store, 0);
	if (!doc->root ||
	    ferry_dict_set_str(doc->store, doc->root, "model", dict) ||
	    ferry_dict_set_str(doc->store, doc->root, "epoch",
			       ferry_int(doc->store, 1)))
		return NULL;
	return dict;
}

static void apply(const struct ferry_rules *rules)
{
	struct ferry_error err = FERRY_ERROR_INIT;
	struct ferry_findings *found = NULL;
	struct ferry_document *doc;
	struct ferry_value *weights;
	int rc;

	if (ferry_document_new(&doc, NULL, NULL))
		return;
	weights = make_weights(doc);
	if (weights && !ferry_findings_new(&found, NULL)) {
		rc = ferry_rules_apply(rules, doc, weights, found, &err);
		require(rc == err.code);
		require(!rc || err.text[0]);
		if (!rc)
			require(!ferry_document_check(doc, &err));
	}
	ferry_findings_free(found);
	ferry_document_free(doc);
}

static void look(const struct ferry_rules *rules)
{
	const struct ferry_option_spec *o = ferry_rules_options(rules);

	for (; o && o->name; o++)
		require(o->name[0]);
	for (size_t i = 0; ferry_rules_source(rules, i); i++)
		require(i < 100000);
	ferry_rules_expect(rules);
	ferry_rules_strict(rules);
}

static void try_file(const char *path, const struct ferry_store *store,
		     size_t n)
{
	struct ferry_error err = FERRY_ERROR_INIT;
	struct ferry_rules *rules;
	int rc;

	if (ferry_rules_new(&rules, NULL))
		return;
	rc = ferry_rules_load_for(rules, path, store, settings, n, &err);
	require(rc == err.code);
	require(!rc || err.text[0]);
	if (!rc) {
		look(rules);
		apply(rules);
	}
	ferry_rules_free(rules);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *path = fuzz_file(data, size);
	struct ferry_store *store;

	if (!path || ferry_store_new(&store, NULL))
		return 0;
	try_file(path, store, 0);
	try_file(path, store, sizeof(settings) / sizeof(*settings));
	ferry_store_unref(store);
	return 0;
}
