/* ferry formats: the encodings this ferry knows. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "cli/json_out.h"
#include "cli/known.h"
#include "cli/verb.h"

enum { OPTIONS = 1 };

static const struct cli_option options[] = {
	{ OPTIONS, "options", 0, NULL,
	  "list what --set takes for each format, and the dtypes it writes" },
	{ 0 },
};

static const struct {
	uint32_t flag;
	const char *word;
} flags[] = {
	{ FERRY_FORMAT_TENSORS, "tensors" },
	{ FERRY_FORMAT_NESTED, "nested" },
	{ FERRY_FORMAT_SHARED, "shared" },
	{ FERRY_FORMAT_STRIDED, "strided" },
	{ FERRY_FORMAT_OBJECTS, "objects" },
	{ FERRY_FORMAT_SHARDS, "shards" },
	{ FERRY_FORMAT_LOSSLESS, "lossless" },
	{ FERRY_FORMAT_DIRECTORY, "directory" },
};

#define N_FLAGS (sizeof(flags) / sizeof(flags[0]))

static void list_flags(uint32_t set, const char *out[N_FLAGS + 1])
{
	size_t n = 0;

	for (size_t i = 0; i < N_FLAGS; i++)
		if (set & flags[i].flag)
			out[n++] = flags[i].word;
	out[n] = NULL;
}

static void put_row(struct cli_table *t, const struct ferry_known *row)
{
	const char *words[N_FLAGS + 1];
	struct ferry_abilities a;

	ferry_known_abilities(row, &a);
	list_flags(a.flags, words);
	cli_cell(t, row->name);
	cli_cell_fmt(t, "%s%s%s%s", a.reads ? "r" : "-", a.writes ? "w" : "-",
		     a.verifies ? "v" : "-", a.scans ? "s" : "-");
	cli_cell_list(t, a.suffixes);
	cli_cell_list(t, words);
	cli_cell(t, row->plugin);
	cli_cell(t, row->title ? row->title : "");
}

static void list_dtypes(uint64_t mask, const char *out[FERRY_N_DTYPES + 1])
{
	size_t n = 0;

	for (int d = FERRY_DTYPE_NONE + 1; d < FERRY_N_DTYPES; d++)
		if (mask & FERRY_DTYPE_BIT(d))
			out[n++] = ferry_dtype_name((enum ferry_dtype)d);
	out[n] = NULL;
}

static void put_json(json_t *json, const struct ferry_known *row)
{
	const char *words[N_FLAGS + 1], *dtypes[FERRY_N_DTYPES + 1];
	struct ferry_abilities a;

	ferry_known_abilities(row, &a);
	list_flags(a.flags, words);
	list_dtypes(a.writes ? a.dtypes : 0, dtypes);
	cli_json_set(json, "suffixes", cli_json_list(a.suffixes));
	cli_json_set(json, "reads", json_boolean(a.reads));
	cli_json_set(json, "writes", json_boolean(a.writes));
	cli_json_set(json, "verifies", json_boolean(a.verifies));
	cli_json_set(json, "scans", json_boolean(a.scans));
	cli_json_set(json, "holds", cli_json_list(words));
	cli_json_set(json, "dtypes", cli_json_list(dtypes));
	cli_json_set(json, "read_options", cli_json_options(a.read_options));
	cli_json_set(json, "write_options", cli_json_options(a.write_options));
}

static void put_more(const struct ferry_known *row)
{
	const char *dtypes[FERRY_N_DTYPES + 1];
	struct ferry_abilities a;
	int at = 0;

	ferry_known_abilities(row, &a);
	list_dtypes(a.writes ? a.dtypes : 0, dtypes);
	printf("\n%s\n", row->name);
	cli_print_options("when read", a.read_options);
	cli_print_options("when written", a.write_options);
	if (dtypes[0])
		at = printf("  writes");
	for (size_t i = 0; dtypes[i]; i++) {
		if (at > 64)
			at = printf("\n        ") - 1;
		at += printf(" %s", dtypes[i]);
	}
	if (dtypes[0])
		putchar('\n');
}

static const char *const headers[] = { "FORMAT", "CAN", "SUFFIXES", "HOLDS",
				       "PLUGIN", "TITLE" };

static const struct cli_listing listing = {
	.kind = FERRY_KNOWN_FORMATS,
	.align = "llllll",
	.headers = headers,
	.put_row = put_row,
	.put_json = put_json,
	.put_more = put_more,
};

static int run(struct cli *c)
{
	return cli_list_by_options(c, &listing);
}

const struct cli_verb cli_formats = {
	.name = "formats",
	.operands = "[NAME...]",
	.summary = "list the file formats this ferry reads and writes",
	.detail = "CAN: r reads, w writes, v verifies every byte, s "
		  "scans for classes and calls.\nHOLDS: what "
		  "survives a round trip; lossless keeps everything "
		  "by way of typed metadata; a directory is "
		  "read and written as a whole.",
	.tables = (const struct cli_option *const[]){ options, NULL },
	.run = run,
};
