/* Which part of the work the environment says is ours. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ferry/migrate.h>

#define MOST 1000000		/* shards */

struct seeking {
	const char *(*get)(void *ctx, const char *name);
	void *ctx;
	struct ferry_error *err;
};

/* 1: set, and a number; 0: not set. */
static int number(const struct seeking *s, const char *name, uint32_t *out)
{
	const char *text = s->get ? s->get(s->ctx, name) : getenv(name);
	char shown[64];
	uint64_t n = 0;

	if (!text || !*text)
		return 0;
	for (const char *p = text; *p; p++) {
		if (*p < '0' || *p > '9' || n > MOST)
			return ferry_fail(s->err, FERRY_MISUSE, "shard",
					  FERRY_NO_OFFSET, "%s is '%s', which "
					  "is no number of a shard: give "
					  "--shard I/N", name,
					  ferry_escape(shown, sizeof(shown),
						       text, strlen(text)));
		n = n * 10 + (uint64_t)(*p - '0');
	}
	*out = (uint32_t)n;
	return 1;
}

/* Both of a pair: 1; neither: 0. */
static int pair(const struct seeking *s, const char *index, const char *count,
		struct ferry_shard *out)
{
	int a = number(s, index, &out->index);
	int b = a < 0 ? a : number(s, count, &out->count);

	if (a <= 0 || b < 0)
		return a < 0 ? a : b < 0 ? b : 0;
	if (b && out->index < out->count)
		return 1;
	return ferry_fail(s->err, FERRY_MISUSE, "shard", FERRY_NO_OFFSET,
			  b ? "%s is not below %s: give --shard I/N" :
			  "%s is set but %s is not: give --shard I/N", index,
			  count);
}

/* An array whose tasks are not exactly 0 to COUNT - 1 leaves work undone. */
static int check_array(const struct seeking *s, const struct ferry_shard *a)
{
	uint32_t least, most, step = 1;
	int rc = number(s, "SLURM_ARRAY_TASK_MIN", &least);

	if (rc > 0)
		rc = number(s, "SLURM_ARRAY_TASK_MAX", &most);
	if (rc > 0 && number(s, "SLURM_ARRAY_TASK_STEP", &step) < 0)
		return FERRY_MISUSE;
	if (rc < 0)
		return rc;
	if (rc && !least && step == 1 && most + 1 == a->count)
		return 0;
	return ferry_fail(s->err, FERRY_MISUSE, "shard", FERRY_NO_OFFSET,
			  "the array's tasks are not 0 to %u, so that some "
			  "shards would never be worked on: give --shard "
			  "\"$SLURM_ARRAY_TASK_ID/N\" with the N of the whole "
			  "array", a->count - 1);
}

static int from_array(const struct seeking *s, struct ferry_shard *out)
{
	uint32_t id;
	int rc = number(s, "SLURM_ARRAY_TASK_ID", &id);

	if (rc <= 0)
		return rc;
	rc = number(s, "SLURM_ARRAY_TASK_COUNT", &out->count);
	if (rc < 0)
		return rc;
	out->index = id;
	rc = check_array(s, out);
	return rc ? rc : 1;
}

/* A batch script sees a rank, too, and is none: only a step has one. */
static int from_step(const struct seeking *s, struct ferry_shard *out)
{
	uint32_t step, tasks;
	int rc = number(s, "SLURM_STEP_ID", &step);

	if (rc > 0)
		return pair(s, "SLURM_PROCID", "SLURM_STEP_NUM_TASKS", out);
	if (rc < 0)
		return rc;
	rc = number(s, "SLURM_NTASKS", &tasks);
	if (rc <= 0 || tasks == 1)
		return rc < 0 ? rc : 0;
	return ferry_fail(s->err, FERRY_MISUSE, "shard", FERRY_NO_OFFSET,
			  "this is the batch script of %u tasks and not one of "
			  "them: start it with srun, or give --shard I/N",
			  tasks);
}

static int from_slurm(const struct seeking *s, struct ferry_shard *out)
{
	struct ferry_shard array = { 0, 1 }, step = { 0, 1 };
	int a = from_array(s, &array), b;

	if (a < 0)
		return a;
	b = from_step(s, &step);
	if (b < 0)
		return b;
	if ((uint64_t)array.count * step.count > MOST)
		return ferry_fail(s->err, FERRY_LIMIT, "shard",
				  FERRY_NO_OFFSET, "%u array tasks of %u steps "
				  "are too many shards", array.count,
				  step.count);
	out->index = array.index * step.count + step.index;
	out->count = array.count * step.count;
	return a || b;
}

static int from_index(const struct seeking *s, uint32_t count,
		      struct ferry_shard *out)
{
	int rc = number(s, "JOB_COMPLETION_INDEX", &out->index);

	if (rc <= 0)
		return rc;
	out->count = count;
	if (!count)
		rc = number(s, "FERRY_SHARDS", &out->count);
	if (rc < 0)
		return rc;
	if (rc && out->index < out->count)
		return 1;
	return ferry_fail(s->err, FERRY_MISUSE, "shard", FERRY_NO_OFFSET,
			  out->count ? "JOB_COMPLETION_INDEX %u is not below "
			  "the count of shards, %u" : "JOB_COMPLETION_INDEX is "
			  "%u but nothing tells of how many: give --shards N "
			  "or set FERRY_SHARDS", out->index, out->count);
}

/* PMI tells of a step alone; an array multiplies it. */
static bool agrees(const struct ferry_shard *slurm,
		   const struct ferry_shard *pmi)
{
	return !(slurm->count % pmi->count) &&
	       slurm->index % pmi->count == pmi->index;
}

static int check_count(const struct seeking *s, uint32_t count,
		       const struct ferry_shard *out)
{
	if (!count || count == out->count)
		return 0;
	return ferry_fail(s->err, FERRY_MISUSE, "shard", FERRY_NO_OFFSET,
			  "the environment has %u shards and --shards says %u",
			  out->count, count);
}

int ferry_shard_from_environment(struct ferry_shard *out, uint32_t count,
				 const char *(*get)(void *ctx,
						    const char *name),
				 void *ctx, struct ferry_error *err)
{
	struct seeking s = { get, ctx, err };
	struct ferry_shard mpi = { 0, 0 }, slurm = { 0, 0 }, pmi = { 0, 0 };
	struct ferry_shard pod = { 0, 0 };
	int a, b, c, d;

	/* Within a step of Slurm, ranks of Open MPI are children of one task,
	 * whose number they all see: theirs is the finer. */
	a = pair(&s, "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", &mpi);
	b = a < 0 ? a : a ? from_array(&s, &slurm) : from_slurm(&s, &slurm);
	c = b < 0 ? b : pair(&s, "PMI_RANK", "PMI_SIZE", &pmi);
	d = c < 0 ? c : from_index(&s, count, &pod);
	if (d < 0)
		return d;
	if (d && (a || b || c))
		return ferry_fail(err, FERRY_MISUSE, "shard", FERRY_NO_OFFSET,
				  "JOB_COMPLETION_INDEX is set beside the "
				  "variables of another engine: give --shard "
				  "I/N");
	if (a && b)
		return ferry_fail(err, FERRY_MISUSE, "shard", FERRY_NO_OFFSET,
				  "Open MPI within an array of Slurm: give "
				  "--shard I/N with both in it");
	if (b && c && !agrees(&slurm, &pmi))
		return ferry_fail(err, FERRY_MISUSE, "shard", FERRY_NO_OFFSET,
				  "Slurm says %u of %u and PMI says %u of %u: "
				  "give --shard I/N", slurm.index,
				  slurm.count, pmi.index, pmi.count);
	if (!a && !b && !c && !d)
		return ferry_fail(err, FERRY_MISUSE, "shard", FERRY_NO_OFFSET,
				  "nothing in the environment tells of a shard "
				  "(Slurm, Open MPI, PMI, Kubernetes): give "
				  "--shard I/N");
	*out = a ? mpi : b ? slurm : c ? pmi : pod;
	return check_count(&s, count, out);
}
