/* Reports as JSON on stdout. */
#include "config.h"

#include "cli/json_out.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ferry/tensor.h>

#include "cli/memory.h"
#include "cli/scalar.h"
#include "cli/text.h"
#include "cli/visited.h"

struct walk {
	struct cli_visited seen;
	unsigned depth;		/* levels left below the value at hand */
	bool limited;
	const char *path;
};

static json_t *sure(json_t *json)
{
	if (!json)
		cli_out_of_memory();
	return json;
}

void cli_json_set(json_t *object, const char *key, json_t *value)
{
	if (json_object_set_new_nocheck(object, key, sure(value)))
		cli_out_of_memory();
}

void cli_json_add(json_t *array, json_t *value)
{
	if (json_array_append_new(array, sure(value)))
		cli_out_of_memory();
}

json_t *cli_json_textn(const char *text, size_t n)
{
	json_t *json = json_stringn(text, n);
	char *shown;

	if (json)
		return json;
	shown = cli_array(4 * n + 16, 1);
	ferry_escape(shown, 4 * n + 16, text, n);
	json = sure(json_string(shown));
	free(shown);
	return json;
}

json_t *cli_json_text(const char *text)
{
	return text ? cli_json_textn(text, strlen(text)) : json_null();
}

json_t *cli_json_uint(uint64_t n)
{
	char text[24];

	if (n <= INT64_MAX)
		return sure(json_integer((json_int_t)n));
	snprintf(text, sizeof(text), "%" PRIu64, n);
	return sure(json_string(text));
}

static json_t *tagged(const char *tag, json_t *value)
{
	json_t *json = sure(json_object());

	cli_json_set(json, tag, value);
	return json;
}

json_t *cli_json_float(double f)
{
	char text[CLI_FLOAT_CAP];

	if (isfinite(f))
		return sure(json_real(f));
	return tagged("$float", json_string(cli_float(text, f)));
}

static json_t *big_value(const struct ferry_value *v)
{
	char *text = cli_big(v);
	json_t *json = tagged("$int", json_string(text));

	free(text);
	return json;
}

static json_t *complex_value(const struct ferry_value *v)
{
	json_t *pair = sure(json_array());

	cli_json_add(pair, cli_json_float(v->u.c.re));
	cli_json_add(pair, cli_json_float(v->u.c.im));
	return tagged("$complex", pair);
}

static json_t *bytes_value(const struct ferry_value *v)
{
	json_t *json = sure(json_object());
	char hex[65] = "";

	if (v->flags & FERRY_RANGE) {
		cli_json_set(json, "nbytes", cli_json_uint(v->u.range.nbytes));
		return tagged("$bytes", json);
	}
	for (size_t i = 0; i < v->u.s.nbytes && i < 32; i++)
		snprintf(hex + 2 * i, 3, "%02x",
			 (unsigned)(unsigned char)v->u.s.data[i]);
	cli_json_set(json, "nbytes", cli_json_uint(v->u.s.nbytes));
	cli_json_set(json, "head", json_string(hex));
	return tagged("$bytes", json);
}

static json_t *tensor_value(const struct ferry_tensor *t)
{
	json_t *json = sure(json_object()), *shape = sure(json_array());
	json_t *strides = sure(json_array());

	for (unsigned i = 0; i < t->ndim; i++) {
		cli_json_add(shape, cli_json_uint(t->shape[i]));
		cli_json_add(strides, json_integer(t->strides[i]));
	}
	cli_json_set(json, "dtype", json_string(ferry_dtype_name(t->dtype)));
	cli_json_set(json, "shape", shape);
	cli_json_set(json, "strides", strides);
	cli_json_set(json, "offset", cli_json_uint(t->offset));
	cli_json_set(json, "nbytes", cli_json_uint(ferry_tensor_nbytes(t)));
	if (t->storage)
		cli_json_set(json, "storage", json_integer(t->storage->id));
	return tagged("$tensor", json);
}

static json_t *storage_value(const struct ferry_storage *st)
{
	json_t *json = sure(json_object());

	cli_json_set(json, "dtype", json_string(ferry_dtype_name(st->dtype)));
	cli_json_set(json, "storage", json_integer(st->id));
	cli_json_set(json, "nbytes", cli_json_uint(st->nbytes));
	return tagged("$storage", json);
}

static json_t *class_name(const struct ferry_value *v)
{
	char name[512];

	return cli_json_text(cli_class(v, name, sizeof(name)));
}

static json_t *value_at(struct walk *w, const struct ferry_value *v,
			const char *label);

static json_t *items_value(struct walk *w, const struct ferry_value *v)
{
	json_t *json = sure(json_array());
	char label[16];

	for (uint32_t i = 0; i < v->u.list.n; i++) {
		snprintf(label, sizeof(label), "%" PRIu32, i);
		cli_json_add(json, value_at(w, v->u.list.items[i], label));
	}
	return json;
}

/* A key that can be a JSON object's, and cannot be taken for a tag. */
static bool is_json_key(const struct ferry_value *key)
{
	return key->kind == FERRY_STRING && key->u.s.nbytes &&
	       key->u.s.data[0] != '$' &&
	       cli_is_plain(key->u.s.data, key->u.s.nbytes);
}

static bool has_json_keys(const struct ferry_value *dict)
{
	for (uint32_t i = 0; i < dict->u.dict.n; i++)
		if (!is_json_key(dict->u.dict.pairs[i].key))
			return false;
	return true;
}

static json_t *dict_value(struct walk *w, const struct ferry_value *v)
{
	bool plain = has_json_keys(v);
	json_t *json = sure(plain ? json_object() : json_array()), *both;

	for (uint32_t i = 0; i < v->u.dict.n; i++) {
		const struct ferry_pair *p = &v->u.dict.pairs[i];
		char *label = cli_label(p->key);

		if (plain) {
			cli_json_set(json, label, value_at(w, p->value, label));
		} else {
			both = sure(json_array());
			cli_json_add(both, value_at(w, p->key, label));
			cli_json_add(both, value_at(w, p->value, label));
			cli_json_add(json, both);
		}
		free(label);
	}
	return plain ? json : tagged("$dict", json);
}

static json_t *object_value(struct walk *w, const struct ferry_value *v)
{
	static const char *const forms[] = { "call", "new", "instance",
					     "persistent", "extension" };
	const struct ferry_object *o = v->u.object;
	json_t *json = sure(json_object());

	cli_json_set(json, "class", class_name(v));
	if (o->form < sizeof(forms) / sizeof(forms[0]))
		cli_json_set(json, "form", json_string(forms[o->form]));
	if (o->callable && o->callable->kind != FERRY_GLOBAL)
		cli_json_set(json, "callable",
			     value_at(w, o->callable, "(callable)"));
	w->depth++;	/* the parts are no level of their own */
	if (o->args)
		cli_json_set(json, "args", value_at(w, o->args, "(args)"));
	if (o->kwargs)
		cli_json_set(json, "kwargs",
			     value_at(w, o->kwargs, "(kwargs)"));
	if (o->list)
		cli_json_set(json, "list", value_at(w, o->list, "(list)"));
	if (o->dict)
		cli_json_set(json, "items", value_at(w, o->dict, ""));
	if (o->state)
		cli_json_set(json, "state", value_at(w, o->state, "(state)"));
	w->depth--;
	return tagged("$object", json);
}

/* What a container is when its content is not wanted. */
static json_t *closed_value(const struct ferry_value *v)
{
	json_t *json = sure(json_object());

	cli_json_set(json, "kind", class_name(v));
	cli_json_set(json, "items", cli_json_uint(cli_n_items(v)));
	return tagged("$closed", json);
}

static json_t *container(struct walk *w, const struct ferry_value *v)
{
	switch (v->kind) {
	case FERRY_LIST:
		return items_value(w, v);
	case FERRY_TUPLE:
		return tagged("$tuple", items_value(w, v));
	case FERRY_SET:
		return tagged("$set", items_value(w, v));
	case FERRY_FROZENSET:
		return tagged("$frozenset", items_value(w, v));
	case FERRY_DICT:
		return dict_value(w, v);
	default:
		return object_value(w, v);
	}
}

static json_t *container_value(struct walk *w, const struct ferry_value *v,
			       const char *label)
{
	const char *above = w->path, *first;
	char *path = cli_text("%s%s%s", above, *above && *label ? "." : "",
			      label);
	json_t *json;

	first = cli_visit(&w->seen, v, path);
	if (first) {
		json = tagged("$same", cli_json_text(first));
	} else if (w->limited && !w->depth) {
		json = closed_value(v);
	} else {
		w->path = path;
		w->depth--;
		json = container(w, v);
		w->depth++;
		w->path = above;
	}
	free(path);
	return json;
}

static json_t *value_at(struct walk *w, const struct ferry_value *v,
			const char *label)
{
	switch (v->kind) {
	case FERRY_NONE:
		return json_null();
	case FERRY_BOOL:
		return json_boolean(v->u.b);
	case FERRY_INT:
		return v->flags & FERRY_BIG ? big_value(v) :
					      sure(json_integer(v->u.i));
	case FERRY_FLOAT:
		return cli_json_float(v->u.f);
	case FERRY_COMPLEX:
		return complex_value(v);
	case FERRY_STRING:
		return cli_json_textn(v->u.s.data, v->u.s.nbytes);
	case FERRY_BYTES:
		return bytes_value(v);
	case FERRY_TENSOR:
		return tensor_value(v->u.tensor);
	case FERRY_STORAGE:
		return storage_value(v->u.st.storage);
	case FERRY_GLOBAL:
		return tagged("$global", class_name(v));
	default:
		return container_value(w, v, label);
	}
}

json_t *cli_json_value(const struct ferry_value *v, unsigned depth)
{
	struct walk w = { .depth = depth, .limited = depth > 0, .path = "" };
	json_t *json = value_at(&w, v, "");

	cli_visited_release(&w.seen);
	return json;
}

json_t *cli_json_findings(const struct ferry_findings *f,
			  enum ferry_level least)
{
	json_t *list = sure(json_array()), *row;
	const struct ferry_finding *item;

	for (size_t i = 0; f && (item = ferry_findings_get(f, i)); i++) {
		if (item->level < least)
			continue;
		row = sure(json_object());
		cli_json_set(row, "level",
			     json_string(item->level == FERRY_NOTE ? "note" :
					 item->level == FERRY_WARNING ?
					 "warning" : "violation"));
		cli_json_set(row, "code", cli_json_text(item->code));
		cli_json_set(row, "path", cli_json_text(item->path));
		if (item->offset != FERRY_NO_OFFSET)
			cli_json_set(row, "offset",
				     cli_json_uint(item->offset));
		cli_json_set(row, "text", cli_json_text(item->text));
		cli_json_add(list, row);
	}
	return list;
}

/* jansson escapes all but DEL, which stands in strings only. */
static int put(const char *text, size_t n, void *ctx)
{
	FILE *f = ctx;

	for (const char *del; (del = memchr(text, 0x7f, n)); ) {
		size_t before = (size_t)(del - text);

		fwrite(text, 1, before, f);
		fputs("\\u007f", f);
		text += before + 1;
		n -= before + 1;
	}
	return fwrite(text, 1, n, f) == n ? 0 : -1;
}

static void print(json_t *json, size_t flags)
{
	json_dump_callback(json, put, stdout,
			   flags | JSON_ENSURE_ASCII | JSON_ENCODE_ANY);
	fputc('\n', stdout);
	json_decref(json);
}

void cli_json_print(json_t *json)
{
	print(json, JSON_INDENT(2));
}

void cli_json_print_line(json_t *json)
{
	print(json, JSON_COMPACT);
}

void cli_json_error(const char *file, const struct ferry_error *err,
		    const struct ferry_findings *found)
{
	json_t *json = sure(json_object()), *what = sure(json_object());

	if (file)
		cli_json_set(json, "file", cli_json_text(file));
	cli_json_set(what, "code", json_string(ferry_code_name(err->code)));
	if (*err->origin)
		cli_json_set(what, "origin", cli_json_text(err->origin));
	if (err->offset != FERRY_NO_OFFSET)
		cli_json_set(what, "offset", cli_json_uint(err->offset));
	cli_json_set(what, "text", cli_json_text(err->text));
	cli_json_set(json, "error", what);
	if (found && ferry_findings_count(found))
		cli_json_set(json, "findings",
			     cli_json_findings(found, FERRY_NOTE));
	cli_json_print_line(json);
}
