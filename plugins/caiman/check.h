/*
 * What the checkpoints have to be.
 */
#ifndef PLUGINS_CAIMAN_CHECK_H
#define PLUGINS_CAIMAN_CHECK_H

#include "plugins/caiman/report.h"

/* All that the inference server relies on. */
int check_hardware(struct ferry_document *doc, struct ferry_findings *out,
		   struct ferry_error *err);
int check_training(struct ferry_document *doc, struct ferry_findings *out,
		   struct ferry_error *err);
/* By the rules of the release that the option RELEASE_CHECK names; options NULL:
 * by those of the one that wrote it. */
int check_hardware_by(struct ferry_document *doc,
		      const struct ferry_options *options,
		      struct ferry_findings *out, struct ferry_error *err);
int check_training_by(struct ferry_document *doc,
		      const struct ferry_options *options,
		      struct ferry_findings *out, struct ferry_error *err);
int check_stats(struct ferry_document *doc, struct ferry_findings *out,
		struct ferry_error *err);

/* tensors.c: weights are names to float32 tensors on their own storages, with
 * data, dense. */
void check_tensors(struct ferry_document *doc, struct ferry_value *weights,
		   struct report *r);
/* One float32 per filter (any number when filters is 0), finite; variances
 * above 0.  `name` is where it stands below r->path. */
int check_mel(struct ferry_value *v, const char *name, uint64_t filters,
	      bool variances, struct report *r, struct ferry_error *err);

#endif
