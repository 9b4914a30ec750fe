/*
 * The tensors of a language model: K embeddings and K heads of a card of C,
 * N layers of width D between, conditioners in front.  JASCO's has one
 * embedding and one head for a flow in their place, and one of time.
 */
#include "config.h"

#include "plugins/audiocraft/audiocraft.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <ferry/sys/buffer.h>

#define MOST_LAYERS 1000
#define MOST_CODEBOOKS 256

struct model {
	struct ferry_value *weights;
	const char *path;
	struct ferry_findings *out;
	struct ferry_error *err;
	uint64_t d, k, c, n, hidden;	/* 0: not known */
	int rc;
};

static const struct ferry_tensor *tensor(const struct model *m,
					 const char *name)
{
	struct ferry_value *v = part(m->weights, name);

	v = v ? ferry_value_payload(v) : NULL;
	return v && v->kind == FERRY_TENSOR ? v->u.tensor : NULL;
}

static void violation(struct model *m, const char *code, const char *name,
		      const char *text)
{
	char path[200];

	snprintf(path, sizeof(path), "%s.%s", m->path, name);
	if (!m->rc)
		m->rc = tell(m->out, FERRY_VIOLATION, code, path, m->err,
			     "'%s' %s", name, text);
}

/* A matrix rows x columns, or a vector (columns 0).  What is 0 otherwise is not
 * known and fits. */
static void expect(struct model *m, const char *name, uint64_t rows,
		   uint64_t columns, bool vector)
{
	const struct ferry_tensor *t = tensor(m, name);
	char text[200];

	if (!t || !rows || (!columns && !vector))
		return;
	if (t->ndim == (vector ? 1 : 2) && t->shape[0] == rows &&
	    (vector || t->shape[1] == columns))
		return;
	if (vector)
		snprintf(text, sizeof(text), "has %s of %" PRIu64 ", where the "
			 "configuration gives %" PRIu64,
			 t->ndim == 1 ? "a size" : "another rank; the first "
			 "dimension is", t->ndim ? t->shape[0] : 0, rows);
	else
		snprintf(text, sizeof(text), "is of shape %" PRIu64 " x %"
			 PRIu64 ", where the configuration gives %" PRIu64
			 " x %" PRIu64, t->ndim ? t->shape[0] : 0,
			 t->ndim > 1 ? t->shape[1] : 0, rows, columns);
	violation(m, "shape", name, text);
}

static void require(struct model *m, const char *name, uint64_t rows,
		    uint64_t columns)
{
	if (!tensor(m, name))
		violation(m, "missing", name, "is missing: the configuration "
			  "asks for it");
	else
		expect(m, name, rows, columns, false);
}

static void check_codebooks(struct model *m)
{
	char name[80];

	for (uint64_t k = 0; k < m->k && k < MOST_CODEBOOKS && !m->rc; k++) {
		snprintf(name, sizeof(name), "emb.%" PRIu64 ".weight", k);
		require(m, name, m->c ? m->c + 1 : 0, m->d);
		snprintf(name, sizeof(name), "linears.%" PRIu64 ".weight", k);
		require(m, name, m->c, m->d);
		snprintf(name, sizeof(name), "linears.%" PRIu64 ".bias", k);
		expect(m, name, m->c, 0, true);
	}
	snprintf(name, sizeof(name), "emb.%" PRIu64 ".weight", m->k);
	if (m->k && tensor(m, name))
		violation(m, "unexpected", name, "is there: the configuration "
			  "has fewer codebooks");
}

/* The plain attention keeps its tensors one level deeper. */
static void check_attention(struct model *m, const char *layer, const char *of,
			    bool required)
{
	char name[120], custom[140];

	snprintf(custom, sizeof(custom), "%s%s.mha.in_proj_weight", layer, of);
	snprintf(name, sizeof(name), "%s%s%s.in_proj_weight", layer, of,
		 tensor(m, custom) ? ".mha" : "");
	if (required)
		require(m, name, 3 * m->d, m->d);
	else
		expect(m, name, 3 * m->d, m->d, false);
	snprintf(name, sizeof(name), "%s%s%s.out_proj.weight", layer, of,
		 tensor(m, custom) ? ".mha" : "");
	if (required)
		require(m, name, m->d, m->d);
	else
		expect(m, name, m->d, m->d, false);
}

static void check_layer(struct model *m, uint64_t i)
{
	static const char *const vectors[] = {
		"norm1.weight", "norm1.bias", "norm2.weight", "norm2.bias",
		"norm_cross.weight", "norm_cross.bias",
	};
	char layer[60], name[120];

	snprintf(layer, sizeof(layer), "transformer.layers.%" PRIu64 ".", i);
	check_attention(m, layer, "self_attn", true);
	check_attention(m, layer, "cross_attention", false);
	snprintf(name, sizeof(name), "%slinear1.weight", layer);
	require(m, name, m->hidden * m->d, m->d);
	snprintf(name, sizeof(name), "%slinear2.weight", layer);
	require(m, name, m->d, m->hidden * m->d);
	for (size_t k = 0; k < sizeof(vectors) / sizeof(*vectors); k++) {
		snprintf(name, sizeof(name), "%s%s", layer, vectors[k]);
		expect(m, name, m->d, 0, true);
	}
}

/* The projections of conditioners end in the model's width. */
static void check_conditioners(struct model *m)
{
	const struct ferry_value *items = ferry_value_items(m->weights), *key;
	char name[160];

	for (uint32_t i = 0; i < items->u.dict.n && m->d && !m->rc; i++) {
		key = items->u.dict.pairs[i].key;
		if (key->kind != FERRY_STRING || key->u.s.nbytes < 20 ||
		    key->u.s.nbytes >= sizeof(name) ||
		    memcmp(key->u.s.data, "condition_provider.", 19) ||
		    !memmem(key->u.s.data, key->u.s.nbytes, ".output_proj.",
			    13))
			continue;
		memcpy(name, key->u.s.data, key->u.s.nbytes);
		name[key->u.s.nbytes] = '\0';
		if (tensor(m, name) && tensor(m, name)->ndim &&
		    tensor(m, name)->shape[0] != m->d)
			violation(m, "shape", name, "does not end in the "
				  "model's dim");
	}
}

/* Its model has no codebooks, and conditioners of sizes of their own. */
static bool is_jasco(struct ferry_value *plain)
{
	const struct ferry_value *solver = config_find(plain, "solver");

	return solver && ferry_value_is(solver, "jasco");
}

int check_lm_conditioners(struct ferry_value *plain,
			  struct ferry_value *weights, const char *path,
			  struct ferry_findings *out, struct ferry_error *err)
{
	const struct ferry_value *all = mapping(plain, "conditioners");
	struct model m = {
		.weights = weights, .path = path, .out = out, .err = err,
	};
	const struct ferry_pair *pair;
	char key[80], name[160];

	for (uint32_t i = 0; all && !is_jasco(plain) && i < all->u.dict.n;
	     i++) {
		pair = &all->u.dict.pairs[i];
		if (pair->key->kind != FERRY_STRING ||
		    !part(pair->value, "model"))
			continue;
		ferry_escape(key, sizeof(key), pair->key->u.s.data,
			     pair->key->u.s.nbytes);
		snprintf(name, sizeof(name), "condition_provider.conditioners."
			 "%s.output_proj.weight", key);
		require(&m, name, 0, 0);
	}
	return m.rc;
}

/* A size that is there and is none: 0 is "not known" to the rest. */
static void check_sizes(struct model *m, struct ferry_value *plain)
{
	static const char *const keys[] = {
		"dim", "n_q", "card", "num_layers", "hidden_scale",
	};
	const struct ferry_value *v;
	char key[60], path[80];

	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys) && !m->rc; i++) {
		snprintf(key, sizeof(key), "transformer_lm.%s", keys[i]);
		v = config_find(plain, key);
		if (!v || config_count(plain, key) ||
		    (v->kind == FERRY_STRING &&
		     memmem(v->u.s.data, v->u.s.nbytes, "${", 2)))
			continue;
		snprintf(path, sizeof(path), "xp.cfg.%s", key);
		m->rc = tell(m->out, FERRY_VIOLATION, "config", path, m->err,
			     "%s is no integer of at least 1", key);
	}
}

/* ---- flow matching (JASCO) ------------------------------------------------------ */

#define TIME_EMBEDDING 128	/* AudioCraft's own, where none is given */

/* A size that may be 0 or missing; false: it can't be told. */
static bool add_size(struct ferry_value *plain, const char *key, uint64_t *sum)
{
	const struct ferry_value *v = config_find(plain, key);

	if (!v)
		return true;
	if (v->kind != FERRY_INT || v->flags & FERRY_BIG || v->u.i < 0 ||
	    v->u.i > INT32_MAX)
		return false;
	*sum += (uint64_t)v->u.i;
	return true;
}

/* What the embedding takes in: a frame of the flow, and of each condition in
 * time; 0: not known. */
static uint64_t frame_size(struct ferry_value *plain, uint64_t flow)
{
	static const char *const keys[] = {
		"transformer_lm.chords_dim", "transformer_lm.drums_dim",
		"transformer_lm.melody_dim",
	};
	uint64_t sum = flow;

	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++)
		if (!add_size(plain, keys[i], &sum))
			return 0;
	return flow ? sum : 0;
}

static void check_skips(struct model *m, struct ferry_value *plain)
{
	const struct ferry_value *skips = config_find(
		plain, "transformer_lm.skip_connections");
	char name[80];

	for (uint64_t i = 0; skips && is_truthy(skips) && i < m->n / 2 &&
			     i < MOST_LAYERS && !m->rc; i++) {
		snprintf(name, sizeof(name), "transformer.skip_projections.%"
			 PRIu64 ".weight", i);
		require(m, name, m->d, 2 * m->d);
	}
}

static void check_flow(struct model *m, struct ferry_value *plain)
{
	uint64_t flow = config_count(plain, "transformer_lm.flow_dim");
	uint64_t time = config_count(plain, "transformer_lm."
				     "time_embedding_dim");

	time = time ? time : TIME_EMBEDDING;
	require(m, "emb.weight", m->d, frame_size(plain, flow));
	require(m, "linear.weight", flow, m->d);
	expect(m, "linear.bias", flow, 0, true);
	require(m, "temb.dense.0.weight", 4 * time, time);
	require(m, "temb.dense.1.weight", 4 * time, 4 * time);
	require(m, "temb_proj.weight", m->d, 4 * time);
	check_skips(m, plain);
}

/* Codebooks, and conditions that all end in the model's width. */
static void check_tokens(struct model *m)
{
	check_codebooks(m);
	check_conditioners(m);
}

int check_lm_tensors(struct ferry_value *plain, struct ferry_value *weights,
		     const char *path, struct ferry_findings *out,
		     struct ferry_error *err)
{
	struct model m = {
		.weights = weights, .path = path, .out = out, .err = err,
		.d = config_count(plain, "transformer_lm.dim"),
		.k = config_count(plain, "transformer_lm.n_q"),
		.c = config_count(plain, "transformer_lm.card"),
		.n = config_count(plain, "transformer_lm.num_layers"),
		.hidden = config_count(plain, "transformer_lm.hidden_scale"),
	};

	if (!ferry_value_items(weights))
		return 0;
	check_sizes(&m, plain);
	if (is_jasco(plain))
		check_flow(&m, plain);
	else
		check_tokens(&m);
	for (uint64_t i = 0; i < m.n && i < MOST_LAYERS && !m.rc; i++)
		check_layer(&m, i);
	expect(&m, "out_norm.weight", m.d, 0, true);
	expect(&m, "out_norm.bias", m.d, 0, true);
	return m.rc;
}
