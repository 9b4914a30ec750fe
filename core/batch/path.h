/*
 * Paths of outputs, and what is done with them.
 */
#ifndef CORE_BATCH_PATH_H
#define CORE_BATCH_PATH_H

#include <stdbool.h>
#include <stddef.h>

#include <ferry/error.h>

/* "PATH: can't WHAT it", by an errno. */
int ferry__path_fail(struct ferry_error *err, const char *path,
		     const char *what, int e);
/* "" is the working directory; nothing where directories can't be synced. */
int ferry__sync_directory(const char *path, struct ferry_error *err);
/* Directories on the path that are empty, as long as it has `root` bytes. */
void ferry__remove_empty(const char *path, size_t root);
/* It has a record beside it, or could: names ran out of memory. */
bool ferry__has_sidecar(const char *path);

#endif
