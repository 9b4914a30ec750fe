/* Inside of reading tensor schemas: what a schema file is made into. */
#ifndef CORE_HANDLING_SCHEMA_LOADER_H
#define CORE_HANDLING_SCHEMA_LOADER_H

#include "core/handling/schema.h"
#include "core/handling/schema_formula.h"
#include "core/handling/yaml_file.h"

/* A file of the chain of base files. */
struct layer {
	struct ferry__yaml yaml;
	char *name;
	bool named;
};

/* A dimension: where its formula stands. */
struct definition {
	const char *name;
	const struct ferry__yaml *yaml;
	const yaml_node_t *node;
	const char *given;		/* by the caller, or NULL */
};

struct loader {
	struct ferry_tensor_schema *schema;
	const struct ferry_store *store;
	struct layer layers[FERRY__SCHEMA_DEPTH];	/* this first */
	size_t n_layers;
	struct definition dims[FERRY__SCHEMA_DIMS];
	size_t n_dims;
	struct ferry__scope scope;
	struct ferry_buffer text;
	size_t names_nbytes;
	struct ferry__yaml *yaml;	/* whose tensors are read */
	struct ferry_error *err;
};

/* The last formula failed: MALFORMED or LIMIT, at its node. */
int ferry__loader_fail(struct loader *l, const struct ferry__yaml *y,
		       const yaml_node_t *node);
int ferry__loader_number(struct loader *l, const struct ferry__yaml *y,
			 const yaml_node_t *node, int64_t *out);
/* Not negative; messages call it `what`. */
int ferry__loader_size(struct loader *l, const struct ferry__yaml *y,
		       const yaml_node_t *node, const char *what,
		       uint64_t *out);
/* schema_unroll.c: the tensors of all layers, loops unrolled. */
int ferry__loader_tensors(struct loader *l);

#endif
