/* State dicts of models, models of state dicts. */
#include "config.h"

#include "formats/yaml/scalar.h"
#include "plugins/ksuit/ksuit.h"

/* ---- to a state dict -------------------------------------------------------------- */

static int to_state_dict(const struct ferry_conversion_args *args,
			 struct ferry_error *err)
{
	struct ferry_value *found = field(args->inputs[0]->root, "state_dict");
	struct ordered o;
	int rc;

	if (!found || !ferry_value_items(found))
		return ferry_fail(err, FERRY_MALFORMED, ORIGIN, FERRY_NO_OFFSET,
				  "the model has no 'state_dict'");
	rc = ordered_init(&o, args->store, found, err);
	if (!rc)
		rc = ordered_make(&o, found, &args->out->root);
	ordered_release(&o);
	return rc;
}

/* Taking the weights alone is the purpose. */
static int left_behind(const struct ferry_conversion_args *args,
		       struct ferry_findings *out, struct ferry_error *err)
{
	const struct ferry_value *items;
	enum spelling spelling;
	struct slice text;
	char name[120];

	items = ferry_value_items(args->inputs[0]->root);
	for (uint32_t i = 0; items && i < items->u.dict.n; i++) {
		text = key_text(items->u.dict.pairs[i].key, &spelling);
		if (!text.p || slice_is(text, slice_of("state_dict")))
			continue;
		ferry_escape(name, sizeof(name), text.p, text.n);
		if (ferry_findings_add(out, FERRY_NOTE, "values", name,
				       FERRY_NO_OFFSET, "'%s' is left behind",
				       name))
			return ferry_fail_nomem(err, "findings");
	}
	return 0;
}

/* ---- from a state dict -------------------------------------------------------------- */

static const struct ferry_option_spec make_options[] = {
	{ .name = "tag", .fallback = "latest",
	  .help = "the checkpoint's tag: latest, last, E10_U200_S800, ..." },
	{ .name = "iteration",
	  .help = "E<epoch>_U<update>_S<sample>; by default the tag's" },
	{ .name = "run-id", .help = "the run it is said to come from" },
	{ .name = "config-kind",
	  .help = "module.QualName of the class of the configuration" },
	{ .name = "kind",
	  .help = "module.QualName of the model, put in the configuration" },
	{ .name = "ema", .help = "the factor of the average, such as 0.9999" },
	{ .name = "enum", .help = "see ksuit-model-upgrade" },
	{ .name = "without",
	  .help = "a path to leave out, such as model_config.x (repeatable)" },
	{ .name = NULL }
};

struct making {
	const struct ferry_conversion_args *args;
	struct ferry_value *out;
	struct ferry_error *err;
};

static int set(struct making *m, const char *key, struct ferry_value *value)
{
	if (!value || ferry_dict_set_str(m->args->store, m->out, key, value))
		return ferry_fail_nomem(m->err, "a model");
	return 0;
}

static int set_weights(struct making *m)
{
	struct ferry_value *found = m->args->inputs[0]->root, *made = NULL;
	struct ordered o;
	int rc = ordered_init(&o, m->args->store, found, m->err);

	if (!rc)
		rc = ordered_make(&o, found, &made);
	ordered_release(&o);
	if (!rc && !is_state_dict(made))
		rc = ferry_fail(m->err, FERRY_UNSUPPORTED, ORIGIN,
				FERRY_NO_OFFSET, "the state dict has values "
				"that are no tensors, which a model of noether "
				"has none of: --weights leaves them out");
	return rc ? rc : set(m, "state_dict", made);
}

static int iteration_dict(struct making *m, const struct iteration *it)
{
	static const char *const names[] = { "epoch", "update", "sample" };
	struct ferry_store *store = m->args->store;
	struct ferry_value *dict = ferry_dict(store, 3), *n;
	bool bad;

	for (size_t i = 0; dict && i < 3; i++) {
		n = ferry_big_decimal(store, it->digits[i].p, it->digits[i].n,
				      &bad);
		if (!n || ferry_dict_set_str(store, dict, names[i], n))
			return ferry_fail_nomem(m->err, "an iteration");
	}
	return set(m, "training_iteration", dict);
}

static int set_iteration(struct making *m, const char *tag)
{
	const char *text = ferry_option(m->args->options, "iteration");
	struct iteration it;
	char shown[80];

	if (iteration_at(slice_of(text ? text : tag), &it))
		return iteration_dict(m, &it);
	if (!text) {
		if (ferry_findings_add(m->args->findings, FERRY_NOTE,
				       "iteration", "training_iteration",
				       FERRY_NO_OFFSET, "the tag tells no "
				       "iteration: 'training_iteration' is left "
				       "out (--set iteration=E.._U.._S..)"))
			return ferry_fail_nomem(m->err, "findings");
		return 0;
	}
	ferry_escape(shown, sizeof(shown), text, strlen(text));
	return ferry_fail(m->err, FERRY_MISUSE, ORIGIN, FERRY_NO_OFFSET,
			  "option iteration is '%s': give "
			  "E<epoch>_U<update>_S<sample>", shown);
}

static int set_config(struct making *m)
{
	const struct ferry_conversion_args *args = m->args;
	const char *config_kind = ferry_option(args->options, "config-kind");
	const char *kind = ferry_option(args->options, "kind");
	struct plain p = { .store = args->store, .options = args->options,
			   .findings = args->findings, .err = m->err };
	struct ferry_value *config = NULL;
	int rc;

	if (!args->inputs[1])
		return config_kind || kind ?
		       ferry_fail(m->err, FERRY_MISUSE, ORIGIN, FERRY_NO_OFFSET,
				  "a kind is given without a configuration: "
				  "--with config=FILE gives one") : 0;
	if (!config_kind || !ferry_value_items(args->inputs[1]->root))
		return ferry_fail(m->err, FERRY_MISUSE, ORIGIN, FERRY_NO_OFFSET,
				  config_kind ? "the configuration is no "
				  "mapping" : "a configuration goes with the "
				  "class it is of: --set "
				  "config-kind=module.QualName gives it");
	rc = plain_value(&p, args->inputs[1]->root, "model_config", &config);
	plain_release(&p);
	if (!rc && kind && ferry_dict_set_str(args->store,
					      ferry_value_items(config), "kind",
					      ferry_cstring(args->store, kind)))
		rc = ferry_fail_nomem(m->err, "a configuration");
	if (!rc)
		rc = set(m, "model_config", config);
	return rc ? rc : set(m, "config_kind",
			     ferry_cstring(args->store, config_kind));
}

static int set_factor(struct making *m)
{
	const char *text = ferry_option(m->args->options, "ema");
	double factor = 0;
	int rc = text ? yaml_python_float(text, strlen(text), &factor) :
		 FERRY_MALFORMED;

	if (rc == FERRY_NOMEM)
		return ferry_fail_nomem(m->err, "a factor");
	if (rc || !(factor >= 0 && factor <= 1))
		return ferry_fail(m->err, FERRY_MISUSE, ORIGIN, FERRY_NO_OFFSET,
				  "averaged weights have a factor from 0 to 1: "
				  "give it with --set ema=0.9999");
	return set(m, "ema", ferry_float(m->args->store, factor));
}

static int make(const struct ferry_conversion_args *args, bool ema,
		struct ferry_error *err)
{
	const char *tag = ferry_option(args->options, "tag");
	const char *run = ferry_option(args->options, "run-id");
	struct making m = { args, ferry_dict(args->store, 8), err };
	int rc = m.out ? set_weights(&m) : ferry_fail_nomem(err, "a model");

	if (!rc)
		rc = set(&m, "checkpoint_tag", ferry_cstring(args->store, tag));
	if (!rc)
		rc = set_iteration(&m, tag);
	if (!rc && run)
		rc = set(&m, "run_id", ferry_cstring(args->store, run));
	if (!rc && ema)
		rc = set_factor(&m);
	if (!rc)
		rc = set_config(&m);
	args->out->root = m.out;
	return rc;
}

static int make_model(const struct ferry_conversion_args *args,
		      struct ferry_error *err)
{
	return make(args, false, err);
}

static int make_ema(const struct ferry_conversion_args *args,
		    struct ferry_error *err)
{
	return make(args, true, err);
}

/* ---- averaged weights as a model ------------------------------------------------------ */

/* Those that the target has, in its order: an average has buffers that a model
 * does not keep. */
static int fit(const struct ferry_conversion_args *args,
	       struct ferry_value *weights, struct ferry_value *target,
	       struct ferry_value **out, struct ferry_error *err)
{
	const struct ferry_value *items = ferry_value_items(target);
	struct ferry_value *dict = ferry_dict(args->store, items->u.dict.n);
	struct ferry_value *v;
	struct slice name;
	char shown[120];

	if (!dict)
		return ferry_fail_nomem(err, "weights");
	weights = ferry_value_items(weights);
	for (uint32_t i = 0; i < items->u.dict.n; i++) {
		v = ferry_dict_find(weights, items->u.dict.pairs[i].key);
		name = text_of(items->u.dict.pairs[i].key);
		if (!v)
			return ferry_fail(err, FERRY_NOTFOUND, ORIGIN,
					  FERRY_NO_OFFSET, "'%s' of the target "
					  "is not among the averaged weights",
					  ferry_escape(shown, sizeof(shown),
						       name.p ? name.p : "",
						       name.n));
		if (ferry_dict_set(args->store, dict,
				   items->u.dict.pairs[i].key, v))
			return ferry_fail_nomem(err, "weights");
	}
	*out = mapping_like(args->store, target, dict);
	return *out ? 0 : ferry_fail_nomem(err, "weights");
}

static int ema_run(const struct ferry_conversion_args *args,
		   struct ferry_error *err)
{
	struct ferry_value *root = args->inputs[0]->root;
	struct ferry_value *weights = field(root, "state_dict"), *fitted;
	const struct ferry_value *items = ferry_value_items(root);
	struct ferry_value *out = ferry_dict(args->store, 0), *value;
	struct ferry_value *target = NULL;
	enum spelling spelling;
	int rc = out ? 0 : ferry_fail_nomem(err, "a model");

	fitted = weights;
	if (args->inputs[1])
		target = field(args->inputs[1]->root, "state_dict");
	if (!rc && target && ferry_value_items(target))
		rc = fit(args, weights, target, &fitted, err);
	for (uint32_t i = 0; i < items->u.dict.n && !rc; i++) {
		value = items->u.dict.pairs[i].value;
		if (slice_is(key_text(items->u.dict.pairs[i].key, &spelling),
			     slice_of("ema")))
			continue;
		if (ferry_dict_set(args->store, out,
				   items->u.dict.pairs[i].key,
				   value == weights ? fitted : value))
			rc = ferry_fail_nomem(err, "a model");
	}
	args->out->root = out;
	return rc;
}

static const struct ferry_role from_model[] = {
	{ .name = "model", .type = "ksuit/model",
	  .help = "the model to take the weights of" },
	{ .name = NULL }
};

static const struct ferry_role from_ema[] = {
	{ .name = "ema", .type = "ksuit/ema",
	  .help = "the averaged weights to take" },
	{ .name = NULL }
};

static const struct ferry_role from_ema_and_target[] = {
	{ .name = "ema", .type = "ksuit/ema",
	  .help = "the averaged weights to take" },
	{ .name = "target", .type = "ksuit/model", .optional = true,
	  .help = "a file of the model, which tells what it keeps" },
	{ .name = NULL }
};

static const struct ferry_role from_state_dict[] = {
	{ .name = "weights", .type = "state-dict",
	  .help = "the weights" },
	{ .name = "config", .type = "values", .optional = true,
	  .help = "the model's configuration, as YAML or JSON" },
	{ .name = NULL }
};

#define CONVERSION(variable, text, about, inputs, type, work, ...) \
	const struct ferry_conversion variable = { \
		.struct_size = sizeof(struct ferry_conversion), \
		.name = text, .title = about, .roles = inputs, .output = type, \
		.cost = 1, .run = work, __VA_ARGS__ \
	}

CONVERSION(model_to_state_dict, "ksuit-model-to-state-dict",
	   "take the weights out of a model's file", from_model, "state-dict",
	   to_state_dict, .losses = left_behind);
CONVERSION(ema_to_state_dict, "ksuit-ema-to-state-dict",
	   "take the averaged weights out of their file", from_ema,
	   "state-dict", to_state_dict, .losses = left_behind);
CONVERSION(state_dict_to_model, "state-dict-to-ksuit-model",
	   "make a model's file of weights", from_state_dict, "ksuit/model",
	   make_model, .options = make_options);
CONVERSION(state_dict_to_ema, "state-dict-to-ksuit-ema",
	   "make a file of averaged weights", from_state_dict, "ksuit/ema",
	   make_ema, .options = make_options);
CONVERSION(ema_to_model, "ksuit-ema-to-model",
	   "take averaged weights for the model's", from_ema_and_target,
	   "ksuit/model", ema_run, );
