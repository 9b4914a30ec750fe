/* Frozen manifests, and lists of files. */
#include "config.h"

#include "core/batch/batch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <ferry/sys/alloc.h>
#include <ferry/sys/buffer.h>

#include "core/batch/manifest_file.h"
#include "core/batch/record.h"
#include "core/batch/replacement.h"
#include "core/registry/registry.h"

/* ---- writing ------------------------------------------------------------- */

static bool has_work(const struct ferry__entry *e)
{
	return (e->action == FERRY__CONVERT || e->action == FERRY__COPY) &&
	       e->item.state != FERRY_ITEM_MEMBER &&
	       e->item.state != FERRY_ITEM_FAILED;
}

static int by_size(const void *a, const void *b)
{
	const struct ferry__entry *x = *(struct ferry__entry *const *)a;
	const struct ferry__entry *y = *(struct ferry__entry *const *)b;

	if (x->item.nbytes != y->item.nbytes)
		return x->item.nbytes < y->item.nbytes ? 1 : -1;
	return strcmp(x->item.source, y->item.source);
}

/* A heap of shards, the least loaded at its top. */
struct load {
	uint64_t nbytes;
	uint32_t shard;
};

static bool is_less(const struct load *a, const struct load *b)
{
	return a->nbytes != b->nbytes ? a->nbytes < b->nbytes :
	       a->shard < b->shard;
}

static void sink_top(struct load *heap, uint32_t n)
{
	uint32_t at = 0, child;

	while ((child = 2 * at + 1) < n) {
		struct load held = heap[at];

		if (child + 1 < n && is_less(&heap[child + 1], &heap[child]))
			child++;
		if (!is_less(&heap[child], &held))
			return;
		heap[at] = heap[child];
		heap[child] = held;
		at = child;
	}
}

/* An item weighs its bytes and a little for being one. */
#define ITEM_WEIGHT 65536

static int assign(struct ferry_migration *m, uint32_t n_shards,
		  struct ferry_error *err)
{
	struct ferry__entry **order = ferry_alloc_zero(m->n, sizeof(*order));
	struct load *heap = ferry_alloc_zero(n_shards, sizeof(*heap));
	size_t n = 0;
	int rc = order && heap ? 0 : ferry_fail_nomem(err, "a manifest");

	for (uint32_t i = 0; !rc && i < n_shards; i++)
		heap[i].shard = i;
	for (size_t i = 0; !rc && i < m->n; i++)
		if (has_work(&m->entries[i]))
			order[n++] = &m->entries[i];
	if (!rc && n)
		qsort(order, n, sizeof(struct ferry__entry *), by_size);
	for (size_t i = 0; i < n; i++) {
		order[i]->item.shard = heap[0].shard;
		heap[0].nbytes += order[i]->item.nbytes + ITEM_WEIGHT;
		sink_top(heap, n_shards);
	}
	ferry_alloc_free(order);
	ferry_alloc_free(heap);
	return rc;
}

struct writing {
	FILE *f;
	struct ferry__digest digest;
	bool failed;
};

static void put(struct writing *w, json_t *line)
{
	char *text = json_dumps(line, JSON_COMPACT | JSON_SORT_KEYS);

	json_decref(line);
	if (!text) {
		w->failed = true;
		return;
	}
	ferry__digest_add(&w->digest, text, strlen(text));
	ferry__digest_add(&w->digest, "\n", 1);
	if (fprintf(w->f, "%s\n", text) < 0)
		w->failed = true;
	free(text);
}

static void put_head(struct writing *w, const struct ferry_migration *m,
		     uint32_t n_shards)
{
	json_t *roots = json_array();
	json_t *head;

	for (size_t i = 0; i < m->o.n_sources; i++)
		json_array_append_new(roots,
				      ferry__record_name(m->o.sources[i]));
	head = json_pack("{si ss so so sO sb sI si}", "ferry_manifest", 1,
			 "ferry", PACKAGE_VERSION, "output",
			 ferry__record_name(m->output), "roots", roots,
			 "recipe", m->rules, "copy_others",
			 (int)m->o.copy_others, "items", (json_int_t)m->n,
			 "shards", (int)n_shards);
	if (head && m->template)
		ferry__record_put(head, "name", m->template);
	put(w, head);
}

static void put_entry(struct writing *w, const struct ferry__entry *e)
{
	json_t *line = json_object(), *members;

	ferry__record_put(line, "source", e->item.source);
	ferry__record_put(line, "path", e->path);
	ferry__record_put(line, "output", e->item.output);
	ferry__record_put(line, "action", ferry__action_name(e->action));
	ferry__record_put(line, "rule", e->item.rule);
	ferry__record_put(line, "format", e->item.format);
	ferry__record_put(line, "type", e->item.type);
	ferry__record_put(line, "version", e->item.version);
	ferry__record_put(line, "reason", e->item.reason);
	if (e->item.code)
		ferry__record_put(line, "code", ferry_code_name(e->item.code));
	json_object_set_new(line, "nbytes",
			    json_integer((json_int_t)e->item.nbytes));
	json_object_set_new(line, "shard", json_integer(e->item.shard));
	if (e->directory)
		json_object_set_new(line, "directory", json_true());
	if (e->n_members) {
		members = json_array();
		for (size_t i = 0; i < e->n_members; i++)
			json_array_append_new(members, ferry__record_name(
						       e->members[i]));
		json_object_set_new(line, "members", members);
	}
	put(w, line);
}

static void put_tail(struct writing *w, size_t n)
{
	char digest[FERRY__DIGEST_TEXT];

	if (ferry__digest_end(&w->digest, digest, NULL) ||
	    fprintf(w->f, "{\"digest\":\"%s\",\"end\":%zu}\n", digest, n) < 0)
		w->failed = true;
}

static size_t count_lines(const struct ferry_migration *m)
{
	size_t n = 0;

	for (size_t i = 0; i < m->n; i++)
		n += m->entries[i].item.state != FERRY_ITEM_MEMBER;
	return n;
}

static int write_to(struct ferry_migration *m, const char *path,
		    uint32_t n_shards, struct ferry_error *err)
{
	struct writing w = { .f = fopen(path, "wxe") };
	char shown[256];

	ferry_escape(shown, sizeof(shown), path, strlen(path));
	if (!w.f && errno == EEXIST)
		return ferry_fail(err, FERRY_EXISTS, "migrate",
				  FERRY_NO_OFFSET, "%s: exists already; a "
				  "frozen manifest is never written over: "
				  "remove it or name another", shown);
	if (!w.f)
		return ferry_fail_errno(err, errno, "%s: can't write it",
					shown);
	ferry__digest_init(&w.digest, FERRY_DIGEST_SHA256);
	put_head(&w, m, n_shards);
	for (size_t i = 0; i < m->n; i++)
		if (m->entries[i].item.state != FERRY_ITEM_MEMBER)
			put_entry(&w, &m->entries[i]);
	put_tail(&w, count_lines(m));
	if (fflush(w.f) || fsync(fileno(w.f)))
		w.failed = true;
	if (fclose(w.f) || w.failed) {
		ferry_fail_errno(err, errno, "%s: can't write it", shown);
		unlink(path);
		return FERRY_IO;
	}
	return 0;
}

int ferry_migration_freeze(struct ferry_migration *m, const char *path,
			   uint32_t n_shards, struct ferry_error *err)
{
	int rc;

	if (!n_shards)
		n_shards = 1;
	if (n_shards > FERRY__SHARDS_MOST)
		return ferry_fail(err, FERRY_LIMIT, "migrate", FERRY_NO_OFFSET,
				  "%u shards are too many: %u are the most",
				  n_shards, FERRY__SHARDS_MOST);
	rc = assign(m, n_shards, err);
	return rc ? rc : write_to(m, path, n_shards, err);
}

/* ---- reading ------------------------------------------------------------- */

struct loading {
	struct ferry_migration *m;
	struct ferry__manifest_file file;
	struct ferry_error *err;
};

static int fail(const struct loading *l, enum ferry_code code,
		const char *what)
{
	return ferry__manifest_fail(&l->file, code, what);
}

static int load_head(void *ctx, const json_t *head)
{
	struct loading *l = ctx;
	struct ferry_migration *m = l->m;
	json_t *rules = json_object_get(head, "recipe");

	if (m->n || m->o.n_sources != 1 || m->recipe.n || m->output)
		return fail(l, FERRY_MISUSE, "a frozen manifest brings its "
			    "sources, its recipe and its output with it: name "
			    "it alone");
	m->output = ferry__record_text(m->store,
				       json_object_get(head, "output"));
	m->template = ferry__keep(m, ferry__record_get(head, "name"));
	m->o.copy_others = json_is_true(json_object_get(head, "copy_others"));
	json_decref(m->rules);
	m->rules = json_incref(rules);
	return ferry__recipe_from_tree(&m->recipe, rules, l->file.path, l->err);
}

static const struct ferry__rule *rule_named(const struct ferry_migration *m,
					    const char *name)
{
	for (size_t i = 0; name && i < m->recipe.n; i++)
		if (!strcmp(m->recipe.rules[i].name, name))
			return &m->recipe.rules[i];
	return NULL;
}

static int load_members(struct loading *l, struct ferry__entry *e,
			const json_t *members)
{
	size_t n = json_array_size(members);

	e->members = ferry_store_array(l->m->store, n, sizeof(*e->members));
	if (!e->members)
		return ferry_fail_nomem(l->err, "a manifest");
	for (size_t i = 0; i < n; i++) {
		e->members[i] = ferry__record_text(l->m->store,
					json_array_get(members, i));
		if (!e->members[i])
			return fail(l, FERRY_MALFORMED, "a member has no name");
	}
	e->n_members = n;
	e->item.n_files = (uint32_t)n + !e->directory;
	return 0;
}

static int load_action(struct loading *l, struct ferry__entry *e,
		       const json_t *line)
{
	const char *action = ferry__record_get(line, "action");
	struct ferry_error why = FERRY_ERROR_INIT;
	const char *reason = ferry__record_get(line, "reason");
	int i = FERRY__CONVERT;

	while (action && i <= FERRY__FAIL &&
	       strcmp(action, ferry__action_name((enum ferry__action)i)))
		i++;
	if (!action || i > FERRY__FAIL)
		return fail(l, FERRY_MALFORMED, "no such action");
	e->action = (enum ferry__action)i;
	e->matched = true;
	e->rule = rule_named(l->m, ferry__record_get(line, "rule"));
	e->item.rule = e->rule ? e->rule->name : NULL;
	e->item.reason = ferry__keep(l->m, reason);
	if (e->action == FERRY__CONVERT && !e->rule)
		return fail(l, FERRY_MALFORMED, "no such rule");
	if (e->action == FERRY__SKIP)
		e->item.state = FERRY_ITEM_SKIPPED;
	if (e->action == FERRY__FAIL) {
		ferry_fail(&why, FERRY_UNSUPPORTED, "", FERRY_NO_OFFSET, "%s",
			   reason ? reason : "failed when it was surveyed");
		ferry__entry_fail(l->m, e, &why);
	}
	return 0;
}

static int load_frozen(struct loading *l, struct ferry__entry *e,
		       const json_t *line, uint32_t shard)
{
	const struct ferry_shard *mine = &l->m->o.shard;
	const char *format = ferry__record_get(line, "format");
	const struct ferry_known *f = !format ? NULL :
		ferry_session_find(l->m->s, FERRY_KNOWN_FORMATS, format);
	int rc;

	e->item.output = ferry__record_text(l->m->store,
					    json_object_get(line, "output"));
	e->item.format = f ? f->name : NULL;
	e->item.type = ferry__keep(l->m, ferry__record_get(line, "type"));
	e->item.version = ferry__keep(l->m,
				      ferry__record_get(line, "version"));
	e->item.nbytes = ferry__record_uint(line, "nbytes");
	e->item.shard = shard;
	e->tensors = f && f->format->flags & FERRY_FORMAT_TENSORS;
	e->directory = json_is_true(json_object_get(line, "directory"));
	e->elsewhere = mine->count && e->item.shard != mine->index;
	rc = load_action(l, e, line);
	if (!rc && json_object_get(line, "members"))
		rc = load_members(l, e, json_object_get(line, "members"));
	if (!rc && (e->action == FERRY__CONVERT || e->action == FERRY__COPY) &&
	    !e->item.output)
		rc = fail(l, FERRY_MALFORMED, "no output");
	return rc;
}

/* A path of a list is relative to the working directory. */
static int load_listed(struct loading *l, struct ferry__entry *e,
		       const json_t *line)
{
	struct stat st;
	int rc = 0;

	if (!l->m->output && l->m->o.resume)
		rc = ferry__replacement_resume_of(e->item.source, l->err);
	if (rc)
		return rc;
	e->wanted = ferry__record_text(l->m->store,
				       json_object_get(line, "output"));
	if (stat(e->item.source, &st) || !S_ISREG(st.st_mode)) {
		struct ferry_error why = FERRY_ERROR_INIT;

		ferry_fail(&why, FERRY_NOTFOUND, "migrate", FERRY_NO_OFFSET,
			   "is not there, or no regular file");
		ferry__entry_fail(l->m, e, &why);
		return 0;
	}
	e->item.nbytes = (uint64_t)st.st_size;
	e->found = true;
	return 0;
}

static int load_item(void *ctx, const json_t *line, uint32_t shard)
{
	struct loading *l = ctx;
	struct ferry_migration *m = l->m;
	const char *source = ferry__record_text(m->store,
				json_object_get(line, "source"));
	const char *path = ferry__record_get(line, "path");
	struct ferry__entry *e;
	size_t n;
	int rc;

	if (!source || !*source)
		return fail(l, FERRY_MALFORMED, "no source: {\"source\": "
			    "PATH} is expected");
	n = path ? strlen(path) : 0;
	path = n && n <= strlen(source) &&
	       !strcmp(source + strlen(source) - n, path) ?
	       source + strlen(source) - n : ferry__base_name(source);
	rc = ferry__add_entry(m, source, path, &e, l->err);
	if (rc || !e)
		return rc;
	return l->file.frozen ? load_frozen(l, e, line, shard) :
	       load_listed(l, e, line);
}

static int check_shard(const struct loading *l)
{
	const struct ferry_shard *mine = &l->m->o.shard;
	char what[160];

	if (!l->file.frozen && mine->count)
		return fail(l, FERRY_MISUSE, "a shard is a part of a frozen "
			    "manifest: freeze one with --plan-only");
	if (!mine->count || mine->count == l->file.n_shards)
		return 0;
	snprintf(what, sizeof(what), "it was frozen for %u shards, not %u",
		 l->file.n_shards, mine->count);
	return fail(l, FERRY_MISUSE, what);
}

int ferry__manifest_load(struct ferry_migration *m, const char *path,
			 struct ferry_error *err)
{
	struct loading l = {
		.m = m, .err = err,
		.file = { .head = load_head, .item = load_item },
	};
	int rc;

	l.file.ctx = &l;
	rc = ferry__manifest_read(&l.file, path, err);
	if (!rc && l.file.frozen)
		m->manifest = ferry__keep(m, l.file.found);
	return rc ? rc : check_shard(&l);
}
