/* The release that wrote a checkpoint: each row of the table is held against
 * what is seen, and those that fit best are the answer. */
#include "config.h"

#include "plugins/caiman/origin.h"

#include <stdio.h>
#include <string.h>

#include <ferry/sys/alloc.h>

#include "plugins/caiman/shape.h"

/* 1 fits, 0 does not, -1 the file does not tell. */
typedef int clue(struct ferry_document *doc, const struct release *r);

struct clues {
	const char *name;
	clue *look;
};

static int layers_fit(struct ferry_value *weights, const struct release *r)
{
	if (!has_layers(weights))
		return -1;
	return r->lstm_layers;
}

bool has_layers(struct ferry_value *weights)
{
	const struct ferry_value *items = weights ? ferry_value_items(weights) :
						    NULL, *key;

	for (uint32_t i = 0; items && i < items->u.dict.n; i++) {
		key = items->u.dict.pairs[i].key;
		if (key->kind == FERRY_STRING &&
		    memmem(key->u.s.data, key->u.s.nbytes, ".lstm.layers.", 13))
			return true;
	}
	return false;
}

/* Only what the release's own torch.save() wrote has its protocol. */
static int protocol(struct ferry_document *doc, const struct release *r)
{
	const struct ferry_value *v = doc->about ?
		ferry_dict_get(doc->about, "protocol") : NULL;
	char text[24];

	if (!v || v->kind != FERRY_INT || (v->flags & FERRY_BIG))
		return -1;
	snprintf(text, sizeof(text), "%lld", (long long)v->u.i);
	return !strcmp(text, r->protocol);
}

static int layers(struct ferry_document *doc, const struct release *r)
{
	return layers_fit(at(doc->root, "state_dict"), r);
}

static int has_keys(struct ferry_value *v, const struct ferry_value *list,
		    const char *const *keys)
{
	for (size_t i = 0; keys[i]; i++)
		if (!at(v, keys[i]) != !list_has(list, keys[i]))
			return 0;
	return 1;
}

/* ---- training -------------------------------------------------------------------- */

static int training_keys(struct ferry_document *doc, const struct release *r)
{
	static const char *const keys[] = {
		"tokenizer_kw", "logmel_norm_weight", "raw_prefix_token_map",
		NULL
	};

	return has_keys(doc->root, r->training, keys);
}

static int tokenizer_keys(struct ferry_document *doc, const struct release *r)
{
	static const char *const keys[] = {
		"labels", "sentpiece_model", "sampling", "unk_handling", NULL
	};
	struct ferry_value *v = at(doc->root, "tokenizer_kw");

	return is_mapping(v) ? has_keys(v, r->tokenizer_kw, keys) : -1;
}

static int groups(struct ferry_document *doc, const struct release *r)
{
	const struct ferry_value *v = at(at(doc->root, "optimizer"),
					 "param_groups");

	return v && v->kind == FERRY_LIST ? v->u.list.n == r->groups : -1;
}

static const struct clues training_clues[] = {
	{ "keys of the checkpoint", training_keys },
	{ "keys of tokenizer_kw", tokenizer_keys },
	{ "groups of the optimizer", groups },
	{ "names of a CUDA LSTM", layers },
	{ "pickle protocol", protocol },
	{ NULL }
};

/* ---- hardware --------------------------------------------------------------------- */

static int hardware_keys(struct ferry_document *doc, const struct release *r)
{
	static const char *const keys[] = {
		"version", "rnnt_config", "ngram", "raw_prefix_token_map", NULL
	};

	return has_keys(doc->root, r->hardware, keys);
}

static int config_kind(struct ferry_document *doc, const struct release *r)
{
	struct ferry_value *config = at(doc->root, "rnnt_config");

	if (!is_mapping(config))
		return -1;
	return !at(config, "input_train") == !!strcmp(r->config, "whole");
}

static int melalpha(struct ferry_document *doc, const struct release *r)
{
	double value;

	if (!number(at(doc->root, "melalpha"), &value))
		return -1;
	return value == 0 || !r->melalpha_fixed;
}

static int version(struct ferry_document *doc, const struct release *r)
{
	const struct ferry_value *v = at(doc->root, "version");

	if (!v || !r->has_version)
		return -1;
	return r->version && ferry_value_is(v, r->version);
}

static const struct clues hardware_clues[] = {
	{ "keys of the checkpoint", hardware_keys },
	{ "kind of rnnt_config", config_kind },
	{ "melalpha", melalpha },
	{ "names of a CUDA LSTM", layers },
	{ "its version", version },
	{ "pickle protocol", protocol },
	{ NULL }
};

/* ---- weighing ---------------------------------------------------------------------- */

#define CLUES_MOST 8

struct fit {
	unsigned misses;		/* clues that speak against it */
	bool told[CLUES_MOST];		/* the clue says anything */
};

static void hold(struct ferry_document *doc, const struct clues *clues,
		 const struct release *r, struct fit *out)
{
	int fits;

	memset(out, 0, sizeof(*out));
	for (size_t i = 0; clues[i].name; i++) {
		fits = clues[i].look(doc, r);
		out->told[i] = fits >= 0;
		/* The first ones, layout, weigh more than the last. */
		out->misses += fits ? 0 : i < 2 ? 16 : i < 4 ? 4 : 1;
	}
}

static void name_range(struct origin *out)
{
	const struct release *a = out->first, *b = out->last;

	if (a == b)
		snprintf(out->release, sizeof(out->release), "%s", a->name);
	else
		snprintf(out->release, sizeof(out->release), "%s to %s",
			 a->name, b->name);
}

static void name_clues(const struct clues *clues, const struct fit *fit,
		       struct ferry_document *doc, struct origin *out)
{
	size_t n = 0, cap = sizeof(out->known_by);

	out->known_by[0] = '\0';
	for (size_t i = 0; clues[i].name && n < cap; i++) {
		if (!fit->told[i])
			continue;
		n += (size_t)snprintf(out->known_by + n, cap - n, "%s%s%s",
				      n ? ", " : "", clues[i].name,
				      clues[i].look(doc, out->first) ? "" :
				      " (which differs)");
	}
}

static void weigh(struct ferry_document *doc, const struct clues *clues,
		  const struct releases *all, struct origin *out)
{
	struct fit fit, best = { .misses = UINT32_MAX };

	for (size_t i = 0; i < all->n; i++) {
		hold(doc, clues, &all->items[i], &fit);
		if (fit.misses > best.misses)
			continue;
		if (fit.misses < best.misses)
			out->first = &all->items[i];
		out->last = &all->items[i];
		best = fit;
	}
	out->exact = !best.misses;
	name_range(out);
	name_clues(clues, &best, doc, out);
}

int origin_of_training(struct ferry_document *doc, const struct releases *all,
		       struct origin *out, struct ferry_error *err)
{
	(void)err;
	memset(out, 0, sizeof(*out));
	weigh(doc, training_clues, all, out);
	return 0;
}

int origin_of_hardware(struct ferry_document *doc, const struct releases *all,
		       struct origin *out, struct ferry_error *err)
{
	const struct ferry_value *v = at(doc->root, "version");

	memset(out, 0, sizeof(*out));
	weigh(doc, hardware_clues, all, out);
	if (!v || v->kind != FERRY_STRING)
		return 0;
	out->version = text_of(doc->store, v);
	return out->version ? 0 : ferry_fail_nomem(err, "a version");
}
