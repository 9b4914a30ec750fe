/* The memo of a pickle. */
#include "config.h"

#include "formats/pickle/memo.h"

#include <string.h>

#include <ferry/sys/alloc.h>

/* How far past the number of entries the array may reach. */
enum {
	SLACK = 1024,
};

void pickle_memo_release(struct pickle_memo *memo)
{
	ferry_alloc_free(memo->dense);
	ferry_map_release(&memo->sparse);
}

static int widen(struct pickle_memo *memo, uint64_t index)
{
	size_t cap = memo->cap ? memo->cap : SLACK;
	uint64_t *dense;

	while (cap <= index)
		cap *= 2;
	dense = ferry_alloc_resize(memo->dense, cap, sizeof(*dense));
	if (!dense)
		return FERRY_NOMEM;
	memset(dense + memo->cap, 0, (cap - memo->cap) * sizeof(*dense));
	memo->dense = dense;
	memo->cap = cap;
	return 0;
}

static int put_sparse(struct pickle_memo *memo, uint64_t index, uint64_t entry)
{
	uint64_t *key = &index;

	if (!ferry_map_get(&memo->sparse, key, sizeof(*key), NULL)) {
		key = ferry_store_alloc(memo->store, sizeof(*key));
		if (!key)
			return FERRY_NOMEM;
		*key = index;
		memo->n++;
	}
	return ferry_map_put(&memo->sparse, key, sizeof(*key), entry);
}

int pickle_memo_put_slow(struct pickle_memo *memo, uint64_t index,
			 uint64_t entry)
{
	if (index > 2 * memo->n + SLACK)
		return put_sparse(memo, index, entry);
	if (index >= memo->cap && widen(memo, index))
		return FERRY_NOMEM;
	/* an entry in the map from before the array reached here */
	if (memo->sparse.n &&
	    ferry_map_remove(&memo->sparse, &index, sizeof(index)))
		memo->n--;
	memo->dense[index] = entry;
	memo->n++;
	return 0;
}

uint64_t pickle_memo_get_sparse(const struct pickle_memo *memo, uint64_t index)
{
	uint64_t entry = 0;

	if (memo->sparse.n)
		ferry_map_get(&memo->sparse, &index, sizeof(index), &entry);
	return entry;
}
