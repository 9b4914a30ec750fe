/* A page about a migration. */
#include "config.h"

#include "cli/page.h"

#include <stdlib.h>
#include <string.h>

#include "cli/draft.h"
#include "cli/json_out.h"
#include "cli/memory.h"

#include "cli/page_html.h"

/* Where the rows stand in page.html, a line of its own. */
#define HOLE "@DATA@\n"

struct cli_page {
	json_t *data, *rows;
};

static json_t *sure(json_t *json)
{
	if (!json)
		cli_out_of_memory();
	return json;
}

struct cli_page *cli_page_new(const char *title)
{
	struct cli_page *p = cli_array(1, sizeof(*p));

	p->data = sure(json_object());
	p->rows = sure(json_array());
	cli_json_set(p->data, "title", cli_json_text(title));
	cli_json_set(p->data, "rows", p->rows);
	return p;
}

void cli_page_free(struct cli_page *p)
{
	if (!p)
		return;
	json_decref(p->data);
	free(p);
}

void cli_page_tell(struct cli_page *p,
		   const struct ferry_journal_summary *summary)
{
	json_t *j = sure(json_object());

	cli_json_set(j, "attempts", cli_json_uint(summary->n_journals));
	cli_json_set(j, "running", cli_json_uint(summary->n_running));
	cli_json_set(j, "stopped", cli_json_uint(summary->n_stopped));
	cli_json_set(j, "torn", cli_json_uint(summary->n_torn));
	cli_json_set(j, "first", cli_json_float(summary->first));
	cli_json_set(j, "last", cli_json_float(summary->last));
	cli_json_set(p->data, "summary", j);
}

/* The columns, in the order that page.html has them. */
void cli_page_entry(void *ctx, const struct ferry_journal_entry *e)
{
	struct cli_page *p = ctx;
	const char *const texts[] = {
		e->source, e->output, e->state, e->code, e->reason,
		e->type, e->version, e->format, e->rule, e->losses,
	};
	json_t *row = sure(json_array());

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		cli_json_add(row, cli_json_text(texts[i]));
	cli_json_add(row, cli_json_uint(e->nbytes));
	cli_json_add(row, cli_json_uint(e->bytes_out));
	cli_json_add(row, cli_json_float(e->seconds));
	cli_json_add(p->rows, row);
}

void cli_page_item(struct cli_page *p, const struct ferry_item *item)
{
	struct ferry_journal_entry e = {
		.source = item->source,
		.output = item->output,
		.state = ferry_item_state_name(item->state),
		.code = item->code ? ferry_code_name(item->code) : NULL,
		.reason = item->reason,
		.type = item->type,
		.version = item->version,
		.format = item->format,
		.rule = item->rule,
		.losses = item->losses,
		.nbytes = item->nbytes,
		.bytes_out = item->bytes_out,
		.seconds = item->seconds,
	};

	cli_page_entry(p, &e);
}

/* JSON inside of a script element must not end it, nor open a comment. */
static int put(const char *text, size_t n, void *ctx)
{
	FILE *f = ctx;

	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c == '<' || c == '>' || c == '&' || c == 0x7f)
			fprintf(f, "\\u%04x", c);
		else
			putc(c, f);
	}
	return ferror(f) ? -1 : 0;
}

int cli_page_write(const struct cli_page *p, const char *path,
		   struct ferry_error *err)
{
	struct cli_draft d;
	int rc;

	rc = cli_draft_open(&d, path, err);
	if (rc)
		return rc;
	for (size_t i = 0; cli_page_html[i]; i++) {
		if (strcmp(cli_page_html[i], HOLE)) {
			fputs(cli_page_html[i], d.f);
			continue;
		}
		json_dump_callback(p->data, put, d.f,
				   JSON_COMPACT | JSON_ENSURE_ASCII);
		putc('\n', d.f);
	}
	return cli_draft_close(&d, true, err);
}
