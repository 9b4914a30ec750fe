/* safetensors as a format. */
#include "config.h"

#include <ferry/sys/plugin.h>

#include "formats/safetensors/safetensors.h"

static const char *const suffixes[] = {
	".safetensors", ".safetensors.index.json", NULL,
};

static const struct ferry_format format = {
	.struct_size = sizeof(format),
	.name = "safetensors",
	.title = "safetensors",
	.suffixes = suffixes,
	.flags = FERRY_FORMAT_TENSORS | FERRY_FORMAT_LOSSLESS |
		 FERRY_FORMAT_SHARDS,
	.dtypes = ~UINT64_C(0),
	.probe = safetensors_probe,
	.read_options = safetensors_read_options,
	.read = safetensors_read,
	.write_options = safetensors_write_options,
	.write = safetensors_write,
	.losses = safetensors_losses,
	.verify = safetensors_verify,
};

static const struct ferry_format *const formats[] = { &format, NULL };

FERRY_PLUGIN_EXPORT = {
	.struct_size = sizeof(struct ferry_plugin),
	.abi_minor = FERRY_ABI_MINOR,
	.name = "safetensors",
	.version = VERSION,
	.license = "Apache-2.0",
	.description = "safetensors files and sharded checkpoints",
	.formats = formats,
};
