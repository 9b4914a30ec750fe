/*
 * A page about a migration, for people: one HTML file that needs no network
 * (and, by its own policy, may use none).  It holds the rows as JSON and shows
 * totals, sizes before and after, failures with what to do, and a table to
 * search.  cli/page.html is its text.
 */
#ifndef CLI_PAGE_H
#define CLI_PAGE_H

#include <ferry/migrate.h>

struct cli_page;

/* `title` is what was migrated, any bytes. */
struct cli_page *cli_page_new(const char *title);
void cli_page_free(struct cli_page *p);

/* The attempts that the rows are of. */
void cli_page_tell(struct cli_page *p,
		   const struct ferry_journal_summary *summary);

/* A row: ferry_journal_read()'s `each`, ctx being the page. */
void cli_page_entry(void *ctx, const struct ferry_journal_entry *e);
void cli_page_item(struct cli_page *p, const struct ferry_item *item);

int cli_page_write(const struct cli_page *p, const char *path,
		   struct ferry_error *err);

#endif
