/* A plugin of an ABI to come. */
#include "config.h"

#include "tests/plugins/mock.h"

FERRY_API extern const struct ferry_plugin ferry_plugin_v2;
const struct ferry_plugin ferry_plugin_v2 = {
	.struct_size = sizeof(struct ferry_plugin),
	.name = "major",
	.version = "1",
};
