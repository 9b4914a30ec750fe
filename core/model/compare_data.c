/* Comparing data, piece by piece. */
#include "config.h"

#include "core/model/compare.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include <ferry/sys/alloc.h>
#include <ferry/sys/ckd.h>
#include <ferry/sys/ops.h>
#include <ferry/tensor.h>

enum {
	PIECE = 512 << 10,	/* bytes of either side at a time */
	REPEATS = 128,		/* of a storage by overlapping strides */
};

/* A tensor with the dimensions that repeat taken out. */
struct once {
	struct ferry_value value;
	struct ferry_tensor tensor;
	uint64_t shape[FERRY_MAX_RANK];
};

static void take_once(struct once *out, const struct ferry_tensor *t,
		      const struct ferry_tensor *other)
{
	out->tensor = *t;
	out->tensor.shape = out->shape;
	out->tensor.extra = NULL;
	for (unsigned i = 0; i < t->ndim; i++)
		out->shape[i] = t->shape[i] && !t->strides[i] &&
				!other->strides[i] ? 1 : t->shape[i];
	out->value = (struct ferry_value){ .kind = FERRY_TENSOR };
	out->value.u.tensor = &out->tensor;
}

/* Elements that the storage has for the tensor. */
static uint64_t stored(const struct ferry_tensor *t)
{
	uint64_t first, end;

	ferry_tensor_extent(t, &first, &end);
	return (end - first) / (ferry_dtype_size(t->dtype) ?
				ferry_dtype_size(t->dtype) : 1) + 1;
}

static int check_repeats(const struct ferry_tensor *a,
			 const struct ferry_tensor *b, struct ferry_error *err)
{
	uint64_t nelem = ferry_tensor_nelem(a);

	if (nelem / REPEATS <= stored(a) || nelem / REPEATS <= stored(b))
		return 0;
	return ferry_fail(err, FERRY_LIMIT, "", FERRY_NO_OFFSET,
			  "tensor of %" PRIu64 " elements repeats %" PRIu64
			  " stored ones: too many to compare", nelem,
			  stored(a));
}

static void note(struct ferry_difference *d, uint64_t at)
{
	if (!d->n++)
		d->first = at;
}

static void compare_bits(const uint8_t *a, const uint8_t *b, uint64_t n,
			 size_t size, uint64_t at, struct ferry_difference *d)
{
	if (!memcmp(a, b, n * size))
		return;
	for (uint64_t i = 0; i < n; i++, a += size, b += size)
		if (memcmp(a, b, size))
			note(d, at + i);
}

/* Unordered comparisons are false: NaN is close to nothing but NaN. */
static bool is_close(double a, double b, const struct ferry_compare *how)
{
	if (a == b || (isnan(a) && isnan(b)))
		return true;
	if (isinf(a) || isinf(b))
		return false;
	return fabs(a - b) <= how->atol + how->rtol * fabs(b);
}

static void compare_numbers(const double *a, const double *b, uint64_t n,
			    unsigned parts, uint64_t at,
			    const struct ferry_compare *how,
			    struct ferry_difference *d)
{
	bool differs;

	for (uint64_t i = 0; i < n; i++, a += parts, b += parts) {
		differs = false;
		for (unsigned k = 0; k < parts; k++) {
			if (fabs(a[k] - b[k]) > d->most)
				d->most = fabs(a[k] - b[k]);
			differs |= !is_close(a[k], b[k], how);
		}
		if (differs)
			note(d, at + i);
	}
}

struct pieces {
	const struct ferry_tensor *a, *b;
	const struct ferry_compare *how;
	unsigned parts;		/* doubles of an element; 0: bits */
	char *room;		/* two of PIECE bytes */
};

static void compare_piece(const struct pieces *p, uint64_t at, uint64_t n,
			  struct ferry_difference *d)
{
	unsigned bits = ferry_dtype_bits(p->a->dtype);
	const void *a = p->room, *b = p->room + PIECE;

	if (p->parts)
		compare_numbers(a, b, n, p->parts, at, p->how, d);
	else if (bits % 8)
		compare_bits(a, b, (n * bits + 7) / 8, 1, at * bits / 8, d);
	else
		compare_bits(a, b, n, bits / 8, at, d);
}

static int compare_pieces(const struct pieces *p, struct ferry_difference *d,
			  struct ferry_error *err)
{
	uint64_t nelem = ferry_tensor_nelem(p->a), n;
	uint64_t most = PIECE / 16 * 8 / ferry_dtype_bits(p->a->dtype) * 16;
	int code = 0;

	for (uint64_t at = 0; !code && at < nelem; at += n) {
		n = nelem - at < most ? nelem - at : most;
		code = ferry_tensor_read(p->a, at, n, p->room, err);
		if (!code)
			code = ferry_tensor_read(p->b, at, n, p->room + PIECE,
						 err);
		if (!code)
			compare_piece(p, at, n, d);
	}
	return code;
}

static enum ferry_dtype widest(enum ferry_dtype dtype)
{
	if (ferry_dtype_is_float(dtype))
		return FERRY_F64;
	return ferry_dtype_is_complex(dtype) ? FERRY_C128 : FERRY_DTYPE_NONE;
}

/* Both as doubles; *wide is false when there is no such cast. */
static int widen(struct ferry_store *s, struct ferry_value **a,
		 struct ferry_value **b, bool *wide, struct ferry_error *err)
{
	enum ferry_dtype dtype = widest((*a)->u.tensor->dtype);
	struct ferry_error why = FERRY_ERROR_INIT;
	int code = FERRY_UNSUPPORTED;

	if (dtype)
		code = ferry_op_cast(s, *a, dtype, a, &why);
	if (!code)
		code = ferry_op_cast(s, *b, dtype, b, &why);
	*wide = !code;
	if (!code || code == FERRY_UNSUPPORTED)
		return 0;
	return ferry_fail(err, (enum ferry_code)code, why.origin, why.offset,
			  "%s", why.text);
}

/* The first two numbers that differ, for people. */
static int look_up_first(const struct ferry_tensor *a,
			 const struct ferry_tensor *b,
			 struct ferry_difference *d, struct ferry_error *err)
{
	double x[2], y[2];
	int code;

	code = ferry_tensor_read(a, d->first, 1, x, err);
	if (!code)
		code = ferry_tensor_read(b, d->first, 1, y, err);
	if (code)
		return code;
	d->known = a->dtype == FERRY_F64;
	d->a = x[0];
	d->b = y[0];
	return 0;
}

static int compare_in(struct ferry_store *s, struct ferry_value *a,
		      struct ferry_value *b, struct pieces *p,
		      struct ferry_difference *d, struct ferry_error *err)
{
	struct ferry_value *wide_a = a, *wide_b = b;
	bool tolerant = p->how->atol != 0 || p->how->rtol != 0;
	bool wide;
	int code = widen(s, &wide_a, &wide_b, &wide, err);

	if (code)
		return code;
	p->a = a->u.tensor;
	p->b = b->u.tensor;
	if (wide && tolerant) {
		p->parts = ferry_dtype_is_complex(p->a->dtype) ? 2 : 1;
		p->a = wide_a->u.tensor;
		p->b = wide_b->u.tensor;
		d->measured = true;
	}
	code = compare_pieces(p, d, err);
	if (!code && d->n && wide)
		code = look_up_first(wide_a->u.tensor, wide_b->u.tensor, d,
				     err);
	return code;
}

int ferry_compare_tensors(const struct ferry_value *a,
			  const struct ferry_value *b,
			  const struct ferry_compare *how,
			  struct ferry_difference *out, struct ferry_error *err)
{
	struct pieces p = { .how = how };
	struct ferry_store *s = NULL;
	struct once x, y;
	int code;

	*out = (struct ferry_difference){ 0 };
	take_once(&x, a->u.tensor, b->u.tensor);
	take_once(&y, b->u.tensor, a->u.tensor);
	code = check_repeats(&x.tensor, &y.tensor, err);
	if (code || !ferry_tensor_nelem(&x.tensor))
		return code;
	code = ferry_store_new(&s, err);
	if (code)
		return code;
	p.room = ferry_alloc(2 * PIECE);
	if (p.room)
		code = compare_in(s, &x.value, &y.value, &p, out, err);
	else
		code = ferry_fail_nomem(err, "comparing tensors");
	ferry_alloc_free(p.room);
	ferry_store_unref(s);
	return code;
}

/* n bytes at `at`, in memory or read into room. */
static int get_bytes(const struct ferry_bytes_at *from, uint64_t at, size_t n,
		     char *room, const char **out, struct ferry_error *err)
{
	*out = from->memory ? from->memory + at : room;
	if (from->memory)
		return 0;
	return ferry_source_read(from->source, room, from->offset + at, n, err);
}

int ferry_compare_bytes(const struct ferry_bytes_at *a,
			const struct ferry_bytes_at *b, uint64_t nbytes,
			struct ferry_difference *out, struct ferry_error *err)
{
	char *room = ferry_alloc(2 * PIECE);
	const char *x, *y;
	int code = 0;
	size_t n;

	*out = (struct ferry_difference){ 0 };
	if (!room)
		return ferry_fail_nomem(err, "comparing bytes");
	for (uint64_t at = 0; !code && at < nbytes; at += n) {
		n = nbytes - at < PIECE ? (size_t)(nbytes - at) : PIECE;
		code = get_bytes(a, at, n, room, &x, err);
		if (!code)
			code = get_bytes(b, at, n, room + PIECE, &y, err);
		if (!code)
			compare_bits((const uint8_t *)x, (const uint8_t *)y, n,
				     1, at, out);
	}
	ferry_alloc_free(room);
	return code;
}
