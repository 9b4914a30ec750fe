/*
 * Conversion kernels for wide registers, chosen at run time.  Each ends in the
 * plain arithmetic of cast_number.h, and gives its bits.
 */
#include "config.h"

#include "core/model/cast.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "core/model/cast_number.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

static enum cast_level level;

static enum cast_level ask_cpu(void)
{
#if defined(__x86_64__)
	unsigned a, b, c, d;

	__builtin_cpu_init();
	if (!__builtin_cpu_supports("avx2") ||
	    !__get_cpuid(1, &a, &b, &c, &d) ||
	    !(c & bit_F16C))
		return CAST_SCALAR;
	if (__builtin_cpu_supports("avx512f") &&
	    __builtin_cpu_supports("avx512bw") &&
	    __builtin_cpu_supports("avx512vl"))
		return CAST_AVX512;
	return CAST_AVX2;
#else
	return CAST_SCALAR;
#endif
}

static void find_level(void)
{
	const char *cap = getenv("FERRY_CPU");

	level = ask_cpu();
	if (cap && !strcmp(cap, "scalar"))
		level = CAST_SCALAR;
	else if (cap && !strcmp(cap, "avx2") && level > CAST_AVX2)
		level = CAST_AVX2;
}

enum cast_level cast_cpu(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, find_level);
	return level;
}

#if defined(__x86_64__)

#include <immintrin.h>

#define AVX2 __attribute__((target("avx2,f16c")))
#define AVX512 __attribute__((target("avx512f,avx512bw,avx512vl,f16c")))

static float at_f32(const void *in, size_t i)
{
	float v;

	memcpy(&v, (const char *)in + 4 * i, 4);
	return v;
}

static double at_f64(const void *in, size_t i)
{
	double v;

	memcpy(&v, (const char *)in + 8 * i, 8);
	return v;
}

static uint16_t at_u16(const void *in, size_t i)
{
	uint16_t v;

	memcpy(&v, (const char *)in + 2 * i, 2);
	return v;
}

static void put_u16(void *out, size_t i, uint16_t v)
{
	memcpy((char *)out + 2 * i, &v, 2);
}

static void put_f32(void *out, size_t i, float v)
{
	memcpy((char *)out + 4 * i, &v, 4);
}

/* Add 0x7fff and the lowest kept bit, keep the upper half; NaN: all ones. */
AVX2 static __m256i bf16_of_8(__m256 v)
{
	__m256i x = _mm256_castps_si256(v);
	__m256i odd = _mm256_and_si256(_mm256_srli_epi32(x, 16),
				       _mm256_set1_epi32(1));
	__m256i nan = _mm256_castps_si256(_mm256_cmp_ps(v, v, _CMP_UNORD_Q));

	x = _mm256_add_epi32(x, _mm256_set1_epi32(0x7fff));
	x = _mm256_srli_epi32(_mm256_add_epi32(x, odd), 16);
	return _mm256_or_si256(x, _mm256_srli_epi32(nan, 16));
}

AVX2 static void f32_to_bf16_avx2(const void *in, void *out, size_t n)
{
	size_t i;

	for (i = 0; i + 16 <= n; i += 16) {
		const float *from = (const float *)in + i;
		__m256i a = bf16_of_8(_mm256_loadu_ps(from));
		__m256i b = bf16_of_8(_mm256_loadu_ps(from + 8));
		__m256i ab = _mm256_permute4x64_epi64(_mm256_packus_epi32(a, b),
						      0xd8);

		_mm256_storeu_si256((void *)((uint16_t *)out + i), ab);
	}
	for (; i < n; i++)
		put_u16(out, i, number_to_bf16(at_f32(in, i), 0xffff));
}

AVX2 static void f32_to_f16_avx2(const void *in, void *out, size_t n)
{
	size_t i;

	for (i = 0; i + 8 <= n; i += 8) {
		__m256 v = _mm256_loadu_ps((const float *)in + i);

		_mm_storeu_si128((void *)((uint16_t *)out + i),
				 _mm256_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT));
	}
	for (; i < n; i++)
		put_u16(out, i, number_to_f16(at_f32(in, i)));
}

AVX2 static void f16_to_f32_avx2(const void *in, void *out, size_t n)
{
	size_t i;

	for (i = 0; i + 8 <= n; i += 8) {
		__m128i v = _mm_loadu_si128((const void *)
					    ((const uint16_t *)in + i));

		_mm256_storeu_ps((float *)out + i, _mm256_cvtph_ps(v));
	}
	for (; i < n; i++)
		put_f32(out, i, number_from_f16(at_u16(in, i)));
}

AVX2 static void bf16_to_f32_avx2(const void *in, void *out, size_t n)
{
	size_t i;

	for (i = 0; i + 8 <= n; i += 8) {
		__m128i v = _mm_loadu_si128((const void *)
					    ((const uint16_t *)in + i));
		__m256i x = _mm256_slli_epi32(_mm256_cvtepu16_epi32(v), 16);

		_mm256_storeu_si256((void *)((float *)out + i), x);
	}
	for (; i < n; i++)
		put_f32(out, i, number_from_bf16(at_u16(in, i)));
}

AVX2 static void f64_to_f32_avx2(const void *in, void *out, size_t n)
{
	size_t i;

	for (i = 0; i + 4 <= n; i += 4) {
		__m256d v = _mm256_loadu_pd((const double *)in + i);

		_mm_storeu_ps((float *)out + i, _mm256_cvtpd_ps(v));
	}
	for (; i < n; i++)
		put_f32(out, i, (float)at_f64(in, i));
}

AVX512 static void f32_to_bf16_avx512(const void *in, void *out, size_t n)
{
	const __m512i one = _mm512_set1_epi32(1);
	const __m512i most = _mm512_set1_epi32(0x7fff);
	const __m512i ones = _mm512_set1_epi32(0xffff);
	size_t i;

	for (i = 0; i + 16 <= n; i += 16) {
		__m512 v = _mm512_loadu_ps((const float *)in + i);
		__m512i x = _mm512_castps_si512(v);
		__m512i odd = _mm512_and_si512(_mm512_srli_epi32(x, 16), one);
		__mmask16 nan = _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q);

		x = _mm512_add_epi32(_mm512_add_epi32(x, most), odd);
		x = _mm512_mask_blend_epi32(nan, _mm512_srli_epi32(x, 16),
					    ones);
		_mm256_storeu_si256((void *)((uint16_t *)out + i),
				    _mm512_cvtepi32_epi16(x));
	}
	for (; i < n; i++)
		put_u16(out, i, number_to_bf16(at_f32(in, i), 0xffff));
}

AVX512 static void f32_to_f16_avx512(const void *in, void *out, size_t n)
{
	size_t i;

	for (i = 0; i + 16 <= n; i += 16) {
		__m512 v = _mm512_loadu_ps((const float *)in + i);

		_mm256_storeu_si256((void *)((uint16_t *)out + i),
				    _mm512_cvtps_ph(v,
						    _MM_FROUND_TO_NEAREST_INT));
	}
	for (; i < n; i++)
		put_u16(out, i, number_to_f16(at_f32(in, i)));
}

AVX512 static void f16_to_f32_avx512(const void *in, void *out, size_t n)
{
	size_t i;

	for (i = 0; i + 16 <= n; i += 16) {
		__m256i v = _mm256_loadu_si256((const void *)
					       ((const uint16_t *)in + i));

		_mm512_storeu_ps((float *)out + i, _mm512_cvtph_ps(v));
	}
	for (; i < n; i++)
		put_f32(out, i, number_from_f16(at_u16(in, i)));
}

AVX512 static void bf16_to_f32_avx512(const void *in, void *out, size_t n)
{
	size_t i;

	for (i = 0; i + 16 <= n; i += 16) {
		__m256i v = _mm256_loadu_si256((const void *)
					       ((const uint16_t *)in + i));
		__m512i x = _mm512_slli_epi32(_mm512_cvtepu16_epi32(v), 16);

		_mm512_storeu_si512((float *)out + i, x);
	}
	for (; i < n; i++)
		put_f32(out, i, number_from_bf16(at_u16(in, i)));
}

AVX512 static void f64_to_f32_avx512(const void *in, void *out, size_t n)
{
	size_t i;

	for (i = 0; i + 8 <= n; i += 8) {
		__m512d v = _mm512_loadu_pd((const double *)in + i);

		_mm256_storeu_ps((float *)out + i, _mm512_cvtpd_ps(v));
	}
	for (; i < n; i++)
		put_f32(out, i, (float)at_f64(in, i));
}

static const struct {
	enum ferry_dtype from, to;
	cast_kernel *avx2, *avx512;
} kernels[] = {
	{ FERRY_F32, FERRY_BF16, f32_to_bf16_avx2, f32_to_bf16_avx512 },
	{ FERRY_F32, FERRY_F16, f32_to_f16_avx2, f32_to_f16_avx512 },
	{ FERRY_F16, FERRY_F32, f16_to_f32_avx2, f16_to_f32_avx512 },
	{ FERRY_BF16, FERRY_F32, bf16_to_f32_avx2, bf16_to_f32_avx512 },
	{ FERRY_F64, FERRY_F32, f64_to_f32_avx2, f64_to_f32_avx512 },
};

cast_kernel *cast_wide(enum ferry_dtype from, enum ferry_dtype to,
		       enum cast_level most)
{
	size_t i;

	for (i = 0; i < sizeof(kernels) / sizeof(kernels[0]); i++)
		if (kernels[i].from == from && kernels[i].to == to)
			return most >= CAST_AVX512 ? kernels[i].avx512 :
			       most >= CAST_AVX2 ? kernels[i].avx2 : NULL;
	return NULL;
}

#else

cast_kernel *cast_wide(enum ferry_dtype from, enum ferry_dtype to,
		       enum cast_level most)
{
	(void)from;
	(void)to;
	(void)most;
	return NULL;
}

#endif
