/*
 * linnaeus: hierarchical image classification (mFormerV0, mFormerV1).
 *
 * Its training checkpoint is one dict: model, optimizer, lr_scheduler, epoch,
 * config (an object of yacs' CfgNode), iteration, and what the run had of
 * training_progress, amp, wandb_run_id, metrics_tracker.
 */
#ifndef PLUGINS_LINNAEUS_LINNAEUS_H
#define PLUGINS_LINNAEUS_LINNAEUS_H

#include <ferry/sys/buffer.h>
#include <ferry/sys/plugin.h>

/* ---- values (value.c) ------------------------------------------------------ */

/* The value under a key of a mapping; NULL also where `in` is none. */
struct ferry_value *entry(struct ferry_value *in, const char *key);
/* Below several keys, "." between. */
struct ferry_value *entry_at(struct ferry_value *in, const char *path);
/* A tensor, decorated or not; NULL: it is none. */
const struct ferry_tensor *tensor_of(struct ferry_value *v);
/* An INT that fits. */
bool whole(const struct ferry_value *v, int64_t *out);
/* The name of every weight begins with "module.". */
bool is_wrapped(struct ferry_value *weights);
/* An object of yacs.config.CfgNode. */
bool is_cfg_node(const struct ferry_value *v);

/* Names, the first few of them. */
struct names {
	struct ferry_buffer text;
	size_t n;
};

#define SHOWN_NAMES 6

void names_add(struct names *n, const char *fmt, ...) FERRY_PRINTF(2, 3);
/* "a, b, ..." */
const char *names_text(struct names *n);

/* ---- types (recognise.c, describe.c, check.c, types.c) --------------------- */

int recognise_training(struct ferry_document *doc, const char *file_name,
		       struct ferry_match *out);
int recognise_config(struct ferry_document *doc, const char *file_name,
		     struct ferry_match *out);
int recognise_model(struct ferry_document *doc, const char *file_name,
		    struct ferry_match *out);

int describe_training(struct ferry_document *doc, struct ferry_value *out,
		      struct ferry_error *err);
int describe_config(struct ferry_document *doc, struct ferry_value *out,
		    struct ferry_error *err);
int describe_model(struct ferry_document *doc, struct ferry_value *out,
		   struct ferry_error *err);

int check_training(struct ferry_document *doc, struct ferry_findings *out,
		   struct ferry_error *err);

extern const struct ferry_artifact_type *const linnaeus_types[];

/* ---- conversions (config.c, weights.c, stitch.c) --------------------------- */

/* MultiOptimizer's layout: 0: another optimizer. */
unsigned multi_optimizer(struct ferry_value *optimizer);

extern const struct ferry_conversion training_to_config;
extern const struct ferry_conversion training_to_weights;
extern const struct ferry_conversion model_to_weights;
extern const struct ferry_conversion stitch_checkpoint;
extern const struct ferry_conversion stitch_weights;

#endif
