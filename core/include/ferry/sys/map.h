/*
 * A hash map from byte strings to 64-bit numbers (an index, or a pointer), with
 * a keyed hash so that a hostile file can't choose collisions.  Keys are
 * borrowed: the caller keeps them alive as long as the map.
 */
#ifndef FERRY_SYS_MAP_H
#define FERRY_SYS_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ferry/api.h>

FERRY_BEGIN

struct ferry_map_slot;

struct ferry_map {
	struct ferry_map_slot *slots;
	size_t n, cap;
};

#define FERRY_MAP_INIT { 0 }

/* 0, or FERRY_NOMEM.  An existing key gets the new value. */
FERRY_API int ferry_map_put(struct ferry_map *map, const void *key, size_t n,
			    uint64_t value);
/* Put a key unless it is there.  0: it was put; 1: it is there, and *known (may
 * be NULL) is its value; or FERRY_NOMEM. */
FERRY_API int ferry_map_add(struct ferry_map *map, const void *key, size_t n,
			    uint64_t value, uint64_t *known);
/* Room for n keys in all: up to that number, no put or add needs memory.  0, or
 * FERRY_NOMEM. */
FERRY_API int ferry_map_reserve(struct ferry_map *map, size_t n);
/* False when absent; *out (may be NULL) is set only when found. */
FERRY_API bool ferry_map_get(const struct ferry_map *map, const void *key,
			     size_t n, uint64_t *out);
FERRY_API bool ferry_map_remove(struct ferry_map *map, const void *key,
				size_t n);
FERRY_API void ferry_map_release(struct ferry_map *map);

/* The keyed hash itself (the key is drawn once per process). */
FERRY_API uint64_t ferry_hash(const void *data, size_t n);

FERRY_END

#endif
