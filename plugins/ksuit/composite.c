/* What a composite model's single file and its parts' files have in common. */
#include "config.h"

#include "plugins/ksuit/composite.h"

static const char *const common[] = {
	"checkpoint_tag", "training_iteration", "run_id", "ema",
};

#define N_COMMON (sizeof(common) / sizeof(*common))

const char *composite_common(struct slice key)
{
	for (size_t i = 0; i < N_COMMON; i++)
		if (slice_is(key, slice_of(common[i])))
			return common[i];
	return NULL;
}

int composite_set_common(struct ferry_store *store, struct ferry_value *from,
			 struct ferry_value *weights, struct ferry_value *to)
{
	struct ferry_value *v;
	int rc = ferry_dict_set_str(store, to, "state_dict", weights);

	for (size_t i = 0; i < N_COMMON && !rc; i++) {
		v = field(from, common[i]);
		if (v)
			rc = ferry_dict_set_str(store, to, common[i], v);
	}
	return rc;
}

struct ferry_value *composite_metadata(struct ferry_value *weights)
{
	struct ferry_value *state, *found;

	if (weights->kind != FERRY_OBJECT || !weights->u.object->state)
		return NULL;
	state = weights->u.object->state;
	found = state->kind == FERRY_DICT ?
		ferry_dict_get(state, "_metadata") : NULL;
	return found ? ferry_value_items(found) : NULL;
}

static struct ferry_value *ordered_dict(struct ferry_store *store,
					struct ferry_value *items,
					struct ferry_value *metadata)
{
	struct ferry_value *class = ferry_global(store, "collections", 11,
						 "OrderedDict", 11);
	struct ferry_value *args = ferry_sequence(store, FERRY_TUPLE, 0);
	struct ferry_value *state = NULL, *made = NULL;

	if (class && args)
		made = ferry_object(store, FERRY_FORM_CALL, class, args, NULL);
	if (!made)
		return NULL;
	made->u.object->dict = items;
	if (!metadata || !metadata->u.dict.n)
		return made;
	state = ferry_dict(store, 1);
	metadata = ordered_dict(store, metadata, NULL);
	if (!state || !metadata ||
	    ferry_dict_set_str(store, state, "_metadata", metadata))
		return NULL;
	made->u.object->state = state;
	return made;
}

struct ferry_value *composite_weights(struct ferry_store *store,
				      const struct ferry_value *like,
				      struct ferry_value *items,
				      struct ferry_value *metadata)
{
	return like->kind == FERRY_DICT ? items :
	       ordered_dict(store, items, metadata);
}
