/*
 * Calls that rebuild tensors: what torch.Tensor.__reduce_ex__ of every release
 * wrote, interpreted.
 *
 * torch_rebuild_reduce() is a `reduce` callback of the pickle reader.  It makes
 *
 *	TENSORs of _rebuild_tensor, _v2 and _v3, _rebuild_qtensor,
 *	_rebuild_meta_tensor_no_storage, and of a tensor class built with the
 *	4-tuple of the first releases;
 *	OBJECTs with a payload of what merely decorates a tensor: parameters,
 *	tensors of other devices, and _rebuild_from_type(_v2), whose inner
 *	arguments (args[2]) become the value they rebuild, unless they are
 *	themselves such a call's;
 *	plain values of TorchScript's container tags;
 *	numpy TENSORs (pickle_numpy_reduce()).
 *
 * Everything else stays the OBJECT it is, with the tensors inside it.
 *
 * A tensor's extra has under "torch": "quantizer" (the TUPLE of a quantised
 * tensor), "hooks" and "metadata" (what they were, where they are not empty and
 * not the conjugate and negative bits).
 */
#ifndef FORMATS_TORCH_REBUILD_H
#define FORMATS_TORCH_REBUILD_H

#include <ferry/findings.h>
#include <ferry/sys/build.h>
#include <ferry/sys/map.h>

struct torch_view {
	struct ferry_storage *part;	/* what the id stood for */
	struct ferry_storage *root;
	uint64_t offset;		/* of part in root, in elements */
};

struct torch_rebuild {
	struct ferry_store *store;
	struct ferry_findings *findings;	/* may be NULL */
	bool big_endian;
	bool warned;
	/* Untyped storages of a big-endian file by their id: the unit by which
	 * their bytes were swapped. */
	struct ferry_map units;
	/* Views of storages (only streams and tars have them), by part->id. */
	struct ferry_map views_by_id;
	struct torch_view *views;
	size_t n_views, cap_views;
};

/* A GLOBAL that is one of the names of _rebuild_from_type(_v2). */
bool torch_rebuild_is_from_type(const struct ferry_value *callable);

/* Zero a struct torch_rebuild and set store and findings to begin. */
void torch_rebuild_release(struct torch_rebuild *rb);

int torch_rebuild_reduce(struct torch_rebuild *rb, struct ferry_store *store,
			 struct ferry_value *object, bool built,
			 struct ferry_value **out, struct ferry_error *err);

/*
 * Record that part is root from `offset` elements on: tensors over part become
 * tensors over root.  MALFORMED when part is not inside root.
 */
int torch_rebuild_add_view(struct torch_rebuild *rb, struct ferry_storage *part,
			   struct ferry_storage *root, uint64_t offset,
			   struct ferry_error *err);

/*
 * The tensor over storage with these dimensions, in elements; MALFORMED when it
 * reaches outside.
 */
int torch_rebuild_tensor(struct torch_rebuild *rb,
			 struct ferry_storage *storage, enum ferry_dtype dtype,
			 unsigned ndim, const uint64_t *shape,
			 const int64_t *strides, uint64_t offset,
			 struct ferry_value **out, struct ferry_error *err);

#endif
