/* Tensors that were met.  Most storages have one, which is kept beside the
 * storage's id; a map holds the others. */
#include "config.h"

#include <ferry/sys/build.h>

#include <ferry/sys/alloc.h>
#include <ferry/sys/map.h>
#include <ferry/tensor.h>

struct view {
	uint64_t offset, nelem;
	uint32_t storage, dtype;
};

struct first {
	bool met;
	struct view view;
};

struct ferry_views {
	struct first *first;	/* by storage id */
	uint32_t n;
	struct ferry_map others;
	struct ferry_store *scratch;	/* of their keys; NULL: none yet */
};

int ferry_views_new(struct ferry_views **out, const struct ferry_store *store)
{
	struct ferry_views *v = ferry_alloc_zero(1, sizeof(*v));

	*out = v;
	if (!v)
		return FERRY_NOMEM;
	v->n = ferry_store_storage_ids(store) + 1;
	v->first = ferry_alloc_zero(v->n, sizeof(*v->first));
	if (v->first)
		return 0;
	ferry_views_free(v);
	*out = NULL;
	return FERRY_NOMEM;
}

void ferry_views_free(struct ferry_views *v)
{
	if (!v)
		return;
	ferry_alloc_free(v->first);
	ferry_map_release(&v->others);
	ferry_store_unref(v->scratch);
	ferry_alloc_free(v);
}

static bool is_same(const struct view *a, const struct view *b)
{
	return a->offset == b->offset && a->nelem == b->nelem &&
	       a->dtype == b->dtype;
}

static int meet_other(struct ferry_views *v, const struct view *view,
		      bool *before)
{
	struct view *kept;

	*before = ferry_map_get(&v->others, view, sizeof(*view), NULL);
	if (*before)
		return 0;
	if (!v->scratch && ferry_store_new(&v->scratch, NULL))
		return FERRY_NOMEM;
	kept = ferry_store_alloc(v->scratch, sizeof(*kept));
	if (!kept)
		return FERRY_NOMEM;
	*kept = *view;
	return ferry_map_put(&v->others, kept, sizeof(*kept), 0);
}

int ferry_views_meet(struct ferry_views *v, const struct ferry_tensor *t,
		     bool *before)
{
	struct first *first;
	struct view view;

	*before = false;
	if (!t->storage)
		return 0;
	view = (struct view){
		t->offset, ferry_tensor_nelem(t), t->storage->id, t->dtype
	};
	first = view.storage < v->n ? &v->first[view.storage] : NULL;
	if (!first || (first->met && !is_same(&first->view, &view)))
		return meet_other(v, &view, before);
	*before = first->met;
	*first = (struct first){ true, view };
	return 0;
}
