/* What loaders and exporters ask of a checkpoint. */
#include "config.h"

#include "plugins/audiocraft/audiocraft.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "formats/omegaconf/omegaconf.h"

/* Differences of one kind that are told; of others the number is. */
#define MOST_TOLD 20

struct checking {
	struct ferry_document *doc;
	struct ferry_value *root;	/* a DICT */
	struct ferry_findings *out;
	struct ferry_error *err;
};

#define VIOLATION(c, code, path, ...) \
	tell((c)->out, FERRY_VIOLATION, code, path, (c)->err, __VA_ARGS__)
#define WARN(c, code, path, ...) \
	tell((c)->out, FERRY_WARNING, code, path, (c)->err, __VA_ARGS__)
#define NOTE(c, code, path, ...) \
	tell((c)->out, FERRY_NOTE, code, path, (c)->err, __VA_ARGS__)

static int begin(struct checking *c, struct ferry_document *doc,
		 struct ferry_findings *out, struct ferry_error *err)
{
	*c = (struct checking){
		.doc = doc, .root = ferry_value_items(doc->root), .out = out,
		.err = err,
	};
	return c->root ? 0 : VIOLATION(c, "not-a-mapping", "", "a checkpoint "
				       "is a mapping; this is of kind %s",
				       ferry_kind_name(doc->root->kind));
}

int admit_save(struct ferry_document *doc, struct ferry_findings *out,
	       struct ferry_error *err)
{
	const char *base = base_name(doc->path ? doc->path : "");
	char text[300], name[200];
	enum save save = judge_save(doc->path, text);

	if (save == SAVE_GOOD)
		return 0;
	if (save >= SAVE_BLOCKED)
		return tell(out, FERRY_WARNING, "unfinished", "", err, "%s",
			    text);
	return tell(out, save == SAVE_UNMARKED ? FERRY_VIOLATION :
		    FERRY_WARNING, "unfinished", "", err, "%s is %s",
		    ferry_escape(name, sizeof(name), base, strlen(base)),
		    text);
}

/* ---- tensors ---------------------------------------------------------------------- */

static const char *shown_key(const struct ferry_value *key, char out[200])
{
	if (key->kind != FERRY_STRING)
		return ferry_kind_name(key->kind);
	return ferry_escape(out, 200, key->u.s.data, key->u.s.nbytes);
}

int check_weights(struct ferry_value *weights, const char *path,
		  struct ferry_findings *out, struct ferry_error *err)
{
	const struct ferry_value *items = ferry_value_items(weights), *v;
	const struct ferry_pair *pair;
	char name[200], where[300];
	uint32_t told = 0;
	int rc = 0;

	for (uint32_t i = 0; i < items->u.dict.n && !rc && told < MOST_TOLD;
	     i++) {
		pair = &items->u.dict.pairs[i];
		v = ferry_value_payload(pair->value);
		if (pair->key->kind == FERRY_STRING &&
		    v->kind == FERRY_TENSOR)
			continue;
		told++;
		snprintf(where, sizeof(where), "%s.%s", path,
			 shown_key(pair->key, name));
		rc = tell(out, FERRY_VIOLATION, "not-a-tensor", where, err,
			  "'%s' is of kind %s: %s holds names and tensors "
			  "alone", shown_key(pair->key, name),
			  ferry_kind_name(v->kind), path);
	}
	return rc;
}

static int check_tensors(struct checking *c, struct ferry_value *weights,
			 const char *path)
{
	return check_weights(weights, path, c->out, c->err);
}

static bool same_shape(const struct ferry_value *a, const struct ferry_value *b)
{
	if (a->kind != FERRY_TENSOR || b->kind != FERRY_TENSOR)
		return true;
	return a->u.tensor->ndim == b->u.tensor->ndim &&
	       (!a->u.tensor->ndim ||
		!memcmp(a->u.tensor->shape, b->u.tensor->shape,
			a->u.tensor->ndim * sizeof(uint64_t)));
}

/* The best state is copied into a model built anew: names it does not have keep
 * their first values, names the model does not have are errors. */
static int compare_states(struct checking *c, struct ferry_value *best,
			  struct ferry_value *model)
{
	const struct ferry_pair *pair;
	struct ferry_value *other;
	uint32_t told = 0, missing = 0;
	char name[200], where[300];
	int rc = 0;

	for (uint32_t i = 0; i < best->u.dict.n && !rc && told < MOST_TOLD;
	     i++) {
		pair = &best->u.dict.pairs[i];
		other = ferry_dict_find(model, pair->key);
		if (other && same_shape(ferry_value_payload(pair->value),
					ferry_value_payload(other)))
			continue;
		told++;
		snprintf(where, sizeof(where), "best_state.model.%s",
			 shown_key(pair->key, name));
		rc = VIOLATION(c, other ? "shape" : "unexpected", where,
			       "'%s' %s", name, other ? "has another shape in "
			       "model: the best state can't be copied into it" :
			       "is not in model: loading the best state fails");
	}
	for (uint32_t i = 0; i < model->u.dict.n; i++)
		missing += !ferry_dict_find(best, model->u.dict.pairs[i].key);
	if (!rc && missing)
		rc = NOTE(c, "missing", "best_state.model", "%" PRIu32 " of %"
			  PRIu32 " names in model are not in best_state.model: "
			  "a run that continues from it without FSDP gives "
			  "them fresh values; with FSDP it fails, and loaders "
			  "for inference refuse it", missing,
			  model->u.dict.n);
	return rc;
}

/* FSDP's own: flattened parameters, and names below its wrappers. */
static bool is_of_fsdp(const struct ferry_value *key)
{
	return key->kind != FERRY_STRING ||
	       memmem(key->u.s.data, key->u.s.nbytes, "_flat_param", 11) ||
	       memmem(key->u.s.data, key->u.s.nbytes, "_fsdp", 5);
}

/* In a sharded run shapes are of shards, and only what is whole is in the model
 * of a rank: so what is there must be in the best state, which a run with FSDP
 * loads strictly. */
static int compare_sharded(struct checking *c, struct ferry_value *best,
			   struct ferry_value *model)
{
	const struct ferry_value *key;
	uint32_t missing = 0, common = 0;

	for (uint32_t i = 0; i < model->u.dict.n; i++) {
		key = model->u.dict.pairs[i].key;
		if (is_of_fsdp(key))
			continue;
		if (ferry_dict_find(best, key))
			common++;
		else
			missing++;
	}
	return !missing || !common ? 0 :
	       VIOLATION(c, "missing", "fsdp_best_state.model", "%" PRIu32
			 " of %" PRIu32 " names in model are not in "
			 "fsdp_best_state.model: a run with FSDP loads it "
			 "strictly and fails; one without gives them fresh "
			 "values", missing, missing + common);
}

/* ---- configurations ---------------------------------------------------------------- */

/* OmegaConf.create() reads every text as it takes it. */
static int check_texts(struct checking *c, const struct ferry_value *plain)
{
	const struct ferry_value *bad = omegaconf_find_no_text(plain);
	char shown[160];

	return bad ? VIOLATION(c, "config", "xp.cfg", "'%s' begins an "
			       "interpolation that is none: OmegaConf can't "
			       "read the configuration as text",
			       ferry_escape(shown, sizeof(shown),
					    bad->u.s.data, bad->u.s.nbytes))
		   : 0;
}

/* *plain NULL: there is none, or none that can be read (which is told). */
static int check_config(struct checking *c, struct ferry_value **plain)
{
	struct ferry_value *config = part(c->root, "xp.cfg");
	struct ferry_error why = FERRY_ERROR_INIT;
	int rc;

	*plain = NULL;
	if (!config)
		return 0;
	rc = config_plain(c->doc->store, config, c->out, plain, &why);
	if (!rc)
		return check_texts(c, *plain);
	*plain = NULL;
	return rc == FERRY_NOMEM ? ferry_fail_nomem(c->err, "a configuration")
				 : VIOLATION(c, "config", "xp.cfg", "the "
					     "configuration can't be read: %s",
					     why.text);
}

static int check_magnet(struct checking *c, struct ferry_value *plain)
{
	static const char *const keys[] = {
		"dataset.segment_duration", "masking.span_len",
	};
	const struct ferry_value *solver = config_find(plain, "solver");
	char where[60];
	int rc = 0;

	if (!solver || (!ferry_value_is(solver, "magnet") &&
			!ferry_value_is(solver, "audio_magnet")))
		return 0;
	for (size_t i = 0; i < 2 && !rc; i++) {
		snprintf(where, sizeof(where), "xp.cfg.%s", keys[i]);
		if (!omegaconf_at(plain, keys[i]))
			rc = VIOLATION(c, "config", where, "%s is missing: "
				       "load_lm_model_magnet takes it from the "
				       "configuration", keys[i]);
	}
	return rc;
}

/* ---- training ------------------------------------------------------------------------ */

static int check_best(struct checking *c, const char *key)
{
	struct ferry_value *state = part(c->root, key), *model;
	char path[60];

	if (!state || !is_truthy(state))
		return 0;
	snprintf(path, sizeof(path), "%s.model", key);
	model = part(state, "model");
	if (!model || !ferry_value_items(model))
		return VIOLATION(c, "no-model", key, "%s has no mapping "
				 "'model': solvers and exporters take "
				 "%s['model']%s", key, key,
				 part(c->root, "exported") ? "; the file is an "
				 "export, convert it --to audiocraft/training" :
				 "");
	return check_tensors(c, model, path);
}

static int check_states(struct checking *c)
{
	const struct ferry_value *best = part(c->root, "best_state");
	const struct ferry_value *fsdp = part(c->root, "fsdp_best_state");
	int rc;

	if (!best && !fsdp)
		return VIOLATION(c, "no-state", "", "neither best_state nor "
				 "fsdp_best_state is there: no run continues "
				 "from this file");
	rc = check_best(c, "best_state");
	if (!rc)
		rc = check_best(c, "fsdp_best_state");
	if (!rc && !is_truthy(best) && !is_truthy(fsdp))
		rc = VIOLATION(c, "no-state", "best_state", "best_state and "
			       "fsdp_best_state are both empty");
	if (!rc && is_truthy(fsdp) && mapping(fsdp, "model") &&
	    !mapping(fsdp, "model")->u.dict.n)
		rc = NOTE(c, "shard", "fsdp_best_state.model", "the model is "
			  "empty: this is the shard of a rank above 0, and "
			  "exports take that of rank 0");
	if (!rc && is_truthy(fsdp) && is_truthy(best))
		rc = NOTE(c, "fsdp-best-state", "fsdp_best_state", "both best "
			  "states are there: a run that continues takes "
			  "fsdp_best_state and drops best_state");
	return rc;
}

static int check_ema(struct checking *c)
{
	struct ferry_value *ema = part(c->root, "ema");

	if (!ema || ema->kind == FERRY_NONE)
		return 0;
	if (!mapping(part(ema, "state"), "model"))
		return VIOLATION(c, "ema", "ema.state", "ema.state has no "
				 "mapping 'model': an average has one");
	if (!part(ema, "count"))
		return VIOLATION(c, "ema", "ema", "ema has no count: the "
				 "average can't go on");
	return check_tensors(c, part(part(ema, "state"), "model"),
			     "ema.state.model");
}

/* Layouts from before the condition provider was part of the model. */
static int check_old(struct checking *c)
{
	struct ferry_value *conditions = mapping(c->root, "condition_provider");
	int rc = 0;

	if (conditions)
		rc = NOTE(c, "layout", "condition_provider", "%" PRIu32
			  " tensors of condition_provider stand beside model, "
			  "as old solvers kept them: --upgrade puts them into "
			  "it", conditions->u.dict.n);
	if (!rc && part(c->root, "compression_model"))
		rc = NOTE(c, "layout", "compression_model", "compression_model "
			  "stands beside model, as old solvers kept it: "
			  "--upgrade leaves it out");
	return rc;
}

static int check_training_config(struct checking *c, struct ferry_value *plain)
{
	const struct ferry_value *config = part(c->root, "xp.cfg");
	enum family family;

	if (!config)
		return NOTE(c, "config", "", "xp.cfg is missing: a run "
			    "continues without it, an export needs it");
	if (!plain)
		return 0;
	if (!omegaconf_is(config))
		return VIOLATION(c, "config", "xp.cfg", "xp.cfg is of kind "
				 "%s: in a training checkpoint it is a "
				 "DictConfig, which exporters turn into text",
				 ferry_kind_name(config->kind));
	family = family_of(c->doc->store, (struct ferry_value *)config,
			   best_model(c->root), NULL);
	if (family == FAMILY_LM && !part(c->root, "fsdp_best_state"))
		return NOTE(c, "fsdp-best-state", "", "fsdp_best_state is "
			    "missing: AudioCraft's export_lm fails without the "
			    "key, even where it is empty");
	return 0;
}

/* Parts of a shard may be objects of FSDP. */
static int check_model(struct checking *c)
{
	struct ferry_value *model = part(c->root, "model");

	if (!model)
		return 0;
	if (!ferry_value_items(model))
		return VIOLATION(c, "no-model", "model", "model is of kind "
				 "%s: a run that resumes takes names and "
				 "tensors from it", ferry_kind_name(model->kind));
	return is_truthy(part(c->root, "fsdp_best_state")) ? 0 :
	       check_tensors(c, model, "model");
}

static int check_lm(struct checking *c, struct ferry_value *plain,
		    struct ferry_value *best, bool fsdp)
{
	const char *path = fsdp ? "fsdp_best_state.model" : "best_state.model";
	int rc = check_lm_tensors(plain, best, path, c->out, c->err);

	return rc || !fsdp ? rc :
	       check_lm_conditioners(plain, best, path, c->out, c->err);
}

static int compare_models(struct checking *c, struct ferry_value *plain)
{
	struct ferry_value *best = best_model(c->root);
	struct ferry_value *items = best ? ferry_value_items(best) : NULL;
	struct ferry_value *model = mapping(c->root, "model");
	bool fsdp = is_truthy(part(c->root, "fsdp_best_state"));
	enum family family;
	int rc = 0;

	if (!items || !items->u.dict.n)
		return 0;
	if (model && model->u.dict.n && !part(c->root, "condition_provider"))
		rc = fsdp ? compare_sharded(c, items, model) :
		     compare_states(c, items, model);
	if (rc || !plain)
		return rc;
	family = family_of(c->doc->store, plain, best, NULL);
	return family == FAMILY_LM ? check_lm(c, plain, best, fsdp) :
	       family == FAMILY_COMPRESSION ?
	       check_codec_tensors(c->doc, plain, best, fsdp ?
				   "fsdp_best_state.model" :
				   "best_state.model", c->out, c->err) : 0;
}

int check_training(struct ferry_document *doc, struct ferry_findings *out,
		   struct ferry_error *err)
{
	struct ferry_value *plain = NULL;
	struct checking c;
	int rc = begin(&c, doc, out, err);

	if (rc || !c.root)
		return rc;
	if (part(c.root, "exported"))
		rc = VIOLATION(&c, "exported", "exported", "exported is there: "
			       "CompressionSolver.model_from_checkpoint takes "
			       "no such file");
	if (!rc)
		rc = check_states(&c);
	if (!rc)
		rc = check_model(&c);
	if (!rc)
		rc = check_ema(&c);
	if (!rc)
		rc = check_old(&c);
	if (!rc)
		rc = check_config(&c, &plain);
	if (!rc)
		rc = check_training_config(&c, plain);
	return rc ? rc : compare_models(&c, plain);
}

/* ---- exports ---------------------------------------------------------------------------- */

static int check_marks(struct checking *c)
{
	const struct ferry_value *exported = part(c->root, "exported");
	const struct ferry_value *version = part(c->root, "version");
	int rc = 0;

	if (!exported && !version)
		return NOTE(c, "layout", "", "version and exported are "
			    "missing: an export of 0.0.x, which loaders take; "
			    "--upgrade adds them");
	if (!exported || exported->kind != FERRY_BOOL || !exported->u.b)
		rc = VIOLATION(c, "exported", "exported", "exported is not "
			       "True");
	if (!rc && (!version || version->kind != FERRY_STRING))
		rc = VIOLATION(c, "version", "version", "version is missing or "
			       "no text: export_pretrained_compression_model "
			       "asks for it");
	return rc;
}

static int check_flat(struct checking *c)
{
	struct ferry_value *best = part(c->root, "best_state");

	if (!best || !ferry_value_items(best))
		return VIOLATION(c, "no-state", "best_state", "best_state is "
				 "missing or no mapping: loaders take the "
				 "weights from it");
	if (mapping(best, "model"))
		return VIOLATION(c, "wrapped", "best_state.model", "the weights "
				 "are under 'model': an export has them right "
				 "under best_state");
	if (!ferry_value_items(best)->u.dict.n)
		return VIOLATION(c, "no-state", "best_state",
				 "best_state is empty");
	return check_tensors(c, best, "best_state");
}

/* Flat weights, a configuration, the marks; *plain as check_config(). */
static int check_export(struct checking *c, struct ferry_value **plain)
{
	const struct ferry_value *config = part(c->root, "xp.cfg");
	int rc = check_flat(c);

	*plain = NULL;
	if (!rc)
		rc = check_marks(c);
	if (!rc && !config)
		rc = VIOLATION(c, "config", "xp.cfg", "xp.cfg is missing: "
			       "loaders build the model from it");
	if (!rc && config && config->kind != FERRY_STRING)
		rc = NOTE(c, "config", "xp.cfg", "xp.cfg is of kind %s: "
			  "exporters write text; loaders take an object too",
			  ferry_kind_name(config->kind));
	return rc ? rc : check_config(c, plain);
}

static int check_kind(struct checking *c, struct ferry_value *plain,
		      enum family wanted)
{
	enum family family = family_of(c->doc->store, plain,
				       part(c->root, "best_state"), NULL);

	if (family == wanted || family == FAMILY_UNKNOWN)
		return 0;
	return VIOLATION(c, "kind", "xp.cfg.solver", "the run trained %s, not "
			 "%s", family_name(family), family_name(wanted));
}

int check_export_lm(struct ferry_document *doc, struct ferry_findings *out,
		    struct ferry_error *err)
{
	struct ferry_value *plain = NULL;
	struct checking c;
	int rc = begin(&c, doc, out, err);

	if (!c.root)
		return rc;
	rc = check_export(&c, &plain);
	if (rc || !plain)
		return rc;
	rc = check_kind(&c, plain, FAMILY_LM);
	if (!rc)
		rc = check_magnet(&c, plain);
	if (!rc && mapping(c.root, "best_state"))
		rc = check_lm_tensors(plain, part(c.root, "best_state"),
				      "best_state", out, err);
	if (!rc && mapping(c.root, "best_state"))
		rc = check_lm_conditioners(plain, part(c.root, "best_state"),
					   "best_state", out, err);
	return rc;
}

static int check_reference(struct checking *c)
{
	const struct ferry_value *name = part(c->root, "pretrained");
	int rc = 0;

	if (name->kind != FERRY_STRING || !name->u.s.nbytes)
		rc = VIOLATION(c, "pretrained", "pretrained", "pretrained is "
			       "no name of a model");
	else if (name->u.s.nbytes >= strlen(REFERENCE) &&
		 !memcmp(name->u.s.data, REFERENCE, strlen(REFERENCE)))
		rc = VIOLATION(c, "pretrained", "pretrained", "pretrained "
			       "begins with " REFERENCE ": loaders take the "
			       "name alone");
	if (!rc && part(c->root, "best_state"))
		rc = WARN(c, "pretrained", "best_state", "best_state is there "
			  "and ignored: loaders take the model that pretrained "
			  "names");
	return rc ? rc : check_marks(c);
}

int check_export_compression(struct ferry_document *doc,
			     struct ferry_findings *out,
			     struct ferry_error *err)
{
	struct ferry_value *plain = NULL;
	struct checking c;
	int rc = begin(&c, doc, out, err);

	if (!c.root)
		return rc;
	if (part(c.root, "pretrained"))
		return check_reference(&c);
	rc = check_export(&c, &plain);
	if (!rc && plain)
		rc = check_kind(&c, plain, FAMILY_COMPRESSION);
	if (!rc && plain && mapping(c.root, "best_state"))
		rc = check_codec_tensors(doc, plain, part(c.root, "best_state"),
					 "best_state", out, err);
	return rc;
}

/* ---- diffusion ---------------------------------------------------------------------------- */

static int check_band(struct checking *c, int64_t i)
{
	struct ferry_value key = { .kind = FERRY_INT };
	struct ferry_value *band;
	char where[60];
	int rc = 0;

	key.u.i = i;
	band = ferry_dict_find(c->root, &key);
	snprintf(where, sizeof(where), "%" PRId64, i);
	if (!band)
		return VIOLATION(c, "band", where, "the integer key %" PRId64
				 " is missing: n_bands counts it", i);
	if (!mapping(band, "model_state"))
		rc = VIOLATION(c, "band", where, "band %" PRId64 " has no "
			       "model_state", i);
	if (!rc && !part(band, "processor_state"))
		rc = VIOLATION(c, "band", where, "band %" PRId64 " has no "
			       "processor_state", i);
	if (!rc && (!part(band, "cfg") || !omegaconf_is(part(band, "cfg"))))
		rc = VIOLATION(c, "band", where, "cfg of band %" PRId64 " is "
			       "no DictConfig object", i);
	return rc;
}

int check_diffusion(struct ferry_document *doc, struct ferry_findings *out,
		    struct ferry_error *err)
{
	const struct ferry_value *bands, *rate;
	struct checking c;
	int rc = begin(&c, doc, out, err);

	if (!c.root)
		return rc;
	rate = part(c.root, "sample_rate");
	bands = part(c.root, "n_bands");
	if (!rate || rate->kind != FERRY_INT || rate->u.i < 1)
		rc = VIOLATION(&c, "sample-rate", "sample_rate", "sample_rate "
			       "is no positive integer");
	if (!rc && (!bands || bands->kind != FERRY_INT ||
		    bands->flags & FERRY_BIG || bands->u.i < 1 ||
		    bands->u.i > 1000))
		return VIOLATION(&c, "bands", "n_bands", "n_bands is no "
				 "integer from 1 to 1000");
	for (int64_t i = 0; !rc && i < bands->u.i; i++)
		rc = check_band(&c, i);
	return rc;
}
