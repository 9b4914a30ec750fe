/* Checking tensors by themselves. */
#include "config.h"

#include "plugins/caiman/check.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "plugins/caiman/shape.h"

static void check_tensor(const struct ferry_value *key,
			 const struct ferry_tensor *t, struct report *r)
{
	if (t->flags & FERRY_META)
		violate_key(r, "no-data", key, "has no data (a meta tensor)");
	else if (t->dtype != FERRY_F32)
		violate_key(r, "dtype", key, "is %s, not float32",
			    ferry_dtype_name(t->dtype));
	else if (!ferry_tensor_is_contiguous(t))
		violate_key(r, "strides", key, "is not contiguous");
}

/* A CUDA LSTM of release 1.4 and 1.5 names its weights twice. */
static bool is_second_name(const struct ferry_value *key)
{
	return memmem(key->u.s.data, key->u.s.nbytes, ".lstm.layers.", 13);
}

static bool seen_before(struct ferry_value *marks[], uint32_t n,
			const struct ferry_storage *storage,
			struct ferry_value *key)
{
	if (!storage || storage->id >= n)
		return false;
	if (marks[storage->id])
		return true;
	marks[storage->id] = key;
	return false;
}

void check_tensors(struct ferry_document *doc, struct ferry_value *weights,
		   struct report *r)
{
	const struct ferry_value *items = ferry_value_items(weights);
	uint32_t n = ferry_store_storage_ids(doc->store) + 1;
	struct ferry_value **marks, *v, *key;
	unsigned second = 0;

	marks = ferry_store_array(doc->store, n, sizeof(struct ferry_value *));
	if (!marks) {
		r->failed = true;
		return;
	}
	memset(marks, 0, n * sizeof(*marks));
	for (uint32_t i = 0; i < items->u.dict.n; i++) {
		key = items->u.dict.pairs[i].key;
		v = ferry_value_payload(items->u.dict.pairs[i].value);
		if (key->kind != FERRY_STRING || v->kind != FERRY_TENSOR) {
			violate_key(r, "not-a-tensor", key, "is of kind %s, "
				    "not a tensor", ferry_kind_name(v->kind));
			continue;
		}
		check_tensor(key, v->u.tensor, r);
		if (is_second_name(key))
			second++;
		else if (seen_before(marks, n, v->u.tensor->storage, key))
			violate_key(r, "shared", key, "shares its storage "
				    "with another tensor");
	}
	if (second)
		remark(r, "names", "", "has %u second names of LSTM weights, as "
		     "of a CUDA LSTM of release 1.4 and 1.5: bring it to a "
		     "newer release", second);
}

static bool is_finite(const float *values, uint64_t n)
{
	for (uint64_t i = 0; i < n; i++)
		if (!isfinite(values[i]))
			return false;
	return true;
}

static bool is_positive(const float *values, uint64_t n)
{
	for (uint64_t i = 0; i < n; i++)
		if (!(values[i] > 0))
			return false;
	return true;
}

#define FILTERS_MOST 4096

static int check_values(const struct ferry_tensor *t, const char *name,
			bool variances, struct report *r,
			struct ferry_error *err)
{
	float values[FILTERS_MOST];
	int rc = ferry_tensor_read(t, 0, t->shape[0], values, err);

	if (rc)
		return rc;
	if (!is_finite(values, t->shape[0]))
		violate(r, "not-finite", name, "has a value that is not "
			"finite");
	else if (variances && !is_positive(values, t->shape[0]))
		violate(r, "not-positive", name, "has a variance that is not "
			"above 0");
	return 0;
}

int check_mel(struct ferry_value *v, const char *name, uint64_t filters,
	      bool variances, struct report *r, struct ferry_error *err)
{
	const struct ferry_tensor *t;

	v = ferry_value_payload(v);
	if (v->kind != FERRY_TENSOR) {
		violate(r, "type", name, "must be a tensor: it is of kind %s",
			ferry_kind_name(v->kind));
		return 0;
	}
	t = v->u.tensor;
	if (t->dtype != FERRY_F32) {
		violate(r, "dtype", name, "is %s, not float32",
			ferry_dtype_name(t->dtype));
	} else if (t->ndim != 1 || !t->shape[0] ||
		   t->shape[0] > FILTERS_MOST) {
		violate(r, "shape", name, "must have one dimension of 1 to %d "
			"filters", FILTERS_MOST);
	} else if (filters && t->shape[0] != filters) {
		violate(r, "shape", name, "has %" PRIu64 " values, but n_filt "
			"is %" PRIu64, t->shape[0], filters);
	} else if (t->flags & FERRY_META) {
		violate(r, "no-data", name, "has no data (a meta tensor)");
	} else {
		return check_values(t, name, variances, r, err);
	}
	return 0;
}
