/*
 * Carrying a job out.
 */
#ifndef CLI_CARRY_H
#define CLI_CARRY_H

#include "cli/job.h"

/*
 * Open the session, name the output where its type does, and make the plan.
 * Returns an exit status; on failure the error was printed, with a hint where
 * types and formats were mixed up.
 */
int cli_plan_job(struct cli *c, struct cli_job *j, struct ferry_plan **out);

/* enum ferry_format_flags of the format that is written; 0: none is. */
uint32_t cli_output_flags(const struct cli *c, const struct ferry_plan *p);

/* Plan, and write the output unless losses forbid it. */
int cli_carry(struct cli *c, struct cli_job *j);

#endif
