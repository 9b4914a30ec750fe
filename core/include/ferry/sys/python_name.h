/*
 * Names of classes and functions across Python versions.
 *
 * A pickle of protocol 0, 1 or 2 names things as Python 2 did, and Python 3
 * renames them as it reads ("__builtin__" "xrange" is "builtins" "range").  A
 * GLOBAL that such a pickle names and that would be renamed carries FERRY_PY2
 * and keeps its spelling; all others are spelled as Python 3 does.
 *
 * Source of facts: the renames that Python's pickle documentation calls
 * fix_imports.
 */
#ifndef FORMATS_PICKLE_NAMES_H
#define FORMATS_PICKLE_NAMES_H

#include <ferry/value.h>

/* Borrowed; not terminated. */
struct pickle_name {
	const char *module, *name;
	size_t module_len, name_len;
};

/* What Python 3 calls the name that protocols below 3 give; itself when it has
 * no other. */
struct pickle_name pickle_name_modern(struct pickle_name old);

/* The Python 3 name of a GLOBAL. */
struct pickle_name pickle_name_of(const struct ferry_value *global);

/*
 * What to write at a protocol below 3 so that Python 3 reads `modern`; false
 * when no spelling leads there.
 */
bool pickle_name_old(struct pickle_name modern, struct pickle_name *out);

bool pickle_name_equal(struct pickle_name a, struct pickle_name b);
bool pickle_name_is(struct pickle_name a, const char *module, const char *name);

#endif
