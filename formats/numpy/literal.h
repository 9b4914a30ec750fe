/*
 * The part of Python's literals that an array header is made of: dicts,
 * tuples, lists, strings, integers, True, False and None.
 *
 * Lists are LISTs, tuples TUPLEs; a repeated key keeps the last value.
 */
#ifndef FORMATS_NUMPY_LITERAL_H
#define FORMATS_NUMPY_LITERAL_H

#include <ferry/sys/build.h>

/* Deeper nesting than this is LIMIT. */
#define LITERAL_MAX_DEPTH 32

/*
 * Parse text[0..n), UTF-8, as one literal.  `base` is the offset of text in
 * the file, for messages.  With python2, 12L is an integer too.  MALFORMED with
 * the offset; LIMIT.
 */
int literal_read(const char *text, size_t n, uint64_t base, bool python2,
		 struct ferry_store *store, struct ferry_value **out,
		 struct ferry_error *err);

#endif
