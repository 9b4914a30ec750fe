/* Values without children as text, and the children of the others. */
#include "config.h"

#include "cli/scalar.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/memory.h"
#include "cli/text.h"

#define ARGS_MOST 6

char *cli_float(char out[CLI_FLOAT_CAP], double f)
{
	if (!isfinite(f)) {
		snprintf(out, CLI_FLOAT_CAP, "%s",
			 isnan(f) ? "nan" : f < 0 ? "-inf" : "inf");
		return out;
	}
	for (int digits = 15; digits <= 17; digits++) {
		snprintf(out, CLI_FLOAT_CAP - 2, "%.*g", digits, f);
		if (strtod(out, NULL) == f)
			break;
	}
	if (!strpbrk(out, ".e"))
		strncat(out, ".0", 3);
	return out;
}

/* Byte i of the magnitude of a two's complement number. */
static uint8_t magnitude(const uint8_t *le, size_t i, bool negative,
			 unsigned *carry)
{
	unsigned byte = le[i];

	if (!negative)
		return (uint8_t)byte;
	byte = (byte ^ 0xff) + *carry;
	*carry = byte >> 8;
	return (uint8_t)byte;
}

char *cli_big(const struct ferry_value *v)
{
	const uint8_t *le = (const uint8_t *)v->u.s.data;
	size_t n = v->u.s.nbytes, at = 2 * n + 4;
	bool negative = n && le[n - 1] & 0x80;
	unsigned carry = 1;
	char *text = cli_array(at + 1, 1);
	char *digits;

	for (size_t i = 0; i < n; i++) {
		uint8_t byte = magnitude(le, i, negative, &carry);

		text[--at] = "0123456789abcdef"[byte & 15];
		text[--at] = "0123456789abcdef"[byte >> 4];
	}
	digits = text + at;
	digits += strspn(digits, "0");
	memmove(text + 2 + negative, digits, strlen(digits) + 1);
	memcpy(text, negative ? "-0x" : "0x", 2u + negative);
	return text;
}

static void put_string(FILE *f, const char *s, uint64_t n, size_t most)
{
	size_t take = most && n > most ? most : n;

	while (take < n && take && ((unsigned char)s[take] & 0xc0) == 0x80)
		take--;
	fputc('"', f);
	cli_put(f, s, take);
	fputc('"', f);
	if (take < n)
		fprintf(f, "... (%" PRIu64 " bytes)", n);
}

static void put_big(FILE *f, const struct ferry_value *v, size_t most)
{
	char *text = cli_big(v);
	size_t n = strlen(text);

	if (most && n > most)
		fprintf(f, "%.*s... (%" PRIu64 "-byte integer)", (int)most,
			text, v->u.s.nbytes);
	else
		fputs(text, f);
	free(text);
}

static void put_tensor(FILE *f, const struct ferry_tensor *t)
{
	char shape[256];

	fprintf(f, "%s %s", ferry_dtype_name(t->dtype),
		cli_shape(shape, sizeof(shape), t));
}

/* "(1, 2)" */
static void put_items(FILE *f, const struct ferry_value *list, uint32_t limit,
		      size_t most)
{
	fputc('(', f);
	for (uint32_t i = 0; i < list->u.list.n; i++) {
		fputs(i ? ", " : "", f);
		if (i == limit) {
			fputs("...", f);
			break;
		}
		cli_put_value(f, list->u.list.items[i], most);
	}
	fputc(')', f);
}

static bool is_leaf(const struct ferry_value *v)
{
	return v->kind < FERRY_LIST || v->kind == FERRY_GLOBAL;
}

static bool has_leaves(const struct ferry_value *list)
{
	for (uint32_t i = 0; i < list->u.list.n; i++)
		if (!is_leaf(list->u.list.items[i]))
			return false;
	return true;
}

/* What a call was given says what its result is: "torch.Size(4, 3)". */
static void put_args(FILE *f, const struct ferry_value *args, size_t most)
{
	const struct ferry_value *only;

	if (!args || args->kind != FERRY_TUPLE || !args->u.list.n)
		return;
	only = args->u.list.items[0];
	if (args->u.list.n == 1 && only->kind == FERRY_TUPLE)
		args = only;
	if (has_leaves(args))
		put_items(f, args, ARGS_MOST, most);
}

static void put_container(FILE *f, const struct ferry_value *v, size_t most)
{
	char name[256];

	cli_puts(f, cli_class(v, name, sizeof(name)));
	if (v->kind != FERRY_OBJECT || cli_n_items(v))
		fprintf(f, " of %" PRIu64, cli_n_items(v));
	else
		put_args(f, v->u.object->args, most);
}

void cli_put_value(FILE *f, const struct ferry_value *v, size_t most)
{
	char a[CLI_FLOAT_CAP], b[CLI_FLOAT_CAP];
	char name[512];

	switch (v->kind) {
	case FERRY_NONE:
		fputs("none", f);
		return;
	case FERRY_BOOL:
		fputs(v->u.b ? "true" : "false", f);
		return;
	case FERRY_INT:
		if (v->flags & FERRY_BIG)
			put_big(f, v, most);
		else
			fprintf(f, "%" PRId64, v->u.i);
		return;
	case FERRY_FLOAT:
		fputs(cli_float(a, v->u.f), f);
		return;
	case FERRY_COMPLEX:
		fprintf(f, "(%s, %s)", cli_float(a, v->u.c.re),
			cli_float(b, v->u.c.im));
		return;
	case FERRY_STRING:
		put_string(f, v->u.s.data, v->u.s.nbytes, most);
		return;
	case FERRY_BYTES:
		fprintf(f, "bytes (%" PRIu64 ")", v->flags & FERRY_RANGE ?
			v->u.range.nbytes : v->u.s.nbytes);
		return;
	case FERRY_TENSOR:
		put_tensor(f, v->u.tensor);
		return;
	case FERRY_STORAGE:
		fprintf(f, "%s storage (%" PRIu64 " bytes)",
			ferry_dtype_name(v->u.st.storage->dtype),
			v->u.st.storage->nbytes);
		return;
	case FERRY_GLOBAL:
		cli_puts(f, cli_class(v, name, sizeof(name)));
		return;
	default:
		put_container(f, v, most);
	}
}

char *cli_label(const struct ferry_value *key)
{
	char *text = NULL;
	size_t n;
	FILE *f;

	if (key->kind == FERRY_STRING &&
	    !memchr(key->u.s.data, 0, key->u.s.nbytes)) {
		text = cli_array(key->u.s.nbytes + 1, 1);
		memcpy(text, key->u.s.data, key->u.s.nbytes);
		return text;
	}
	if (key->kind == FERRY_INT && !(key->flags & FERRY_BIG))
		return cli_text("%" PRId64, key->u.i);
	f = open_memstream(&text, &n);
	if (!f)
		cli_out_of_memory();
	if (key->kind == FERRY_TUPLE)
		put_items(f, key, UINT32_MAX, 0);
	else
		cli_put_value(f, key, 0);
	if (fclose(f))
		cli_out_of_memory();
	return text;
}

static bool has_items(const struct ferry_object *o)
{
	return (o->dict && o->dict->u.dict.n) || (o->list && o->list->u.list.n);
}

uint64_t cli_n_items(const struct ferry_value *v)
{
	const struct ferry_object *o;

	switch (v->kind) {
	case FERRY_LIST:
	case FERRY_TUPLE:
	case FERRY_SET:
	case FERRY_FROZENSET:
		return v->u.list.n;
	case FERRY_DICT:
		return v->u.dict.n;
	case FERRY_OBJECT:
		o = v->u.object;
		if (!has_items(o))
			return o->state && o->state->kind == FERRY_DICT ?
				       o->state->u.dict.n : 0;
		return (o->dict ? o->dict->u.dict.n : 0) +
		       (o->list ? o->list->u.list.n : 0);
	default:
		return 0;
	}
}

static int each_pair(const struct ferry_value *dict, cli_child_fn *fn,
		     void *ctx)
{
	int r = 0;

	for (uint32_t i = 0; i < dict->u.dict.n && !r; i++) {
		char *label = cli_label(dict->u.dict.pairs[i].key);

		r = fn(ctx, label, dict->u.dict.pairs[i].value);
		free(label);
	}
	return r;
}

static int each_item(const struct ferry_value *list, cli_child_fn *fn,
		     void *ctx)
{
	char label[16];
	int r = 0;

	for (uint32_t i = 0; i < list->u.list.n && !r; i++) {
		snprintf(label, sizeof(label), "%" PRIu32, i);
		r = fn(ctx, label, list->u.list.items[i]);
	}
	return r;
}

static bool is_empty(const struct ferry_value *v)
{
	return !v || ((v->kind == FERRY_TUPLE || v->kind == FERRY_LIST) &&
		      !v->u.list.n) ||
	       (v->kind == FERRY_DICT && !v->u.dict.n);
}

static int each_of_object(const struct ferry_object *o, cli_child_fn *fn,
			  void *ctx)
{
	bool as_state = !has_items(o) && o->state &&
			o->state->kind == FERRY_DICT;
	int r = 0;

	if (o->dict)
		r = each_pair(o->dict, fn, ctx);
	if (!r && o->list)
		r = each_item(o->list, fn, ctx);
	if (!r && as_state)
		r = each_pair(o->state, fn, ctx);
	if (!r && !is_empty(o->args))
		r = fn(ctx, "(args)", o->args);
	if (!r && !is_empty(o->kwargs))
		r = fn(ctx, "(kwargs)", o->kwargs);
	if (!r && !as_state && !is_empty(o->state))
		r = fn(ctx, "(state)", o->state);
	return r;
}

int cli_each_child(const struct ferry_value *v, cli_child_fn *fn, void *ctx)
{
	switch (v->kind) {
	case FERRY_LIST:
	case FERRY_TUPLE:
	case FERRY_SET:
	case FERRY_FROZENSET:
		return each_item(v, fn, ctx);
	case FERRY_DICT:
		return each_pair(v, fn, ctx);
	case FERRY_OBJECT:
		return each_of_object(v->u.object, fn, ctx);
	default:
		return 0;
	}
}

static int each_object_part(const struct ferry_object *o,
			    int (*fn)(void *ctx, struct ferry_value *part),
			    void *ctx)
{
	struct ferry_value *parts[] = { o->callable, o->args, o->kwargs,
					o->list, o->dict, o->state };
	int r = 0;

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]) && !r; i++)
		if (parts[i])
			r = fn(ctx, parts[i]);
	return r;
}

int cli_each_part(const struct ferry_value *v,
		  int (*fn)(void *ctx, struct ferry_value *part), void *ctx)
{
	int r = 0;

	switch (v->kind) {
	case FERRY_LIST:
	case FERRY_TUPLE:
	case FERRY_SET:
	case FERRY_FROZENSET:
		for (uint32_t i = 0; i < v->u.list.n && !r; i++)
			r = fn(ctx, v->u.list.items[i]);
		return r;
	case FERRY_DICT:
		for (uint32_t i = 0; i < v->u.dict.n && !r; i++) {
			r = fn(ctx, v->u.dict.pairs[i].key);
			if (!r)
				r = fn(ctx, v->u.dict.pairs[i].value);
		}
		return r;
	case FERRY_OBJECT:
		return each_object_part(v->u.object, fn, ctx);
	default:
		return 0;
	}
}
