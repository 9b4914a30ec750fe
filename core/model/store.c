/* The arena. */
#include "config.h"

#include "core/model/store.h"

#include <string.h>

#include <ferry/sys/alloc.h>

enum {
	FIRST_BLOCK = 64 << 10,
	LAST_BLOCK = 4 << 20,
	LARGE = 32 << 10,	/* from here on: a block of its own */
};

int ferry_store_new(struct ferry_store **out, struct ferry_error *err)
{
	struct ferry_store *store = ferry_alloc_zero(1, sizeof(*store));

	if (!store)
		return ferry_fail_nomem(err, "a document");
	store->refs = 1;
	*out = store;
	return 0;
}

struct ferry_store *ferry_store_ref(struct ferry_store *store)
{
	store->refs++;
	return store;
}

static void free_blocks(struct store_block *block)
{
	struct store_block *next;

	for (; block; block = next) {
		next = block->next;
		ferry_alloc_free(block);
	}
}

/* Sources go first and in reverse: a later one may compute over an earlier
 * one, or over tensors in the arena. */
void ferry_store_unref(struct ferry_store *store)
{
	if (!store || --store->refs)
		return;
	while (store->n_sources)
		ferry_source_unref(store->sources[--store->n_sources]);
	ferry_alloc_free(store->sources);
	free_blocks(store->blocks);
	free_blocks(store->large);
	ferry_alloc_free(store);
}

static void link_block(struct store_block **list, struct store_block *block)
{
	block->prev = NULL;
	block->next = *list;
	if (*list)
		(*list)->prev = block;
	*list = block;
}

static void *alloc_large(struct ferry_store *store, size_t nbytes)
{
	struct store_block *block;
	size_t whole;

	if (__builtin_add_overflow(nbytes, sizeof(*block), &whole))
		return NULL;
	block = ferry_alloc(whole);
	if (!block)
		return NULL;
	block->nbytes = whole;
	store->nbytes += whole;
	link_block(&store->large, block);
	return block + 1;
}

/* Blocks grow with the arena: never more than half of it lies idle. */
static bool add_block(struct ferry_store *store)
{
	struct store_block *block;
	size_t whole = FIRST_BLOCK;

	while (whole < LAST_BLOCK && whole < store->nbytes)
		whole *= 2;
	block = ferry_alloc(whole);
	if (!block)
		return false;
	block->nbytes = whole;
	store->nbytes += whole;
	link_block(&store->blocks, block);
	store->cursor = (char *)(block + 1);
	store->end = (char *)block + whole;
	return true;
}

/* nbytes is a multiple of 16, or has wrapped to 0. */
void *ferry_store_alloc_slow(struct ferry_store *store, size_t nbytes)
{
	char *p;

	if (!nbytes)
		return NULL;
	if (nbytes >= LARGE)
		return alloc_large(store, nbytes);
	if (!add_block(store))
		return NULL;
	p = store->cursor;
	store->cursor += nbytes;
	return p;
}

void *ferry_store_alloc(struct ferry_store *store, size_t nbytes)
{
	return store_alloc(store, nbytes ? nbytes : 1);
}

void *ferry_store_array(struct ferry_store *store, size_t n, size_t size)
{
	size_t nbytes;

	if (__builtin_mul_overflow(n, size, &nbytes))
		return NULL;
	return ferry_store_alloc(store, nbytes);
}

char *ferry_store_strndup(struct ferry_store *store, const char *s, size_t n)
{
	char *copy = n < SIZE_MAX ? ferry_store_alloc(store, n + 1) : NULL;

	if (!copy)
		return NULL;
	if (n)
		memcpy(copy, s, n);
	copy[n] = '\0';
	return copy;
}

static void *resize_large(struct ferry_store *store, void *old, size_t nbytes)
{
	struct store_block *block = (struct store_block *)old - 1;
	size_t whole;

	if (__builtin_add_overflow(nbytes, sizeof(*block), &whole))
		return NULL;
	block = ferry_alloc_resize(block, whole, 1);
	if (!block)
		return NULL;
	store->nbytes += whole - block->nbytes;
	block->nbytes = whole;
	if (block->prev)
		block->prev->next = block;
	else
		store->large = block;
	if (block->next)
		block->next->prev = block;
	return block + 1;
}

/*
 * Arrays from LARGE bytes up are always alone in their block, smaller ones
 * never are: so the size tells how to resize.
 */
void *ferry_store_grow_array(struct ferry_store *store, void *old, size_t n_old,
			     size_t n, size_t size)
{
	size_t before = (n_old * size + 15) & ~(size_t)15;
	size_t after;
	void *p;

	if (__builtin_mul_overflow(n, size, &after) || after > SIZE_MAX - 64)
		return NULL;
	after = (after + 15) & ~(size_t)15;
	if (before >= LARGE)
		return resize_large(store, old, after);
	if (after >= LARGE) {
		p = alloc_large(store, after);
	} else if (before && (char *)old + before == store->cursor &&
		   after - before <= (size_t)(store->end - store->cursor)) {
		store->cursor += after - before;
		return old;
	} else {
		p = store_alloc(store, after);
	}
	if (p && before)
		memcpy(p, old, n_old * size);
	return p;
}

void ferry_store_drop_array(struct ferry_store *store, void *old, size_t n,
			    size_t size)
{
	struct store_block *block = (struct store_block *)old - 1;

	if (((n * size + 15) & ~(size_t)15) < LARGE)
		return;
	if (block->prev)
		block->prev->next = block->next;
	else
		store->large = block->next;
	if (block->next)
		block->next->prev = block->prev;
	store->nbytes -= block->nbytes;
	ferry_alloc_free(block);
}

int ferry_store_take_source(struct ferry_store *store, struct ferry_source *src)
{
	size_t cap = store->cap_sources ? 2 * store->cap_sources : 8;
	struct ferry_source **sources;

	if (store->n_sources == store->cap_sources) {
		sources = ferry_alloc_resize(store->sources, cap,
					     sizeof(struct ferry_source *));
		if (!sources)
			return FERRY_NOMEM;
		store->sources = sources;
		store->cap_sources = cap;
	}
	store->sources[store->n_sources++] = src;
	return 0;
}

uint32_t ferry_store_ids(const struct ferry_store *store)
{
	return store->ids;
}

uint32_t ferry_store_storage_ids(const struct ferry_store *store)
{
	return store->storage_ids;
}

uint64_t ferry_store_nbytes(const struct ferry_store *store)
{
	return store->nbytes;
}
