/* ferry scan: every class and call a file names. */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/json_out.h"
#include "cli/memory.h"
#include "cli/report.h"
#include "cli/session.h"
#include "cli/table.h"
#include "cli/text.h"
#include "cli/verb.h"
#include "cli/verdict.h"

enum { FORMAT = 1, STRICT };

struct scan {
	const char *format;
	bool strict;
	bool refused;		/* by some loader, in some file */
};

static const struct cli_option options[] = {
	{ FORMAT, "from-format", 0, "FORMAT",
	  "how the files are encoded; found out when not given" },
	{ STRICT, "strict", 0, NULL,
	  "exit 4 when torch.load(weights_only=True) would refuse a file" },
	{ 0 },
};

/* Who refuses a name: "-", or the loaders. */
static void put_refusers(struct cli_table *t, const struct ferry_value *row)
{
	char text[256];
	size_t at = 0;

	text[0] = 0;
	for (const struct cli_loader *l = cli_loaders; l->key; l++)
		if (cli_row_says(row, l->key, "refused"))
			at += (size_t)snprintf(text + at, sizeof(text) - at,
					       "%s%s", at ? ", " : "",
					       l->title);
	cli_cell(t, at ? text : "-");
}

static void print_names(const struct ferry_value *report)
{
	size_t n = cli_report_rows(report, "globals");
	struct cli_table t;
	char name[1024];

	if (!n) {
		puts("  no class and no call is named");
		return;
	}
	cli_table_init(&t, "lrrll");
	cli_cell(&t, "NAME");
	cli_cell(&t, "COUNT");
	cli_cell(&t, "CALLS");
	cli_cell(&t, "DANGER");
	cli_cell(&t, "REFUSED BY");
	for (size_t i = 0; i < n; i++) {
		const struct ferry_value *row =
			cli_report_row(report, "globals", i);

		cli_cell(&t, cli_row_name(row, name, sizeof(name)));
		cli_cell_fmt(&t, "%" PRId64, cli_row_int(row, "count"));
		cli_cell_fmt(&t, "%" PRId64, cli_row_int(row, "calls"));
		cli_cell(&t, cli_row_is(row, "dangerous") ? "runs code" : "-");
		put_refusers(&t, row);
	}
	cli_table_print(&t, 2);
	cli_table_release(&t);
}

static void print_text(const char *path, const struct ferry_value *report)
{
	int64_t dangerous = cli_row_int(report, "dangerous");

	cli_puts(stdout, path);
	putchar('\n');
	print_names(report);
	cli_print_verdicts(report, 2);
	if (dangerous)
		printf("  dangerous: %" PRId64 " name%s can run code or reach "
		       "the system when loaded by pickle\n", dangerous,
		       cli_plural((uint64_t)dangerous));
}

/* A directory: the files of it that name anything. */
static void print_members(const char *dir, const struct ferry_value *members)
{
	const char *slash = dir[strlen(dir) - 1] == '/' ? "" : "/";
	char *path;

	if (!members->u.dict.n) {
		cli_puts(stdout, dir);
		puts("\n  no file in it names classes or calls");
	}
	for (uint32_t i = 0; i < members->u.dict.n; i++) {
		const struct ferry_pair *p = &members->u.dict.pairs[i];

		path = cli_text("%s%s%.*s", dir, slash,
				(int)p->key->u.s.nbytes, p->key->u.s.data);
		print_text(path, p->value);
		free(path);
	}
}

static void print_report(const struct cli *c, const char *path,
			 const struct ferry_document *doc)
{
	const struct ferry_value *members = cli_report_members(doc->root);
	json_t *json;

	if (!c->json && members) {
		print_members(path, members);
	} else if (!c->json) {
		print_text(path, doc->root);
	} else {
		json = json_object();
		cli_json_set(json, "file", cli_json_text(path));
		cli_json_set(json, "format", cli_json_text(doc->format));
		cli_json_set(json, "scan", cli_json_value(doc->root, 0));
		cli_json_print_line(json);
	}
}

static int scan_file(struct cli *c, struct scan *s, const char *path)
{
	struct ferry_open_options how = { .format = s->format };
	struct ferry_error err = FERRY_ERROR_INIT;
	struct ferry_document *doc;

	if (ferry_scan(c->session, path, &how, &doc, &err))
		return cli_failed(c, path, &err);
	print_report(c, path, doc);
	s->refused = s->refused || cli_refuses(doc->root, &cli_loaders[0]);
	ferry_document_free(doc);
	return CLI_DONE;
}

static int scan_all(struct cli *c, struct scan *s)
{
	size_t n_failed = 0;
	int status = cli_session_open(c), rc;

	if (status)
		return status;
	for (size_t i = 0; i < c->n_operands; i++) {
		rc = scan_file(c, s, c->operands[i]);
		n_failed += rc != CLI_DONE;
		status = rc ? rc : status;
	}
	if (n_failed && n_failed < c->n_operands)
		return CLI_PARTLY;
	if (!status && s->strict && s->refused)
		return CLI_UNVERIFIED;
	return status;
}

static int run(struct cli *c)
{
	struct scan s = { 0 };
	const char *arg;
	int id;

	while ((id = cli_next(c, &arg)) > 0) {
		if (id == FORMAT)
			s.format = arg;
		else
			s.strict = true;
	}
	return id ? cli_ended(id) : scan_all(c, &s);
}

const struct cli_verb cli_scan = {
	.name = "scan",
	.operands = "FILE...",
	.summary = "list the classes and calls a pickle names, and which "
		   "loaders would refuse it",
	.detail = "Nothing is imported, called or evaluated. The "
		  "exit status is 0 for every file that can be read, "
		  "whatever it names, unless --strict is given; 5 "
		  "when only some could be read. --json prints one object "
		  "per file, each on a line (JSON lines). Of a directory, all "
		  "files in it that can be scanned are.",
	.tables = (const struct cli_option *const[]){ options, NULL },
	.min_operands = 1,
	.run = run,
};
