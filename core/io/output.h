/* What outputs, sinks and the transfer engine share. */
#ifndef FERRY_IO_OUTPUT_H
#define FERRY_IO_OUTPUT_H

#include <signal.h>
#include <sys/types.h>
#include <sys/vfs.h>

#include <ferry/sys/map.h>
#include <ferry/sys/sink.h>

#include "core/io/pending.h"
#include "core/io/target.h"
#include "core/io/tree.h"

#define FERRY_TEMP_SUFFIX ".ferry-tmp"

struct ferry_session;

struct ferry_identity {
	dev_t dev;
	ino_t ino;
};

struct ferry_dir {
	struct ferry_identity id;
	int fd;
};

struct ferry_output {
	char *path;			/* as given */
	bool overwrite;
	struct ferry_identity *inputs;	/* sorted */
	size_t n_inputs;
	struct ferry_work *work;
	struct ferry_work own_work;	/* when the caller gave none */
	struct ferry_sink **sinks;
	size_t n, cap;
	struct ferry_map keys;		/* of the sinks */
	struct ferry_dir *dirs;		/* open until the output is freed */
	size_t n_dirs;
	/* Sinks whose file is open, the one that was opened first in front. */
	struct ferry_sink *oldest, *newest;
	unsigned n_open;

	/* A directory: path is that of the temporary one. */
	struct ferry_tree *tree;	/* NULL: files beside path */
	struct ferry_session *session;	/* whose formats write its files */
	bool settled;			/* the files have their names in it */
	/* Files go below this directory in the end; NULL: where path says. */
	char *shown_dir;
};

/* What a commit has made of a sink's file. */
enum ferry_moved {
	FERRY_UNMOVED,
	FERRY_MOVED,		/* it has its name; none had it before */
	FERRY_REPLACED,		/* and the file before it is gone */
	FERRY_SWAPPED,		/* the file before it has the temporary name */
	FERRY_SET_ASIDE,	/* the file before it has a name of its own */
};

struct ferry_sink {
	struct ferry_output *output;
	char *path;			/* final, symbolic links resolved */
	char *text;			/* as messages name it, escaped */
	char *temp_path;
	const char *name;		/* final name in dirfd; in path */
	const char *temp;		/* temporary name; in temp_path */
	unsigned char *key;		/* in output->keys, once n_key is set */
	size_t n_key;
	int dirfd;			/* one of output->dirs */
	bool is_main;
	int fd;				/* -1: closed for now */
	struct ferry_identity id;	/* of the temporary file */
	struct ferry_sink *next;	/* opened after it */
	bool synced;
	struct statfs fs;		/* zeros when it could not be had */
	struct ferry_pending *pending;	/* NULL: no temporary file any more */
	enum ferry_moved moved;

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

/*
 * An output that is a directory: a new one, or files in one that is there, each
 * as ferry_output_new() has it.
 */
int ferry_output_new_directory(struct ferry_output **out, const char *path,
			       bool overwrite, const char *const *inputs,
			       size_t n_inputs, struct ferry_session *session,
			       struct ferry_work *work,
			       struct ferry_error *err);
/* A file of a directory with the files beside it: an output by itself, whose
 * commit puts them into the temporary directory. */
int ferry_output_new_file(struct ferry_output **out, struct ferry_output *o,
			  const char *name, struct ferry_error *err);
/* The files of a directory get their names in the temporary one; the commit
 * does so where it was not done. */
int ferry_output_settle(struct ferry_output *o, struct ferry_error *err);
/* The temporary directory; NULL: the output is no directory. */
const char *ferry_output_directory(const struct ferry_output *o);

/* MISUSE when the target, named by `path` in errors, is an input. */
int ferry_output_check_input(const struct ferry_output *o,
			     const struct ferry_target *target,
			     const char *path, struct ferry_error *err);

/* As rename(), but EEXIST when `to` is there. */
int ferry_rename_new(int from_dir, const char *from, int to_dir,
		     const char *to);
/* Signals that end the process wait while files move. */
void ferry_hold_signals(sigset_t *before);

/*
 * Files of one output are many and descriptors few.  A sink whose file was
 * closed opens it again: called before fd is used.  It may close another's.
 */
int ferry_sink_wake(struct ferry_sink *s, struct ferry_error *err);
/* Close the oldest files, synced, until one more may be opened. */
int ferry_output_make_room(struct ferry_output *o, struct ferry_error *err);
/* fd has just been opened for the first time. */
int ferry_sink_note_open(struct ferry_sink *s, struct ferry_error *err);
/* Close fd, if it is open, without a word. */
void ferry_sink_close(struct ferry_sink *s);
/* Everything written is on the disk, unless the user wants no syncing. */
int ferry_sink_sync(struct ferry_sink *s, struct ferry_error *err);

/* The directory of path, opened once for all; `text` names it in errors. */
int ferry_output_dir(struct ferry_output *o, const char *path,
		     const char *text, int *fd, struct ferry_error *err);

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
