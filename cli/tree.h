/*
 * A value and what is below it, for people.
 */
#ifndef CLI_TREE_H
#define CLI_TREE_H

#include <ferry/value.h>

/* Print v under `label`, `depth` levels down (0: no limit).  `path` is where v
 * stands in its document: a shared value that comes again names its first
 * path. */
void cli_print_tree(const struct ferry_value *v, const char *label,
		    const char *path, unsigned depth);

/* One table row for each child of v: name, what it is, tensors and bytes below
 * it that no row above has.  Long lists of dotted names are grouped. */
void cli_print_contents(struct ferry_value *v);

#endif
