/* Bicubic resizing, against torch's. */
#include "config.h"

#include <criterion/criterion.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <ferry/sys/alloc.h>
#include <ferry/sys/ops.h>

struct resized {
	enum ferry_dtype dtype;
	uint64_t n, height, width, to_height, to_width;
	size_t at;			/* of the result in numbers */
};

#include "tests/unit/resize_vectors.h"

static struct ferry_value *tensor_of(struct ferry_store *s,
				     enum ferry_dtype dtype, unsigned ndim,
				     const uint64_t *shape,
				     const int64_t *strides,
				     const double *data, size_t n)
{
	size_t nbytes = n * sizeof(double);
	struct ferry_source *src;
	struct ferry_storage *st;
	struct ferry_value *v, *out;
	void *copy = ferry_alloc(nbytes);

	cr_assert(copy);
	memcpy(copy, data, nbytes);
	cr_assert_eq(ferry_source_take_memory(&src, copy, nbytes, "numbers",
					      NULL), 0);
	cr_assert_eq(ferry_store_take_source(s, src), 0);
	st = ferry_storage(s, FERRY_F64, src, 0, nbytes);
	v = ferry_tensor(s, FERRY_F64, ndim, shape, strides, 0, st);
	cr_assert(v);
	cr_assert_eq(ferry_op_cast(s, v, dtype, &out, NULL), 0);
	return out;
}

static double *numbers_of(struct ferry_store *s, struct ferry_value *v)
{
	uint64_t n = ferry_tensor_nelem(v->u.tensor);
	double *out = malloc((n + 1) * sizeof(*out));

	cr_assert(out);
	cr_assert_eq(ferry_op_cast(s, v, FERRY_F64, &v, NULL), 0);
	cr_assert_eq(ferry_tensor_read(v->u.tensor, 0, n, out, NULL), 0);
	return out;
}

static void expect_near(struct ferry_store *s, struct ferry_value *v,
			const double *want, double most)
{
	uint64_t n = ferry_tensor_nelem(v->u.tensor), i;
	double *got = numbers_of(s, v);

	for (i = 0; i < n; i++)
		cr_expect(fabs(got[i] - want[i]) <= most, "%zu: %g, not %g",
			  (size_t)i, got[i], want[i]);
	free(got);
}

static void expect_resized(struct ferry_store *s, const struct resized *r,
			   enum ferry_dtype dtype, double most)
{
	const uint64_t shape[] = { r->n, r->height, r->width };
	size_t n = r->n * r->height * r->width, i;
	double *data = malloc(n * sizeof(*data));
	struct ferry_value *out;

	cr_assert(data);
	for (i = 0; i < n; i++)
		data[i] = (double)(i * 7919 % 1009) / 512 - 1;
	cr_assert_eq(ferry_op_resize_bicubic(s, tensor_of(s, dtype, 3, shape,
							  NULL, data, n),
					     r->to_height, r->to_width, &out,
					     NULL), 0);
	cr_expect_eq(out->u.tensor->dtype, dtype);
	cr_expect_eq(out->u.tensor->shape[0], r->n);
	cr_expect_eq(out->u.tensor->shape[1], r->to_height);
	cr_expect_eq(out->u.tensor->shape[2], r->to_width);
	expect_near(s, out, numbers + r->at, most);
	free(data);
}

Test(resize, is_within_a_hundred_thousandth_of_torch)
{
	struct ferry_store *s;
	size_t i;

	cr_assert_eq(ferry_store_new(&s, NULL), 0);
	for (i = 0; i < sizeof(resized) / sizeof(*resized); i++)
		expect_resized(s, &resized[i], resized[i].dtype,
			       resized[i].dtype == FERRY_F32 ? 1e-5 : 1e-8);
	ferry_store_unref(s);
}

Test(resize, other_floats_go_by_way_of_float32)
{
	struct ferry_store *s;
	size_t i;

	cr_assert_eq(ferry_store_new(&s, NULL), 0);
	for (i = 0; i < 8; i++) {
		expect_resized(s, &resized[i], FERRY_F16, 2e-3);
		expect_resized(s, &resized[i], FERRY_BF16, 2e-2);
	}
	ferry_store_unref(s);
}

Test(resize, counted_squares_grow_and_shrink_as_known)
{
	const double count[] = { 0, 1, 2, 3, 4, 5, 6, 7, 8 };
	const double grown[] = {
		-0.3839999, 0.0280007, 0.7120003, 1.3960003, 1.8080006,
		0.8520015, 1.2640017, 1.9480016, 2.6320016, 3.0440018,
		2.9040005, 3.3160007, 4.000001, 4.6840014, 5.0960011,
		4.9560003, 5.368, 6.0520005, 6.736001, 7.1480017,
		6.1920013, 6.604001, 7.2880011, 7.9720025, 8.3840036,
	};
	const double shrunk[] = { 0.765625, 2.3828125, 5.6171875, 7.234375 };
	const uint64_t shape[] = { 3, 3 };
	struct ferry_value *in, *out;
	struct ferry_store *s;

	cr_assert_eq(ferry_store_new(&s, NULL), 0);
	in = tensor_of(s, FERRY_F32, 2, shape, NULL, count, 9);
	cr_assert_eq(ferry_op_resize_bicubic(s, in, 5, 5, &out, NULL), 0);
	expect_near(s, out, grown, 1e-5);
	cr_assert_eq(ferry_op_resize_bicubic(s, in, 2, 2, &out, NULL), 0);
	expect_near(s, out, shrunk, 1e-5);
	ferry_store_unref(s);
}

Test(resize, strides_and_pieces_do_not_matter)
{
	const uint64_t shape[] = { 2, 3, 4 };
	const int64_t strides[] = { 1, 8, 2 };
	double data[24], turned[24], got, *want;
	struct ferry_value *a, *b;
	struct ferry_store *s;
	size_t i;

	for (i = 0; i < 24; i++) {
		data[i] = (double)(i * 7919 % 1009);
		turned[i % 12 * 2 + i / 12] = data[i];
	}
	cr_assert_eq(ferry_store_new(&s, NULL), 0);
	a = tensor_of(s, FERRY_F64, 3, shape, NULL, data, 24);
	b = tensor_of(s, FERRY_F64, 3, shape, strides, turned, 24);
	cr_assert_eq(ferry_op_resize_bicubic(s, a, 5, 6, &a, NULL), 0);
	cr_assert_eq(ferry_op_resize_bicubic(s, b, 5, 6, &b, NULL), 0);
	want = numbers_of(s, a);
	expect_near(s, b, want, 0);
	for (i = 0; i < 60; i++) {
		cr_assert_eq(ferry_tensor_read(b->u.tensor, i, 1, &got, NULL),
			     0);
		cr_expect_eq(got, want[i]);
	}
	free(want);
	ferry_store_unref(s);
}

static void expect_refused(struct ferry_store *s, struct ferry_value *in,
			   uint64_t height, uint64_t width, int code,
			   const char *text)
{
	struct ferry_error err = FERRY_ERROR_INIT;
	struct ferry_value *out;

	cr_expect_eq(ferry_op_resize_bicubic(s, in, height, width, &out, &err),
		     code);
	cr_expect_str_eq(err.text, text);
}

Test(resize, what_can_not_be_is_refused)
{
	const double data[4] = { 0 };
	const uint64_t two[] = { 2, 2 };
	struct ferry_value *in;
	struct ferry_store *s;

	cr_assert_eq(ferry_store_new(&s, NULL), 0);
	in = tensor_of(s, FERRY_F32, 1, two, NULL, data, 2);
	expect_refused(s, in, 1, 1, FERRY_MISUSE, "resize: the tensor has "
		       "rank 1; a height and a width are needed");
	in = tensor_of(s, FERRY_I32, 2, two, NULL, data, 4);
	expect_refused(s, in, 1, 1, FERRY_UNSUPPORTED, "resize: int32 can't be "
		       "interpolated; cast it to a floating dtype first");
	in = tensor_of(s, FERRY_F32, 2, two, NULL, data, 4);
	expect_refused(s, in, 0, 1, FERRY_MISUSE, "resize: 2 x 2 can't become "
		       "0 x 1; no size may be 0");
	expect_refused(s, in, 1, 1048577, FERRY_LIMIT, "resize: rows of "
		       "1048577 elements are above the limit of 1048576");
	expect_refused(s, in, UINT64_C(1) << 50, 1048576, FERRY_LIMIT,
		       "resize: size of the result overflows 63 bits");
	ferry_store_unref(s);
}
