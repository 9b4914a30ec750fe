/* Which values a walk has met, and where first. */
#include "config.h"

#include "cli/visited.h"

#include <stdlib.h>
#include <string.h>

#include "cli/memory.h"

void cli_visited_release(struct cli_visited *seen)
{
	for (size_t i = 0; i < seen->n; i++)
		free(seen->paths[i]);
	free(seen->paths);
}

/* Grow to hold index i, zeroed. */
static void *widen(void *old, size_t *n, size_t i, size_t size)
{
	size_t want = *n ? *n : 256;
	char *p;

	while (want <= i)
		want *= 2;
	if (want == *n)
		return old;
	p = realloc(old, want * size);
	if (!p)
		cli_out_of_memory();
	memset(p + *n * size, 0, (want - *n) * size);
	*n = want;
	return p;
}

const char *cli_visit(struct cli_visited *seen, const struct ferry_value *v,
		      const char *path)
{
	if (!v->id)
		return NULL;
	seen->paths = widen(seen->paths, &seen->n, v->id,
			    sizeof(*seen->paths));
	if (seen->paths[v->id])
		return seen->paths[v->id];
	seen->paths[v->id] = cli_copy(path);
	return NULL;
}

void cli_marks_release(struct cli_marks *marks)
{
	free(marks->bits);
}

bool cli_mark(struct cli_marks *marks, const struct ferry_value *v)
{
	unsigned char bit = (unsigned char)(1u << (v->id & 7));

	if (!v->id)
		return false;
	marks->bits = widen(marks->bits, &marks->n, v->id >> 3, 1);
	if (marks->bits[v->id >> 3] & bit)
		return true;
	marks->bits[v->id >> 3] |= bit;
	return false;
}
