/*
 * What a checkpoint is taken apart into: weights, and the inference config.
 * Its other parts are bytes and tensors that --select takes.
 */
#ifndef PLUGINS_CAIMAN_PIECES_H
#define PLUGINS_CAIMAN_PIECES_H

#include <ferry/sys/plugin.h>

extern const struct ferry_conversion hardware_to_state_dict;
extern const struct ferry_conversion training_to_state_dict;
extern const struct ferry_conversion hardware_to_inference;

#endif
