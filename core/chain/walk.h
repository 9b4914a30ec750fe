/* Walking a document slot by slot, so that what is there can be replaced. */
#ifndef CORE_CHAIN_WALK_H
#define CORE_CHAIN_WALK_H

#include <ferry/sys/build.h>

struct ferry__walk {
	struct ferry_marks marks;	/* values entered; set some beforehand
					 * to leave them out */
	/*
	 * Called for every slot; `seen` when its value was met before (and is
	 * not entered again).  May put another value into *slot, which is then
	 * entered in its place unless `seen`.  Stops at a result other than 0.
	 */
	int (*visit)(void *ctx, struct ferry_value **slot, bool seen);
	void *ctx;
};

/* Marks are made by the caller: ferry_marks_init(). */
int ferry__walk(struct ferry__walk *w, struct ferry_value **slot);

#endif
