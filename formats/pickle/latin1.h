/*
 * Bytes as the text that protocol 2 writes for them: every byte is one code
 * point, in UTF-8.  Both directions are sources that convert as they are read,
 * over an index of one number per 64 KiB; making one reads the range once.
 */
#ifndef FORMATS_PICKLE_LATIN1_H
#define FORMATS_PICKLE_LATIN1_H

#include <ferry/sys/source.h>

/* The UTF-8 text of [offset, offset+n) of src, which is referenced. */
int pickle_latin1_text(struct ferry_source **out, struct ferry_source *src,
		       uint64_t offset, uint64_t n, struct ferry_error *err);
/* The bytes of such a text; MALFORMED when it is not one: ill-formed, or with
 * a code point above U+00FF. */
int pickle_latin1_bytes(struct ferry_source **out, struct ferry_source *src,
			uint64_t offset, uint64_t n, struct ferry_error *err);
/* The text of n bytes in memory; out has room for 2 * n.  Returns the length
 * of the text. */
size_t pickle_latin1_encode(const void *bytes, size_t n, char *out);

#endif
