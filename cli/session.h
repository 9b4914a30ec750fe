/*
 * The library session of a run, and opening files with it.
 */
#ifndef CLI_SESSION_H
#define CLI_SESSION_H

#include <ferry/session.h>

#include "cli/argument.h"

/* Make c->session from the shared options and warn of refused plugins.
 * Returns an exit status; on failure the error was printed. */
int cli_session_open(struct cli *c);
void cli_session_close(struct cli *c);

/* A file that was read: its index, what it is. */
struct cli_file {
	const char *path;
	struct ferry_document *doc;
	struct ferry_recognised type;
};

/*
 * Read the index of path and recognise it.  format and type force one (NULL:
 * found out).  Returns an exit status; on failure the error was printed.
 */
int cli_file_open(struct cli *c, struct cli_file *out, const char *path,
		  const char *format, const char *type);
void cli_file_close(struct cli_file *file);

/* The name of the recognised type, or NULL. */
const char *cli_file_type(const struct cli_file *file);

/*
 * The model's weights: a mapping inside the document.  NULL *out is printed
 * as an error when the file has none (CLI_REFUSED).
 */
int cli_file_weights(struct cli *c, struct cli_file *file,
		     struct ferry_value **out);

#endif
