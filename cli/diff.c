/* ferry diff: what two files differ in. */
#include "config.h"

#include "cli/compare.h"
#include "cli/json_out.h"
#include "cli/report.h"
#include "cli/verb.h"

enum { TOLERANCE = 1, STRUCTURE_ONLY, STRICT, WEIGHTS };

static const struct cli_option options[] = {
	{ TOLERANCE, "tolerance", 0, "ATOL[,RTOL]",
	  "take numbers as equal within ATOL + RTOL * |b|; bit by bit when not "
	  "given" },
	{ STRUCTURE_ONLY, "structure-only", 0, NULL,
	  "compare names, kinds, dtypes and shapes; read no tensor data" },
	{ WEIGHTS, "weights", 'w', NULL,
	  "compare the models' weights alone, by name" },
	{ STRICT, "strict", 0, NULL,
	  "compare strides, shared storages and shared containers too" },
	{ 0 },
};

static int take(struct cli *c, struct cli_comparison *how, int id,
		const char *arg)
{
	switch (id) {
	case TOLERANCE:
		if (!cli_parse_tolerance(arg, how))
			return cli_usage(c, "--tolerance needs ATOL[,RTOL], "
					 "such as 1e-6 or 1e-6,1e-3");
		break;
	case STRUCTURE_ONLY:
		how->structure_only = true;
		break;
	case STRICT:
		how->strict = true;
		break;
	case WEIGHTS:
		how->weights = true;
		break;
	}
	return CLI_END;
}

static int compare_files(struct cli *c, struct cli_comparison *how)
{
	struct cli_file a = { 0 }, b = { 0 };
	int status = cli_session_open(c);

	if (!status)
		status = cli_file_open(c, &a, c->operands[0], NULL, NULL);
	if (!status)
		status = cli_file_open(c, &b, c->operands[1], NULL, NULL);
	if (!status)
		status = cli_compare(c, how, &a, &b);
	if (!status && how->json)
		cli_json_print(how->json);
	if (!status && !how->equal)
		status = CLI_DIFFERS;
	cli_file_close(&a);
	cli_file_close(&b);
	return status;
}

static int run(struct cli *c)
{
	struct cli_comparison how = { 0 };
	const char *arg;
	int id;

	while ((id = cli_next(c, &arg)) > 0) {
		id = take(c, &how, id, arg);
		if (id)
			break;
	}
	return id ? cli_ended(id) : compare_files(c, &how);
}

const struct cli_verb cli_diff = {
	.name = "diff",
	.operands = "A B",
	.summary = "compare structure, values and tensors of two files",
	.detail = "Lines begin with - (only in A), + (only in B) or "
		  "~ (changed). Files of different formats are "
		  "compared by what their containers hold: an "
		  "OrderedDict equals a dict, a tuple equals a list. "
		  "The exit status is 1 when the files differ.",
	.tables = (const struct cli_option *const[]){ options, NULL },
	.min_operands = 2,
	.max_operands = 2,
	.run = run,
};
