/* Files as they are: one run of bytes, or a text. */
#include "config.h"

#include <string.h>

#include <ferry/sys/plugin.h>

/* Endings of files whose content is nobody's format here.  ".bin" is not one
 * of them: frameworks call checkpoints so. */
static const char *const suffixes[] = {
	".raw", ".model", ".vocab", ".txt", NULL,
};

#define LOWEST_SCORE 1

static int raw_probe(const struct ferry_probe *probe)
{
	size_t n = strlen(probe->name), m;

	for (const char *const *suffix = suffixes; *suffix; suffix++) {
		m = strlen(*suffix);
		if (n > m && !strcmp(probe->name + n - m, *suffix))
			return LOWEST_SCORE;
	}
	return 0;
}

static int raw_read(const struct ferry_input *in, struct ferry_document *doc,
		    struct ferry_error *err)
{
	struct ferry_source *src = ferry_source_ref(in->source);

	if (ferry_store_take_source(doc->store, src)) {
		ferry_source_unref(src);
		return ferry_fail_nomem(err, "a document");
	}
	doc->root = ferry_bytes_range(doc->store, src, 0, src->nbytes, 0);
	return doc->root ? 0 : ferry_fail_nomem(err, "a document");
}

/* No loss that could be allowed: nothing else can be written at all. */
static int raw_losses(struct ferry_document *doc,
		      const struct ferry_options *options,
		      struct ferry_findings *out, struct ferry_error *err)
{
	const struct ferry_value *v = doc->root;

	(void)options;
	(void)out;
	if (v->kind == FERRY_BYTES || v->kind == FERRY_STRING)
		return 0;
	return ferry_fail(err, FERRY_UNSUPPORTED, "raw", FERRY_NO_OFFSET,
			  "raw is the content of one value of kind bytes or "
			  "str, and the document is of kind %s: choose one in "
			  "it with --select PATH", ferry_kind_name(v->kind));
}

static int write_range(struct ferry_sink *sink, const struct ferry_value *v,
		       struct ferry_error *err)
{
	struct ferry_transfer t = {
		.source = v->u.range.source,
		.source_offset = v->u.range.offset,
		.nbytes = v->u.range.nbytes,
	};

	return t.nbytes ? ferry_sink_transfer(sink, &t, 1, err) : 0;
}

static int raw_write(struct ferry_document *doc, struct ferry_output *output,
		     const struct ferry_options *options,
		     struct ferry_findings *out, struct ferry_error *err)
{
	const struct ferry_value *v = doc->root;
	struct ferry_sink *sink;
	int rc = raw_losses(doc, options, out, err);

	if (!rc)
		rc = ferry_output_open(output, NULL, &sink, err);
	if (rc)
		return rc;
	if (v->kind == FERRY_BYTES && v->flags & FERRY_RANGE)
		return write_range(sink, v, err);
	return ferry_sink_append(sink, v->u.s.data, (size_t)v->u.s.nbytes, err);
}

static const struct ferry_format format = {
	.struct_size = sizeof(format),
	.name = "raw",
	.title = "a file as it is: bytes",
	.suffixes = suffixes,
	.probe = raw_probe,
	.read = raw_read,
	.write = raw_write,
	.losses = raw_losses,
};

static const struct ferry_format *const formats[] = { &format, NULL };

FERRY_PLUGIN_EXPORT = {
	.struct_size = sizeof(struct ferry_plugin),
	.abi_minor = FERRY_ABI_MINOR,
	.name = "raw",
	.version = VERSION,
	.license = "Apache-2.0",
	.description = "single values out of documents and files into them",
	.formats = formats,
};
