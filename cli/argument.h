/*
 * The command line of one verb.
 *
 * Each verb has tables of options; parsing, --help, near misses and the
 * shared options (--help, --json, --quiet, --plugin, ...) come from there.
 * Options may stand before, between and after operands; "--" ends them.
 */
#ifndef CLI_ARGUMENT_H
#define CLI_ARGUMENT_H

#include <stdbool.h>
#include <stddef.h>

#include <ferry/api.h>

struct cli;

struct cli_option {
	int id;			/* from 1, unique in a verb; tables end in 0 */
	const char *name;	/* without the dashes */
	char letter;		/* 0: none */
	const char *arg;	/* "FILE"; "[KIND,...]" optional; NULL: none */
	const char *help;	/* one paragraph, lower case, no full stop */
};

struct cli_verb {
	const char *name;
	const char *operands;	/* "IN... OUT" */
	const char *summary;	/* one line */
	const char *detail;	/* paragraphs after the options, or NULL */
	const struct cli_option *const *tables;	/* ends in NULL */
	size_t min_operands, max_operands;	/* max 0: any number */
	int (*run)(struct cli *c);	/* gives the exit status */
};

/* One run of one verb. */
struct cli {
	const struct cli_verb *verb;
	/* operands, once cli_next() has given CLI_END */
	char **operands;
	size_t n_operands;
	/* shared options */
	bool json, quiet;
	const char **plugin_files;
	size_t n_plugin_files, plugin_files_cap;
	const char *plugin_path, *schema_path;

	struct ferry_session *session;	/* see cli/session.h */

	/* private to the parser */
	int argc;
	char **argv;
	struct option *longs;
	const struct cli_option **rows;
	char *shorts;
	const char *wrong;	/* operand that was refused */
};

enum {
	CLI_END = 0,		/* operands are ready */
	CLI_USAGE = -1,		/* a message was printed: exit 2 */
	CLI_HELP = -2,		/* help was printed: exit 0 */
};

/* argv[0] is the verb. */
void cli_begin(struct cli *c, const struct cli_verb *verb, int argc,
	       char **argv);
void cli_release(struct cli *c);

/*
 * The id of the verb's next option and its argument (NULL: none), or CLI_END,
 * CLI_USAGE, CLI_HELP.  After CLI_END the number of operands has been checked.
 */
int cli_next(struct cli *c, const char **arg);

/* For a verb without options of its own: all at once. */
int cli_take_shared(struct cli *c);

/* The exit status for CLI_USAGE and CLI_HELP. */
int cli_ended(int id);

/* Print "ferry VERB: <sentence>" and where help is; returns CLI_USAGE. */
int cli_usage(const struct cli *c, const char *fmt, ...) FERRY_PRINTF(2, 3);

void cli_print_help(const struct cli_verb *verb);

#endif
