/*
 * The inference config: what a release's schema makes of a training config.
 */
#ifndef PLUGINS_CAIMAN_INFERENCE_H
#define PLUGINS_CAIMAN_INFERENCE_H

#include "plugins/caiman/release.h"
#include "plugins/caiman/report.h"

/*
 * Violations go to r, fields in the schema's order and then what is not
 * expected, per section; *out is NULL when there are any.  An error is NOMEM or
 * of the schema itself.
 */
int inference_config(struct ferry_store *store, const struct release *release,
		     struct ferry_value *config, struct report *r,
		     struct ferry_value **out, struct ferry_error *err);

/* As a release's rnnt_config: none (*out NULL), whole, or by its schema, where
 * violations are one MALFORMED error, and each is added to `told`. */
int release_config(struct ferry_store *store, const struct release *release,
		   struct ferry_value *config, struct ferry_value **out,
		   struct ferry_findings *told, struct ferry_error *err);

/* *out is a copy without rnnt.joint_lr_factor when the config has that, which
 * no release since 1.2 takes; else the config itself. */
int without_joint_lr_factor(struct ferry_store *store,
			    struct ferry_value *config,
			    struct ferry_value **out, struct ferry_error *err);

extern const struct ferry_conversion config_to_inference;

#endif
