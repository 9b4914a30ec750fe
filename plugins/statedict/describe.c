/* What a person wants to know first. */
#include "config.h"

#include "plugins/statedict/statedict.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <ferry/sys/buffer.h>

/* Facts of a run that are worth a line, under the names they go by. */
static const char *const facts[] = {
	"epoch", "global_step", "step", "iteration", "iter", "it",
	"best_metric", "best_acc", "best_acc1", "best_prec1", "best_loss",
	"best_fitness", "val_loss", "arch", "model_name", "date", "version",
	"pytorch-lightning_version", NULL
};

static const char *const optimizer_keys[] = {
	"optimizer_states", "optimizer_state_dict", "optimizer", "optim",
	"optimizers", "opt", NULL
};

static const char *const hyper_keys[] = {
	"hyper_parameters", "hparams", "args", "opt", "config", "cfg", NULL
};

/* ---- counting ------------------------------------------------------------ */

struct counting {
	struct ferry_marks marks;
	struct ferry_views *views;
	struct amount *out;
	bool failed;
};

static void add_tensor(struct counting *c, const struct ferry_tensor *t)
{
	bool before;

	c->failed |= ferry_views_meet(c->views, t, &before) != 0;
	if (before)
		return;
	c->out->tensors++;
	c->out->nelem += ferry_tensor_nelem(t);
	c->out->nbytes += ferry_tensor_nbytes(t);
}

static void add(struct counting *c, struct ferry_value *v, unsigned depth)
{
	struct ferry_value *next[5];
	size_t n = 0;

	if (depth >= FERRY_MAX_DEPTH || ferry_mark(&c->marks, v))
		return;
	if (v->kind == FERRY_TENSOR) {
		add_tensor(c, v->u.tensor);
	} else if (v->kind >= FERRY_LIST && v->kind <= FERRY_FROZENSET) {
		for (uint32_t i = 0; i < v->u.list.n; i++)
			add(c, v->u.list.items[i], depth + 1);
	} else if (v->kind == FERRY_DICT) {
		for (uint32_t i = 0; i < v->u.dict.n; i++)
			add(c, v->u.dict.pairs[i].value, depth + 1);
	} else if (v->kind == FERRY_OBJECT) {
		next[n++] = v->u.object->args;
		next[n++] = v->u.object->kwargs;
		next[n++] = v->u.object->list;
		next[n++] = v->u.object->dict;
		next[n++] = v->u.object->state;
		for (size_t i = 0; i < n; i++)
			if (next[i])
				add(c, next[i], depth + 1);
	}
}

int measure(struct ferry_document *doc, struct ferry_value *v,
	    struct amount *out, struct ferry_error *err)
{
	struct counting c = { .out = out };

	memset(out, 0, sizeof(*out));
	c.failed = ferry_marks_init(&c.marks, doc->store) ||
		   ferry_views_new(&c.views, doc->store);
	if (!c.failed)
		add(&c, v, 0);
	ferry_marks_release(&c.marks);
	ferry_views_free(c.views);
	return c.failed ? ferry_fail_nomem(err, "a description") : 0;
}

/* ---- facts --------------------------------------------------------------- */

static int set(struct ferry_document *doc, struct ferry_value *out,
	       const char *key, struct ferry_value *value,
	       struct ferry_error *err)
{
	if (!value || ferry_dict_set_str(doc->store, out, key, value))
		return ferry_fail_nomem(err, "a description");
	return 0;
}

int describe_weights(struct ferry_document *doc, struct ferry_value *out,
		     struct ferry_error *err)
{
	struct ferry_value *weights = NULL;
	struct amount amount;
	char size[32];
	int rc = statedict_weights(doc, &weights, err);

	if (rc || !weights)
		return rc;
	rc = measure(doc, weights, &amount, err);
	if (!rc)
		rc = set(doc, out, "parameters",
			 ferry_uint(doc->store, amount.nelem), err);
	if (!rc)
		rc = set(doc, out, "tensors",
			 ferry_uint(doc->store, amount.tensors), err);
	if (!rc)
		rc = set(doc, out, "weights",
			 ferry_cstring(doc->store,
				       ferry_bytes_text(amount.nbytes, size)),
			 err);
	return rc;
}

static int describe_run(struct ferry_document *doc,
			const struct ferry_value *items,
			struct ferry_value *out, struct ferry_error *err)
{
	struct ferry_value *v;
	int rc = 0;

	for (size_t i = 0; facts[i] && !rc; i++) {
		v = ferry_dict_get(items, facts[i]);
		if (v && (v->kind == FERRY_BOOL || v->kind == FERRY_INT ||
			  v->kind == FERRY_FLOAT ||
			  (v->kind == FERRY_STRING && v->u.s.nbytes < 200)))
			rc = set(doc, out, facts[i], v, err);
	}
	return rc;
}

static int describe_optimizers(struct ferry_document *doc,
			       const struct ferry_value *items,
			       struct ferry_value *out, struct ferry_error *err)
{
	struct ferry_value *v;
	struct amount amount;
	char text[80], size[32];
	int rc = 0;

	for (size_t i = 0; optimizer_keys[i] && !rc; i++) {
		v = ferry_dict_get(items, optimizer_keys[i]);
		if (!v)
			continue;
		rc = measure(doc, v, &amount, err);
		if (rc || !amount.tensors)
			continue;
		snprintf(text, sizeof(text), "%" PRIu64 " tensor%s, %s",
			 amount.tensors, amount.tensors == 1 ? "" : "s",
			 ferry_bytes_text(amount.nbytes, size));
		rc = set(doc, out, optimizer_keys[i],
			 ferry_cstring(doc->store, text), err);
	}
	return rc;
}

static void list_keys(struct ferry_value *items, struct ferry_buffer *out)
{
	const struct ferry_value *key;

	for (uint32_t i = 0; i < items->u.dict.n && out->n < 160; i++) {
		key = items->u.dict.pairs[i].key;
		if (key->kind != FERRY_STRING || key->u.s.nbytes > 60)
			continue;
		if (out->n)
			ferry_buffer_add_str(out, ", ");
		ferry_buffer_add(out, key->u.s.data, key->u.s.nbytes);
	}
	if (out->n >= 160)
		ferry_buffer_add_str(out, ", ...");
}

static int describe_hyper(struct ferry_document *doc,
			  const struct ferry_value *items,
			  struct ferry_value *out, struct ferry_error *err)
{
	struct ferry_buffer text = FERRY_BUFFER_INIT;
	struct ferry_value *v, *inner = NULL;
	int rc = 0;

	for (size_t i = 0; hyper_keys[i] && !inner; i++) {
		v = ferry_dict_get(items, hyper_keys[i]);
		inner = v ? ferry_value_items(v) : NULL;
		if (!inner && v && v->kind == FERRY_OBJECT &&
		    v->u.object->state &&
		    v->u.object->state->kind == FERRY_DICT)
			inner = v->u.object->state;
		if (inner && is_optimizer(inner))
			inner = NULL;
	}
	if (!inner)
		return 0;
	list_keys(inner, &text);
	if (text.n)
		rc = set(doc, out, "hyper-parameters",
			 ferry_string(doc->store, text.data, text.n), err);
	ferry_buffer_release(&text);
	return rc;
}

/* Other mappings of weights beside the one that was chosen. */
static int describe_others(struct ferry_document *doc,
			   const struct ferry_value *items,
			   const struct weights *chosen,
			   struct ferry_value *out, struct ferry_error *err)
{
	struct ferry_buffer text = FERRY_BUFFER_INIT;
	const struct ferry_pair *pair;
	size_t budget = LOOK_MOST;
	int rc = 0;

	for (uint32_t i = 0; i < items->u.dict.n && text.n < 160; i++) {
		pair = &items->u.dict.pairs[i];
		if (pair->value == chosen->value || leads_to(pair, chosen) ||
		    pair->key->kind != FERRY_STRING ||
		    (!holds_weights(pair->value, &budget) &&
		     !is_module(pair->value)))
			continue;
		if (text.n)
			ferry_buffer_add_str(&text, ", ");
		ferry_buffer_add(&text, pair->key->u.s.data,
				 pair->key->u.s.nbytes);
	}
	if (text.n)
		rc = set(doc, out, "other weights at",
			 ferry_string(doc->store, text.data, text.n), err);
	ferry_buffer_release(&text);
	return rc;
}

int describe_checkpoint(struct ferry_document *doc, struct ferry_value *out,
			struct ferry_error *err)
{
	const struct ferry_value *items = ferry_value_items(doc->root);
	struct weights w;
	int rc = 0;

	find_weights(doc, &w);
	if (w.value && *w.path)
		rc = set(doc, out, "weights at",
			 ferry_cstring(doc->store, w.path), err);
	if (!rc)
		rc = describe_weights(doc, out, err);
	if (rc || !items)
		return rc;
	rc = describe_others(doc, items, &w, out, err);
	if (!rc)
		rc = describe_run(doc, items, out, err);
	if (!rc)
		rc = describe_optimizers(doc, items, out, err);
	return rc ? rc : describe_hyper(doc, items, out, err);
}

int describe_optimizer(struct ferry_document *doc, struct ferry_value *out,
		       struct ferry_error *err)
{
	struct ferry_value *items = ferry_value_items(doc->root), *groups;
	struct amount amount;
	char size[32];
	int rc = items ? measure(doc, doc->root, &amount, err) : 0;

	if (rc || !items)
		return rc;
	rc = set(doc, out, "tensors", ferry_uint(doc->store, amount.tensors),
		 err);
	if (!rc)
		rc = set(doc, out, "bytes",
			 ferry_cstring(doc->store,
				       ferry_bytes_text(amount.nbytes, size)),
			 err);
	groups = ferry_dict_get(items, "param_groups");
	if (!rc && groups && groups->kind == FERRY_LIST)
		rc = set(doc, out, "parameter groups",
			 ferry_uint(doc->store, groups->u.list.n), err);
	return rc;
}
