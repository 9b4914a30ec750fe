/* Open addressing with linear probes; removal shifts back, so there are no
 * tombstones. */
#include "config.h"

#include <ferry/sys/map.h>

#include <string.h>

#include <ferry/error.h>
#include <ferry/sys/alloc.h>

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

static int grow(struct ferry_map *map)
{
	struct ferry_map wide = { .n = map->n };
	struct ferry_map_slot *slot;

	wide.cap = map->cap ? 2 * map->cap : 16;
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

int ferry_map_put(struct ferry_map *map, const void *key, size_t n,
		  uint64_t value)
{
	uint64_t hash = slot_hash(key, n);
	struct ferry_map_slot *slot;

	if (4 * (map->n + 1) > 3 * map->cap && grow(map))
		return FERRY_NOMEM;
	slot = probe(map, hash, key, n);
	if (!slot->hash) {
		*slot = (struct ferry_map_slot){ key, n, hash, value };
		map->n++;
	}
	slot->value = value;
	return 0;
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
