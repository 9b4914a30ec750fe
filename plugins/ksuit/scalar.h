/* Objects of Python's libraries that stand for a plain value. */
#ifndef PLUGINS_KSUIT_SCALAR_H
#define PLUGINS_KSUIT_SCALAR_H

#include <ferry/sys/plugin.h>

/*
 * 1 and the value, when the call makes a numpy scalar (of a bool, integer,
 * float, complex or text dtype) or a path of pathlib; 0 when it makes something
 * else; FERRY_NOMEM.  `was` gets what it is called.
 */
int scalar_of_numpy(struct ferry_store *store, const struct ferry_object *call,
		    char *was, size_t cap, struct ferry_value **out);
int text_of_path(struct ferry_store *store, const struct ferry_object *call,
		 char *was, size_t cap, struct ferry_value **out);

#endif
