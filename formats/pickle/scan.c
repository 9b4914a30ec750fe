/*
 * The names a pickle mentions, found by walking its opcodes over a stack of
 * cells: a cell is a name, the place of a string, or anything else.
 */
#include "config.h"

#include "formats/pickle/pickle.h"

#include <string.h>

#include <ferry/sys/alloc.h>
#include <ferry/sys/bytes.h>

#include "formats/pickle/input.h"
#include "formats/pickle/machine.h"
#include "formats/pickle/memo.h"

/* What follows an opcode. */
enum argument {
	NO_OPCODE,
	NOTHING,
	BYTES_1, BYTES_2, BYTES_4, BYTES_8,
	COUNT_1, COUNT_4, COUNT_8,
	LINE,
	LINES,
};

/* What it does to the stack. */
enum effect {
	PUSH,		/* take n, push one */
	TEXT,		/* push a string */
	DROP,		/* take n */
	MARK,
	TO_MARK,	/* take what is above the mark, push one */
	DROP_MARK,	/* take what is above the mark */
	CALL,		/* take n, the first is called, push one */
	CALL_MARK,	/* the same with what is above the mark */
	NAME,
	STACK_NAME,
	CALL_NAME,	/* name it, and call it with what is above the mark */
	HIDDEN_NAME,
	POP,
	DUP,
	STORE,
	STORE_NEXT,
	FETCH,
	STOP,
};

struct opcode {
	uint8_t argument, effect, n;
};

static const struct opcode opcodes[256] = {
	['('] = { NOTHING, MARK, 0 },
	[')'] = { NOTHING, PUSH, 0 },
	['.'] = { NOTHING, STOP, 0 },
	['0'] = { NOTHING, POP, 0 },
	['1'] = { NOTHING, DROP_MARK, 0 },
	['2'] = { NOTHING, DUP, 0 },
	['B'] = { COUNT_4, PUSH, 0 },
	['C'] = { COUNT_1, PUSH, 0 },
	['F'] = { LINE, PUSH, 0 },
	['G'] = { BYTES_8, PUSH, 0 },
	['I'] = { LINE, PUSH, 0 },
	['J'] = { BYTES_4, PUSH, 0 },
	['K'] = { BYTES_1, PUSH, 0 },
	['L'] = { LINE, PUSH, 0 },
	['M'] = { BYTES_2, PUSH, 0 },
	['N'] = { NOTHING, PUSH, 0 },
	['P'] = { LINE, PUSH, 0 },
	['Q'] = { NOTHING, PUSH, 1 },
	['R'] = { NOTHING, CALL, 2 },
	['S'] = { LINE, TEXT, 0 },
	['T'] = { COUNT_4, TEXT, 0 },
	['U'] = { COUNT_1, TEXT, 0 },
	['V'] = { LINE, TEXT, 0 },
	['X'] = { COUNT_4, TEXT, 0 },
	[']'] = { NOTHING, PUSH, 0 },
	['a'] = { NOTHING, DROP, 1 },
	['b'] = { NOTHING, DROP, 1 },
	['c'] = { LINES, NAME, 0 },
	['d'] = { NOTHING, TO_MARK, 0 },
	['e'] = { NOTHING, DROP_MARK, 0 },
	['g'] = { LINE, FETCH, 0 },
	['h'] = { BYTES_1, FETCH, 0 },
	['i'] = { LINES, CALL_NAME, 0 },
	['j'] = { BYTES_4, FETCH, 0 },
	['l'] = { NOTHING, TO_MARK, 0 },
	['o'] = { NOTHING, CALL_MARK, 0 },
	['p'] = { LINE, STORE, 0 },
	['q'] = { BYTES_1, STORE, 0 },
	['r'] = { BYTES_4, STORE, 0 },
	['s'] = { NOTHING, DROP, 2 },
	['t'] = { NOTHING, TO_MARK, 0 },
	['u'] = { NOTHING, DROP_MARK, 0 },
	['}'] = { NOTHING, PUSH, 0 },
	[0x80] = { BYTES_1, DROP, 0 },
	[0x81] = { NOTHING, CALL, 2 },
	[0x82] = { BYTES_1, HIDDEN_NAME, 0 },
	[0x83] = { BYTES_2, HIDDEN_NAME, 0 },
	[0x84] = { BYTES_4, HIDDEN_NAME, 0 },
	[0x85] = { NOTHING, PUSH, 1 },
	[0x86] = { NOTHING, PUSH, 2 },
	[0x87] = { NOTHING, PUSH, 3 },
	[0x88] = { NOTHING, PUSH, 0 },
	[0x89] = { NOTHING, PUSH, 0 },
	[0x8a] = { COUNT_1, PUSH, 0 },
	[0x8b] = { COUNT_4, PUSH, 0 },
	[0x8c] = { COUNT_1, TEXT, 0 },
	[0x8d] = { COUNT_8, TEXT, 0 },
	[0x8e] = { COUNT_8, PUSH, 0 },
	[0x8f] = { NOTHING, PUSH, 0 },
	[0x90] = { NOTHING, DROP_MARK, 0 },
	[0x91] = { NOTHING, TO_MARK, 0 },
	[0x92] = { NOTHING, CALL, 3 },
	[0x93] = { NOTHING, STACK_NAME, 2 },
	[0x94] = { NOTHING, STORE_NEXT, 0 },
	[0x95] = { BYTES_8, DROP, 0 },
	[0x96] = { COUNT_8, PUSH, 0 },
	[0x97] = { NOTHING, PUSH, 0 },
	[0x98] = { NOTHING, DROP, 0 },
};

/* Cells are never 0: the memo has 0 for what it lacks. */
#define CELL_OTHER UINT64_C(1)
#define CELL_TEXT (UINT64_C(1) << 62)	/* + offset of the opcode */
#define CELL_NAME (UINT64_C(1) << 63)	/* + index */

enum {
	MOST_NAME = 1000,	/* bytes of one part of a name */
	HEAD = 9,		/* an opcode and a count */
};

struct named {
	const char *module, *name;
	size_t module_len, name_len;
	uint64_t count, calls, offset;
};

struct scan {
	struct pickle_input in;
	struct ferry_store *store;
	struct pickle_opcodes *opcodes;	/* NULL: nobody asks */
	uint64_t *stack;
	size_t n, cap, fence;
	size_t *marks;
	size_t n_marks, cap_marks;
	struct pickle_memo memo;
	struct named *names;
	size_t n_names, cap_names;
	struct ferry_map index;		/* "module\0name" to name */
	struct ferry_map pairs;		/* places of two strings to name */
	const char *line, *second;	/* arguments that are lines */
	size_t line_len, second_len;
	char first[MOST_NAME];
	uint64_t number;		/* the argument that is a number */
	bool stopped;
};

static int nomem(struct scan *s)
{
	return ferry_fail_nomem(s->in.err, "the names of a pickle");
}

static int fail(struct scan *s, const char *text)
{
	return ferry_fail(s->in.err, FERRY_MALFORMED, s->in.origin, s->in.at,
			  "%s; the file is damaged", text);
}

static int push(struct scan *s, uint64_t cell)
{
	size_t cap = s->cap ? 2 * s->cap : 64;
	uint64_t *stack;

	if (s->n == s->cap) {
		stack = ferry_alloc_resize(s->stack, cap, sizeof(*stack));
		if (!stack)
			return nomem(s);
		s->stack = stack;
		s->cap = cap;
	}
	s->stack[s->n++] = cell;
	return 0;
}

static int need(struct scan *s, size_t n)
{
	if (s->n - s->fence < n)
		return fail(s, "pickle takes more from its stack than is "
			       "there");
	return 0;
}

static int mark(struct scan *s)
{
	size_t cap = s->cap_marks ? 2 * s->cap_marks : 64;
	size_t *marks;

	if (s->n_marks == s->cap_marks) {
		marks = ferry_alloc_resize(s->marks, cap, sizeof(*marks));
		if (!marks)
			return nomem(s);
		s->marks = marks;
		s->cap_marks = cap;
	}
	s->marks[s->n_marks++] = s->n;
	s->fence = s->n;
	return 0;
}

static int unmark(struct scan *s, size_t *first)
{
	if (!s->n_marks)
		return fail(s, "pickle looks for a mark that is not there");
	*first = s->marks[--s->n_marks];
	s->fence = s->n_marks ? s->marks[s->n_marks - 1] : 0;
	return 0;
}

/* Find the name or add it. */
static int intern(struct scan *s, const char *module, size_t nm,
		  const char *name, size_t nn, uint64_t *out)
{
	size_t cap = s->cap_names ? 2 * s->cap_names : 64;
	struct named *names;
	char key[2 * MOST_NAME + 2];
	char *kept;

	nm = nm < MOST_NAME ? nm : MOST_NAME;
	nn = nn < MOST_NAME ? nn : MOST_NAME;
	memcpy(key, module, nm);
	key[nm] = '\0';
	memcpy(key + nm + 1, name, nn);
	if (ferry_map_get(&s->index, key, nm + nn + 1, out))
		return 0;
	if (s->n_names == s->cap_names) {
		names = ferry_alloc_resize(s->names, cap, sizeof(*names));
		if (!names)
			return nomem(s);
		s->names = names;
		s->cap_names = cap;
	}
	kept = ferry_store_strndup(s->store, key, nm + nn + 1);
	if (!kept || ferry_map_put(&s->index, kept, nm + nn + 1, s->n_names))
		return nomem(s);
	s->names[s->n_names] = (struct named){ kept, kept + nm + 1, nm, nn,
					       0, 0, s->in.at };
	*out = s->n_names++;
	return 0;
}

static int push_name(struct scan *s, const char *module, size_t nm,
		     const char *name, size_t nn)
{
	uint64_t at;
	int ret = intern(s, module, nm, name, nn, &at);

	if (ret)
		return ret;
	s->names[at].count++;
	return push(s, CELL_NAME + at);
}

/* A call of what is no name here is one of something computed. */
static int count_call(struct scan *s, uint64_t callable)
{
	uint64_t at;
	int ret;

	if (callable & CELL_NAME) {
		s->names[callable - CELL_NAME].calls++;
		return 0;
	}
	ret = intern(s, "", 0, "", 0, &at);
	if (ret)
		return ret;
	s->names[at].count++;
	s->names[at].calls++;
	return 0;
}

/* The bytes of the counted string at data, as far as they were read. */
static bool counted(const uint8_t *data, size_t have, const char **text,
		    size_t *n)
{
	size_t head = opcodes[data[0]].argument == COUNT_1 ? 2 :
		      opcodes[data[0]].argument == COUNT_4 ? 5 : 9;
	uint64_t length;

	if (have < head)
		return false;
	length = head == 2 ? data[1] :
		 head == 5 ? ferry_le32(data + 1) : ferry_le64(data + 1);
	*text = (const char *)data + head;
	*n = length < have - head ? (size_t)length : have - head;
	return true;
}

/* Read the string whose opcode stands at offset; out has room for
 * 2 * (HEAD + MOST_NAME) bytes. */
static int read_text(struct scan *s, uint64_t offset, char *out, size_t *nout)
{
	uint8_t data[HEAD + MOST_NAME];
	uint64_t left = s->in.src->nbytes - offset;
	size_t have = left < sizeof(data) ? (size_t)left : sizeof(data);
	const char *text, *stop;
	size_t n;
	int ret;

	ret = ferry_source_read(s->in.src, data, offset, have, s->in.err);
	if (ret)
		return ret;
	*nout = 0;
	if (opcodes[data[0]].argument != LINE) {
		if (counted(data, have, &text, &n)) {
			memcpy(out, text, n);
			*nout = n;
		}
		return 0;
	}
	text = (const char *)data + 1;
	stop = memchr(text, '\n', have - 1);
	n = stop ? (size_t)(stop - text) : have - 1;
	if (data[0] == 'V' ? !pickle_unescape_raw(text, n, out, nout)
			   : !pickle_unescape(text, n, out, nout))
		*nout = 0;
	return 0;
}

/* The name that two strings make; equal places give equal names. */
static int join_name(struct scan *s, uint64_t module, uint64_t name)
{
	uint64_t pair[2] = { module, name }, at;
	char first[2 * (HEAD + MOST_NAME)], second[2 * (HEAD + MOST_NAME)];
	size_t nm, nn;
	uint64_t *key;
	int ret;

	if (ferry_map_get(&s->pairs, pair, sizeof(pair), &at)) {
		s->names[at].count++;
		return push(s, CELL_NAME + at);
	}
	ret = read_text(s, module - CELL_TEXT, first, &nm);
	if (!ret)
		ret = read_text(s, name - CELL_TEXT, second, &nn);
	if (!ret)
		ret = push_name(s, first, nm, second, nn);
	if (ret)
		return ret;
	key = ferry_store_alloc(s->store, sizeof(pair));
	if (!key)
		return nomem(s);
	memcpy(key, pair, sizeof(pair));
	at = s->stack[s->n - 1] - CELL_NAME;
	return ferry_map_put(&s->pairs, key, sizeof(pair), at) ? nomem(s) : 0;
}

static int stack_name(struct scan *s)
{
	uint64_t module, name;

	if (need(s, 2))
		return FERRY_MALFORMED;
	module = s->stack[s->n - 2];
	name = s->stack[s->n - 1];
	s->n -= 2;
	if (!(module & CELL_TEXT) || !(name & CELL_TEXT))
		return push_name(s, "", 0, "", 0);
	return join_name(s, module, name);
}

static int pop(struct scan *s)
{
	size_t first;

	if (s->n_marks && s->fence == s->n)
		return unmark(s, &first);
	if (need(s, 1))
		return FERRY_MALFORMED;
	s->n--;
	return 0;
}

/* The first of two lines is kept while the second is read. */
static int read_lines(struct scan *s, bool two)
{
	int ret = pickle_input_line(&s->in, &s->line, &s->line_len);

	if (ret || !two)
		return ret;
	if (s->line_len > MOST_NAME)
		s->line_len = MOST_NAME;
	memcpy(s->first, s->line, s->line_len);
	s->line = s->first;
	return pickle_input_line(&s->in, &s->second, &s->second_len);
}

static int read_number(struct scan *s, size_t n)
{
	uint8_t bytes[8] = { 0 };
	const uint8_t *p = pickle_input_take(&s->in, n);

	if (!p)
		return FERRY_MALFORMED;
	memcpy(bytes, p, n);
	s->number = ferry_le64(bytes);
	return 0;
}

static int read_counted(struct scan *s, size_t n)
{
	int ret = read_number(s, n);

	return ret ? ret : pickle_input_skip(&s->in, s->number);
}

static int read_argument(struct scan *s, const struct opcode *op)
{
	switch (op->argument) {
	case NOTHING:
		return 0;
	case BYTES_1:
		return read_number(s, 1);
	case BYTES_2:
		return read_number(s, 2);
	case BYTES_4:
		return read_number(s, 4);
	case BYTES_8:
		return read_number(s, 8);
	case COUNT_1:
		return read_counted(s, 1);
	case COUNT_4:
		return read_counted(s, 4);
	case COUNT_8:
		return read_counted(s, 8);
	case LINE:
		return read_lines(s, false);
	case LINES:
		return read_lines(s, true);
	default:
		return fail(s, "pickle has a byte that is no opcode");
	}
}

/* The index of a memo opcode, from its bytes or its line. */
static int memo_index(struct scan *s, const struct opcode *op)
{
	if (op->argument != LINE)
		return 0;
	if (!pickle_parse_index(s->line, s->line_len, &s->number))
		return fail(s, "pickle has a memo index that is no number");
	return 0;
}

static int store(struct scan *s, uint64_t index)
{
	if (need(s, 1))
		return FERRY_MALFORMED;
	return pickle_memo_put(&s->memo, index, s->stack[s->n - 1]) ? nomem(s)
								    : 0;
}

static int fetch(struct scan *s)
{
	uint64_t cell = pickle_memo_get(&s->memo, s->number);

	return cell ? push(s, cell)
		    : fail(s, "pickle fetches a memo entry that was never "
			      "stored");
}

static int call(struct scan *s, size_t n)
{
	if (need(s, n) || count_call(s, s->stack[s->n - n]))
		return FERRY_MALFORMED;
	s->n -= n;
	return push(s, CELL_OTHER);
}

static int call_marked(struct scan *s)
{
	size_t first;

	if (unmark(s, &first))
		return FERRY_MALFORMED;
	if (first == s->n)
		return fail(s, "pickle makes an instance of nothing");
	if (count_call(s, s->stack[first]))
		return FERRY_NOMEM;
	s->n = first;
	return push(s, CELL_OTHER);
}

static int call_name(struct scan *s)
{
	uint64_t callable;
	size_t first;

	if (push_name(s, s->line, s->line_len, s->second, s->second_len))
		return FERRY_NOMEM;
	callable = s->stack[--s->n];
	if (unmark(s, &first) || count_call(s, callable))
		return FERRY_MALFORMED;
	s->n = first;
	return push(s, CELL_OTHER);
}

static int take_and_push(struct scan *s, size_t n)
{
	if (need(s, n))
		return FERRY_MALFORMED;
	s->n -= n;
	return push(s, CELL_OTHER);
}

static int apply(struct scan *s, const struct opcode *op)
{
	switch (op->effect) {
	case PUSH:
		return take_and_push(s, op->n);
	case TEXT:
		return push(s, CELL_TEXT + s->in.at);
	case DROP:
		if (need(s, op->n))
			return FERRY_MALFORMED;
		s->n -= op->n;
		return 0;
	case MARK:
		return mark(s);
	case TO_MARK:
		return unmark(s, &s->n) ? FERRY_MALFORMED : push(s, CELL_OTHER);
	case DROP_MARK:
		return unmark(s, &s->n);
	case CALL:
		return call(s, op->n);
	case CALL_MARK:
		return call_marked(s);
	case NAME:
		return push_name(s, s->line, s->line_len, s->second,
				 s->second_len);
	case STACK_NAME:
		return stack_name(s);
	case CALL_NAME:
		return call_name(s);
	case HIDDEN_NAME:
		return push_name(s, "", 0, "", 0);
	case POP:
		return pop(s);
	case DUP:
		return need(s, 1) ? FERRY_MALFORMED
				  : push(s, s->stack[s->n - 1]);
	case STORE:
		return memo_index(s, op) ? FERRY_MALFORMED
					 : store(s, s->number);
	case STORE_NEXT:
		return store(s, s->memo.n);
	case FETCH:
		return memo_index(s, op) ? FERRY_MALFORMED : fetch(s);
	default:
		s->stopped = true;
		return need(s, 1);
	}
}

static void count_opcode(struct scan *s, uint8_t opcode)
{
	if (opcodes[opcode].argument != NO_OPCODE &&
	    !s->opcodes->count[opcode]++)
		s->opcodes->offset[opcode] = s->in.at;
}

static int run(struct scan *s)
{
	int opcode, ret = 0;

	while (!ret && !s->stopped) {
		opcode = pickle_input_opcode(&s->in);
		if (opcode < 0)
			return FERRY_MALFORMED;
		if (s->opcodes)
			count_opcode(s, (uint8_t)opcode);
		ret = read_argument(s, &opcodes[opcode]);
		if (!ret && opcode == 0x80 && s->opcodes)
			s->opcodes->protocol = (unsigned)s->number;
		if (!ret)
			ret = apply(s, &opcodes[opcode]);
	}
	return ret;
}

static int describe(struct ferry_store *store, const struct named *named,
		    struct ferry_value *list)
{
	struct ferry_value *dict = ferry_dict(store, 5);
	struct ferry_value *values[] = {
		ferry_string(store, named->module, named->module_len),
		ferry_string(store, named->name, named->name_len),
		ferry_uint(store, named->count),
		ferry_uint(store, named->calls),
		ferry_uint(store, named->offset),
	};
	static const char *const keys[] = { "module", "name", "count", "calls",
					    "offset" };

	if (!dict)
		return FERRY_NOMEM;
	for (int i = 0; i < 5; i++)
		if (!values[i] ||
		    ferry_dict_set_str(store, dict, keys[i], values[i]))
			return FERRY_NOMEM;
	return ferry_list_add(store, list, dict);
}

static int report(struct scan *s, struct ferry_value **out)
{
	struct ferry_value *list = ferry_sequence(s->store, FERRY_LIST, 0);

	if (!list)
		return nomem(s);
	for (size_t i = 0; i < s->n_names; i++)
		if (describe(s->store, &s->names[i], list))
			return nomem(s);
	*out = list;
	return 0;
}

int pickle_scan_opcodes(struct ferry_source *src, uint64_t offset,
			struct ferry_store *store, struct ferry_value **out,
			struct pickle_opcodes *counts, uint64_t *end,
			struct ferry_error *err)
{
	struct ferry_error own = FERRY_ERROR_INIT;
	struct scan s = { .store = store, .opcodes = counts };
	int ret;

	*out = NULL;
	if (counts)
		memset(counts, 0, sizeof(*counts));
	s.memo.store = store;
	ret = pickle_input_init(&s.in, src, offset, "pickle", &own);
	if (!ret)
		ret = run(&s);
	if (!ret && end)
		*end = pickle_input_offset(&s.in);
	if (report(&s, out) && !ret)
		ret = FERRY_NOMEM;
	pickle_input_release(&s.in);
	pickle_memo_release(&s.memo);
	ferry_map_release(&s.index);
	ferry_map_release(&s.pairs);
	ferry_alloc_free(s.names);
	ferry_alloc_free(s.stack);
	ferry_alloc_free(s.marks);
	if (own.code && err && !err->code)
		*err = own;
	return own.code ? own.code : ret;
}

int pickle_scan(struct ferry_source *src, uint64_t offset,
		struct ferry_store *store, struct ferry_value **out,
		uint64_t *end, struct ferry_error *err)
{
	return pickle_scan_opcodes(src, offset, store, out, NULL, end, err);
}
