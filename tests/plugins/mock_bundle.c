/*
 * Two formats: "part", a file of "PART" and a text, and "bundle", a directory
 * with a file bundle.txt whose lines name the parts that are read; any other
 * file in it is let be.  A bundle is a mapping of names to texts.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "tests/plugins/mock.h"

#define INDEX "bundle.txt"
#define WORD "PART"

static int probe_part(const struct ferry_probe *p)
{
	return mock_probe_word(p, WORD);
}

static int read_part(const struct ferry_input *in, struct ferry_document *doc,
		     struct ferry_error *err)
{
	uint64_t n = in->source->nbytes;
	char *data;
	int rc;

	if (n < 4 || n > 1 << 20)
		return ferry_fail(err, FERRY_MALFORMED, "part", 0,
				  "a part of %llu bytes", (unsigned long long)n);
	data = ferry_store_alloc(doc->store, (size_t)n);
	if (!data)
		return ferry_fail_nomem(err, "a part");
	rc = ferry_source_read(in->source, data, 0, (size_t)n, err);
	if (!rc && n > 4 && !memchr(data + 4, '.', (size_t)n - 4))
		rc = ferry_findings_add(doc->findings, FERRY_WARNING,
					"no-stop", "", 4, "has no full stop");
	if (rc)
		return rc;
	doc->root = ferry_string_borrow(doc->store, data + 4, n - 4);
	return doc->root ? 0 : ferry_fail_nomem(err, "a part");
}

static int write_part(struct ferry_document *doc, struct ferry_output *output,
		      const struct ferry_options *options,
		      struct ferry_findings *out, struct ferry_error *err)
{
	const struct ferry_value *v = doc->root;
	struct ferry_sink *sink;
	int rc = ferry_output_open(output, NULL, &sink, err);

	(void)options;
	(void)out;
	if (!rc)
		rc = ferry_sink_append(sink, WORD, 4, err);
	return rc ? rc : ferry_sink_append(sink, v->u.s.data,
					   (size_t)v->u.s.nbytes, err);
}

static int lose_part(struct ferry_document *doc,
		     const struct ferry_options *options,
		     struct ferry_findings *out, struct ferry_error *err)
{
	(void)options;
	if (doc->root->kind == FERRY_STRING)
		return 0;
	return ferry_findings_add(out, FERRY_WARNING, "values", "",
				  FERRY_NO_OFFSET, "a part is a text") ?
	       ferry_fail_nomem(err, "findings") : 0;
}

/* A text that ends in "!" is not sound. */
static int verify_part(const struct ferry_input *in, struct ferry_document *doc,
		       struct ferry_work *work, struct ferry_findings *out,
		       struct ferry_error *err)
{
	const struct ferry_value *v = doc->root;

	(void)in;
	work->done += v->u.s.nbytes;
	if (!v->u.s.nbytes || v->u.s.data[v->u.s.nbytes - 1] != '!')
		return 0;
	return ferry_findings_add(out, FERRY_VIOLATION, "loud", "", 4,
				  "the text is loud") ?
	       ferry_fail_nomem(err, "findings") : 0;
}

static int scan_part(const struct ferry_input *in, struct ferry_store *store,
		     struct ferry_value **out, struct ferry_error *err)
{
	*out = ferry_dict(store, 1);
	if (!*out ||
	    ferry_dict_set_str(store, *out, "dangerous", ferry_int(store, 1)) ||
	    ferry_dict_set_str(store, *out, "weights_only",
			       ferry_cstring(store, in->source->nbytes > 9 ?
					     "refused" : "allowed")))
		return ferry_fail_nomem(err, "a scan");
	return 0;
}

/* ---- the directory ------------------------------------------------------- */

static int probe_bundle(const struct ferry_probe *p)
{
	for (size_t i = 0; i < p->n_names; i++)
		if (!strcmp(p->names[i], INDEX))
			return 100;
	return !strcmp(p->name, "bundle") ? 20 : 0;
}

static int read_line(const struct ferry_input *in, struct ferry_document *doc,
		     const char *name, struct ferry_error *err)
{
	struct ferry_document *part;
	int rc = ferry_input_document(in, name, doc->store, &part, err);

	if (rc)
		return rc;
	if (ferry_dict_set_str(doc->store, doc->root, name, part->root))
		rc = ferry_fail_nomem(err, "a bundle");
	ferry_document_free(part);
	return rc;
}

static int read_bundle(const struct ferry_input *in, struct ferry_document *doc,
		       struct ferry_error *err)
{
	struct ferry_source *src;
	char *text, *line, *end;
	int rc = ferry_input_sibling(in, INDEX, &src, err);

	if (rc)
		return rc;
	doc->root = ferry_dict(doc->store, 0);
	text = ferry_store_alloc(doc->store, (size_t)src->nbytes + 1);
	rc = doc->root && text ? ferry_source_read(src, text, 0,
						   (size_t)src->nbytes, err) :
	     ferry_fail_nomem(err, "a bundle");
	if (!rc)
		text[src->nbytes] = '\0';
	for (line = text; !rc && *line; line = end + 1) {
		end = strchr(line, '\n');
		if (!end)
			return ferry_fail(err, FERRY_MALFORMED, "bundle",
					  FERRY_NO_OFFSET, "no newline");
		*end = '\0';
		rc = read_line(in, doc, line, err);
	}
	ferry_source_unref(src);
	return rc;
}

static int lose_bundle(struct ferry_document *doc,
		       const struct ferry_options *options,
		       struct ferry_findings *out, struct ferry_error *err)
{
	(void)options;
	if (doc->root->kind == FERRY_DICT)
		return 0;
	return ferry_findings_add(out, FERRY_WARNING, "values", "",
				  FERRY_NO_OFFSET, "a bundle is a mapping") ?
	       ferry_fail_nomem(err, "findings") : 0;
}

static const struct ferry_option_spec write_options[] = {
	{ "fail-after", NULL, "fail when that many parts are written" },
	{ NULL, NULL, NULL },
};

static int write_pair(const struct ferry_pair *p, struct ferry_document *doc,
		      struct ferry_output *output, struct ferry_sink *index,
		      struct ferry_findings *out, struct ferry_error *err)
{
	struct ferry_document part = *doc;
	char name[512];
	int rc;

	snprintf(name, sizeof(name), "%.*s", (int)p->key->u.s.nbytes,
		 p->key->u.s.data);
	part.root = p->value;
	rc = ferry_output_document(output, name, &part, "part", NULL, 0, out,
				   err);
	if (!rc)
		rc = ferry_sink_append(index, name, strlen(name), err);
	return rc ? rc : ferry_sink_append(index, "\n", 1, err);
}

static int write_bundle(struct ferry_document *doc,
			struct ferry_output *output,
			const struct ferry_options *options,
			struct ferry_findings *out, struct ferry_error *err)
{
	const char *text = ferry_option(options, "fail-after");
	unsigned long most = text ? strtoul(text, NULL, 10) : UINT32_MAX;
	const struct ferry_value *root = doc->root;
	struct ferry_sink *index;
	int rc = ferry_output_open(output, INDEX, &index, err);

	for (uint32_t i = 0; i < root->u.dict.n && !rc; i++)
		rc = i == most ? ferry_fail(err, FERRY_IO, "bundle",
					    FERRY_NO_OFFSET, "told to fail") :
		     write_pair(&root->u.dict.pairs[i], doc, output, index, out,
				err);
	return rc;
}

/* ---- the plugin ---------------------------------------------------------- */

static const char *const part_suffixes[] = { ".part", NULL };

static const struct ferry_format part = {
	.struct_size = sizeof(struct ferry_format),
	.name = "part",
	.title = "mock of a part",
	.suffixes = part_suffixes,
	.flags = FERRY_FORMAT_NESTED | FERRY_FORMAT_OBJECTS,
	.probe = probe_part,
	.read = read_part,
	.write = write_part,
	.losses = lose_part,
	.verify = verify_part,
	.scan = scan_part,
};

static const struct ferry_format bundle = {
	.struct_size = sizeof(struct ferry_format),
	.name = "bundle",
	.title = "mock of a directory",
	.flags = FERRY_FORMAT_DIRECTORY | FERRY_FORMAT_NESTED |
		 FERRY_FORMAT_OBJECTS,
	.probe = probe_bundle,
	.read = read_bundle,
	.write_options = write_options,
	.write = write_bundle,
	.losses = lose_bundle,
};

static const struct ferry_format *const formats[] = { &part, &bundle, NULL };

FERRY_PLUGIN_EXPORT = {
	.struct_size = sizeof(struct ferry_plugin),
	.abi_minor = FERRY_ABI_MINOR,
	.name = "bundle",
	.version = "1",
	.license = "Apache-2.0",
	.description = "a mock",
	.formats = formats,
};
