/* How much a document holds. */
#include "config.h"

#include <ferry/sys/alloc.h>
#include <ferry/sys/map.h>

#include "core/chain/plan.h"
#include "core/chain/walk.h"

/* Two tensors that are the same part of one storage are the same bytes. */
struct view {
	uint64_t offset, nelem;
	uint32_t storage, dtype;
};

/* A storage that was met, and the first tensor of it. */
struct met {
	bool storage, view;
	struct view first;
};

struct measure {
	struct ferry__amount *out;
	struct met *met;	/* by storage id */
	uint32_t n_storages;
	struct ferry_store *scratch;
	struct ferry_map views;	/* that are not the first of their storage */
};

static bool is_same(const struct view *a, const struct view *b)
{
	return a->offset == b->offset && a->nelem == b->nelem &&
	       a->dtype == b->dtype;
}

/* *seen: it was met before. */
static int meet_view(struct measure *m, const struct view *view, bool *seen)
{
	struct met *met = view->storage <= m->n_storages ?
			  &m->met[view->storage] : NULL;
	struct view *kept;

	*seen = met && met->view && is_same(&met->first, view);
	if (met && !met->view) {
		met->view = true;
		met->first = *view;
		return 0;
	}
	if (!*seen)
		*seen = ferry_map_get(&m->views, view, sizeof(*view), NULL);
	if (*seen)
		return 0;
	kept = ferry_store_alloc(m->scratch, sizeof(*kept));
	if (!kept)
		return FERRY_NOMEM;
	*kept = *view;
	return ferry_map_put(&m->views, kept, sizeof(*kept), 0);
}

static int add_tensor(struct measure *m, const struct ferry_tensor *t)
{
	struct view view;
	bool seen;
	int rc;

	m->out->tensors++;
	if (!t->storage)
		return 0;
	view = (struct view){
		t->offset, ferry_tensor_nelem(t), t->storage->id, t->dtype
	};
	rc = meet_view(m, &view, &seen);
	if (rc || seen)
		return rc;
	m->out->nbytes += ferry_tensor_nbytes(t);
	m->out->reads += ferry_source_reads(t->storage->source,
					    ferry_tensor_nbytes(t));
	return 0;
}

static void add_storage(struct measure *m, const struct ferry_storage *st)
{
	struct met *met;

	if (!st || st->id > m->n_storages)
		return;
	met = &m->met[st->id];
	if (!met->storage) {
		m->out->storage_nbytes += st->nbytes;
		m->out->storage_reads += ferry_source_reads(st->source,
							    st->nbytes);
	}
	met->storage = true;
}

static int visit(void *ctx, struct ferry_value **slot, bool seen)
{
	struct measure *m = ctx;
	const struct ferry_value *v = *slot;

	if (seen)
		return 0;
	if (v->kind == FERRY_TENSOR) {
		add_storage(m, v->u.tensor->storage);
		return add_tensor(m, v->u.tensor);
	} else if (v->kind == FERRY_STORAGE) {
		add_storage(m, v->u.st.storage);
	} else if (v->kind < FERRY_LIST || v->kind == FERRY_GLOBAL) {
		m->out->values++;
	}
	return 0;
}

int ferry__measure_below(struct ferry_store *store, struct ferry_marks *marks,
			 struct ferry_value *root, struct ferry__amount *out,
			 struct ferry_error *err)
{
	struct measure m = {
		.out = out, .n_storages = ferry_store_storage_ids(store),
	};
	struct ferry__walk w = { .marks = *marks, .visit = visit, .ctx = &m };

	int rc = ferry_store_new(&m.scratch, err);

	*out = (struct ferry__amount){ .tensors = 0 };
	if (rc)
		return rc;
	m.met = ferry_alloc_zero((size_t)m.n_storages + 1, sizeof(*m.met));
	rc = m.met ? ferry__walk(&w, &root) : FERRY_NOMEM;
	ferry_alloc_free(m.met);
	ferry_map_release(&m.views);
	ferry_store_unref(m.scratch);
	return rc ? ferry_fail_nomem(err, "a plan") : 0;
}

int ferry__measure(struct ferry_document *doc, struct ferry__amount *out,
		   struct ferry_error *err)
{
	struct ferry_marks marks;
	int rc;

	if (ferry_marks_init(&marks, doc->store))
		return ferry_fail_nomem(err, "a plan");
	rc = ferry__measure_below(doc->store, &marks, doc->root, out, err);
	ferry_marks_release(&marks);
	return rc;
}
