/*
 * ferry inspect --groups: which parameters each group of a filter file takes.
 */
#ifndef CLI_GROUPS_H
#define CLI_GROUPS_H

#include "cli/session.h"

struct cli_groups {
	const char *filters;	/* the file, or a model; NULL: not asked for */
	const char *model;	/* whose stages there are, or NULL */
	const char *initial;	/* checkpoint to compare with, or NULL */
	size_t most;		/* names to list of each; 0: not given */
};

/* Print the report.  Returns an exit status. */
int cli_print_groups(struct cli *c, struct cli_file *file,
		     const struct cli_groups *g);

#endif
