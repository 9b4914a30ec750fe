/*
 * One array of a .npy file or of a member of a .npz: its header, and the
 * layout its data has.
 */
#ifndef FORMATS_NUMPY_ARRAY_H
#define FORMATS_NUMPY_ARRAY_H

#include <ferry/sys/buffer.h>
#include <ferry/sys/build.h>

#include "formats/numpy/element.h"
#include "formats/numpy/numpy.h"

/* Headers beyond this are LIMIT.  numpy's own are some 100 bytes; a structured
 * dtype takes some 20 more for each field. */
#define NPY_HEADER_MAX (1 << 20)

struct npy_header {
	unsigned major, minor;
	bool fortran;
	unsigned ndim;
	uint64_t shape[FERRY_MAX_RANK];
	const struct ferry_value *descr;	/* STRING, LIST or TUPLE */
	uint64_t data;				/* offset of the data */
};

/* MALFORMED, UNSUPPORTED (a format version), LIMIT. */
int npy_header_read(struct ferry_source *src, struct ferry_store *store,
		    struct npy_header *out, struct ferry_error *err);

/*
 * The value of the array in src, which the store keeps.  `name` is a member's
 * name in findings and errors, "" for a file.
 */
int npy_array_read(struct ferry_source *src, const struct npy_header *header,
		   struct ferry_document *doc, const char *name,
		   const struct numpy_read_options *options,
		   struct ferry_value **out, struct ferry_error *err);

/* The data of an array of that descr is a pickle. */
bool npy_has_object(const struct ferry_value *descr);

/* Strict UTF-8: no surrogates, nothing overlong. */
bool npy_is_utf8(const char *text, size_t n);

/* How a tensor is stored. */
struct npy_encoded {
	char descr[ELEMENT_DESCR_MAX];
	unsigned ndim;
	uint64_t shape[FERRY_MAX_RANK];
	bool fortran;
	bool natural;	/* reading it gives this dtype and shape */
	bool exact;	/* and this extra */
	bool cast;	/* the elements are converted on the way */
};

/*
 * Decide that; no data is touched and nothing is made.  dtypes numpy lacks are
 * stored by their bytes.  UNSUPPORTED for a tensor without data.
 */
int npy_encode(const struct ferry_tensor *t,
	       const struct numpy_write_options *options,
	       struct npy_encoded *out, struct ferry_error *err);

/* The data as encoded: nbytes at *offset of *src, which is the store's. */
int npy_encoded_source(struct ferry_store *store, struct ferry_value *tensor,
		       const struct npy_encoded *encoded,
		       struct ferry_source **src, uint64_t *offset,
		       uint64_t *nbytes, struct ferry_error *err);

/* Magic, version and header, as the newest numpy lays them out; its length is
 * a multiple of 64. */
int npy_header_write(const struct npy_encoded *array, struct ferry_buffer *out,
		     struct ferry_error *err);

#endif
