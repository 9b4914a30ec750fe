/*
 * The tree between libyaml's events and values: tags resolved, aliases as
 * pointers, merge keys not yet merged.  All in a scratch store.
 */
#ifndef FORMATS_YAML_NODE_H
#define FORMATS_YAML_NODE_H

#include "formats/yaml/yaml.h"

enum yaml_tag {
	TAG_NULL,
	TAG_BOOL,
	TAG_INT,
	TAG_FLOAT,
	TAG_BINARY,
	TAG_TIMESTAMP,
	TAG_OMAP,
	TAG_PAIRS,
	TAG_SET,
	TAG_STR,
	TAG_SEQ,
	TAG_MAP,
	TAG_MERGE,		/* << */
	TAG_VALUE,		/* = */
	TAG_PATH,		/* the three of pathlib; OmegaConf only */
	TAG_POSIX_PATH,
	TAG_WINDOWS_PATH,
	TAG_OTHER,		/* see node.tag_text */
};

enum yaml_shape {
	SHAPE_SCALAR,
	SHAPE_SEQUENCE,
	SHAPE_MAPPING,
};

enum yaml_progress {
	STATE_NEW,
	STATE_BUSY,
	STATE_DONE,
};

struct yaml_entry {
	struct node *key, *value;
};

struct node {
	uint8_t shape;			/* enum yaml_shape */
	uint8_t tag;			/* enum yaml_tag */
	uint8_t merging;		/* enum yaml_progress */
	uint8_t building;		/* enum yaml_progress */
	uint32_t line, column;		/* from 0 */
	uint32_t index;			/* in characters */
	uint32_t n, cap;		/* of items or entries */
	uint32_t n_merged;		/* entries that came by merging */
	union {
		struct {
			const char *data;
			size_t n;
		} text;
		struct node **items;
		struct yaml_entry *entries;
	} u;
	const char *tag_text;		/* of TAG_OTHER */
	struct ferry_value *value;	/* when building has begun */
};

/* What compose.c and construct.c work in. */
struct yaml_load {
	const char *text;
	size_t n;
	const struct yaml_reader *options;
	struct ferry_store *store;	/* of the values */
	struct ferry_store *scratch;	/* of the nodes */
	uint32_t nodes;			/* made */
	uint32_t merged;		/* entries copied by merging */
	struct ferry_error *err;
};

/* The root node; *out NULL for a text without a document. */
int yaml_compose(struct yaml_load *y, struct node **out);
/* Take merge keys out of a mapping and their entries in. */
int yaml_merge(struct yaml_load *y, struct node *mapping, unsigned depth);
/* The value of a node and all below. */
int yaml_construct(struct yaml_load *y, struct node *node, unsigned depth,
		   struct ferry_value **out);

/* "line L column C: ..." at a node. */
int yaml_fail_at(struct yaml_load *y, const struct node *at,
		 enum ferry_code code, const char *fmt, ...)
	FERRY_PRINTF(4, 5);
/* The byte offset of the index-th character, or FERRY_NO_OFFSET. */
uint64_t yaml_offset_of(const struct yaml_load *y, size_t index);

#endif
