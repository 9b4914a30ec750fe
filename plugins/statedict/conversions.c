/* Conversions to a state dict. */
#include "config.h"

#include "plugins/statedict/statedict.h"

#include <inttypes.h>
#include <string.h>

static int find_mapping(struct ferry_document *doc, struct ferry_store *store,
			struct ferry_value **out, struct ferry_error *err)
{
	struct weights w;

	find_weights(doc, &w);
	if (!w.value)
		return ferry_fail(err, FERRY_UNSUPPORTED, "statedict",
				  FERRY_NO_OFFSET, "no weights were found in "
				  "it; --select PATH takes a part of it");
	if (w.module)
		return flatten_module(store, w.value, out, err);
	if (state_dict_size(w.value)) {
		*out = w.value;
		return 0;
	}
	return flatten_mapping(store, w.value, out, err);
}

static int run(const struct ferry_conversion_args *args,
	       struct ferry_error *err)
{
	struct ferry_value *mapping;
	int rc = find_mapping(args->inputs[0], args->store, &mapping, err);

	return rc ? rc : bare_mapping(args->store, mapping, &args->out->root,
				      err);
}

/* What stays behind is the purpose of the conversion: notes. */
static int note_left(struct ferry_document *doc, const struct ferry_pair *pair,
		     struct ferry_findings *out, struct ferry_error *err)
{
	struct amount amount;
	char name[120], size[32];
	int rc = measure(doc, pair->value, &amount, err);

	if (rc || pair->key->kind != FERRY_STRING)
		return rc;
	ferry_escape(name, sizeof(name), pair->key->u.s.data,
		     pair->key->u.s.nbytes);
	if (amount.tensors)
		return ferry_findings_add(out, FERRY_NOTE, "tensors", name,
					  FERRY_NO_OFFSET, "'%s' is left "
					  "behind: %" PRIu64 " tensor%s, %s",
					  name, amount.tensors,
					  amount.tensors == 1 ? "" : "s",
					  ferry_bytes_text(amount.nbytes,
							   size));
	return ferry_findings_add(out, FERRY_NOTE, "values", name,
				  FERRY_NO_OFFSET, "'%s' is left behind", name);
}

static int checkpoint_losses(const struct ferry_conversion_args *args,
			     struct ferry_findings *out,
			     struct ferry_error *err)
{
	struct ferry_document *doc = args->inputs[0];
	const struct ferry_value *items = ferry_value_items(doc->root);
	struct weights w;
	int rc = 0;

	find_weights(doc, &w);
	for (uint32_t i = 0; items && i < items->u.dict.n && !rc; i++)
		if (!leads_to(&items->u.dict.pairs[i], &w))
			rc = note_left(doc, &items->u.dict.pairs[i], out, err);
	return rc;
}

static int module_losses(const struct ferry_conversion_args *args,
			 struct ferry_findings *out, struct ferry_error *err)
{
	(void)args;
	if (ferry_findings_add(out, FERRY_NOTE, "objects", "", FERRY_NO_OFFSET,
			       "classes and attributes of the modules are left "
			       "behind"))
		return ferry_fail_nomem(err, "findings");
	return 0;
}

static const struct ferry_role from_checkpoint[] = {
	{ .name = "checkpoint", .type = "checkpoint",
	  .help = "the checkpoint to take the weights of" },
	{ .name = NULL }
};

static const struct ferry_role from_module[] = {
	{ .name = "module", .type = "module",
	  .help = "the module to take the weights of" },
	{ .name = NULL }
};

static const struct ferry_role from_script[] = {
	{ .name = "module", .type = "torchscript-module",
	  .help = "the script module to take the weights of" },
	{ .name = NULL }
};

static const struct ferry_conversion checkpoint_to_state_dict = {
	.struct_size = sizeof(struct ferry_conversion),
	.name = "checkpoint-to-state-dict",
	.title = "take the weights out of a checkpoint",
	.roles = from_checkpoint,
	.output = "state-dict",
	.cost = 1,
	.losses = checkpoint_losses,
	.run = run,
};

static const struct ferry_conversion module_to_state_dict = {
	.struct_size = sizeof(struct ferry_conversion),
	.name = "module-to-state-dict",
	.title = "name the weights of a tree of modules",
	.roles = from_module,
	.output = "state-dict",
	.cost = 1,
	.losses = module_losses,
	.run = run,
};

static const struct ferry_conversion script_to_state_dict = {
	.struct_size = sizeof(struct ferry_conversion),
	.name = "torchscript-to-state-dict",
	.title = "name the weights of a script module",
	.roles = from_script,
	.output = "state-dict",
	.cost = 1,
	.losses = module_losses,
	.run = run,
};

const struct ferry_conversion *const statedict_conversions[] = {
	&checkpoint_to_state_dict, &module_to_state_dict,
	&script_to_state_dict, NULL
};
