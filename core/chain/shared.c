/* Tensors that share storage: kept, copied, left out, or refused. */
#include "config.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <ferry/sys/alloc.h>
#include <ferry/sys/map.h>
#include <ferry/sys/ops.h>

#include "core/chain/plan.h"
#include "core/chain/walk.h"

/* ---- who shares ---------------------------------------------------------- */

struct extent {
	uint32_t storage;
	uint32_t place;
	uint64_t first, end;
};

static int by_storage(const void *a, const void *b)
{
	const struct extent *x = a, *y = b;

	if (x->storage != y->storage)
		return x->storage < y->storage ? -1 : 1;
	if (x->first != y->first)
		return x->first < y->first ? -1 : 1;
	return x->place < y->place ? -1 : x->place > y->place;
}

struct sharing {
	uint64_t n;		/* tensors over bytes that another has too */
	char first[160], second[160];
};

/* `each`: of a value in several places each has its data written. */
static size_t list_extents(const struct ferry_places *places, bool each,
			   struct extent *out)
{
	const struct ferry_tensor *t;
	size_t n = 0;

	for (size_t i = 0; i < places->n; i++) {
		if (places->items[i].value->kind != FERRY_TENSOR ||
		    (!each && places->items[i].same != i))
			continue;
		t = places->items[i].value->u.tensor;
		if (!t->storage)
			continue;
		out[n].storage = t->storage->id;
		out[n].place = (uint32_t)i;
		ferry_tensor_extent(t, &out[n].first, &out[n].end);
		n += out[n].first < out[n].end;
	}
	return n;
}

static void count_overlaps(const struct ferry_places *places,
			   const struct extent *e, size_t n,
			   struct sharing *out)
{
	size_t widest = 0;
	const char *a, *b;

	for (size_t i = 1; i < n; i++) {
		if (e[i].storage != e[widest].storage ||
		    e[i].first >= e[widest].end) {
			widest = i;
			continue;
		}
		if (!out->n++) {
			a = places->items[e[widest].place].name;
			b = places->items[e[i].place].name;
			ferry_escape(out->first, sizeof(out->first), a,
				     strlen(a));
			ferry_escape(out->second, sizeof(out->second), b,
				     strlen(b));
		}
		if (e[i].end > e[widest].end)
			widest = i;
	}
}

static int find_sharing(struct ferry_document *doc, bool each,
			struct sharing *out, struct ferry_error *err)
{
	struct ferry_places places;
	struct extent *extents;
	size_t n;
	int rc = ferry_places_init(&places, doc, err);

	if (rc)
		return rc;
	memset(out, 0, sizeof(*out));
	extents = ferry_alloc_zero(places.n, sizeof(*extents));
	if (!extents) {
		rc = ferry_fail_nomem(err, "a plan");
	} else {
		n = list_extents(&places, each, extents);
		qsort(extents, n, sizeof(*extents), by_storage);
		count_overlaps(&places, extents, n, out);
	}
	ferry_alloc_free(extents);
	ferry_places_release(&places);
	return rc;
}

/* ---- each its own -------------------------------------------------------- */

struct copying {
	struct ferry_plan *p;
	struct ferry_map owners;	/* storages somebody has */
	uint64_t n;
	struct ferry_error *err;
};

static int copy_tensor(struct copying *c, const struct ferry_tensor *t,
		       struct ferry_value **out)
{
	struct ferry_store *store = c->p->store;
	struct ferry_storage *st;
	struct ferry_source *src;
	uint64_t offset;
	int rc = ferry_tensor_source(store, t, &src, &offset, c->err);

	if (rc)
		return rc;
	st = ferry_storage(store, t->dtype, src, offset,
			   ferry_tensor_nbytes(t));
	*out = st ? ferry_tensor(store, t->dtype, t->ndim, t->shape, NULL, 0,
				 st) : NULL;
	if (!*out)
		return ferry_fail_nomem(c->err, "a copy");
	(*out)->u.tensor->flags = t->flags & FERRY_REQUIRES_GRAD;
	(*out)->u.tensor->extra = t->extra;
	c->n++;
	return 0;
}

/* The same decoration around another tensor. */
static int redecorate(struct copying *c, const struct ferry_value *v,
		      struct ferry_value **out)
{
	const struct ferry_object *o = v->u.object;
	struct ferry_store *store = c->p->store;
	struct ferry_value *args, *inner = NULL, *copy;
	int rc = 0;

	args = ferry_sequence(store, FERRY_TUPLE, o->args->u.list.n);
	for (uint32_t i = 0; args && i < o->args->u.list.n && !rc; i++) {
		inner = o->args->u.list.items[i];
		if (i == (uint32_t)o->payload)
			rc = copy_tensor(c, inner->u.tensor, &inner);
		if (!rc && ferry_list_add(store, args, inner))
			args = NULL;
	}
	if (rc)
		return rc;
	copy = args ? ferry_object(store, o->form, o->callable, args,
				   o->kwargs) : NULL;
	if (!copy)
		return ferry_fail_nomem(c->err, "a copy");
	copy->u.object->flags = o->flags;
	copy->u.object->payload = o->payload;
	copy->u.object->list = o->list;
	copy->u.object->dict = o->dict;
	copy->u.object->state = o->state;
	*out = copy;
	return 0;
}

static bool decorates(const struct ferry_value *v)
{
	return v->kind == FERRY_OBJECT && v->u.object->payload >= 0 &&
	       v->u.object->args->kind == FERRY_TUPLE &&
	       v->u.object->args->u.list.items[v->u.object->payload]->kind ==
	       FERRY_TENSOR;
}

static int copy_shared(void *ctx, struct ferry_value **slot, bool seen)
{
	struct copying *c = ctx;
	struct ferry_storage *st;

	if (seen && decorates(*slot))
		return redecorate(c, *slot, slot);
	if ((*slot)->kind != FERRY_TENSOR)
		return 0;
	st = (*slot)->u.tensor->storage;
	if (!st)
		return 0;
	if (ferry_map_get(&c->owners, &st->id, sizeof(st->id), NULL))
		return copy_tensor(c, (*slot)->u.tensor, slot);
	return ferry_map_put(&c->owners, &st->id, sizeof(st->id), 1) ?
	       ferry_fail_nomem(c->err, "a copy") : 0;
}

static int copy_all(struct ferry_plan *p, uint64_t *n, struct ferry_error *err)
{
	struct copying c = { .p = p, .err = err };
	struct ferry__walk w = { .visit = copy_shared, .ctx = &c };
	int rc;

	if (ferry_marks_init(&w.marks, p->store))
		return ferry_fail_nomem(err, "a copy");
	rc = ferry__walk(&w, &p->doc->root);
	ferry_marks_release(&w.marks);
	ferry_map_release(&c.owners);
	*n = c.n;
	return rc;
}

/* ---- the first name stays ------------------------------------------------ */

struct leaving {
	struct ferry_plan *p;
	struct ferry_marks entered;
	struct ferry_map met;		/* views that have a name */
	struct ferry_store *keys;
	size_t n;
	struct ferry_error *err;
};

/* What makes two tensors the same bytes seen the same way. */
static char *view_key(struct leaving *l, const struct ferry_tensor *t,
		      size_t *n)
{
	size_t shape = t->ndim * sizeof(*t->shape);
	size_t strides = t->ndim * sizeof(*t->strides);
	char *key;

	*n = 16 + shape + strides;
	key = ferry_store_alloc(l->keys, *n);
	if (!key)
		return NULL;
	memset(key, 0, 16);
	memcpy(key, &t->storage->id, sizeof(t->storage->id));
	key[4] = (char)t->dtype;
	key[5] = (char)t->ndim;
	memcpy(key + 8, &t->offset, sizeof(t->offset));
	if (t->ndim) {
		memcpy(key + 16, t->shape, shape);
		memcpy(key + 16 + shape, t->strides, strides);
	}
	return key;
}

/* 1: it has a name already, 0: it has one now. */
static int is_met(struct leaving *l, struct ferry_value *v)
{
	const struct ferry_value *t = ferry_value_payload(v);
	char *key;
	size_t n;

	if (t->kind != FERRY_TENSOR || !t->u.tensor->storage)
		return 0;
	key = view_key(l, t->u.tensor, &n);
	if (!key)
		return ferry_fail_nomem(l->err, "a plan");
	if (ferry_map_get(&l->met, key, n, NULL))
		return 1;
	return ferry_map_put(&l->met, key, n, 1) ?
	       ferry_fail_nomem(l->err, "a plan") : 0;
}

static int leave_out(struct leaving *l, struct ferry_value *items)
{
	struct ferry_pair *pairs = items->u.dict.pairs, *kept;
	struct ferry_value *nested;
	uint32_t n = 0;
	int rc = 0;

	if (ferry_mark(&l->entered, items))
		return 0;
	kept = ferry_store_array(l->keys, items->u.dict.n + 1, sizeof(*kept));
	if (!kept)
		return ferry_fail_nomem(l->err, "a plan");
	for (uint32_t i = 0; i < items->u.dict.n && rc >= 0; i++) {
		nested = ferry_value_items(pairs[i].value);
		rc = nested ? leave_out(l, nested) :
		     is_met(l, pairs[i].value);
		if (rc <= 0)
			kept[n++] = pairs[i];
	}
	if (rc < 0 || n == items->u.dict.n)
		return rc < 0 ? rc : 0;
	l->n += items->u.dict.n - n;
	return ferry_dict_replace(l->p->store, items, kept, n) ?
	       ferry_fail_nomem(l->err, "a plan") : 0;
}

static int keep_first(struct ferry_plan *p, size_t *n, struct ferry_error *err)
{
	struct leaving l = { .p = p, .err = err };
	struct ferry_value *weights = NULL;
	int rc = ferry_weights(p->s, p->doc, p->what.type, &weights, err);

	if (rc)
		return rc;
	weights = ferry_value_items(weights ? weights : p->doc->root);
	if (!weights)
		return 0;
	rc = ferry_store_new(&l.keys, err);
	if (!rc && ferry_marks_init(&l.entered, p->store))
		rc = ferry_fail_nomem(err, "a plan");
	if (!rc)
		rc = leave_out(&l, weights);
	ferry_marks_release(&l.entered);
	ferry_map_release(&l.met);
	ferry_store_unref(l.keys);
	*n = l.n;
	return rc;
}

/* ---- the policy ---------------------------------------------------------- */

static int refuse(struct ferry_plan *p, const struct sharing *s,
		  const char *why, struct ferry_error *err)
{
	struct ferry_findings *found;
	int rc = ferry_findings_new(&found, err);

	if (rc)
		return rc;
	rc = ferry_findings_add(found, FERRY_WARNING, "shared", s->second,
				FERRY_NO_OFFSET, "%" PRIu64 " tensor%s share%s "
				"data with another ('%s' with '%s'), %s", s->n,
				s->n == 1 ? "" : "s", s->n == 1 ? "s" : "",
				s->second, s->first, why) ?
	     ferry_fail_nomem(err, "findings") :
	     ferry__take_losses(p, found, false, err);
	ferry_findings_free(found);
	return rc;
}

static int note_unshared(struct ferry_plan *p, const struct sharing *s,
			 struct ferry_error *err)
{
	return ferry_findings_add(p->findings, FERRY_NOTE, "shared", s->second,
				  FERRY_NO_OFFSET, "%s can't say that tensors "
				  "share data: %" PRIu64 " of them ('%s' with "
				  "'%s') are written with data of their own",
				  p->writer->name, s->n, s->second, s->first) ?
	       ferry_fail_nomem(err, "findings") : 0;
}

static int separate(struct ferry_plan *p, struct ferry_error *err)
{
	uint64_t copied = 0;
	size_t left = 0;
	int rc = 0;

	if (p->job.shared == FERRY_SHARED_FIRST)
		rc = keep_first(p, &left, err);
	if (!rc)
		rc = copy_all(p, &copied, err);
	if (rc)
		return rc;
	if (left && ferry_findings_add(p->findings, FERRY_NOTE, "shared", "",
				       FERRY_NO_OFFSET, "%zu name%s left out "
				       "whose tensor%s another", left,
				       left == 1 ? "" : "s",
				       left == 1 ? " has" : "s have"))
		return ferry_fail_nomem(err, "findings");
	return ferry__add_step(p, "select", "shared", err, "%zu alias%s left "
			       "out, %" PRIu64 " given data of %s own", left,
			       left == 1 ? "" : "es", copied,
			       copied == 1 ? "its" : "their");
}

/* A format that keeps objects is loaded for what they were; one of names and
 * tensors has data for each name by its nature. */
int ferry__share(struct ferry_plan *p, struct ferry_error *err)
{
	uint32_t flags = p->writer ? p->writer->format->flags :
				     FERRY_FORMAT_SHARED;
	bool can = flags & (FERRY_FORMAT_SHARED | FERRY_FORMAT_LOSSLESS);
	bool error = p->job.shared == FERRY_SHARED_ERROR;
	bool objects = flags & FERRY_FORMAT_OBJECTS;
	struct sharing s;
	int rc;

	if (p->job.shared == FERRY_SHARED_COPY ||
	    p->job.shared == FERRY_SHARED_FIRST)
		return separate(p, err);
	/* Where no tensor is kept, that they were one is the least of it. */
	if (!error && (can || !(flags & FERRY_FORMAT_TENSORS)))
		return 0;
	rc = find_sharing(p->doc, error || !objects, &s, err);
	if (rc || !s.n)
		return rc;
	if (error)
		return refuse(p, &s, "which --shared=error refuses", err);
	return objects ? refuse(p, &s, "which the format can't say: "
				"--shared=copy gives each its own", err) :
			 note_unshared(p, &s, err);
}
