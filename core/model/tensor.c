/* Sizes of tensors, and whether they lie inside their storages. */
#include "config.h"

#include <ferry/tensor.h>

#include <inttypes.h>

#include <ferry/sys/ckd.h>

static bool is_empty(const struct ferry_tensor *t)
{
	for (unsigned i = 0; i < t->ndim; i++)
		if (!t->shape[i])
			return true;
	return false;
}

uint64_t ferry_tensor_nelem(const struct ferry_tensor *t)
{
	uint64_t n = 1;

	if (is_empty(t))
		return 0;
	for (unsigned i = 0; i < t->ndim; i++)
		n *= t->shape[i];
	return n;
}

uint64_t ferry_tensor_nbytes(const struct ferry_tensor *t)
{
	uint64_t n = ferry_tensor_nelem(t);
	unsigned size = ferry_dtype_size(t->dtype);

	if (size)
		return n * size;
	return n / 8 * ferry_dtype_bits(t->dtype) +
	       (n % 8 * ferry_dtype_bits(t->dtype) + 7) / 8;
}

bool ferry_tensor_is_contiguous(const struct ferry_tensor *t)
{
	uint64_t stride = 1;

	if (is_empty(t))
		return true;
	for (unsigned i = t->ndim; i--;) {
		if (t->shape[i] != 1 && (uint64_t)t->strides[i] != stride)
			return false;
		stride *= t->shape[i];
	}
	return true;
}

/* Elements of the shape, and of the storage up to the last one that the shape
 * reaches; false on overflow. */
static bool measure(const struct ferry_tensor *t, uint64_t *nelem,
		    uint64_t *end)
{
	uint64_t reach;

	*nelem = 1;
	*end = t->offset;
	for (unsigned i = 0; i < t->ndim; i++)
		if (ferry_ckd_mul(nelem, *nelem, t->shape[i]) ||
		    ferry_ckd_mul(&reach, t->shape[i] - 1,
				  (uint64_t)t->strides[i]) ||
		    ferry_ckd_add(end, *end, reach))
			return false;
	return !ferry_ckd_add(end, *end, 1);
}

/* ceil(n * bits / 8); false on overflow, of the bits too. */
static bool bits_to_bytes(uint64_t n, unsigned bits, uint64_t *nbytes)
{
	if (ferry_ckd_mul(nbytes, n, bits) || ferry_ckd_add(nbytes, *nbytes, 7))
		return false;
	*nbytes /= 8;
	return true;
}

static int check_extent(const struct ferry_tensor *t, const char *what,
			struct ferry_error *err)
{
	unsigned bits = ferry_dtype_bits(t->dtype);
	uint64_t nelem, end, need;

	if (!measure(t, &nelem, &end) || !bits_to_bytes(nelem, bits, &need) ||
	    !bits_to_bytes(end, bits, &need))
		return ferry_fail(err, FERRY_MALFORMED, "", FERRY_NO_OFFSET,
				  "%s: shape, strides and offset overflow 64 "
				  "bits", what);
	if (!(t->flags & FERRY_META) && need > t->storage->nbytes)
		return ferry_fail(err, FERRY_MALFORMED, "", FERRY_NO_OFFSET,
				  "%s: tensor ends at byte %" PRIu64
				  " of its storage, which has %" PRIu64
				  " bytes", what, need, t->storage->nbytes);
	return 0;
}

int ferry_tensor_check(const struct ferry_tensor *t, const char *what,
		       struct ferry_error *err)
{
	if (t->ndim > FERRY_MAX_RANK)
		return ferry_fail(err, FERRY_LIMIT, "", FERRY_NO_OFFSET,
				  "%s: rank of %u is above the limit of %d",
				  what, t->ndim, FERRY_MAX_RANK);
	if (!ferry_dtype_bits(t->dtype))
		return ferry_fail(err, FERRY_MALFORMED, "", FERRY_NO_OFFSET,
				  "%s: tensor has no known dtype", what);
	if (!t->storage && !(t->flags & FERRY_META))
		return ferry_fail(err, FERRY_MALFORMED, "", FERRY_NO_OFFSET,
				  "%s: tensor has no storage", what);
	for (unsigned i = 0; i < t->ndim; i++)
		if (t->strides[i] < 0)
			return ferry_fail(err, FERRY_MALFORMED, "",
					  FERRY_NO_OFFSET,
					  "%s: stride of dimension %u is "
					  "negative", what, i);
	return is_empty(t) ? 0 : check_extent(t, what, err);
}
