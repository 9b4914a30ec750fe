/*
 * The parts of ferry migrate that look at the ledger from outside, by
 * themselves:
 *
 *	jobs [OPTION]... MANIFEST           its options for clusters
 *	jobs --page=OUT < JOURNAL           a page of a journal's lines
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "cli/cluster.h"
#include "cli/page.h"
#include "cli/report.h"

enum { PAGE = 600, PASS };

static const struct cli_option own[] = {
	{ PAGE, "page", 0, "OUT", "write a page of the journal on stdin" },
	{ PASS, "pass", 0, "OPTION", "an option for the workers" },
	{ 0 },
};

static const char *text(const json_t *line, const char *key)
{
	return json_string_value(json_object_get(line, key));
}

static double number(const json_t *line, const char *key)
{
	return json_number_value(json_object_get(line, key));
}

static void take_item(struct cli_page *p, const json_t *line)
{
	struct ferry_journal_entry e = {
		.source = text(line, "source"),
		.output = text(line, "output"),
		.state = text(line, "state"),
		.code = text(line, "code"),
		.reason = text(line, "reason"),
		.type = text(line, "type"),
		.version = text(line, "version"),
		.format = text(line, "format"),
		.rule = text(line, "rule"),
		.losses = text(line, "losses"),
		.nbytes = (uint64_t)number(line, "nbytes"),
		.bytes_out = (uint64_t)number(line, "bytes_out"),
		.seconds = number(line, "seconds"),
		.time = number(line, "time"),
	};

	cli_page_entry(p, &e);
}

static int write_page(const char *path)
{
	struct ferry_journal_summary summary = { .n_journals = 1 };
	struct ferry_error err = FERRY_ERROR_INIT;
	struct cli_page *p = cli_page_new("old/ to new/");
	char *buf = NULL;
	size_t cap = 0;
	int rc;

	while (getline(&buf, &cap, stdin) > 0) {
		json_t *line = json_loads(buf, 0, NULL);
		const char *event = text(line, "event");
		double time = number(line, "time");

		if (!summary.first)
			summary.first = time;
		summary.last = time;
		if (event && !strcmp(event, "item"))
			take_item(p, line);
		json_decref(line);
	}
	free(buf);
	cli_page_tell(p, &summary);
	rc = cli_page_write(p, path, &err);
	if (rc)
		fprintf(stderr, "%s\n", err.text);
	cli_page_free(p);
	return rc ? CLI_FAILED : CLI_DONE;
}

static int run(struct cli *c)
{
	struct cli_cluster k = { 0 };
	const char *arg, *page = NULL;
	int id, status;

	while ((id = cli_next(c, &arg)) > 0) {
		if (id == PAGE)
			page = arg;
		else if (id == PASS)
			cli_cluster_pass(&k, arg);
		else if (cli_cluster_take(c, &k, id, arg))
			return CLI_MISUSED;
	}
	if (id)
		return cli_ended(id);
	if (page)
		return write_page(page);
	status = cli_cluster_check(c, &k) ?
			 CLI_MISUSED : cli_cluster_write(c, &k, c->operands[0]);
	cli_cluster_release(&k);
	return status;
}

static const struct cli_verb verb = {
	.name = "migrate",
	.operands = "MANIFEST",
	.summary = "jobs and pages of a migration",
	.tables = (const struct cli_option *const[]){ own, cli_cluster_options,
						      NULL },
	.max_operands = 1,
	.run = run,
};

int main(int argc, char **argv)
{
	struct cli c;
	int status;

	cli_begin(&c, &verb, argc, argv);
	status = run(&c);
	cli_release(&c);
	return cli_close_stdout(status);
}
