/* A reader whose document has a hole. */
#include "config.h"

#include "tests/plugins/mock.h"

static int probe(const struct ferry_probe *p)
{
	return mock_probe_word(p, "HOLE");
}

static int read_file(const struct ferry_input *in, struct ferry_document *doc,
		     struct ferry_error *err)
{
	static struct ferry_value *items[1];

	(void)in;
	doc->root = ferry_sequence(doc->store, FERRY_LIST, 1);
	if (!doc->root)
		return ferry_fail_nomem(err, "a mock");
	doc->root->u.list.items = items;
	doc->root->u.list.n = 1;
	return 0;
}

static const struct ferry_format format = {
	.struct_size = sizeof(struct ferry_format),
	.name = "hollow",
	.title = "mock of hollow",
	.flags = FERRY_FORMAT_NESTED | FERRY_FORMAT_OBJECTS,
	.probe = probe,
	.read = read_file,
};

static const struct ferry_format *const formats[] = { &format, NULL };

FERRY_PLUGIN_EXPORT = {
	.struct_size = sizeof(struct ferry_plugin),
	.abi_minor = FERRY_ABI_MINOR,
	.name = "hollow",
	.version = "1",
	.license = "Apache-2.0",
	.description = "a mock",
	.formats = formats,
};
