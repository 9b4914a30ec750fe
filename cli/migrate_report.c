/* What a migration tells. */
#include "config.h"

#include "cli/migrate_report.h"

#include <stdio.h>
#include <string.h>

#include "cli/json_out.h"
#include "cli/report.h"
#include "cli/table.h"
#include "cli/text.h"

/* ---- items --------------------------------------------------------------- */

static void set_text(json_t *json, const char *key, const char *text)
{
	if (text)
		cli_json_set(json, key, cli_json_text(text));
}

static json_t *json_item(const struct ferry_item *i)
{
	json_t *json = json_object();

	set_text(json, "source", i->source);
	set_text(json, "output", i->output);
	set_text(json, "state", ferry_item_state_name(i->state));
	if (i->code)
		set_text(json, "code", ferry_code_name(i->code));
	set_text(json, "reason", i->reason);
	set_text(json, "format", i->format);
	set_text(json, "type", i->type);
	set_text(json, "version", i->version);
	set_text(json, "to_format", i->to_format);
	set_text(json, "to_type", i->to_type);
	set_text(json, "rule", i->rule);
	set_text(json, "plan", i->plan);
	set_text(json, "losses", i->losses);
	cli_json_set(json, "files", cli_json_uint(i->n_files));
	cli_json_set(json, "nbytes", cli_json_uint(i->nbytes));
	cli_json_set(json, "bytes_out", cli_json_uint(i->bytes_out));
	return json;
}

static json_t *json_totals(const struct ferry_totals *t)
{
	json_t *json = json_object(), *states = json_object();

	for (int i = 0; i < FERRY_ITEM_N_STATES; i++)
		cli_json_set(states, ferry_item_state_name(
			     (enum ferry_item_state)i), cli_json_uint(t->n[i]));
	cli_json_set(json, "states", states);
	cli_json_set(json, "bytes_before", cli_json_uint(t->bytes_before));
	cli_json_set(json, "bytes_after", cli_json_uint(t->bytes_after));
	cli_json_set(json, "seconds", json_real(t->seconds));
	return json;
}

static void cell_text(struct cli_table *t, const char *text)
{
	cli_cell(t, text ? text : "");
}

static void add_row(struct cli_table *t, const struct ferry_item *i)
{
	bool planned = i->state == FERRY_ITEM_PLANNED;
	char size[CLI_NUMBER_CAP];

	cell_text(t, i->source);
	cell_text(t, i->type ? i->type : i->format);
	cell_text(t, i->version);
	cell_text(t, ferry_item_state_name(i->state));
	cell_text(t, planned ? i->to_format ? i->to_format : "copy" : "");
	cli_cell(t, ferry_bytes_text(i->nbytes, size));
	cli_cell(t, planned ? ferry_bytes_text(i->bytes_out, size) : "");
	cell_text(t, i->losses);
	if (planned)
		cell_text(t, i->output);
	else
		cli_cell_done(t, i->reason ? i->reason : "");
}

static void print_table(const struct ferry_migration *m)
{
	const struct ferry_item *item;
	struct cli_table t;

	cli_table_init(&t, "lllllrrll");
	cli_cell(&t, "FILE");
	cli_cell(&t, "TYPE");
	cli_cell(&t, "VERSION");
	cli_cell(&t, "STATE");
	cli_cell(&t, "TO");
	cli_cell(&t, "SIZE");
	cli_cell(&t, "AFTER");
	cli_cell(&t, "LOSES");
	cli_cell(&t, "OUTPUT");
	/* What belongs to an item that is listed is counted below. */
	for (size_t i = 0; (item = ferry_migration_get(m, i)); i++)
		if (item->state != FERRY_ITEM_MEMBER)
			add_row(&t, item);
	cli_table_print(&t, 0);
	cli_table_release(&t);
}

/* "12 planned, 3 skipped" */
static void put_states(FILE *f, const struct ferry_totals *t)
{
	char n[CLI_NUMBER_CAP];
	bool any = false;

	for (int i = 0; i < FERRY_ITEM_N_STATES; i++)
		if (t->n[i]) {
			fprintf(f, "%s%s %s", any ? ", " : "",
				cli_count(n, t->n[i]), ferry_item_state_name(
				(enum ferry_item_state)i));
			any = true;
		}
	if (!any)
		fputs("nothing to do", f);
}

void cli_migrate_print_survey(const struct cli *c,
			      const struct ferry_migration *m,
			      const struct ferry_totals *t)
{
	char a[CLI_NUMBER_CAP], b[CLI_NUMBER_CAP];
	const struct ferry_item *item;
	json_t *json, *items;

	if (!c->json) {
		print_table(m);
		put_states(stdout, t);
		printf("; %s before, %s after\n",
		       ferry_bytes_text(t->bytes_before, a),
		       ferry_bytes_text(t->bytes_after, b));
		return;
	}
	json = json_object();
	items = json_array();
	for (size_t i = 0; (item = ferry_migration_get(m, i)); i++)
		cli_json_add(items, json_item(item));
	cli_json_set(json, "items", items);
	cli_json_set(json, "totals", json_totals(t));
	cli_json_set(json, "passed_over",
		     cli_json_findings(ferry_migration_findings(m),
				       FERRY_NOTE));
	cli_json_print(json);
}

/* ---- a run --------------------------------------------------------------- */

void cli_migrate_print_failure(const struct ferry_item *item)
{
	fputs("ferry: failed: ", stderr);
	cli_puts(stderr, item->source);
	fputs(": ", stderr);
	cli_put_message(stderr, item->reason ? item->reason : "");
	fputc('\n', stderr);
}

void cli_migrate_print_passed(const struct cli *c,
			      const struct ferry_migration *m)
{
	const struct ferry_findings *all = ferry_migration_findings(m);
	const struct ferry_finding *f;

	for (size_t i = 0; !c->quiet && (f = ferry_findings_get(all, i));
	     i++) {
		fprintf(stderr, "ferry: %s: ", f->level == FERRY_NOTE ? "note" :
			"warning");
		cli_puts(stderr, f->path);
		fprintf(stderr, " %s\n", f->text);
	}
}

static void print_json_run(const struct ferry_migration *m,
			   const struct ferry_totals *t,
			   const struct ferry_error *stopped)
{
	json_t *json = json_object(), *failed = json_array();
	const struct ferry_item *item;

	for (size_t i = 0; (item = ferry_migration_get(m, i)); i++)
		if (item->state == FERRY_ITEM_FAILED)
			cli_json_add(failed, json_item(item));
	cli_json_set(json, "totals", json_totals(t));
	cli_json_set(json, "failures", failed);
	if (stopped->code)
		cli_json_set(json, "stopped", cli_json_text(stopped->text));
	cli_json_print(json);
}

void cli_migrate_print_run(const struct cli *c,
			   const struct ferry_migration *m,
			   const struct ferry_totals *t,
			   const struct ferry_error *stopped)
{
	char a[CLI_NUMBER_CAP], b[CLI_NUMBER_CAP];

	if (c->json)
		print_json_run(m, t, stopped);
	if (stopped->code)
		fprintf(stderr, "ferry: %s\n", stopped->text);
	if (c->quiet || c->json || (stopped->code && !t->seconds))
		return;
	fputs("ferry: ", stderr);
	put_states(stderr, t);
	fprintf(stderr, "; %s before, %s after, in %.2f s\n",
		ferry_bytes_text(t->bytes_before, a),
		ferry_bytes_text(t->bytes_after, b), t->seconds);
}

void cli_migrate_print_frozen(const struct cli *c, const char *manifest,
			      const struct ferry_totals *t)
{
	if (c->quiet)
		return;
	fputs("ferry: ", stderr);
	put_states(stderr, t);
	fputs("; frozen in ", stderr);
	cli_puts(stderr, manifest);
	putc('\n', stderr);
}

/* ---- the ledger ---------------------------------------------------------- */

struct telling {
	struct ferry_totals totals;
	json_t *items;		/* NULL: as text */
	uint64_t n_unknown;
};

static void count_entry(struct telling *t, const struct ferry_journal_entry *e)
{
	for (int i = 0; i < FERRY_ITEM_N_STATES; i++)
		if (e->state && !strcmp(e->state, ferry_item_state_name(
					(enum ferry_item_state)i)))
			t->totals.n[i]++;
	if (e->state && (!strcmp(e->state, "done") ||
			 !strcmp(e->state, "kept"))) {
		t->totals.bytes_before += e->nbytes;
		t->totals.bytes_after += e->bytes_out;
	}
}

static void tell_entry(void *ctx, const struct ferry_journal_entry *e)
{
	struct telling *t = ctx;
	json_t *json;

	count_entry(t, e);
	if (!t->items) {
		if (e->state && !strcmp(e->state, "failed")) {
			fputs("failed: ", stdout);
			cli_puts(stdout, e->source);
			fputs(": ", stdout);
			cli_put_message(stdout, e->reason ? e->reason : "");
			putchar('\n');
		}
		return;
	}
	json = json_object();
	set_text(json, "source", e->source);
	set_text(json, "output", e->output);
	set_text(json, "state", e->state);
	set_text(json, "code", e->code);
	set_text(json, "reason", e->reason);
	set_text(json, "type", e->type);
	set_text(json, "version", e->version);
	set_text(json, "format", e->format);
	set_text(json, "attempt", e->attempt);
	cli_json_set(json, "nbytes", cli_json_uint(e->nbytes));
	cli_json_set(json, "bytes_out", cli_json_uint(e->bytes_out));
	cli_json_add(t->items, json);
}

static void print_summary(const struct telling *t,
			  const struct ferry_journal_summary *s)
{
	char a[CLI_NUMBER_CAP], b[CLI_NUMBER_CAP];

	put_states(stdout, &t->totals);
	printf("; %s before, %s after\n",
	       ferry_bytes_text(t->totals.bytes_before, a),
	       ferry_bytes_text(t->totals.bytes_after, b));
	printf("%zu attempt%s: %zu running, %zu ended without a word\n",
	       s->n_journals, cli_plural(s->n_journals), s->n_running,
	       s->n_stopped);
	if (s->n_left)
		printf("%s item%s not reached%s\n", cli_count(a, s->n_left),
		       cli_plural(s->n_left), s->n_running ? " yet" :
		       " by the last attempt: run it again to go on");
	if (s->n_torn)
		printf("%zu line%s cut by a crash\n", s->n_torn,
		       cli_plural(s->n_torn));
}

static void print_json_status(struct telling *t,
			      const struct ferry_journal_summary *s)
{
	json_t *json = json_object();

	cli_json_set(json, "items", t->items);
	cli_json_set(json, "totals", json_totals(&t->totals));
	cli_json_set(json, "attempts", cli_json_uint(s->n_journals));
	cli_json_set(json, "running", cli_json_uint(s->n_running));
	cli_json_set(json, "stopped", cli_json_uint(s->n_stopped));
	cli_json_set(json, "left", cli_json_uint(s->n_left));
	cli_json_set(json, "torn_lines", cli_json_uint(s->n_torn));
	cli_json_print(json);
}

int cli_migrate_print_status(struct cli *c, const char *dst)
{
	struct telling t = { .items = c->json ? json_array() : NULL };
	struct ferry_error err = FERRY_ERROR_INIT;
	struct ferry_journal_summary s;

	if (ferry_journal_read(dst, &s, tell_entry, &t, &err)) {
		json_decref(t.items);
		return cli_failed(c, NULL, &err);
	}
	if (c->json)
		print_json_status(&t, &s);
	else
		print_summary(&t, &s);
	return t.totals.n[FERRY_ITEM_FAILED] || (s.n_left && !s.n_running) ?
	       CLI_PARTLY : CLI_DONE;
}

struct proving {
	const struct cli *c;
	json_t *wrong;
	uint64_t n, n_wrong, nbytes;
};

static void tell_proof(void *ctx, const char *output, uint64_t nbytes,
		       const char *wrong)
{
	struct proving *p = ctx;
	json_t *json;

	p->n++;
	p->nbytes += nbytes;
	if (!wrong)
		return;
	p->n_wrong++;
	if (p->wrong) {
		json = json_object();
		set_text(json, "output", output);
		set_text(json, "text", wrong);
		cli_json_add(p->wrong, json);
		return;
	}
	fputs("violation: ", stdout);
	cli_puts(stdout, output);
	fputs(": ", stdout);
	cli_put_message(stdout, wrong);
	putchar('\n');
}

int cli_ledger_verify(struct cli *c, const char *dst)
{
	struct proving p = { .c = c, .wrong = c->json ? json_array() : NULL };
	struct ferry_error err = FERRY_ERROR_INIT;
	char a[CLI_NUMBER_CAP], b[CLI_NUMBER_CAP];
	json_t *json;

	if (ferry_ledger_verify(dst, NULL, tell_proof, &p, &err)) {
		json_decref(p.wrong);
		return cli_failed(c, dst, &err);
	}
	if (c->json) {
		json = json_object();
		cli_json_set(json, "outputs", cli_json_uint(p.n));
		cli_json_set(json, "nbytes", cli_json_uint(p.nbytes));
		cli_json_set(json, "ok", json_boolean(p.n && !p.n_wrong));
		cli_json_set(json, "violations", p.wrong);
		cli_json_print(json);
	} else if (!c->quiet) {
		printf("%s: %s output%s, %s", dst, cli_count(a, p.n),
		       cli_plural(p.n), ferry_bytes_text(p.nbytes, b));
		if (p.n_wrong)
			printf(": %s wrong\n", cli_count(a, p.n_wrong));
		else
			puts(p.n ? ": ok" : ": no sidecar tells of any: is it "
			     "a directory that ferry migrate wrote?");
	}
	return p.n && !p.n_wrong ? CLI_DONE : CLI_UNVERIFIED;
}
