/*
 * Training checkpoint and config to hardware checkpoint.
 */
#ifndef PLUGINS_CAIMAN_EXPORT_H
#define PLUGINS_CAIMAN_EXPORT_H

#include <ferry/sys/plugin.h>

#include "plugins/caiman/release.h"

/* Roles of the conversion, in order. */
enum {
	ROLE_CHECKPOINT,
	ROLE_CONFIG,
	ROLE_MEL_MEANS,
	ROLE_MEL_VARS,
	ROLE_SENTENCEPIECE,
	ROLE_NGRAM,
};

/* What is gathered, each where its turn is. */
struct export {
	const struct ferry_conversion_args *args;
	const struct release *release;
	struct ferry_value *checkpoint, *config;	/* roots */
	struct ferry_value *means, *vars, *pieces, *ngram, *inference;
	struct ferry_error *err;
};

/*
 * export_files.c: the files that the config names, or that were given.
 * Each sets its part of *x.  Errors name what is missing and how to give it.
 */
int export_stats(struct export *x);
int export_pieces(struct export *x);
int export_ngram(struct export *x);

/* logmel_norm_weight is 1, as math.isclose() has it. */
#define NORM_TOLERANCE 1e-9
bool norm_is_finished(double w);

extern const struct ferry_conversion training_to_hardware;

#endif
