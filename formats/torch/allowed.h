/*
 * What torch.load(weights_only=True) takes, of two releases.
 *
 * Source: torch/_weights_only_unpickler.py of 1.13.0 and 2.13.0, read out by
 * tests/corpus/torch/allowed.py.
 */
#ifndef FORMATS_TORCH_ALLOWED_H
#define FORMATS_TORCH_ALLOWED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	TORCH_1_13 = 1,
	TORCH_2_13 = 2,
};

/* The releases that take a class or function by this name. */
unsigned torch_allowed_global(const char *module, const char *name);
/* The releases that take this pickle opcode. */
unsigned torch_allowed_opcode(uint8_t opcode);

#endif
