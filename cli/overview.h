/*
 * What a file is, at a glance.
 */
#ifndef CLI_OVERVIEW_H
#define CLI_OVERVIEW_H

#include <jansson.h>

#include "cli/session.h"
#include "cli/survey.h"

struct cli_overview {
	struct cli_file file;
	uint64_t nbytes;			/* of the file */
	const struct ferry_known *format;
	struct cli_survey survey;
	struct ferry_value *facts;		/* DICT, or NULL */
	bool has_weights;
	struct cli_sum weights;
	struct ferry_document *scan;		/* report, or NULL */
};

/* Returns an exit status; on failure the error was printed. */
int cli_overview_init(struct cli *c, struct cli_overview *o);
void cli_overview_release(struct cli_overview *o);

void cli_print_overview(const struct cli_overview *o);
/* Names that share data, below the overview. */
void cli_print_ties(const struct cli_overview *o);
json_t *cli_json_overview(const struct cli_overview *o);

#endif
