/*
 * What pydantic makes of a value for a field, by its major version: 1 (1.10.6)
 * and 2 (2.8.2), tried out by tests/interop/caiman.py.
 */
#ifndef PLUGINS_CAIMAN_COERCE_H
#define PLUGINS_CAIMAN_COERCE_H

#include <ferry/sys/build.h>

enum field {
	FIELD_NONE,
	FIELD_INT,
	FIELD_FLOAT,
	FIELD_STR,
	FIELD_LIST,
};

/* "int", "float", "str", "list", else FIELD_NONE. */
enum field field_named(const struct ferry_value *name);
/* "an integer", ... */
const char *field_title(enum field field);

/*
 * The value as the field has it; *out is NULL when it is refused.  Texts of
 * other scripts' digits are refused, though Python takes some.  NOMEM.
 */
int coerce(struct ferry_store *store, enum field field, unsigned pydantic,
	   struct ferry_value *in, struct ferry_value **out);

#endif
