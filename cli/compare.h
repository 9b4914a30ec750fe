/*
 * Comparing two files, for diff and verify: prints each difference and a
 * summary on stdout, or a JSON report.
 */
#ifndef CLI_COMPARE_H
#define CLI_COMPARE_H

#include <jansson.h>

#include "cli/argument.h"
#include "cli/session.h"

struct cli_comparison {
	bool weights;		/* the models' weights alone */
	bool structure_only;	/* no values and no data */
	bool strict;		/* also strides, sharing, container kinds */
	double atol, rtol;
	/* results */
	bool equal;
	uint64_t tensors_equal, values_equal, nbytes;
	json_t *json;		/* made with --json: the caller's to print */
};

/* Returns an exit status for failures (printed); CLI_DONE else, also when the
 * files differ. */
int cli_compare(struct cli *c, struct cli_comparison *how, struct cli_file *a,
		struct cli_file *b);

/* "ATOL[,RTOL]"; false when it is none. */
bool cli_parse_tolerance(const char *text, struct cli_comparison *how);

#endif
