/* Conversion kernels in plain C: the meaning of every pair of dtypes. */
#include "config.h"

#include "core/model/cast.h"

#include <string.h>

#include "core/model/cast_number.h"

#define TILE 256

enum wide {
	WIDE_F32,
	WIDE_F64,
	WIDE_I64,
	WIDE_U64,
	N_WIDE,
};

static const unsigned wide_nbytes[N_WIDE] = { 4, 8, 8, 8 };

/* Unaligned access to an element. */
#define UNALIGNED(type) \
	struct at_##type { \
		type v; \
	} __attribute__((packed, may_alias))

UNALIGNED(uint8_t);
UNALIGNED(int8_t);
UNALIGNED(uint16_t);
UNALIGNED(int16_t);
UNALIGNED(uint32_t);
UNALIGNED(int32_t);
UNALIGNED(uint64_t);
UNALIGNED(int64_t);
UNALIGNED(float);
UNALIGNED(double);

#define KERNEL(name, from, to, expr) \
	static void name(const void *in, void *out, size_t n) \
	{ \
		const struct at_##from *x = in; \
		struct at_##to *y = out; \
		size_t i; \
	\
		for (i = 0; i < n; i++) { \
			from v = x[i].v; \
	\
			y[i].v = (to)(expr); \
		} \
	}

KERNEL(load_bool, uint8_t, int64_t, v != 0)
KERNEL(load_u8, uint8_t, int64_t, v)
KERNEL(load_i8, int8_t, int64_t, v)
KERNEL(load_u16, uint16_t, int64_t, v)
KERNEL(load_i16, int16_t, int64_t, v)
KERNEL(load_u32, uint32_t, int64_t, v)
KERNEL(load_i32, int32_t, int64_t, v)
KERNEL(load_8, uint64_t, uint64_t, v)
KERNEL(load_4, uint32_t, uint32_t, v)
KERNEL(load_f16, uint16_t, float, number_from_f16(v))
KERNEL(load_bf16, uint16_t, uint32_t, (uint32_t)v << 16)
KERNEL(load_e4m3fn, uint8_t, float, number_from_e4m3fn(v))
KERNEL(load_e5m2, uint8_t, float, number_from_e5m2(v))
KERNEL(load_e4m3fnuz, uint8_t, float, number_from_fnuz(v, 3, 8))
KERNEL(load_e5m2fnuz, uint8_t, float, number_from_fnuz(v, 2, 16))
KERNEL(load_e8m0, uint8_t, float, number_from_e8m0(v))

/* On the way to integers the NaN of these three is 0 in torch. */
KERNEL(load_e4m3fnuz_0, uint8_t, float,
       v == 0x80 ? 0 : number_from_fnuz(v, 3, 8))
KERNEL(load_e5m2fnuz_0, uint8_t, float,
       v == 0x80 ? 0 : number_from_fnuz(v, 2, 16))
KERNEL(load_e8m0_0, uint8_t, float, v == 0xff ? 0 : number_from_e8m0(v))

/*
 * All stores from one wide type.  Integers reach the narrow floats through
 * float, doubles too: that is how torch rounds them, twice.
 */
#define STORES(w, wide, narrow32, to_u32, to_i64, to_u64) \
	KERNEL(w##_to_bool, wide, uint8_t, v != 0) \
	KERNEL(w##_to_u8, wide, uint8_t, to_i64) \
	KERNEL(w##_to_i8, wide, uint8_t, narrow32) \
	KERNEL(w##_to_16, wide, uint16_t, narrow32) \
	KERNEL(w##_to_i32, wide, uint32_t, narrow32) \
	KERNEL(w##_to_u32, wide, uint32_t, to_u32) \
	KERNEL(w##_to_i64, wide, int64_t, to_i64) \
	KERNEL(w##_to_u64, wide, uint64_t, to_u64) \
	KERNEL(w##_to_f16, wide, uint16_t, number_to_f16((float)v)) \
	KERNEL(w##_to_bf16, wide, uint16_t, number_to_bf16((float)v, 0x7fc0)) \
	KERNEL(w##_to_f32, wide, float, v) \
	KERNEL(w##_to_f64, wide, double, v) \
	KERNEL(w##_to_e4m3fn, wide, uint8_t, number_to_e4m3fn((float)v)) \
	KERNEL(w##_to_e5m2, wide, uint8_t, number_to_e5m2((float)v)) \
	KERNEL(w##_to_e4m3fnuz, wide, uint8_t, \
	       number_to_fnuz((float)v, 3, 8)) \
	KERNEL(w##_to_e5m2fnuz, wide, uint8_t, \
	       number_to_fnuz((float)v, 2, 16)) \
	KERNEL(w##_to_e8m0, wide, uint8_t, number_to_e8m0((float)v)) \
	\
	static cast_kernel *const w##_stores[FERRY_N_DTYPES] = { \
		[FERRY_BOOL8] = w##_to_bool, \
		[FERRY_U8] = w##_to_u8, \
		[FERRY_I8] = w##_to_i8, \
		[FERRY_U16] = w##_to_16, \
		[FERRY_I16] = w##_to_16, \
		[FERRY_U32] = w##_to_u32, \
		[FERRY_I32] = w##_to_i32, \
		[FERRY_U64] = w##_to_u64, \
		[FERRY_I64] = w##_to_i64, \
		[FERRY_F16] = w##_to_f16, \
		[FERRY_BF16] = w##_to_bf16, \
		[FERRY_F32] = w##_to_f32, \
		[FERRY_F64] = w##_to_f64, \
		[FERRY_F8_E4M3FN] = w##_to_e4m3fn, \
		[FERRY_F8_E5M2] = w##_to_e5m2, \
		[FERRY_F8_E4M3FNUZ] = w##_to_e4m3fnuz, \
		[FERRY_F8_E5M2FNUZ] = w##_to_e5m2fnuz, \
		[FERRY_F8_E8M0FNU] = w##_to_e8m0, \
	};

STORES(f32, float, number_to_i32(v), number_to_u32(v), number_to_i64(v),
       number_to_u64(v))
STORES(f64, double, number_to_i32(v), number_to_u32(v), number_to_i64(v),
       number_to_u64(v))
STORES(i64, int64_t, v, v, v, v)
STORES(u64, uint64_t, v, v, v, v)

/* float16 and the float8 kinds reach uint32 by way of int64. */
KERNEL(f32_to_u32_i64, float, uint32_t, number_to_i64(v))

/* torch's vector kernels for these two pairs make every NaN all ones. */
KERNEL(f32_to_bf16_ones, float, uint16_t, number_to_bf16(v, 0xffff))
KERNEL(f64_to_bf16_ones, double, uint16_t, number_to_bf16((float)v, 0xffff))

static cast_kernel *const *const stores[N_WIDE] = {
	f32_stores, f64_stores, i64_stores, u64_stores,
};

static const struct {
	cast_kernel *load;
	enum wide wide;
} loads[FERRY_N_DTYPES] = {
	[FERRY_BOOL8] = { load_bool, WIDE_I64 },
	[FERRY_U8] = { load_u8, WIDE_I64 },
	[FERRY_I8] = { load_i8, WIDE_I64 },
	[FERRY_U16] = { load_u16, WIDE_I64 },
	[FERRY_I16] = { load_i16, WIDE_I64 },
	[FERRY_U32] = { load_u32, WIDE_I64 },
	[FERRY_I32] = { load_i32, WIDE_I64 },
	[FERRY_U64] = { load_8, WIDE_U64 },
	[FERRY_I64] = { load_8, WIDE_I64 },
	[FERRY_F16] = { load_f16, WIDE_F32 },
	[FERRY_BF16] = { load_bf16, WIDE_F32 },
	[FERRY_F32] = { load_4, WIDE_F32 },
	[FERRY_F64] = { load_8, WIDE_F64 },
	[FERRY_F8_E4M3FN] = { load_e4m3fn, WIDE_F32 },
	[FERRY_F8_E5M2] = { load_e5m2, WIDE_F32 },
	[FERRY_F8_E4M3FNUZ] = { load_e4m3fnuz, WIDE_F32 },
	[FERRY_F8_E5M2FNUZ] = { load_e5m2fnuz, WIDE_F32 },
	[FERRY_F8_E8M0FNU] = { load_e8m0, WIDE_F32 },
};

/* The dtype of a complex number's parts, or the dtype itself. */
static enum ferry_dtype part_of(enum ferry_dtype dtype)
{
	switch (dtype) {
	case FERRY_C32:
		return FERRY_F16;
	case FERRY_C64:
		return FERRY_F32;
	case FERRY_C128:
		return FERRY_F64;
	default:
		return dtype;
	}
}

/* Elements of the same part dtype are moved, not converted: a NaN stays. */
static enum ferry_dtype as_integer(unsigned nbytes)
{
	switch (nbytes) {
	case 1:
		return FERRY_U8;
	case 2:
		return FERRY_U16;
	case 4:
		return FERRY_U32;
	default:
		return FERRY_I64;
	}
}

static bool is_integer(enum ferry_dtype dtype)
{
	return dtype >= FERRY_U8 && dtype <= FERRY_I64;
}

/* Where the source decides more than its wide type does. */
static void adjust(struct cast *c, enum ferry_dtype from, enum ferry_dtype to)
{
	if (to == FERRY_U32 && c->wide_nbytes == 4 && from != FERRY_F32 &&
	    from != FERRY_BF16)
		c->store = f32_to_u32_i64;
	if (!is_integer(to))
		return;
	if (from == FERRY_F8_E4M3FNUZ)
		c->load = load_e4m3fnuz_0;
	else if (from == FERRY_F8_E5M2FNUZ)
		c->load = load_e5m2fnuz_0;
	else if (from == FERRY_F8_E8M0FNU)
		c->load = load_e8m0_0;
}

static cast_kernel *direct_of(enum ferry_dtype from, enum ferry_dtype to)
{
	cast_kernel *wide = cast_wide(from, to, cast_cpu());

	if (wide)
		return wide;
	if (to == FERRY_BF16 && from == FERRY_F32)
		return f32_to_bf16_ones;
	if (to == FERRY_BF16 && from == FERRY_F64)
		return f64_to_bf16_ones;
	if (from == FERRY_F32)
		return stores[WIDE_F32][to];
	if (from == FERRY_F64)
		return stores[WIDE_F64][to];
	return NULL;
}

bool cast_init(struct cast *out, enum ferry_dtype from, enum ferry_dtype to)
{
	enum ferry_dtype in_part = part_of(from), out_part = part_of(to);
	struct cast c = { 0 };

	if (!loads[in_part].load || !stores[WIDE_F32][out_part])
		return false;
	c.in_nbytes = ferry_dtype_size(from);
	c.out_nbytes = ferry_dtype_size(to);
	c.in_parts = in_part == from ? 1 : 2;
	c.out_parts = out_part == to ? 1 : 2;
	c.to_bool = to == FERRY_BOOL8;
	if (c.in_parts == c.out_parts && in_part != out_part)
		c.direct = direct_of(in_part, out_part);
	if (in_part == out_part && !c.to_bool)
		in_part = out_part = as_integer(ferry_dtype_size(in_part));
	c.wide_nbytes = wide_nbytes[loads[in_part].wide];
	c.load = loads[in_part].load;
	c.store = stores[loads[in_part].wide][out_part];
	adjust(&c, in_part, out_part);
	*out = c;
	return true;
}

/* Between complex and real, in the wide type: keep, or make, real parts. */
static void keep_real(unsigned char *wide, size_t n, unsigned nbytes)
{
	size_t i;

	for (i = 1; i < n; i++)
		memmove(wide + i * nbytes, wide + 2 * i * nbytes, nbytes);
}

static void make_complex(unsigned char *wide, size_t n, unsigned nbytes)
{
	size_t i;

	for (i = n; i--; ) {
		memmove(wide + 2 * i * nbytes, wide + i * nbytes, nbytes);
		memset(wide + (2 * i + 1) * nbytes, 0, nbytes);
	}
}

/* A complex number is true when either part is. */
static void any_part(const unsigned char *parts, unsigned char *out, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		out[i] = parts[2 * i] | parts[2 * i + 1];
}

static void run_tile(const struct cast *c, const unsigned char *in,
		     unsigned char *out, size_t n)
{
	unsigned char wide[2 * TILE * sizeof(uint64_t)]
		__attribute__((aligned(16)));
	unsigned char parts[2 * TILE];

	c->load(in, wide, n * c->in_parts);
	if (c->in_parts > c->out_parts && c->to_bool) {
		c->store(wide, parts, 2 * n);
		any_part(parts, out, n);
		return;
	}
	if (c->in_parts > c->out_parts)
		keep_real(wide, n, c->wide_nbytes);
	else if (c->in_parts < c->out_parts)
		make_complex(wide, n, c->wide_nbytes);
	c->store(wide, out, n * c->out_parts);
}

void cast_run(const struct cast *c, const void *in, void *out, size_t n)
{
	const unsigned char *from = in;
	unsigned char *to = out;
	size_t part;

	if (c->direct) {
		c->direct(in, out, n * c->in_parts);
		return;
	}
	for (; n; n -= part) {
		part = n < TILE ? n : TILE;
		run_tile(c, from, to, part);
		from += part * c->in_nbytes;
		to += part * c->out_nbytes;
	}
}
