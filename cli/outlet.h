/*
 * The place of an output on the disk: whether it is free, and what stands there
 * when it was written.
 */
#ifndef CLI_OUTLET_H
#define CLI_OUTLET_H

#include <stdio.h>

#include <ferry/plan.h>

/*
 * What ferry_plan_run() would refuse about job->output, without touching it:
 * an input, no regular file, a file in the way, a directory that is not there.
 * 0, or an error code with *err filled.
 */
int cli_outlet_check(const struct ferry_job *job, bool directory,
		     struct ferry_error *err);

/* Name what was written to path: the file, or an index and its shards. */
void cli_outlet_print(FILE *f, const char *path);

#endif
