/* The tensor schema that the weights must fit. */
#include "config.h"

#include <string.h>
#include <sys/stat.h>

#include <ferry/schema.h>

#include "core/chain/plan.h"

static bool ends_with(const char *text, const char *end)
{
	size_t n = strlen(text), m = strlen(end);

	return n >= m && !strcmp(text + n - m, end);
}

static int weights_or_root(struct ferry_plan *p, struct ferry_document *doc,
			   const struct ferry_known *type,
			   struct ferry_value **out, struct ferry_error *err)
{
	int rc = ferry_weights(p->s, doc, type, out, err);

	if (rc || *out)
		return rc;
	if (ferry_value_items(doc->root))
		*out = doc->root;
	return 0;
}

/* Another checkpoint's weights as a schema. */
static int schema_of_file(struct ferry_plan *p, const char *path,
			  struct ferry_tensor_schema **out,
			  struct ferry_error *err)
{
	struct ferry__reading how = { .store = p->store, .paths = &p->paths };
	struct ferry_recognised what;
	struct ferry_value *weights = NULL;
	struct ferry_document *doc;
	char shown[256];
	int rc = ferry__read_document(p->s, path, &how, &doc, err);

	if (rc)
		return rc;
	rc = ferry_recognise(p->s, doc, path, NULL, &what, err);
	if (!rc)
		rc = weights_or_root(p, doc, what.type, &weights, err);
	ferry_escape(shown, sizeof(shown), path, strlen(path));
	if (!rc && !weights)
		rc = ferry_fail(err, FERRY_UNSUPPORTED, "plan",
				FERRY_NO_OFFSET, "--expect: %s has no weights "
				"to compare with", shown);
	if (!rc)
		rc = ferry_tensor_schema_of(out, doc, weights, err);
	ferry_document_free(doc);
	return rc;
}

/* A file there is, else a name. */
static int load(struct ferry_plan *p, const char *name,
		struct ferry_tensor_schema **out, struct ferry_error *err)
{
	struct stat st;

	if (stat(name, &st))
		return ferry_tensor_schema_find(out, p->store, name, NULL, 0,
						err);
	if (S_ISREG(st.st_mode) &&
	    (ends_with(name, ".yaml") || ends_with(name, ".yml")))
		return ferry_tensor_schema_load(out, name, NULL, 0, err);
	return schema_of_file(p, name, out, err);
}

static bool is_about_names(const struct ferry_finding *f)
{
	return !strcmp(f->code, "missing") || !strcmp(f->code, "unexpected");
}

/* Violations become losses of one kind; each says which sort it is.  A loader
 * that is not strict takes whatever names there are, but no other shapes. */
static int take_violations(struct ferry_plan *p,
			   const struct ferry_findings *found, bool strict,
			   struct ferry_error *err)
{
	const struct ferry_finding *f;
	struct ferry_findings *losses;
	int rc = ferry_findings_new(&losses, err);

	if (rc)
		return rc;
	for (size_t i = 0; (f = ferry_findings_get(found, i)) && !rc; i++)
		if (ferry_findings_add(losses, strict || !is_about_names(f) ?
				       FERRY_WARNING : FERRY_NOTE, "schema",
				       f->path, f->offset, "%s: %s", f->code,
				       f->text))
			rc = ferry_fail_nomem(err, "findings");
	if (!rc)
		rc = ferry__take_losses(p, losses, false, err);
	ferry_findings_free(losses);
	return rc;
}

static int check(struct ferry_plan *p, const struct ferry_tensor_schema *schema,
		 bool strict, struct ferry_error *err)
{
	struct ferry_value *weights = NULL;
	struct ferry_findings *found;
	int rc = weights_or_root(p, p->doc, p->what.type, &weights, err);

	if (rc)
		return rc;
	if (!weights)
		return ferry_fail(err, FERRY_UNSUPPORTED, "plan",
				  FERRY_NO_OFFSET, "--expect: the result, of "
				  "kind %s, has no weights to check",
				  ferry_kind_name(p->doc->root->kind));
	rc = ferry_findings_new(&found, err);
	if (rc)
		return rc;
	rc = ferry_tensor_schema_check(schema, p->doc, weights, 0, found, err);
	if (rc >= 0)
		rc = take_violations(p, found, strict, err);
	ferry_findings_free(found);
	return rc;
}

static int expect(struct ferry_plan *p, const char *name, bool strict,
		  struct ferry_error *err)
{
	struct ferry_tensor_schema *schema = NULL;
	size_t n;
	int rc = load(p, name, &schema, err);

	if (rc)
		return rc;
	n = ferry_tensor_schema_count(schema);
	rc = check(p, schema, strict, err);
	ferry_tensor_schema_free(schema);
	return rc ? rc : ferry__add_step(p, "check", "schema", err,
					 "the weights against %.300s: %zu "
					 "tensor%s", name, n,
					 n == 1 ? "" : "s");
}

int ferry__expect(struct ferry_plan *p, struct ferry_error *err)
{
	const char *own = p->rules ? ferry_rules_expect(p->rules) : NULL;
	int rc = 0;

	if (own)
		rc = expect(p, own, ferry_rules_strict(p->rules), err);
	if (!rc && p->job.expect)
		rc = expect(p, p->job.expect, true, err);
	return rc;
}
