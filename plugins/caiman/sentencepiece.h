/*
 * A sentencepiece model, as far as its size: a protobuf message whose field 1
 * is repeated once per piece.
 *
 * Source: sentencepiece_model.proto (ModelProto.pieces); protobuf's encoding.
 */
#ifndef PLUGINS_CAIMAN_SENTENCEPIECE_H
#define PLUGINS_CAIMAN_SENTENCEPIECE_H

#include <ferry/sys/source.h>
#include <ferry/value.h>

#define SENTENCEPIECE_MAX_NBYTES (UINT64_C(64) << 20)

/* MALFORMED with the byte, LIMIT. */
int sentencepiece_count(const uint8_t *data, uint64_t nbytes, uint64_t *pieces,
			struct ferry_error *err);
/* The same of a BYTES value, wherever its bytes are. */
int sentencepiece_count_in(const struct ferry_value *bytes, uint64_t *pieces,
			   struct ferry_error *err);

/* What a KenLM binary begins with.  Source: kenlm lm/binary_format.cc. */
#define NGRAM_MAGIC "mmap lm http://kheafield.com/code format version 5\n"

/* The first n bytes of a BYTES value; false: it has fewer, or they can't be
 * read. */
bool bytes_begin(const struct ferry_value *bytes, const char *with);

#endif
