/* A document as typed JSON beside its tensors. */
#include "config.h"

#include "formats/safetensors/kept.h"

#include <inttypes.h>
#include <string.h>

#include "formats/json/json.h"

#define ORIGIN "safetensors"

/* ---- when nothing need be kept ------------------------------------------- */

static bool is_name(const struct ferry_value *key, const char *name)
{
	return key->kind == FERRY_STRING &&
	       key->u.s.nbytes == strlen(name) &&
	       !memcmp(key->u.s.data, name, (size_t)key->u.s.nbytes);
}

/* The next name of the dict is this one, of a tensor that is only that. */
static bool next_is(const struct st_inventory *inv, uint32_t at,
		    const char *name)
{
	const struct ferry_pair *p = &inv->doc->root->u.dict.pairs[at];

	return is_name(p->key, name) && p->value->kind == FERRY_TENSOR &&
	       !p->value->u.tensor->flags && !p->value->u.tensor->extra;
}

static bool is_reserved(const char *name)
{
	return !strcmp(name, ST_FORMAT_KEY) || !strcmp(name, ST_DCP_KEY) ||
	       !strcmp(name, ST_DOCUMENT_KEY) || !strcmp(name, ST_SIDECAR_KEY);
}

bool st_is_plain(const struct st_inventory *inv, struct st_item *const *order)
{
	const struct ferry_value *root = inv->doc->root;
	uint32_t at = 0;

	if (root->kind != FERRY_DICT ||
	    root->u.dict.n != inv->n + inv->n_aliases)
		return false;
	for (size_t i = 0; i < inv->n; i++)
		if (!order[i]->natural || !order[i]->group->trivial ||
		    !next_is(inv, at++, order[i]->name))
			return false;
	/* One value in two places is more than two names of one tensor. */
	for (size_t i = 0; i < inv->places.n; i++)
		if (inv->places.items[i].same != i)
			return false;
	for (size_t i = 0; i < inv->n_aliases; i++)
		if (is_reserved(inv->aliases[i].name) ||
		    !next_is(inv, at++, inv->aliases[i].name))
			return false;
	return true;
}

/* ---- members of a tensor ------------------------------------------------- */

static void add_sizes(struct ferry_buffer *out, const char *name,
		      const uint64_t *sizes, unsigned n)
{
	ferry_buffer_printf(out, ",\"%s\":[", name);
	for (unsigned i = 0; i < n; i++)
		ferry_buffer_printf(out, "%s%" PRIu64, i ? "," : "", sizes[i]);
	ferry_buffer_add_str(out, "]");
}

/* Where in its storage the tensor looks, and what storage that is. */
static void add_group(struct st_inventory *inv, struct ferry_buffer *out,
		      const struct st_item *item)
{
	const struct ferry_tensor *t = item->tensor;
	struct st_group *g = item->group;
	uint64_t strides[FERRY_MAX_RANK];

	if (!g->number)
		g->number = ++inv->n_numbers;
	for (unsigned i = 0; i < t->ndim; i++)
		strides[i] = (uint64_t)t->strides[i];
	if (!st_is_dense(t))
		add_sizes(out, "strides", strides, t->ndim);
	if (t->offset)
		ferry_buffer_printf(out, ",\"offset\":%" PRIu64, t->offset);
	ferry_buffer_printf(out, ",\"storage\":%" PRIu32 ",\"nbytes\":%" PRIu64,
			    g->number, g->storage->nbytes);
	if (g->storage->dtype != t->dtype)
		ferry_buffer_printf(out, ",\"storage_dtype\":\"%s\"",
				    ferry_dtype_name(g->storage->dtype));
	if (g->storage->flags & FERRY_UNTYPED)
		ferry_buffer_add_str(out, ",\"untyped\":true");
}

static int tensor_name(void *ctx, const struct ferry_value *value,
		       const char **name, struct ferry_buffer *fields,
		       struct ferry_error *err)
{
	struct st_inventory *inv = ctx;
	const struct st_item *item = st_inventory_item(inv, value);
	const struct ferry_tensor *t;

	if (!item)
		return ferry_fail(err, FERRY_MISUSE, ORIGIN, FERRY_NO_OFFSET,
				  "document has a tensor that has no place");
	t = item->tensor;
	*name = item->name;
	if (!item->natural)
		ferry_buffer_printf(fields, ",\"dtype\":\"%s\"",
				    ferry_dtype_name(t->dtype));
	if (!item->natural || (!item->group->trivial && !st_is_dense(t)))
		add_sizes(fields, "shape", t->shape, t->ndim);
	if (!item->group->trivial)
		add_group(inv, fields, item);
	return 0;
}

static int bytes_name(void *ctx, const struct ferry_value *bytes,
		      const char **name, struct ferry_error *err)
{
	uint64_t nbytes = bytes->flags & FERRY_RANGE ?
		bytes->u.range.nbytes : bytes->u.s.nbytes;

	if (nbytes < ST_LONG_BYTES)
		return 0;
	return st_inventory_add_bytes(ctx, bytes, name, err);
}

int st_kept_write(struct st_inventory *inv, struct ferry_buffer *out,
		  struct ferry_error *err)
{
	const struct typed_json_writer writer = {
		.tensor_name = tensor_name,
		.bytes_name = bytes_name,
		.ctx = inv,
	};

	return typed_json_write(inv->doc->root, &writer, out, err);
}
