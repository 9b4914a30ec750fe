/*
 * Sets of files that are replaced in place.  No rename takes them all at once,
 * so OUTPUT.ferry-moving tells of it from before the first file takes a name
 * until the record stands: whoever finds it after a kill ends what was begun,
 * or puts the originals back.
 *
 * {"ferry_moving": 1,
 *  "sidecar": the record to be, "name": of the file that it lies beside,
 *  "source", "backup": lists of {name, nbytes, mtime_ns, ends},
 *  "before": list of {name, nbytes, ends}, of an output that was there,
 *  "keep": backups stay}
 *
 * Names are relative to the directory of the file.  It is locked by flock()
 * while a run is at it.
 */
#ifndef CORE_BATCH_REPLACEMENT_H
#define CORE_BATCH_REPLACEMENT_H

#include <stdbool.h>

#include <jansson.h>

#include <ferry/error.h>

#define FERRY__MOVING ".ferry-moving"

struct ferry__replacement {
	const char *path;	/* of what tells of it; borrowed */
	const char *aside;	/* directory on its file system; borrowed */
	json_t *plan;		/* borrowed */
	bool sync;
	int lock;		/* -1: none */
};

/* Tell of it, under a lock.  EXISTS when another run does already. */
int ferry__replacement_begin(struct ferry__replacement *r,
			     struct ferry_error *err);
/* All files have their names: record them, remove what was before. */
int ferry__replacement_end(struct ferry__replacement *r,
			   struct ferry_error *err);
/* Put the originals back. */
int ferry__replacement_undo(struct ferry__replacement *r,
			    struct ferry_error *err);
/* Give up the lock. */
void ferry__replacement_close(struct ferry__replacement *r);

/*
 * What a killed run left: ended where all files have their names, else undone.
 * Waits for a run that is at it.  Nothing to do is no error; EXISTS when an
 * original is neither in its place nor in its backup.
 */
int ferry__replacement_resume(const char *path, struct ferry_error *err);
/* That of the file or directory that was the source, and that of the index of a
 * file named as a shard: it may be one that a replacement is yet to remove. */
int ferry__replacement_resume_of(const char *source, struct ferry_error *err);

/* It tells of the file: a path that begins with the same directory. */
bool ferry__replacement_names(const json_t *plan, const char *path,
			      const char *file);

#endif
