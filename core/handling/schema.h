/* Inside of tensor schemas; see ferry/schema.h. */
#ifndef CORE_HANDLING_SCHEMA_H
#define CORE_HANDLING_SCHEMA_H

#include <ferry/schema.h>
#include <ferry/sys/build.h>
#include <ferry/sys/map.h>

#define FERRY__SCHEMA_TENSORS 1000000	/* of one schema */
#define FERRY__SCHEMA_WORK (UINT64_C(1) << 28)	/* steps of its formulas */
#define FERRY__SCHEMA_NAME 4096		/* bytes of a tensor's name */
#define FERRY__SCHEMA_NAMES (256 << 20)	/* bytes of all names */
#define FERRY__SCHEMA_DIMS 256
#define FERRY__SCHEMA_DEPTH 16		/* of loops, of base files */

struct ferry__dim {
	const char *name;
	uint64_t value;
};

struct ferry_tensor_schema {
	struct ferry_store *store;	/* names and shapes */
	const char *name;
	struct ferry__dim *dims;	/* in the store */
	size_t n_dims;
	struct ferry_tensor_spec *specs;
	size_t n, cap;
	struct ferry_map index;		/* name -> number */
};

int ferry__schema_new(struct ferry_tensor_schema **out,
		      struct ferry_error *err);
/* Append; name and shape are copied.  1 when there is one of that name. */
int ferry__schema_add(struct ferry_tensor_schema *s,
		      const struct ferry_tensor_spec *spec, size_t n_name,
		      struct ferry_error *err);

/*
 * schema_find.c: open a schema file.  `name` is a path, or with `named` a name
 * below the schema directories that the store knows.
 */
int ferry__schema_open(const struct ferry_store *store, const char *name,
		       bool named, struct ferry_source **out,
		       struct ferry_error *err);
/* schema_load.c: `name` as above. */
int ferry__schema_load(struct ferry_tensor_schema **out,
		       const struct ferry_store *store, const char *name,
		       bool named, const char *const *dims, size_t n_dims,
		       struct ferry_error *err);

#endif
