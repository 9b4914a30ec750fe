/* ferry convert: carry a checkpoint over. */
#include "config.h"

#include "cli/carry.h"
#include "cli/verb.h"

static int run(struct cli *c)
{
	struct cli_job j = { .needs_output = true };

	return cli_job_run(c, &j, cli_carry);
}

const struct cli_verb cli_convert = {
	.name = "convert",
	.operands = "IN... [OUT]",
	.summary = "carry a checkpoint to another format or artifact type",
	.detail = "Handling options (--drop, --keep, --rename, "
		  "--strip-prefix, --add-prefix, --cast) are applied "
		  "in the order they are given, after --model and "
		  "--rules.\n\nInputs are never written to; the "
		  "output gets its name only when it is complete. "
		  "What would be lost is listed and nothing is "
		  "written (exit status 3) unless --allow-loss says "
		  "so.\n\nThe last operand is the output. With one "
		  "operand, or --default-name, the output lies beside "
		  "the first input, under its name with the usual ending of "
		  "the type that --to names (ferry types --json).",
	.tables = (const struct cli_option *const[]){ cli_job_options,
						      cli_run_options, NULL },
	.min_operands = 1,
	.run = run,
};
