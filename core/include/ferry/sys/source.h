/*
 * Where bytes come from: a file, a range of another source, memory, a deflated
 * member, or a computation over tensors.
 *
 * A source has a fixed size and is read at any offset, in any order, from any
 * thread.  It is reference counted; a range keeps its parent alive.  Nothing is
 * mapped: a file that shrinks while it is read is an IO error, never a signal.
 *
 * Wrappers (limits, tracing, fault injection) are sources over sources.
 */
#ifndef FERRY_SYS_SOURCE_H
#define FERRY_SYS_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ferry/api.h>
#include <ferry/error.h>

FERRY_BEGIN

struct ferry_source;

/*
 * How a source that moves elements about is read whole.  What it gives is a
 * dense array, of which a box of step[i] indices of every dimension is read at
 * a time, less at the ends; the last dimension counts bytes.
 *
 * What a transposition costs: each block reads runs of the source below and
 * gives runs of the result, both as long as the block's size lets them be (a
 * block of 16 MiB of a square float32 matrix: 8 KiB each), so that a byte of
 * the source is read once and one block per thread is held, however wide or
 * tall it is.  Over a deflated stream the blocks are slabs of the stream, one
 * pass, where that gives runs of FERRY_GRID_RUN_MIN bytes; else it is inflated
 * as often as it takes to have such runs: some (bytes of an outermost index of
 * the stream) * FERRY_GRID_RUN_MIN / (itemsize * block) times.
 */
#define FERRY_GRID_RUN_MIN 128
#define FERRY_GRID_RANK 64

struct ferry_grid {
	unsigned ndim;
	bool in_order;		/* the blocks, by one thread */
	uint64_t shape[FERRY_GRID_RANK];
	uint64_t step[FERRY_GRID_RANK];
	/* The dimensions as blocks are best walked, the slowest first. */
	unsigned char walk[FERRY_GRID_RANK];
};

struct ferry_source_ops {
	/* Read exactly n bytes at offset; the caller has checked the bounds. */
	int (*read)(struct ferry_source *src, void *buf, uint64_t offset,
		    size_t n, struct ferry_error *err);
	/* Optional: the bytes [offset, offset+n) unchanged in a file: its
	 * descriptor (borrowed) and the offset there. */
	bool (*file_range)(struct ferry_source *src, uint64_t offset,
			   uint64_t n, int *fd, uint64_t *file_offset);
	/* Optional: the recorded CRC-32 of exactly [offset, offset+n). */
	bool (*crc32)(struct ferry_source *src, uint64_t offset, uint64_t n,
		      uint32_t *out);
	/* Optional: the memory at offset (n bytes), living as the source. */
	const void *(*memory)(struct ferry_source *src, uint64_t offset,
			      size_t n);
	/* Optional: bytes best asked for at a time (a strided source wants
	 * large reads); 0 or absent: any; FERRY_CHUNK_FORWARDS: any, but in
	 * order and by one thread (a deflated stream).  Asked often: it must
	 * cost the same however much the source is put together from. */
	size_t (*chunk)(struct ferry_source *src);
	/* Optional, both or none: see struct ferry_grid.  A grid with blocks of
	 * at most `most` bytes; false where reading in order is as good. */
	bool (*grid)(struct ferry_source *src, size_t most,
		     struct ferry_grid *out);
	/* The box of count[i] indices from first[i] on, densely in C order. */
	int (*read_block)(struct ferry_source *src, void *buf,
			  const uint64_t *first, const uint64_t *count,
			  struct ferry_error *err);
	/* Release what it holds and src itself (not src->name).  May be NULL:
	 * src came from ferry_alloc() and holds nothing. */
	void (*free)(struct ferry_source *src);
};

#define FERRY_CHUNK_FORWARDS SIZE_MAX

struct ferry_source {
	const struct ferry_source_ops *ops;
	uint64_t nbytes;
	atomic_int refs;	/* 1 when made */
	const char *name;	/* for messages; owned by the source */
	/* What reading all of it reads of the sources below, where that is not
	 * nbytes (a cast, a mean of many); 0: nbytes.  For what plans say. */
	uint64_t reads;
};

/* Bytes that reading n of src reads. */
static inline uint64_t ferry_source_reads(const struct ferry_source *src,
					  uint64_t n)
{
	if (!src->reads || !src->nbytes)
		return n;
	return (uint64_t)((double)src->reads / (double)src->nbytes *
			  (double)n + 0.5);
}

/*
 * Open a regular file.  `name` in messages is the path.  However many are
 * open, descriptors do not run out: when half of what the process may have, and
 * 16 at the least, are taken, a file is opened for each read, and has no
 * file_range.  IO when it is not the same file then (device, inode, size and
 * time of change).
 * IO, NOTFOUND; UNSUPPORTED for a directory, pipe or device.
 */
FERRY_API int ferry_source_open_file(struct ferry_source **out,
				     const char *path, struct ferry_error *err);
/* Borrow n bytes; they must outlive the source. */
FERRY_API int ferry_source_from_memory(struct ferry_source **out,
				       const void *data, size_t n,
				       const char *name,
				       struct ferry_error *err);
/* Take memory from ferry_alloc(); freed with the source.  On failure it is
 * still the caller's. */
FERRY_API int ferry_source_take_memory(struct ferry_source **out, void *data,
				       size_t n, const char *name,
				       struct ferry_error *err);
/* [offset, offset+n) of src; MALFORMED when outside it. */
FERRY_API int ferry_source_range(struct ferry_source **out,
				 struct ferry_source *src, uint64_t offset,
				 uint64_t n, const char *name,
				 struct ferry_error *err);
/* As a range, with a recorded CRC-32 for the whole of it. */
FERRY_API int ferry_source_range_crc32(struct ferry_source **out,
				       struct ferry_source *src,
				       uint64_t offset, uint64_t n,
				       uint32_t crc32, const char *name,
				       struct ferry_error *err);
/*
 * A raw deflate stream in src that inflates to exactly nbytes.  Reading
 * forwards is linear; reading backwards starts again.  MALFORMED, with the
 * offset, when the stream is broken, shorter or longer.
 */
FERRY_API int ferry_source_inflate(struct ferry_source **out,
				   struct ferry_source *src, uint64_t nbytes,
				   const char *name, struct ferry_error *err);
/* src with every run of `unit` bytes (2, 4, 8, 16) reversed; src's size must be
 * a multiple of unit. */
FERRY_API int ferry_source_swap(struct ferry_source **out,
				struct ferry_source *src, unsigned unit,
				const char *name, struct ferry_error *err);
/* [offset, +n) of src so, n a multiple of unit. */
FERRY_API int ferry_source_swap_range(struct ferry_source **out,
				      struct ferry_source *src,
				      uint64_t offset, uint64_t n,
				      unsigned unit, const char *name,
				      struct ferry_error *err);
/* nbytes zero bytes. */
FERRY_API int ferry_source_zero(struct ferry_source **out, uint64_t nbytes,
				struct ferry_error *err);

FERRY_API struct ferry_source *ferry_source_ref(struct ferry_source *src);
FERRY_API void ferry_source_unref(struct ferry_source *src); /* NULL: no-op */

/* For implementers: fill the head of a struct that starts with one. */
FERRY_API int ferry_source_init(struct ferry_source *src,
				const struct ferry_source_ops *ops,
				uint64_t nbytes, const char *name,
				struct ferry_error *err);

/* Read exactly n bytes; MALFORMED ("ends at ...") when they are outside. */
FERRY_API int ferry_source_read(struct ferry_source *src, void *buf,
				uint64_t offset, size_t n,
				struct ferry_error *err);
FERRY_API bool ferry_source_file_range(struct ferry_source *src,
				       uint64_t offset, uint64_t n, int *fd,
				       uint64_t *file_offset);
FERRY_API bool ferry_source_crc32(struct ferry_source *src, uint64_t offset,
				  uint64_t n, uint32_t *out);
FERRY_API const void *ferry_source_memory(struct ferry_source *src,
					  uint64_t offset, size_t n);
FERRY_API size_t ferry_source_chunk(struct ferry_source *src);
/* Whether, and how, bytes [offset, +n) of src are best read in blocks. */
FERRY_API bool ferry_source_grid(struct ferry_source *src, uint64_t offset,
				 uint64_t n, size_t most,
				 struct ferry_grid *out);
/* A block of src's grid. */
FERRY_API int ferry_source_read_block(struct ferry_source *src, void *buf,
				      const uint64_t *first,
				      const uint64_t *count,
				      struct ferry_error *err);

FERRY_END

#endif
