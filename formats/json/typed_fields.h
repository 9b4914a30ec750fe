/*
 * The members of a tensor's JSON object that formats which store data elsewhere
 * add to typed JSON, and the storages they describe.  doc/formats/json.md and
 * doc/formats/safetensors.md say what each means.
 *
 * Thread: safe on distinct objects.
 */
#ifndef FORMATS_JSON_TYPED_FIELDS_H
#define FORMATS_JSON_TYPED_FIELDS_H

#include <ferry/tensor.h>

struct typed_fields {
	enum ferry_dtype dtype, storage_dtype;	/* NONE: unsaid */
	bool has_shape, has_strides, untyped, conj, neg;
	bool grouped;		/* looks into storage `group` of `nbytes` */
	bool storage;		/* a STORAGE, not a TENSOR */
	unsigned ndim;		/* of shape, or of strides without a shape */
	uint64_t shape[FERRY_MAX_RANK], strides[FERRY_MAX_RANK];
	uint64_t group, nbytes, offset;		/* bytes; offset: elements */
};

/* NULL, or what is wrong with them, to follow "tensor 'x': ". */
const char *typed_fields_read(struct typed_fields *out,
			      const struct ferry_value *members);

/*
 * What a file's document makes of its data.  Storages may be longer than the
 * tensors in them, not boundlessly so: what no tensor covers is made up of
 * zeros, and a file of a few bytes could say terabytes of them.
 */
struct typed_sizes {
	uint64_t made;		/* bytes of all storages; stays at the limit */
	uint64_t stored;	/* bytes of data, each counted once */
};

void typed_sizes_add(struct typed_sizes *s, uint64_t made, uint64_t stored);
/* False: more than 4 GiB, and more than 100 times the data. */
bool typed_sizes_are_sane(const struct typed_sizes *s);

#endif
