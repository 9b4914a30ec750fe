/* Reading a source for what only reading shows. */
#include "config.h"

#include <stdatomic.h>

#include <ferry/sys/alloc.h>
#include <ferry/sys/sink.h>

#define PIECE_NBYTES ((size_t)1 << 20)

static void advance(struct ferry_work *work, uint64_t n)
{
	if (!work)
		return;
	work->done += n;
	if (work->progress)
		work->progress(work->progress_ctx, work->done, work->total);
}

static int read_through(struct ferry_source *src, struct ferry_work *work,
			void *piece, size_t cap, uint32_t *crc32,
			struct ferry_error *err)
{
	uint32_t crc = 0;
	int rc = 0;
	size_t n;

	for (uint64_t at = 0; !rc && at < src->nbytes; at += n) {
		n = src->nbytes - at < cap ? (size_t)(src->nbytes - at) : cap;
		if (work && work->cancel && atomic_load(work->cancel))
			return ferry_fail(err, FERRY_CANCELLED, "",
					  FERRY_NO_OFFSET, "cancelled");
		rc = ferry_source_read(src, piece, at, n, err);
		if (!rc && crc32)
			crc = ferry_crc32(crc, piece, n);
		if (!rc)
			advance(work, n);
	}
	if (!rc && crc32)
		*crc32 = crc;
	return rc;
}

int ferry_source_prove(struct ferry_source *src, struct ferry_work *work,
		       uint32_t *crc32, struct ferry_error *err)
{
	size_t cap = src->nbytes < PIECE_NBYTES ? (size_t)src->nbytes :
						  PIECE_NBYTES;
	void *piece = ferry_alloc(cap ? cap : 1);
	int rc = piece ? read_through(src, work, piece, cap, crc32, err) :
			 ferry_fail_nomem(err, "a buffer");

	ferry_alloc_free(piece);
	return rc;
}
