/* ferry types: the artifact types this ferry knows. */
#include "config.h"

#include <stdio.h>

#include "cli/json_out.h"
#include "cli/known.h"
#include "cli/verb.h"

enum { OPTIONS = 1 };

static const struct cli_option options[] = {
	{ OPTIONS, "options", 0, NULL,
	  "list usual names, and what --set takes in averages and when a file is "
	  "verified, for each type" },
	{ 0 },
};

static void put_row(struct cli_table *t, const struct ferry_known *row)
{
	struct ferry_abilities a;

	ferry_known_abilities(row, &a);
	cli_cell(t, row->name);
	cli_cell(t, a.has_weights ? "yes" : "-");
	cli_cell(t, a.checks ? "yes" : "-");
	cli_cell_list(t, a.suffixes);
	cli_cell(t, row->plugin);
	cli_cell(t, row->title ? row->title : "");
}

static void put_json(json_t *json, const struct ferry_known *row)
{
	struct ferry_abilities a;

	ferry_known_abilities(row, &a);
	cli_json_set(json, "suffixes", cli_json_list(a.suffixes));
	cli_json_set(json, "has_weights", json_boolean(a.has_weights));
	cli_json_set(json, "checks", json_boolean(a.checks));
	cli_json_set(json, "output_suffix", cli_json_text(a.output_suffix));
	cli_json_set(json, "average_options",
		     cli_json_options(a.average_options));
	cli_json_set(json, "check_options",
		     cli_json_options(a.check_options));
}

static void put_more(const struct ferry_known *row)
{
	struct ferry_abilities a;

	ferry_known_abilities(row, &a);
	if (!a.output_suffix && !a.average_options && !a.check_options)
		return;
	printf("\n%s\n", row->name);
	if (a.output_suffix)
		printf("  outputs are named *%s\n", a.output_suffix);
	cli_print_options("average", a.average_options);
	cli_print_options("verify", a.check_options);
}

static const char *const headers[] = { "TYPE", "WEIGHTS", "CHECKED",
				       "SUFFIXES", "PLUGIN", "TITLE" };

static const struct cli_listing listing = {
	.kind = FERRY_KNOWN_TYPES,
	.align = "llllll",
	.headers = headers,
	.put_row = put_row,
	.put_json = put_json,
	.put_more = put_more,
};

static int run(struct cli *c)
{
	return cli_list_by_options(c, &listing);
}

const struct cli_verb cli_types = {
	.name = "types",
	.operands = "[NAME...]",
	.summary = "list the artifact types this ferry recognises",
	.detail = "WEIGHTS: the type says which part is the model "
		  "(--weights).\nCHECKED: ferry verify checks the "
		  "type's own rules.",
	.tables = (const struct cli_option *const[]){ options, NULL },
	.run = run,
};
