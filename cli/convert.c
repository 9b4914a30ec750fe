/* ferry convert: carry a checkpoint over. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "cli/interrupt.h"
#include "cli/job.h"
#include "cli/json_out.h"
#include "cli/losses.h"
#include "cli/outlet.h"
#include "cli/outline.h"
#include "cli/progress.h"
#include "cli/report.h"
#include "cli/survey.h"
#include "cli/text.h"
#include "cli/verb.h"

/* What the findings say that is no loss, and the losses that were allowed. */
static void print_remarks(const struct cli *c, const struct ferry_plan *p)
{
	const struct ferry_finding *f;

	cli_warn_all(c, NULL, ferry_plan_warnings(p), FERRY_NOTE);
	for (size_t i = 0; (f = ferry_findings_get(ferry_plan_findings(p), i));
	     i++)
		cli_warn(c, NULL, f);
}

static void print_summary(const struct cli *c, const struct cli_job *j,
			  const struct cli_sum *sum, uint64_t nbytes,
			  double seconds)
{
	char a[CLI_NUMBER_CAP], b[CLI_NUMBER_CAP];

	if (c->quiet || c->json)
		return;
	fputs("ferry: wrote ", stderr);
	cli_outlet_print(stderr, j->job.output);
	fprintf(stderr, ": %s tensor%s, %s in %.2f s",
		cli_count(a, sum->n_tensors), cli_plural(sum->n_tensors),
		cli_bytes(b, nbytes), seconds);
	if (nbytes && seconds > 0)
		fprintf(stderr, " (%s/s)",
			cli_bytes(a, (uint64_t)((double)nbytes / seconds)));
	fputs(j->job.verify ? ", verified\n" : "\n", stderr);
}

static void print_json(const struct cli_job *j, const struct ferry_plan *p,
		       const struct cli_sum *sum, double seconds)
{
	json_t *json = cli_json_plan(&j->job, p);

	cli_json_set(json, "tensors", cli_json_uint(sum->n_tensors));
	cli_json_set(json, "seconds", json_real(seconds));
	cli_json_set(json, "verified", json_boolean(j->job.verify));
	cli_json_print(json);
}

static int refuse(struct cli *c, const struct cli_job *j,
		  const struct ferry_plan *p)
{
	if (c->json)
		cli_json_print(cli_json_plan(&j->job, p));
	cli_print_losses(c, j->job.inputs[0], &j->job, p);
	return CLI_REFUSED;
}

/* An output that differs from what was to be written is no malformed input. */
static int run_failed(const struct cli *c, const struct cli_job *j,
		      const struct ferry_error *err)
{
	bool compared = j->job.verify && err->code == FERRY_MALFORMED &&
			!strcmp(err->origin, "plan");
	int status = cli_failed(c, j->job.output, err);

	return compared ? CLI_UNVERIFIED : status;
}

static int write_output(struct cli *c, struct cli_job *j, struct ferry_plan *p)
{
	struct ferry_error err = FERRY_ERROR_INIT;
	struct cli_progress progress;
	struct cli_sum sum = { 0 };
	double seconds;
	int rc;

	if (cli_sum_below(&sum, NULL, ferry_plan_document(p),
			  ferry_plan_document(p)->root, &err))
		return cli_failed(c, j->job.output, &err);
	cli_progress_init(&progress, c->quiet);
	j->run.progress = cli_progress_step;
	j->run.progress_ctx = &progress;
	j->run.cancel = cli_interrupt_catch();
	rc = ferry_plan_run(p, &j->run, &err);
	seconds = cli_progress_seconds(&progress);
	cli_progress_clear(&progress);
	cli_interrupt_release();
	if (err.code == FERRY_CANCELLED) {
		fputs("ferry: stopped: nothing was written\n", stderr);
		cli_interrupt_die();
	}
	if (rc)
		return run_failed(c, j, &err);
	print_remarks(c, p);
	print_summary(c, j, &sum, ferry_plan_bytes_out(p), seconds);
	if (c->json)
		print_json(j, p, &sum, seconds);
	return CLI_DONE;
}

static int convert(struct cli *c, struct cli_job *j)
{
	struct ferry_plan *p = NULL;
	int status = cli_job_plan(c, j, &p);

	if (status)
		return status;
	if (ferry_plan_refused(p))
		status = refuse(c, j, p);
	else
		status = write_output(c, j, p);
	ferry_plan_free(p);
	return status;
}

static int run(struct cli *c)
{
	struct cli_job j;
	const char *arg;
	int id;

	memset(&j, 0, sizeof(j));
	while ((id = cli_next(c, &arg)) > 0) {
		id = cli_job_take(c, &j, id, arg);
		if (id)
			break;
	}
	if (!id) {
		cli_job_finish(c, &j, true);
		id = convert(c, &j);
	} else {
		id = cli_ended(id);
	}
	cli_job_release(&j);
	return id;
}

const struct cli_verb cli_convert = {
	.name = "convert",
	.operands = "IN... OUT",
	.summary = "carry a checkpoint to another format or artifact type",
	.detail = "Handling options (--drop, --keep, --rename, "
		  "--strip-prefix, --add-prefix, --cast) are applied "
		  "in the order they are given, after --model and "
		  "--rules.\n\nInputs are never written to; the "
		  "output gets its name only when it is complete. "
		  "What would be lost is listed and nothing is "
		  "written (exit status 3) unless --allow-loss says "
		  "so.",
	.tables = (const struct cli_option *const[]){ cli_job_options,
						      cli_run_options, NULL },
	.min_operands = 2,
	.run = run,
};
