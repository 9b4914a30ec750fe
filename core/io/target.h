/* Where an output file really lies: symbolic links followed, kind checked. */
#ifndef FERRY_IO_TARGET_H
#define FERRY_IO_TARGET_H

#include <stdbool.h>
#include <sys/stat.h>

#include <ferry/error.h>

struct ferry_target {
	char *path;		/* no symbolic link itself; owned */
	bool exists;
	struct stat st;		/* when it exists */
};

/*
 * Follow `path` through symbolic links to the file it means, which need not
 * exist.  EXISTS when anything is there and !overwrite; UNSUPPORTED when it is
 * no regular file; IO.  Release with ferry_target_release().
 */
int ferry_target_init(struct ferry_target *out, const char *path,
		      bool overwrite, struct ferry_error *err);
void ferry_target_release(struct ferry_target *t);
/* EXISTS. */
int ferry_target_fail_exists(const char *path, struct ferry_error *err);

/* "<dir>/<name>" with dir as in `path`; NULL when memory is out. */
char *ferry_target_sibling(const char *path, const char *name);

/* A relative path without "." and ".." that names something. */
bool ferry_stays_inside(const char *name);

/* Bytes of the directory part of path, the last slash included. */
size_t ferry_target_dir(const char *path);

#endif
