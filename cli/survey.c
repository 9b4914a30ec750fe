/* What is in a document, counted. */
#include "config.h"

#include "cli/survey.h"

#include <stdlib.h>
#include <string.h>

#include "cli/memory.h"

/* The bytes from the first element a tensor reaches to its last. */
static void set_extent(struct cli_span *span, const struct ferry_tensor *t)
{
	uint64_t bits = ferry_dtype_bits((enum ferry_dtype)t->dtype);
	uint64_t last = t->offset;

	span->storage = t->storage;
	for (unsigned i = 0; i < t->ndim; i++) {
		if (!t->shape[i]) {
			span->first = span->end = 0;
			return;
		}
		last += (t->shape[i] - 1) * (uint64_t)t->strides[i];
	}
	span->first = t->offset * bits / 8;
	span->end = ((last + 1) * bits + 7) / 8;
}

static bool set_span(struct cli_span *span, const struct ferry_value *v)
{
	const struct ferry_storage *st;

	if (v->kind == FERRY_STORAGE) {
		st = v->u.st.storage;
		*span = (struct cli_span){ st, 0, st->nbytes, 0 };
		return true;
	}
	if (!v->u.tensor->storage)
		return false;
	set_extent(span, v->u.tensor);
	return true;
}

static int by_storage(const void *a, const void *b)
{
	const struct cli_span *x = a, *y = b;

	if (x->storage->id != y->storage->id)
		return x->storage->id < y->storage->id ? -1 : 1;
	if (x->first != y->first)
		return x->first < y->first ? -1 : 1;
	if (x->end != y->end)
		return x->end < y->end ? -1 : 1;
	return x->place < y->place ? -1 : x->place > y->place;
}

static void add(struct cli_sum *sum, const struct ferry_tensor *t)
{
	sum->n_tensors++;
	sum->nelem += ferry_tensor_nelem(t);
	sum->nbytes += ferry_tensor_nbytes(t);
}

/* Data that no tensor before it was counted for. */
static void add_distinct(struct cli_survey *s, const struct ferry_tensor *t)
{
	add(&s->distinct, t);
	add(&s->by_dtype[t->dtype % FERRY_N_DTYPES], t);
}

static void count_tensors(struct cli_survey *s)
{
	for (size_t i = 0; i < s->places.n; i++) {
		const struct ferry_place *p = &s->places.items[i];
		const struct ferry_tensor *t = p->value->u.tensor;

		if (p->value->kind != FERRY_TENSOR)
			continue;
		s->all.n_names++;
		s->distinct.n_names++;
		s->by_dtype[t->dtype % FERRY_N_DTYPES].n_names++;
		if (p->same != i)
			continue;
		add(&s->all, t);
		if (!t->storage)
			add_distinct(s, t);
	}
}

/* Spans [at, at + n) are all that look into one storage. */
static void count_storage(struct cli_survey *s, size_t at, size_t n)
{
	const struct cli_span *spans = s->spans + at;
	const struct cli_span *counted = NULL;
	uint64_t reached = 0, up_to = 0;
	bool same = true;

	for (size_t i = 0; i < n; i++) {
		const struct cli_span *x = &spans[i];
		const struct ferry_value *v =
			s->places.items[x->place].value;
		uint64_t from = x->first > up_to ? x->first : up_to;

		if (x->end > from) {
			reached += x->end - from;
			up_to = x->end;
		}
		same = same && x->first == spans->first &&
		       x->end == spans->end;
		if (v->kind != FERRY_TENSOR ||
		    (counted && x->first == counted->first &&
		     x->end == counted->end))
			continue;
		counted = x;
		add_distinct(s, v->u.tensor);
	}
	s->n_storages++;
	s->storage_nbytes += spans->storage->nbytes;
	if (spans->storage->nbytes > reached)
		s->unreached_nbytes += spans->storage->nbytes - reached;
	if (n < 2)
		return;
	s->ties = cli_grow(s->ties, s->n_ties, &s->ties_cap, sizeof(*s->ties));
	s->ties[s->n_ties++] = (struct cli_tie){ at, n, same };
}

static void count_storages(struct cli_survey *s)
{
	for (size_t at = 0, n; at < s->n_spans; at += n) {
		for (n = 1; at + n < s->n_spans; n++)
			if (s->spans[at + n].storage != s->spans[at].storage)
				break;
		count_storage(s, at, n);
	}
}

/* Storages are numbered as they are read, so they mostly come in order. */
static bool are_sorted(const struct cli_survey *s)
{
	for (size_t i = 1; i < s->n_spans; i++)
		if (by_storage(&s->spans[i - 1], &s->spans[i]) > 0)
			return false;
	return true;
}

static void collect_spans(struct cli_survey *s)
{
	s->spans = cli_array(s->places.n, sizeof(*s->spans));
	for (size_t i = 0; i < s->places.n; i++) {
		struct cli_span *span = &s->spans[s->n_spans];

		if (!set_span(span, s->places.items[i].value))
			continue;
		span->place = (uint32_t)i;
		s->n_spans++;
	}
	if (!are_sorted(s))
		qsort(s->spans, s->n_spans, sizeof(*s->spans), by_storage);
}

int cli_survey_init(struct cli_survey *s, struct ferry_document *doc,
		    struct ferry_error *err)
{
	int rc;

	memset(s, 0, sizeof(*s));
	rc = ferry_places_init(&s->places, doc, err);
	if (rc)
		return rc;
	count_tensors(s);
	collect_spans(s);
	count_storages(s);
	return 0;
}

void cli_survey_release(struct cli_survey *s)
{
	ferry_places_release(&s->places);
	free(s->spans);
	free(s->ties);
}

unsigned char *cli_survey_shared(const struct cli_survey *s)
{
	unsigned char *shared = cli_array(s->places.n, 1);

	for (size_t i = 0; i < s->n_ties; i++)
		for (size_t k = 0; k < s->ties[i].n; k++)
			shared[s->spans[s->ties[i].at + k].place] = 1;
	return shared;
}

int cli_sum_below(struct cli_sum *all, struct cli_sum *distinct,
		  const struct ferry_document *doc, struct ferry_value *root,
		  struct ferry_error *err)
{
	struct ferry_document view = *doc;
	struct cli_survey s;
	int rc;

	view.root = root;
	rc = cli_survey_init(&s, &view, err);
	if (rc)
		return rc;
	if (all)
		*all = s.all;
	if (distinct)
		*distinct = s.distinct;
	cli_survey_release(&s);
	return 0;
}
