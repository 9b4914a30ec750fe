/* Weights as a state dict. */
#include "config.h"

#include "plugins/linnaeus/linnaeus.h"

static int note(struct ferry_findings *out, const char *code, const char *path,
		const char *text, struct ferry_error *err)
{
	return ferry_findings_add(out, FERRY_NOTE, code, path, FERRY_NO_OFFSET,
				  "%s", text) ?
	       ferry_fail_nomem(err, "findings") : 0;
}

static int training_losses(const struct ferry_conversion_args *args,
			   struct ferry_findings *out, struct ferry_error *err)
{
	static const char *const left[] = {
		"optimizer", "lr_scheduler", "epoch", "config", "iteration",
		"training_progress", "amp", "wandb_run_id", "metrics_tracker",
	};
	struct ferry_value *root = args->inputs[0]->root;
	int rc = 0;

	for (size_t i = 0; i < sizeof(left) / sizeof(*left) && !rc; i++)
		if (entry(root, left[i]))
			rc = note(out, "values", left[i], "left behind", err);
	return rc;
}

static int training_run(const struct ferry_conversion_args *args,
			struct ferry_error *err)
{
	struct ferry_value *model = entry(args->inputs[0]->root, "model");

	if (!model || !ferry_value_items(model))
		return ferry_fail(err, FERRY_UNSUPPORTED, "linnaeus",
				  FERRY_NO_OFFSET, "the checkpoint has no "
				  "weights under 'model'");
	args->out->root = model;
	if (!is_wrapped(model))
		return 0;
	return note(args->findings, "wrapped", "", "every name begins with "
		    "module.: --strip-prefix module. takes it off", err);
}

static int model_run(const struct ferry_conversion_args *args,
		     struct ferry_error *err)
{
	(void)err;
	args->out->root = args->inputs[0]->root;
	return 0;
}

static const struct ferry_role from_training[] = {
	{ .name = "training", .type = "linnaeus/training",
	  .help = "the checkpoint to take the weights of" },
	{ .name = NULL }
};

static const struct ferry_role from_model[] = {
	{ .name = "model", .type = "linnaeus/model", .help = "the weights" },
	{ .name = NULL }
};

const struct ferry_conversion training_to_weights = {
	.struct_size = sizeof(struct ferry_conversion),
	.name = "linnaeus-training-to-state-dict",
	.title = "take the weights out of a checkpoint",
	.roles = from_training,
	.output = "state-dict",
	.cost = 1,
	.losses = training_losses,
	.run = training_run,
};

const struct ferry_conversion model_to_weights = {
	.struct_size = sizeof(struct ferry_conversion),
	.name = "linnaeus-model-to-state-dict",
	.title = "the weights of a model as any state dict",
	.roles = from_model,
	.output = "state-dict",
	.cost = 1,
	.run = model_run,
};
