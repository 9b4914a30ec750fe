/* Opcodes, names and values without parts. */
#include "config.h"

#include "formats/pickle/writer.h"

#include <string.h>

#include <ferry/sys/bytes.h>

#include "formats/pickle/latin1.h"

int pickle_writer_fail(struct pickle_writer *w, enum ferry_code code,
		       const char *text)
{
	return ferry_fail(w->err, code, "pickle", FERRY_NO_OFFSET, "%s", text);
}

void pickle_put_op(struct pickle_writer *w, uint8_t opcode)
{
	ferry_buffer_add(&w->out.bytes, &opcode, 1);
}

void pickle_put_op1(struct pickle_writer *w, uint8_t opcode, uint8_t n)
{
	uint8_t bytes[] = { opcode, n };

	ferry_buffer_add(&w->out.bytes, bytes, sizeof(bytes));
}

void pickle_put_op2(struct pickle_writer *w, uint8_t opcode, uint16_t n)
{
	uint8_t bytes[3] = { opcode };

	ferry_put_le16(bytes + 1, n);
	ferry_buffer_add(&w->out.bytes, bytes, sizeof(bytes));
}

void pickle_put_op4(struct pickle_writer *w, uint8_t opcode, uint32_t n)
{
	uint8_t bytes[5] = { opcode };

	ferry_put_le32(bytes + 1, n);
	ferry_buffer_add(&w->out.bytes, bytes, sizeof(bytes));
}

static void put_op8(struct pickle_writer *w, uint8_t opcode, uint64_t n)
{
	uint8_t bytes[9] = { opcode };

	ferry_put_le64(bytes + 1, n);
	ferry_buffer_add(&w->out.bytes, bytes, sizeof(bytes));
}

void pickle_put_fetch(struct pickle_writer *w, uint32_t memo)
{
	if (memo - 1 < 256)
		pickle_put_op1(w, 'h', (uint8_t)(memo - 1));
	else
		pickle_put_op4(w, 'j', memo - 1);
}

static void put_store(struct pickle_writer *w, uint32_t *memo)
{
	if (w->protocol >= 4)
		pickle_put_op(w, 0x94);
	else if (w->memo < 256)
		pickle_put_op1(w, 'q', (uint8_t)w->memo);
	else
		pickle_put_op4(w, 'r', w->memo);
	*memo = ++w->memo;
}

/* What Python's pickler stores no more than ferry's does. */
static bool is_persistent(const struct ferry_value *v)
{
	return v->kind == FERRY_OBJECT &&
	       v->u.object->form == FERRY_FORM_PERSISTENT;
}

/* A value is on the stack for the first time. */
void pickle_store(struct pickle_writer *w, const struct ferry_value *v)
{
	if (pickle_writer_node(w, v)->refs > 1 ||
	    (w->memo_all && v->kind >= FERRY_LIST) ||
	    (w->graph.options->store_all && !is_persistent(v)))
		put_store(w, &pickle_writer_node(w, v)->memo);
}

static void put_text_head(struct pickle_writer *w, uint64_t n)
{
	if (w->protocol >= 4 && n < 256)
		pickle_put_op1(w, 0x8c, (uint8_t)n);
	else if (n <= UINT32_MAX)
		pickle_put_op4(w, 'X', (uint32_t)n);
	else
		put_op8(w, 0x8d, n);
}

static void put_text(struct pickle_writer *w, const char *text, uint64_t n)
{
	put_text_head(w, n);
	ferry_buffer_add(&w->out.bytes, text, n);
}

/* True when the entry was fetched; else it is to be written and stored. */
static bool fetch_entry(struct pickle_writer *w,
			const struct pickle_entry *entry)
{
	if (entry->memo)
		pickle_put_fetch(w, entry->memo);
	return entry->memo;
}

static void store_entry(struct pickle_writer *w, struct pickle_entry *entry)
{
	if (entry->refs > 1 || w->graph.options->store_all)
		put_store(w, &entry->memo);
}

static void put_text_entry(struct pickle_writer *w, uint32_t at,
			   const char *text, uint64_t n)
{
	struct pickle_entry *entry = &w->graph.entries[at - 1];

	if (fetch_entry(w, entry))
		return;
	put_text(w, text, n);
	store_entry(w, entry);
}

void pickle_put_new_name(struct pickle_writer *w,
			 const struct pickle_entry *entry)
{
	enum pickle_spelling spelling = entry->spelled->spelling;
	const struct ferry_name *name = &entry->spelled->name;
	bool later = spelling == PICKLE_SWITCH ||
		     spelling == PICKLE_STACK_SWITCH;

	if (later)
		pickle_put_op1(w, 0x80, 4);
	if (spelling >= PICKLE_STACK) {
		put_text(w, name->module, name->module_len);
		put_text(w, name->name, name->name_len);
		pickle_put_op(w, 0x93);
	} else {
		pickle_put_op(w, 'c');
		ferry_buffer_add(&w->out.bytes, name->module, name->module_len);
		pickle_put_op(w, '\n');
		ferry_buffer_add(&w->out.bytes, name->name, name->name_len);
		pickle_put_op(w, '\n');
	}
	if (later)
		pickle_put_op1(w, 0x80, (uint8_t)w->protocol);
}

void pickle_put_name(struct pickle_writer *w, uint32_t at)
{
	struct pickle_entry *entry = &w->graph.entries[at - 1];

	if (fetch_entry(w, entry))
		return;
	pickle_put_new_name(w, entry);
	store_entry(w, entry);
}

void pickle_put_builtin(struct pickle_writer *w, enum pickle_builtin which)
{
	pickle_put_name(w, w->graph.builtins[which]);
}

static void put_small_int(struct pickle_writer *w, int64_t i)
{
	uint8_t bytes[8];
	uint8_t n = 8;

	if (i >= 0 && i < 256) {
		pickle_put_op1(w, 'K', (uint8_t)i);
	} else if (i >= 0 && i < 65536) {
		pickle_put_op2(w, 'M', (uint16_t)i);
	} else if (i >= INT32_MIN && i <= INT32_MAX) {
		pickle_put_op4(w, 'J', (uint32_t)i);
	} else {
		ferry_put_le64(bytes, (uint64_t)i);
		while (n > 1 &&
		       bytes[n - 1] == (bytes[n - 2] & 0x80 ? 0xff : 0))
			n--;
		pickle_put_op1(w, 0x8a, n);
		ferry_buffer_add(&w->out.bytes, bytes, n);
	}
}

static int write_int(struct pickle_writer *w, const struct ferry_value *v)
{
	uint64_t n = v->u.s.nbytes;

	if (!(v->flags & FERRY_BIG)) {
		put_small_int(w, v->u.i);
		return 0;
	}
	if (n > INT32_MAX)
		return pickle_writer_fail(w, FERRY_UNSUPPORTED,
			    "an integer has more than 2 GiB");
	if (n < 256)
		pickle_put_op1(w, 0x8a, (uint8_t)n);
	else
		pickle_put_op4(w, 0x8b, (uint32_t)n);
	ferry_buffer_add(&w->out.bytes, v->u.s.data, n);
	return 0;
}

static void put_float(struct pickle_writer *w, double f)
{
	uint8_t bytes[9] = { 'G' };
	uint64_t bits;

	memcpy(&bits, &f, sizeof(bits));
	ferry_put_be64(bytes + 1, bits);
	ferry_buffer_add(&w->out.bytes, bytes, sizeof(bytes));
}

static void write_complex(struct pickle_writer *w, const struct ferry_value *v)
{
	pickle_put_builtin(w, PICKLE_COMPLEX);
	put_float(w, v->u.c.re);
	put_float(w, v->u.c.im);
	pickle_put_op(w, 0x86);
	pickle_put_op(w, 'R');
	pickle_store(w, v);
}

static void write_string(struct pickle_writer *w, const struct ferry_value *v)
{
	if (pickle_writer_node(w, v)->entry) {
		put_text_entry(w, pickle_writer_node(w, v)->entry, v->u.s.data,
			       v->u.s.nbytes);
		return;
	}
	put_text(w, v->u.s.data, v->u.s.nbytes);
	pickle_store(w, v);
}

/* The bytes themselves. */
static int put_data(struct pickle_writer *w, const struct ferry_value *v)
{
	if (v->flags & FERRY_RANGE)
		return pickle_output_range(&w->out, v->u.range.source,
					   v->u.range.offset, v->u.range.nbytes,
					   w->err);
	ferry_buffer_add(&w->out.bytes, v->u.s.data, v->u.s.nbytes);
	return 0;
}

static uint64_t data_length(const struct ferry_value *v)
{
	return v->flags & FERRY_RANGE ? v->u.range.nbytes : v->u.s.nbytes;
}

static int write_py2_string(struct pickle_writer *w,
			    const struct ferry_value *v)
{
	uint64_t n = data_length(v);

	if (n > INT32_MAX)
		return pickle_writer_fail(w, FERRY_UNSUPPORTED,
			    "a Python 2 string has more than 2 GiB");
	if (n < 256)
		pickle_put_op1(w, 'U', (uint8_t)n);
	else
		pickle_put_op4(w, 'T', (uint32_t)n);
	return put_data(w, v);
}

static int put_range_as_text(struct pickle_writer *w,
			     const struct ferry_value *v)
{
	struct ferry_source *text;
	int ret;

	ret = pickle_latin1_text(&text, v->u.range.source, v->u.range.offset,
				 v->u.range.nbytes, w->err);
	if (ret)
		return ret;
	put_text_head(w, text->nbytes);
	ret = pickle_output_range(&w->out, text, 0, text->nbytes, w->err);
	ferry_source_unref(text);
	return ret;
}

static void put_memory_as_text(struct pickle_writer *w,
			       const struct ferry_value *v)
{
	const uint8_t *data = (const uint8_t *)v->u.s.data;
	uint64_t n = v->u.s.nbytes, length = n;
	char *to;

	for (uint64_t i = 0; i < n; i++)
		length += data[i] >> 7;
	put_text_head(w, length);
	to = ferry_buffer_extend(&w->out.bytes, length);
	if (to)
		pickle_latin1_encode(data, n, to);
}

/* Below protocol 3 there are no bytes: they are the code points of a text that
 * is encoded when it is read. */
static int put_encoded(struct pickle_writer *w, const struct ferry_value *v)
{
	int ret = 0;

	pickle_put_builtin(w, PICKLE_ENCODE);
	if (v->flags & FERRY_RANGE)
		ret = put_range_as_text(w, v);
	else
		put_memory_as_text(w, v);
	if (ret)
		return ret;
	put_text_entry(w, w->graph.latin1, "latin1", 6);
	pickle_put_op(w, 0x86);
	pickle_put_op(w, 'R');
	return 0;
}

static int put_bytes(struct pickle_writer *w, const struct ferry_value *v)
{
	uint64_t n = data_length(v);

	if (w->protocol < 4)
		return put_encoded(w, v);
	if (n < 256)
		pickle_put_op1(w, 'C', (uint8_t)n);
	else if (n <= UINT32_MAX)
		pickle_put_op4(w, 'B', (uint32_t)n);
	else
		put_op8(w, 0x8e, n);
	return put_data(w, v);
}

static int put_bytearray(struct pickle_writer *w, const struct ferry_value *v)
{
	int ret;

	if (w->protocol >= 5) {
		put_op8(w, 0x96, data_length(v));
		return put_data(w, v);
	}
	pickle_put_builtin(w, PICKLE_BYTEARRAY);
	ret = put_bytes(w, v);
	pickle_put_op(w, 0x85);
	pickle_put_op(w, 'R');
	return ret;
}

static int write_bytes(struct pickle_writer *w, const struct ferry_value *v)
{
	int ret;

	if (v->flags & FERRY_PY2)
		ret = write_py2_string(w, v);
	else if (v->flags & FERRY_MUTABLE)
		ret = put_bytearray(w, v);
	else
		ret = put_bytes(w, v);
	if (!ret)
		pickle_store(w, v);
	return ret;
}

static int unwritable(struct pickle_writer *w, const struct ferry_value *v)
{
	return ferry_fail(w->err, FERRY_UNSUPPORTED, "pickle", FERRY_NO_OFFSET,
			  "a value of kind %s has no form in this pickle",
			  ferry_kind_name(v->kind));
}

/* A value with no parts that need a task. */
int pickle_write_leaf(struct pickle_writer *w, const struct ferry_value *v)
{
	switch (v->kind) {
	case FERRY_NONE:
		pickle_put_op(w, 'N');
		return 0;
	case FERRY_BOOL:
		pickle_put_op(w, v->u.b ? 0x88 : 0x89);
		return 0;
	case FERRY_INT:
		return write_int(w, v);
	case FERRY_FLOAT:
		put_float(w, v->u.f);
		return 0;
	case FERRY_COMPLEX:
		write_complex(w, v);
		return 0;
	case FERRY_STRING:
		write_string(w, v);
		return 0;
	case FERRY_BYTES:
		return write_bytes(w, v);
	case FERRY_GLOBAL:
		pickle_put_name(w, pickle_writer_node(w, v)->entry);
		return 0;
	default:
		return unwritable(w, v);
	}
}

