/* Kernels that add runs of elements up and divide them; see ferry_op_mean(). */
#ifndef CORE_MODEL_MEAN_H
#define CORE_MODEL_MEAN_H

#include "core/model/cast.h"

struct mean {
	/* acc += in, and acc /= divisor, for n elements that need no
	 * alignment and do not overlap. */
	void (*add)(const struct mean *m, void *acc, const void *in, size_t n);
	void (*divide)(const struct mean *m, void *acc, size_t n);
	uint64_t divisor;
	unsigned nbytes;		/* of one element */
	struct cast load, store;	/* float16, bfloat16: to float and back */
};

/* False when elements of the dtype can't be added and divided. */
bool mean_init(struct mean *out, enum ferry_dtype dtype, uint64_t divisor);

#endif
