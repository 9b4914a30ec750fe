/* ferry models: the models with handling rules. */
#include "config.h"

#include "cli/json_out.h"
#include "cli/known.h"
#include "cli/verb.h"

static void put_row(struct cli_table *t, const struct ferry_known *row)
{
	cli_cell(t, row->name);
	cli_cell(t, row->description ? row->description : "-");
	cli_cell(t, row->file ? row->file : "-");
}

static void put_json(json_t *json, const struct ferry_known *row)
{
	cli_json_set(json, "description", cli_json_text(row->description));
	cli_json_set(json, "file", cli_json_text(row->file));
}

static const char *const headers[] = { "MODEL", "DESCRIPTION", "FILE" };

static const struct cli_listing listing = {
	.kind = FERRY_KNOWN_MODELS,
	.align = "lll",
	.headers = headers,
	.put_row = put_row,
	.put_json = put_json,
};

static int run(struct cli *c)
{
	return cli_list_by_options(c, &listing);
}

const struct cli_verb cli_models = {
	.name = "models",
	.operands = "[NAME...]",
	.summary = "list the models with handling rules (--model)",
	.tables = (const struct cli_option *const[]){ NULL },
	.run = run,
};
