/* ferry migrate: many checkpoints. */
#include "config.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ferry/migrate.h>

#include "cli/cluster.h"
#include "cli/interrupt.h"
#include "cli/job.h"
#include "cli/memory.h"
#include "cli/migrate_report.h"
#include "cli/page.h"
#include "cli/progress.h"
#include "cli/report.h"
#include "cli/session.h"
#include "cli/text.h"
#include "cli/verb.h"

#define EXIT_REQUEUE 75		/* sysexits.h: EX_TEMPFAIL */
#define EXIT_INTERRUPT 130

enum {
	RECIPE = CLI_JOB_OTHER,
	NAME,
	COPY_OTHERS,
	IN_PLACE,
	REMOVE_SOURCE,
	DIGEST,
	DRY_RUN,
	PLAN_ONLY,
	MANIFEST,
	SHARD,
	SHARDS,
	FAIL_FAST,
	MAX_FAILURES,
	STATUS,
	REPORT,
	OTHERS = 700,		/* cli_cluster_options */
};

static const struct cli_option options[] = {
	{ RECIPE, "recipe", 'r', "FILE",
	  "what is done with which file, instead of the options below: a YAML "
	  "file, or one of the shipped by name (upgrade, to-safetensors, "
	  "weights-only, bfloat16, drop-optimizer, caiman-hardware, "
	  "audiocraft-export, audiocraft-export-compression)" },
	{ NAME, "name", 'n', "TEMPLATE",
	  "names of outputs below DST, of {dir}, {name}, {stem}, {suffix}, "
	  "{ending}, {type}, {format} and {version}; {dir}/{stem}{ending} when "
	  "not given" },
	{ COPY_OTHERS, "copy-others", 0, NULL,
	  "copy files that are no checkpoints" },
	{ IN_PLACE, "in-place", 0, NULL,
	  "every operand is a source; outputs lie beside their sources, and "
	  "what they replace is kept as NAME.ferry-backup" },
	{ REMOVE_SOURCE, "remove-source", 0, NULL,
	  "remove sources whose outputs were verified; needs --verify" },
	{ DIGEST, "digest", 0, "KIND",
	  "digests of the ledger: xxh128 (the default), sha256, which tells "
	  "fraud too and takes longer than a copy, or crc32" },
	{ DRY_RUN, "dry-run", 0, NULL,
	  "print what would be done with every file; read no tensor data and "
	  "write nothing" },
	{ PLAN_ONLY, "plan-only", 0, NULL,
	  "freeze the work in a manifest and do none of it" },
	{ MANIFEST, "output", 'o', "FILE", "with --plan-only: the manifest" },
	{ SHARDS, "shards", 0, "N",
	  "with --plan-only: how many parts the work has; with --shard=auto: "
	  "how many there are to be" },
	{ SHARD, "shard", 0, "I/N",
	  "work through part I (from 0) of a frozen manifest; auto: the part "
	  "that Slurm, Open MPI or Kubernetes tell" },
	{ FAIL_FAST, "fail-fast", 0, NULL,
	  "begin no other item after the first failure" },
	{ MAX_FAILURES, "max-failures", 0, "N",
	  "begin no other item after N failures, those found while looking "
	  "among them; items at hand are finished, and may fail, too" },
	{ STATUS, "status", 0, NULL,
	  "print what the journals below the operand, a DST, tell" },
	{ REPORT, "report", 0, "FILE.html",
	  "write a page about it, too: of a dry run, a run, or a --status" },
	{ 0 },
};

struct migrate {
	struct ferry_migration_options o;
	struct ferry_migration_run run;
	bool dry_run, plan_only, status, in_place, shard_auto;
	const char *manifest, *report;
	uint32_t n_shards;
	struct cli_cluster cluster;
	char max_failures[40], digest[24];	/* of the cluster's workers */
	struct cli *c;
	struct cli_progress progress;
	uint64_t n_files;
};

/* ---- options ------------------------------------------------------------- */

static bool parse_count(const char *text, const char **end, uint64_t *out)
{
	uint64_t n = 0;

	if (*text < '0' || *text > '9')
		return false;
	for (; *text >= '0' && *text <= '9'; text++) {
		if (n > UINT32_MAX)
			return false;
		n = n * 10 + (uint64_t)(*text - '0');
	}
	*end = text;
	*out = n;
	return n <= UINT32_MAX;
}

static int take_count(struct cli *c, const char *option, const char *arg,
		      uint64_t *out)
{
	const char *end;

	if (parse_count(arg, &end, out) && !*end && *out)
		return CLI_END;
	return cli_usage(c, "--%s needs a number from 1 on", option);
}

static int take_shard(struct cli *c, struct migrate *m, const char *arg)
{
	uint64_t index, count;
	const char *end;

	if (!strcmp(arg, "auto")) {
		m->shard_auto = true;
		return CLI_END;
	}
	if (parse_count(arg, &end, &index) && *end == '/' &&
	    parse_count(end + 1, &end, &count) && !*end && index < count) {
		m->o.shard.index = (uint32_t)index;
		m->o.shard.count = (uint32_t)count;
		return CLI_END;
	}
	return cli_usage(c, "--shard needs I/N with I from 0 to N - 1, or "
			 "auto");
}

static int take_digest(struct cli *c, struct migrate *m, const char *arg)
{
	const char *name;

	for (int i = 0; ; i++) {
		m->o.digest = (enum ferry_digest_kind)i;
		name = ferry_digest_kind_name(m->o.digest);
		if (!name)
			return cli_usage(c, "--digest needs xxh128, sha256 or "
					 "crc32");
		if (!strcmp(arg, name))
			return CLI_END;
	}
}

static int take_counted(struct cli *c, struct migrate *m, int id,
			const char *arg)
{
	uint64_t n = 0;
	int rc;

	if (id == MAX_FAILURES)
		return take_count(c, "max-failures", arg,
				  &m->run.max_failures);
	rc = take_count(c, "shards", arg, &n);
	m->n_shards = (uint32_t)n;
	return rc;
}

static int take(struct cli *c, struct cli_job *j, int id, const char *arg)
{
	struct migrate *m = j->own;

	if (id >= OTHERS)
		return cli_cluster_take(c, &m->cluster, id, arg);
	switch (id) {
	case RECIPE:
		m->o.recipe = arg;
		break;
	case NAME:
		m->o.name = arg;
		break;
	case COPY_OTHERS:
		m->o.copy_others = true;
		break;
	case IN_PLACE:
		m->in_place = true;
		break;
	case REMOVE_SOURCE:
		m->o.remove_source = true;
		break;
	case DRY_RUN:
		m->dry_run = true;
		break;
	case PLAN_ONLY:
		m->plan_only = true;
		break;
	case MANIFEST:
		m->manifest = arg;
		break;
	case FAIL_FAST:
		m->run.max_failures = 1;
		break;
	case STATUS:
		m->status = true;
		break;
	case REPORT:
		m->report = arg;
		break;
	case DIGEST:
		return take_digest(c, m, arg);
	case SHARD:
		return take_shard(c, m, arg);
	default:
		return take_counted(c, m, id, arg);
	}
	return CLI_END;
}

static bool says_what(const struct ferry_job *j)
{
	return j->to || j->to_format || j->upgrade || j->weights || j->model ||
	       j->rules || j->n_edits || j->n_select || j->n_settings;
}

/* A manifest brings DST with it, and stands alone. */
static bool needs_output(const struct migrate *m)
{
	return !m->in_place && (m->o.recipe || m->o.job);
}

/* Jobs for work that is frozen now, or was before. */
static int check_cluster(struct cli *c, struct migrate *m)
{
	if (cli_cluster_check(c, &m->cluster))
		return CLI_USAGE;
	if (!cli_cluster_wanted(&m->cluster))
		return CLI_END;
	if (m->dry_run || m->o.shard.count || m->shard_auto)
		return cli_usage(c, "--slurm and --kubernetes write jobs: "
				 "without --dry-run and --shard");
	if (!m->manifest && c->n_operands > 1)
		return cli_usage(c, "--slurm and --kubernetes need -o FILE, "
				 "the manifest that their jobs work through");
	m->plan_only = m->manifest != NULL;
	return CLI_END;
}

static int check(struct cli *c, struct migrate *m, struct cli_job *j)
{
	if (check_cluster(c, m))
		return CLI_USAGE;
	if (m->plan_only != (m->manifest != NULL))
		return cli_usage(c, "--plan-only needs -o FILE, and -o needs "
				 "--plan-only");
	if (m->o.recipe && says_what(&j->job))
		return cli_usage(c, "--recipe says what is done with each "
				 "file: give it or options, not both");
	if (m->o.remove_source && !j->job.verify)
		return cli_usage(c, "--remove-source needs --verify");
	if (m->o.remove_source && j->run.no_sync)
		return cli_usage(c, "--remove-source removes what is on the "
				 "disk by then: give it without --no-sync");
	if (j->default_name)
		return cli_usage(c, "--default-name is for one file: --name "
				 "says how outputs are called");
	if (!m->o.recipe && says_what(&j->job))
		m->o.job = &j->job;
	if (needs_output(m) && c->n_operands < 2)
		return cli_usage(c, "operand missing: usage is ferry migrate "
				 "[OPTION]... SRC... DST");
	return CLI_END;
}

/* ---- running ------------------------------------------------------------- */

static void warn_of(const struct cli *c, const char *what, const char *text)
{
	if (c->quiet)
		return;
	fputs("ferry: warning: ", stderr);
	cli_puts(stderr, what);
	fputs(": ", stderr);
	cli_put_message(stderr, text);
	putc('\n', stderr);
}

static void warn(void *ctx, const char *what, const char *text)
{
	const struct migrate *m = ctx;

	warn_of(m->c, what, text);
}

static void tell(void *ctx, const struct ferry_item *item,
		 const struct ferry_totals *so_far)
{
	struct migrate *m = ctx;

	if (item && item->state == FERRY_ITEM_FAILED && !m->dry_run) {
		cli_progress_clear(&m->progress);
		cli_migrate_print_failure(item);
	} else if (item && item->state == FERRY_ITEM_DONE && item->reason) {
		cli_progress_clear(&m->progress);
		warn_of(m->c, item->source, item->reason);
	}
	cli_progress_batch(&m->progress, so_far, m->n_files);
}

static int status_of(struct cli *c, const struct ferry_totals *t,
		     const struct ferry_error *err)
{
	int number = cli_interrupt_which();

	if (err->code == FERRY_CANCELLED)
		return number == SIGTERM ? EXIT_REQUEUE : number == SIGHUP ?
		       128 + SIGHUP : EXIT_INTERRUPT;
	if (err->code && err->code != FERRY_LIMIT && err->code != FERRY_IO)
		return cli_status(err);
	(void)c;
	return err->code || t->n[FERRY_ITEM_FAILED] ? CLI_PARTLY : CLI_DONE;
}

/* What the command line and the items tell, as a page. */
static int write_page(struct cli *c, const struct migrate *m,
		      const struct ferry_migration *g)
{
	struct ferry_error err = FERRY_ERROR_INIT;
	const char *output = ferry_migration_output(g);
	const struct ferry_item *item;
	struct cli_page *p;
	char *title;
	int rc;

	title = cli_text("%s%s%s%s", m->o.sources[0],
			 m->o.n_sources > 1 ? " ..." : "",
			 output ? " to " : " in place", output ? output : "");
	p = cli_page_new(title);
	for (size_t i = 0; (item = ferry_migration_get(g, i)); i++)
		cli_page_item(p, item);
	rc = cli_page_write(p, m->report, &err);
	cli_page_free(p);
	free(title);
	return rc ? cli_failed(c, NULL, &err) : CLI_DONE;
}

static int survey(struct cli *c, struct migrate *m, struct ferry_migration *g)
{
	struct ferry_error err = FERRY_ERROR_INIT;
	struct ferry_totals t = { .seconds = 0 };
	int rc = ferry_migration_survey(g, &m->run, &t, &err);

	cli_progress_clear(&m->progress);
	if (rc)
		return err.code == FERRY_CANCELLED ? status_of(c, &t, &err) :
		       cli_failed(c, NULL, &err);
	if (m->dry_run || (c->json && !cli_cluster_wanted(&m->cluster)))
		cli_migrate_print_survey(c, g, &t);
	if (m->plan_only &&
	    ferry_migration_freeze(g, m->manifest, m->n_shards, &err))
		return cli_failed(c, NULL, &err);
	if (m->plan_only)
		cli_migrate_print_frozen(c, m->manifest, &t);
	return status_of(c, &t, &err);
}

static int run_all(struct cli *c, struct migrate *m, struct ferry_migration *g)
{
	struct ferry_error err = FERRY_ERROR_INIT;
	struct ferry_totals t = { .seconds = 0 };

	ferry_migration_run(g, &m->run, &t, &err);
	cli_progress_clear(&m->progress);
	if (err.code && err.code != FERRY_CANCELLED && !t.seconds)
		return cli_failed(c, NULL, &err);
	cli_migrate_print_run(c, g, &t, &err);
	return status_of(c, &t, &err);
}

static int find_shard(struct cli *c, struct migrate *m)
{
	struct ferry_error err = FERRY_ERROR_INIT;

	if (!m->shard_auto)
		return CLI_DONE;
	if (!ferry_shard_from_environment(&m->o.shard, m->n_shards, NULL, NULL,
					  &err))
		return CLI_DONE;
	cli_usage(c, "--shard=auto: %s", err.text);
	return CLI_MISUSED;
}

static int migrate(struct cli *c, struct migrate *m)
{
	struct ferry_error err = FERRY_ERROR_INIT;
	struct ferry_migration *g;
	int status = find_shard(c, m);

	if (!status)
		status = cli_session_open(c);
	if (status)
		return status;
	if (ferry_migration_new(&g, c->session, &m->o, &err))
		return cli_failed(c, NULL, &err);
	m->n_files = ferry_migration_count(g);
	m->run.told = tell;
	m->run.warn = warn;
	m->run.ctx = m;
	m->run.stop = cli_interrupt_count();
	cli_progress_init(&m->progress, c->quiet);
	cli_migrate_print_passed(c, g);
	status = m->dry_run || m->plan_only ? survey(c, m, g) :
		 run_all(c, m, g);
	cli_interrupt_release();
	if (m->report && write_page(c, m, g))
		status = CLI_FAILED;
	ferry_migration_free(g);
	return status;
}

/* What of the command line is not in a manifest, and the workers need. */
static void pass(struct migrate *m, const struct cli_job *j)
{
	struct cli_cluster *k = &m->cluster;

	k->workers = j->run.threads;
	k->max_memory = j->run.max_memory;
	if (j->job.verify)
		cli_cluster_pass(k, "--verify");
	if (j->job.overwrite)
		cli_cluster_pass(k, "--overwrite");
	if (j->run.no_sync)
		cli_cluster_pass(k, "--no-sync");
	if (m->o.remove_source)
		cli_cluster_pass(k, "--remove-source");
	snprintf(m->digest, sizeof(m->digest), "--digest=%s",
		 ferry_digest_kind_name(m->o.digest));
	if (m->o.digest)
		cli_cluster_pass(k, m->digest);
	snprintf(m->max_failures, sizeof(m->max_failures),
		 "--max-failures=%" PRIu64, m->run.max_failures);
	if (m->run.max_failures)
		cli_cluster_pass(k, m->max_failures);
}

/* Freeze what is not frozen yet, and write the jobs.  Items that failed in the
 * survey leave the others to be worked on. */
static int migrate_by_jobs(struct cli *c, struct migrate *m)
{
	int status = CLI_DONE, wrote;

	if (m->plan_only)
		status = migrate(c, m);
	if (status && status != CLI_PARTLY)
		return status;
	wrote = cli_cluster_write(c, &m->cluster, m->plan_only ? m->manifest :
				  c->operands[0]);
	return wrote ? wrote : status;
}

static int tell_status(struct cli *c, const struct migrate *m)
{
	struct ferry_error err = FERRY_ERROR_INIT;
	struct ferry_journal_summary summary;
	struct cli_page *p;
	int rc;

	if (!m->report)
		return cli_migrate_print_status(c, c->operands[0]);
	p = cli_page_new(c->operands[0]);
	rc = ferry_journal_read(c->operands[0], &summary, cli_page_entry, p,
				&err);
	if (!rc) {
		cli_page_tell(p, &summary);
		rc = cli_page_write(p, m->report, &err);
	}
	cli_page_free(p);
	return rc ? cli_failed(c, NULL, &err) :
	       cli_migrate_print_status(c, c->operands[0]);
}

static int act(struct cli *c, struct cli_job *j)
{
	struct migrate *m = j->own;
	bool output;

	if (m->status && c->n_operands == 1)
		return tell_status(c, m);
	if (m->status) {
		cli_usage(c, "--status takes one operand, a DST");
		return CLI_MISUSED;
	}
	if (check(c, m, j))
		return CLI_MISUSED;
	output = needs_output(m);
	m->o.sources = (const char *const *)c->operands;
	m->o.n_sources = c->n_operands - output;
	m->o.output = output ? c->operands[c->n_operands - 1] : NULL;
	m->o.overwrite = j->job.overwrite;
	m->o.verify = j->job.verify;
	m->o.resume = !m->dry_run && !m->plan_only;
	m->run.workers = j->run.threads;
	m->run.max_memory = j->run.max_memory;
	m->run.no_sync = j->run.no_sync;
	if (!cli_cluster_wanted(&m->cluster))
		return migrate(c, m);
	pass(m, j);
	return migrate_by_jobs(c, m);
}

static int run(struct cli *c)
{
	struct migrate m = { .c = c };
	struct cli_job j = { .needs_output = true, .other = take, .own = &m };
	int status;

	status = cli_job_run(c, &j, act);
	cli_cluster_release(&m.cluster);
	return status;
}

const struct cli_verb cli_migrate = {
	.name = "migrate",
	.operands = "SRC... DST",
	.summary = "carry a tree of checkpoints over, in parallel, resumable",
	.detail = "SRC is a directory, a file or a manifest. Files are known "
		  "by their content; those that are no checkpoints are "
		  "skipped. What is done with the others is said by convert's "
		  "options or a recipe.\n\nEach output has a sidecar, "
		  "OUTPUT.ferry.json; what is done already is not done again. "
		  "Losses make a file fail unless --allow-loss says so.\n\n"
		  "The exit status is 5 when some files failed, 75 when "
		  "SIGTERM ended the run after the files at hand, 130 when "
		  "SIGINT did: run it again to go on.",
	.tables = (const struct cli_option *const[]){ options, cli_job_options,
						      cli_run_options,
						      cli_cluster_options,
						      NULL },
	.min_operands = 1,
	.run = run,
};
