/* A value and what is below it, for people. */
#include "config.h"

#include "cli/tree.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ferry/tensor.h>

#include "cli/memory.h"
#include "cli/scalar.h"
#include "cli/text.h"
#include "cli/visited.h"

#define STRING_MOST 120
#define INLINE_MOST 16		/* items of a list of scalars on one line */

struct tree {
	struct cli_visited seen;
	const char *path;
	unsigned level, depth;
	unsigned first;		/* the level without indentation */
};

static bool is_scalar(const struct ferry_value *v)
{
	return v->kind <= FERRY_BYTES || v->kind == FERRY_GLOBAL;
}

static bool is_list_of_scalars(const struct ferry_value *v)
{
	if (v->kind < FERRY_LIST || v->kind > FERRY_FROZENSET)
		return false;
	for (uint32_t i = 0; i < v->u.list.n; i++)
		if (!is_scalar(v->u.list.items[i]))
			return false;
	return true;
}

static void put_scalars(const struct ferry_value *v)
{
	uint32_t n = v->u.list.n;

	printf("%s [", ferry_kind_name(v->kind));
	for (uint32_t i = 0; i < n && i < INLINE_MOST; i++) {
		fputs(i ? ", " : "", stdout);
		cli_put_value(stdout, v->u.list.items[i], STRING_MOST);
	}
	if (n > INLINE_MOST)
		printf(", ... (%" PRIu32 " items; --json shows all)", n);
	fputs("]\n", stdout);
}

static void put_leaf(const struct ferry_value *v)
{
	char size[CLI_NUMBER_CAP];

	cli_put_value(stdout, v, STRING_MOST);
	if (v->kind == FERRY_TENSOR)
		printf(", %s",
		       ferry_bytes_text(ferry_tensor_nbytes(v->u.tensor),
					size));
	fputc('\n', stdout);
}

static int put_node(void *ctx, const char *label, struct ferry_value *v);

static void put_below(struct tree *t, const struct ferry_value *v,
		      const char *path)
{
	const char *above = t->path;

	t->path = path;
	t->level++;
	cli_each_child(v, put_node, t);
	t->level--;
	t->path = above;
}

static void put_container(struct tree *t, const struct ferry_value *v,
			  const char *label)
{
	char *path = cli_text("%s%s%s", t->path, *t->path && *label ? "." : "",
			      label);
	const char *first = cli_visit(&t->seen, v, path);

	cli_put_value(stdout, v, STRING_MOST);
	if (first) {
		fputs(", the same as ", stdout);
		cli_puts(stdout, *first ? first : "the whole");
		fputc('\n', stdout);
	} else {
		fputc('\n', stdout);
		if (!t->depth || t->level < t->depth)
			put_below(t, v, path);
	}
	free(path);
}

static int put_node(void *ctx, const char *label, struct ferry_value *v)
{
	struct tree *t = ctx;
	struct ferry_value *inner = ferry_value_payload(v);

	printf("%*s", 2 * (int)(t->level - t->first), "");
	cli_puts(stdout, label);
	fputs(*label ? ": " : "", stdout);
	if (inner->kind == FERRY_TENSOR || inner->kind == FERRY_STORAGE ||
	    is_scalar(inner))
		put_leaf(inner);
	else if (is_list_of_scalars(inner))
		put_scalars(inner);
	else
		put_container(t, inner, label);
	return 0;
}

void cli_print_tree(const struct ferry_value *v, const char *label,
		    const char *path, unsigned depth)
{
	struct tree t = { .path = "", .depth = depth, .first = !*path };

	if (*path)
		put_node(&t, *label ? label : path,
			 (struct ferry_value *)(uintptr_t)v);
	else
		put_below(&t, v, "");
	cli_visited_release(&t.seen);
}
