/*
 * Statistics of a tensor's elements.
 */
#ifndef CLI_STATS_H
#define CLI_STATS_H

#include <ferry/tensor.h>

struct cli_stats {
	bool known;		/* plain real numbers with data */
	uint64_t n_finite, n_nan, n_inf, n_zero;
	double min, max, mean, std;	/* of the finite; std of a population */
};

/* Read the tensor in pieces. */
int cli_stats(struct cli_stats *out, const struct ferry_tensor *t,
	      struct ferry_error *err);

#endif
