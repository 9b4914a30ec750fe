/* ferry plugins: what was loaded, and what was refused. */
#include "config.h"

#include "cli/json_out.h"
#include "cli/known.h"
#include "cli/verb.h"

static void put_row(struct cli_table *t, const struct ferry_known *row)
{
	cli_cell(t, row->name);
	cli_cell(t, row->version ? row->version : "-");
	cli_cell(t, row->license ? row->license : "-");
	cli_cell(t, row->description ? row->description : "-");
	cli_cell(t, row->file ? row->file : "-");
}

static void put_json(json_t *json, const struct ferry_known *row)
{
	cli_json_set(json, "version", cli_json_text(row->version));
	cli_json_set(json, "license", cli_json_text(row->license));
	cli_json_set(json, "description", cli_json_text(row->description));
	cli_json_set(json, "file", cli_json_text(row->file));
}

static void put_refused(json_t *list, const struct ferry_findings *f)
{
	const struct ferry_finding *item;
	json_t *json;

	for (size_t i = 0; (item = ferry_findings_get(f, i)); i++) {
		json = json_object();
		cli_json_set(json, "name", json_null());
		cli_json_set(json, "refused", cli_json_text(item->text));
		cli_json_set(json, "file", cli_json_text(item->path));
		cli_json_add(list, json);
	}
}

static const char *const headers[] = { "PLUGIN", "VERSION", "LICENSE",
				       "DESCRIPTION", "FILE" };

static const struct cli_listing listing = {
	.kind = FERRY_KNOWN_PLUGINS,
	.align = "lllll",
	.headers = headers,
	.put_row = put_row,
	.put_json = put_json,
	.put_refused = put_refused,
};

static int run(struct cli *c)
{
	int id = cli_take_shared(c);

	return id ? cli_ended(id) : cli_list(c, &listing, false);
}

const struct cli_verb cli_plugins = {
	.name = "plugins",
	.operands = "[NAME...]",
	.summary = "list the plugins that were loaded, and warn of refused "
		   "ones",
	.tables = (const struct cli_option *const[]){ NULL },
	.run = run,
};
