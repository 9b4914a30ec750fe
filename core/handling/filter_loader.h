/* Inside of reading filter files. */
#ifndef CORE_HANDLING_FILTER_LOADER_H
#define CORE_HANDLING_FILTER_LOADER_H

#include "core/handling/filter.h"
#include "core/handling/yaml_file.h"

#define FERRY__DEFAULT_GROUP "DEFAULT"	/* what no other group takes */

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
/* A null, as Python's and YAML's texts have it. */
bool ferry__filter_is_null(const yaml_node_t *node);
/* filter_tree.c: a filter and all below it. */
int ferry__filter_read(struct filter_loader *l, const yaml_node_t *node,
		       struct filter **out);
/* filter_tree.c: one of no kind yet; LIMIT, told of the node. */
int ferry__filter_new(struct filter_loader *l, const yaml_node_t *node,
		      struct filter **out);

/* filter_model.c: a mapping of stages to parts of names; NULL: none. */
int ferry__filter_stages(struct filter_loader *l, const yaml_node_t *at);
/* Whether a file is a model's handling file, not one of filters. */
bool ferry__filter_is_model(struct filter_loader *l, const yaml_node_t *root);
/* Its parameter_groups: every list is a group, without settings. */
int ferry__filter_model(struct filter_loader *l, const yaml_node_t *root);

#endif
