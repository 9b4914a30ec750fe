/* What a document is. */
#include "config.h"

#include "plugins/audiocraft/audiocraft.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "formats/omegaconf/omegaconf.h"

#define NAMES_LOOKED_AT 20000u

struct ferry_value *part(const struct ferry_value *holder, const char *key)
{
	struct ferry_value *items;

	items = holder ? ferry_value_items((struct ferry_value *)holder) : NULL;
	return items ? ferry_dict_get(items, key) : NULL;
}

struct ferry_value *mapping(const struct ferry_value *holder, const char *key)
{
	struct ferry_value *v = part(holder, key);

	return v ? ferry_value_items(v) : NULL;
}

bool is_truthy(const struct ferry_value *v)
{
	const struct ferry_value *items;

	if (!v || v->kind == FERRY_NONE || (v->kind == FERRY_BOOL && !v->u.b))
		return false;
	items = ferry_value_items((struct ferry_value *)v);
	return !items || items->u.dict.n;
}

struct ferry_value *best_model(const struct ferry_value *root)
{
	const struct ferry_value *fsdp = part(root, "fsdp_best_state");

	if (is_truthy(fsdp) && mapping(fsdp, "model"))
		return part(fsdp, "model");
	return part(part(root, "best_state"), "model");
}

/* ---- what is trained ---------------------------------------------------------- */

static const struct {
	const char *solver;
	enum family family;
} solvers[] = {
	{ "musicgen", FAMILY_LM },
	{ "audiogen", FAMILY_LM },
	{ "magnet", FAMILY_LM },
	{ "audio_magnet", FAMILY_LM },
	{ "jasco", FAMILY_LM },
	{ "lm", FAMILY_LM },
	{ "sound_lm", FAMILY_LM },
	{ "compression", FAMILY_COMPRESSION },
	{ "diffusion", FAMILY_DIFFUSION },
	{ "watermarking", FAMILY_WATERMARK },
};

const char *family_name(enum family family)
{
	static const char *const names[] = {
		[FAMILY_UNKNOWN] = "of an unknown kind",
		[FAMILY_LM] = "a language model",
		[FAMILY_COMPRESSION] = "a compression model",
		[FAMILY_DIFFUSION] = "a diffusion model",
		[FAMILY_WATERMARK] = "a watermarking model",
	};

	return names[family];
}

/* The solver's name in a configuration of any form, or NULL. */
static const struct ferry_value *solver_of(struct ferry_store *store,
					   struct ferry_value *config)
{
	const struct ferry_value *v;
	struct ferry_value *plain;

	if (!config)
		return NULL;
	if (config->kind != FERRY_STRING) {
		plain = omegaconf_at(config, "solver");
		v = plain ? omegaconf_value(plain) : NULL;
	} else {
		v = config_plain(store, config, NULL, &plain, NULL) ?
		    NULL : config_find(plain, "solver");
	}
	return v && v->kind == FERRY_STRING ? v : NULL;
}

static bool begins(const struct ferry_value *key, const char *prefix)
{
	size_t n = strlen(prefix);

	return key->kind == FERRY_STRING && key->u.s.nbytes >= n &&
	       !memcmp(key->u.s.data, prefix, n);
}

static enum family family_by_names(struct ferry_value *weights)
{
	const struct ferry_value *items, *key;
	unsigned lm = 0, coder = 0, quantizer = 0;

	items = weights ? ferry_value_items(weights) : NULL;
	for (uint32_t i = 0; items && i < items->u.dict.n &&
			     i < NAMES_LOOKED_AT; i++) {
		key = items->u.dict.pairs[i].key;
		lm += begins(key, "linears.") ||
		      begins(key, "transformer.layers.") ||
		      begins(key, "condition_provider.");
		coder += begins(key, "encoder.") || begins(key, "decoder.");
		quantizer += begins(key, "quantizer.");
	}
	if (lm)
		return FAMILY_LM;
	return coder && quantizer ? FAMILY_COMPRESSION : FAMILY_UNKNOWN;
}

enum family family_of(struct ferry_store *store, struct ferry_value *config,
		      struct ferry_value *weights,
		      const struct ferry_value **solver)
{
	const struct ferry_value *name = solver_of(store, config);

	if (solver)
		*solver = name;
	for (size_t i = 0; name && i < sizeof(solvers) / sizeof(*solvers); i++)
		if (ferry_value_is(name, solvers[i].solver))
			return solvers[i].family;
	return family_by_names(weights);
}

/* ---- documents ------------------------------------------------------------------ */

static enum artifact answer(struct ferry_match *out, enum artifact artifact,
			    int score, const char *fmt, ...)
	FERRY_PRINTF(4, 5);

static enum artifact answer(struct ferry_match *out, enum artifact artifact,
			    int score, const char *fmt, ...)
{
	va_list ap;

	out->score = score;
	va_start(ap, fmt);
	vsnprintf(out->reason, sizeof(out->reason), fmt, ap);
	va_end(ap);
	return artifact;
}

static struct ferry_value *at_int(const struct ferry_value *root, int64_t i)
{
	struct ferry_value key = { .kind = FERRY_INT };

	key.u.i = i;
	return ferry_dict_find(root, &key);
}

static enum artifact as_diffusion(const struct ferry_value *root,
				  struct ferry_match *out)
{
	const struct ferry_value *rate = ferry_dict_get(root, "sample_rate");
	const struct ferry_value *bands = ferry_dict_get(root, "n_bands");
	const struct ferry_value *first = at_int(root, 0);

	if (!rate || rate->kind != FERRY_INT || !bands ||
	    bands->kind != FERRY_INT ||
	    (first && !part(first, "model_state")))
		return ARTIFACT_OTHER;
	return answer(out, ARTIFACT_DIFFUSION, first ? 95 : 70,
		      "sample_rate, n_bands%s", first ? " and a model_state "
		      "under the key 0" : "");
}

static enum artifact as_audioseal(const struct ferry_value *root,
				  struct ferry_match *out)
{
	switch (seal_of(root)) {
	case SEAL_GENERATOR:
		return answer(out, ARTIFACT_AUDIOSEAL, 92, "model with an "
			      "embedding of a message's bits: a generator");
	case SEAL_DETECTOR:
		return answer(out, ARTIFACT_AUDIOSEAL, 92, "model that ends "
			      "in a reverse convolution and a head: a "
			      "detector");
	default:
		return ARTIFACT_OTHER;
	}
}

/* Weights under best_state, without a 'model' between. */
static bool is_flat(const struct ferry_value *root)
{
	return mapping(root, "best_state") &&
	       !mapping(part(root, "best_state"), "model");
}

static enum artifact as_export(struct ferry_document *doc,
			       const struct ferry_value *root,
			       struct ferry_match *out)
{
	struct ferry_value *config = part(root, "xp.cfg");
	const struct ferry_value *solver;
	bool marked = part(root, "exported");
	enum family family;
	char name[40] = "";

	if (marked && part(root, "pretrained"))
		return answer(out, ARTIFACT_EXPORT_COMPRESSION, 95,
			      "the name of a pretrained model, exported");
	if (!is_flat(root) || !(marked || (config &&
					   config->kind == FERRY_STRING)))
		return ARTIFACT_OTHER;
	family = family_of(doc->store, config, part(root, "best_state"),
			   &solver);
	if (solver)
		ferry_escape(name, sizeof(name), solver->u.s.data,
			     solver->u.s.nbytes);
	if (family != FAMILY_LM && family != FAMILY_COMPRESSION)
		return ARTIFACT_OTHER;
	return answer(out, family == FAMILY_LM ? ARTIFACT_EXPORT_LM :
		      ARTIFACT_EXPORT_COMPRESSION, marked ? 95 : 92,
		      "flat best_state and xp.cfg%s, %s %s",
		      marked ? ", exported" : " as text without a version",
		      solver ? "solver" : "by its names",
		      solver ? name : family_name(family));
}

/* What the name of the file adds to a reason. */
static const char *name_reason(const char *file_name)
{
	struct file_name name;

	if (!parse_file_name(file_name, &name))
		return "";
	switch (name.stage) {
	case STAGE_TMP:
		return "; .tmp: a save that was not renamed";
	case STAGE_OLD:
		return "; .old: left by a save that was cut off";
	default:
		return name.has_rank ? "; a shard by its name" : "";
	}
}

static enum artifact as_training(const struct ferry_value *root,
				 const char *file_name,
				 struct ferry_match *out)
{
	const struct ferry_value *config = part(root, "xp.cfg");
	const struct ferry_value *sig = part(root, "xp.sig");
	bool object = config && omegaconf_is(config);
	bool best = part(part(root, "best_state"), "model") ||
		    part(part(root, "fsdp_best_state"), "model");

	if (object || (sig && sig->kind == FERRY_STRING))
		return answer(out, ARTIFACT_TRAINING, best ? 96 : 90,
			      "%s%s%s%s%s", best ? "best_state.model" :
			      "no best_state", object ?
			      ", xp.cfg an OmegaConf object" : "",
			      sig ? ", xp.sig" : "",
			      part(root, "exported") ? ", yet exported" : "",
			      name_reason(file_name));
	if (!best)
		return ARTIFACT_OTHER;
	return answer(out, ARTIFACT_TRAINING, 88, "a model under %s%s",
		      part(part(root, "best_state"), "model") ?
		      "best_state" : "fsdp_best_state",
		      name_reason(file_name));
}

enum artifact document_artifact(struct ferry_document *doc,
				const char *file_name, struct ferry_match *out)
{
	const struct ferry_value *root = ferry_value_items(doc->root);
	enum artifact artifact = ARTIFACT_OTHER;

	if (!root)
		return ARTIFACT_OTHER;
	artifact = as_diffusion(root, out);
	if (!artifact)
		artifact = as_export(doc, root, out);
	if (!artifact)
		artifact = as_audioseal(root, out);
	return artifact ? artifact : as_training(root, file_name, out);
}
