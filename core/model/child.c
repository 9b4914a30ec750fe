/* Children of values, and their names. */
#include "config.h"

#include "core/model/child.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/utf8.h"
#include "core/model/big.h"

enum {
	KEY_DEPTH = 2,		/* tuples in keys that are spelt out */
	KEY_ITEMS = 8,
	KEY_BYTES = 64,		/* of BYTES, and of a big INT */
};

static bool object_next(const struct ferry_object *o, uint64_t *at,
			struct ferry_child *out)
{
	struct ferry_value *fields[] = {
		o->callable, o->args, o->kwargs, o->list, o->dict, o->state,
	};
	const size_t n = sizeof(fields) / sizeof(fields[0]);

	while (*at < n && !fields[*at])
		(*at)++;
	if (*at == n)
		return false;
	out->value = fields[*at];
	out->role = FERRY_ROLE_CALLABLE + (unsigned)(*at)++;
	out->index = 0;
	return true;
}

static bool dict_next(const struct ferry_value *dict, uint64_t *at,
		      struct ferry_child *out)
{
	uint64_t i = *at / 2;

	if (i >= dict->u.dict.n)
		return false;
	out->role = (*at)++ % 2 ? FERRY_ROLE_VALUE : FERRY_ROLE_KEY;
	out->value = out->role == FERRY_ROLE_KEY ? dict->u.dict.pairs[i].key :
						   dict->u.dict.pairs[i].value;
	out->index = (uint32_t)i;
	return true;
}

bool ferry_child_next(const struct ferry_value *parent, uint64_t *at,
		      struct ferry_child *out)
{
	switch (parent->kind) {
	case FERRY_LIST:
	case FERRY_TUPLE:
	case FERRY_SET:
	case FERRY_FROZENSET:
		if (*at >= parent->u.list.n)
			return false;
		out->value = parent->u.list.items[*at];
		out->role = FERRY_ROLE_ITEM;
		out->index = (uint32_t)(*at)++;
		return true;
	case FERRY_DICT:
		return dict_next(parent, at, out);
	case FERRY_OBJECT:
		return object_next(parent->u.object, at, out);
	case FERRY_TENSOR:
		if ((*at)++ || !parent->u.tensor->extra)
			return false;
		out->value = parent->u.tensor->extra;
		out->role = FERRY_ROLE_EXTRA;
		out->index = 0;
		return true;
	default:
		return false;
	}
}

static bool is_mapping_or_none(const struct ferry_value *v)
{
	return v->kind == FERRY_DICT || v->kind == FERRY_NONE;
}

bool ferry_object_has_slots(const struct ferry_object *o)
{
	const struct ferry_value *state = o->state;

	return state && state->kind == FERRY_TUPLE && state->u.list.n == 2 &&
	       !(o->flags & FERRY_STATES) &&
	       is_mapping_or_none(state->u.list.items[0]) &&
	       is_mapping_or_none(state->u.list.items[1]);
}

enum ferry_role ferry_object_entry(const struct ferry_object *o)
{
	if (o->dict && o->dict->kind == FERRY_DICT && o->dict->u.dict.n)
		return FERRY_ROLE_DICT;
	if (o->state && o->state->kind == FERRY_DICT)
		return FERRY_ROLE_STATE;
	if (ferry_object_has_slots(o))
		return FERRY_ROLE_STATE;
	if (o->list)
		return FERRY_ROLE_LIST;
	return FERRY_ROLE_CALLABLE;
}

/* Text without NUL, cut where a character ends. */
static void add_text(struct ferry_buffer *b, const char *text, uint64_t n,
		     size_t cap)
{
	const char *nul;
	size_t part;

	if (n > cap)
		n = ferry_utf8_cut(text, cap);
	while (n) {
		nul = memchr(text, '\0', n);
		part = nul ? (size_t)(nul - text) : n;
		ferry_buffer_add(b, text, part);
		if (nul) {
			ferry_buffer_add_str(b, "\\0");
			part++;
		}
		text += part;
		n -= part;
	}
}

static void add_bytes(struct ferry_buffer *b, const struct ferry_value *v)
{
	uint64_t n = v->u.s.nbytes;
	unsigned char c;

	ferry_buffer_add_str(b, "b'");
	for (uint64_t i = 0; i < n && i < KEY_BYTES; i++) {
		c = (unsigned char)v->u.s.data[i];
		if (c >= 0x20 && c < 0x7f && c != '\'' && c != '\\')
			ferry_buffer_add(b, &c, 1);
		else
			ferry_buffer_printf(b, "\\x%02x", c);
	}
	ferry_buffer_add_str(b, n > KEY_BYTES ? "'..." : "'");
}

static void add_double(struct ferry_buffer *b, double f)
{
	char text[40];

	for (int digits = 15; digits <= 17; digits++) {
		snprintf(text, sizeof(text), "%.*g", digits, f);
		if (strtod(text, NULL) == f)
			break;
	}
	ferry_buffer_add_str(b, text);
}

static void add_int(struct ferry_buffer *b, const struct ferry_value *v)
{
	char room[3 * KEY_BYTES + 8];
	char *text;

	if (!(v->flags & FERRY_BIG)) {
		ferry_buffer_printf(b, "%" PRId64, v->u.i);
		return;
	}
	if (v->u.s.nbytes > KEY_BYTES) {
		ferry_buffer_printf(b, "<int of %" PRIu64 " bytes>",
				    v->u.s.nbytes);
		return;
	}
	text = ferry_big_format(v, room);
	if (text)
		ferry_buffer_add_str(b, text);
	else
		b->failed = true;
}

static void add_key(struct ferry_buffer *b, const struct ferry_value *key,
		    uint32_t index, size_t cap, int depth);

static void add_tuple(struct ferry_buffer *b, const struct ferry_value *key,
		      uint32_t index, size_t cap, int depth)
{
	uint32_t n = key->u.list.n;

	ferry_buffer_add_str(b, "(");
	if (depth == KEY_DEPTH || n > KEY_ITEMS)
		ferry_buffer_add_str(b, "...");
	for (uint32_t i = 0; i < n && n <= KEY_ITEMS && depth < KEY_DEPTH;
	     i++) {
		if (i)
			ferry_buffer_add_str(b, ",");
		add_key(b, key->u.list.items[i], index, cap / KEY_ITEMS,
			depth + 1);
	}
	ferry_buffer_add_str(b, ")");
}

static void add_key(struct ferry_buffer *b, const struct ferry_value *key,
		    uint32_t index, size_t cap, int depth)
{
	switch (key->kind) {
	case FERRY_STRING:
		add_text(b, key->u.s.data, key->u.s.nbytes, cap);
		return;
	case FERRY_INT:
		add_int(b, key);
		return;
	case FERRY_NONE:
		ferry_buffer_add_str(b, "None");
		return;
	case FERRY_BOOL:
		ferry_buffer_add_str(b, key->u.b ? "True" : "False");
		return;
	case FERRY_FLOAT:
		add_double(b, key->u.f);
		return;
	case FERRY_GLOBAL:
		add_text(b, key->u.global.module, key->u.global.module_len,
			 cap / 2);
		ferry_buffer_add_str(b, ".");
		add_text(b, key->u.global.name, key->u.global.name_len,
			 cap / 2);
		return;
	case FERRY_TUPLE:
		add_tuple(b, key, index, cap, depth);
		return;
	case FERRY_BYTES:
		if (!(key->flags & FERRY_RANGE)) {
			add_bytes(b, key);
			return;
		}
		break;
	default:
		break;
	}
	ferry_buffer_printf(b, "<%s %" PRIu32 ">", ferry_kind_name(key->kind),
			    index);
}

void ferry_key_text(struct ferry_buffer *b, const struct ferry_value *key,
		    uint32_t index, size_t cap)
{
	add_key(b, key, index, cap, 0);
}

bool ferry_child_name(struct ferry_buffer *b, const struct ferry_value *parent,
		      const struct ferry_child *child, size_t cap)
{
	static const char *const fields[] = {
		[FERRY_ROLE_CALLABLE] = "callable",
		[FERRY_ROLE_ARGS] = "args",
		[FERRY_ROLE_KWARGS] = "kwargs",
		[FERRY_ROLE_LIST] = "list",
		[FERRY_ROLE_DICT] = "dict",
		[FERRY_ROLE_STATE] = "state",
		[FERRY_ROLE_EXTRA] = "extra",
	};

	switch (child->role) {
	case FERRY_ROLE_ITEM:
		ferry_buffer_printf(b, "%" PRIu32, child->index);
		return true;
	case FERRY_ROLE_KEY:
		ferry_buffer_printf(b, "keys.%" PRIu32, child->index);
		return true;
	case FERRY_ROLE_VALUE:
		ferry_key_text(b, parent->u.dict.pairs[child->index].key,
			       child->index, cap);
		return true;
	default:
		if (parent->kind == FERRY_OBJECT &&
		    child->role != FERRY_ROLE_CALLABLE &&
		    child->role == ferry_object_entry(parent->u.object))
			return false;
		ferry_buffer_add_str(b, fields[child->role]);
		return true;
	}
}

/* The step is to an item of `via`, a field of an OBJECT, whose items have no
 * names: the two mappings of a state, or the payload among the arguments. */
static bool is_transparent(const struct ferry_step *via,
			   const struct ferry_step *step)
{
	const struct ferry_object *o;

	if (via->value->kind != FERRY_OBJECT ||
	    step->child.role != FERRY_ROLE_ITEM)
		return false;
	o = via->value->u.object;
	if (via->child.role == FERRY_ROLE_ARGS)
		return o->payload >= 0 &&
		       step->child.index == (uint32_t)o->payload;
	return via->child.role == FERRY_ROLE_STATE &&
	       ferry_object_entry(o) == FERRY_ROLE_STATE &&
	       ferry_object_has_slots(o);
}

void ferry_steps_path(struct ferry_buffer *b, const struct ferry_step *steps,
		      size_t n, size_t cap)
{
	bool named = false;
	size_t before;

	for (size_t i = 0; i < n && b->n < cap; i++) {
		if (i && is_transparent(&steps[i - 1], &steps[i]))
			continue;
		if (i + 1 < n && steps[i].child.role == FERRY_ROLE_ARGS &&
		    is_transparent(&steps[i], &steps[i + 1]))
			continue;
		before = b->n;
		if (named)
			ferry_buffer_add_str(b, ".");
		if (ferry_child_name(b, steps[i].value, &steps[i].child,
				     cap - b->n))
			named = true;
		else if (!b->failed)
			b->n = before;
	}
	if (b->n > cap)
		b->n = ferry_utf8_cut(b->data, cap);
	if (!b->failed && b->data)
		b->data[b->n] = '\0';
}
