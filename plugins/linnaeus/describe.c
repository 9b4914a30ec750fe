/* Facts for a person. */
#include "config.h"

#include "plugins/linnaeus/linnaeus.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct facts {
	struct ferry_store *store;
	struct ferry_value *dict;
	bool failed;
};

static void put(struct facts *f, const char *key, struct ferry_value *value)
{
	if (!value || ferry_dict_set_str(f->store, f->dict, key, value))
		f->failed = true;
}

static void put_text(struct facts *f, const char *key, const char *text)
{
	put(f, key, ferry_cstring(f->store, text));
}

/* A scalar of the document, where it is there and says something. */
static void copy(struct facts *f, const char *key, struct ferry_value *v)
{
	if (v && v->kind != FERRY_NONE && v->kind < FERRY_LIST &&
	    (v->kind != FERRY_STRING || v->u.s.nbytes))
		put(f, key, v);
}

static int finish(const struct facts *f, struct ferry_error *err)
{
	return f->failed ? ferry_fail_nomem(err, "a description") : 0;
}

/* ---- weights --------------------------------------------------------------- */

/* The bias of a block of a stage that has one for each: it is as wide. */
static const struct ferry_tensor *block_bias(struct ferry_value *weights,
					     bool wrapped, unsigned stage,
					     unsigned block)
{
	char name[96];

	snprintf(name, sizeof(name), "%sstages.%u.%u.%s",
		 wrapped ? "module." : "", stage, block,
		 stage < 2 ? "dwconv.bias" : "attn.proj.bias");
	return tensor_of(entry(weights, name));
}

static unsigned depth(struct ferry_value *weights, bool wrapped,
		      unsigned stage)
{
	unsigned n = 0;

	while (block_bias(weights, wrapped, stage, n))
		n++;
	return n;
}

static uint64_t width(const struct ferry_tensor *t)
{
	return t && t->ndim ? t->shape[0] : 0;
}

/* "convolutional 3x96 3x192, RoPE 5x384 2x768": blocks and their widths. */
static void put_stages(struct facts *f, struct ferry_value *weights,
		       bool wrapped)
{
	struct ferry_buffer text = FERRY_BUFFER_INIT;

	for (unsigned i = 0; i < 4; i++)
		ferry_buffer_printf(&text, "%s%ux%" PRIu64, i == 0 ?
				    "convolutional " : i == 2 ? ", RoPE " : " ",
				    depth(weights, wrapped, i),
				    width(block_bias(weights, wrapped, i,
						     0)));
	if (block_bias(weights, wrapped, 2, 0) && text.data)
		put_text(f, "stages", text.data);
	ferry_buffer_release(&text);
}

static void put_weights(struct facts *f, struct ferry_value *weights)
{
	const struct ferry_value *items = weights ? ferry_value_items(weights) :
					  NULL;
	bool wrapped = is_wrapped(weights);
	uint64_t elements = 0, tensors = 0;
	const struct ferry_tensor *t;

	for (uint32_t i = 0; items && i < items->u.dict.n; i++) {
		t = tensor_of(items->u.dict.pairs[i].value);
		tensors += t != NULL;
		elements += t ? ferry_tensor_nelem(t) : 0;
	}
	put(f, "tensors", ferry_uint(f->store, tensors));
	put(f, "elements", ferry_uint(f->store, elements));
	if (wrapped)
		put_text(f, "wrapped", "in DistributedDataParallel: every name "
			 "begins with module.");
	if (items)
		put_stages(f, weights, wrapped);
}

int describe_model(struct ferry_document *doc, struct ferry_value *out,
		   struct ferry_error *err)
{
	struct facts f = { .store = doc->store, .dict = out };

	put_weights(&f, doc->root);
	return finish(&f, err);
}

/* ---- config ---------------------------------------------------------------- */

static void put_config(struct facts *f, struct ferry_value *config)
{
	static const char *const paths[][2] = {
		{ "model", "MODEL.NAME" }, { "type", "MODEL.TYPE" },
		{ "experiment", "EXPERIMENT.NAME" },
		{ "image size", "DATA.IMG_SIZE" },
		{ "pretrained", "MODEL.PRETRAINED" },
		{ "pretrained source", "MODEL.PRETRAINED_SOURCE" },
		{ "pretrained ConvNeXt", "MODEL.PRETRAINED_CONVNEXT" },
		{ "pretrained RoPE-ViT", "MODEL.PRETRAINED_ROPEVIT" },
	};

	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++)
		copy(f, paths[i][0], entry_at(config, paths[i][1]));
}

int describe_config(struct ferry_document *doc, struct ferry_value *out,
		    struct ferry_error *err)
{
	struct facts f = { .store = doc->store, .dict = out };

	put_config(&f, doc->root);
	return finish(&f, err);
}

/* ---- training -------------------------------------------------------------- */

unsigned multi_optimizer(struct ferry_value *optimizer)
{
	const struct ferry_value *items = optimizer ?
					  ferry_value_items(optimizer) : NULL;
	int64_t version;

	if (whole(entry(optimizer, "_version"), &version) &&
	    entry(optimizer, "optimizers"))
		return version > 0 && version < 100 ? (unsigned)version : 0;
	for (uint32_t i = 0; items && i < items->u.dict.n; i++)
		if (!entry(items->u.dict.pairs[i].value, "param_groups"))
			return 0;
	return items && items->u.dict.n ? 1 : 0;
}

static void put_optimizer(struct facts *f, struct ferry_value *optimizer)
{
	unsigned version = multi_optimizer(optimizer);
	struct ferry_value *all = version > 1 ? entry(optimizer, "optimizers") :
				  optimizer;
	const struct ferry_value *items = all ? ferry_value_items(all) : NULL;
	struct names names = { .n = 0 };
	char text[600];

	if (!version || !items)
		return;
	for (uint32_t i = 0; i < items->u.dict.n; i++)
		if (items->u.dict.pairs[i].key->kind == FERRY_STRING)
			names_add(&names, "%.*s",
				  (int)items->u.dict.pairs[i].key->u.s.nbytes,
				  items->u.dict.pairs[i].key->u.s.data);
	snprintf(text, sizeof(text), "MultiOptimizer, version %u: %.500s",
		 version, names_text(&names));
	put_text(f, "optimizer", text);
	ferry_buffer_release(&names.text);
}

/* "val_loss best 0.31 at epoch 4" of every metric that has a best one. */
static void put_metric(struct facts *f, const char *name,
		       struct ferry_value *metric)
{
	struct ferry_value *best = entry(metric, "best");
	char key[160];
	int64_t epoch;

	if (!best || best->kind != FERRY_FLOAT)
		return;
	snprintf(key, sizeof(key), "best %.100s", name);
	if (whole(entry(metric, "best_epoch"), &epoch) && epoch >= 0)
		snprintf(key, sizeof(key), "best %.100s (epoch %" PRId64 ")",
			 name, epoch);
	put(f, key, best);
}

#define METRICS_MOST 12

static int shown(const struct ferry_value *name)
{
	return name->u.s.nbytes < 50 ? (int)name->u.s.nbytes : 50;
}

static void put_metrics(struct facts *f, struct ferry_value *phases)
{
	const struct ferry_value *items = phases ? ferry_value_items(phases) :
					  NULL, *inner, *a, *b;
	unsigned told = 0;
	char name[120];

	for (uint32_t i = 0; items && i < items->u.dict.n; i++) {
		a = items->u.dict.pairs[i].key;
		inner = ferry_value_items(items->u.dict.pairs[i].value);
		for (uint32_t k = 0; inner && k < inner->u.dict.n; k++) {
			b = inner->u.dict.pairs[k].key;
			if (a->kind != FERRY_STRING ||
			    b->kind != FERRY_STRING || told++ == METRICS_MOST)
				return;
			snprintf(name, sizeof(name), "%.*s.%.*s", shown(a),
				 a->u.s.data, shown(b), b->u.s.data);
			put_metric(f, name, inner->u.dict.pairs[k].value);
		}
	}
}

int describe_training(struct ferry_document *doc, struct ferry_value *out,
		      struct ferry_error *err)
{
	struct facts f = { .store = doc->store, .dict = out };
	struct ferry_value *root = doc->root;
	struct ferry_value *progress = entry(root, "training_progress");

	put_config(&f, entry(root, "config"));
	copy(&f, "epoch", entry(root, "epoch"));
	copy(&f, "iteration", entry(root, "iteration"));
	copy(&f, "stage", entry(progress, "current_stage"));
	copy(&f, "steps expected", entry(progress, "expected_total_steps"));
	copy(&f, "wandb run", entry(root, "wandb_run_id"));
	put_weights(&f, entry(root, "model"));
	put_optimizer(&f, entry(root, "optimizer"));
	put_metrics(&f, entry_at(root, "metrics_tracker.phase_metrics"));
	return finish(&f, err);
}
