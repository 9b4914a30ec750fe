/* What resuming a run relies on. */
#include "config.h"

#include "plugins/linnaeus/linnaeus.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct report {
	struct ferry_document *doc;
	struct ferry_findings *out;
	bool failed;
};

static void violation(struct report *r, const char *code, const char *path,
		      const char *fmt, ...) FERRY_PRINTF(4, 5);

static void violation(struct report *r, const char *code, const char *path,
		      const char *fmt, ...)
{
	char text[400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (ferry_findings_add(r->out, FERRY_VIOLATION, code, path,
			       FERRY_NO_OFFSET, "%s", text))
		r->failed = true;
}

/* Keys of every checkpoint; a loader resumes only with the first three. */
static void check_keys(struct report *r)
{
	static const char *const keys[] = {
		"optimizer", "lr_scheduler", "epoch", "config", "iteration"
	};

	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++)
		if (!entry(r->doc->root, keys[i]))
			violation(r, "missing-key", keys[i], "key '%s' is "
				  "missing: %s", keys[i], i < 3 ?
				  "only the weights would be loaded, the run "
				  "would begin anew" :
				  "every release writes it");
}

static void check_model(struct report *r)
{
	struct ferry_value *model = entry(r->doc->root, "model");
	const struct ferry_value *items = ferry_value_items(model), *key;
	size_t wrapped = 0;
	char name[200];

	for (uint32_t i = 0; i < items->u.dict.n; i++) {
		key = items->u.dict.pairs[i].key;
		if (key->kind != FERRY_STRING) {
			violation(r, "key-not-text", "model", "key %u is of "
				  "kind %s, not text", i,
				  ferry_kind_name(key->kind));
			continue;
		}
		wrapped += key->u.s.nbytes >= 7 &&
			   !memcmp(key->u.s.data, "module.", 7);
		if (tensor_of(items->u.dict.pairs[i].value))
			continue;
		ferry_escape(name, sizeof(name), key->u.s.data,
			     key->u.s.nbytes);
		violation(r, "not-a-tensor", "model", "'%s' is of kind %s, not "
			  "a tensor", name, ferry_kind_name(
				  items->u.dict.pairs[i].value->kind));
	}
	if (wrapped && wrapped != items->u.dict.n)
		violation(r, "prefix", "model", "%zu of %u names begin with "
			  "module.: a wrapped model has it on all", wrapped,
			  items->u.dict.n);
}

static void check_progress(struct report *r)
{
	struct ferry_value *progress = entry(r->doc->root,
					     "training_progress");
	int64_t a, b;

	if (!progress)
		return;
	if (whole(entry(r->doc->root, "epoch"), &a) &&
	    whole(entry(progress, "current_epoch"), &b) && a != b)
		violation(r, "epoch", "training_progress.current_epoch",
			  "epoch is %" PRId64 ", that of training_progress "
			  "%" PRId64, a, b);
	if (whole(entry(r->doc->root, "iteration"), &a) &&
	    whole(entry(progress, "global_step"), &b) && a != b)
		violation(r, "iteration", "training_progress.global_step",
			  "iteration is %" PRId64 ", global_step %" PRId64, a,
			  b);
}

/* Groups of all its optimizers number the parameters. */
static uint64_t group_members(struct ferry_value *optimizers)
{
	const struct ferry_value *items = optimizers ?
					  ferry_value_items(optimizers) : NULL;
	struct ferry_value *groups, *params;
	uint64_t n = 0;

	for (uint32_t i = 0; items && i < items->u.dict.n; i++) {
		groups = entry(items->u.dict.pairs[i].value, "param_groups");
		for (uint32_t k = 0; groups && groups->kind == FERRY_LIST &&
		     k < groups->u.list.n; k++) {
			params = entry(groups->u.list.items[k], "params");
			if (params && params->kind == FERRY_LIST)
				n += params->u.list.n;
		}
	}
	return n;
}

static void check_optimizer(struct report *r)
{
	struct ferry_value *optimizer = entry(r->doc->root, "optimizer");
	struct ferry_value *shapes = entry(optimizer, "_param_shapes");
	uint64_t n;

	if (multi_optimizer(optimizer) != 2)
		return;
	if (!shapes || shapes->kind != FERRY_LIST) {
		violation(r, "optimizer", "optimizer._param_shapes",
			  "a MultiOptimizer of version 2 has a list "
			  "_param_shapes, a shape for each parameter");
		return;
	}
	n = group_members(entry(optimizer, "optimizers"));
	if (n > shapes->u.list.n)
		violation(r, "optimizer", "optimizer._param_shapes", "%u shapes "
			  "for %" PRIu64 " parameters in the groups",
			  shapes->u.list.n, n);
}

int check_training(struct ferry_document *doc, struct ferry_findings *out,
		   struct ferry_error *err)
{
	struct report r = { .doc = doc, .out = out };
	struct ferry_value *model = entry(doc->root, "model");

	if (!model || !ferry_value_items(model))
		violation(&r, "missing-key", "model", "key 'model' is missing "
			  "or no mapping");
	else
		check_model(&r);
	check_keys(&r);
	check_progress(&r);
	check_optimizer(&r);
	return r.failed ? ferry_fail_nomem(err, "findings") : 0;
}
