/* Many small ranges of sources, read into memory by few calls. */
#ifndef FERRY_IO_FRAGMENT_H
#define FERRY_IO_FRAGMENT_H

#include <ferry/sys/source.h>

struct ferry_fragment {
	struct ferry_source *source;
	uint64_t offset;
	size_t n;
	unsigned char *to;
	/* Where a file has it; set by the read, fd -1: nowhere. */
	int fd;
	uint64_t at;
};

/*
 * Read n fragments, whose order changes: those that lie close together in one
 * file by one call, through a window of `cap` bytes.  Errors are those of
 * ferry_source_read().
 */
int ferry_fragments_read(struct ferry_fragment *f, size_t n,
			 unsigned char *window, size_t cap,
			 struct ferry_error *err);

#endif
