/*
 * How to work on bulk data, and how far it is.
 */
#ifndef FERRY_WORK_H
#define FERRY_WORK_H

#include <stdbool.h>
#include <stdint.h>

#include <ferry/api.h>

FERRY_BEGIN

/* Shared by all sinks of a run, or by all checks of a file.  Zeroed fields mean
 * the default. */
struct ferry_work {
	uint64_t max_memory;	/* bytes for buffers; 0: 256 MiB */
	unsigned threads;	/* 0: one per core */
	bool no_sync;		/* skip fdatasync (the user asked for it) */
	bool no_clone;		/* never share extents (for benchmarks) */
	const atomic_bool *cancel;	/* polled; may be NULL */
	/* Called from one thread at a time, now and then; may be NULL. */
	void (*progress)(void *ctx, uint64_t done, uint64_t total);
	void *progress_ctx;
	uint64_t done, total;	/* bytes; kept by who works */
};

FERRY_END

#endif
