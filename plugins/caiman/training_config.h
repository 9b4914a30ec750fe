/*
 * What a training config has to be: as the loader of CAIMAN-ASR sees it, by
 * schemas/caiman/training.yaml.
 */
#ifndef PLUGINS_CAIMAN_TRAINING_CONFIG_H
#define PLUGINS_CAIMAN_TRAINING_CONFIG_H

#include "plugins/caiman/release.h"
#include "plugins/caiman/report.h"

/* One input section, "val" or "train": names, and sample rates that agree. */
int check_input(struct ferry_store *store, struct ferry_value *config,
		const char *split, struct report *r, struct ferry_error *err);

/* Sizes that hold together: in_feats = n_filt * frame_stacking. */
void check_sizes(struct ferry_value *config, struct report *r);

/* Words of a template that nobody has filled in, of code "template"; in paths
 * of these settings among others. */
#define TEMPLATE_PIECES "tokenizer.sentpiece_model"
#define TEMPLATE_STATS "input_val.filterbank_features.stats_path"
#define TEMPLATE_NGRAM "ngram.ngram_path"
void check_filled(struct ferry_value *config, struct report *r);

/* The types' checks: by the schema that takes most, or by the release that the
 * option RELEASE_CHECK names. */
int check_config(struct ferry_document *doc, struct ferry_findings *out,
		 struct ferry_error *err);
int check_config_by(struct ferry_document *doc,
		    const struct ferry_options *options,
		    struct ferry_findings *out, struct ferry_error *err);
int check_inference(struct ferry_document *doc, struct ferry_findings *out,
		    struct ferry_error *err);
int check_inference_by(struct ferry_document *doc,
		       const struct ferry_options *options,
		       struct ferry_findings *out, struct ferry_error *err);

#endif
