/* Manifests as files, and what is in them. */
#include "config.h"

#include "core/batch/manifest_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <ferry/sys/alloc.h>
#include <ferry/sys/build.h>
#include <ferry/sys/ckd.h>

#include "core/batch/batch.h"
#include "core/batch/record.h"

int ferry__manifest_fail(const struct ferry__manifest_file *f,
			 enum ferry_code code, const char *what)
{
	return ferry_fail(f->err, code, "manifest", FERRY_NO_OFFSET,
			  "%s line %zu: %s", f->path, f->n_lines, what);
}

bool ferry__is_manifest(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	char head[4096];
	struct stat st;
	ssize_t n = -1;

	if (fd < 0)
		return false;
	if (!fstat(fd, &st) && S_ISREG(st.st_mode))
		n = pread(fd, head, sizeof(head) - 1, 0);
	close(fd);
	if (n <= 0 || *head != '{')
		return false;
	head[n] = '\0';
	head[strcspn(head, "\n")] = '\0';
	return strstr(head, "\"ferry_manifest\"") ||
	       strstr(head, "\"source\"");
}

/* ---- lines --------------------------------------------------------------- */

static int read_head(struct ferry__manifest_file *f, const json_t *line)
{
	uint64_t version = ferry__record_uint(line, "ferry_manifest");
	uint64_t shards = ferry__record_uint(line, "shards");
	const char *ferry = ferry__record_get(line, "ferry");
	char what[120];

	if (f->frozen)
		return ferry__manifest_fail(f, FERRY_MALFORMED, "a second "
					    "head: freeze the work again");
	if (version != 1) {
		snprintf(what, sizeof(what), "has version %llu, this ferry "
			 "knows 1: freeze the work again",
			 (unsigned long long)version);
		return ferry__manifest_fail(f, FERRY_UNSUPPORTED, what);
	}
	if (!ferry || strcmp(ferry, PACKAGE_VERSION))
		return ferry__manifest_fail(f, FERRY_UNSUPPORTED, "was frozen "
					    "by another version of ferry: "
					    "freeze it again");
	if (!shards || shards > FERRY__SHARDS_MOST)
		return ferry__manifest_fail(f, FERRY_MALFORMED, "no number of "
					    "shards from 1 to 1,000,000: "
					    "freeze the work again");
	f->frozen = true;
	f->n_shards = (uint32_t)shards;
	return f->head(f->ctx, line);
}

static int read_tail(struct ferry__manifest_file *f, const json_t *line)
{
	const char *told = ferry__record_get(line, "digest");

	f->ended = true;
	if (ferry__digest_end(&f->digest, f->found, f->err))
		return FERRY_NOMEM;
	if (!told)
		return ferry__manifest_fail(f, FERRY_MALFORMED, "ends without "
					    "a digest: freeze the work again");
	if (ferry__record_uint(line, "end") != f->n_items)
		return ferry__manifest_fail(f, FERRY_MALFORMED, "the number "
					    "of items is not that of the lines "
					    "before: it was changed after it "
					    "was frozen");
	if (strcmp(told, f->found))
		return ferry__manifest_fail(f, FERRY_MALFORMED, "the digest "
					    "is not that of the lines before: "
					    "it was changed after it was "
					    "frozen");
	return 0;
}

static int read_item(struct ferry__manifest_file *f, const json_t *line)
{
	const json_t *shard = json_object_get(line, "shard");
	json_int_t n = json_integer_value(shard);

	if (f->frozen && shard && (n < 0 || n >= f->n_shards))
		return ferry__manifest_fail(f, FERRY_MALFORMED, "an item in a "
					    "shard that there isn't: freeze "
					    "the work again");
	f->n_items++;
	return f->item(f->ctx, line, f->frozen ? (uint32_t)n : 0);
}

static int read_line(struct ferry__manifest_file *f, const char *text, size_t n)
{
	json_t *line = json_loadb(text, n, 0, NULL);
	int rc;

	if (!json_is_object(line))
		rc = ferry__manifest_fail(f, FERRY_MALFORMED,
					  "is no JSON object");
	else if (f->ended)
		rc = ferry__manifest_fail(f, FERRY_MALFORMED,
					  "stands after the end");
	else if (json_object_get(line, "ferry_manifest"))
		rc = read_head(f, line);
	else if (f->frozen && json_object_get(line, "end"))
		rc = read_tail(f, line);
	else
		rc = read_item(f, line);
	if (!f->ended)
		ferry__digest_add(&f->digest, text, n);
	json_decref(line);
	return rc;
}

static int read_lines(struct ferry__manifest_file *f, FILE *in)
{
	char *line = NULL;
	size_t cap = 0;
	ssize_t n;
	int rc = 0;

	while (!rc && (n = getline(&line, &cap, in)) > 0) {
		f->n_lines++;
		if (n > 1)
			rc = read_line(f, line, (size_t)n);
	}
	free(line);
	if (!rc && ferror(in))
		rc = ferry_fail_errno(f->err, EIO, "%s: can't read it",
				      f->path);
	if (!rc && f->frozen && !f->ended)
		rc = ferry__manifest_fail(f, FERRY_MALFORMED, "the end is "
					  "missing: it was not written to its "
					  "end");
	return rc;
}

int ferry__manifest_read(struct ferry__manifest_file *f, const char *path,
			 struct ferry_error *err)
{
	FILE *in = fopen(path, "re");
	int rc;

	ferry_escape(f->path, sizeof(f->path), path, strlen(path));
	f->err = err;
	if (!in)
		return ferry_fail_errno(err, errno, "%s: can't read it",
					f->path);
	ferry__digest_init(&f->digest, FERRY_DIGEST_SHA256);
	rc = read_lines(f, in);
	fclose(in);
	if (!f->ended)
		ferry__digest_drop(&f->digest);
	return rc;
}

/* ---- what is in a frozen one --------------------------------------------- */

struct summing {
	struct ferry__manifest_file file;
	struct ferry_manifest_summary *out;
	uint64_t *shards;	/* bytes of each */
	struct ferry_store *store;
	void (*each)(void *ctx, const char *output);
	void *ctx;
};

static int tell_output(struct summing *s, const json_t *name)
{
	const char *path = ferry__record_text(s->store, name);

	if (!path)
		return ferry__manifest_fail(&s->file, FERRY_MALFORMED, "names "
					    "a directory that is none: freeze "
					    "the work again");
	s->each(s->ctx, path);
	return 0;
}

static int sum_head(void *ctx, const json_t *head)
{
	const json_t *output = json_object_get(head, "output");
	const json_t *roots = json_object_get(head, "roots");
	struct summing *s = ctx;
	int rc = 0;

	s->out->n_shards = s->file.n_shards;
	s->shards = ferry_alloc_zero(s->file.n_shards, sizeof(*s->shards));
	if (!s->shards)
		return ferry_fail_nomem(s->file.err, "a manifest");
	if (output && !json_is_null(output))
		return tell_output(s, output);
	if (!json_array_size(roots))
		return ferry__manifest_fail(&s->file, FERRY_MALFORMED, "has "
					    "neither an output nor roots: "
					    "freeze the work again");
	for (size_t i = 0; i < json_array_size(roots) && !rc; i++)
		rc = tell_output(s, json_array_get(roots, i));
	return rc;
}

static int sum_item(void *ctx, const json_t *line, uint32_t shard)
{
	const char *action = ferry__record_get(line, "action");
	uint64_t nbytes = ferry__record_uint(line, "nbytes");
	struct summing *s = ctx;
	struct ferry_manifest_summary *out = s->out;

	if (!s->file.frozen)
		return ferry__manifest_fail(&s->file, FERRY_MALFORMED, "is no "
					    "frozen manifest: freeze the work "
					    "with ferry migrate --plan-only");
	if (!action)
		return ferry__manifest_fail(&s->file, FERRY_MALFORMED, "no "
					    "such action");
	if (strcmp(action, "convert") && strcmp(action, "copy"))
		return 0;
	if (ferry_ckd_add(&out->nbytes, out->nbytes, nbytes))
		return ferry__manifest_fail(&s->file, FERRY_MALFORMED, "sizes "
					    "are too large");
	out->n_items++;
	s->shards[shard] += nbytes;
	if (nbytes > out->largest_item)
		out->largest_item = nbytes;
	if (s->shards[shard] > out->largest_shard)
		out->largest_shard = s->shards[shard];
	return 0;
}

int ferry_manifest_sum(const char *path, struct ferry_manifest_summary *out,
		       void (*each)(void *ctx, const char *output), void *ctx,
		       struct ferry_error *err)
{
	struct summing s = { .out = out, .each = each, .ctx = ctx };
	int rc = ferry_store_new(&s.store, err);

	memset(out, 0, sizeof(*out));
	if (rc)
		return rc;
	s.file.head = sum_head;
	s.file.item = sum_item;
	s.file.ctx = &s;
	rc = ferry__manifest_read(&s.file, path, err);
	if (!rc && !s.file.ended)
		rc = ferry_fail(err, FERRY_MALFORMED, "manifest",
				FERRY_NO_OFFSET, "%s: is no frozen manifest: "
				"freeze the work with ferry migrate "
				"--plan-only", s.file.path);
	snprintf(out->digest, sizeof(out->digest), "%s", s.file.found);
	ferry_alloc_free(s.shards);
	ferry_store_unref(s.store);
	return rc;
}
