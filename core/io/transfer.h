/*
 * What the two layers of the transfer engine share: transfer.c says which bytes
 * are whose turn, carry.c takes them from their source into the sink.
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
	size_t gather_max;		/* bytes gathered into one write; as
					 * many are read at a time for it */
	atomic_bool kernel_copy;	/* copy_file_range still works */
	atomic_bool stop;
	_Atomic uint64_t done;

	pthread_mutex_t lock;		/* of what follows */
	size_t next;			/* job */
	uint64_t next_offset;		/* in that job */
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

/* Tell the progress: now and then, or always. */
void ferry_carrier_report(struct ferry_carrier *w, bool always);

/* Release its memory. */
void ferry_carrier_release(struct ferry_carrier *w);

#endif
