/*
 * What goes to stderr, and exit statuses.
 */
#ifndef CLI_REPORT_H
#define CLI_REPORT_H

#include <ferry/findings.h>

#include "cli/argument.h"

enum cli_status {
	CLI_DONE = 0,
	CLI_FAILED = 1,
	CLI_DIFFERS = 1,
	CLI_MISUSED = 2,
	CLI_REFUSED = 3,	/* a loss, an unknown or ambiguous type */
	CLI_UNVERIFIED = 4,
	CLI_PARTLY = 5,		/* some files of a batch failed */
};

/* The exit status an error stands for. */
enum cli_status cli_status(const struct ferry_error *err);

/*
 * Print "ferry: FILE: sentence (at byte N)" and a hint where there is one;
 * with --json an object with the error on stdout too.  file may be NULL.
 * Returns cli_status(err).
 */
int cli_failed(const struct cli *c, const char *file,
	       const struct ferry_error *err);
/* The same, then what was found on the way; found may be NULL. */
int cli_failed_by(const struct cli *c, const char *file,
		  const struct ferry_error *err,
		  const struct ferry_findings *found);

/* Print "ferry: warning: FILE: PATH: text (at byte N)"; nothing with -q. */
void cli_warn(const struct cli *c, const char *file,
	      const struct ferry_finding *f);
/* The same for every finding of at least `level`. */
void cli_warn_all(const struct cli *c, const char *file,
		  const struct ferry_findings *f, enum ferry_level level);

/* "note", "warning", "violation". */
const char *cli_level_name(enum ferry_level level);

/* Flush stdout; CLI_FAILED with a message when it did not take everything,
 * else status. */
int cli_close_stdout(int status);

#endif
