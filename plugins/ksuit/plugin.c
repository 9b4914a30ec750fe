/* Checkpoints of ksuit and of its successor noether. */
#include "config.h"

#include "plugins/ksuit/ksuit.h"

#ifndef VERSION
#define VERSION "0"
#endif

static const struct ferry_format *const formats[] = { &run_format, NULL };

const struct ferry_conversion *const ksuit_conversions[] = {
	&model_upgrade, &ema_upgrade, &optimizer_upgrade, &trainer_upgrade,
	&run_upgrade, &model_previous, &ema_previous, &optimizer_previous,
	&run_previous, &model_to_state_dict, &ema_to_state_dict,
	&state_dict_to_model, &state_dict_to_ema, &ema_to_model, &run_to_model,
	&run_to_ema, &model_to_run, &ema_to_run, NULL
};

FERRY_PLUGIN_EXPORT = {
	.struct_size = sizeof(struct ferry_plugin),
	.abi_minor = FERRY_ABI_MINOR,
	.name = "ksuit",
	.version = VERSION,
	.license = "Apache-2.0",
	.description = "models, optimizers, trainers and runs of ksuit and "
		       "noether",
	.formats = formats,
	.types = ksuit_types,
	.conversions = ksuit_conversions,
};
