/* Training to hardware: the preconditions in the order upstream's exporter
 * meets them, then the keys in the order of the release. */
#include "config.h"

#include "plugins/caiman/export.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "plugins/caiman/training_config.h"
#include "plugins/caiman/inference.h"
#include "plugins/caiman/migrate.h"
#include "plugins/caiman/number.h"
#include "plugins/caiman/variant.h"

static int fail_missing(const struct export *x, const char *key,
			const char *why)
{
	return ferry_fail(x->err, FERRY_MALFORMED, "caiman", FERRY_NO_OFFSET,
			  "checkpoint has no %s%s", key, why);
}

/* ---- preconditions ------------------------------------------------------------------ */

bool norm_is_finished(double w)
{
	return fabs(w - 1) <= NORM_TOLERANCE * fmax(fabs(w), 1);
}

static int require_norm_weight(struct export *x)
{
	const struct ferry_value *v = at(x->checkpoint, "logmel_norm_weight");
	char text[NUMBER_REPR_CAP];
	double w;

	if (!x->release->norm_weight)
		return 0;
	if (!v)
		return fail_missing(x, "logmel_norm_weight", " (it is of "
				    "release 1.8 or before): bring it to a "
				    "newer release first, or export for an old "
				    "one with --set release=1.8.0");
	if (!number(v, &w))
		return ferry_fail(x->err, FERRY_MALFORMED, "caiman",
				  FERRY_NO_OFFSET, "logmel_norm_weight must be "
				  "a number: it is of kind %s",
				  ferry_kind_name(v->kind));
	if (norm_is_finished(w))
		return 0;
	number_repr(w, text);
	return ferry_fail(x->err, FERRY_UNSUPPORTED, "caiman", FERRY_NO_OFFSET,
			  "logmel_norm_weight is %s, not 1.0: the ramp to "
			  "normalisation by the data set's statistics is not "
			  "finished; train on, then export", text);
}

/* Whether a path of the config is where a file is sought. */
static bool is_sought(const struct export *x, const char *setting, bool skip)
{
	const char *other = ferry_option(x->args->options, "ngram-path");

	if (!strcmp(setting, TEMPLATE_PIECES))
		return !x->args->files[ROLE_SENTENCEPIECE];
	if (!strcmp(setting, TEMPLATE_STATS))
		return !x->args->inputs[ROLE_MEL_MEANS] ||
		       !x->args->inputs[ROLE_MEL_VARS];
	return !strcmp(setting, TEMPLATE_NGRAM) && !skip &&
	       list_has(x->release->hardware, "ngram") &&
	       !x->args->files[ROLE_NGRAM] && (!other || !*other);
}

/* What stands in a template's places, to be sought or, where files were given,
 * to be carried along. */
static int sort_unfilled(struct export *x, const struct ferry_findings *all,
			 struct ferry_findings *sought)
{
	const struct ferry_finding *f;
	bool skip, fails;
	int rc = ferry_option_bool(x->args->options, "skip-ngram", &skip,
				   x->err);

	for (size_t i = 0; !rc && (f = ferry_findings_get(all, i)); i++) {
		fails = is_sought(x, f->path, skip);
		if (ferry_findings_add(fails ? sought : x->args->findings,
				       fails ? FERRY_VIOLATION : FERRY_NOTE,
				       f->code, f->path, f->offset, "%s",
				       f->text))
			rc = ferry_fail_nomem(x->err, "findings");
	}
	return rc;
}

static int require_filled(struct export *x)
{
	struct report r = { .path = "" };
	struct ferry_findings *sought = NULL;
	int rc = ferry_findings_new(&r.findings, x->err);

	if (!rc)
		rc = ferry_findings_new(&sought, x->err);
	if (!rc)
		check_filled(x->config, &r);
	if (!rc && r.failed)
		rc = ferry_fail_nomem(x->err, "findings");
	if (!rc)
		rc = sort_unfilled(x, r.findings, sought);
	if (!rc && ferry_findings_count(sought))
		rc = fail_violations(sought, "config", x->args->findings,
				     x->err);
	ferry_findings_free(sought);
	ferry_findings_free(r.findings);
	return rc;
}

static int require_input(struct export *x)
{
	struct report r = { .path = "" };
	int rc = ferry_findings_new(&r.findings, x->err);

	if (rc || !x->release->stats_path) {
		ferry_findings_free(r.findings);
		return rc;
	}
	rc = check_input(x->args->store, x->config, "val", &r, x->err);
	if (!rc && ferry_findings_count_level(r.findings, FERRY_VIOLATION))
		rc = fail_violations(r.findings, "config",
				     x->args->findings, x->err);
	ferry_findings_free(r.findings);
	return rc;
}

static int require_keys(struct export *x)
{
	static const char *const keys[] = {
		"ema_state_dict", "epoch", "step", "best_wer", NULL
	};
	struct ferry_value *ema = at(x->checkpoint, "ema_state_dict");

	for (size_t i = 0; keys[i]; i++)
		if (!at(x->checkpoint, keys[i]))
			return fail_missing(x, keys[i], "");
	if (is_mapping(ema))
		return 0;
	return ferry_fail(x->err, FERRY_MALFORMED, "caiman", FERRY_NO_OFFSET,
			  "ema_state_dict is of kind %s: a hardware checkpoint "
			  "is made of the EMA weights, which were not kept",
			  ferry_kind_name(ema->kind));
}

static int read_melalpha(const struct export *x, double *out)
{
	const char *text = ferry_option(x->args->options, "melalpha");

	*out = x->release->melalpha;
	if (!text)
		return 0;
	if (!number_float(text, strlen(text), false, out) || !isfinite(*out))
		return ferry_fail(x->err, FERRY_MISUSE, "caiman",
				  FERRY_NO_OFFSET, "melalpha must be a number");
	if (*out != 0 && x->release->melalpha_fixed)
		return ferry_fail(x->err, FERRY_MISUSE, "caiman",
				  FERRY_NO_OFFSET, "melalpha must be 0.0 for "
				  "release %s", x->release->name);
	return 0;
}

static int gather(struct export *x)
{
	int rc = require_norm_weight(x);

	if (!rc)
		rc = require_filled(x);
	if (!rc)
		rc = require_input(x);
	if (!rc)
		rc = export_stats(x);
	if (!rc)
		rc = export_pieces(x);
	if (!rc)
		rc = export_ngram(x);
	if (!rc)
		rc = release_config(x->args->store, x->release, x->config,
				    &x->inference, x->args->findings, x->err);
	if (!rc)
		rc = require_keys(x);
	return rc ? rc : require_variant(x->args, at(x->checkpoint,
						     "ema_state_dict"),
					 x->release, x->err);
}

/* ---- the result ----------------------------------------------------------------------- */

static struct ferry_value *value_of(const struct export *x, const char *key,
				    double melalpha, const char *version)
{
	struct ferry_store *store = x->args->store;
	const struct {
		const char *key;
		struct ferry_value *value;
	} made[] = {
		{ "state_dict", at(x->checkpoint, "ema_state_dict") },
		{ "melmeans", x->means }, { "melvars", x->vars },
		{ "sentpiece_model", x->pieces }, { "ngram", x->ngram },
		{ "rnnt_config", x->inference },
	};

	if (!strcmp(key, "melalpha"))
		return ferry_float(store, melalpha);
	if (!strcmp(key, "version"))
		return ferry_cstring(store, version);
	for (size_t i = 0; i < sizeof(made) / sizeof(*made); i++)
		if (!strcmp(key, made[i].key))
			return made[i].value;
	return at(x->checkpoint, key);
}

static int assemble(struct export *x, double melalpha, const char *version)
{
	static const char later[] = "raw_prefix_token_map";
	struct making out = make(x->args->store, NULL);
	const char *key;

	for (uint32_t i = 0; i < x->release->hardware->u.list.n; i++) {
		key = list_text(x->args->store, x->release->hardware, i);
		if (!key)
			return ferry_fail_nomem(x->err, "a name");
		if (strcmp(key, later) || at(x->checkpoint, later))
			put(&out, key, value_of(x, key, melalpha, version));
	}
	if (at(x->checkpoint, later))
		put(&out, later, at(x->checkpoint, later));
	x->args->out->root = out.dict;
	return out.failed ? ferry_fail_nomem(x->err, "a checkpoint") :
	       hint_protocol(x->args->out, x->release, x->err);
}

static int run(const struct ferry_conversion_args *args,
	       struct ferry_error *err)
{
	struct export x = {
		.args = args, .err = err,
		.checkpoint = args->inputs[ROLE_CHECKPOINT]->root,
		.config = args->inputs[ROLE_CONFIG]->root,
	};
	struct releases all;
	const char *version = NULL;
	double melalpha;
	int rc = releases_load(args->store, &all, err);

	if (!rc)
		rc = release_wanted(&all, args->options, &x.release, err);
	if (!rc)
		rc = version_to_write(args, x.release, &version, err);
	if (!rc)
		rc = read_melalpha(&x, &melalpha);
	if (!rc)
		rc = gather(&x);
	return rc ? rc : assemble(&x, melalpha, version);
}

static int losses(const struct ferry_conversion_args *args,
		  struct ferry_findings *out, struct ferry_error *err)
{
	static const char *const left[] = {
		"state_dict", "optimizer", "tokenizer_kw", NULL
	};

	for (size_t i = 0; left[i]; i++) {
		if (!at(args->inputs[ROLE_CHECKPOINT]->root, left[i]))
			continue;
		if (ferry_findings_add(out, FERRY_NOTE, "training", left[i],
				       FERRY_NO_OFFSET, "'%s' of the training "
				       "is left behind%s", left[i],
				       i ? "" : ": inference takes the EMA "
				       "weights"))
			return ferry_fail_nomem(err, "findings");
	}
	return 0;
}

static const struct ferry_role roles[] = {
	[ROLE_CHECKPOINT] = {
		.name = "checkpoint", .type = "caiman/training",
		.help = "the training checkpoint" },
	[ROLE_CONFIG] = {
		.name = "config", .type = "caiman/config",
		.help = "the YAML config of the training" },
	[ROLE_MEL_MEANS] = {
		.name = "mel-means", .type = "caiman/mel-stats",
		.optional = true,
		.help = "melmeans.pt; default: in stats_path of the config" },
	[ROLE_MEL_VARS] = {
		.name = "mel-vars", .type = "caiman/mel-stats",
		.optional = true,
		.help = "melvars.pt; default: in stats_path of the config" },
	[ROLE_SENTENCEPIECE] = {
		.name = "sentencepiece", .optional = true,
		.help = "the .model file; default: sentpiece_model of the "
			"config" },
	[ROLE_NGRAM] = {
		.name = "ngram", .optional = true,
		.help = "the KenLM .binary; default: in ngram_path of the "
			"config" },
	{ .name = NULL }
};

static const struct ferry_option_spec options[] = {
	RELEASE_OPTION,
	VERSION_OPTION,
	{ "melalpha", NULL, "melalpha, of release 1.8 and before; default: "
	  "0.001" },
	{ "skip-ngram", "no", "write no n-gram" },
	{ "ngram-path", NULL, "the n-gram or its directory, in the place of "
	  "the config's" },
	VARIANT_OPTIONS,
	{ NULL }
};

const struct ferry_conversion training_to_hardware = {
	.struct_size = sizeof(struct ferry_conversion),
	.name = "caiman-training-to-hardware",
	.title = "a training checkpoint for the inference server",
	.roles = roles,
	.output = "caiman/hardware",
	.cost = 2,
	.options = options,
	.losses = losses,
	.run = run,
};
