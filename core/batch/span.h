/*
 * Digests of a file and of spans of it, in one reading: of an output and of the
 * tensors that lie in it.
 */
#ifndef CORE_BATCH_SPAN_H
#define CORE_BATCH_SPAN_H

#include <sys/types.h>

#include "core/batch/digest.h"

struct ferry__span {
	dev_t dev;		/* of the file; ino 0: of none */
	ino_t ino;
	uint64_t offset, nbytes;
	size_t at;		/* the caller's */
	char digest[FERRY__DIGEST_TEXT];	/* "": not told */
};

/* By file, offset and size, then as they were numbered. */
void ferry__span_sort(struct ferry__span *spans, size_t n);

/* What is told of a file. */
struct ferry__span_file {
	uint64_t nbytes;
	char digest[FERRY__DIGEST_TEXT];
	char ends[FERRY__DIGEST_TEXT];
};

/*
 * Read a file from its start to its end; of `spans`, which are sorted, those
 * that lie in it get their digests.  One that overlaps others without being
 * equal to them gets none.
 */
int ferry__span_digests(struct ferry__span_file *out,
			enum ferry_digest_kind kind, const char *path,
			struct ferry__span *spans, size_t n,
			const atomic_bool *cancel, struct ferry_error *err);

#endif
