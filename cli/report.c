/* What goes to stderr, and exit statuses. */
#include "config.h"

#include "cli/report.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/json_out.h"
#include "cli/text.h"

/* Not found among what ferry knows or can reach, as against on the disk. */
static bool is_unknown_name(const struct ferry_error *err)
{
	return !strcmp(err->origin, "registry") || !strcmp(err->origin, "plan");
}

enum cli_status cli_status(const struct ferry_error *err)
{
	switch (err->code) {
	case FERRY_OK:
		return CLI_DONE;
	case FERRY_MISUSE:
		return CLI_MISUSED;
	case FERRY_LOSSY:
	case FERRY_AMBIGUOUS:
	case FERRY_UNSUPPORTED:
		return CLI_REFUSED;
	case FERRY_NOTFOUND:
		return is_unknown_name(err) ? CLI_REFUSED : CLI_FAILED;
	default:
		return CLI_FAILED;
	}
}

static const char *hint_for(const struct ferry_error *err)
{
	switch (err->code) {
	case FERRY_EXISTS:
		return strstr(err->text, "--overwrite") ? NULL :
			"--overwrite replaces an existing output";
	case FERRY_AMBIGUOUS:	/* what an input is, not which way to go */
		return strstr(err->text, "--from") ||
		       strstr(err->text, "choose with") ||
		       !strcmp(err->origin, "plan") ? NULL :
			"--from=TYPE or --from-format=FORMAT settles it";
	case FERRY_PLUGIN:
		return "ferry plugins lists what was loaded and refused";
	default:
		return NULL;
	}
}

/* Where it is, unless the text has said so. */
static void put_place(FILE *f, const char *text, uint64_t offset)
{
	char place[40];

	if (offset == FERRY_NO_OFFSET)
		return;
	snprintf(place, sizeof(place), "byte %" PRIu64, offset);
	if (!strstr(text, place))
		fprintf(f, " (at %s)", place);
}

/* Messages about files often begin with the file's name already. */
static bool begins_with(const char *text, const char *file)
{
	return file && !strncmp(text, file, strlen(file));
}

/* Findings but for those that the error tells already. */
static void put_found(const struct cli *c, const struct ferry_findings *found,
		      const struct ferry_error *err)
{
	const struct ferry_finding *f;

	for (size_t i = 0; found && (f = ferry_findings_get(found, i)); i++)
		if (!strstr(err->text, f->path) || !strstr(err->text, f->text))
			cli_warn(c, NULL, f);
}

int cli_failed(const struct cli *c, const char *file,
	       const struct ferry_error *err)
{
	return cli_failed_by(c, file, err, NULL);
}

int cli_failed_by(const struct cli *c, const char *file,
		  const struct ferry_error *err,
		  const struct ferry_findings *found)
{
	const char *hint = hint_for(err);

	fflush(stdout);
	fputs("ferry: ", stderr);
	if (file && !begins_with(err->text, file) &&
	    strcmp(err->origin, "registry")) {
		cli_puts(stderr, file);
		fputs(": ", stderr);
	}
	cli_put_message(stderr, *err->text ? err->text :
			ferry_code_name(err->code));
	put_place(stderr, err->text, err->offset);
	fputc('\n', stderr);
	if (hint)
		fprintf(stderr, "hint: %s\n", hint);
	put_found(c, found, err);
	if (c->json)
		cli_json_error(file, err, found);
	return (int)cli_status(err);
}

const char *cli_level_name(enum ferry_level level)
{
	return level == FERRY_NOTE ? "note" :
	       level == FERRY_WARNING ? "warning" : "violation";
}

void cli_warn(const struct cli *c, const char *file,
	      const struct ferry_finding *f)
{
	if (c->quiet)
		return;
	fprintf(stderr, "ferry: %s: ", cli_level_name(f->level));
	if (file && !begins_with(f->text, file)) {
		cli_puts(stderr, file);
		fputs(": ", stderr);
	}
	if (f->path && *f->path && !strstr(f->text, f->path)) {
		cli_put_message(stderr, f->path);
		fputs(": ", stderr);
	}
	cli_put_message(stderr, f->text);
	put_place(stderr, f->text, f->offset);
	fputc('\n', stderr);
}

void cli_warn_all(const struct cli *c, const char *file,
		  const struct ferry_findings *f, enum ferry_level level)
{
	const struct ferry_finding *item;

	if (!f)
		return;
	for (size_t i = 0; (item = ferry_findings_get(f, i)); i++)
		if (item->level >= level)
			cli_warn(c, file, item);
}

int cli_close_stdout(int status)
{
	int failed = ferror(stdout);

	errno = 0;
	if (!fflush(stdout) && !failed)
		return status;
	fprintf(stderr, "ferry: standard output: %s\n",
		errno ? strerror(errno) : "write error");
	return CLI_FAILED;
}
