/* Carrying a job out: its plan, and what comes of it. */
#include "config.h"

#include "cli/carry.h"

#include <stdio.h>
#include <string.h>

#include <ferry/abilities.h>

#include "cli/interrupt.h"
#include "cli/json_out.h"
#include "cli/losses.h"
#include "cli/memory.h"
#include "cli/operand.h"
#include "cli/outlet.h"
#include "cli/outline.h"
#include "cli/progress.h"
#include "cli/report.h"
#include "cli/session.h"
#include "cli/survey.h"
#include "cli/text.h"

/* ---- planning ------------------------------------------------------------ */

/* A format named where a type is wanted, or the other way round. */
static void hint_at_mixup(struct cli *c, const struct ferry_job *job)
{
	const struct {
		const char *given, *option, *better;
		enum ferry_known_kind wanted, other;
	} words[] = {
		{ job->from, "from", "from-format", FERRY_KNOWN_TYPES,
		  FERRY_KNOWN_FORMATS },
		{ job->to, "to", "to-format", FERRY_KNOWN_TYPES,
		  FERRY_KNOWN_FORMATS },
		{ job->from_format, "from-format", "from", FERRY_KNOWN_FORMATS,
		  FERRY_KNOWN_TYPES },
		{ job->to_format, "to-format", "to", FERRY_KNOWN_FORMATS,
		  FERRY_KNOWN_TYPES },
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		const char *given = words[i].given;

		if (!given ||
		    ferry_session_find(c->session, words[i].wanted, given) ||
		    !ferry_session_find(c->session, words[i].other, given))
			continue;
		fprintf(stderr, "hint: %s is %s: --%s=%s, not --%s\n", given,
			words[i].other == FERRY_KNOWN_FORMATS ?
			"a format" : "an artifact type", words[i].better,
			given, words[i].option);
	}
}

/* The message names the file already. */
static bool is_about(const struct ferry_error *err, const char *file)
{
	return file && strstr(err->text, file);
}

/* "run/x.th", ".hw.pt" -> "run/x.hw.pt" */
static char *default_name(const char *input, const char *suffix)
{
	size_t n = strlen(input), dot;

	while (n > 1 && input[n - 1] == '/')
		n--;
	for (dot = n; dot && input[dot - 1] != '/'; dot--)
		if (input[dot - 1] == '.' && dot > 1 && input[dot - 2] != '/')
			return cli_text("%.*s%s", (int)dot - 1, input, suffix);
	return cli_text("%.*s%s", (int)n, input, suffix);
}

/* Without an output: beside the first input, as its type has it. */
static int name_output(struct cli *c, struct cli_job *j)
{
	const struct ferry_known *type = !j->job.to ? NULL :
		ferry_session_find(c->session, FERRY_KNOWN_TYPES, j->job.to);
	struct ferry_abilities can = { .output_suffix = NULL };

	if (j->job.output || (j->job.to && !type))
		return CLI_DONE;
	if (type)
		ferry_known_abilities(type, &can);
	if (can.output_suffix)
		j->job.output = cli_job_keep(j, default_name(j->job.inputs[0],
							     can.output_suffix));
	if (j->job.output || !j->needs_output)
		return CLI_DONE;
	if (type)
		cli_usage(c, "operand missing: files of type %s have no usual "
			  "name, so an output must be named", type->name);
	else
		cli_usage(c, "operand missing: usage is ferry %s [OPTION]... "
			  "%s; only --to may give the output its usual name",
			  c->verb->name, c->verb->operands);
	return CLI_MISUSED;
}

static int plan_job(struct cli *c, struct cli_job *j, struct ferry_plan **out)
{
	struct ferry_error err = FERRY_ERROR_INIT;
	int status;

	if (!ferry_plan_new(out, c->session, &j->job, &err)) {
		status = cli_check_loss_kinds(c, &j->job, *out);
		if (status) {
			ferry_plan_free(*out);
			*out = NULL;
		}
		return status;
	}
	status = cli_failed_by(c, is_about(&err, j->job.output) ? NULL :
			       j->job.inputs[0], &err, j->job.found);
	hint_at_mixup(c, &j->job);
	if (err.code == FERRY_MISUSE && !j->job.average)
		cli_hint_shards(&j->job);
	if (err.code == FERRY_NOTFOUND)
		cli_hint_operand(c, &j->job);
	return status;
}

int cli_plan_job(struct cli *c, struct cli_job *j, struct ferry_plan **out)
{
	struct ferry_error err = FERRY_ERROR_INIT;
	int status = cli_session_open(c);

	if (!status)
		status = name_output(c, j);
	if (status)
		return status;
	if (ferry_findings_new(&j->job.found, &err))
		return cli_failed(c, NULL, &err);
	status = plan_job(c, j, out);
	ferry_findings_free(j->job.found);
	j->job.found = NULL;
	return status;
}

uint32_t cli_output_flags(const struct cli *c, const struct ferry_plan *p)
{
	const char *name = ferry_plan_output_format(p);
	struct ferry_abilities can = { .flags = 0 };

	if (name)
		ferry_known_abilities(ferry_session_find(c->session,
							 FERRY_KNOWN_FORMATS,
							 name), &can);
	return can.flags;
}

/* ---- writing ------------------------------------------------------------- */

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
		ferry_bytes_text(nbytes, b), seconds);
	if (nbytes && seconds > 0)
		fprintf(stderr, " (%s/s)",
			ferry_bytes_text((uint64_t)((double)nbytes / seconds),
					 a));
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

	if (cli_output_flags(c, p) & FERRY_FORMAT_TENSORS &&
	    cli_sum_below(&sum, NULL, ferry_plan_document(p),
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

int cli_carry(struct cli *c, struct cli_job *j)
{
	struct ferry_plan *p = NULL;
	int status = cli_plan_job(c, j, &p);

	if (status)
		return status;
	if (ferry_plan_refused(p))
		status = refuse(c, j, p);
	else
		status = write_output(c, j, p);
	ferry_plan_free(p);
	return status;
}
