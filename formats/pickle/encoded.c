/*
 * Bytes as protocol 2 writes them, _codecs.encode(text, "latin1"), left in the
 * source when they are many.
 *
 * What follows the text is looked at before the text is read: when it is what
 * Python writes, the call is done at once, over a source that decodes.  The
 * text and the arguments are in the memo then, but not in memory: text that is
 * fetched after all is read in at that time.
 */
#include "config.h"

#include "formats/pickle/machine.h"

#include <string.h>

#include <ferry/sys/bytes.h>

#include "formats/pickle/latin1.h"

enum {
	TAIL = 32,		/* the longest is 23 bytes */
	STORE_NEXT = -1,	/* memo index of MEMOIZE */
	NO_STORE = -2,
};

/* What follows the text: memo indices, and the bytes it takes. */
struct tail {
	const uint8_t *p, *end;
	int64_t text, name, args;	/* where they are stored */
	struct ferry_value *latin1;	/* when it was in the memo */
};

static bool next_is(struct tail *t, const char *bytes, size_t n)
{
	if ((size_t)(t->end - t->p) < n || memcmp(t->p, bytes, n))
		return false;
	t->p += n;
	return true;
}

/* An opcode, if it is the next, and its index. */
static bool next_index(struct tail *t, char one, char four, uint32_t *index)
{
	size_t left = (size_t)(t->end - t->p);

	if (left >= 2 && t->p[0] == one) {
		*index = t->p[1];
		t->p += 2;
		return true;
	}
	if (left >= 5 && t->p[0] == four) {
		*index = ferry_le32(t->p + 1);
		t->p += 5;
		return true;
	}
	return false;
}

static int64_t next_store(struct tail *t)
{
	uint32_t index;

	if (next_index(t, 'q', 'r', &index))
		return index;
	return next_is(t, "\x94", 1) ? STORE_NEXT : NO_STORE;
}

static bool next_latin1(struct pickle_machine *m, struct tail *t)
{
	uint32_t index;

	t->name = NO_STORE;
	if (next_is(t, "X\6\0\0\0latin1", 11) ||
	    next_is(t, "\x8c\6latin1", 8)) {
		t->name = next_store(t);
		return true;
	}
	if (!next_index(t, 'h', 'j', &index))
		return false;
	t->latin1 = (struct ferry_value *)(uintptr_t)
		pickle_memo_get(&m->memo, index);
	return t->latin1 && !pickle_is_deferred(t->latin1) &&
	       ferry_value_is(t->latin1, "latin1");
}

static bool parse_tail(struct pickle_machine *m, struct tail *t)
{
	t->text = next_store(t);
	if (!next_latin1(m, t) || !next_is(t, "\x86", 1))
		return false;
	t->args = next_store(t);
	return next_is(t, "R", 1);
}

static int store(struct pickle_machine *m, int64_t index,
		 const struct ferry_value *v)
{
	if (!v)
		return pickle_nomem(m);
	if (index == NO_STORE)
		return 0;
	if (index == STORE_NEXT)
		index = (int64_t)m->memo.n;
	return pickle_memo_put(&m->memo, (uint64_t)index,
			       (uint64_t)(uintptr_t)v) ? pickle_nomem(m) : 0;
}

/* Put the text, its encoding's name and the arguments into the memo. */
static int store_args(struct pickle_machine *m, const struct tail *t,
		      uint64_t offset, uint64_t n)
{
	struct ferry_value *text = ferry_bytes_range(m->store, m->in.src,
						     offset, n, 0);
	struct ferry_value *name = t->latin1, *args;

	if (!name)
		name = ferry_cstring(m->store, "latin1");
	args = ferry_sequence(m->store, FERRY_TUPLE, 2);
	if (!text || !name || !args || ferry_list_add(m->store, args, text) ||
	    ferry_list_add(m->store, args, name))
		return pickle_nomem(m);
	text->kind = FERRY_STRING;
	m->values += 3;
	m->has_deferred = true;
	if (store(m, t->text, text) || store(m, t->name, name))
		return FERRY_NOMEM;
	return store(m, t->args, args);
}

/* The source of the bytes, kept by the store; NULL when the text is not one of
 * bytes. */
static int bytes_source(struct pickle_machine *m, uint64_t offset, uint64_t n,
			struct ferry_source **out)
{
	struct ferry_error why = FERRY_ERROR_INIT;
	int ret;

	*out = NULL;
	ret = pickle_latin1_bytes(out, m->in.src, offset, n, &why);
	if (ret == FERRY_MALFORMED)
		return 0;
	if (ret) {
		*m->err = why;
		return ret;
	}
	if (ferry_store_take_source(m->store, *out)) {
		ferry_source_unref(*out);
		return pickle_nomem(m);
	}
	return 0;
}

int pickle_encoded_bytes(struct pickle_machine *m, uint64_t n, bool *done)
{
	uint64_t offset = pickle_input_offset(&m->in);
	uint8_t bytes[TAIL];
	struct ferry_source *src;
	struct tail t = { .p = bytes };
	uint64_t left;
	int ret;

	*done = false;
	if (m->n == m->fence || pickle_input_expect(&m->in, n) ||
	    !pickle_is_global(m->stack[m->n - 1], "_codecs", "encode"))
		return m->err->code;
	left = pickle_input_left(&m->in) - n;
	t.end = bytes + (left < TAIL ? left : TAIL);
	ret = ferry_source_read(m->in.src, bytes, offset + n,
				(size_t)(t.end - bytes), m->err);
	if (ret || !parse_tail(m, &t))
		return ret;
	ret = bytes_source(m, offset, n, &src);
	if (ret || !src)
		return ret;
	*done = true;
	ret = store_args(m, &t, offset, n);
	if (!ret)
		ret = pickle_input_skip(&m->in, n + (uint64_t)(t.p - bytes));
	if (ret)
		return ret;
	m->n--;
	return pickle_made(m, ferry_bytes_range(m->store, src, 0, src->nbytes,
						0));
}

int pickle_read_deferred(struct pickle_machine *m, struct ferry_value *v)
{
	struct ferry_value *text = v->kind == FERRY_TUPLE ? v->u.list.items[0]
							  : v;
	uint64_t n = text->u.range.nbytes;
	char *data = n < SIZE_MAX ? ferry_store_alloc(m->store, n + 1) : NULL;
	int ret;

	if (!data)
		return pickle_nomem(m);
	ret = ferry_source_read(text->u.range.source, data,
				text->u.range.offset, (size_t)n, m->err);
	if (ret)
		return ret;
	data[n] = '\0';
	memset(&text->u, 0, sizeof(text->u));
	text->flags = 0;
	text->u.s.data = data;
	text->u.s.nbytes = n;
	return 0;
}
