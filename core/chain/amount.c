/* How much a document holds. */
#include "config.h"

#include <ferry/sys/alloc.h>

#include "core/chain/plan.h"
#include "core/chain/walk.h"

struct measure {
	struct ferry__amount *out;
	uint64_t *storages;	/* a bit per storage id */
	uint32_t n_storages;
	struct ferry_views *views;
};

static int add_tensor(struct measure *m, const struct ferry_tensor *t)
{
	bool before;
	int rc = ferry_views_meet(m->views, t, &before);

	m->out->tensors++;
	if (rc || before || !t->storage)
		return rc;
	m->out->nbytes += ferry_tensor_nbytes(t);
	m->out->reads += ferry_source_reads(t->storage->source,
					    ferry_tensor_nbytes(t));
	return 0;
}

static void add_storage(struct measure *m, const struct ferry_storage *st)
{
	uint64_t bit;

	if (!st || st->id > m->n_storages)
		return;
	bit = UINT64_C(1) << (st->id & 63);
	if (!(m->storages[st->id >> 6] & bit)) {
		m->out->storage_nbytes += st->nbytes;
		m->out->storage_reads += ferry_source_reads(st->source,
							    st->nbytes);
	}
	m->storages[st->id >> 6] |= bit;
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
	int rc = ferry_views_new(&m.views, store);

	*out = (struct ferry__amount){ .tensors = 0 };
	m.storages = ferry_alloc_zero(m.n_storages / 64 + 1,
				      sizeof(*m.storages));
	if (!rc)
		rc = m.storages ? ferry__walk(&w, &root) : FERRY_NOMEM;
	ferry_alloc_free(m.storages);
	ferry_views_free(m.views);
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
