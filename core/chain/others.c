/* What rules would make with other values of their options. */
#include "config.h"

#include "core/chain/others.h"

#include <stdio.h>
#include <string.h>

#include "core/handling/rules.h"

#define SHOWN_NAMES 4

/* Names and bare tensors: rules change what decorates one in place. */
static struct ferry_value *copy_of(struct ferry_store *store,
				   struct ferry_value *weights)
{
	const struct ferry_value *items = ferry_value_items(weights);
	struct ferry_value *copy = ferry_dict(store, items->u.dict.n);
	const struct ferry_pair *pair;

	for (uint32_t i = 0; copy && i < items->u.dict.n; i++) {
		pair = &items->u.dict.pairs[i];
		if (ferry_dict_set(store, copy, pair->key,
				   ferry_value_payload(pair->value)))
			return NULL;
	}
	return copy;
}

/* Nested mappings would be changed in the place where they stand. */
static bool is_flat(struct ferry_value *weights)
{
	const struct ferry_value *items = ferry_value_items(weights);

	for (uint32_t i = 0; i < items->u.dict.n; i++)
		if (ferry_value_payload(items->u.dict.pairs[i].value)->kind !=
		    FERRY_TENSOR)
			return false;
	return true;
}

static int apply(struct ferry_plan *p, const struct ferry_rules *rules,
		 struct ferry_value *weights, struct ferry__other *out,
		 struct ferry_error *err)
{
	struct ferry_findings *ignored = NULL;
	struct ferry_document *doc;
	int rc = ferry_document_new(&doc, p->store, err);

	if (rc)
		return rc;
	doc->root = copy_of(p->store, weights);
	rc = doc->root ? ferry_findings_new(&ignored, err) :
	     ferry_fail_nomem(err, "a plan");
	if (!rc)
		rc = ferry_rules_apply(rules, doc, doc->root, ignored, err);
	if (!rc)
		rc = ferry_tensor_schema_of(&out->schema, doc, doc->root, err);
	ferry_findings_free(ignored);
	ferry_document_free(doc);
	return rc;
}

static int make(struct ferry_plan *p, struct ferry_value *root,
		struct ferry_value *weights, struct ferry__other *out,
		struct ferry_error *err)
{
	const char **settings = ferry_store_array(p->store,
						  p->job.n_settings + 1,
						  sizeof(*settings)), *key;
	struct ferry_rules *rules;
	int rc;

	if (!settings)
		return ferry_fail_nomem(err, "a plan");
	for (size_t i = 0; i < p->job.n_settings; i++)
		settings[i] = p->job.settings[i];
	settings[p->job.n_settings] = out->setting;
	rc = ferry__make_rules(p, settings, p->job.n_settings + 1, &rules, err);
	if (rc)
		return rc;
	if (!p->n_conversions && ferry_rules_source(rules, 0))
		rc = ferry__find_source(rules, root, &key, &weights, err);
	if (!rc && is_flat(weights))
		rc = apply(p, rules, weights, out, err);
	ferry_rules_free(rules);
	return rc;
}

int ferry__others_try(struct ferry__others *out, struct ferry_plan *p,
		      struct ferry_value *root, struct ferry_value *weights,
		      struct ferry_error *err)
{
	size_t n = p->rules->n_others;
	struct ferry_error why;
	int rc;

	if (!n || !is_flat(weights))
		return 0;
	out->items = ferry_store_array(p->store, n, sizeof(*out->items));
	if (!out->items)
		return ferry_fail_nomem(err, "a plan");
	memset(out->items, 0, n * sizeof(*out->items));
	for (out->n = 0; out->n < n; out->n++) {
		ferry_error_clear(&why);
		out->items[out->n].setting = p->rules->others[out->n];
		rc = make(p, root, weights, &out->items[out->n], &why);
		if (rc == FERRY_NOMEM)
			return ferry_fail_nomem(err, "a plan");
		if (rc)
			snprintf(out->items[out->n].why,
				 sizeof(out->items[0].why), "%.380s", why.text);
	}
	return 0;
}

void ferry__others_release(struct ferry__others *others)
{
	for (size_t i = 0; i < others->n; i++)
		ferry_tensor_schema_free(others->items[i].schema);
}

/* ---- telling ----------------------------------------------------------------- */

/* The differences of one kind: how many, and the first names. */
static int tell_kind(struct ferry_plan *p, const struct ferry_findings *found,
		     const char *code, const char *setting, const char *what,
		     struct ferry_error *err)
{
	struct ferry_buffer names = FERRY_BUFFER_INIT;
	const struct ferry_finding *f;
	size_t n = 0;
	int rc;

	for (size_t i = 0; (f = ferry_findings_get(found, i)); i++)
		if (!strcmp(f->code, code) && n++ < SHOWN_NAMES)
			ferry_buffer_printf(&names, "%s%s", n > 1 ? ", " : "",
					    f->path);
	rc = n ? ferry_findings_add(p->findings, FERRY_NOTE, "compare", "",
				    FERRY_NO_OFFSET, "%s would %s %zu name%s: "
				    "%s%s", setting, what, n, n == 1 ? "" : "s",
				    names.data ? names.data : "",
				    n > SHOWN_NAMES ? ", ..." : "") : 0;
	ferry_buffer_release(&names);
	return rc ? ferry_fail_nomem(err, "findings") : 0;
}

static int tell_failure(struct ferry_plan *p, const struct ferry__other *other,
			struct ferry_error *err)
{
	return ferry_findings_add(p->findings, FERRY_NOTE, "compare", "",
				  FERRY_NO_OFFSET, "%s would fail: %s",
				  other->setting, other->why) ?
	       ferry_fail_nomem(err, "findings") : 0;
}

static int tell(struct ferry_plan *p, const struct ferry__other *other,
		struct ferry_value *weights, struct ferry_error *err)
{
	struct ferry_findings *found;
	int rc;

	if (!other->schema)
		return *other->why ? tell_failure(p, other, err) : 0;
	rc = ferry_findings_new(&found, err);
	if (rc)
		return rc;
	rc = ferry_tensor_schema_check(other->schema, p->doc, weights, 0, found,
				       err);
	if (!rc)
		rc = tell_kind(p, found, "missing", other->setting, "keep or "
			       "make", err);
	if (!rc)
		rc = tell_kind(p, found, "unexpected", other->setting, "not "
			       "have", err);
	if (!rc)
		rc = tell_kind(p, found, "shape", other->setting, "give other "
			       "shapes to", err);
	ferry_findings_free(found);
	return rc < 0 ? rc : 0;
}

int ferry__others_tell(const struct ferry__others *others, struct ferry_plan *p,
		       struct ferry_value *weights, struct ferry_error *err)
{
	int rc = 0;

	for (size_t i = 0; i < others->n && !rc; i++)
		rc = tell(p, &others->items[i], weights, err);
	return rc;
}
