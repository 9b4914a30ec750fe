/*
 * The options that say what a conversion is to do, shared by convert, plan and
 * average.
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
	struct ferry_job job;	/* complete when a verb acts on it */
	struct ferry_run_options run;
	struct ferry_edit *edits;
	size_t n_edits, edits_cap;
	struct cli_list with, settings, select, allow_loss, map_paths;
	bool default_name;	/* no operand is the output */
	bool needs_output;	/* the verb writes */
	/* Takes the verb's own options, from id 500 on: CLI_END or CLI_USAGE. */
	int (*other)(struct cli *c, struct cli_job *j, int id,
		     const char *arg);
	void *own;		/* the verb's */
	char **texts;		/* pieces cut out of arguments */
	size_t n_texts, texts_cap;
};

#define CLI_JOB_OTHER 500

/* Ids below CLI_JOB_OTHER are theirs. */
extern const struct cli_option cli_job_options[];
extern const struct cli_option cli_run_options[];

/*
 * Read the options and operands of a verb and act on the job; all zero to
 * start, but for what the verb itself wants of it.  Returns an exit status.
 */
int cli_job_run(struct cli *c, struct cli_job *j,
		int (*act)(struct cli *c, struct cli_job *j));

/* Keep a text of malloc() as long as the job. */
char *cli_job_keep(struct cli_job *j, char *text);

#endif
