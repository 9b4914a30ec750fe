/* What the listing verbs share. */
#include "config.h"

#include "cli/known.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/json_out.h"
#include "cli/memory.h"
#include "cli/report.h"
#include "cli/session.h"
#include "cli/text.h"

void cli_cell_list(struct cli_table *t, const char *const *items)
{
	char text[512] = "-";
	size_t at = 0;

	for (; items && *items && at + 64 < sizeof(text); items++)
		at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%.48s",
				       at ? ", " : "", *items);
	cli_cell(t, text);
}

json_t *cli_json_list(const char *const *items)
{
	json_t *list = json_array();

	for (; items && *items; items++)
		cli_json_add(list, cli_json_text(*items));
	return list;
}

json_t *cli_json_options(const struct ferry_option_spec *options)
{
	json_t *json = json_object(), *row;

	for (; options && options->name; options++) {
		row = json_object();
		cli_json_set(row, "default", cli_json_text(options->fallback));
		cli_json_set(row, "help", cli_json_text(options->help));
		cli_json_set(json, options->name, row);
	}
	return json;
}

void cli_print_options(const char *heading,
		       const struct ferry_option_spec *options)
{
	struct cli_table t;

	if (!options || !options->name)
		return;
	printf("  %s\n", heading);
	cli_table_init(&t, "ll");
	for (; options->name; options++) {
		cli_cell_fmt(&t, "--set %s=%s", options->name,
			     options->fallback ? options->fallback : "...");
		cli_cell(&t, options->help ? options->help : "");
	}
	cli_table_print(&t, 4);
	cli_table_release(&t);
}

/* Was the row asked for: by no operand, or by one that is its name. */
static bool is_wanted(const struct cli *c, const char *name)
{
	for (size_t i = 0; i < c->n_operands; i++)
		if (!strcmp(c->operands[i], name))
			return true;
	return !c->n_operands;
}

static int fail_name(struct cli *c, enum ferry_known_kind kind,
		     const char *name)
{
	size_t n = ferry_session_count(c->session, kind);
	const char **names = cli_array(n, sizeof(*names));
	struct ferry_error err = FERRY_ERROR_INIT;
	const char *near;
	char shown[128];

	for (size_t i = 0; i < n; i++)
		names[i] = ferry_session_get(c->session, kind, i)->name;
	near = cli_nearest(name, names, n);
	ferry_escape(shown, sizeof(shown), name, strlen(name));
	ferry_fail(&err, FERRY_NOTFOUND, "registry", FERRY_NO_OFFSET,
		   "'%s' is not known%s%s%s; ferry %s lists them", shown,
		   near ? " (did you mean '" : "", near ? near : "",
		   near ? "'?)" : "", c->verb->name);
	free(names);
	return cli_failed(c, NULL, &err);
}

static int check_names(struct cli *c, enum ferry_known_kind kind)
{
	for (size_t i = 0; i < c->n_operands; i++)
		if (!ferry_session_find(c->session, kind, c->operands[i]))
			return fail_name(c, kind, c->operands[i]);
	return CLI_DONE;
}

static void print_json(struct cli *c, const struct cli_listing *l)
{
	const struct ferry_known *row;
	json_t *list = json_array(), *json;

	for (size_t i = 0; (row = ferry_session_get(c->session, l->kind, i));
	     i++) {
		if (!is_wanted(c, row->name))
			continue;
		json = json_object();
		cli_json_set(json, "name", cli_json_text(row->name));
		cli_json_set(json, "title", cli_json_text(row->title));
		cli_json_set(json, "plugin", cli_json_text(row->plugin));
		l->put_json(json, row);
		cli_json_add(list, json);
	}
	if (l->put_refused)
		l->put_refused(list, ferry_session_findings(c->session));
	cli_json_print(list);
}

static void print_table(struct cli *c, const struct cli_listing *l)
{
	const struct ferry_known *row;
	struct cli_table t;

	cli_table_init(&t, l->align);
	for (size_t i = 0; i < strlen(l->align); i++)
		cli_cell(&t, l->headers[i]);
	for (size_t i = 0; (row = ferry_session_get(c->session, l->kind, i));
	     i++)
		if (is_wanted(c, row->name))
			l->put_row(&t, row);
	cli_table_print(&t, 0);
	cli_table_release(&t);
}

static void print_more(struct cli *c, const struct cli_listing *l)
{
	const struct ferry_known *row;

	for (size_t i = 0; (row = ferry_session_get(c->session, l->kind, i));
	     i++)
		if (is_wanted(c, row->name))
			l->put_more(row);
}

int cli_list(struct cli *c, const struct cli_listing *listing, bool more)
{
	int status = cli_session_open(c);

	if (status)
		return status;
	status = check_names(c, listing->kind);
	if (status)
		return status;
	if (c->json)
		print_json(c, listing);
	else
		print_table(c, listing);
	if (more && !c->json && listing->put_more)
		print_more(c, listing);
	return CLI_DONE;
}

int cli_list_by_options(struct cli *c, const struct cli_listing *listing)
{
	const char *arg;
	bool more = false;
	int id;

	while ((id = cli_next(c, &arg)) > 0)
		more = true;
	return id ? cli_ended(id) : cli_list(c, listing, more);
}
