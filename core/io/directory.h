/* The files below a directory: what an input that is a directory has. */
#ifndef FERRY_IO_DIRECTORY_H
#define FERRY_IO_DIRECTORY_H

#include <stdbool.h>

#include <ferry/findings.h>
#include <ferry/sys/build.h>

struct ferry_directory {
	struct ferry_store *store;	/* of the names */
	const char *const *names;	/* "a/b.th", sorted by byte; n + 1 */
	const uint64_t *sizes;
	size_t n;
};

/*
 * List the regular files below path, at most FERRY_DIRECTORY_MOST (LIMIT) and
 * FERRY_DIRECTORY_DEPTH deep, opening none.  Symbolic links to files count as
 * files, links to directories are passed over, as are the temporary files and
 * directories of outputs.  What could not be looked at is a WARNING in `found`
 * (NULL allowed), a link passed over a NOTE.  IO when path itself can't be
 * read.
 */
int ferry_directory_list(struct ferry_directory *out, const char *path,
			 struct ferry_findings *found, struct ferry_error *err);
void ferry_directory_release(struct ferry_directory *d);

/* Index of a name, or d->n. */
size_t ferry_directory_find(const struct ferry_directory *d, const char *name);

/* The name of a temporary file or directory of an output. */
bool ferry_is_temporary(const char *name);

#endif
