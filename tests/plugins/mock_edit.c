/*
 * Types m and n over the notes of mock_chain, with what goes on around chains:
 * edits of m and n, an upgrade of m, a conversion m > n that reads the file its
 * note names ("NOTE m PATH"), hints, usual names of outputs, a mean of m.
 */
#include "config.h"

#include <stdio.h>

#include "tests/plugins/mock.h"

static const struct ferry_value *text_of(const struct ferry_document *doc)
{
	return ferry_dict_get(doc->root, "text");
}

static int recognise(struct ferry_document *doc, char letter,
		     struct ferry_match *out)
{
	const struct ferry_value *text = text_of(doc);

	if (!text || text->u.s.nbytes < 6 || text->u.s.data[5] != letter)
		return 0;
	out->score = 90;
	snprintf(out->reason, sizeof(out->reason), "it says so");
	return 0;
}

static int recognise_m(struct ferry_document *doc, const char *name,
		       struct ferry_match *out)
{
	(void)name;
	return recognise(doc, 'm', out);
}

static int recognise_n(struct ferry_document *doc, const char *name,
		       struct ferry_match *out)
{
	(void)name;
	return recognise(doc, 'n', out);
}

static int set_text(struct ferry_store *store, struct ferry_document *out,
		    const char *text, struct ferry_error *err)
{
	struct ferry_value *s = ferry_cstring(store, text);

	out->root = ferry_dict(store, 1);
	if (!s || !out->root || ferry_dict_set_str(store, out->root, "text", s))
		return ferry_fail_nomem(err, "a mock");
	return 0;
}

/* The input's text, and more. */
static int append(const struct ferry_conversion_args *args, const char *more,
		  struct ferry_error *err)
{
	const struct ferry_value *text = text_of(args->inputs[0]);
	char made[400];

	snprintf(made, sizeof(made), "%.*s%s", (int)text->u.s.nbytes,
		 text->u.s.data, more);
	return set_text(args->store, args->out, made, err);
}

/* ---- means --------------------------------------------------------------- */

static int average_m(struct ferry_document *const *docs, size_t n,
		     const struct ferry_options *options,
		     struct ferry_document *out,
		     struct ferry_findings *findings, struct ferry_error *err)
{
	const struct ferry_value *text = text_of(docs[0]);
	char made[400];

	if (ferry_findings_add(findings, FERRY_WARNING, "history", "",
			       FERRY_NO_OFFSET, "who came first is forgotten"))
		return ferry_fail_nomem(err, "findings");
	snprintf(made, sizeof(made), "%.*s of %zu by %s",
		 (int)text->u.s.nbytes, text->u.s.data, n,
		 ferry_option(options, "weighing"));
	return set_text(out->store, out, made, err);
}

static const struct ferry_option_spec average_options[] = {
	{ "weighing", "count", "how inputs weigh" },
	{ NULL, NULL, NULL }
};

/* ---- checks -------------------------------------------------------------- */

static int tell_check(struct ferry_findings *out, const char *text,
		      struct ferry_error *err)
{
	return ferry_findings_add(out, FERRY_NOTE, "check", "",
				  FERRY_NO_OFFSET, "%s", text) ?
	       ferry_fail_nomem(err, "findings") : 0;
}

static int check_m(struct ferry_document *doc, struct ferry_findings *out,
		   struct ferry_error *err)
{
	(void)doc;
	return tell_check(out, "as ever", err);
}

static int check_m_by(struct ferry_document *doc,
		      const struct ferry_options *options,
		      struct ferry_findings *out, struct ferry_error *err)
{
	(void)doc;
	return tell_check(out, ferry_option(options, "strictness"), err);
}

static const struct ferry_option_spec check_options[] = {
	{ "strictness", NULL, "how much is asked" },
	{ NULL, NULL, NULL }
};

static const struct ferry_artifact_type type_m = {
	.struct_size = sizeof(struct ferry_artifact_type),
	.name = "mock/m", .title = "mock m", .recognise = recognise_m,
	.check = check_m, .check_by = check_m_by,
	.check_options = check_options,
	.average = average_m, .average_options = average_options,
};
static const struct ferry_artifact_type type_n = {
	.struct_size = sizeof(struct ferry_artifact_type),
	.name = "mock/n", .title = "mock n", .recognise = recognise_n,
	.output_suffix = ".n.note",
};

/* ---- m > n --------------------------------------------------------------- */

static int read_plain(const struct ferry_conversion_args *args,
		      const char *path, char out[100], struct ferry_error *err)
{
	const struct ferry_source *src;
	int rc = ferry_args_open(args, path, &src, err);

	if (rc)
		return rc;
	rc = ferry_source_read((struct ferry_source *)src, out, 0,
			       (size_t)src->nbytes, err);
	out[src->nbytes] = '\0';
	return rc;
}

/* Read as what the note's path begins with: '@' a plain file, '?' is only asked
 * about, else a note of type mock/config. */
static int look_up(const struct ferry_conversion_args *args, const char *path,
		   char out[100], struct ferry_error *err)
{
	struct ferry_document *doc, *again;
	const struct ferry_value *text;
	int rc;

	if (*path == '@')
		return read_plain(args, path + 1, out, err);
	if (*path == '?') {
		rc = ferry_args_exists(args, path + 1, err);
		snprintf(out, 100, "%d %s", rc,
			 ferry_args_map(args, path + 1));
		return rc < 0 ? rc : 0;
	}
	rc = ferry_args_read(args, path, "mock/config", &doc, err);
	if (!rc)
		rc = ferry_args_read(args, path, NULL, &again, err);
	if (rc)
		return rc;
	text = text_of(doc);
	snprintf(out, 100, "%.*s%s", (int)text->u.s.nbytes, text->u.s.data,
		 doc == again ? "" : " twice");
	return 0;
}

static int run_mn(const struct ferry_conversion_args *args,
		  struct ferry_error *err)
{
	const struct ferry_value *text = text_of(args->inputs[0]);
	const char *tone = ferry_option(args->options, "tone");
	char path[200], found[100], made[400];
	int rc;

	snprintf(path, sizeof(path), "%.*s", (int)text->u.s.nbytes - 7,
		 text->u.s.data + 7);
	path[strcspn(path, " \n")] = '\0';
	rc = look_up(args, path, found, err);
	if (rc)
		return rc;
	snprintf(made, sizeof(made), "NOTE n %s from %s (%s)", found,
		 args->paths[0] ? args->paths[0] : "nowhere",
		 tone ? tone : "plain");
	rc = set_text(args->store, args->out, made, err);
	args->out->hints = ferry_dict(args->store, 1);
	if (!rc && (!args->out->hints ||
		    ferry_dict_set_str(args->store, args->out->hints, "ending",
				       ferry_cstring(args->store, "?")) ||
		    ferry_dict_set_str(args->store, args->out->hints, "colour",
				       ferry_cstring(args->store, "red"))))
		rc = ferry_fail_nomem(err, "a mock");
	return rc;
}

/* ---- edits --------------------------------------------------------------- */

static int run_release(const struct ferry_conversion_args *args,
		       struct ferry_error *err)
{
	char more[200] = "";
	const char *text;
	size_t n = 0;

	for (size_t i = 0; (text = ferry_option_nth(args->options, "release",
						    i)); i++)
		n += (size_t)snprintf(more + n, sizeof(more) - n, " r=%s",
				      text);
	return append(args, more, err);
}

static int run_tone(const struct ferry_conversion_args *args,
		    struct ferry_error *err)
{
	return append(args, " toned", err);
}

static int run_upgrade(const struct ferry_conversion_args *args,
		       struct ferry_error *err)
{
	return append(args, " new", err);
}

static int run_polish(const struct ferry_conversion_args *args,
		      struct ferry_error *err)
{
	return append(args, " polished", err);
}

static int lose_history(const struct ferry_conversion_args *args,
			struct ferry_findings *out, struct ferry_error *err)
{
	(void)args;
	if (ferry_findings_add(out, FERRY_WARNING, "history", "text",
			       FERRY_NO_OFFSET, "the old release goes"))
		return ferry_fail_nomem(err, "findings");
	return 0;
}

static const struct ferry_role from_m[] = {
	{ .name = "m", .type = "mock/m" },
	{ .name = "config", .type = "mock/config", .optional = true },
	{ .name = NULL }
};
static const struct ferry_role from_n[] = {
	{ .name = "n", .type = "mock/n" }, { .name = NULL }
};
static const struct ferry_option_spec tone[] = {
	{ "tone", NULL, "how it sounds" }, { NULL, NULL, NULL }
};
static const struct ferry_option_spec release[] = {
	{ "release", NULL, "what to stamp on it" }, { NULL, NULL, NULL }
};
static const struct ferry_option_spec polish[] = {
	{ "polish", NULL, "make it shine" }, { NULL, NULL, NULL }
};

#define CONVERSION(id, name_, roles_, to, options_, losses_, run_, flags_) \
	static const struct ferry_conversion id = { \
		.struct_size = sizeof(struct ferry_conversion), \
		.name = name_, .title = "mock " #id, .roles = roles_, \
		.output = to, .cost = 1, .options = options_, \
		.losses = losses_, .run = run_, .flags = flags_, \
	}

CONVERSION(mn, "mock-mn", from_m, "mock/n", tone, NULL, run_mn, 0);
CONVERSION(stamp, "mock-m-stamp", from_m, "mock/m", release, lose_history,
	   run_release, 0);
CONVERSION(toned, "mock-m-tone", from_m, "mock/m", tone, NULL, run_tone, 0);
CONVERSION(newer, "mock-m-upgrade", from_m, "mock/m", NULL, NULL, run_upgrade,
	   FERRY_CONVERSION_UPGRADE);
CONVERSION(shine, "mock-n-polish", from_n, "mock/n", polish, NULL, run_polish,
	   0);

static const struct ferry_artifact_type *const types[] = {
	&type_m, &type_n, NULL
};
static const struct ferry_conversion *const conversions[] = {
	&mn, &stamp, &toned, &newer, &shine, NULL
};

FERRY_PLUGIN_EXPORT = {
	.struct_size = sizeof(struct ferry_plugin),
	.abi_minor = FERRY_ABI_MINOR,
	.name = "edit",
	.version = "1",
	.license = "Apache-2.0",
	.description = "edits, and files that documents name",
	.types = types,
	.conversions = conversions,
};
