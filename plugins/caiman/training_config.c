/* Checking configs. */
#include "config.h"

#include "plugins/caiman/training_config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <ferry/sys/map.h>

#include "plugins/caiman/inference.h"
#include "plugins/caiman/shape.h"

struct checking {
	struct ferry_value *specs;	/* training.yaml */
	struct report *r;
};

static bool listed(struct ferry_value *spec, const char *kind,
		   const struct ferry_value *key)
{
	const struct ferry_value *list = at(spec, kind);

	for (uint32_t i = 0; list && list->kind == FERRY_LIST &&
			     i < list->u.list.n; i++)
		if (key->u.s.nbytes == list->u.list.items[i]->u.s.nbytes &&
		    !memcmp(key->u.s.data, list->u.list.items[i]->u.s.data,
			    key->u.s.nbytes))
			return true;
	return false;
}

static void check_name(struct checking *c, struct ferry_value *spec,
		       const struct ferry_value *key)
{
	const struct ferry_value *older = at(spec, "older"), *since;

	if (key->kind != FERRY_STRING) {
		violate_key(c->r, "unexpected", key, "a name is of kind %s, "
			    "not text", ferry_kind_name(key->kind));
		return;
	}
	if (listed(spec, "required", key) || listed(spec, "optional", key) ||
	    listed(spec, "deprecated", key))
		return;
	since = older && older->kind == FERRY_DICT ?
		ferry_dict_find(older, key) : NULL;
	if (since && since->kind == FERRY_STRING)
		violate_key(c->r, "older", key, "is not taken since release "
			    "%.*s", (int)since->u.s.nbytes, since->u.s.data);
	else
		violate_key(c->r, "unexpected", key, "is not known");
}

/* Names that must be, and none that may not.  False: it is no section. */
static bool check_names(struct checking *c, struct ferry_value *section,
			const char *class)
{
	struct ferry_value *spec = at(c->specs, class);
	const struct ferry_value *items = ferry_value_items(section),
				 *required = at(spec, "required"), *v;

	if (!items) {
		violate(c->r, "type", "", "must be a section: it is of kind "
			"%s", ferry_kind_name(section->kind));
		return false;
	}
	for (uint32_t i = 0; required && required->kind == FERRY_LIST &&
			     i < required->u.list.n; i++) {
		v = required->u.list.items[i];
		if (!ferry_dict_find(items, v))
			violate_key(c->r, "missing", v, "is missing");
	}
	for (uint32_t i = 0; i < items->u.dict.n; i++)
		check_name(c, spec, items->u.dict.pairs[i].key);
	return true;
}

/* The same of a section below, where there is one. */
static void check_below(struct checking *c, struct ferry_value *section,
			const char *name, const char *class)
{
	struct ferry_value *inner = at(section, name);
	const char *above = c->r->path;
	char path[120];

	if (!inner || inner->kind == FERRY_NONE)
		return;
	snprintf(path, sizeof(path), "%s%s%s", above, *above ? "." : "", name);
	c->r->path = path;
	check_names(c, inner, class);
	c->r->path = above;
}

/* ---- input sections ------------------------------------------------------------- */

static void check_rates(struct ferry_value *input, struct report *r)
{
	struct ferry_value *audio = at(input, "audio_dataset"),
			   *features = at(input, "filterbank_features");
	double a = 16000, b;

	if (at(audio, "sample_rate") && !number(at(audio, "sample_rate"), &a))
		violate(r, "type", "audio_dataset.sample_rate",
			"must be a number");
	else if (number(at(features, "sample_rate"), &b) && a != b)
		violate(r, "sample-rate", "filterbank_features.sample_rate",
			"is %g, but audio_dataset has %g", b, a);
}

static void check_split(struct checking *c, struct ferry_value *input,
			const char *split)
{
	if (!check_names(c, input, "input"))
		return;
	check_below(c, input, "audio_dataset", "audio_dataset");
	check_below(c, input, "frame_splicing", "frame_splicing");
	check_below(c, input, "spec_augment", "spec_augment");
	check_below(c, at(input, "audio_dataset"), "speed_perturbation",
		    "speed_perturbation");
	if (!strcmp(split, "val") &&
	    at(at(input, "audio_dataset"), "standardize_text"))
		violate(c->r, "unexpected", "audio_dataset.standardize_text",
			"is of use in training only");
	check_rates(input, c->r);
}

static int check_split_of(struct checking *c, struct ferry_value *config,
			  const char *split)
{
	struct ferry_value *input;
	const char *above = c->r->path;
	char path[120];

	snprintf(path, sizeof(path), "input_%s", split);
	input = at(config, path);
	snprintf(path, sizeof(path), "%s%sinput_%s", above, *above ? "." : "",
		 split);
	c->r->path = path;
	if (input)
		check_split(c, input, split);
	else
		violate(c->r, "missing", "", "is missing");
	c->r->path = above;
	return c->r->failed ? FERRY_NOMEM : 0;
}

int check_input(struct ferry_store *store, struct ferry_value *config,
		const char *split, struct report *r, struct ferry_error *err)
{
	struct checking c = { .r = r };
	int rc = schema_load(store, "training", &c.specs, err);

	if (rc)
		return rc;
	return check_split_of(&c, config, split) ?
	       ferry_fail_nomem(err, "violations") : 0;
}

void check_sizes(struct ferry_value *config, struct report *r)
{
	struct ferry_value *val = at(config, "input_val");
	uint64_t feats, filt, stacking = 1;

	if (!dimension(at(at(config, "rnnt"), "in_feats"), &feats) ||
	    !dimension(at(at(val, "filterbank_features"), "n_filt"), &filt))
		return;
	dimension(at(at(val, "frame_splicing"), "frame_stacking"), &stacking);
	if (feats != filt * stacking)
		violate(r, "in-feats", "rnnt.in_feats", "is %" PRIu64 ", but "
			"n_filt * frame_stacking is %" PRIu64 " * %" PRIu64,
			feats, filt, stacking);
}

/* ---- other sections --------------------------------------------------------------- */

static bool is_true(const struct ferry_value *v)
{
	return v && ((v->kind == FERRY_BOOL && v->u.b) ||
		     (v->kind == FERRY_INT && v->u.i));
}

static void check_rnnt(struct ferry_value *rnnt, struct report *r)
{
	const struct ferry_value *apex = at(rnnt, "joint_apex_transducer");
	bool none = !apex || apex->kind == FERRY_NONE;

	if (!none && !ferry_value_is(apex, "pack") &&
	    !ferry_value_is(apex, "not_pack"))
		violate(r, "value", "rnnt.joint_apex_transducer",
			"must be null, pack or not_pack");
	if (none && is_true(at(rnnt, "joint_apex_relu_dropout")))
		violate(r, "value", "rnnt.joint_apex_relu_dropout",
			"needs joint_apex_transducer");
	if (is_true(at(rnnt, "quantize")) && !is_true(at(rnnt, "custom_lstm")))
		violate(r, "value", "rnnt.quantize", "needs custom_lstm");
}

static void check_tokenizer(struct ferry_value *tokenizer, struct report *r)
{
	const struct ferry_value *labels = at(tokenizer, "labels");
	double sampling;

	if (labels && labels->kind != FERRY_LIST)
		violate(r, "type", "tokenizer.labels", "must be a list");
	if (at(tokenizer, "sampling") &&
	    (!number(at(tokenizer, "sampling"), &sampling) ||
	     !(sampling >= 0 && sampling <= 1)))
		violate(r, "value", "tokenizer.sampling",
			"must be a number from 0 to 1");
}

/* "<EOS>", "<A_tag><B>". */
static bool is_tags(const struct ferry_value *v)
{
	bool inside = false, any = false;

	if (v->kind != FERRY_STRING || !v->u.s.nbytes)
		return false;
	for (uint64_t i = 0; i < v->u.s.nbytes; i++) {
		char c = v->u.s.data[i];
		bool letter = (c >= 'a' && c <= 'z') || c == '_' ||
			      (c >= 'A' && c <= 'Z');

		if (inside ? !letter && (c != '>' || !any) : c != '<')
			return false;
		any = inside && letter;
		inside = inside ? letter : true;
	}
	return !inside;
}

static void check_user_tokens(struct ferry_value *tokens, struct report *r)
{
	const struct ferry_value *items = tokens ? ferry_value_items(tokens) :
						   NULL;
	const char *above = r->path;

	r->path = "user_tokens";
	for (uint32_t i = 0; items && i < items->u.dict.n; i++)
		if (items->u.dict.pairs[i].value->kind != FERRY_NONE &&
		    !is_tags(items->u.dict.pairs[i].value))
			violate_key(r, "value", items->u.dict.pairs[i].key,
				    "must be null, or tags like <EOS>");
	r->path = above;
}

void check_filled(struct ferry_value *config, struct report *r)
{
	static const struct {
		const char *path, *word;
	} places[] = {
		{ TEMPLATE_PIECES, "SENTENCEPIECE" },
		{ TEMPLATE_STATS, "STATS_SUBDIR" },
		{ "input_train.audio_dataset.max_duration", "MAX_DURATION" },
		{ TEMPLATE_NGRAM, "NGRAM_SUBDIR" },
	};
	const struct ferry_value *v;

	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
		v = ferry_value_at(config, places[i].path);
		if (v && v->kind == FERRY_STRING &&
		    memmem(v->u.s.data, v->u.s.nbytes, places[i].word,
			   strlen(places[i].word)))
			violate(r, "template", places[i].path, "still has %s: "
				"the config is a template to be filled in",
				places[i].word);
	}
}

static void check_sections(struct checking *c, struct ferry_value *config)
{
	static const char *const names[] = {
		"rnnt", "grad_noise_scheduler", "tokenizer", "ngram", NULL
	};

	for (size_t i = 0; names[i]; i++)
		check_below(c, config, names[i], names[i]);
	check_rnnt(at(config, "rnnt"), c->r);
	check_tokenizer(at(config, "tokenizer"), c->r);
	check_user_tokens(at(config, "user_tokens"), c->r);
	check_filled(config, c->r);
}

/* ---- the types' checks ------------------------------------------------------------- */

/* Take over what is told at a path of which nothing was told yet. */
static int add_new(const struct ferry_findings *from, struct ferry_findings *to)
{
	struct ferry_map told = FERRY_MAP_INIT;
	const struct ferry_finding *f;
	size_t n = ferry_findings_count(to);
	int rc = 0;

	for (size_t i = 0; i < n && (f = ferry_findings_get(to, i)); i++)
		rc |= ferry_map_put(&told, f->path, strlen(f->path), 0);
	for (size_t i = 0; !rc && (f = ferry_findings_get(from, i)); i++)
		if (!ferry_map_get(&told, f->path, strlen(f->path), NULL))
			rc = ferry_findings_add(to, f->level, f->code, f->path,
						f->offset, "%s", f->text);
	ferry_map_release(&told);
	return rc;
}

/* By the release's schema; NULL: by the one that takes most. */
static int check_schema(struct ferry_document *doc,
			const struct release *release, struct report *r,
			struct ferry_error *err)
{
	struct ferry_value *config, *out;
	struct releases all;
	int rc = releases_load(doc->store, &all, err);

	if (!release && !rc)
		release = &all.items[all.n - 1];
	if (!rc)
		rc = without_joint_lr_factor(doc->store, doc->root, &config,
					     err);
	if (!rc)
		rc = inference_config(doc->store, release, config, r, &out,
				      err);
	if (!rc)
		check_sizes(doc->root, r);
	return rc ? rc : r->failed ? ferry_fail_nomem(err, "violations") : 0;
}

/* The release that options ask for; one from before the schemas is refused. */
static int schema_release(struct ferry_document *doc,
			  const struct ferry_options *options,
			  const struct release **out, struct ferry_error *err)
{
	struct releases all;
	int rc = releases_load(doc->store, &all, err);

	if (!rc)
		rc = release_wanted(&all, options, out, err);
	if (rc || has_schema(*out))
		return rc;
	return ferry_fail(err, FERRY_MISUSE, "caiman", FERRY_NO_OFFSET,
			  "release %s has no schema to check a config by: give "
			  "1.6.0 or newer", (*out)->name);
}

static int check_inference_as(struct ferry_document *doc,
			      const struct release *release,
			      struct ferry_findings *out,
			      struct ferry_error *err)
{
	struct report r = { .findings = out, .path = "" };

	return check_schema(doc, release, &r, err);
}

static int check_config_as(struct ferry_document *doc,
			   const struct release *release,
			   struct ferry_findings *out, struct ferry_error *err)
{
	struct report r = { .findings = out, .path = "" };
	struct checking c = { .r = &r };
	int rc = schema_load(doc->store, "training", &c.specs, err);

	if (rc)
		return rc;
	check_split_of(&c, doc->root, "val");
	if (at(doc->root, "input_train"))
		check_split_of(&c, doc->root, "train");
	check_sections(&c, doc->root);
	rc = r.failed ? ferry_fail_nomem(err, "violations") :
	     ferry_findings_new(&r.findings, err);
	if (rc)
		return rc;
	rc = check_schema(doc, release, &r, err);
	if (!rc && add_new(r.findings, out))
		rc = ferry_fail_nomem(err, "violations");
	ferry_findings_free(r.findings);
	return rc;
}

int check_inference(struct ferry_document *doc, struct ferry_findings *out,
		    struct ferry_error *err)
{
	return check_inference_as(doc, NULL, out, err);
}

int check_inference_by(struct ferry_document *doc,
		       const struct ferry_options *options,
		       struct ferry_findings *out, struct ferry_error *err)
{
	const struct release *release;
	int rc = schema_release(doc, options, &release, err);

	return rc ? rc : check_inference_as(doc, release, out, err);
}

int check_config(struct ferry_document *doc, struct ferry_findings *out,
		 struct ferry_error *err)
{
	return check_config_as(doc, NULL, out, err);
}

int check_config_by(struct ferry_document *doc,
		    const struct ferry_options *options,
		    struct ferry_findings *out, struct ferry_error *err)
{
	const struct release *release;
	int rc = schema_release(doc, options, &release, err);

	return rc ? rc : check_config_as(doc, release, out, err);
}
