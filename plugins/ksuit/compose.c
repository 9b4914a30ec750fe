/*
 * The models of a composite one in a single file, and back.  noether writes a
 * file for each: "<composite>.<submodel>_cp=<tag>_model.th".  In the single file
 * names begin with "<submodel>."; what each file has for itself (its
 * configuration) is kept under "submodels".
 */
#include "config.h"

#include "plugins/ksuit/ksuit.h"

#include <stdio.h>

#define SUBMODELS "submodels"

static const char *const common[] = {
	"state_dict", "checkpoint_tag", "training_iteration", "run_id", "ema",
};

/* Files share nothing: each has a mapping of its own. */
static struct ferry_value *own_copy(struct ferry_store *store,
				    struct ferry_value *v)
{
	struct ferry_value *copy;

	if (v->kind != FERRY_DICT)
		return v;
	copy = ferry_dict(store, v->u.dict.n);
	for (uint32_t i = 0; copy && i < v->u.dict.n; i++)
		if (ferry_dict_set(store, copy, v->u.dict.pairs[i].key,
				   v->u.dict.pairs[i].value))
			return NULL;
	return copy;
}

/* What the files have in common, in their order: all but the weights. */
static int set_common(struct ferry_store *store, struct ferry_value *from,
		      struct ferry_value *weights, struct ferry_value *to)
{
	struct ferry_value *v;
	int rc = ferry_dict_set_str(store, to, common[0], weights);

	for (size_t i = 1; i < sizeof(common) / sizeof(*common) && !rc; i++) {
		v = field(from, common[i]);
		if (!v)
			continue;
		v = own_copy(store, v);
		rc = v ? ferry_dict_set_str(store, to, common[i], v) :
		     FERRY_NOMEM;
	}
	return rc;
}

/* ---- together -------------------------------------------------------------------------- */

struct composing {
	struct ferry_store *store;
	struct ferry_value *first;	/* the file whose common values stay */
	struct ferry_value *weights;	/* DICT */
	struct ferry_value *metadata;	/* DICT, of "_metadata" */
	struct ferry_value *submodels;
	struct ferry_error *err;
};

/* The "_metadata" beside a state dict, or NULL. */
static struct ferry_value *metadata_of(struct ferry_value *weights)
{
	struct ferry_value *state, *found;

	if (weights->kind != FERRY_OBJECT || !weights->u.object->state)
		return NULL;
	state = weights->u.object->state;
	found = state->kind == FERRY_DICT ?
		ferry_dict_get(state, "_metadata") : NULL;
	return found ? ferry_value_items(found) : NULL;
}

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
	for (size_t i = 1; i < sizeof(common) / sizeof(*common); i++)
		if (slice_is(key, slice_of(common[i])))
			return is_same(c, v, field(c->first, common[i]));
	return slice_is(key, slice_of(common[0]));
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
	metadata = metadata_of(weights);
	rc = add_prefixed(c, ferry_value_items(weights), prefix, c->weights);
	if (!rc && metadata)
		rc = add_prefixed(c, metadata, prefix, c->metadata);
	return rc ? rc : keep_own(c, root, prefix);
}

static struct ferry_value *ordered_dict(struct ferry_store *store,
					struct ferry_value *items,
					struct ferry_value *metadata)
{
	struct ferry_value *class = ferry_global(store, "collections", 11,
						 "OrderedDict", 11);
	struct ferry_value *args = ferry_sequence(store, FERRY_TUPLE, 0);
	struct ferry_value *state = NULL, *made = NULL;

	if (class && args)
		made = ferry_object(store, FERRY_FORM_CALL, class, args, NULL);
	if (!made)
		return NULL;
	made->u.object->dict = items;
	if (!metadata || !metadata->u.dict.n)
		return made;
	state = ferry_dict(store, 1);
	metadata = ordered_dict(store, metadata, NULL);
	if (!state || !metadata ||
	    ferry_dict_set_str(store, state, "_metadata", metadata))
		return NULL;
	made->u.object->state = state;
	return made;
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
	weights = ordered_dict(args->store, c.weights, c.metadata);
	if (!weights ||
	    set_common(args->store, files->items[0].root, weights, out) ||
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
					  "tag=TAG and stage=NAME", a->path,
					  b->path);
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

/* ---- apart ------------------------------------------------------------------------------- */

struct splitting {
	const struct ferry_conversion_args *args;
	struct ferry_value *root;
	struct slice name, stage, tag;
	struct run_files files;
	struct ferry_error *err;
};

/* The i-th submodel: given as "a,b", or of the file's own list. */
static struct slice submodel(const struct splitting *s, size_t i)
{
	const char *text = ferry_option(s->args->options, SUBMODELS), *comma;
	struct ferry_value *own = field(s->root, SUBMODELS);
	const struct ferry_value *items = own ? ferry_value_items(own) : NULL;

	for (; text; text = comma + 1) {
		comma = strchr(text, ',');
		if (!i--)
			return (struct slice){
				text, comma ? (size_t)(comma - text) :
				strlen(text)
			};
		if (!comma)
			return (struct slice){ NULL, 0 };
	}
	if (!items || i >= items->u.dict.n)
		return (struct slice){ NULL, 0 };
	return text_of(items->u.dict.pairs[i].key);
}

static bool begins(struct slice key, struct slice prefix)
{
	return key.n > prefix.n && key.p[prefix.n] == '.' &&
	       !memcmp(key.p, prefix.p, prefix.n);
}

/* Pairs below a prefix, without it. */
static int take_below(struct splitting *s, const struct ferry_value *from,
		      struct slice prefix, struct ferry_value *to)
{
	struct ferry_store *store = s->args->store;
	struct ferry_value *key;
	struct slice text;
	size_t cut;
	int rc = 0;

	for (uint32_t i = 0; i < from->u.dict.n && !rc; i++) {
		text = text_of(from->u.dict.pairs[i].key);
		if (!text.p ||
		    (!begins(text, prefix) && !slice_is(text, prefix)))
			continue;
		cut = text.n > prefix.n ? prefix.n + 1 : prefix.n;
		key = ferry_string(store, text.p + cut, text.n - cut);
		rc = key ? ferry_dict_set(store, to, key,
					  from->u.dict.pairs[i].value) :
		     FERRY_NOMEM;
	}
	return rc ? ferry_fail_nomem(s->err, "weights") : 0;
}

static int set_own(struct splitting *s, struct slice prefix,
		   struct ferry_value *out)
{
	struct ferry_store *store = s->args->store;
	struct ferry_value *all = field(s->root, SUBMODELS), *own = NULL, *key;
	const struct ferry_value *items;
	int rc = 0;

	key = ferry_string(store, prefix.p, prefix.n);
	if (!key)
		return ferry_fail_nomem(s->err, "a model");
	if (all && ferry_value_items(all))
		own = ferry_dict_find(ferry_value_items(all), key);
	items = own ? ferry_value_items(own) : NULL;
	for (uint32_t i = 0; items && i < items->u.dict.n && !rc; i++)
		rc = ferry_dict_set(store, out, items->u.dict.pairs[i].key,
				    items->u.dict.pairs[i].value);
	return rc ? ferry_fail_nomem(s->err, "a model") : 0;
}

static int add_file(struct splitting *s, struct slice model,
		    struct ferry_value *root)
{
	struct file_name name = { .model = model, .tag = s->tag,
				  .part = PART_MODEL };
	char *file = name_build(s->args->store, &name, true);
	struct run_file *out = &s->files.items[s->files.n++];

	*out = (struct run_file){ .stage = s->stage, .root = root };
	out->path = file ? run_path(s->args->store, s->stage, file) : NULL;
	return out->path ? 0 : ferry_fail_nomem(s->err, "a name");
}

static char *join(struct ferry_store *store, struct slice a, struct slice b)
{
	struct ferry_buffer text = FERRY_BUFFER_INIT;
	char *out;

	ferry_buffer_add(&text, a.p, a.n);
	ferry_buffer_add_str(&text, ".");
	ferry_buffer_add(&text, b.p, b.n);
	out = text.failed ? NULL : ferry_store_strndup(store, text.data,
						       text.n);
	ferry_buffer_release(&text);
	return out;
}

static int split_one(struct splitting *s, struct ferry_value *weights,
		     struct slice prefix, uint32_t *taken)
{
	struct ferry_store *store = s->args->store;
	struct ferry_value *dict = ferry_dict(store, 0), *metadata, *below, *w;
	struct ferry_value *root = ferry_dict(store, 0);
	char *name = join(store, s->name, prefix);
	int rc = dict && root && name ? 0 : ferry_fail_nomem(s->err, "a model");

	if (!rc)
		rc = take_below(s, ferry_value_items(weights), prefix, dict);
	metadata = metadata_of(weights);
	below = metadata ? ferry_dict(store, 0) : NULL;
	if (!rc && below)
		rc = take_below(s, metadata, prefix, below);
	if (rc)
		return rc;
	*taken += dict->u.dict.n;
	if (!dict->u.dict.n)
		return ferry_fail(s->err, FERRY_NOTFOUND, ORIGIN,
				  FERRY_NO_OFFSET, "no name begins with the "
				  "submodel '%.*s' and a dot",
				  (int)(prefix.n < 100 ? prefix.n : 100),
				  prefix.p);
	w = ordered_dict(store, dict, below);
	if (!w || set_common(store, s->root, w, root))
		return ferry_fail_nomem(s->err, "a model");
	rc = set_own(s, prefix, root);
	return rc ? rc : add_file(s, slice_of(name), root);
}

static int split(struct splitting *s)
{
	struct ferry_value *weights = field(s->root, "state_dict");
	uint32_t taken = 0, all = ferry_value_items(weights)->u.dict.n;
	struct slice prefix;
	size_t n = 0;
	int rc = 0;

	while (submodel(s, n).p)
		n++;
	s->files.items = ferry_store_array(s->args->store, n + 1,
					   sizeof(*s->files.items));
	if (!s->files.items)
		return ferry_fail_nomem(s->err, "a run");
	if (!n)
		return add_file(s, s->name, s->root);
	for (size_t i = 0; (prefix = submodel(s, i)).p && !rc; i++)
		rc = split_one(s, weights, prefix, &taken);
	if (!rc && taken != all)
		rc = ferry_fail(s->err, FERRY_UNSUPPORTED, ORIGIN,
				FERRY_NO_OFFSET, "%u of %u weights belong to "
				"one submodel each: name them all, none within "
				"another, with --set submodels=A,B,...", taken,
				all);
	return rc;
}

static int to_run(const struct ferry_conversion_args *args,
		  struct ferry_error *err)
{
	const char *name = ferry_option(args->options, "name");
	const char *stage = ferry_option(args->options, "stage");
	struct splitting s = { .args = args, .root = args->inputs[0]->root,
			       .stage = slice_of(stage ? stage : ""),
			       .err = err };
	struct file_name of = { .part = PART_NONE };
	int rc;

	if (!is_state_dict(field(s.root, "state_dict")))
		return ferry_fail(err, FERRY_MALFORMED, ORIGIN, FERRY_NO_OFFSET,
				  "the model has no 'state_dict' of tensors");
	if (args->paths && args->paths[0])
		name_parse(args->paths[0], &of);
	s.name = name ? slice_of(name) : of.model;
	s.tag = text_of(field(s.root, "checkpoint_tag"));
	if (!s.tag.n)
		s.tag = of.tag;
	if (!s.name.n || !s.tag.n || memchr(s.name.p, '/', s.name.n) ||
	    memchr(s.tag.p, '/', s.tag.n))
		return ferry_fail(err, FERRY_MISUSE, ORIGIN, FERRY_NO_OFFSET,
				  "a file of a run is called after its model "
				  "and its tag: give the model's name, without "
				  "'/', with --set name=NAME%s", s.tag.n ? "" :
				  "; the model has no 'checkpoint_tag'");
	rc = split(&s);
	return rc ? rc : run_make(args->store, &s.files, &args->out->root, err);
}

static const struct ferry_option_spec to_model_options[] = {
	CHOICE_OPTIONS, { .name = NULL }
};

static const struct ferry_option_spec to_ema_options[] = {
	CHOICE_OPTIONS,
	{ .name = "ema", .help = "the factor of averaged weights to take" },
	{ .name = NULL }
};

static const struct ferry_option_spec to_run_options[] = {
	{ .name = "name",
	  .help = "the model's name; by default that of the input" },
	{ .name = "stage", .help = "the stage's directory" },
	{ .name = SUBMODELS,
	  .help = "A,B: parts that get files of their own" },
	{ .name = NULL }
};

static const struct ferry_role from_run[] = {
	{ .name = "run", .type = "ksuit/run",
	  .help = "the run to take a model of" },
	{ .name = NULL }
};

static const struct ferry_role from_model[] = {
	{ .name = "model", .type = "ksuit/model",
	  .help = "the model to make a run's files of" },
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

const struct ferry_conversion model_to_run = {
	.struct_size = sizeof(struct ferry_conversion),
	.name = "ksuit-model-to-run",
	.title = "make files of a run of a model, one for each part",
	.roles = from_model,
	.output = "ksuit/run",
	.cost = 1,
	.options = to_run_options,
	.run = to_run,
};
