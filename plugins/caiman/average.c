/* Averaging training checkpoints. */
#include "config.h"

#include "plugins/caiman/average.h"

#include <stdio.h>
#include <string.h>

#include <ferry/sys/ops.h>

#include "plugins/caiman/release.h"
#include "plugins/caiman/migrate.h"
#include "plugins/caiman/shape.h"

struct averaging {
	struct ferry_document *const *docs;
	size_t n;
	struct ferry_store *store;
	struct ferry_findings *findings;
	const char *key;		/* "state_dict" */
	struct ferry_value **terms;	/* [n] */
	struct ferry_error *err;
};

static int fail_entry(const struct averaging *a, const struct ferry_value *name,
		      const char *why)
{
	char quoted[160];

	ferry_escape(quoted, sizeof(quoted), name->u.s.data,
		     name->u.s.nbytes);
	return ferry_fail(a->err, FERRY_UNSUPPORTED, "caiman",
			  FERRY_NO_OFFSET, "%s.%s can't be averaged: %s",
			  a->key, quoted, why);
}

/* ---- one entry ------------------------------------------------------------------- */

/* A view of t with the shape of the first, as adding in place has it: sizes are
 * matched from the last, 1 stands for any.  *out NULL: they don't match. */
static int broadcast(const struct averaging *a, struct ferry_value *t,
		     const struct ferry_tensor *like, struct ferry_value **out)
{
	const struct ferry_tensor *old = t->u.tensor;
	int64_t strides[FERRY_MAX_RANK];
	unsigned lead;

	*out = NULL;
	if (old->ndim > like->ndim)
		return 0;
	lead = like->ndim - old->ndim;
	for (unsigned i = 0; i < like->ndim; i++) {
		if (i >= lead && old->shape[i - lead] == like->shape[i])
			strides[i] = old->strides[i - lead];
		else if (i < lead || old->shape[i - lead] == 1)
			strides[i] = 0;
		else
			return 0;
	}
	*out = ferry_tensor(a->store, old->dtype, like->ndim, like->shape,
			    strides, old->offset, old->storage);
	return *out ? 0 : ferry_fail_nomem(a->err, "a mean");
}

static bool same_shape(const struct ferry_tensor *a,
		       const struct ferry_tensor *b)
{
	return a->ndim == b->ndim &&
	       !memcmp(a->shape, b->shape, a->ndim * sizeof(*a->shape));
}

static int add_term(struct averaging *a, const struct ferry_value *name,
		    struct ferry_value *v, size_t *n)
{
	struct ferry_value *first = *n ? a->terms[0] : NULL;
	int rc;

	v = ferry_value_payload(v);
	if (v->kind != FERRY_TENSOR || (v->u.tensor->flags & FERRY_META))
		return fail_entry(a, name, "it is not a tensor with data");
	if (!ferry_dtype_is_float(v->u.tensor->dtype) &&
	    !ferry_dtype_is_complex(v->u.tensor->dtype))
		return fail_entry(a, name, "it is of integers, which no mean "
				  "is kept in");
	if (first && first->u.tensor->dtype != v->u.tensor->dtype)
		return fail_entry(a, name, "the checkpoints have it in "
				  "different dtypes; --cast one first");
	if (first && !same_shape(first->u.tensor, v->u.tensor)) {
		rc = broadcast(a, v, first->u.tensor, &v);
		if (rc)
			return rc;
		if (!v)
			return fail_entry(a, name, "the checkpoints have it "
					  "in different shapes");
	}
	a->terms[(*n)++] = v;
	return 0;
}

static int mean_entry(struct averaging *a, const struct ferry_value *name,
		      struct ferry_value **out)
{
	struct ferry_value *v;
	size_t n = 0;
	int rc = 0;

	for (size_t i = 0; i < a->n && !rc; i++) {
		v = ferry_value_items(at(a->docs[i]->root, a->key));
		v = v ? ferry_dict_find(v, name) : NULL;
		if (v)
			rc = add_term(a, name, v, &n);
	}
	if (!rc)
		rc = ferry_op_mean(a->store, a->terms, n, a->n, out, a->err);
	if (!rc && n < a->n &&
	    ferry_findings_add(a->findings, FERRY_WARNING, "missing", a->key,
			       FERRY_NO_OFFSET, "%s.%.*s is in %zu of %zu "
			       "checkpoints, and divided by %zu all the same",
			       a->key, (int)name->u.s.nbytes, name->u.s.data,
			       n, a->n, a->n))
		rc = ferry_fail_nomem(a->err, "findings");
	return rc;
}

/* ---- one mapping ------------------------------------------------------------------- */

static int add_entries(struct averaging *a, struct ferry_value *from,
		       struct ferry_value *out)
{
	const struct ferry_value *items = ferry_value_items(from), *key;
	struct ferry_value *mean;
	int rc;

	for (uint32_t i = 0; i < items->u.dict.n; i++) {
		key = items->u.dict.pairs[i].key;
		if (key->kind != FERRY_STRING)
			return ferry_fail(a->err, FERRY_MALFORMED, "caiman",
					  FERRY_NO_OFFSET, "%s has a key of "
					  "kind %s, not text", a->key,
					  ferry_kind_name(key->kind));
		if (ferry_dict_find(out, key))
			continue;
		rc = mean_entry(a, key, &mean);
		if (rc)
			return rc;
		if (ferry_dict_set(a->store, out, items->u.dict.pairs[i].key,
				   mean))
			return ferry_fail_nomem(a->err, "a mean");
	}
	return 0;
}

static int require_mappings(const struct averaging *a)
{
	const struct ferry_value *items;
	struct ferry_value *v;

	for (size_t i = 0; i < a->n; i++) {
		v = at(a->docs[i]->root, a->key);
		items = v ? ferry_value_items(v) : NULL;
		if (!items || !items->u.dict.n)
			return ferry_fail(a->err, FERRY_MALFORMED, "caiman",
					  FERRY_NO_OFFSET, "checkpoint %zu of "
					  "%zu has no %s: the mean needs it of "
					  "all", i + 1, a->n, a->key);
	}
	return 0;
}

static int mean_mapping(struct averaging *a, const char *key,
			struct making *into)
{
	struct ferry_value *items = ferry_dict(a->store, 64);
	int rc = items ? 0 : ferry_fail_nomem(a->err, "a mean");

	a->key = key;
	if (!rc)
		rc = require_mappings(a);
	for (size_t i = 0; i < a->n && !rc; i++)
		rc = add_entries(a, at(a->docs[i]->root, key), items);
	put(into, key, rc ? NULL : mapping_like(a->store,
						at(a->docs[0]->root, key),
						items));
	return rc;
}

/* ---- the checkpoint ------------------------------------------------------------------ */

/* Two texts, or two lists of texts. */
static bool same_words(const struct ferry_value *a, const struct ferry_value *b)
{
	if (!a || !b || a->kind != b->kind)
		return a == b;
	if (a->kind == FERRY_STRING)
		return a->u.s.nbytes == b->u.s.nbytes &&
		       !memcmp(a->u.s.data, b->u.s.data, a->u.s.nbytes);
	if (a->kind != FERRY_LIST || a->u.list.n != b->u.list.n)
		return false;
	for (uint32_t i = 0; i < a->u.list.n; i++) {
		const struct ferry_value *x = a->u.list.items[i],
					 *y = b->u.list.items[i];

		if (x->kind != FERRY_STRING || !same_words(x, y))
			return false;
	}
	return true;
}

/* As upstream compares the tokenizer of a checkpoint with its config's. */
static bool same_tokenizer(struct ferry_value *a, struct ferry_value *b)
{
	return same_words(at(a, "sentpiece_model"), at(b, "sentpiece_model")) &&
	       same_words(at(a, "labels"), at(b, "labels"));
}

/* Upstream takes it from the config.  Releases before 1.6 wrote none. */
static int take_tokenizer(struct averaging *a, struct making *out)
{
	struct ferry_value *kw = NULL, *other;
	int rc = 0;

	for (size_t i = 0; i < a->n && !rc; i++) {
		other = at(a->docs[i]->root, "tokenizer_kw");
		if (kw && other && !same_tokenizer(kw, other))
			rc = ferry_findings_add(
				a->findings, FERRY_WARNING, "tokenizer",
				"tokenizer_kw", FERRY_NO_OFFSET, "checkpoint "
				"%zu of %zu has another sentpiece_model or "
				"other labels than the first: the mean has "
				"the first's", i + 1, a->n);
		kw = kw ? kw : other;
	}
	if (!kw)
		rc = ferry_findings_add(
			a->findings, FERRY_NOTE, "tokenizer", "tokenizer_kw",
			FERRY_NO_OFFSET, "no checkpoint has a tokenizer_kw, as "
			"of release 1.5 and before: the mean has none");
	else
		put(out, "tokenizer_kw", kw);
	return rc ? ferry_fail_nomem(a->err, "findings") : 0;
}

int average_training(struct ferry_document *const *docs, size_t n,
		     const struct ferry_options *options,
		     struct ferry_document *out, struct ferry_findings *findings,
		     struct ferry_error *err)
{
	struct averaging a = {
		.docs = docs, .n = n, .store = out->store,
		.findings = findings, .err = err,
	};
	struct making m = make(out->store, NULL);
	struct releases all;
	int rc = releases_load(out->store, &all, err);

	(void)options;
	if (rc)
		return rc;
	a.terms = ferry_store_array(out->store, n, sizeof(*a.terms));
	if (!a.terms)
		return ferry_fail_nomem(err, "a mean");
	put(&m, "epoch", ferry_int(out->store, 0));
	put(&m, "step", ferry_int(out->store, 0));
	put(&m, "best_wer", ferry_int(out->store, 0));
	rc = mean_mapping(&a, "state_dict", &m);
	if (!rc)
		rc = mean_mapping(&a, "ema_state_dict", &m);
	put(&m, "optimizer", ferry_none());
	if (!rc)
		rc = take_tokenizer(&a, &m);
	put(&m, "logmel_norm_weight", ferry_float(out->store, 1.0));
	out->root = m.dict;
	if (!rc && m.failed)
		rc = ferry_fail_nomem(err, "a mean");
	return rc ? rc : hint_protocol(out, &all.items[all.newest], err);
}
