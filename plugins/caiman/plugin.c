/* CAIMAN-ASR: streaming speech recognition (RNN-T). */
#include "config.h"

#include <ferry/sys/plugin.h>

#include "plugins/caiman/export.h"
#include "plugins/caiman/inference.h"
#include "plugins/caiman/migrate.h"
#include "plugins/caiman/pieces.h"
#include "plugins/caiman/types.h"

#ifndef VERSION
#define VERSION "0"
#endif

static const struct ferry_conversion *const conversions[] = {
	&config_to_inference, &training_to_hardware, &upgrade_training,
	&upgrade_hardware, &hardware_to_state_dict, &training_to_state_dict,
	&hardware_to_inference, NULL
};

FERRY_PLUGIN_EXPORT = {
	.struct_size = sizeof(struct ferry_plugin),
	.abi_minor = FERRY_ABI_MINOR,
	.name = "caiman",
	.version = VERSION,
	.license = "Apache-2.0",
	.description = "CAIMAN-ASR: configs, training and hardware checkpoints",
	.types = caiman_types,
	.conversions = conversions,
};
