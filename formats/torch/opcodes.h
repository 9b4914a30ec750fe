/*
 * Names of a pickle's opcodes, for reports of what weights_only refuses.
 *
 * Source: Python's pickletools documentation.
 */
#ifndef FORMATS_TORCH_OPCODES_H
#define FORMATS_TORCH_OPCODES_H

#include <stdint.h>

/* "GLOBAL", or NULL for a byte that is no opcode. */
const char *torch_opcode_name(uint8_t opcode);

#endif
