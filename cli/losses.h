/*
 * The losses and notes of a plan, for people.
 */
#ifndef CLI_LOSSES_H
#define CLI_LOSSES_H

#include <ferry/plan.h>

#include "cli/argument.h"

/* List what would be lost and which flag allows it, on stderr. */
void cli_print_losses(const struct cli *c, const char *path,
		      const struct ferry_job *job, const struct ferry_plan *p);

/* Each kind that --allow-loss names and nothing here is of: a misspelt one is
 * CLI_MISUSED, another is noted. */
int cli_check_loss_kinds(struct cli *c, const struct ferry_job *job,
			 const struct ferry_plan *p);

/* Something the output will not have, as against a remark. */
bool cli_is_loss(const struct ferry_finding *f);

/* A loss of the plan that the job does not allow. */
bool cli_is_refused(const struct ferry_job *job,
		    const struct ferry_finding *f);

#endif
