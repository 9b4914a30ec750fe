/* A pickle as a row of opcodes. */
#include "config.h"

#include "formats/torch/opcodes.h"

#include <string.h>

#include <ferry/sys/bytes.h>

#define BUFFER_BYTES 32768

static const struct opcode {
	const char *name;
	enum {
		FIXED,		/* n bytes */
		LINES,		/* n lines of text */
		COUNTED,	/* a count of n bytes, and as many bytes */
	} form;
	uint8_t n;
} opcodes[256] = {
	[0x28] = { "MARK", FIXED, 0 },
	[0x29] = { "EMPTY_TUPLE", FIXED, 0 },
	[0x2e] = { "STOP", FIXED, 0 },
	[0x30] = { "POP", FIXED, 0 },
	[0x31] = { "POP_MARK", FIXED, 0 },
	[0x32] = { "DUP", FIXED, 0 },
	[0x42] = { "BINBYTES", COUNTED, 4 },
	[0x43] = { "SHORT_BINBYTES", COUNTED, 1 },
	[0x46] = { "FLOAT", LINES, 1 },
	[0x47] = { "BINFLOAT", FIXED, 8 },
	[0x49] = { "INT", LINES, 1 },
	[0x4a] = { "BININT", FIXED, 4 },
	[0x4b] = { "BININT1", FIXED, 1 },
	[0x4c] = { "LONG", LINES, 1 },
	[0x4d] = { "BININT2", FIXED, 2 },
	[0x4e] = { "NONE", FIXED, 0 },
	[0x50] = { "PERSID", LINES, 1 },
	[0x51] = { "BINPERSID", FIXED, 0 },
	[0x52] = { "REDUCE", FIXED, 0 },
	[0x53] = { "STRING", LINES, 1 },
	[0x54] = { "BINSTRING", COUNTED, 4 },
	[0x55] = { "SHORT_BINSTRING", COUNTED, 1 },
	[0x56] = { "UNICODE", LINES, 1 },
	[0x58] = { "BINUNICODE", COUNTED, 4 },
	[0x5d] = { "EMPTY_LIST", FIXED, 0 },
	[0x61] = { "APPEND", FIXED, 0 },
	[0x62] = { "BUILD", FIXED, 0 },
	[0x63] = { "GLOBAL", LINES, 2 },
	[0x64] = { "DICT", FIXED, 0 },
	[0x65] = { "APPENDS", FIXED, 0 },
	[0x67] = { "GET", LINES, 1 },
	[0x68] = { "BINGET", FIXED, 1 },
	[0x69] = { "INST", LINES, 2 },
	[0x6a] = { "LONG_BINGET", FIXED, 4 },
	[0x6c] = { "LIST", FIXED, 0 },
	[0x6f] = { "OBJ", FIXED, 0 },
	[0x70] = { "PUT", LINES, 1 },
	[0x71] = { "BINPUT", FIXED, 1 },
	[0x72] = { "LONG_BINPUT", FIXED, 4 },
	[0x73] = { "SETITEM", FIXED, 0 },
	[0x74] = { "TUPLE", FIXED, 0 },
	[0x75] = { "SETITEMS", FIXED, 0 },
	[0x7d] = { "EMPTY_DICT", FIXED, 0 },
	[0x80] = { "PROTO", FIXED, 1 },
	[0x81] = { "NEWOBJ", FIXED, 0 },
	[0x82] = { "EXT1", FIXED, 1 },
	[0x83] = { "EXT2", FIXED, 2 },
	[0x84] = { "EXT4", FIXED, 4 },
	[0x85] = { "TUPLE1", FIXED, 0 },
	[0x86] = { "TUPLE2", FIXED, 0 },
	[0x87] = { "TUPLE3", FIXED, 0 },
	[0x88] = { "NEWTRUE", FIXED, 0 },
	[0x89] = { "NEWFALSE", FIXED, 0 },
	[0x8a] = { "LONG1", COUNTED, 1 },
	[0x8b] = { "LONG4", COUNTED, 4 },
	[0x8c] = { "SHORT_BINUNICODE", COUNTED, 1 },
	[0x8d] = { "BINUNICODE8", COUNTED, 8 },
	[0x8e] = { "BINBYTES8", COUNTED, 8 },
	[0x8f] = { "EMPTY_SET", FIXED, 0 },
	[0x90] = { "ADDITEMS", FIXED, 0 },
	[0x91] = { "FROZENSET", FIXED, 0 },
	[0x92] = { "NEWOBJ_EX", FIXED, 0 },
	[0x93] = { "STACK_GLOBAL", FIXED, 0 },
	[0x94] = { "MEMOIZE", FIXED, 0 },
	[0x95] = { "FRAME", FIXED, 8 },
	[0x96] = { "BYTEARRAY8", COUNTED, 8 },
	[0x97] = { "NEXT_BUFFER", FIXED, 0 },
	[0x98] = { "READONLY_BUFFER", FIXED, 0 },
};

const char *torch_opcode_name(uint8_t opcode)
{
	return opcodes[opcode].name;
}

struct cursor {
	struct ferry_source *src;
	uint64_t at;			/* of the next byte */
	uint64_t start;			/* of buf in src */
	size_t n;
	uint8_t buf[BUFFER_BYTES];
	struct ferry_error *err;
};

static int fail_end(struct cursor *c)
{
	return ferry_fail(c->err, FERRY_MALFORMED, "pickle", c->src->nbytes,
			  "pickle ends without a STOP opcode");
}

/* Bytes in sight at the cursor, at least one. */
static int look(struct cursor *c, const uint8_t **b, size_t *n)
{
	int r;

	if (c->at >= c->src->nbytes)
		return fail_end(c);
	if (c->at < c->start || c->at - c->start >= c->n) {
		c->start = c->at;
		c->n = BUFFER_BYTES;
		if (c->n > c->src->nbytes - c->at)
			c->n = (size_t)(c->src->nbytes - c->at);
		r = ferry_source_read(c->src, c->buf, c->at, c->n, c->err);
		if (r) {
			c->n = 0;
			return r;
		}
	}
	*b = c->buf + (c->at - c->start);
	*n = c->n - (size_t)(c->at - c->start);
	return 0;
}

static int take(struct cursor *c, uint8_t *out, size_t n)
{
	const uint8_t *b;
	size_t have;
	int r;

	while (n) {
		r = look(c, &b, &have);
		if (r)
			return r;
		if (have > n)
			have = n;
		memcpy(out, b, have);
		out += have;
		n -= have;
		c->at += have;
	}
	return 0;
}

static int skip(struct cursor *c, uint64_t n)
{
	if (n > c->src->nbytes - c->at)
		return fail_end(c);
	c->at += n;
	return 0;
}

static int skip_line(struct cursor *c)
{
	const uint8_t *b, *end;
	size_t n;
	int r;

	do {
		r = look(c, &b, &n);
		if (r)
			return r;
		end = memchr(b, '\n', n);
		c->at += end ? (size_t)(end - b) + 1 : n;
	} while (!end);
	return 0;
}

static int skip_argument(struct cursor *c, const struct opcode *o)
{
	uint8_t b[8] = { 0 };
	int r = 0;

	switch (o->form) {
	case FIXED:
		return skip(c, o->n);
	case LINES:
		for (int i = 0; !r && i < o->n; i++)
			r = skip_line(c);
		return r;
	default:
		r = take(c, b, o->n);
		return r ? r : skip(c, ferry_le64(b));
	}
}

int torch_opcodes_count(struct ferry_source *src, uint64_t offset,
			struct torch_opcodes *out, struct ferry_error *err)
{
	struct cursor c = { .src = src, .at = offset, .err = err };
	uint8_t op = 0;
	int r;

	memset(out, 0, sizeof(*out));
	while (op != '.') {
		uint64_t at = c.at;

		r = take(&c, &op, 1);
		if (r)
			return r;
		if (!opcodes[op].name)
			return ferry_fail(err, FERRY_MALFORMED, "pickle", at,
					  "byte 0x%02x is no pickle opcode",
					  op);
		if (!out->count[op]++)
			out->offset[op] = at;
		if (op == 0x80 && c.at < src->nbytes &&
		    out->count[op] == 1) {
			r = take(&c, &op, 1);
			out->protocol = op;
			op = 0x80;
		} else {
			r = skip_argument(&c, &opcodes[op]);
		}
		if (r)
			return r;
	}
	return 0;
}
