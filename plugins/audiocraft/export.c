/* Training checkpoints to exports. */
#include "config.h"

#include "plugins/audiocraft/audiocraft.h"

#include <string.h>

#include "formats/omegaconf/omegaconf.h"

void entries_begin(struct entries *e, struct ferry_store *store)
{
	*e = (struct entries){ .store = store, .dict = ferry_dict(store, 4) };
	e->failed = !e->dict;
}

void entries_add(struct entries *e, const char *key, struct ferry_value *v)
{
	e->failed = e->failed || !v ||
		    ferry_dict_set_str(e->store, e->dict, key, v);
}

int entries_root(struct entries *e, struct ferry_document *out,
		 struct ferry_error *err)
{
	out->root = e->dict;
	return e->failed ? ferry_fail_nomem(err, "a checkpoint") : 0;
}

struct ferry_value *same_pairs(struct ferry_store *store,
			       struct ferry_value *mapping)
{
	struct ferry_value *out;

	if (mapping->kind != FERRY_DICT)
		return mapping;
	out = ferry_dict(store, mapping->u.dict.n);
	return out && !ferry_dict_replace(store, out, mapping->u.dict.pairs,
					  mapping->u.dict.n) ? out : NULL;
}

/* ---- releases ------------------------------------------------------------------- */

static const char *const releases[] = {
	"0.0.1", "0.0.2", "1.0.0", "1.1.0", "1.2.0", "1.3.0", "1.4.0a2", NULL
};

static bool is_first(const struct ferry_conversion_args *args)
{
	const char *version = ferry_option(args->options, "version");

	return version && !strncmp(version, "0.0.", 4);
}

int is_legacy(const struct ferry_conversion_args *args, bool *out,
	      struct ferry_error *err)
{
	*out = false;
	if (ferry_option(args->options, "legacy") &&
	    ferry_option_bool(args->options, "legacy", out, err))
		return FERRY_MISUSE;
	*out |= is_first(args);
	return 0;
}

static int add_version(const struct ferry_conversion_args *args,
		       struct entries *e, struct ferry_error *err)
{
	const char *version = ferry_option(args->options, "version");
	size_t i = 0;
	char shown[60];

	version = version ? version : AUDIOCRAFT_NEWEST;
	entries_add(e, "version", ferry_cstring(args->store, version));
	while (releases[i] && strcmp(releases[i], version))
		i++;
	if (releases[i])
		return 0;
	return tell(args->findings, FERRY_NOTE, "version", "version", err,
		    "version '%s' is no release that is known here",
		    ferry_escape(shown, sizeof(shown), version,
				 strlen(version)));
}

int build_export(const struct ferry_conversion_args *args,
		 struct ferry_value *weights, struct ferry_value *config,
		 struct ferry_error *err)
{
	struct ferry_value *text;
	struct entries e;
	int rc = config_text(args->store, config, args->findings, &text, err);

	if (rc)
		return rc;
	entries_begin(&e, args->store);
	entries_add(&e, "best_state", same_pairs(args->store, weights));
	entries_add(&e, "xp.cfg", text);
	if (!is_first(args)) {
		rc = add_version(args, &e, err);
		entries_add(&e, "exported", ferry_bool(true));
	}
	return rc ? rc : entries_root(&e, args->out, err);
}

int build_reference(const struct ferry_conversion_args *args, const char *name,
		    struct ferry_error *err)
{
	struct entries e;
	int rc;

	entries_begin(&e, args->store);
	entries_add(&e, "pretrained", ferry_cstring(args->store, name));
	entries_add(&e, "exported", ferry_bool(true));
	rc = add_version(args, &e, err);
	return rc ? rc : entries_root(&e, args->out, err);
}

/* ---- what is exported ------------------------------------------------------------ */

static int refuse(struct ferry_error *err, const char *text)
{
	return ferry_fail(err, FERRY_UNSUPPORTED, "audiocraft",
			  FERRY_NO_OFFSET, "%s", text);
}

/* The mapping, when it has something in it. */
static struct ferry_value *filled(struct ferry_value *v)
{
	return v && ferry_value_items(v) && is_truthy(v) ? v : NULL;
}

int refuse_shard(const struct ferry_document *doc, struct ferry_error *err)
{
	const struct ferry_value *fsdp = part(doc->root, "fsdp_best_state");
	const char *base = base_name(doc->path ? doc->path : "");
	struct file_name name;
	char first[120] = "";

	if (!mapping(fsdp, "model"))
		return refuse(err, "fsdp_best_state has no mapping 'model': "
			      "there is nothing to take");
	if (parse_file_name(base, &name) && name.has_rank)
		ferry_escape(first, sizeof(first), base, name.nrank0);
	return ferry_fail(err, FERRY_UNSUPPORTED, "audiocraft",
			  FERRY_NO_OFFSET, "fsdp_best_state.model is empty: "
			  "this is the shard of a rank above 0; take that of "
			  "rank 0, %s%s", *first ? "which is " : "whose name "
			  "ends in .th", first);
}

/* Python takes fsdp_best_state when it is not empty, even when the model in it
 * is: so it is in the file of any rank but 0. */
static int lm_weights(const struct ferry_conversion_args *args, bool first,
		      struct ferry_value **out, struct ferry_error *err)
{
	const struct ferry_value *root = args->inputs[0]->root;
	const struct ferry_value *fsdp = part(root, "fsdp_best_state");

	if (is_truthy(fsdp)) {
		*out = filled(part(fsdp, "model"));
		return *out ? 0 : refuse_shard(args->inputs[0], err);
	}
	if (first)
		return refuse(err, "fsdp_best_state is empty: exporters of "
			      "0.0.x take nothing else; choose a later "
			      "version");
	*out = filled(part(part(root, "best_state"), "model"));
	if (!*out)
		return refuse(err, "best_state.model is missing or empty, and "
			      "so is fsdp_best_state: there is nothing to "
			      "export");
	return fsdp ? 0 : tell(args->findings, FERRY_NOTE, "fsdp-best-state",
			       "fsdp_best_state", err, "fsdp_best_state is "
			       "missing and taken as empty: AudioCraft's own "
			       "export_lm would fail");
}

static int compression_weights(const struct ferry_conversion_args *args,
			       bool legacy, struct ferry_value **out,
			       struct ferry_error *err)
{
	const struct ferry_value *root = args->inputs[0]->root;

	if (legacy) {
		*out = filled(part(part(part(root, "ema"), "state"), "model"));
		return *out ? 0 : refuse(err, "ema.state.model is missing or "
					 "empty: the legacy export takes the "
					 "averaged weights; leave legacy out "
					 "to take best_state");
	}
	*out = filled(part(part(root, "best_state"), "model"));
	return *out ? 0 : refuse(err, "best_state.model is missing or empty: "
				 "there is nothing to export");
}

/* ---- the configuration as the first exporters cleaned it -------------------------- */

static int set_count(const struct ferry_conversion_args *args,
		     struct ferry_value *config, const char *key, int64_t n,
		     struct ferry_error *err)
{
	struct ferry_value *v = ferry_int(args->store, n);

	if (!v)
		return ferry_fail_nomem(err, "a configuration");
	return omegaconf_update(args->store, config, key, v, true,
				args->findings, err);
}

static int clean_stereo(const struct ferry_conversion_args *args,
			struct ferry_value *config, int64_t *n_q,
			struct ferry_error *err)
{
	struct ferry_value *use = omegaconf_at(
		config, "interleave_stereo_codebooks.use");

	*n_q = use && is_truthy(omegaconf_value(use)) ? 8 : 4;
	if (*n_q == 4 || !omegaconf_at(config, "interleave_stereo_codebooks."
				       "downsample"))
		return 0;
	return omegaconf_delete(args->store, config,
				"interleave_stereo_codebooks.downsample", err);
}

static int clean_lm(const struct ferry_conversion_args *args,
		    struct ferry_value *config, struct ferry_error *err)
{
	static const char *const gone[] = {
		"transformer_lm.spectral_norm_attn_iters",
		"transformer_lm.spectral_norm_ff_iters",
		"transformer_lm.residual_balancer_attn",
		"transformer_lm.residual_balancer_ff",
		"transformer_lm.layer_drop",
	};
	int64_t n_q;
	int rc;

	if (!omegaconf_at(config, "transformer_lm"))
		return refuse(err, "xp.cfg has no transformer_lm: the legacy "
			      "export has nothing to clean");
	rc = set_count(args, config, "transformer_lm.card", 2048, err);
	if (!rc)
		rc = clean_stereo(args, config, &n_q, err);
	if (!rc)
		rc = set_count(args, config, "transformer_lm.n_q", n_q, err);
	for (size_t i = 0; i < sizeof(gone) / sizeof(*gone) && !rc; i++)
		rc = omegaconf_delete(args->store, config, gone[i], err);
	return rc;
}

/* ---- running ---------------------------------------------------------------------- */

int require_family(enum family family, enum family wanted,
		   struct ferry_error *err)
{
	if (family == wanted || family == FAMILY_UNKNOWN)
		return 0;
	return ferry_fail(err, FERRY_UNSUPPORTED, "audiocraft",
			  FERRY_NO_OFFSET, "the run trains %s: it is no %s%s",
			  family_name(family), family_name(wanted) + 2,
			  family == FAMILY_LM ? "; convert --to "
			  "audiocraft/export-lm" :
			  family == FAMILY_COMPRESSION ? "; convert --to "
			  "audiocraft/export-compression" : "");
}

static int check_family(const struct ferry_conversion_args *args,
			enum family wanted, struct ferry_error *err)
{
	struct ferry_value *root = args->inputs[0]->root;

	return require_family(family_of(args->store, part(root, "xp.cfg"),
					best_model(root), NULL), wanted, err);
}

/* The wrong kind of run, no configuration. */
static int prepare(const struct ferry_conversion_args *args,
		   enum family wanted, bool *legacy,
		   struct ferry_value **config, struct ferry_error *err)
{
	int rc = is_legacy(args, legacy, err);

	if (!rc)
		rc = check_family(args, wanted, err);
	*config = part(args->inputs[0]->root, "xp.cfg");
	if (!rc && !*config)
		rc = refuse(err, "xp.cfg is missing: an export carries the "
			    "configuration its model is built from");
	return rc;
}

CONVERSION(run_export_lm)
{
	struct ferry_value *weights = NULL, *config;
	bool legacy;
	int rc = prepare(args, FAMILY_LM, &legacy, &config, err);

	if (!rc)
		rc = lm_weights(args, is_first(args), &weights, err);
	if (!rc && legacy)
		rc = own_config(args, &config, err);
	if (!rc && legacy)
		rc = clean_lm(args, config, err);
	return rc ? rc : build_export(args, weights, config, err);
}

CONVERSION(run_export_compression)
{
	struct ferry_value *weights = NULL, *config;
	bool legacy;
	int rc = prepare(args, FAMILY_COMPRESSION, &legacy, &config, err);

	if (!rc)
		rc = compression_weights(args, legacy, &weights, err);
	return rc ? rc : build_export(args, weights, config, err);
}

CONVERSION(run_reference)
{
	const char *name = ferry_option(args->options, "pretrained");
	char shown[160];
	int found;

	if (!name || !*name)
		return refuse(err, "pretrained is empty: give a model's name, "
			      "as facebook/encodec_32khz");
	if (!strncmp(name, REFERENCE, strlen(REFERENCE)))
		return ferry_fail(err, FERRY_MISUSE, "audiocraft",
				  FERRY_NO_OFFSET, "pretrained=%s: loaders "
				  "take the name alone; leave " REFERENCE
				  " out", ferry_escape(shown, sizeof(shown),
						       name, strlen(name)));
	found = ferry_args_exists(args, name, err);
	if (found < 0)
		return found;
	if (found)
		return ferry_fail(err, FERRY_MISUSE, "audiocraft",
				  FERRY_NO_OFFSET, "pretrained=%s is a file: "
				  "give it as the input, an export stays as it "
				  "is", ferry_escape(shown, sizeof(shown),
						     name, strlen(name)));
	return build_reference(args, name, err);
}
