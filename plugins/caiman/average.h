/*
 * The mean of training checkpoints, as upstream's tool (1.14) makes it: entries
 * are added in the order of the files, in their stored dtype, and divided by
 * the number of files, also those that some files lack; the EMA likewise.  What
 * is no mean is as of a training that has not begun.
 */
#ifndef PLUGINS_CAIMAN_AVERAGE_H
#define PLUGINS_CAIMAN_AVERAGE_H

#include <ferry/sys/plugin.h>

int average_training(struct ferry_document *const *docs, size_t n,
		     const struct ferry_options *options,
		     struct ferry_document *out, struct ferry_findings *findings,
		     struct ferry_error *err);

#endif
