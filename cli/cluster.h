/*
 * ferry migrate --slurm and --kubernetes: jobs that work through the shards of
 * a frozen manifest.
 */
#ifndef CLI_CLUSTER_H
#define CLI_CLUSTER_H

#include <stdio.h>

#include "cli/argument.h"
#include "cli/job.h"
#include "cli/workload.h"

struct cli_cluster {
	bool slurm, submit, kubernetes;
	const char *ferry;	/* the command as the nodes find it */
	struct cli_list slurm_options;	/* "--partition=gpu" */
	const char *image;
	struct cli_list claims;	/* "NAME:PATH" */
	/* Of the run, for the command lines of the workers. */
	struct cli_list pass;	/* "--verify", "--overwrite" */
	unsigned workers;	/* 0: 2 */
	uint64_t max_memory;	/* 0: the default */
};

/* Ids from 700. */
extern const struct cli_option cli_cluster_options[];

/* Take an option: CLI_END, or CLI_USAGE with its message printed. */
int cli_cluster_take(struct cli *c, struct cli_cluster *k, int id,
		     const char *arg);
/* Likewise, when all are taken. */
int cli_cluster_check(struct cli *c, const struct cli_cluster *k);
/* An option for the workers, borrowed. */
void cli_cluster_pass(struct cli_cluster *k, const char *option);
void cli_cluster_release(struct cli_cluster *k);

/* True when jobs are wanted. */
static inline bool cli_cluster_wanted(const struct cli_cluster *k)
{
	return k->slurm || k->kubernetes;
}

/* Write, and submit where asked for, jobs for a frozen manifest.  Returns an
 * exit status. */
int cli_cluster_write(struct cli *c, struct cli_cluster *k,
		      const char *manifest);

/* ---- for the writers ---------------------------------------------------- */

struct cli_command {
	struct cli_list words;	/* "ferry", "migrate", ... */
	char **texts;
	size_t n_texts, texts_cap;
};

/* What a job works with. */
struct cli_jobs {
	const struct cli_cluster *cluster;
	struct cli_workload work;
	struct cli_request request;
	struct cli_command whole;	/* ferry migrate MANIFEST ..., which a
					 * shard may follow */
	struct cli_command *verify;	/* ferry verify DST --ledger */
	size_t n_verify;
	char *cwd;
	char *script, *verify_script;	/* paths of what was written */
	char *job, *verify_job;		/* submitted */
};

/* 0 or an error code. */
int cli_slurm_write(struct cli_jobs *jobs, struct ferry_error *err);
int cli_slurm_submit(struct cli_jobs *jobs, struct ferry_error *err);
int cli_kubernetes_write(struct cli_jobs *jobs, struct ferry_error *err);

/* A file of them, whole or not at all. */
int cli_jobs_write(const struct cli_jobs *jobs, const char *path,
		   void (*put)(FILE *f, const struct cli_jobs *jobs),
		   struct ferry_error *err);
/* "12 items, 3.4 GB, in 16 parts of at most 300 MB". */
void cli_jobs_describe(const struct cli_jobs *jobs, FILE *f);

#endif
