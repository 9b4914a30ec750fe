/* The options that say what a conversion is to do. */
#include "config.h"

#include "cli/job.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/memory.h"
#include "cli/text.h"

#define MEMORY_LEAST (UINT64_C(1) << 20)
#define KIND_LETTERS "abcdefghijklmnopqrstuvwxyz0123456789-"

enum {
	FROM = 1,
	TO,
	FROM_FORMAT,
	TO_FORMAT,
	WITH,
	SET,
	SHARD_SIZE,
	PROTOCOL,
	COMPACT,
	MODEL,
	RULES,
	DROP,
	KEEP,
	RENAME,
	STRIP_PREFIX,
	ADD_PREFIX,
	CAST,
	WEIGHTS,
	SELECT,
	ALLOW_LOSS,
	SHARED,
	OVERWRITE,
	VERIFY,
	MAX_MEMORY,
	THREADS,
	NO_SYNC,
	MAP_PATH,
	UPGRADE,
	EXPECT,
	DEFAULT_NAME,
	SET_CONFIG,
	DELETE_CONFIG,
};

const struct cli_option cli_job_options[] = {
	{ FROM, "from", 'f', "TYPE",
	  "what the first input is (ferry types); found out when not given" },
	{ TO, "to", 't', "TYPE", "what the output is to be (ferry types); as "
	  "the input when not given" },
	{ FROM_FORMAT, "from-format", 0, "FORMAT",
	  "how the first input is encoded (ferry formats); found out when not "
	  "given" },
	{ TO_FORMAT, "to-format", 0, "FORMAT",
	  "how to encode the output (ferry formats); by OUT's suffix when not "
	  "given" },
	{ WITH, "with", 0, "ROLE=FILE",
	  "another input of the conversion, such as config=train.yaml; may be "
	  "repeated" },
	{ MAP_PATH, "map-path", 0, "FROM=TO",
	  "where files that the input names lie here: FROM leads their paths, "
	  "TO takes its place; may be repeated" },
	{ UPGRADE, "upgrade", 0, NULL,
	  "bring the input to the newest layout of its type first" },
	{ WEIGHTS, "weights", 'w', NULL,
	  "take the model's weights alone, as the input's type defines them" },
	{ SELECT, "select", 's', "PATH",
	  "take this part of the document alone; may be repeated" },
	{ MODEL, "model", 0, "MODEL",
	  "apply the handling rules of this model (ferry models)" },
	{ RULES, "rules", 0, "FILE", "apply the handling rules of this file" },
	{ DROP, "drop", 0, "REGEX", "drop weights whose name matches" },
	{ KEEP, "keep", 0, "REGEX",
	  "keep weights whose name matches, drop the others" },
	{ RENAME, "rename", 0, "REGEX=>NEW",
	  "rename weights that match; \\1 or $1 in NEW is the first group" },
	{ STRIP_PREFIX, "strip-prefix", 0, "TEXT",
	  "take TEXT off the front of names" },
	{ ADD_PREFIX, "add-prefix", 0, "TEXT",
	  "put TEXT in front of names" },
	{ CAST, "cast", 0, "DTYPE[:REGEX]",
	  "convert floating-point weights (whose name matches REGEX) to "
	  "DTYPE" },
	{ SHARED, "shared", 0, "HOW",
	  "names that share data: keep (the default), copy, first or error" },
	{ SET, "set", 0, "KEY=VALUE",
	  "an option of a format, conversion or edit (ferry formats --options, "
	  "ferry conversions --options); may be repeated" },
	{ SET_CONFIG, "set-config", 0, "KEY=VALUE",
	  "set an entry of the configuration inside; short for "
	  "--set set-config=KEY=VALUE" },
	{ DELETE_CONFIG, "delete-config", 0, "KEY",
	  "delete an entry of the configuration inside; short for "
	  "--set delete-config=KEY" },
	{ SHARD_SIZE, "shard-size", 0, "SIZE",
	  "split the output into files of at most SIZE, such as 5GB or 5GiB; "
	  "short for --set shard-size=SIZE" },
	{ PROTOCOL, "protocol", 0, "N",
	  "the pickle protocol to write; short for --set protocol=N" },
	{ COMPACT, "compact", 0, NULL,
	  "write views without the unused rest of their storage; short for "
	  "--set compact=yes" },
	{ ALLOW_LOSS, "allow-loss", 0, "[KIND,...]",
	  "go on although these kinds of content would be lost; all kinds when "
	  "none is named" },
	{ EXPECT, "expect", 0, "SCHEMA",
	  "the weights are to fit this tensor schema (a name or a file), or "
	  "those of this checkpoint" },
	{ DEFAULT_NAME, "default-name", 0, NULL,
	  "every operand is an input; the output lies beside the first, under "
	  "the usual name of the type that --to names" },
	{ OVERWRITE, "overwrite", 0, NULL, "replace an existing output" },
	{ MAX_MEMORY, "max-memory", 0, "SIZE",
	  "memory for buffers beside the document, 1MiB or more; 256MiB when "
	  "not given" },
	{ THREADS, "threads", 'j', "N",
	  "worker threads; one per core when not given" },
	{ 0 },
};

const struct cli_option cli_run_options[] = {
	{ VERIFY, "verify", 0, NULL,
	  "read the output back and compare it before it gets its name" },
	{ NO_SYNC, "no-sync", 0, NULL,
	  "do not wait until the output is on the disk" },
	{ 0 },
};

static void add(struct cli_list *list, const char *item)
{
	list->items = cli_grow(list->items, list->n, &list->cap,
			       sizeof(*list->items));
	list->items[list->n++] = item;
}

char *cli_job_keep(struct cli_job *j, char *text)
{
	j->texts = cli_grow(j->texts, j->n_texts, &j->texts_cap,
			    sizeof(*j->texts));
	j->texts[j->n_texts++] = text;
	return text;
}

static int add_edit(struct cli_job *j, enum ferry_edit_kind kind,
		    const char *a, const char *b)
{
	j->edits = cli_grow(j->edits, j->n_edits, &j->edits_cap,
			    sizeof(*j->edits));
	j->edits[j->n_edits++] = (struct ferry_edit){ kind, a, b };
	return CLI_END;
}

static int take_rename(struct cli *c, struct cli_job *j, const char *arg)
{
	const char *arrow = strstr(arg, "=>");
	char *pattern;

	if (!arrow || arrow == arg)
		return cli_usage(c, "--rename needs REGEX=>NEW, such as "
				 "'^model\\.=>'");
	pattern = cli_job_keep(j, cli_text("%.*s", (int)(arrow - arg), arg));
	return add_edit(j, FERRY_EDIT_RENAME, pattern, arrow + 2);
}

static int unknown_dtype(struct cli *c, const char *name)
{
	const char *names[FERRY_N_DTYPES];
	const char *near;
	char shown[64];
	size_t n = 0;

	for (int d = FERRY_DTYPE_NONE + 1; d < FERRY_N_DTYPES; d++)
		names[n++] = ferry_dtype_name((enum ferry_dtype)d);
	near = cli_nearest(name, names, n);
	ferry_escape(shown, sizeof(shown), name, strlen(name));
	if (near)
		return cli_usage(c, "--cast: no dtype %s: did you mean %s?",
				 shown, near);
	return cli_usage(c, "--cast: no dtype %s: float16, bfloat16, float32, "
			 "float64, float8_e4m3fn, ... are", shown);
}

static int take_cast(struct cli *c, struct cli_job *j, const char *arg)
{
	const char *colon = strchr(arg, ':');
	char *name = cli_job_keep(j, cli_text("%.*s", (int)strcspn(arg, ":"),
					   arg));

	if (!ferry_dtype_find(name))
		return unknown_dtype(c, name);
	return add_edit(j, FERRY_EDIT_CAST, name, colon ? colon + 1 : NULL);
}

static int take_pair(struct cli *c, struct cli_list *list, const char *option,
		     const char *form, const char *arg)
{
	const char *equals = strchr(arg, '=');

	if (!equals || equals == arg)
		return cli_usage(c, "--%s needs %s", option, form);
	add(list, arg);
	return CLI_END;
}

static int take_setting(struct cli_job *j, const char *key, const char *value)
{
	add(&j->settings, cli_job_keep(j, cli_text("%s=%s", key, value)));
	return CLI_END;
}

static int take_size(struct cli *c, const char *option, const char *arg,
		     uint64_t *out)
{
	if (cli_parse_bytes(arg, out) && *out)
		return CLI_END;
	return cli_usage(c, "--%s needs a size, such as 512MiB or 5GB", option);
}

static int take_memory(struct cli *c, struct cli_job *j, const char *arg)
{
	if (take_size(c, "max-memory", arg, &j->run.max_memory))
		return CLI_USAGE;
	if (j->run.max_memory >= MEMORY_LEAST)
		return CLI_END;
	return cli_usage(c, "--max-memory needs 1MiB or more");
}

static int take_shared(struct cli *c, struct cli_job *j, const char *arg)
{
	static const char *const words[] = { "keep", "copy", "first",
					     "error" };

	for (size_t i = 0; i < 4; i++)
		if (!strcmp(arg, words[i])) {
			j->job.shared = (enum ferry_shared)i;
			return CLI_END;
		}
	return cli_usage(c, "--shared needs keep, copy, first or error");
}

static int take_losses(struct cli *c, struct cli_job *j, const char *arg)
{
	if (arg && arg[strspn(arg, KIND_LETTERS ",")])
		return cli_usage(c, "--allow-loss needs kinds as plan names "
				 "them, such as objects or dtype,values");
	if (!arg || !*arg)
		j->job.allow_all_losses = true;
	while (arg && *arg) {
		int n = (int)strcspn(arg, ",");

		if (n)
			add(&j->allow_loss,
			    cli_job_keep(j, cli_text("%.*s", n, arg)));
		arg += n;
		arg += *arg == ',';
	}
	return CLI_END;
}

static int take_threads(struct cli *c, struct cli_job *j, const char *arg)
{
	char *end;
	unsigned long n = strtoul(arg, &end, 10);

	if (*arg < '0' || *arg > '9' || *end || !n || n > 1024)
		return cli_usage(c, "--threads needs a number from 1 to 1024");
	j->run.threads = (unsigned)n;
	return CLI_END;
}

static int take_edit(struct cli *c, struct cli_job *j, int id, const char *arg)
{
	switch (id) {
	case DROP:
		return add_edit(j, FERRY_EDIT_DROP, arg, NULL);
	case KEEP:
		return add_edit(j, FERRY_EDIT_KEEP, arg, NULL);
	case RENAME:
		return take_rename(c, j, arg);
	case STRIP_PREFIX:
		return add_edit(j, FERRY_EDIT_STRIP_PREFIX, arg, NULL);
	case ADD_PREFIX:
		return add_edit(j, FERRY_EDIT_ADD_PREFIX, arg, NULL);
	default:
		return take_cast(c, j, arg);
	}
}

static void take_word(struct cli_job *j, int id, const char *arg)
{
	switch (id) {
	case FROM:
		j->job.from = arg;
		break;
	case TO:
		j->job.to = arg;
		break;
	case FROM_FORMAT:
		j->job.from_format = arg;
		break;
	case TO_FORMAT:
		j->job.to_format = arg;
		break;
	case MODEL:
		j->job.model = arg;
		break;
	case RULES:
		j->job.rules = arg;
		break;
	case EXPECT:
		j->job.expect = arg;
		break;
	case SELECT:
		add(&j->select, arg);
		break;
	case WEIGHTS:
		j->job.weights = true;
		break;
	case UPGRADE:
		j->job.upgrade = true;
		break;
	case DEFAULT_NAME:
		j->default_name = true;
		break;
	case OVERWRITE:
		j->job.overwrite = true;
		break;
	case VERIFY:
		j->job.verify = true;
		break;
	case NO_SYNC:
		j->run.no_sync = true;
		break;
	}
}

static int take_shortcut(struct cli *c, struct cli_job *j, int id,
			 const char *arg)
{
	uint64_t size;

	switch (id) {
	case SHARD_SIZE:
		if (take_size(c, "shard-size", arg, &size))
			return CLI_USAGE;
		return take_setting(j, "shard-size", arg);
	case PROTOCOL:
		return take_setting(j, "protocol", arg);
	case SET_CONFIG:
		if (!strchr(arg, '='))
			return cli_usage(c, "--set-config needs KEY=VALUE");
		return take_setting(j, "set-config", arg);
	case DELETE_CONFIG:
		return take_setting(j, "delete-config", arg);
	default:
		return take_setting(j, "compact", "yes");
	}
}

static int take(struct cli *c, struct cli_job *j, int id, const char *arg)
{

	switch (id) {
	case DROP:
	case KEEP:
	case RENAME:
	case STRIP_PREFIX:
	case ADD_PREFIX:
	case CAST:
		return take_edit(c, j, id, arg);
	case WITH:
		return take_pair(c, &j->with, "with", "ROLE=FILE", arg);
	case SET:
		return take_pair(c, &j->settings, "set", "KEY=VALUE", arg);
	case MAP_PATH:
		return take_pair(c, &j->map_paths, "map-path", "FROM=TO", arg);
	case SHARD_SIZE:
	case PROTOCOL:
	case COMPACT:
	case SET_CONFIG:
	case DELETE_CONFIG:
		return take_shortcut(c, j, id, arg);
	case ALLOW_LOSS:
		return take_losses(c, j, arg);
	case SHARED:
		return take_shared(c, j, arg);
	case MAX_MEMORY:
		return take_memory(c, j, arg);
	case THREADS:
		return take_threads(c, j, arg);
	default:
		take_word(j, id, arg);
		return CLI_END;
	}
}

static void release(struct cli_job *j)
{
	for (size_t i = 0; i < j->n_texts; i++)
		free(j->texts[i]);
	free(j->texts);
	free(j->edits);
	free(j->with.items);
	free(j->settings.items);
	free(j->select.items);
	free(j->allow_loss.items);
	free(j->map_paths.items);
}

/* The last operand is the output, but where it may be left out or --default-name
 * says that there is none. */
static bool names_output(const struct cli *c, const struct cli_job *j)
{
	return !j->default_name && c->n_operands > 1;
}

static void finish(struct cli *c, struct cli_job *j)
{
	struct ferry_job *job = &j->job;
	bool output = names_output(c, j);

	job->inputs = (const char *const *)c->operands;
	job->n_inputs = c->n_operands - output;
	job->output = output ? c->operands[c->n_operands - 1] : NULL;
	job->with = j->with.items;
	job->n_with = j->with.n;
	job->settings = j->settings.items;
	job->n_settings = j->settings.n;
	job->edits = j->edits;
	job->n_edits = j->n_edits;
	job->select = j->select.items;
	job->n_select = j->select.n;
	job->allow_loss = j->allow_loss.items;
	job->n_allow_loss = j->allow_loss.n;
	job->map_paths = j->map_paths.items;
	job->n_map_paths = j->map_paths.n;
}

int cli_job_run(struct cli *c, struct cli_job *j,
		int (*act)(struct cli *c, struct cli_job *j))
{
	const char *arg;
	int id;

	while ((id = cli_next(c, &arg)) > 0) {
		id = id >= CLI_JOB_OTHER && j->other ?
		     j->other(c, j, id, arg) : take(c, j, id, arg);
		if (id)
			break;
	}
	if (!id) {
		finish(c, j);
		id = act(c, j);
	} else {
		id = cli_ended(id);
	}
	release(j);
	return id;
}
