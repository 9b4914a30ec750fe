/* The mean of tensors, against what torch makes of the same numbers. */
#include "config.h"

#include <criterion/criterion.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <ferry/sys/alloc.h>
#include <ferry/sys/ops.h>
#include <ferry/sys/sink.h>

struct digest {
	enum ferry_dtype dtype;
	size_t n;
	uint64_t divisor;
	uint32_t crc32;
};

#include "tests/unit/mean_vectors.h"

#define NELEM 4096
#define N_MOST 10

static uint64_t mix(uint64_t x)
{
	x = (x + 1) * 0x9e3779b97f4a7c15u;
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	return x ^ x >> 31;
}

/* The numbers of mean_vectors.py. */
static uint64_t number(uint64_t k, uint64_t i, unsigned width, unsigned mantissa)
{
	uint64_t exponent = ((UINT64_C(1) << (width - 1 - mantissa)) - 1)
			    << mantissa;
	uint64_t near = ((UINT64_C(1) << (width - 2 - mantissa)) - 1)
			<< mantissa;
	uint64_t v = mix(i + k * 1000003) >> (64 - width);

	if (i % 4 == 1)
		v = (v & ~exponent) | near;
	if (i % 8 == 2)
		v &= ~exponent;
	if (mix(v) % 16 == 3)
		v |= exponent;
	if (mix(v) % 32 == 5)
		v &= ~((UINT64_C(1) << mantissa) - 1);
	return v;
}

static unsigned width_of(enum ferry_dtype dtype, unsigned *mantissa)
{
	unsigned width = ferry_dtype_bits(dtype);

	if (ferry_dtype_is_complex(dtype))
		width /= 2;
	*mantissa = dtype == FERRY_BF16 ? 7 : width == 16 ? 10 :
		    width == 32 ? 23 : 52;
	return width;
}

static void fill(unsigned char *to, enum ferry_dtype dtype, uint64_t k)
{
	unsigned mantissa, width = width_of(dtype, &mantissa);
	size_t n = NELEM * ferry_dtype_bits(dtype) / width, i;
	uint64_t v;

	for (i = 0; i < n; i++) {
		v = number(k, i, width, mantissa);
		memcpy(to + i * (width / 8), &v, width / 8);
	}
}

/* A tensor over bytes that are the store's. */
static struct ferry_value *tensor_of(struct ferry_store *s,
				     enum ferry_dtype dtype, unsigned ndim,
				     const uint64_t *shape,
				     const int64_t *strides, const void *data,
				     size_t nbytes)
{
	struct ferry_source *src;
	struct ferry_storage *st;
	struct ferry_value *v;
	void *copy = ferry_alloc(nbytes);

	cr_assert(copy);
	memcpy(copy, data, nbytes);
	cr_assert_eq(ferry_source_take_memory(&src, copy, nbytes, "numbers",
					      NULL), 0);
	cr_assert_eq(ferry_store_take_source(s, src), 0);
	st = ferry_storage(s, dtype, src, 0, nbytes);
	cr_assert(st);
	v = ferry_tensor(s, dtype, ndim, shape, strides, 0, st);
	cr_assert(v);
	return v;
}

static void one_nan(unsigned char *data, enum ferry_dtype dtype)
{
	size_t n = NELEM * 2, i;
	double d;
	float f;

	for (i = 0; dtype == FERRY_C128 && i < n; i++) {
		memcpy(&d, data + i * 8, 8);
		if (d != d)
			memcpy(data + i * 8, "\0\0\0\0\0\0\xf8\x7f", 8);
	}
	for (i = 0; dtype == FERRY_C64 && i < n; i++) {
		memcpy(&f, data + i * 4, 4);
		if (f != f)
			memcpy(data + i * 4, "\0\0\xc0\x7f", 4);
	}
}

static uint32_t digest_of(const struct digest *d)
{
	const uint64_t shape[] = { 64, 64 };
	size_t nbytes = NELEM * ferry_dtype_size(d->dtype), i;
	unsigned char *data = malloc(nbytes);
	struct ferry_value *in[N_MOST], *out;
	struct ferry_store *s;
	uint32_t crc;

	cr_assert(data);
	cr_assert_eq(ferry_store_new(&s, NULL), 0);
	for (i = 0; i < d->n; i++) {
		fill(data, d->dtype, i);
		in[i] = tensor_of(s, d->dtype, 2, shape, NULL, data, nbytes);
	}
	cr_assert_eq(ferry_op_mean(s, in, d->n, d->divisor, &out, NULL), 0);
	cr_assert_eq(ferry_tensor_read(out->u.tensor, 0, NELEM, data, NULL),
		     0);
	one_nan(data, d->dtype);
	crc = ferry_crc32(0, data, nbytes);
	ferry_store_unref(s);
	free(data);
	return crc;
}

static void check_digests(void)
{
	size_t i;

	for (i = 0; i < sizeof(digests) / sizeof(digests[0]); i++)
		cr_expect_eq(digest_of(&digests[i]), digests[i].crc32,
			     "%zu of %s by %llu", digests[i].n,
			     ferry_dtype_name(digests[i].dtype),
			     (unsigned long long)digests[i].divisor);
}

Test(mean, is_bit_by_bit_what_torch_makes_of_the_same_tensors)
{
	check_digests();
}

Test(mean, plain_code_alone_gives_the_same)
{
	setenv("FERRY_CPU", "scalar", 1);
	check_digests();
}

Test(mean, divides_by_the_number_of_tensors_unless_told_otherwise)
{
	const uint64_t shape[] = { 2, 2 };
	const float a[] = { 1, 0, 10, 2 }, b[] = { 1, 1, 2, 4 };
	const float want[] = { 1, .5, 6, 3 }, fourth[] = { .5, .25, 3, 1.5 };
	struct ferry_value *in[2], *out;
	struct ferry_store *s;
	float got[4];

	cr_assert_eq(ferry_store_new(&s, NULL), 0);
	in[0] = tensor_of(s, FERRY_F32, 2, shape, NULL, a, sizeof(a));
	in[1] = tensor_of(s, FERRY_F32, 2, shape, NULL, b, sizeof(b));
	in[0]->u.tensor->flags = FERRY_REQUIRES_GRAD;
	cr_assert_eq(ferry_op_mean(s, in, 2, 0, &out, NULL), 0);
	cr_expect_eq(out->u.tensor->flags, FERRY_REQUIRES_GRAD);
	cr_assert_eq(ferry_tensor_read(out->u.tensor, 0, 4, got, NULL), 0);
	cr_expect_arr_eq(got, want, sizeof(want));
	cr_assert_eq(ferry_op_mean(s, in, 2, 4, &out, NULL), 0);
	cr_assert_eq(ferry_tensor_read(out->u.tensor, 0, 4, got, NULL), 0);
	cr_expect_arr_eq(got, fourth, sizeof(fourth));
	ferry_store_unref(s);
}

Test(mean, strides_of_inputs_do_not_matter)
{
	const uint64_t shape[] = { 2, 3 };
	const int64_t columns[] = { 1, 2 }, repeated[] = { 0, 1 };
	const double a[] = { 1, 4, 2, 5, 3, 6 }, b[] = { 3, 2, 1 };
	const double want[] = { 2, 2, 2, 3.5, 3.5, 3.5 };
	struct ferry_value *in[2], *out;
	struct ferry_store *s;
	double got[6], part[2];

	cr_assert_eq(ferry_store_new(&s, NULL), 0);
	in[0] = tensor_of(s, FERRY_F64, 2, shape, columns, a, sizeof(a));
	in[1] = tensor_of(s, FERRY_F64, 2, shape, repeated, b, sizeof(b));
	cr_assert_eq(ferry_op_mean(s, in, 2, 0, &out, NULL), 0);
	cr_expect(ferry_tensor_is_contiguous(out->u.tensor));
	cr_assert_eq(ferry_tensor_read(out->u.tensor, 0, 6, got, NULL), 0);
	cr_expect_arr_eq(got, want, sizeof(want));
	cr_assert_eq(ferry_tensor_read(out->u.tensor, 2, 2, part, NULL), 0);
	cr_expect_arr_eq(part, want + 2, sizeof(part));
	ferry_store_unref(s);
}

#define LARGE ((size_t)1 << 20)
#define N_THREADS 4

struct reader {
	pthread_t thread;
	struct ferry_source *source;
	size_t from;
	float *to;
	int code;
};

static void *read_piece(void *ctx)
{
	struct reader *r = ctx;

	r->code = ferry_source_read(r->source, r->to, r->from * sizeof(float),
				    LARGE / N_THREADS * sizeof(float), NULL);
	return NULL;
}

Test(mean, pieces_read_by_threads_make_the_whole)
{
	const uint64_t shape[] = { LARGE };
	float *data = malloc(LARGE * sizeof(float));
	struct reader readers[N_THREADS];
	struct ferry_value *in[3], *out;
	struct ferry_store *s;
	size_t i, k;

	cr_assert(data);
	cr_assert_eq(ferry_store_new(&s, NULL), 0);
	for (k = 0; k < 3; k++) {
		for (i = 0; i < LARGE; i++)
			data[i] = (float)(i * (k + 1));
		in[k] = tensor_of(s, FERRY_F32, 1, shape, NULL, data,
				  LARGE * sizeof(float));
	}
	cr_assert_eq(ferry_op_mean(s, in, 3, 0, &out, NULL), 0);
	for (k = 0; k < N_THREADS; k++) {
		readers[k].source = out->u.tensor->storage->source;
		readers[k].from = k * (LARGE / N_THREADS);
		readers[k].to = data + readers[k].from;
		cr_assert_eq(pthread_create(&readers[k].thread, NULL,
					    read_piece, &readers[k]), 0);
	}
	for (k = 0; k < N_THREADS; k++) {
		pthread_join(readers[k].thread, NULL);
		cr_expect_eq(readers[k].code, 0);
	}
	for (i = 0; i < LARGE; i++)
		cr_assert_eq(data[i], (float)(2 * i));
	ferry_store_unref(s);
	free(data);
}

static void expect_refused(struct ferry_store *s, struct ferry_value **in,
			   size_t n, int code, const char *text)
{
	struct ferry_error err = FERRY_ERROR_INIT;
	struct ferry_value *out;

	cr_expect_eq(ferry_op_mean(s, in, n, 0, &out, &err), code);
	cr_expect_str_eq(err.text, text);
}

Test(mean, what_does_not_fit_is_refused)
{
	const uint64_t two[] = { 2 }, three[] = { 3 }, many[] = { 1u << 31,
		1u << 31 };
	const int64_t none[] = { 0, 0 };
	const double data[3] = { 0 };
	struct ferry_value *in[2];
	struct ferry_store *s;

	cr_assert_eq(ferry_store_new(&s, NULL), 0);
	expect_refused(s, in, 0, FERRY_MISUSE, "mean: no tensor is given");
	in[0] = tensor_of(s, FERRY_F32, 1, two, NULL, data, sizeof(data));
	in[1] = tensor_of(s, FERRY_F32, 1, three, NULL, data, sizeof(data));
	expect_refused(s, in, 2, FERRY_MISUSE,
		       "mean: tensor 1 differs from tensor 0 in shape");
	in[1] = tensor_of(s, FERRY_F16, 1, two, NULL, data, sizeof(data));
	expect_refused(s, in, 2, FERRY_MISUSE,
		       "mean: tensor 1 differs from tensor 0 in dtype");
	in[0] = tensor_of(s, FERRY_I64, 1, two, NULL, data, sizeof(data));
	expect_refused(s, in, 1, FERRY_UNSUPPORTED, "mean: tensors of int64 "
		       "can't be added and divided; cast them to a floating "
		       "dtype of 16 bits or more first");
	in[0] = tensor_of(s, FERRY_F64, 2, many, none, data, sizeof(data));
	expect_refused(s, in, 1, FERRY_LIMIT,
		       "mean: size of the result overflows 63 bits");
	in[0] = ferry_none();
	expect_refused(s, in, 1, FERRY_MISUSE,
		       "mean needs a tensor, but is given kind none");
	ferry_store_unref(s);
}
