/* The first level of a document as a table. */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ferry/tensor.h>

#include "cli/memory.h"
#include "cli/scalar.h"
#include "cli/table.h"
#include "cli/text.h"
#include "cli/tree.h"
#include "cli/visited.h"

#define STRING_MOST 60
#define ROWS_MOST 40

struct row {
	char *label;
	const struct ferry_value *value;
	uint64_t n_tensors, nbytes;
	uint64_t n_keys;	/* of a group; 0: a row for itself */
};

struct rows {
	struct row *items;
	size_t n, cap;
	struct cli_marks seen;
};

struct sum {
	struct cli_marks *seen;
	uint64_t n_tensors, nbytes;
};

static int add_below(void *ctx, struct ferry_value *v)
{
	struct sum *sum = ctx;

	if (cli_mark(sum->seen, v))
		return 0;
	if (v->kind != FERRY_TENSOR)
		return cli_each_part(v, add_below, sum);
	sum->n_tensors++;
	sum->nbytes += ferry_tensor_nbytes(v->u.tensor);
	return 0;
}

static int add_row(void *ctx, const char *label, struct ferry_value *v)
{
	struct rows *rows = ctx;
	struct sum sum = { .seen = &rows->seen };
	struct row *row;

	add_below(&sum, v);
	rows->items = cli_grow(rows->items, rows->n, &rows->cap,
			       sizeof(*rows->items));
	row = &rows->items[rows->n++];
	row->label = cli_copy(label);
	row->value = ferry_value_payload(v);
	row->n_tensors = sum.n_tensors;
	row->nbytes = sum.nbytes;
	row->n_keys = 0;
	return 0;
}

/* Bytes of the dotted prefix that all labels have. */
static size_t common_prefix(const struct rows *rows)
{
	const char *first = rows->items[0].label;
	size_t n = strlen(first);

	for (size_t i = 1; i < rows->n; i++) {
		const char *label = rows->items[i].label;
		size_t k = 0;

		while (k < n && label[k] == first[k] && label[k])
			k++;
		n = k;
	}
	while (n && first[n - 1] != '.')
		n--;
	return n;
}

/* Bytes of a label up to the dot after the common prefix, or 0. */
static size_t group_length(const char *label, size_t common)
{
	const char *dot = strchr(label + common, '.');

	return dot ? (size_t)(dot - label) : 0;
}

/* Neighbours with one first component become one row. */
static void group(struct rows *rows)
{
	size_t common = common_prefix(rows), n = 0;

	for (size_t i = 0; i < rows->n; i++) {
		struct row *row = &rows->items[i];
		struct row *last = n ? &rows->items[n - 1] : NULL;
		size_t len = group_length(row->label, common);

		if (len && last && last->n_keys &&
		    group_length(last->label, common) == len &&
		    !memcmp(last->label, row->label, len)) {
			last->n_tensors += row->n_tensors;
			last->nbytes += row->nbytes;
			last->n_keys++;
			free(row->label);
			continue;
		}
		row->n_keys = len ? 1 : 0;
		rows->items[n++] = *row;
	}
	rows->n = n;
	for (size_t i = 0; i < n; i++)
		if (rows->items[i].n_keys > 1)
			memcpy(rows->items[i].label +
			       group_length(rows->items[i].label, common) + 1,
			       "*", 2);
}

static void put_what(struct cli_table *t, const struct row *row)
{
	char *text = NULL;
	size_t n;
	FILE *f;

	if (row->n_keys > 1) {
		cli_cell_fmt(t, "%" PRIu64 " keys", row->n_keys);
		return;
	}
	f = open_memstream(&text, &n);
	if (!f)
		cli_out_of_memory();
	cli_put_value(f, row->value, STRING_MOST);
	if (fclose(f))
		cli_out_of_memory();
	cli_cell_done(t, text);
	free(text);
}

static void put_row(struct cli_table *t, const struct row *row)
{
	char text[CLI_NUMBER_CAP];

	cli_cell(t, row->label);
	put_what(t, row);
	if (!row->n_tensors) {
		cli_cell(t, "");
		cli_cell(t, "");
		return;
	}
	cli_cell_fmt(t, "%s tensor%s", cli_count(text, row->n_tensors),
		     cli_plural(row->n_tensors));
	cli_cell(t, ferry_bytes_text(row->nbytes, text));
}

void cli_print_contents(struct ferry_value *v)
{
	struct rows rows = { 0 };
	struct cli_table t;

	if (v->kind < FERRY_LIST || v->kind == FERRY_TENSOR)
		add_row(&rows, "(root)", v);
	else
		cli_each_child(v, add_row, &rows);
	if (rows.n > ROWS_MOST)
		group(&rows);
	cli_table_init(&t, "llrr");
	for (size_t i = 0; i < rows.n && i < ROWS_MOST; i++)
		put_row(&t, &rows.items[i]);
	cli_table_print(&t, 2);
	if (rows.n > ROWS_MOST)
		printf("  ... and %zu more: --depth=1 and --tensors list "
		       "them\n", rows.n - ROWS_MOST);
	cli_table_release(&t);
	for (size_t i = 0; i < rows.n; i++)
		free(rows.items[i].label);
	free(rows.items);
	cli_marks_release(&rows.seen);
}
