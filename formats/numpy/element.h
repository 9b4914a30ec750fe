/*
 * What numpy's one-word dtypes ("<f4", "|S7", "<M8[ns]") mean to the model.
 */
#ifndef FORMATS_NUMPY_ELEMENT_H
#define FORMATS_NUMPY_ELEMENT_H

#include <ferry/sys/build.h>

#include "formats/numpy/numpy.h"

/* Longest descr of one word that is understood, with its NUL. */
#define ELEMENT_DESCR_MAX 48

struct element {
	enum ferry_dtype dtype;
	uint64_t nbytes;	/* of one element as numpy counts them */
	unsigned swap;		/* bytes to reverse together, 0: none */
	bool object;		/* references to objects: a pickle */
	bool v2;		/* bfloat16 only by the usual reading of V2 */
	/*
	 * The model's dtype does not say it all: `descr` does, with the byte
	 * order made little.  `per` of the model's elements are one of numpy's
	 * when `tail` is set, and are the last dimension.
	 */
	bool special;
	bool tail;
	uint64_t per;
	char descr[ELEMENT_DESCR_MAX];
};

/* UNSUPPORTED or MALFORMED, naming the descr. */
int element_parse(const struct ferry_value *descr,
		  const struct numpy_read_options *options,
		  struct element *out, struct ferry_error *err);

/*
 * The descr of a dtype numpy has ("<f4"), or of bfloat16 ("<V2") and the
 * float8 kinds ("|V1") as libraries that add them are saved; NULL for others.
 */
const char *element_descr(enum ferry_dtype dtype);

#endif
