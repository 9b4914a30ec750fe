/*
 * Aligned columns on stdout.  Cells are escaped; nothing is cut.
 */
#ifndef CLI_TABLE_H
#define CLI_TABLE_H

#include <stddef.h>

#include <ferry/api.h>

#define CLI_TABLE_COLUMNS 10

struct cli_table {
	size_t n_columns;
	const char *align;	/* per column 'l' or 'r' */
	size_t width[CLI_TABLE_COLUMNS];
	size_t n_cells;
	struct cli_cell *cells;
	size_t cells_cap;
	char *text;
	size_t ntext, text_cap;
};

/* The first row is the header: align has one letter per column. */
void cli_table_init(struct cli_table *t, const char *align);
void cli_table_release(struct cli_table *t);

/* The next cell, left to right, row by row; text is copied. */
void cli_cell(struct cli_table *t, const char *text);
/* The same for text that is safe for a terminal already. */
void cli_cell_done(struct cli_table *t, const char *text);
void cli_cell_fmt(struct cli_table *t, const char *fmt, ...)
	FERRY_PRINTF(2, 3);

/* Print with `indent` spaces before each row. */
void cli_table_print(const struct cli_table *t, int indent);

#endif
