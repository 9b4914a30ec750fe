/*
 * Tensor schemas: which tensors a model's weights are, by name, shape and
 * dtype, written as formulas in the model's dimensions.
 *
 *	name: example/base
 *	description: one line
 *	dims: {E: 1024, L: 2}		# integers, or formulas in earlier ones
 *	tensors:
 *	  - {name: embed.weight, shape: [E, "4*E"], dtype: float32}
 *	  - for: {i: [0, L]}		# i = 0 .. L-1; may be nested
 *	    tensors:
 *	      - {name: "layers.{i}.weight", shape: ["i == 0 ? E : 2*E", E]}
 *	  - {name: extra, shape: [E], optional: true}
 *
 * `base: FILE` builds on another file, whose dimensions this one's change and
 * whose tensors come first; a dimension without a value must be given then.
 *
 * A formula has integers, names, + - * / (exact: a remainder is an error) %,
 * comparisons, ?: and parentheses.  "{i}" in a name is a formula too.  The order
 * of tensors is part of the schema; whether it matters is the checker's choice.
 * doc/schemas.md has all of it, with the limits.
 *
 * A schema is data: a file in the schema directories found by its name
 * (caiman/base is caiman/tensors/base.yaml or caiman/base.yaml), or a user's.
 *
 * Thread: a schema is read-only once made.
 */
#ifndef FERRY_SCHEMA_H
#define FERRY_SCHEMA_H

#include <stdbool.h>

#include <ferry/findings.h>
#include <ferry/value.h>

FERRY_BEGIN

struct ferry_session;
struct ferry_store;
struct ferry_tensor_schema;

/* dims: "NAME=INTEGER" that take the place of the file's; an unknown name is
 * MISUSE, and a base file that is not beside this one is sought in the
 * environment's schema directories.  MALFORMED with line and column; LIMIT above a million tensors. */
FERRY_API int ferry_tensor_schema_load(struct ferry_tensor_schema **out,
				       const char *path,
				       const char *const *dims, size_t n_dims,
				       struct ferry_error *err);
/* By name in the schema directories that the store's session knows; NULL:
 * those of the environment.  NOTFOUND, with names that are like it. */
FERRY_API int ferry_tensor_schema_find(struct ferry_tensor_schema **out,
				       const struct ferry_store *store,
				       const char *name,
				       const char *const *dims, size_t n_dims,
				       struct ferry_error *err);
/* What a person names: a file when it ends in ".yaml" or ".yml", as load;
 * otherwise as find. */
FERRY_API bool ferry_tensor_schema_is_file(const char *what);
FERRY_API int ferry_tensor_schema_open(struct ferry_tensor_schema **out,
				       const struct ferry_store *store,
				       const char *what,
				       const char *const *dims, size_t n_dims,
				       struct ferry_error *err);
/*
 * As open, and when a file is there that is no YAML, the weights of that
 * checkpoint (kept in the store).  UNSUPPORTED when it has none; MISUSE for
 * dims with a checkpoint.
 */
FERRY_API int ferry_tensor_schema_expected(struct ferry_tensor_schema **out,
					   struct ferry_session *s,
					   struct ferry_store *store,
					   const char *what,
					   const char *const *dims,
					   size_t n_dims,
					   struct ferry_error *err);
/* The names, shapes and dtypes of a mapping of weights (nested ones joined by
 * "."; decorated tensors too). */
FERRY_API int ferry_tensor_schema_of(struct ferry_tensor_schema **out,
				     struct ferry_document *doc,
				     struct ferry_value *weights,
				     struct ferry_error *err);
FERRY_API void ferry_tensor_schema_free(struct ferry_tensor_schema *s);

FERRY_API const char *ferry_tensor_schema_name(const struct ferry_tensor_schema *s);
/* Value of a dimension: 0 when it has no such name. */
FERRY_API uint64_t ferry_tensor_schema_dim(const struct ferry_tensor_schema *s,
					   const char *name);

struct ferry_tensor_spec {
	const char *name;
	const uint64_t *shape;
	unsigned ndim;
	uint64_t dtypes;	/* mask; 0: any */
	bool optional;
};

FERRY_API size_t ferry_tensor_schema_count(const struct ferry_tensor_schema *s);
/* In the schema's order; NULL past the end. */
FERRY_API const struct ferry_tensor_spec *
ferry_tensor_schema_get(const struct ferry_tensor_schema *s, size_t i);
FERRY_API const struct ferry_tensor_spec *
ferry_tensor_schema_at(const struct ferry_tensor_schema *s, const char *name);

enum ferry_schema_flags {
	FERRY_SCHEMA_ORDER = 1 << 0,	/* the order of names counts */
	FERRY_SCHEMA_ALLOW_MISSING = 1 << 1,
	FERRY_SCHEMA_ALLOW_UNEXPECTED = 1 << 2,
};

/*
 * Compare weights with a schema.  VIOLATIONs: code "missing", "unexpected",
 * "shape", "dtype", "order" (the first one only); path is the tensor's name.
 * What is no tensor is left alone.  Returns 1 when they fit,
 * 0 when not, or a negative ferry_code.
 */
FERRY_API int ferry_tensor_schema_check(const struct ferry_tensor_schema *s,
					struct ferry_document *doc,
					struct ferry_value *weights,
					uint32_t flags,
					struct ferry_findings *out,
					struct ferry_error *err);

/*
 * Whether the names that are missing and those that are unexpected differ by
 * what stands before them: 1, and `out` is what the weights have too much; -1:
 * what they lack; 0: neither, or it does not fit into `cap`.
 */
FERRY_API int ferry_tensor_schema_shift(const struct ferry_findings *misfits,
					char *out, size_t cap);

FERRY_END

#endif
