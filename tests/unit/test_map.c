/* The map of byte strings. */
#include "config.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <ferry/sys/map.h>

enum { N = 20000 };

static char keys[N][16];

static void fill(struct ferry_map *map)
{
	for (unsigned i = 0; i < N; i++) {
		snprintf(keys[i], sizeof(keys[i]), "key%u", i);
		cr_assert_eq(ferry_map_put(map, keys[i], strlen(keys[i]), i),
			     0);
	}
}

Test(map, finds_what_was_put)
{
	struct ferry_map map = FERRY_MAP_INIT;
	uint64_t value = 77;

	cr_assert(!ferry_map_get(&map, "x", 1, &value));
	cr_assert(!ferry_map_remove(&map, "x", 1));
	fill(&map);
	cr_assert_eq(map.n, N);
	for (unsigned i = 0; i < N; i++) {
		cr_assert(ferry_map_get(&map, keys[i], strlen(keys[i]),
					&value));
		cr_assert_eq(value, i);
	}
	cr_assert(!ferry_map_get(&map, "key", 3, &value));
	cr_assert_eq(value, N - 1);
	ferry_map_release(&map);
	cr_assert_null(map.slots);
}

Test(map, a_key_is_bytes_and_is_replaced)
{
	struct ferry_map map = FERRY_MAP_INIT;
	uint64_t value;

	cr_assert_eq(ferry_map_put(&map, "a\0b", 3, 1), 0);
	cr_assert_eq(ferry_map_put(&map, "a\0c", 3, 2), 0);
	cr_assert_eq(ferry_map_put(&map, NULL, 0, 3), 0);
	cr_assert_eq(ferry_map_put(&map, "a\0b", 3, 4), 0);
	cr_assert_eq(map.n, 3);
	cr_assert(ferry_map_get(&map, "a\0b", 3, &value) && value == 4);
	cr_assert(ferry_map_get(&map, "a\0c", 3, &value) && value == 2);
	cr_assert(ferry_map_get(&map, "", 0, &value) && value == 3);
	ferry_map_release(&map);
}

Test(map, removal_keeps_the_others)
{
	struct ferry_map map = FERRY_MAP_INIT;
	uint64_t value;

	fill(&map);
	for (unsigned i = 0; i < N; i += 3)
		cr_assert(ferry_map_remove(&map, keys[i], strlen(keys[i])));
	for (unsigned i = 0; i < N; i++) {
		bool there = ferry_map_get(&map, keys[i], strlen(keys[i]),
					   &value);

		cr_assert_eq(there, i % 3 != 0);
		if (there)
			cr_assert_eq(value, i);
	}
	ferry_map_release(&map);
}

Test(map, hash_depends_on_every_byte_and_the_length)
{
	uint8_t data[40] = { 0 };
	uint64_t plain;

	for (size_t n = 0; n < sizeof(data); n++) {
		plain = ferry_hash(data, n);
		cr_assert_eq(plain, ferry_hash(data, n));
		cr_assert_neq(plain, ferry_hash(data, n + 1));
		for (size_t i = 0; i < n; i++) {
			data[i] = 1;
			cr_assert_neq(plain, ferry_hash(data, n));
			data[i] = 0;
		}
	}
}
