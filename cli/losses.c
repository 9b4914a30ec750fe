/* The losses and notes of a plan, for people. */
#include "config.h"

#include "cli/losses.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/memory.h"
#include "cli/report.h"
#include "cli/text.h"

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

/* The kinds of the refused losses, each once, joined by ",". */
static char *list_kinds(const struct ferry_job *job,
			const struct ferry_findings *all)
{
	const struct ferry_finding *f;
	char *list = cli_copy(""), *more;

	for (size_t i = 0; (f = ferry_findings_get(all, i)); i++) {
		size_t n = strlen(f->code);
		const char *at = list;

		if (!cli_is_refused(job, f))
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

void cli_print_losses(const struct cli *c, const char *path,
		      const struct ferry_job *job, const struct ferry_plan *p)
{
	const struct ferry_findings *all = ferry_plan_findings(p);
	size_t n = ferry_plan_refused(p);
	const struct ferry_finding *f;
	char *kinds;

	fflush(stdout);
	fputs("ferry: ", stderr);
	cli_puts(stderr, path);
	fprintf(stderr, ": refused: %zu loss%s\n", n, n == 1 ? "" : "es");
	for (size_t i = 0; (f = ferry_findings_get(all, i)); i++) {
		if (!cli_is_refused(job, f))
			continue;
		fprintf(stderr, "  %s: ", f->code);
		if (*f->path)
			fprintf(stderr, "%s: ", f->path);
		fprintf(stderr, "%s (--allow-loss=%s)\n", f->text, f->code);
	}
	kinds = list_kinds(job, all);
	if (*kinds)
		fprintf(stderr, "hint: ferry %s --allow-loss=%s goes on "
			"without them\n", c->verb->name, kinds);
	free(kinds);
}
