/* What noether's loaders need of a file. */
#include "config.h"

#include "plugins/ksuit/ksuit.h"

#include <inttypes.h>
#include <stdio.h>

#include "formats/torch/allowed.h"

struct check {
	struct ferry_document *doc;
	struct ferry_findings *out;
	const struct ferry_value *top;	/* whose keys check_keys() judges */
	struct ferry_marks marks;
	struct ferry_buffer path;
	struct ferry_error *err;
};

static int add(struct check *c, enum ferry_level level, const char *code,
	       const char *path, const char *fmt, ...) FERRY_PRINTF(5, 6);

static int add(struct check *c, enum ferry_level level, const char *code,
	       const char *path, const char *fmt, ...)
{
	char text[600];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (ferry_findings_add(c->out, level, code, path, FERRY_NO_OFFSET, "%s",
			       text))
		return ferry_fail_nomem(c->err, "findings");
	return 0;
}

/* ---- classes and calls -------------------------------------------------------- */

static int look(struct check *c, struct ferry_value *v);

static size_t enter(struct check *c, const struct ferry_value *key, uint32_t i)
{
	size_t n = c->path.n;
	enum spelling spelling;
	struct slice text = { NULL, 0 };

	if (key)
		text = key_text(key, &spelling);
	if (n)
		ferry_buffer_add_str(&c->path, ".");
	if (text.p)
		ferry_buffer_add(&c->path, text.p, text.n);
	else
		ferry_buffer_printf(&c->path, "%u", i);
	return n;
}

static bool is_refused(const struct ferry_value *v)
{
	return v && v->kind == FERRY_GLOBAL &&
	       !(torch_allowed_global(v->u.global.module, v->u.global.name) &
		 TORCH_2_13);
}

static int refused(struct check *c, const char *what)
{
	char path[200];

	ferry_escape(path, sizeof(path), c->path.data ? c->path.data : "",
		     c->path.n);
	return add(c, FERRY_VIOLATION, "refused", path, "%.300s is what "
		   "weights_only=True refuses: --upgrade makes plain what can "
		   "be", what);
}

static int refuse_global(struct check *c, const struct ferry_value *v)
{
	char name[300];

	snprintf(name, sizeof(name), "%.140s.%.140s", v->u.global.module,
		 v->u.global.name);
	return refused(c, name);
}

static int look_at_parts(struct check *c, const struct ferry_object *o)
{
	struct ferry_value *const parts[] = {
		o->callable, o->args, o->kwargs, o->list, o->dict, o->state,
	};
	int rc = 0;

	if (is_refused(o->callable))
		return refuse_global(c, o->callable);
	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts) && !rc; i++)
		if (parts[i])
			rc = look(c, parts[i]);
	return rc;
}

static int look_at_pairs(struct check *c, const struct ferry_value *v)
{
	enum spelling spelling;
	size_t n;
	int rc = 0;

	for (uint32_t i = 0; i < v->u.dict.n && !rc; i++) {
		key_text(v->u.dict.pairs[i].key, &spelling);
		if (spelling == SPELLING_PLAIN || v != c->top)
			rc = look(c, v->u.dict.pairs[i].key);
		n = enter(c, v->u.dict.pairs[i].key, i);
		if (!rc)
			rc = look(c, v->u.dict.pairs[i].value);
		c->path.n = n;
	}
	return rc;
}

static int look(struct check *c, struct ferry_value *v)
{
	size_t n;
	int rc = 0;

	if (ferry_mark(&c->marks, v))
		return 0;
	switch (v->kind) {
	case FERRY_GLOBAL:
		return is_refused(v) ? refuse_global(c, v) : 0;
	case FERRY_OBJECT:
		return look_at_parts(c, v->u.object);
	case FERRY_DICT:
		return look_at_pairs(c, v);
	case FERRY_FROZENSET:
		rc = refused(c, "a frozenset");
		break;
	case FERRY_TENSOR:
		if (v->u.tensor->extra &&
		    ferry_dict_get(v->u.tensor->extra, "numpy"))
			rc = refused(c, "an array of numpy");
		return rc;
	case FERRY_LIST:
	case FERRY_TUPLE:
	case FERRY_SET:
		break;
	default:
		return 0;
	}
	for (uint32_t i = 0; i < v->u.list.n && !rc; i++) {
		n = enter(c, NULL, i);
		rc = look(c, v->u.list.items[i]);
		c->path.n = n;
	}
	return rc;
}

static int look_all(struct check *c)
{
	int rc;

	if (ferry_marks_init(&c->marks, c->doc->store))
		return ferry_fail_nomem(c->err, "a check");
	c->top = ferry_value_items(c->doc->root);
	rc = look(c, c->doc->root);
	if (!rc && c->path.failed)
		rc = ferry_fail_nomem(c->err, "a check");
	ferry_marks_release(&c->marks);
	ferry_buffer_release(&c->path);
	return rc;
}

/* ---- keys ------------------------------------------------------------------------ */

static int check_keys(struct check *c)
{
	const struct ferry_value *items = ferry_value_items(c->doc->root);
	enum spelling spelling;
	struct slice text;
	int rc = 0;

	for (uint32_t i = 0; i < items->u.dict.n && !rc; i++) {
		text = key_text(items->u.dict.pairs[i].key, &spelling);
		if (text.p && spelling != SPELLING_PLAIN)
			rc = add(c, FERRY_VIOLATION, "enum-key", "", "key "
				 "'%.*s' is a member of an enum, not text: "
				 "--upgrade makes it text",
				 (int)(text.n < 100 ? text.n : 100), text.p);
	}
	return rc;
}

enum need {
	NEED_NONE,		/* some files have it */
	NEED_TOLD,		/* loaders do without */
	NEED_KEY,
};

/* A key that must be of a kind when it is there. */
static int check_kind(struct check *c, const char *key, int kind,
		      enum need need)
{
	struct ferry_value *v = field(c->doc->root, key);

	if (!v)
		return need == NEED_NONE ? 0 :
		       add(c, need == NEED_KEY ? FERRY_VIOLATION : FERRY_NOTE,
			   "missing", key, "there is no '%s'", key);
	if (v->kind == kind ||
	    (kind == FERRY_DICT && ferry_value_items(v)))
		return 0;
	return add(c, FERRY_VIOLATION, "kind", key, "'%s' is of kind %s, not "
		   "%s", key, ferry_kind_name(v->kind), ferry_kind_name(kind));
}

static int check_iteration(struct check *c, enum need need)
{
	static const char *const names[] = { "epoch", "update", "sample" };
	struct ferry_value *v = field(c->doc->root, "training_iteration"), *n;
	int rc = check_kind(c, "training_iteration", FERRY_DICT, need);

	for (size_t i = 0; i < 3 && v && ferry_value_items(v) && !rc; i++) {
		n = field(v, names[i]);
		if (!n)
			rc = add(c, FERRY_NOTE, "missing",
				 "training_iteration", "there is no '%s' in "
				 "'training_iteration'", names[i]);
		else if (n->kind != FERRY_INT || n->flags & FERRY_BIG ||
			 n->u.i < 0)
			rc = add(c, FERRY_VIOLATION, "kind",
				 "training_iteration", "'%s' in "
				 "'training_iteration' is no count", names[i]);
	}
	return rc;
}

static int check_config(struct check *c)
{
	struct ferry_value *root = c->doc->root;
	bool config = field(root, "model_config");
	bool kind = field(root, "config_kind");
	int rc = check_kind(c, "model_config", FERRY_DICT, NEED_NONE);

	if (!rc)
		rc = check_kind(c, "config_kind", FERRY_STRING, NEED_NONE);
	if (rc || config == kind)
		return rc;
	return add(c, FERRY_VIOLATION, "missing", config ? "config_kind" :
		   "model_config", "there is a '%s' but no '%s'",
		   config ? "model_config" : "config_kind",
		   config ? "config_kind" : "model_config");
}

static int check_model(struct check *c)
{
	int rc = check_kind(c, "checkpoint_tag", FERRY_STRING, NEED_TOLD);

	if (!rc)
		rc = check_iteration(c, NEED_TOLD);
	if (!rc)
		rc = check_kind(c, "run_id", FERRY_STRING, NEED_TOLD);
	if (!rc)
		rc = check_kind(c, "ema", FERRY_FLOAT, NEED_NONE);
	return rc ? rc : check_config(c);
}

/* ---- trainers -------------------------------------------------------------------- */

static int check_scaler(struct check *c)
{
	static const char *const names[] = {
		"scale", "growth_factor", "backoff_factor", "growth_interval",
		"_growth_tracker",
	};
	struct ferry_value *v = field(c->doc->root, "grad_scaler");
	const struct ferry_value *items = v ? ferry_value_items(v) : NULL;
	int rc = v ? check_kind(c, "grad_scaler", FERRY_DICT, NEED_NONE) : 0;

	if (!items || !items->u.dict.n)
		return rc;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names) && !rc; i++)
		if (!field(v, names[i]))
			rc = add(c, FERRY_VIOLATION, "missing", "grad_scaler",
				 "there is no '%s' in 'grad_scaler'", names[i]);
	return rc;
}

static int check_states(struct check *c, const struct ferry_value *items)
{
	const struct ferry_pair *pair;
	int rc = 0;

	for (uint32_t i = 0; i < items->u.dict.n && !rc; i++) {
		pair = &items->u.dict.pairs[i];
		if (pair->key->kind != FERRY_STRING)
			rc = add(c, FERRY_VIOLATION, "key-not-text",
				 "callback_state_dicts", "key %u of the "
				 "callback states is of kind %s, not text", i,
				 ferry_kind_name(pair->key->kind));
		else if (pair->value->kind == FERRY_NONE)
			rc = add(c, FERRY_VIOLATION, "no-state",
				 "callback_state_dicts", "callback '%.*s' has "
				 "no state: only those with one have a key",
				 (int)(pair->key->u.s.nbytes < 100 ?
				       pair->key->u.s.nbytes : 100),
				 pair->key->u.s.data);
	}
	return rc;
}

static int check_trainer(struct check *c)
{
	struct ferry_value *v = field(c->doc->root, "callback_state_dicts");
	enum layout layout = trainer_layout(c->doc->root);
	int rc = check_scaler(c);

	if (!rc && layout == LAYOUT_T0)
		rc = add(c, FERRY_VIOLATION, "layout", "training_iteration",
			 "layout T0 has no 'training_iteration', without which "
			 "no noether resumes: --upgrade makes it");
	else if (!rc)
		rc = check_iteration(c, NEED_KEY);
	if (!rc && layout == LAYOUT_T1)
		rc = add(c, FERRY_NOTE, "layout", "callback_state_dicts",
			 "layout T1: states are matched by position, and their "
			 "number must be that of the run that resumes");
	if (!rc && layout == LAYOUT_T2)
		rc = check_states(c, ferry_value_items(v));
	return rc;
}

/* ---- optimizers ------------------------------------------------------------------ */

static bool is_index(const struct ferry_value *v)
{
	return v->kind == FERRY_INT && !(v->flags & FERRY_BIG);
}

static int check_names(struct check *c, const struct ferry_value *names)
{
	struct ferry_map seen = FERRY_MAP_INIT;
	const struct ferry_pair *pair;
	struct slice text;
	int rc = 0;

	for (uint32_t i = 0; i < names->u.dict.n && !rc; i++) {
		pair = &names->u.dict.pairs[i];
		text = text_of(pair->value);
		if (!is_index(pair->key) || !text.p) {
			rc = add(c, FERRY_VIOLATION, "kind",
				 "param_idx_to_name", "entry %u of "
				 "'param_idx_to_name' is no index with a name",
				 i);
			continue;
		}
		if (ferry_map_get(&seen, text.p, text.n, NULL))
			rc = add(c, FERRY_VIOLATION, "twice",
				 "param_idx_to_name", "'%.*s' is the name of "
				 "two parameters",
				 (int)(text.n < 100 ? text.n : 100), text.p);
		else if (ferry_map_put(&seen, text.p, text.n, i))
			rc = ferry_fail_nomem(c->err, "a check");
	}
	ferry_map_release(&seen);
	return rc;
}

static int check_group(struct check *c, struct ferry_value *group, uint32_t n,
		       const struct ferry_value *names, struct ferry_value *all)
{
	struct ferry_value *params = field(group, "params"), *index;
	int rc = 0;

	if (!params || params->kind != FERRY_LIST)
		return add(c, FERRY_VIOLATION, "missing", "param_groups",
			   "group %u has no list of 'params'", n);
	for (uint32_t i = 0; i < params->u.list.n && !rc; i++) {
		index = params->u.list.items[i];
		if (!is_index(index))
			rc = add(c, FERRY_VIOLATION, "kind", "param_groups",
				 "parameter %u of group %u is no index", i, n);
		else if (names && !ferry_dict_find(names, index))
			rc = add(c, FERRY_VIOLATION, "unnamed",
				 "param_idx_to_name", "parameter %" PRId64
				 " of group %u has no name", index->u.i, n);
		else if (ferry_dict_set(c->doc->store, all, index,
					ferry_none()))
			rc = ferry_fail_nomem(c->err, "a check");
	}
	return rc;
}

/* A state that no group has a parameter for would be lost. */
static int check_state(struct check *c, const struct ferry_value *state,
		       const struct ferry_value *all)
{
	const struct ferry_value *key;
	int rc = 0;

	for (uint32_t i = 0; i < state->u.dict.n && !rc; i++) {
		key = state->u.dict.pairs[i].key;
		if (!is_index(key))
			rc = add(c, FERRY_VIOLATION, "kind", "state",
				 "key %u of 'state' is no index", i);
		else if (!ferry_dict_find(all, key))
			rc = add(c, FERRY_VIOLATION, "no-parameter", "state",
				 "the state of %" PRId64 " belongs to no "
				 "parameter of a group", key->u.i);
	}
	return rc;
}

static int check_optimizer(struct check *c)
{
	struct ferry_value *root = c->doc->root;
	struct ferry_value *names = field(root, "param_idx_to_name");
	struct ferry_value *groups = field(root, "param_groups");
	struct ferry_value *all = ferry_dict(c->doc->store, 0);
	int rc = 0;

	if (!all)
		return ferry_fail_nomem(c->err, "a check");
	if (!names)
		rc = add(c, FERRY_NOTE, "missing", "param_idx_to_name",
			 "there is no 'param_idx_to_name': states are matched "
			 "by position");
	else
		rc = check_kind(c, "param_idx_to_name", FERRY_DICT, NEED_NONE);
	names = names ? ferry_value_items(names) : NULL;
	if (names && !rc)
		rc = check_names(c, names);
	for (uint32_t i = 0; i < groups->u.list.n && !rc; i++)
		rc = check_group(c, groups->u.list.items[i], i, names, all);
	return rc ? rc : check_state(c, ferry_value_items(field(root, "state")),
				     all);
}

int ksuit_check(struct ferry_document *doc, struct ferry_findings *out,
		struct ferry_error *err)
{
	struct check c = { .doc = doc, .out = out, .err = err };
	int rc;

	if (!ferry_value_items(doc->root))
		return add(&c, FERRY_VIOLATION, "not-a-mapping", "", "a file "
			   "of noether is a mapping; this is of kind %s",
			   ferry_kind_name(doc->root->kind));
	rc = check_keys(&c);
	switch (rc ? PART_NONE : document_part(doc->root)) {
	case PART_MODEL:
		rc = check_model(&c);
		break;
	case PART_OPTIM:
		rc = check_optimizer(&c);
		break;
	case PART_TRAINER:
		rc = check_trainer(&c);
		break;
	case PART_NONE:
		if (!rc)
			rc = add(&c, FERRY_VIOLATION, "missing", "", "there "
				 "is no 'state_dict' of tensors, no 'state' "
				 "with 'param_groups', and no "
				 "'callback_state_dicts' with an iteration");
		break;
	}
	return rc ? rc : look_all(&c);
}
