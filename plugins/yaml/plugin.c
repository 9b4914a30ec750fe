/* YAML files as documents: PyYAML's and OmegaConf's. */
#include "config.h"

#include <string.h>

#include <ferry/sys/plugin.h>

#include "formats/yaml/yaml.h"

static const char *const suffixes[] = { ".yaml", ".yml", NULL };

static const struct ferry_option_spec read_options[] = {
	{ "schema", "pyyaml", "whose reading counts: pyyaml or omegaconf" },
	{ "duplicates", "warn",
	  "keys that stand twice: warn, take (the last) or refuse" },
	{ "max-size", "16MiB", "bytes of a file that is read" },
	{ NULL, NULL, NULL },
};

static const struct ferry_option_spec write_options[] = {
	{ "style", "omegaconf", "whose text is written: omegaconf or pyyaml" },
	{ "sort-keys", "no", "order mappings by their keys" },
	{ NULL, NULL, NULL },
};

/* ---- options ------------------------------------------------------------- */

/* Which of the words (NULL-terminated) an option is. */
static int option_word(const struct ferry_options *o, const char *name,
		       const char *const *words, unsigned *out,
		       struct ferry_error *err)
{
	const char *text = ferry_option(o, name);
	char shown[64];

	for (*out = 0; text && words[*out]; (*out)++)
		if (!strcmp(words[*out], text))
			return 0;
	if (!text) {
		*out = 0;
		return 0;
	}
	ferry_escape(shown, sizeof(shown), text, strlen(text));
	return ferry_fail(err, FERRY_MISUSE, "option", FERRY_NO_OFFSET,
			  "option %s is '%s': give %s or %s", name, shown,
			  words[0], words[1]);
}

static int get_reader(const struct ferry_options *o, struct yaml_reader *out,
		      struct ferry_error *err)
{
	static const char *const schemas[] = { "pyyaml", "omegaconf", NULL };
	static const char *const policies[] = {
		"warn", "take", "refuse", NULL,
	};
	unsigned schema, policy;
	int rc;

	memset(out, 0, sizeof(*out));
	rc = option_word(o, "schema", schemas, &schema, err);
	if (!rc)
		rc = option_word(o, "duplicates", policies, &policy, err);
	if (!rc && ferry_option(o, "max-size"))
		rc = ferry_option_bytes(o, "max-size", &out->max_nbytes, err);
	if (rc)
		return rc;
	out->schema = (enum yaml_schema)schema;
	out->duplicates = (enum yaml_duplicates)policy;
	return 0;
}

static int get_writer(const struct ferry_options *o, struct yaml_writer *out,
		      struct ferry_error *err)
{
	static const char *const styles[] = { "omegaconf", "pyyaml", NULL };
	unsigned style;
	int rc;

	memset(out, 0, sizeof(*out));
	rc = option_word(o, "style", styles, &style, err);
	if (!rc && ferry_option(o, "sort-keys"))
		rc = ferry_option_bool(o, "sort-keys", &out->sort_keys, err);
	if (!rc)
		out->style = (enum yaml_style)style;
	return rc;
}

/* ---- probing ------------------------------------------------------------- */

static bool has_suffix(const char *name, const char *suffix)
{
	size_t n = strlen(name), m = strlen(suffix);

	return n >= m && !strcmp(name + n - m, suffix);
}

/* Bytes that no YAML text has, or another format's first ones. */
static bool is_text(const struct ferry_probe *probe)
{
	for (size_t i = 0; i < probe->nhead; i++) {
		uint8_t c = probe->head[i];

		if ((c < 0x20 && c != '\t' && c != '\n' && c != '\r') ||
		    c == 0x7f)
			return false;
	}
	return true;
}

static bool is_utf16(const struct ferry_probe *probe)
{
	return probe->nhead >= 2 && (!memcmp(probe->head, "\xff\xfe", 2) ||
				     !memcmp(probe->head, "\xfe\xff", 2));
}

/* A line that is "key:" or "key: value", an item, or opens a collection. */
static bool has_key_line(const char *line, size_t n)
{
	const char *colon = memchr(line, ':', n);

	if (!n || *line == '#' || *line == '<')
		return false;
	if (*line == '{' || *line == '[' || (*line == '-' && n > 1 &&
					     line[1] == ' '))
		return true;
	if (!colon || colon == line)
		return false;
	colon++;
	return colon == line + n || *colon == ' ' || *colon == '\r';
}

static bool looks_like_yaml(const struct ferry_probe *probe)
{
	const char *p = (const char *)probe->head, *end = p + probe->nhead;

	while (p < end) {
		const char *eol = memchr(p, '\n', (size_t)(end - p));

		if (has_key_line(p, (size_t)((eol ? eol : end) - p)))
			return true;
		if (!eol)
			return false;
		p = eol + 1;
	}
	return false;
}

/* No magic: the name says it, and the head may agree. */
static int probe_yaml(const struct ferry_probe *probe)
{
	if (!has_suffix(probe->name, ".yaml") &&
	    !has_suffix(probe->name, ".yml"))
		return 0;
	if (is_utf16(probe))
		return 38;
	if (!is_text(probe))
		return 0;
	return looks_like_yaml(probe) ? 52 : 38;
}

/* ---- reading and writing -------------------------------------------------- */

static int read_yaml(const struct ferry_input *in, struct ferry_document *doc,
		     struct ferry_error *err)
{
	static const char *const names[] = { "pyyaml", "omegaconf" };
	struct yaml_reader reader;
	struct ferry_value *schema;
	int rc = get_reader(in->options, &reader, err);

	if (rc)
		return rc;
	reader.findings = doc->findings;
	rc = yaml_read_source(in->source, doc->store, &reader, &doc->root,
			      err);
	if (rc)
		return rc;
	doc->about = ferry_dict(doc->store, 1);
	schema = ferry_cstring(doc->store, names[reader.schema]);
	if (!doc->about || !schema ||
	    ferry_dict_set_str(doc->store, doc->about, "schema", schema))
		return ferry_fail_nomem(err, "a document");
	return 0;
}

static int write_yaml(struct ferry_document *doc, struct ferry_output *output,
		      const struct ferry_options *options,
		      struct ferry_findings *out, struct ferry_error *err)
{
	struct ferry_buffer text = FERRY_BUFFER_INIT;
	struct yaml_writer writer;
	struct ferry_sink *sink;
	int rc = get_writer(options, &writer, err);

	(void)out;
	if (!rc)
		rc = yaml_write(doc->store, doc->root, &writer, &text, err);
	if (!rc)
		rc = ferry_output_open(output, NULL, &sink, err);
	if (!rc)
		rc = ferry_sink_append(sink, text.data, text.n, err);
	ferry_buffer_release(&text);
	return rc;
}

static int losses_yaml(struct ferry_document *doc,
		       const struct ferry_options *options,
		       struct ferry_findings *out, struct ferry_error *err)
{
	struct yaml_writer writer;
	int rc = get_writer(options, &writer, err);

	return rc ? rc : yaml_losses(doc->store, doc->root, &writer, out, err);
}

static const struct ferry_format format = {
	.struct_size = sizeof(format),
	.name = "yaml",
	.title = "YAML",
	.suffixes = suffixes,
	.flags = FERRY_FORMAT_NESTED,
	.probe = probe_yaml,
	.read_options = read_options,
	.read = read_yaml,
	.write_options = write_options,
	.write = write_yaml,
	.losses = losses_yaml,
};

static const struct ferry_format *const formats[] = { &format, NULL };

FERRY_PLUGIN_EXPORT = {
	.struct_size = sizeof(struct ferry_plugin),
	.abi_minor = FERRY_ABI_MINOR,
	.name = "yaml",
	.version = VERSION,
	.license = "Apache-2.0",
	.description = "YAML files, as PyYAML and OmegaConf have them",
	.formats = formats,
};
