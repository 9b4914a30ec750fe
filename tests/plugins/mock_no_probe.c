/* A format without a probe. */
#include "config.h"

#include "tests/plugins/mock.h"

static const struct ferry_format format = {
	.struct_size = sizeof(struct ferry_format),
	.name = "unprobed",
	.title = "mock of unprobed",
	.flags = FERRY_FORMAT_NESTED | FERRY_FORMAT_OBJECTS,
	.read = mock_read,
};

static const struct ferry_format *const formats[] = { &format, NULL };

FERRY_PLUGIN_EXPORT = {
	.struct_size = sizeof(struct ferry_plugin),
	.abi_minor = FERRY_ABI_MINOR,
	.name = "no-probe",
	.version = "1",
	.license = "Apache-2.0",
	.description = "a mock",
	.formats = formats,
};
