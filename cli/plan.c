/* ferry plan: the chain a conversion would take. */
#include "config.h"

#include <stdio.h>

#include <ferry/abilities.h>

#include "cli/carry.h"
#include "cli/json_out.h"
#include "cli/losses.h"
#include "cli/outlet.h"
#include "cli/outline.h"
#include "cli/report.h"
#include "cli/table.h"
#include "cli/text.h"
#include "cli/verb.h"

static void print_steps(const struct ferry_plan *p)
{
	struct cli_table t;

	cli_table_init(&t, "rlll");
	for (size_t i = 0; i < ferry_plan_n_steps(p); i++) {
		const struct ferry_step *s = ferry_plan_step(p, i);

		cli_cell_fmt(&t, "%zu.", i + 1);
		cli_cell(&t, s->what);
		cli_cell(&t, s->name ? s->name : "");
		cli_cell(&t, s->detail ? s->detail : "");
	}
	cli_table_print(&t, 2);
	cli_table_release(&t);
}

static void print_ends(const struct ferry_plan *p)
{
	const struct ferry_recognised *in = ferry_plan_input_type(p);
	const char *type = ferry_plan_output_type(p);
	const char *format = ferry_plan_output_format(p);

	printf("from: %s", ferry_plan_input_format(p));
	if (in && in->type) {
		printf(", %s (", in->type->name);
		cli_puts(stdout, in->reason);
		puts(")");
	} else {
		puts(", of no known type");
	}
	printf("to: %s, %s\n", format ? format : "no format chosen",
	       type ? type : "of no known type");
}

static void print_findings(const struct ferry_job *job,
			   const struct ferry_plan *p)
{
	const struct ferry_finding *f;

	for (size_t i = 0; (f = ferry_findings_get(ferry_plan_findings(p), i));
	     i++) {
		if (cli_is_loss(f))
			printf("loss: %s (%s)", f->code,
			       cli_is_refused(job, f) ? "refused" : "allowed");
		else
			printf("%s: %s", f->level == FERRY_NOTE ?
			       "note" : "warning", f->code);
		if (*f->path) {
			fputs(": ", stdout);
			cli_put_message(stdout, f->path);
		}
		fputs(": ", stdout);
		cli_put_message(stdout, f->text);
		putchar('\n');
	}
}

static void print_plan(const struct ferry_job *job, const struct ferry_plan *p)
{
	char in[CLI_NUMBER_CAP], out[CLI_NUMBER_CAP];

	print_ends(p);
	puts("steps:");
	print_steps(p);
	printf("data: %s read, %s written\n",
	       ferry_bytes_text(ferry_plan_bytes_in(p), in),
	       ferry_bytes_text(ferry_plan_bytes_out(p), out));
	print_findings(job, p);
}

static void print_json(const struct cli_job *j, const struct ferry_plan *p,
		       const struct ferry_error *blocked)
{
	json_t *json = cli_json_plan(&j->job, p);

	if (blocked->code)
		cli_json_set(json, "blocked", cli_json_text(blocked->text));
	cli_json_print(json);
}

static int print(struct cli *c, struct cli_job *j)
{
	struct ferry_error blocked = FERRY_ERROR_INIT;
	struct ferry_plan *p = NULL;
	int status = cli_plan_job(c, j, &p);
	struct cli plain = *c;

	if (status)
		return status;
	plain.json = false;
	cli_outlet_check(&j->job, cli_output_flags(c, p) &
			 FERRY_FORMAT_DIRECTORY, &blocked);
	if (c->json)
		print_json(j, p, &blocked);
	else
		print_plan(&j->job, p);
	if (!c->json)
		cli_warn_all(c, NULL, ferry_plan_warnings(p), FERRY_NOTE);
	if (ferry_plan_refused(p)) {
		cli_print_losses(c, j->job.inputs[0], &j->job, p);
		status = CLI_REFUSED;
	} else if (blocked.code) {
		status = cli_failed(&plain, j->job.output, &blocked);
	}
	ferry_plan_free(p);
	return status;
}

static int run(struct cli *c)
{
	struct cli_job j = { .needs_output = false };

	return cli_job_run(c, &j, print);
}

const struct cli_verb cli_plan = {
	.name = "plan",
	.operands = "IN... [OUT]",
	.summary = "print the steps, losses and sizes of a conversion; read no "
		   "tensor data",
	.detail = "Takes what convert takes. The exit status is 3 "
		  "when the conversion would be refused, and convert's when "
		  "the output could not be written there.",
	.tables = (const struct cli_option *const[]){ cli_job_options,
						      cli_run_options, NULL },
	.min_operands = 1,
	.run = run,
};
