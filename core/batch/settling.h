/*
 * Settling of one item, as the files that do so share it: what a worker made
 * aside gets its name and its record.
 *
 *	settling.c   paths, directories, data on the disk
 *	placing.c    what is there, backups, renames
 *	exchange.c   sets that take the place of others
 *	removal.c    sources and files of before
 *	settle.c     in which order
 *
 * All return 0 or a code that s->err tells of, unless they say otherwise.
 */
#ifndef CORE_BATCH_SETTLING_H
#define CORE_BATCH_SETTLING_H

#include <ferry/sys/buffer.h>

#include "core/batch/settle.h"

/* ---- settling.c ---------------------------------------------------------- */

/* "PATH: WHAT: move it away ..." */
int ferry__fail_kind(struct settling *s, const char *path, const char *what);
/* Every directory that leads to the path, which is whole again after. */
int ferry__make_way(struct settling *s, char *path);
/* Rows of the files of the output, borrowed. */
json_t *ferry__output_files(const struct ferry__made *made);
size_t ferry__count_files(const struct ferry__made *made);
/* A path below `dir`, in buf: a row's, or the i-th file's; NULL for what is
 * none. */
const char *ferry__row_path(struct settling *s, const json_t *row,
			    const char *dir, const char *slash,
			    struct ferry_buffer *buf);
const char *ferry__file_path(struct settling *s, const char *dir,
			     const char *slash, size_t i,
			     struct ferry_buffer *buf);
/* The files of n items together, each of which tells its own failure; they stay
 * where they are between the two. */
void ferry__sync_begin(struct ferry_syncing *out, struct settling *s, size_t n);
void ferry__sync_end(struct ferry_syncing *sync, struct settling *s);
/* The directories that the files lie in, by their final names. */
int ferry__sync_names(struct settling *s);
/* Files that the output was made of: the i-th, or NULL. */
const char *ferry__source_at(const struct ferry__entry *e, size_t i);
bool ferry__is_same_file(const char *a, const char *b);
/* Names could not be synced: a warning, or the failure where sources would be
 * removed. */
void ferry__tell_unsynced(struct settling *s);

/* ---- placing.c ----------------------------------------------------------- */

/* Nothing is replaced but what an earlier run made, and sources in place. */
int ferry__check_free(struct settling *s);
/* Second names of the sources, appended to `names` as below s->dir.  EXISTS,
 * which s->err does not tell of: another run replaced them meanwhile. */
int ferry__keep_backups(struct settling *s, json_t *names);
/* The i-th file bears the output's name, or one that begins so. */
bool ferry__is_main(struct settling *s, size_t i);
/* Siblings first; what stands for all last. */
int ferry__move_all(struct settling *s);
int ferry__write_sidecar(struct settling *s, const char *aside);
/* Keep backups, and tell of an output before it takes its name.  EXISTS as
 * with backups. */
int ferry__announce(struct settling *s);

/* ---- exchange.c ---------------------------------------------------------- */

/* Several files in place: no rename takes them all at once. */
bool ferry__is_set(const struct ferry__made *made);
int ferry__replace_set(struct settling *s);
/* The source is still what was read. */
bool ferry__is_unchanged(struct settling *s);
/* It is not: kept where another run in place made it meanwhile, or is at it. */
int ferry__give_way(struct settling *s);

/* ---- removal.c ----------------------------------------------------------- */

/* Those of the source that did not become files of the output. */
int ferry__remove_files(struct settling *s);
/* Files of an output that was made before and is made of others now, unless
 * somebody changed them. */
int ferry__remove_stale(struct settling *s);

#endif
