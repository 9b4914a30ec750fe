/*
 * A text file in the making: written beside its name, renamed when whole, so
 * that nobody meets half of it.  One that is there is replaced.
 */
#ifndef CLI_DRAFT_H
#define CLI_DRAFT_H

#include <stdbool.h>
#include <stdio.h>

#include <ferry/error.h>

struct cli_draft {
	FILE *f;		/* write here */
	char *temp;
	const char *path;	/* borrowed */
};

int cli_draft_open(struct cli_draft *d, const char *path,
		   struct ferry_error *err);
/* Rename, or with keep false remove; closes either way. */
int cli_draft_close(struct cli_draft *d, bool keep, struct ferry_error *err);

#endif
