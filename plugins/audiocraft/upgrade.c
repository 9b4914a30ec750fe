/* Old layouts to the newest. */
#include "config.h"

#include "plugins/audiocraft/audiocraft.h"

#include <string.h>

#include <ferry/sys/buffer.h>

#define PREFIX "condition_provider."

static int add_prefixed(const struct ferry_conversion_args *args,
			struct ferry_value *model,
			const struct ferry_pair *pair, struct ferry_error *err)
{
	struct ferry_buffer b = FERRY_BUFFER_INIT;
	struct ferry_value *name = NULL;
	char shown[200];

	if (pair->key->kind != FERRY_STRING)
		return ferry_fail(err, FERRY_MALFORMED, "audiocraft",
				  FERRY_NO_OFFSET, "condition_provider has a "
				  "key of kind %s, not text",
				  ferry_kind_name(pair->key->kind));
	ferry_buffer_add_str(&b, PREFIX);
	ferry_buffer_add(&b, pair->key->u.s.data, pair->key->u.s.nbytes);
	if (!b.failed)
		name = ferry_string(args->store, b.data, b.n);
	ferry_buffer_release(&b);
	if (!name)
		return ferry_fail_nomem(err, "weights");
	if (ferry_dict_find(model, name))
		return ferry_fail(err, FERRY_MALFORMED, "audiocraft",
				  FERRY_NO_OFFSET, "%s is in model and in "
				  "condition_provider: drop one of them",
				  ferry_escape(shown, sizeof(shown),
					       name->u.s.data,
					       name->u.s.nbytes));
	return ferry_dict_set(args->store, model, name, pair->value) ?
	       ferry_fail_nomem(err, "weights") : 0;
}

/* A mapping anew, of the same class and with the same state. */
static struct ferry_value *anew(struct ferry_store *store,
				struct ferry_value *v)
{
	struct ferry_value *out;

	if (v->kind == FERRY_DICT)
		return same_pairs(store, v);
	out = ferry_object(store, (enum ferry_form)v->u.object->form,
			   v->u.object->callable, v->u.object->args,
			   v->u.object->kwargs);
	if (!out)
		return NULL;
	*out->u.object = *v->u.object;
	out->u.object->dict = same_pairs(store, v->u.object->dict);
	return out->u.object->dict ? out : NULL;
}

static int merge_conditions(const struct ferry_conversion_args *args,
			    struct ferry_value **model,
			    struct ferry_error *err)
{
	const struct ferry_value *conditions =
		mapping(args->inputs[0]->root, "condition_provider");
	struct ferry_value *items;
	int rc = 0;

	*model = part(args->inputs[0]->root, "model");
	if (!conditions)
		return 0;
	if (!*model || !ferry_value_items(*model))
		return ferry_fail(err, FERRY_MALFORMED, "audiocraft",
				  FERRY_NO_OFFSET, "model is missing: there is "
				  "nothing to put condition_provider into");
	*model = anew(args->store, *model);
	if (!*model)
		return ferry_fail_nomem(err, "weights");
	items = ferry_value_items(*model);
	for (uint32_t i = 0; i < conditions->u.dict.n && !rc; i++)
		rc = add_prefixed(args, items, &conditions->u.dict.pairs[i],
				  err);
	if (rc)
		return rc;
	return tell(args->findings, FERRY_NOTE, "layout", "condition_provider",
		    err, "condition_provider went into model: %u tensors",
		    conditions->u.dict.n);
}

CONVERSION(run_upgrade_training)
{
	struct ferry_value *items = ferry_value_items(args->inputs[0]->root);
	const struct ferry_pair *pair;
	struct ferry_value *model;
	struct entries e;
	int rc = merge_conditions(args, &model, err);

	if (!rc && mapping(items, "compression_model"))
		rc = tell(args->findings, FERRY_NOTE, "layout",
			  "compression_model", err, "compression_model is left "
			  "out: AudioCraft takes it from "
			  "compression_model_checkpoint of the configuration");
	if (rc)
		return rc;
	entries_begin(&e, args->store);
	for (uint32_t i = 0; i < items->u.dict.n && !e.failed; i++) {
		pair = &items->u.dict.pairs[i];
		if (ferry_value_is(pair->key, "condition_provider") ||
		    ferry_value_is(pair->key, "compression_model"))
			continue;
		e.failed = ferry_dict_set(args->store, e.dict, pair->key,
					  ferry_value_is(pair->key, "model") ?
					  model : pair->value);
	}
	return entries_root(&e, args->out, err);
}

/* Exports of 0.0.x lack what later ones say of themselves. */
CONVERSION(run_upgrade_export)
{
	struct ferry_value *items = ferry_value_items(args->inputs[0]->root);
	struct entries e = {
		.store = args->store, .dict = same_pairs(args->store, items),
	};
	int rc = 0;

	e.failed = !e.dict;
	if (!part(items, "version")) {
		entries_add(&e, "version",
			    ferry_cstring(args->store, AUDIOCRAFT_NEWEST));
		rc = tell(args->findings, FERRY_NOTE, "layout", "version", err,
			  "version was missing, as in exports of 0.0.x: it "
			  "says %s now", AUDIOCRAFT_NEWEST);
	}
	if (!part(items, "exported"))
		entries_add(&e, "exported", ferry_bool(true));
	return rc ? rc : entries_root(&e, args->out, err);
}
