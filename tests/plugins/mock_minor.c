/* Compiled against a newer minor. */
#include "config.h"

#include "tests/plugins/mock.h"

FERRY_PLUGIN_EXPORT = {
	.struct_size = sizeof(struct ferry_plugin),
	.abi_minor = FERRY_ABI_MINOR + 7,
	.name = "minor",
	.version = "1",
};
