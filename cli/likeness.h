/*
 * The data of two tensors, or two runs of bytes, side by side.
 */
#ifndef CLI_LIKENESS_H
#define CLI_LIKENESS_H

#include <ferry/tensor.h>

struct cli_likeness {
	uint64_t n_beyond;	/* elements outside the tolerance */
	bool numeric;		/* both are plain numbers: `largest` is known */
	double largest;		/* difference; NaN against a number: infinity */
};

/*
 * Read both (same shape) and count elements that differ: bit by bit, or by
 * more than atol + rtol * |b| when one is not 0 or the dtypes differ.  Nothing
 * is read where one has no data, or two dtypes are not both plain numbers.
 */
int cli_likeness(struct cli_likeness *out, const struct ferry_tensor *a,
		 const struct ferry_tensor *b, double atol, double rtol,
		 struct ferry_error *err);

/* A storage as a tensor of bytes; shape and stride (one each) are kept by the
 * caller as long as the result. */
struct ferry_tensor cli_whole_storage(struct ferry_storage *st, uint64_t *shape,
				      int64_t *stride);

/* Compare two BYTES, in memory or in their files. */
int cli_same_bytes(const struct ferry_value *a, const struct ferry_value *b,
		   bool *equal, struct ferry_error *err);

#endif
