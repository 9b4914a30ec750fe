/* A composite model in a single file, or its average, as files of its parts. */
#include "config.h"

#include "plugins/ksuit/composite.h"

#include "formats/yaml/yaml.h"

struct splitting {
	const struct ferry_conversion_args *args;
	struct ferry_value *root;
	struct slice name, stage, tag, ema;
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
				  .ema = s->ema, .part = PART_MODEL };
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
	metadata = composite_metadata(weights);
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
	w = composite_weights(store, weights, dict, below);
	if (!w || composite_set_common(store, s->root, w, root))
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

/* What averages are called after: the factor in the file's name, else the one
 * in the file, as Python prints it. */
static int name_factor(struct splitting *s, const struct file_name *of)
{
	struct ferry_value *factor = field(s->root, "ema");
	struct ferry_buffer b = FERRY_BUFFER_INIT;
	char *text = NULL, *zero;

	s->ema = of->ema;
	if (s->ema.n)
		return 0;
	if (!factor || factor->kind != FERRY_FLOAT)
		return ferry_fail(s->err, FERRY_MALFORMED, ORIGIN,
				  FERRY_NO_OFFSET, "the averaged weights have "
				  "no factor, neither as 'ema' nor in the "
				  "file's name, which is to be called after "
				  "it");
	yaml_add_float(&b, factor->u.f);
	if (!b.failed)
		text = ferry_store_strndup(s->args->store, b.data, b.n);
	ferry_buffer_release(&b);
	if (!text)
		return ferry_fail_nomem(s->err, "a name");
	zero = strstr(text, ".0e");
	if (zero)
		memmove(zero, zero + 2, strlen(zero + 2) + 1);
	s->ema = slice_of(text);
	return 0;
}

static int name_files(struct splitting *s, bool average)
{
	const char *name = ferry_option(s->args->options, "name");
	const char *path = s->args->paths ? s->args->paths[0] : NULL;
	struct file_name of = { .part = PART_NONE };

	if (path)
		name_parse(path, &of);
	s->name = name ? slice_of(name) : of.model;
	s->tag = text_of(field(s->root, "checkpoint_tag"));
	if (!s->tag.n)
		s->tag = of.tag;
	if (!s->name.n || !s->tag.n || memchr(s->name.p, '/', s->name.n) ||
	    memchr(s->tag.p, '/', s->tag.n))
		return ferry_fail(s->err, FERRY_MISUSE, ORIGIN, FERRY_NO_OFFSET,
				  "a file of a run is called after its model "
				  "and its tag: give the model's name, without "
				  "'/', with --set name=NAME%s", s->tag.n ? "" :
				  "; the model has no 'checkpoint_tag'");
	return average ? name_factor(s, &of) : 0;
}

static int divide(const struct ferry_conversion_args *args, bool average,
		  struct ferry_error *err)
{
	const char *stage = ferry_option(args->options, "stage");
	struct splitting s = { .args = args, .root = args->inputs[0]->root,
			       .stage = slice_of(stage ? stage : ""),
			       .err = err };
	int rc;

	if (!is_state_dict(field(s.root, "state_dict")))
		return ferry_fail(err, FERRY_MALFORMED, ORIGIN, FERRY_NO_OFFSET,
				  "the model has no 'state_dict' of tensors");
	rc = name_files(&s, average);
	if (!rc)
		rc = split(&s);
	return rc ? rc : run_make(args->store, &s.files, &args->out->root, err);
}

static int model_divided(const struct ferry_conversion_args *args,
			 struct ferry_error *err)
{
	return divide(args, false, err);
}

static int ema_divided(const struct ferry_conversion_args *args,
		       struct ferry_error *err)
{
	return divide(args, true, err);
}

static const struct ferry_option_spec to_run_options[] = {
	{ .name = "name",
	  .help = "the model's name; by default that of the input" },
	{ .name = "stage", .help = "the stage's directory" },
	{ .name = SUBMODELS,
	  .help = "A,B: parts that get files of their own" },
	{ .name = NULL }
};

static const struct ferry_role from_model[] = {
	{ .name = "model", .type = "ksuit/model",
	  .help = "the model to make a run's files of" },
	{ .name = NULL }
};

static const struct ferry_role from_ema[] = {
	{ .name = "ema", .type = "ksuit/ema",
	  .help = "the averaged weights to make a run's files of" },
	{ .name = NULL }
};

const struct ferry_conversion model_to_run = {
	.struct_size = sizeof(struct ferry_conversion),
	.name = "ksuit-model-to-run",
	.title = "make files of a run of a model, one for each part",
	.roles = from_model,
	.output = "ksuit/run",
	.cost = 1,
	.options = to_run_options,
	.run = model_divided,
};

const struct ferry_conversion ema_to_run = {
	.struct_size = sizeof(struct ferry_conversion),
	.name = "ksuit-ema-to-run",
	.title = "make files of a run of averaged weights, one for each part",
	.roles = from_ema,
	.output = "ksuit/run",
	.cost = 1,
	.options = to_run_options,
	.run = ema_divided,
};
