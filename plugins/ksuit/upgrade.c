/* Any generation to a later one. */
#include "config.h"

#include "plugins/ksuit/ksuit.h"

const struct ferry_option_spec upgrade_options[] = {
	{ .name = "generation",
	  .help = "T0, T1 (v1.0, v1.1) or T2 (head): what to write; the newest "
		  "by default" },
	{ .name = "callbacks",
	  .help = "A,B: checkpoint keys of a trainer's callbacks, in order" },
	{ .name = "enum",
	  .help = "module.Class.MEMBER=VALUE of a member pickled by name "
		  "(repeatable)" },
	{ .name = "without",
	  .help = "a path to leave out, such as model_config.x (repeatable)" },
	{ .name = NULL }
};

static int tell_keys(const struct ferry_conversion_args *args,
		     enum spelling spelling, struct ferry_error *err)
{
	if (spelling == SPELLING_PLAIN)
		return 0;
	if (ferry_findings_add(args->findings, FERRY_NOTE, "keys", "",
			       FERRY_NO_OFFSET, "keys that were members of "
			       "CheckpointKeys (pickled by %s) become text",
			       spelling == SPELLING_VALUE ? "value" :
			       "member name"))
		return ferry_fail_nomem(err, "findings");
	return 0;
}

/* Weights are tensors alone, and go as they are. */
static int plain_pair(struct plain *p, const struct ferry_pair *pair,
		      struct ferry_value *out)
{
	enum spelling spelling;
	struct slice text = key_text(pair->key, &spelling);
	struct ferry_value *key = pair->key, *value = pair->value;
	char *path = ferry_store_strndup(p->store, text.p ? text.p : "",
					 text.n);
	const char *without;
	int rc = 0;

	if (!path)
		return ferry_fail_nomem(p->err, "a key");
	for (size_t i = 0; (without = ferry_option_nth(p->options, "without",
						       i)); i++)
		if (text.p && !strcmp(path, without))
			return 0;
	if (text.p && spelling != SPELLING_PLAIN)
		key = ferry_string(p->store, text.p, text.n);
	else if (!text.p)
		rc = plain_value(p, pair->key, path, &key);
	if (!rc && !(slice_is(text, slice_of("state_dict")) &&
		     is_state_dict(value)))
		rc = plain_value(p, pair->value, path, &value);
	if (!rc && (!key || ferry_dict_set(p->store, out, key, value)))
		rc = ferry_fail_nomem(p->err, "a key");
	return rc;
}

/* A tag of the tolerance of a best model is spelled otherwise at the head. */
static int respell_tag(struct plain *p, struct ferry_value *root,
		       enum generation wanted)
{
	struct ferry_value *tag = ferry_dict_get(root, "checkpoint_tag");
	struct ferry_value *made;
	char *text;

	if (!tag || tag->kind != FERRY_STRING)
		return 0;
	text = tag_spelled(p->store, text_of(tag), wanted == GEN_T2);
	if (text && slice_is(slice_of(text), text_of(tag)))
		return 0;
	made = text ? ferry_cstring(p->store, text) : NULL;
	if (!made || ferry_dict_set_str(p->store, root, "checkpoint_tag",
					made) ||
	    ferry_findings_add(p->findings, FERRY_NOTE, "tag", "checkpoint_tag",
			       FERRY_NO_OFFSET, "the tag is spelled '%s'",
			       text))
		return ferry_fail_nomem(p->err, "a tag");
	return 0;
}

static int upgrade_plain(struct plain *p, struct ferry_value *root,
			 enum generation wanted, struct ferry_value **out)
{
	const struct ferry_value *items = ferry_value_items(root);
	struct ferry_value *made = ferry_dict(p->store, items->u.dict.n);
	int rc = made ? 0 : ferry_fail_nomem(p->err, "a file");

	for (uint32_t i = 0; i < items->u.dict.n && !rc; i++)
		rc = plain_pair(p, &items->u.dict.pairs[i], made);
	*out = made;
	if (rc)
		return rc;
	if (trainer_layout(made) != LAYOUT_NONE)
		return upgrade_trainer(p, made, wanted, out);
	return respell_tag(p, made, wanted);
}

int upgrade_root(const struct ferry_conversion_args *args,
		 struct ferry_value *root, struct ferry_value **out,
		 struct ferry_error *err)
{
	struct plain p = { .store = args->store, .options = args->options,
			   .findings = args->findings, .err = err };
	enum generation wanted;
	int rc = generation_wanted(args->options, &wanted, err);

	if (!rc && !ferry_value_items(root))
		rc = ferry_fail(err, FERRY_MALFORMED, ORIGIN, FERRY_NO_OFFSET,
				"the file is of kind %s, not a mapping",
				ferry_kind_name(root->kind));
	if (!rc)
		rc = tell_keys(args, keys_spelling(root), err);
	if (!rc)
		rc = upgrade_plain(&p, root, wanted, out);
	plain_release(&p);
	return rc;
}

static int run(const struct ferry_conversion_args *args,
	       struct ferry_error *err)
{
	return upgrade_root(args, args->inputs[0]->root, &args->out->root, err);
}

static int run_on_model(const struct ferry_conversion_args *args,
			struct ferry_error *err)
{
	struct ferry_value *target = NULL;

	for (size_t i = 1; i < 3; i++)
		if (args->inputs[i])
			target = i == 2 ? args->inputs[i]->root :
				 field(args->inputs[i]->root, "state_dict");
	return previous_model(args, args->inputs[0]->root, target,
			      &args->out->root, err);
}

static int run_on_optimizer(const struct ferry_conversion_args *args,
			    struct ferry_error *err)
{
	return previous_optimizer(args, args->inputs[0]->root,
				  &args->out->root, err);
}

#define ROLE(kind) \
	static const struct ferry_role kind##_role[] = { \
		{ .name = #kind, .type = "ksuit/" #kind, \
		  .help = "the file to bring up to date" }, \
		{ .name = NULL } \
	};
ROLE(model)
ROLE(ema)
ROLE(optimizer)
ROLE(trainer)

#define UPGRADE(kind) \
	const struct ferry_conversion kind##_upgrade = { \
		.struct_size = sizeof(struct ferry_conversion), \
		.name = "ksuit-" #kind "-upgrade", \
		.title = "bring a file of an older generation to a newer one", \
		.roles = kind##_role, \
		.output = "ksuit/" #kind, \
		.cost = 1, \
		.options = upgrade_options, \
		.run = run, \
		.flags = FERRY_CONVERSION_UPGRADE, \
	};
UPGRADE(model)
UPGRADE(ema)
UPGRADE(optimizer)
UPGRADE(trainer)

#define TARGETS \
	{ .name = "target", .type = "ksuit/model", .optional = true, \
	  .help = "the model whose weights patterns-to-instantiate takes" }, \
	{ .name = "target-weights", .type = "state-dict", .optional = true, \
	  .help = "the same, as a state dict" }, \
	{ .name = NULL }

static const struct ferry_role model_roles[] = {
	{ .name = "model", .type = "ksuit/model",
	  .help = "the model to initialise another one from" }, TARGETS
};

static const struct ferry_role ema_roles[] = {
	{ .name = "ema", .type = "ksuit/ema",
	  .help = "the weights to initialise a model from" }, TARGETS
};

const struct ferry_conversion model_previous = {
	.struct_size = sizeof(struct ferry_conversion),
	.name = "ksuit-previous-run",
	.title = "change names as a PreviousRunInitializer does",
	.roles = model_roles,
	.output = "ksuit/model",
	.cost = 1,
	.options = previous_options,
	.run = run_on_model,
};

const struct ferry_conversion ema_previous = {
	.struct_size = sizeof(struct ferry_conversion),
	.name = "ksuit-ema-previous-run",
	.title = "change names as a PreviousRunInitializer does",
	.roles = ema_roles,
	.output = "ksuit/ema",
	.cost = 1,
	.options = previous_options,
	.run = run_on_model,
};

const struct ferry_conversion optimizer_previous = {
	.struct_size = sizeof(struct ferry_conversion),
	.name = "ksuit-optimizer-previous-run",
	.title = "change an optimizer's names as those of its model",
	.roles = optimizer_role,
	.output = "ksuit/optimizer",
	.cost = 1,
	.options = previous_options,
	.run = run_on_optimizer,
};
