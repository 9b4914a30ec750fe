/* Files that an index named before it was replaced. */
#include "config.h"

#include "formats/safetensors/stale.h"

#include <string.h>
#include <unistd.h>

#include <ferry/sys/alloc.h>
#include <ferry/sys/buffer.h>
#include <ferry/sys/map.h>
#include <ferry/sys/source.h>

#include "formats/json/json.h"

#define INDEX_MAX (UINT64_C(64) << 20)
#define LISTED 5
#define SHOWN 160

struct search {
	const char *path;		/* of the index */
	size_t ndir;			/* bytes of its directory, with "/" */
	struct ferry_map known;		/* named by the new index, or listed */
	struct ferry_buffer names;
	size_t n;
};

/* The index before, or NULL. */
static const struct ferry_value *read_map(struct ferry_store *store,
					  const char *path)
{
	struct ferry_source *src = NULL;
	struct ferry_value *root = NULL;
	char *text = NULL;

	if (ferry_source_open_file(&src, path, NULL))
		return NULL;
	if (src->nbytes <= INDEX_MAX)
		text = ferry_alloc((size_t)src->nbytes + 1);
	if (text && (ferry_source_read(src, text, 0, (size_t)src->nbytes,
				       NULL) ||
		     json_read(text, (size_t)src->nbytes, store, &root, NULL)))
		root = NULL;
	ferry_alloc_free(text);
	ferry_source_unref(src);
	root = root ? ferry_dict_get(root, "weight_map") : NULL;
	return root && root->kind == FERRY_DICT ? root : NULL;
}

static bool is_beside(const struct search *s, const char *name, size_t n)
{
	struct ferry_buffer path = FERRY_BUFFER_INIT;
	bool found;

	if (memchr(name, '/', n) || memchr(name, 0, n))
		return false;
	ferry_buffer_add(&path, s->path, s->ndir);
	ferry_buffer_add(&path, name, n);
	ferry_buffer_add(&path, "", 1);
	found = !path.failed && !access(path.data, F_OK);
	ferry_buffer_release(&path);
	return found;
}

/* Each name once: what is known already, or listed, is passed over. */
static int look_at(struct search *s, const struct ferry_value *name)
{
	size_t n = (size_t)name->u.s.nbytes;
	char shown[SHOWN];

	if (name->kind != FERRY_STRING ||
	    ferry_map_get(&s->known, name->u.s.data, n, NULL))
		return 0;
	if (ferry_map_put(&s->known, name->u.s.data, n, 0))
		return FERRY_NOMEM;
	if (!is_beside(s, name->u.s.data, n))
		return 0;
	if (s->n++ < LISTED)
		ferry_buffer_printf(&s->names, "%s%s", s->n > 1 ? ", " : "",
				    ferry_escape(shown, sizeof(shown),
						 name->u.s.data, n));
	return s->names.failed ? FERRY_NOMEM : 0;
}

static int find(struct search *s, const struct ferry_value *before,
		const struct ferry_value *now)
{
	int rc = 0;

	for (uint32_t i = 0; i < now->u.dict.n && !rc; i++) {
		const struct ferry_value *v = now->u.dict.pairs[i].value;

		rc = ferry_map_put(&s->known, v->u.s.data,
				   (size_t)v->u.s.nbytes, 0);
	}
	for (uint32_t i = 0; i < before->u.dict.n && !rc; i++)
		rc = look_at(s, before->u.dict.pairs[i].value);
	return rc;
}

int st_note_stale(const char *path, const struct ferry_value *map,
		  struct ferry_findings *out, struct ferry_error *err)
{
	const char *slash = strrchr(path, '/');
	struct search s = {
		.path = path, .ndir = slash ? (size_t)(slash - path) + 1 : 0,
	};
	const struct ferry_value *before;
	struct ferry_store *store;
	int rc = ferry_store_new(&store, err);

	if (rc)
		return rc;
	before = read_map(store, path);
	if (before)
		rc = find(&s, before, map);
	if (!rc && s.n)
		rc = ferry_findings_add(out, FERRY_NOTE, "stale-shards", "",
					FERRY_NO_OFFSET, "%zu file%s of the "
					"index that is replaced %s left beside "
					"it, and no index names %s now: %.*s%s",
					s.n, s.n == 1 ? "" : "s",
					s.n == 1 ? "is" : "are",
					s.n == 1 ? "it" : "them",
					(int)s.names.n, s.names.data,
					s.n > LISTED ? ", ..." : "");
	ferry_buffer_release(&s.names);
	ferry_map_release(&s.known);
	ferry_store_unref(store);
	return rc ? ferry_fail_nomem(err, "an index") : 0;
}
