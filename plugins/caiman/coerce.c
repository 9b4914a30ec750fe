/* Coercions. */
#include "config.h"

#include "plugins/caiman/coerce.h"

#include <math.h>
#include <string.h>

#include "plugins/caiman/number.h"

static const struct {
	const char *name, *title;
} fields[] = {
	[FIELD_INT] = { "int", "an integer" },
	[FIELD_FLOAT] = { "float", "a number" },
	[FIELD_STR] = { "str", "text" },
	[FIELD_LIST] = { "list", "a list" },
};

#define N_FIELDS (sizeof(fields) / sizeof(*fields))

enum field field_named(const struct ferry_value *name)
{
	for (size_t i = FIELD_INT; i < N_FIELDS; i++)
		if (ferry_value_is(name, fields[i].name))
			return (enum field)i;
	return FIELD_NONE;
}

const char *field_title(enum field field)
{
	return fields[field].title;
}

static int given(struct ferry_value *made, struct ferry_value **out)
{
	*out = made;
	return made ? 0 : FERRY_NOMEM;
}

/* int() of a float: 1 cuts off, 2 wants it whole and within 64 bits. */
static int int_of_float(struct ferry_store *store, unsigned pydantic, double f,
			struct ferry_value **out)
{
	if (!isfinite(f))
		return 0;
	if (pydantic > 1 && (f != trunc(f) || fabs(f) >= 0x1p63))
		return 0;
	return given(number_truncate(store, f), out);
}

static int to_int(struct ferry_store *store, unsigned pydantic,
		  struct ferry_value *in, struct ferry_value **out)
{
	switch (in->kind) {
	case FERRY_INT:
		*out = in;
		return 0;
	case FERRY_BOOL:
		return given(ferry_int(store, in->u.b), out);
	case FERRY_FLOAT:
		return int_of_float(store, pydantic, in->u.f, out);
	case FERRY_STRING:
	case FERRY_BYTES:
		if (in->flags & FERRY_RANGE)
			return 0;
		return pydantic > 1 ?
			number_pydantic_int(store, in->u.s.data,
					    in->u.s.nbytes, out) :
			number_python_int(store, in->u.s.data, in->u.s.nbytes,
					  out);
	default:
		return 0;
	}
}

static int to_float(struct ferry_store *store, unsigned pydantic,
		    struct ferry_value *in, struct ferry_value **out)
{
	const char *digits;
	double f;

	switch (in->kind) {
	case FERRY_FLOAT:
		*out = in;
		return 0;
	case FERRY_BOOL:
		return given(ferry_float(store, in->u.b), out);
	case FERRY_INT:
		digits = ferry_int_text(store, in);
		if (!digits)
			return FERRY_NOMEM;
		if (!number_float(digits, strlen(digits), false, &f) ||
		    !isfinite(f))
			return 0;
		return given(ferry_float(store, f), out);
	case FERRY_STRING:
	case FERRY_BYTES:
		if ((in->flags & FERRY_RANGE) ||
		    !number_float(in->u.s.data, in->u.s.nbytes, pydantic > 1,
				  &f))
			return 0;
		return given(ferry_float(store, f), out);
	default:
		return 0;
	}
}

/* What str() writes: pydantic 1 takes numbers for text. */
static int to_str(struct ferry_store *store, unsigned pydantic,
		  struct ferry_value *in, struct ferry_value **out)
{
	char text[NUMBER_REPR_CAP];
	const char *digits;

	if (in->kind == FERRY_STRING) {
		*out = in;
		return 0;
	}
	if (pydantic > 1)
		return 0;
	switch (in->kind) {
	case FERRY_BOOL:
		return given(ferry_cstring(store, in->u.b ? "True" : "False"),
			     out);
	case FERRY_INT:
		digits = ferry_int_text(store, in);
		return digits ? given(ferry_cstring(store, digits), out) :
				FERRY_NOMEM;
	case FERRY_FLOAT:
		number_repr(in->u.f, text);
		return given(ferry_cstring(store, text), out);
	default:
		return 0;
	}
}

static int to_list(struct ferry_store *store, struct ferry_value *in,
		   struct ferry_value **out)
{
	struct ferry_value *list;

	if (in->kind == FERRY_LIST) {
		*out = in;
		return 0;
	}
	if (in->kind != FERRY_TUPLE && in->kind != FERRY_SET &&
	    in->kind != FERRY_FROZENSET)
		return 0;
	list = ferry_sequence(store, FERRY_LIST, in->u.list.n);
	for (uint32_t i = 0; list && i < in->u.list.n; i++)
		if (ferry_list_add(store, list, in->u.list.items[i]))
			return FERRY_NOMEM;
	return given(list, out);
}

int coerce(struct ferry_store *store, enum field field, unsigned pydantic,
	   struct ferry_value *in, struct ferry_value **out)
{
	*out = NULL;
	switch (field) {
	case FIELD_INT:
		return to_int(store, pydantic, in, out);
	case FIELD_FLOAT:
		return to_float(store, pydantic, in, out);
	case FIELD_STR:
		return to_str(store, pydantic, in, out);
	case FIELD_LIST:
		return to_list(store, in, out);
	default:
		return 0;
	}
}
