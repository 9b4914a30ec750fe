/*
 * Layouts of trainer files.
 *
 *	T0	epoch, update, sample, callback_state_dicts (list)
 *	T1	callback_state_dicts (list, None for callbacks without a state),
 *		training_iteration
 *	T2	callback_state_dicts (mapping of checkpoint keys, only states),
 *		training_iteration
 *
 * and grad_scaler last where there was one.
 */
#include "config.h"

#include "plugins/ksuit/ksuit.h"

#include <stdio.h>

#define BEST "BestCheckpointCallback"

static const char *const counters[] = { "epoch", "update", "sample" };

static int no_memory(struct plain *p)
{
	return ferry_fail_nomem(p->err, "a trainer's state");
}

static bool is_counter(struct slice key)
{
	for (size_t i = 0; i < 3; i++)
		if (slice_is(key, slice_of(counters[i])))
			return true;
	return false;
}

/* ---- T0 to T1 -------------------------------------------------------------------- */

static int gather_iteration(struct plain *p, struct ferry_value *root,
			    struct ferry_value **out)
{
	struct ferry_value *v;

	*out = ferry_dict(p->store, 3);
	for (size_t i = 0; *out && i < 3; i++) {
		v = ferry_dict_get(root, counters[i]);
		if (v && ferry_dict_set_str(p->store, *out, counters[i], v))
			return no_memory(p);
	}
	return *out ? 0 : no_memory(p);
}

static int to_t1(struct plain *p, struct ferry_value *root,
		 struct ferry_value **out)
{
	struct ferry_value *made = ferry_dict(p->store, 4), *iteration;
	const struct ferry_pair *pair;
	int rc = gather_iteration(p, root, &iteration);

	for (uint32_t i = 0; i < root->u.dict.n && made && !rc; i++) {
		pair = &root->u.dict.pairs[i];
		if (is_counter(text_of(pair->key)))
			continue;
		if (ferry_dict_set(p->store, made, pair->key, pair->value))
			return no_memory(p);
		if (ferry_value_is(pair->key, "callback_state_dicts") &&
		    ferry_dict_set_str(p->store, made, "training_iteration",
				       iteration))
			return no_memory(p);
	}
	if (rc || !made)
		return rc ? rc : no_memory(p);
	*out = made;
	if (ferry_findings_add(p->findings, FERRY_NOTE, "layout",
			       "training_iteration", FERRY_NO_OFFSET,
			       "layout T0 becomes T1: epoch, update and sample "
			       "go into 'training_iteration'"))
		return no_memory(p);
	return 0;
}

/* ---- T1 to T2 -------------------------------------------------------------------- */

/* The i-th of the ids given, over all of "a,b" given. */
static struct slice id_given(const struct ferry_options *o, size_t i)
{
	const char *text, *comma;
	size_t k = 0;

	for (size_t n = 0; (text = ferry_option_nth(o, "callbacks", n)); n++)
		for (;; text = comma + 1) {
			comma = strchr(text, ',');
			if (k++ == i)
				return (struct slice){
					text, comma ? (size_t)(comma - text) :
					strlen(text)
				};
			if (!comma)
				break;
		}
	return (struct slice){ NULL, 0 };
}

static size_t count_given(const struct ferry_options *o)
{
	size_t n = 0;

	while (id_given(o, n).p)
		n++;
	return n;
}

static size_t count_states(const struct ferry_value *list)
{
	size_t n = 0;

	for (uint32_t i = 0; i < list->u.list.n; i++)
		n += list->u.list.items[i]->kind != FERRY_NONE;
	return n;
}

static int unknown_state(struct plain *p, uint32_t index,
			 struct ferry_value *state, size_t n)
{
	const struct ferry_value *items = ferry_value_items(state);
	char keys[200] = "", key[60];
	size_t used = 0;

	for (uint32_t i = 0; items && i < items->u.dict.n && used < 100; i++) {
		struct slice text = text_of(items->u.dict.pairs[i].key);

		ferry_escape(key, sizeof(key), text.p ? text.p : "", text.n);
		used += (size_t)snprintf(keys + used, sizeof(keys) - used,
					 "%s%s", used ? ", " : "", key);
	}
	return ferry_fail(p->err, FERRY_UNSUPPORTED, ORIGIN, FERRY_NO_OFFSET,
			  "callback %u is of an unknown kind (its state has: "
			  "%s): name the %zu callback%s with a state with "
			  "--set callbacks=A,B,...", index, keys, n,
			  n == 1 ? "" : "s");
}

/* By content: a BestCheckpointCallback is the one kind known to have a state. */
static int infer_id(struct plain *p, const struct ferry_value *list,
		    uint32_t index, struct slice *out)
{
	size_t n = count_states(list);

	if (!is_best_state(list->u.list.items[index]))
		return unknown_state(p, index, list->u.list.items[index], n);
	*out = slice_of(BEST);
	return 0;
}

/* Ids are given for the callbacks that have a state, or for all of them. */
static int check_given(struct plain *p, const struct ferry_value *list)
{
	size_t given = count_given(p->options), states = count_states(list);

	if (!given || given == states || given == list->u.list.n)
		return 0;
	return ferry_fail(p->err, FERRY_MISUSE, ORIGIN, FERRY_NO_OFFSET,
			  "%zu callbacks are named, but the trainer has %u, %zu "
			  "of them with a state: name either all or those with "
			  "a state", given, list->u.list.n, states);
}

static int add_state(struct plain *p, struct ferry_value *out, struct slice id,
		     uint32_t index, struct ferry_value *state)
{
	struct ferry_value *key = ferry_string(p->store, id.p, id.n);
	char shown[120];

	ferry_escape(shown, sizeof(shown), id.p, id.n);
	if (!key)
		return no_memory(p);
	if (!id.n)
		return ferry_fail(p->err, FERRY_MISUSE, ORIGIN, FERRY_NO_OFFSET,
				  "the id given for callback %u is empty",
				  index);
	if (ferry_dict_find(out, key))
		return ferry_fail(p->err, FERRY_UNSUPPORTED, ORIGIN,
				  FERRY_NO_OFFSET, "callback %u is a second "
				  "'%s', and keys must differ: name them with "
				  "--set callbacks=A,B,...", index, shown);
	if (ferry_dict_set(p->store, out, key, state) ||
	    ferry_findings_add(p->findings, FERRY_NOTE, "callback",
			       "callback_state_dicts", FERRY_NO_OFFSET,
			       "callback %u is keyed '%s', %s", index, shown,
			       count_given(p->options) ? "as given" :
			       "by what its state holds"))
		return no_memory(p);
	return 0;
}

static int key_states(struct plain *p, const struct ferry_value *list,
		      struct ferry_value *out)
{
	bool all = count_given(p->options) == list->u.list.n;
	struct slice id;
	size_t k = 0;
	int rc = check_given(p, list);

	for (uint32_t i = 0; i < list->u.list.n && !rc; i++) {
		if (list->u.list.items[i]->kind == FERRY_NONE)
			continue;
		id = id_given(p->options, all ? i : k++);
		if (!id.p)
			rc = infer_id(p, list, i, &id);
		if (!rc)
			rc = add_state(p, out, id, i, list->u.list.items[i]);
	}
	return rc;
}

static int to_t2(struct plain *p, struct ferry_value *root,
		 struct ferry_value **out)
{
	struct ferry_value *list = ferry_dict_get(root, "callback_state_dicts");
	struct ferry_value *states = ferry_dict(p->store, 0);
	struct ferry_value *made = ferry_dict(p->store, root->u.dict.n);
	const struct ferry_pair *pair;
	int rc = states && made ? key_states(p, list, states) : no_memory(p);

	for (uint32_t i = 0; i < root->u.dict.n && !rc; i++) {
		pair = &root->u.dict.pairs[i];
		if (ferry_dict_set(p->store, made, pair->key,
				   pair->value == list ? states : pair->value))
			rc = no_memory(p);
	}
	if (rc)
		return rc;
	*out = made;
	if (ferry_findings_add(p->findings, FERRY_NOTE, "layout",
			       "callback_state_dicts", FERRY_NO_OFFSET,
			       "layout T1 becomes T2: states of callbacks by "
			       "key"))
		return no_memory(p);
	return 0;
}

int upgrade_trainer(struct plain *p, struct ferry_value *root,
		    enum generation wanted, struct ferry_value **out)
{
	enum layout has = trainer_layout(root);
	int rc = 0;

	*out = root;
	if ((has == LAYOUT_T2 && wanted < GEN_T2) ||
	    (has == LAYOUT_T1 && wanted < GEN_T1))
		return ferry_fail(p->err, FERRY_MISUSE, ORIGIN,
				  FERRY_NO_OFFSET, "the trainer's layout is "
				  "%s already: ferry makes no older one of it",
				  has == LAYOUT_T2 ? "T2" : "T1");
	if (has == LAYOUT_T0 && wanted >= GEN_T1)
		rc = to_t1(p, root, out);
	if (!rc && trainer_layout(*out) == LAYOUT_T1 && wanted >= GEN_T2)
		rc = to_t2(p, *out, out);
	return rc;
}
