/*
 * A format whose files are made up of a word and give documents with tensors:
 * "TREE plain", "TREE tied", "TREE checkpoint", "TREE module", "TREE odd" and
 * those of make_small(); and formats that write what tensors are there as text:
 * "dump" holds everything, "kept" tensors by nature, "flat" float32 and int64 by
 * name and no more.
 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>

#include "tests/plugins/mock.h"

/* ---- making -------------------------------------------------------------- */

struct maker {
	struct ferry_store *store;
	struct ferry_source *source;	/* float32 0, 1, 2, ... */
	bool failed;
};

#define NUMBERS 64

static struct ferry_value *check(struct maker *m, struct ferry_value *v)
{
	if (!v)
		m->failed = true;
	return v ? v : ferry_none();
}

static struct ferry_storage *numbers(struct maker *m, uint64_t first,
				     uint64_t n)
{
	struct ferry_storage *st = ferry_storage(m->store, FERRY_F32,
						 m->source, 4 * first, 4 * n);

	m->failed |= !st;
	return st;
}

/* n numbers of the storage, from `at`. */
static struct ferry_value *row(struct maker *m, struct ferry_storage *st,
			       uint64_t at, uint64_t n)
{
	return check(m, st ? ferry_tensor(m->store, FERRY_F32, 1, &n, NULL, at,
					  st) : NULL);
}

static struct ferry_value *global(struct maker *m, const char *module,
				  const char *name)
{
	return check(m, ferry_global(m->store, module, strlen(module), name,
				     strlen(name)));
}

static struct ferry_value *object(struct maker *m, const char *module,
				  const char *name, struct ferry_value *arg)
{
	struct ferry_value *args = check(m, ferry_sequence(m->store,
							   FERRY_TUPLE, 1));

	if (arg && ferry_list_add(m->store, args, arg))
		m->failed = true;
	return check(m, ferry_object(m->store, FERRY_FORM_CALL,
				     global(m, module, name), args, NULL));
}

static void set(struct maker *m, struct ferry_value *dict, const char *key,
		struct ferry_value *v)
{
	if (ferry_dict_set_str(m->store, dict, key, v))
		m->failed = true;
}

static struct ferry_value *dict(struct maker *m)
{
	return check(m, ferry_dict(m->store, 0));
}

/* An ordered mapping whose state has a table of modules. */
static struct ferry_value *ordered(struct maker *m, const char *const *modules)
{
	struct ferry_value *o = object(m, "collections", "OrderedDict", NULL);
	struct ferry_value *table = dict(m), *entry;

	for (; *modules; modules++) {
		entry = dict(m);
		set(m, entry, "version", check(m, ferry_int(m->store, 1)));
		set(m, table, *modules, entry);
	}
	o->u.object->dict = dict(m);
	o->u.object->state = dict(m);
	set(m, o->u.object->state, "_metadata", table);
	return o;
}

static struct ferry_value *parameter(struct maker *m, struct ferry_value *t)
{
	struct ferry_value *p = object(m, "frame", "Parameter", t);

	t->u.tensor->flags |= FERRY_REQUIRES_GRAD;
	p->u.object->payload = 0;
	return p;
}

static struct ferry_value *weights(struct maker *m, bool tied)
{
	static const char *const modules[] = {
		"", "module", "module.a", "module.act", "module.b", NULL
	};
	struct ferry_value *w = ordered(m, modules);
	struct ferry_value *items = w->u.object->dict;
	struct ferry_storage *a = numbers(m, 0, 8);

	set(m, items, "module.a.weight", row(m, a, 0, 8));
	set(m, items, "module.a.bias", row(m, numbers(m, 8, 2), 0, 2));
	set(m, items, "module.b.weight",
	    row(m, tied ? a : numbers(m, 16, 8), 0, 8));
	return w;
}

static struct ferry_value *checkpoint(struct maker *m)
{
	struct ferry_value *root = dict(m), *opt = dict(m), *state = dict(m);
	struct ferry_value *groups;

	groups = check(m, ferry_sequence(m->store, FERRY_LIST, 0));
	set(m, state, "exp_avg", row(m, numbers(m, 32, 10), 0, 10));
	set(m, opt, "state", state);
	set(m, opt, "param_groups", groups);
	set(m, root, "state_dict", weights(m, true));
	set(m, root, "optimizer", opt);
	set(m, root, "epoch", check(m, ferry_int(m->store, 3)));
	set(m, root, "lr", check(m, ferry_float(m->store, 0.5)));
	return root;
}

static struct ferry_value *module(struct maker *m, const char *name,
				  struct ferry_value *parameters,
				  struct ferry_value *buffers,
				  struct ferry_value *modules)
{
	struct ferry_value *o = object(m, "frame.nn", name, NULL);

	o->u.object->state = dict(m);
	set(m, o->u.object->state, "training", ferry_bool(true));
	set(m, o->u.object->state, "_parameters", parameters);
	set(m, o->u.object->state, "_buffers", buffers);
	set(m, o->u.object->state, "_modules", modules);
	return o;
}

static struct ferry_value *modules(struct maker *m)
{
	struct ferry_value *p = dict(m), *b = dict(m), *inner, *all = dict(m);
	struct ferry_value *hidden = check(m, ferry_sequence(m->store,
							     FERRY_SET, 1));

	set(m, p, "weight", parameter(m, row(m, numbers(m, 0, 4), 0, 4)));
	set(m, p, "bias", ferry_none());
	set(m, b, "running", row(m, numbers(m, 4, 2), 0, 2));
	set(m, b, "scratch", row(m, numbers(m, 6, 2), 0, 2));
	if (ferry_list_add(m->store, hidden,
			   check(m, ferry_cstring(m->store, "scratch"))))
		m->failed = true;
	inner = module(m, "Norm", p, b, dict(m));
	set(m, inner->u.object->state, "_non_persistent_buffers_set", hidden);
	set(m, all, "norm", inner);
	set(m, all, "gone", ferry_none());
	return module(m, "Net", dict(m), dict(m), all);
}

/* float64 where flat has float32, and a dtype nothing stands in for. */
static struct ferry_value *odd(struct maker *m)
{
	struct ferry_value *root = dict(m);
	uint64_t n = 4;

	set(m, root, "wide", check(m, ferry_tensor(
		    m->store, FERRY_F64, 1, &n, NULL, 0,
		    ferry_storage(m->store, FERRY_F64, m->source, 0, 32))));
	return root;
}

static struct ferry_value *around(struct maker *m, const char *key,
				  struct ferry_value *v)
{
	struct ferry_value *root = dict(m);

	set(m, root, key, v);
	set(m, root, "epoch", check(m, ferry_int(m->store, 3)));
	return root;
}

/* A module that is its own part. */
static struct ferry_value *loop(struct maker *m)
{
	struct ferry_value *all = dict(m), *o;

	o = module(m, "Loop", dict(m), dict(m), all);
	set(m, all, "self", o);
	return o;
}

/* Mappings whose entries are all one mapping, and so on: few values, paths
 * without number. */
static struct ferry_value *lattice(struct maker *m)
{
	struct ferry_value *below = row(m, numbers(m, 0, 1), 0, 1), *at;
	char key[16];

	for (int depth = 0; depth < 8; depth++) {
		at = dict(m);
		for (int i = 0; i < 300; i++) {
			snprintf(key, sizeof(key), "k%d", i);
			set(m, at, key, below);
		}
		below = at;
	}
	return below;
}

static struct ferry_value *list_of_rows(struct maker *m)
{
	struct ferry_value *list = check(m, ferry_sequence(m->store,
							   FERRY_LIST, 2));

	for (uint64_t i = 0; i < 2; i++)
		if (ferry_list_add(m->store, list,
				   row(m, numbers(m, i, 2), 0, 2)))
			m->failed = true;
	return list;
}

static struct ferry_value *twice(struct maker *m)
{
	struct ferry_value *root = dict(m), *part = dict(m);

	set(m, part, "w", row(m, numbers(m, 0, 2), 0, 2));
	set(m, root, "a", part);
	set(m, root, "b", part);
	return root;
}

static struct ferry_value *one(struct maker *m, enum ferry_dtype dtype,
			       struct ferry_storage *st)
{
	uint64_t n = 1;

	return check(m, ferry_tensor(m->store, dtype, 1, &n, NULL, 0, st));
}

static void add_args(struct maker *m, struct ferry_value *items)
{
	set(m, items, "_extra_state", ferry_none());
	set(m, items, "args", object(m, "argparse", "Namespace", NULL));
}

static struct ferry_value *name_list(struct maker *m)
{
	static const char *const names[] = { "b.w", "a.w", "c.w" };
	struct ferry_value *list = check(m, ferry_sequence(m->store,
							   FERRY_LIST, 3));

	for (size_t i = 0; i < 3; i++)
		if (ferry_list_add(m->store, list,
				   check(m, ferry_cstring(m->store, names[i]))))
			m->failed = true;
	return list;
}

/* Two models, whose weights have the same names. */
static struct ferry_value *models(struct maker *m)
{
	struct ferry_value *root = dict(m), *first = dict(m), *second = dict(m);

	set(m, first, "a.w", row(m, numbers(m, 0, 2), 0, 2));
	set(m, first, "b.w", row(m, numbers(m, 2, 2), 0, 2));
	set(m, second, "a.w", row(m, numbers(m, 4, 2), 0, 2));
	set(m, root, "first", first);
	set(m, root, "second", second);
	set(m, root, "names", name_list(m));
	return root;
}

/* Plain weights with something else about them. */
static struct ferry_value *make_variant(struct maker *m, const char *word)
{
	struct ferry_value *root = weights(m, false);
	struct ferry_value *items = root->u.object->dict;

	if (!strcmp(word, "extra"))
		set(m, items, "_extra_state", ferry_none());
	else if (!strcmp(word, "args"))
		add_args(m, items);
	else if (!strcmp(word, "long"))
		set(m, items, "more", one(m, FERRY_F32, numbers(m, 0, 1)));
	else if (!strcmp(word, "wide"))
		set(m, items, "module.a.bias", one(m, FERRY_F64,
						   numbers(m, 0, 2)));
	else if (!strcmp(word, "short"))
		items->u.dict.n--;
	else if (!strcmp(word, "count1"))
		set(m, items, "seen", one(m, FERRY_I32, numbers(m, 1, 1)));
	else if (!strcmp(word, "count2"))
		set(m, items, "seen", one(m, FERRY_I32, numbers(m, 2, 1)));
	else
		return NULL;
	return root;
}

static struct ferry_value *make_small(struct maker *m, const char *word)
{
	if (!strcmp(word, "tensor"))
		return parameter(m, row(m, numbers(m, 0, 2), 0, 2));
	if (!strcmp(word, "list"))
		return list_of_rows(m);
	if (!strcmp(word, "values"))
		return around(m, "name", check(m, ferry_cstring(m->store,
								"x")));
	if (!strcmp(word, "loop"))
		return loop(m);
	if (!strcmp(word, "lattice"))
		return lattice(m);
	if (!strcmp(word, "twice"))
		return twice(m);
	if (!strcmp(word, "optimizer"))
		return ferry_dict_get(checkpoint(m), "optimizer");
	if (!strcmp(word, "models"))
		return models(m);
	if (!strcmp(word, "nested"))
		return around(m, "model",
			      around(m, "state_dict", weights(m, false)));
	if (!strcmp(word, "named"))
		return around(m, "my_net", weights(m, false));
	if (!strcmp(word, "yolo"))
		return around(m, "model", modules(m));
	return make_variant(m, word);
}

static struct ferry_value *make(struct maker *m, const char *word)
{
	struct ferry_value *root = make_small(m, word);

	if (root)
		return root;

	if (!strcmp(word, "checkpoint"))
		return checkpoint(m);
	if (!strcmp(word, "module"))
		return modules(m);
	if (!strcmp(word, "odd"))
		return odd(m);
	return weights(m, !strcmp(word, "tied"));
}

static int read_tree(const struct ferry_input *in, struct ferry_document *doc,
		     struct ferry_error *err)
{
	struct maker m = { .store = doc->store };
	float *data = ferry_store_alloc(doc->store, NUMBERS * sizeof(*data));
	char word[32] = "";
	size_t n = (size_t)in->source->nbytes - 5;
	int rc;

	if (!data || n >= sizeof(word))
		return ferry_fail_nomem(err, "a mock");
	for (int i = 0; i < NUMBERS; i++)
		data[i] = (float)i;
	rc = ferry_source_read(in->source, word, 5, n, err);
	if (!rc)
		rc = ferry_source_from_memory(&m.source, data,
					      NUMBERS * sizeof(*data), "mock",
					      err);
	if (rc)
		return rc;
	if (ferry_store_take_source(doc->store, m.source)) {
		ferry_source_unref(m.source);
		return ferry_fail_nomem(err, "a mock");
	}
	doc->root = make(&m, word);
	return m.failed ? ferry_fail_nomem(err, "a mock") : 0;
}

static int probe_tree(const struct ferry_probe *p)
{
	return mock_probe_word(p, "TREE ");
}

/* ---- writing ------------------------------------------------------------- */

static int put_place(struct ferry_sink *sink, const struct ferry_place *place,
		     struct ferry_error *err)
{
	const struct ferry_tensor *t = place->value->u.tensor;
	char line[400];
	float value = 0;
	double wide = 0;
	int n, rc = 0;

	n = snprintf(line, sizeof(line), "%s %s%s", place->name,
		     ferry_dtype_name(t->dtype),
		     t->flags & FERRY_REQUIRES_GRAD ? " grad" : "");
	for (uint64_t i = 0; i < ferry_tensor_nelem(t) && !rc; i++) {
		if (t->dtype == FERRY_F64)
			rc = ferry_tensor_read(t, i, 1, &wide, err);
		else if (t->dtype == FERRY_F32)
			rc = ferry_tensor_read(t, i, 1, &value, err);
		else
			break;
		n += snprintf(line + n, sizeof(line) - (size_t)n, " %g",
			      t->dtype == FERRY_F64 ? wide : (double)value);
	}
	line[n++] = '\n';
	return rc ? rc : ferry_sink_append(sink, line, (size_t)n, err);
}

static int write_dump(struct ferry_document *doc, struct ferry_output *output,
		      const struct ferry_options *options,
		      struct ferry_findings *out, struct ferry_error *err)
{
	struct ferry_places places;
	struct ferry_sink *sink;
	int rc = ferry_output_open(output, NULL, &sink, err);

	(void)options;
	(void)out;
	if (!rc)
		rc = ferry_sink_append(sink, "DUMP\n", 5, err);
	if (rc)
		return rc;
	rc = ferry_places_init(&places, doc, err);
	if (rc)
		return rc;
	for (size_t i = 0; i < places.n && !rc; i++)
		rc = put_place(sink, &places.items[i], err);
	ferry_places_release(&places);
	return rc;
}

static int probe_none(const struct ferry_probe *p)
{
	(void)p;
	return 0;
}

static int probe_dump(const struct ferry_probe *p)
{
	return mock_probe_word(p, "DUMP");
}

static const char *const dump_suffixes[] = { ".dump", ".long.dump", NULL };
static const char *const kept_suffixes[] = { ".kept", ".both", NULL };
static const char *const flat_suffixes[] = { ".flat", ".both", NULL };

static const struct ferry_format tree = {
	.struct_size = sizeof(struct ferry_format),
	.name = "tree", .title = "made-up trees",
	.flags = FERRY_FORMAT_NESTED | FERRY_FORMAT_OBJECTS,
	.probe = probe_tree, .read = read_tree,
};

static const struct ferry_format dump = {
	.struct_size = sizeof(struct ferry_format),
	.name = "dump", .title = "dumps", .suffixes = dump_suffixes,
	.flags = FERRY_FORMAT_NESTED | FERRY_FORMAT_OBJECTS |
		 FERRY_FORMAT_SHARED | FERRY_FORMAT_STRIDED |
		 FERRY_FORMAT_TENSORS,
	.dtypes = UINT64_MAX,
	.probe = probe_dump, .read = mock_read, .write = write_dump,
};

static const struct ferry_format kept = {
	.struct_size = sizeof(struct ferry_format),
	.name = "kept", .title = "tensors and what goes with them",
	.suffixes = kept_suffixes,
	.flags = FERRY_FORMAT_TENSORS | FERRY_FORMAT_LOSSLESS,
	.dtypes = UINT64_MAX,
	.probe = probe_none, .write = write_dump,
};

static const struct ferry_format flat = {
	.struct_size = sizeof(struct ferry_format),
	.name = "flat", .title = "named tensors", .suffixes = flat_suffixes,
	.flags = FERRY_FORMAT_TENSORS,
	.dtypes = FERRY_DTYPE_BIT(FERRY_F32) | FERRY_DTYPE_BIT(FERRY_I64),
	.max_rank = 4,
	.probe = probe_none, .write = write_dump,
};

static const struct ferry_format *const formats[] = {
	&tree, &dump, &kept, &flat, NULL
};

FERRY_PLUGIN_EXPORT = {
	.struct_size = sizeof(struct ferry_plugin),
	.abi_minor = FERRY_ABI_MINOR,
	.name = "tree",
	.version = "1",
	.license = "Apache-2.0",
	.description = "documents with tensors",
	.formats = formats,
};
