/*
 * Inside of the model: how values are carved out of a store.
 *
 * The arena is a list of blocks that grow from 64 KiB to 4 MiB; memory is taken
 * from the newest by moving a cursor.  What is larger than a part of a block
 * has a block of its own, which an array that grows can have resized.
 */
#ifndef CORE_MODEL_STORE_H
#define CORE_MODEL_STORE_H

#include <ferry/sys/build.h>

struct store_block {
	struct store_block *next, *prev;
	uint64_t nbytes;		/* with this head */
	uint64_t reserved;		/* the data are 16-byte aligned */
};

struct ferry_store {
	char *cursor, *end;		/* the room left in the newest block */
	struct store_block *blocks;	/* those with a cursor, and .. */
	struct store_block *large;	/* .. those of one allocation */
	uint64_t nbytes;
	uint32_t ids, storage_ids;
	unsigned refs;
	struct ferry_source **sources;
	size_t n_sources, cap_sources;
	const char *const *schema_dirs;	/* of a session; NULL: of none */
	size_t n_schema_dirs;
};

void *ferry_store_alloc_slow(struct ferry_store *store, size_t nbytes);

static inline void *store_alloc(struct ferry_store *store, size_t nbytes)
{
	size_t room = (size_t)(store->end - store->cursor);
	char *p = store->cursor;

	nbytes = (nbytes + 15) & ~(size_t)15;
	if (nbytes > room || !nbytes)
		return ferry_store_alloc_slow(store, nbytes);
	store->cursor += nbytes;
	return p;
}

/* A zeroed value with an id; NULL when memory, or ids, are out. */
static inline struct ferry_value *store_value(struct ferry_store *store,
					      enum ferry_kind kind)
{
	struct ferry_value *v = store_alloc(store, sizeof(*v));

	if (!v || store->ids == UINT32_MAX)
		return NULL;
	*v = (struct ferry_value){ .kind = (uint8_t)kind,
				   .id = ++store->ids };
	return v;
}

/* A value of a kind that has no identity. */
static inline struct ferry_value *store_scalar(struct ferry_store *store,
					       enum ferry_kind kind)
{
	struct ferry_value *v = store_alloc(store, sizeof(*v));

	if (v)
		*v = (struct ferry_value){ .kind = (uint8_t)kind };
	return v;
}

/*
 * An array that was made by this function (or NULL, with n of 0) made larger,
 * in place where it can be; the old memory is not to be used any more.
 */
void *ferry_store_grow_array(struct ferry_store *store, void *old, size_t n_old,
			     size_t n, size_t size);

/* Give such an array up; small ones stay until the store goes. */
void ferry_store_drop_array(struct ferry_store *store, void *old, size_t n,
			    size_t size);

#endif
