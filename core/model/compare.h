/* Inside of the model: the parts of comparing two documents. */
#ifndef CORE_MODEL_COMPARE_H
#define CORE_MODEL_COMPARE_H

#include <ferry/findings.h>
#include <ferry/sys/build.h>
#include <ferry/sys/map.h>
#include <ferry/value.h>

#include "core/model/child.h"

/* The other side of a step, and how far its pairs have been matched. */
struct partner {
	struct ferry_value *value;
	struct ferry_value *set;	/* a SET's items as keys of a DICT */
	uint32_t next;			/* where the next key should stand */
	uint32_t highest;		/* where any key stood so far */
	uint32_t matched;
	bool moved;			/* the order differs */
};

/* By id: the id it was paired with first, or 0. */
struct pairing {
	uint32_t *to_b, *to_a;
	uint32_t n_a, n_b;
};

struct comparison {
	const struct ferry_compare *how;
	struct ferry_findings *out;
	struct ferry_error *err;
	struct pairing values, storages;
	struct ferry_map extra;		/* pairs of ids beside the first ones */
	struct ferry_store *scratch;	/* for their keys, and for sets */
	uint64_t extra_left;
	struct ferry_step *steps;
	struct partner *partners;
	size_t n, cap;
	uint64_t differences, most;
};

/* One more difference, at the child that the last step is at. */
int ferry_differ(struct comparison *c, const char *code, const char *fmt,
		 ...) FERRY_PRINTF(3, 4);

int ferry_compare_nomem(struct comparison *c);

/* Pair two ids.  0: both were new; 1: they are a pair; 2: one of them has
 * another partner, so the two sides share differently. */
int ferry_compare_pair(const struct pairing *p, uint32_t a, uint32_t b);

/* Two values of one kind, but for their children. */
int ferry_compare_selves(struct comparison *c,
			 const struct ferry_value *a,
			 const struct ferry_value *b);

struct ferry_difference {
	uint64_t n;		/* elements that differ; bytes of packed ones */
	uint64_t first;		/* the first of them, in C order */
	bool known;		/* a and b are numbers: */
	double a, b;		/* the first two that differ */
	bool measured;		/* most is: */
	double most;		/* the largest absolute difference */
};

/*
 * Compare the elements of two tensors of one dtype and shape, in 1 MiB of
 * memory; with a tolerance where `how` has one and the dtype is float or
 * complex, else bit by bit.  Dimensions both have expanded are compared once.
 * LIMIT when both repeat their storage so often that it would not end.
 */
int ferry_compare_tensors(const struct ferry_value *a,
			  const struct ferry_value *b,
			  const struct ferry_compare *how,
			  struct ferry_difference *out,
			  struct ferry_error *err);

/* Bytes somewhere: in memory, or at offset of a source. */
struct ferry_bytes_at {
	const char *memory;		/* NULL: in the source */
	struct ferry_source *source;
	uint64_t offset;
};

int ferry_compare_bytes(const struct ferry_bytes_at *a,
			const struct ferry_bytes_at *b, uint64_t nbytes,
			struct ferry_difference *out, struct ferry_error *err);

#endif
