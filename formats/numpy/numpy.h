/*
 * numpy's .npy (one array) and .npz (a zip of them).
 *
 * Reading takes format versions 1, 2 and 3, C and Fortran order, either byte
 * order, structured dtypes (a DICT of fields) and object arrays (through the
 * pickle codec: nothing in them is executed).  What numpy refuses is refused.
 *
 * A plain mapping of arrays is written as numpy.savez writes it.  Any other
 * document is written so that numpy.load still sees every tensor, with one
 * more member, NPZ_DOCUMENT, that holds the rest as typed JSON.
 *
 * Source of facts: numpy.lib.format and what it does; doc/formats/npy.md,
 * doc/formats/npz.md.
 */
#ifndef FORMATS_NUMPY_H
#define FORMATS_NUMPY_H

#include <ferry/findings.h>
#include <ferry/sys/build.h>
#include <ferry/sys/sink.h>
#include <ferry/sys/source.h>
#include <ferry/tensor.h>

#define NPY_MAGIC "\x93NUMPY"
#define NPY_MAGIC_NBYTES 6
#define NPZ_DOCUMENT "__ferry__.json"

/*
 * numpy has no bfloat16 and no float8: a library that adds them saves them as
 * untyped elements of 2 or 1 bytes.
 */
struct numpy_read_options {
	bool v2_raw;		/* V2 stays bytes; else it is bfloat16 */
	bool v1_raw;		/* V1 stays bytes */
	enum ferry_dtype v1;	/* what V1 is; NONE: refuse it */
	bool any_ratio;		/* take members that inflate beyond all use */
};

struct numpy_write_options {
	bool bf16_as_f32;	/* write bfloat16 as float32; else as V2 */
};

/*
 * Fill doc->root with the array in src (from its first byte; what follows the
 * data is ignored, as numpy does) and doc->about.
 *
 * An array of a numeric dtype is a TENSOR; text, byte strings, dates and void
 * are one of their bytes, characters or counts with extra {"numpy": {"descr"}}.
 * A 0-d object array is the object in it; others stay the OBJECT that the
 * pickle describes.
 *
 * MALFORMED, UNSUPPORTED (a dtype without a portable meaning), LIMIT.
 */
int npy_read(struct ferry_source *src, struct ferry_document *doc,
	     const struct numpy_read_options *options,
	     struct ferry_error *err);

/* As numpy.save of the newest numpy, byte by byte, for dtypes numpy has.
 * LOSSY unless the document is a tensor or a mapping with exactly one. */
int npy_write(struct ferry_document *doc, struct ferry_sink *sink,
	      const struct numpy_write_options *options,
	      struct ferry_findings *out, struct ferry_error *err);

/* What npy_write() would leave out, as ferry_format.losses. */
int npy_losses(struct ferry_document *doc,
	       const struct numpy_write_options *options,
	       struct ferry_findings *out, struct ferry_error *err);

/*
 * The classes and calls object arrays name, for ferry_format.scan: a DICT of
 * "globals", a LIST of rows as pickle_scan() makes them with "pickle" (the
 * member) and "dangerous" (BOOL) besides, and "dangerous", how many are.
 */
int npy_scan(struct ferry_source *src, struct ferry_store *store,
	     struct ferry_value **out, struct ferry_error *err);

/*
 * A DICT of member names (without ".npy") to arrays; a member that holds no
 * array is BYTES.  With NPZ_DOCUMENT, the document it describes.
 */
int npz_read(struct ferry_source *src, struct ferry_document *doc,
	     const struct numpy_read_options *options,
	     struct ferry_error *err);
int npz_write(struct ferry_document *doc, struct ferry_sink *sink,
	      const struct numpy_write_options *options,
	      struct ferry_findings *out, struct ferry_error *err);
int npz_losses(struct ferry_document *doc,
	       const struct numpy_write_options *options,
	       struct ferry_findings *out, struct ferry_error *err);
int npz_verify(struct ferry_source *src, struct ferry_work *work,
	       struct ferry_findings *out, struct ferry_error *err);
int npz_scan(struct ferry_source *src, struct ferry_store *store,
	     struct ferry_value **out, struct ferry_error *err);

/* dtypes numpy itself can hold, as a mask of FERRY_DTYPE_BIT(). */
uint64_t numpy_dtypes(void);

#endif
