/*
 * torch's names for element types and for the storage classes that stand for
 * them in persistent ids.
 *
 * Source: torch/storage.py, _dtype_to_storage_type_map() (frozen upstream) and
 * _new_dtypes().
 */
#ifndef FORMATS_TORCH_DTYPE_H
#define FORMATS_TORCH_DTYPE_H

#include <stddef.h>

#include <ferry/dtype.h>

struct torch_dtype {
	enum ferry_dtype dtype;
	const char *name;	/* torch.<name> */
	const char *storage;	/* torch.<storage>, or NULL: untyped only */
	unsigned itemsize;	/* bytes torch counts an element of a storage */
};

/* NULL: torch has no such dtype. */
const struct torch_dtype *torch_dtype_find(enum ferry_dtype dtype);
/* By name or by an alias of it ("float", "half", ...). */
const struct torch_dtype *torch_dtype_named(const char *name, size_t n);
/*
 * By storage class; as torch does, by its last name whatever the module.
 * *untyped tells that it is a storage of plain bytes (the dtype is then U8).
 */
const struct torch_dtype *torch_dtype_of_storage(const char *name, size_t n,
						 bool *untyped);

#endif
