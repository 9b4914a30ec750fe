/* Outputs get their names, and sidecars after them. */
#include "config.h"

#include "core/batch/settling.h"

#include <fcntl.h>
#include <string.h>

#include <ferry/sys/alloc.h>

#include "core/io/target.h"
#include "core/io/tree.h"

static int move(struct settling *s)
{
	int rc = ferry__check_free(s);

	if (rc)
		return rc;
	if (ferry__is_set(s->made))
		return ferry__replace_set(s);
	if (ferry__in_place(s->made->entry) && !ferry__is_unchanged(s))
		return ferry__give_way(s);
	if (!s->w->m->output)
		rc = ferry__announce(s);
	if (rc == FERRY_EXISTS)
		return ferry__give_way(s);
	return rc ? rc : ferry__move_all(s);
}

static int record(struct settling *s)
{
	const struct ferry_migration_options *o = &s->w->m->o;
	int rc;

	if (s->made->replaced)
		return 0;
	rc = ferry__write_sidecar(s, s->made->aside);
	if (!rc)
		rc = ferry__remove_stale(s);
	if (!rc && s->made->entry->action == FERRY__CONVERT &&
	    (o->remove_source || ferry__in_place(s->made->entry)))
		rc = ferry__remove_files(s);
	return rc;
}

/* ---- all of them --------------------------------------------------------- */

static char *directory_of(const char *path)
{
	struct ferry_buffer dir = FERRY_BUFFER_INIT;

	ferry_buffer_printf(&dir, "%.*s", (int)ferry_target_dir(path), path);
	return dir.failed ? NULL : dir.data;
}

/* What was made, and is well so far. */
static void choose(struct ferry__worker *w, struct ferry__group *g)
{
	g->n_settling = 0;
	for (size_t i = 0; i < g->n; i++) {
		struct ferry__made *made = &g->made[i];
		struct settling s = { w, made, g->dirs[i], &made->err };

		if (!made->aside || made->err.code)
			continue;
		if (g->dirs[i])
			g->settling[g->n_settling++] = s;
		else
			s.err->code = ferry_fail_nomem(s.err, "a name");
	}
}

static void each(struct settling *s, size_t n, int (*step)(struct settling *s))
{
	for (size_t i = 0; i < n; i++) {
		int rc = s[i].err->code ? 0 : step(&s[i]);

		if (rc)
			s[i].err->code = rc;
	}
}

static bool is_unsynced(const struct settling *s)
{
	return !s->err->code && !s->made->replaced;
}

/* Of a directory, each file's; else one for all, which items next to each
 * other often share. */
static void sync_directories(struct settling *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		size_t k = i;

		if (!is_unsynced(&s[i]))
			continue;
		while (k && (!is_unsynced(&s[k - 1]) ||
			     strcmp(s[k - 1].dir, s[i].dir)))
			k--;
		if ((!k || ferry__makes_directory(s[i].w->m,
						  s[i].made->entry)) &&
		    ferry__sync_names(&s[i]))
			ferry__tell_unsynced(&s[i]);
	}
}

/* An earlier run did not remove the sources.  They are only removed for what
 * is on the disk, and once the sidecar tells so: else what is left when this
 * run is killed would pass for another source. */
static int remove_kept(struct settling *s)
{
	bool told = json_object_del(s->made->sidecar, "moving") &&
		    json_is_true(json_object_get(s->made->sidecar,
						 "source_removed"));
	struct ferry_syncing sync;
	int rc;

	if (!s->w->how->no_sync) {
		ferry__sync_begin(&sync, s, 1);
		ferry__sync_end(&sync, s);
	}
	rc = s->err->code;
	if (!rc && !told)
		rc = ferry__work_open(s->w, s->err);
	if (!rc && !told) {
		json_object_set_new(s->made->sidecar, "source_removed",
				    json_true());
		rc = ferry__write_sidecar(s, s->w->work);
	}
	return rc ? rc : ferry__remove_files(s);
}

/* An earlier run in place was killed after it moved the output. */
static int end_move(struct settling *s)
{
	int rc = ferry__work_open(s->w, s->err);

	if (!json_object_del(s->made->sidecar, "moving") && !rc)
		rc = ferry__write_sidecar(s, s->w->work);
	return rc;
}

static void settle_kept(struct ferry__worker *w, struct ferry__group *g)
{
	for (size_t i = 0; i < g->n; i++) {
		struct ferry__made *made = &g->made[i];
		struct settling s = { w, made, g->dirs[i], &made->err };

		if (made->entry->item.state != FERRY_ITEM_KEPT ||
		    !g->dirs[i] || made->entry->action != FERRY__CONVERT)
			continue;
		json_decref(made->sidecar);
		made->sidecar = json_incref(made->before);
		if (!ferry__in_place(made->entry) && w->m->o.remove_source)
			made->err.code = remove_kept(&s);
		else if (json_object_get(made->before, "moving"))
			made->err.code = end_move(&s);
	}
}

static void end(struct ferry__worker *w, struct ferry__made *made)
{
	struct ferry_item *item = &made->entry->item;

	if (made->err.code)
		ferry__entry_fail(w->m, made->entry, &made->err);
	else if (item->state != FERRY_ITEM_KEPT)
		item->state = made->entry->action == FERRY__COPY ?
			      FERRY_ITEM_COPIED : FERRY_ITEM_DONE;
	/* Moved files leave it empty, for the next to use. */
	if (made->aside && (made->err.code || made->replaced ||
			    ferry__makes_directory(w->m, made->entry)))
		ferry_tree_remove(AT_FDCWD, made->aside);
	json_decref(made->sidecar);
	json_decref(made->before);
	ferry_alloc_free(made->aside);
}

void ferry__settle_begin(struct ferry__worker *w, struct ferry__group *g)
{
	for (size_t i = 0; i < g->n; i++)
		g->dirs[i] = directory_of(g->made[i].entry->item.output);
	choose(w, g);
	if (!w->how->no_sync)
		ferry__sync_begin(&g->sync, g->settling, g->n_settling);
}

void ferry__settle_end(struct ferry__worker *w, struct ferry__group *g)
{
	if (!w->how->no_sync)
		ferry__sync_end(&g->sync, g->settling);
	each(g->settling, g->n_settling, move);
	if (!w->how->no_sync)
		sync_directories(g->settling, g->n_settling);
	each(g->settling, g->n_settling, record);
	settle_kept(w, g);
	for (size_t i = 0; i < g->n; i++) {
		ferry_alloc_free(g->dirs[i]);
		end(w, &g->made[i]);
	}
}
