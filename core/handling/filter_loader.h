/* Inside of reading filter files. */
#ifndef CORE_HANDLING_FILTER_LOADER_H
#define CORE_HANDLING_FILTER_LOADER_H

#include "core/handling/filter.h"
#include "core/handling/yaml_file.h"

struct filter_loader {
	struct ferry_filters *filters;
	struct ferry__yaml yaml;
	struct ferry_findings *notes;
	size_t n_filters, n_texts;
	struct ferry_error *err;
};

/* The node under a key in lower or upper case, or NULL. */
yaml_node_t *ferry__filter_get(struct filter_loader *l,
			       const yaml_node_t *mapping, const char *key);
/* A text, or a list of texts, as it is in the store. */
int ferry__filter_texts(struct filter_loader *l, const yaml_node_t *node,
			struct filter_texts *out);
/* Notes of the fields of a mapping that are not among the NULL-terminated
 * ones. */
int ferry__filter_fields(struct filter_loader *l, const yaml_node_t *mapping,
			 const char *const *known);
/* filter_tree.c: a filter and all below it. */
int ferry__filter_read(struct filter_loader *l, const yaml_node_t *node,
		       struct filter **out);

#endif
