/* ferry: the command. */
#include "config.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "cli/report.h"
#include "cli/session.h"
#include "cli/text.h"
#include "cli/verb.h"

static const struct cli_verb *const verbs[] = {
	&cli_convert, &cli_plan, &cli_inspect, &cli_diff, &cli_verify,
	&cli_migrate, &cli_average, &cli_scan, &cli_types, &cli_formats, &cli_conversions,
	&cli_models, &cli_plugins,
};

#define N_VERBS (sizeof(verbs) / sizeof(verbs[0]))

static void print_usage(FILE *f)
{
	fputs("Usage: ferry VERB [OPTION]... [OPERAND]...\n"
	      "Carry checkpoints from one framework to another.\n"
	      "\nVerbs:\n", f);
	for (size_t i = 0; i < N_VERBS; i++)
		fprintf(f, "  %-12s %s\n", verbs[i]->name, verbs[i]->summary);
	fputs("  help         help for a verb: ferry help convert\n"
	      "\nferry VERB --help lists a verb's options; ferry --version "
	      "prints the version.\n"
	      "\nExit status: 0 done; 1 failed, or files differ; 2 usage; "
	      "3 refused: a loss,\n"
	      "an unknown or ambiguous type; 4 verification failed; "
	      "5 batch partly failed.\n", f);
}

static const struct cli_verb *find_verb(const char *name)
{
	for (size_t i = 0; i < N_VERBS; i++)
		if (!strcmp(verbs[i]->name, name))
			return verbs[i];
	return NULL;
}

static int unknown_verb(const char *name)
{
	const char *names[N_VERBS + 1] = { "help" };
	const char *near;
	char shown[128];

	for (size_t i = 0; i < N_VERBS; i++)
		names[i + 1] = verbs[i]->name;
	near = cli_nearest(name, names, N_VERBS + 1);
	ferry_escape(shown, sizeof(shown), name, strlen(name));
	fprintf(stderr, "ferry: unknown %s %s",
		*name == '-' ? "option" : "verb", shown);
	if (near)
		fprintf(stderr, ": did you mean %s?", near);
	fputs("\nhint: ferry --help lists the verbs\n", stderr);
	return CLI_MISUSED;
}

static int print_help(int argc, char **argv)
{
	const struct cli_verb *verb;

	if (argc < 2) {
		print_usage(stdout);
		return CLI_DONE;
	}
	verb = find_verb(argv[1]);
	if (!verb)
		return unknown_verb(argv[1]);
	cli_print_help(verb);
	return CLI_DONE;
}

static int run_verb(const struct cli_verb *verb, int argc, char **argv)
{
	struct cli c;
	int status;

	cli_begin(&c, verb, argc, argv);
	status = verb->run(&c);
	cli_session_close(&c);
	cli_release(&c);
	return status;
}

static int run(int argc, char **argv)
{
	const struct cli_verb *verb;

	if (argc < 1) {
		print_usage(stderr);
		return CLI_MISUSED;
	}
	if (!strcmp(argv[0], "--version") || !strcmp(argv[0], "-V")) {
		puts("ferry " PACKAGE_VERSION);
		return CLI_DONE;
	}
	if (!strcmp(argv[0], "help") || !strcmp(argv[0], "--help") ||
	    !strcmp(argv[0], "-h"))
		return print_help(argc, argv);
	verb = find_verb(argv[0]);
	if (!verb)
		return unknown_verb(argv[0]);
	return run_verb(verb, argc, argv);
}

int main(int argc, char **argv)
{
	/* A file size limit is an error with a name, not a death. */
	signal(SIGXFSZ, SIG_IGN);
	return cli_close_stdout(run(argc - 1, argv + 1));
}
