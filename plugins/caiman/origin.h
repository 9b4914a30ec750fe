/*
 * Which release wrote a checkpoint, as far as the file tells.
 */
#ifndef PLUGINS_CAIMAN_ORIGIN_H
#define PLUGINS_CAIMAN_ORIGIN_H

#include "plugins/caiman/release.h"

struct origin {
	const struct release *first, *last;	/* that write such a layout */
	bool exact;		/* every clue fits; else most of them */
	const char *version;	/* what a hardware checkpoint says; or NULL */
	char release[80];	/* "1.9.0 to 1.12.0" */
	char known_by[240];	/* "keys of the checkpoint, ..." */
};

typedef int origin_finder(struct ferry_document *doc,
			  const struct releases *all, struct origin *out,
			  struct ferry_error *err);

/* NOMEM. */
int origin_of_training(struct ferry_document *doc, const struct releases *all,
		       struct origin *out, struct ferry_error *err);
int origin_of_hardware(struct ferry_document *doc, const struct releases *all,
		       struct origin *out, struct ferry_error *err);

/* The weights have the second names of a CUDA LSTM: "<net>.lstm.layers.0.". */
bool has_layers(struct ferry_value *weights);

#endif
