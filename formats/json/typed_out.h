/*
 * Inside of the writer of typed JSON: the text so far, and which values are met
 * more than once.
 *
 * Functions that return int return 0 or a negative code with the error filled.
 */
#ifndef FORMATS_JSON_TYPED_OUT_H
#define FORMATS_JSON_TYPED_OUT_H

#include "formats/json/json.h"

/* Marks of a value: how often it was met, then the number of its $id. */
enum {
	TYPED_UNSEEN,
	TYPED_ONCE,
	TYPED_SHARED,
	TYPED_NUMBERED,		/* + id */
};

struct typed_out {
	const struct typed_json_writer *options;
	struct ferry_buffer *out;
	struct ferry_buffer fields;
	uint32_t *marks;	/* by value id */
	uint32_t nmarks;
	uint32_t nids;
	struct ferry_error *err;
};

static inline void typed_add(struct typed_out *w, const char *text)
{
	ferry_buffer_add_str(w->out, text);
}

/* typed_marks.c: values that are written once and named by their $id after. */
bool typed_is_tracked(const struct ferry_value *v);
int typed_count(struct typed_out *w, const struct ferry_value *v,
		unsigned depth);
int typed_fail_depth(struct typed_out *w);

/* v was counted before. */
static inline bool typed_is_shared(const struct typed_out *w,
				   const struct ferry_value *v)
{
	return typed_is_tracked(v) && w->marks[v->id] >= TYPED_SHARED;
}

/* typed_scalar.c: values without parts. */
int typed_put_leaf(struct typed_out *w, const struct ferry_value *v);
int typed_put_bytes(struct typed_out *w, const struct ferry_value *v);
/* callable: where nothing but a name is expected. */
void typed_put_global(struct typed_out *w, const struct ferry_value *v,
		      bool callable);
/* {"$id":1,"tag": of a value that is met again, {"tag": of another. */
void typed_open_tag(struct typed_out *w, const struct ferry_value *v,
		    const char *tag);

#endif
