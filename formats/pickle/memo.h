/*
 * The memo of a pickle: numbers by index.  Indices that follow on one another
 * lie in an array, the rest in a map, so that its memory is bounded by the
 * number of entries whatever the indices are.
 */
#ifndef FORMATS_PICKLE_MEMO_H
#define FORMATS_PICKLE_MEMO_H

#include <ferry/sys/build.h>
#include <ferry/sys/map.h>

struct pickle_memo {
	struct ferry_store *store;	/* holds the keys of the map */
	uint64_t *dense;		/* 0: no entry */
	size_t cap;
	uint64_t n;			/* entries, dense and sparse */
	struct ferry_map sparse;
};

void pickle_memo_release(struct pickle_memo *memo);

int pickle_memo_put_slow(struct pickle_memo *memo, uint64_t index,
			 uint64_t entry);
uint64_t pickle_memo_get_sparse(const struct pickle_memo *memo, uint64_t index);

/* entry is not 0.  0 or FERRY_NOMEM. */
static inline int pickle_memo_put(struct pickle_memo *memo, uint64_t index,
				  uint64_t entry)
{
	if (index >= memo->cap || (!memo->dense[index] && memo->sparse.n))
		return pickle_memo_put_slow(memo, index, entry);
	memo->n += !memo->dense[index];
	memo->dense[index] = entry;
	return 0;
}

/* 0: there is none. */
static inline uint64_t pickle_memo_get(const struct pickle_memo *memo,
				       uint64_t index)
{
	if (index < memo->cap && memo->dense[index])
		return memo->dense[index];
	return pickle_memo_get_sparse(memo, index);
}

#endif
