/*
 * What the listing verbs share: a table of rows, or a JSON array.
 */
#ifndef CLI_KNOWN_H
#define CLI_KNOWN_H

#include <jansson.h>

#include <ferry/abilities.h>

#include "cli/argument.h"
#include "cli/table.h"

struct cli_listing {
	enum ferry_known_kind kind;
	const char *align;		/* of the columns */
	const char *const *headers;	/* as many */
	void (*put_row)(struct cli_table *t, const struct ferry_known *row);
	/* Add members to what all rows have (name, title, plugin). */
	void (*put_json)(json_t *json, const struct ferry_known *row);
	/* Add rows for what did not load, or NULL. */
	void (*put_refused)(json_t *list, const struct ferry_findings *f);
	/* Print more below the table, or NULL. */
	void (*put_more)(const struct ferry_known *row);
};

/* Open the session and print every row, or those named by operands. */
int cli_list(struct cli *c, const struct cli_listing *listing, bool more);

/* As a whole verb whose only option, if any, asks for more. */
int cli_list_by_options(struct cli *c, const struct cli_listing *listing);

/* Items joined by ", " or "-"; NULL-terminated, may be NULL. */
void cli_cell_list(struct cli_table *t, const char *const *items);

json_t *cli_json_list(const char *const *items);

/* {"name": {"default", "help"}} */
json_t *cli_json_options(const struct ferry_option_spec *options);

/* "  --set NAME=...  help (default)" lines under a heading. */
void cli_print_options(const char *heading,
		       const struct ferry_option_spec *options);

#endif
