/* A name that is not well formed. */
#include "config.h"

#include "tests/plugins/mock.h"

FERRY_PLUGIN_EXPORT = {
	.struct_size = sizeof(struct ferry_plugin),
	.abi_minor = FERRY_ABI_MINOR,
	.name = "Bad Name",
	.version = "1",
};
