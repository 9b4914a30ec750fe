/* The model that pretrained weights are put together for. */
#ifndef PLUGINS_LINNAEUS_TARGET_H
#define PLUGINS_LINNAEUS_TARGET_H

#include <ferry/schema.h>

#include "plugins/linnaeus/linnaeus.h"

struct target {
	struct ferry_tensor_schema *schema;	/* owned */
	const char *name;		/* of the schema or file */
	uint64_t depths[2];		/* blocks of the RoPE stages */
	bool mixed;			/* frequencies are learned */
};

/*
 * From the checkpoint of role `role`, else the tensor schema of option
 * "target".  Depths and frequencies are those of its names where options
 * "rope-depths" ("5,2") and "rope-mixed" do not say.  MISUSE: neither is
 * given, a bad option, or a model wrapped in DistributedDataParallel.
 */
int target_open(struct target *out, const struct ferry_conversion_args *args,
		size_t role, struct ferry_error *err);
void target_close(struct target *t);

/* The first of these keys that is there, or the root; MALFORMED when what it
 * holds is no mapping or empty.  `keys` ends in NULL. */
int weights_under(struct ferry_document *doc, const char *const *keys,
		  const char *what, struct ferry_value **out,
		  struct ferry_error *err);

#endif
