/*
 * Which values a walk has met, and where first.
 */
#ifndef CLI_VISITED_H
#define CLI_VISITED_H

#include <stdbool.h>
#include <stddef.h>

#include <ferry/value.h>

struct cli_visited {
	char **paths;		/* by value id */
	size_t n;
};

/* All zero to start.  Frees the paths. */
void cli_visited_release(struct cli_visited *seen);

/*
 * The path v was first met at, or NULL the first time (then path, which is
 * copied, is remembered).  Values without identity are always new.
 */
const char *cli_visit(struct cli_visited *seen, const struct ferry_value *v,
		      const char *path);

/* A bit per id, when no path is needed. */
struct cli_marks {
	unsigned char *bits;
	size_t n;		/* bytes */
};

void cli_marks_release(struct cli_marks *marks);
/* Mark v; true when it was marked before. */
bool cli_mark(struct cli_marks *marks, const struct ferry_value *v);

#endif
