/* Open addressing with linear probes; removal shifts back, so there are no
 * tombstones. */
#include "config.h"

#include <ferry/sys/map.h>

#include <string.h>

#include <ferry/error.h>
#include <ferry/sys/alloc.h>

enum {
	FIRST_SLOTS = 16,	/* a power of two, as the sizes after it */
};

struct ferry_map_slot {
	const void *key;
	size_t n;
	uint64_t hash;		/* 0: the slot is free */
	uint64_t value;
};

static uint64_t slot_hash(const void *key, size_t n)
{
	uint64_t hash = ferry_hash(key, n);

	return hash ? hash : 1;
}

/* The slot that holds the key, or the free one where it belongs. */
static struct ferry_map_slot *probe(const struct ferry_map *map, uint64_t hash,
				    const void *key, size_t n)
{
	size_t i = hash & (map->cap - 1);
	struct ferry_map_slot *slot;

	for (;; i = (i + 1) & (map->cap - 1)) {
		slot = &map->slots[i];
		if (!slot->hash)
			return slot;
		if (slot->hash == hash && slot->n == n &&
		    (!n || !memcmp(slot->key, key, n)))
			return slot;
	}
}

/* A quarter of the slots stays free. */
static size_t room(size_t cap)
{
	return cap - cap / 4;
}

int ferry_map_reserve(struct ferry_map *map, size_t n)
{
	struct ferry_map wide = { .n = map->n, .cap = FIRST_SLOTS };
	struct ferry_map_slot *slot;

	if (n <= room(map->cap))
		return 0;
	for (; room(wide.cap) < n; wide.cap *= 2)
		if (wide.cap > SIZE_MAX / 2 / sizeof(*slot))
			return FERRY_NOMEM;
	wide.slots = ferry_alloc_zero(wide.cap, sizeof(*wide.slots));
	if (!wide.slots)
		return FERRY_NOMEM;
	for (size_t i = 0; i < map->cap; i++) {
		slot = &map->slots[i];
		if (slot->hash)
			*probe(&wide, slot->hash, slot->key, slot->n) = *slot;
	}
	ferry_alloc_free(map->slots);
	*map = wide;
	return 0;
}

/* The slot of the key, which it takes with that value when it is new; NULL when
 * memory is out. */
static struct ferry_map_slot *take_slot(struct ferry_map *map, const void *key,
					size_t n, uint64_t value, bool *is_new)
{
	uint64_t hash = slot_hash(key, n);
	struct ferry_map_slot *slot;

	if (map->n == room(map->cap) && ferry_map_reserve(map, map->n + 1))
		return NULL;
	slot = probe(map, hash, key, n);
	*is_new = !slot->hash;
	if (*is_new) {
		*slot = (struct ferry_map_slot){ key, n, hash, value };
		map->n++;
	}
	return slot;
}

int ferry_map_put(struct ferry_map *map, const void *key, size_t n,
		  uint64_t value)
{
	struct ferry_map_slot *slot;
	bool is_new;

	slot = take_slot(map, key, n, value, &is_new);
	if (!slot)
		return FERRY_NOMEM;
	slot->value = value;
	return 0;
}

int ferry_map_add(struct ferry_map *map, const void *key, size_t n,
		  uint64_t value, uint64_t *known)
{
	struct ferry_map_slot *slot;
	bool is_new;

	slot = take_slot(map, key, n, value, &is_new);
	if (!slot)
		return FERRY_NOMEM;
	if (!is_new && known)
		*known = slot->value;
	return !is_new;
}

bool ferry_map_get(const struct ferry_map *map, const void *key, size_t n,
		   uint64_t *out)
{
	struct ferry_map_slot *slot;

	if (!map->n)
		return false;
	slot = probe(map, slot_hash(key, n), key, n);
	if (!slot->hash)
		return false;
	if (out)
		*out = slot->value;
	return true;
}

bool ferry_map_remove(struct ferry_map *map, const void *key, size_t n)
{
	size_t mask = map->cap - 1, hole, home;
	struct ferry_map_slot *slot;

	if (!map->n)
		return false;
	slot = probe(map, slot_hash(key, n), key, n);
	if (!slot->hash)
		return false;
	hole = (size_t)(slot - map->slots);
	for (size_t i = (hole + 1) & mask; map->slots[i].hash;
	     i = (i + 1) & mask) {
		home = map->slots[i].hash & mask;
		if (((i - home) & mask) < ((i - hole) & mask))
			continue;
		map->slots[hole] = map->slots[i];
		hole = i;
	}
	map->slots[hole].hash = 0;
	map->n--;
	return true;
}

void ferry_map_release(struct ferry_map *map)
{
	ferry_alloc_free(map->slots);
	*map = (struct ferry_map)FERRY_MAP_INIT;
}
