/* The artifact types. */
#include "config.h"

#include "plugins/statedict/statedict.h"

#include <string.h>

/* A document has one shape, so the types never tie. */
static int recognise_as(struct ferry_document *doc, enum shape shape,
			struct ferry_match *out)
{
	struct ferry_match match = { .score = 0 };

	if (document_shape(doc, &match) == shape)
		*out = match;
	return 0;
}

#define RECOGNISER(name, shape) \
	static int name(struct ferry_document *doc, const char *file_name, \
			struct ferry_match *out) \
	{ \
		(void)file_name; \
		return recognise_as(doc, shape, out); \
	}

RECOGNISER(recognise_state_dict, SHAPE_STATE_DICT)
RECOGNISER(recognise_checkpoint, SHAPE_CHECKPOINT)
RECOGNISER(recognise_module, SHAPE_MODULE)
RECOGNISER(recognise_optimizer, SHAPE_OPTIMIZER)
RECOGNISER(recognise_tensor, SHAPE_TENSOR)
RECOGNISER(recognise_tensors, SHAPE_TENSORS)
RECOGNISER(recognise_script, SHAPE_SCRIPT)
RECOGNISER(recognise_values, SHAPE_VALUES)

int statedict_weights(struct ferry_document *doc, struct ferry_value **out,
		      struct ferry_error *err)
{
	struct weights w;

	find_weights(doc, &w);
	*out = NULL;
	if (!w.value)
		return 0;
	if (w.module)
		return flatten_module(doc->store, w.value, out, err);
	*out = w.value;
	return 0;
}

/* Of a state dict the root is what is asked for, whatever is in it. */
static int root_weights(struct ferry_document *doc, struct ferry_value **out,
			struct ferry_error *err)
{
	(void)err;
	*out = ferry_value_items(doc->root) ? doc->root : NULL;
	return 0;
}

static int check_state_dict(struct ferry_document *doc,
			    struct ferry_findings *out, struct ferry_error *err)
{
	const struct ferry_value *items = ferry_value_items(doc->root), *v;
	const struct ferry_pair *pair;
	char name[200];
	int rc = 0;

	if (!items)
		return ferry_findings_add(out, FERRY_VIOLATION, "not-a-mapping",
					  "", FERRY_NO_OFFSET, "a state dict "
					  "is a mapping; this is of kind %s",
					  ferry_kind_name(doc->root->kind));
	for (uint32_t i = 0; i < items->u.dict.n && !rc; i++) {
		pair = &items->u.dict.pairs[i];
		if (pair->key->kind != FERRY_STRING) {
			rc = ferry_findings_add(out, FERRY_VIOLATION,
						"key-not-text", "",
						FERRY_NO_OFFSET,
						"key %u is of kind %s, not text", i,
						ferry_kind_name(
							pair->key->kind));
			continue;
		}
		v = ferry_value_payload(pair->value);
		if (v->kind == FERRY_TENSOR &&
		    !(v->u.tensor->flags & FERRY_META))
			continue;
		ferry_escape(name, sizeof(name), pair->key->u.s.data,
			     pair->key->u.s.nbytes);
		if (v->kind != FERRY_TENSOR)
			rc = ferry_findings_add(out, FERRY_WARNING,
						"not-a-tensor", name,
						FERRY_NO_OFFSET,
						"'%s' is of kind %s, "
						"not a tensor", name,
						ferry_kind_name(v->kind));
		else
			rc = ferry_findings_add(out, FERRY_VIOLATION,
						"no-data", name,
						FERRY_NO_OFFSET, "'%s' has no "
						"data (a meta tensor)", name);
	}
	return rc ? ferry_fail_nomem(err, "findings") : 0;
}

static const struct ferry_artifact_type state_dict = {
	.struct_size = sizeof(struct ferry_artifact_type),
	.name = "state-dict",
	.title = "names and tensors, nothing else",
	.recognise = recognise_state_dict,
	.describe = describe_weights,
	.check = check_state_dict,
	.weights = root_weights,
};

static const struct ferry_artifact_type checkpoint = {
	.struct_size = sizeof(struct ferry_artifact_type),
	.name = "checkpoint",
	.title = "weights beside the state of a training run",
	.recognise = recognise_checkpoint,
	.describe = describe_checkpoint,
	.weights = statedict_weights,
};

static const struct ferry_artifact_type module = {
	.struct_size = sizeof(struct ferry_artifact_type),
	.name = "module",
	.title = "a pickled tree of modules",
	.recognise = recognise_module,
	.describe = describe_weights,
	.weights = statedict_weights,
};

static const struct ferry_artifact_type script_module = {
	.struct_size = sizeof(struct ferry_artifact_type),
	.name = "torchscript-module",
	.title = "a compiled TorchScript module",
	.recognise = recognise_script,
	.describe = describe_weights,
	.weights = statedict_weights,
};

static const struct ferry_artifact_type optimizer = {
	.struct_size = sizeof(struct ferry_artifact_type),
	.name = "optimizer",
	.title = "the state of an optimizer",
	.recognise = recognise_optimizer,
	.describe = describe_optimizer,
};

static const struct ferry_artifact_type tensor = {
	.struct_size = sizeof(struct ferry_artifact_type),
	.name = "tensor",
	.title = "one tensor",
	.recognise = recognise_tensor,
};

static const struct ferry_artifact_type tensors = {
	.struct_size = sizeof(struct ferry_artifact_type),
	.name = "tensors",
	.title = "lists, tuples and dicts of tensors",
	.recognise = recognise_tensors,
	.weights = statedict_weights,
};

static const struct ferry_artifact_type values = {
	.struct_size = sizeof(struct ferry_artifact_type),
	.name = "values",
	.title = "values without any tensor",
	.recognise = recognise_values,
};

const struct ferry_artifact_type *const statedict_types[] = {
	&state_dict, &checkpoint, &module, &script_module, &optimizer, &tensor,
	&tensors, &values, NULL
};
