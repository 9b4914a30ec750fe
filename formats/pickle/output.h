/*
 * A pickle being written: bytes in memory, and holes between them that a range
 * of a source fills when the pickle is read.
 */
#ifndef FORMATS_PICKLE_OUTPUT_H
#define FORMATS_PICKLE_OUTPUT_H

#include <ferry/sys/buffer.h>
#include <ferry/sys/source.h>

struct pickle_hole {
	uint64_t position;	/* in the pickle */
	uint64_t before;	/* bytes of memory that come before it */
	struct ferry_source *source;	/* one reference is held */
	uint64_t offset, nbytes;
};

struct pickle_output {
	struct ferry_buffer bytes;	/* its failure is sticky */
	struct pickle_hole *holes;
	size_t n_holes, cap_holes;
	uint64_t hole_bytes;
	uint64_t least_hole;	/* shorter ranges are read in */
};

void pickle_output_release(struct pickle_output *out);
/* Add [offset, offset+n) of source: a hole, or read in. */
int pickle_output_range(struct pickle_output *out, struct ferry_source *source,
			uint64_t offset, uint64_t n, struct ferry_error *err);
/* A source over the whole, which takes over what is in `out`. */
int pickle_output_source(struct pickle_output *out, struct ferry_source **src,
			 struct ferry_error *err);

#endif
