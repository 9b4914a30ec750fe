/*
 * Pickle, protocols 0 to 5, as data: a stack machine that builds values and
 * never imports, calls or evaluates anything.
 *
 * What would be a call becomes an OBJECT (CALL, NEW, INSTANCE), what would be
 * an import a GLOBAL.  Sharing and cycles of the memo are kept by pointer.
 * The stdlib containers collections.OrderedDict, Counter and defaultdict stay
 * OBJECTs with dict items.  builtins.set, frozenset, complex, bytearray, bytes
 * and _codecs.encode(text, "latin1") in the forms Python itself writes become
 * the plain kinds (SET, FROZENSET, COMPLEX, BYTES).
 *
 * Source of facts: Python's pickletools documentation; doc/formats/pickle.md.
 */
#ifndef FORMATS_PICKLE_H
#define FORMATS_PICKLE_H

#include <ferry/findings.h>
#include <ferry/sys/buffer.h>
#include <ferry/sys/build.h>
#include <ferry/sys/source.h>

struct pickle_reader_options {
	/*
	 * A persistent id was met: give the value it stands for, in *out.
	 * NULL: an OBJECT of FERRY_FORM_PERSISTENT.
	 */
	int (*persistent)(void *ctx, struct ferry_store *store,
			  struct ferry_value *id, struct ferry_value **out,
			  struct ferry_error *err);
	/*
	 * Called when an OBJECT is complete enough to be interpreted: right
	 * after REDUCE, NEWOBJ(_EX), INST, OBJ (built false) and after BUILD
	 * (built true).  May set *out to what takes its place on the stack and
	 * in the memo (a tensor for a rebuild call).  NULL: never.
	 *
	 * After BUILD others may point to the object already: the content of
	 * *out is moved into it (its id stays), and *out itself is in no
	 * document.  A TENSOR, STORAGE or GLOBAL that is given items or state
	 * later becomes an OBJECT of FERRY_FORM_SELF in the same way.
	 */
	int (*reduce)(void *ctx, struct ferry_store *store,
		      struct ferry_value *object, bool built,
		      struct ferry_value **out, struct ferry_error *err);
	void *ctx;
	/* Bytes values of at least this many bytes are left in the source as
	 * FERRY_RANGE; 0: 64 KiB.  src must be kept by the store. */
	uint64_t range_bytes;
	uint64_t max_values;	/* LIMIT above it; 0: 200 million */
	const char *origin;	/* of errors; NULL: "pickle" */
	/* Take a WARNING "calls" when results of calls were thrown away, which
	 * are not kept; those that set an object's state are.  May be NULL. */
	struct ferry_findings *findings;
};

/*
 * Decode one pickle that starts at offset.  *end is the offset after its STOP.
 * Memory is bounded by a small multiple of the bytes read.
 * MALFORMED with the offset of the opcode; UNSUPPORTED for out-of-band buffers
 * (NEXT_BUFFER).
 */
int pickle_read(struct ferry_source *src, uint64_t offset,
		struct ferry_store *store,
		const struct pickle_reader_options *options,
		struct ferry_value **out, uint64_t *end,
		struct ferry_error *err);

struct pickle_writer_options {
	unsigned protocol;	/* 2, 4 or 5; 0: 2, the safest: torch's
				 * weights_only reader takes no other */
	/*
	 * A STORAGE or TENSOR was met (or an OBJECT for which `rewrite` is
	 * wanted): give the value to write in its place, made of plain kinds,
	 * GLOBALs and OBJECTs (PERSISTENT writes BINPERSID), in *out; leave it
	 * alone to write the value as it is.  Asked once per value: identity
	 * is kept.  NULL: TENSOR and STORAGE are an error.
	 */
	int (*replace)(void *ctx, struct ferry_store *store,
		       struct ferry_value *value, struct ferry_value **out,
		       struct ferry_error *err);
	void *ctx;
	struct ferry_store *store;	/* where replace builds */
	/*
	 * Store every string, container, name and object, as Python's own
	 * pickler does, and take strings for one only where they are one
	 * value: the same graph gives the same bytes (but for frames of
	 * protocol 4, mappings of more than 1,000 entries and bytes).
	 */
	bool store_all;
};

/*
 * Encode a graph so that Python loads an equal one: sharing, cycles, order,
 * classes.  All values are of one store.  Memo entries are written only for
 * values met more than once, unless all are asked for.  Any depth is written.  Bytes of FERRY_RANGE are
 * read in.
 *
 * `replace` is called in the order in which values are written.
 *
 * UNSUPPORTED for a TENSOR or STORAGE that is not replaced, LIMIT for tuples
 * that contain themselves (through lists or objects) in too many ways.
 */
int pickle_write(const struct ferry_value *root,
		 const struct pickle_writer_options *options,
		 struct ferry_buffer *out, struct ferry_error *err);

/*
 * As pickle_write(), with bytes of FERRY_RANGE from 64 KiB up left where they
 * are: *out (the caller's) reads them when it is read.  The sources of the
 * ranges are referenced; the graph is not needed any more.
 */
int pickle_write_source(const struct ferry_value *root,
			const struct pickle_writer_options *options,
			struct ferry_source **out, struct ferry_error *err);

/* True when value is the GLOBAL that Python 3 knows by that name, whichever
 * Python's name it carries: ("builtins", "set") for "__builtin__" "set". */
bool pickle_is_global(const struct ferry_value *value, const char *module,
		      const char *name);

/*
 * The names a pickle mentions, in order of first appearance, with counts and
 * how each is used, without building the document.  *out is a LIST of DICTs:
 * {"module", "name", "count", "calls" (times called or instantiated), "offset"
 * (of the first opcode that names it)}.  Names are as they are spelled; what
 * is computed as the pickle is loaded has "" for both.
 *
 * A pickle runs up to where it breaks: on failure *out has what was named
 * before (NULL when nothing could be made).
 */
int pickle_scan(struct ferry_source *src, uint64_t offset,
		struct ferry_store *store, struct ferry_value **out,
		uint64_t *end, struct ferry_error *err);

/* Which opcodes a pickle has. */
struct pickle_opcodes {
	unsigned protocol;		/* as declared; 0: not */
	uint64_t count[256];
	uint64_t offset[256];		/* of the first */
};

/* As pickle_scan(); *opcodes counts what was walked over. */
int pickle_scan_opcodes(struct ferry_source *src, uint64_t offset,
			struct ferry_store *store, struct ferry_value **out,
			struct pickle_opcodes *opcodes, uint64_t *end,
			struct ferry_error *err);

/* True when calling or building what a pickle names so can run code or reach
 * the system.  Not a verdict on the rest. */
bool pickle_is_dangerous(const char *module, const char *name);

/*
 * numpy arrays and scalars inside pickles.  pickle_numpy_reduce() is a `reduce`
 * callback (ctx unused) that makes a TENSOR of an ndarray of a plain numeric
 * dtype (extra: {"numpy": {...}} with what is needed to write it back), and
 * leaves everything else alone; pickle_numpy_replace() writes such a TENSOR
 * back: *out is set only for a tensor whose extra has "numpy".
 */
int pickle_numpy_reduce(void *ctx, struct ferry_store *store,
			struct ferry_value *object, bool built,
			struct ferry_value **out, struct ferry_error *err);
int pickle_numpy_replace(struct ferry_store *store, struct ferry_value *value,
			 struct ferry_value **out, struct ferry_error *err);

/*
 * A loss, the WARNING "numpy-type", when arrays that a .npy or .npz has as
 * texts, dates or raw bytes are to be written as the numbers they are made of:
 * their count and the first names.
 */
int pickle_numpy_report(struct ferry_document *doc, struct ferry_findings *out,
			struct ferry_error *err);

#endif
