/*
 * The options that say what a conversion is to do, shared by convert and plan.
 */
#ifndef CLI_JOB_H
#define CLI_JOB_H

#include <ferry/plan.h>

#include "cli/argument.h"

struct cli_list {
	const char **items;
	size_t n, cap;
};

struct cli_job {
	struct ferry_job job;	/* complete after cli_job_finish() */
	struct ferry_run_options run;
	struct ferry_edit *edits;
	size_t n_edits, edits_cap;
	struct cli_list with, settings, select, allow_loss;
	char **texts;		/* pieces cut out of arguments */
	size_t n_texts, texts_cap;
};

/* Ids below 500 are theirs. */
extern const struct cli_option cli_job_options[];
extern const struct cli_option cli_run_options[];

/* All zero to start. */
void cli_job_release(struct cli_job *j);

/* Take one option; CLI_END, or CLI_USAGE with a message printed. */
int cli_job_take(struct cli *c, struct cli_job *j, int id, const char *arg);

/* Operands: the last is the output unless !with_output. */
void cli_job_finish(struct cli *c, struct cli_job *j, bool with_output);

/*
 * Make the plan.  Returns an exit status; on failure the error was printed,
 * with a hint where types and formats were mixed up.
 */
int cli_job_plan(struct cli *c, const struct cli_job *j,
		 struct ferry_plan **out);

#endif
