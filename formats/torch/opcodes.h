/*
 * A pickle as a row of opcodes, without what they do: which of them
 * weights_only refuses.
 *
 * Source: Python's pickletools documentation, for the arguments.
 */
#ifndef FORMATS_TORCH_OPCODES_H
#define FORMATS_TORCH_OPCODES_H

#include <ferry/sys/source.h>

struct torch_opcodes {
	unsigned protocol;		/* as declared; 0: not */
	uint64_t count[256];
	uint64_t offset[256];		/* of the first */
};

/* Count the opcodes of the pickle at offset, up to its STOP.  MALFORMED when
 * it ends before. */
int torch_opcodes_count(struct ferry_source *src, uint64_t offset,
			struct torch_opcodes *out, struct ferry_error *err);
/* "GLOBAL", or NULL for a byte that is no opcode. */
const char *torch_opcode_name(uint8_t opcode);

#endif
