/*
 * Keys of the files.  noether's are text.  ksuit's are members of the enum
 * CheckpointKeys, of which a pickle keeps the call that gives them back: of the
 * class with the value (CPython 3.11.4 and later), or of getattr with the
 * class and the member's name (3.11.0 to 3.11.3).
 */
#include "config.h"

#include "plugins/ksuit/ksuit.h"

#define KEYS_MOST 64		/* of a file; more are not looked at */

static const char *const members[][2] = {
	{ "STATE_DICT", "state_dict" },
	{ "CHECKPOINT_TAG", "checkpoint_tag" },
	{ "TRAINING_ITERATION", "training_iteration" },
	{ "RUN_ID", "run_id" },
	{ "MODEL_CONFIG", "model_config" },
	{ "CONFIG_KIND", "config_kind" },
	{ "CALLBACK_STATE_DICT", "callback_state_dicts" },
	{ "CALLBACK_STATE_DICTS", "callback_state_dicts" },
	{ "GRAD_SCALER", "grad_scaler" },
};

struct slice text_of(const struct ferry_value *v)
{
	struct slice none = { NULL, 0 };

	if (!v || v->kind != FERRY_STRING)
		return none;
	return (struct slice){ v->u.s.data ? v->u.s.data : "", v->u.s.nbytes };
}

static bool is_keys_class(const struct ferry_value *v)
{
	const char *name, *dot;

	if (!v || v->kind != FERRY_GLOBAL)
		return false;
	name = v->u.global.name;
	dot = strrchr(name, '.');
	return !strcmp(dot ? dot + 1 : name, "CheckpointKeys");
}

static bool is_getattr(const struct ferry_value *v)
{
	return ferry_value_is_global(v, "builtins", "getattr") ||
	       ferry_value_is_global(v, "__builtin__", "getattr");
}

static struct slice member_value(struct slice member)
{
	for (size_t i = 0; i < sizeof(members) / sizeof(*members); i++)
		if (slice_is(member, slice_of(members[i][0])))
			return slice_of(members[i][1]);
	return (struct slice){ NULL, 0 };
}

struct slice key_text(const struct ferry_value *key, enum spelling *out)
{
	struct slice none = { NULL, 0 };
	struct ferry_value *const *args;
	const struct ferry_object *o;

	*out = SPELLING_PLAIN;
	if (key->kind != FERRY_OBJECT)
		return text_of(key);
	o = key->u.object;
	if (o->form != FERRY_FORM_CALL || !o->callable || !o->args ||
	    o->args->kind != FERRY_TUPLE || !o->args->u.list.n)
		return none;
	args = o->args->u.list.items;
	if (is_keys_class(o->callable) && o->args->u.list.n == 1) {
		*out = SPELLING_VALUE;
		return text_of(args[0]);
	}
	if (is_getattr(o->callable) && o->args->u.list.n == 2 &&
	    is_keys_class(args[0])) {
		*out = SPELLING_MEMBER;
		return member_value(text_of(args[1]));
	}
	return none;
}

struct ferry_value *field(struct ferry_value *mapping, const char *key)
{
	const struct ferry_value *items = mapping ? ferry_value_items(mapping) :
					  NULL;
	struct ferry_value *found;
	enum spelling spelling;
	struct slice text;

	if (!items)
		return NULL;
	found = ferry_dict_get(items, key);
	for (uint32_t i = 0; !found && i < items->u.dict.n && i < KEYS_MOST;
	     i++) {
		text = key_text(items->u.dict.pairs[i].key, &spelling);
		if (text.p && spelling != SPELLING_PLAIN &&
		    slice_is(text, slice_of(key)))
			found = items->u.dict.pairs[i].value;
	}
	return found;
}

enum spelling keys_spelling(struct ferry_value *mapping)
{
	const struct ferry_value *items = ferry_value_items(mapping);
	enum spelling spelling = SPELLING_PLAIN;

	for (uint32_t i = 0; items && i < items->u.dict.n && i < KEYS_MOST &&
	     spelling == SPELLING_PLAIN; i++)
		if (!key_text(items->u.dict.pairs[i].key, &spelling).p)
			spelling = SPELLING_PLAIN;
	return spelling;
}
