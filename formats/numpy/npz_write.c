/* A document as a zip of arrays. */
#include "config.h"

#include "formats/numpy/npz.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <ferry/sys/alloc.h>
#include <ferry/sys/map.h>

#include "formats/json/json.h"

/* Where data of a member begins, and so every array's: see zip.h. */
#define MEMBER_ALIGN 64

#define NAME_MAX_NBYTES 60000

struct large_bytes {
	char *name;
	const struct ferry_value *value;
};

struct writing {
	struct ferry_document *doc;
	struct ferry_store *store;
	const struct numpy_write_options *options;
	struct ferry_places places;
	const char **names;	/* member without ".npy", by place */
	uint32_t *first;	/* place + 1, by id of the value */
	uint32_t *users;	/* values that look into it, by id of storage */
	struct large_bytes *bytes;
	size_t n_bytes, cap_bytes;
	struct zip_writer *zip;
	struct ferry_error *err;
};

static int nomem(struct writing *w)
{
	return ferry_fail_nomem(w->err, "an archive of arrays");
}

static const struct ferry_storage *storage_of(const struct ferry_value *v)
{
	if (v->kind == FERRY_STORAGE)
		return v->u.st.storage;
	return v->u.tensor->flags & FERRY_META ? NULL : v->u.tensor->storage;
}

static bool has_data(const struct ferry_value *v)
{
	return storage_of(v) != NULL;
}

/* ---- what is plain ------------------------------------------------------ */

void npz_strides(const struct ferry_tensor *t, const struct npy_encoded *a,
		 int64_t *strides)
{
	unsigned lead = a->fortran ? a->ndim : 0;
	int64_t stride = 1;

	for (unsigned i = t->ndim; i-- > lead; ) {
		strides[i] = stride;
		stride *= (int64_t)(t->shape[i] ? t->shape[i] : 1);
	}
	for (unsigned i = 0; i < lead; i++) {
		strides[i] = stride;
		stride *= (int64_t)(t->shape[i] ? t->shape[i] : 1);
	}
}

static bool has_usual_strides(const struct ferry_tensor *t,
			      const struct npy_encoded *a)
{
	int64_t strides[FERRY_MAX_RANK];

	npz_strides(t, a, strides);
	return !memcmp(strides, t->strides, t->ndim * sizeof(*strides));
}

/* More than the array alone is needed to have the tensor back. */
static bool needs_storage(const struct writing *w, const struct ferry_tensor *t,
			  const struct npy_encoded *a)
{
	const struct ferry_storage *st = t->storage;

	if (a->cast)
		return false;
	return t->flags & (FERRY_CONJ | FERRY_NEG) || t->offset ||
	       w->users[st->id] > 1 || st->dtype != t->dtype || st->flags ||
	       st->nbytes != ferry_tensor_nbytes(t) ||
	       !has_usual_strides(t, a);
}

static bool is_plain_name(const char *name, size_t n)
{
	return n <= NAME_MAX_NBYTES && !memchr(name, 0, n) &&
	       npy_is_utf8(name, n);
}

static bool is_plain_tensor(const struct writing *w,
			    const struct ferry_value *v)
{
	struct npy_encoded a;

	return !v->u.tensor->flags &&
	       !npy_encode(v->u.tensor, w->options, &a, NULL) &&
	       a.exact && !needs_storage(w, v->u.tensor, &a);
}

static bool ends_in(const struct ferry_value *key, const char *end)
{
	size_t n = strlen(end);

	return key->u.s.nbytes >= n &&
	       !memcmp(key->u.s.data + key->u.s.nbytes - n, end, n);
}

/* BYTES that a reader finds again under their key, as BYTES. */
static bool is_plain_bytes(const struct ferry_value *key,
			   const struct ferry_value *v)
{
	char head[NPY_MAGIC_NBYTES];

	if ((v->flags & ~FERRY_RANGE) || ferry_value_is(key, NPZ_DOCUMENT) ||
	    ends_in(key, ".npy") || ends_in(key, "/") || !key->u.s.nbytes)
		return false;
	if (!(v->flags & FERRY_RANGE))
		return v->u.s.nbytes < sizeof(head) ||
		       memcmp(v->u.s.data, NPY_MAGIC, sizeof(head));
	return v->u.range.nbytes < sizeof(head) ||
	       (!ferry_source_read(v->u.range.source, head, v->u.range.offset,
				   sizeof(head), NULL) &&
		memcmp(head, NPY_MAGIC, sizeof(head)));
}

/* Reading the members alone gives the document back. */
static int is_plain(const struct writing *w, bool *out)
{
	const struct ferry_value *root = w->doc->root;
	struct ferry_marks marks;
	bool plain = root->kind == FERRY_DICT;

	if (ferry_marks_init(&marks, w->store))
		return ferry_fail_nomem(w->err, "an archive of arrays");
	for (uint32_t i = 0; plain && i < root->u.dict.n; i++) {
		const struct ferry_value *key = root->u.dict.pairs[i].key;
		const struct ferry_value *v = root->u.dict.pairs[i].value;

		plain = key->kind == FERRY_STRING && !ferry_mark(&marks, v) &&
			is_plain_name(key->u.s.data, key->u.s.nbytes) &&
			(v->kind == FERRY_TENSOR ? is_plain_tensor(w, v) :
			 v->kind == FERRY_BYTES && is_plain_bytes(key, v));
	}
	ferry_marks_release(&marks);
	*out = plain;
	return 0;
}

/* ---- preparation -------------------------------------------------------- */

/* Place names are document paths; the few a zip can't hold get another. */
static int choose_name(struct writing *w, struct ferry_map *taken, size_t i)
{
	const char *name = w->places.items[i].name;
	char other[64];

	if (w->places.items[i].value == ferry_value_payload(w->doc->root))
		name = "arr_0";
	if (!is_plain_name(name, strlen(name)))
		for (unsigned more = 0; ; more++) {
			snprintf(other, sizeof(other), "tensor-%zu-%u", i,
				 more);
			name = other;
			if (!ferry_map_get(taken, name, strlen(name), NULL))
				break;
		}
	w->names[i] = ferry_store_strndup(w->store, name, strlen(name));
	if (!w->names[i] || ferry_map_put(taken, w->names[i], strlen(name), i))
		return nomem(w);
	return 0;
}

static int choose_names(struct writing *w)
{
	struct ferry_map taken = FERRY_MAP_INIT;
	size_t n = w->places.n;
	int rc = 0;

	for (size_t i = 0; !rc && i < n; i++)
		if (ferry_map_put(&taken, w->places.items[i].name,
				  strlen(w->places.items[i].name), i))
			rc = nomem(w);
	for (size_t i = 0; !rc && i < n; i++)
		rc = choose_name(w, &taken, i);
	ferry_map_release(&taken);
	return rc;
}

static int prepare(struct writing *w)
{
	size_t ids = (size_t)ferry_store_ids(w->store) + 1;
	size_t storages = (size_t)ferry_store_storage_ids(w->store) + 1;
	int rc = ferry_places_init(&w->places, w->doc, w->err);

	if (rc)
		return rc;
	w->names = ferry_alloc_zero(w->places.n + 1, sizeof(*w->names));
	w->first = ferry_alloc_zero(ids, sizeof(*w->first));
	w->users = ferry_alloc_zero(storages, sizeof(*w->users));
	if (!w->names || !w->first || !w->users)
		return nomem(w);
	for (size_t i = 0; i < w->places.n; i++) {
		const struct ferry_value *v = w->places.items[i].value;

		if (w->places.items[i].same != i)
			continue;
		w->first[v->id] = (uint32_t)i + 1;
		if (has_data(v))
			w->users[storage_of(v)->id]++;
	}
	return choose_names(w);
}

static void release(struct writing *w)
{
	for (size_t i = 0; i < w->n_bytes; i++)
		ferry_alloc_free(w->bytes[i].name);
	ferry_alloc_free(w->bytes);
	ferry_alloc_free(w->names);
	ferry_alloc_free(w->first);
	ferry_alloc_free(w->users);
	if (w->places.items || w->places.owner)
		ferry_places_release(&w->places);
	zip_writer_free(w->zip);
}

/* ---- typed JSON --------------------------------------------------------- */

static void add_numbers(struct ferry_buffer *b, const char *key, unsigned n,
			const uint64_t *numbers)
{
	ferry_buffer_printf(b, ",\"%s\":[", key);
	for (unsigned i = 0; i < n; i++)
		ferry_buffer_printf(b, "%s%" PRIu64, i ? "," : "", numbers[i]);
	ferry_buffer_add_str(b, "]");
}

static void add_storage(struct ferry_buffer *b, const struct ferry_storage *st)
{
	ferry_buffer_printf(b, ",\"storage\":%" PRIu32 ",\"nbytes\":%" PRIu64
			    ",\"storage_dtype\":\"%s\"%s", st->id, st->nbytes,
			    ferry_dtype_name(st->dtype),
			    st->flags & FERRY_UNTYPED ? ",\"untyped\":true"
						      : "");
}

static int add_fields(struct writing *w, const struct ferry_tensor *t,
		      struct ferry_buffer *b)
{
	struct npy_encoded a;
	int rc = npy_encode(t, w->options, &a, w->err);
	bool shape;

	if (rc)
		return rc;
	if (!a.natural)
		ferry_buffer_printf(b, ",\"dtype\":\"%s\"",
				    ferry_dtype_name(t->dtype));
	shape = t->dtype == FERRY_C32 || !ferry_dtype_size(t->dtype);
	if (shape)
		add_numbers(b, "shape", t->ndim, t->shape);
	if (!needs_storage(w, t, &a))
		return 0;
	add_storage(b, t->storage);
	ferry_buffer_printf(b, ",\"offset\":%" PRIu64, t->offset);
	add_numbers(b, "strides", t->ndim, (const uint64_t *)t->strides);
	return 0;
}

static int name_tensor(void *ctx, const struct ferry_value *v,
		       const char **name, struct ferry_buffer *fields,
		       struct ferry_error *err)
{
	struct writing *w = ctx;

	if (!w->first[v->id])
		return ferry_fail(err, FERRY_UNSUPPORTED, "npz",
				  FERRY_NO_OFFSET,
				  "a tensor is where no path leads to it");
	*name = w->names[w->first[v->id] - 1];
	if (v->kind == FERRY_TENSOR)
		return add_fields(w, v->u.tensor, fields);
	add_storage(fields, v->u.st.storage);
	return 0;
}

static int name_bytes(void *ctx, const struct ferry_value *v,
		      const char **name, struct ferry_error *err)
{
	struct writing *w = ctx;
	uint64_t n = v->flags & FERRY_RANGE ? v->u.range.nbytes : v->u.s.nbytes;
	char text[sizeof(NPZ_BYTES) + 24];

	(void)err;
	if (n < NPZ_BYTES_MIN)
		return 0;
	if (w->n_bytes == w->cap_bytes) {
		size_t cap = w->cap_bytes ? 2 * w->cap_bytes : 16;
		struct large_bytes *list;

		list = ferry_alloc_resize(w->bytes, cap, sizeof(*list));
		if (!list)
			return nomem(w);
		w->bytes = list;
		w->cap_bytes = cap;
	}
	snprintf(text, sizeof(text), NPZ_BYTES "%zu", w->n_bytes);
	w->bytes[w->n_bytes].value = v;
	w->bytes[w->n_bytes].name = ferry_alloc_strdup(text);
	if (!w->bytes[w->n_bytes].name)
		return nomem(w);
	*name = w->bytes[w->n_bytes++].name;
	return 0;
}

/* ---- members ------------------------------------------------------------ */

static int add_array(struct writing *w, const char *name,
		     struct ferry_value *tensor)
{
	struct ferry_buffer head = FERRY_BUFFER_INIT, member = head;
	struct ferry_source *src;
	uint64_t offset, nbytes;
	struct npy_encoded a;
	int rc = npy_encode(tensor->u.tensor, w->options, &a, w->err);

	if (!rc)
		rc = npy_header_write(&a, &head, w->err);
	ferry_buffer_add_str(&member, name);
	ferry_buffer_add_str(&member, ".npy");
	if (!rc && member.failed)
		rc = nomem(w);
	if (!rc)
		rc = npy_encoded_source(w->store, tensor, &a, &src, &offset,
					&nbytes, w->err);
	if (!rc && !nbytes)
		rc = zip_writer_add_memory(w->zip, member.data, head.data,
					   head.n, w->err);
	else if (!rc)
		rc = zip_writer_add_source(w->zip, member.data, head.data,
					   head.n, src, offset, nbytes,
					   w->err);
	ferry_buffer_release(&member);
	ferry_buffer_release(&head);
	return rc;
}

/* A storage by itself is an array of its bytes. */
static int add_place(struct writing *w, size_t i)
{
	struct ferry_value *v = w->places.items[i].value;
	struct ferry_storage *st;

	if (!has_data(v))
		return 0;
	if (v->kind == FERRY_TENSOR)
		return add_array(w, w->names[i], v);
	st = ferry_storage(w->store, FERRY_U8, v->u.st.storage->source,
			   v->u.st.storage->offset, v->u.st.storage->nbytes);
	v = st ? ferry_tensor(w->store, FERRY_U8, 1, &st->nbytes, NULL, 0, st)
	       : NULL;
	return v ? add_array(w, w->names[i], v) : nomem(w);
}

static int add_bytes(struct writing *w, const char *name,
		     const struct ferry_value *v)
{
	if (v->flags & FERRY_RANGE)
		return zip_writer_add_source(w->zip, name, NULL, 0,
					     v->u.range.source,
					     v->u.range.offset,
					     v->u.range.nbytes, w->err);
	return zip_writer_add_memory(w->zip, name, v->u.s.data,
				     (size_t)v->u.s.nbytes, w->err);
}

/* Keys as they are, in their order; place k is the kth tensor. */
static int add_plain(struct writing *w)
{
	const struct ferry_value *root = w->doc->root;
	size_t place = 0;
	int rc = 0;

	for (uint32_t i = 0; !rc && i < root->u.dict.n; i++) {
		const struct ferry_pair *p = &root->u.dict.pairs[i];
		char *key = ferry_store_strndup(w->store, p->key->u.s.data,
						p->key->u.s.nbytes);

		if (!key)
			rc = nomem(w);
		else if (p->value->kind == FERRY_BYTES)
			rc = add_bytes(w, key, p->value);
		else
			rc = add_array(w, key, p->value), place++;
	}
	return rc;
}

static int add_document(struct writing *w)
{
	const struct typed_json_writer typed = { .tensor_name = name_tensor,
						 .bytes_name = name_bytes,
						 .ctx = w };
	struct ferry_buffer text = FERRY_BUFFER_INIT;
	int rc = typed_json_write(w->doc->root, &typed, &text, w->err);

	for (size_t i = 0; !rc && i < w->places.n; i++)
		rc = add_place(w, i);
	for (size_t i = 0; !rc && i < w->n_bytes; i++)
		rc = add_bytes(w, w->bytes[i].name, w->bytes[i].value);
	if (!rc)
		rc = zip_writer_add_memory(w->zip, NPZ_DOCUMENT, text.data,
					   text.n, w->err);
	ferry_buffer_release(&text);
	return rc;
}

int npz_write(struct ferry_document *doc, struct ferry_sink *sink,
	      const struct numpy_write_options *options,
	      struct ferry_findings *out, struct ferry_error *err)
{
	struct writing w = { .doc = doc, .store = doc->store,
			     .options = options, .err = err };
	bool plain;
	int rc = prepare(&w);

	if (!rc)
		rc = zip_writer_new(&w.zip, sink, MEMBER_ALIGN, err);
	if (!rc)
		zip_writer_findings(w.zip, out);
	if (!rc)
		rc = is_plain(&w, &plain);
	if (!rc)
		rc = plain ? add_plain(&w) : add_document(&w);
	if (!rc)
		rc = zip_writer_run(w.zip, err);
	release(&w);
	return rc;
}

/* ---- what changes ------------------------------------------------------- */

/* A dtype numpy lacks, once for each of them. */
static int note_dtypes(const struct writing *w, struct ferry_findings *out)
{
	bool noted[FERRY_N_DTYPES] = { 0 };
	int rc = 0;

	for (size_t i = 0; !rc && i < w->places.n; i++) {
		const struct ferry_place *p = &w->places.items[i];
		struct npy_encoded a;
		unsigned d;

		if (p->value->kind != FERRY_TENSOR || !has_data(p->value) ||
		    npy_encode(p->value->u.tensor, w->options, &a, NULL))
			continue;
		d = p->value->u.tensor->dtype;
		if (noted[d] || numpy_dtypes() & FERRY_DTYPE_BIT(d))
			continue;
		noted[d] = true;
		rc = ferry_findings_add(out, FERRY_NOTE, "dtype", p->name,
					FERRY_NO_OFFSET, "numpy has no %s: it "
					"is written as '%s'",
					ferry_dtype_name(d), a.descr);
	}
	return rc;
}

static int note_shared(const struct writing *w, struct ferry_findings *out)
{
	size_t shared = 0;

	for (size_t i = 0; i < w->places.n; i++) {
		const struct ferry_place *p = &w->places.items[i];

		if (has_data(p->value) &&
		    (p->same != i || w->users[storage_of(p->value)->id] > 1))
			shared++;
	}
	if (!shared)
		return 0;
	return ferry_findings_add(out, FERRY_NOTE, "shared", "",
				  FERRY_NO_OFFSET, "%zu name%s a storage with "
				  "another: each is written in full, and ferry "
				  "ties them again on reading", shared,
				  shared == 1 ? " shares" : "s share");
}

int npz_losses(struct ferry_document *doc,
	       const struct numpy_write_options *options,
	       struct ferry_findings *out, struct ferry_error *err)
{
	struct writing w = { .doc = doc, .store = doc->store,
			     .options = options, .err = err };
	bool plain;
	int rc = prepare(&w);

	if (!rc)
		rc = is_plain(&w, &plain);
	if (!rc && !plain &&
	    ferry_findings_add(out, FERRY_NOTE, "typed-json", "",
			       FERRY_NO_OFFSET, "what arrays can't say is kept "
			       "as typed JSON in one more member, "
			       NPZ_DOCUMENT))
		rc = nomem(&w);
	if (!rc && (note_dtypes(&w, out) || note_shared(&w, out)))
		rc = nomem(&w);
	release(&w);
	return rc;
}
