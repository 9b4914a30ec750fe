/* The map of byte strings. */
#include "config.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <ferry/error.h>
#include <ferry/sys/alloc.h>
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

Test(map, add_leaves_what_is_there)
{
	struct ferry_map map = FERRY_MAP_INIT;
	uint64_t known = 77;
	char key[] = "a", same[] = "a";

	cr_assert_eq(ferry_map_add(&map, key, 1, 1, &known), 0);
	cr_assert_eq(known, 77);
	cr_assert_eq(ferry_map_add(&map, same, 1, 2, &known), 1);
	cr_assert_eq(known, 1);
	cr_assert_eq(ferry_map_add(&map, same, 1, 3, NULL), 1);
	same[0] = 'b';
	cr_assert(ferry_map_get(&map, "a", 1, &known) && known == 1);
	cr_assert(!ferry_map_get(&map, "b", 1, NULL));
	cr_assert_eq(map.n, 1);
	ferry_map_release(&map);
}

Test(map, room_that_was_reserved_is_enough)
{
	struct ferry_map map = FERRY_MAP_INIT;
	uint64_t value;
	size_t cap;

	cr_assert_eq(ferry_map_reserve(&map, 0), 0);
	cr_assert_null(map.slots);
	cr_assert_eq(ferry_map_put(&map, "first", 5, 7), 0);
	cr_assert_eq(ferry_map_reserve(&map, N + 1), 0);
	cap = map.cap;
	ferry_alloc_fail_at(1);
	fill(&map);
	cr_assert_eq(ferry_map_reserve(&map, N), 0);
	ferry_alloc_fail_at(0);
	cr_assert_eq(map.cap, cap);
	cr_assert_eq(map.n, N + 1);
	cr_assert(ferry_map_get(&map, "first", 5, &value) && value == 7);
	ferry_map_release(&map);
}

Test(map, room_beyond_memory_is_refused)
{
	static const size_t most[] = {
		SIZE_MAX, SIZE_MAX / 2, SIZE_MAX / 2 + 1, SIZE_MAX / 4,
		SIZE_MAX / 8,
	};
	struct ferry_map map = FERRY_MAP_INIT;
	uint64_t value;

	cr_assert_eq(ferry_map_put(&map, "a", 1, 1), 0);
	for (size_t i = 0; i < sizeof(most) / sizeof(most[0]); i++)
		cr_assert_eq(ferry_map_reserve(&map, most[i]), FERRY_NOMEM);
	ferry_alloc_fail_at(1);
	cr_assert_eq(ferry_map_reserve(&map, 100), FERRY_NOMEM);
	ferry_alloc_fail_at(0);
	cr_assert(ferry_map_get(&map, "a", 1, &value) && value == 1);
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
