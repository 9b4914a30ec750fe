/*
 * The header of one safetensors file: read and checked as the reference crate
 * does, and stricter in two places: a name given twice and an entry written as
 * an array are refused.
 */
#ifndef FORMATS_SAFETENSORS_HEADER_H
#define FORMATS_SAFETENSORS_HEADER_H

#include <ferry/sys/build.h>
#include <ferry/sys/map.h>
#include <ferry/sys/source.h>

#include "formats/safetensors/layout.h"

struct st_tensor {
	const char *name;	/* NUL-terminated; may hold NULs */
	uint32_t name_len;
	uint8_t dtype;		/* enum st_dtype */
	uint8_t ndim;
	const uint64_t *shape;
	uint64_t begin, end;	/* in the data */
	uint64_t entry;		/* offset of the entry in the file */
};

struct st_pair {		/* of __metadata__ */
	const char *key, *value;	/* NUL-terminated; may hold NULs */
	size_t key_len, value_len;
};

struct st_header {
	struct ferry_store *store;	/* of names, shapes and metadata */
	struct st_tensor *tensors;	/* in the order of the header */
	size_t n;
	struct st_pair *metadata;
	size_t n_metadata;
	struct ferry_map index;		/* name to its place in tensors */
	uint64_t data;			/* offset of the data in the file */
	uint64_t header_nbytes;		/* N */
};

/*
 * MALFORMED with the offset and the tensor's name.  *out holds nothing on
 * failure.  Reads the header alone, no tensor data.
 */
int st_header_read(struct st_header *out, struct ferry_source *src,
		   struct ferry_error *err);
void st_header_release(struct st_header *h);

/* The tensor of that name, or NULL. */
const struct st_tensor *st_header_find(const struct st_header *h,
				       const char *name, size_t n);
/* The metadata of that key, or NULL. */
const struct st_pair *st_header_metadata(const struct st_header *h,
					 const char *key);

#endif
