/*
 * A look ahead into a data file, before a document is made of it.  libyaml takes
 * quadratic time over nesting and anchors, and an alias gives all that it stands
 * for again: so there are few of the first, and what aliases give is counted.
 * Whoever reads the document may recurse and follow aliases without counting.
 */
#ifndef CORE_HANDLING_YAML_AHEAD_H
#define CORE_HANDLING_YAML_AHEAD_H

#include <yaml.h>

#include <ferry/error.h>

/* MALFORMED: no YAML, or an alias inside of what it stands for; LIMIT. */
int ferry__yaml_look_ahead(const char *data, size_t n, const char *path,
			   struct ferry_error *err);
/* What stopped a parser. */
int ferry__yaml_stopped(const yaml_parser_t *parser, const char *path,
			struct ferry_error *err);

#endif
