/* Which pairs of values were compared already: open addressing. */
#include "config.h"

#include "cli/pairs.h"

#include <stddef.h>
#include <stdlib.h>

#include "cli/memory.h"

struct slot {
	uint64_t key;		/* 0: free */
	unsigned char result;
};

struct cli_pairs {
	struct slot *slots;
	size_t n, cap;		/* cap is a power of two */
};

struct cli_pairs *cli_pairs_new(void)
{
	struct cli_pairs *p = cli_array(1, sizeof(*p));

	p->cap = 1024;
	p->slots = cli_array(p->cap, sizeof(*p->slots));
	return p;
}

void cli_pairs_free(struct cli_pairs *p)
{
	if (!p)
		return;
	free(p->slots);
	free(p);
}

static struct slot *find(const struct cli_pairs *p, uint64_t key)
{
	uint64_t hash = key * UINT64_C(0x9e3779b97f4a7c15);
	size_t i = (size_t)(hash >> 20) & (p->cap - 1);

	while (p->slots[i].key && p->slots[i].key != key)
		i = (i + 1) & (p->cap - 1);
	return &p->slots[i];
}

static void widen(struct cli_pairs *p)
{
	struct cli_pairs old = *p;

	p->cap *= 2;
	p->slots = cli_array(p->cap, sizeof(*p->slots));
	for (size_t i = 0; i < old.cap; i++)
		if (old.slots[i].key)
			*find(p, old.slots[i].key) = old.slots[i];
	free(old.slots);
}

unsigned char *cli_pairs_at(struct cli_pairs *p, uint32_t a, uint32_t b)
{
	uint64_t key = (uint64_t)a << 32 | b;
	struct slot *slot;

	if (!a || !b)
		return NULL;
	if (2 * (p->n + 1) > p->cap)
		widen(p);
	slot = find(p, key);
	if (!slot->key) {
		slot->key = key;
		p->n++;
	}
	return &slot->result;
}
