/* What a document is: by its keys. */
#include "config.h"

#include "plugins/ksuit/ksuit.h"

#include <inttypes.h>
#include <stdio.h>

int generation_wanted(const struct ferry_options *o, enum generation *out,
		      struct ferry_error *err)
{
	static const struct {
		const char *name;
		enum generation generation;
	} known[] = {
		{ "T0", GEN_T0 }, { "T1", GEN_T1 }, { "v1.0", GEN_T1 },
		{ "v1.0.0", GEN_T1 }, { "v1.1", GEN_T1 }, { "v1.1.0", GEN_T1 },
		{ "T2", GEN_T2 }, { "head", GEN_T2 },
	};
	const char *text = ferry_option(o, "generation");
	char shown[80];

	text = text ? text : "head";
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
		if (strcmp(known[i].name, text))
			continue;
		*out = known[i].generation;
		return 0;
	}
	ferry_escape(shown, sizeof(shown), text, strlen(text));
	return ferry_fail(err, FERRY_MISUSE, ORIGIN, FERRY_NO_OFFSET,
			  "option generation is '%s': give T0, T1, v1.0, v1.1, "
			  "T2 or head", shown);
}

enum layout trainer_layout(struct ferry_value *root)
{
	struct ferry_value *callbacks = field(root, "callback_state_dicts");

	if (!callbacks)
		return LAYOUT_NONE;
	if (callbacks->kind == FERRY_LIST)
		return field(root, "training_iteration") ? LAYOUT_T1 :
		       field(root, "epoch") ? LAYOUT_T0 : LAYOUT_NONE;
	if (ferry_value_items(callbacks) && field(root, "training_iteration"))
		return LAYOUT_T2;
	return LAYOUT_NONE;
}

bool is_state_dict(struct ferry_value *v)
{
	const struct ferry_value *items = v ? ferry_value_items(v) : NULL;

	for (uint32_t i = 0; items && i < items->u.dict.n; i++)
		if (items->u.dict.pairs[i].key->kind != FERRY_STRING ||
		    ferry_value_payload(items->u.dict.pairs[i].value)->kind !=
		    FERRY_TENSOR)
			return false;
	return items;
}

bool is_optimizer_dict(struct ferry_value *v)
{
	struct ferry_value *groups = field(v, "param_groups");
	struct ferry_value *state = field(v, "state");

	return groups && groups->kind == FERRY_LIST && state &&
	       ferry_value_items(state);
}

bool is_best_state(struct ferry_value *v)
{
	return field(v, "best_metric_value") &&
	       field(v, "tolerances_is_exceeded") &&
	       field(v, "tolerance_counter") &&
	       field(v, "metric_at_exceeded_tolerance");
}

bool iteration_text(struct ferry_value *v, char *out, size_t cap)
{
	static const char *const names[] = { "epoch", "update", "sample" };
	const struct ferry_value *n;
	size_t used = 0;

	*out = '\0';
	for (size_t i = 0; i < 3; i++) {
		n = v ? field(v, names[i]) : NULL;
		if (!n || n->kind != FERRY_INT || n->flags & FERRY_BIG)
			continue;
		used += (size_t)snprintf(out + used, cap - used, "%s%s %" PRId64,
					 used ? ", " : "", names[i], n->u.i);
	}
	return used;
}

enum part document_part(struct ferry_value *root)
{
	if (!ferry_value_items(root))
		return PART_NONE;
	if (trainer_layout(root) != LAYOUT_NONE)
		return PART_TRAINER;
	if (is_state_dict(field(root, "state_dict")))
		return PART_MODEL;
	return is_optimizer_dict(root) ? PART_OPTIM : PART_NONE;
}
