/* What YAML has a form for, and how mappings are ordered. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "formats/yaml/held.h"
#include "formats/yaml/scalar.h"

bool yaml_is_path(const struct ferry_value *v)
{
	const struct ferry_object *o = v->u.object;
	const struct ferry_value *f;

	if (v->kind != FERRY_OBJECT || o->form != FERRY_FORM_CALL)
		return false;
	f = o->callable;
	if (!f || o->kwargs || o->list || o->dict || o->state || !o->args ||
	    o->args->kind != FERRY_TUPLE ||
	    (!ferry_value_is_global(f, "pathlib", "PosixPath") &&
	     !ferry_value_is_global(f, "pathlib", "WindowsPath") &&
	     !ferry_value_is_global(f, "pathlib", "Path")))
		return false;
	for (uint32_t i = 0; i < o->args->u.list.n; i++)
		if (o->args->u.list.items[i]->kind != FERRY_STRING)
			return false;
	return true;
}

enum held yaml_held(const struct ferry_value *v, enum yaml_style style)
{
	switch (v->kind) {
	case FERRY_NONE:
	case FERRY_BOOL:
	case FERRY_INT:
	case FERRY_FLOAT:
	case FERRY_STRING:
	case FERRY_BYTES:
		return HELD_SCALAR;
	case FERRY_LIST:
	case FERRY_TUPLE:
		return HELD_LIST;
	case FERRY_SET:
	case FERRY_FROZENSET:
		return HELD_SET;
	case FERRY_DICT:
		return HELD_DICT;
	case FERRY_OBJECT:
		if (yaml_is_time(v))
			return HELD_SCALAR;
		return style == YAML_STYLE_OMEGACONF && yaml_is_path(v) ?
		       HELD_LIST : NOT_HELD;
	default:
		return NOT_HELD;
	}
}

bool yaml_held_key(const struct ferry_value *key)
{
	return yaml_held(key, YAML_STYLE_PYYAML) == HELD_SCALAR;
}

/* The bytes that order a key; a date's are packed that way. */
static const struct ferry_value *packed(const struct ferry_value *key)
{
	return key->kind == FERRY_OBJECT ?
	       key->u.object->args->u.list.items[0] : key;
}

static int order_texts(const void *a, const void *b)
{
	const struct ferry_value *x = packed(((const struct ferry_pair *)
					      a)->key);
	const struct ferry_value *y = packed(((const struct ferry_pair *)
					      b)->key);
	uint64_t n = x->u.s.nbytes < y->u.s.nbytes ? x->u.s.nbytes :
						     y->u.s.nbytes;
	int order = n ? memcmp(x->u.s.data, y->u.s.data, (size_t)n) : 0;

	if (order)
		return order;
	return (x->u.s.nbytes > y->u.s.nbytes) -
	       (x->u.s.nbytes < y->u.s.nbytes);
}

static double number(const struct ferry_value *v)
{
	if (v->kind == FERRY_FLOAT)
		return v->u.f;
	return v->kind == FERRY_BOOL ? (double)v->u.b : (double)v->u.i;
}

static int order_numbers(const void *a, const void *b)
{
	const struct ferry_value *x = ((const struct ferry_pair *)a)->key;
	const struct ferry_value *y = ((const struct ferry_pair *)b)->key;
	double f = number(x), g = number(y);

	if (f == g && x->kind == FERRY_INT && y->kind == FERRY_INT)
		return (x->u.i > y->u.i) - (x->u.i < y->u.i);
	return (f > g) - (f < g);
}

enum family {
	TEXTS,
	BYTES,
	DATES,
	TIMES,			/* without a zone */
	NUMBERS,
	OTHERS,
};

static enum family family_of(const struct ferry_value *key)
{
	switch (key->kind) {
	case FERRY_STRING:
		return TEXTS;
	case FERRY_BYTES:
		return key->flags & FERRY_RANGE ? OTHERS : BYTES;
	case FERRY_BOOL:
		return NUMBERS;
	case FERRY_INT:
		return key->flags & FERRY_BIG ? OTHERS : NUMBERS;
	case FERRY_FLOAT:
		return key->u.f == key->u.f ? NUMBERS : OTHERS;
	case FERRY_OBJECT:
		if (key->u.object->args->u.list.n != 1)
			return OTHERS;
		return packed(key)->u.s.nbytes == 4 ? DATES : TIMES;
	default:
		return OTHERS;
	}
}

void yaml_sort_pairs(struct ferry_pair *pairs, uint32_t n)
{
	enum family family = n ? family_of(pairs[0].key) : OTHERS;

	for (uint32_t i = 1; i < n; i++)
		if (family_of(pairs[i].key) != family)
			return;
	if (family == OTHERS)
		return;
	qsort(pairs, n, sizeof(*pairs), family == NUMBERS ? order_numbers :
							    order_texts);
}
