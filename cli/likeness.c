/* The data of two tensors, or two runs of bytes, side by side. */
#include "config.h"

#include "cli/likeness.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/element.h"
#include "cli/memory.h"

/* Elements at a time: a multiple of 8, so that packed dtypes split at bytes. */
#define STEP 65536

struct sides {
	const struct ferry_tensor *a, *b;
	unsigned char *data_a, *data_b;
	double *values_a, *values_b;
	double atol, rtol;
	bool by_bits;
};

static double difference(double a, double b)
{
	if (a == b || (isnan(a) && isnan(b)))
		return 0;
	return isnan(a) || isnan(b) ? INFINITY : fabs(a - b);
}

/* Compare one element's numbers; true when it is beyond the tolerance. */
static bool is_beyond(const struct sides *s, struct cli_likeness *out,
		      size_t at, unsigned numbers)
{
	bool beyond = false;

	for (size_t i = at * numbers; i < (at + 1) * numbers; i++) {
		double d = difference(s->values_a[i], s->values_b[i]);

		if (d > out->largest)
			out->largest = d;
		if (d > s->atol + s->rtol * fabs(s->values_b[i]) ||
		    (d == INFINITY))
			beyond = true;
	}
	return beyond;
}

static void compare_numbers(const struct sides *s, struct cli_likeness *out,
			    size_t n, unsigned numbers)
{
	unsigned size = ferry_dtype_size((enum ferry_dtype)s->a->dtype);

	cli_elements((enum ferry_dtype)s->a->dtype, s->data_a, n, s->values_a);
	cli_elements((enum ferry_dtype)s->b->dtype, s->data_b, n, s->values_b);
	for (size_t i = 0; i < n; i++) {
		bool beyond = is_beyond(s, out, i, numbers);

		if (s->by_bits)
			beyond = memcmp(s->data_a + i * size,
					s->data_b + i * size, size) != 0;
		out->n_beyond += beyond;
	}
}

static void compare_bytes(const struct sides *s, struct cli_likeness *out,
			  size_t n)
{
	size_t bits = ferry_dtype_bits((enum ferry_dtype)s->a->dtype);
	size_t per = bits % 8 ? 1 : bits / 8;
	size_t nbytes = (n * bits + 7) / 8;

	for (size_t i = 0; i < nbytes; i += per)
		out->n_beyond += memcmp(s->data_a + i, s->data_b + i, per) != 0;
}

static int compare_step(const struct sides *s, struct cli_likeness *out,
			uint64_t first, size_t n, struct ferry_error *err)
{
	enum ferry_dtype dtype = (enum ferry_dtype)s->a->dtype;
	size_t nbytes = (n * ferry_dtype_bits(dtype) + 7) / 8;
	int rc = ferry_tensor_read(s->a, first, n, s->data_a, err);

	if (!rc)
		rc = ferry_tensor_read(s->b, first, n, s->data_b, err);
	if (rc)
		return rc;
	if (s->a->dtype == s->b->dtype && !memcmp(s->data_a, s->data_b, nbytes))
		return 0;
	if (out->numeric)
		compare_numbers(s, out, n, cli_element_numbers(dtype));
	else
		compare_bytes(s, out, n);
	return 0;
}

int cli_likeness(struct cli_likeness *out, const struct ferry_tensor *a,
		 const struct ferry_tensor *b, double atol, double rtol,
		 struct ferry_error *err)
{
	uint64_t nelem = ferry_tensor_nelem(a);
	size_t step = nelem < STEP ? (size_t)nelem : STEP;
	struct sides s = { .a = a, .b = b, .atol = atol, .rtol = rtol };
	enum ferry_dtype dtype_a = (enum ferry_dtype)a->dtype;
	enum ferry_dtype dtype_b = (enum ferry_dtype)b->dtype;
	unsigned numbers = cli_element_numbers(dtype_a);
	int rc = 0;

	memset(out, 0, sizeof(*out));
	if (!a->storage || !b->storage)
		return 0;
	out->numeric = numbers && numbers == cli_element_numbers(dtype_b);
	if (a->dtype != b->dtype && !out->numeric)
		return 0;
	s.by_bits = a->dtype == b->dtype && atol == 0 && rtol == 0;
	s.data_a = cli_array(step, 16);
	s.data_b = cli_array(step, 16);
	s.values_a = cli_array(2 * step, sizeof(double));
	s.values_b = cli_array(2 * step, sizeof(double));
	for (uint64_t i = 0; i < nelem && !rc; i += step) {
		size_t n = nelem - i < step ? (size_t)(nelem - i) : step;

		rc = compare_step(&s, out, i, n, err);
	}
	free(s.data_a);
	free(s.data_b);
	free(s.values_a);
	free(s.values_b);
	return rc;
}

struct ferry_tensor cli_whole_storage(struct ferry_storage *st, uint64_t *shape,
				      int64_t *stride)
{
	*shape = st->nbytes;
	*stride = 1;
	return (struct ferry_tensor){ .dtype = FERRY_U8, .ndim = 1,
				      .shape = shape, .strides = stride,
				      .storage = st };
}

/* ---- bytes -------------------------------------------------------------- */

struct side {
	uint64_t shape;
	int64_t stride;
	struct ferry_storage storage;
	struct ferry_tensor tensor;
	uint64_t nbytes;
};

/* Bytes left in the file are read as a tensor of bytes would be. */
static void set_side(struct side *s, const struct ferry_value *v)
{
	memset(s, 0, sizeof(*s));
	s->nbytes = v->flags & FERRY_RANGE ? v->u.range.nbytes : v->u.s.nbytes;
	if (!(v->flags & FERRY_RANGE))
		return;
	s->storage.dtype = FERRY_U8;
	s->storage.source = v->u.range.source;
	s->storage.offset = v->u.range.offset;
	s->storage.nbytes = v->u.range.nbytes;
	s->tensor = cli_whole_storage(&s->storage, &s->shape, &s->stride);
}

static int read_side(const struct side *s, const struct ferry_value *v,
		     uint64_t at, size_t n, unsigned char *out,
		     struct ferry_error *err)
{
	if (s->tensor.storage)
		return ferry_tensor_read(&s->tensor, at, n, out, err);
	memcpy(out, v->u.s.data + at, n);
	return 0;
}

int cli_same_bytes(const struct ferry_value *a, const struct ferry_value *b,
		   bool *equal, struct ferry_error *err)
{
	unsigned char x[8192], y[8192];
	struct side sa, sb;
	int rc = 0;

	set_side(&sa, a);
	set_side(&sb, b);
	*equal = sa.nbytes == sb.nbytes;
	for (uint64_t at = 0; at < sa.nbytes && *equal && !rc;
	     at += sizeof(x)) {
		size_t n = sa.nbytes - at < sizeof(x) ?
				   (size_t)(sa.nbytes - at) : sizeof(x);

		rc = read_side(&sa, a, at, n, x, err);
		if (!rc)
			rc = read_side(&sb, b, at, n, y, err);
		if (!rc)
			*equal = !memcmp(x, y, n);
	}
	return rc;
}
