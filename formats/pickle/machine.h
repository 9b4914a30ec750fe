/*
 * Inside of the reader: the machine that opcodes work on.
 *
 * Opcode handlers return 0, or a negative code with the error filled.  Values
 * below the fence (the newest mark) are out of reach, as in Python.
 */
#ifndef FORMATS_PICKLE_MACHINE_H
#define FORMATS_PICKLE_MACHINE_H

#include "formats/pickle/input.h"
#include "formats/pickle/memo.h"
#include "formats/pickle/pickle.h"

struct pickle_machine {
	struct pickle_input in;
	struct ferry_error *err;
	struct ferry_store *store;
	const struct pickle_reader_options *options;
	uint64_t range_bytes;
	uint64_t values, max_values;
	struct ferry_value **stack;
	size_t n, cap, fence;
	size_t *marks;
	size_t n_marks, cap_marks;
	struct pickle_memo memo;
	unsigned proto;
	struct ferry_value *result;	/* set by STOP */
	/* A call thrown away, while it is open whether the fetch that follows is
	 * for the same; and the object that it gives its state, or NULL. */
	struct ferry_value *discarded, *discarded_on;
	uint64_t n_lost;		/* calls thrown away for good */
	struct ferry_buffer lost;	/* the names of the first */
	bool has_deferred;	/* the memo has text that is not in memory */
};

int pickle_fail(struct pickle_machine *m, enum ferry_code code,
		const char *fmt, ...) FERRY_PRINTF(3, 4);
int pickle_nomem(struct pickle_machine *m);
int pickle_underflow(struct pickle_machine *m);

int pickle_push_slow(struct pickle_machine *m, struct ferry_value *v);

/* Push what a constructor gave: NULL is a failed allocation. */
static inline int pickle_push(struct pickle_machine *m, struct ferry_value *v)
{
	if (!v || m->n == m->cap)
		return pickle_push_slow(m, v);
	m->stack[m->n++] = v;
	return 0;
}

/* As pickle_push(), for a value that was made just now. */
static inline int pickle_made(struct pickle_machine *m, struct ferry_value *v)
{
	if (++m->values > m->max_values)
		return pickle_push_slow(m, v);
	return pickle_push(m, v);
}

/* The n topmost, or NULL with the error filled. */
static inline struct ferry_value **pickle_top(struct pickle_machine *m,
					      size_t n)
{
	if (m->n - m->fence < n) {
		pickle_underflow(m);
		return NULL;
	}
	return m->stack + m->n - n;
}

/* Take the newest mark away: *first is the index of what was above it. */
int pickle_unmark(struct pickle_machine *m, size_t *first);

/*
 * True when the value may be reached in another way than from the stack: it
 * was fetched from the memo or duplicated.  What Python writes for a call that
 * stands for a plain value never was, and only such values are copied, so
 * that copies stay within the size of the input.
 */
static inline bool pickle_fetched(const struct ferry_value *v)
{
	return v->reserved;
}

static inline void pickle_set_fetched(struct ferry_value *v)
{
	if (v->id)
		v->reserved = 1;
}

/* atom.c: values that are one opcode and its argument. */
int pickle_op_none(struct pickle_machine *m);
int pickle_op_true(struct pickle_machine *m);
int pickle_op_false(struct pickle_machine *m);
int pickle_op_int1(struct pickle_machine *m);
int pickle_op_int2(struct pickle_machine *m);
int pickle_op_int4(struct pickle_machine *m);
int pickle_op_binfloat(struct pickle_machine *m);
int pickle_op_long1(struct pickle_machine *m);
int pickle_op_long4(struct pickle_machine *m);
int pickle_op_text1(struct pickle_machine *m);
int pickle_op_text4(struct pickle_machine *m);
int pickle_op_text8(struct pickle_machine *m);
int pickle_op_str1(struct pickle_machine *m);
int pickle_op_str4(struct pickle_machine *m);
int pickle_op_bytes1(struct pickle_machine *m);
int pickle_op_bytes4(struct pickle_machine *m);
int pickle_op_bytes8(struct pickle_machine *m);
int pickle_op_bytearray8(struct pickle_machine *m);

/* line.c: arguments as text, and the checks of text. */
int pickle_op_int(struct pickle_machine *m);
int pickle_op_long(struct pickle_machine *m);
int pickle_op_float(struct pickle_machine *m);
int pickle_op_string(struct pickle_machine *m);
int pickle_op_unicode(struct pickle_machine *m);
int pickle_line_index(struct pickle_machine *m, uint64_t *out);
bool pickle_parse_index(const char *line, size_t n, uint64_t *out);
/* UTF-8 in which surrogates are allowed. */
bool pickle_is_text(const char *text, size_t n);
/* raw-unicode-escape; out has room for n bytes.  False when broken. */
bool pickle_unescape_raw(const char *line, size_t n, char *out, size_t *nout);
/* A quoted Python 2 string; out has room for n bytes. */
bool pickle_unescape(const char *line, size_t n, char *out, size_t *nout);

/* object.c: calls, state and items. */
int pickle_global(struct pickle_machine *m, const char *module, size_t nm,
		  const char *name, size_t nn);
int pickle_op_global(struct pickle_machine *m);
int pickle_op_stack_global(struct pickle_machine *m);
int pickle_op_reduce(struct pickle_machine *m);
int pickle_op_newobj(struct pickle_machine *m);
int pickle_op_newobj_ex(struct pickle_machine *m);
int pickle_op_inst(struct pickle_machine *m);
int pickle_op_obj(struct pickle_machine *m);
int pickle_op_persid(struct pickle_machine *m);
int pickle_op_binpersid(struct pickle_machine *m);
int pickle_extension(struct pickle_machine *m, int64_t code);
int pickle_op_build(struct pickle_machine *m);
int pickle_op_append(struct pickle_machine *m);
int pickle_op_appends(struct pickle_machine *m);
int pickle_op_additems(struct pickle_machine *m);
int pickle_op_setitem(struct pickle_machine *m);
int pickle_op_setitems(struct pickle_machine *m);
/* A sequence of the n topmost values; they stay on the stack. */
struct ferry_value *pickle_gather(struct pickle_machine *m,
				  enum ferry_kind kind, size_t n);
int pickle_set_pairs(struct pickle_machine *m, struct ferry_value *dict,
		     struct ferry_value **items, size_t n);

int pickle_add_state(struct pickle_machine *m, struct ferry_value *v,
		     struct ferry_value *state);

/* discard.c: v was popped; the memo gave `fetched` right after such a call; a
 * finding about those that were lost. */
int pickle_discard(struct pickle_machine *m, struct ferry_value *v);
int pickle_discard_fetched(struct pickle_machine *m,
			   const struct ferry_value *fetched);
int pickle_discard_report(struct pickle_machine *m);

/* encoded.c: text of n bytes follows; *done is set when it, and the call that
 * encodes it, were taken care of. */
int pickle_encoded_bytes(struct pickle_machine *m, uint64_t n, bool *done);
/* True for such text, and for the arguments it is in. */
static inline bool pickle_is_deferred(const struct ferry_value *v)
{
	if (v->kind == FERRY_TUPLE && v->u.list.n == 2)
		v = v->u.list.items[0];
	return v->kind == FERRY_STRING && v->flags & FERRY_RANGE;
}

int pickle_read_deferred(struct pickle_machine *m, struct ferry_value *v);

/* plain.c: *out is the plain value that callable(*args) stands for, NULL when
 * it stands for none. */
int pickle_plain(struct pickle_machine *m, const struct ferry_value *callable,
		 const struct ferry_value *args, struct ferry_value **out);

#endif
