/* Aligned columns on stdout. */
#include "config.h"

#include "cli/table.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ferry/error.h>

#include "cli/memory.h"
#include "cli/text.h"

struct cli_cell {
	size_t at, n;		/* in text */
	size_t width;		/* characters */
};

void cli_table_init(struct cli_table *t, const char *align)
{
	memset(t, 0, sizeof(*t));
	t->align = align;
	t->n_columns = strlen(align);
}

void cli_table_release(struct cli_table *t)
{
	free(t->cells);
	free(t->text);
}

static void reserve(struct cli_table *t, size_t n)
{
	size_t want = t->text_cap ? t->text_cap : 4096;
	char *p;

	while (want - t->ntext < n)
		want *= 2;
	if (want == t->text_cap)
		return;
	p = realloc(t->text, want);
	if (!p)
		cli_out_of_memory();
	t->text = p;
	t->text_cap = want;
}

static size_t count_characters(const char *text, size_t n)
{
	size_t width = 0;

	for (size_t i = 0; i < n; i++)
		width += ((unsigned char)text[i] & 0xc0) != 0x80;
	return width;
}

static void add_cell(struct cli_table *t, const char *text, bool escaped)
{
	size_t n = strlen(text), column = t->n_cells % t->n_columns;
	struct cli_cell *cell;

	t->cells = cli_grow(t->cells, t->n_cells, &t->cells_cap,
			    sizeof(*t->cells));
	cell = &t->cells[t->n_cells++];
	reserve(t, 4 * n + 8);
	cell->at = t->ntext;
	cell->n = n;
	if (escaped || cli_is_plain(text, n)) {
		memcpy(t->text + t->ntext, text, n);
	} else {
		ferry_escape(t->text + t->ntext, 4 * n + 8, text, n);
		cell->n = strlen(t->text + t->ntext);
	}
	t->ntext += cell->n;
	cell->width = count_characters(t->text + cell->at, cell->n);
	if (cell->width > t->width[column])
		t->width[column] = cell->width;
}

void cli_cell(struct cli_table *t, const char *text)
{
	add_cell(t, text, false);
}

void cli_cell_done(struct cli_table *t, const char *text)
{
	add_cell(t, text, true);
}

void cli_cell_fmt(struct cli_table *t, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	cli_cell(t, text);
}

static void put_spaces(size_t n)
{
	static const char spaces[] = "                                ";

	for (; n > sizeof(spaces) - 1; n -= sizeof(spaces) - 1)
		fwrite(spaces, 1, sizeof(spaces) - 1, stdout);
	fwrite(spaces, 1, n, stdout);
}

/* The number of cells in the row at `i` up to the last that is not empty. */
static size_t row_end(const struct cli_table *t, size_t i)
{
	size_t n = t->n_columns;

	while (n > 1 && !t->cells[i + n - 1].n)
		n--;
	return n;
}

static void print_cell(const struct cli_table *t, size_t i, bool last)
{
	const struct cli_cell *cell = &t->cells[i];
	size_t column = i % t->n_columns;
	size_t pad = t->width[column] - cell->width;

	if (t->align[column] == 'r')
		put_spaces(pad);
	fwrite(t->text + cell->at, 1, cell->n, stdout);
	if (!last && t->align[column] == 'l')
		put_spaces(pad);
	fputs(last ? "\n" : "  ", stdout);
}

void cli_table_print(const struct cli_table *t, int indent)
{
	for (size_t i = 0; i < t->n_cells; i += t->n_columns) {
		size_t n = row_end(t, i);

		put_spaces((size_t)indent);
		for (size_t k = 0; k < n; k++)
			print_cell(t, i + k, k + 1 == n);
	}
}
