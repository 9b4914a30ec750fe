/* Values that are one opcode and its argument. */
#include "config.h"

#include "formats/pickle/machine.h"

#include <string.h>

#include <ferry/sys/bytes.h>

enum {
	IN_WINDOW = 32 * 1024,	/* shorter text is read through the window */
};

int pickle_op_none(struct pickle_machine *m)
{
	return pickle_push(m, ferry_none());
}

int pickle_op_true(struct pickle_machine *m)
{
	return pickle_push(m, ferry_bool(true));
}

int pickle_op_false(struct pickle_machine *m)
{
	return pickle_push(m, ferry_bool(false));
}

int pickle_op_int1(struct pickle_machine *m)
{
	const uint8_t *p = pickle_input_take(&m->in, 1);

	return p ? pickle_push(m, ferry_int(m->store, *p)) : FERRY_MALFORMED;
}

int pickle_op_int2(struct pickle_machine *m)
{
	const uint8_t *p = pickle_input_take(&m->in, 2);

	return p ? pickle_made(m, ferry_int(m->store, ferry_le16(p)))
		 : FERRY_MALFORMED;
}

int pickle_op_int4(struct pickle_machine *m)
{
	const uint8_t *p = pickle_input_take(&m->in, 4);

	return p ? pickle_made(m, ferry_int(m->store, (int32_t)ferry_le32(p)))
		 : FERRY_MALFORMED;
}

int pickle_op_binfloat(struct pickle_machine *m)
{
	const uint8_t *p = pickle_input_take(&m->in, 8);
	uint64_t bits;
	double f;

	if (!p)
		return FERRY_MALFORMED;
	bits = ferry_be64(p);
	memcpy(&f, &bits, sizeof(f));
	return pickle_made(m, ferry_float(m->store, f));
}

/* Read n bytes into memory of the store, NUL-terminated. */
static char *read_bytes(struct pickle_machine *m, uint64_t n)
{
	char *data;

	if (pickle_input_expect(&m->in, n))
		return NULL;
	data = n < SIZE_MAX ? ferry_store_alloc(m->store, n + 1) : NULL;
	if (!data)
		pickle_nomem(m);
	else if (pickle_input_copy(&m->in, data, n))
		data = NULL;
	else
		data[n] = '\0';
	return data;
}

static int big_int(struct pickle_machine *m, uint64_t n)
{
	const char *le = n <= IN_WINDOW
				 ? (const char *)pickle_input_take(&m->in, n)
				 : read_bytes(m, n);

	return le ? pickle_made(m, ferry_big(m->store, le, n))
		  : FERRY_MALFORMED;
}

int pickle_op_long1(struct pickle_machine *m)
{
	const uint8_t *p = pickle_input_take(&m->in, 1);

	return p ? big_int(m, *p) : FERRY_MALFORMED;
}

static int negative(struct pickle_machine *m)
{
	return pickle_fail(m, FERRY_MALFORMED,
			   "pickle has a negative length; the file is damaged");
}

int pickle_op_long4(struct pickle_machine *m)
{
	const uint8_t *p = pickle_input_take(&m->in, 4);

	if (!p)
		return FERRY_MALFORMED;
	if (p[3] & 0x80)
		return negative(m);
	return big_int(m, ferry_le32(p));
}

static int text(struct pickle_machine *m, uint64_t n)
{
	const char *data;
	bool done = false;

	if (n >= m->range_bytes &&
	    (pickle_encoded_bytes(m, n, &done) || done))
		return m->err->code;
	if (n <= IN_WINDOW)
		data = (const char *)pickle_input_take(&m->in, n);
	else
		data = read_bytes(m, n);
	if (!data)
		return FERRY_MALFORMED;
	if (!pickle_is_text(data, n))
		return pickle_fail(m, FERRY_MALFORMED,
				   "pickle has a string of %llu bytes that is "
				   "not UTF-8", (unsigned long long)n);
	if (n <= IN_WINDOW)
		return pickle_made(m, ferry_string(m->store, data, n));
	return pickle_made(m, ferry_string_borrow(m->store, data, n));
}

int pickle_op_text1(struct pickle_machine *m)
{
	const uint8_t *p = pickle_input_take(&m->in, 1);

	return p ? text(m, *p) : FERRY_MALFORMED;
}

int pickle_op_text4(struct pickle_machine *m)
{
	const uint8_t *p = pickle_input_take(&m->in, 4);

	return p ? text(m, ferry_le32(p)) : FERRY_MALFORMED;
}

int pickle_op_text8(struct pickle_machine *m)
{
	const uint8_t *p = pickle_input_take(&m->in, 8);

	return p ? text(m, ferry_le64(p)) : FERRY_MALFORMED;
}

static int bytes(struct pickle_machine *m, uint64_t n, unsigned flags)
{
	uint64_t offset = pickle_input_offset(&m->in);
	struct ferry_value *v;
	const char *data;

	if (n >= m->range_bytes) {
		if (pickle_input_skip(&m->in, n))
			return FERRY_MALFORMED;
		return pickle_made(m, ferry_bytes_range(m->store, m->in.src,
							offset, n, flags));
	}
	if (n <= IN_WINDOW) {
		data = (const char *)pickle_input_take(&m->in, n);
		if (!data)
			return FERRY_MALFORMED;
		return pickle_made(m, ferry_bytes(m->store, data, n, flags));
	}
	data = read_bytes(m, n);
	if (!data)
		return FERRY_MALFORMED;
	v = ferry_string_borrow(m->store, data, n);
	if (v) {
		v->kind = FERRY_BYTES;
		v->flags = (uint8_t)flags;
	}
	return pickle_made(m, v);
}

int pickle_op_str1(struct pickle_machine *m)
{
	const uint8_t *p = pickle_input_take(&m->in, 1);

	return p ? bytes(m, *p, FERRY_PY2) : FERRY_MALFORMED;
}

int pickle_op_str4(struct pickle_machine *m)
{
	const uint8_t *p = pickle_input_take(&m->in, 4);

	if (!p)
		return FERRY_MALFORMED;
	if (p[3] & 0x80)
		return negative(m);
	return bytes(m, ferry_le32(p), FERRY_PY2);
}

int pickle_op_bytes1(struct pickle_machine *m)
{
	const uint8_t *p = pickle_input_take(&m->in, 1);

	return p ? bytes(m, *p, 0) : FERRY_MALFORMED;
}

int pickle_op_bytes4(struct pickle_machine *m)
{
	const uint8_t *p = pickle_input_take(&m->in, 4);

	return p ? bytes(m, ferry_le32(p), 0) : FERRY_MALFORMED;
}

int pickle_op_bytes8(struct pickle_machine *m)
{
	const uint8_t *p = pickle_input_take(&m->in, 8);

	return p ? bytes(m, ferry_le64(p), 0) : FERRY_MALFORMED;
}

int pickle_op_bytearray8(struct pickle_machine *m)
{
	const uint8_t *p = pickle_input_take(&m->in, 8);

	return p ? bytes(m, ferry_le64(p), FERRY_MUTABLE) : FERRY_MALFORMED;
}
