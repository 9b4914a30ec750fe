/*
 * Reading tensors: sizes, names, data.
 */
#ifndef FERRY_TENSOR_H
#define FERRY_TENSOR_H

#include <ferry/value.h>

FERRY_BEGIN

/* Elements: the product of the shape; never overflows on a checked tensor. */
FERRY_API uint64_t ferry_tensor_nelem(const struct ferry_tensor *t);

/* Bytes of the elements laid out densely in C order. */
FERRY_API uint64_t ferry_tensor_nbytes(const struct ferry_tensor *t);

/* Dense and in C order (strides of dimensions of size 1 do not matter). */
FERRY_API bool ferry_tensor_is_contiguous(const struct ferry_tensor *t);

/*
 * Shape, strides and offset against the storage, with checked arithmetic.
 * Returns 0, FERRY_MALFORMED, or FERRY_LIMIT for a rank above FERRY_MAX_RANK.
 * `what` names the tensor in the message.
 */
FERRY_API int ferry_tensor_check(const struct ferry_tensor *t, const char *what,
				 struct ferry_error *err);

/*
 * Read elements [first, first + nelem) in C order, densely, with CONJ and NEG
 * applied.  buf holds nelem elements.  For a packed dtype first and nelem must
 * fall on byte boundaries.
 *
 * Thread: safe, for one tensor and one source too.
 */
FERRY_API int ferry_tensor_read(const struct ferry_tensor *t, uint64_t first,
				uint64_t nelem, void *buf,
				struct ferry_error *err);

/*
 * Every place of a document where a tensor (or storage) stands, in document
 * order, with a name that is unique in the document.
 *
 * The name is the document path: dict keys and indices joined by ".", so a
 * plain state dict gives its own keys.  A key that is neither a string nor an
 * integer, and arguments and state of objects, give readable components
 * ("(1,a)", "args.0"); where two places would get one name, the later gets
 * "#2", "#3", ... appended.  Names above 1 KiB are whole while they add up to
 * less than 64 MiB and none is above 16 KiB; others are cut, ending in "...".
 * Each value is entered once: a second path to a shared container gives no
 * second set of places, but a second place of a shared tensor is listed, with
 * `same` telling the first.
 */
struct ferry_place {
	const char *name;		/* NUL-terminated, NUL in keys as \0 */
	struct ferry_value *value;	/* TENSOR or STORAGE (payloads followed) */
	struct ferry_value *holder;	/* what stands at the place itself: an
					 * OBJECT around the tensor, or value */
	uint32_t same;			/* index of the first place of the same
					 * value; its own index if the first */
};

struct ferry_places {
	struct ferry_place *items;
	size_t n;
	void *owner;			/* private */
};

FERRY_API int ferry_places_init(struct ferry_places *out,
				struct ferry_document *doc,
				struct ferry_error *err);
FERRY_API void ferry_places_release(struct ferry_places *places);

FERRY_END

#endif
