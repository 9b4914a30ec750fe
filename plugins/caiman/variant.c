/* Weights against tensor schemas. */
#include "config.h"

#include "plugins/caiman/variant.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <ferry/schema.h>
#include <ferry/sys/buffer.h>

/* ---- by sizes --------------------------------------------------------------------- */

static int schema_of_sizes(const struct ferry_store *store,
			   const struct model *m, uint64_t classes,
			   struct ferry_tensor_schema **out,
			   struct ferry_error *err)
{
	const struct {
		const char *name;
		uint64_t value;
	} dims[] = {
		{ "F", m->F }, { "E", m->E }, { "L1", m->L1 },
		{ "L2", m->L2 }, { "S", m->S }, { "P", m->P },
		{ "LP", m->LP }, { "J", m->J }, { "C", classes },
	};
	char text[sizeof(dims) / sizeof(*dims)][32];
	const char *given[sizeof(dims) / sizeof(*dims)];

	for (size_t i = 0; i < sizeof(dims) / sizeof(*dims); i++) {
		snprintf(text[i], sizeof(text[i]), "%s=%" PRIu64, dims[i].name,
			 dims[i].value);
		given[i] = text[i];
	}
	return ferry_tensor_schema_find(out, store, "caiman/rnnt", given,
					sizeof(dims) / sizeof(*dims), err);
}

int check_model(struct ferry_document *doc, struct ferry_value *weights,
		const struct model *model, uint64_t classes, struct report *r,
		struct ferry_error *err)
{
	struct ferry_tensor_schema *schema = NULL;
	struct ferry_findings *found = NULL;
	struct ferry_error own = FERRY_ERROR_INIT;
	const struct ferry_finding *f;
	int rc = schema_of_sizes(doc->store, model, classes, &schema, &own);

	if (rc == FERRY_LIMIT || rc == FERRY_MALFORMED) {
		violate(r, "sizes", "", "no model has the sizes of its "
			"rnnt_config: %s", own.text);
		return 0;
	}
	if (rc)
		return ferry_fail(err, rc, own.origin, own.offset, "%s",
				  own.text);
	rc = ferry_findings_new(&found, err);
	if (!rc)
		rc = ferry_tensor_schema_check(schema, doc, weights,
					       FERRY_SCHEMA_ORDER, found, err);
	for (size_t i = 0; rc >= 0 && (f = ferry_findings_get(found, i)); i++)
		violate(r, f->code, f->path, "%s", f->text);
	ferry_findings_free(found);
	ferry_tensor_schema_free(schema);
	return rc < 0 ? rc : 0;
}

/* ---- by variant -------------------------------------------------------------------- */

/* 1 when they fit, 0 when not (told in found), or an error. */
static int fits(struct ferry_document *doc, struct ferry_value *weights,
		const char *name, bool is_file, struct ferry_findings *found,
		struct ferry_error *err)
{
	struct ferry_tensor_schema *schema;
	int rc = is_file ?
		 ferry_tensor_schema_load(&schema, name, NULL, 0, err) :
		 ferry_tensor_schema_find(&schema, doc->store, name, NULL, 0,
					  err);

	if (rc)
		return rc;
	rc = ferry_tensor_schema_check(schema, doc, weights, 0, found, err);
	ferry_tensor_schema_free(schema);
	return rc;
}

int find_variant(struct ferry_document *doc, struct ferry_value *weights,
		 const struct release *release, const char **out,
		 struct ferry_error *err)
{
	char name[80];
	int rc = 0;

	*out = NULL;
	for (uint32_t i = 0; i < release->variants->u.list.n && !*out; i++) {
		const char *variant = list_text(doc->store, release->variants,
						i);

		if (!variant)
			return ferry_fail_nomem(err, "a name");
		snprintf(name, sizeof(name), "caiman/%.60s", variant);
		rc = fits(doc, weights, name, false, NULL, err);
		if (rc < 0)
			return rc;
		*out = rc ? variant : NULL;
	}
	return 0;
}

static int fail_none(struct ferry_store *store, const struct release *release,
		     struct ferry_value *weights, struct ferry_error *err)
{
	const struct ferry_value *items = ferry_value_items(weights);
	struct ferry_buffer names = FERRY_BUFFER_INIT;
	int rc;

	for (uint32_t i = 0; i < release->variants->u.list.n; i++) {
		const char *name = list_text(store, release->variants, i);

		ferry_buffer_add_str(&names, i ? ", " : "");
		ferry_buffer_add_str(&names, name ? name : "?");
	}
	rc = names.failed ? ferry_fail_nomem(err, "names") :
	     ferry_fail(err, FERRY_UNSUPPORTED, "caiman", FERRY_NO_OFFSET,
			"ema_state_dict (%u tensors) has the names and shapes "
			"of no model that release %s takes (%s): give --set "
			"variant=FILE with its own schema, or --set "
			"skip-tensor-check=yes",
			items ? items->u.dict.n : 0, release->name,
			names.data);
	ferry_buffer_release(&names);
	return rc;
}

static bool is_file(const char *name)
{
	size_t n = strlen(name);

	return (n > 5 && !strcmp(name + n - 5, ".yaml")) ||
	       (n > 4 && !strcmp(name + n - 4, ".yml")) || *name == '/' ||
	       *name == '.';
}

static int require_named(const struct ferry_conversion_args *args,
			 struct ferry_value *weights, const char *variant,
			 struct ferry_error *err)
{
	struct ferry_findings *found;
	char name[80], what[120];
	int rc = ferry_findings_new(&found, err);

	if (rc)
		return rc;
	snprintf(name, sizeof(name), strchr(variant, '/') ? "%.70s" :
		 "caiman/%.70s", variant);
	rc = fits(args->inputs[0], weights, is_file(variant) ? variant : name,
		  is_file(variant), found, err);
	snprintf(what, sizeof(what), "ema_state_dict is not variant '%.80s'",
		 variant);
	if (!rc)
		rc = fail_violations(found, what, args->findings, err);
	ferry_findings_free(found);
	return rc < 0 ? rc : 0;
}

int require_variant(const struct ferry_conversion_args *args,
		    struct ferry_value *weights,
		    const struct release *release, struct ferry_error *err)
{
	const char *variant = ferry_option(args->options, "variant");
	const char *found;
	bool skip;
	int rc = ferry_option_bool(args->options, "skip-tensor-check", &skip,
				   err);

	if (rc || skip)
		return rc;
	if (variant)
		return require_named(args, weights, variant, err);
	if (!release->variants->u.list.n)
		return 0;
	rc = find_variant(args->inputs[0], weights, release, &found, err);
	return rc || found ? rc :
	       fail_none(args->store, release, weights, err);
}
