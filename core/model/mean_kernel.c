/* Sums and quotients as torch 2.13's vector loops on x86-64 have them. */
#include "config.h"

#include "core/model/mean.h"

#include <string.h>

#define TILE 1024

struct at_float {
	float v;
} __attribute__((packed, may_alias));

struct at_double {
	double v;
} __attribute__((packed, may_alias));

/* A NaN that is added stays, whichever order the operands are given in. */
#define SUM(x, y) ((y) + ((y) != (y) ? (y) : (x)))

#define REAL(type) \
	static void add_##type(const struct mean *m, void *acc, \
			       const void *in, size_t n) \
	{ \
		struct at_##type *x = acc; \
		const struct at_##type *y = in; \
		size_t i; \
	\
		(void)m; \
		for (i = 0; i < n; i++) \
			x[i].v = SUM(x[i].v, y[i].v); \
	} \
	\
	static void divide_##type(const struct mean *m, void *acc, size_t n) \
	{ \
		type by = (type)m->divisor; \
		struct at_##type *x = acc; \
		size_t i; \
	\
		for (i = 0; i < n; i++) \
			x[i].v /= by; \
	}

/*
 * What is added is first multiplied by 1 + 0i, and the divisor is complex too
 * (Smith's way): an infinity in one part makes the other a NaN.
 */
#define COMPLEX(type) \
	static void add_complex_##type(const struct mean *m, void *acc, \
				       const void *in, size_t n) \
	{ \
		struct at_##type *x = acc; \
		const struct at_##type *y = in; \
		type re, im; \
		size_t i; \
	\
		(void)m; \
		for (i = 0; i < 2 * n; i += 2) { \
			re = y[i].v - y[i + 1].v * 0; \
			im = y[i + 1].v + y[i].v * 0; \
			x[i].v = SUM(x[i].v, re); \
			x[i + 1].v = SUM(x[i + 1].v, im); \
		} \
	} \
	\
	static void divide_complex_##type(const struct mean *m, void *acc, \
					  size_t n) \
	{ \
		type scale = 1 / (type)m->divisor; \
		struct at_##type *x = acc; \
		type re, im; \
		size_t i; \
	\
		for (i = 0; i < 2 * n; i += 2) { \
			re = x[i].v + x[i + 1].v * 0; \
			im = x[i + 1].v - x[i].v * 0; \
			x[i].v = re * scale; \
			x[i + 1].v = im * scale; \
		} \
	}

REAL(float)
REAL(double)
COMPLEX(float)
COMPLEX(double)

static void add_half(const struct mean *m, void *acc, const void *in, size_t n)
{
	unsigned char *x = acc;
	const unsigned char *y = in;
	float a[TILE], b[TILE];
	size_t part;

	for (; n; n -= part) {
		part = n < TILE ? n : TILE;
		cast_run(&m->load, x, a, part);
		cast_run(&m->load, y, b, part);
		add_float(m, a, b, part);
		cast_run(&m->store, a, x, part);
		x += part * m->nbytes;
		y += part * m->nbytes;
	}
}

static void divide_half(const struct mean *m, void *acc, size_t n)
{
	unsigned char *x = acc;
	float a[TILE];
	size_t part;

	for (; n; n -= part) {
		part = n < TILE ? n : TILE;
		cast_run(&m->load, x, a, part);
		divide_float(m, a, part);
		cast_run(&m->store, a, x, part);
		x += part * m->nbytes;
	}
}

bool mean_init(struct mean *out, enum ferry_dtype dtype, uint64_t divisor)
{
	struct mean m = { .divisor = divisor };

	m.nbytes = ferry_dtype_size(dtype);
	switch (dtype) {
	case FERRY_F64:
		m.add = add_double;
		m.divide = divide_double;
		break;
	case FERRY_F32:
		m.add = add_float;
		m.divide = divide_float;
		break;
	case FERRY_F16:
	case FERRY_BF16:
		m.add = add_half;
		m.divide = divide_half;
		cast_init(&m.load, dtype, FERRY_F32);
		cast_init(&m.store, FERRY_F32, dtype);
		break;
	case FERRY_C64:
		m.add = add_complex_float;
		m.divide = divide_complex_float;
		break;
	case FERRY_C128:
		m.add = add_complex_double;
		m.divide = divide_complex_double;
		break;
	default:
		return false;
	}
	*out = m;
	return true;
}
