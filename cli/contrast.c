/* What differs between two documents, by path. */
#include "config.h"

#include "cli/contrast.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ferry/tensor.h>

#include "cli/likeness.h"
#include "cli/memory.h"
#include "cli/pairs.h"
#include "cli/scalar.h"
#include "cli/text.h"

#define STRING_MOST 80
/* Pairs can nest deeper than either document when both have cycles. */
#define DEPTH_MOST (2 * FERRY_MAX_DEPTH)

enum result { UNKNOWN, EQUAL, CHANGED };

/* ---- the path ----------------------------------------------------------- */

size_t cli_contrast_push(struct cli_contrast *c, const char *label)
{
	size_t before = c->path_len, n = strlen(label);

	if (before + n + 2 > c->path_cap) {
		c->path_cap = 2 * (before + n + 2) + 64;
		c->path = realloc(c->path, c->path_cap);
		if (!c->path)
			cli_out_of_memory();
	}
	if (before)
		c->path[c->path_len++] = '.';
	memcpy(c->path + c->path_len, label, n + 1);
	c->path_len += n;
	return before;
}

void cli_contrast_pop(struct cli_contrast *c, size_t before)
{
	c->path_len = before;
	c->path[before] = 0;
}

/* ---- saying it ---------------------------------------------------------- */

static void say(struct cli_contrast *c, enum cli_mark mark, const char *text)
{
	c->differs(c->ctx, mark, c->path ? c->path : "", text);
}

static void say_one(struct cli_contrast *c, enum cli_mark mark,
		    const struct ferry_value *v)
{
	char *text = NULL;
	size_t n;
	FILE *f = open_memstream(&text, &n);

	if (!f)
		cli_out_of_memory();
	cli_put_value(f, v, STRING_MOST);
	if (fclose(f))
		cli_out_of_memory();
	if (mark == CLI_ONLY_A)
		c->only_a++;
	else
		c->only_b++;
	say(c, mark, text);
	free(text);
}

static void say_both(struct cli_contrast *c, const struct ferry_value *a,
		     const struct ferry_value *b)
{
	char *text = NULL;
	size_t n;
	FILE *f = open_memstream(&text, &n);

	if (!f)
		cli_out_of_memory();
	cli_put_value(f, a, STRING_MOST);
	fputs(" -> ", f);
	cli_put_value(f, b, STRING_MOST);
	if (fclose(f))
		cli_out_of_memory();
	c->values_changed++;
	say(c, CLI_CHANGED, text);
	free(text);
}

/* ---- tensors ------------------------------------------------------------ */

static bool same_shape(const struct ferry_tensor *a,
		       const struct ferry_tensor *b)
{
	return a->ndim == b->ndim &&
	       (!a->ndim ||
		!memcmp(a->shape, b->shape, a->ndim * sizeof(*a->shape)));
}

static void put_form(FILE *f, const struct ferry_tensor *t)
{
	char shape[256];

	fprintf(f, "%s %s%s", ferry_dtype_name((enum ferry_dtype)t->dtype),
		cli_shape(shape, sizeof(shape), t),
		t->storage ? "" : " without data");
}

static bool same_form(const struct ferry_tensor *a,
		      const struct ferry_tensor *b)
{
	return a->dtype == b->dtype && same_shape(a, b) &&
	       !a->storage == !b->storage;
}

static void say_tensors(struct cli_contrast *c, const struct ferry_tensor *a,
			const struct ferry_tensor *b,
			const struct cli_likeness *like)
{
	bool same = same_form(a, b);
	char *text = NULL;
	size_t n;
	FILE *f = open_memstream(&text, &n);

	if (!f)
		cli_out_of_memory();
	c->tensors_changed++;
	if (!same) {
		put_form(f, a);
		fputs(" -> ", f);
		put_form(f, b);
	}
	if (like->n_beyond) {
		fprintf(f, "%s%" PRIu64 " of %" PRIu64 " elements differ",
			same ? "" : "; ", like->n_beyond,
			ferry_tensor_nelem(a));
		if (like->numeric)
			fprintf(f, ", by at most %.6g", like->largest);
	}
	if (fclose(f))
		cli_out_of_memory();
	say(c, CLI_CHANGED, text);
	free(text);
}

int cli_contrast_tensors(struct cli_contrast *c, const struct ferry_tensor *a,
			 const struct ferry_tensor *b, bool *equal,
			 struct ferry_error *err)
{
	struct cli_likeness like = { 0 };
	int rc;

	if (c->how.data && same_shape(a, b) && a->storage && b->storage) {
		rc = cli_likeness(&like, a, b, c->how.atol, c->how.rtol, err);
		if (rc)
			return rc;
		c->nbytes += ferry_tensor_nbytes(a);
	}
	*equal = same_form(a, b) && !like.n_beyond;
	if (*equal)
		c->tensors_equal++;
	else
		say_tensors(c, a, b, &like);
	return 0;
}

static int compare_storages(struct cli_contrast *c,
			    const struct ferry_value *a,
			    const struct ferry_value *b, bool *equal,
			    struct ferry_error *err)
{
	uint64_t shape[2];
	int64_t stride[2];
	struct ferry_tensor x = cli_whole_storage(a->u.st.storage, &shape[0],
						  &stride[0]);
	struct ferry_tensor y = cli_whole_storage(b->u.st.storage, &shape[1],
						  &stride[1]);

	return cli_contrast_tensors(c, &x, &y, equal, err);
}

/* ---- values ------------------------------------------------------------- */

static bool same_text(const struct ferry_value *a, const struct ferry_value *b)
{
	return a->u.s.nbytes == b->u.s.nbytes &&
	       (!a->u.s.nbytes ||
		!memcmp(a->u.s.data, b->u.s.data, a->u.s.nbytes));
}

static bool same_double(double a, double b)
{
	return !memcmp(&a, &b, sizeof(a));
}

static int same_scalar(const struct ferry_value *a,
		       const struct ferry_value *b, bool *equal,
		       struct ferry_error *err)
{
	switch (a->kind) {
	case FERRY_NONE:
		*equal = true;
		return 0;
	case FERRY_BOOL:
		*equal = a->u.b == b->u.b;
		return 0;
	case FERRY_INT:
		if ((a->flags ^ b->flags) & FERRY_BIG)
			*equal = false;
		else if (a->flags & FERRY_BIG)
			*equal = same_text(a, b);
		else
			*equal = a->u.i == b->u.i;
		return 0;
	case FERRY_FLOAT:
		*equal = same_double(a->u.f, b->u.f);
		return 0;
	case FERRY_COMPLEX:
		*equal = same_double(a->u.c.re, b->u.c.re) &&
			 same_double(a->u.c.im, b->u.c.im);
		return 0;
	case FERRY_STRING:
		*equal = same_text(a, b);
		return 0;
	case FERRY_BYTES:
		return cli_same_bytes(a, b, equal, err);
	default:
		*equal = ferry_value_same_global(a, b);
		return 0;
	}
}

static int compare_scalars(struct cli_contrast *c, const struct ferry_value *a,
			   const struct ferry_value *b, bool *equal,
			   struct ferry_error *err)
{
	int rc;

	*equal = true;
	if (c->how.data || a->kind == FERRY_GLOBAL) {
		rc = same_scalar(a, b, equal, err);
		if (rc)
			return rc;
	}
	if (*equal)
		c->values_equal++;
	else
		say_both(c, a, b);
	return 0;
}

/* ---- containers --------------------------------------------------------- */

static int compare(struct cli_contrast *c, struct ferry_value *a,
		   struct ferry_value *b, bool *equal,
		   struct ferry_error *err);

static int compare_at(struct cli_contrast *c, const char *label,
		      struct ferry_value *a, struct ferry_value *b,
		      bool *equal, struct ferry_error *err)
{
	size_t before = cli_contrast_push(c, label);
	bool same = true;
	int rc = 0;

	if (a && b)
		rc = compare(c, a, b, &same, err);
	else if (a || b)
		say_one(c, a ? CLI_ONLY_A : CLI_ONLY_B, a ? a : b);
	if (rc || !same || !a != !b)
		*equal = false;
	cli_contrast_pop(c, before);
	return rc;
}

static int compare_lists(struct cli_contrast *c, const struct ferry_value *a,
			 const struct ferry_value *b, bool *equal,
			 struct ferry_error *err)
{
	uint32_t na = a ? a->u.list.n : 0, nb = b ? b->u.list.n : 0;
	char label[16];
	int rc = 0;

	for (uint32_t i = 0; (i < na || i < nb) && !rc; i++) {
		snprintf(label, sizeof(label), "%" PRIu32, i);
		rc = compare_at(c, label, i < na ? a->u.list.items[i] : NULL,
				i < nb ? b->u.list.items[i] : NULL, equal,
				err);
	}
	return rc;
}

/* A key or a set's item by its text. */
struct entry {
	char *label;
	uint8_t kind;
	bool taken;
	struct ferry_value *value;
	uint32_t at;
};

static int by_label(const void *x, const void *y)
{
	const struct entry *a = x, *b = y;
	int order = strcmp(a->label, b->label);

	return order ? order : (a->kind > b->kind) - (a->kind < b->kind);
}

static int by_place(const void *x, const void *y)
{
	const struct entry *a = x, *b = y;

	return (a->at > b->at) - (a->at < b->at);
}

static struct entry *list_entries(const struct ferry_value *v, size_t *n)
{
	bool dict = v && v->kind == FERRY_DICT;
	struct entry *list;

	*n = !v ? 0 : dict ? v->u.dict.n : v->u.list.n;
	list = cli_array(*n, sizeof(*list));
	for (size_t i = 0; i < *n; i++) {
		struct ferry_value *key = dict ? v->u.dict.pairs[i].key :
						 v->u.list.items[i];

		list[i].label = cli_label(key);
		list[i].kind = key->kind;
		list[i].value = dict ? v->u.dict.pairs[i].value : key;
		list[i].at = (uint32_t)i;
	}
	return list;
}

static void free_entries(struct entry *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(list[i].label);
	free(list);
}

/* Items of two dicts or sets, matched by their text. */
static int compare_entries(struct cli_contrast *c, const struct ferry_value *a,
			   const struct ferry_value *b, bool *equal,
			   struct ferry_error *err)
{
	size_t na, nb;
	struct entry *la = list_entries(a, &na), *lb = list_entries(b, &nb);
	struct entry *match;
	int rc = 0;

	qsort(lb, nb, sizeof(*lb), by_label);
	for (size_t i = 0; i < na && !rc; i++) {
		match = bsearch(&la[i], lb, nb, sizeof(*lb), by_label);
		if (match && match->taken)
			match = NULL;
		if (match)
			match->taken = true;
		rc = compare_at(c, la[i].label, la[i].value,
				match ? match->value : NULL, equal, err);
	}
	qsort(lb, nb, sizeof(*lb), by_place);
	for (size_t i = 0; i < nb && !rc; i++)
		if (!lb[i].taken)
			rc = compare_at(c, lb[i].label, NULL, lb[i].value,
					equal, err);
	free_entries(la, na);
	free_entries(lb, nb);
	return rc;
}

static int compare_part(struct cli_contrast *c, const char *label,
			struct ferry_value *a, struct ferry_value *b,
			bool *equal, struct ferry_error *err)
{
	if (!a && !b)
		return 0;
	return compare_at(c, label, a, b, equal, err);
}

static int compare_objects(struct cli_contrast *c, const struct ferry_value *a,
			   const struct ferry_value *b, bool *equal,
			   struct ferry_error *err)
{
	const struct ferry_object *x = a->u.object, *y = b->u.object;
	int rc;

	if (x->form != y->form || !x->callable != !y->callable) {
		*equal = false;
		say_both(c, a, b);
		return 0;
	}
	rc = compare_part(c, "(class)", x->callable, y->callable, equal, err);
	if (!rc)
		rc = compare_part(c, "(args)", x->args, y->args, equal, err);
	if (!rc)
		rc = compare_part(c, "(kwargs)", x->kwargs, y->kwargs, equal,
				  err);
	if (!rc)
		rc = compare_part(c, "(items)", x->list, y->list, equal, err);
	if (!rc && (x->dict || y->dict))
		rc = compare_entries(c, x->dict, y->dict, equal, err);
	if (!rc)
		rc = compare_part(c, "(state)", x->state, y->state, equal,
				  err);
	return rc;
}

static int compare_containers(struct cli_contrast *c, struct ferry_value *a,
			      struct ferry_value *b, bool *equal,
			      struct ferry_error *err)
{
	struct ferry_value *x = ferry_value_items(a), *y = ferry_value_items(b);

	if (a->kind == FERRY_OBJECT && b->kind == FERRY_OBJECT)
		return compare_objects(c, a, b, equal, err);
	if (x && y)
		return compare_entries(c, x, y, equal, err);
	if (a->kind >= FERRY_SET)
		return compare_entries(c, a, b, equal, err);
	return compare_lists(c, a, b, equal, err);
}

static bool is_list(const struct ferry_value *v)
{
	return v->kind == FERRY_LIST || v->kind == FERRY_TUPLE;
}

/* Of one kind, or of two that hold the same sort of things. */
static bool are_comparable(struct ferry_value *a, struct ferry_value *b)
{
	return a->kind == b->kind || (is_list(a) && is_list(b)) ||
	       (ferry_value_items(a) && ferry_value_items(b));
}

static int compare_kinds(struct cli_contrast *c, struct ferry_value *a,
			 struct ferry_value *b, bool *equal,
			 struct ferry_error *err)
{
	if (!are_comparable(a, b) ||
	    (c->how.containers && a->kind != b->kind)) {
		*equal = false;
		say_both(c, a, b);
	}
	if (!are_comparable(a, b))
		return 0;
	if (a->kind == FERRY_TENSOR)
		return cli_contrast_tensors(c, a->u.tensor, b->u.tensor,
					    equal, err);
	if (a->kind == FERRY_STORAGE)
		return compare_storages(c, a, b, equal, err);
	if (a->kind <= FERRY_BYTES || a->kind == FERRY_GLOBAL)
		return compare_scalars(c, a, b, equal, err);
	return compare_containers(c, a, b, equal, err);
}

static int compare(struct cli_contrast *c, struct ferry_value *a,
		   struct ferry_value *b, bool *equal, struct ferry_error *err)
{
	unsigned char *known;
	int rc;

	a = ferry_value_payload(a);
	b = ferry_value_payload(b);
	known = cli_pairs_at(c->pairs, a->id, b->id);
	if (known && *known != UNKNOWN) {
		*equal = *known == EQUAL;
		return 0;
	}
	if (c->depth == DEPTH_MOST)
		return ferry_fail(err, FERRY_LIMIT, "diff", FERRY_NO_OFFSET,
				  "the files nest deeper than %d levels side "
				  "by side", DEPTH_MOST);
	if (known)
		*known = EQUAL;	/* met again inside itself: no news there */
	*equal = true;
	c->depth++;
	rc = compare_kinds(c, a, b, equal, err);
	c->depth--;
	if (known && !*equal)
		*cli_pairs_at(c->pairs, a->id, b->id) = CHANGED;
	return rc;
}

/* ---- documents ---------------------------------------------------------- */

int cli_contrast_documents(struct cli_contrast *c, struct ferry_document *a,
			   struct ferry_document *b, struct ferry_error *err)
{
	bool equal;

	c->pairs = cli_pairs_new();
	cli_contrast_pop(c, cli_contrast_push(c, ""));
	return compare(c, a->root, b->root, &equal, err);
}

bool cli_contrast_equal(const struct cli_contrast *c)
{
	return !c->tensors_changed && !c->values_changed && !c->only_a &&
	       !c->only_b;
}

void cli_contrast_release(struct cli_contrast *c)
{
	cli_pairs_free(c->pairs);
	free(c->path);
}
