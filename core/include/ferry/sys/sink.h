/*
 * Where an output goes: a temporary file beside its final name, filled at any
 * offset, then synced and renamed with all the other files of the same output
 * (all or nothing).
 *
 * A writer lays its file out first, then hands over bulk data as transfers,
 * which the executor carries by the fastest lawful way: extents shared
 * (reflink) or ranges copied by the kernel when bytes pass unchanged, else
 * worker threads under the memory budget.
 */
#ifndef FERRY_SYS_SINK_H
#define FERRY_SYS_SINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ferry/api.h>
#include <ferry/error.h>
#include <ferry/sys/source.h>
#include <ferry/work.h>

FERRY_BEGIN

struct ferry_output;	/* all files of one output */
struct ferry_sink;	/* one of them */

/*
 * Begin an output whose main file is path.  Nothing is created yet.  EXISTS
 * when path exists and !overwrite (checked here, and again at commit).
 * `inputs` (n_inputs) are never written to: MISUSE when an output file would
 * be one of them by device and inode.
 */
FERRY_API int ferry_output_new(struct ferry_output **out, const char *path,
			       bool overwrite, const char *const *inputs,
			       size_t n_inputs, struct ferry_work *work,
			       struct ferry_error *err);
/*
 * Open a sink for the main file (name NULL) or for a sibling in the same
 * directory.  The output owns it, and keeps few files open however many sinks
 * it has; one thread uses the sinks of an output.  The temporary file is made
 * here, its name starts with "." and ends in ".ferry-tmp"; it is removed by a failed commit,
 * by ferry_output_free(), and by the signal handler's ferry_output_abort_all().
 *
 * A symbolic link in the place of the file is followed: what it points to is
 * made or replaced, and the link stays.  A replaced file's mode is kept.
 *
 * An output that is a directory has no main file (MISUSE); the names of its
 * files may have directories in them, which are made.
 */
FERRY_API int ferry_output_open(struct ferry_output *o, const char *name,
				struct ferry_sink **out,
				struct ferry_error *err);
/*
 * Open a sibling that stands for the output in place of the main file, which is
 * not written: an index of what was cut.  EXISTS when a file with the main
 * file's name is there, for it would be taken for what was written.
 */
FERRY_API int ferry_output_open_main(struct ferry_output *o, const char *name,
				     struct ferry_sink **out,
				     struct ferry_error *err);
/* The main file's base name, for writers that name siblings after it. */
FERRY_API const char *ferry_output_name(const struct ferry_output *o);
FERRY_API struct ferry_work *ferry_output_work(struct ferry_output *o);
/* The sinks opened so far; NULL past the last. */
FERRY_API size_t ferry_output_count(const struct ferry_output *o);
FERRY_API struct ferry_sink *ferry_output_get(const struct ferry_output *o,
					      size_t i);
/* Sync all, rename all (siblings first, main file last), sync the directory.
 * On failure nothing has its final name that did not have it before. */
FERRY_API int ferry_output_commit(struct ferry_output *o,
				  struct ferry_error *err);
/* Without a commit: everything temporary is removed.  NULL: no-op. */
FERRY_API void ferry_output_free(struct ferry_output *o);
/* Async-signal-safe: unlink every temporary file of this process. */
FERRY_API void ferry_output_abort_all(void);

/* Bytes at the end of what was appended so far. */
FERRY_API int ferry_sink_append(struct ferry_sink *s, const void *data,
				size_t n, struct ferry_error *err);
FERRY_API uint64_t ferry_sink_tell(const struct ferry_sink *s);
/* Move the append position; the gap reads as zeros. */
FERRY_API int ferry_sink_seek(struct ferry_sink *s, uint64_t offset,
			      struct ferry_error *err);
/* Bytes of the file: the end of what was written so far. */
FERRY_API uint64_t ferry_sink_nbytes(const struct ferry_sink *s);
/* The file's final path, and the temporary one with everything written so far,
 * for a look before the commit; both borrowed from the output. */
FERRY_API const char *ferry_sink_path(const struct ferry_sink *s);
FERRY_API int ferry_sink_temp_path(struct ferry_sink *s, const char **out,
				   struct ferry_error *err);
FERRY_API int ferry_sink_write_at(struct ferry_sink *s, const void *data,
				  size_t n, uint64_t offset,
				  struct ferry_error *err);

struct ferry_transfer {
	struct ferry_source *source;
	uint64_t source_offset;
	uint64_t nbytes;
	uint64_t sink_offset;
	bool want_crc32;
	/* Use the CRC the source has on record (then the bytes need not be
	 * seen); otherwise it is computed.  Where all bytes pass through
	 * memory anyway, the record is checked against them. */
	bool trust_crc32;
	/* Check so even if no CRC is wanted. */
	bool check_crc32;
	uint32_t crc32;		/* out, when wanted: of the bytes, if seen */
	/* Out: the source has a CRC on record for exactly this range, and the
	 * bytes don't match it. */
	bool crc32_differs;
};

/*
 * Carry n transfers out, in any order and in parallel.  Their sink ranges must
 * not overlap.  IO errors name the file and the offset.
 */
FERRY_API int ferry_sink_transfer(struct ferry_sink *s,
				  struct ferry_transfer *t, size_t n,
				  struct ferry_error *err);

/*
 * True when some byte of [offset, +n) of source could be cloned into this
 * sink's file system if placed congruent to it modulo *align; *phase is
 * the file offset modulo *align.  A writer uses it to pad its header.
 */
FERRY_API bool ferry_sink_can_clone(struct ferry_sink *s,
				    struct ferry_source *source,
				    uint64_t offset, uint64_t n,
				    uint32_t *align, uint32_t *phase);

/*
 * Read all of a source, so that the disk and whatever it is made of have their
 * say; *crc32 (may be NULL) is the CRC-32 of the bytes.  Counted into work->done
 * (work may be NULL) and told to its progress; CANCELLED when that is wanted.
 */
FERRY_API int ferry_source_prove(struct ferry_source *src,
				 struct ferry_work *work, uint32_t *crc32,
				 struct ferry_error *err);

/* CRC-32 (zip's) of data, continued from crc (0 to start). */
FERRY_API uint32_t ferry_crc32(uint32_t crc, const void *data, size_t n);
/* The CRC of A followed by B from those of A and B and B's length. */
FERRY_API uint32_t ferry_crc32_combine(uint32_t a, uint32_t b, uint64_t nb);

FERRY_END

#endif
