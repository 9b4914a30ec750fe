/* JSON files as documents: plain values, or any document as typed JSON. */
#include "config.h"

#include <inttypes.h>
#include <string.h>

#include <ferry/sys/alloc.h>
#include <ferry/sys/plugin.h>

#include "formats/json/json.h"

#define MAX_NBYTES (UINT64_C(1) << 30)

static const char *const suffixes[] = { ".json", NULL };

static const struct ferry_option_spec write_options[] = {
	{ "indent", "2", "spaces of each level; 0: no line breaks" },
	{ NULL, NULL, NULL },
};

static bool has_suffix(const char *name, const char *suffix)
{
	size_t n = strlen(name), m = strlen(suffix);

	return n >= m && !strcmp(name + n - m, suffix);
}

/* Text that could go on as JSON, without a byte that JSON never has. */
static bool looks_like_json(const struct ferry_probe *probe)
{
	bool started = false;

	for (size_t i = 0; i < probe->nhead; i++) {
		uint8_t c = probe->head[i];

		if (c < 0x20 && c != '\t' && c != '\n' && c != '\r')
			return false;
		if (!started && c > 0x20) {
			started = true;
			if (!strchr("{[\"-0123456789tfn", c))
				return false;
		}
	}
	return started;
}

static int probe_json(const struct ferry_probe *probe)
{
	bool named = has_suffix(probe->name, ".json");
	uint8_t first = 0;

	if (!looks_like_json(probe))
		return 0;
	if (typed_json_probe((const char *)probe->head, probe->nhead))
		return 95;
	for (size_t i = 0; i < probe->nhead && first <= 0x20; i++)
		first = probe->head[i];
	if (first != '{' && first != '[')
		return named ? 60 : 0;
	return named ? 80 : 45;
}

static int load(const struct ferry_input *in, char **out,
		struct ferry_error *err)
{
	uint64_t n = in->source->nbytes;
	int rc;

	if (n > MAX_NBYTES)
		return ferry_fail(err, FERRY_LIMIT, "json", FERRY_NO_OFFSET,
				  "file has %" PRIu64 " bytes, the limit is "
				  "%" PRIu64, n, MAX_NBYTES);
	*out = ferry_alloc((size_t)n);
	if (!*out)
		return ferry_fail_nomem(err, "a JSON file");
	rc = ferry_source_read(in->source, *out, 0, (size_t)n, err);
	if (rc)
		ferry_alloc_free(*out);
	return rc;
}

static int read_json(const struct ferry_input *in, struct ferry_document *doc,
		     struct ferry_error *err)
{
	size_t n = (size_t)in->source->nbytes;
	struct ferry_value *typed;
	char *text;
	int rc = load(in, &text, err);

	if (rc)
		return rc;
	typed = ferry_bool(typed_json_probe(text, n));
	if (typed->u.b)
		rc = typed_json_read(text, n, doc->store, NULL, &doc->root,
				     err);
	else
		rc = json_read(text, n, doc->store, &doc->root, err);
	ferry_alloc_free(text);
	if (rc)
		return rc;
	doc->about = ferry_dict(doc->store, 1);
	if (!doc->about ||
	    ferry_dict_set_str(doc->store, doc->about, "typed", typed))
		return ferry_fail_nomem(err, "a document");
	return 0;
}

static int make_text(const struct ferry_document *doc, unsigned indent,
		     struct ferry_buffer *out, struct ferry_error *err)
{
	const struct typed_json_writer writer = { .drop_data = true };
	struct ferry_buffer typed = FERRY_BUFFER_INIT;
	int rc;

	if (json_is_plain(doc->root))
		return json_write(doc->root, indent, out, err);
	rc = typed_json_write(doc->root, &writer, indent ? &typed : out, err);
	if (!rc && indent)
		rc = json_indent(typed.data, typed.n, indent, out, err);
	ferry_buffer_release(&typed);
	return rc;
}

static int write_json(struct ferry_document *doc, struct ferry_output *output,
		      const struct ferry_options *options,
		      struct ferry_findings *out, struct ferry_error *err)
{
	struct ferry_buffer text = FERRY_BUFFER_INIT;
	struct ferry_sink *sink;
	uint64_t indent = 2;
	int rc = 0;

	(void)out;
	if (ferry_option(options, "indent"))
		rc = ferry_option_bytes(options, "indent", &indent, err);
	if (!rc && indent > 16)
		rc = ferry_fail(err, FERRY_MISUSE, "option", FERRY_NO_OFFSET,
				"option indent is %" PRIu64 ": give 0 to 16",
				indent);
	if (!rc)
		rc = make_text(doc, (unsigned)indent, &text, err);
	ferry_buffer_add(&text, "\n", 1);
	if (!rc && text.failed)
		rc = ferry_fail_nomem(err, "a JSON file");
	if (!rc)
		rc = ferry_output_open(output, NULL, &sink, err);
	if (!rc)
		rc = ferry_sink_append(sink, text.data, text.n, err);
	ferry_buffer_release(&text);
	return rc;
}

static const struct ferry_format format = {
	.struct_size = sizeof(format),
	.name = "json",
	.title = "JSON",
	.suffixes = suffixes,
	.flags = FERRY_FORMAT_NESTED | FERRY_FORMAT_OBJECTS,
	.probe = probe_json,
	.read = read_json,
	.write_options = write_options,
	.write = write_json,
};

static const struct ferry_format *const formats[] = { &format, NULL };

FERRY_PLUGIN_EXPORT = {
	.struct_size = sizeof(struct ferry_plugin),
	.abi_minor = FERRY_ABI_MINOR,
	.name = "json",
	.version = VERSION,
	.license = "Apache-2.0",
	.description = "JSON files, plain or typed",
	.formats = formats,
};
