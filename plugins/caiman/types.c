/* The artifact types. */
#include "config.h"

#include "plugins/caiman/types.h"

#include "plugins/caiman/average.h"
#include "plugins/caiman/check.h"
#include "plugins/caiman/training_config.h"
#include "plugins/caiman/describe.h"
#include "plugins/caiman/release.h"
#include "plugins/caiman/shape.h"

/* As a resumed training and a validation without EMA take them. */
static int weights(struct ferry_document *doc, struct ferry_value **out,
		   struct ferry_error *err)
{
	struct ferry_value *v = at(doc->root, "state_dict");

	(void)err;
	*out = is_mapping(v) ? v : NULL;
	return 0;
}

static const char *const yaml[] = { ".yaml", ".yml", NULL };
static const char *const torch[] = { ".pt", NULL };
static const char *const hardware_suffixes[] = { ".hw.pt", ".pt", NULL };
static const char *const stats[] = { ".pt", ".npy", NULL };

static const struct ferry_option_spec by_release[] = {
	RELEASE_CHECK,
	{ NULL }
};

static const struct ferry_artifact_type config = {
	.struct_size = sizeof(struct ferry_artifact_type),
	.name = "caiman/config",
	.title = "training config of CAIMAN-ASR",
	.suffixes = yaml,
	.recognise = recognise_config,
	.describe = describe_config,
	.check = check_config,
	.check_by = check_config_by,
	.check_options = by_release,
};

static const struct ferry_artifact_type inference_config = {
	.struct_size = sizeof(struct ferry_artifact_type),
	.name = "caiman/inference-config",
	.title = "inference config of CAIMAN-ASR",
	.suffixes = yaml,
	.recognise = recognise_inference,
	.describe = describe_config,
	.check = check_inference,
	.check_by = check_inference_by,
	.check_options = by_release,
	.output_suffix = ".inference.yaml",
};

static const struct ferry_artifact_type training = {
	.struct_size = sizeof(struct ferry_artifact_type),
	.name = "caiman/training",
	.title = "training checkpoint of CAIMAN-ASR",
	.suffixes = torch,
	.recognise = recognise_training,
	.describe = describe_training,
	.check = check_training,
	.check_by = check_training_by,
	.check_options = by_release,
	.weights = weights,
	.average = average_training,
};

static const struct ferry_artifact_type hardware = {
	.struct_size = sizeof(struct ferry_artifact_type),
	.name = "caiman/hardware",
	.title = "hardware checkpoint of CAIMAN-ASR, for the inference server",
	.suffixes = hardware_suffixes,
	.recognise = recognise_hardware,
	.describe = describe_hardware,
	.check = check_hardware,
	.check_by = check_hardware_by,
	.check_options = by_release,
	.weights = weights,
	.output_suffix = ".hw.pt",
};

static const struct ferry_artifact_type mel_stats = {
	.struct_size = sizeof(struct ferry_artifact_type),
	.name = "caiman/mel-stats",
	.title = "mel statistics of CAIMAN-ASR",
	.suffixes = stats,
	.recognise = recognise_stats,
	.check = check_stats,
	.dtypes = FERRY_DTYPE_BIT(FERRY_F32),
};

const struct ferry_artifact_type *const caiman_types[] = {
	&config, &inference_config, &training, &hardware, &mel_stats, NULL
};
