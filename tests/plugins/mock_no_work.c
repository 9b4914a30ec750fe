/* A format that neither reads nor writes. */
#include "config.h"

#include "tests/plugins/mock.h"

static int probe(const struct ferry_probe *p)
{
	return mock_probe_word(p, "NONE");
}

static const struct ferry_format format = {
	.struct_size = sizeof(struct ferry_format),
	.name = "idle",
	.title = "mock of idle",
	.flags = FERRY_FORMAT_NESTED | FERRY_FORMAT_OBJECTS,
	.probe = probe,
};

static const struct ferry_format *const formats[] = { &format, NULL };

FERRY_PLUGIN_EXPORT = {
	.struct_size = sizeof(struct ferry_plugin),
	.abi_minor = FERRY_ABI_MINOR,
	.name = "no-work",
	.version = "1",
	.license = "Apache-2.0",
	.description = "a mock",
	.formats = formats,
};
