/*
 * Whether a model's weights are those that a tensor schema, or another
 * checkpoint, has: by name, shape and dtype.
 */
#ifndef CLI_EXPECT_H
#define CLI_EXPECT_H

#include <jansson.h>

#include <ferry/schema.h>

#include "cli/argument.h"
#include "cli/session.h"

struct cli_expectation {
	const char *what;		/* a schema's name or file, or that of a
					 * checkpoint */
	const char **dims;		/* "NAME=INTEGER" for a schema */
	size_t n_dims;
	bool order;			/* the order of names counts */
	/* results */
	struct ferry_tensor_schema *wanted, *found;
	struct ferry_findings *misfits;
	bool fits;
};

/* Returns an exit status for failures (printed); CLI_DONE else, also when the
 * weights don't fit. */
int cli_expect(struct cli *c, struct cli_expectation *e, struct cli_file *file);
void cli_expectation_release(struct cli_expectation *e);

/* A table of what did not load and a line that sums up, for people. */
void cli_print_expectation(const struct cli_expectation *e);
json_t *cli_json_expectation(const struct cli_expectation *e);

#endif
