/* A document to typed JSON. */
#include "config.h"

#include "formats/json/json.h"

#include <string.h>

#include <ferry/sys/alloc.h>

#include "formats/json/text.h"
#include "formats/json/typed.h"
#include "formats/json/typed_out.h"

static int put(struct typed_out *w, const struct ferry_value *v,
	       unsigned depth);

/* ---- containers ---------------------------------------------------------- */

static int put_items(struct typed_out *w, const struct ferry_value *v,
		     unsigned depth)
{
	int rc = 0;

	typed_add(w, "[");
	for (uint32_t i = 0; i < v->u.list.n && !rc; i++) {
		if (i)
			typed_add(w, ",");
		rc = put(w, v->u.list.items[i], depth + 1);
	}
	typed_add(w, "]");
	return rc;
}

static int put_sequence(struct typed_out *w, const struct ferry_value *v,
			const char *tag, unsigned depth)
{
	int rc;

	typed_open_tag(w, v, tag);
	rc = put_items(w, v, depth);
	typed_add(w, "}");
	return rc;
}

enum keys {
	PLAIN_KEYS,		/* strings that can stand as they are */
	STRING_KEYS,		/* strings, some starting with "$" */
	OTHER_KEYS,
};

static enum keys keys_of(const struct ferry_value *dict)
{
	enum keys keys = PLAIN_KEYS;

	for (uint32_t i = 0; i < dict->u.dict.n; i++) {
		const struct ferry_value *key = dict->u.dict.pairs[i].key;

		if (key->kind != FERRY_STRING ||
		    !json_is_clean(key->u.s.data, (size_t)key->u.s.nbytes))
			return OTHER_KEYS;
		if (key->u.s.nbytes && key->u.s.data[0] == '$')
			keys = STRING_KEYS;
	}
	return keys;
}

/* {"key": value, ...}, or [key, value, ...] for keys that are not text. */
static int put_pairs(struct typed_out *w, const struct ferry_value *dict,
		     enum keys keys, unsigned depth)
{
	bool object = keys != OTHER_KEYS;
	int rc = 0;

	typed_add(w, object ? "{" : "[");
	for (uint32_t i = 0; i < dict->u.dict.n && !rc; i++) {
		const struct ferry_pair *pair = &dict->u.dict.pairs[i];

		if (i)
			typed_add(w, ",");
		if (object)
			json_quote(w->out, pair->key->u.s.data,
				   (size_t)pair->key->u.s.nbytes);
		else
			rc = put(w, pair->key, depth + 1);
		typed_add(w, object ? ":" : ",");
		if (!rc)
			rc = put(w, pair->value, depth + 1);
	}
	typed_add(w, object ? "}" : "]");
	return rc;
}

static int put_dict(struct typed_out *w, const struct ferry_value *v,
		    unsigned depth)
{
	enum keys keys = keys_of(v);
	int rc;

	if (keys == PLAIN_KEYS && !typed_is_shared(w, v))
		return put_pairs(w, v, keys, depth);
	typed_open_tag(w, v, keys == OTHER_KEYS ? "$dict" : "$items");
	rc = put_pairs(w, v, keys, depth);
	typed_add(w, "}");
	return rc;
}

/* ---- objects ------------------------------------------------------------- */

static bool is_bare_tuple(const struct typed_out *w,
			  const struct ferry_value *v)
{
	return v && v->kind == FERRY_TUPLE && !typed_is_shared(w, v);
}

static bool is_bare_dict(const struct typed_out *w, const struct ferry_value *v)
{
	return v && v->kind == FERRY_DICT && !typed_is_shared(w, v);
}

/* OrderedDict() with its items set and, as torch has it, a state. */
static bool is_ordered_dict(const struct typed_out *w,
			    const struct ferry_object *o)
{
	return o->form == FERRY_FORM_CALL && !o->flags && o->payload < 0 &&
	       o->callable &&
	       ferry_value_is_global(o->callable, "collections",
				     "OrderedDict") &&
	       is_bare_tuple(w, o->args) && !o->args->u.list.n &&
	       !o->kwargs && !o->list && is_bare_dict(w, o->dict);
}

static int put_member(struct typed_out *w, const char *name,
		      const struct ferry_value *v, unsigned depth)
{
	if (!v)
		return 0;
	ferry_buffer_printf(w->out, ",\"%s\":", name);
	return put(w, v, depth + 1);
}

static void put_flags(struct typed_out *w, const struct ferry_object *o)
{
	if (o->payload >= 0)
		ferry_buffer_printf(w->out, ",\"payload\":%d", o->payload);
	if (o->flags & FERRY_STATE_FIRST)
		typed_add(w, ",\"state_first\":true");
	if (o->flags & FERRY_STATES)
		typed_add(w, ",\"states\":true");
	if (o->flags & FERRY_ADD_ITEMS)
		typed_add(w, ",\"add_items\":true");
	if (o->flags & FERRY_DISCARDED)
		typed_add(w, ",\"discarded\":true");
}

/* A tuple is written as a bare array, an empty one not at all. */
static int put_args(struct typed_out *w, const struct ferry_value *args,
		    unsigned depth)
{
	if (!is_bare_tuple(w, args))
		return put_member(w, "args", args, depth);
	if (!args->u.list.n)
		return 0;
	typed_add(w, ",\"args\":");
	return put_items(w, args, depth + 1);
}

static int put_callable(struct typed_out *w, const struct ferry_object *o,
			unsigned depth)
{
	if (!o->callable) {
		typed_add(w, "null");
		return 0;
	}
	if (o->callable->kind == FERRY_GLOBAL) {
		typed_put_global(w, o->callable, true);
		return 0;
	}
	return put(w, o->callable, depth + 1);
}

static int put_object(struct typed_out *w, const struct ferry_value *v,
		      unsigned depth)
{
	const struct ferry_object *o = v->u.object;
	const char *tag = typed_form_tag(o->form);
	int rc;

	if (!tag || !o->args)
		return ferry_fail(w->err, FERRY_UNSUPPORTED, "json",
				  FERRY_NO_OFFSET,
				  "object has the unknown form %d", o->form);
	if (is_ordered_dict(w, o)) {
		typed_open_tag(w, v, "$odict");
		rc = put_pairs(w, o->dict, keys_of(o->dict), depth + 1);
		if (!rc)
			rc = put_member(w, "state", o->state, depth);
		typed_add(w, "}");
		return rc;
	}
	typed_open_tag(w, v, tag);
	rc = put_callable(w, o, depth);
	if (!rc)
		rc = put_args(w, o->args, depth);
	if (!rc)
		rc = put_member(w, "kwargs", o->kwargs, depth);
	put_flags(w, o);
	if (!rc)
		rc = put_member(w, "list", o->list, depth);
	if (!rc)
		rc = put_member(w, "dict", o->dict, depth);
	if (!rc)
		rc = put_member(w, "state", o->state, depth);
	typed_add(w, "}");
	return rc;
}

/* ---- tensors ------------------------------------------------------------- */

static void put_meta(struct typed_out *w, const struct ferry_value *v)
{
	const struct ferry_tensor *t = v->u.tensor;
	bool strides = t->flags & FERRY_META && !ferry_tensor_is_contiguous(t);

	typed_open_tag(w, v, "$meta");
	ferry_buffer_printf(w->out, "\"%s\",\"shape\":[",
			    ferry_dtype_name(t->dtype));
	for (unsigned i = 0; i < t->ndim; i++)
		ferry_buffer_printf(w->out, "%s%llu", i ? "," : "",
				    (unsigned long long)t->shape[i]);
	typed_add(w, strides ? "],\"strides\":[" : "]");
	for (unsigned i = 0; strides && i < t->ndim; i++)
		ferry_buffer_printf(w->out, "%s%lld", i ? "," : "",
				    (long long)t->strides[i]);
	if (strides)
		typed_add(w, "]");
}

/* The name of stored data, with the members the caller wants beside it. */
static int put_stored(struct typed_out *w, const struct ferry_value *v,
		      const char *tag)
{
	const char *name = NULL;
	int rc = 0;

	w->fields.n = 0;
	if (w->options->tensor_name)
		rc = w->options->tensor_name(w->options->ctx, v, &name,
					     &w->fields, w->err);
	if (rc)
		return rc;
	if (!name)
		return ferry_fail(w->err, FERRY_UNSUPPORTED, "json",
				  FERRY_NO_OFFSET,
				  "JSON has no place for data of kind %s",
				  ferry_kind_name(v->kind));
	typed_open_tag(w, v, tag);
	json_quote(w->out, name, strlen(name));
	ferry_buffer_add(w->out, w->fields.data, w->fields.n);
	if (w->fields.failed)
		return ferry_fail_nomem(w->err, "typed JSON");
	return 0;
}

static int put_tensor(struct typed_out *w, const struct ferry_value *v,
		      unsigned depth)
{
	const struct ferry_tensor *t = v->u.tensor;
	int rc = 0;

	if (t->flags & FERRY_META || w->options->drop_data)
		put_meta(w, v);
	else
		rc = put_stored(w, v, "$tensor");
	if (rc)
		return rc;
	if (t->flags & FERRY_REQUIRES_GRAD)
		typed_add(w, ",\"requires_grad\":true");
	if (t->flags & FERRY_CONJ)
		typed_add(w, ",\"conj\":true");
	if (t->flags & FERRY_NEG)
		typed_add(w, ",\"neg\":true");
	rc = put_member(w, "extra", t->extra, depth);
	typed_add(w, "}");
	return rc;
}

static int put_storage(struct typed_out *w, const struct ferry_value *v)
{
	int rc;

	if (w->options->drop_data) {
		typed_add(w, "null");
		return 0;
	}
	rc = put_stored(w, v, "$storage");
	typed_add(w, "}");
	return rc;
}

/* ---- any value ----------------------------------------------------------- */

static int put(struct typed_out *w, const struct ferry_value *v, unsigned depth)
{
	if (depth > TYPED_MAX_DEPTH)
		return typed_fail_depth(w);
	if (typed_is_tracked(v) && w->marks[v->id] >= TYPED_NUMBERED) {
		ferry_buffer_printf(w->out, "{\"$ref\":%u}",
				    w->marks[v->id] - TYPED_NUMBERED);
		return 0;
	}
	switch (v->kind) {
	case FERRY_BYTES:
		return typed_put_bytes(w, v);
	case FERRY_LIST:
		if (!typed_is_shared(w, v))
			return put_items(w, v, depth);
		return put_sequence(w, v, "$list", depth);
	case FERRY_TUPLE:
		return put_sequence(w, v, "$tuple", depth);
	case FERRY_SET:
		return put_sequence(w, v, "$set", depth);
	case FERRY_FROZENSET:
		return put_sequence(w, v, "$frozenset", depth);
	case FERRY_DICT:
		return put_dict(w, v, depth);
	case FERRY_TENSOR:
		return put_tensor(w, v, depth);
	case FERRY_STORAGE:
		return put_storage(w, v);
	case FERRY_OBJECT:
		return put_object(w, v, depth);
	default:
		return typed_put_leaf(w, v);
	}
}

int typed_json_write(const struct ferry_value *root,
		     const struct typed_json_writer *options,
		     struct ferry_buffer *out, struct ferry_error *err)
{
	static const struct typed_json_writer none = { 0 };
	struct typed_out w = {
		.options = options ? options : &none,
		.out = out,
		.err = err,
	};
	int rc = typed_count(&w, root, 0);
	bool failed;

	if (!rc) {
		ferry_buffer_printf(out, "{\"$ferry\":%d,\"document\":",
				    TYPED_VERSION);
		rc = put(&w, root, 0);
		typed_add(&w, "}");
	}
	failed = out->failed || w.fields.failed;
	ferry_alloc_free(w.marks);
	ferry_buffer_release(&w.fields);
	if (!rc && failed)
		rc = ferry_fail_nomem(err, "typed JSON");
	return rc;
}
