/*
 * Settling of what a worker made: data on the disk, names, records.
 *
 * It is begun for a group of items, whose data is written back while the worker
 * makes others, and ended later.
 */
#ifndef CORE_BATCH_SETTLE_H
#define CORE_BATCH_SETTLE_H

#include "core/batch/batch.h"
#include "core/io/sync.h"

#define FERRY__GROUP_MOST 128

/* One item. */
struct settling {
	struct ferry__worker *w;
	struct ferry__made *made;
	char *dir;			/* of the output, with its slash */
	struct ferry_error *err;
};

/* Items that are settled together: `n` of them made, by the caller; the rest is
 * private. */
struct ferry__group {
	struct ferry__made made[FERRY__GROUP_MOST];
	size_t n;
	char *dirs[FERRY__GROUP_MOST];
	struct settling settling[FERRY__GROUP_MOST];
	size_t n_settling;
	struct ferry_syncing sync;
};

/* Write their data back.  What lies aside stays where it is until the end. */
void ferry__settle_begin(struct ferry__worker *w, struct ferry__group *g);
/* Wait for that, rename and record; entries get their states. */
void ferry__settle_end(struct ferry__worker *w, struct ferry__group *g);

#endif
