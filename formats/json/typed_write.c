/* A document to typed JSON. */
#include "config.h"

#include "formats/json/json.h"

#include <math.h>
#include <string.h>

#include <ferry/sys/alloc.h>

#include "formats/json/text.h"
#include "formats/json/typed.h"

/* Marks of a value: how often it was met, then the number of its $id. */
enum {
	UNSEEN,
	ONCE,
	SHARED,
	NUMBERED,		/* NUMBERED + id */
};

struct writer {
	const struct typed_json_writer *options;
	struct ferry_buffer *out;
	struct ferry_buffer fields;
	uint32_t *marks;	/* by value id */
	uint32_t nmarks;
	uint32_t nids;
	struct ferry_error *err;
};

static int put(struct writer *w, const struct ferry_value *v, unsigned depth);

/* ---- which values are met more than once --------------------------------- */

static bool is_tracked(const struct ferry_value *v)
{
	if (!v->id)
		return false;
	switch (v->kind) {
	case FERRY_LIST:
	case FERRY_SET:
	case FERRY_DICT:
	case FERRY_STORAGE:
	case FERRY_OBJECT:
	case FERRY_TENSOR:
		return true;
	case FERRY_TUPLE:
	case FERRY_FROZENSET:
		return v->u.list.n;
	case FERRY_BYTES:
		return v->flags & (FERRY_MUTABLE | FERRY_RANGE) ||
		       v->u.s.nbytes >= TYPED_SMALL_BYTES;
	default:
		return false;
	}
}

static uint32_t *mark_of(struct writer *w, const struct ferry_value *v)
{
	if (v->id >= w->nmarks) {
		uint32_t n = v->id < UINT32_MAX / 2 ? v->id * 2 + 64 :
						      UINT32_MAX;
		uint32_t *marks = ferry_alloc_resize(w->marks, n,
						     sizeof(*marks));

		if (!marks) {
			ferry_fail_nomem(w->err, "marks of a document");
			return NULL;
		}
		memset(marks + w->nmarks, 0,
		       (n - w->nmarks) * sizeof(*marks));
		w->marks = marks;
		w->nmarks = n;
	}
	return &w->marks[v->id];
}

static int fail_depth(struct writer *w)
{
	return ferry_fail(w->err, FERRY_LIMIT, "json", FERRY_NO_OFFSET,
			  "document is more than %d deep", TYPED_MAX_DEPTH);
}

static int count(struct writer *w, const struct ferry_value *v,
		 unsigned depth);

static int count_object(struct writer *w, const struct ferry_object *o,
			unsigned depth)
{
	const struct ferry_value *parts[] = {
		o->callable, o->args, o->kwargs, o->list, o->dict, o->state,
	};
	int rc = 0;

	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts) && !rc; i++)
		if (parts[i])
			rc = count(w, parts[i], depth + 1);
	return rc;
}

static int count_children(struct writer *w, const struct ferry_value *v,
			  unsigned depth)
{
	int rc = 0;

	switch (v->kind) {
	case FERRY_LIST:
	case FERRY_TUPLE:
	case FERRY_SET:
	case FERRY_FROZENSET:
		for (uint32_t i = 0; i < v->u.list.n && !rc; i++)
			rc = count(w, v->u.list.items[i], depth + 1);
		return rc;
	case FERRY_DICT:
		for (uint32_t i = 0; i < v->u.dict.n && !rc; i++) {
			rc = count(w, v->u.dict.pairs[i].key, depth + 1);
			if (!rc)
				rc = count(w, v->u.dict.pairs[i].value,
					   depth + 1);
		}
		return rc;
	case FERRY_OBJECT:
		return count_object(w, v->u.object, depth);
	case FERRY_TENSOR:
		return v->u.tensor->extra ?
			count(w, v->u.tensor->extra, depth + 1) : 0;
	default:
		return 0;
	}
}

static int count(struct writer *w, const struct ferry_value *v,
		 unsigned depth)
{
	if (depth > TYPED_MAX_DEPTH)
		return fail_depth(w);
	if (is_tracked(v)) {
		uint32_t *mark = mark_of(w, v);

		if (!mark)
			return FERRY_NOMEM;
		if (*mark != UNSEEN) {
			*mark = SHARED;
			return 0;
		}
		*mark = ONCE;
	}
	return count_children(w, v, depth);
}

static bool is_shared(const struct writer *w, const struct ferry_value *v)
{
	return is_tracked(v) && w->marks[v->id] >= SHARED;
}

/* ---- leaves -------------------------------------------------------------- */

static void add(struct writer *w, const char *text)
{
	ferry_buffer_add_str(w->out, text);
}

/* A double in words where JSON has none: "nan", "inf", "-inf", "nan:<bits>". */
static int put_double(struct writer *w, double f)
{
	uint64_t bits;

	if (isfinite(f))
		return json_add_real(w->out, f, w->err);
	memcpy(&bits, &f, sizeof(bits));
	if (!isnan(f))
		add(w, f > 0 ? "\"inf\"" : "\"-inf\"");
	else if (bits == UINT64_C(0x7ff8000000000000))
		add(w, "\"nan\"");
	else
		ferry_buffer_printf(w->out, "\"nan:%016llx\"",
				    (unsigned long long)bits);
	return 0;
}

static int put_float(struct writer *w, double f)
{
	int rc;

	if (isfinite(f))
		return put_double(w, f);
	add(w, "{\"$float\":");
	rc = put_double(w, f);
	add(w, "}");
	return rc;
}

static int put_complex(struct writer *w, const struct ferry_value *v)
{
	int rc;

	add(w, "{\"$complex\":[");
	rc = put_double(w, v->u.c.re);
	add(w, ",");
	if (!rc)
		rc = put_double(w, v->u.c.im);
	add(w, "]}");
	return rc;
}

/* Long integers in hexadecimal, two's complement, most significant first: a
 * decimal text would take quadratic time to read. */
static int put_int(struct writer *w, const struct ferry_value *v)
{
	if (!(v->flags & FERRY_BIG))
		return json_add_int(w->out, v, w->err);
	if (v->u.s.nbytes <= TYPED_SMALL_BYTES) {
		int rc;

		add(w, "{\"$int\":\"");
		rc = json_add_int(w->out, v, w->err);
		add(w, "\"}");
		return rc;
	}
	add(w, "{\"$int\":\"0x");
	for (uint64_t i = v->u.s.nbytes; i--;)
		ferry_buffer_printf(w->out, "%02x",
				    (unsigned char)v->u.s.data[i]);
	add(w, "\"}");
	return 0;
}

static void put_text(struct writer *w, const char *text, size_t n)
{
	if (json_is_clean(text, n)) {
		json_quote(w->out, text, n);
		return;
	}
	add(w, "{\"$str\":\"");
	json_add_base64(w->out, text, n);
	add(w, "\"}");
}

static void put_global(struct writer *w, const struct ferry_value *v,
		       bool callable)
{
	bool py2 = v->flags & FERRY_PY2;
	const char *module = v->u.global.module, *name = v->u.global.name;
	size_t nm = v->u.global.module_len, nn = v->u.global.name_len;
	bool brief = json_is_clean(module, nm) && json_is_clean(name, nn) &&
		     !memchr(module, ':', nm);
	bool tagged = !callable || !brief || py2;

	if (tagged)
		add(w, py2 ? "{\"$py2global\":" : "{\"$global\":");
	if (brief) {
		w->fields.n = 0;
		ferry_buffer_add(&w->fields, module, nm);
		ferry_buffer_add(&w->fields, ":", 1);
		ferry_buffer_add(&w->fields, name, nn);
		if (!w->fields.failed)
			json_quote(w->out, w->fields.data, w->fields.n);
	} else {
		add(w, "[");
		put_text(w, module, nm);
		add(w, ",");
		put_text(w, name, nn);
		add(w, "]");
	}
	if (tagged)
		add(w, "}");
}

/* ---- what has an identity ------------------------------------------------ */

/* {"$id":1,"tag": of a value that is met again, {"tag": of another. */
static void open_tag(struct writer *w, const struct ferry_value *v,
		     const char *tag)
{
	add(w, "{");
	if (is_shared(w, v)) {
		w->marks[v->id] = NUMBERED + ++w->nids;
		ferry_buffer_printf(w->out, "\"$id\":%u,", w->nids);
	}
	ferry_buffer_printf(w->out, "\"%s\":", tag);
}

static int put_range(struct writer *w, const struct ferry_value *v)
{
	struct ferry_buffer data = FERRY_BUFFER_INIT;
	uint64_t nbytes = v->u.range.nbytes;
	char *to = NULL;
	int rc = 0;

	if (nbytes < SIZE_MAX)
		to = ferry_buffer_extend(&data, (size_t)nbytes);
	if (!to)
		rc = ferry_fail_nomem(w->err, "bytes of a document");
	else
		rc = ferry_source_read(v->u.range.source, to,
				       v->u.range.offset, (size_t)nbytes,
				       w->err);
	if (!rc)
		json_add_base64(w->out, to, (size_t)nbytes);
	ferry_buffer_release(&data);
	return rc;
}

static int put_bytes(struct writer *w, const struct ferry_value *v)
{
	const char *tag = "$bytes", *name = NULL;
	int rc = 0;

	if (v->flags & FERRY_MUTABLE)
		tag = "$bytearray";
	else if (v->flags & FERRY_PY2)
		tag = "$py2str";
	if (w->options->bytes_name)
		rc = w->options->bytes_name(w->options->ctx, v, &name, w->err);
	if (rc)
		return rc;
	open_tag(w, v, tag);
	if (name) {
		add(w, "{\"stored\":");
		json_quote(w->out, name, strlen(name));
		add(w, "}}");
		return 0;
	}
	add(w, "\"");
	if (v->flags & FERRY_RANGE)
		rc = put_range(w, v);
	else
		json_add_base64(w->out, v->u.s.data, (size_t)v->u.s.nbytes);
	add(w, "\"}");
	return rc;
}

static int put_items(struct writer *w, const struct ferry_value *v,
		     unsigned depth)
{
	int rc = 0;

	add(w, "[");
	for (uint32_t i = 0; i < v->u.list.n && !rc; i++) {
		if (i)
			add(w, ",");
		rc = put(w, v->u.list.items[i], depth + 1);
	}
	add(w, "]");
	return rc;
}

static int put_sequence(struct writer *w, const struct ferry_value *v,
			const char *tag, unsigned depth)
{
	int rc;

	open_tag(w, v, tag);
	rc = put_items(w, v, depth);
	add(w, "}");
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
static int put_pairs(struct writer *w, const struct ferry_value *dict,
		     enum keys keys, unsigned depth)
{
	bool object = keys != OTHER_KEYS;
	int rc = 0;

	add(w, object ? "{" : "[");
	for (uint32_t i = 0; i < dict->u.dict.n && !rc; i++) {
		const struct ferry_pair *pair = &dict->u.dict.pairs[i];

		if (i)
			add(w, ",");
		if (object)
			json_quote(w->out, pair->key->u.s.data,
				   (size_t)pair->key->u.s.nbytes);
		else
			rc = put(w, pair->key, depth + 1);
		add(w, object ? ":" : ",");
		if (!rc)
			rc = put(w, pair->value, depth + 1);
	}
	add(w, object ? "}" : "]");
	return rc;
}

static int put_dict(struct writer *w, const struct ferry_value *v,
		    unsigned depth)
{
	enum keys keys = keys_of(v);
	int rc;

	if (keys == PLAIN_KEYS && !is_shared(w, v))
		return put_pairs(w, v, keys, depth);
	open_tag(w, v, keys == OTHER_KEYS ? "$dict" : "$items");
	rc = put_pairs(w, v, keys, depth);
	add(w, "}");
	return rc;
}

/* ---- objects ------------------------------------------------------------- */

static bool is_bare_tuple(const struct writer *w, const struct ferry_value *v)
{
	return v && v->kind == FERRY_TUPLE && !is_shared(w, v);
}

static bool is_bare_dict(const struct writer *w, const struct ferry_value *v)
{
	return v && v->kind == FERRY_DICT && !is_shared(w, v);
}

/* OrderedDict() with its items set and, as torch has it, a state. */
static bool is_ordered_dict(const struct writer *w,
			    const struct ferry_object *o)
{
	return o->form == FERRY_FORM_CALL && !o->flags && o->payload < 0 &&
	       o->callable &&
	       ferry_value_is_global(o->callable, "collections",
				     "OrderedDict") &&
	       is_bare_tuple(w, o->args) && !o->args->u.list.n &&
	       !o->kwargs && !o->list && is_bare_dict(w, o->dict);
}

static int put_member(struct writer *w, const char *name,
		      const struct ferry_value *v, unsigned depth)
{
	if (!v)
		return 0;
	ferry_buffer_printf(w->out, ",\"%s\":", name);
	return put(w, v, depth + 1);
}

static void put_flags(struct writer *w, const struct ferry_object *o)
{
	if (o->payload >= 0)
		ferry_buffer_printf(w->out, ",\"payload\":%d", o->payload);
	if (o->flags & FERRY_STATE_FIRST)
		add(w, ",\"state_first\":true");
	if (o->flags & FERRY_STATES)
		add(w, ",\"states\":true");
	if (o->flags & FERRY_ADD_ITEMS)
		add(w, ",\"add_items\":true");
	if (o->flags & FERRY_DISCARDED)
		add(w, ",\"discarded\":true");
}

/* A tuple is written as a bare array, an empty one not at all. */
static int put_args(struct writer *w, const struct ferry_value *args,
		    unsigned depth)
{
	if (!is_bare_tuple(w, args))
		return put_member(w, "args", args, depth);
	if (!args->u.list.n)
		return 0;
	add(w, ",\"args\":");
	return put_items(w, args, depth + 1);
}

static int put_callable(struct writer *w, const struct ferry_object *o,
			unsigned depth)
{
	if (!o->callable) {
		add(w, "null");
		return 0;
	}
	if (o->callable->kind == FERRY_GLOBAL) {
		put_global(w, o->callable, true);
		return 0;
	}
	return put(w, o->callable, depth + 1);
}

static int put_object(struct writer *w, const struct ferry_value *v,
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
		open_tag(w, v, "$odict");
		rc = put_pairs(w, o->dict, keys_of(o->dict), depth + 1);
		if (!rc)
			rc = put_member(w, "state", o->state, depth);
		add(w, "}");
		return rc;
	}
	open_tag(w, v, tag);
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
	add(w, "}");
	return rc;
}

/* ---- tensors ------------------------------------------------------------- */

static void put_meta(struct writer *w, const struct ferry_value *v)
{
	const struct ferry_tensor *t = v->u.tensor;
	bool strides = t->flags & FERRY_META && !ferry_tensor_is_contiguous(t);

	open_tag(w, v, "$meta");
	ferry_buffer_printf(w->out, "\"%s\",\"shape\":[",
			    ferry_dtype_name(t->dtype));
	for (unsigned i = 0; i < t->ndim; i++)
		ferry_buffer_printf(w->out, "%s%llu", i ? "," : "",
				    (unsigned long long)t->shape[i]);
	add(w, strides ? "],\"strides\":[" : "]");
	for (unsigned i = 0; strides && i < t->ndim; i++)
		ferry_buffer_printf(w->out, "%s%lld", i ? "," : "",
				    (long long)t->strides[i]);
	if (strides)
		add(w, "]");
}

/* The name of stored data, with the members the caller wants beside it. */
static int put_stored(struct writer *w, const struct ferry_value *v,
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
	open_tag(w, v, tag);
	json_quote(w->out, name, strlen(name));
	ferry_buffer_add(w->out, w->fields.data, w->fields.n);
	if (w->fields.failed)
		return ferry_fail_nomem(w->err, "typed JSON");
	return 0;
}

static int put_tensor(struct writer *w, const struct ferry_value *v,
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
		add(w, ",\"requires_grad\":true");
	if (t->flags & FERRY_CONJ)
		add(w, ",\"conj\":true");
	if (t->flags & FERRY_NEG)
		add(w, ",\"neg\":true");
	rc = put_member(w, "extra", t->extra, depth);
	add(w, "}");
	return rc;
}

static int put_storage(struct writer *w, const struct ferry_value *v)
{
	int rc;

	if (w->options->drop_data) {
		add(w, "null");
		return 0;
	}
	rc = put_stored(w, v, "$storage");
	add(w, "}");
	return rc;
}

/* ---- any value ----------------------------------------------------------- */

static int put_leaf(struct writer *w, const struct ferry_value *v)
{
	switch (v->kind) {
	case FERRY_NONE:
		add(w, "null");
		return 0;
	case FERRY_BOOL:
		add(w, v->u.b ? "true" : "false");
		return 0;
	case FERRY_INT:
		return put_int(w, v);
	case FERRY_FLOAT:
		return put_float(w, v->u.f);
	case FERRY_COMPLEX:
		return put_complex(w, v);
	case FERRY_STRING:
		put_text(w, v->u.s.data, (size_t)v->u.s.nbytes);
		return 0;
	case FERRY_GLOBAL:
		put_global(w, v, false);
		return 0;
	default:
		return ferry_fail(w->err, FERRY_UNSUPPORTED, "json",
				  FERRY_NO_OFFSET,
				  "value has the unknown kind %d", v->kind);
	}
}

static int put(struct writer *w, const struct ferry_value *v, unsigned depth)
{
	if (depth > TYPED_MAX_DEPTH)
		return fail_depth(w);
	if (is_tracked(v) && w->marks[v->id] >= NUMBERED) {
		ferry_buffer_printf(w->out, "{\"$ref\":%u}",
				    w->marks[v->id] - NUMBERED);
		return 0;
	}
	switch (v->kind) {
	case FERRY_BYTES:
		return put_bytes(w, v);
	case FERRY_LIST:
		if (!is_shared(w, v))
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
		return put_leaf(w, v);
	}
}

int typed_json_write(const struct ferry_value *root,
		     const struct typed_json_writer *options,
		     struct ferry_buffer *out, struct ferry_error *err)
{
	static const struct typed_json_writer none = { 0 };
	struct writer w = {
		.options = options ? options : &none,
		.out = out,
		.err = err,
	};
	int rc = count(&w, root, 0);
	bool failed;

	if (!rc) {
		ferry_buffer_printf(out, "{\"$ferry\":%d,\"document\":",
				    TYPED_VERSION);
		rc = put(&w, root, 0);
		add(&w, "}");
	}
	failed = out->failed || w.fields.failed;
	ferry_alloc_free(w.marks);
	ferry_buffer_release(&w.fields);
	if (!rc && failed)
		rc = ferry_fail_nomem(err, "typed JSON");
	return rc;
}
