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
#define SHARDS_MOST 1000000

struct reading {
	struct cli_workload *w;
	const char *path;
	uint64_t *shards;	/* bytes of each */
	uint64_t n_lines, offset;
	bool ended;
	struct ferry_error *err;
};

static int malformed(const struct reading *r, const char *what)
{
	return ferry_fail(r->err, FERRY_MALFORMED, "manifest", r->offset,
			  "%s %s: freeze the work again with ferry migrate "
			  "--plan-only", r->path, what);
}

static int add_output(struct reading *r, const json_t *path)
{
	struct cli_workload *w = r->w;

	if (!json_is_string(path) || strlen(json_string_value(path)) !=
				     json_string_length(path))
		return ferry_fail(r->err, FERRY_UNSUPPORTED, "manifest",
				  r->offset, "%s names a directory that is "
				  "not UTF-8, which a job cannot: rename it",
				  r->path);
	w->outputs[w->n_outputs++] = cli_copy(json_string_value(path));
	return 0;
}

static int take_outputs(struct reading *r, const json_t *head)
{
	const json_t *output = json_object_get(head, "output");
	const json_t *roots = json_object_get(head, "roots");
	size_t n = json_array_size(roots);
	int rc = 0;

	r->w->outputs = cli_array(n + 1, sizeof(*r->w->outputs));
	if (output && !json_is_null(output))
		return add_output(r, output);
	if (!n)
		return malformed(r, "has neither an output nor roots");
	for (size_t i = 0; i < n && !rc; i++)
		rc = add_output(r, json_array_get(roots, i));
	return rc;
}

static int take_head(struct reading *r, const json_t *head)
{
	json_int_t n = json_integer_value(json_object_get(head, "shards"));
	const json_t *version = json_object_get(head, "ferry_manifest");

	if (!json_is_integer(version))
		return malformed(r, "is no frozen manifest");
	if (json_integer_value(version) != 1)
		return ferry_fail(r->err, FERRY_UNSUPPORTED, "manifest",
				  r->offset, "%s has version %lld, this ferry "
				  "knows 1: use the ferry that wrote it",
				  r->path,
				  (long long)json_integer_value(version));
	if (n < 1 || n > SHARDS_MOST)
		return malformed(r, "has no number of shards from 1 to "
				 "1,000,000");
	r->w->n_shards = (uint32_t)n;
	r->shards = cli_array((size_t)n, sizeof(*r->shards));
	return take_outputs(r, head);
}

static int take_end(struct reading *r, const json_t *line)
{
	const json_t *digest = json_object_get(line, "digest");
	json_int_t end = json_integer_value(json_object_get(line, "end"));

	if (!json_is_string(digest))
		return malformed(r, "ends without a digest");
	if ((uint64_t)end != r->n_lines)
		return malformed(r, "has not the number of items that it "
				 "tells");
	r->w->digest = cli_copy(json_string_value(digest));
	r->ended = true;
	return 0;
}

static int take_item(struct reading *r, const json_t *line)
{
	const char *action = json_string_value(json_object_get(line, "action"));
	json_int_t n = json_integer_value(json_object_get(line, "nbytes"));
	json_int_t shard = json_integer_value(json_object_get(line, "shard"));
	uint64_t nbytes = n > 0 ? (uint64_t)n : 0;
	struct cli_workload *w = r->w;

	r->n_lines++;
	if (!action)
		return malformed(r, "has an item without an action");
	if (strcmp(action, "convert") && strcmp(action, "copy"))
		return 0;
	if (shard < 0 || shard >= w->n_shards)
		return malformed(r, "has an item in a shard that there isn't");
	if (__builtin_add_overflow(w->nbytes, nbytes, &w->nbytes))
		return malformed(r, "has sizes that are too large");
	w->n_items++;
	r->shards[shard] += nbytes;
	if (nbytes > w->largest_item)
		w->largest_item = nbytes;
	if (r->shards[shard] > w->largest_shard)
		w->largest_shard = r->shards[shard];
	return 0;
}

static int take_line(struct reading *r, const char *text, size_t n)
{
	json_t *line = json_loadb(text, n, 0, NULL);
	int rc;

	if (!json_is_object(line))
		rc = malformed(r, "has a line that is no JSON object");
	else if (r->ended)
		rc = malformed(r, "goes on after its end");
	else if (!r->shards)
		rc = take_head(r, line);
	else if (json_object_get(line, "end"))
		rc = take_end(r, line);
	else
		rc = take_item(r, line);
	json_decref(line);
	r->offset += n;
	return rc;
}

static int read_lines(struct reading *r, FILE *f)
{
	char *text = NULL;
	size_t cap = 0;
	ssize_t n;
	int rc = 0;

	while (!rc && (n = getline(&text, &cap, f)) > 0)
		rc = take_line(r, text, (size_t)n);
	free(text);
	if (!rc && ferror(f))
		rc = ferry_fail_errno(r->err, EIO, "%s", r->path);
	if (!rc && !r->ended)
		rc = malformed(r, "is not whole");
	return rc;
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
	struct reading r = { .w = w, .path = path, .err = err };
	FILE *f;
	int rc;

	memset(w, 0, sizeof(*w));
	rc = name_parts(w, path, err);
	if (rc)
		return rc;
	f = fopen(path, "re");
	if (!f)
		return ferry_fail_errno(err, errno, "%s", path);
	rc = read_lines(&r, f);
	fclose(f);
	free(r.shards);
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
	free(w->digest);
	memset(w, 0, sizeof(*w));
}

static unsigned bounded(uint64_t n, uint64_t least, uint64_t most)
{
	return (unsigned)(n < least ? least : n > most ? most : n);
}

void cli_workload_request(const struct cli_workload *w, unsigned workers,
			  uint64_t max_memory, struct cli_request *out)
{
	uint64_t part = w->largest_shard / RATE * 2;
	uint64_t whole = w->nbytes / VERIFY_RATE * 2;

	out->cpus = workers ? workers : 2;
	out->memory = (max_memory ? max_memory : 256 * MIB) +
		      (out->cpus + UINT64_C(1)) * 128 * MIB;
	out->grace = bounded(30 + w->largest_item / RATE * 2, 60, 3600);
	out->minutes = bounded((600 + part + 3 * out->grace) / 60, 10,
			       7 * 24 * 60);
	out->verify_minutes = bounded((600 + whole + 3 * out->grace) / 60, 10,
				      7 * 24 * 60);
}
