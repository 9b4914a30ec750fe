/*
 * The tensors of a compression model, by the schema audiocraft/encodec in the
 * dimensions of its configuration.
 */
#include "config.h"

#include "plugins/audiocraft/audiocraft.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <ferry/schema.h>

#include "formats/omegaconf/omegaconf.h"

/* Differences that are told; of others the number is. */
#define MOST_TOLD 20
#define MOST_RATIOS 8
#define MOST_DIMS 32

/* A dimension of the schema, and what it is where a configuration says nothing:
 * then the modules' own defaults hold. */
static const struct size {
	const char *dim, *key;
	uint64_t least, fallback;
} sizes[] = {
	{ "A", "seanet.channels", 1, 1 },
	{ "D", "seanet.dimension", 1, 128 },
	{ "F", "seanet.n_filters", 1, 32 },
	{ "N", "seanet.n_residual_layers", 0, 3 },
	{ "K", "seanet.kernel_size", 1, 7 },
	{ "KL", "seanet.last_kernel_size", 1, 7 },
	{ "KR", "seanet.residual_kernel_size", 1, 3 },
	{ "Z", "seanet.compress", 1, 2 },
	{ "L", "seanet.lstm", 0, 0 },
	{ "OUT", "seanet.disable_norm_outer_blocks", 0, 0 },
	{ "Q", "rvq.n_q", 1, 8 },
	{ "B", "rvq.bins", 1, 1024 },
};

static const uint64_t usual_ratios[] = { 8, 5, 4, 2 };

struct codec {
	struct ferry_document *doc;
	struct ferry_value *plain;
	const char *path;		/* of the weights */
	struct ferry_findings *out;
	struct ferry_error *err;
	char text[MOST_DIMS][40];
	const char *dims[MOST_DIMS];
	size_t n;
	bool unknown;		/* a size that can't be told, or is none */
	int rc;
};

/* ---- dimensions --------------------------------------------------------------- */

static void add(struct codec *c, const char *dim, uint64_t value)
{
	snprintf(c->text[c->n], sizeof(c->text[0]), "%s=%" PRIu64, dim, value);
	c->dims[c->n] = c->text[c->n];
	c->n++;
}

static void refuse(struct codec *c, const char *key, const char *what)
{
	char path[80];

	snprintf(path, sizeof(path), "xp.cfg.%s", key);
	c->unknown = true;
	if (!c->rc)
		c->rc = tell(c->out, FERRY_VIOLATION, "config", path, c->err,
			     "%s is %s", key, what);
}

static bool is_open(const struct ferry_value *v)
{
	return v && v->kind == FERRY_STRING &&
	       memmem(v->u.s.data, v->u.s.nbytes, "${", 2);
}

/* Of an INT (a bool is 0 or 1). */
static bool count_of(const struct ferry_value *v, uint64_t least, uint64_t *out)
{
	if (v->kind == FERRY_BOOL)
		*out = v->u.b;
	else if (v->kind == FERRY_INT && !(v->flags & FERRY_BIG) &&
		 v->u.i >= 0 && v->u.i <= INT32_MAX)
		*out = (uint64_t)v->u.i;
	else
		return false;
	return *out >= least;
}

static void add_size(struct codec *c, const struct size *s)
{
	const struct ferry_value *v = config_find(c->plain, s->key);
	uint64_t n = s->fallback;
	char what[60];

	if (is_open(v)) {
		c->unknown = true;
	} else if (v && !count_of(v, s->least, &n)) {
		snprintf(what, sizeof(what), "no integer of at least %" PRIu64,
			 s->least);
		refuse(c, s->key, what);
	} else {
		add(c, s->dim, n);
	}
}

static void add_ratios(struct codec *c)
{
	struct ferry_value *v = omegaconf_at(c->plain, "seanet.ratios");
	uint64_t ratio;
	char dim[12];

	if (is_open(v)) {
		c->unknown = true;
	} else if (!v) {
		add(c, "R", 4);
		for (unsigned i = 0; i < 4; i++) {
			snprintf(dim, sizeof(dim), "R%u", i);
			add(c, dim, usual_ratios[i]);
		}
	} else if (v->kind != FERRY_LIST || v->u.list.n > MOST_RATIOS) {
		refuse(c, "seanet.ratios", "no list of up to 8 integers");
	} else {
		add(c, "R", v->u.list.n);
		for (uint32_t i = 0; i < v->u.list.n && !c->unknown; i++) {
			snprintf(dim, sizeof(dim), "R%" PRIu32, i);
			if (count_of(v->u.list.items[i], 1, &ratio))
				add(c, dim, ratio);
			else
				refuse(c, "seanet.ratios", "no list of up to "
				       "8 integers");
		}
	}
}

static void add_norm(struct codec *c)
{
	static const char *const names[] = {
		"none", "weight_norm", "time_group_norm", "spectral_norm",
	};
	const struct ferry_value *v = config_find(c->plain, "seanet.norm");
	size_t i = 0;

	while (v && i < 4 && !ferry_value_is(v, names[i]))
		i++;
	if (is_open(v))
		c->unknown = true;
	else if (i < 4)
		add(c, "NORM", i);
	else
		refuse(c, "seanet.norm", "no normalisation: give none, "
		       "weight_norm, time_group_norm or spectral_norm");
}

static void add_skip(struct codec *c)
{
	const struct ferry_value *v = config_find(c->plain, "seanet.true_skip");

	if (is_open(v))
		c->unknown = true;
	else
		add(c, "SKIP", !v || is_truthy(v));
}

/* A setting of the encoder or the decoder alone that changes its tensors. */
static bool has_override(struct codec *c, const char *half)
{
	static const char *const harmless[] = {
		"trim_right_ratio", "final_activation",
		"final_activation_params", "activation", "activation_params",
		"norm_params", "causal", "pad_mode", "dilation_base",
	};
	struct ferry_value *items = mapping(part(c->plain, "seanet"), half);
	size_t known = 0;

	for (size_t i = 0; i < sizeof(harmless) / sizeof(*harmless); i++)
		known += part(items, harmless[i]) != NULL;
	return items && known < items->u.dict.n;
}

static void read_dims(struct codec *c)
{
	const struct ferry_value *quantizer = config_find(c->plain,
							  "encodec.quantizer");
	bool none = quantizer && ferry_value_is(quantizer, "no_quant");

	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++)
		if (!none || strcmp(sizes[i].dim, "Q"))
			add_size(c, &sizes[i]);
	if (none)
		add(c, "Q", 0);
	add_norm(c);
	add_skip(c);
	add_ratios(c);
}

/* ---- comparing ------------------------------------------------------------------ */

static int tell_misfits(struct codec *c, const struct ferry_findings *found)
{
	const struct ferry_finding *f;
	char path[300];
	size_t n;
	int rc = 0;

	for (n = 0; !rc && (f = ferry_findings_get(found, n)); n++) {
		snprintf(path, sizeof(path), "%s.%s", c->path, f->path);
		if (n < MOST_TOLD)
			rc = tell(c->out, FERRY_VIOLATION, f->code, path,
				  c->err, "%s", f->text);
	}
	if (!rc && n > MOST_TOLD)
		rc = tell(c->out, FERRY_VIOLATION, "tensors", c->path, c->err,
			  "%zu more tensors are not those of the "
			  "configuration", n - MOST_TOLD);
	return rc;
}

static int compare(struct codec *c, struct ferry_value *weights)
{
	struct ferry_tensor_schema *schema = NULL;
	struct ferry_findings *found = NULL;
	struct ferry_error why = FERRY_ERROR_INIT;
	int rc = ferry_tensor_schema_find(&schema, c->doc->store,
					  "audiocraft/encodec", c->dims, c->n,
					  &why);

	if (rc == FERRY_LIMIT || rc == FERRY_MALFORMED)
		return tell(c->out, FERRY_VIOLATION, "config", "xp.cfg.seanet",
			    c->err, "no model has the sizes of the "
			    "configuration: %s", why.text);
	if (rc)
		return ferry_fail(c->err, rc, why.origin, why.offset, "%s",
				  why.text);
	rc = ferry_findings_new(&found, c->err);
	if (!rc)
		rc = ferry_tensor_schema_check(schema, c->doc, weights, 0,
					       found, c->err);
	if (!rc)
		rc = tell_misfits(c, found);
	ferry_findings_free(found);
	ferry_tensor_schema_free(schema);
	return rc < 0 ? rc : 0;
}

/* AudioCraft builds one compression model, of one kind of autoencoder. */
static bool is_built(struct codec *c, const char *key, const char *name)
{
	const struct ferry_value *v = config_find(c->plain, key);
	char what[60];

	snprintf(what, sizeof(what), "not %s, which is all that AudioCraft "
		 "builds", name);
	if (v && !is_open(v) && !ferry_value_is(v, name))
		refuse(c, key, what);
	return !c->unknown;
}

int check_codec_tensors(struct ferry_document *doc, struct ferry_value *plain,
			struct ferry_value *weights, const char *path,
			struct ferry_findings *out, struct ferry_error *err)
{
	struct codec c = {
		.doc = doc, .plain = plain, .path = path, .out = out,
		.err = err,
	};

	if (!is_built(&c, "compression_model", "encodec") ||
	    !is_built(&c, "encodec.autoencoder", "seanet") ||
	    !mapping(plain, "seanet"))
		return c.rc;
	if (has_override(&c, "encoder") || has_override(&c, "decoder"))
		return tell(out, FERRY_NOTE, "config", "xp.cfg.seanet", err,
			    "encoder and decoder have settings of their own: "
			    "the tensors are not held against them");
	read_dims(&c);
	return c.rc || c.unknown ? c.rc : compare(&c, weights);
}
