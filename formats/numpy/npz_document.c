/* A document out of arrays and typed JSON: what an archive of arrays alone
 * can't say, such as which tensors share a storage. */
#include "config.h"

#include "formats/numpy/npz.h"

#include <inttypes.h>
#include <string.h>

#include <ferry/sys/alloc.h>
#include <ferry/sys/map.h>
#include <ferry/sys/ops.h>

#include "formats/json/json.h"
#include "formats/json/typed_fields.h"

#define TEXT_MAX (UINT64_C(1) << 30)

/* One storage and the tensors that lie in it. */
struct tie {
	uint64_t id;
	struct ferry_storage *storage;
	struct ferry_part *parts;
	size_t n, cap;
};

struct reading {
	struct npz_archive *archive;
	struct ferry_document *doc;
	struct ferry_store *store;
	struct ferry_map ties;
	struct ferry_map counted;	/* members in sizes.stored */
	struct typed_sizes sizes;
	struct tie **list;
	size_t n, cap;
	struct ferry_error *err;
};

static int malformed(struct reading *r, const char *name, const char *what)
{
	char text[128];

	ferry_escape(text, sizeof(text), name, strlen(name));
	return ferry_fail(r->err, FERRY_MALFORMED, "npz", FERRY_NO_OFFSET,
			  NPZ_DOCUMENT ": tensor '%s': %s", text, what);
}

static int nomem(struct reading *r)
{
	return ferry_fail_nomem(r->err, "a document");
}

/* ---- arrays ------------------------------------------------------------- */

static int find_member(struct reading *r, const char *name,
		       const char *suffix, const struct zip_member **out)
{
	struct ferry_buffer b = FERRY_BUFFER_INIT;
	int rc = 0;

	ferry_buffer_add_str(&b, name);
	ferry_buffer_add_str(&b, suffix);
	*out = b.failed ? NULL : zip_find(r->archive->zip, b.data, b.n);
	if (b.failed)
		rc = nomem(r);
	else if (!*out)
		rc = malformed(r, name, "the archive has no such member");
	ferry_buffer_release(&b);
	return rc;
}

/* A member named again is no more data. */
static int count_member(struct reading *r, const struct zip_member *m,
			const struct ferry_tensor *t)
{
	if (ferry_map_get(&r->counted, &m, sizeof(m), NULL))
		return 0;
	typed_sizes_add(&r->sizes, 0, ferry_tensor_nbytes(t));
	return ferry_map_put(&r->counted, &m, sizeof(m), 0) ? nomem(r) : 0;
}

/* The array as it lies there, with what the JSON says on untyped elements. */
static int read_array(struct reading *r, const char *name,
		      const struct typed_fields *f, struct ferry_value **out)
{
	struct numpy_read_options options = *r->archive->options;
	const struct zip_member *m;
	struct ferry_source *src;
	struct npy_header h;
	int rc;

	options.v2_raw = f->dtype && f->dtype != FERRY_BF16;
	options.v1_raw = true;
	options.v1 = f->dtype && ferry_dtype_is_float(f->dtype) &&
		     ferry_dtype_size(f->dtype) == 1 ? f->dtype
						     : FERRY_DTYPE_NONE;
	rc = find_member(r, name, ".npy", &m);
	if (!rc)
		rc = npz_member_source(r->archive, m, &src, r->err);
	if (!rc)
		rc = npz_header_read(r->archive, src, &h, r->err);
	if (!rc && npy_has_object(h.descr))
		rc = malformed(r, name, "its member is no plain array");
	if (!rc)
		rc = npy_array_read(src, &h, r->doc, name, &options, out,
				    r->err);
	if (!rc && (*out)->kind != FERRY_TENSOR)
		rc = malformed(r, name, "its member is no plain array");
	return rc ? rc : count_member(r, m, (*out)->u.tensor);
}

/* The same bytes as elements of another dtype. */
static int retype(struct reading *r, const char *name, const struct typed_fields *f,
		  struct ferry_value **value)
{
	const struct ferry_tensor *t = (*value)->u.tensor;
	enum ferry_dtype dtype = f->dtype ? f->dtype : t->dtype;
	struct ferry_storage *st = t->storage;
	struct ferry_value *v;

	if (dtype == t->dtype && !f->has_shape)
		return 0;
	if (!ferry_tensor_is_contiguous(t) && ferry_tensor_nelem(t))
		return malformed(r, name, "is not dense");
	st = ferry_storage(r->store, dtype, st->source, st->offset,
			   st->nbytes);
	v = st ? ferry_tensor(r->store, dtype,
			      f->has_shape ? f->ndim : t->ndim,
			      f->has_shape ? f->shape : t->shape, NULL, 0, st)
	       : NULL;
	if (!v)
		return nomem(r);
	if (ferry_tensor_check(v->u.tensor, name, r->err))
		return FERRY_MALFORMED;
	if (ferry_tensor_nbytes(v->u.tensor) != st->nbytes)
		return malformed(r, name, "dtype and shape do not fit its "
				 "member");
	v->u.tensor->extra = t->extra;
	*value = v;
	return 0;
}

/* ---- ties --------------------------------------------------------------- */

static int new_tie(struct reading *r, const struct typed_fields *f,
		   enum ferry_dtype dtype, struct tie **out)
{
	struct tie *tie = ferry_store_alloc(r->store, sizeof(*tie));

	if (r->n == r->cap) {
		size_t cap = r->cap ? 2 * r->cap : 16;
		struct tie **list = ferry_alloc_resize(r->list, cap,
						       sizeof(*list));

		if (!list)
			return nomem(r);
		r->list = list;
		r->cap = cap;
	}
	if (!tie)
		return nomem(r);
	memset(tie, 0, sizeof(*tie));
	tie->id = f->group;
	tie->storage = ferry_storage(r->store, f->storage_dtype ?
				     f->storage_dtype : dtype, NULL, 0,
				     f->nbytes);
	if (!tie->storage)
		return nomem(r);
	tie->storage->flags = f->untyped ? FERRY_UNTYPED : 0;
	if (ferry_map_put(&r->ties, &tie->id, sizeof(tie->id),
			  (uintptr_t)tie))
		return nomem(r);
	r->list[r->n++] = tie;
	typed_sizes_add(&r->sizes, f->nbytes, 0);
	*out = tie;
	return 0;
}

static int find_tie(struct reading *r, const char *name,
		    const struct typed_fields *f, enum ferry_dtype dtype,
		    struct tie **out)
{
	uint64_t found;

	if (!ferry_map_get(&r->ties, &f->group, sizeof(f->group), &found))
		return new_tie(r, f, dtype, out);
	*out = (struct tie *)(uintptr_t)found;
	if ((*out)->storage->nbytes != f->nbytes)
		return malformed(r, name, "its storage has two sizes");
	return 0;
}

static int add_part(struct reading *r, struct tie *tie,
		    struct ferry_value *array, const struct ferry_tensor *view)
{
	struct ferry_part *parts = tie->parts;

	if (tie->n == tie->cap) {
		size_t cap = tie->cap ? 2 * tie->cap : 2;

		parts = ferry_store_array(r->store, cap, sizeof(*parts));
		if (!parts)
			return nomem(r);
		if (tie->n)
			memcpy(parts, tie->parts, tie->n * sizeof(*parts));
		tie->parts = parts;
		tie->cap = cap;
	}
	parts[tie->n].tensor = array;
	parts[tie->n].strides = view->strides;
	parts[tie->n++].offset = view->offset;
	return 0;
}

/* The stored values are what a lazily conjugated or negated view shows: doing
 * it once more gives what its storage holds. */
static int undo_lazy(struct reading *r, const struct typed_fields *f,
		     struct ferry_value **array)
{
	const struct ferry_tensor *t = (*array)->u.tensor;
	struct ferry_value *v = ferry_tensor(r->store, t->dtype, t->ndim,
					     t->shape, t->strides, t->offset,
					     t->storage);

	if (!v)
		return nomem(r);
	v->u.tensor->flags = (f->conj ? FERRY_CONJ : 0) |
			     (f->neg ? FERRY_NEG : 0);
	*array = v;
	return 0;
}

/* A view of a storage that is put together when all of them are known. */
static int make_view(struct reading *r, const char *name,
		     const struct typed_fields *f, struct ferry_value *array,
		     struct ferry_value **out)
{
	const struct ferry_tensor *t = array->u.tensor;
	int64_t strides[FERRY_MAX_RANK];
	struct ferry_value *v;
	struct tie *tie;
	int rc;

	if (f->has_strides && f->ndim != t->ndim)
		return malformed(r, name, "shape and strides differ in rank");
	for (unsigned i = 0; f->has_strides && i < f->ndim; i++)
		strides[i] = (int64_t)f->strides[i];
	rc = find_tie(r, name, f, t->dtype, &tie);
	if (rc)
		return rc;
	v = ferry_tensor(r->store, t->dtype, t->ndim, t->shape,
			 f->has_strides ? strides : NULL, f->offset,
			 tie->storage);
	if (!v)
		return nomem(r);
	v->u.tensor->extra = t->extra;
	rc = ferry_tensor_check(v->u.tensor, name, r->err);
	if (!rc && (f->conj || f->neg))
		rc = undo_lazy(r, f, &array);
	if (!rc)
		rc = add_part(r, tie, array, v->u.tensor);
	v->u.tensor->flags = array->u.tensor->flags;
	*out = v;
	return rc;
}

static int make_storage(struct reading *r, const char *name,
			const struct typed_fields *f, struct ferry_value *array,
			struct ferry_value **out)
{
	const struct ferry_tensor *t = array->u.tensor;
	struct ferry_value *v;
	struct tie *tie;
	int rc;

	if (!f->grouped || t->ndim != 1 || ferry_tensor_nbytes(t) != f->nbytes ||
	    t->dtype != FERRY_U8)
		return malformed(r, name, "its member is not the bytes of a "
				 "storage");
	rc = find_tie(r, name, f, t->dtype, &tie);
	if (!rc)
		rc = add_part(r, tie, array, t);
	if (rc)
		return rc;
	v = ferry_storage_value(r->store, tie->storage);
	if (!v)
		return nomem(r);
	*out = v;
	return 0;
}

static int make_tensor(void *ctx, struct ferry_store *store, const char *name,
		       struct ferry_value *members, struct ferry_value **out,
		       struct ferry_error *err)
{
	struct reading *r = ctx;
	struct ferry_value *array;
	struct typed_fields f;
	const char *wrong = typed_fields_read(&f, members);
	int rc;

	(void)store;
	(void)err;
	if (wrong)
		return malformed(r, name, wrong);
	rc = read_array(r, name, &f, &array);
	if (!rc)
		rc = retype(r, name, &f, &array);
	if (rc)
		return rc;
	if (f.storage)
		return make_storage(r, name, &f, array, out);
	if (f.grouped)
		return make_view(r, name, &f, array, out);
	typed_sizes_add(&r->sizes, ferry_tensor_nbytes(array->u.tensor), 0);
	*out = array;
	return 0;
}

static int make_bytes(void *ctx, struct ferry_store *store, const char *name,
		      unsigned flags, struct ferry_value **out,
		      struct ferry_error *err)
{
	struct reading *r = ctx;
	const struct zip_member *m;
	struct ferry_source *src;
	int rc = find_member(r, name, "", &m);

	if (!rc)
		rc = npz_member_source(r->archive, m, &src, err);
	return rc ? rc : npz_bytes(store, src, flags, out, err);
}

/* A part that is the whole storage, just as its member has it. */
static const struct ferry_storage *whole_part(const struct tie *tie)
{
	for (size_t i = 0; i < tie->n; i++) {
		const struct ferry_tensor *t = tie->parts[i].tensor->u.tensor;
		struct ferry_tensor view = *t;

		view.strides = tie->parts[i].strides;
		if (!t->flags && !tie->parts[i].offset && !t->offset &&
		    ferry_tensor_is_contiguous(&view) &&
		    ferry_tensor_is_contiguous(t) &&
		    ferry_tensor_nbytes(t) == tie->storage->nbytes &&
		    t->storage->nbytes == tie->storage->nbytes)
			return t->storage;
	}
	return NULL;
}

static int finish_tie(struct reading *r, struct tie *tie)
{
	const struct ferry_storage *whole = whole_part(tie);
	struct ferry_storage *made;
	int rc;

	if (!whole) {
		rc = ferry_op_assemble(r->store, tie->storage->dtype,
				       tie->storage->nbytes, tie->parts,
				       tie->n, &made, r->err);
		if (rc)
			return rc;
		whole = made;
	}
	tie->storage->source = whole->source;
	tie->storage->offset = whole->offset;
	return 0;
}

static int read_text(struct reading *r, const struct zip_member *m,
		     struct ferry_value **out)
{
	const struct typed_json_reader typed = { .tensor = make_tensor,
						 .bytes = make_bytes,
						 .ctx = r };
	struct ferry_source *src;
	char *text;
	int rc;

	if (m->nbytes > TEXT_MAX)
		return ferry_fail(r->err, FERRY_LIMIT, "npz", m->header_offset,
				  NPZ_DOCUMENT " is longer than 1 GiB");
	rc = npz_check_values(r->archive, m, r->err);
	if (!rc)
		rc = npz_member_source(r->archive, m, &src, r->err);
	if (rc)
		return rc;
	text = ferry_alloc((size_t)m->nbytes + 1);
	if (!text)
		return nomem(r);
	rc = ferry_source_read(src, text, 0, (size_t)m->nbytes, r->err);
	if (!rc)
		rc = typed_json_read(text, (size_t)m->nbytes, r->store, &typed,
				     out, r->err);
	ferry_alloc_free(text);
	return rc;
}

static int check_sizes(struct reading *r)
{
	if (r->archive->options->any_ratio || typed_sizes_are_sane(&r->sizes))
		return 0;
	return ferry_fail(r->err, FERRY_LIMIT, "npz", FERRY_NO_OFFSET,
			  NPZ_DOCUMENT " makes %" PRIu64 " bytes of tensors "
			  "out of %" PRIu64 " bytes of arrays; --set "
			  "npz-ratio=any takes it", r->sizes.made,
			  r->sizes.stored);
}

int npz_document_read(struct npz_archive *a, const struct zip_member *m,
		      struct ferry_document *doc, struct ferry_value **out,
		      struct ferry_error *err)
{
	struct reading r = { .archive = a, .doc = doc, .store = doc->store,
			     .err = err };
	struct ferry_value *root;
	int rc = read_text(&r, m, &root);

	if (!rc)
		rc = check_sizes(&r);
	for (size_t i = 0; !rc && i < r.n; i++)
		rc = finish_tie(&r, r.list[i]);
	if (!rc)
		*out = root;
	ferry_map_release(&r.ties);
	ferry_map_release(&r.counted);
	ferry_alloc_free(r.list);
	return rc;
}
