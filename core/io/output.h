/* What outputs, sinks and the transfer engine share. */
#ifndef FERRY_IO_OUTPUT_H
#define FERRY_IO_OUTPUT_H

#include <sys/types.h>
#include <sys/vfs.h>

#include <ferry/sys/sink.h>

#include "core/io/pending.h"

struct ferry_sink {
	struct ferry_output *output;
	char *path;			/* final, symbolic links resolved */
	char *text;			/* as messages name it, escaped */
	char *temp_path;
	const char *name;		/* final name in dirfd; in path */
	const char *temp;		/* temporary name; in temp_path */
	int dirfd;
	bool own_dirfd;
	bool is_main;
	int fd;
	struct statfs fs;		/* zeros when it could not be had */
	struct ferry_pending *pending;	/* NULL: no temporary file any more */
	bool renamed;			/* it has its final name */
	bool replaced;			/* there was a file of that name */

	uint64_t tell;			/* append position */
	uint64_t end;			/* end of what was written */
	unsigned char *held;		/* appended bytes before tell, not yet
					 * written */
	size_t n_held;

	/* What cloning from the last source file gave. */
	dev_t clone_dev;
	bool clone_known, clone_works;
};

struct ferry_work *ferry_sink_work(struct ferry_sink *s);

/* Write what append holds back. */
int ferry_sink_flush(struct ferry_sink *s, struct ferry_error *err);

/* Write all n bytes; touches no state of the sink but its file, so that
 * threads may call it. */
int ferry_sink_put(struct ferry_sink *s, const void *data, size_t n,
		   uint64_t offset, struct ferry_error *err);

/* The error of a write of which `n` bytes remained. */
int ferry_sink_fail(const struct ferry_sink *s, int e, uint64_t n,
		    uint64_t offset, struct ferry_error *err);

/*
 * Take the space of [offset, +n) now where that is cheap, so that a full disk
 * is met before the work, and written blocks need no allocation.
 */
int ferry_sink_reserve(struct ferry_sink *s, uint64_t offset, uint64_t n,
		       struct ferry_error *err);

/* Begin to write [offset, +n) back, so that the final sync finds little. */
void ferry_sink_write_back(struct ferry_sink *s, uint64_t offset, uint64_t n);

/* True when the file system may copy ranges by itself, on its server. */
bool ferry_sink_is_remote(const struct ferry_sink *s);

/* CANCELLED when the caller's flag is up. */
int ferry_work_check(const struct ferry_work *work, struct ferry_error *err);

/*
 * Share the extents of as much of the file range [from, +n) of fd as can be,
 * placed at `to` in the sink: *head bytes before and *tail bytes after remain
 * to be copied.  False when nothing was shared.
 */
bool ferry_sink_clone(struct ferry_sink *s, int fd, uint64_t from, uint64_t n,
		      uint64_t to, uint64_t *head, uint64_t *tail);

#endif
