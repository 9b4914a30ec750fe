/*
 * The model variants: which tensors a model of given sizes has.
 *
 * The schemas are those in schemas/caiman/tensors; all are one set of formulas in
 * the dimensions F, E, L1, L2, S, P, LP, J and C (struct model), of which C is
 * the number of classes.
 */
#ifndef PLUGINS_CAIMAN_VARIANT_H
#define PLUGINS_CAIMAN_VARIANT_H

#include "plugins/caiman/release.h"
#include "plugins/caiman/report.h"
#include "plugins/caiman/shape.h"

/* Violations at r->path.<tensor name> where the weights are not those of a
 * model of these sizes. */
int check_model(struct ferry_document *doc, struct ferry_value *weights,
		const struct model *model, uint64_t classes, struct report *r,
		struct ferry_error *err);

/*
 * The variant that names and shapes of the weights are exactly, of those that
 * `release` takes; *out NULL: none.  Order and dtypes don't matter.
 */
int find_variant(struct ferry_document *doc, struct ferry_value *weights,
		 const struct release *release, const char **out,
		 struct ferry_error *err);

/* Options "variant" and "skip-tensor-check" of a conversion; UNSUPPORTED with
 * what differs where the weights are of no variant that is asked for. */
int require_variant(const struct ferry_conversion_args *args,
		    struct ferry_value *weights,
		    const struct release *release, struct ferry_error *err);

#define VARIANT_OPTIONS \
	{ "variant", NULL, "tensor schema (name or file) that the weights " \
	  "must have; default: any that the release takes" }, \
	{ "skip-tensor-check", "no", "take weights of any names and shapes" }

#endif
