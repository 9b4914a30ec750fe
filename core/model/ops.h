/* What the lazy operations share. */
#ifndef CORE_MODEL_OPS_H
#define CORE_MODEL_OPS_H

#include <ferry/sys/ops.h>

/* MISUSE unless v is a TENSOR. */
int ops_check(const struct ferry_value *v, const char *what,
	      struct ferry_error *err);

/*
 * A dense tensor of that shape over src, whose reference is taken over on
 * success and on failure.  Flags of `like` that stay true are kept.
 */
int ops_dense(struct ferry_store *s, const struct ferry_tensor *like,
	      enum ferry_dtype dtype, unsigned ndim, const uint64_t *shape,
	      struct ferry_source *src, struct ferry_value **out,
	      struct ferry_error *err);

/* As ops_dense() for a tensor on the meta device. */
int ops_meta(struct ferry_store *s, const struct ferry_tensor *like,
	     enum ferry_dtype dtype, unsigned ndim, const uint64_t *shape,
	     struct ferry_value **out, struct ferry_error *err);

#endif
