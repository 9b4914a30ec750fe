/* ferry conversions: the steps between artifact types. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "cli/json_out.h"
#include "cli/known.h"
#include "cli/verb.h"

enum { OPTIONS = 1 };

static const struct cli_option options[] = {
	{ OPTIONS, "options", 0, NULL,
	  "list inputs, and what --set takes, for each conversion" },
	{ 0 },
};

/* Of a type to itself: it takes part for an option of it, or --upgrade. */
static const char *kind_of(const struct ferry_abilities *a)
{
	return a->upgrades ? "upgrade" :
	       !strcmp(a->roles->type, a->output) ? "edit" : "conversion";
}

static const char *role_type(const struct ferry_role *role)
{
	return role->type ? role->type : "any file";
}

static void put_row(struct cli_table *t, const struct ferry_known *row)
{
	struct ferry_abilities a;
	char text[512] = "-";
	size_t at = 0;

	ferry_known_abilities(row, &a);
	for (const struct ferry_role *r = a.roles;
	     r && r->name && at + 160 < sizeof(text); r++)
		at += (size_t)snprintf(text + at, sizeof(text) - at,
				       r->optional ? "%s[%.100s]" : "%s%.100s",
				       at ? " + " : "", role_type(r));
	cli_cell(t, row->name);
	cli_cell(t, text);
	cli_cell(t, a.output);
	cli_cell(t, kind_of(&a));
	cli_cell(t, row->plugin);
	cli_cell(t, row->title ? row->title : "");
}

static void put_json(json_t *json, const struct ferry_known *row)
{
	struct ferry_abilities a;
	json_t *inputs = json_array(), *input;

	ferry_known_abilities(row, &a);
	for (const struct ferry_role *r = a.roles; r && r->name; r++) {
		input = json_object();
		cli_json_set(input, "role", cli_json_text(r->name));
		cli_json_set(input, "type", cli_json_text(r->type));
		cli_json_set(input, "optional", json_boolean(r->optional));
		cli_json_set(input, "help", cli_json_text(r->help));
		cli_json_add(inputs, input);
	}
	cli_json_set(json, "inputs", inputs);
	cli_json_set(json, "output", cli_json_text(a.output));
	cli_json_set(json, "kind", cli_json_text(kind_of(&a)));
	cli_json_set(json, "cost", cli_json_uint(a.cost));
	cli_json_set(json, "options", cli_json_options(a.options));
}

static void put_more(const struct ferry_known *row)
{
	struct ferry_abilities a;
	struct cli_table t;

	ferry_known_abilities(row, &a);
	printf("\n%s\n", row->name);
	cli_table_init(&t, "lll");
	for (const struct ferry_role *r = a.roles; r && r->name; r++) {
		cli_cell_fmt(&t, "%s%s=FILE%s", r->optional ? "[" : "",
			     r->name, r->optional ? "]" : "");
		cli_cell(&t, role_type(r));
		cli_cell(&t, r->help ? r->help : "");
	}
	cli_table_print(&t, 2);
	cli_table_release(&t);
	cli_print_options("options", a.options);
}

static const char *const headers[] = { "CONVERSION", "FROM", "TO", "KIND",
				       "PLUGIN", "TITLE" };

static const struct cli_listing listing = {
	.kind = FERRY_KNOWN_CONVERSIONS,
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

const struct cli_verb cli_conversions = {
	.name = "conversions",
	.operands = "[NAME...]",
	.summary = "list the conversions between artifact types",
	.detail = "KIND: a conversion is a step of a chain; an edit, of a type "
		  "to itself, runs when --set gives one of its options; an "
		  "upgrade is an edit that --upgrade runs.",
	.tables = (const struct cli_option *const[]){ options, NULL },
	.run = run,
};
