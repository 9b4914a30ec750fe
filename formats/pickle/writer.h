/*
 * Inside of the writer: the pickle being written, and how single values enter
 * it.
 */
#ifndef FORMATS_PICKLE_WRITER_H
#define FORMATS_PICKLE_WRITER_H

#include "formats/pickle/graph.h"
#include "formats/pickle/output.h"

/* A value with parts that are being written. */
struct pickle_task {
	uint8_t step;
	uint8_t opcode;
	uint8_t stage;		/* of OBJECT */
	uint32_t i;
	const struct ferry_value *value;
};

struct pickle_writer {
	struct pickle_graph graph;
	struct pickle_output out;
	struct ferry_error *err;
	unsigned protocol;
	struct pickle_task *tasks;
	size_t n_tasks, cap_tasks;
	uint32_t memo;		/* entries stored so far */
	uint64_t written;	/* values, again and again */
	bool memo_all;		/* the graph needs all containers memoised */
	bool again;		/* .. and this was found out just now */
};

static inline struct pickle_node *
pickle_writer_node(struct pickle_writer *w, const struct ferry_value *v)
{
	return &w->graph.nodes[v->id];
}

int pickle_writer_fail(struct pickle_writer *w, enum ferry_code code,
		       const char *text);

void pickle_put_op(struct pickle_writer *w, uint8_t opcode);
/* An opcode and a little-endian number. */
void pickle_put_op1(struct pickle_writer *w, uint8_t opcode, uint8_t n);
void pickle_put_op2(struct pickle_writer *w, uint8_t opcode, uint16_t n);
void pickle_put_op4(struct pickle_writer *w, uint8_t opcode, uint32_t n);

/* Fetch what was stored; memo is its index + 1. */
void pickle_put_fetch(struct pickle_writer *w, uint32_t memo);
/* A value is on the stack for the first time: store it when it is met again. */
void pickle_store(struct pickle_writer *w, const struct ferry_value *v);

/* Write or fetch the name of entry `at` - 1; write it whether stored or not. */
void pickle_put_name(struct pickle_writer *w, uint32_t at);
void pickle_put_new_name(struct pickle_writer *w,
			 const struct pickle_entry *entry);
void pickle_put_builtin(struct pickle_writer *w, enum pickle_builtin which);

/* A value without parts. */
int pickle_write_leaf(struct pickle_writer *w, const struct ferry_value *v);

#endif
