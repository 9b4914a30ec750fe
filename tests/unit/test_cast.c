/* Conversion of elements: against torch's results, and wide against plain. */
#include "config.h"

#include <criterion/criterion.h>

#include <stdlib.h>
#include <string.h>

#include <ferry/sys/alloc.h>
#include <ferry/sys/ops.h>
#include <ferry/sys/sink.h>

#include "core/model/cast.h"
#include "core/model/cast_number.h"

struct digest {
	enum ferry_dtype from, to;
	uint32_t crc32;
};

struct vector {
	enum ferry_dtype from, to;
	uint64_t in, out;
};

#include "tests/unit/cast_vectors.h"

#define F32_STEP 1021
#define TILE 65536

/* The i-th value of what a digest was taken over. */
static uint64_t value(enum ferry_dtype from, uint64_t i)
{
	if (from == FERRY_F32)
		return i * F32_STEP;
	return from == FERRY_BOOL8 ? i % 2 : i;
}

static uint64_t n_values(enum ferry_dtype from)
{
	if (from == FERRY_F32)
		return ((UINT64_C(1) << 32) + F32_STEP - 1) / F32_STEP;
	return ferry_dtype_size(from) == 2 ? 65536 : 4096;
}

static uint32_t digest_of(enum ferry_dtype from, enum ferry_dtype to)
{
	unsigned size = ferry_dtype_size(from);
	uint64_t n = n_values(from), done, i, v;
	unsigned char *in = malloc(TILE * 8), *out = malloc(TILE * 8);
	struct cast cast;
	uint32_t crc = 0;

	cr_assert(in && out);
	cr_assert(cast_init(&cast, from, to));
	for (done = 0; done < n; done += i) {
		for (i = 0; i < TILE && done + i < n; i++) {
			v = value(from, done + i);
			memcpy(in + i * size, &v, size);
		}
		cast_run(&cast, in, out, i);
		crc = ferry_crc32(crc, out, i * ferry_dtype_size(to));
	}
	free(in);
	free(out);
	return crc;
}

static void check_digests(void)
{
	size_t i;

	for (i = 0; i < sizeof(digests) / sizeof(digests[0]); i++)
		cr_expect_eq(digest_of(digests[i].from, digests[i].to),
			     digests[i].crc32, "%s to %s",
			     ferry_dtype_name(digests[i].from),
			     ferry_dtype_name(digests[i].to));
}

Test(cast, all_small_values_become_what_torch_makes_of_them)
{
	check_digests();
}

Test(cast, plain_code_alone_gives_the_same)
{
	setenv("FERRY_CPU", "scalar", 1);
	cr_assert_eq(cast_cpu(), CAST_SCALAR);
	check_digests();
}

Test(cast, edge_values_become_what_torch_makes_of_them)
{
	unsigned char in[64 * 8], out[64 * 8];
	struct cast cast;
	uint64_t got;
	size_t i, k;

	for (i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		const struct vector *v = &vectors[i];
		unsigned size = ferry_dtype_size(v->from);

		cr_assert(cast_init(&cast, v->from, v->to));
		for (k = 0; k < 64; k++)
			memcpy(in + k * size, &v->in, size);
		cast_run(&cast, in, out, 64);
		for (k = 0; k < 64; k++) {
			got = 0;
			memcpy(&got, out + k * ferry_dtype_size(v->to),
			       ferry_dtype_size(v->to));
			cr_expect_eq(got, v->out, "%s %llx to %s: %llx, not "
				     "%llx", ferry_dtype_name(v->from),
				     (unsigned long long)v->in,
				     ferry_dtype_name(v->to),
				     (unsigned long long)got,
				     (unsigned long long)v->out);
		}
	}
}

/* Patterns that lie on and beside every boundary of rounding. */
static size_t fill(enum ferry_dtype from, unsigned char *in, size_t n)
{
	unsigned size = ferry_dtype_size(from);
	uint64_t x = 88172645463325252u, v;
	size_t i;

	for (i = 0; i < n; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		v = x;
		if (i % 4 == 1)
			v &= ~(UINT64_C(0x1fff) << (size == 8 ? 16 : 0));
		if (i % 4 == 2)
			v = (v & ~(uint64_t)0xffff) | 0x8000;
		if (i % 16 == 3)
			v |= size == 8 ? UINT64_C(0x7ff) << 52 :
			     size == 4 ? 0x7f800000 : 0x7c00;
		memcpy(in + i * size, &v, size);
	}
	return n;
}

static void plain(enum ferry_dtype from, enum ferry_dtype to,
		  const unsigned char *in, unsigned char *out, size_t n)
{
	uint16_t h;
	size_t i;
	double d;
	float f;

	for (i = 0; i < n; i++) {
		if (from == FERRY_F32) {
			memcpy(&f, in + 4 * i, 4);
			h = to == FERRY_F16 ? number_to_f16(f) :
			    number_to_bf16(f, 0xffff);
			memcpy(out + 2 * i, &h, 2);
			continue;
		}
		if (from == FERRY_F64) {
			memcpy(&d, in + 8 * i, 8);
			f = (float)d;
		} else {
			memcpy(&h, in + 2 * i, 2);
			f = from == FERRY_F16 ? number_from_f16(h) :
			    number_from_bf16(h);
		}
		memcpy(out + 4 * i, &f, 4);
	}
}

static void check_wide(enum ferry_dtype from, enum ferry_dtype to,
		       enum cast_level level)
{
	const size_t n = 1 << 20;
	unsigned in_size = ferry_dtype_size(from);
	unsigned out_size = ferry_dtype_size(to);
	cast_kernel *wide = cast_wide(from, to, level);
	unsigned char *in = malloc(n * 8), *want = malloc(n * 8);
	unsigned char *got = malloc(n * 8 + 1);
	size_t k;

	cr_assert(in && want && got);
	cr_assert(wide);
	fill(from, in, n);
	plain(from, to, in, want, n);
	wide(in, got, n);
	cr_expect(!memcmp(got, want, n * out_size), "%s to %s at level %d",
		  ferry_dtype_name(from), ferry_dtype_name(to), level);
	/* Every length of tail, at odd addresses. */
	for (k = 0; k < 70; k++) {
		memset(got, 0x5a, 71 * out_size + 1);
		wide(in + k * in_size, got + 1, k);
		cr_expect(!memcmp(got + 1, want + k * out_size, k * out_size));
		cr_expect_eq(got[1 + k * out_size], 0x5a);
	}
	free(in);
	free(want);
	free(got);
}

Test(cast, wide_kernels_give_the_bits_of_plain_code)
{
	int level;

	for (level = CAST_AVX2; level <= (int)cast_cpu(); level++) {
		check_wide(FERRY_F32, FERRY_BF16, level);
		check_wide(FERRY_F32, FERRY_F16, level);
		check_wide(FERRY_F16, FERRY_F32, level);
		check_wide(FERRY_BF16, FERRY_F32, level);
		check_wide(FERRY_F64, FERRY_F32, level);
	}
}

Test(cast, environment_caps_the_level)
{
	setenv("FERRY_CPU", "avx2", 1);
	cr_assert_leq(cast_cpu(), CAST_AVX2);
}

static void convert(enum ferry_dtype from, enum ferry_dtype to, const void *in,
		    void *out, size_t n)
{
	struct cast cast;

	cr_assert(cast_init(&cast, from, to));
	cast_run(&cast, in, out, n);
}

Test(cast, complex_numbers_keep_gain_and_lose_their_second_part)
{
	static const float pairs[] = { 1, 2, 0, 3, 0, 0, -5, 6 };
	double wide[8];
	float real[4], back[8];
	uint8_t truth[4];
	uint16_t half[8];

	convert(FERRY_C64, FERRY_C128, pairs, wide, 4);
	cr_assert(wide[0] == 1 && wide[1] == 2 && wide[7] == 6);
	convert(FERRY_C128, FERRY_C64, wide, back, 4);
	cr_assert(!memcmp(back, pairs, sizeof(pairs)));
	convert(FERRY_C64, FERRY_C32, pairs, half, 4);
	cr_assert(half[0] == 0x3c00 && half[1] == 0x4000);
	convert(FERRY_C64, FERRY_F32, pairs, real, 4);
	cr_assert(real[0] == 1 && real[1] == 0 && real[3] == -5);
	convert(FERRY_C64, FERRY_BOOL8, pairs, truth, 4);
	cr_assert(truth[0] == 1 && truth[1] == 1 && truth[2] == 0);
	convert(FERRY_F32, FERRY_C64, real, back, 4);
	cr_assert(back[0] == 1 && back[1] == 0 && back[6] == -5);
}

Test(cast, packed_and_quantised_dtypes_are_refused)
{
	struct cast cast;

	cr_assert(!cast_init(&cast, FERRY_F32, FERRY_QI8));
	cr_assert(!cast_init(&cast, FERRY_F4_E2M1, FERRY_F32));
	cr_assert(!cast_init(&cast, FERRY_BITS8, FERRY_U8));
	cr_assert(!cast_init(&cast, FERRY_F32, FERRY_DTYPE_NONE));
}

static struct ferry_value *numbers(struct ferry_store *s, size_t n, bool memory)
{
	uint64_t shape[] = { n };
	float *data = ferry_alloc(n * 4);
	struct ferry_source *src;
	size_t i;

	cr_assert(data);
	for (i = 0; i < n; i++)
		data[i] = (float)i / 7;
	cr_assert_eq(ferry_source_take_memory(&src, data, n * 4, "n", NULL),
		     0);
	cr_assert_eq(ferry_store_take_source(s, src), 0);
	if (!memory) {
		cr_assert_eq(ferry_source_swap(&src, src, 4, "s", NULL), 0);
		cr_assert_eq(ferry_store_take_source(s, src), 0);
		cr_assert_eq(ferry_source_swap(&src, src, 4, "s", NULL), 0);
		cr_assert_eq(ferry_store_take_source(s, src), 0);
	}
	return ferry_tensor(s, FERRY_F32, 1, shape, NULL, 0,
			    ferry_storage(s, FERRY_F32, src, 0, n * 4));
}

static void check_op(bool memory)
{
	const size_t n = 300007;
	struct ferry_value *t, *out, *same;
	struct ferry_store *s;
	uint16_t *got = malloc(n * 2 + 16), want;
	size_t first, i;

	cr_assert(got);
	cr_assert_eq(ferry_store_new(&s, NULL), 0);
	t = numbers(s, n, memory);
	t->u.tensor->flags = FERRY_REQUIRES_GRAD;
	cr_assert_eq(ferry_op_cast(s, t, FERRY_F32, &same, NULL), 0);
	cr_assert(same == t);
	cr_assert_eq(ferry_op_cast(s, t, FERRY_QI8, &out, NULL),
		     FERRY_UNSUPPORTED);
	cr_assert_eq(ferry_op_cast(s, t, FERRY_BF16, &out, NULL), 0);
	cr_assert_eq(out->u.tensor->dtype, FERRY_BF16);
	cr_assert_eq(out->u.tensor->flags, FERRY_REQUIRES_GRAD);
	cr_assert_eq(ferry_tensor_read(out->u.tensor, 0, n, got, NULL), 0);
	for (i = 0; i < n; i++) {
		want = number_to_bf16((float)i / 7, 0);
		cr_assert_eq(got[i], want);
	}
	/* From the middle of an element to the middle of another. */
	for (first = 1; first < 40; first += 6) {
		unsigned char part[9];

		cr_assert_eq(ferry_source_read(out->u.tensor->storage->source,
					       part, first, 9, NULL), 0);
		cr_assert(!memcmp(part, (char *)got + first, 9));
	}
	free(got);
	ferry_store_unref(s);
}

Test(cast, op_reads_any_range_through_the_kernel)
{
	check_op(true);
	check_op(false);
}

Test(cast, transposed_and_conjugated_inputs_are_resolved_first)
{
	static const uint64_t shape[] = { 2, 3 };
	static const int64_t strides[] = { 1, 2 };
	static const float data[] = { 0, 1, 2, 3, 4, 5 };
	struct ferry_value *t, *out;
	struct ferry_source *src;
	struct ferry_store *s;
	double got[6];

	cr_assert_eq(ferry_store_new(&s, NULL), 0);
	cr_assert_eq(ferry_source_from_memory(&src, data, 24, "n", NULL), 0);
	cr_assert_eq(ferry_store_take_source(s, src), 0);
	t = ferry_tensor(s, FERRY_F32, 2, shape, strides, 0,
			 ferry_storage(s, FERRY_F32, src, 0, 24));
	t->u.tensor->flags = FERRY_NEG;
	cr_assert_eq(ferry_op_cast(s, t, FERRY_F64, &out, NULL), 0);
	cr_assert_eq(ferry_tensor_read(out->u.tensor, 0, 6, got, NULL), 0);
	cr_assert(got[0] == 0 && got[1] == -2 && got[2] == -4 && got[3] == -1);
	ferry_store_unref(s);
}
