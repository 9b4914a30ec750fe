/* The losses and notes of a plan, for people. */
#include "config.h"

#include "cli/losses.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/memory.h"
#include "cli/operand.h"
#include "cli/report.h"
#include "cli/text.h"

#define TOLD 20	/* losses of a kind in a row */

bool cli_is_loss(const struct ferry_finding *f)
{
	return f->level == FERRY_WARNING;
}

bool cli_is_refused(const struct ferry_job *job, const struct ferry_finding *f)
{
	if (!cli_is_loss(f) || job->allow_all_losses)
		return false;
	for (size_t i = 0; i < job->n_allow_loss; i++)
		if (!strcmp(job->allow_loss[i], f->code))
			return false;
	return true;
}

static bool is_kind(const struct ferry_finding *f, const char *kind)
{
	return !strcmp(f->code, kind);
}

/* Not asked for: it is a choice of the command line, taken back there. */
static bool is_choice(const struct ferry_finding *f)
{
	return is_kind(f, "shared");
}

/* The kinds of the losses (refused: those alone), each once, joined by ",". */
static char *list_kinds(const struct ferry_job *job,
			const struct ferry_findings *all, bool refused)
{
	const struct ferry_finding *f;
	char *list = cli_copy(""), *more;

	for (size_t i = 0; (f = ferry_findings_get(all, i)); i++) {
		size_t n = strlen(f->code);
		const char *at = list;

		if (refused ? !cli_is_refused(job, f) || is_choice(f) :
			      !cli_is_loss(f))
			continue;
		while ((at = strstr(at, f->code)) &&
		       ((at != list && at[-1] != ',') ||
			(at[n] && at[n] != ',')))
			at += n;
		if (at)
			continue;
		more = cli_text("%s%s%s", list, *list ? "," : "", f->code);
		free(list);
		list = more;
	}
	return list;
}

static bool is_refused_kind(const struct ferry_job *job,
			    const struct ferry_findings *all, const char *kind)
{
	const struct ferry_finding *f;

	for (size_t i = 0; (f = ferry_findings_get(all, i)); i++)
		if (is_kind(f, kind) && cli_is_refused(job, f))
			return true;
	return false;
}

static void print_prefix(const char *verb, const struct ferry_findings *all)
{
	const struct ferry_finding *f;

	for (size_t i = 0; (f = ferry_findings_get(all, i)); i++) {
		if (!is_kind(f, "prefix"))
			continue;
		fprintf(stderr, "hint: ferry %s: ", verb);
		cli_put_message(stderr, f->text);
		fputc('\n', stderr);
	}
}

static void print_hints(const struct cli *c, const struct ferry_job *job,
			const struct ferry_findings *all)
{
	const char *verb = c->verb->name;
	char *kinds = list_kinds(job, all, true);

	if (is_refused_kind(job, all, "shared"))
		fprintf(stderr, "hint: ferry %s --shared=copy gives each name "
			"its own data, --shared=first leaves the others out\n",
			verb);
	if (!job->weights && is_refused_kind(job, all, "torchscript"))
		fprintf(stderr, "hint: ferry %s --weights takes the module's "
			"weights alone, which torch.load can make\n", verb);
	print_prefix(verb, all);
	if (!strcmp(kinds, "dtype"))
		fprintf(stderr, "hint: ferry %s --allow-loss=dtype casts them; "
			"--cast=DTYPE chooses to what\n", verb);
	else if (*kinds)
		fprintf(stderr, "hint: ferry %s --allow-loss=%s goes on "
			"%s\n", verb, kinds,
			is_refused_kind(job, all, "torchscript") ||
			is_refused_kind(job, all, "dtype") ?
			"all the same" : "without them");
	free(kinds);
}

static void print_loss(const struct ferry_finding *f)
{
	fprintf(stderr, "  %s: ", f->code);
	if (*f->path) {
		cli_put_message(stderr, f->path);
		fputs(": ", stderr);
	}
	cli_put_message(stderr, f->text);
	if (!is_choice(f))
		fprintf(stderr, " (--allow-loss=%s)", f->code);
	fputc('\n', stderr);
}

static void print_more(const char *kind, size_t n)
{
	if (n > TOLD)
		fprintf(stderr, "  %s: ... and %zu more; ferry plan "
			"lists all\n", kind, n - TOLD);
}

void cli_print_losses(const struct cli *c, const char *path,
		      const struct ferry_job *job, const struct ferry_plan *p)
{
	const struct ferry_findings *all = ferry_plan_findings(p);
	size_t n = ferry_plan_refused(p), told = 0;
	const struct ferry_finding *f;
	const char *kind = "";

	fflush(stdout);
	fputs("ferry: ", stderr);
	cli_puts(stderr, path);
	fprintf(stderr, ": refused: %zu loss%s\n", n, n == 1 ? "" : "es");
	for (size_t i = 0; (f = ferry_findings_get(all, i)); i++) {
		if (!cli_is_refused(job, f))
			continue;
		if (!is_kind(f, kind)) {
			print_more(kind, told);
			kind = f->code;
			told = 0;
		}
		if (told++ < TOLD)
			print_loss(f);
	}
	print_more(kind, told);
	if (!cli_hint_operand(c, job))
		print_hints(c, job, all);
}

static bool is_met(const struct ferry_findings *all, const char *kind)
{
	const struct ferry_finding *f;

	for (size_t i = 0; (f = ferry_findings_get(all, i)); i++)
		if (cli_is_loss(f) && is_kind(f, kind))
			return true;
	return false;
}

/* The kind of a loss here that --allow-loss may have meant. */
static const char *meant_kind(const struct ferry_findings *all,
			      const char *kind)
{
	const struct ferry_finding *f;
	const char *near;

	for (size_t i = 0; (f = ferry_findings_get(all, i)); i++) {
		if (!cli_is_loss(f))
			continue;
		near = cli_nearest(kind, (const char *[]){ f->code }, 1);
		if (near)
			return near;
	}
	return NULL;
}

static void note_unmet(const struct cli *c, const char *kind, const char *kinds)
{
	if (!c->quiet)
		fprintf(stderr, "ferry: note: --allow-loss=%s: no loss here is "
			"of that kind (%s%s)\n", kind,
			*kinds ? "kinds here: " : "nothing is lost", kinds);
}

int cli_check_loss_kinds(struct cli *c, const struct ferry_job *job,
			 const struct ferry_plan *p)
{
	const struct ferry_findings *all = ferry_plan_findings(p);
	char *kinds = list_kinds(job, all, false);
	int status = CLI_DONE;

	for (size_t i = 0; !status && i < job->n_allow_loss; i++) {
		const char *kind = job->allow_loss[i], *near;

		if (is_met(all, kind))
			continue;
		near = meant_kind(all, kind);
		if (!near) {
			note_unmet(c, kind, kinds);
			continue;
		}
		cli_usage(c, "--allow-loss=%s: no loss here is of that kind: "
			  "did you mean %s?", kind, near);
		status = CLI_MISUSED;
	}
	free(kinds);
	return status;
}
