/* Artifact types of weights as most training code saves them. */
#include "config.h"

#include "plugins/statedict/statedict.h"

#ifndef VERSION
#define VERSION "0"
#endif

FERRY_PLUGIN_EXPORT = {
	.struct_size = sizeof(struct ferry_plugin),
	.abi_minor = FERRY_ABI_MINOR,
	.name = "statedict",
	.version = VERSION,
	.license = "Apache-2.0",
	.description = "state dicts, checkpoints around them, pickled modules",
	.types = statedict_types,
	.conversions = statedict_conversions,
};
