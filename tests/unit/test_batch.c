/* Migrations: shards of the environment, recipes, digests, journals. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <ferry/migrate.h>

/* ---- shards -------------------------------------------------------------- */

struct given {
	const char *const *vars;	/* name, value, ..., NULL */
};

static const char *look_up(void *ctx, const char *name)
{
	const struct given *g = ctx;

	for (const char *const *v = g->vars; *v; v += 2)
		if (!strcmp(*v, name))
			return v[1];
	return NULL;
}

#define VARS(...) (const char *const[]){ __VA_ARGS__, NULL }

static int ask(const char *const *vars, uint32_t count,
	       struct ferry_shard *out, struct ferry_error *err)
{
	struct given g = { vars };

	*err = (struct ferry_error)FERRY_ERROR_INIT;
	return ferry_shard_from_environment(out, count, look_up, &g, err);
}

static void is_shard(uint32_t index, uint32_t count, uint32_t told,
		     const char *const *vars)
{
	struct ferry_error err;
	struct ferry_shard s = { 99, 99 };

	cr_assert_eq(ask(vars, told, &s, &err), 0, "%s: %s", vars[0],
		     err.text);
	cr_assert_eq(s.index, index, "%s: index %u", vars[0], s.index);
	cr_assert_eq(s.count, count, "%s: count %u", vars[0], s.count);
}

/* With this text, and no other. */
static void is_refused(const char *why, uint32_t told, const char *const *vars)
{
	struct ferry_error err;
	struct ferry_shard s;

	cr_assert_eq(ask(vars, told, &s, &err), FERRY_MISUSE, "%s gave %u/%u",
		     vars[0], s.index, s.count);
	cr_assert_str_eq(err.text, why);
}

#define ARRAY(id, min, max, step, count) \
	"SLURM_ARRAY_TASK_ID", id, "SLURM_ARRAY_TASK_MIN", min, \
	"SLURM_ARRAY_TASK_MAX", max, "SLURM_ARRAY_TASK_STEP", step, \
	"SLURM_ARRAY_TASK_COUNT", count
#define STEP(rank, size) \
	"SLURM_STEP_ID", "0", "SLURM_PROCID", rank, "SLURM_STEP_NUM_TASKS", \
	size, "SLURM_NTASKS", size
#define MPI(rank, size) \
	"OMPI_COMM_WORLD_RANK", rank, "OMPI_COMM_WORLD_SIZE", size
#define PMI(rank, size) "PMI_RANK", rank, "PMI_SIZE", size
#define NOT_WHOLE(id, count, last) \
	"this is task " id " of an array of " count " that are not 0 to " \
	last ", so that some shards would never be worked on: give --shard " \
	"\"$SLURM_ARRAY_TASK_ID/N\" with the N of the whole array"

Test(shard, slurm_array)
{
	is_shard(3, 8, 0, VARS(ARRAY("3", "0", "7", "1", "8")));
	is_shard(3, 8, 8, VARS(ARRAY("3", "0", "7", "1", "8")));
	is_shard(0, 1, 0, VARS(ARRAY("0", "0", "0", "1", "1")));
	is_refused("the environment has 8 shards and --shards says 9", 9,
		   VARS(ARRAY("3", "0", "7", "1", "8")));
	/* --array=3,7: two tasks, numbered 3 and 7. */
	is_refused(NOT_WHOLE("3", "2", "1"), 0,
		   VARS(ARRAY("3", "3", "7", "4", "2")));
	/* --array=5: a failed index submitted again. */
	is_refused(NOT_WHOLE("5", "1", "0"), 0,
		   VARS(ARRAY("5", "5", "5", "1", "1")));
	/* --array=0-6:2, and --array=1-4 */
	is_refused(NOT_WHOLE("2", "4", "3"), 0,
		   VARS(ARRAY("2", "0", "6", "2", "4")));
	is_refused(NOT_WHOLE("1", "4", "3"), 0,
		   VARS(ARRAY("1", "1", "4", "1", "4")));
	/* --array=0,1,3 */
	is_refused(NOT_WHOLE("1", "3", "2"), 0,
		   VARS(ARRAY("1", "0", "3", "1", "3")));
	is_refused(NOT_WHOLE("9", "8", "7"), 0,
		   VARS(ARRAY("9", "0", "7", "1", "8")));
}

Test(shard, slurm_array_half_told)
{
	static const char no_count[] = "SLURM_ARRAY_TASK_ID is set but "
		"SLURM_ARRAY_TASK_COUNT does not tell of how many: give "
		"--shard I/N";

	is_refused(no_count, 0, VARS("SLURM_ARRAY_TASK_ID", "0",
				     "SLURM_ARRAY_TASK_MIN", "0",
				     "SLURM_ARRAY_TASK_MAX", "7"));
	is_refused(no_count, 0, VARS(ARRAY("0", "0", "0", "1", "0")));
	is_refused(NOT_WHOLE("0", "8", "7"), 0,
		   VARS("SLURM_ARRAY_TASK_ID", "0", "SLURM_ARRAY_TASK_COUNT",
			"8"));
	is_refused("SLURM_ARRAY_TASK_ID is '3x', which is no number of a "
		   "shard: give --shard I/N", 0,
		   VARS("SLURM_ARRAY_TASK_ID", "3x"));
	is_refused("SLURM_ARRAY_TASK_MIN is '-1', which is no number of a "
		   "shard: give --shard I/N", 0,
		   VARS(ARRAY("0", "-1", "7", "1", "8")));
}

Test(shard, slurm_step)
{
	static const char script[] = "this is the batch script of 6 tasks and "
		"not one of them: start it with srun, or give --shard I/N";

	is_shard(2, 6, 0, VARS(STEP("2", "6")));
	is_shard(0, 1, 0, VARS(STEP("0", "1")));
	/* The batch script of sbatch -n6 has a rank without being a task. */
	is_refused(script, 0, VARS("SLURM_PROCID", "0", "SLURM_NTASKS", "6"));
	is_refused(script, 0, VARS("SLURM_PROCID", "0", "SLURM_NTASKS", "6",
				   ARRAY("0", "0", "1", "1", "2")));
	/* Of a single task it is no shard either, but for an array. */
	is_refused("nothing in the environment tells of a shard (Slurm, Open "
		   "MPI, PMI, Kubernetes): give --shard I/N", 0,
		   VARS("SLURM_PROCID", "0", "SLURM_NTASKS", "1"));
	is_shard(1, 2, 0, VARS("SLURM_PROCID", "0", "SLURM_NTASKS", "1",
			       ARRAY("1", "0", "1", "1", "2")));
	/* A shell of salloc is a step of its own, with a number beyond all. */
	is_shard(0, 1, 0, VARS("SLURM_STEP_ID", "4294967290", "SLURM_PROCID",
			       "0", "SLURM_STEP_NUM_TASKS", "1",
			       "SLURM_NTASKS", "6"));
	is_refused("SLURM_STEP_ID is set but SLURM_PROCID is not: give "
		   "--shard I/N", 0, VARS("SLURM_STEP_ID", "0"));
	is_refused("SLURM_PROCID is set but SLURM_STEP_NUM_TASKS is not: give "
		   "--shard I/N", 0, VARS("SLURM_STEP_ID", "0",
					  "SLURM_PROCID", "1"));
	is_refused("SLURM_PROCID is not below SLURM_STEP_NUM_TASKS: give "
		   "--shard I/N", 0, VARS(STEP("6", "6")));
}

Test(shard, slurm_array_of_steps)
{
	for (int a = 0; a < 2; a++)
		for (int p = 0; p < 2; p++)
			is_shard((uint32_t)(2 * a + p), 4, 0,
				 VARS(ARRAY(a ? "1" : "0", "0", "1", "1", "2"),
				      STEP(p ? "1" : "0", "2")));
}

Test(shard, slurm_too_many)
{
	struct ferry_error err;
	struct ferry_shard s;

	cr_assert_eq(ask(VARS(ARRAY("0", "0", "99999", "1", "100000"),
			      STEP("0", "11")), 0, &s, &err), FERRY_LIMIT);
	cr_assert_str_eq(err.text, "100000 array tasks of 11 steps are too "
			 "many shards");
}

Test(shard, open_mpi)
{
	is_shard(1, 4, 0, VARS(MPI("1", "4")));
	/* Inside Slurm every rank also sees its daemon's: 0, 0, 1, 1 of 2. */
	for (int i = 0; i < 4; i++) {
		const char rank[] = { (char)('0' + i), '\0' };

		is_shard((uint32_t)i, 4, 0, VARS(MPI(rank, "4"),
				STEP(i < 2 ? "0" : "1", "2")));
	}
	/* mpirun of a batch script. */
	is_shard(3, 4, 0, VARS(MPI("3", "4"), "SLURM_PROCID", "0",
			       "SLURM_NTASKS", "4", "PMIX_RANK", "3"));
	is_refused("OMPI_COMM_WORLD_RANK is set but OMPI_COMM_WORLD_SIZE is "
		   "not: give --shard I/N", 0,
		   VARS("OMPI_COMM_WORLD_RANK", "3"));
	is_refused("Open MPI within an array of Slurm: give --shard I/N with "
		   "both in it", 0, VARS(MPI("0", "2"),
					 ARRAY("0", "0", "1", "1", "2")));
	is_refused("Open MPI says 3 of 4 and PMI says 1 of 2: give --shard "
		   "I/N", 0, VARS(MPI("3", "4"), PMI("1", "2")));
	is_refused("PMIX_RANK is 2 and another variable says 3 of 4: give "
		   "--shard I/N", 0, VARS(MPI("3", "4"), "PMIX_RANK", "2"));
}

Test(shard, pmi)
{
	is_shard(1, 3, 3, VARS(PMI("1", "3")));
	/* srun --mpi=pmi2 sets PMI's variables, too; mpiexec within a step sets
	 * others. */
	is_shard(1, 2, 0, VARS(STEP("1", "2"), PMI("1", "2")));
	is_shard(3, 4, 0, VARS(STEP("1", "2"), PMI("1", "2"),
			       ARRAY("1", "0", "1", "1", "2")));
	is_refused("Slurm says 1 of 2 and PMI says 0 of 2: give --shard I/N",
		   0, VARS(STEP("1", "2"), PMI("0", "2")));
	is_refused("Slurm says 0 of 1 and PMI says 0 of 2: give --shard I/N",
		   0, VARS(STEP("0", "1"), PMI("0", "2")));
	is_refused("PMI within an array of Slurm: give --shard I/N with both "
		   "in it", 0, VARS(ARRAY("3", "0", "7", "1", "8"),
				    PMI("1", "2")));
	is_refused("the environment has 3 shards and --shards says 4", 4,
		   VARS(PMI("1", "3")));
	is_refused("PMI_RANK is not below PMI_SIZE: give --shard I/N", 0,
		   VARS(PMI("3", "3")));
	is_refused("PMI_RANK is '99999999999999999999', which is no number of "
		   "a shard: give --shard I/N", 0,
		   VARS(PMI("99999999999999999999", "3")));
	/* PMIx tells a rank and no size. */
	is_refused("PMIX_RANK is 0 but nothing tells of how many: give "
		   "--shard I/N", 0, VARS("PMIX_RANK", "0"));
	is_shard(2, 6, 0, VARS(STEP("2", "6"), "PMIX_RANK", "2"));
}

Test(shard, kubernetes)
{
	static const char beside[] = "JOB_COMPLETION_INDEX is set beside the "
		"variables of another engine: give --shard I/N";

	is_shard(2, 5, 5, VARS("JOB_COMPLETION_INDEX", "2"));
	is_shard(2, 5, 0, VARS("JOB_COMPLETION_INDEX", "2", "FERRY_SHARDS",
			       "5"));
	is_shard(2, 5, 5, VARS("JOB_COMPLETION_INDEX", "2", "FERRY_SHARDS",
			       "5"));
	is_refused("FERRY_SHARDS says 5 and --shards says 6", 6,
		   VARS("JOB_COMPLETION_INDEX", "2", "FERRY_SHARDS", "5"));
	is_refused("JOB_COMPLETION_INDEX is 2 but nothing tells of how many: "
		   "give --shards N or set FERRY_SHARDS", 0,
		   VARS("JOB_COMPLETION_INDEX", "2"));
	is_refused("JOB_COMPLETION_INDEX is 2, which is not below the count "
		   "of shards, 2", 2, VARS("JOB_COMPLETION_INDEX", "2"));
	is_refused(beside, 2, VARS("JOB_COMPLETION_INDEX", "1",
				   PMI("1", "2")));
	is_refused(beside, 2, VARS("JOB_COMPLETION_INDEX", "1",
				   MPI("1", "2")));
	is_refused(beside, 2, VARS("JOB_COMPLETION_INDEX", "1",
				   STEP("1", "2")));
	is_refused(beside, 2, VARS("JOB_COMPLETION_INDEX", "1",
				   ARRAY("1", "0", "1", "1", "2")));
}

Test(shard, nothing)
{
	is_refused("nothing in the environment tells of a shard (Slurm, Open "
		   "MPI, PMI, Kubernetes): give --shard I/N", 0,
		   VARS("SLURM_JOB_ID", "7", "FERRY_SHARDS", "4"));
	/* Set to nothing is not set; a count without an index says nothing. */
	is_refused("nothing in the environment tells of a shard (Slurm, Open "
		   "MPI, PMI, Kubernetes): give --shard I/N", 0,
		   VARS("SLURM_ARRAY_TASK_ID", "", "PMI_SIZE", "4",
			"OMPI_COMM_WORLD_SIZE", "2"));
}

/* ---- migrations ---------------------------------------------------------- */

static char scratch[] = "/tmp/ferry-batch-XXXXXX";
static struct ferry_session *session;
static struct ferry_error err = FERRY_ERROR_INIT;

static void put_pair(const char *path)
{
	static const char head[] =
		"{\"a\":{\"dtype\":\"F32\",\"shape\":[4],"
		"\"data_offsets\":[0,16]}}";
	FILE *f = fopen(path, "w");
	unsigned char n[8] = { sizeof(head) - 1 };

	cr_assert_not_null(f);
	fwrite(n, 1, 8, f);
	fwrite(head, 1, sizeof(head) - 1, f);
	fwrite("0123456789abcdef", 1, 16, f);
	fclose(f);
}

static void enter(void)
{
	cr_assert_not_null(mkdtemp(scratch));
	cr_assert_eq(chdir(scratch), 0);
	cr_assert_eq(ferry_session_new(&session, NULL, &err), 0, "%s",
		     err.text);
	mkdir("src", 0777);
	put_pair("src/one.safetensors");
	put_pair("src/two.safetensors");
}

static void leave(void)
{
	char command[80];

	ferry_session_free(session);
	snprintf(command, sizeof(command), "rm -rf %s", scratch);
	cr_assert_eq(chdir("/"), 0);
	cr_assert_eq(system(command), 0);
}

TestSuite(migration, .init = enter, .fini = leave);

static const char *const sources[] = { "src" };
static const struct ferry_job job = { .to_format = "torch" };

static struct ferry_migration *begin(void)
{
	struct ferry_migration_options o = {
		.sources = sources, .n_sources = 1, .output = "dst",
		.job = &job,
	};
	struct ferry_migration *m;

	cr_assert_eq(ferry_migration_new(&m, session, &o, &err), 0, "%s",
		     err.text);
	return m;
}

Test(migration, surveys_without_writing)
{
	struct ferry_migration_run how = { .workers = 2 };
	struct ferry_migration *m = begin();
	struct ferry_totals t;

	cr_assert_eq(ferry_migration_count(m), 2);
	cr_assert_eq(ferry_migration_survey(m, &how, &t, &err), 0, "%s",
		     err.text);
	cr_assert_eq(t.n[FERRY_ITEM_PLANNED], 2);
	cr_assert_str_eq(ferry_migration_get(m, 0)->output, "dst/one.pt");
	cr_assert_str_eq(ferry_migration_get(m, 0)->to_format, "torch");
	cr_assert_eq(access("dst", F_OK), -1);
	ferry_migration_free(m);
}

static void count_failed(void *ctx, const char *output, uint64_t nbytes,
			 const char *wrong)
{
	size_t *n = ctx;

	(void)output;
	n[0]++;
	n[1] += wrong != NULL;
	n[2] += nbytes;
}

Test(migration, runs_once_and_keeps)
{
	struct ferry_migration_run how = { .workers = 1 };
	struct ferry_journal_summary sum;
	struct ferry_migration *m = begin();
	struct ferry_totals t;
	size_t n[3] = { 0 };

	cr_assert_eq(ferry_migration_run(m, &how, &t, &err), 0, "%s",
		     err.text);
	cr_assert_eq(t.n[FERRY_ITEM_DONE], 2);
	cr_assert_eq(ferry_migration_get(m, 1)->state, FERRY_ITEM_DONE);
	ferry_migration_free(m);
	m = begin();
	cr_assert_eq(ferry_migration_run(m, &how, &t, &err), 0);
	cr_assert_eq(t.n[FERRY_ITEM_KEPT], 2);
	ferry_migration_free(m);
	cr_assert_eq(ferry_ledger_verify("dst", NULL, count_failed, n, &err),
		     0);
	cr_assert_eq(n[0], 2);
	cr_assert_eq(n[1], 0);
	cr_assert_eq(ferry_journal_read("dst", &sum, NULL, NULL, &err), 0);
	cr_assert_eq(sum.n_journals, 2);
	cr_assert_eq(sum.n_stopped, 0);
}

Test(migration, stops_when_asked)
{
	atomic_int stop = FERRY_STOP_AFTER;
	struct ferry_migration_run how = { .workers = 1, .stop = &stop };
	struct ferry_migration *m = begin();
	struct ferry_totals t;

	cr_assert_eq(ferry_migration_run(m, &how, &t, &err), FERRY_CANCELLED);
	cr_assert_str_eq(err.text, "stopped with 2 items left to look at, "
			 "before anything was made: run it again to go on");
	ferry_migration_free(m);
}

Test(migration, refuses_what_makes_no_sense)
{
	struct ferry_migration_options o = {
		.sources = sources, .n_sources = 1, .output = "dst",
		.job = &job, .recipe = "upgrade",
	};
	struct ferry_migration *m;

	cr_assert_eq(ferry_migration_new(&m, session, &o, &err),
		     FERRY_MISUSE);
	o.recipe = NULL;
	o.remove_source = true;
	cr_assert_eq(ferry_migration_new(&m, session, &o, NULL),
		     FERRY_MISUSE);
	o.remove_source = false;
	o.shard = (struct ferry_shard){ 0, 2 };
	cr_assert_eq(ferry_migration_new(&m, session, &o, NULL),
		     FERRY_MISUSE);
	o.shard = (struct ferry_shard){ 0, 0 };
	o.job = NULL;
	cr_assert_eq(ferry_migration_new(&m, session, &o, NULL),
		     FERRY_MISUSE);
}

Test(migration, shards_cover_a_manifest)
{
	const char *manifest[] = { "work.jsonl" };
	struct ferry_migration_options o = { .sources = manifest,
					     .n_sources = 1 };
	struct ferry_migration_run how = { .workers = 1 };
	struct ferry_migration *m = begin();
	struct ferry_totals t;
	uint64_t done = 0;

	cr_assert_eq(ferry_migration_survey(m, &how, &t, &err), 0);
	cr_assert_eq(ferry_migration_freeze(m, "work.jsonl", 3, &err), 0, "%s",
		     err.text);
	cr_assert_eq(ferry_migration_freeze(m, "work.jsonl", 3, NULL),
		     FERRY_EXISTS);
	ferry_migration_free(m);
	for (uint32_t i = 0; i < 3; i++) {
		o.shard = (struct ferry_shard){ i, 3 };
		cr_assert_eq(ferry_migration_new(&m, session, &o, &err), 0,
			     "%s", err.text);
		cr_assert_eq(ferry_migration_run(m, &how, &t, &err), 0, "%s",
			     err.text);
		done += t.n[FERRY_ITEM_DONE];
		cr_assert_leq(t.n[FERRY_ITEM_DONE], 1);
		ferry_migration_free(m);
	}
	cr_assert_eq(done, 2);
}
