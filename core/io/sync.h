/*
 * Many files' data, on the disk.
 */
#ifndef CORE_IO_SYNC_H
#define CORE_IO_SYNC_H

#include <stddef.h>

struct ferry_synced {
	char *path;
	size_t owner;		/* the caller's */
	int error;		/* errno; 0: its data is on the disk */
};

/*
 * fdatasync(2) for each path; `error` is set.  All are written back before the
 * first is waited for, and several are waited for at a time: a disk flushes
 * once for those that wait together.  Thread-safe.
 */
void ferry_sync_files(struct ferry_synced *files, size_t n);

#endif
