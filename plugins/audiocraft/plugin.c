/* AudioCraft: training checkpoints, exports, packs of diffusion models. */
#include "config.h"

#include "plugins/audiocraft/audiocraft.h"

#ifndef VERSION
#define VERSION "0"
#endif

static const struct ferry_format *const formats[] = {
	&unfinished_format, NULL
};

FERRY_PLUGIN_EXPORT = {
	.struct_size = sizeof(struct ferry_plugin),
	.abi_minor = FERRY_ABI_MINOR,
	.name = "audiocraft",
	.version = VERSION,
	.license = "Apache-2.0",
	.description = "AudioCraft's checkpoints and exports",
	.formats = formats,
	.types = audiocraft_types,
	.conversions = audiocraft_conversions,
};
