/* ferry types: the artifact types this ferry knows. */
#include "config.h"

#include "cli/json_out.h"
#include "cli/known.h"
#include "cli/verb.h"

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
}

static const char *const headers[] = { "TYPE", "WEIGHTS", "CHECKED",
				       "SUFFIXES", "PLUGIN", "TITLE" };

static const struct cli_listing listing = {
	.kind = FERRY_KNOWN_TYPES,
	.align = "llllll",
	.headers = headers,
	.put_row = put_row,
	.put_json = put_json,
};

static int run(struct cli *c)
{
	int id = cli_take_shared(c);

	return id ? cli_ended(id) : cli_list(c, &listing, false);
}

const struct cli_verb cli_types = {
	.name = "types",
	.operands = "[NAME...]",
	.summary = "list the artifact types this ferry recognises",
	.detail = "WEIGHTS: the type says which part is the model "
		  "(--weights).\nCHECKED: ferry verify checks the "
		  "type's own rules.",
	.tables = (const struct cli_option *const[]){ NULL },
	.run = run,
};
