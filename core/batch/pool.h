/* What passes between the pool and its workers. */
#ifndef CORE_BATCH_POOL_H
#define CORE_BATCH_POOL_H

#include "core/batch/batch.h"

#define FERRY__ORDER_MOST 512

/* To a worker: entries to work on, one after another. */
struct ferry__order {
	uint64_t memory;
	uint32_t threads;
	uint32_t n;
	uint64_t entries[FERRY__ORDER_MOST];
};

/* From a worker: `nbytes` of a record follow, for an entry; or progress. */
struct ferry__answer {
	uint64_t entry;		/* UINT64_MAX: progress */
	uint64_t done;		/* progress: bytes of what is at hand */
	uint32_t nbytes;
	uint32_t full;		/* the disk is */
	uint32_t last;		/* of the order */
	uint32_t reserved;
};

/* What all processes see. */
struct ferry__board {
	atomic_bool cancel;
	atomic_bool stopping;		/* nothing more is begun */
	_Atomic uint64_t n_failed;	/* as they fail, before it is told */
	struct ferry__place {
		_Atomic uint64_t at;	/* its entry + 1, or 0 */
		_Atomic uint64_t n_failed;	/* its part of them */
	} of[];				/* by worker */
};

/* The life of a worker: until `fd` ends. */
void ferry__work(struct ferry__pool *p, struct ferry__board *board,
		 unsigned index, int fd);

#endif
