/* Facts for a person. */
#include "config.h"

#include "plugins/caiman/describe.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "plugins/caiman/origin.h"
#include "plugins/caiman/sentencepiece.h"
#include "plugins/caiman/shape.h"
#include "plugins/caiman/variant.h"

static void put_text(struct making *m, const char *key, const char *text)
{
	put(m, key, ferry_cstring(m->store, text));
}

static void copy(struct making *m, struct ferry_value *from,
		 const char *const *keys)
{
	for (size_t i = 0; keys[i]; i++)
		if (at(from, keys[i]) && !is_mapping(at(from, keys[i])))
			put(m, keys[i], at(from, keys[i]));
}

static void put_origin(struct making *m, const struct origin *o)
{
	put_text(m, "written by release", o->release);
	put_text(m, "known by", o->known_by);
}

/* By the config's section, or without one by the weights. */
static void put_model(struct making *m, struct ferry_value *rnnt,
		      struct ferry_value *weights)
{
	struct model s;
	char text[200];

	if (rnnt ? !model_of(rnnt, &s) : !model_of_weights(weights, &s))
		return;
	snprintf(text, sizeof(text), "features %" PRIu64 ", encoder %" PRIu64
		 " x %" PRIu64 "+%" PRIu64 " (stack %" PRIu64 "), prediction "
		 "%" PRIu64 " x %" PRIu64 ", joint %" PRIu64, s.F, s.E, s.L1,
		 s.L2, s.S, s.P, s.LP, s.J);
	put_text(m, "model", text);
}

static uint64_t elements(struct ferry_value *weights, uint64_t *tensors)
{
	const struct ferry_value *items = ferry_value_items(weights), *v;
	uint64_t n = 0;

	*tensors = 0;
	for (uint32_t i = 0; i < items->u.dict.n; i++) {
		v = ferry_value_payload(items->u.dict.pairs[i].value);
		if (v->kind != FERRY_TENSOR)
			continue;
		n += ferry_tensor_nelem(v->u.tensor);
		++*tensors;
	}
	return n;
}

static int put_weights(struct making *m, struct ferry_document *doc,
		       struct ferry_value *weights, const struct releases *all,
		       struct ferry_error *err)
{
	const struct release *any = &all->items[0];
	const char *variant;
	uint64_t tensors;
	int rc;

	if (!is_mapping(weights))
		return 0;
	put(m, "parameters", ferry_uint(m->store, elements(weights, &tensors)));
	put(m, "tensors", ferry_uint(m->store, tensors));
	if (classes_of(weights))
		put(m, "classes", ferry_uint(m->store, classes_of(weights)));
	/* The one that takes most variants. */
	for (size_t i = 0; i < all->n; i++)
		if (all->items[i].variants->u.list.n > any->variants->u.list.n)
			any = &all->items[i];
	rc = find_variant(doc, weights, any, &variant, err);
	if (!rc)
		put_text(m, "variant", variant ? variant : "of its own sizes");
	return rc;
}

static int finish(struct making *m, struct ferry_error *err)
{
	return m->failed ? ferry_fail_nomem(err, "a description") : 0;
}

/* ---- configs ------------------------------------------------------------------------- */

int describe_config(struct ferry_document *doc, struct ferry_value *out,
		    struct ferry_error *err)
{
	static const char *const keys[] = { "sentpiece_model", NULL };
	static const char *const features[] = {
		"n_filt", "window_size", "stats_path", NULL
	};
	struct making m = { .store = doc->store, .dict = out };

	put_model(&m, at(doc->root, "rnnt"), NULL);
	copy(&m, at(at(doc->root, "input_val"), "filterbank_features"),
	     features);
	copy(&m, at(doc->root, "tokenizer"), keys);
	if (at(at(doc->root, "ngram"), "ngram_path"))
		put(&m, "ngram_path", at(at(doc->root, "ngram"), "ngram_path"));
	return finish(&m, err);
}

/* ---- training ------------------------------------------------------------------------ */

static void put_tokenizer(struct making *m, struct ferry_value *kw)
{
	static const char *const keys[] = { "sentpiece_model", "sampling", NULL };
	struct ferry_value *unk = at(kw, "unk_handling");
	const struct ferry_value *member = unk ? unk_handling(unk) : NULL;

	copy(m, kw, keys);
	if (member)
		put(m, "unk_handling", ferry_string(m->store, member->u.s.data,
						    member->u.s.nbytes));
}

static void put_optimizer(struct making *m, struct ferry_value *optimizer)
{
	const struct ferry_value *groups = at(optimizer, "param_groups");
	char text[40];

	if (optimizer && optimizer->kind == FERRY_NONE)
		put_text(m, "optimizer", "none, as of an averaged checkpoint");
	if (!groups || groups->kind != FERRY_LIST)
		return;
	snprintf(text, sizeof(text), "%u groups", groups->u.list.n);
	put_text(m, "optimizer", text);
}

int describe_training(struct ferry_document *doc, struct ferry_value *out,
		      struct ferry_error *err)
{
	static const char *const run[] = { "epoch", "step", "best_wer", NULL };
	static const char *const norm[] = { "logmel_norm_weight", NULL };
	struct ferry_value *ema = at(doc->root, "ema_state_dict");
	struct making m = { .store = doc->store, .dict = out };
	struct releases all;
	struct origin origin;
	int rc = releases_load(doc->store, &all, err);

	if (!rc)
		rc = origin_of_training(doc, &all, &origin, err);
	if (rc)
		return rc;
	put_origin(&m, &origin);
	copy(&m, doc->root, run);
	put_model(&m, NULL, at(doc->root, "state_dict"));
	rc = put_weights(&m, doc, at(doc->root, "state_dict"), &all, err);
	put_text(&m, "EMA", is_mapping(ema) ? "kept" : "none");
	put_optimizer(&m, at(doc->root, "optimizer"));
	put_tokenizer(&m, at(doc->root, "tokenizer_kw"));
	copy(&m, doc->root, norm);
	return rc ? rc : finish(&m, err);
}

/* ---- hardware ------------------------------------------------------------------------ */

static void put_pieces(struct making *m, const struct ferry_value *model)
{
	uint64_t pieces;

	if (model && model->kind == FERRY_BYTES &&
	    !sentencepiece_count_in(model, &pieces, NULL))
		put(m, "pieces", ferry_uint(m->store, pieces));
}

static void put_ngram(struct making *m, struct ferry_value *ngram)
{
	const struct ferry_value *binary = at(ngram, "binary");
	char text[60];

	if (!binary || binary->kind != FERRY_BYTES) {
		if (ngram)
			put_text(m, "ngram", "none");
		return;
	}
	snprintf(text, sizeof(text), "%" PRIu64 " bytes",
		 binary->flags & FERRY_RANGE ? binary->u.range.nbytes :
					       binary->u.s.nbytes);
	put_text(m, "ngram", text);
}

int describe_hardware(struct ferry_document *doc, struct ferry_value *out,
		      struct ferry_error *err)
{
	static const char *const run[] = {
		"version", "epoch", "step", "best_wer", "melalpha", NULL
	};
	struct making m = { .store = doc->store, .dict = out };
	struct ferry_value *config = at(doc->root, "rnnt_config");
	struct releases all;
	struct origin origin;
	int rc = releases_load(doc->store, &all, err);

	if (!rc)
		rc = origin_of_hardware(doc, &all, &origin, err);
	if (rc)
		return rc;
	put_origin(&m, &origin);
	copy(&m, doc->root, run);
	put_model(&m, at(config, "rnnt"), at(doc->root, "state_dict"));
	rc = put_weights(&m, doc, at(doc->root, "state_dict"), &all, err);
	put_pieces(&m, at(doc->root, "sentpiece_model"));
	put_ngram(&m, at(doc->root, "ngram"));
	return rc ? rc : finish(&m, err);
}
