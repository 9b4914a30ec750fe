/*
 * Many files' data, on the disk.
 */
#ifndef CORE_IO_SYNC_H
#define CORE_IO_SYNC_H

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>

struct ferry_synced {
	char *path;
	size_t owner;		/* the caller's */
	int error;		/* errno; 0: its data is on the disk */
};

#define FERRY_SYNC_THREADS 31

/* Under way: `n` of the caller's files; the rest is private. */
struct ferry_syncing {
	struct ferry_synced *files;
	size_t n;
	atomic_size_t started, next;
	pthread_t threads[FERRY_SYNC_THREADS];
	unsigned n_threads;
};

/*
 * fdatasync(2) for each path; `error` is set.  All are written back before the
 * first is waited for, and several are waited for at a time: a disk flushes
 * once for those that wait together.  Between the two, the caller does what it
 * likes but for `s` and the files, which stay where they are.
 */
void ferry_sync_begin(struct ferry_syncing *s, struct ferry_synced *files,
		      size_t n);
void ferry_sync_end(struct ferry_syncing *s);

#endif
