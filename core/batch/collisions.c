/* Items that would write one file, or read what another writes. */
#include "config.h"

#include "core/batch/batch.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <ferry/sys/alloc.h>
#include <ferry/sys/buffer.h>

#include "core/batch/record.h"
#include "core/batch/settling.h"

static bool writes(const struct ferry__entry *e)
{
	return (e->action == FERRY__CONVERT || e->action == FERRY__COPY) &&
	       e->item.output && e->item.state != FERRY_ITEM_MEMBER &&
	       e->item.state != FERRY_ITEM_FAILED;
}

/* ---- links in place ------------------------------------------------------ */

struct identity {
	dev_t dev;
	ino_t ino;
};

static bool identify(const char *path, bool follow, struct identity *out)
{
	struct stat st;

	memset(out, 0, sizeof(*out));
	if (follow ? stat(path, &st) : lstat(path, &st))
		return false;
	out->dev = st.st_dev;
	out->ino = st.st_ino;
	return follow || !S_ISLNK(st.st_mode);
}

/* Entries by the files that their sources are. */
struct files {
	struct identity *ids;
	struct ferry_map map;		/* to indexes */
};

static void release_files(struct files *f)
{
	ferry_map_release(&f->map);
	ferry_alloc_free(f->ids);
}

/* To be released in any case. */
static int index_files(const struct ferry_migration *m,
		       bool (*is_meant)(const struct ferry__entry *e),
		       bool follow, struct files *out, struct ferry_error *err)
{
	int rc;

	*out = (struct files){ .map = FERRY_MAP_INIT };
	out->ids = ferry_alloc_zero(m->n + 1, sizeof(*out->ids));
	rc = out->ids ? 0 : FERRY_NOMEM;
	for (size_t i = 0; i < m->n && !rc; i++)
		if (is_meant(&m->entries[i]) &&
		    identify(m->entries[i].item.source, follow, &out->ids[i]))
			rc = ferry_map_put(&out->map, &out->ids[i],
					   sizeof(out->ids[i]), i);
	return rc ? ferry_fail_nomem(err, "a migration") : 0;
}

/* In place it would be made of the source or of what took its place, as it
 * comes; left alone, it leads to the latter. */
static void skip_link(struct ferry_migration *m, struct ferry__entry *e,
		      const struct ferry__entry *to)
{
	char shown[300], text[400];

	ferry_escape(shown, sizeof(shown), to->item.source,
		     strlen(to->item.source));
	snprintf(text, sizeof(text), "is a link to %s, which is replaced",
		 shown);
	e->item.reason = ferry__keep(m, text);
	e->item.state = FERRY_ITEM_SKIPPED;
	e->action = FERRY__SKIP;
}

static bool is_touched(const struct ferry__entry *e)
{
	return e->item.state == FERRY_ITEM_MEMBER || writes(e);
}

/* What links lead to may be gone by their turn: in place they are skipped,
 * else made before all others. */
static int settle_links(struct ferry_migration *m, struct ferry_error *err)
{
	struct files files;
	struct ferry__entry *e;
	struct identity link;
	int rc = index_files(m, is_touched, false, &files, err);
	uint64_t to;

	for (size_t i = 0; i < m->n && !rc; i++) {
		e = &m->entries[i];
		if (writes(e) && !e->directory &&
		    !identify(e->item.source, false, &link) &&
		    identify(e->item.source, true, &link) &&
		    ferry_map_get(&files.map, &link, sizeof(link), &to)) {
			e->early = m->output != NULL;
			if (!e->early)
				skip_link(m, e, &m->entries[to]);
		}
	}
	release_files(&files);
	return rc;
}

static bool is_lost(const struct ferry__entry *e)
{
	return e->early && e->item.state == FERRY_ITEM_FAILED;
}

static void hold(struct ferry_migration *m, const struct files *lost,
		 struct ferry__entry *e)
{
	struct identity id;
	const char *path;
	uint64_t at;

	for (size_t k = 0; (path = ferry__source_at(e, k)); k++)
		if (identify(path, false, &id) &&
		    ferry_map_get(&lost->map, &id, sizeof(id), &at))
			e->held = m->entries[at].item.source;
}

int ferry__hold_targets(struct ferry_migration *m, struct ferry_error *err)
{
	struct files lost;
	int rc = index_files(m, is_lost, true, &lost, err);

	for (size_t i = 0; i < m->n && !rc && lost.map.n; i++)
		if (writes(&m->entries[i]) && !m->entries[i].early)
			hold(m, &lost, &m->entries[i]);
	release_files(&lost);
	return rc;
}

/* ---- collisions ---------------------------------------------------------- */

static bool is_same(const struct ferry__entry *a, const struct ferry__entry *b)
{
	struct identity x, y;

	identify(a->item.source, true, &x);
	identify(b->item.source, true, &y);
	return x.ino && !memcmp(&x, &y, sizeof(x));
}

static void refuse(struct ferry_migration *m, struct ferry__entry *e,
		   const char *how, const struct ferry__entry *other,
		   const char *also)
{
	bool same = is_same(e, other);
	struct ferry_error why = FERRY_ERROR_INIT;
	char shown[300];

	ferry_escape(shown, sizeof(shown), other->item.source,
		     strlen(other->item.source));
	ferry_fail(&why, FERRY_EXISTS, "migrate", FERRY_NO_OFFSET,
		   "its output would be %sthat of %s, %s%s", how, shown, also,
		   same ? ", which is the same file: name it once" :
		   ": give them different names with --name or the recipe's "
		   "output");
	ferry__entry_fail(m, e, &why);
}

/* A source that lies in DST. */
static void refuse_own(struct ferry_migration *m, struct ferry__entry *e)
{
	struct ferry_error why = FERRY_ERROR_INIT;

	ferry_fail(&why, FERRY_EXISTS, "migrate", FERRY_NO_OFFSET,
		   "its output would be itself: --in-place replaces files "
		   "where they are and keeps backups, or give it another name "
		   "with --name or the recipe's output");
	ferry__entry_fail(m, e, &why);
}

/* One output can't be a file and lead to another; a directory may. */
static void find_nested(struct ferry_migration *m,
			const struct ferry_map *outputs, struct ferry__entry *e)
{
	const char *path = e->item.output, *slash = path;
	struct ferry__entry *above;
	uint64_t at;

	while ((slash = strchr(slash + 1, '/'))) {
		if (!ferry_map_get(outputs, path, (size_t)(slash - path), &at))
			continue;
		above = &m->entries[at];
		if (above->directory || ferry__makes_directory(m, above))
			continue;
		refuse(m, e, "below ", above, "which would be a file");
		if (above->item.state != FERRY_ITEM_FAILED)
			refuse(m, above, "above ", e, "and a file");
	}
}

/* In place, of two the one that is there already may be what an earlier run
 * made of the other. */
static bool is_made_of(const struct ferry__entry *e,
		       const struct ferry__entry *from)
{
	struct ferry_buffer path = FERRY_BUFFER_INIT;
	json_t *sidecar = NULL, *source, *name;
	bool is = false;

	if (!ferry__in_place(e) || ferry__in_place(from))
		return false;
	name = ferry__record_name(from->path);
	ferry_buffer_printf(&path, "%s" FERRY__SIDECAR, e->item.output);
	if (!path.failed && !ferry__record_read(&sidecar, path.data,
						FERRY__SIDECAR_MOST, NULL)) {
		source = json_object_get(sidecar, "source");
		is = from->rest || json_equal(name, json_object_get(
					json_array_get(source, 0), "path"));
	}
	json_decref(sidecar);
	json_decref(name);
	ferry_buffer_release(&path);
	return is;
}

static void skip_made(struct ferry_migration *m, struct ferry__entry *e,
		      const struct ferry__entry *from)
{
	char shown[300], text[400];

	ferry_escape(shown, sizeof(shown), from->item.source,
		     strlen(from->item.source));
	snprintf(text, sizeof(text), "is what was made of %s", shown);
	ferry__make_member(m, e, text);
}

static int settle_pair(struct ferry_migration *m, struct ferry_map *outputs,
		       size_t first, size_t second)
{
	struct ferry__entry *a = &m->entries[first], *b = &m->entries[second];

	if (is_made_of(b, a)) {
		skip_made(m, b, a);
		return 0;
	}
	if (is_made_of(a, b)) {
		skip_made(m, a, b);
		return ferry_map_put(outputs, b->item.output,
				     strlen(b->item.output), second);
	}
	refuse(m, b, "", a, "too");
	if (a->item.state != FERRY_ITEM_FAILED)
		refuse(m, a, "", b, "too");
	return 0;
}

int ferry__find_collisions(struct ferry_migration *m, struct ferry_error *err)
{
	struct ferry_map outputs = FERRY_MAP_INIT;
	struct ferry__entry *e;
	uint64_t first;
	int rc = m->output && !m->o.remove_source ? 0 : settle_links(m, err);

	if (rc)
		return rc;
	for (size_t i = 0; i < m->n && !rc; i++) {
		e = &m->entries[i];
		if (!writes(e))
			continue;
		if (m->output && ferry__in_place(e)) {
			refuse_own(m, e);
			continue;
		}
		if (!ferry_map_get(&outputs, e->item.output,
				   strlen(e->item.output), &first)) {
			rc = ferry_map_put(&outputs, e->item.output,
					   strlen(e->item.output), i);
			continue;
		}
		rc = settle_pair(m, &outputs, first, i);
	}
	for (size_t i = 0; i < m->n && !rc; i++)
		if (writes(&m->entries[i]))
			find_nested(m, &outputs, &m->entries[i]);
	ferry_map_release(&outputs);
	return rc ? ferry_fail_nomem(err, "a migration") : 0;
}
