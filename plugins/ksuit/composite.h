/*
 * A composite model in one file, as ferry makes it of the files that noether
 * writes for its parts: names begin with "<part>.", what the parts have in
 * common stands at the root, and what each has for itself below "submodels".
 */
#ifndef PLUGINS_KSUIT_COMPOSITE_H
#define PLUGINS_KSUIT_COMPOSITE_H

#include "plugins/ksuit/ksuit.h"

#define SUBMODELS "submodels"

/* A key of the root that is one for all parts, or NULL; the weights are not. */
const char *composite_common(struct slice key);
/* "state_dict", then what is in common, in the order of noether's files.
 * FERRY_NOMEM or 0. */
int composite_set_common(struct ferry_store *store, struct ferry_value *from,
			 struct ferry_value *weights, struct ferry_value *to);
/* The "_metadata" beside a state dict, or NULL. */
struct ferry_value *composite_metadata(struct ferry_value *weights);
/* Weights as `like`: an ordered dict with "_metadata" (may be NULL), or a dict
 * alone, as averages are; NULL when memory is out. */
struct ferry_value *composite_weights(struct ferry_store *store,
				      const struct ferry_value *like,
				      struct ferry_value *items,
				      struct ferry_value *metadata);

#endif
