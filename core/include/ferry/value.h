/*
 * The document: a graph of values whose leaves may be tensors.
 *
 * Identity is the pointer.  The same pointer reached twice is one shared
 * object; cycles are lawful.  NONE, BOOL, INT and FLOAT have no identity and
 * may be shared freely (small ones are static constants).
 *
 * Values live in a store (an arena with a counter) and die with it; nobody
 * frees a value.  A document is a store, a root and what is known about where
 * it came from.  Several documents may share one store, which is what lets a
 * conversion take values of its inputs over as they are.
 *
 * A document of a successful read is at most FERRY_MAX_DEPTH deep along any
 * first-visit path, so that recursive walkers are safe; they must still mark
 * what they visited (ferry/sys/build.h), for a shared graph unfolds without end.
 *
 * Thread: a store and its documents belong to one thread at a time; tensor
 * data may be read from any number of threads.
 *
 * Fields are for reading; change a value only through ferry/sys/build.h.
 */
#ifndef FERRY_VALUE_H
#define FERRY_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ferry/api.h>
#include <ferry/dtype.h>
#include <ferry/error.h>

FERRY_BEGIN

#define FERRY_MAX_DEPTH 1000
#define FERRY_MAX_RANK 64

enum ferry_kind {
	FERRY_NONE = 0,
	FERRY_BOOL,
	FERRY_INT,		/* int64, or FERRY_BIG: any size */
	FERRY_FLOAT,
	FERRY_COMPLEX,
	FERRY_STRING,		/* UTF-8; lone surrogates as 3 bytes each */
	FERRY_BYTES,
	FERRY_LIST,
	FERRY_TUPLE,
	FERRY_SET,
	FERRY_FROZENSET,
	FERRY_DICT,		/* ordered; keys are values */
	FERRY_TENSOR,
	FERRY_STORAGE,		/* a storage itself, without a shape */
	FERRY_GLOBAL,		/* a named class or function */
	FERRY_OBJECT,		/* an instance, or the result of a call */
	FERRY_N_KINDS
};

/* value.flags */
enum {
	FERRY_BIG = 1,		/* INT: two's complement, LE, in u.s */
	FERRY_MUTABLE = 2,	/* BYTES: a bytearray */
	FERRY_RANGE = 4,	/* BYTES: not in memory; see u.range */
	FERRY_PY2 = 8,		/* BYTES: an 8-bit str of Python 2; GLOBAL: a
				 * name as Python 2 spells it, which Python 3
				 * renames on reading */
};

struct ferry_pair {
	struct ferry_value *key;
	struct ferry_value *value;
};

struct ferry_value {
	uint8_t kind;		/* enum ferry_kind */
	uint8_t flags;
	uint16_t reserved;
	uint32_t id;		/* dense in its store from 1; 0: no identity */
	union {
		bool b;
		int64_t i;
		double f;
		struct {
			double re, im;
		} c;
		struct {	/* STRING, BYTES, big INT; not terminated */
			const char *data;
			uint64_t nbytes;
			uint64_t hash;	/* private */
		} s;
		struct {	/* BYTES with FERRY_RANGE */
			struct ferry_source *source;
			uint64_t offset;
			uint64_t nbytes;
		} range;
		struct {	/* LIST, TUPLE, SET, FROZENSET */
			struct ferry_value **items;
			uint32_t n, cap;
			uint64_t hash;	/* private */
		} list;
		struct {	/* DICT; keys unique as Python has it */
			struct ferry_pair *pairs;
			uint32_t n, cap;
			struct ferry_index *index;	/* private */
		} dict;
		struct ferry_tensor *tensor;
		struct {	/* STORAGE */
			struct ferry_storage *storage;
		} st;
		struct {	/* GLOBAL; NUL-terminated for convenience */
			const char *module;
			const char *name;
			uint32_t module_len, name_len;
		} global;
		struct ferry_object *object;
	} u;
};

/* How an OBJECT came to be. */
enum ferry_form {
	FERRY_FORM_CALL,	/* callable(*args) */
	FERRY_FORM_NEW,		/* callable.__new__(callable, *args, **kwargs) */
	FERRY_FORM_INSTANCE,	/* an old-style instance: callable(*args) */
	FERRY_FORM_PERSISTENT,	/* what a persistent id `args` stands for */
	FERRY_FORM_EXTENSION,	/* extension registry code `args` (an INT) */
	FERRY_FORM_SELF,	/* args[0] itself, given state or items */
};

/* object.flags */
enum {
	FERRY_STATE_FIRST = 1,	/* state was set before the items */
	FERRY_STATES = 2,	/* state is a TUPLE of successive states */
	FERRY_ADD_ITEMS = 4,	/* `list` was added with .add(), not appended */
	FERRY_DISCARDED = 8,	/* of a CALL: made for what it does, its result
				 * is thrown away.  As the state of an object it
				 * is made once that is there, instead of it
				 * being given the result */
};

struct ferry_object {
	uint8_t form;			/* enum ferry_form */
	uint8_t flags;
	int16_t payload;		/* index in args of the value that this
					 * one merely decorates (a parameter's
					 * tensor), or -1 */
	struct ferry_value *callable;	/* usually a GLOBAL; NULL for
					 * PERSISTENT, EXTENSION and SELF */
	struct ferry_value *args;	/* TUPLE (all that call, SELF), or the
					 * id; almost never anything else */
	struct ferry_value *kwargs;	/* DICT, or NULL */
	struct ferry_value *list;	/* LIST of items appended, or NULL */
	struct ferry_value *dict;	/* DICT of items set, or NULL */
	struct ferry_value *state;	/* what was given to build it, or NULL */
};

/* tensor.flags */
enum {
	FERRY_REQUIRES_GRAD = 1,
	FERRY_CONJ = 2,		/* data is to be conjugated when read */
	FERRY_NEG = 4,		/* data is to be negated when read */
	FERRY_META = 8,		/* has no data anywhere; storage is NULL */
};

/*
 * A tensor owns no bytes.  Element (i0, i1, ...) is element
 * offset + sum(ik * strides[k]) of its storage.  Whoever builds a tensor has
 * checked that all its elements lie inside (ferry_tensor_check()).
 */
struct ferry_tensor {
	uint8_t dtype;			/* enum ferry_dtype */
	uint8_t ndim;
	uint8_t flags;
	uint8_t reserved;
	const uint64_t *shape;		/* [ndim] */
	const int64_t *strides;		/* [ndim], in elements, >= 0 */
	uint64_t offset;		/* in elements */
	struct ferry_storage *storage;
	/*
	 * What a format must keep beside the data and the model has no word
	 * for: a DICT whose keys are namespaced by format ("torch",
	 * "numpy"), or NULL.  A writer of another format keeps it as typed
	 * metadata.
	 */
	struct ferry_value *extra;
};

/* storage.flags */
enum {
	FERRY_UNTYPED = 1,	/* saved as bytes: dtype is FERRY_U8 */
};

/* A run of bytes that tensors look into.  Two tensors are tied when they name
 * the same struct ferry_storage. */
struct ferry_storage {
	uint8_t dtype;			/* of the elements as saved */
	uint8_t flags;
	uint16_t reserved;
	uint32_t id;			/* dense in its store from 1 */
	struct ferry_source *source;	/* owned by the store */
	uint64_t offset;		/* of the first byte in source */
	uint64_t nbytes;
};

struct ferry_document {
	struct ferry_store *store;	/* one reference is held */
	struct ferry_value *root;
	const char *format;		/* "torch", ...; NULL when made */
	/*
	 * What the reader knows about the file beside its content: a DICT
	 * ("format_version", "byteorder", "writer", ...), or NULL.  For
	 * people; never needed to write the content back.
	 */
	struct ferry_value *about;
	struct ferry_findings *findings; /* warnings of the reader */
	/*
	 * How whoever made it would have it written: a DICT of writer option
	 * ("protocol") to STRING, or NULL.  A writer that has such an option
	 * takes it where the user gave none.
	 */
	struct ferry_value *hints;
	/* Where it was read from, as named; NULL when made.  Some types say by
	 * their names, and by what lies beside them, whether they are whole. */
	const char *path;
};

/* Free the document and its reference to the store; NULL is allowed. */
FERRY_API void ferry_document_free(struct ferry_document *doc);

/*
 * The value at a document path below `from`, or NULL.  A path is keys joined
 * by "."; an item of a sequence is its index.  Where keys contain dots the
 * longest key wins.  Objects are entered through their dict items, else their
 * state's items, else list items and arguments; payloads are transparent.  The
 * fields that are not entered so have names: "args", "kwargs", "list", "dict",
 * "state", "callable", "extra" (of a tensor); "keys.N" is a DICT's Nth key.
 * "" is `from` itself.
 */
FERRY_API struct ferry_value *ferry_value_at(struct ferry_value *from,
					     const char *path);

/* The pair with the STRING key `key` in a DICT (or an OBJECT's dict items), or
 * NULL.  Constant time on average. */
FERRY_API struct ferry_value *ferry_dict_get(const struct ferry_value *dict,
					     const char *key);

/* The DICT of a DICT or of an OBJECT with dict items, else NULL. */
FERRY_API struct ferry_value *ferry_value_items(struct ferry_value *value);

/* Follow payloads: a parameter's tensor value, or `value` itself. */
FERRY_API struct ferry_value *ferry_value_payload(struct ferry_value *value);

/* True when value is a STRING equal to the C string. */
FERRY_API bool ferry_value_is(const struct ferry_value *value, const char *str);

/* True when value is a GLOBAL with exactly that module and name. */
FERRY_API bool ferry_value_is_global(const struct ferry_value *value,
				     const char *module, const char *name);
/* Two GLOBALs that Python 3 knows as one, whichever Python spelled them. */
FERRY_API bool ferry_value_same_global(const struct ferry_value *a,
				       const struct ferry_value *b);

/* "none", "dict", "tensor", ... */
FERRY_API const char *ferry_kind_name(int kind);

/*
 * Equality of two graphs: kinds, values (floats by bits), order, sharing and
 * cycles, globals, objects, tensors by dtype, shape, strides (when
 * compare->strides) and data (when compare->data).  Findings say each
 * difference by document path, up to compare->most of them.
 *
 * Returns 1 when equal, 0 when different, or a negative ferry_code.
 */
struct ferry_compare {
	bool data;		/* read and compare tensor data */
	bool strides;		/* strides and storage offsets, and which
				 * tensors share a storage */
	bool sharing;		/* which containers are one object */
	bool bare;		/* not what formats note of tensors beside
				 * their elements (extra) */
	double atol, rtol;	/* 0, 0: bit by bit */
	uint32_t most;		/* differences to report; 0: 100 */
};

FERRY_API int ferry_document_compare(struct ferry_document *a,
				     struct ferry_document *b,
				     const struct ferry_compare *how,
				     struct ferry_findings *out,
				     struct ferry_error *err);

FERRY_END

#endif
