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

static const char *text_of(const struct seeking *s, const char *name)
{
	const char *text = s->get ? s->get(s->ctx, name) : getenv(name);

	return text && *text ? text : NULL;
}

/* 1: set, and a number; 0: not set. */
static int number(const struct seeking *s, const char *name, uint32_t *out)
{
	const char *text = text_of(s, name);
	char shown[64];
	uint64_t n = 0;

	if (!text)
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

/* Both of a pair: 1; no index: 0. */
static int pair(const struct seeking *s, const char *index, const char *count,
		struct ferry_shard *out)
{
	int a = number(s, index, &out->index);
	int b = a <= 0 ? a : number(s, count, &out->count);

	if (a <= 0 || b < 0)
		return a <= 0 ? a : b;
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
	uint32_t least = 1, most = 0, step = 1;
	int rc = number(s, "SLURM_ARRAY_TASK_MIN", &least);

	if (rc >= 0)
		rc = number(s, "SLURM_ARRAY_TASK_MAX", &most);
	if (rc >= 0)
		rc = number(s, "SLURM_ARRAY_TASK_STEP", &step);
	if (rc < 0)
		return rc;
	if (!least && step == 1 && most + 1 == a->count && a->index <= most)
		return 0;
	return ferry_fail(s->err, FERRY_MISUSE, "shard", FERRY_NO_OFFSET,
			  "this is task %u of an array of %u that are not 0 to "
			  "%u, so that some shards would never be worked on: "
			  "give --shard \"$SLURM_ARRAY_TASK_ID/N\" with the N "
			  "of the whole array", a->index, a->count,
			  a->count - 1);
}

static int from_array(const struct seeking *s, struct ferry_shard *out)
{
	int rc = number(s, "SLURM_ARRAY_TASK_ID", &out->index);
	int n = rc <= 0 ? 0 : number(s, "SLURM_ARRAY_TASK_COUNT", &out->count);

	if (rc <= 0 || n < 0)
		return rc <= 0 ? rc : n;
	if (!n || !out->count)
		return ferry_fail(s->err, FERRY_MISUSE, "shard",
				  FERRY_NO_OFFSET, "SLURM_ARRAY_TASK_ID is set "
				  "but SLURM_ARRAY_TASK_COUNT does not tell of "
				  "how many: give --shard I/N");
	rc = check_array(s, out);
	return rc ? rc : 1;
}

/* A batch script sees a rank, too, and is none: only a step has one. */
static int from_step(const struct seeking *s, struct ferry_shard *out)
{
	uint32_t tasks = 1;
	int rc;

	if (text_of(s, "SLURM_STEP_ID")) {
		rc = pair(s, "SLURM_PROCID", "SLURM_STEP_NUM_TASKS", out);
		return rc ? rc :
		       ferry_fail(s->err, FERRY_MISUSE, "shard",
				  FERRY_NO_OFFSET, "SLURM_STEP_ID is set but "
				  "SLURM_PROCID is not: give --shard I/N");
	}
	rc = number(s, "SLURM_NTASKS", &tasks);
	if (rc < 0 || tasks == 1)
		return rc < 0 ? rc : 0;
	return ferry_fail(s->err, FERRY_MISUSE, "shard", FERRY_NO_OFFSET,
			  "this is the batch script of %u tasks and not one of "
			  "them: start it with srun, or give --shard I/N",
			  tasks);
}

static int from_index(const struct seeking *s, uint32_t count,
		      struct ferry_shard *out)
{
	int rc = number(s, "JOB_COMPLETION_INDEX", &out->index);
	int n = rc <= 0 ? 0 : number(s, "FERRY_SHARDS", &out->count);

	if (rc <= 0 || n < 0)
		return rc <= 0 ? rc : n;
	if (n && count && out->count != count)
		return ferry_fail(s->err, FERRY_MISUSE, "shard",
				  FERRY_NO_OFFSET, "FERRY_SHARDS says %u and "
				  "--shards says %u", out->count, count);
	if (!n)
		out->count = count;
	if (out->index < out->count)
		return 1;
	return ferry_fail(s->err, FERRY_MISUSE, "shard", FERRY_NO_OFFSET,
			  out->count ? "JOB_COMPLETION_INDEX is %u, which is "
			  "not below the count of shards, %u" :
			  "JOB_COMPLETION_INDEX is %u but nothing tells of how "
			  "many: give --shards N or set FERRY_SHARDS",
			  out->index, out->count);
}

/* ---- what they say together ---------------------------------------------- */

/* What each engine says; a count of 0: nothing. */
struct said {
	struct ferry_shard array, step, mpi, pmi, pod;
	bool ranked;		/* PMIx: a rank, and no count */
	uint32_t rank;
};

static int ask(const struct seeking *s, uint32_t count, struct said *out)
{
	int rc = pair(s, "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE",
		      &out->mpi);

	if (rc >= 0)
		rc = from_array(s, &out->array);
	/* Within a step of Slurm, ranks of Open MPI are children of one task,
	 * whose number they all see: theirs is the finer. */
	if (rc >= 0 && !out->mpi.count)
		rc = from_step(s, &out->step);
	if (rc >= 0)
		rc = pair(s, "PMI_RANK", "PMI_SIZE", &out->pmi);
	if (rc >= 0)
		rc = number(s, "PMIX_RANK", &out->rank);
	out->ranked = rc > 0;
	if (rc >= 0)
		rc = from_index(s, count, &out->pod);
	return rc < 0 ? rc : 0;
}

static int disagree(const struct seeking *s, const char *who,
		    const struct ferry_shard *a, const struct ferry_shard *pmi)
{
	if (!a->count || !pmi->count ||
	    (a->index == pmi->index && a->count == pmi->count))
		return 0;
	return ferry_fail(s->err, FERRY_MISUSE, "shard", FERRY_NO_OFFSET,
			  "%s says %u of %u and PMI says %u of %u: give --shard "
			  "I/N", who, a->index, a->count, pmi->index,
			  pmi->count);
}

/* PMIx tells a rank alone. */
static int check_rank(const struct seeking *s, const struct said *t)
{
	const struct ferry_shard *a = t->mpi.count ? &t->mpi :
				      t->step.count ? &t->step : &t->pmi;

	if (!t->ranked || (a->count && a->index == t->rank))
		return 0;
	return ferry_fail(s->err, FERRY_MISUSE, "shard", FERRY_NO_OFFSET,
			  a->count ? "PMIX_RANK is %u and another variable "
			  "says %u of %u: give --shard I/N" : "PMIX_RANK is %u "
			  "but nothing tells of how many: give --shard I/N",
			  t->rank, a->index, a->count);
}

static int check_agreement(const struct seeking *s, const struct said *t)
{
	bool ranks = t->mpi.count || (t->pmi.count && !t->step.count);
	int rc;

	if (t->pod.count && (ranks || t->array.count || t->step.count))
		return ferry_fail(s->err, FERRY_MISUSE, "shard",
				  FERRY_NO_OFFSET, "JOB_COMPLETION_INDEX is "
				  "set beside the variables of another engine: "
				  "give --shard I/N");
	if (ranks && t->array.count)
		return ferry_fail(s->err, FERRY_MISUSE, "shard",
				  FERRY_NO_OFFSET, "%s within an array of "
				  "Slurm: give --shard I/N with both in it",
				  t->mpi.count ? "Open MPI" : "PMI");
	rc = disagree(s, "Open MPI", &t->mpi, &t->pmi);
	if (!rc)
		rc = disagree(s, "Slurm", &t->step, &t->pmi);
	return rc ? rc : check_rank(s, t);
}

/* Tasks of the array times those of each one's step. */
static int multiply(const struct seeking *s, const struct said *t,
		    struct ferry_shard *out)
{
	struct ferry_shard a = t->array.count ? t->array :
			       (struct ferry_shard){ 0, 1 };
	struct ferry_shard b = t->step.count ? t->step :
			       (struct ferry_shard){ 0, 1 };

	if ((uint64_t)a.count * b.count > MOST)
		return ferry_fail(s->err, FERRY_LIMIT, "shard",
				  FERRY_NO_OFFSET, "%u array tasks of %u steps "
				  "are too many shards", a.count, b.count);
	out->index = a.index * b.count + b.index;
	out->count = a.count * b.count;
	return 0;
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
	const struct seeking s = { get, ctx, err };
	struct said t = { .ranked = false };
	int rc = ask(&s, count, &t);

	if (!rc)
		rc = check_agreement(&s, &t);
	if (rc)
		return rc;
	if (t.array.count || t.step.count)
		rc = multiply(&s, &t, out);
	else if (t.mpi.count || t.pmi.count || t.pod.count)
		*out = t.mpi.count ? t.mpi : t.pmi.count ? t.pmi : t.pod;
	else
		rc = ferry_fail(err, FERRY_MISUSE, "shard", FERRY_NO_OFFSET,
				"nothing in the environment tells of a shard "
				"(Slurm, Open MPI, PMI, Kubernetes): give "
				"--shard I/N");
	return rc ? rc : check_count(&s, count, out);
}
