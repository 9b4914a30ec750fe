/* Tables of relative position biases for images of another size. */
#include "config.h"

#include "core/handling/rules.h"

#include <inttypes.h>

#include <ferry/sys/ops.h>

static int fail_shape(const char *name, size_t n, const struct ferry_tensor *t,
		      struct ferry_error *err)
{
	char shown[200];

	ferry_escape(shown, sizeof(shown), name, n);
	if (t->ndim != 2)
		return ferry_fail(err, FERRY_MISUSE, "handling",
				  FERRY_NO_OFFSET, "'%s' has %u dimensions; a "
				  "table of biases has 2", shown, t->ndim);
	return ferry_fail(err, FERRY_MISUSE, "handling", FERRY_NO_OFFSET,
			  "'%s' has %" PRIu64 " rows: without the first they "
			  "are no square, so it can't be resized", shown,
			  t->shape[0]);
}

/* The largest whole number whose square is not above n. */
static uint64_t square_root(uint64_t n)
{
	uint64_t root = 0;

	for (uint64_t bit = UINT64_C(1) << 31; bit; bit >>= 1)
		if ((root + bit) * (root + bit) <= n)
			root += bit;
	return root;
}

/* [old * old, heads] to [edge * edge, heads]. */
static int resize_square(struct ferry_store *store, struct ferry_value *t,
			 uint64_t old, uint64_t edge, struct ferry_value **out,
			 struct ferry_error *err)
{
	static const unsigned heads_first[] = { 2, 0, 1 };
	static const unsigned heads_last[] = { 1, 2, 0 };
	uint64_t heads = t->u.tensor->shape[1];
	const uint64_t square[] = { old, old, heads };
	const uint64_t rows[] = { edge * edge, heads };
	int rc = ferry_op_reshape(store, t, 3, square, out, err);

	if (!rc)
		rc = ferry_op_permute(store, *out, heads_first, out, err);
	if (!rc)
		rc = ferry_op_resize_bicubic(store, *out, edge, edge, out, err);
	if (!rc)
		rc = ferry_op_permute(store, *out, heads_last, out, err);
	return rc ? rc : ferry_op_reshape(store, *out, 2, rows, out, err);
}

int ferry__resize_bias(struct ferry_store *store, const char *name, size_t n,
		       struct ferry_value *tensor, uint64_t edge,
		       struct ferry_value **out, struct ferry_error *err)
{
	const struct ferry_tensor *t = tensor->u.tensor;
	struct ferry_value *parts[2];
	uint64_t old;
	int rc;

	if (t->ndim != 2 || !t->shape[0])
		return fail_shape(name, n, t, err);
	old = square_root(t->shape[0] - 1);
	*out = tensor;
	if (old == edge)
		return 0;
	if (old * old != t->shape[0] - 1)
		return fail_shape(name, n, t, err);
	rc = ferry_op_slice(store, tensor, 0, 0, 1, 1, &parts[0], err);
	if (!rc)
		rc = ferry_op_slice(store, tensor, 0, 1, t->shape[0], 1,
				    &parts[1], err);
	if (!rc)
		rc = resize_square(store, parts[1], old, edge, &parts[1], err);
	return rc ? rc : ferry_op_concat(store, parts, 2, 0, out, err);
}
