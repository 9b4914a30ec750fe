/* A deep copy in order of keys: what dumping without aliases and loading
 * again gives. */
#include "config.h"

#include <string.h>

#include <ferry/sys/alloc.h>

#include "formats/yaml/held.h"

struct copier {
	struct ferry_store *store;
	uint32_t nodes;
	struct ferry_error *err;
};

static int fail_nomem(struct copier *c)
{
	return ferry_fail_nomem(c->err, "a copy");
}

static int copy(struct copier *c, struct ferry_value *from, unsigned depth,
		struct ferry_value **out);

static int copy_list(struct copier *c, const struct ferry_value *from,
		     unsigned depth, struct ferry_value **out)
{
	struct ferry_value *list, *item;
	int rc = 0;

	list = ferry_sequence(c->store, from->kind == FERRY_SET ? FERRY_SET :
			      FERRY_LIST, from->u.list.n);
	if (!list)
		return fail_nomem(c);
	for (uint32_t i = 0; i < from->u.list.n && !rc; i++) {
		rc = copy(c, from->u.list.items[i], depth + 1, &item);
		if (!rc && ferry_list_add(c->store, list, item))
			rc = fail_nomem(c);
	}
	*out = list;
	return rc;
}

static int copy_dict(struct copier *c, const struct ferry_value *from,
		     unsigned depth, struct ferry_value **out)
{
	uint32_t n = from->u.dict.n;
	struct ferry_value *dict = ferry_dict(c->store, n);
	struct ferry_pair *pairs = ferry_alloc_zero((size_t)n + 1,
						    sizeof(*pairs));
	int rc = 0;

	if (!dict || !pairs) {
		ferry_alloc_free(pairs);
		return fail_nomem(c);
	}
	if (n)
		memcpy(pairs, from->u.dict.pairs, n * sizeof(*pairs));
	for (uint32_t i = 0; i < n && !rc; i++) {
		if (!yaml_held_key(pairs[i].key))
			rc = ferry_fail(c->err, FERRY_UNSUPPORTED, "yaml",
					FERRY_NO_OFFSET,
					"a %s can't be a key in YAML",
					ferry_kind_name(pairs[i].key->kind));
		else
			rc = copy(c, pairs[i].value, depth + 1,
				  &pairs[i].value);
	}
	if (!rc) {
		yaml_sort_pairs(pairs, n);
		if (ferry_dict_replace(c->store, dict, pairs, n))
			rc = fail_nomem(c);
	}
	ferry_alloc_free(pairs);
	*out = dict;
	return rc;
}

static int copy(struct copier *c, struct ferry_value *from, unsigned depth,
		struct ferry_value **out)
{
	if (depth > FERRY_MAX_DEPTH || ++c->nodes > YAML_MAX_NODES)
		return ferry_fail(c->err, FERRY_LIMIT, "yaml", FERRY_NO_OFFSET,
				  "copy without sharing would be more than %d "
				  "deep or %u values, or goes round in a "
				  "circle", FERRY_MAX_DEPTH, YAML_MAX_NODES);
	switch (yaml_held(from, YAML_STYLE_PYYAML)) {
	case HELD_SCALAR:
		*out = from;
		return 0;
	case HELD_LIST:
	case HELD_SET:
		return copy_list(c, from, depth, out);
	case HELD_DICT:
		return copy_dict(c, from, depth, out);
	default:
		return ferry_fail(c->err, FERRY_UNSUPPORTED, "yaml",
				  FERRY_NO_OFFSET,
				  "YAML has no form for a value of kind %s",
				  ferry_kind_name(from->kind));
	}
}

int yaml_copy_sorted(struct ferry_store *store, const struct ferry_value *from,
		     struct ferry_value **out, struct ferry_error *err)
{
	struct copier c = { .store = store, .err = err };

	return copy(&c, (struct ferry_value *)(uintptr_t)from, 0, out);
}
