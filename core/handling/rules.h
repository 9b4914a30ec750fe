/* A rule set, and the mapping it is applied to. */
#ifndef CORE_HANDLING_RULES_H
#define CORE_HANDLING_RULES_H

#include <ferry/handling.h>
#include <ferry/sys/plugin.h>
#include <ferry/tensor.h>

#include "core/handling/pattern.h"

/* A rule of files alone: the rows of relative position biases, as images of
 * another size have them. */
#define FERRY__EDIT_RESIZE_BIAS (FERRY_EDIT_CAST + 1)
/* And one that changes nothing: some name must match. */
#define FERRY__EDIT_REQUIRE (FERRY_EDIT_CAST + 2)

struct ferry__rule {
	int kind;			/* enum ferry_edit_kind, or above */
	bool has_pattern;
	struct ferry__pattern pattern;
	struct ferry__template to;	/* RENAME */
	char *prefix;			/* STRIP_PREFIX, ADD_PREFIX */
	size_t n_prefix;
	enum ferry_dtype dtype;		/* CAST */
	uint64_t edge;			/* RESIZE_BIAS: rows of a side */
	bool optional;			/* may match nothing */
	bool unless_present;		/* ADD_PREFIX: if no name has it */
	bool required;			/* STRIP_PREFIX: every name has it */
	bool all;			/* CAST: integers and bools too */
	char *label;			/* "drop '^head'", for messages */
};

#define FERRY__RULES_MOST 100000	/* of all files and edits together */
#define FERRY__RULES_BYTES (16 << 20)	/* of their patterns and replacements */

struct ferry_rules {
	struct ferry__rule *rules;
	size_t n, cap;
	size_t nbytes;		/* of patterns and replacements */
	struct ferry_store *texts;	/* of what follows; NULL: none */
	struct ferry_option_spec *options;	/* ends in a NULL name */
	size_t n_options;
	const char **source;
	size_t n_source;
	const char **others;	/* "NAME=VALUE" to compare with */
	size_t n_others;
	const char *expect;
	bool strict;
	bool pretrained;	/* a file has such a block */
};

/* What a rule says, as text. */
struct ferry__rule_text {
	int kind;
	enum ferry__match match;
	const char *pattern;	/* or prefix; CAST: NULL for all names */
	const char *to;		/* RENAME */
	const char *dtype;	/* CAST */
	uint64_t image, stride;	/* RESIZE_BIAS: pixels of a side, and per row */
	bool optional, unless_present, required, all;
};

int ferry__rules_append(struct ferry_rules *r,
			const struct ferry__rule_text *text,
			struct ferry_error *err);
/* Forget all but the first n. */
void ferry__rules_truncate(struct ferry_rules *r, size_t n);

/* A leaf of the weights mapping. */
struct ferry__entry {
	struct ferry_value *key;
	struct ferry_value *value;
	const char *old;	/* the name it came with; NULL: it has none */
	const char *name;	/* what the rules made of it */
	uint32_t n_old, n_name;
	uint32_t node;		/* the mapping it stands in */
	uint32_t home;		/* and the one that put() gave it */
	bool dropped;
};

/* A mapping: the weights themselves (0) or one nested in them. */
struct ferry__node {
	struct ferry_value *value;
	struct ferry_value *items;	/* its DICT */
	struct ferry_value *key;	/* in its parent */
	const char *name;		/* with the parents', and a last "." */
	uint32_t n_name;
	uint32_t parent, depth;
	struct ferry_pair *pairs;	/* what it will hold */
	uint32_t n, cap;
	uint32_t at;			/* its number in its parent's pairs */
	uint32_t was;			/* made for what stood in that mapping;
					 * 0: not */
	uint32_t became;		/* the one that took its value; 0: none */
	bool used;
};

struct ferry__names {
	struct ferry_store *scratch;	/* names live here */
	struct ferry__entry *entries;
	size_t n, cap;
	struct ferry__node *nodes;
	size_t n_nodes, cap_nodes;
};

/* names.c: take the mapping apart, and put it together again.  put() changes
 * nothing unless it succeeds. */
int ferry__names_collect(struct ferry__names *out, struct ferry_document *doc,
			 struct ferry_value *weights, struct ferry_error *err);
int ferry__names_put(struct ferry__names *names, struct ferry_document *doc,
		     struct ferry_error *err);
void ferry__names_release(struct ferry__names *names);

typedef int (*ferry__on_renamed)(void *ctx,
				 const struct ferry_renaming *changes,
				 size_t n, struct ferry_error *err);

/*
 * apply.c: ferry_rules_apply() to several mappings, each by itself; a rule is
 * told of once.  `told` (may be NULL) is called at the end with the mappings
 * whose names changed, if there are any.
 */
int ferry__rules_apply(const struct ferry_rules *r, struct ferry_document *doc,
		       struct ferry_value *const *weights, size_t n,
		       ferry__on_renamed told, void *ctx,
		       struct ferry_findings *out, struct ferry_error *err);

/* follow.c: module paths in the state of the weights object, and of those
 * nested in it, after put(). */
bool ferry__names_changed(const struct ferry__names *names);
int ferry__follow(const struct ferry__names *names, struct ferry_document *doc,
		  struct ferry_error *err);

/* cast.c: tied tensors stay tied, strides stay. */
struct ferry__caster;

int ferry__caster_new(struct ferry__caster **out,
		      const struct ferry__names *names,
		      struct ferry_store *store, struct ferry_error *err);
void ferry__caster_free(struct ferry__caster *c);
/* The tensor in another dtype; the same one when it has it already. */
int ferry__caster_cast(struct ferry__caster *c, struct ferry_value *tensor,
		       enum ferry_dtype dtype, struct ferry_value **out,
		       struct ferry_error *err);
/* resize.c: row 0 of [rows, heads] stays; the others are a square that becomes
 * edge x edge.  The same tensor when it is so already. */
int ferry__resize_bias(struct ferry_store *store, const char *name, size_t n,
		       struct ferry_value *tensor, uint64_t edge,
		       struct ferry_value **out, struct ferry_error *err);
/* Where the tensor of a (decorated) tensor is held: slot itself, or the
 * decorating object's argument.  NULL when there is no tensor. */
struct ferry_value **ferry__tensor_slot(struct ferry_value **slot);

#endif
