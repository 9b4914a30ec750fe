/*
 * The models of a composite one in a single file, and back.  noether writes a
 * file for each: "<composite>.<submodel>_cp=<tag>_model.th".  In the single file
 * names begin with "<submodel>."; what each file has for itself (its
 * configuration) is kept under "submodels".
 */
#include "config.h"

#include "plugins/ksuit/composite.h"

#include <stdio.h>

/* ---- together -------------------------------------------------------------------------- */

struct composing {
	struct ferry_store *store;
	struct ferry_value *first;	/* the file whose common values stay */
	struct ferry_value *weights;	/* DICT */
	struct ferry_value *metadata;	/* DICT, of "_metadata" */
	struct ferry_value *submodels;
	struct ferry_error *err;
};

/* Pairs of one mapping with a prefix before their keys; "" becomes it alone. */
static int add_prefixed(struct composing *c, const struct ferry_value *from,
			struct slice prefix, struct ferry_value *to)
{
	struct ferry_buffer b = FERRY_BUFFER_INIT;
	struct ferry_value *key;
	struct slice text;
	int rc = 0;

	for (uint32_t i = 0; i < from->u.dict.n && !rc; i++) {
		text = text_of(from->u.dict.pairs[i].key);
		b.n = 0;
		ferry_buffer_add(&b, prefix.p, prefix.n);
		if (text.n && prefix.n)
			ferry_buffer_add_str(&b, ".");
		ferry_buffer_add(&b, text.p ? text.p : "", text.n);
		key = b.failed ? NULL : ferry_string(c->store, b.data, b.n);
		rc = !key ? FERRY_NOMEM :
		     ferry_dict_set(c->store, to, key,
				    from->u.dict.pairs[i].value);
	}
	ferry_buffer_release(&b);
	return rc ? ferry_fail_nomem(c->err, "weights") : 0;
}

/* 1, 0, or an error. */
static int is_same(struct composing *c, struct ferry_value *a,
		   struct ferry_value *b)
{
	struct ferry_document x = { .store = c->store, .root = a };
	struct ferry_document y = { .store = c->store, .root = b };
	struct ferry_compare how = { .data = true, .most = 1 };
	struct ferry_findings *ignored;
	int rc;

	if (!b || a == b)
		return a == b;
	rc = ferry_findings_new(&ignored, c->err);
	if (rc)
		return rc;
	rc = ferry_document_compare(&x, &y, &how, ignored, c->err);
	ferry_findings_free(ignored);
	return rc;
}

/* What the first file has too stands once, for all. */
static int is_shared(struct composing *c, struct slice key,
		     struct ferry_value *v)
{
	const char *name = composite_common(key);

	if (!name)
		return slice_is(key, slice_of("state_dict"));
	return is_same(c, v, field(c->first, name));
}

static int keep_own(struct composing *c, struct ferry_value *root,
		    struct slice prefix)
{
	const struct ferry_value *items = ferry_value_items(root);
	struct ferry_value *own = ferry_dict(c->store, 2);
	struct ferry_value *key = ferry_string(c->store, prefix.p, prefix.n);
	enum spelling spelling;
	struct slice text;
	char *name;
	int rc = own && key ? 0 : FERRY_NOMEM, shared;

	for (uint32_t i = 0; i < items->u.dict.n && !rc; i++) {
		text = key_text(items->u.dict.pairs[i].key, &spelling);
		if (!text.p)
			continue;
		shared = is_shared(c, text, items->u.dict.pairs[i].value);
		if (shared < 0)
			return shared;
		if (shared)
			continue;
		name = ferry_store_strndup(c->store, text.p, text.n);
		rc = name ? ferry_dict_set_str(c->store, own, name,
					       items->u.dict.pairs[i].value) :
		     FERRY_NOMEM;
	}
	if (!rc)
		rc = ferry_dict_set(c->store, c->submodels, key, own);
	return rc ? ferry_fail_nomem(c->err, "a model") : 0;
}

static int add_model(struct composing *c, struct ferry_value *root,
		     struct slice prefix)
{
	struct ferry_value *weights = field(root, "state_dict"), *metadata;
	int rc;

	if (!is_state_dict(weights))
		return ferry_fail(c->err, FERRY_MALFORMED, ORIGIN,
				  FERRY_NO_OFFSET, "submodel '%.*s' has no "
				  "'state_dict' of tensors",
				  (int)(prefix.n < 100 ? prefix.n : 100),
				  prefix.p);
	metadata = composite_metadata(weights);
	rc = add_prefixed(c, ferry_value_items(weights), prefix, c->weights);
	if (!rc && metadata)
		rc = add_prefixed(c, metadata, prefix, c->metadata);
	return rc ? rc : keep_own(c, root, prefix);
}

/* The composite's name: what stands before the last dot of every one. */
static int composite_of(const struct run_files *files, struct slice *out,
			struct ferry_error *err)
{
	struct slice first = files->items[0].name.model, other;
	size_t n = first.n;

	for (size_t i = 0; i < files->n; i++) {
		other = files->items[i].name.model;
		for (size_t k = 0; k < n; k++)
			if (k == other.n || other.p[k] != first.p[k])
				n = k;
	}
	while (n && first.p[n - 1] != '.')
		n--;
	if (!n)
		return ferry_fail(err, FERRY_MISUSE, ORIGIN, FERRY_NO_OFFSET,
				  "the run has %zu models that are no parts of "
				  "one (%.80s, %.80s, ...): choose with --set "
				  "model=NAME, stage=NAME and tag=TAG",
				  files->n, files->items[0].path,
				  files->items[1].path);
	*out = (struct slice){ first.p, n - 1 };
	return 0;
}

static int compose(const struct ferry_conversion_args *args,
		   const struct run_files *files, struct ferry_error *err)
{
	struct composing c = {
		args->store, files->items[0].root, ferry_dict(args->store, 0),
		ferry_dict(args->store, 0), ferry_dict(args->store, 0), err,
	};
	struct ferry_value *out = ferry_dict(args->store, 0), *weights;
	struct slice root = { NULL, 0 }, name;
	int rc = composite_of(files, &root, err);

	if (!rc && !(c.weights && c.metadata && c.submodels && out))
		rc = ferry_fail_nomem(err, "a model");
	for (size_t i = 0; i < files->n && !rc; i++) {
		name = files->items[i].name.model;
		name.p += root.n + 1;
		name.n -= root.n + 1;
		rc = add_model(&c, files->items[i].root, name);
	}
	if (rc)
		return rc;
	weights = composite_weights(args->store, field(c.first, "state_dict"),
				    c.weights, c.metadata);
	if (!weights ||
	    composite_set_common(args->store, c.first, weights, out) ||
	    ferry_dict_set_str(args->store, out, SUBMODELS, c.submodels))
		return ferry_fail_nomem(err, "a model");
	args->out->root = out;
	return 0;
}

/* ---- which files of the run ------------------------------------------------------------- */

/* Models, or averaged weights of the factor asked for, or of any. */
static bool is_wanted(const struct run_file *f, bool average, const char *ema)
{
	return f->name.part == PART_MODEL && (f->name.ema.n > 0) == average &&
	       (!ema || slice_is(f->name.ema, slice_of(ema)));
}

static int check_one_tag(const struct run_files *files, struct ferry_error *err)
{
	const struct run_file *a = files->items, *b;

	for (size_t i = 1; i < files->n; i++) {
		b = &files->items[i];
		if (!tag_equal(a->name.tag, b->name.tag) ||
		    !slice_is(a->stage, b->stage))
			return ferry_fail(err, FERRY_MISUSE, ORIGIN,
					  FERRY_NO_OFFSET, "the run has models "
					  "of several tags or stages (%.100s, "
					  "%.100s, ...): choose with --set "
					  "tag=TAG, stage=NAME and run=NAME",
					  a->path, b->path);
		if (!slice_is(a->name.ema, b->name.ema))
			return ferry_fail(err, FERRY_MISUSE, ORIGIN,
					  FERRY_NO_OFFSET, "the run has "
					  "averages of several factors: choose "
					  "with --set ema=FACTOR");
	}
	return 0;
}

static int choose(const struct ferry_conversion_args *args, bool average,
		  struct run_files *files, struct ferry_error *err)
{
	const char *ema = ferry_option(args->options, "ema");
	int rc = run_files(args->store, args->inputs[0]->root, files, err);
	size_t n = 0;

	if (!rc)
		rc = run_files_choose(args->store, files, args->options, err);
	if (rc)
		return rc;
	for (size_t i = 0; i < files->n; i++)
		if (is_wanted(&files->items[i], average, ema))
			files->items[n++] = files->items[i];
	files->n = n;
	if (!n)
		return ferry_fail(err, FERRY_NOTFOUND, ORIGIN, FERRY_NO_OFFSET,
				  average ? "the run has no averaged weights "
				  "of that factor and tag" : "the run has no "
				  "model's file of that tag");
	return check_one_tag(files, err);
}

static int take(const struct ferry_conversion_args *args, bool average,
		struct ferry_error *err)
{
	struct run_files files;
	int rc = choose(args, average, &files, err);

	if (rc)
		return rc;
	if (files.n > 1)
		return compose(args, &files, err);
	args->out->root = files.items[0].root;
	return 0;
}

static int to_model(const struct ferry_conversion_args *args,
		    struct ferry_error *err)
{
	return take(args, false, err);
}

static int to_ema(const struct ferry_conversion_args *args,
		  struct ferry_error *err)
{
	return take(args, true, err);
}

/* Files that are no part of the model: taking it alone is the purpose. */
static int left_behind(const struct ferry_conversion_args *args, bool average,
		       struct ferry_findings *out, struct ferry_error *err)
{
	struct run_files all, taken;
	int rc = run_files(args->store, args->inputs[0]->root, &all, err);
	size_t k = 0;

	if (rc || choose(args, average, &taken, NULL))
		return rc;
	for (size_t i = 0; i < all.n; i++) {
		if (k < taken.n && all.items[i].root == taken.items[k].root) {
			k++;
			continue;
		}
		if (ferry_findings_add(out, FERRY_NOTE, "files",
				       all.items[i].path, FERRY_NO_OFFSET,
				       "%s is left behind", all.items[i].path))
			return ferry_fail_nomem(err, "findings");
	}
	return 0;
}

static int to_model_losses(const struct ferry_conversion_args *args,
			   struct ferry_findings *out, struct ferry_error *err)
{
	return left_behind(args, false, out, err);
}

static int to_ema_losses(const struct ferry_conversion_args *args,
			 struct ferry_findings *out, struct ferry_error *err)
{
	return left_behind(args, true, out, err);
}

/* ---- conversions --------------------------------------------------------------------- */

static const struct ferry_option_spec to_model_options[] = {
	CHOICE_OPTIONS, { .name = NULL }
};

static const struct ferry_option_spec to_ema_options[] = {
	CHOICE_OPTIONS,
	{ .name = "ema", .help = "the factor of averaged weights to take" },
	{ .name = NULL }
};

static const struct ferry_role from_run[] = {
	{ .name = "run", .type = "ksuit/run",
	  .help = "the run to take a model of" },
	{ .name = NULL }
};

const struct ferry_conversion run_to_model = {
	.struct_size = sizeof(struct ferry_conversion),
	.name = "ksuit-run-to-model",
	.title = "take a model out of a run, its parts together",
	.roles = from_run,
	.output = "ksuit/model",
	.cost = 1,
	.options = to_model_options,
	.losses = to_model_losses,
	.run = to_model,
};

const struct ferry_conversion run_to_ema = {
	.struct_size = sizeof(struct ferry_conversion),
	.name = "ksuit-run-to-ema",
	.title = "take averaged weights out of a run, their parts together",
	.roles = from_run,
	.output = "ksuit/ema",
	.cost = 2,	/* where either serves, a model goes before its average */
	.options = to_ema_options,
	.losses = to_ema_losses,
	.run = to_ema,
};
