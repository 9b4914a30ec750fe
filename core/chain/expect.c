/* The tensor schema that the weights must fit. */
#include "config.h"

#include <string.h>
#include <sys/stat.h>

#include <ferry/schema.h>

#include "core/chain/plan.h"

#define NAMES_TOLD 6

static int weights_or_root(struct ferry_session *s, struct ferry_document *doc,
			   const struct ferry_known *type,
			   struct ferry_value **out, struct ferry_error *err)
{
	int rc = ferry_weights(s, doc, type, out, err);

	if (rc || *out)
		return rc;
	if (ferry_value_items(doc->root))
		*out = doc->root;
	return 0;
}

/* Another checkpoint's weights as a schema. */
static int schema_of_file(struct ferry_session *s, const char *path,
			  const struct ferry__reading *how,
			  struct ferry_tensor_schema **out,
			  struct ferry_error *err)
{
	struct ferry_recognised what;
	struct ferry_value *weights = NULL;
	struct ferry_document *doc;
	char shown[256];
	int rc = ferry__read_document(s, path, how, &doc, err);

	if (rc)
		return rc;
	rc = ferry_recognise(s, doc, path, NULL, &what, err);
	if (!rc)
		rc = weights_or_root(s, doc, what.type, &weights, err);
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

static bool is_checkpoint(const char *what)
{
	struct stat st;

	return !ferry_tensor_schema_is_file(what) && !stat(what, &st);
}

int ferry_tensor_schema_expected(struct ferry_tensor_schema **out,
				 struct ferry_session *s,
				 struct ferry_store *store, const char *what,
				 const char *const *dims, size_t n_dims,
				 struct ferry_error *err)
{
	struct ferry__reading how = { .store = store };

	if (!is_checkpoint(what))
		return ferry_tensor_schema_open(out, store, what, dims, n_dims,
						err);
	if (!n_dims)
		return schema_of_file(s, what, &how, out, err);
	return ferry_fail(err, FERRY_MISUSE, "plan", FERRY_NO_OFFSET, "--dim "
			  "is for schemas, and --expect names a checkpoint");
}

static bool is_about_names(const struct ferry_finding *f)
{
	return !strcmp(f->code, "missing") || !strcmp(f->code, "unexpected");
}

/* A loader that is not strict takes whatever names there are. */
static int tell_names(struct ferry_findings *out,
		      const struct ferry_findings *found, const char *code,
		      const char *text, struct ferry_error *err)
{
	struct ferry_buffer list = FERRY_BUFFER_INIT;
	const struct ferry_finding *f;
	size_t n = 0;
	int rc = 0;

	for (size_t i = 0; (f = ferry_findings_get(found, i)); i++)
		if (!strcmp(f->code, code) && n++ < NAMES_TOLD)
			ferry_buffer_printf(&list, "%s%.120s",
					    n > 1 ? ", " : "", f->path);
	if (n > NAMES_TOLD)
		ferry_buffer_add_str(&list, ", ...");
	if (n)
		rc = list.failed ||
		     ferry_findings_add(out, FERRY_NOTE, "schema", "",
					FERRY_NO_OFFSET, "%zu tensor%s %s: %s",
					n, n == 1 ? " is" : "s are", text,
					list.data) ?
		     ferry_fail_nomem(err, "findings") : 0;
	ferry_buffer_release(&list);
	return rc;
}

static int tell_shift(struct ferry_findings *out,
		      const struct ferry_findings *found,
		      struct ferry_error *err)
{
	char prefix[64];
	int shift = ferry_tensor_schema_shift(found, prefix, sizeof(prefix));

	if (!shift)
		return 0;
	if (ferry_findings_add(out, FERRY_NOTE, "prefix", "", FERRY_NO_OFFSET,
			       shift > 0 ? "names begin with '%s', which is "
			       "not expected: --strip-prefix=%s takes it off" :
			       "names are expected to begin with '%s': "
			       "--add-prefix=%s puts it there", prefix, prefix))
		return ferry_fail_nomem(err, "findings");
	return 0;
}

/* Violations become losses of one kind. */
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
		if ((strict || !is_about_names(f)) &&
		    ferry_findings_add(losses, FERRY_WARNING, "schema", f->path,
				       f->offset, "%s", f->text))
			rc = ferry_fail_nomem(err, "findings");
	if (!rc && !strict)
		rc = tell_names(losses, found, "missing", "missing", err);
	if (!rc && !strict)
		rc = tell_names(losses, found, "unexpected", "not expected",
				err);
	if (!rc)
		rc = tell_shift(losses, found, err);
	if (!rc)
		rc = ferry__take_losses(p, losses, false, err);
	ferry_findings_free(losses);
	return rc;
}

/* Nothing would be loaded: no loader means that. */
static bool is_stranger(const struct ferry_tensor_schema *schema,
			const struct ferry_findings *found)
{
	const struct ferry_finding *f;
	size_t n = 0;

	for (size_t i = 0; (f = ferry_findings_get(found, i)); i++)
		n += !strcmp(f->code, "missing");
	return n && n == ferry_tensor_schema_count(schema);
}

static int check(struct ferry_plan *p, const struct ferry_tensor_schema *schema,
		 bool strict, struct ferry_error *err)
{
	struct ferry_value *weights = NULL;
	struct ferry_findings *found;
	int rc = weights_or_root(p->s, p->doc, p->what.type, &weights, err);

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
		rc = take_violations(p, found, strict ||
				     is_stranger(schema, found), err);
	ferry_findings_free(found);
	return rc;
}

static int expect(struct ferry_plan *p, const char *name, bool strict,
		  struct ferry_error *err)
{
	struct ferry_tensor_schema *schema = NULL;
	struct ferry__reading how = { .store = p->store, .paths = &p->paths };
	size_t n;
	int rc = is_checkpoint(name) ?
		 schema_of_file(p->s, name, &how, &schema, err) :
		 ferry_tensor_schema_open(&schema, p->store, name, NULL, 0,
					  err);

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
	bool strict = !p->rules || ferry_rules_strict(p->rules);
	int rc = 0;

	if (own)
		rc = expect(p, own, strict, err);
	if (!rc && p->job.expect)
		rc = expect(p, p->job.expect, strict ||
			    !ferry_rules_pretrained(p->rules), err);
	return rc;
}
