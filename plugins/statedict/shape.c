/* What a document is shaped like. */
#include "config.h"

#include "plugins/statedict/statedict.h"

#include <stdio.h>
#include <string.h>

#define NESTED_MOST 4		/* mappings of mappings of tensors */
#define CHECKPOINT_MOST 3	/* keys on the way to the weights */
#define SCRIPT_PREFIX "__torch__."

/* Keys under which training code keeps the weights, the likeliest first. */
static const char *const weight_keys[] = {
	"state_dict", "model_state_dict", "model_state", "model", "module",
	"net", "network", "params", "params_ema", "ema", "ema_state_dict",
	"ema_model", "model_ema", "weights", "generator", "teacher", "student",
	"params_g", "netG", "G_ema", "encoder", "state", NULL
};

bool is_tensor(struct ferry_value *v)
{
	return ferry_value_payload(v)->kind == FERRY_TENSOR;
}

static struct ferry_value *state_of(const struct ferry_value *v)
{
	struct ferry_value *state;

	if (v->kind != FERRY_OBJECT || !v->u.object->state)
		return NULL;
	state = v->u.object->state;
	if (state->kind == FERRY_TUPLE && state->u.list.n)
		state = state->u.list.items[0];
	return state->kind == FERRY_DICT ? state : NULL;
}

bool is_module(const struct ferry_value *v)
{
	const struct ferry_value *state = state_of(v);

	return state && ferry_dict_get(state, "_parameters") &&
	       ferry_dict_get(state, "_modules");
}

bool is_script(const struct ferry_value *v)
{
	const struct ferry_value *class;

	if (v->kind != FERRY_OBJECT || !state_of(v))
		return false;
	class = v->u.object->callable;
	return class && class->kind == FERRY_GLOBAL &&
	       !strncmp(class->u.global.module, SCRIPT_PREFIX,
			strlen(SCRIPT_PREFIX) - 1);
}

bool is_optimizer(struct ferry_value *v)
{
	struct ferry_value *items = ferry_value_items(v), *groups;

	if (!items || !ferry_dict_get(items, "state"))
		return false;
	groups = ferry_dict_get(items, "param_groups");
	return groups && groups->kind == FERRY_LIST;
}

size_t state_dict_size(struct ferry_value *v)
{
	const struct ferry_value *items = ferry_value_items(v);

	for (uint32_t i = 0; items && i < items->u.dict.n; i++)
		if (items->u.dict.pairs[i].key->kind != FERRY_STRING ||
		    !is_tensor(items->u.dict.pairs[i].value))
			return 0;
	return items ? items->u.dict.n : 0;
}

/* The graph may be shared without end: the look ends with the budget. */
static bool holds(struct ferry_value *v, unsigned depth, size_t *budget)
{
	const struct ferry_value *items = ferry_value_items(v);
	struct ferry_value *value;
	uint32_t tensors = 0, nested = 0, n;

	if (!items || depth > NESTED_MOST || is_optimizer(v))
		return false;
	n = items->u.dict.n;
	if (n > *budget)
		return false;
	*budget -= n;
	for (uint32_t i = 0; i < n; i++) {
		value = items->u.dict.pairs[i].value;
		if (items->u.dict.pairs[i].key->kind != FERRY_STRING)
			return false;
		if (is_tensor(value))
			tensors++;
		else if (holds(value, depth + 1, budget))
			nested++;
	}
	return tensors ? 2 * (tensors + nested) >= n : nested && nested == n;
}

bool holds_weights(struct ferry_value *v, size_t *budget)
{
	return holds(v, 0, budget);
}

/* ---- where the weights are ----------------------------------------------- */

static void found(struct weights *out, struct ferry_value *v, const char *key,
		  bool named)
{
	size_t n = strlen(out->path);

	out->value = v;
	out->module = is_module(v) || is_script(v);
	out->named = named;
	if (key)
		snprintf(out->path + n, sizeof(out->path) - n, "%s%s",
			 n ? "." : "", key);
}

/* Names of a whole, which no name of a weight begins with. */
static const char *const whole_keys[] = {
	"state_dict", "model_state_dict", "model_state", "model", "params",
	"weights", NULL
};

/* A mapping around nothing but another one is no part of the names. */
static void descend(struct weights *out, unsigned depth)
{
	struct ferry_value *items, *value;
	size_t i;

	for (; depth < CHECKPOINT_MOST && !out->module; depth++) {
		items = ferry_value_items(out->value);
		if (!items || items->u.dict.n != 1)
			return;
		value = items->u.dict.pairs[0].value;
		for (i = 0; whole_keys[i]; i++)
			if (ferry_value_is(items->u.dict.pairs[0].key,
					   whole_keys[i]))
				break;
		if (!whole_keys[i] || !ferry_value_items(value))
			return;
		found(out, value, whole_keys[i], out->named);
	}
}

bool leads_to(const struct ferry_pair *pair, const struct weights *w)
{
	size_t n = pair->key->kind == FERRY_STRING ? pair->key->u.s.nbytes : 0;

	return n && !strncmp(w->path, pair->key->u.s.data, n) &&
	       (!w->path[n] || w->path[n] == '.');
}

static bool is_weights(struct ferry_value *v, size_t *budget)
{
	return is_module(v) || is_script(v) || holds_weights(v, budget);
}

/* The only mapping of names to tensors, whatever its key. */
static bool find_only(const struct ferry_value *items, struct weights *out,
		      size_t *budget)
{
	const struct ferry_pair *only = NULL, *pair;
	char key[64];

	for (uint32_t i = 0; i < items->u.dict.n; i++) {
		pair = &items->u.dict.pairs[i];
		if (pair->key->kind != FERRY_STRING ||
		    !is_weights(pair->value, budget))
			continue;
		if (only)
			return false;
		only = pair;
	}
	if (!only || only->key->u.s.nbytes >= sizeof(key))
		return false;
	memcpy(key, only->key->u.s.data, only->key->u.s.nbytes);
	key[only->key->u.s.nbytes] = '\0';
	found(out, only->value, key, false);
	return true;
}

static bool find_inside(struct ferry_value *v, unsigned depth,
			struct weights *out, size_t *budget)
{
	struct ferry_value *items = ferry_value_items(v), *value;
	size_t n = strlen(out->path);

	if (!items || depth >= CHECKPOINT_MOST)
		return false;
	for (size_t i = 0; weight_keys[i]; i++) {
		value = ferry_dict_get(items, weight_keys[i]);
		if (!value || !is_weights(value, budget))
			continue;
		found(out, value, weight_keys[i], true);
		return true;
	}
	for (size_t i = 0; weight_keys[i]; i++) {
		value = ferry_dict_get(items, weight_keys[i]);
		if (!value)
			continue;
		snprintf(out->path + n, sizeof(out->path) - n, "%s%s",
			 n ? "." : "", weight_keys[i]);
		if (find_inside(value, depth + 1, out, budget))
			return true;
		out->path[n] = '\0';
	}
	return find_only(items, out, budget);
}

void find_weights(struct ferry_document *doc, struct weights *out)
{
	struct ferry_value *root = doc->root;
	size_t budget = LOOK_MOST;

	memset(out, 0, sizeof(*out));
	if (is_module(root) || is_script(root) || state_dict_size(root)) {
		found(out, root, NULL, true);
		return;
	}
	if (find_inside(root, 0, out, &budget))
		descend(out, 1);
	else if (holds_weights(root, &budget))
		found(out, root, NULL, false);
}

/* ---- the shape of a whole ------------------------------------------------ */

struct census {
	struct ferry_marks marks;
	size_t tensors, others;
};

static void count(struct census *c, struct ferry_value *v, unsigned depth);

static void count_items(struct census *c, const struct ferry_value *v,
			unsigned depth)
{
	for (uint32_t i = 0; i < v->u.list.n; i++)
		count(c, v->u.list.items[i], depth + 1);
}

static void count_pairs(struct census *c, const struct ferry_value *v,
			unsigned depth)
{
	for (uint32_t i = 0; i < v->u.dict.n; i++)
		count(c, v->u.dict.pairs[i].value, depth + 1);
}

static void count_object(struct census *c, const struct ferry_object *o,
			 unsigned depth)
{
	struct ferry_value *const parts[] = {
		o->args, o->kwargs, o->list, o->dict, o->state,
	};

	c->others++;
	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++)
		if (parts[i])
			count(c, parts[i], depth + 1);
}

/* Tensors, and what is neither a tensor nor a container of some. */
static void count(struct census *c, struct ferry_value *v, unsigned depth)
{
	if (is_tensor(v)) {
		c->tensors++;
		return;
	}
	if (ferry_mark(&c->marks, v) || depth >= FERRY_MAX_DEPTH)
		return;
	switch (v->kind) {
	case FERRY_LIST:
	case FERRY_TUPLE:
	case FERRY_SET:
	case FERRY_FROZENSET:
		count_items(c, v, depth);
		break;
	case FERRY_DICT:
		count_pairs(c, v, depth);
		break;
	case FERRY_OBJECT:
		count_object(c, v->u.object, depth);
		break;
	case FERRY_STORAGE:
		c->tensors++;
		break;
	default:
		c->others++;
		break;
	}
}

static enum shape answer(struct ferry_match *out, enum shape shape, int score,
			 const char *fmt, ...) FERRY_PRINTF(4, 5);

static enum shape answer(struct ferry_match *out, enum shape shape, int score,
			 const char *fmt, ...)
{
	va_list ap;

	out->score = score;
	va_start(ap, fmt);
	vsnprintf(out->reason, sizeof(out->reason), fmt, ap);
	va_end(ap);
	return shape;
}

static bool has_tensors(const struct ferry_value *items, uint32_t *n)
{
	*n = 0;
	for (uint32_t i = 0; i < items->u.dict.n; i++)
		*n += is_tensor(items->u.dict.pairs[i].value);
	return *n;
}

/* Tensors and a few values, or mappings of tensors. */
static enum shape root_shape(struct ferry_document *doc,
			     struct ferry_match *out)
{
	const struct ferry_value *items = ferry_value_items(doc->root);
	uint32_t n;

	if (!has_tensors(items, &n))
		return SHAPE_OTHER;
	return answer(out, SHAPE_STATE_DICT, 60, "dict of %u tensor%s and %u "
		      "other value%s", n, n == 1 ? "" : "s",
		      items->u.dict.n - n, items->u.dict.n - n == 1 ? "" : "s");
}

static enum shape weighty_shape(struct ferry_document *doc,
				struct ferry_match *out)
{
	struct weights w;

	find_weights(doc, &w);
	if (!w.value)
		return SHAPE_OTHER;
	if (w.value == doc->root)
		return root_shape(doc, out);
	if (ferry_dict_get(ferry_value_items(doc->root),
			   "pytorch-lightning_version"))
		return answer(out, SHAPE_CHECKPOINT, 80, "weights under '%s' "
			      "and a PyTorch Lightning version", w.path);
	return answer(out, SHAPE_CHECKPOINT, w.named ? 70 : 50,
		      "weights under '%s'%s", w.path,
		      w.module ? ", in a pickled module" : "");
}

static enum shape other_shape(struct ferry_document *doc,
			      struct ferry_match *out)
{
	struct census c = { .tensors = 0 };

	if (ferry_marks_init(&c.marks, doc->store))
		return SHAPE_OTHER;
	count(&c, doc->root, 0);
	ferry_marks_release(&c.marks);
	if (!c.tensors)
		return answer(out, SHAPE_VALUES, 10, "no tensor in it");
	if (!c.others)
		return answer(out, SHAPE_TENSORS, 40, "%zu tensor%s in "
			      "containers and nothing else", c.tensors,
			      c.tensors == 1 ? "" : "s");
	return SHAPE_OTHER;
}

enum shape document_shape(struct ferry_document *doc, struct ferry_match *out)
{
	struct ferry_value *root = doc->root;
	enum shape shape = SHAPE_OTHER;
	size_t n;

	if (is_script(root))
		return answer(out, SHAPE_SCRIPT, 90, "an object of a compiled "
			      "class %.80s", root->u.object->callable->
			      u.global.name);
	if (is_tensor(root))
		return answer(out, SHAPE_TENSOR, 80, "one tensor");
	if (is_module(root))
		return answer(out, SHAPE_MODULE, 80, "an object with "
			      "_parameters and _modules");
	n = state_dict_size(root);
	if (n)
		return answer(out, SHAPE_STATE_DICT, 80, "dict of %zu "
			      "tensor%s and nothing else", n,
			      n == 1 ? "" : "s");
	if (is_optimizer(root))
		return answer(out, SHAPE_OPTIMIZER, 80, "state and "
			      "param_groups of an optimizer");
	if (ferry_value_items(root))
		shape = weighty_shape(doc, out);
	return shape == SHAPE_OTHER ? other_shape(doc, out) : shape;
}
