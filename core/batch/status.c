/* Reading journals: the latest word on each source. */
#include "config.h"

#include "core/batch/batch.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <ferry/sys/alloc.h>
#include <ferry/sys/buffer.h>

#include "core/batch/record.h"

#define LINE_MOST ((size_t)1 << 20)

struct reading {
	struct ferry_store *store;
	struct ferry_map by_source;
	struct ferry_journal_entry *entries;
	size_t n, cap;
	struct ferry_journal_summary *sum;
	const char *attempt;
	bool begun, ended, sharded;
	double time;			/* it began */
	uint64_t expected, told;	/* items of the attempt */
	json_t *roots;			/* of the attempt */
	json_t *whole_runs;		/* [time, root] of each that ended */
	json_t *left;			/* of the shards since `whole` */
	double whole;			/* the last attempt at everything */
	long pid;
	char host[64], shard[32];
	struct ferry_error *err;
};

static struct ferry_journal_entry *entry_for(struct reading *r,
					     const char *source)
{
	size_t cap = r->cap ? 2 * r->cap : 256;
	struct ferry_journal_entry *entries;
	uint64_t at;

	if (ferry_map_get(&r->by_source, source, strlen(source), &at))
		return &r->entries[at];
	if (r->n == r->cap) {
		entries = ferry_alloc_resize(r->entries, cap, sizeof(*entries));
		if (!entries)
			return NULL;
		r->entries = entries;
		r->cap = cap;
	}
	if (ferry_map_put(&r->by_source, source, strlen(source), r->n))
		return NULL;
	r->entries[r->n] = (struct ferry_journal_entry){ .source = source };
	return &r->entries[r->n++];
}

static const char *text(struct reading *r, const json_t *line, const char *key)
{
	const json_t *t = json_object_get(line, key);

	return t ? ferry__record_text(r->store, t) : NULL;
}

static int take_item(struct reading *r, const json_t *line, double time)
{
	const char *source = text(r, line, "source");
	struct ferry_journal_entry *e;

	if (!source)
		return 0;
	e = entry_for(r, source);
	if (!e)
		return ferry_fail_nomem(r->err, "a journal");
	if (e->time > time)
		return 0;
	*e = (struct ferry_journal_entry){
		.source = e->source, .output = text(r, line, "output"),
		.state = text(r, line, "state"),
		.code = text(r, line, "code"),
		.reason = text(r, line, "reason"),
		.type = text(r, line, "type"),
		.version = text(r, line, "version"),
		.format = text(r, line, "format"),
		.rule = text(r, line, "rule"),
		.losses = text(r, line, "losses"),
		.nbytes = ferry__record_uint(line, "nbytes"),
		.bytes_out = ferry__record_uint(line, "bytes_out"),
		.seconds = json_real_value(json_object_get(line, "seconds")),
		.time = time, .attempt = r->attempt,
	};
	return 0;
}

static void take_begin(struct reading *r, const json_t *line, double time)
{
	const char *shard = ferry__record_get(line, "shard");

	r->expected = ferry__record_uint(line, "items") +
		      ferry__record_uint(line, "settled");
	r->told = 0;
	r->time = time;
	r->sharded = shard != NULL;
	json_decref(r->roots);
	r->roots = json_incref(json_object_get(line, "roots"));
	snprintf(r->shard, sizeof(r->shard), "%s", shard ? shard : "");
}

/* What an attempt did not come to.  An attempt at everything stands for all
 * before it, one at a shard for those at that. */
static void count_left(struct reading *r)
{
	const json_t *before = json_object_get(r->left, r->shard);
	uint64_t n = r->expected > r->told ? r->expected - r->told : 0;

	if (r->time < r->whole ||
	    json_number_value(json_array_get(before, 0)) > r->time)
		return;
	if (!r->sharded)
		r->whole = r->time;
	json_object_set_new(r->left, r->shard, json_pack("[fI]", r->time,
							 (json_int_t)n));
}

/* Shards that began after the last attempt at everything, or that. */
static uint64_t sum_left(const struct reading *r)
{
	const json_t *whole = json_object_get(r->left, "");
	uint64_t sum = 0;
	bool later = false;
	const char *shard;
	json_t *each;

	json_object_foreach(r->left, shard, each) {
		if (!*shard || json_number_value(json_array_get(each, 0)) <=
			       r->whole)
			continue;
		later = true;
		sum += (uint64_t)json_integer_value(json_array_get(each, 1));
	}
	return later ? sum :
	       (uint64_t)json_integer_value(json_array_get(whole, 1));
}

/* It looked at all there is below its roots. */
static void take_end(struct reading *r, const json_t *line)
{
	json_t *root;
	size_t i;

	r->ended = true;
	if (r->sharded || json_is_string(json_object_get(line, "stopped")))
		return;
	json_array_foreach(r->roots, i, root)
		json_array_append_new(r->whole_runs,
				      json_pack("[fO]", r->time, root));
}

static bool is_below(struct reading *r, const char *path, const json_t *name)
{
	const char *root = ferry__record_text(r->store, name);
	size_t n = root ? strlen(root) : 0;

	while (n > 1 && root[n - 1] == '/')
		n--;
	return n && !strncmp(path, root, n) &&
	       (!path[n] || path[n] == '/' || root[n - 1] == '/');
}

/* It failed, and a later attempt that looked where it lies did not find it. */
static bool is_gone(struct reading *r, const struct ferry_journal_entry *e)
{
	const json_t *run;
	size_t i;

	if (!e->state || strcmp(e->state, "failed"))
		return false;
	json_array_foreach(r->whole_runs, i, run)
		if (json_number_value(json_array_get(run, 0)) > e->time &&
		    is_below(r, e->source, json_array_get(run, 1)))
			return true;
	return false;
}

static int take_line(struct reading *r, const json_t *line)
{
	const char *event = ferry__record_get(line, "event");
	const char *host = ferry__record_get(line, "host");
	double time = json_number_value(json_object_get(line, "time"));

	if (!event)
		return 0;
	if (!r->sum->first || time < r->sum->first)
		r->sum->first = time;
	if (time > r->sum->last)
		r->sum->last = time;
	if (!strcmp(event, "begin")) {
		r->begun = true;
		r->pid = (long)ferry__record_uint(line, "pid");
		snprintf(r->host, sizeof(r->host), "%s", host ? host : "");
		r->sum->n_items += ferry__record_uint(line, "items");
		take_begin(r, line, time);
	}
	if (!strcmp(event, "end"))
		take_end(r, line);
	if (strcmp(event, "item"))
		return 0;
	r->told++;
	return take_item(r, line, time);
}

static bool is_alive(const struct reading *r)
{
	char host[64] = "";

	gethostname(host, sizeof(host) - 1);
	return strcmp(host, r->host) || ferry__is_alive(r->pid);
}

/* A line that is no record was cut by a crash: the rest of the file is read
 * all the same, for another process may have gone on with it. */
static int read_lines(struct reading *r, FILE *f)
{
	char *line = NULL;
	size_t cap = 0;
	json_t *record;
	ssize_t n;
	int rc = 0;

	while (!rc && (n = getline(&line, &cap, f)) > 0) {
		record = (size_t)n < LINE_MOST && line[n - 1] == '\n' ?
			 json_loadb(line, (size_t)n, 0, NULL) : NULL;
		if (record)
			rc = take_line(r, record);
		else
			r->sum->n_torn++;
		json_decref(record);
	}
	free(line);
	return rc;
}

static int read_journal(struct reading *r, const char *path, const char *name)
{
	FILE *f = fopen(path, "re");
	int rc;

	if (!f)
		return ferry_fail_errno(r->err, errno, "%s: can't read it",
					path);
	r->begun = r->ended = false;
	r->attempt = ferry_store_strndup(r->store, name, strlen(name));
	rc = read_lines(r, f);
	fclose(f);
	r->sum->n_journals++;
	if (r->begun)
		count_left(r);
	if (r->begun && !r->ended) {
		if (is_alive(r))
			r->sum->n_running++;
		else
			r->sum->n_stopped++;
	}
	return rc;
}

static bool is_journal(const char *name)
{
	const char *end = ".jsonl";
	size_t n = strlen(name), m = strlen(end);

	return !strncmp(name, "journal-", 8) && n > m &&
	       !strcmp(name + n - m, end);
}

static int read_all(struct reading *r, const char *dst)
{
	struct ferry_buffer path = FERRY_BUFFER_INIT;
	const struct dirent *entry;
	DIR *dir;
	int rc = 0;

	ferry_buffer_printf(&path, "%s/" FERRY__LEDGER, dst);
	dir = path.failed ? NULL : opendir(path.data);
	if (!dir) {
		ferry_fail(r->err, FERRY_NOTFOUND, "migrate", FERRY_NO_OFFSET,
			   "%s: has no journals (%s/" FERRY__LEDGER "): no "
			   "migration ever went there", dst, dst);
		ferry_buffer_release(&path);
		return FERRY_NOTFOUND;
	}
	while (!rc && (entry = readdir(dir))) {
		if (!is_journal(entry->d_name))
			continue;
		path.n = 0;
		ferry_buffer_printf(&path, "%s/" FERRY__LEDGER "/%s", dst,
				    entry->d_name);
		rc = path.failed ? ferry_fail_nomem(r->err, "a file name") :
		     read_journal(r, path.data, entry->d_name);
	}
	closedir(dir);
	ferry_buffer_release(&path);
	return rc;
}

static int by_source(const void *a, const void *b)
{
	return strcmp(((const struct ferry_journal_entry *)a)->source,
		      ((const struct ferry_journal_entry *)b)->source);
}

int ferry_journal_read(const char *dst, struct ferry_journal_summary *out,
		       void (*each)(void *ctx,
				    const struct ferry_journal_entry *e),
		       void *ctx, struct ferry_error *err)
{
	struct reading r = { .sum = out, .err = err };
	int rc;

	memset(out, 0, sizeof(*out));
	rc = ferry_store_new(&r.store, err);
	if (rc)
		return rc;
	r.left = json_object();
	r.whole_runs = json_array();
	rc = r.left && r.whole_runs ? read_all(&r, dst) :
	     ferry_fail_nomem(err, "a journal");
	out->n_left = sum_left(&r);
	if (!rc && r.n)
		qsort(r.entries, r.n, sizeof(*r.entries), by_source);
	for (size_t i = 0; i < r.n && !rc && each; i++)
		if (!is_gone(&r, &r.entries[i]))
			each(ctx, &r.entries[i]);
	json_decref(r.left);
	json_decref(r.roots);
	json_decref(r.whole_runs);
	ferry_map_release(&r.by_source);
	ferry_alloc_free(r.entries);
	ferry_store_unref(r.store);
	return rc;
}
