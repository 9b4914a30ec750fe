/* ferry inspect: what a file is, then its tree. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/groups.h"
#include "cli/json_out.h"
#include "cli/overview.h"
#include "cli/report.h"
#include "cli/tensors.h"
#include "cli/text.h"
#include "cli/tree.h"
#include "cli/verb.h"

enum { TENSORS = 1, STATS, DEPTH, FORMAT, AS, GROUPS, MODEL, INITIAL, MOST };

struct inspect {
	bool tensors, stats;
	unsigned depth;			/* 0: not given */
	const char *format, *as;
	struct cli_groups groups;
	const char *path;		/* of the subtree; NULL: the whole */
	struct cli_overview overview;
	struct ferry_value *at;		/* the subtree */
};

static const struct cli_option options[] = {
	{ TENSORS, "tensors", 't', NULL,
	  "list every tensor: name, dtype, shape, bytes, whether its storage "
	  "is shared, layout" },
	{ STATS, "stats", 0, NULL,
	  "list every tensor with minimum, maximum, mean, standard deviation "
	  "and counts of nan and inf; reads the data" },
	{ DEPTH, "depth", 'd', "N", "print the tree N levels deep" },
	{ FORMAT, "from-format", 0, "FORMAT",
	  "how the file is encoded; found out when not given" },
	{ AS, "as", 0, "TYPE",
	  "take the file as this artifact type; found out when not given" },
	{ GROUPS, "groups", 0, "FILTERS",
	  "list the weights that each group of this filter file takes: a file, "
	  "a run's config, or the name of a model (ferry models)" },
	{ MODEL, "model", 0, "NAME",
	  "with --groups: take the stages that filters of type stage_based "
	  "know from this model's handling file" },
	{ INITIAL, "initial", 0, "FILE",
	  "with --groups: the checkpoint that filters of type initialization "
	  "compare with" },
	{ MOST, "most", 0, "N",
	  "with --groups: list up to N names of each group; 10 when not given, "
	  "and with --json all" },
	{ 0 },
};

/* The whole file, or a subtree that takes its place. */
static struct ferry_document view_of(const struct inspect *i)
{
	struct ferry_document view = *i->overview.file.doc;

	view.root = i->at;
	return view;
}

static int print_tensors(struct cli *c, struct inspect *i)
{
	struct ferry_error err = FERRY_ERROR_INIT;
	struct ferry_document view = view_of(i);
	struct cli_survey s;
	json_t *json;
	int rc = cli_survey_init(&s, &view, &err);

	if (rc)
		return cli_failed(c, i->overview.file.path, &err);
	if (!c->json)
		rc = cli_print_tensors(&s, i->stats, &err);
	else if (!(rc = cli_json_tensors(&json, &s, i->stats, &err)))
		cli_json_print(json);
	cli_survey_release(&s);
	return rc ? cli_failed(c, i->overview.file.path, &err) : CLI_DONE;
}

static int print_subtree(struct cli *c, const struct inspect *i)
{
	const char *path = i->path ? i->path : "";

	if (c->json)
		cli_json_print(cli_json_value(i->at, i->depth));
	else
		cli_print_tree(i->at, path, path, i->depth);
	return CLI_DONE;
}

static int print_whole(struct cli *c, struct inspect *i)
{
	struct cli_overview *o = &i->overview;
	int status = cli_overview_init(c, o);
	json_t *json;

	if (status)
		return status;
	if (c->json) {
		json = cli_json_overview(o);
		cli_json_set(json, "contents",
			     cli_json_value(i->at, i->depth ? i->depth : 1));
		cli_json_print(json);
		return CLI_DONE;
	}
	cli_print_overview(o);
	puts("contents:");
	if (i->depth)
		cli_print_tree(i->at, "", "", i->depth);
	else
		cli_print_contents(i->at);
	cli_print_ties(o);
	return CLI_DONE;
}

static int find_subtree(struct cli *c, struct inspect *i)
{
	struct ferry_error err = FERRY_ERROR_INIT;
	char shown[256];

	i->at = i->overview.file.doc->root;
	if (i->path)
		i->at = ferry_value_at(i->at, i->path);
	if (i->at)
		return CLI_DONE;
	ferry_escape(shown, sizeof(shown), i->path, strlen(i->path));
	ferry_fail(&err, FERRY_NOTFOUND, "inspect", FERRY_NO_OFFSET,
		   "nothing stands at '%s': ferry inspect --depth=2 shows the "
		   "paths", shown);
	return cli_failed(c, i->overview.file.path, &err);
}

static int inspect(struct cli *c, struct inspect *i)
{
	int status = cli_session_open(c);

	if (!status)
		status = cli_file_open(c, &i->overview.file, c->operands[0],
				       i->format, i->as);
	if (!status)
		status = find_subtree(c, i);
	if (status)
		return status;
	if (i->groups.filters)
		return cli_print_groups(c, &i->overview.file, &i->groups);
	if (i->tensors || i->stats)
		return print_tensors(c, i);
	if (i->path)
		return print_subtree(c, i);
	return print_whole(c, i);
}

static int take_number(struct cli *c, const char *arg, const char *option,
		       unsigned long most, unsigned long *out)
{
	char *end;

	*out = strtoul(arg, &end, 10);
	if (*arg >= '0' && *arg <= '9' && !*end && *out && *out <= most)
		return CLI_END;
	return cli_usage(c, "--%s needs a number from 1 to %lu", option, most);
}

static int take(struct cli *c, struct inspect *i, int id, const char *arg)
{
	unsigned long n = 0;
	int status;

	switch (id) {
	case TENSORS:
		i->tensors = true;
		break;
	case STATS:
		i->stats = true;
		break;
	case DEPTH:
		status = take_number(c, arg, "depth", FERRY_MAX_DEPTH, &n);
		if (status)
			return status;
		i->depth = (unsigned)n;
		break;
	case MOST:
		status = take_number(c, arg, "most", 1000000, &n);
		if (status)
			return status;
		i->groups.most = n;
		break;
	case GROUPS:
		i->groups.filters = arg;
		break;
	case MODEL:
		i->groups.model = arg;
		break;
	case INITIAL:
		i->groups.initial = arg;
		break;
	case FORMAT:
		i->format = arg;
		break;
	case AS:
		i->as = arg;
		break;
	}
	return CLI_END;
}

static int run(struct cli *c)
{
	struct inspect i;
	const char *arg;
	int id, status;

	memset(&i, 0, sizeof(i));
	while ((id = cli_next(c, &arg)) > 0) {
		id = take(c, &i, id, arg);
		if (id)
			return cli_ended(id);
	}
	if (id)
		return cli_ended(id);
	i.path = c->n_operands > 1 ? c->operands[1] : NULL;
	if (i.groups.filters && (i.path || i.tensors || i.stats))
		return cli_ended(cli_usage(c, "--groups goes with neither a "
					   "PATH nor --tensors nor --stats"));
	if (!i.groups.filters &&
	    (i.groups.initial || i.groups.model || i.groups.most))
		return cli_ended(cli_usage(c, "--model, --initial and --most "
					   "go with --groups"));
	status = inspect(c, &i);
	cli_overview_release(&i.overview);
	return status;
}

const struct cli_verb cli_inspect = {
	.name = "inspect",
	.operands = "FILE [PATH]",
	.summary = "show what a file is and what is in it",
	.detail = "PATH is keys and indices joined by dots, as the "
		  "tree shows them: its subtree is printed with "
		  "values. No tensor data is read, except for "
		  "--stats.",
	.tables = (const struct cli_option *const[]){ options, NULL },
	.min_operands = 1,
	.max_operands = 2,
	.run = run,
};
