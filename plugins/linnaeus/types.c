/* The artifact types. */
#include "config.h"

#include "plugins/linnaeus/linnaeus.h"

static int training_weights(struct ferry_document *doc,
			    struct ferry_value **out, struct ferry_error *err)
{
	struct ferry_value *v = entry(doc->root, "model");

	(void)err;
	*out = v && ferry_value_items(v) ? v : NULL;
	return 0;
}

static int model_weights(struct ferry_document *doc, struct ferry_value **out,
			 struct ferry_error *err)
{
	(void)err;
	*out = ferry_value_items(doc->root) ? doc->root : NULL;
	return 0;
}

static const char *const pth[] = { ".pth", NULL };
static const char *const yaml[] = { ".yaml", ".yml", NULL };

static const struct ferry_artifact_type training = {
	.struct_size = sizeof(struct ferry_artifact_type),
	.name = "linnaeus/training",
	.title = "training checkpoint of linnaeus",
	.suffixes = pth,
	.recognise = recognise_training,
	.describe = describe_training,
	.check = check_training,
	.weights = training_weights,
};

static const struct ferry_artifact_type config = {
	.struct_size = sizeof(struct ferry_artifact_type),
	.name = "linnaeus/config",
	.title = "config of linnaeus",
	.suffixes = yaml,
	.recognise = recognise_config,
	.describe = describe_config,
	.output_suffix = ".config.yaml",
};

static const struct ferry_artifact_type model = {
	.struct_size = sizeof(struct ferry_artifact_type),
	.name = "linnaeus/model",
	.title = "weights of mFormerV1",
	.recognise = recognise_model,
	.describe = describe_model,
	.weights = model_weights,
};

const struct ferry_artifact_type *const linnaeus_types[] = {
	&training, &config, &model, NULL
};
