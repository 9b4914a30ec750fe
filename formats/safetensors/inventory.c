/* Taking stock of a document's tensors. */
#include "config.h"

#include "formats/safetensors/inventory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ferry/sys/alloc.h>
#include <ferry/sys/buffer.h>
#include <ferry/sys/ops.h>

#include "formats/json/text.h"

/* A storage is cut to what its tensors reach when more than this of it is not,
 * and more than half. */
#define MAX_UNREACHED (UINT64_C(1) << 30)

/* Cuts fall on multiples of the longest element. */
#define CUT_ALIGN 16

static int fail_nomem(struct ferry_error *err)
{
	return ferry_fail_nomem(err, "a list of tensors");
}

static bool grow(void *array, size_t *cap, size_t n, size_t size)
{
	void *p;

	if (n < *cap)
		return true;
	p = ferry_alloc_resize(*(void **)array, *cap ? *cap * 2 : 64, size);
	if (!p)
		return false;
	*(void **)array = p;
	*cap = *cap ? *cap * 2 : 64;
	return true;
}

/* ---- names --------------------------------------------------------------- */

/* A header holds UTF-8: what is none is written as an escape. */
static void add_clean(struct ferry_buffer *out, const char *text, size_t n)
{
	while (n) {
		size_t len = json_utf8_len(text, n);
		unsigned unit;

		if (len) {
			ferry_buffer_add(out, text, len);
		} else if (json_surrogate(text, n, &unit)) {
			ferry_buffer_printf(out, "\\u%04x", unit);
			len = 3;
		} else {
			ferry_buffer_printf(out, "\\x%02x",
					    (unsigned char)*text);
			len = 1;
		}
		text += len;
		n -= len;
	}
}

/* The name asked for as a header can hold it, with "#2", "#3", ... when it is
 * taken. */
static const char *make_name(struct st_inventory *inv, const char *wanted)
{
	struct ferry_buffer text = FERRY_BUFFER_INIT;
	const char *kept = NULL;
	unsigned suffix = 1;
	size_t n;

	add_clean(&text, wanted, strlen(wanted));
	ferry_buffer_add(&text, "", 0);
	n = text.n;
	while (!text.failed &&
	       (ferry_map_get(&inv->names, text.data, text.n, NULL) ||
		!strcmp(text.data, ST_METADATA))) {
		text.n = n;
		ferry_buffer_printf(&text, "#%u", ++suffix);
	}
	if (!text.failed)
		kept = ferry_store_strndup(inv->store, text.data, text.n);
	if (kept && ferry_map_put(&inv->names, kept, text.n, 0))
		kept = NULL;
	inv->n_renamed += kept && strcmp(kept, wanted) != 0;
	ferry_buffer_release(&text);
	return kept;
}

/* A name that no tensor has yet. */
static const char *take_name(struct st_inventory *inv, const char *wanted)
{
	size_t n = strlen(wanted);
	const char *kept;
	int taken;

	if (!json_is_utf8(wanted, n) || !strcmp(wanted, ST_METADATA))
		return make_name(inv, wanted);
	kept = ferry_store_strndup(inv->store, wanted, n);
	taken = kept ? ferry_map_add(&inv->names, kept, n, 0, NULL) :
		       FERRY_NOMEM;
	if (taken > 0)
		return make_name(inv, wanted);
	return taken ? NULL : kept;
}

/* ---- items --------------------------------------------------------------- */

bool st_is_dense(const struct ferry_tensor *t)
{
	uint64_t step = 1;

	for (unsigned i = t->ndim; i--;) {
		if (step > INT64_MAX || t->strides[i] != (int64_t)step)
			return false;
		if (t->shape[i] > 1 &&
		    __builtin_mul_overflow(step, t->shape[i], &step))
			return false;
	}
	return true;
}

/* Dtype and shape as the file has them. */
static bool encode(struct st_inventory *inv, struct st_item *item)
{
	const struct ferry_tensor *t = item->tensor;
	enum st_form form;
	uint64_t *shape;

	item->dtype = st_dtype_stored(t->dtype, &form);
	item->nbytes = ferry_tensor_nbytes(t);
	/* Packed elements that end inside a byte are no tensor there. */
	if (form == ST_AS_IS && ferry_dtype_size(t->dtype) == 0 &&
	    ferry_tensor_nelem(t) % 8 * ferry_dtype_bits(t->dtype) % 8)
		form = ST_FLAT;
	if (form == ST_DOUBLED && !t->ndim)
		form = ST_FLAT;
	if (form == ST_FLAT)
		item->dtype = ST_U8;
	shape = ferry_store_array(inv->store, (size_t)t->ndim + 1,
				  sizeof(*shape));
	if (!shape)
		return false;
	if (t->ndim)
		memcpy(shape, t->shape, t->ndim * sizeof(*shape));
	item->ndim = t->ndim;
	if (form == ST_PAIRS)
		shape[item->ndim++] = 2;
	if (form == ST_DOUBLED)
		shape[item->ndim - 1] *= 2;
	if (form == ST_FLAT) {
		item->ndim = 1;
		shape[0] = item->nbytes;
	}
	item->shape = shape;
	item->form = (uint8_t)form;
	return true;
}

/* Whether a reader makes the same of it that knows no more than the file. */
static bool is_natural(const struct st_item *item)
{
	const struct ferry_tensor *t = item->tensor;
	bool halved;

	if (st_dtype_model(item->dtype, item->ndim, item->shape, &halved) !=
	    (enum ferry_dtype)t->dtype)
		return false;
	return item->ndim == t->ndim && halved == (item->form == ST_DOUBLED);
}

static struct st_group *group_of(struct st_inventory *inv,
				 struct ferry_storage *storage)
{
	struct st_group *g;
	uint64_t at;
	int known = ferry_map_add(&inv->storages, &storage->id,
				  sizeof(storage->id), inv->n_groups, &at);

	if (known > 0)
		return inv->groups[at];
	if (known || !grow(&inv->groups, &inv->groups_cap, inv->n_groups,
			   sizeof(struct st_group *)))
		return NULL;
	g = ferry_store_alloc(inv->store, sizeof(*g));
	if (!g)
		return NULL;
	*g = (struct st_group){ .storage = storage };
	inv->groups[inv->n_groups++] = g;
	return g;
}

static struct st_item *add_item(struct st_inventory *inv, const char *name,
				const struct ferry_tensor *t, bool is_storage)
{
	struct st_item *item = ferry_store_alloc(inv->store, sizeof(*item));

	if (!item || !grow(&inv->items, &inv->cap, inv->n,
			   sizeof(struct st_item *)))
		return NULL;
	*item = (struct st_item){ .tensor = t, .is_storage = is_storage };
	item->name = take_name(inv, name);
	if (!item->name || !encode(inv, item))
		return NULL;
	item->natural = is_natural(item);
	inv->items[inv->n++] = item;
	return item;
}

/* ---- views --------------------------------------------------------------- */

/* What makes two tensors of a storage the same one, as a key in the store. */
static const void *view_key(struct st_inventory *inv,
			    const struct st_item *item, size_t *n)
{
	const struct ferry_tensor *t = item->tensor;
	uint64_t *key = ferry_store_array(inv->store, 2 + 2 * (size_t)t->ndim,
					  sizeof(*key));

	if (!key)
		return NULL;
	*n = (2 + 2 * (size_t)t->ndim) * sizeof(*key);
	key[0] = (uint64_t)t->dtype | (uint64_t)t->ndim << 8 |
		 (uint64_t)(t->flags & (FERRY_CONJ | FERRY_NEG)) << 16 |
		 (uint64_t)item->is_storage << 24;
	key[1] = t->offset;
	for (unsigned i = 0; i < t->ndim; i++) {
		key[2 + i] = t->shape[i];
		key[2 + t->ndim + i] = (uint64_t)t->strides[i];
	}
	return key;
}

static int put_view(struct st_inventory *inv, struct st_group *g,
		    struct st_item *item)
{
	size_t n;
	const void *key = view_key(inv, item, &n);

	return key ? ferry_map_put(&g->views, key, n, (uintptr_t)item) :
		     FERRY_NOMEM;
}

/* The item that is the same view already, or NULL. */
static int find_view(struct st_inventory *inv, struct st_group *g,
		     const struct st_item *probe, struct st_item **out)
{
	uint64_t found;
	const void *key;
	size_t n;

	*out = NULL;
	if (!g->n)
		return 0;
	if (g->n == 1 && !g->views.n && put_view(inv, g, g->items))
		return FERRY_NOMEM;
	key = view_key(inv, probe, &n);
	if (!key)
		return FERRY_NOMEM;
	if (ferry_map_get(&g->views, key, n, &found))
		*out = (struct st_item *)(uintptr_t)found;
	return 0;
}

static int add_alias(struct st_inventory *inv, const char *name,
		     const struct st_item *item)
{
	if (!grow(&inv->aliases, &inv->aliases_cap, inv->n_aliases,
		  sizeof(*inv->aliases)))
		return FERRY_NOMEM;
	name = take_name(inv, name);
	if (!name)
		return FERRY_NOMEM;
	inv->aliases[inv->n_aliases++] = (struct st_alias){
		.name = name, .item = item,
	};
	return 0;
}

/* All of a storage as a tensor of bytes. */
static const struct ferry_tensor *storage_tensor(struct st_inventory *inv,
						 struct ferry_storage *st)
{
	struct ferry_value *v = ferry_tensor(inv->store, FERRY_U8, 1,
					     &st->nbytes, NULL, 0, st);

	return v ? v->u.tensor : NULL;
}

/* A TENSOR or STORAGE met for the first time. */
static int add_value(struct st_inventory *inv, const struct ferry_place *place,
		     struct st_item **out)
{
	bool is_storage = place->value->kind == FERRY_STORAGE;
	const struct ferry_tensor *t = is_storage ?
		storage_tensor(inv, place->value->u.st.storage) :
		place->value->u.tensor;
	const struct st_item probe = { .tensor = t, .is_storage = is_storage };
	struct st_group *g;
	struct st_item *item;

	*out = NULL;
	if (!t)
		return FERRY_NOMEM;
	if (t->flags & FERRY_META)
		return 0;
	g = group_of(inv, t->storage);
	if (!g || find_view(inv, g, &probe, out))
		return FERRY_NOMEM;
	if (*out)
		return add_alias(inv, place->name, *out);
	item = add_item(inv, place->name, t, is_storage);
	if (!item || (g->n && put_view(inv, g, item)))
		return FERRY_NOMEM;
	item->group = g;
	item->next = g->items;
	g->items = item;
	g->n++;
	*out = item;
	return 0;
}

/* ---- places -------------------------------------------------------------- */

static int add_place(struct st_inventory *inv, uint32_t i)
{
	const struct ferry_place *p = &inv->places.items[i];

	if (p->same != i) {
		inv->of_place[i] = inv->of_place[p->same];
		return inv->of_place[i] ?
			add_alias(inv, p->name, inv->of_place[i]) : 0;
	}
	if (ferry_map_put(&inv->values, &p->value, sizeof(p->value), i))
		return FERRY_NOMEM;
	return add_value(inv, p, &inv->of_place[i]);
}

/* ---- storages ------------------------------------------------------------ */

struct extent {
	uint64_t first, end;
};

static int by_first(const void *a, const void *b)
{
	const struct extent *x = a, *y = b;

	return (x->first > y->first) - (x->first < y->first);
}

/* Bytes that some item of the group reaches, each counted once. */
static int measure(const struct st_group *g, struct extent *hull,
		   uint64_t *reached)
{
	struct extent *extents = ferry_alloc_zero(g->n, sizeof(*extents));
	uint64_t end = 0;
	uint32_t n = 0;

	if (!extents)
		return FERRY_NOMEM;
	for (const struct st_item *i = g->items; i; i = i->next, n++)
		ferry_tensor_extent(i->tensor, &extents[n].first,
				    &extents[n].end);
	qsort(extents, n, sizeof(*extents), by_first);
	*reached = 0;
	*hull = (struct extent){ .first = UINT64_MAX };
	for (uint32_t i = 0; i < n; i++) {
		const struct extent *e = &extents[i];

		if (e->end == e->first)
			continue;
		if (e->first < hull->first)
			hull->first = e->first;
		if (e->end > end) {
			*reached += e->end - (e->first > end ? e->first : end);
			end = e->end;
		}
	}
	hull->end = end;
	if (!end)
		hull->first = 0;
	ferry_alloc_free(extents);
	return 0;
}

static bool is_trivial(const struct st_group *g)
{
	const struct ferry_tensor *t = g->items->tensor;

	if (g->n > 1 || g->items->is_storage || !st_is_dense(t) ||
	    t->flags & (FERRY_CONJ | FERRY_NEG))
		return false;
	return !t->offset && t->dtype == g->storage->dtype &&
	       !(g->storage->flags & FERRY_UNTYPED) &&
	       g->items->nbytes == g->storage->nbytes;
}

/* Whether a storage is kept whole, and what would be left of it if not. */
static int size_group(struct st_group *g)
{
	uint64_t all = g->storage->nbytes;
	struct extent hull;

	g->reached = all;
	g->trivial = is_trivial(g);
	if (g->trivial)
		return 0;
	if (measure(g, &hull, &g->reached))
		return FERRY_NOMEM;
	g->first = hull.first - hull.first % CUT_ALIGN;
	g->end = hull.end > all - all % CUT_ALIGN ? all :
		 (hull.end + CUT_ALIGN - 1) / CUT_ALIGN * CUT_ALIGN;
	g->cut = all - g->reached > MAX_UNREACHED && g->reached < all / 2;
	return 0;
}

/* Offsets are in elements, and the cut before them is of whole ones. */
static void move_tensor(struct ferry_tensor *t, uint64_t first)
{
	unsigned bits = ferry_dtype_bits(t->dtype);

	t->offset -= first / CUT_ALIGN * (CUT_ALIGN * 8 / bits);
}

void st_inventory_cut(struct st_inventory *inv)
{
	for (size_t i = 0; i < inv->places.n; i++) {
		const struct ferry_place *p = &inv->places.items[i];
		const struct st_item *item = inv->of_place[i];

		if (item && item->group->cut && p->same == i &&
		    p->value->kind == FERRY_TENSOR)
			move_tensor(p->value->u.tensor, item->group->first);
	}
	for (size_t i = 0; i < inv->n_groups; i++) {
		struct st_group *g = inv->groups[i];

		if (!g->cut)
			continue;
		g->storage->offset += g->first;
		g->storage->nbytes = g->end - g->first;
		g->cut = false;
		g->trivial = is_trivial(g);
	}
}

static int take_stock(struct st_inventory *inv)
{
	size_t n = inv->places.n;

	inv->of_place = ferry_alloc_zero(n, sizeof(struct st_item *));
	if (!inv->of_place || ferry_map_reserve(&inv->names, n) ||
	    ferry_map_reserve(&inv->storages, n) ||
	    ferry_map_reserve(&inv->values, n))
		return FERRY_NOMEM;
	for (uint32_t i = 0; i < n; i++)
		if (add_place(inv, i))
			return FERRY_NOMEM;
	for (size_t i = 0; i < inv->n_groups; i++)
		if (size_group(inv->groups[i]))
			return FERRY_NOMEM;
	return 0;
}

int st_inventory_init(struct st_inventory *out, struct ferry_document *doc,
		      struct ferry_error *err)
{
	struct st_inventory inv = { .doc = doc };
	int rc = ferry_store_new(&inv.store, err);

	if (!rc)
		rc = ferry_places_init(&inv.places, doc, err);
	if (!rc && take_stock(&inv))
		rc = fail_nomem(err);
	if (rc)
		st_inventory_release(&inv);
	else
		*out = inv;
	return rc;
}

void st_inventory_release(struct st_inventory *inv)
{
	for (size_t i = 0; i < inv->n_groups; i++)
		ferry_map_release(&inv->groups[i]->views);
	ferry_alloc_free(inv->items);
	ferry_alloc_free(inv->groups);
	ferry_alloc_free(inv->aliases);
	ferry_alloc_free(inv->of_place);
	ferry_map_release(&inv->names);
	ferry_map_release(&inv->storages);
	ferry_map_release(&inv->values);
	if (inv->places.owner || inv->places.items)
		ferry_places_release(&inv->places);
	ferry_store_unref(inv->store);
	*inv = (struct st_inventory){ 0 };
}

struct st_item *st_inventory_item(const struct st_inventory *inv,
				  const struct ferry_value *value)
{
	uint64_t place;

	if (!ferry_map_get(&inv->values, &value, sizeof(value), &place))
		return NULL;
	return inv->of_place[place];
}

int st_inventory_add_bytes(struct st_inventory *inv,
			   const struct ferry_value *bytes, const char **name,
			   struct ferry_error *err)
{
	struct ferry_store *store = inv->doc->store;
	bool range = bytes->flags & FERRY_RANGE;
	uint64_t nbytes = range ? bytes->u.range.nbytes : bytes->u.s.nbytes;
	uint64_t offset = range ? bytes->u.range.offset : 0;
	struct ferry_source *src = range ? bytes->u.range.source : NULL;
	struct ferry_storage *storage;
	struct ferry_value *v = NULL;
	struct st_item *item;
	char wanted[64];
	int rc;

	if (!range) {
		rc = ferry_source_from_memory(&src, bytes->u.s.data,
					      (size_t)nbytes, "bytes", err);
		if (rc)
			return rc;
		if (ferry_store_take_source(store, src)) {
			ferry_source_unref(src);
			return fail_nomem(err);
		}
	}
	storage = ferry_storage(store, FERRY_U8, src, offset, nbytes);
	if (storage)
		v = ferry_tensor(inv->store, FERRY_U8, 1, &nbytes, NULL, 0,
				 storage);
	snprintf(wanted, sizeof(wanted), ST_BYTES_NAME ".%u", inv->n_bytes++);
	item = v ? add_item(inv, wanted, v->u.tensor, false) : NULL;
	if (!item)
		return fail_nomem(err);
	*name = item->name;
	return 0;
}
