/* Statistics of a tensor's elements. */
#include "config.h"

#include "cli/stats.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/element.h"
#include "cli/memory.h"

#define STEP 65536

/* Welford's update: no sum grows with the number of elements. */
static void add(struct cli_stats *s, double *m2, double x)
{
	double delta;

	if (isnan(x)) {
		s->n_nan++;
		return;
	}
	if (isinf(x)) {
		s->n_inf++;
		return;
	}
	if (!s->n_finite || x < s->min)
		s->min = x;
	if (!s->n_finite || x > s->max)
		s->max = x;
	s->n_zero += x == 0;
	s->n_finite++;
	delta = x - s->mean;
	s->mean += delta / (double)s->n_finite;
	*m2 += delta * (x - s->mean);
}

int cli_stats(struct cli_stats *out, const struct ferry_tensor *t,
	      struct ferry_error *err)
{
	enum ferry_dtype dtype = (enum ferry_dtype)t->dtype;
	uint64_t nelem = ferry_tensor_nelem(t);
	size_t step = nelem < STEP ? (size_t)nelem : STEP;
	unsigned char *data;
	double *values, m2 = 0;
	int rc = 0;

	memset(out, 0, sizeof(*out));
	if (!t->storage || cli_element_numbers(dtype) != 1)
		return 0;
	data = cli_array(step, 8);
	values = cli_array(step, sizeof(*values));
	for (uint64_t i = 0; i < nelem && !rc; i += step) {
		size_t n = nelem - i < step ? (size_t)(nelem - i) : step;

		rc = ferry_tensor_read(t, i, n, data, err);
		if (rc)
			break;
		cli_elements(dtype, data, n, values);
		for (size_t k = 0; k < n; k++)
			add(out, &m2, values[k]);
	}
	out->known = !rc;
	if (out->n_finite)
		out->std = sqrt(m2 / (double)out->n_finite);
	free(data);
	free(values);
	return rc;
}
