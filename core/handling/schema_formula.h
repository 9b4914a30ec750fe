/* Formulas in named integers, as tensor schemas have them. */
#ifndef CORE_HANDLING_SCHEMA_FORMULA_H
#define CORE_HANDLING_SCHEMA_FORMULA_H

#include <ferry/sys/buffer.h>

#define FERRY__FORMULA_MOST 1024	/* bytes of a formula */
#define FERRY__FORMULA_DEPTH 64		/* of parentheses and signs */

struct ferry__variable {
	const char *name;	/* borrowed */
	size_t n;
	int64_t value;
};

/* The names that formulas know: dimensions, then variables of loops. */
struct ferry__scope {
	struct ferry__variable *items;
	size_t n, cap;
	uint64_t work;		/* steps taken by all formulas so far */
	uint64_t most;		/* steps they may take */
	bool exhausted;		/* a formula failed for want of them */
	char why[200];		/* what is wrong with the last formula */
};

/* A name: a letter or "_", then letters, digits and "_". */
bool ferry__formula_is_name(const char *text, size_t n);
/* NULL: not known. */
struct ferry__variable *ferry__scope_find(struct ferry__scope *s,
					  const char *name, size_t n);
/* False: memory is out. */
bool ferry__scope_push(struct ferry__scope *s, const char *name, size_t n,
		       int64_t value);
void ferry__scope_release(struct ferry__scope *s);

/* False: s->why says what is wrong, and where in the text. */
bool ferry__formula_value(struct ferry__scope *s, const char *text, size_t n,
			  int64_t *out);
/* Append the text with every "{formula}" put as its decimal number.  False as
 * above; check out->failed too. */
bool ferry__formula_fill(struct ferry__scope *s, const char *text,
			 struct ferry_buffer *out);

#endif
