/* Calls that Python writes for plain values its opcodes cannot spell. */
#include "config.h"

#include "formats/pickle/machine.h"

#include <string.h>

#include <ferry/sys/python_name.h>

enum {
	SHORT_TEXT = 256,	/* copied even when the memo has it too */
};

bool pickle_is_global(const struct ferry_value *value, const char *module,
		      const char *name)
{
	return value->kind == FERRY_GLOBAL &&
	       ferry_name_is(ferry_name_of(value), module, name);
}

static struct ferry_value *arg(const struct ferry_value *args, uint32_t i,
			       int kind)
{
	struct ferry_value *v = args->u.list.items[i];

	return v->kind == kind ? v : NULL;
}

/* set([...]), frozenset([...]) */
static int plain_set(struct pickle_machine *m, enum ferry_kind kind,
		     const struct ferry_value *args, struct ferry_value **out)
{
	struct ferry_value *list, *v;

	list = args->u.list.n == 1 ? arg(args, 0, FERRY_LIST) : NULL;
	if (!list || pickle_fetched(list))
		return 0;
	v = ferry_sequence(m->store, kind, list->u.list.n);
	if (!v)
		return pickle_nomem(m);
	if (list->u.list.n)
		memcpy(v->u.list.items, list->u.list.items,
		       list->u.list.n * sizeof(struct ferry_value *));
	v->u.list.n = list->u.list.n;
	*out = v;
	return 0;
}

/* complex(re, im) */
static int plain_complex(struct pickle_machine *m,
			 const struct ferry_value *args,
			 struct ferry_value **out)
{
	struct ferry_value *re, *im;

	if (args->u.list.n != 2)
		return 0;
	re = arg(args, 0, FERRY_FLOAT);
	im = arg(args, 1, FERRY_FLOAT);
	if (!re || !im)
		return 0;
	*out = ferry_complex(m->store, re->u.f, im->u.f);
	return *out ? 0 : pickle_nomem(m);
}

/* Bytes of the text in Latin-1; false when it has a character above U+00FF. */
static bool latin1_length(const struct ferry_value *text, uint64_t *n)
{
	const uint8_t *p = (const uint8_t *)text->u.s.data;

	*n = 0;
	for (uint64_t i = 0; i < text->u.s.nbytes; i++) {
		if (p[i] > 0xc3)
			return false;
		*n += (p[i] & 0xc0) != 0x80;
	}
	return true;
}

/* The bytes that a text of code points up to U+00FF stands for. */
static int latin1(struct pickle_machine *m, struct ferry_value *text,
		  unsigned flags, struct ferry_value **out)
{
	const char *from = text->u.s.data;
	uint64_t n;
	char *to;

	if (text->u.s.nbytes > SHORT_TEXT && pickle_fetched(text))
		return 0;
	if (!latin1_length(text, &n))
		return 0;
	if (n == text->u.s.nbytes) {
		*out = ferry_string_borrow(m->store, from, n);
	} else {
		to = ferry_store_alloc(m->store, n);
		*out = to ? ferry_string_borrow(m->store, to, n) : NULL;
		for (uint64_t i = 0; to && i < n; i++) {
			to[i] = *from++;
			if (to[i] & 0x80)
				to[i] = (char)((to[i] & 3) << 6 |
					       (*from++ & 0x3f));
		}
	}
	if (!*out)
		return pickle_nomem(m);
	(*out)->kind = FERRY_BYTES;
	(*out)->flags = (uint8_t)flags;
	return 0;
}

/* _codecs.encode(text, "latin1") */
static int plain_encode(struct pickle_machine *m,
			const struct ferry_value *args,
			struct ferry_value **out)
{
	struct ferry_value *text;

	if (args->u.list.n != 2)
		return 0;
	text = arg(args, 0, FERRY_STRING);
	if (!text || !ferry_value_is(args->u.list.items[1], "latin1"))
		return 0;
	return latin1(m, text, 0, out);
}

static int plain_empty(struct pickle_machine *m, unsigned flags,
		       struct ferry_value **out)
{
	*out = ferry_bytes(m->store, "", 0, flags);
	return *out ? 0 : pickle_nomem(m);
}

/* bytearray(), bytearray(bytes), bytearray(text, "latin-1") */
static int plain_bytearray(struct pickle_machine *m,
			   const struct ferry_value *args,
			   struct ferry_value **out)
{
	struct ferry_value *bytes, *text;

	if (!args->u.list.n)
		return plain_empty(m, FERRY_MUTABLE, out);
	if (args->u.list.n == 2) {
		text = arg(args, 0, FERRY_STRING);
		if (!text || !ferry_value_is(args->u.list.items[1], "latin-1"))
			return 0;
		return latin1(m, text, FERRY_MUTABLE, out);
	}
	bytes = args->u.list.n == 1 ? arg(args, 0, FERRY_BYTES) : NULL;
	if (!bytes || bytes->flags & (FERRY_MUTABLE | FERRY_PY2))
		return 0;
	*out = ferry_string_borrow(m->store, "", 0);
	if (!*out)
		return pickle_nomem(m);
	(*out)->kind = FERRY_BYTES;
	(*out)->flags = (uint8_t)(bytes->flags | FERRY_MUTABLE);
	(*out)->u = bytes->u;
	return 0;
}

int pickle_plain(struct pickle_machine *m, const struct ferry_value *callable,
		 const struct ferry_value *args, struct ferry_value **out)
{
	struct ferry_name name;

	*out = NULL;
	if (callable->kind != FERRY_GLOBAL || args->kind != FERRY_TUPLE ||
	    (callable->u.global.module[0] != '_' &&
	     callable->u.global.module[0] != 'b'))
		return 0;
	name = ferry_name_of(callable);
	if (ferry_name_is(name, "_codecs", "encode"))
		return plain_encode(m, args, out);
	if (ferry_name_is(name, "builtins", "set"))
		return plain_set(m, FERRY_SET, args, out);
	if (ferry_name_is(name, "builtins", "frozenset"))
		return plain_set(m, FERRY_FROZENSET, args, out);
	if (ferry_name_is(name, "builtins", "complex"))
		return plain_complex(m, args, out);
	if (ferry_name_is(name, "builtins", "bytearray"))
		return plain_bytearray(m, args, out);
	if (ferry_name_is(name, "builtins", "bytes") && !args->u.list.n)
		return plain_empty(m, 0, out);
	return 0;
}
