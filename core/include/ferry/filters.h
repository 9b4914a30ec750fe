/*
 * Parameter filters: which of a model's parameters belong to which group, as
 * data.
 *
 *	groups:
 *	  backbone:
 *	    filter: {type: name, match_type: startswith, patterns: [stages.]}
 *	    lr_multiplier: 0.1
 *	  biases:
 *	    filter: {type: dimension, dimensions: [0, 1]}
 *	stages:		{conv: [stage_0, stage_1], mixed: [stage_3]}
 *	layer_types:	{stages.0.norm: LayerNorm}
 *	gradnorm:	{exclude_config: {type: name, patterns: [head]}}
 *	buffers:	{type: name, match_type: endswith, patterns: [_var]}
 *	frozen:		{type: name, patterns: [embed]}
 *
 * doc/filters.md has the types of filters and what each means.  Keys may be
 * written in lower or upper case.  A run's config with such sections is read
 * as one, and so are the parameter_groups of a model's handling file.
 *
 * Thread: filters and reports are read-only once made.
 */
#ifndef FERRY_FILTERS_H
#define FERRY_FILTERS_H

#include <stdbool.h>

#include <ferry/findings.h>
#include <ferry/schema.h>

FERRY_BEGIN

struct ferry_filters;

/*
 * Read a filter file.  What is passed over goes to `notes` (may be NULL): a
 * group without a filter, a field nobody knows.  MALFORMED with line and
 * column; LIMIT above 10,000 filters or 100,000 patterns.
 */
FERRY_API int ferry_filters_load(struct ferry_filters **out, const char *path,
				 struct ferry_findings *notes,
				 struct ferry_error *err);
/*
 * Take the stages of a model's handling file (its parameter_groups), in the
 * place of the file's own.  MALFORMED when it has none.
 */
FERRY_API int ferry_filters_take_stages(struct ferry_filters *f,
					const char *path,
					struct ferry_error *err);
FERRY_API void ferry_filters_free(struct ferry_filters *f);

/* Parameters by their number in the schema that was asked about. */
struct ferry_filter_list {
	const size_t *items;
	size_t n;
	uint64_t nelem;		/* of all of them together */
};

struct ferry_filter_group {
	const char *name;
	struct ferry_filter_list members;
	/* As the file has them, or the defaults: 1.0, "adamw", 0.05; NULL of a
	 * handling file's. */
	const char *lr_multiplier, *optimizer, *weight_decay;
};

struct ferry_filter_report {
	/* In the file's order, a parameter perhaps in several; the last is
	 * "DEFAULT", with those that are in none and are not frozen. */
	const struct ferry_filter_group *groups;
	size_t n_groups;
	/* What the file's `gradnorm` leaves in and out; frozen ones are out. */
	bool has_gradnorm;
	bool unified;		/* by a filter, not by plain patterns */
	struct ferry_filter_list included, excluded;
	void *owner;		/* private */
};

/*
 * Find every group's parameters among the tensors of a schema (of weights:
 * ferry_tensor_schema_of()), in their order.  Groups see names as they are;
 * gradnorm, frozen and buffers without a leading "module.".
 *
 * `initial` is what a filter of type initialization compares with; NULL: it
 * takes everything, with a note.  UNSUPPORTED: a filter by layer type and no
 * table of them.  LIMIT: a pattern, or all of them, take too many steps.
 */
FERRY_API int ferry_filters_report(struct ferry_filter_report *out,
				   const struct ferry_filters *f,
				   const struct ferry_tensor_schema *params,
				   const struct ferry_tensor_schema *initial,
				   struct ferry_findings *notes,
				   struct ferry_error *err);
FERRY_API void ferry_filter_report_release(struct ferry_filter_report *r);

FERRY_END

#endif
