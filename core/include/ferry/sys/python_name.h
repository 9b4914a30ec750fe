/*
 * Names of classes and functions across Python versions.
 *
 * What was saved for Python 2 names things as Python 2 did, and Python 3
 * renames them as it reads ("__builtin__" "xrange" is "builtins" "range").  A
 * GLOBAL that such a file names and that would be renamed carries FERRY_PY2
 * and keeps its spelling; all others are spelled as Python 3 does.
 *
 * Source of facts: the renames that Python's documentation calls fix_imports.
 */
#ifndef FERRY_SYS_PYTHON_NAME_H
#define FERRY_SYS_PYTHON_NAME_H

#include <ferry/sys/build.h>
#include <ferry/value.h>

FERRY_BEGIN

/* Borrowed; not terminated. */
struct ferry_name {
	const char *module, *name;
	size_t module_len, name_len;
};

/* What Python 3 calls the name that Python 2 gives; itself when it has no
 * other. */
FERRY_API struct ferry_name ferry_name_modern(struct ferry_name old);

/* The Python 3 name of a GLOBAL. */
FERRY_API struct ferry_name ferry_name_of(const struct ferry_value *global);

/*
 * What to write for Python 2 so that Python 3 reads `modern`; false when no
 * spelling leads there.
 */
FERRY_API bool ferry_name_old(struct ferry_name modern,
			      struct ferry_name *out);

FERRY_API bool ferry_name_equal(struct ferry_name a, struct ferry_name b);
FERRY_API bool ferry_name_is(struct ferry_name a, const char *module,
			     const char *name);

FERRY_END

#endif
