/*
 * Where tensors lie: the order of a file's data, shards, headers.
 */
#ifndef FORMATS_SAFETENSORS_PLACE_H
#define FORMATS_SAFETENSORS_PLACE_H

#include <ferry/findings.h>
#include <ferry/sys/buffer.h>
#include <ferry/sys/sink.h>

#include "formats/safetensors/inventory.h"

/* Sort as the reference writer does: dtype descending, then name. */
void st_sort(struct st_item **items, size_t n);

/*
 * Deal items, in document order, to shards of at most `limit` bytes; one that
 * is larger has a shard to itself.  Returns the number of shards, at least 1.
 */
uint32_t st_deal(struct st_item **items, size_t n, uint64_t limit);

/* Find the bytes of every item: a range of its storage, or a lazy gather. */
int st_find_sources(struct ferry_store *store, struct st_item **items,
		    size_t n, struct ferry_error *err);

/*
 * The header of a file of these items (sorted), and their places in the data:
 * length, JSON and padding.  metadata is the text of the object that is
 * "__metadata__".
 *
 * The padding is the least; when `sink` can share extents with the sources, it
 * is such that most of the data lies congruent to where it comes from.
 *
 * LIMIT when the header is longer than the format allows.
 */
int st_header_make(struct st_item **items, size_t n, const char *metadata,
		   size_t metadata_len, struct ferry_sink *sink,
		   struct ferry_buffer *out, struct ferry_error *err);

/* Carry the data of the items to the sink, behind a header of that length;
 * what is seen not to match its recorded CRC is a warning in out. */
int st_transfer(struct st_item **items, size_t n, struct ferry_sink *sink,
		uint64_t data, struct ferry_findings *out,
		struct ferry_error *err);

#endif
