/* Exports back to what a solver continues from. */
#include "config.h"

#include "plugins/audiocraft/audiocraft.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define MONO 4			/* codebooks of a mono model */

static int refuse(struct ferry_error *err, const char *text)
{
	return ferry_fail(err, FERRY_UNSUPPORTED, "audiocraft",
			  FERRY_NO_OFFSET, "%s", text);
}

/* The flat weights of an export. */
static int flat_weights(struct ferry_document *doc, struct ferry_value **out,
			struct ferry_error *err)
{
	*out = part(doc->root, "best_state");
	if (part(doc->root, "pretrained"))
		return refuse(err, "the file only names a pretrained model: "
			      "there are no weights in it");
	if (!*out || !ferry_value_items(*out))
		return refuse(err, "best_state is missing: there are no "
			      "weights in it");
	if (mapping(*out, "model"))
		return refuse(err, "best_state has a 'model': the weights are "
			      "wrapped already");
	return 0;
}

/* ---- mono to stereo --------------------------------------------------------------- */

static struct ferry_value *numbered(const struct ferry_value *weights,
				    const char *stem, unsigned k)
{
	char name[40];

	snprintf(name, sizeof(name), "%s.%u.weight", stem, k);
	return part(weights, name);
}

static int check_mono(const struct ferry_value *weights,
		      struct ferry_error *err)
{
	for (unsigned k = 0; k < MONO; k++)
		if (!numbered(weights, "linears", k) ||
		    !numbered(weights, "emb", k))
			return ferry_fail(err, FERRY_UNSUPPORTED, "audiocraft",
					  FERRY_NO_OFFSET, "linears.%u.weight "
					  "or emb.%u.weight is missing: stereo "
					  "is made of a model of %u codebooks",
					  k, k, MONO);
	if (numbered(weights, "linears", MONO) || numbered(weights, "emb",
							   MONO))
		return refuse(err, "linears.4.weight or emb.4.weight is there: "
			      "the model has more codebooks than a mono one");
	return 0;
}

/* Both channels of a codebook begin as the mono one. */
static struct ferry_value *stereo_weights(struct ferry_store *store,
					  struct ferry_value *mono)
{
	const struct ferry_value *items = ferry_value_items(mono);
	struct entries e;
	char name[40];

	entries_begin(&e, store);
	if (!e.failed)
		e.failed = ferry_dict_replace(store, e.dict, items->u.dict.pairs,
					      items->u.dict.n);
	for (unsigned k = 0; k < 2 * MONO; k++) {
		snprintf(name, sizeof(name), "linears.%u.weight", k);
		entries_add(&e, name, numbered(mono, "linears", k / 2));
		snprintf(name, sizeof(name), "emb.%u.weight", k);
		entries_add(&e, name, numbered(mono, "emb", k / 2));
	}
	return e.failed ? NULL : e.dict;
}

static int run_stereo(const struct ferry_conversion_args *args,
		      struct ferry_value *weights, struct ferry_error *err)
{
	struct entries model, e;
	int rc = check_mono(weights, err);

	if (rc)
		return rc;
	entries_begin(&model, args->store);
	entries_add(&model, "model", stereo_weights(args->store, weights));
	entries_begin(&e, args->store);
	entries_add(&e, "best_state", model.failed ? NULL : model.dict);
	return entries_root(&e, args->out, err);
}

/* ---- wrapping ---------------------------------------------------------------------- */

static int option_set(const struct ferry_conversion_args *args,
		      const char *name, bool *out, struct ferry_error *err)
{
	*out = false;
	return ferry_option(args->options, name) ?
	       ferry_option_bool(args->options, name, out, err) : 0;
}

static int wrap(const struct ferry_conversion_args *args,
		struct ferry_value *weights, struct ferry_error *err)
{
	struct ferry_value *config = part(args->inputs[0]->root, "xp.cfg");
	struct entries model, e;
	bool is_struct;
	int rc = option_set(args, "struct", &is_struct, err);

	if (!rc && config)
		rc = config_object(args->store, config, args->options,
				   is_struct, &config, err);
	if (rc)
		return rc;
	entries_begin(&model, args->store);
	entries_add(&model, "model", same_pairs(args->store, weights));
	entries_begin(&e, args->store);
	entries_add(&e, "best_state", model.failed ? NULL : model.dict);
	entries_add(&e, "fsdp_best_state", ferry_dict(args->store, 0));
	if (config)
		entries_add(&e, "xp.cfg", config);
	return entries_root(&e, args->out, err);
}

CONVERSION(run_wrap)
{
	struct ferry_value *weights;
	bool stereo;
	int rc = option_set(args, "stereo", &stereo, err);

	if (!rc)
		rc = flat_weights(args->inputs[0], &weights, err);
	if (rc)
		return rc;
	return stereo ? run_stereo(args, weights, err)
		      : wrap(args, weights, err);
}

CONVERSION(run_export_state)
{
	struct ferry_value *weights;
	int rc = flat_weights(args->inputs[0], &weights, err);

	if (rc)
		return rc;
	args->out->root = same_pairs(args->store, weights);
	return args->out->root ? 0 : ferry_fail_nomem(err, "weights");
}
