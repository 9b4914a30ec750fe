/*
 * An output that is a directory: filled in a temporary one, which then gets the
 * name, or whose files are moved into the directory that is there.
 */
#ifndef FERRY_IO_TREE_H
#define FERRY_IO_TREE_H

#include <ferry/error.h>

struct ferry_output;
struct ferry_tree;

/*
 * Make the temporary directory: beside `path`, or within it when it is there.
 * Slashes at its end do not count.  EXISTS when something else has the name.
 */
int ferry_tree_new(struct ferry_tree **out, const char *path,
		   struct ferry_error *err);
/* Remove the temporary directory with all in it; NULL: no-op. */
void ferry_tree_free(struct ferry_tree *t);

/* Both with a slash at their end; borrowed, as the last component is. */
const char *ferry_tree_path(const struct ferry_tree *t);
const char *ferry_tree_temp_path(const struct ferry_tree *t);
const char *ferry_tree_name(const struct ferry_tree *t);

/*
 * Make room for the file `name` ("a/b.th") of the output: the directories it
 * names.  MISUSE when it is no name below the directory, or that of an input;
 * EXISTS.
 */
int ferry_tree_admit(struct ferry_output *o, const char *name,
		     struct ferry_error *err);

/*
 * Give the directory its name, or move its files: then all is where it belongs.
 * On failure nothing has a name that it did not have before.
 */
int ferry_tree_commit(struct ferry_output *o, struct ferry_error *err);

/* Remove a directory and all in it, as far as it goes; async-signal-safe. */
void ferry_tree_remove(int dirfd, const char *name);

#endif
