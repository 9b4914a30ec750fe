/* Parts of a hardware checkpoint as artifacts of their own. */
#include "config.h"

#include "plugins/caiman/pieces.h"

#include <string.h>

#include "plugins/caiman/inference.h"
#include "plugins/caiman/shape.h"

static int note_rest(const struct ferry_conversion_args *args, const char *kept,
		     struct ferry_findings *out, struct ferry_error *err)
{
	const struct ferry_value *items =
		ferry_value_items(args->inputs[0]->root), *key;
	char name[80];

	for (uint32_t i = 0; items && i < items->u.dict.n; i++) {
		key = items->u.dict.pairs[i].key;
		if (key->kind != FERRY_STRING || ferry_value_is(key, kept))
			continue;
		ferry_escape(name, sizeof(name), key->u.s.data,
			     key->u.s.nbytes);
		if (ferry_findings_add(out, FERRY_NOTE, "values", name,
				       FERRY_NO_OFFSET, "'%s' is left behind",
				       name))
			return ferry_fail_nomem(err, "findings");
	}
	return 0;
}

static int take(const struct ferry_conversion_args *args, const char *key,
		struct ferry_error *err)
{
	struct ferry_value *v = at(args->inputs[0]->root, key);

	if (!is_mapping(v))
		return ferry_fail(err, FERRY_MALFORMED, "caiman",
				  FERRY_NO_OFFSET, "checkpoint has no %s", key);
	args->out->root = v;
	return 0;
}

/* ---- weights ------------------------------------------------------------------------ */

static int run_weights(const struct ferry_conversion_args *args,
		       struct ferry_error *err)
{
	return take(args, "state_dict", err);
}

static int losses_weights(const struct ferry_conversion_args *args,
			  struct ferry_findings *out, struct ferry_error *err)
{
	return note_rest(args, "state_dict", out, err);
}

/* ---- config ---------------------------------------------------------------------------- */

/* A whole config of release 1.2 to 1.5 goes through the schema. */
static int run_config(const struct ferry_conversion_args *args,
		      struct ferry_error *err)
{
	const struct release *release;
	struct releases all;
	struct ferry_value *config;
	int rc = take(args, "rnnt_config", err);

	if (rc || !at(args->out->root, "input_train"))
		return rc;
	rc = releases_load(args->store, &all, err);
	if (!rc)
		rc = release_wanted(&all, args->options, &release, err);
	if (!rc)
		rc = without_joint_lr_factor(args->store, args->out->root,
					     &config, err);
	return rc ? rc : release_config(args->store, release, config,
					&args->out->root, args->findings, err);
}

static int losses_config(const struct ferry_conversion_args *args,
			 struct ferry_findings *out, struct ferry_error *err)
{
	return note_rest(args, "rnnt_config", out, err);
}

/* ---- the conversions ---------------------------------------------------------------------- */

static const struct ferry_role from_hardware[] = {
	{ .name = "checkpoint", .type = "caiman/hardware",
	  .help = "the hardware checkpoint to take apart" },
	{ .name = NULL }
};

static const struct ferry_role from_training[] = {
	{ .name = "checkpoint", .type = "caiman/training",
	  .help = "the training checkpoint to take the weights of" },
	{ .name = NULL }
};

static int run_training(const struct ferry_conversion_args *args,
			struct ferry_error *err)
{
	const char *which = ferry_option(args->options, "take");

	if (!strcmp(which, "ema"))
		return take(args, "ema_state_dict", err);
	if (!strcmp(which, "raw"))
		return take(args, "state_dict", err);
	return ferry_fail(err, FERRY_MISUSE, "caiman", FERRY_NO_OFFSET,
			  "take must be raw or ema");
}

static int losses_training(const struct ferry_conversion_args *args,
			   struct ferry_findings *out, struct ferry_error *err)
{
	const char *which = ferry_option(args->options, "take");

	return note_rest(args, strcmp(which, "ema") ? "state_dict" :
			 "ema_state_dict", out, err);
}

static const struct ferry_option_spec take_options[] = {
	{ "take", "raw", "raw: state_dict, as training goes on from; ema: "
	  "ema_state_dict, as a hardware checkpoint has" },
	{ NULL }
};

static const struct ferry_option_spec release_options[] = {
	RELEASE_OPTION,
	{ NULL }
};

const struct ferry_conversion hardware_to_state_dict = {
	.struct_size = sizeof(struct ferry_conversion),
	.name = "caiman-hardware-to-state-dict",
	.title = "the weights of a hardware checkpoint",
	.roles = from_hardware,
	.output = "state-dict",
	.cost = 1,
	.losses = losses_weights,
	.run = run_weights,
};

const struct ferry_conversion training_to_state_dict = {
	.struct_size = sizeof(struct ferry_conversion),
	.name = "caiman-training-to-state-dict",
	.title = "the weights of a training checkpoint",
	.roles = from_training,
	.output = "state-dict",
	.cost = 1,
	.options = take_options,
	.losses = losses_training,
	.run = run_training,
};

const struct ferry_conversion hardware_to_inference = {
	.struct_size = sizeof(struct ferry_conversion),
	.name = "caiman-hardware-to-inference-config",
	.title = "the config of a hardware checkpoint",
	.roles = from_hardware,
	.output = "caiman/inference-config",
	.cost = 1,
	.options = release_options,
	.losses = losses_config,
	.run = run_config,
};
