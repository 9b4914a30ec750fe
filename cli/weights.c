/* What differs between two mappings of weights, by dotted name. */
#include "config.h"

#include "cli/contrast.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/memory.h"
#include "cli/text.h"

struct named {
	const char *name;
	const struct ferry_tensor *tensor;
	bool taken;
};

static int by_name(const void *x, const void *y)
{
	const struct named *a = x, *b = y;

	return strcmp(a->name, b->name);
}

static int list_weights(struct ferry_document *doc,
			struct ferry_value *weights,
			struct ferry_places *places, struct named **out,
			size_t *n, struct ferry_error *err)
{
	struct ferry_document view = *doc;
	int rc;

	view.root = weights;
	rc = ferry_places_init(places, &view, err);
	if (rc)
		return rc;
	*n = 0;
	*out = cli_array(places->n, sizeof(**out));
	for (size_t i = 0; i < places->n; i++) {
		const struct ferry_place *p = &places->items[i];

		if (p->value->kind != FERRY_TENSOR)
			continue;
		(*out)[*n].name = p->name;
		(*out)[(*n)++].tensor = p->value->u.tensor;
	}
	return 0;
}

static void say_missing(struct cli_contrast *c, enum cli_mark mark,
			const struct named *w)
{
	char shape[256], text[320];
	size_t before = cli_contrast_push(c, w->name);

	snprintf(text, sizeof(text), "%s %s",
		 ferry_dtype_name(w->tensor->dtype),
		 cli_shape(shape, sizeof(shape), w->tensor));
	if (mark == CLI_ONLY_A)
		c->only_a++;
	else
		c->only_b++;
	c->differs(c->ctx, mark, c->path, text);
	cli_contrast_pop(c, before);
}

static int compare_named(struct cli_contrast *c, const struct named *a,
			 size_t na, struct named *b, size_t nb,
			 struct ferry_error *err)
{
	struct named *match;
	bool equal;
	int rc = 0;

	qsort(b, nb, sizeof(*b), by_name);
	for (size_t i = 0; i < na && !rc; i++) {
		size_t before;

		match = bsearch(&a[i], b, nb, sizeof(*b), by_name);
		if (!match) {
			say_missing(c, CLI_ONLY_A, &a[i]);
			continue;
		}
		match->taken = true;
		before = cli_contrast_push(c, a[i].name);
		rc = cli_contrast_tensors(c, a[i].tensor, match->tensor, &equal,
				     err);
		cli_contrast_pop(c, before);
	}
	for (size_t i = 0; i < nb && !rc; i++)
		if (!b[i].taken)
			say_missing(c, CLI_ONLY_B, &b[i]);
	return rc;
}

int cli_contrast_weights(struct cli_contrast *c, struct ferry_document *a,
			 struct ferry_value *weights_a,
			 struct ferry_document *b,
			 struct ferry_value *weights_b,
			 struct ferry_error *err)
{
	struct ferry_places pa = { 0 }, pb = { 0 };
	struct named *na = NULL, *nb = NULL;
	size_t n, m;
	int rc;

	rc = list_weights(a, weights_a, &pa, &na, &n, err);
	if (!rc)
		rc = list_weights(b, weights_b, &pb, &nb, &m, err);
	if (!rc)
		rc = compare_named(c, na, n, nb, m, err);
	free(na);
	free(nb);
	ferry_places_release(&pa);
	ferry_places_release(&pb);
	return rc;
}
