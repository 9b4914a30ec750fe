/*
 * Temporary files that must not outlive the process: a table that a signal
 * handler can walk.
 */
#ifndef FERRY_IO_PENDING_H
#define FERRY_IO_PENDING_H

#include <ferry/error.h>

struct ferry_pending;

/*
 * Note the file `name` in the directory dirfd, before it is made.  dirfd must
 * stay open until ferry_pending_done().
 */
int ferry_pending_add(struct ferry_pending **out, int dirfd, const char *name,
		      struct ferry_error *err);

/* The same for a directory and all in it. */
int ferry_pending_add_tree(struct ferry_pending **out, int dirfd,
			   const char *name, struct ferry_error *err);

/* The file is renamed or removed; NULL: no-op. */
void ferry_pending_done(struct ferry_pending *p);

#endif
