/*
 * YAML text <-> values, as PyYAML and OmegaConf have it.
 *
 * Sources: PyYAML 6.0 (SafeLoader, Dumper and its pure-Python emitter) and
 * OmegaConf 2.3 (OmegaConf.create, to_yaml), tried out by
 * tests/interop/yaml_text.py; YAML 1.1 for the types.  What differs is told in
 * doc/formats/yaml.md.
 *
 * Thread: no state outside of the arguments.
 */
#ifndef FORMATS_YAML_YAML_H
#define FORMATS_YAML_YAML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ferry/findings.h>
#include <ferry/sys/buffer.h>
#include <ferry/sys/build.h>
#include <ferry/sys/source.h>

#define YAML_MAX_NBYTES (UINT64_C(16) << 20)	/* of a text, by default */
#define YAML_MAX_NODES 4000000u		/* read, merged, written or copied */
#define YAML_MAX_DIGITS 20000u		/* of a decimal integer */

/* Whose reading of plain scalars, tags and keys counts. */
enum yaml_schema {
	YAML_PYYAML,		/* yaml.safe_load */
	YAML_OMEGACONF,		/* OmegaConf.create(text), OmegaConf.load */
};

/* The same key twice in one mapping; an override of a merged key is no such. */
enum yaml_duplicates {
	YAML_DUPLICATES_WARN,	/* the last holds; WARNING "duplicate-key" */
	YAML_DUPLICATES_TAKE,	/* the last holds, as PyYAML does */
	YAML_DUPLICATES_REFUSE,	/* MALFORMED */
};

struct yaml_reader {
	enum yaml_schema schema;
	/* YAML_OMEGACONF refuses a string key that stands twice anyway. */
	enum yaml_duplicates duplicates;
	struct ferry_findings *findings;	/* of WARN; may be NULL */
	uint64_t max_nbytes;			/* 0: YAML_MAX_NBYTES */
};

/*
 * The one document of a text (UTF-8, or UTF-16 with a byte order mark).
 * reader NULL: YAML_PYYAML with its defaults.
 *
 * An alias is the same value once more: sharing and, in YAML_PYYAML, cycles
 * are kept (YAML_OMEGACONF refuses a cycle).  Mappings are DICTs in the order
 * Python has: merged keys first, an override in the merged key's place.
 *   !!binary BYTES; !!set SET; !!omap, !!pairs LIST of TUPLEs of two;
 *   dates OBJECTs as they are pickled: datetime.date(BYTES),
 *   datetime.datetime(BYTES[, datetime.timezone(datetime.timedelta(...))]);
 *   in YAML_OMEGACONF pathlib's tags OBJECTs: pathlib.PosixPath(STRING...).
 * No text at all is NONE; in YAML_OMEGACONF an empty DICT, and there a lone
 * string is the only key of a DICT.
 *
 * Errors say "line L column C: ...", both from 1, with the byte offset:
 * MALFORMED (no YAML, or what the library refuses), UNSUPPORTED (a tag it does
 * not know), LIMIT (size, depth, nodes, digits).
 */
int yaml_read(const char *text, size_t n, struct ferry_store *store,
	      const struct yaml_reader *reader, struct ferry_value **out,
	      struct ferry_error *err);
/* The same from a whole source. */
int yaml_read_source(struct ferry_source *src, struct ferry_store *store,
		     const struct yaml_reader *reader,
		     struct ferry_value **out, struct ferry_error *err);

/* Whose text is written, byte for byte. */
enum yaml_style {
	/* OmegaConf.to_yaml(cfg): keys in order, unicode as it is, shared
	 * values written in full each time. */
	YAML_STYLE_OMEGACONF,
	/* yaml.safe_dump(value, sort_keys=...): ASCII, &id001 and *id001. */
	YAML_STYLE_PYYAML,
};

struct yaml_writer {
	enum yaml_style style;
	bool sort_keys;		/* where Python could order them */
	unsigned indent;	/* 2 to 9; else 2 */
	unsigned width;		/* more than 2 * indent; else 80 */
	uint32_t max_nodes;	/* values written; 0: YAML_MAX_NODES */
};

/*
 * Append a document's text to *out; writer NULL: YAML_STYLE_OMEGACONF.  `store`
 * is the one root lives in.
 *
 * Tuples are written as lists, frozensets as sets, bytearrays as bytes.  What
 * has no form in YAML (yaml_losses() tells) is left out of a mapping and null
 * in a list.
 *
 * UNSUPPORTED when the root itself has no form; LIMIT when the document is
 * deeper than FERRY_MAX_DEPTH, is a cycle written in full, or is more than
 * max_nodes values so.
 */
int yaml_write(struct ferry_store *store, const struct ferry_value *root,
	       const struct yaml_writer *writer, struct ferry_buffer *out,
	       struct ferry_error *err);

/*
 * What writing changes.  WARNINGs: "tensors", "objects", "values" (complex
 * numbers), "keys" are left out; "kinds" (tuples, bytearrays, ... come back as
 * another kind); "text" (a string that comes back changed).  NOTE: "shared"
 * (values that are written more than once).  One finding of a code, with the
 * count and the first path.
 */
int yaml_losses(struct ferry_store *store, const struct ferry_value *root,
		const struct yaml_writer *writer, struct ferry_findings *out,
		struct ferry_error *err);

/*
 * A deep copy without sharing, every mapping in order of its keys: what
 * yaml.safe_load(yaml.dump(value)) gives when aliases are suppressed.  STRING
 * keys are ordered by code point; keys Python can't order stay as they stand.
 * Tuples become lists.  Leaves are shared with the original.
 *
 * LIMIT for cycles and for more than YAML_MAX_NODES values, UNSUPPORTED for
 * what safe_dump refuses.
 */
int yaml_copy_sorted(struct ferry_store *store, const struct ferry_value *from,
		     struct ferry_value **out, struct ferry_error *err);

/*
 * Whether OmegaConf writes a string in single quotes though YAML would not ask
 * for them: Python's float() takes it, or YAML 1.1 once called it a boolean.
 * 1, 0 or FERRY_NOMEM.
 */
int yaml_is_quoted_word(const char *text, size_t n);

/* repr() of a finite float, ".inf", "-.inf" or ".nan", with the ".0" that YAML
 * wants before an exponent. */
void yaml_add_float(struct ferry_buffer *out, double f);

#endif
