/* A type whose check has options that nothing takes. */
#include "config.h"

#include "tests/plugins/mock.h"

static int recognise(struct ferry_document *doc, const char *file_name,
		     struct ferry_match *out)
{
	(void)doc;
	(void)file_name;
	(void)out;
	return 0;
}

static const struct ferry_option_spec options[] = {
	{ "release", NULL, "of nothing" },
	{ NULL, NULL, NULL }
};

static const struct ferry_artifact_type type = {
	.struct_size = sizeof(struct ferry_artifact_type),
	.name = "mock/half",
	.title = "mock of a half",
	.recognise = recognise,
	.check_options = options,
};

static const struct ferry_artifact_type *const types[] = { &type, NULL };

FERRY_PLUGIN_EXPORT = {
	.struct_size = sizeof(struct ferry_plugin),
	.abi_minor = FERRY_ABI_MINOR,
	.name = "half-check",
	.version = "1",
	.license = "Apache-2.0",
	.description = "a mock",
	.types = types,
};
