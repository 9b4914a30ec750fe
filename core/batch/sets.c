/* Shards that no whole was made of: left by a removal, or not all there. */
#include "config.h"

#include "core/batch/batch.h"

#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <ferry/sys/alloc.h>
#include <ferry/sys/buffer.h>

#include "core/batch/record.h"
#include "core/registry/registry.h"

#define DIGITS_LEAST 5		/* of "-00001-of-00002" */
#define DIGITS_MOST 6

/* ---- names --------------------------------------------------------------- */

struct shard_name {
	size_t prefix;		/* bytes before the number */
	size_t digits;
	unsigned long total;
	const char *rest;	/* from "-of-" on */
};

/* "<prefix>NNNNN-of-NNNNN<ending>", the prefix with its dash. */
static bool parse_name(const char *path, struct shard_name *out)
{
	const char *base = ferry__base_name(path), *of = base, *p;
	size_t digits;

	while ((of = strstr(of, "-of-"))) {
		digits = strspn(of + 4, "0123456789");
		p = of - digits;
		if (digits >= DIGITS_LEAST && digits <= DIGITS_MOST &&
		    (size_t)(of - base) > digits && p[-1] == '-' &&
		    strspn(p, "0123456789") == digits) {
			*out = (struct shard_name){
				.prefix = (size_t)(p - path), .digits = digits,
				.total = strtoul(of + 4, NULL, 10), .rest = of,
			};
			return true;
		}
		of++;
	}
	return false;
}

bool ferry__index_name(const char *path, struct ferry_buffer *out)
{
	struct shard_name name;
	const char *ending;

	if (!parse_name(path, &name))
		return false;
	ending = name.rest + 4;
	ferry_buffer_printf(out, "%.*s%s.index.json", (int)name.prefix - 1,
			    path, ending + strspn(ending, "0123456789"));
	return true;
}

/* Its set: the name without its number. */
static const char *set_of(struct ferry_migration *m, const char *path,
			  const struct shard_name *name)
{
	struct ferry_buffer set = FERRY_BUFFER_INIT;
	const char *kept;

	ferry_buffer_printf(&set, "%.*s%s", (int)name->prefix, path,
			    name->rest);
	kept = set.failed ? NULL : ferry__keep(m, set.data);
	ferry_buffer_release(&set);
	return kept;
}

/* ---- what is left of a removed source ------------------------------------ */

struct rest {
	const char *output;
	json_t *source, *rule;
	struct ferry__entry *entry;	/* that stands for it */
	size_t cap;			/* of the entry's members */
};

struct searching {
	struct ferry_migration *m;
	struct rest *rests;
	size_t n, cap;
	struct ferry_map by_path;	/* a path below SRC: its rest, */
					/* << 32, and its row there */
	bool looked;
	struct ferry_error *err;
};

static int fail_nomem(struct searching *s)
{
	return ferry_fail_nomem(s->err, "a migration");
}

static int add_rest(struct searching *s, const char *output,
		    const json_t *sidecar)
{
	struct rest *rests = s->rests;
	size_t cap = s->cap ? 2 * s->cap : 64, i;
	const char *path;
	json_t *row;

	if (s->n == s->cap)
		rests = ferry_alloc_resize(rests, cap, sizeof(*rests));
	if (!rests)
		return fail_nomem(s);
	s->cap = s->n == s->cap ? cap : s->cap;
	s->rests = rests;
	rests[s->n] = (struct rest){
		.output = output,
		.source = json_incref(json_object_get(sidecar, "source")),
		.rule = json_incref(json_object_get(sidecar, "rule")),
	};
	json_array_foreach(rests[s->n].source, i, row) {
		path = ferry__record_text(s->m->store,
					  json_object_get(row, "path"));
		if (path && ferry_map_put(&s->by_path, path, strlen(path),
					  (uint64_t)s->n << 32 | i))
			return fail_nomem(s);
	}
	s->n++;
	return 0;
}

/* Sidecars of outputs whose sources, several files, are removed. */
static int look_at(struct searching *s, const FTSENT *found)
{
	size_t end = strlen(FERRY__SIDECAR), n = found->fts_namelen;
	json_t *sidecar;
	const char *output;
	int rc = 0;

	if (found->fts_info != FTS_F || n <= end ||
	    strcmp(found->fts_name + n - end, FERRY__SIDECAR) ||
	    ferry__record_read(&sidecar, found->fts_accpath,
			       FERRY__SIDECAR_MOST, NULL))
		return 0;
	if (json_is_true(json_object_get(sidecar, "source_removed")) &&
	    json_array_size(json_object_get(sidecar, "source")) > 1) {
		output = ferry_store_strndup(s->m->store, found->fts_path,
					     found->fts_pathlen - end);
		rc = output ? add_rest(s, output, sidecar) : fail_nomem(s);
	}
	json_decref(sidecar);
	return rc;
}

static int look_below(struct searching *s, const char *root)
{
	char *path = strdup(root), *const roots[] = { path, NULL };
	FTS *fts = path ? fts_open(roots, FTS_PHYSICAL | FTS_COMFOLLOW |
				   FTS_NOCHDIR, NULL) : NULL;
	FTSENT *found;
	size_t n = path ? strlen(path) : 0;
	int rc = fts ? 0 : fail_nomem(s);

	while (n > 1 && path[n - 1] == '/')
		path[--n] = '\0';
	while (!rc && (found = fts_read(fts))) {
		if (found->fts_info == FTS_D && found->fts_level &&
		    !strcmp(found->fts_name, FERRY__LEDGER))
			fts_set(fts, found, FTS_SKIP);
		rc = look_at(s, found);
	}
	if (fts)
		fts_close(fts);
	free(path);
	return rc;
}

static int look(struct searching *s)
{
	int rc = 0;

	if (s->looked)
		return 0;
	s->looked = true;
	if (s->m->output)
		return look_below(s, s->m->output);
	for (size_t i = 0; i < s->m->o.n_sources && !rc; i++)
		rc = look_below(s, s->m->o.sources[i]);
	return rc;
}

/* The very file that a sidecar tells of. */
static struct rest *rest_of(struct searching *s, const struct ferry__entry *e)
{
	struct ferry__entry file = { .item = { .source = e->item.source },
				     .path = e->path };
	struct rest *found = NULL;
	uint64_t at, nbytes;
	json_t *list = NULL;

	if (!ferry_map_get(&s->by_path, e->path, strlen(e->path), &at) ||
	    ferry__identify_source(&file, &list, &nbytes, NULL))
		return NULL;
	if (json_equal(json_array_get(s->rests[at >> 32].source,
				      (uint32_t)at), json_array_get(list, 0)))
		found = &s->rests[at >> 32];
	json_decref(list);
	return found;
}

static const struct ferry__rule *rule_of(const struct ferry_migration *m,
					 const json_t *rule)
{
	json_t *each;
	bool same;

	for (size_t i = 0; i < m->recipe.n; i++) {
		each = json_loads(m->recipe.rules[i].text, 0, NULL);
		same = json_equal(each, (json_t *)rule);
		json_decref(each);
		if (same)
			return &m->recipe.rules[i];
	}
	return m->recipe.rules;
}

static int add_member(struct searching *s, struct rest *r, const char *path)
{
	struct ferry__entry *whole = r->entry;
	size_t n = whole->n_members;
	const char **members;

	if (n >= r->cap) {
		r->cap = 2 * n + 8;
		members = ferry_store_array(s->m->store, r->cap,
					    sizeof(*members));
		if (!members)
			return fail_nomem(s);
		if (n)
			memcpy(members, whole->members, n * sizeof(*members));
		whole->members = members;
	}
	whole->members[whole->n_members++] = path;
	whole->item.n_files++;
	return 0;
}

/* The first file found stands for all: it is done, or what is left is told of
 * where that is not what is wanted. */
static int take_rest(struct searching *s, struct rest *r,
		     struct ferry__entry *e)
{
	if (r->entry) {
		ferry__make_member(s->m, e, FERRY__BELONGS);
		return add_member(s, r, e->item.source);
	}
	r->entry = e;
	e->item.state = FERRY_ITEM_PENDING;
	e->item.code = 0;
	e->item.reason = NULL;
	e->item.output = r->output;
	e->rule = rule_of(s->m, r->rule);
	e->item.rule = e->rule->name;
	e->action = FERRY__CONVERT;
	e->rest = true;
	return 0;
}

/* ---- what is missing ----------------------------------------------------- */

/* Of the set, or NULL; `more`: not it alone. */
static const char *find_missing(const char *path, const struct shard_name *name,
				struct ferry_buffer *out, bool *more)
{
	struct ferry_buffer at = FERRY_BUFFER_INIT;
	size_t n = 0;

	for (unsigned long i = 1; i <= name->total && n < 2; i++) {
		at.n = 0;
		ferry_buffer_printf(&at, "%.*s%0*lu%s", (int)name->prefix, path,
				    (int)name->digits, i, name->rest);
		if (at.failed || !access(at.data, F_OK))
			continue;
		if (!n++)
			ferry_buffer_add_str(out, ferry__base_name(at.data));
	}
	ferry_buffer_release(&at);
	*more = n > 1;
	return n ? out->data : NULL;
}

static void fail_part(struct ferry_migration *m, struct ferry__entry *e,
		      const char *missing, bool more, unsigned long total)
{
	struct ferry_error why = FERRY_ERROR_INIT;
	char shown[256];

	ferry_escape(shown, sizeof(shown), missing, strlen(missing));
	ferry_fail(&why, FERRY_NOTFOUND, "migrate", FERRY_NO_OFFSET,
		   "is a part of a set of %lu files, of which '%s'%s missing: "
		   "put %s there, or remove what is left of the set", total,
		   shown, more ? " and others are" : " is",
		   more ? "them" : "it");
	ferry__entry_fail(m, e, &why);
}

static void fail_like(struct ferry_migration *m, struct ferry__entry *e,
		      const struct ferry__entry *first)
{
	struct ferry_error why = FERRY_ERROR_INIT;

	ferry_fail(&why, first->item.code, "migrate", FERRY_NO_OFFSET, "%s",
		   first->item.reason ? first->item.reason : "");
	ferry__entry_fail(m, e, &why);
}

static bool is_failed(const struct ferry__entry *e)
{
	return e->item.state == FERRY_ITEM_FAILED;
}

/* It may be one that names shards. */
static bool is_index(const struct ferry__entry *e)
{
	struct shard_name name;

	return is_failed(e) && e->shards && !parse_name(e->item.source, &name);
}

/* What it names may be removed. */
static bool is_left(const struct ferry__entry *e)
{
	return is_index(e) && e->item.code == FERRY_NOTFOUND;
}

static bool is_part(const struct ferry__entry *e, struct shard_name *name)
{
	return !e->directory && e->tensors && !e->n_members && !e->rest &&
	       (e->action == FERRY__CONVERT || is_failed(e)) &&
	       e->item.state != FERRY_ITEM_MEMBER &&
	       parse_name(e->item.source, name);
}

/* "dir/model" of "dir/model.safetensors.index.json", and all such. */
static int note_index(struct ferry_map *sets, const struct ferry__entry *e)
{
	const char *source = e->item.source, *dot = ferry__base_name(source);
	int rc = 0;

	for (; !rc && (dot = strchr(dot, '.')); dot++)
		rc = ferry_map_put(sets, source, (size_t)(dot - source), 1);
	return rc;
}

struct checking {
	struct ferry_migration *m;
	struct ferry_map indexed;	/* prefixes that a failed index has */
	struct ferry_map sets;		/* a set: its first entry */
};

/* Each set is looked for once. */
static int check_part(struct checking *c, size_t i,
		      const struct shard_name *name)
{
	struct ferry__entry *e = &c->m->entries[i];
	const char *set = set_of(c->m, e->item.source, name), *missing;
	struct ferry_buffer text = FERRY_BUFFER_INIT;
	uint64_t first;
	bool more;
	int rc = 0;

	if (!set) {
		rc = FERRY_NOMEM;
	} else if (!ferry_map_get(&c->sets, set, strlen(set), &first)) {
		missing = find_missing(e->item.source, name, &text, &more);
		if (missing)
			fail_part(c->m, e, missing, more, name->total);
		rc = text.failed ? FERRY_NOMEM :
		     ferry_map_put(&c->sets, set, strlen(set), i);
	} else if (is_failed(&c->m->entries[first])) {
		fail_like(c->m, e, &c->m->entries[first]);
	}
	ferry_buffer_release(&text);
	return rc;
}

static int check_parts(struct ferry_migration *m, struct ferry_error *err)
{
	struct checking c = { .m = m, .indexed = FERRY_MAP_INIT,
			      .sets = FERRY_MAP_INIT };
	struct shard_name name;
	int rc = 0;

	for (size_t i = 0; i < m->n && !rc; i++)
		if (is_index(&m->entries[i]))
			rc = note_index(&c.indexed, &m->entries[i]);
	for (size_t i = 0; i < m->n && !rc; i++) {
		struct ferry__entry *e = &m->entries[i];

		if (!is_part(e, &name))
			continue;
		if (ferry_map_get(&c.indexed, e->item.source, name.prefix - 1,
				  NULL))
			ferry__make_member(m, e, FERRY__BELONGS);
		else if (!is_failed(e))
			rc = check_part(&c, i, &name);
	}
	ferry_map_release(&c.indexed);
	ferry_map_release(&c.sets);
	return rc ? ferry_fail_nomem(err, "a migration") : 0;
}

/* ---- all of them --------------------------------------------------------- */

static int take_rests(struct searching *s)
{
	struct ferry_migration *m = s->m;
	struct shard_name name;
	struct rest *r;
	int rc = 0;

	for (size_t i = 0; i < m->n && !rc; i++) {
		struct ferry__entry *e = &m->entries[i];

		if (!is_left(e) && !is_part(e, &name))
			continue;
		rc = look(s);
		r = rc ? NULL : rest_of(s, e);
		if (r)
			rc = take_rest(s, r, e);
	}
	return rc;
}

int ferry__check_sets(struct ferry_migration *m, struct ferry_error *err)
{
	struct searching s = { .m = m, .by_path = FERRY_MAP_INIT, .err = err };
	int rc = take_rests(&s);

	for (size_t i = 0; i < s.n; i++) {
		json_decref(s.rests[i].source);
		json_decref(s.rests[i].rule);
	}
	ferry_alloc_free(s.rests);
	ferry_map_release(&s.by_path);
	return rc ? rc : check_parts(m, err);
}
