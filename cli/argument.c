/* The command line of one verb. */
#include "config.h"

#include "cli/argument.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/memory.h"
#include "cli/text.h"

#define HELP_COLUMN 30
#define HELP_WIDTH 80

enum {
	SHARED_HELP = 1000,
	SHARED_JSON,
	SHARED_QUIET,
	SHARED_PLUGIN,
	SHARED_PLUGIN_PATH,
	SHARED_SCHEMA_PATH,
};

static const struct cli_option shared[] = {
	{ SHARED_JSON, "json", 0, NULL, "print the report as JSON on stdout" },
	{ SHARED_QUIET, "quiet", 'q', NULL,
	  "print errors only: no summary, notes, warnings or progress" },
	{ SHARED_PLUGIN, "plugin", 0, "FILE",
	  "load this plugin too; may be repeated" },
	{ SHARED_PLUGIN_PATH, "plugin-path", 0, "DIR[:DIR...]",
	  "look for plugins here first, instead of FERRY_PLUGIN_PATH" },
	{ SHARED_SCHEMA_PATH, "schema-path", 0, "DIR[:DIR...]",
	  "look for handling rules here first, instead of FERRY_SCHEMA_PATH" },
	{ SHARED_HELP, "help", 'h', NULL, "print this help" },
	{ 0 },
};

static void each_row(const struct cli_verb *verb, size_t i,
		     const struct cli_option **out)
{
	*out = NULL;
	for (const struct cli_option *const *t = verb->tables; *t; t++)
		for (const struct cli_option *o = *t; o->id; o++)
			if (!i--) {
				*out = o;
				return;
			}
	if (i < sizeof(shared) / sizeof(shared[0]) - 1)
		*out = &shared[i];
}

static size_t count_rows(const struct cli_verb *verb)
{
	const struct cli_option *o;
	size_t n = 0;

	for (each_row(verb, 0, &o); o; each_row(verb, n, &o))
		n++;
	return n;
}

static void add_row(struct cli *c, size_t i)
{
	const struct cli_option *o = c->rows[i];
	int has = !o->arg ? no_argument :
		  *o->arg == '[' ? optional_argument : required_argument;
	size_t n = strlen(c->shorts);

	c->longs[i].name = o->name;
	c->longs[i].has_arg = has;
	c->longs[i].val = 256 + (int)i;
	if (!o->letter)
		return;
	c->shorts[n++] = o->letter;
	for (int k = 0; k < has; k++)
		c->shorts[n++] = ':';
}

void cli_begin(struct cli *c, const struct cli_verb *verb, int argc,
	       char **argv)
{
	size_t n = count_rows(verb);

	memset(c, 0, sizeof(*c));
	c->verb = verb;
	c->argc = argc;
	c->argv = argv;
	c->rows = cli_array(n + 1, sizeof(*c->rows));
	c->longs = cli_array(n + 1, sizeof(*c->longs));
	c->shorts = cli_array(3 * n + 2, 1);
	c->shorts[0] = ':';
	for (size_t i = 0; i < n; i++) {
		each_row(verb, i, &c->rows[i]);
		add_row(c, i);
	}
	opterr = 0;
	optind = 0;
}

void cli_release(struct cli *c)
{
	free(c->rows);
	free(c->longs);
	free(c->shorts);
	free(c->plugin_files);
}

int cli_usage(const struct cli *c, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "ferry %s: ", c->verb->name);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "\nhint: ferry %s --help lists the options\n",
		c->verb->name);
	return CLI_USAGE;
}

/* The option name in "--name=value", without dashes and value. */
static char *bare_name(const char *text)
{
	while (*text == '-')
		text++;
	return cli_text("%.*s", (int)strcspn(text, "="), text);
}

static size_t count_prefixed(const struct cli *c, const char *name)
{
	size_t found = 0;

	for (size_t i = 0; c->rows[i]; i++)
		found += !strncmp(c->rows[i]->name, name, strlen(name));
	return found;
}

static int unknown_option(struct cli *c, const char *text)
{
	char *name = bare_name(text);
	char shown[128];
	const char **names;
	const char *near;
	size_t n = 0;

	while (c->rows[n])
		n++;
	names = cli_array(n, sizeof(*names));
	for (size_t i = 0; i < n; i++)
		names[i] = c->rows[i]->name;
	near = cli_nearest(name, names, n);
	ferry_escape(shown, sizeof(shown), name, strlen(name));
	if (*name && count_prefixed(c, name) > 1)
		cli_usage(c, "--%s could be several options: spell it out",
			  shown);
	else if (near)
		cli_usage(c, "unknown option --%s: did you mean --%s?", shown,
			  near);
	else
		cli_usage(c, "unknown option --%s", shown);
	free(names);
	free(name);
	return CLI_USAGE;
}

static const struct cli_option *row_of(const struct cli *c, int val)
{
	if (val >= 256)
		return c->rows[val - 256];
	for (size_t i = 0; c->rows[i]; i++)
		if (c->rows[i]->letter == val)
			return c->rows[i];
	return NULL;
}

static int bad_option(struct cli *c, int why)
{
	const struct cli_option *o = optopt ? row_of(c, optopt) : NULL;
	char letter = (char)optopt;
	char shown[16];

	if (why == ':' && o)
		return cli_usage(c, "option --%s needs an argument: %s",
				 o->name, o->arg);
	if (o && optopt >= 256)
		return cli_usage(c, "option --%s takes no argument", o->name);
	if (optopt)
		return cli_usage(c, "unknown option -%s",
				 ferry_escape(shown, sizeof(shown), &letter,
					      1));
	return unknown_option(c, c->argv[optind - 1]);
}

static void take_shared(struct cli *c, int id, const char *arg)
{
	switch (id) {
	case SHARED_JSON:
		c->json = true;
		break;
	case SHARED_QUIET:
		c->quiet = true;
		break;
	case SHARED_PLUGIN:
		c->plugin_files = cli_grow(c->plugin_files, c->n_plugin_files,
					   &c->plugin_files_cap,
					   sizeof(*c->plugin_files));
		c->plugin_files[c->n_plugin_files++] = arg;
		break;
	case SHARED_PLUGIN_PATH:
		c->plugin_path = arg;
		break;
	case SHARED_SCHEMA_PATH:
		c->schema_path = arg;
		break;
	}
}

static int check_operands(struct cli *c)
{
	const struct cli_verb *v = c->verb;

	c->operands = c->argv + optind;
	c->n_operands = (size_t)(c->argc - optind);
	if (c->n_operands < v->min_operands)
		return cli_usage(c, "%s: usage is ferry %s [OPTION]... %s",
				 c->n_operands ? "operand missing" :
						 "operands missing",
				 v->name, v->operands);
	if (v->max_operands && c->n_operands > v->max_operands)
		return cli_usage(c, "too many operands: usage is "
				 "ferry %s [OPTION]... %s", v->name,
				 v->operands);
	for (size_t i = 0; i < c->n_operands; i++) {
		if (!strcmp(c->operands[i], "-"))
			return cli_usage(c, "'-' is not supported: a "
					 "checkpoint is read and written at "
					 "any offset, which a pipe cannot do; "
					 "name a file (./- for one called -)");
		if (!*c->operands[i])
			return cli_usage(c, "operand %zu is empty: name a file",
					 i + 1);
	}
	return CLI_END;
}

int cli_next(struct cli *c, const char **arg)
{
	for (;;) {
		int val = getopt_long(c->argc, c->argv, c->shorts, c->longs,
				      NULL);
		const struct cli_option *o;

		if (val == -1)
			return check_operands(c);
		if (val == '?' || val == ':')
			return bad_option(c, val);
		o = row_of(c, val);
		if (o->id == SHARED_HELP) {
			cli_print_help(c->verb);
			return CLI_HELP;
		}
		*arg = optarg;
		if (o->id < SHARED_HELP)
			return o->id;
		take_shared(c, o->id, optarg);
	}
}

int cli_take_shared(struct cli *c)
{
	const char *arg;

	return cli_next(c, &arg);
}

int cli_ended(int id)
{
	return id == CLI_HELP ? 0 : 2;
}

/* Words of text from column `at`, wrapped and indented to column `indent`. */
static void put_wrapped(const char *text, int at, int indent)
{
	while (*text) {
		int len = (int)strcspn(text, " ");

		if (at > indent && at + 1 + len > HELP_WIDTH) {
			printf("\n%*s", indent, "");
			at = indent;
		} else if (at > indent) {
			putchar(' ');
			at++;
		}
		printf("%.*s", len, text);
		at += len;
		text += len;
		text += strspn(text, " ");
	}
	putchar('\n');
}

/* Paragraphs, a line of the text each. */
static void put_paragraphs(const char *text)
{
	while (*text) {
		size_t n = strcspn(text, "\n");
		char *line = cli_text("%.*s", (int)n, text);

		put_wrapped(line, 0, 0);
		free(line);
		text += n;
		text += *text == '\n';
	}
}

static void put_option(const struct cli_option *o)
{
	char left[128];
	int n;

	n = snprintf(left, sizeof(left), "  %c%c%s--%s", o->letter ? '-' : ' ',
		     o->letter ? o->letter : ' ', o->letter ? ", " : "  ",
		     o->name);
	if (o->arg && *o->arg == '[')
		n += snprintf(left + n, sizeof(left) - (size_t)n, "[=%s",
			      o->arg + 1);
	else if (o->arg)
		n += snprintf(left + n, sizeof(left) - (size_t)n, "=%s",
			      o->arg);
	fputs(left, stdout);
	if (n + 2 > HELP_COLUMN) {
		printf("\n%*s", HELP_COLUMN, "");
		n = HELP_COLUMN;
	} else {
		printf("%*s", HELP_COLUMN - n, "");
		n = HELP_COLUMN;
	}
	put_wrapped(o->help, n, HELP_COLUMN);
}

void cli_print_help(const struct cli_verb *verb)
{
	const struct cli_option *o;
	size_t i = 0;

	printf("Usage: ferry %s [OPTION]...%s%s\n", verb->name,
	       *verb->operands ? " " : "", verb->operands);
	put_wrapped(verb->summary, 0, 0);
	printf("\nOptions:\n");
	for (each_row(verb, 0, &o); o; each_row(verb, ++i, &o))
		put_option(o);
	if (verb->detail) {
		putchar('\n');
		put_paragraphs(verb->detail);
	}
}
