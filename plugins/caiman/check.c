/* Checking checkpoints. */
#include "config.h"

#include "plugins/caiman/check.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "plugins/caiman/training_config.h"
#include "plugins/caiman/inference.h"
#include "plugins/caiman/origin.h"
#include "plugins/caiman/sentencepiece.h"
#include "plugins/caiman/shape.h"
#include "plugins/caiman/variant.h"

struct checkpoint {
	struct ferry_document *doc;
	uint64_t pieces;	/* of the embedded sentencepiece model */
	struct report r;
	struct releases all;
	struct origin origin;
	const struct release *asked;	/* NULL: by the one that wrote it */
	struct ferry_error *err;
};

/* ---- what both kinds have ------------------------------------------------------- */

/* The keys of the release that wrote it. */
static void check_keys(struct checkpoint *c, const struct ferry_value *keys)
{
	const struct ferry_value *items = ferry_value_items(c->doc->root);
	char name[60];

	for (uint32_t i = 0; i < keys->u.list.n; i++) {
		const struct ferry_value *key = keys->u.list.items[i];

		snprintf(name, sizeof(name), "%.*s", (int)key->u.s.nbytes,
			 key->u.s.data);
		if (!ferry_dict_find(items, key) &&
		    strcmp(name, "raw_prefix_token_map"))
			violate(&c->r, "missing", name, "is missing: release "
				"%s has it", c->origin.release);
	}
}

static void check_count(struct checkpoint *c, const char *key)
{
	const struct ferry_value *v = at(c->doc->root, key);

	if (v && (v->kind != FERRY_INT || (v->flags & FERRY_BIG) ||
		  v->u.i < 0))
		violate(&c->r, "type", key, "must be an integer of 0 or more");
}

static void check_progress(struct checkpoint *c)
{
	const struct ferry_value *wer = at(c->doc->root, "best_wer");
	double value;

	check_count(c, "epoch");
	check_count(c, "step");
	if (wer && (!number(wer, &value) || !(value >= 0)))
		violate(&c->r, "type", "best_wer", "must be a number of 0 or "
			"more");
}

/* The weights under a key; NULL: there are none that can be looked at. */
static struct ferry_value *check_weights(struct checkpoint *c, const char *key)
{
	struct ferry_value *weights = at(c->doc->root, key);

	if (!weights)
		return NULL;
	if (!is_mapping(weights)) {
		violate(&c->r, "type", key, "must be a mapping of names to "
			"tensors: it is of kind %s",
			ferry_kind_name(weights->kind));
		return NULL;
	}
	c->r.path = key;
	check_tensors(c->doc, weights, &c->r);
	c->r.path = "";
	return weights;
}

static void check_prefix_map(struct checkpoint *c)
{
	struct ferry_value *v = at(c->doc->root, "raw_prefix_token_map");

	if (v && v->kind != FERRY_NONE && !is_mapping(v))
		violate(&c->r, "type", "raw_prefix_token_map", "must be None "
			"or a mapping");
}

/* ---- hardware ---------------------------------------------------------------------- */

static void check_version(struct checkpoint *c)
{
	const struct ferry_value *v = at(c->doc->root, "version");

	if (v && (v->kind != FERRY_STRING || !v->u.s.nbytes))
		violate(&c->r, "type", "version", "must be the number of a "
			"release as text");
	/* An older one is no fault: exporters lagged behind. */
	for (size_t i = 0; v && i < c->all.n; i++)
		if (c->all.items[i].version &&
		    ferry_value_is(v, c->all.items[i].version)) {
			if (i > c->origin.last->index)
				violate(&c->r, "version", "version", "is %s, "
					"but %s release %s",
					c->all.items[i].version, c->asked ?
					"the checkpoint is to be one of" :
					"the keys are those of",
					c->origin.release);
			return;
		}
}

static void check_melalpha(struct checkpoint *c)
{
	const struct ferry_value *v = at(c->doc->root, "melalpha");
	double value;

	if (!v)
		return;
	if (!number(v, &value) || !isfinite(value))
		violate(&c->r, "type", "melalpha", "must be a number");
	else if (value != 0 && c->origin.first->melalpha_fixed)
		violate(&c->r, "value", "melalpha", "must be 0.0 in a "
			"checkpoint of release %s: it is %g",
			c->origin.release, value);
}

static void check_binary(struct checkpoint *c, const struct ferry_value *binary,
			 const struct ferry_value *scale)
{
	double value;

	if (!binary || (binary->kind != FERRY_BYTES &&
			binary->kind != FERRY_NONE)) {
		violate(&c->r, "type", "ngram.binary", "must be bytes or None");
		return;
	}
	if (binary->kind == FERRY_NONE) {
		if (!scale || scale->kind != FERRY_NONE)
			violate(&c->r, "value", "ngram.scale_factor", "must be "
				"None where there is no n-gram");
		return;
	}
	if (!bytes_begin(binary, NGRAM_MAGIC))
		violate(&c->r, "ngram", "ngram.binary", "is no KenLM binary of "
			"version 5: it doesn't begin as one");
	if (!scale || !number(scale, &value) || !isfinite(value))
		violate(&c->r, "type", "ngram.scale_factor", "must be a "
			"number beside an n-gram");
}

static void check_ngram(struct checkpoint *c)
{
	struct ferry_value *ngram = at(c->doc->root, "ngram");

	if (!ngram)
		return;
	if (!is_mapping(ngram))
		violate(&c->r, "type", "ngram", "must be a dict of binary and "
			"scale_factor");
	else
		check_binary(c, at(ngram, "binary"), at(ngram, "scale_factor"));
}

static int check_mels(struct checkpoint *c, uint64_t filters)
{
	static const char *const names[] = { "melmeans", "melvars" };
	struct ferry_value *v;
	int rc = 0;

	for (size_t i = 0; i < 2 && !rc; i++) {
		v = at(c->doc->root, names[i]);
		if (v)
			rc = check_mel(v, names[i], filters, i == 1, &c->r,
				       c->err);
	}
	return rc;
}

/* The pieces of the embedded model and the classes of the last layer. */
static int check_pieces(struct checkpoint *c, struct ferry_value *weights)
{
	const struct ferry_value *v = at(c->doc->root, "sentpiece_model");
	struct ferry_error own = FERRY_ERROR_INIT;
	uint64_t classes = classes_of(weights);
	int rc;

	if (!v)
		return 0;
	if (v->kind != FERRY_BYTES) {
		violate(&c->r, "type", "sentpiece_model", "must be the bytes "
			"of a sentencepiece model: it is of kind %s",
			ferry_kind_name(v->kind));
		return 0;
	}
	rc = sentencepiece_count_in(v, &c->pieces, &own);
	if (rc == FERRY_MALFORMED || rc == FERRY_LIMIT) {
		violate(&c->r, "sentencepiece", "sentpiece_model", "is no "
			"sentencepiece model: %s", own.text);
		return 0;
	}
	if (rc)
		return ferry_fail(c->err, rc, own.origin, own.offset, "%s",
				  own.text);
	if (!c->pieces)
		violate(&c->r, "sentencepiece", "sentpiece_model",
			"has no pieces");
	else if (classes && classes != c->pieces + 1)
		violate(&c->r, "classes", "state_dict.joint_net.2.weight",
			"has %" PRIu64 " classes, but sentpiece_model has %"
			PRIu64 " pieces, so that there must be %" PRIu64,
			classes, c->pieces, c->pieces + 1);
	return 0;
}

#define PREFIX_MAP "prefix_token_map"

/* Values and names must be as the exporter's schema leaves them. */
static void check_left(struct checkpoint *c, struct ferry_value *section,
		       const struct ferry_value *left, const char *path)
{
	const struct ferry_value *items = ferry_value_items(section), *want;
	const char *above = c->r.path;
	char below[120];

	c->r.path = path;
	for (uint32_t i = 0; items && i < items->u.dict.n; i++) {
		struct ferry_value *key = items->u.dict.pairs[i].key,
				   *v = items->u.dict.pairs[i].value;

		want = ferry_dict_find(left, key);
		if (!want && ferry_value_is(key, PREFIX_MAP)) {
			violate_key(&c->r, "unexpected", key, "must travel as "
				    "raw_" PREFIX_MAP " of the checkpoint");
		} else if (!want) {
			violate_key(&c->r, "unexpected", key, "is of use in "
				    "training only: no exporter leaves it");
		} else if (want->kind == FERRY_DICT) {
			snprintf(below, sizeof(below), "%s.%.*s", path,
				 (int)key->u.s.nbytes, key->u.s.data);
			check_left(c, v, want, below);
		} else if (v->kind != want->kind) {
			violate_key(&c->r, "type", key, "must be of kind %s: "
				    "it is of kind %s",
				    ferry_kind_name(want->kind),
				    ferry_kind_name(v->kind));
		}
	}
	c->r.path = above;
}

/* Sizes that no layer has; the schema sees only that they are integers. */
static void check_dimensions(struct checkpoint *c, struct ferry_value *config)
{
	static const char *const paths[] = {
		"input_val.filterbank_features.n_filt",
		"input_val.frame_splicing.frame_stacking", "rnnt.in_feats",
		"rnnt.enc_n_hid", "rnnt.enc_pre_rnn_layers",
		"rnnt.enc_post_rnn_layers", "rnnt.enc_stack_time_factor",
		"rnnt.pred_n_hid", "rnnt.pred_rnn_layers", "rnnt.joint_n_hid",
		NULL
	};
	const struct ferry_value *v;
	uint64_t size;

	for (size_t i = 0; paths[i]; i++) {
		v = ferry_value_at(config, paths[i]);
		if (v && v->kind == FERRY_INT && !dimension(v, &size))
			violate(&c->r, "size", paths[i], "must be from 1 to "
				"%" PRIu32, UINT32_MAX);
	}
}

static int check_rnnt_config(struct checkpoint *c, struct ferry_value *config)
{
	const struct release *by = c->asked && has_schema(c->asked) ?
				   c->asked : &c->all.items[c->all.n - 1];
	bool whole = !strcmp(c->origin.first->config, "whole");
	struct ferry_value *checked = config, *out = NULL;
	int rc;

	c->r.path = "rnnt_config";
	rc = without_joint_lr_factor(c->doc->store, config, &checked, c->err);
	if (!rc)
		rc = inference_config(c->doc->store, by, checked, &c->r, &out,
				      c->err);
	if (!rc && !whole && out)
		check_left(c, config, out, "rnnt_config");
	if (!rc)
		check_dimensions(c, config);
	if (!rc)
		check_sizes(config, &c->r);
	c->r.path = "";
	return rc;
}

/* By the config's sizes; without a config (release 1.1 and before) by those that
 * the first tensors of each part have. */
static int check_sized(struct checkpoint *c, struct ferry_value *config,
		       struct ferry_value *weights)
{
	uint64_t classes = classes_of(weights);
	struct model model;
	int rc = 0;

	if (!weights || (config && !model_of(at(config, "rnnt"), &model)))
		return 0;
	c->r.path = "state_dict";
	if (config || model_of_weights(weights, &model))
		rc = check_model(c->doc, weights, &model,
				 classes ? classes : c->pieces + 1, &c->r,
				 c->err);
	else
		violate(&c->r, "sizes", "", "has no sizes that hold together: "
			"the first layer of an LSTM, prediction.embed or "
			"joint_pred is missing or not of its shape");
	c->r.path = "";
	return rc;
}

static int check_inside(struct checkpoint *c)
{
	struct ferry_value *config = at(c->doc->root, "rnnt_config");
	struct ferry_value *weights = check_weights(c, "state_dict");
	uint64_t filters = 0;
	int rc = 0;

	check_version(c);
	check_melalpha(c);
	check_ngram(c);
	if (config)
		rc = check_rnnt_config(c, config);
	else
		remark(&c->r, "no-config", "", "has no rnnt_config, as of release "
		     "1.1 and before: bring it to a newer one with its config");
	dimension(ferry_value_at(c->doc->root, "rnnt_config.input_val."
				 "filterbank_features.n_filt"), &filters);
	if (!rc)
		rc = check_mels(c, filters);
	if (!rc)
		rc = check_pieces(c, weights);
	return rc ? rc : check_sized(c, config, weights);
}

/* What the server of another release has no use for. */
static void note_extra(struct checkpoint *c)
{
	const struct ferry_value *items = ferry_value_items(c->doc->root), *key;
	char name[80];

	for (uint32_t i = 0; c->asked && i < items->u.dict.n; i++) {
		key = items->u.dict.pairs[i].key;
		if (key->kind != FERRY_STRING)
			continue;
		snprintf(name, sizeof(name), "%.*s", (int)key->u.s.nbytes,
			 key->u.s.data);
		if (!list_has(c->asked->hardware, name))
			remark(&c->r, "unexpected", name, "is no key of "
			       "release %s", c->asked->name);
	}
}

static int begin(struct checkpoint *c, const struct ferry_options *options,
		 origin_finder *find)
{
	int rc = releases_load(c->doc->store, &c->all, c->err);

	if (!rc)
		rc = find(c->doc, &c->all, &c->origin, c->err);
	if (rc || !options)
		return rc;
	rc = release_wanted(&c->all, options, &c->asked, c->err);
	c->origin.first = c->origin.last = c->asked;
	if (!rc)
		snprintf(c->origin.release, sizeof(c->origin.release), "%s",
			 c->asked->name);
	return rc;
}

int check_hardware_by(struct ferry_document *doc,
		      const struct ferry_options *options,
		      struct ferry_findings *out, struct ferry_error *err)
{
	struct checkpoint c = {
		.doc = doc, .err = err, .r = { .findings = out, .path = "" },
	};
	int rc = begin(&c, options, origin_of_hardware);

	if (rc)
		return rc;
	check_keys(&c, c.origin.first->hardware);
	note_extra(&c);
	check_progress(&c);
	check_prefix_map(&c);
	rc = check_inside(&c);
	return rc ? rc : c.r.failed ? ferry_fail_nomem(err, "violations") : 0;
}

int check_hardware(struct ferry_document *doc, struct ferry_findings *out,
		   struct ferry_error *err)
{
	return check_hardware_by(doc, NULL, out, err);
}

/* ---- training ------------------------------------------------------------------------ */

static void check_tokenizer_kw(struct checkpoint *c)
{
	struct ferry_value *kw = at(c->doc->root, "tokenizer_kw"), *unk;

	if (!kw)
		return;
	if (!is_mapping(kw)) {
		violate(&c->r, "type", "tokenizer_kw", "must be a dict: it is "
			"of kind %s", ferry_kind_name(kw->kind));
		return;
	}
	for (uint32_t i = 0; i < c->origin.first->tokenizer_kw->u.list.n; i++) {
		const char *name = list_text(c->doc->store,
					     c->origin.first->tokenizer_kw, i);

		c->r.failed |= !name;
		if (name && !at(kw, name))
			remark(&c->r, "missing", "tokenizer_kw", "has no '%s'",
			     name);
	}
	unk = at(kw, "unk_handling");
	if (unk && (!unk_handling(unk) ||
		    (!ferry_value_is(unk_handling(unk), "FAIL") &&
		     !ferry_value_is(unk_handling(unk), "WARN"))))
		violate(&c->r, "value", "tokenizer_kw.unk_handling", "must be "
			"FAIL or WARN");
}

static void check_norm_weight(struct checkpoint *c)
{
	const struct ferry_value *v = at(c->doc->root, "logmel_norm_weight");
	double w;

	if (v && (!number(v, &w) || !(w >= 0 && w <= 1)))
		violate(&c->r, "value", "logmel_norm_weight", "must be a "
			"number from 0 to 1");
}

static void check_optimizer(struct checkpoint *c)
{
	struct ferry_value *v = at(c->doc->root, "optimizer");
	const struct ferry_value *groups = at(v, "param_groups");

	if (!v || v->kind == FERRY_NONE)
		return;
	if (!is_mapping(v) || !at(v, "state") || !groups ||
	    groups->kind != FERRY_LIST)
		violate(&c->r, "type", "optimizer", "must be None, or a dict "
			"of state and param_groups");
	else if (groups->u.list.n != c->origin.first->groups)
		violate(&c->r, "groups", "optimizer.param_groups", "has %u "
			"groups, but release %s has %u", groups->u.list.n,
			c->origin.release, c->origin.first->groups);
}

/* Raw weights and EMA are of one model. */
static void check_pair(struct checkpoint *c, struct ferry_value *raw,
		       struct ferry_value *ema)
{
	const struct ferry_value *a = ferry_value_items(raw),
				 *b = ferry_value_items(ema);
	struct ferry_value *v, *w;

	c->r.path = "ema_state_dict";
	for (uint32_t i = 0; i < a->u.dict.n; i++) {
		const struct ferry_value *key = a->u.dict.pairs[i].key;

		v = ferry_value_payload(a->u.dict.pairs[i].value);
		w = ferry_dict_find(b, key);
		w = w ? ferry_value_payload(w) : NULL;
		if (!w)
			violate_key(&c->r, "missing", key, "is missing: "
				    "state_dict has it");
		else if (v->kind == FERRY_TENSOR && w->kind == FERRY_TENSOR &&
			 (v->u.tensor->ndim != w->u.tensor->ndim ||
			  memcmp(v->u.tensor->shape, w->u.tensor->shape,
				 v->u.tensor->ndim * sizeof(uint64_t))))
			violate_key(&c->r, "shape", key, "has another shape "
				    "than in state_dict");
	}
	for (uint32_t i = 0; i < b->u.dict.n; i++)
		if (!ferry_dict_find(a, b->u.dict.pairs[i].key))
			violate_key(&c->r, "unexpected", b->u.dict.pairs[i].key,
				    "is not in state_dict");
	c->r.path = "";
}

int check_training_by(struct ferry_document *doc,
		      const struct ferry_options *options,
		      struct ferry_findings *out, struct ferry_error *err)
{
	struct checkpoint c = {
		.doc = doc, .err = err, .r = { .findings = out, .path = "" },
	};
	struct ferry_value *raw, *ema;
	int rc = begin(&c, options, origin_of_training);

	if (rc)
		return rc;
	check_keys(&c, c.origin.first->training);
	check_progress(&c);
	check_prefix_map(&c);
	check_tokenizer_kw(&c);
	check_norm_weight(&c);
	check_optimizer(&c);
	raw = check_weights(&c, "state_dict");
	ema = at(doc->root, "ema_state_dict");
	if (ema && ema->kind == FERRY_NONE)
		remark(&c.r, "no-ema", "ema_state_dict", "is None: the EMA was "
		     "off, so that no hardware checkpoint can be made of it");
	else
		ema = check_weights(&c, "ema_state_dict");
	if (raw && is_mapping(ema))
		check_pair(&c, raw, ema);
	return c.r.failed ? ferry_fail_nomem(err, "violations") : 0;
}

int check_training(struct ferry_document *doc, struct ferry_findings *out,
		   struct ferry_error *err)
{
	return check_training_by(doc, NULL, out, err);
}

/* ---- mel statistics -------------------------------------------------------------------- */

int check_stats(struct ferry_document *doc, struct ferry_findings *out,
		struct ferry_error *err)
{
	struct report r = { .findings = out, .path = "" };
	int rc = check_mel(doc->root, "", 0, false, &r, err);

	return rc ? rc : r.failed ? ferry_fail_nomem(err, "violations") : 0;
}
