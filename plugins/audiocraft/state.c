/* Between checkpoints and state dicts. */
#include "config.h"

#include "plugins/audiocraft/audiocraft.h"

#include <string.h>

#include "formats/yaml/yaml.h"

static const struct {
	const char *name, *path[4];
} sources[] = {
	{ "model", { "model" } },
	{ "best-state", { "best_state", "model" } },
	{ "fsdp-best-state", { "fsdp_best_state", "model" } },
	{ "ema", { "ema", "state", "model" } },
};

static int find_source(const struct ferry_conversion_args *args,
		       struct ferry_value **out, struct ferry_error *err)
{
	const char *name = ferry_option(args->options, "source");
	struct ferry_value *v = args->inputs[0]->root;
	char shown[60];

	if (!name || !strcmp(name, "best")) {
		*out = best_model(v);
		if (is_truthy(part(v, "fsdp_best_state")) &&
		    (!*out || !is_truthy(*out)))
			return refuse_shard(args->inputs[0], err);
		return 0;
	}
	for (size_t i = 0; i < sizeof(sources) / sizeof(*sources); i++) {
		if (strcmp(sources[i].name, name))
			continue;
		for (size_t k = 0; sources[i].path[k]; k++)
			v = part(v, sources[i].path[k]);
		*out = v;
		return 0;
	}
	return ferry_fail(err, FERRY_MISUSE, "audiocraft", FERRY_NO_OFFSET,
			  "source=%s: give best, model, best-state, "
			  "fsdp-best-state or ema",
			  ferry_escape(shown, sizeof(shown), name,
				       strlen(name)));
}

CONVERSION(run_training_state)
{
	struct ferry_value *weights = NULL;
	int rc = find_source(args, &weights, err);

	if (rc)
		return rc;
	if (!weights || !ferry_value_items(weights) || !is_truthy(weights))
		return ferry_fail(err, FERRY_NOTFOUND, "audiocraft",
				  FERRY_NO_OFFSET, "the weights asked for are "
				  "missing or empty: --set source=... takes "
				  "others");
	args->out->root = same_pairs(args->store, weights);
	return args->out->root ? 0 : ferry_fail_nomem(err, "weights");
}

/* ---- the other way ------------------------------------------------------------------ */

static int read_config(const struct ferry_conversion_args *args,
		       struct ferry_value **out, struct ferry_error *err)
{
	struct yaml_reader reader = {
		.schema = YAML_OMEGACONF, .findings = args->findings,
	};

	return yaml_read_source((struct ferry_source *)args->files[1],
				args->store, &reader, out, err);
}

static int check_flat(const struct ferry_value *items, struct ferry_error *err)
{
	char shown[160];

	for (uint32_t i = 0; i < items->u.dict.n; i++) {
		const struct ferry_pair *pair = &items->u.dict.pairs[i];

		if (pair->key->kind == FERRY_STRING &&
		    ferry_value_payload(pair->value)->kind == FERRY_TENSOR)
			continue;
		if (pair->key->kind == FERRY_STRING)
			ferry_escape(shown, sizeof(shown),
				     pair->key->u.s.data, pair->key->u.s.nbytes);
		else
			strcpy(shown, "a key");
		return ferry_fail(err, FERRY_UNSUPPORTED, "audiocraft",
				  FERRY_NO_OFFSET, "%s is no name of a tensor: "
				  "best_state of an export holds nothing else",
				  shown);
	}
	return 0;
}

static int state_export(const struct ferry_conversion_args *args,
			enum family wanted, struct ferry_error *err)
{
	struct ferry_value *weights = args->inputs[0]->root, *config;
	struct ferry_value *items = ferry_value_items(weights);
	int rc = read_config(args, &config, err);

	if (!rc && !items)
		rc = ferry_fail(err, FERRY_UNSUPPORTED, "audiocraft",
				FERRY_NO_OFFSET, "the weights are no mapping");
	if (!rc)
		rc = check_flat(items, err);
	if (!rc && is_hf_encodec(items)) {
		rc = rename_hf_encodec(args->store, items, &weights, err);
		if (!rc)
			rc = tell(args->findings, FERRY_NOTE, "names", "", err,
				  "names of Hugging Face's EnCodec became "
				  "AudioCraft's");
	}
	if (!rc)
		rc = require_family(family_of(args->store, config, weights,
					      NULL), wanted, err);
	return rc ? rc : build_export(args, weights, config, err);
}

CONVERSION(run_state_export_lm)
{
	return state_export(args, FAMILY_LM, err);
}

CONVERSION(run_state_export_compression)
{
	return state_export(args, FAMILY_COMPRESSION, err);
}
