/*
 * Dicts: pairs in order, and an open-addressing index of them once they are
 * more than a few.
 */
#include "config.h"

#include <ferry/sys/build.h>

#include <string.h>

#include "core/model/key.h"
#include "core/model/store.h"

enum {
	FEW = 8,		/* pairs that are searched without an index */
	FIRST_SLOTS = 32,
};

struct index_slot {
	uint32_t hash;
	uint32_t at;		/* pair, from 1; 0: free */
};

struct ferry_index {
	uint64_t n_slots;	/* a power of two */
	struct index_slot slots[];
};

static const uint32_t most_pairs = UINT32_MAX - 1;

struct ferry_value *ferry_dict(struct ferry_store *s, uint32_t cap)
{
	struct ferry_value *v = store_value(s, FERRY_DICT);

	if (!v || !cap)
		return v;
	v->u.dict.pairs = ferry_store_grow_array(s, NULL, 0, cap,
						 sizeof(struct ferry_pair));
	v->u.dict.cap = cap;
	return v->u.dict.pairs ? v : NULL;
}

static size_t index_nbytes(uint64_t n_slots)
{
	return sizeof(struct ferry_index) + n_slots * sizeof(struct index_slot);
}

static void index_add(struct ferry_index *index, uint32_t hash, uint32_t at)
{
	uint64_t mask = index->n_slots - 1, i = hash & mask;

	while (index->slots[i].at)
		i = (i + 1) & mask;
	index->slots[i] = (struct index_slot){ hash, at };
}

static struct ferry_index *index_new(struct ferry_store *s, uint64_t n_slots)
{
	struct ferry_index *index;

	index = ferry_store_grow_array(s, NULL, 0, index_nbytes(n_slots), 1);
	if (!index)
		return NULL;
	memset(index->slots, 0, n_slots * sizeof(struct index_slot));
	index->n_slots = n_slots;
	return index;
}

/* An index for the first n pairs, with room for as many again. */
static struct ferry_index *index_pairs(struct ferry_store *s,
				       const struct ferry_pair *pairs,
				       uint32_t n)
{
	uint64_t n_slots = FIRST_SLOTS;
	struct ferry_index *index;

	while (n_slots < 3 * (uint64_t)n)
		n_slots *= 2;
	index = index_new(s, n_slots);
	for (uint32_t i = 0; index && i < n; i++)
		index_add(index, (uint32_t)ferry_key_hash(pairs[i].key),
			  i + 1);
	return index;
}

static int index_grow(struct ferry_store *s, struct ferry_value *dict)
{
	struct ferry_index *old = dict->u.dict.index;
	struct ferry_index *index;
	struct index_slot *slot;

	index = old ? index_new(s, 2 * old->n_slots) :
		      index_pairs(s, dict->u.dict.pairs, dict->u.dict.n);
	if (!index)
		return FERRY_NOMEM;
	dict->u.dict.index = index;
	if (!old)
		return 0;
	for (uint64_t i = 0; i < old->n_slots; i++) {
		slot = &old->slots[i];
		if (slot->at)
			index_add(index, slot->hash, slot->at);
	}
	ferry_store_drop_array(s, old, index_nbytes(old->n_slots), 1);
	return 0;
}

/* Two strings of two lengths, as most keys that meet are. */
static bool differ(const struct ferry_value *a, const struct ferry_value *b)
{
	return a->kind == FERRY_STRING && b->kind == FERRY_STRING &&
	       a->u.s.nbytes != b->u.s.nbytes;
}

/* The pair with the key, or NULL. */
static struct ferry_pair *lookup(const struct ferry_value *dict,
				 const struct ferry_value *key, bool share)
{
	const struct ferry_index *index = dict->u.dict.index;
	struct ferry_pair *pairs = dict->u.dict.pairs;
	const struct index_slot *slot;
	uint64_t i;
	uint32_t hash;

	if (!index) {
		for (i = 0; i < dict->u.dict.n; i++)
			if (!differ(pairs[i].key, key) &&
			    ferry_key_same(pairs[i].key, key, share))
				return &pairs[i];
		return NULL;
	}
	hash = (uint32_t)ferry_key_hash(key);
	for (i = hash;; i++) {
		slot = &index->slots[i & (index->n_slots - 1)];
		if (!slot->at)
			return NULL;
		if (slot->hash == hash &&
		    ferry_key_same(pairs[slot->at - 1].key, key, share))
			return &pairs[slot->at - 1];
	}
}

static int reserve(struct ferry_store *s, struct ferry_value *dict)
{
	uint64_t cap = dict->u.dict.cap;
	struct ferry_pair *pairs;

	if (dict->u.dict.n == most_pairs)
		return FERRY_LIMIT;
	if (dict->u.dict.n == cap) {
		cap = cap ? 2 * cap : 4;
		if (cap > most_pairs)
			cap = most_pairs;
		pairs = ferry_store_grow_array(s, dict->u.dict.pairs,
					       dict->u.dict.cap, cap,
					       sizeof(*pairs));
		if (!pairs)
			return FERRY_NOMEM;
		dict->u.dict.pairs = pairs;
		dict->u.dict.cap = (uint32_t)cap;
	}
	if (dict->u.dict.n < FEW ||
	    (dict->u.dict.index && 3 * (uint64_t)(dict->u.dict.n + 1) <=
					   2 * dict->u.dict.index->n_slots))
		return 0;
	return index_grow(s, dict);
}

int ferry_dict_set(struct ferry_store *s, struct ferry_value *dict,
		   struct ferry_value *key, struct ferry_value *value)
{
	struct ferry_pair *pair = lookup(dict, key, true);
	int code;

	if (pair) {
		pair->value = value;
		return 0;
	}
	code = reserve(s, dict);
	if (code)
		return code;
	pair = &dict->u.dict.pairs[dict->u.dict.n++];
	*pair = (struct ferry_pair){ key, value };
	if (dict->u.dict.index)
		index_add(dict->u.dict.index, (uint32_t)ferry_key_hash(key),
			  dict->u.dict.n);
	return 0;
}

int ferry_dict_set_str(struct ferry_store *s, struct ferry_value *dict,
		       const char *key, struct ferry_value *value)
{
	struct ferry_value *k = ferry_cstring(s, key);

	return k ? ferry_dict_set(s, dict, k, value) : FERRY_NOMEM;
}

const struct ferry_pair *ferry_dict_pair(const struct ferry_value *dict,
					 const struct ferry_value *key)
{
	return lookup(dict, key, false);
}

struct ferry_value *ferry_dict_find(const struct ferry_value *dict,
				    const struct ferry_value *key)
{
	struct ferry_pair *pair;

	if (dict && dict->kind == FERRY_OBJECT)
		dict = dict->u.object->dict;
	if (!dict || dict->kind != FERRY_DICT)
		return NULL;
	pair = lookup(dict, key, false);
	return pair ? pair->value : NULL;
}

struct ferry_value *ferry_dict_get(const struct ferry_value *dict,
				   const char *key)
{
	struct ferry_value text = { .kind = FERRY_STRING };

	text.u.s.data = key;
	text.u.s.nbytes = strlen(key);
	return ferry_dict_find(dict, &text);
}

int ferry_dict_replace(struct ferry_store *s, struct ferry_value *dict,
		       const struct ferry_pair *pairs, uint32_t n)
{
	struct ferry_pair *copy = NULL;
	struct ferry_index *index = NULL;

	if (n > most_pairs)
		return FERRY_LIMIT;
	if (n) {
		copy = ferry_store_grow_array(s, NULL, 0, n, sizeof(*copy));
		if (!copy)
			return FERRY_NOMEM;
		memcpy(copy, pairs, n * sizeof(*copy));
	}
	if (n > FEW) {
		index = index_pairs(s, copy, n);
		if (!index)
			return FERRY_NOMEM;
	}
	dict->u.dict.pairs = copy;
	dict->u.dict.n = dict->u.dict.cap = n;
	dict->u.dict.index = index;
	return 0;
}
