/* Migrations: made, surveyed, run. */
#include "config.h"

#include "core/batch/batch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <ferry/sys/alloc.h>
#include <ferry/sys/buffer.h>

#include "core/batch/record.h"
#include "core/registry/registry.h"

/* ---- making -------------------------------------------------------------- */

static int copy_options(struct ferry_migration *m,
			const struct ferry_migration_options *o,
			struct ferry_error *err)
{
	const char **sources = ferry_store_array(m->store, o->n_sources,
						 sizeof(*sources));

	m->o = *o;
	m->o.sources = sources;
	m->o.job = NULL;
	m->output = ferry__keep(m, o->output);
	m->template = ferry__keep(m, o->name);
	if (!sources || (o->output && !m->output) ||
	    (o->name && !m->template))
		return ferry_fail_nomem(err, "a migration");
	for (size_t i = 0; i < o->n_sources; i++) {
		sources[i] = ferry__keep(m, o->sources[i]);
		if (!sources[i])
			return ferry_fail_nomem(err, "a migration");
	}
	return 0;
}

static int check_options(const struct ferry_migration_options *o,
			 struct ferry_error *err)
{
	if (!o->n_sources)
		return ferry_fail(err, FERRY_MISUSE, "migrate", FERRY_NO_OFFSET,
				  "there is no source");
	if (o->remove_source && !o->verify)
		return ferry_fail(err, FERRY_MISUSE, "migrate", FERRY_NO_OFFSET,
				  "sources are removed only when their "
				  "outputs were verified: give --verify, too");
	if (o->recipe && o->job)
		return ferry_fail(err, FERRY_MISUSE, "migrate", FERRY_NO_OFFSET,
				  "a recipe says what is done with each file: "
				  "give it or options, not both");
	if (o->shard.count && o->shard.index >= o->shard.count)
		return ferry_fail(err, FERRY_MISUSE, "migrate", FERRY_NO_OFFSET,
				  "shard %u of %u: they count from 0",
				  o->shard.index, o->shard.count);
	return 0;
}

static int load_recipe(struct ferry_migration *m,
		       const struct ferry_migration_options *o,
		       struct ferry_error *err)
{
	int rc = 0;

	if (o->recipe)
		rc = ferry__recipe_load(&m->recipe, m->s, o->recipe, err);
	else if (o->job)
		rc = ferry__recipe_from_job(&m->recipe, o->job, err);
	if (rc)
		return rc;
	m->rules = json_array();
	for (size_t i = 0; i < m->recipe.n; i++)
		json_array_append(m->rules, m->recipe.rules[i].tree);
	return m->rules ? 0 : ferry_fail_nomem(err, "a migration");
}

/* What is there under a name where a directory is to be. */
static int check_directory(const char *path, const char *what,
			   struct ferry_error *err)
{
	char shown[256];
	struct stat st;

	if (!path || stat(path, &st) || S_ISDIR(st.st_mode))
		return 0;
	return ferry_fail(err, FERRY_MISUSE, "migrate", FERRY_NO_OFFSET,
			  "%s: is no directory: %s",
			  ferry_escape(shown, sizeof(shown), path,
				       strlen(path)), what);
}

/* DST, or in place the first source's directory, has the journals. */
static int choose_ledger(struct ferry_migration *m, struct ferry_error *err)
{
	const char *at = m->output, *base;
	struct ferry_buffer path = FERRY_BUFFER_INIT;
	struct stat st;

	if (!at && m->manifest && m->n)
		at = m->entries[0].item.source;
	if (!at)
		at = m->o.sources[0];
	base = ferry__base_name(at);
	if (m->output || (!stat(at, &st) && S_ISDIR(st.st_mode)))
		ferry_buffer_printf(&path, "%s/" FERRY__LEDGER, at);
	else
		ferry_buffer_printf(&path, "%.*s" FERRY__LEDGER,
				    (int)(base - at), at);
	m->ledger = ferry__keep(m, path.data);
	ferry_buffer_release(&path);
	if (!m->ledger)
		return ferry_fail_nomem(err, "a migration");
	return check_directory(m->ledger, "the journals are to be in one of "
			       "that name: move it away", err);
}

static int fail_wordless(struct ferry_error *err)
{
	ferry_error_clear(err);
	return ferry_fail(err, FERRY_MISUSE, "migrate", FERRY_NO_OFFSET,
			  "nothing says what is to be done: give --to, "
			  "--to-format, --upgrade or --recipe");
}

static int check_name(const struct ferry_migration *m,
		      enum ferry_known_kind kind, const char *what,
		      const char *name, struct ferry_error *err)
{
	return !name || ferry_session_find(m->s, kind, name) ? 0 :
	       ferry__fail_unknown(m->s, kind, what, name, err);
}

/* What no item could be made of is told once. */
static int check_rule(const struct ferry_migration *m,
		      const struct ferry__rule *rule, struct ferry_error *err)
{
	const struct ferry_job *j = &rule->job;
	int rc = ferry__check_template(rule->output, err);

	if (!rc)
		rc = check_name(m, FERRY_KNOWN_FORMATS, "format",
				j->from_format, err);
	if (!rc)
		rc = check_name(m, FERRY_KNOWN_FORMATS, "format", j->to_format,
				err);
	if (!rc)
		rc = check_name(m, FERRY_KNOWN_TYPES, "artifact type", j->from,
				err);
	return rc ? rc : check_name(m, FERRY_KNOWN_TYPES, "artifact type",
				    j->to, err);
}

static int fill(struct ferry_migration *m,
		const struct ferry_migration_options *o,
		struct ferry_error *err)
{
	int rc = ferry_findings_new(&m->findings, err);

	if (!rc)
		rc = copy_options(m, o, err);
	if (!rc)
		rc = load_recipe(m, o, err);
	if (!rc)
		rc = ferry__discover(m, err);
	/* Without that, the last operand is no DST. */
	if (rc == FERRY_NOTFOUND && !m->recipe.n && o->n_sources > 1)
		rc = fail_wordless(err);
	if (!rc)
		rc = check_directory(m->output, "the outputs are to be in one: "
				     "name another DST", err);
	if (!rc)
		rc = ferry__check_template(m->template, err);
	for (size_t i = 0; i < m->recipe.n && !rc; i++)
		rc = check_rule(m, &m->recipe.rules[i], err);
	if (!rc && !m->recipe.n)
		rc = fail_wordless(err);
	if (!rc && o->shard.count && !m->manifest)
		rc = ferry_fail(err, FERRY_MISUSE, "migrate", FERRY_NO_OFFSET,
				"a shard is a part of a frozen manifest: "
				"freeze one with --plan-only");
	return rc ? rc : choose_ledger(m, err);
}

int ferry_migration_new(struct ferry_migration **out, struct ferry_session *s,
			const struct ferry_migration_options *options,
			struct ferry_error *err)
{
	struct ferry_migration *m;
	int rc = check_options(options, err);

	if (rc)
		return rc;
	m = ferry_alloc_zero(1, sizeof(*m));
	if (!m)
		return ferry_fail_nomem(err, "a migration");
	m->s = s;
	rc = ferry_store_new(&m->store, err);
	if (!rc)
		rc = fill(m, options, err);
	if (rc)
		ferry_migration_free(m);
	else
		*out = m;
	return rc;
}

void ferry_migration_free(struct ferry_migration *m)
{
	if (!m)
		return;
	ferry__recipe_release(&m->recipe);
	json_decref(m->rules);
	ferry_map_release(&m->by_source);
	ferry_findings_free(m->findings);
	ferry_alloc_free(m->entries);
	ferry_store_unref(m->store);
	ferry_alloc_free(m);
}

/* ---- asking -------------------------------------------------------------- */

size_t ferry_migration_count(const struct ferry_migration *m)
{
	return m->n;
}

const struct ferry_item *ferry_migration_get(const struct ferry_migration *m,
					     size_t i)
{
	return i < m->n ? &m->entries[i].item : NULL;
}

const struct ferry_findings *
ferry_migration_findings(const struct ferry_migration *m)
{
	return m->findings;
}

const char *ferry_migration_output(const struct ferry_migration *m)
{
	return m->output;
}

/* ---- orders -------------------------------------------------------------- */

static const struct ferry__entry *sorted_entries(const void *p, void *ctx)
{
	const struct ferry_migration *m = ctx;

	return &m->entries[*(const size_t *)p];
}

/* The largest first, so that none is left to one worker at the end. */
static int by_size(const void *a, const void *b, void *ctx)
{
	const struct ferry__entry *x = sorted_entries(a, ctx);
	const struct ferry__entry *y = sorted_entries(b, ctx);

	if (x->early != y->early)
		return x->early ? -1 : 1;
	if (x->item.nbytes != y->item.nbytes)
		return x->item.nbytes < y->item.nbytes ? 1 : -1;
	return x < y ? -1 : x > y;
}

static int make_order(struct ferry_migration *m,
		      bool (*wanted)(const struct ferry_migration *m,
				     struct ferry__entry *e),
		      size_t **out, size_t *n, struct ferry_error *err)
{
	size_t *order = ferry_alloc_zero(m->n, sizeof(*order));

	*n = 0;
	*out = order;
	if (!order)
		return ferry_fail_nomem(err, "a migration");
	for (size_t i = 0; i < m->n; i++)
		if (wanted(m, &m->entries[i]))
			order[(*n)++] = i;
	if (*n)
		qsort_r(order, *n, sizeof(*order), by_size, m);
	return 0;
}

static uint64_t sum_bytes(const struct ferry_migration *m, const size_t *order,
			  size_t n)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += m->entries[order[i]].item.nbytes;
	return sum;
}

/* ---- matching ------------------------------------------------------------ */

static bool is_unmatched(const struct ferry_migration *m,
			 struct ferry__entry *e)
{
	(void)m;
	return !e->matched && e->item.state == FERRY_ITEM_PENDING;
}

/* Rules and members go over by name. */
static void take_survey(void *ctx, struct ferry__entry *e,
			const json_t *record)
{
	struct ferry_migration *m = ctx;
	json_t *members = json_object_get(record, "members");
	size_t n = json_array_size(members);

	e->matched = true;
	for (size_t i = 0; e->item.rule && i < m->recipe.n; i++)
		if (!strcmp(m->recipe.rules[i].name, e->item.rule))
			e->rule = &m->recipe.rules[i];
	e->action = e->item.state == FERRY_ITEM_FAILED ? FERRY__FAIL :
		    e->item.state == FERRY_ITEM_SKIPPED ? FERRY__SKIP :
		    e->item.reason || !e->rule ? FERRY__COPY : e->rule->action;
	e->members = n ? ferry_store_array(m->store, n, sizeof(*e->members)) :
		     NULL;
	for (size_t i = 0; e->members && i < n; i++) {
		const char *path = ferry__record_text(m->store,
					json_array_get(members, i));

		if (path)
			e->members[e->n_members++] = path;
	}
	e->item.n_files = !e->directory + (uint32_t)e->n_members;
}

void ferry__make_member(struct ferry_migration *m, struct ferry__entry *e,
			const char *reason)
{
	e->item.state = FERRY_ITEM_MEMBER;
	e->item.reason = ferry__keep(m, reason);
	e->item.code = 0;
	e->item.output = NULL;
	e->matched = true;
	e->action = FERRY__SKIP;
}

/* Of a directory that can't be read nobody knows which files it would be made
 * of: none that holds tensors is one for itself. */
static void absorb_below(struct ferry_migration *m, const struct ferry__entry *e)
{
	size_t n = strlen(e->item.source);

	for (size_t i = (size_t)(e - m->entries) + 1; i < m->n; i++) {
		struct ferry__entry *other = &m->entries[i];

		if (strncmp(other->item.source, e->item.source, n))
			break;
		if (other->item.source[n] == '/' && other->tensors &&
		    other->item.state != FERRY_ITEM_FAILED)
			ferry__make_member(m, other, FERRY__BELONGS);
	}
}

/* What a reader opened beside its file or in its directory belongs to that,
 * unless no rule takes the whole. */
static void absorb(struct ferry_migration *m, struct ferry__entry *e)
{
	uint64_t at;

	if (e->directory && e->item.state == FERRY_ITEM_FAILED)
		absorb_below(m, e);
	for (size_t i = 0; e->rule && i < e->n_members; i++) {
		struct ferry__entry *member;

		if (!ferry_map_get(&m->by_source, e->members[i],
				   strlen(e->members[i]), &at))
			continue;
		member = &m->entries[at];
		if (member != e && !member->n_members)
			ferry__make_member(m, member, FERRY__BELONGS);
	}
}

/* X, of a file X.1 that is looked for a part of the weights. */
static const struct ferry__entry *main_rank(const struct ferry_migration *m,
					    const struct ferry__entry *e)
{
	const char *name = e->item.source, *dot = strrchr(name, '.');
	const struct ferry_job *job = e->rule ? &e->rule->job : NULL;
	uint64_t at;

	if (!job || !dot || !dot[1] || dot[1 + strspn(dot + 1, "0123456789")] ||
	    e->action != FERRY__CONVERT || !e->tensors ||
	    !(job->weights || job->to || job->n_select) ||
	    !ferry_map_get(&m->by_source, name, (size_t)(dot - name), &at))
		return NULL;
	return m->entries[at].item.state == FERRY_ITEM_FAILED ? NULL :
	       &m->entries[at];
}

/* What such a file is has to be known. */
static void forget_ranks(struct ferry_migration *m)
{
	for (size_t i = 0; i < m->n; i++) {
		struct ferry__entry *e = &m->entries[i];

		if (e->item.type || !main_rank(m, e))
			continue;
		e->matched = false;
		e->item.output = NULL;
	}
}

static void absorb_rank(struct ferry_migration *m, struct ferry__entry *e)
{
	const struct ferry__entry *whole = main_rank(m, e);
	const struct ferry_known *type = !whole || !e->item.type ? NULL :
		ferry_session_find(m->s, FERRY_KNOWN_TYPES, e->item.type);
	const struct ferry_job *job = whole ? &e->rule->job : NULL;

	if (type && type->type->ranks && whole->action == FERRY__CONVERT &&
	    (job->weights || job->n_select ||
	     strcmp(job->to, e->item.type)))
		ferry__make_member(m, e, "is another rank's part of an item "
				   "that has the weights of all");
}

static int survey_unmatched(struct ferry_migration *m,
			    const struct ferry_migration_run *how,
			    struct ferry_error *err)
{
	struct ferry__pool pool = {
		.m = m, .how = how, .task = FERRY__SURVEY,
		.settled = take_survey, .ctx = m,
	};
	size_t *order;
	int rc = make_order(m, is_unmatched, &order, &pool.n, err);

	pool.order = order;
	if (!rc)
		rc = ferry__pool_run(&pool, err);
	ferry_alloc_free(order);
	return rc;
}

static int match_all(struct ferry_migration *m,
		     const struct ferry_migration_run *how,
		     struct ferry_error *err)
{
	struct ferry_migration_run quiet = *how;
	int rc;

	quiet.told = NULL;
	quiet.max_failures = 0;
	for (size_t i = 0; i < m->n; i++)
		if (!m->manifest && m->entries[i].item.state !=
		    FERRY_ITEM_FAILED)
			ferry__match_early(m, &m->entries[i]);
	if (!m->manifest)
		forget_ranks(m);
	rc = survey_unmatched(m, &quiet, err);
	for (size_t i = 0; i < m->n && !rc; i++) {
		absorb(m, &m->entries[i]);
		absorb_rank(m, &m->entries[i]);
	}
	if (!rc && !m->manifest)
		rc = ferry__check_sets(m, err);
	return rc ? rc : ferry__find_collisions(m, err);
}

/* ---- room ---------------------------------------------------------------- */

static bool has_work(const struct ferry_migration *m, struct ferry__entry *e)
{
	(void)m;
	return !e->elsewhere &&
	       (e->item.state == FERRY_ITEM_PENDING ||
		e->item.state == FERRY_ITEM_PLANNED) &&
	       (e->action == FERRY__CONVERT || e->action == FERRY__COPY);
}

static bool is_recorded(const struct ferry__entry *e)
{
	struct ferry_buffer path = FERRY_BUFFER_INIT;
	bool is;

	ferry_buffer_printf(&path, "%s" FERRY__SIDECAR, e->item.output);
	is = !path.failed && !access(path.data, F_OK);
	ferry_buffer_release(&path);
	return is;
}

/* Where DST will be: the nearest directory above that there is. */
static int find_file_system(const char *path, struct statvfs *fs)
{
	struct ferry_buffer at = FERRY_BUFFER_INIT;
	char *slash;
	int rc = 0;

	ferry_buffer_add_str(&at, path);
	while (!at.failed && (rc = statvfs(at.data, fs)) &&
	       (slash = strrchr(at.data, '/')) && slash != at.data)
		*slash = '\0';
	rc = at.failed ? -1 : rc ? statvfs(*path == '/' ? "/" : ".", fs) : 0;
	ferry_buffer_release(&at);
	return rc;
}

/* What a plan says of an output is known; before that, that it seldom is
 * larger than its source. */
static void tell_room(const struct ferry_migration *m,
		      const struct ferry_migration_run *how, bool planned)
{
	const char *where = m->output ? m->output : m->o.sources[0];
	char need[32], left[32], text[200];
	uint64_t sum = 0, room;
	struct statvfs fs;

	for (size_t i = 0; how->warn && i < m->n; i++) {
		struct ferry__entry *e = &m->entries[i];

		if (has_work(m, e) && !is_recorded(e))
			sum += planned ? e->item.bytes_out : e->item.nbytes;
	}
	if (!sum || find_file_system(where, &fs))
		return;
	if (fs.f_flag & ST_RDONLY)
		how->warn(how->ctx, where, "is on a file system that is "
			  "mounted read-only: nothing can be made there");
	room = (uint64_t)fs.f_bavail * fs.f_frsize;
	if (sum <= room)
		return;
	snprintf(text, sizeof(text), planned ?
		 "%s are needed and %s are free: make room first" :
		 "what is to be made comes from %s and %s are free: it may not "
		 "fit", ferry_bytes_text(sum, need),
		 ferry_bytes_text(room, left));
	how->warn(how->ctx, where, text);
}

/* ---- surveying ----------------------------------------------------------- */

/* What no worker sees: skipped and failed at once. */
static void count_settled(struct ferry_migration *m,
			  const struct ferry_migration_run *how,
			  struct ferry__pool *pool, struct ferry__journal *j)
{
	for (size_t i = 0; i < m->n; i++) {
		struct ferry__entry *e = &m->entries[i];

		if (e->elsewhere || (e->item.state != FERRY_ITEM_SKIPPED &&
				     e->item.state != FERRY_ITEM_FAILED &&
				     e->item.state != FERRY_ITEM_MEMBER))
			continue;
		pool->totals.n[e->item.state]++;
		pool->n_failed += e->item.state == FERRY_ITEM_FAILED;
		if (j)
			ferry__journal_item(j, e);
		if (how->told)
			how->told(how->ctx, &e->item, &pool->totals);
	}
}

static void take_plan(void *ctx, struct ferry__entry *e, const json_t *record)
{
	(void)ctx;
	(void)record;
	e->planned = true;
	if (e->item.state == FERRY_ITEM_FAILED)
		e->action = FERRY__FAIL;
	else if (e->item.state == FERRY_ITEM_SKIPPED)
		e->action = FERRY__SKIP;
}

int ferry_migration_survey(struct ferry_migration *m,
			   const struct ferry_migration_run *how,
			   struct ferry_totals *out, struct ferry_error *err)
{
	struct ferry__pool pool = { .m = m, .how = how, .task = FERRY__PLAN,
				    .settled = take_plan };
	size_t *order = NULL;
	int rc = match_all(m, how, err);

	if (!rc)
		rc = make_order(m, has_work, &order, &pool.n, err);
	if (!rc) {
		pool.order = order;
		pool.totals.bytes_total = sum_bytes(m, order, pool.n);
		count_settled(m, how, &pool, NULL);
		rc = ferry__pool_run(&pool, err);
	}
	if (!rc)
		tell_room(m, how, true);
	ferry_alloc_free(order);
	*out = pool.totals;
	return rc;
}

/* ---- running ------------------------------------------------------------- */

static int make_directory(const char *path, struct ferry_error *err)
{
	char shown[256];

	if (!mkdir(path, 0777) || errno == EISDIR)
		return 0;
	if (errno == EEXIST)
		return check_directory(path, "the outputs are to be below it: "
				       "name another DST", err);
	return ferry_fail_errno(err, errno, "%s: can't make it",
				ferry_escape(shown, sizeof(shown), path,
					     strlen(path)));
}

static int make_directories(const char *path, struct ferry_error *err)
{
	struct ferry_buffer b = FERRY_BUFFER_INIT;
	int rc = 0;

	ferry_buffer_printf(&b, "%s/", path);
	if (b.failed)
		return ferry_fail_nomem(err, "a file name");
	for (char *p = b.data + 1; !rc && (p = strchr(p, '/')); p++) {
		*p = '\0';
		rc = make_directory(b.data, err);
		*p = '/';
	}
	ferry_buffer_release(&b);
	return rc;
}

struct noting {
	struct ferry__journal *journal;
};

static void note_item(void *ctx, struct ferry__entry *e, const json_t *record)
{
	struct noting *n = ctx;

	(void)record;
	ferry__journal_item(n->journal, e);
}

/* Links whose targets the others remove come first in the order, and are done
 * before any other begins. */
static int run_order(struct ferry__pool *pool, struct ferry_error *err)
{
	const size_t *order = pool->order;
	size_t n = pool->n, early = 0;
	int rc = 0;

	while (early < n && pool->m->entries[order[early]].early)
		early++;
	pool->n = early;
	pool->n_later = n - early;
	if (early)
		rc = ferry__pool_run(pool, err);
	if (early && !rc)
		rc = ferry__hold_targets(pool->m, err);
	pool->order += early;
	pool->n = n - early;
	pool->n_later = 0;
	if (!rc)
		rc = ferry__pool_run(pool, err);
	pool->order = order;
	pool->n = n;
	return rc;
}

static int run_pool(struct ferry_migration *m,
		    const struct ferry_migration_run *how,
		    struct ferry__pool *pool, struct ferry_error *err)
{
	struct ferry_error why = FERRY_ERROR_INIT;
	struct noting n;
	int rc = ferry__journal_open(&n.journal, m, how, pool->n,
				     pool->totals.bytes_total, err);

	if (rc)
		return rc;
	pool->settled = note_item;
	pool->ctx = &n;
	count_settled(m, how, pool, n.journal);
	rc = run_order(pool, &why);
	for (size_t i = 0; i < pool->n; i++)
		pool->totals.n[FERRY_ITEM_PENDING] +=
			has_work(m, &m->entries[pool->order[i]]);
	if (rc)
		ferry_fail(err, rc, why.origin, why.offset, "%s", why.text);
	if (ferry__journal_close(n.journal, &pool->totals, rc ? why.text :
				 NULL, err) && !rc)
		rc = FERRY_IO;
	return rc;
}

int ferry_migration_run(struct ferry_migration *m,
			const struct ferry_migration_run *how,
			struct ferry_totals *out, struct ferry_error *err)
{
	struct ferry__pool pool = { .m = m, .how = how, .task = FERRY__RUN };
	size_t *order = NULL;
	int rc = match_all(m, how, err);

	if (!rc)
		rc = make_directories(m->ledger, err);
	if (!rc)
		rc = make_order(m, has_work, &order, &pool.n, err);
	if (!rc) {
		ferry__work_sweep(m->ledger);
		tell_room(m, how, false);
		pool.order = order;
		pool.totals.bytes_total = sum_bytes(m, order, pool.n);
		rc = run_pool(m, how, &pool, err);
	}
	ferry_alloc_free(order);
	*out = pool.totals;
	return rc;
}
