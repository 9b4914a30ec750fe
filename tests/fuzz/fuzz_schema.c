/*
 * Tensor schemas: any file is read or refused with a reason, twice alike; of
 * what was read each tensor is found by its name, and weights that the schema
 * describes fit it.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ferry/schema.h>
#include <ferry/sys/build.h>

#include "tests/fuzz/target.h"

#define TENSORS_MOST 2000	/* of a schema whose weights are made */

static enum ferry_dtype dtype_of(const struct ferry_tensor_spec *spec)
{
	unsigned i = 0;

	if (!spec->dtypes)
		return FERRY_F32;
	while (!(spec->dtypes >> i & 1))
		i++;
	return (enum ferry_dtype)i;
}

/* A tensor without data, as the schema has it; false when none can be. */
static bool add_weight(struct ferry_document *doc,
		       const struct ferry_tensor_spec *spec)
{
	struct ferry_value *v = ferry_tensor(doc->store, dtype_of(spec),
					     spec->ndim, spec->shape, NULL, 0,
					     NULL);

	if (!v)
		return false;
	v->u.tensor->flags = FERRY_META;
	return !ferry_dict_set_str(doc->store, doc->root, spec->name, v);
}

static bool make_weights(struct ferry_document *doc,
			 const struct ferry_tensor_schema *s)
{
	size_t n = ferry_tensor_schema_count(s);

	doc->root = ferry_dict(doc->store, 0);
	for (size_t i = 0; i < n; i++)
		if (!add_weight(doc, ferry_tensor_schema_get(s, i)))
			return false;
	return !ferry_document_check(doc, NULL);
}

static void check_weights(const struct ferry_tensor_schema *s)
{
	struct ferry_findings *found;
	struct ferry_document *doc;
	struct ferry_error err = FERRY_ERROR_INIT;

	if (ferry_document_new(&doc, NULL, NULL))
		return;
	if (ferry_findings_new(&found, NULL))
		abort();
	if (make_weights(doc, s))
		require(ferry_tensor_schema_check(s, doc, doc->root,
						  FERRY_SCHEMA_ORDER, found,
						  &err) == 1);
	ferry_findings_free(found);
	ferry_document_free(doc);
}

static void check_schema(const struct ferry_tensor_schema *s)
{
	size_t n = ferry_tensor_schema_count(s);

	for (size_t i = 0; i < n; i++) {
		const struct ferry_tensor_spec *spec;

		spec = ferry_tensor_schema_get(s, i);
		require(spec->name[0]);
		require(ferry_tensor_schema_at(s, spec->name) == spec);
	}
	require(!ferry_tensor_schema_get(s, n));
	ferry_tensor_schema_dim(s, "E");
	if (n <= TENSORS_MOST)
		check_weights(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const dims[] = { "E=3", "layers=2" };
	const char *path = fuzz_file(data, size);
	struct ferry_error err = FERRY_ERROR_INIT;
	struct ferry_tensor_schema *s = NULL;
	int rc;

	if (!path)
		return 0;
	for (size_t n = 0; n <= 2; n++) {
		rc = ferry_tensor_schema_load(&s, path, dims, n, &err);
		require(rc == err.code);
		require(!rc || err.text[0]);
		if (!rc) {
			check_schema(s);
			ferry_tensor_schema_free(s);
		}
		ferry_error_clear(&err);
	}
	return 0;
}
