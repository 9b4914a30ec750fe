/* What a person wants to know first. */
#include "config.h"

#include "plugins/audiocraft/audiocraft.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <ferry/sys/buffer.h>

#include "formats/omegaconf/omegaconf.h"

struct telling {
	struct ferry_document *doc;
	struct ferry_value *root, *plain, *out;
	enum family family;
	struct ferry_error *err;
	bool failed;
};

static void put(struct telling *t, const char *key, struct ferry_value *v)
{
	t->failed = t->failed || !v ||
		    ferry_dict_set_str(t->doc->store, t->out, key, v);
}

static void put_text(struct telling *t, const char *key,
		     struct ferry_buffer *text)
{
	if (text->n || text->failed)
		put(t, key, text->failed ? NULL :
		    ferry_string(t->doc->store, text->data, text->n));
	ferry_buffer_release(text);
}

/* A scalar of the root, or of the configuration. */
static void put_scalar(struct telling *t, const char *key,
		       const struct ferry_value *v)
{
	if (v && v->kind != FERRY_NONE &&
	    (v->kind <= FERRY_FLOAT ||
	     (v->kind == FERRY_STRING && v->u.s.nbytes < 200)))
		put(t, key, (struct ferry_value *)v);
}

/* ---- weights ------------------------------------------------------------------------ */

struct amount {
	uint64_t tensors, nelem;
	int dtype;		/* of floating tensors; -1: several */
};

static void measure(struct ferry_value *weights, struct amount *out)
{
	const struct ferry_value *items, *v;

	*out = (struct amount){ .dtype = FERRY_DTYPE_NONE };
	items = weights ? ferry_value_items(weights) : NULL;
	for (uint32_t i = 0; items && i < items->u.dict.n; i++) {
		v = ferry_value_payload(items->u.dict.pairs[i].value);
		if (v->kind != FERRY_TENSOR)
			continue;
		out->tensors++;
		out->nelem += ferry_tensor_nelem(v->u.tensor);
		if (!ferry_dtype_is_float((enum ferry_dtype)
					  v->u.tensor->dtype))
			continue;
		if (out->dtype == FERRY_DTYPE_NONE)
			out->dtype = v->u.tensor->dtype;
		else if (out->dtype != v->u.tensor->dtype)
			out->dtype = -1;
	}
}

static const char *dtype_text(int dtype)
{
	return dtype < 0 ? "several dtypes" :
	       dtype == FERRY_DTYPE_NONE ? "no floating tensor" :
	       ferry_dtype_name((enum ferry_dtype)dtype);
}

static void put_weights(struct telling *t, const char *key,
			struct ferry_value *weights)
{
	struct ferry_buffer text = FERRY_BUFFER_INIT;
	struct amount amount;

	if (!weights)
		return;
	measure(weights, &amount);
	ferry_buffer_printf(&text, "%" PRIu64 " tensor%s, %" PRIu64
			    " elements, %s", amount.tensors,
			    amount.tensors == 1 ? "" : "s", amount.nelem,
			    dtype_text(amount.dtype));
	put_text(t, key, &text);
}

/* ---- dimensions ----------------------------------------------------------------------- */

static const struct dimension {
	const char *keys, *before, *after;
} lm_dimensions[] = {
	{ "transformer_lm.dim", "dim ", "" },
	{ "transformer_lm.num_layers", "", " layers" },
	{ "transformer_lm.num_heads", "", " heads" },
	{ "transformer_lm.n_q", "", " codebooks" },
	{ "transformer_lm.card", "of ", "" },
	{ NULL, NULL, NULL }
}, flow_dimensions[] = {
	{ "transformer_lm.dim", "dim ", "" },
	{ "transformer_lm.num_layers", "", " layers" },
	{ "transformer_lm.num_heads", "", " heads" },
	{ "transformer_lm.flow_dim", "a flow of ", "" },
	{ "transformer_lm.chords_dim", "chords ", "" },
	{ "transformer_lm.drums_dim", "drums ", "" },
	{ "transformer_lm.melody_dim", "melody ", "" },
	{ NULL, NULL, NULL }
}, compression_dimensions[] = {
	{ "sample_rate", "", " Hz" },
	{ "channels", "", " channel(s)" },
	{ "seanet.dimension", "dimension ", "" },
	{ "seanet.n_filters", "", " filters" },
	{ "rvq.n_q", "", " codebooks" },
	{ "rvq.bins", "of ", "" },
	{ NULL, NULL, NULL }
};

static void put_dimensions(struct telling *t)
{
	struct ferry_buffer text = FERRY_BUFFER_INIT;
	const struct ferry_value *solver = config_find(t->plain, "solver");
	const struct dimension *d = t->family != FAMILY_LM ?
				    compression_dimensions :
				    solver && ferry_value_is(solver, "jasco") ?
				    flow_dimensions : lm_dimensions;
	uint64_t n;

	for (; d->keys; d++) {
		n = config_count(t->plain, d->keys);
		if (n)
			ferry_buffer_printf(&text, "%s%s%" PRIu64 "%s",
					    !text.n ? "" :
					    !strcmp(d->before, "of ") ? " " :
					    ", ", d->before, n, d->after);
	}
	put_text(t, "model size", &text);
}

static void put_config(struct telling *t)
{
	struct ferry_value *config = part(t->root, "xp.cfg");
	struct ferry_buffer text = FERRY_BUFFER_INIT;
	struct omegaconf_survey s;
	struct ferry_value *plain;

	if (t->plain) {
		put_scalar(t, "solver", config_find(t->plain, "solver"));
		put_dimensions(t);
	}
	if (!config)
		return;
	if (config->kind == FERRY_STRING)
		ferry_buffer_printf(&text, "YAML text, %" PRIu64 " bytes%s",
				    config->u.s.nbytes,
				    t->plain ? "" : ", which can't be read");
	else if (omegaconf_is(config) &&
		 !omegaconf_plain(t->doc->store, config, &s, NULL, &plain,
				  NULL))
		ferry_buffer_printf(&text, "DictConfig of OmegaConf %s%s, "
				    "%" PRIu32 " values%s",
				    omegaconf_layout_name(
					    omegaconf_layout_of(config)),
				    omegaconf_layout_of(config) ==
				    OMEGACONF_2_2 ? " or 2.3" : "", s.scalars,
				    omegaconf_flag(config, "struct") > 0 ?
				    ", struct" : "");
	put_text(t, "configuration", &text);
}

/* ---- the run -------------------------------------------------------------------------- */

static void add_number(struct ferry_buffer *text, const struct ferry_value *v)
{
	if (v->kind == FERRY_FLOAT)
		ferry_buffer_printf(text, "%.6g", v->u.f);
	else if (v->kind == FERRY_INT && !(v->flags & FERRY_BIG))
		ferry_buffer_printf(text, "%" PRId64, v->u.i);
	else
		ferry_buffer_add_str(text, ferry_kind_name(v->kind));
}

/* "ce 3.2, ppl 24.5" of one stage. */
static void put_stage(struct telling *t, const struct ferry_value *stage,
		      const struct ferry_value *metrics)
{
	struct ferry_buffer text = FERRY_BUFFER_INIT;
	const struct ferry_pair *pair;
	char name[60], key[80];

	for (uint32_t i = 0; i < metrics->u.dict.n && text.n < 200; i++) {
		pair = &metrics->u.dict.pairs[i];
		if (pair->key->kind != FERRY_STRING)
			continue;
		ferry_escape(name, sizeof(name), pair->key->u.s.data,
			     pair->key->u.s.nbytes);
		ferry_buffer_printf(&text, "%s%s ", text.n ? ", " : "", name);
		add_number(&text, pair->value);
	}
	ferry_escape(name, sizeof(name), stage->u.s.data, stage->u.s.nbytes);
	snprintf(key, sizeof(key), "last %s", name);
	put_text(t, key, &text);
}

static void put_history(struct telling *t)
{
	const struct ferry_value *history = part(t->root, "history"), *last;
	const struct ferry_pair *pair;

	if (!history || history->kind != FERRY_LIST)
		return;
	put(t, "epochs", ferry_uint(t->doc->store, history->u.list.n));
	last = history->u.list.n ?
	       ferry_value_items(history->u.list.items[history->u.list.n - 1]) :
	       NULL;
	for (uint32_t i = 0; last && i < last->u.dict.n && i < 8; i++) {
		pair = &last->u.dict.pairs[i];
		if (pair->key->kind == FERRY_STRING &&
		    ferry_value_items(pair->value))
			put_stage(t, pair->key, ferry_value_items(pair->value));
	}
}

/* "best", "epoch 12", "last", and the rank of a shard. */
static void put_name(struct telling *t)
{
	const char *path = t->doc->path ? t->doc->path : "";
	struct ferry_buffer text = FERRY_BUFFER_INIT;
	struct file_name name;
	char shown[100];

	if (!parse_file_name(base_name(path), &name))
		return;
	ferry_escape(shown, sizeof(shown), name.name ? name.name : "",
		     name.nname);
	if (!name.nname)
		ferry_buffer_add_str(&text, "the last");
	else if (strspn(shown, "0123456789") == name.nname)
		ferry_buffer_printf(&text, "of epoch %s", shown);
	else
		ferry_buffer_printf(&text, "'%s'", shown);
	if (name.has_rank)
		ferry_buffer_printf(&text, ", shard of rank %u", name.rank);
	put_text(t, "checkpoint", &text);
}

static void put_save(struct telling *t)
{
	char text[300];

	if (judge_save(t->doc->path, text) != SAVE_GOOD)
		put(t, "state of the file", ferry_cstring(t->doc->store, text));
}

static void put_ema(struct telling *t)
{
	struct ferry_value *ema = part(t->root, "ema");

	if (!ema || ema->kind == FERRY_NONE)
		return;
	put_weights(t, "ema", part(part(ema, "state"), "model"));
	put_scalar(t, "ema updates", part(ema, "count"));
}

static void put_rest(struct telling *t)
{
	static const char *const keys[] = {
		"optimizer", "lr_scheduler", "scaler", "adv_losses",
		"sample_processor", "condition_provider", "compression_model",
	};
	struct ferry_buffer text = FERRY_BUFFER_INIT;

	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++)
		if (is_truthy(part(t->root, keys[i])))
			ferry_buffer_printf(&text, "%s%s", text.n ? ", " : "",
					    keys[i]);
	put_text(t, "also", &text);
}

static void put_training(struct telling *t)
{
	const struct ferry_value *fsdp = part(t->root, "fsdp_best_state");

	put_name(t);
	put_save(t);
	put_config(t);
	put_scalar(t, "sig", part(t->root, "xp.sig"));
	put_history(t);
	put_weights(t, "best_state", best_model(t->root));
	if (mapping(t->root, "model"))
		put_weights(t, "model", part(t->root, "model"));
	if (is_truthy(fsdp))
		put(t, "fsdp", ferry_cstring(t->doc->store,
					     best_model(t->root) &&
					     is_truthy(best_model(t->root)) ?
					     "sharded run, rank 0" :
					     "sharded run, a rank above 0"));
	put_ema(t);
	put_rest(t);
}

static void put_export(struct telling *t)
{
	bool marked = part(t->root, "version") || part(t->root, "exported");

	put_save(t);
	put_scalar(t, "pretrained", part(t->root, "pretrained"));
	put_config(t);
	put_scalar(t, "version", part(t->root, "version"));
	if (!marked)
		put(t, "version", ferry_cstring(t->doc->store, "0.0.x, by the "
						"missing version"));
	put_weights(t, "best_state", part(t->root, "best_state"));
}

static void put_diffusion(struct telling *t)
{
	const struct ferry_value *bands = part(t->root, "n_bands");
	struct ferry_value key = { .kind = FERRY_INT }, *band;
	char name[40];

	put_scalar(t, "sample_rate", part(t->root, "sample_rate"));
	put_scalar(t, "n_bands", bands);
	for (int64_t i = 0; i < 16; i++) {
		key.u.i = i;
		band = ferry_dict_find(t->root, &key);
		if (!band)
			break;
		snprintf(name, sizeof(name), "band %" PRId64, i);
		put_weights(t, name, part(band, "model_state"));
	}
}

static void put_audioseal(struct telling *t)
{
	put(t, "part", ferry_cstring(t->doc->store, seal_of(t->root) ==
				     SEAL_GENERATOR ? "generator" :
						      "detector"));
	put(t, "message bits", ferry_uint(t->doc->store, seal_bits(t->root)));
	put_weights(t, "model", part(t->root, "model"));
}

int audiocraft_describe(struct ferry_document *doc, struct ferry_value *out,
			struct ferry_error *err)
{
	struct telling t = {
		.doc = doc, .out = out, .err = err,
		.root = ferry_value_items(doc->root),
	};
	struct ferry_value *config;
	struct ferry_match match;
	enum artifact artifact;

	if (!t.root)
		return 0;
	artifact = document_artifact(doc, "", &match);
	config = part(t.root, "xp.cfg");
	if (config && config_plain(doc->store, config, NULL, &t.plain, NULL))
		t.plain = NULL;
	t.family = family_of(doc->store, t.plain, best_model(t.root), NULL);
	if (artifact == ARTIFACT_DIFFUSION)
		put_diffusion(&t);
	else if (artifact == ARTIFACT_AUDIOSEAL)
		put_audioseal(&t);
	else if (artifact == ARTIFACT_TRAINING)
		put_training(&t);
	else
		put_export(&t);
	return t.failed ? ferry_fail_nomem(err, "a description") : 0;
}
