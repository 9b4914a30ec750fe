/* What a person wants to know of a file first. */
#include "config.h"

#include "plugins/ksuit/ksuit.h"

#include <inttypes.h>
#include <stdio.h>

#include <ferry/tensor.h>

struct facts {
	struct ferry_document *doc;
	struct ferry_value *out;
	struct ferry_error *err;
};

static int set(struct facts *f, const char *key, struct ferry_value *value)
{
	if (!value || ferry_dict_set_str(f->doc->store, f->out, key, value))
		return ferry_fail_nomem(f->err, "a description");
	return 0;
}

static int set_text(struct facts *f, const char *key, const char *text)
{
	return set(f, key, ferry_cstring(f->doc->store, text));
}

/* A value as it is, when it is of a kind that fits a line. */
static int set_field(struct facts *f, const char *key, const char *name)
{
	struct ferry_value *v = field(f->doc->root, name);

	if (!v || (v->kind != FERRY_STRING && v->kind != FERRY_FLOAT &&
		   v->kind != FERRY_INT && v->kind != FERRY_BOOL) ||
	    (v->kind == FERRY_STRING && v->u.s.nbytes > 200))
		return 0;
	return set(f, key, v);
}

static const char *generation_text(struct ferry_value *root)
{
	switch (keys_spelling(root)) {
	case SPELLING_VALUE:
		return "ksuit: keys are members of CheckpointKeys, pickled by "
		       "value (CPython 3.11.4 or later)";
	case SPELLING_MEMBER:
		return "ksuit: keys are members of CheckpointKeys, pickled by "
		       "member name (CPython 3.11.0 to 3.11.3)";
	case SPELLING_PLAIN:
		break;
	}
	switch (trainer_layout(root)) {
	case LAYOUT_T0:
		return "T0: noether before v1.0, for the counters are at the "
		       "top";
	case LAYOUT_T1:
		return "T1: noether v1.0 or v1.1, for callback states are a "
		       "list";
	case LAYOUT_T2:
		return "T2: noether after v1.1, for callback states have keys";
	case LAYOUT_NONE:
		break;
	}
	return "noether, any release: keys are text";
}

static int describe_weights(struct facts *f, struct ferry_value *weights)
{
	const struct ferry_value *items = ferry_value_items(weights), *t;
	uint64_t elements = 0;
	int rc;

	for (uint32_t i = 0; i < items->u.dict.n; i++) {
		t = ferry_value_payload(items->u.dict.pairs[i].value);
		if (t->kind == FERRY_TENSOR)
			elements += ferry_tensor_nelem(t->u.tensor);
	}
	rc = set(f, "tensors", ferry_uint(f->doc->store, items->u.dict.n));
	return rc ? rc : set(f, "elements",
			     ferry_uint(f->doc->store, elements));
}

/* "models.Encoder 'encoder': kind, name, ... (7 fields)" */
static int describe_config(struct facts *f)
{
	struct ferry_value *config = field(f->doc->root, "model_config");
	const struct ferry_value *items = config ? ferry_value_items(config) :
					  NULL;
	struct ferry_buffer b = FERRY_BUFFER_INIT;
	struct slice text;
	enum spelling spelling;
	char shown[60];
	int rc;

	if (!items)
		return 0;
	ferry_buffer_printf(&b, "%u field%s:", items->u.dict.n,
			    items->u.dict.n == 1 ? "" : "s");
	for (uint32_t i = 0; i < items->u.dict.n && b.n < 160; i++) {
		text = key_text(items->u.dict.pairs[i].key, &spelling);
		ferry_buffer_printf(&b, "%s %s", i ? "," : "", ferry_escape(
			shown, sizeof(shown), text.p ? text.p : "?",
			text.p ? text.n : 1));
	}
	rc = b.failed ? ferry_fail_nomem(f->err, "a description") :
	     set(f, "model config", ferry_string(f->doc->store, b.data, b.n));
	ferry_buffer_release(&b);
	text = text_of(field(config, "kind"));
	if (!rc && text.p)
		rc = set(f, "model kind", field(config, "kind"));
	return rc ? rc : set_field(f, "config kind", "config_kind");
}

static int describe_iteration(struct facts *f)
{
	struct ferry_value *v = field(f->doc->root, "training_iteration");
	char text[200];

	if (!iteration_text(v ? v : f->doc->root, text, sizeof(text)))
		return 0;
	return set_text(f, "iteration", text);
}

static int describe_callbacks(struct facts *f)
{
	struct ferry_value *v = field(f->doc->root, "callback_state_dicts");
	const struct ferry_value *items = ferry_value_items(v);
	struct ferry_buffer b = FERRY_BUFFER_INIT;
	enum spelling spelling;
	struct slice text;
	uint32_t states = 0;
	char shown[80];
	int rc;

	for (uint32_t i = 0; items && i < items->u.dict.n && b.n < 160; i++) {
		text = key_text(items->u.dict.pairs[i].key, &spelling);
		ferry_buffer_printf(&b, "%s%s", i ? ", " : "", ferry_escape(
			shown, sizeof(shown), text.p ? text.p : "?",
			text.p ? text.n : 1));
	}
	if (!items) {
		for (uint32_t i = 0; i < v->u.list.n; i++)
			states += v->u.list.items[i]->kind != FERRY_NONE;
		ferry_buffer_printf(&b, "%u, %u with a state", v->u.list.n,
				    states);
	} else if (!items->u.dict.n) {
		ferry_buffer_add_str(&b, "none with a state");
	}
	rc = b.failed ? ferry_fail_nomem(f->err, "a description") :
	     set(f, "callbacks", ferry_string(f->doc->store, b.data, b.n));
	ferry_buffer_release(&b);
	return rc;
}

static int describe_trainer(struct facts *f)
{
	struct ferry_value *scaler = field(f->doc->root, "grad_scaler");
	struct ferry_value *scale;
	int rc = describe_callbacks(f);

	if (rc || !scaler)
		return rc;
	scale = field(scaler, "scale");
	return scale ? set(f, "gradient scale", scale) :
	       set_text(f, "gradient scale", "disabled");
}

static int describe_optimizer(struct facts *f)
{
	struct ferry_value *root = f->doc->root;
	struct ferry_value *names = field(root, "param_idx_to_name");
	int rc = set(f, "parameter groups",
		     ferry_uint(f->doc->store,
				field(root, "param_groups")->u.list.n));

	if (!rc)
		rc = set(f, "parameters with a state",
			 ferry_uint(f->doc->store, ferry_value_items(
				 field(root, "state"))->u.dict.n));
	if (rc)
		return rc;
	if (!names || !ferry_value_items(names))
		return set_text(f, "parameter names", "none: states are "
				"matched by position");
	return set(f, "parameter names",
		   ferry_uint(f->doc->store,
			      ferry_value_items(names)->u.dict.n));
}

int ksuit_describe(struct ferry_document *doc, struct ferry_value *out,
		   struct ferry_error *err)
{
	struct facts f = { doc, out, err };
	enum part part = document_part(doc->root);
	int rc = 0;

	if (!part)
		return 0;
	rc = set_text(&f, "generation", generation_text(doc->root));
	if (!rc)
		rc = set_field(&f, "tag", "checkpoint_tag");
	if (!rc)
		rc = describe_iteration(&f);
	if (!rc)
		rc = set_field(&f, "run", "run_id");
	if (!rc)
		rc = set_field(&f, "ema factor", "ema");
	if (!rc && part == PART_TRAINER)
		rc = describe_trainer(&f);
	if (!rc && part == PART_OPTIM)
		rc = describe_optimizer(&f);
	if (!rc && part == PART_MODEL)
		rc = describe_weights(&f, field(doc->root, "state_dict"));
	return rc ? rc : describe_config(&f);
}
