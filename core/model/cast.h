/* Kernels that convert runs of elements; see ferry_op_cast(). */
#ifndef CORE_MODEL_CAST_H
#define CORE_MODEL_CAST_H

#include <stddef.h>

#include <ferry/dtype.h>

/* n elements; in and out do not overlap and need no alignment. */
typedef void cast_kernel(const void *in, void *out, size_t n);

/*
 * Either one kernel does it, or elements pass through a wide type (float,
 * double, int64 or uint64) a tile at a time.
 */
struct cast {
	cast_kernel *direct;
	cast_kernel *load, *store;
	unsigned in_nbytes, out_nbytes;	/* of one element */
	unsigned in_parts, out_parts;	/* 2: complex */
	unsigned wide_nbytes;
	bool to_bool;
};

/* False when the pair is not convertible. */
bool cast_init(struct cast *out, enum ferry_dtype from, enum ferry_dtype to);

void cast_run(const struct cast *cast, const void *in, void *out, size_t n);

/* What the CPU, and FERRY_CPU, allow. */
enum cast_level {
	CAST_SCALAR,
	CAST_AVX2,		/* with F16C */
	CAST_AVX512,		/* F, BW, VL */
};

enum cast_level cast_cpu(void);

/* The best kernel of at most `level` for the pair, or NULL. */
cast_kernel *cast_wide(enum ferry_dtype from, enum ferry_dtype to,
		       enum cast_level level);

#endif
