/*
 * Between the parts of the npz codec.
 *
 * In the typed JSON of NPZ_DOCUMENT a tensor is named by its member without
 * ".npy".  Members of its JSON object, where the array does not say it:
 *
 *	dtype, shape	what the array's elements really are
 *	storage		a number: tensors with one number share a storage
 *	nbytes, storage_dtype, untyped	of that storage
 *	offset, strides	in elements, in that storage
 */
#ifndef FORMATS_NUMPY_NPZ_H
#define FORMATS_NUMPY_NPZ_H

#include "formats/numpy/array.h"
#include "formats/zip/zip.h"

/* Large BYTES of a document are members of their own: this and a number. */
#define NPZ_BYTES "__ferry__/bytes-"

/* Below this BYTES are part of the typed JSON. */
#define NPZ_BYTES_MIN 1024

/* An archive that is being read. */
struct npz_archive {
	struct zip *zip;
	struct ferry_store *store;
	const struct numpy_read_options *options;
	/* Bytes of array headers that may still be parsed: a deflated archive
	 * can hold any number of long ones in little room. */
	uint64_t header_nbytes;
};

/* The content of a member as a source of the store.  LIMIT for one that
 * inflates beyond all use. */
int npz_member_source(struct npz_archive *a, const struct zip_member *m,
		      struct ferry_source **out, struct ferry_error *err);

/* LIMIT for one that inflates beyond what shall become values in memory. */
int npz_check_values(const struct npz_archive *a, const struct zip_member *m,
		     struct ferry_error *err);

/* npy_header_read() against a->header_nbytes. */
int npz_header_read(struct npz_archive *a, struct ferry_source *src,
		    struct npy_header *out, struct ferry_error *err);

/* src must outlive it; members keep what they need of it. */
int npz_archive_open(struct npz_archive *a, struct ferry_source *src,
		     struct ferry_store *store,
		     const struct numpy_read_options *options,
		     struct ferry_error *err);
void npz_archive_close(struct npz_archive *a);

/* BYTES of a whole source of the store: in memory when small. */
int npz_bytes(struct ferry_store *store, struct ferry_source *src,
	      unsigned flags, struct ferry_value **out,
	      struct ferry_error *err);

/* The document that typed JSON in member m describes. */
int npz_document_read(struct npz_archive *a, const struct zip_member *m,
		      struct ferry_document *doc, struct ferry_value **out,
		      struct ferry_error *err);

/* The strides that reading the array gives, in elements. */
void npz_strides(const struct ferry_tensor *t, const struct npy_encoded *a,
		 int64_t *strides);

#endif
