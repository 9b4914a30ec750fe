/* The stack machine that decodes a pickle. */
#include "config.h"

#include "formats/pickle/machine.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <ferry/sys/alloc.h>
#include <ferry/sys/bytes.h>

enum {
	HIGHEST_PROTOCOL = 5,
	RANGE_BYTES = 64 * 1024,
	MAX_VALUES = 200 * 1000 * 1000,
	FIRST_STACK = 256,
};

int pickle_fail(struct pickle_machine *m, enum ferry_code code,
		const char *fmt, ...)
{
	char text[sizeof(m->err->text)];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	return ferry_fail(m->err, code, m->in.origin, m->in.at, "%s", text);
}

int pickle_nomem(struct pickle_machine *m)
{
	return ferry_fail_nomem(m->err, "the values of a pickle");
}

int pickle_underflow(struct pickle_machine *m)
{
	return pickle_fail(m, FERRY_MALFORMED,
			   "pickle takes more from its stack than is there%s; "
			   "the file is damaged",
			   m->n_marks ? " above the mark" : "");
}

int pickle_push_slow(struct pickle_machine *m, struct ferry_value *v)
{
	size_t cap = 2 * m->cap;
	struct ferry_value **stack;

	if (!v)
		return pickle_nomem(m);
	if (m->values > m->max_values)
		return pickle_fail(m, FERRY_LIMIT,
				   "pickle has more than %llu values",
				   (unsigned long long)m->max_values);
	if (m->n == m->cap) {
		stack = ferry_alloc_resize(m->stack, cap,
					   sizeof(struct ferry_value *));
		if (!stack)
			return pickle_nomem(m);
		m->stack = stack;
		m->cap = cap;
	}
	m->stack[m->n++] = v;
	return 0;
}

static int op_mark(struct pickle_machine *m)
{
	size_t cap = m->cap_marks ? 2 * m->cap_marks : 64;
	size_t *marks;

	if (m->n_marks == m->cap_marks) {
		marks = ferry_alloc_resize(m->marks, cap, sizeof(*marks));
		if (!marks)
			return pickle_nomem(m);
		m->marks = marks;
		m->cap_marks = cap;
	}
	m->marks[m->n_marks++] = m->n;
	m->fence = m->n;
	return 0;
}

int pickle_unmark(struct pickle_machine *m, size_t *first)
{
	if (!m->n_marks) {
		pickle_fail(m, FERRY_MALFORMED,
			    "pickle looks for a mark that is not there; the "
			    "file is damaged");
		return FERRY_MALFORMED;
	}
	*first = m->marks[--m->n_marks];
	m->fence = m->n_marks ? m->marks[m->n_marks - 1] : 0;
	return 0;
}

/* A mark that is the newest thing on the stack goes before a value does. */
static int op_pop(struct pickle_machine *m)
{
	size_t first;

	if (m->n_marks && m->fence == m->n)
		return pickle_unmark(m, &first);
	if (!pickle_top(m, 1))
		return FERRY_MALFORMED;
	m->n--;
	return pickle_discard(m, m->stack[m->n]);
}

static int op_pop_mark(struct pickle_machine *m)
{
	size_t first;
	int ret = pickle_unmark(m, &first);

	while (!ret && m->n > first)
		ret = pickle_discard(m, m->stack[--m->n]);
	return ret;
}

static int op_dup(struct pickle_machine *m)
{
	struct ferry_value **top = pickle_top(m, 1);

	if (!top)
		return FERRY_MALFORMED;
	pickle_set_fetched(*top);
	return pickle_push(m, *top);
}

static int op_stop(struct pickle_machine *m)
{
	struct ferry_value **top = pickle_top(m, 1);

	if (!top)
		return FERRY_MALFORMED;
	m->result = *top;
	return 0;
}

static int op_proto(struct pickle_machine *m)
{
	const uint8_t *p = pickle_input_take(&m->in, 1);

	if (!p)
		return FERRY_MALFORMED;
	if (*p > HIGHEST_PROTOCOL)
		return pickle_fail(m, FERRY_UNSUPPORTED,
				   "pickle has protocol %u, the highest known "
				   "is %u", *p, HIGHEST_PROTOCOL);
	m->proto = *p;
	return 0;
}

static int op_frame(struct pickle_machine *m)
{
	const uint8_t *p = pickle_input_take(&m->in, 8);

	return p ? pickle_input_expect(&m->in, ferry_le64(p))
		 : FERRY_MALFORMED;
}

static int op_next_buffer(struct pickle_machine *m)
{
	return pickle_fail(m, FERRY_UNSUPPORTED,
			   "pickle takes a buffer from outside of its file "
			   "(protocol 5, out of band); save it in band");
}

/* In band, what it asks for already holds for bytes. */
static int op_readonly_buffer(struct pickle_machine *m)
{
	struct ferry_value **top = pickle_top(m, 1);

	if (!top)
		return FERRY_MALFORMED;
	if ((*top)->kind != FERRY_BYTES || (*top)->flags & FERRY_MUTABLE)
		return pickle_fail(m, FERRY_UNSUPPORTED,
				   "pickle makes a read-only view of a value "
				   "of kind %s",
				   ferry_kind_name((*top)->kind));
	return 0;
}

static int put(struct pickle_machine *m, uint64_t index)
{
	struct ferry_value **top = pickle_top(m, 1);

	if (!top)
		return FERRY_MALFORMED;
	if (pickle_memo_put(&m->memo, index, (uint64_t)(uintptr_t)*top))
		return pickle_nomem(m);
	return 0;
}

static int get(struct pickle_machine *m, uint64_t index)
{
	struct ferry_value *v;

	v = (struct ferry_value *)(uintptr_t)pickle_memo_get(&m->memo, index);
	if (!v)
		return pickle_fail(m, FERRY_MALFORMED,
				   "pickle fetches memo entry %llu, which was "
				   "never stored; the file is damaged",
				   (unsigned long long)index);
	if (m->has_deferred && pickle_is_deferred(v) &&
	    pickle_read_deferred(m, v))
		return FERRY_IO;
	if (m->discarded && pickle_discard_fetched(m, v))
		return FERRY_MALFORMED;
	pickle_set_fetched(v);
	return pickle_push(m, v);
}

static int op_put(struct pickle_machine *m)
{
	uint64_t index;

	return pickle_line_index(m, &index) ? FERRY_MALFORMED : put(m, index);
}

static int op_put1(struct pickle_machine *m)
{
	const uint8_t *p = pickle_input_take(&m->in, 1);

	return p ? put(m, *p) : FERRY_MALFORMED;
}

static int op_put4(struct pickle_machine *m)
{
	const uint8_t *p = pickle_input_take(&m->in, 4);

	return p ? put(m, ferry_le32(p)) : FERRY_MALFORMED;
}

static int op_memoize(struct pickle_machine *m)
{
	return put(m, m->memo.n);
}

static int op_get(struct pickle_machine *m)
{
	uint64_t index;

	return pickle_line_index(m, &index) ? FERRY_MALFORMED : get(m, index);
}

static int op_get1(struct pickle_machine *m)
{
	const uint8_t *p = pickle_input_take(&m->in, 1);

	return p ? get(m, *p) : FERRY_MALFORMED;
}

static int op_get4(struct pickle_machine *m)
{
	const uint8_t *p = pickle_input_take(&m->in, 4);

	return p ? get(m, ferry_le32(p)) : FERRY_MALFORMED;
}

static int op_ext1(struct pickle_machine *m)
{
	const uint8_t *p = pickle_input_take(&m->in, 1);

	return p ? pickle_extension(m, *p) : FERRY_MALFORMED;
}

static int op_ext2(struct pickle_machine *m)
{
	const uint8_t *p = pickle_input_take(&m->in, 2);

	return p ? pickle_extension(m, ferry_le16(p)) : FERRY_MALFORMED;
}

static int op_ext4(struct pickle_machine *m)
{
	const uint8_t *p = pickle_input_take(&m->in, 4);

	return p ? pickle_extension(m, (int32_t)ferry_le32(p))
		 : FERRY_MALFORMED;
}

/* Replace the n topmost by one sequence of them. */
static int collect(struct pickle_machine *m, enum ferry_kind kind, size_t n)
{
	struct ferry_value *v = pickle_gather(m, kind, n);

	if (!v)
		return pickle_nomem(m);
	m->n -= n;
	return pickle_made(m, v);
}

static int collect_fixed(struct pickle_machine *m, size_t n)
{
	return pickle_top(m, n) ? collect(m, FERRY_TUPLE, n) : FERRY_MALFORMED;
}

static int collect_marked(struct pickle_machine *m, enum ferry_kind kind)
{
	size_t first;

	return pickle_unmark(m, &first) ? FERRY_MALFORMED
					: collect(m, kind, m->n - first);
}

static int op_tuple0(struct pickle_machine *m)
{
	return collect(m, FERRY_TUPLE, 0);
}

static int op_tuple1(struct pickle_machine *m)
{
	return collect_fixed(m, 1);
}

static int op_tuple2(struct pickle_machine *m)
{
	return collect_fixed(m, 2);
}

static int op_tuple3(struct pickle_machine *m)
{
	return collect_fixed(m, 3);
}

static int op_tuple(struct pickle_machine *m)
{
	return collect_marked(m, FERRY_TUPLE);
}

static int op_list0(struct pickle_machine *m)
{
	return collect(m, FERRY_LIST, 0);
}

static int op_list(struct pickle_machine *m)
{
	return collect_marked(m, FERRY_LIST);
}

static int op_set0(struct pickle_machine *m)
{
	return collect(m, FERRY_SET, 0);
}

static int op_frozenset(struct pickle_machine *m)
{
	return collect_marked(m, FERRY_FROZENSET);
}

static int op_dict0(struct pickle_machine *m)
{
	return pickle_made(m, ferry_dict(m->store, 0));
}

static int op_dict(struct pickle_machine *m)
{
	struct ferry_value *dict;
	size_t first;

	if (pickle_unmark(m, &first))
		return FERRY_MALFORMED;
	dict = ferry_dict(m->store, 0);
	if (!dict)
		return pickle_nomem(m);
	if (pickle_set_pairs(m, dict, m->stack + first, m->n - first))
		return FERRY_MALFORMED;
	m->n = first;
	return pickle_made(m, dict);
}

static int (*const handlers[256])(struct pickle_machine *m) = {
	['('] = op_mark,
	[')'] = op_tuple0,
	['.'] = op_stop,
	['0'] = op_pop,
	['1'] = op_pop_mark,
	['2'] = op_dup,
	['B'] = pickle_op_bytes4,
	['C'] = pickle_op_bytes1,
	['F'] = pickle_op_float,
	['G'] = pickle_op_binfloat,
	['I'] = pickle_op_int,
	['J'] = pickle_op_int4,
	['K'] = pickle_op_int1,
	['L'] = pickle_op_long,
	['M'] = pickle_op_int2,
	['N'] = pickle_op_none,
	['P'] = pickle_op_persid,
	['Q'] = pickle_op_binpersid,
	['R'] = pickle_op_reduce,
	['S'] = pickle_op_string,
	['T'] = pickle_op_str4,
	['U'] = pickle_op_str1,
	['V'] = pickle_op_unicode,
	['X'] = pickle_op_text4,
	[']'] = op_list0,
	['a'] = pickle_op_append,
	['b'] = pickle_op_build,
	['c'] = pickle_op_global,
	['d'] = op_dict,
	['e'] = pickle_op_appends,
	['g'] = op_get,
	['h'] = op_get1,
	['i'] = pickle_op_inst,
	['j'] = op_get4,
	['l'] = op_list,
	['o'] = pickle_op_obj,
	['p'] = op_put,
	['q'] = op_put1,
	['r'] = op_put4,
	['s'] = pickle_op_setitem,
	['t'] = op_tuple,
	['u'] = pickle_op_setitems,
	['}'] = op_dict0,
	[0x80] = op_proto,
	[0x81] = pickle_op_newobj,
	[0x82] = op_ext1,
	[0x83] = op_ext2,
	[0x84] = op_ext4,
	[0x85] = op_tuple1,
	[0x86] = op_tuple2,
	[0x87] = op_tuple3,
	[0x88] = pickle_op_true,
	[0x89] = pickle_op_false,
	[0x8a] = pickle_op_long1,
	[0x8b] = pickle_op_long4,
	[0x8c] = pickle_op_text1,
	[0x8d] = pickle_op_text8,
	[0x8e] = pickle_op_bytes8,
	[0x8f] = op_set0,
	[0x90] = pickle_op_additems,
	[0x91] = op_frozenset,
	[0x92] = pickle_op_newobj_ex,
	[0x93] = pickle_op_stack_global,
	[0x94] = op_memoize,
	[0x95] = op_frame,
	[0x96] = pickle_op_bytearray8,
	[0x97] = op_next_buffer,
	[0x98] = op_readonly_buffer,
};

static int unknown_opcode(struct pickle_machine *m, int opcode)
{
	return pickle_fail(m, FERRY_MALFORMED,
			   "pickle has no opcode 0x%02x; this is no pickle, or "
			   "a damaged one", opcode);
}

static int run(struct pickle_machine *m)
{
	int opcode, ret = 0;

	while (!ret && !m->result) {
		opcode = pickle_input_opcode(&m->in);
		if (opcode < 0)
			return FERRY_MALFORMED;
		ret = handlers[opcode] ? handlers[opcode](m)
				       : unknown_opcode(m, opcode);
	}
	return ret;
}

int pickle_read(struct ferry_source *src, uint64_t offset,
		struct ferry_store *store,
		const struct pickle_reader_options *options,
		struct ferry_value **out, uint64_t *end,
		struct ferry_error *err)
{
	static const struct pickle_reader_options none;
	struct ferry_error own = FERRY_ERROR_INIT;
	struct pickle_machine m = {
		.store = store, .err = &own, .lost = FERRY_BUFFER_INIT,
	};
	const char *origin;
	int ret;

	m.options = options ? options : &none;
	origin = m.options->origin ? m.options->origin : "pickle";
	m.range_bytes = m.options->range_bytes ? m.options->range_bytes
					       : RANGE_BYTES;
	m.max_values = m.options->max_values ? m.options->max_values
					     : MAX_VALUES;
	m.memo.store = store;
	ret = pickle_input_init(&m.in, src, offset, origin, &own);
	if (!ret) {
		m.cap = FIRST_STACK;
		m.stack = ferry_alloc(m.cap * sizeof(struct ferry_value *));
		ret = m.stack ? run(&m) : pickle_nomem(&m);
	}
	if (!ret)
		ret = pickle_discard_report(&m);
	if (!ret) {
		*out = m.result;
		if (end)
			*end = pickle_input_offset(&m.in);
	}
	pickle_input_release(&m.in);
	pickle_memo_release(&m.memo);
	ferry_buffer_release(&m.lost);
	ferry_alloc_free(m.stack);
	ferry_alloc_free(m.marks);
	if (own.code && err && !err->code)
		*err = own;
	return own.code ? own.code : ret;
}
