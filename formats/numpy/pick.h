/*
 * A source that picks the same bytes out of every record of another: how one
 * field of a structured array is read.
 */
#ifndef FORMATS_NUMPY_PICK_H
#define FORMATS_NUMPY_PICK_H

#include <ferry/sys/source.h>

/*
 * Bytes [first, first + pick) of each of n records of `record` bytes, which
 * begin at `offset` in src.  The records lie inside src: the caller checked.
 */
int pick_source(struct ferry_source **out, struct ferry_source *src,
		uint64_t offset, uint64_t n, uint64_t record, uint64_t first,
		uint64_t pick, struct ferry_error *err);

#endif
