/*
 * What a migration would do, did, or has done so far: for people and as JSON.
 */
#ifndef CLI_MIGRATE_REPORT_H
#define CLI_MIGRATE_REPORT_H

#include <ferry/migrate.h>

#include "cli/argument.h"

/* Every item and the totals, of a survey. */
void cli_migrate_print_survey(const struct cli *c,
			      const struct ferry_migration *m,
			      const struct ferry_totals *t);
/* Totals of a run on stderr; as JSON on stdout with the items that failed. */
void cli_migrate_print_run(const struct cli *c,
			   const struct ferry_migration *m,
			   const struct ferry_totals *t,
			   const struct ferry_error *stopped);
/* Totals of what was frozen, on stderr. */
void cli_migrate_print_frozen(const struct cli *c, const char *manifest,
			      const struct ferry_totals *t);
/* "ferry: failed: FILE: reason", and what was passed over. */
void cli_migrate_print_failure(const struct ferry_item *item);
void cli_migrate_print_passed(const struct cli *c,
			      const struct ferry_migration *m);
/* What the journals below DST tell.  Returns an exit status. */
int cli_migrate_print_status(struct cli *c, const char *dst);
/* Every sidecar below a directory proved.  Returns an exit status. */
int cli_ledger_verify(struct cli *c, const char *dst);

#endif
