/*
 * What the layers of the transfer engine share: transfer.c says which bytes are
 * whose turn; carry.c, and block.c where they come in blocks, take them from
 * their source into the sink.
 */
#ifndef FERRY_IO_TRANSFER_H
#define FERRY_IO_TRANSFER_H

#include <pthread.h>

#include "core/io/fragment.h"
#include "core/io/output.h"

/* The most that is claimed at a time of one transfer, or copied by one call. */
#define FERRY_PIECE_NBYTES (UINT64_C(8) << 20)

/* The most ranges that are gathered into one write. */
#define FERRY_GATHER_MOST 512

/* A transfer under way. */
struct ferry_load {
	struct ferry_transfer *t;
	struct ferry_grid *grid;	/* read in blocks; NULL: in order */
	_Atomic uint64_t flushed;	/* of those: what is on its way to the
					 * disk, from the beginning */
	size_t chunk;			/* what its source asks for */
	bool must_compute;		/* its CRC: all bytes are to be seen */
	bool may_compare;		/* with recorded, if all were seen */
	uint32_t recorded;
	uint32_t crc;			/* of the seen bytes, atomic */
	_Atomic uint64_t seen;
};

/* What is to be done of a load: all, or an edge of what was shared, or what
 * was shared, which is only to be looked at for its CRC. */
struct ferry_portion {
	struct ferry_load *load;
	uint64_t offset, nbytes;	/* in the transfer */
	bool look;
};

struct ferry_engine {
	struct ferry_sink *sink;
	struct ferry_work *work;
	struct ferry_load *loads;
	struct ferry_portion *jobs;
	size_t n;			/* jobs */
	size_t buffer_max;		/* per thread */
	size_t block_max;		/* bytes of a block */
	size_t gather_max;		/* bytes gathered into one write; as
					 * many are read at a time for it */
	atomic_bool kernel_copy;	/* copy_file_range still works */
	atomic_bool stop;
	_Atomic uint64_t done;

	pthread_mutex_t lock;		/* of what follows */
	size_t next;			/* job */
	uint64_t next_offset;		/* in that job; of blocks: a number */
	int code;
	struct ferry_error error;
};

/* A thread of an engine, and the memory it works in; zeroed but for engine. */
struct ferry_carrier {
	struct ferry_engine *engine;
	pthread_t thread;
	bool calling;			/* the caller's own thread */
	unsigned char *buffer;
	size_t cap;
	struct ferry_fragment *fragments;	/* for gathers */
	int64_t reported_ns;
};

/*
 * Carry [offset, +nbytes) of the job's load, step bytes at a time where they
 * go through memory.  Ends early, without an error, when the engine stops.
 */
int ferry_carrier_carry(struct ferry_carrier *w,
			const struct ferry_portion *job, uint64_t offset,
			uint64_t nbytes, size_t step, struct ferry_error *err);

/*
 * Carry n jobs whole by one write: they lie one behind the other in the sink,
 * gather_max bytes and FERRY_GATHER_MOST jobs at most, none only looked at.
 */
int ferry_carrier_gather(struct ferry_carrier *w,
			 const struct ferry_portion *jobs, size_t n,
			 struct ferry_error *err);

/*
 * Choose how the job is read: l->grid is made where that is in blocks, and
 * released by the engine.
 */
int ferry_carrier_plan(const struct ferry_engine *e, struct ferry_portion *job,
		       struct ferry_error *err);
uint64_t ferry_grid_count(const struct ferry_grid *grid);

/* Carry n blocks of the job from number `first` on, as the grid is walked.
 * Ends early, without an error, when the engine stops. */
int ferry_carrier_blocks(struct ferry_carrier *w,
			 const struct ferry_portion *job, uint64_t first,
			 uint64_t n, struct ferry_error *err);

/* For these: a buffer of n bytes, n bytes at `offset` of the sink are written,
 * n are done (CANCELLED when that is wanted), and the CRC of some is known. */
int ferry_carrier_reserve(struct ferry_carrier *w, size_t n,
			  struct ferry_error *err);
void ferry_carrier_written(struct ferry_carrier *w, uint64_t offset,
			   uint64_t n);
int ferry_carrier_advance(struct ferry_carrier *w, uint64_t n,
			  struct ferry_error *err);
bool ferry_carrier_sees(const struct ferry_portion *job);
void ferry_carrier_add_crc(struct ferry_load *l, uint64_t offset,
			   uint64_t nbytes, uint32_t crc);

/* What n bytes more multiply a CRC by; the CRC of A followed by B, by that of
 * B's length. */
uint32_t ferry_crc32_power(uint64_t n);
uint32_t ferry_crc32_append(uint32_t a, uint32_t b, uint32_t power);

/* Tell the progress: now and then, or always. */
void ferry_carrier_report(struct ferry_carrier *w, bool always);

/* Release its memory. */
void ferry_carrier_release(struct ferry_carrier *w);

#endif
