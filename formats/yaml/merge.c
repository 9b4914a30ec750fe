/* Merge keys: a mapping takes in the entries of others, before its own. */
#include "config.h"

#include <string.h>

#include "formats/yaml/node.h"

static const char *shape_name(const struct node *node)
{
	static const char *const names[] = {
		[SHAPE_SCALAR] = "scalar",
		[SHAPE_SEQUENCE] = "sequence",
		[SHAPE_MAPPING] = "mapping",
	};

	return names[node->shape];
}

/* What a mapping will have in all, its sources merged. */
static int count_source(struct yaml_load *y, struct node *from,
			const struct node *into, unsigned depth, uint32_t *n)
{
	int rc;

	if (from->shape != SHAPE_MAPPING)
		return yaml_fail_at(y, from, FERRY_MALFORMED,
				    "a mapping to merge is expected, but this "
				    "is a %s", shape_name(from));
	rc = yaml_merge(y, from, depth + 1);
	if (rc)
		return rc;
	if (from->n > YAML_MAX_NODES - y->merged)
		return yaml_fail_at(y, into, FERRY_LIMIT,
				    "merge keys copy more than %u entries",
				    YAML_MAX_NODES);
	y->merged += from->n;
	*n += from->n;
	return 0;
}

static int count_sources(struct yaml_load *y, const struct node *into,
			 struct node *value, unsigned depth, uint32_t *n)
{
	int rc = 0;

	if (value->shape != SHAPE_SEQUENCE)
		return count_source(y, value, into, depth, n);
	for (uint32_t i = 0; i < value->n && !rc; i++)
		rc = count_source(y, value->u.items[i], into, depth, n);
	return rc;
}

static struct yaml_entry *copy_entries(struct yaml_entry *to,
				       const struct node *from)
{
	if (from->n)
		memcpy(to, from->u.entries, from->n * sizeof(*to));
	return to + from->n;
}

/* Of a sequence the last comes first, so that the first one's values hold. */
static struct yaml_entry *copy_sources(struct yaml_entry *to,
				       const struct node *value)
{
	if (value->shape == SHAPE_MAPPING)
		return copy_entries(to, value);
	for (uint32_t i = value->n; i--;)
		to = copy_entries(to, value->u.items[i]);
	return to;
}

static bool is_merge(const struct yaml_entry *entry)
{
	return entry->key->tag == TAG_MERGE;
}

static int take_in(struct yaml_load *y, struct node *mapping, uint32_t merged,
		   uint32_t own)
{
	struct yaml_entry *all, *to, *entry = mapping->u.entries;

	all = to = ferry_store_array(y->scratch, (size_t)merged + own + 1,
				     sizeof(*all));
	if (!all)
		return ferry_fail_nomem(y->err, "a YAML document");
	for (uint32_t i = 0; i < mapping->n; i++)
		if (is_merge(&entry[i]))
			to = copy_sources(to, entry[i].value);
	for (uint32_t i = 0; i < mapping->n; i++)
		if (!is_merge(&entry[i]))
			*to++ = entry[i];
	mapping->u.entries = all;
	mapping->n = mapping->cap = merged + own;
	mapping->n_merged = merged;
	return 0;
}

static int merge(struct yaml_load *y, struct node *mapping, unsigned depth)
{
	uint32_t merged = 0, own = 0;
	int rc = 0;

	for (uint32_t i = 0; i < mapping->n && !rc; i++) {
		const struct yaml_entry *entry = &mapping->u.entries[i];

		if (entry->key->tag == TAG_VALUE)
			entry->key->tag = TAG_STR;
		if (is_merge(entry))
			rc = count_sources(y, mapping, entry->value, depth,
					   &merged);
		else
			own++;
	}
	if (rc || own == mapping->n)
		return rc;
	return take_in(y, mapping, merged, own);
}

int yaml_merge(struct yaml_load *y, struct node *mapping, unsigned depth)
{
	int rc;

	if (mapping->merging == STATE_DONE)
		return 0;
	if (mapping->merging == STATE_BUSY)
		return yaml_fail_at(y, mapping, FERRY_UNSUPPORTED,
				    "a mapping merges itself");
	if (depth > FERRY_MAX_DEPTH)
		return yaml_fail_at(y, mapping, FERRY_LIMIT,
				    "merge keys are nested more than %d deep",
				    FERRY_MAX_DEPTH);
	mapping->merging = STATE_BUSY;
	rc = merge(y, mapping, depth);
	mapping->merging = STATE_DONE;
	return rc;
}
