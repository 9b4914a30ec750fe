/* ferry average: the mean of checkpoints. */
#include "config.h"

#include <sys/resource.h>

#include "cli/carry.h"
#include "cli/verb.h"

/* Every input stays open: as many as the system lets a process have. */
static void allow_files(void)
{
	struct rlimit most;

	if (getrlimit(RLIMIT_NOFILE, &most))
		return;
	most.rlim_cur = most.rlim_max;
	setrlimit(RLIMIT_NOFILE, &most);
}

static int run(struct cli *c)
{
	struct cli_job j = { .job = { .average = true }, .needs_output = true };

	allow_files();
	return cli_job_run(c, &j, cli_carry);
}

const struct cli_verb cli_average = {
	.name = "average",
	.operands = "IN... OUT",
	.summary = "write the mean of checkpoints of one type",
	.detail = "Floating-point weights are added in the order of the "
		  "inputs and divided by their number, in the dtype they "
		  "have, as torch does it; types may have a rule of their own "
		  "(ferry types --options). Everything else is the first "
		  "input's. Integer weights that differ are a loss. The mean "
		  "then takes the place of the first input of a convert.",
	.tables = (const struct cli_option *const[]){ cli_job_options,
						      cli_run_options, NULL },
	.min_operands = 2,
	.run = run,
};
