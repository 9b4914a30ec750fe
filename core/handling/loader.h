/* Reading rule files: one rule, and the file around it. */
#ifndef CORE_HANDLING_LOADER_H
#define CORE_HANDLING_LOADER_H

#include "core/handling/rules.h"
#include "core/handling/yaml_file.h"

/* What a text "$NAME" may stand for: the field of a model's pretrained block,
 * or the value of an option. */
struct ferry__loading {
	struct ferry_rules *rules;
	struct ferry__yaml *model;	/* the file asked for */
	const yaml_node_t *pretrained;	/* in it; NULL: there is none */
	const struct ferry_store *store;
	const char *const *settings;
	size_t n_settings;
};

/* load_file.c: the value of an option, the default for one of the pretrained
 * block's fields that is not there; NULL when it is neither. */
const char *ferry__loading_value(const struct ferry__loading *l,
				 const char *name);
/* The list under a field of the pretrained block; NULL: no such list.  *known:
 * it is a field for lists, there or not. */
const yaml_node_t *ferry__loading_list(const struct ferry__loading *l,
				       const char *name, bool *known);

/* load.c: 1 when every option or field of a mapping has the value it says, or
 * one of the list; 0, or an error. */
int ferry__loading_holds(const struct ferry__loading *l, struct ferry__yaml *y,
			 const yaml_node_t *when, struct ferry_error *err);
/* load.c: the same of what stands under "when" and "unless" in a mapping. */
int ferry__loading_applies(const struct ferry__loading *l,
			   struct ferry__yaml *y, const yaml_node_t *node,
			   struct ferry_error *err);

/* load.c: append a list of rules of file y. */
int ferry__load_rules_of(struct ferry__loading *l, struct ferry__yaml *y,
			 const yaml_node_t *list, struct ferry_error *err);

#endif
