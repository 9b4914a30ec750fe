/* The files that go into a hardware checkpoint. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "plugins/caiman/export.h"
#include "plugins/caiman/shape.h"

/* dir/name, in the store; NULL: out of memory. */
static char *join(struct ferry_store *store, const char *dir, const char *name)
{
	size_t n = strlen(dir), m = strlen(name);
	char *out;

	while (n > 1 && dir[n - 1] == '/')
		n--;
	out = ferry_store_alloc(store, n + m + 2);
	if (out)
		snprintf(out, n + m + 2, "%.*s/%s", (int)n, dir, name);
	return out;
}

/* BYTES over a whole file; the store keeps it. */
static int bytes_of(const struct export *x, const struct ferry_source *file,
		    struct ferry_value **out)
{
	/* The reference is what is counted, not the content. */
	struct ferry_source *src =
		ferry_source_ref((struct ferry_source *)(uintptr_t)file);

	if (ferry_store_take_source(x->args->store, src)) {
		ferry_source_unref(src);
		return ferry_fail_nomem(x->err, "a file");
	}
	*out = ferry_bytes_range(x->args->store, src, 0, src->nbytes, 0);
	return *out ? 0 : ferry_fail_nomem(x->err, "a file");
}

/* The file of a role, or the one that is named; path NULL: only the role. */
static int file_of(const struct export *x, unsigned role, const char *path,
		   struct ferry_value **out)
{
	const struct ferry_source *file = x->args->files[role];
	int rc = 0;

	if (!file)
		rc = ferry_args_open(x->args, path, &file, x->err);
	return rc ? rc : bytes_of(x, file, out);
}

static int fail_no_key(const struct export *x, const char *path,
		       const char *instead)
{
	return ferry_fail(x->err, FERRY_MALFORMED, "caiman", FERRY_NO_OFFSET,
			  "config has no %s%s", path, instead);
}

/* ---- mel statistics -------------------------------------------------------------- */

static int stats_directory(const struct export *x, const char **out)
{
	const struct ferry_value *v = at(at(at(x->config, "input_val"),
					    "filterbank_features"),
					 "stats_path");
	int there;

	if (!v || v->kind != FERRY_STRING)
		return fail_no_key(x, "input_val.filterbank_features."
				   "stats_path", ": give the statistics with "
				   "--with mel-means=FILE and --with "
				   "mel-vars=FILE");
	*out = text_of(x->args->store, v);
	if (!*out)
		return ferry_fail_nomem(x->err, "a path");
	there = ferry_args_exists(x->args, *out, x->err);
	if (there)
		return there < 0 ? there : 0;
	return ferry_fail(x->err, FERRY_NOTFOUND, "caiman", FERRY_NO_OFFSET,
			  "directory %s of the mel statistics does not exist "
			  "(stats_path of the config): say where it is with "
			  "--map-path FROM=TO, or give --with mel-means=FILE "
			  "and --with mel-vars=FILE", *out);
}

static int one_stat(const struct export *x, unsigned role, const char *dir,
		    const char *name, struct ferry_value **out)
{
	struct ferry_document *doc = x->args->inputs[role];
	const char *path;
	int rc = 0;

	if (!doc) {
		path = join(x->args->store, dir, name);
		rc = path ? ferry_args_read(x->args, path, "caiman/mel-stats",
					    &doc, x->err) :
			    ferry_fail_nomem(x->err, "a path");
	}
	if (rc)
		return rc;
	*out = ferry_value_payload(doc->root);
	if ((*out)->kind != FERRY_TENSOR)
		return ferry_fail(x->err, FERRY_MALFORMED, "caiman",
				  FERRY_NO_OFFSET, "%s is of kind %s, not a "
				  "tensor", name,
				  ferry_kind_name((*out)->kind));
	return 0;
}

int export_stats(struct export *x)
{
	const char *dir = NULL;
	int rc = 0;

	if (!x->args->inputs[ROLE_MEL_MEANS] ||
	    !x->args->inputs[ROLE_MEL_VARS])
		rc = stats_directory(x, &dir);
	if (!rc)
		rc = one_stat(x, ROLE_MEL_MEANS, dir, "melmeans.pt", &x->means);
	return rc ? rc : one_stat(x, ROLE_MEL_VARS, dir, "melvars.pt",
				  &x->vars);
}

/* ---- sentencepiece --------------------------------------------------------------- */

int export_pieces(struct export *x)
{
	const struct ferry_value *v = at(at(x->config, "tokenizer"),
					 "sentpiece_model");
	const char *path = NULL;

	if (!x->args->files[ROLE_SENTENCEPIECE]) {
		if (!v || v->kind != FERRY_STRING || !v->u.s.nbytes)
			return fail_no_key(x, "tokenizer.sentpiece_model",
					   ", or an empty one: give the model "
					   "with --with sentencepiece=FILE");
		path = text_of(x->args->store, v);
		if (!path)
			return ferry_fail_nomem(x->err, "a path");
	}
	return file_of(x, ROLE_SENTENCEPIECE, path, &x->pieces);
}

/* ---- n-gram ------------------------------------------------------------------------- */

static const char *suffix(const char *path)
{
	const char *base = strrchr(path, '/'), *dot;

	base = base ? base + 1 : path;
	dot = strrchr(base, '.');
	return dot && dot != base ? dot : "";
}

/* ngram.binary of a directory, else ngram.arpa: 1, 0 when it has neither, or
 * an error. */
static int look_in(const struct export *x, const char *dir, const char **out)
{
	static const char *const names[] = {
		"ngram.binary", "ngram.arpa", NULL
	};
	const char *path;
	int there = 0;

	for (size_t i = 0; names[i] && !there; i++) {
		path = join(x->args->store, dir, names[i]);
		if (!path)
			return ferry_fail_nomem(x->err, "a path");
		there = ferry_args_exists(x->args, path, x->err);
		if (there > 0)
			*out = path;
	}
	return there;
}

static int look_up(const struct export *x, const char **out)
{
	const struct ferry_value *v = at(at(x->config, "ngram"), "ngram_path");
	const char *dir;
	int there;

	if (!v || v->kind != FERRY_STRING)
		return fail_no_key(x, "ngram.ngram_path", ": give --set "
				   "ngram-path=PATH or --set skip-ngram=yes");
	dir = text_of(x->args->store, v);
	if (!dir)
		return ferry_fail_nomem(x->err, "a path");
	there = look_in(x, dir, out);
	if (there)
		return there < 0 ? there : 0;
	return ferry_fail(x->err, FERRY_NOTFOUND, "caiman", FERRY_NO_OFFSET,
			  "directory %s (ngram_path of the config) has no "
			  "ngram.binary and no ngram.arpa: say where it is "
			  "with --map-path FROM=TO, give --with ngram=FILE, or "
			  "do without with --set skip-ngram=yes", dir);
}

/* A file that is given as such, or the directory of one. */
static int look_at(const struct export *x, const char **path)
{
	int there = strcmp(suffix(*path), ".binary") ?
		    look_in(x, *path, path) : 0;

	return there < 0 ? there : 0;
}

static int ngram_file(struct export *x, struct ferry_value **out)
{
	const char *path = ferry_option(x->args->options, "ngram-path");
	int rc = 0;

	if (x->args->files[ROLE_NGRAM])
		path = x->args->paths ? x->args->paths[ROLE_NGRAM] : path;
	else if (!path || !*path)
		rc = look_up(x, &path);
	else
		rc = look_at(x, &path);
	if (rc)
		return rc;
	if (path && strcmp(suffix(path), ".binary"))
		return ferry_fail(x->err, FERRY_UNSUPPORTED, "caiman",
				  FERRY_NO_OFFSET, "n-gram %s does not end in "
				  ".binary: make one with KenLM's build_binary "
				  "first, or give --set skip-ngram=yes", path);
	return file_of(x, ROLE_NGRAM, path, out);
}

int export_ngram(struct export *x)
{
	struct making ngram = make(x->args->store, NULL);
	struct ferry_value *binary = ferry_none(), *scale = ferry_none();
	bool skip;
	int rc = ferry_option_bool(x->args->options, "skip-ngram", &skip,
				   x->err);

	if (rc || !list_has(x->release->hardware, "ngram"))
		return rc;
	if (!skip && !at(x->config, "ngram"))
		return fail_no_key(x, "section ngram", ": give --set "
				   "skip-ngram=yes to do without an n-gram");
	if (!skip)
		rc = ngram_file(x, &binary);
	if (rc)
		return rc;
	if (!skip)
		scale = at(at(x->config, "ngram"), "scale_factor");
	if (!scale)
		return fail_no_key(x, "ngram.scale_factor", "");
	put(&ngram, "binary", binary);
	put(&ngram, "scale_factor", scale);
	x->ngram = ngram.dict;
	return ngram.failed ? ferry_fail_nomem(x->err, "an n-gram") : 0;
}
