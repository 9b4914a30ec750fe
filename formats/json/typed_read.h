/* What the parts of the reader of typed JSON share. */
#ifndef FORMATS_JSON_TYPED_READ_H
#define FORMATS_JSON_TYPED_READ_H

#include "formats/json/json.h"
#include "formats/json/read.h"

struct typed {
	struct json_reader r;
	const struct typed_json_reader *options;
	struct ferry_map globals;	/* name to its GLOBAL */
	/* Values with an $id; ids rise in the text. */
	struct ferry_value **values;
	uint64_t *ids;
	size_t n, cap;
};

/* A tagged object being read: its $id (0: none) and how deep it stands. */
struct spot {
	uint64_t id;
	unsigned depth;
	int kind;		/* of the tag: enum ferry_kind or ferry_form */
	unsigned flags;
};

/* What reads the rest of an object after its tag; see the table in
 * typed_read.c for which of them read the closing brace too. */
typedef int typed_tag_reader(struct typed *t, const struct spot *spot,
			     struct ferry_value **out,
			     struct ferry_error *err);

/* typed_leaf.c */
typed_tag_reader typed_read_float, typed_read_complex, typed_read_int;
typed_tag_reader typed_read_str, typed_read_bytes, typed_read_global;
/* "module:name", the text being the last token. */
int typed_split_global(struct typed *t, unsigned flags,
		       struct ferry_value **out, struct ferry_error *err);
int typed_make_global(struct typed *t, unsigned flags, const char *module,
		      size_t nm, const char *name, size_t nn,
		      struct ferry_value **out, struct ferry_error *err);
/* The last token as a name: text without NUL, kept by the store. */
int typed_keep_name(struct typed *t, char **out, struct ferry_error *err);

/* typed_object.c */
typed_tag_reader typed_read_object, typed_read_ordered_dict;
typed_tag_reader typed_read_tensor;

/* typed_read.c */
int typed_nomem(struct ferry_error *err);
int typed_next(struct typed *t, enum json_token *token,
	       struct ferry_error *err);
int typed_expect(struct typed *t, enum json_token want, const char *what,
		 struct ferry_error *err);
/* Give the value the spot's $id, if it has one. */
int typed_remember(struct typed *t, const struct spot *spot,
		   struct ferry_value *v, struct ferry_error *err);
/* The value that `token` began, and the value that comes next. */
int typed_read_any(struct typed *t, enum json_token token, unsigned depth,
		   struct ferry_value **out, struct ferry_error *err);
int typed_read_next(struct typed *t, unsigned depth, struct ferry_value **out,
		    struct ferry_error *err);
/* Items up to the bracket; the pairs of a DICT in either form. */
int typed_read_items(struct typed *t, struct ferry_value *list,
		     unsigned depth, struct ferry_error *err);
int typed_read_pairs(struct typed *t, struct ferry_value *dict,
		     unsigned depth, struct ferry_error *err);

#endif
