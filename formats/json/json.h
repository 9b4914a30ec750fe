/*
 * JSON, and typed JSON: a text for any document.
 *
 * Typed JSON writes NONE, BOOL, INT (64 bits), finite FLOAT, STRING, LIST and
 * DICTs with string keys (none starting with "$") as themselves; everything
 * else as an object whose first key starts with "$".  Sharing and cycles are
 * written as {"$id": n, ...} and {"$ref": n}.  The whole stands in an envelope,
 * {"$ferry": 1, "document": ...}.  doc/formats/json.md is the specification.
 *
 * Thread: safe on distinct stores and buffers.
 */
#ifndef FORMATS_JSON_H
#define FORMATS_JSON_H

#include <ferry/sys/buffer.h>
#include <ferry/sys/build.h>
#include <ferry/tensor.h>

/*
 * Text to values: objects become DICTs, arrays LISTs; integers of any size (up
 * to 4300 digits) are kept exactly.  MALFORMED with the byte offset; LIMIT for
 * nesting above FERRY_MAX_DEPTH; duplicate keys are MALFORMED.
 */
int json_read(const char *text, size_t n, struct ferry_store *store,
	      struct ferry_value **out, struct ferry_error *err);
/* Values to text; UNSUPPORTED for what JSON has no form for, LIMIT for a graph
 * deeper than FERRY_MAX_DEPTH.  indent 0: compact, else one item per line. */
int json_write(const struct ferry_value *root, unsigned indent,
	       struct ferry_buffer *out, struct ferry_error *err);

/* JSON text laid out again: one item per line, indented by `indent`. */
int json_indent(const char *text, size_t n, unsigned indent,
		struct ferry_buffer *out, struct ferry_error *err);

/*
 * True when json_write() followed by json_read() gives the root back: only
 * kinds that JSON has, no container met twice, strings that are text, and no
 * root that would be taken for typed JSON.
 */
bool json_is_plain(const struct ferry_value *root);

/*
 * Typed JSON of a document.
 *
 * `tensor_name` gives the name under which a TENSOR's data is stored elsewhere
 * (NULL: the tensor is an error, UNSUPPORTED); it may append further members to
 * the tensor's JSON object through `fields` (text such as `,"strides":[1,4]`).
 * STORAGE values are asked the same way.  It is asked once per value, and not
 * for meta tensors, whose dtype and shape are written here; requires_grad, conj
 * and neg are members written here too, and so is `extra`.
 */
struct typed_json_writer {
	int (*tensor_name)(void *ctx, const struct ferry_value *tensor,
			   const char **name, struct ferry_buffer *fields,
			   struct ferry_error *err);
	/*
	 * The name under which BYTES are stored elsewhere; *name is NULL on
	 * entry and left so for those to be written here, in base64.  NULL:
	 * all of them are.
	 */
	int (*bytes_name)(void *ctx, const struct ferry_value *bytes,
			  const char **name, struct ferry_error *err);
	void *ctx;
	/* TENSORs become meta tensors and STORAGEs null: for a text that has
	 * no place for data. */
	bool drop_data;
};

int typed_json_write(const struct ferry_value *root,
		     const struct typed_json_writer *options,
		     struct ferry_buffer *out, struct ferry_error *err);

/*
 * The reverse.  `tensor` is given the stored name and all members of the JSON
 * object but `extra` as a DICT of plain values, and makes the TENSOR or STORAGE
 * value: members has "$tensor" or "$storage".  requires_grad and extra are set
 * here; "conj" and "neg" among the members tell that the stored data had them
 * applied, and making use of that is the callback's.  NULL: UNSUPPORTED.
 */
struct typed_json_reader {
	int (*tensor)(void *ctx, struct ferry_store *store, const char *name,
		      struct ferry_value *members, struct ferry_value **out,
		      struct ferry_error *err);
	/* BYTES stored elsewhere, with those flags.  NULL: UNSUPPORTED. */
	int (*bytes)(void *ctx, struct ferry_store *store, const char *name,
		     unsigned flags, struct ferry_value **out,
		     struct ferry_error *err);
	void *ctx;
};

int typed_json_read(const char *text, size_t n, struct ferry_store *store,
		    const struct typed_json_reader *options,
		    struct ferry_value **out, struct ferry_error *err);

/* True when text begins as typed JSON does: {"$ferry" ... */
bool typed_json_probe(const char *text, size_t n);

/* Append text as a JSON string with its quotes: valid UTF-8 kept, lone
 * surrogates as \uDxxx, other bytes as U+FFFD. */
void json_quote(struct ferry_buffer *out, const char *text, size_t n);

#endif
