/* linnaeus: image classification over taxonomies. */
#include "config.h"

#include "plugins/linnaeus/linnaeus.h"

#ifndef VERSION
#define VERSION "0"
#endif

static const struct ferry_conversion *const conversions[] = {
	&training_to_config, &training_to_weights, &model_to_weights,
	&stitch_checkpoint, &stitch_weights, NULL
};

FERRY_PLUGIN_EXPORT = {
	.struct_size = sizeof(struct ferry_plugin),
	.abi_minor = FERRY_ABI_MINOR,
	.name = "linnaeus",
	.version = VERSION,
	.license = "Apache-2.0",
	.description = "linnaeus: training checkpoints, configs, pretrained "
		       "weights",
	.types = linnaeus_types,
	.conversions = conversions,
};
