/*
 * Making and changing documents.
 *
 * Constructors return NULL only when memory is out, so a builder checks once
 * per value and fails with ferry_fail_nomem().  All memory is the store's.
 */
#ifndef FERRY_SYS_BUILD_H
#define FERRY_SYS_BUILD_H

#include <ferry/findings.h>
#include <ferry/sys/source.h>
#include <ferry/value.h>

FERRY_BEGIN

/* An arena, an id counter, and the sources its storages name. */
struct ferry_store;

FERRY_API int ferry_store_new(struct ferry_store **out,
			      struct ferry_error *err);
FERRY_API struct ferry_store *ferry_store_ref(struct ferry_store *store);
FERRY_API void ferry_store_unref(struct ferry_store *store);
/* 16-byte aligned, uninitialised; NULL when memory is out. */
FERRY_API void *ferry_store_alloc(struct ferry_store *store, size_t nbytes);
/* NULL when n * size overflows or memory is out. */
FERRY_API void *ferry_store_array(struct ferry_store *store, size_t n,
				  size_t size);
/* A NUL-terminated copy. */
FERRY_API char *ferry_store_strndup(struct ferry_store *store, const char *s,
				    size_t n);
/* Keep a reference to src as long as the store lives (the caller's own
 * reference is taken over).  0 or FERRY_NOMEM (then it is still yours). */
FERRY_API int ferry_store_take_source(struct ferry_store *store,
				      struct ferry_source *src);
/* Ids handed out so far: every id is in [1, ferry_store_ids()]. */
FERRY_API uint32_t ferry_store_ids(const struct ferry_store *store);
FERRY_API uint32_t ferry_store_storage_ids(const struct ferry_store *store);
/* Bytes taken from the system by the arena. */
FERRY_API uint64_t ferry_store_nbytes(const struct ferry_store *store);

/* An empty document in a new store (store NULL) or in `store` (referenced). */
FERRY_API int ferry_document_new(struct ferry_document **out,
				 struct ferry_store *store,
				 struct ferry_error *err);
/*
 * What a reader calls last: depth at most FERRY_MAX_DEPTH (LIMIT), no NULL
 * child, every tensor checked.
 */
FERRY_API int ferry_document_check(struct ferry_document *doc,
				   struct ferry_error *err);

FERRY_API struct ferry_value *ferry_none(void);
FERRY_API struct ferry_value *ferry_bool(bool b);
FERRY_API struct ferry_value *ferry_int(struct ferry_store *s, int64_t i);
FERRY_API struct ferry_value *ferry_uint(struct ferry_store *s, uint64_t i);
/* Two's complement, little-endian, any length; small ones become plain INTs.
 * Copied. */
FERRY_API struct ferry_value *ferry_big(struct ferry_store *s,
					const void *le, size_t n);
/*
 * From decimal text ("-12", no spaces), of up to 20,000 digits, or hexadecimal
 * text of any length ("-0x0c"); NULL also when the text is not one: *bad tells.
 */
FERRY_API struct ferry_value *ferry_big_decimal(struct ferry_store *s,
						const char *text, size_t n,
						bool *bad);
/* Decimal text of an INT, NUL-terminated, in the store; above 8 KiB of binary
 * the same in hexadecimal, for decimal would take quadratic time. */
FERRY_API char *ferry_int_text(struct ferry_store *s,
			       const struct ferry_value *v);
FERRY_API struct ferry_value *ferry_float(struct ferry_store *s, double f);
FERRY_API struct ferry_value *ferry_complex(struct ferry_store *s, double re,
					    double im);
FERRY_API struct ferry_value *ferry_string(struct ferry_store *s,
					   const char *data, uint64_t n);
FERRY_API struct ferry_value *ferry_cstring(struct ferry_store *s,
					    const char *text);
/* Borrow memory that lives as long as the store. */
FERRY_API struct ferry_value *ferry_string_borrow(struct ferry_store *s,
						  const char *data, uint64_t n);
FERRY_API struct ferry_value *ferry_bytes(struct ferry_store *s,
					  const void *data, uint64_t n,
					  unsigned flags);
/* src must be kept by the store already. */
FERRY_API struct ferry_value *ferry_bytes_range(struct ferry_store *s,
						struct ferry_source *src,
						uint64_t offset, uint64_t n,
						unsigned flags);
/* kind: LIST, TUPLE, SET, FROZENSET; cap is a hint. */
FERRY_API struct ferry_value *ferry_sequence(struct ferry_store *s,
					     enum ferry_kind kind,
					     uint32_t cap);
FERRY_API struct ferry_value *ferry_dict(struct ferry_store *s, uint32_t cap);
FERRY_API struct ferry_value *ferry_global(struct ferry_store *s,
					   const char *module, size_t nm,
					   const char *name, size_t nn);
/* form, callable, args, kwargs (may be NULL); payload is -1. */
FERRY_API struct ferry_value *ferry_object(struct ferry_store *s,
					   enum ferry_form form,
					   struct ferry_value *callable,
					   struct ferry_value *args,
					   struct ferry_value *kwargs);
/* shape and strides are copied; strides NULL: C order.  No checks. */
FERRY_API struct ferry_value *ferry_tensor(struct ferry_store *s,
					   enum ferry_dtype dtype,
					   unsigned ndim, const uint64_t *shape,
					   const int64_t *strides,
					   uint64_t offset,
					   struct ferry_storage *storage);
/* src must be kept by the store already. */
FERRY_API struct ferry_storage *ferry_storage(struct ferry_store *s,
					      enum ferry_dtype dtype,
					      struct ferry_source *src,
					      uint64_t offset, uint64_t nbytes);
FERRY_API struct ferry_value *ferry_storage_value(struct ferry_store *s,
						  struct ferry_storage *st);

/* Append to LIST, TUPLE, SET, FROZENSET.  0, FERRY_NOMEM or FERRY_LIMIT.
 * Neither this nor ferry_dict_set() fills an error. */
FERRY_API int ferry_list_add(struct ferry_store *s, struct ferry_value *list,
			     struct ferry_value *item);
/*
 * Set key in a DICT: an equal key (as Python compares: 1 == 1.0 == True;
 * tuples of up to 64 elements by value; objects and other containers by
 * identity; 8-bit strings of Python 2 differ from bytes) keeps its place and
 * its key and gets the new value.
 */
FERRY_API int ferry_dict_set(struct ferry_store *s, struct ferry_value *dict,
			     struct ferry_value *key,
			     struct ferry_value *value);
FERRY_API int ferry_dict_set_str(struct ferry_store *s,
				 struct ferry_value *dict, const char *key,
				 struct ferry_value *value);
/* As ferry_dict_get() with any key. */
FERRY_API struct ferry_value *ferry_dict_find(const struct ferry_value *dict,
					      const struct ferry_value *key);
/* Replace all pairs (copied; they may be some of the dict's own).  Keys must be
 * unique. */
FERRY_API int ferry_dict_replace(struct ferry_store *s,
				 struct ferry_value *dict,
				 const struct ferry_pair *pairs, uint32_t n);

/*
 * The graph anew, of values of this store: each container and object is made
 * once, with sharing and cycles as they were.  TENSORs and STORAGEs are made by
 * `data`, once each (NULL of it: memory is out), or shared where that is NULL;
 * keys, callables and all else are shared.  LIMIT beyond FERRY_MAX_DEPTH.
 */
FERRY_API int ferry_value_copy(struct ferry_store *s,
			       const struct ferry_value *v,
			       struct ferry_value *(*data)(void *ctx,
						const struct ferry_value *v),
			       void *ctx, struct ferry_value **out,
			       struct ferry_error *err);

/* A mark per id: what a walker has visited. */
struct ferry_marks {
	uint64_t *bits;
	uint32_t n;
};

FERRY_API int ferry_marks_init(struct ferry_marks *m,
			       const struct ferry_store *store);
FERRY_API void ferry_marks_release(struct ferry_marks *m);

/* Mark the value; true when it was marked before.  No identity: false. */
static inline bool ferry_mark(struct ferry_marks *m,
			      const struct ferry_value *v)
{
	uint64_t bit = UINT64_C(1) << (v->id & 63);
	uint64_t *word;

	if (!v->id || v->id > m->n)
		return false;
	word = &m->bits[v->id >> 6];
	if (*word & bit)
		return true;
	*word |= bit;
	return false;
}

/*
 * Tensors that were met, of one store.  Those of one dtype, offset and number
 * of elements in one storage are the same bytes, to be counted once; what has
 * no storage is never met before.  NOMEM alone is an error.
 */
struct ferry_views;

FERRY_API int ferry_views_new(struct ferry_views **out,
			      const struct ferry_store *store);
FERRY_API void ferry_views_free(struct ferry_views *v);
FERRY_API int ferry_views_meet(struct ferry_views *v,
			       const struct ferry_tensor *t, bool *before);

FERRY_END

#endif
