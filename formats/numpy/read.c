/* An array's data: plain, structured or pickled. */
#include "config.h"

#include "formats/numpy/array.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <ferry/sys/alloc.h>
#include <ferry/sys/ckd.h>

#include "formats/numpy/literal.h"
#include "formats/numpy/pick.h"
#include "formats/pickle/pickle.h"

struct reader {
	struct ferry_document *doc;
	struct ferry_store *store;
	const char *name;
	const struct numpy_read_options *options;
	struct ferry_error *err;
};

/* nitems items of a size the dtype gives, densely from offset in src. */
struct layout {
	struct ferry_source *src;
	uint64_t offset, nitems;
	unsigned ndim;
	uint64_t shape[FERRY_MAX_RANK];
	int64_t strides[FERRY_MAX_RANK];	/* in items */
};

static int build(struct reader *r, const struct layout *l,
		 const struct ferry_value *descr, struct ferry_value **out);

static int malformed(struct reader *r, const char *what)
{
	return ferry_fail(r->err, FERRY_MALFORMED, "npy", FERRY_NO_OFFSET,
			  "%s", what);
}

/* Add the dimensions of a sub-array or of the characters of a text: the items
 * become smaller and lie side by side. */
static int extend(struct reader *r, struct layout *l, unsigned ndim,
		  const uint64_t *shape)
{
	uint64_t n = 1, stride = 1, beyond = 0;

	if (l->ndim + ndim > FERRY_MAX_RANK)
		return ferry_fail(r->err, FERRY_LIMIT, "npy", FERRY_NO_OFFSET,
				  "array has %u dimensions, the most is %d",
				  l->ndim + ndim, FERRY_MAX_RANK);
	for (unsigned i = ndim; i-- > 0; ) {
		l->shape[l->ndim + i] = shape[i];
		l->strides[l->ndim + i] = (int64_t)stride;
		if (ferry_ckd_mul(&n, n, shape[i]) ||
		    ferry_ckd_mul(&stride, stride, shape[i] ? shape[i] : 1))
			return malformed(r, "array's shape is beyond 64 bits");
	}
	for (unsigned i = 0; i < l->ndim; i++) {
		uint64_t wide;

		if (ferry_ckd_mul(&wide, (uint64_t)l->strides[i], stride) ||
		    wide > INT64_MAX)
			beyond = 1;
		l->strides[i] = (int64_t)wide;
	}
	if (beyond || stride > INT64_MAX ||
	    ferry_ckd_mul(&l->nitems, l->nitems, n))
		return malformed(r, "array's shape is beyond 64 bits");
	l->ndim += ndim;
	return 0;
}

static int set_extra(struct reader *r, struct ferry_value *tensor,
		     const struct element *e)
{
	struct ferry_value *numpy = ferry_dict(r->store, 1);
	struct ferry_value *extra = ferry_dict(r->store, 1);
	struct ferry_value *descr = ferry_cstring(r->store, e->descr);

	if (!numpy || !extra || !descr ||
	    ferry_dict_set_str(r->store, numpy, "descr", descr) ||
	    ferry_dict_set_str(r->store, extra, "numpy", numpy))
		return ferry_fail_nomem(r->err, "an array");
	tensor->u.tensor->extra = extra;
	return 0;
}

/* The data as little-endian bytes; *src becomes the store's. */
static int swapped(struct reader *r, const struct layout *l, uint64_t nbytes,
		   unsigned unit, struct ferry_source **out)
{
	struct ferry_source *swap;
	int rc;

	rc = ferry_source_swap_range(&swap, l->src, l->offset, nbytes, unit,
				     r->name, r->err);
	if (!rc && ferry_store_take_source(r->store, swap)) {
		ferry_source_unref(swap);
		rc = ferry_fail_nomem(r->err, "an array");
	}
	if (!rc)
		*out = swap;
	return rc;
}

static int storage(struct reader *r, const struct layout *l,
		   const struct element *e, struct ferry_storage **out)
{
	struct ferry_source *src = l->src;
	uint64_t nbytes, offset = l->offset;
	int rc;

	if (ferry_ckd_mul(&nbytes, l->nitems, ferry_dtype_size(e->dtype)) ||
	    ferry_ckd_outside(offset, nbytes, src->nbytes))
		return ferry_fail(r->err, FERRY_MALFORMED, "npy", offset,
				  "array of %" PRIu64 " elements of %u bytes "
				  "at byte %" PRIu64 " passes the end at %"
				  PRIu64 "; the file is cut off", l->nitems,
				  ferry_dtype_size(e->dtype), offset,
				  src->nbytes);
	if (e->swap && nbytes) {
		rc = swapped(r, l, nbytes, e->swap, &src);
		if (rc)
			return rc;
		offset = 0;
	}
	*out = ferry_storage(r->store, e->dtype, src, offset, nbytes);
	return *out ? 0 : ferry_fail_nomem(r->err, "an array");
}

static int build_plain(struct reader *r, const struct layout *layout,
		       const struct ferry_value *descr,
		       struct ferry_value **out)
{
	struct layout l = *layout;
	struct ferry_storage *st;
	struct element e;
	int rc = element_parse(descr, r->options, &e, r->err);

	if (!rc && e.object)
		rc = malformed(r, "objects inside a record that is not "
			       "pickled");
	if (!rc && e.tail)
		rc = extend(r, &l, 1, &e.per);
	if (!rc)
		rc = storage(r, &l, &e, &st);
	if (rc)
		return rc;
	*out = ferry_tensor(r->store, e.dtype, l.ndim, l.shape, l.strides, 0,
			    st);
	if (!*out)
		return ferry_fail_nomem(r->err, "an array");
	if (e.v2 && ferry_findings_add(r->doc->findings, FERRY_NOTE, "npy-v2",
				       r->name, FERRY_NO_OFFSET,
				       "2-byte elements without a type are "
				       "taken for bfloat16; --set npy-v2=raw "
				       "keeps them as bytes"))
		return ferry_fail_nomem(r->err, "a note");
	return e.special ? set_extra(r, *out, &e) : 0;
}

/* A sub-array's shape: a tuple of lengths, or one length. */
static int read_shape(struct reader *r, const struct ferry_value *v,
		      unsigned *ndim, uint64_t *shape)
{
	struct ferry_value *const one[] = { (struct ferry_value *)v };
	struct ferry_value *const *items = one;

	*ndim = 1;
	if (v->kind == FERRY_TUPLE) {
		items = v->u.list.items;
		*ndim = v->u.list.n;
	}
	if (*ndim > FERRY_MAX_RANK)
		return malformed(r, "dtype: a sub-array has too many "
				 "dimensions");
	for (unsigned i = 0; i < *ndim; i++) {
		if (items[i]->kind != FERRY_INT || items[i]->u.i < 0 ||
		    items[i]->u.i > INT32_MAX)
			return malformed(r, "dtype: a sub-array's shape holds "
					 "what is no length");
		shape[i] = (uint64_t)items[i]->u.i;
	}
	return 0;
}

static int item_nbytes(struct reader *r, const struct ferry_value *descr,
		       uint64_t *out);

static int times_shape(struct reader *r, const struct ferry_value *shape,
		       uint64_t *nbytes)
{
	uint64_t dims[FERRY_MAX_RANK];
	unsigned ndim;
	int rc = read_shape(r, shape, &ndim, dims);

	for (unsigned i = 0; !rc && i < ndim; i++)
		if (ferry_ckd_mul(nbytes, *nbytes, dims[i]))
			rc = malformed(r, "dtype: a sub-array is beyond 64 "
				       "bits");
	return rc;
}

/* (name, descr[, shape]): checked here for all users */
static int field_nbytes(struct reader *r, const struct ferry_value *field,
			uint64_t *out)
{
	int rc;

	if (field->kind != FERRY_TUPLE || field->u.list.n < 2 ||
	    field->u.list.n > 3)
		return malformed(r, "dtype: a field is not (name, dtype) or "
				 "(name, dtype, shape)");
	rc = item_nbytes(r, field->u.list.items[1], out);
	if (!rc && field->u.list.n == 3)
		rc = times_shape(r, field->u.list.items[2], out);
	return rc;
}

static int record_nbytes(struct reader *r, const struct ferry_value *fields,
			 uint64_t *out)
{
	uint64_t sum = 0, nbytes;
	int rc = 0;

	for (uint32_t i = 0; !rc && i < fields->u.list.n; i++) {
		rc = field_nbytes(r, fields->u.list.items[i], &nbytes);
		if (!rc && (ferry_ckd_add(&sum, sum, nbytes) ||
			    sum > INT32_MAX))
			rc = malformed(r, "dtype: a record is longer than "
				       "2 GiB");
	}
	*out = sum;
	return rc;
}

static int item_nbytes(struct reader *r, const struct ferry_value *descr,
		       uint64_t *out)
{
	struct numpy_read_options raw = { .v2_raw = true, .v1_raw = true };
	struct element e;
	int rc;

	if (descr->kind == FERRY_LIST)
		return record_nbytes(r, descr, out);
	if (descr->kind == FERRY_TUPLE && descr->u.list.n == 2) {
		rc = item_nbytes(r, descr->u.list.items[0], out);
		return rc ? rc : times_shape(r, descr->u.list.items[1], out);
	}
	rc = element_parse(descr, &raw, &e, r->err);
	if (!rc)
		*out = e.nbytes;
	return rc;
}

/* Bytes a field skips: ('', '|V4') */
static bool is_padding(const struct ferry_value *name,
		       const struct ferry_value *descr)
{
	return ferry_value_is(name, "") && descr->kind == FERRY_STRING &&
	       memchr(descr->u.s.data, 'V', descr->u.s.nbytes);
}

/* The items of one field, of `nbytes` at `first` in records of `record`. */
static int pick_field(struct reader *r, const struct layout *l,
		      uint64_t record, uint64_t first, uint64_t nbytes,
		      struct layout *out)
{
	struct ferry_source *src;
	uint64_t all;
	int rc;

	if (ferry_ckd_mul(&all, l->nitems, record) ||
	    ferry_ckd_outside(l->offset, all, l->src->nbytes))
		return ferry_fail(r->err, FERRY_MALFORMED, "npy", l->offset,
				  "array of %" PRIu64 " records of %" PRIu64
				  " bytes passes the end at %" PRIu64,
				  l->nitems, record, l->src->nbytes);
	rc = pick_source(&src, l->src, l->offset, l->nitems, record, first,
			 nbytes, r->err);
	if (rc)
		return rc;
	if (ferry_store_take_source(r->store, src)) {
		ferry_source_unref(src);
		return ferry_fail_nomem(r->err, "a field of an array");
	}
	*out = *l;
	out->src = src;
	out->offset = 0;
	return 0;
}

static int build_field(struct reader *r, const struct layout *field,
		       const struct ferry_value *spec,
		       struct ferry_value **out)
{
	struct layout l = *field;
	uint64_t shape[FERRY_MAX_RANK];
	unsigned ndim;
	int rc = 0;

	if (spec->u.list.n == 3) {
		rc = read_shape(r, spec->u.list.items[2], &ndim, shape);
		if (!rc)
			rc = extend(r, &l, ndim, shape);
	}
	return rc ? rc : build(r, &l, spec->u.list.items[1], out);
}

static int add_field(struct reader *r, struct ferry_value *dict,
		     struct ferry_value *name, struct ferry_value *value)
{
	if (name->kind == FERRY_TUPLE && name->u.list.n == 2)
		name = name->u.list.items[1];	/* (title, name) */
	if (name->kind != FERRY_STRING)
		return malformed(r, "dtype: a field's name is no text");
	if (ferry_dict_find(dict, name))
		return malformed(r, "dtype: two fields have one name");
	return ferry_dict_set(r->store, dict, name, value) ?
	       ferry_fail_nomem(r->err, "an array") : 0;
}

static int build_record(struct reader *r, const struct layout *l,
			const struct ferry_value *fields,
			struct ferry_value **out)
{
	struct ferry_value *dict = ferry_dict(r->store, fields->u.list.n);
	uint64_t record, first = 0, nbytes = 0;
	int rc = dict ? record_nbytes(r, fields, &record)
		      : ferry_fail_nomem(r->err, "an array");

	for (uint32_t i = 0; !rc && i < fields->u.list.n; i++) {
		const struct ferry_value *spec = fields->u.list.items[i];
		struct ferry_value *value;
		struct layout field;

		first += nbytes;
		rc = field_nbytes(r, spec, &nbytes);
		if (rc || is_padding(spec->u.list.items[0],
				     spec->u.list.items[1]))
			continue;
		rc = pick_field(r, l, record, first, nbytes, &field);
		if (!rc)
			rc = build_field(r, &field, spec, &value);
		if (!rc)
			rc = add_field(r, dict, spec->u.list.items[0], value);
	}
	if (!rc)
		*out = dict;
	return rc;
}

static int build(struct reader *r, const struct layout *l,
		 const struct ferry_value *descr, struct ferry_value **out)
{
	struct layout sub = *l;
	uint64_t shape[FERRY_MAX_RANK];
	unsigned ndim;
	int rc;

	if (descr->kind == FERRY_LIST)
		return build_record(r, l, descr, out);
	if (descr->kind != FERRY_TUPLE || descr->u.list.n != 2)
		return build_plain(r, l, descr, out);
	rc = read_shape(r, descr->u.list.items[1], &ndim, shape);
	if (!rc)
		rc = extend(r, &sub, ndim, shape);
	return rc ? rc : build(r, &sub, descr->u.list.items[0], out);
}

bool npy_has_object(const struct ferry_value *descr)
{
	struct numpy_read_options raw = { .v2_raw = true, .v1_raw = true };
	struct element e;

	if (descr->kind == FERRY_STRING)
		return !element_parse(descr, &raw, &e, NULL) && e.object;
	if (descr->kind == FERRY_TUPLE)
		return descr->u.list.n &&
		       npy_has_object(descr->u.list.items[0]);
	if (descr->kind != FERRY_LIST)
		return false;
	for (uint32_t i = 0; i < descr->u.list.n; i++) {
		const struct ferry_value *field = descr->u.list.items[i];

		if (field->kind == FERRY_TUPLE && field->u.list.n > 1 &&
		    npy_has_object(field->u.list.items[1]))
			return true;
	}
	return false;
}

/*
 * What numpy.save(path, {...}) makes: an array without dimensions around one
 * object, pickled as _reconstruct(...) with the state (version, shape, dtype,
 * fortran order, [object]).
 */
static struct ferry_value *unwrap(struct ferry_value *v)
{
	const struct ferry_object *o = v->u.object;
	struct ferry_value *const *state;

	if (v->kind != FERRY_OBJECT || !o->callable || !o->state ||
	    o->state->kind != FERRY_TUPLE || o->state->u.list.n != 5)
		return v;
	if (!ferry_value_is_global(o->callable, "numpy.core.multiarray",
				   "_reconstruct") &&
	    !ferry_value_is_global(o->callable, "numpy._core.multiarray",
				   "_reconstruct"))
		return v;
	state = o->state->u.list.items;
	if (state[1]->kind != FERRY_TUPLE || state[1]->u.list.n ||
	    state[4]->kind != FERRY_LIST || state[4]->u.list.n != 1)
		return v;
	return state[4]->u.list.items[0];
}

static int read_objects(struct reader *r, struct ferry_source *src,
			const struct npy_header *h, struct ferry_value **out)
{
	const struct pickle_reader_options options = {
		.reduce = pickle_numpy_reduce,
		.origin = "npy",
		.findings = r->doc->findings,
	};
	struct ferry_value *value;
	uint64_t end;
	int rc = pickle_read(src, h->data, r->store, &options, &value, &end,
			     r->err);

	if (!rc)
		*out = unwrap(value);
	return rc;
}

static int first_layout(struct reader *r, struct ferry_source *src,
			const struct npy_header *h, struct layout *l)
{
	uint64_t stride = 1;

	l->src = src;
	l->offset = h->data;
	l->nitems = 1;
	l->ndim = 0;
	if (!h->fortran)
		return extend(r, l, h->ndim, h->shape);
	for (unsigned i = 0; i < h->ndim; i++) {
		l->shape[i] = h->shape[i];
		l->strides[i] = (int64_t)stride;
		stride *= h->shape[i] ? h->shape[i] : 1;
		l->nitems *= h->shape[i];
	}
	l->ndim = h->ndim;
	return 0;
}

static int warn_of_records(struct reader *r, const struct ferry_value *dict)
{
	if (ferry_findings_add(r->doc->findings, FERRY_WARNING, "records",
			       r->name, FERRY_NO_OFFSET, "array of records is "
			       "read as a dict of its %u field%s, each an array "
			       "by itself: nothing says that they were one",
			       dict->u.dict.n,
			       dict->u.dict.n == 1 ? "" : "s"))
		return ferry_fail_nomem(r->err, "a finding");
	return 0;
}

int npy_array_read(struct ferry_source *src, const struct npy_header *header,
		   struct ferry_document *doc, const char *name,
		   const struct numpy_read_options *options,
		   struct ferry_value **out, struct ferry_error *err)
{
	struct reader r = { .doc = doc, .store = doc->store, .name = name,
			    .options = options, .err = err };
	struct layout l;
	int rc;

	if (npy_has_object(header->descr))
		return read_objects(&r, src, header, out);
	if (header->descr->kind == FERRY_TUPLE)
		return malformed(&r, "dtype of an array is a sub-array");
	rc = first_layout(&r, src, header, &l);
	if (!rc)
		rc = build(&r, &l, header->descr, out);
	if (!rc && header->descr->kind == FERRY_LIST)
		rc = warn_of_records(&r, *out);
	return rc;
}

static int set_about(struct ferry_document *doc, const struct npy_header *h,
		     struct ferry_error *err)
{
	struct ferry_value *about = ferry_dict(doc->store, 3);
	struct ferry_value *version, *fortran = ferry_bool(h->fortran);
	char text[16];

	snprintf(text, sizeof(text), "%u.%u", h->major, h->minor);
	version = ferry_cstring(doc->store, text);
	if (!about || !version ||
	    ferry_dict_set_str(doc->store, about, "format_version", version) ||
	    ferry_dict_set_str(doc->store, about, "fortran_order", fortran) ||
	    ferry_dict_set_str(doc->store, about, "descr",
			       (struct ferry_value *)h->descr))
		return ferry_fail_nomem(err, "facts about the file");
	doc->about = about;
	return 0;
}

int npy_read(struct ferry_source *src, struct ferry_document *doc,
	     const struct numpy_read_options *options,
	     struct ferry_error *err)
{
	struct ferry_value *root;
	struct npy_header h;
	int rc;

	if (ferry_store_take_source(doc->store, ferry_source_ref(src))) {
		ferry_source_unref(src);
		return ferry_fail_nomem(err, "an array");
	}
	rc = npy_header_read(src, doc->store, &h, err);
	if (!rc)
		rc = npy_array_read(src, &h, doc, "", options, &root, err);
	if (!rc)
		rc = set_about(doc, &h, err);
	if (!rc)
		doc->root = root;
	return rc;
}
