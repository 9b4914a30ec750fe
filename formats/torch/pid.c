/* Persistent ids. */
#include "config.h"

#include "formats/torch/pid.h"

#include <string.h>

#include <ferry/sys/build.h>
#include <ferry/sys/ckd.h>

static int fail(struct ferry_error *err, enum ferry_code code, const char *text)
{
	return ferry_fail(err, code, "torch", FERRY_NO_OFFSET,
			  "persistent id %s", text);
}

bool torch_text(const struct ferry_value *v, const char **data, size_t *n)
{
	if (!v || (v->kind != FERRY_STRING && v->kind != FERRY_BYTES) ||
	    (v->flags & FERRY_RANGE))
		return false;
	*data = v->u.s.data;
	*n = (size_t)v->u.s.nbytes;
	return true;
}

bool torch_text_is(const struct ferry_value *v, const char *text)
{
	const char *data;
	size_t n;

	return torch_text(v, &data, &n) && n == strlen(text) &&
	       !memcmp(data, text, n);
}

bool torch_count(const struct ferry_value *v, uint64_t *out)
{
	if (!v || v->kind != FERRY_INT || (v->flags & FERRY_BIG) || v->u.i < 0)
		return false;
	*out = (uint64_t)v->u.i;
	return true;
}

static int parse_class(const struct ferry_value *v, struct torch_pid *out,
		       struct ferry_error *err)
{
	char name[160];

	if (v->kind != FERRY_GLOBAL)
		return fail(err, FERRY_MALFORMED,
			    "has no storage class in second place");
	out->dtype = torch_dtype_of_storage(v->u.global.name,
					    v->u.global.name_len,
					    &out->untyped);
	if (out->dtype)
		return 0;
	ferry_escape(name, sizeof(name), v->u.global.name,
		     v->u.global.name_len);
	return ferry_fail(err, FERRY_UNSUPPORTED, "torch", FERRY_NO_OFFSET,
			  "storage class %s is not one that torch saves", name);
}

static int parse_view(struct ferry_value *v, struct torch_pid *out,
		      struct ferry_error *err)
{
	if (v->kind == FERRY_NONE)
		return 0;
	if (v->kind != FERRY_TUPLE || v->u.list.n != 3)
		return fail(err, FERRY_MALFORMED,
			    "has a view that is not (key, offset, size)");
	out->view = v;
	return 0;
}

int torch_pid_parse(const struct ferry_value *id, struct torch_pid *out,
		    struct ferry_error *err)
{
	struct ferry_value *const *item;
	int r;

	memset(out, 0, sizeof(*out));
	if (id->kind == FERRY_STRING)
		return fail(err, FERRY_UNSUPPORTED, "is a line of text, as "
			    "pickle protocol 0 writes it, and names nothing: "
			    "torch can't load this file either");
	if (id->kind != FERRY_TUPLE || id->u.list.n < 2)
		return fail(err, FERRY_MALFORMED,
			    "is not a tuple that begins with \"storage\"");
	item = id->u.list.items;
	if (torch_text_is(item[0], "module")) {
		out->module = item[1];
		return 0;
	}
	if (!torch_text_is(item[0], "storage"))
		return fail(err, FERRY_MALFORMED, "is of another kind than "
			    "\"storage\": torch can't load this file either");
	if (id->u.list.n != 5 && id->u.list.n != 6)
		return fail(err, FERRY_MALFORMED, "has not 5 or 6 items");
	r = parse_class(item[1], out, err);
	if (r)
		return r;
	if (!torch_text(item[2], &out->key, &out->nkey))
		return fail(err, FERRY_MALFORMED, "has a key that is no text");
	if (!torch_count(item[4], &out->numel) ||
	    ferry_ckd_mul(&out->nbytes, out->numel, out->dtype->itemsize) ||
	    out->nbytes > INT64_MAX)
		return fail(err, FERRY_MALFORMED,
			    "has a size that is no count of elements");
	return id->u.list.n == 6 ? parse_view(item[5], out, err) : 0;
}

const struct torch_known *torch_known_find(const struct ferry_map *map,
					   const char *key, size_t n)
{
	uint64_t known;

	if (!ferry_map_get(map, key, n, &known))
		return NULL;
	return (const struct torch_known *)(uintptr_t)known;
}

struct torch_known *torch_known_take(struct ferry_map *map,
				     struct ferry_store *store,
				     const char *key, size_t n)
{
	struct torch_known *known = ferry_store_alloc(store, sizeof(*known));
	uint64_t before;
	int r;

	if (!known)
		return NULL;
	*known = (struct torch_known){ 0 };
	r = ferry_map_add(map, key, n, (uint64_t)(uintptr_t)known, &before);
	if (r > 0)
		return (struct torch_known *)(uintptr_t)before;
	return r ? NULL : known;
}
