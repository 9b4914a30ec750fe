/*
 * Artifact types a to g and ways between them: a > b > c without loss, a > c
 * with one, two equal ones a > e, one that needs a document and one that needs
 * a file beside a, one that fails, one that gives nothing.
 */
#include "config.h"

#include <stdio.h>

#include "tests/plugins/mock.h"

/* ---- a format of notes --------------------------------------------------- */

static int probe(const struct ferry_probe *p)
{
	return mock_probe_word(p, "NOTE");
}

static int write_note(struct ferry_document *doc, struct ferry_output *output,
		      const struct ferry_options *options,
		      struct ferry_findings *out, struct ferry_error *err)
{
	const struct ferry_value *text = ferry_dict_get(doc->root, "text");
	const char *ending = ferry_option(options, "ending");
	struct ferry_sink *sink;
	int rc = ferry_output_open(output, NULL, &sink, err);

	(void)out;
	if (!rc)
		rc = ferry_sink_append(sink, text->u.s.data,
				       (size_t)text->u.s.nbytes, err);
	if (!rc)
		rc = ferry_sink_append(sink, ending, strlen(ending), err);
	return rc;
}

static const struct ferry_option_spec write_options[] = {
	{ "ending", "", "what to write at the end" },
	{ NULL, NULL, NULL }
};

static const struct ferry_option_spec read_options[] = {
	{ "colour", NULL, "of no use" },
	{ NULL, NULL, NULL }
};

static const char *const suffixes[] = { ".note", NULL };

static const struct ferry_format note = {
	.struct_size = sizeof(struct ferry_format),
	.name = "note",
	.title = "notes",
	.suffixes = suffixes,
	.flags = FERRY_FORMAT_NESTED | FERRY_FORMAT_OBJECTS,
	.probe = probe,
	.read_options = read_options,
	.read = mock_read,
	.write_options = write_options,
	.write = write_note,
};

/* ---- types: "NOTE a" is an a --------------------------------------------- */

static int recognise(struct ferry_document *doc, const char *name,
		     struct ferry_match *out)
{
	const struct ferry_value *text = ferry_dict_get(doc->root, "text");
	size_t n = strlen(name);

	if (!text || text->u.s.nbytes < 5 + n ||
	    memcmp(text->u.s.data + 5, name, n))
		return 0;
	out->score = 90;
	snprintf(out->reason, sizeof(out->reason), "it says so");
	return 0;
}

#define TYPE(letter, word) \
	static int recognise_##letter(struct ferry_document *doc, \
				      const char *file_name, \
				      struct ferry_match *out) \
	{ \
		(void)file_name; \
		return recognise(doc, word, out); \
	} \
	static const struct ferry_artifact_type type_##letter = { \
		.struct_size = sizeof(struct ferry_artifact_type), \
		.name = "mock/" #letter, \
		.title = "mock " #letter, \
		.recognise = recognise_##letter, \
	}

TYPE(a, "a");
TYPE(b, "b");
TYPE(c, "c");
TYPE(e, "e");
TYPE(f, "f");
TYPE(g, "g");
TYPE(h, "h");
TYPE(i, "i");
TYPE(config, "k");
TYPE(twin, "twin");
TYPE(other, "twin");

/* ---- conversions --------------------------------------------------------- */

/* The text with its letter replaced and the conversion's name appended. */
static int rewrite(const struct ferry_conversion_args *args, char letter,
		   const char *more, struct ferry_error *err)
{
	const struct ferry_value *text;
	char made[200];

	text = ferry_dict_get(args->inputs[0]->root, "text");
	snprintf(made, sizeof(made), "NOTE %c%.*s %s", letter,
		 (int)(text->u.s.nbytes - 6), text->u.s.data + 6, more);
	args->out->root = ferry_dict(args->store, 1);
	if (!args->out->root ||
	    ferry_dict_set_str(args->store, args->out->root, "text",
			       ferry_cstring(args->store, made)))
		return ferry_fail_nomem(err, "a mock");
	return 0;
}

#define CONVERSION(name_, letter, to, cost_, losses_, roles_, more) \
	static int run_##name_(const struct ferry_conversion_args *args, \
			       struct ferry_error *err) \
	{ \
		return rewrite(args, letter, more, err); \
	} \
	static const struct ferry_conversion name_ = { \
		.struct_size = sizeof(struct ferry_conversion), \
		.name = "mock-" #name_, \
		.title = "mock conversion", \
		.roles = roles_, \
		.output = to, \
		.cost = cost_, \
		.losses = losses_, \
		.run = run_##name_, \
	}

static int lose(const struct ferry_conversion_args *args,
		struct ferry_findings *out, struct ferry_error *err)
{
	(void)args;
	if (ferry_findings_add(out, FERRY_WARNING, "values", "text",
			       FERRY_NO_OFFSET, "half of the text goes"))
		return ferry_fail_nomem(err, "findings");
	return 0;
}

static const struct ferry_role from_a[] = {
	{ .name = "a", .type = "mock/a" }, { .name = NULL }
};
static const struct ferry_role from_b[] = {
	{ .name = "b", .type = "mock/b" }, { .name = NULL }
};
static const struct ferry_role with_config[] = {
	{ .name = "a", .type = "mock/a" },
	{ .name = "config", .type = "mock/config" }, { .name = NULL }
};
static const struct ferry_role with_file[] = {
	{ .name = "a", .type = "mock/a" },
	{ .name = "vocabulary", .type = NULL }, { .name = NULL }
};

CONVERSION(ab, 'b', "mock/b", 1, NULL, from_a, "ab");
CONVERSION(bc, 'c', "mock/c", 1, NULL, from_b, "bc");
CONVERSION(ac, 'c', "mock/c", 1, lose, from_a, "ac");
CONVERSION(ae1, 'e', "mock/e", 5, NULL, from_a, "ae1");
CONVERSION(ae2, 'e', "mock/e", 5, NULL, from_a, "ae2");
CONVERSION(af, 'f', "mock/f", 1, NULL, with_config, "af");
CONVERSION(ag, 'g', "mock/g", 1, NULL, with_file, "ag");

static int run_fail(const struct ferry_conversion_args *args,
		    struct ferry_error *err)
{
	(void)args;
	return ferry_fail(err, FERRY_MALFORMED, "mock", FERRY_NO_OFFSET,
			  "the note has no verbs");
}

static int run_nothing(const struct ferry_conversion_args *args,
		       struct ferry_error *err)
{
	(void)args;
	(void)err;
	return 0;
}

static const struct ferry_conversion ah = {
	.struct_size = sizeof(struct ferry_conversion),
	.name = "mock-ah", .title = "fails", .roles = from_a,
	.output = "mock/h", .cost = 1, .run = run_fail,
};
static const struct ferry_conversion ai = {
	.struct_size = sizeof(struct ferry_conversion),
	.name = "mock-ai", .title = "gives nothing", .roles = from_a,
	.output = "mock/i", .cost = 1, .run = run_nothing,
};

static const struct ferry_format *const formats[] = { &note, NULL };
static const struct ferry_artifact_type *const types[] = {
	&type_a, &type_b, &type_c, &type_e, &type_f, &type_g, &type_h, &type_i,
	&type_config, &type_twin, &type_other, NULL
};
static const struct ferry_conversion *const conversions[] = {
	&ab, &bc, &ac, &ae1, &ae2, &af, &ag, &ah, &ai, NULL
};

FERRY_PLUGIN_EXPORT = {
	.struct_size = sizeof(struct ferry_plugin),
	.abi_minor = FERRY_ABI_MINOR,
	.name = "chain",
	.version = "1",
	.license = "Apache-2.0",
	.description = "types and ways between them",
	.formats = formats,
	.types = types,
	.conversions = conversions,
};
