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
#include "formats/json/typed_fields.h"

#define ORIGIN "safetensors"
#define SHOWN 160

/* What was made of a tensor of the files; IN_GROUP + the place of the group. */
enum { UNUSED, ALONE, IN_GROUP };

/* A storage put together from the data of several tensors. */
struct group {
	uint64_t id;
	size_t place;
	struct ferry_storage *storage;
	struct ferry_part *parts;
	size_t n, cap;
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
	struct typed_sizes sizes;		/* of the groups */
	bool any_gaps;
	char *stale;
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

static int read_fields(struct typed_fields *f,
		       const struct ferry_value *members, const char *name,
		       struct ferry_error *err)
{
	const char *wrong = typed_fields_read(f, members);
	char shown[SHOWN];

	if (!wrong && f->has_strides && !f->has_shape)
		wrong = "it has strides and no shape";
	return !wrong ? 0 : fail(err, "tensor '%s': %s",
				 ferry_escape(shown, sizeof(shown), name,
					      strlen(name)), wrong);
}

/* What the file itself says, where the members say nothing. */
static void complete_fields(struct typed_fields *f, const struct st_at *at)
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
static bool fits(const struct typed_fields *f, const struct st_tensor *t)
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
	struct typed_fields f = { 0 };
	struct ferry_storage *storage;

	complete_fields(&f, at);
	storage = file_storage(store, at, f.dtype);
	if (!storage)
		return fail_nomem(err);
	*out = ferry_tensor(store, f.dtype, f.ndim, f.shape, NULL, 0, storage);
	return *out ? 0 : fail_nomem(err);
}

/* The strides that are said; NULL: those of C order. */
static const int64_t *said_strides(const struct typed_fields *f, int64_t *room)
{
	for (unsigned i = 0; i < f->ndim; i++)
		room[i] = (int64_t)f->strides[i];
	return f->has_strides ? room : NULL;
}

/* A tensor that has a storage for itself: the range of the file. */
static int make_alone(struct restore *r, const struct st_at *at,
		      const struct typed_fields *f, struct ferry_value **out,
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

static struct group *find_group(struct restore *r, const struct typed_fields *f)
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
	typed_sizes_add(&r->sizes, f->nbytes, 0);
	return g;
}

/* The data of a tensor, as it is in the file, placed in its storage. */
static int add_part(struct restore *r, struct group *g,
		    const struct st_at *at, const struct typed_fields *f,
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
	g->n++;
	return 0;
}

/* A tensor that looks into a storage with others, or not densely. */
static int make_grouped(struct restore *r, const struct st_at *at,
			const struct typed_fields *f, const char *name,
			struct ferry_value **out, struct ferry_error *err)
{
	struct ferry_store *store = r->doc->store;
	struct group *g = find_group(r, f);
	const int64_t *strides = NULL;
	int64_t room[FERRY_MAX_RANK];
	char shown[SHOWN];
	int rc;

	if (!g)
		return fail_nomem(err);
	if (g->storage->nbytes != f->nbytes ||
	    g->storage->dtype != f->storage_dtype)
		return fail(err, "tensor '%s': storage %" PRIu64 " is another "
			    "than before",
			    ferry_escape(shown, sizeof(shown), name,
					 strlen(name)), f->group);
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
	if (r->used[at->ordinal] == ALONE)
		typed_sizes_add(&r->sizes, 0,
				at->tensor->end - at->tensor->begin);
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
	struct typed_fields f;
	struct st_at at;
	int rc;

	(void)store;
	if (!st_files_find(r->files, name, strlen(name), &at))
		return tell_stale(r, "there is no tensor", name);
	rc = read_fields(&f, members, name, err);
	if (rc)
		return rc;
	complete_fields(&f, &at);
	if (!fits(&f, at.tensor))
		return tell_stale(r, "another size has tensor", name);
	use(r, at.ordinal);
	if (f.grouped)
		return make_grouped(r, &at, &f, name, out, err);
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

	if (!r->any_gaps && !typed_sizes_are_sane(&r->sizes))
		return ferry_fail(err, FERRY_LIMIT, ORIGIN, FERRY_NO_OFFSET,
				  "its storages are %" PRIu64 " bytes and have "
				  "only %" PRIu64 " bytes of data; --set "
				  "gaps=any takes them", r->sizes.made,
				  r->sizes.stored);
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
