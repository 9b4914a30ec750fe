/* A descriptor smaller than the first release had it. */
#include "config.h"

#include "tests/plugins/mock.h"

FERRY_PLUGIN_EXPORT = {
	.struct_size = 16,
	.name = "size",
	.version = "1",
};
