/* A frozen manifest as a cluster sees it. */
#include "config.h"

#include "cli/workload.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "cli/memory.h"

#define MB UINT64_C(1000000)
#define MIB (UINT64_C(1) << 20)
#define RATE (25 * MB)		/* bytes a second, of one part */
#define VERIFY_RATE (100 * MB)	/* of reading alone */

struct outputs {
	struct cli_workload *w;
	size_t cap;
	bool foreign;		/* one is no text */
};

static void take_output(void *ctx, const char *path)
{
	struct outputs *o = ctx;
	struct cli_workload *w = o->w;
	json_t *text = json_string(path);

	o->foreign |= !text;
	json_decref(text);
	w->outputs = cli_grow(w->outputs, w->n_outputs, &o->cap,
			      sizeof(*w->outputs));
	w->outputs[w->n_outputs++] = cli_copy(path);
}

static int name_parts(struct cli_workload *w, const char *path,
		      struct ferry_error *err)
{
	const char *base, *dot;

	w->manifest = realpath(path, NULL);
	if (!w->manifest)
		return ferry_fail_errno(err, errno, "%s", path);
	base = strrchr(w->manifest, '/') + 1;
	dot = strrchr(base, '.');
	if (!dot || dot == base)
		dot = base + strlen(base);
	w->folder = cli_text("%.*s", (int)(base - w->manifest), w->manifest);
	w->stem = cli_text("%.*s", (int)(dot - base), base);
	return 0;
}

int cli_workload_read(struct cli_workload *w, const char *path,
		      struct ferry_error *err)
{
	struct outputs outputs = { .w = w };
	int rc;

	memset(w, 0, sizeof(*w));
	rc = name_parts(w, path, err);
	if (!rc)
		rc = ferry_manifest_sum(path, &w->sum, take_output, &outputs,
					err);
	if (!rc && outputs.foreign)
		rc = ferry_fail(err, FERRY_UNSUPPORTED, "manifest",
				FERRY_NO_OFFSET, "%s names a directory that "
				"is not UTF-8, which a job cannot: rename it",
				path);
	return rc;
}

void cli_workload_release(struct cli_workload *w)
{
	for (size_t i = 0; i < w->n_outputs; i++)
		free(w->outputs[i]);
	free(w->outputs);
	free(w->manifest);
	free(w->folder);
	free(w->stem);
	memset(w, 0, sizeof(*w));
}

static unsigned bounded(uint64_t n, uint64_t least, uint64_t most)
{
	return (unsigned)(n < least ? least : n > most ? most : n);
}

void cli_workload_request(const struct cli_workload *w, unsigned workers,
			  uint64_t max_memory, struct cli_request *out)
{
	uint64_t part = w->sum.largest_shard / RATE * 2;
	uint64_t whole = w->sum.nbytes / VERIFY_RATE * 2;

	out->cpus = workers ? workers : 2;
	out->memory = (max_memory ? max_memory : 256 * MIB) +
		      (out->cpus + UINT64_C(1)) * 128 * MIB;
	out->grace = bounded(30 + w->sum.largest_item / RATE * 2, 60, 3600);
	out->minutes = bounded((600 + part + 3 * out->grace) / 60, 10,
			       7 * 24 * 60);
	out->verify_minutes = bounded((600 + whole + 3 * out->grace) / 60, 10,
				      7 * 24 * 60);
}
