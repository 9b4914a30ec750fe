/* The artifact types: one kind of file each, and a run of them. */
#include "config.h"

#include "plugins/ksuit/ksuit.h"

#include <stdio.h>

static const char *const suffixes[] = { ".th", NULL };

static int answer(struct ferry_match *out, int score, const char *what,
		  const struct file_name *name)
{
	char model[40], tag[40];

	out->score = score;
	if (!name->part) {
		snprintf(out->reason, sizeof(out->reason), "%s", what);
		return 0;
	}
	ferry_escape(model, sizeof(model), name->model.p, name->model.n);
	ferry_escape(tag, sizeof(tag), name->tag.p, name->tag.n);
	snprintf(out->reason, sizeof(out->reason), "%.50s; '%s' of tag '%s' by "
		 "its name", what, model, tag);
	return 0;
}

static bool is_ema(struct ferry_value *root, const struct file_name *name)
{
	struct ferry_value *factor = field(root, "ema");

	return name->ema.n || (factor && factor->kind == FERRY_FLOAT);
}

static int recognise_model(struct ferry_document *doc,
			   const struct file_name *name, bool ema,
			   struct ferry_match *out)
{
	struct ferry_value *root = doc->root;

	if (is_ema(root, name) != ema)
		return 0;
	if (keys_spelling(root) != SPELLING_PLAIN)
		return answer(out, 97, "keys are members of CheckpointKeys",
			      name);
	if (field(root, "checkpoint_tag") && field(root, "training_iteration"))
		return answer(out, 95, ema ? "averaged weights, a tag, an "
			      "iteration" : "state_dict, tag and iteration",
			      name);
	if (field(root, "checkpoint_tag"))
		return answer(out, 90, "a state_dict and a tag", name);
	if (name->part == PART_MODEL)
		return answer(out, 85, "a state_dict", name);
	return 0;
}

/* What is called so and is nothing of the kind: its check says what it lacks.
 * A state dict, or another program's checkpoint, may be called as a model. */
static int recognise_name(const struct file_name *name, enum part part,
			  bool ema, struct ferry_match *out)
{
	if (name->part != part || (part == PART_MODEL && (name->ema.n > 0) != ema))
		return 0;
	return answer(out, part == PART_MODEL ? 30 : 85, "the content is none",
		      name);
}

int ksuit_recognise(struct ferry_document *doc, const char *file_name,
		    enum part part, bool ema, struct ferry_match *out)
{
	static const char *const layouts[] = {
		[LAYOUT_T0] = "callback states, and counters at the top (T0)",
		[LAYOUT_T1] = "a list of callback states (T1)",
		[LAYOUT_T2] = "callback states by key (T2)",
	};
	enum part is = document_part(doc->root);
	struct file_name name;

	name_parse(file_name ? file_name : "", &name);
	if (!is)
		return recognise_name(&name, part, ema, out);
	if (is != part)
		return 0;
	if (part == PART_MODEL)
		return recognise_model(doc, &name, ema, out);
	if (part == PART_TRAINER)
		return answer(out, 95, layouts[trainer_layout(doc->root)],
			      &name);
	if (field(doc->root, "param_idx_to_name"))
		return answer(out, 92, "an optimizer with param_idx_to_name",
			      &name);
	if (name.part == PART_OPTIM)
		return answer(out, 86, "an optimizer", &name);
	return 0;
}

#define RECOGNISER(name, part, ema) \
	static int name(struct ferry_document *doc, const char *file_name, \
			struct ferry_match *out) \
	{ \
		return ksuit_recognise(doc, file_name, part, ema, out); \
	}

RECOGNISER(as_model, PART_MODEL, false)
RECOGNISER(as_ema, PART_MODEL, true)
RECOGNISER(as_optimizer, PART_OPTIM, false)
RECOGNISER(as_trainer, PART_TRAINER, false)

static int weights(struct ferry_document *doc, struct ferry_value **out,
		   struct ferry_error *err)
{
	struct ferry_value *found = field(doc->root, "state_dict");

	(void)err;
	*out = found && ferry_value_items(found) ? found : NULL;
	return 0;
}

static const struct ferry_artifact_type model = {
	.struct_size = sizeof(struct ferry_artifact_type),
	.name = "ksuit/model",
	.title = "a model file of ksuit or noether",
	.suffixes = suffixes,
	.recognise = as_model,
	.describe = ksuit_describe,
	.check = ksuit_check,
	.weights = weights,
};

static const struct ferry_artifact_type ema = {
	.struct_size = sizeof(struct ferry_artifact_type),
	.name = "ksuit/ema",
	.title = "averaged weights of ksuit or noether",
	.suffixes = suffixes,
	.recognise = as_ema,
	.describe = ksuit_describe,
	.check = ksuit_check,
	.weights = weights,
};

static const struct ferry_artifact_type optimizer = {
	.struct_size = sizeof(struct ferry_artifact_type),
	.name = "ksuit/optimizer",
	.title = "an optimizer's file of ksuit or noether",
	.suffixes = suffixes,
	.recognise = as_optimizer,
	.describe = ksuit_describe,
	.check = ksuit_check,
	.handled = names_handled,
	.renamed = optimizer_renamed,
};

static const struct ferry_artifact_type trainer = {
	.struct_size = sizeof(struct ferry_artifact_type),
	.name = "ksuit/trainer",
	.title = "a trainer's file of ksuit or noether",
	.suffixes = suffixes,
	.recognise = as_trainer,
	.describe = ksuit_describe,
	.check = ksuit_check,
	.handled = names_handled,
};

const struct ferry_artifact_type *const ksuit_types[] = {
	&model, &ema, &optimizer, &trainer, &run_type, NULL
};
