/*
 * Inside of the writer: what a graph holds and how often, found out before
 * anything is written.
 *
 * A value met more than once is memoised under its id; strings and names are
 * one each by what they say, whichever values say it.
 */
#ifndef FORMATS_PICKLE_GRAPH_H
#define FORMATS_PICKLE_GRAPH_H

#include <ferry/sys/map.h>
#include <ferry/sys/python_name.h>

#include "formats/pickle/pickle.h"

/* What the writer names of its own accord. */
enum pickle_builtin {
	PICKLE_SET,
	PICKLE_FROZENSET,
	PICKLE_COMPLEX,
	PICKLE_BYTEARRAY,
	PICKLE_ENCODE,
	PICKLE_N_BUILTINS
};

enum pickle_spelling {
	PICKLE_PLAIN,		/* GLOBAL */
	PICKLE_SWITCH,		/* GLOBAL, under protocol 4 for its length */
	PICKLE_STACK,		/* STACK_GLOBAL */
	PICKLE_STACK_SWITCH,
};

struct pickle_spelled {
	enum pickle_spelling spelling;
	struct ferry_name name;	/* as it is written */
	char key[];			/* in the map */
};

/* A string or name by content. */
struct pickle_entry {
	uint32_t refs;
	uint32_t memo;		/* index + 1, once it is stored */
	struct pickle_spelled *spelled;	/* NULL: a string */
};

/* A value by id. */
struct pickle_node {
	struct ferry_value *instead;	/* what is written for it, or NULL */
	uint32_t refs;
	uint32_t memo;		/* index + 1, once it is stored */
	uint32_t entry;		/* index + 1: see the entry instead */
	bool asked;		/* `replace` was called, or made it */
	uint32_t open;		/* visits that write its parts; it isn't made */
};

struct pickle_graph {
	const struct pickle_writer_options *options;
	unsigned protocol;
	struct ferry_error *err;
	struct pickle_node *nodes;
	uint32_t n_nodes;
	struct pickle_entry *entries;
	uint32_t n_entries, cap_entries;
	struct ferry_map strings, names;
	uint32_t builtins[PICKLE_N_BUILTINS];	/* entries + 1 */
	uint32_t latin1;			/* entry + 1 */
	uint64_t edges;
};

int pickle_graph_init(struct pickle_graph *g, const struct ferry_value *root);
void pickle_graph_release(struct pickle_graph *g);

/* What is written for v, which has been counted. */
static inline const struct ferry_value *
pickle_graph_value(const struct pickle_graph *g, const struct ferry_value *v)
{
	return v->id && g->nodes[v->id].instead ? g->nodes[v->id].instead : v;
}

#endif
