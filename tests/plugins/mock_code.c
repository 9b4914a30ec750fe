/* A reader that returns what is no code. */
#include "config.h"

#include "tests/plugins/mock.h"

static int probe(const struct ferry_probe *p)
{
	return mock_probe_word(p, "CODE");
}

static int read_file(const struct ferry_input *in, struct ferry_document *doc,
		     struct ferry_error *err)
{
	(void)in;
	(void)doc;
	(void)err;
	return 7;
}

static const struct ferry_format format = {
	.struct_size = sizeof(struct ferry_format),
	.name = "coded",
	.title = "mock of coded",
	.flags = FERRY_FORMAT_NESTED | FERRY_FORMAT_OBJECTS,
	.probe = probe,
	.read = read_file,
};

static const struct ferry_format *const formats[] = { &format, NULL };

FERRY_PLUGIN_EXPORT = {
	.struct_size = sizeof(struct ferry_plugin),
	.abi_minor = FERRY_ABI_MINOR,
	.name = "code",
	.version = "1",
	.license = "Apache-2.0",
	.description = "a mock",
	.formats = formats,
};
