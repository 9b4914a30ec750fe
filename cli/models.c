/* ferry models: the models with handling rules. */
#include "config.h"

#include <stdio.h>

#include <ferry/handling.h>

#include "cli/json_out.h"
#include "cli/known.h"
#include "cli/report.h"
#include "cli/session.h"
#include "cli/text.h"
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

static void put_line(const char *text)
{
	fputs("    ", stdout);
	cli_puts(stdout, text);
	putchar('\n');
}

/* Where the weights are sought, what is done to them, what the result is to be:
 * with the options as they are when none is set. */
static void print_rules(const char *name, const struct ferry_rules *r)
{
	const char *key, *expect = ferry_rules_expect(r);

	putchar('\n');
	cli_puts(stdout, name);
	putchar('\n');
	cli_print_options("options", ferry_rules_options(r));
	if (ferry_rules_source(r, 0))
		puts("  the weights are the first of these that is there");
	for (size_t i = 0; (key = ferry_rules_source(r, i)); i++)
		put_line(*key ? key : "the whole file");
	puts("  rules, when no option is set");
	for (size_t i = 0; i < ferry_rules_count(r); i++)
		put_line(ferry_rules_label(r, i));
	if (expect) {
		fputs("  expected: ", stdout);
		cli_puts(stdout, expect);
		putchar('\n');
	}
	if (ferry_rules_pretrained(r))
		printf("  strict: %s\n", ferry_rules_strict(r) ? "yes" : "no");
}

static int describe(struct cli *c, const char *name)
{
	struct ferry_error err = FERRY_ERROR_INIT;
	struct ferry_rules *r;
	int rc = ferry_rules_new(&r, &err);

	if (rc)
		return cli_failed(c, name, &err);
	rc = ferry_rules_load_model(r, c->session, name, NULL, 0, &err);
	if (!rc)
		print_rules(name, r);
	ferry_rules_free(r);
	return rc ? cli_failed(c, name, &err) : CLI_DONE;
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
	int status = cli_list_by_options(c, &listing);

	for (size_t i = 0; i < c->n_operands && !status && !c->json; i++)
		status = describe(c, c->operands[i]);
	return status;
}

const struct cli_verb cli_models = {
	.name = "models",
	.operands = "[NAME...]",
	.summary = "list the models with handling rules (--model)",
	.detail = "Of models that are named, their options (--set) and rules "
		  "are printed too.",
	.tables = (const struct cli_option *const[]){ NULL },
	.run = run,
};
