/* Typed JSON and tensors back to the document they were written from. */
#include "config.h"

#include "formats/safetensors/restore.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <ferry/sys/alloc.h>
#include <ferry/sys/ckd.h>
#include <ferry/sys/ops.h>
#include <ferry/tensor.h>

#include "formats/json/json.h"

#define ORIGIN "safetensors"
#define SHOWN 160

/* A storage may be longer than the data in it, not boundlessly so: what no
 * tensor covers is made up of zeros. */
#define GAPS_NBYTES (UINT64_C(4) << 30)
#define GAPS_RATIO 100

/* What was made of a tensor of the files; IN_GROUP + the place of the group. */
enum { UNUSED, ALONE, IN_GROUP };

/* A storage put together from the data of several tensors. */
struct group {
	uint64_t id;
	size_t place;
	struct ferry_storage *storage;
	struct ferry_part *parts;
	size_t n, cap;
	uint64_t stored;	/* bytes of the parts */
};

struct restore {
	struct ferry_document *doc;
	const struct st_files *files;
	struct ferry_storage **storages;	/* by ordinal: of one tensor */
	size_t *used;				/* by ordinal */
	size_t n_used;
	struct ferry_map ids;			/* group id to place */
	struct group **groups;
	size_t n, cap;
	bool any_gaps;
	char *stale;
};

/* The members of a tensor's or storage's JSON object. */
struct fields {
	enum ferry_dtype dtype, storage_dtype;	/* NONE: unsaid */
	bool has_shape, has_strides, grouped, untyped, conj, neg, storage;
	unsigned ndim;
	uint64_t shape[FERRY_MAX_RANK], strides[FERRY_MAX_RANK];
	uint64_t group, nbytes, offset;
};

static int fail_nomem(struct ferry_error *err)
{
	return ferry_fail_nomem(err, "a document");
}

static int FERRY_PRINTF(2, 3) fail(struct ferry_error *err, const char *fmt,
				   ...)
{
	char text[400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return ferry_fail(err, FERRY_MALFORMED, ORIGIN, FERRY_NO_OFFSET,
			  "%s", text);
}

/* ---- members ------------------------------------------------------------- */

static bool get_number(const struct ferry_value *members, const char *key,
		       uint64_t *out)
{
	const struct ferry_value *v = ferry_dict_get(members, key);

	if (!v || v->kind != FERRY_INT || v->flags & FERRY_BIG || v->u.i < 0)
		return false;
	*out = (uint64_t)v->u.i;
	return true;
}

static bool get_true(const struct ferry_value *members, const char *key)
{
	const struct ferry_value *v = ferry_dict_get(members, key);

	return v && v->kind == FERRY_BOOL && v->u.b;
}

/* False when the member is there and is no list of numbers. */
static bool get_numbers(const struct ferry_value *members, const char *key,
			bool *has, unsigned *n, uint64_t *out)
{
	const struct ferry_value *v = ferry_dict_get(members, key);

	*has = v;
	if (!v)
		return true;
	if (v->kind != FERRY_LIST || v->u.list.n > FERRY_MAX_RANK)
		return false;
	*n = v->u.list.n;
	for (unsigned i = 0; i < *n; i++) {
		const struct ferry_value *item = v->u.list.items[i];

		if (item->kind != FERRY_INT || item->flags & FERRY_BIG ||
		    item->u.i < 0)
			return false;
		out[i] = (uint64_t)item->u.i;
	}
	return true;
}

static bool get_dtype(const struct ferry_value *members, const char *key,
		      enum ferry_dtype *out)
{
	const struct ferry_value *v = ferry_dict_get(members, key);
	char name[32];

	if (!v)
		return true;
	if (v->kind != FERRY_STRING || v->u.s.nbytes >= sizeof(name))
		return false;
	memcpy(name, v->u.s.data, (size_t)v->u.s.nbytes);
	name[v->u.s.nbytes] = 0;
	*out = ferry_dtype_find(name);
	return *out != FERRY_DTYPE_NONE;
}

static int read_fields(struct fields *f, const struct ferry_value *members,
		       const char *name, struct ferry_error *err)
{
	unsigned nstrides = 0;

	memset(f, 0, sizeof(*f));
	if (!get_dtype(members, "dtype", &f->dtype) ||
	    !get_dtype(members, "storage_dtype", &f->storage_dtype))
		return fail(err, "tensor '%s': its dtype is unknown", name);
	if (!get_numbers(members, "shape", &f->has_shape, &f->ndim,
			 f->shape) ||
	    !get_numbers(members, "strides", &f->has_strides, &nstrides,
			 f->strides))
		return fail(err, "tensor '%s': its shape or strides are no "
			    "numbers", name);
	f->grouped = get_number(members, "storage", &f->group);
	if (f->grouped && !get_number(members, "nbytes", &f->nbytes))
		return fail(err, "tensor '%s': its storage has no size", name);
	get_number(members, "offset", &f->offset);
	f->untyped = get_true(members, "untyped");
	f->conj = get_true(members, "conj");
	f->neg = get_true(members, "neg");
	f->storage = ferry_dict_get(members, "$storage");
	if (f->has_strides && !f->has_shape)
		return fail(err, "tensor '%s': it has strides and no shape",
			    name);
	if (f->has_strides && nstrides != f->ndim)
		return fail(err, "tensor '%s': its shape and strides differ in "
			    "rank", name);
	return 0;
}

/* What the file itself says, where the members say nothing. */
static void complete_fields(struct fields *f, const struct st_at *at)
{
	const struct st_tensor *t = at->tensor;
	bool halved;
	enum ferry_dtype dtype = st_dtype_model(t->dtype, t->ndim, t->shape,
						&halved);

	if (!f->dtype)
		f->dtype = dtype;
	if (!f->has_shape) {
		f->ndim = t->ndim;
		if (t->ndim)
			memcpy(f->shape, t->shape,
			       t->ndim * sizeof(*t->shape));
		if (halved && f->dtype == dtype)
			f->shape[f->ndim - 1] /= 2;
	}
	if (!f->storage_dtype)
		f->storage_dtype = f->dtype;
}

/* The dtype and shape that are said must be of as many bytes as are stored. */
static bool fits(const struct fields *f, const struct st_tensor *t)
{
	uint64_t n = 1;
	bool empty = false;

	for (unsigned i = 0; i < f->ndim; i++)
		empty = empty || !f->shape[i];
	for (unsigned i = 0; i < f->ndim && !empty; i++)
		if (ferry_ckd_mul(&n, n, f->shape[i]))
			return false;
	if (empty)
		return t->begin == t->end;
	if (ferry_ckd_mul(&n, n, ferry_dtype_bits(f->dtype)) ||
	    ferry_ckd_add(&n, n, 7))
		return false;
	return n / 8 == t->end - t->begin;
}

/* ---- tensors ------------------------------------------------------------- */

static struct ferry_storage *file_storage(struct ferry_store *store,
					  const struct st_at *at,
					  enum ferry_dtype dtype)
{
	return ferry_storage(store, dtype, at->file->source,
			     at->file->header.data + at->tensor->begin,
			     at->tensor->end - at->tensor->begin);
}

int st_plain_tensor(struct ferry_store *store, const struct st_at *at,
		    struct ferry_value **out, struct ferry_error *err)
{
	struct fields f = { 0 };
	struct ferry_storage *storage;

	complete_fields(&f, at);
	storage = file_storage(store, at, f.dtype);
	if (!storage)
		return fail_nomem(err);
	*out = ferry_tensor(store, f.dtype, f.ndim, f.shape, NULL, 0, storage);
	return *out ? 0 : fail_nomem(err);
}

/* The strides that are said; NULL: those of C order. */
static const int64_t *said_strides(const struct fields *f, int64_t *room)
{
	for (unsigned i = 0; i < f->ndim; i++)
		room[i] = (int64_t)f->strides[i];
	return f->has_strides ? room : NULL;
}

/* A tensor that has a storage for itself: the range of the file. */
static int make_alone(struct restore *r, const struct st_at *at,
		      const struct fields *f, struct ferry_value **out,
		      struct ferry_error *err)
{
	struct ferry_store *store = r->doc->store;
	struct ferry_storage **storage = &r->storages[at->ordinal];

	if (!*storage)
		*storage = file_storage(store, at, f->storage_dtype);
	if (!*storage)
		return fail_nomem(err);
	if (f->storage)
		*out = ferry_storage_value(store, *storage);
	else
		*out = ferry_tensor(store, f->dtype, f->ndim, f->shape, NULL,
				    0, *storage);
	return *out ? 0 : fail_nomem(err);
}

static struct group *find_group(struct restore *r, const struct fields *f)
{
	struct ferry_store *store = r->doc->store;
	struct group *g;
	uint64_t at;

	if (ferry_map_get(&r->ids, &f->group, sizeof(f->group), &at))
		return r->groups[at];
	if (r->n == r->cap) {
		size_t cap = r->cap ? r->cap * 2 : 32;
		void *groups = ferry_alloc_resize(r->groups, cap,
						  sizeof(*r->groups));

		if (!groups)
			return NULL;
		r->groups = groups;
		r->cap = cap;
	}
	g = ferry_alloc_zero(1, sizeof(*g));
	if (!g)
		return NULL;
	g->id = f->group;
	g->place = r->n;
	g->storage = ferry_storage(store, f->storage_dtype, NULL, 0,
				   f->nbytes);
	if (!g->storage ||
	    ferry_map_put(&r->ids, &g->id, sizeof(g->id), r->n)) {
		ferry_alloc_free(g);
		return NULL;
	}
	if (f->untyped)
		g->storage->flags |= FERRY_UNTYPED;
	r->groups[r->n++] = g;
	return g;
}

/* The data of a tensor, as it is in the file, placed in its storage. */
static int add_part(struct restore *r, struct group *g,
		    const struct st_at *at, const struct fields *f,
		    const int64_t *strides, struct ferry_error *err)
{
	struct ferry_store *store = r->doc->store;
	struct ferry_storage *storage = file_storage(store, at, f->dtype);
	struct ferry_part *part;

	if (g->n == g->cap) {
		size_t cap = g->cap ? g->cap * 2 : 2;
		void *parts = ferry_alloc_resize(g->parts, cap,
						 sizeof(*g->parts));

		if (!parts)
			return fail_nomem(err);
		g->parts = parts;
		g->cap = cap;
	}
	part = &g->parts[g->n];
	part->offset = f->offset;
	part->tensor = storage ? ferry_tensor(store, f->dtype, f->ndim,
					      f->shape, NULL, 0, storage) :
				 NULL;
	if (!part->tensor)
		return fail_nomem(err);
	part->strides = strides ? strides : part->tensor->u.tensor->strides;
	/* Stored with both applied, and applying them again undoes that. */
	if (f->conj)
		part->tensor->u.tensor->flags |= FERRY_CONJ;
	if (f->neg)
		part->tensor->u.tensor->flags |= FERRY_NEG;
	g->stored += at->tensor->end - at->tensor->begin;
	g->n++;
	return 0;
}

/* A tensor that looks into a storage with others, or not densely. */
static int make_grouped(struct restore *r, const struct st_at *at,
			const struct fields *f, const char *name,
			struct ferry_value **out, struct ferry_error *err)
{
	struct ferry_store *store = r->doc->store;
	struct group *g = find_group(r, f);
	const int64_t *strides = NULL;
	int64_t room[FERRY_MAX_RANK];
	int rc;

	if (!g)
		return fail_nomem(err);
	if (g->storage->nbytes != f->nbytes ||
	    g->storage->dtype != f->storage_dtype)
		return fail(err, "tensor '%s': storage %" PRIu64 " is another "
			    "than before", name, f->group);
	if (f->storage)
		*out = ferry_storage_value(store, g->storage);
	else
		*out = ferry_tensor(store, f->dtype, f->ndim, f->shape,
				    said_strides(f, room), f->offset,
				    g->storage);
	if (!*out)
		return fail_nomem(err);
	if (!f->storage) {
		struct ferry_tensor *t = (*out)->u.tensor;

		t->flags |= (f->conj ? FERRY_CONJ : 0) |
			    (f->neg ? FERRY_NEG : 0);
		strides = t->strides;
		rc = ferry_tensor_check(t, name, err);
		if (rc)
			return rc;
	}
	/* A second name of the same view needs no second part. */
	if (r->used[at->ordinal] == IN_GROUP + g->place)
		return 0;
	r->used[at->ordinal] = IN_GROUP + g->place;
	return add_part(r, g, at, f, strides, err);
}

static void use(struct restore *r, size_t ordinal)
{
	if (r->used[ordinal])
		return;
	r->n_used++;
	r->used[ordinal] = ALONE;
}

static int tell_stale(struct restore *r, const char *what, const char *name)
{
	char shown[SHOWN];

	snprintf(r->stale, 256, "%s '%s'", what,
		 ferry_escape(shown, sizeof(shown), name, strlen(name)));
	return FERRY_NOTFOUND;
}

static int make_tensor(void *ctx, struct ferry_store *store, const char *name,
		       struct ferry_value *members, struct ferry_value **out,
		       struct ferry_error *err)
{
	struct restore *r = ctx;
	struct fields f;
	struct st_at at;
	char shown[SHOWN];
	int rc;

	(void)store;
	if (!st_files_find(r->files, name, strlen(name), &at))
		return tell_stale(r, "there is no tensor", name);
	ferry_escape(shown, sizeof(shown), name, strlen(name));
	rc = read_fields(&f, members, shown, err);
	if (rc)
		return rc;
	complete_fields(&f, &at);
	if (!fits(&f, at.tensor))
		return tell_stale(r, "another size has tensor", name);
	use(r, at.ordinal);
	if (f.grouped)
		return make_grouped(r, &at, &f, shown, out, err);
	return make_alone(r, &at, &f, out, err);
}

static int make_bytes(void *ctx, struct ferry_store *store, const char *name,
		      unsigned flags, struct ferry_value **out,
		      struct ferry_error *err)
{
	struct restore *r = ctx;
	struct st_at at;

	if (!st_files_find(r->files, name, strlen(name), &at))
		return tell_stale(r, "there is no tensor", name);
	use(r, at.ordinal);
	*out = ferry_bytes_range(store, at.file->source,
				 at.file->header.data + at.tensor->begin,
				 at.tensor->end - at.tensor->begin,
				 flags | FERRY_RANGE);
	return *out ? 0 : fail_nomem(err);
}

/* ---- storages ------------------------------------------------------------ */

static int finish_group(struct restore *r, struct group *g,
			struct ferry_error *err)
{
	struct ferry_storage *made;
	int rc;

	if (!r->any_gaps && g->storage->nbytes > GAPS_NBYTES &&
	    g->storage->nbytes / GAPS_RATIO > g->stored)
		return ferry_fail(err, FERRY_LIMIT, ORIGIN, FERRY_NO_OFFSET,
				  "storage %" PRIu64 " of %" PRIu64 " bytes "
				  "has only %" PRIu64 " bytes of data; "
				  "--set gaps=any takes it", g->id,
				  g->storage->nbytes, g->stored);
	rc = ferry_op_assemble(r->doc->store, g->storage->dtype,
			       g->storage->nbytes, g->parts, g->n, &made, err);
	if (rc)
		return rc;
	g->storage->source = made->source;
	g->storage->offset = made->offset;
	return 0;
}

static int finish(struct restore *r, struct ferry_error *err)
{
	int rc = 0;

	for (size_t i = 0; i < r->n && !rc; i++)
		rc = finish_group(r, r->groups[i], err);
	return rc;
}

static void find_unused(struct restore *r)
{
	for (size_t i = 0; i < r->files->n; i++) {
		const struct st_file *f = &r->files->files[i];

		for (size_t k = 0; k < f->header.n; k++) {
			if (r->used[f->first + k])
				continue;
			tell_stale(r, "it does not know of tensor",
				   f->header.tensors[k].name);
			return;
		}
	}
}

static void release(struct restore *r)
{
	for (size_t i = 0; i < r->n; i++) {
		ferry_alloc_free(r->groups[i]->parts);
		ferry_alloc_free(r->groups[i]);
	}
	ferry_alloc_free(r->groups);
	ferry_map_release(&r->ids);
	ferry_alloc_free(r->storages);
	ferry_alloc_free(r->used);
}

int st_restore(struct ferry_document *doc, const struct st_files *files,
	       const char *text, size_t n, bool any_gaps,
	       struct ferry_value **out, char stale[256],
	       struct ferry_error *err)
{
	struct restore r = {
		.doc = doc, .files = files, .any_gaps = any_gaps,
		.stale = stale,
	};
	const struct typed_json_reader reader = {
		.tensor = make_tensor, .bytes = make_bytes, .ctx = &r,
	};
	struct ferry_value *root = NULL;
	int rc = 0;

	*stale = 0;
	r.storages = ferry_alloc_zero(files->n_tensors, sizeof(*r.storages));
	r.used = ferry_alloc_zero(files->n_tensors, sizeof(*r.used));
	if (!r.storages || !r.used)
		rc = fail_nomem(err);
	if (!rc)
		rc = typed_json_read(text, n, doc->store, &reader, &root, err);
	if (!rc && r.n_used < files->n_tensors)
		find_unused(&r);
	if (!rc && !*stale)
		rc = finish(&r, err);
	release(&r);
	if (*stale)
		return 1;
	if (!rc)
		*out = root;
	return rc;
}
