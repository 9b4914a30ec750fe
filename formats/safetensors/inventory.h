/*
 * What a document has to store: its tensors by name, which of them are the same
 * view of a storage, and which need their storage put together again.
 */
#ifndef FORMATS_SAFETENSORS_INVENTORY_H
#define FORMATS_SAFETENSORS_INVENTORY_H

#include <ferry/sys/build.h>
#include <ferry/sys/map.h>
#include <ferry/sys/plugin.h>
#include <ferry/tensor.h>

#include "formats/safetensors/layout.h"

/* One tensor of the file. */
struct st_item {
	const char *name;	/* as stored: UTF-8, unique */
	const struct ferry_tensor *tensor;	/* in the document, or made */
	struct st_group *group;
	struct st_item *next;	/* in the group */
	const uint64_t *shape;	/* as stored */
	uint64_t nbytes;
	struct ferry_source *source;	/* its bytes, dense; by the layout */
	uint64_t source_offset;
	uint64_t begin;		/* in the data; likewise */
	uint32_t shard;
	uint8_t dtype;		/* enum st_dtype */
	uint8_t ndim;
	uint8_t form;		/* enum st_form */
	bool is_storage;	/* a STORAGE value */
	bool natural;		/* the file alone tells dtype and shape */
};

/* A storage and the items that look into it. */
struct st_group {
	struct ferry_storage *storage;
	struct st_item *items;
	uint32_t n;
	uint32_t number;	/* in the JSON; 0: not written yet */
	bool trivial;		/* one item, which is the whole storage */
	uint64_t reached;	/* bytes of the storage that items look at */
	uint64_t first, end;	/* between which all of these lie */
	bool cut;		/* the rest is too much to be kept as zeros */
	struct ferry_map views;	/* once there are two: view to item */
};

/* A second name of an item. */
struct st_alias {
	const char *name;	/* as stored */
	const struct st_item *item;
};

struct st_inventory {
	struct ferry_document *doc;
	struct ferry_store *store;	/* of names and items */
	struct ferry_places places;
	struct st_item **items;		/* in document order */
	size_t n, cap;
	struct st_group **groups;
	size_t n_groups, groups_cap;
	struct st_alias *aliases;
	size_t n_aliases, aliases_cap;
	struct ferry_map names;		/* taken */
	struct ferry_map storages;	/* storage to its group */
	struct ferry_map values;	/* leaf to its first place */
	struct st_item **of_place;	/* NULL: a meta tensor */
	uint32_t n_numbers;		/* groups with a number */
	uint32_t n_bytes;		/* BYTES kept as tensors */
	uint32_t n_renamed;
};

int st_inventory_init(struct st_inventory *out, struct ferry_document *doc,
		      struct ferry_error *err);
void st_inventory_release(struct st_inventory *inv);

/*
 * Cut storages of which hardly anything is looked at, in the document: offsets
 * then count from what is left.  Others keep their length, and what no tensor
 * looks at reads back as zeros.
 */
void st_inventory_cut(struct st_inventory *inv);

/* BYTES as one more item; its name in *name. */
int st_inventory_add_bytes(struct st_inventory *inv,
			   const struct ferry_value *bytes, const char **name,
			   struct ferry_error *err);

/* The item behind a TENSOR or STORAGE value; NULL for a meta tensor. */
struct st_item *st_inventory_item(const struct st_inventory *inv,
				  const struct ferry_value *value);

/* True when strides are those that ferry_tensor() makes for C order. */
bool st_is_dense(const struct ferry_tensor *t);

#endif
