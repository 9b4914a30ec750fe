/* Config to inference config. */
#include "config.h"

#include "plugins/caiman/inference.h"

#include <stdio.h>
#include <string.h>

#include "formats/yaml/yaml.h"
#include "plugins/caiman/coerce.h"
#include "plugins/caiman/shape.h"

struct schema {
	struct ferry_store *store;
	struct ferry_value *classes;	/* the file */
	const struct release *release;
	struct report *report;
	struct ferry_error *err;
};

#define SECTIONS_DEPTH 8

static int fail_schema(struct schema *s, const char *class)
{
	return ferry_fail(s->err, FERRY_MALFORMED, "caiman", FERRY_NO_OFFSET,
			  "caiman/inference/%s.yaml: class '%s' is missing, or "
			  "not fields and ignore", s->release->config, class);
}

/* 1, 0 when refused (it is told), or an error. */
static int read_section(struct schema *s, const char *class,
			struct ferry_value *in, unsigned depth,
			struct ferry_value **out);

static int read_inner(struct schema *s, const char *name, const char *class,
		      struct ferry_value *in, unsigned depth,
		      struct ferry_value **out)
{
	const char *above = s->report->path;
	char path[200];
	int rc;

	snprintf(path, sizeof(path), "%s%s%s", above, *above ? "." : "", name);
	s->report->path = path;
	rc = read_section(s, class, in, depth + 1, out);
	s->report->path = above;
	return rc;
}

static int read_field(struct schema *s, const struct ferry_pair *field,
		      struct ferry_value *in, unsigned depth,
		      struct ferry_value **out)
{
	const char *name = text_of(s->store, field->key);
	const char *class = text_of(s->store, field->value);
	enum field kind = field_named(field->value);
	char text[SAID_CAP];

	if (!name || !class)
		return fail_schema(s, "fields");
	if (!in) {
		violate(s->report, "missing", name, "is missing");
		return 0;
	}
	if (kind == FIELD_NONE)
		return read_inner(s, name, class, in, depth, out);
	if (coerce(s->store, kind, s->release->pydantic, in, out))
		return ferry_fail_nomem(s->err, "a config");
	if (*out)
		return 1;
	violate(s->report, "type", name, "must be %s: it is %s",
		field_title(kind), said(s->store, in, text));
	return 0;
}

static bool is_ignored(const struct ferry_value *ignore,
		       const struct ferry_value *key)
{
	for (uint32_t i = 0; i < ignore->u.list.n; i++) {
		const struct ferry_value *v = ignore->u.list.items[i];

		if (v->kind == FERRY_STRING && key->kind == FERRY_STRING &&
		    v->u.s.nbytes == key->u.s.nbytes &&
		    !memcmp(v->u.s.data, key->u.s.data, v->u.s.nbytes))
			return true;
	}
	return false;
}

/* What is neither a field nor ignored. */
static bool tell_unexpected(struct schema *s, const struct ferry_value *fields,
			    const struct ferry_value *ignore,
			    const struct ferry_value *items)
{
	bool any = false;

	for (uint32_t i = 0; i < items->u.dict.n; i++) {
		const struct ferry_value *key = items->u.dict.pairs[i].key;

		if (is_ignored(ignore, key) ||
		    (key->kind == FERRY_STRING && ferry_dict_find(fields, key)))
			continue;
		violate_key(s->report, "unexpected", key, "is not known to %s%s",
			    s->release->version ? "release " : "any release",
			    s->release->version ? s->release->name : "");
		any = true;
	}
	return any;
}

/* The items of a section; NULL: it is none.  pydantic 1 tries dict(), which
 * makes an empty one of any empty text or list. */
static const struct ferry_value *section_items(const struct schema *s,
					       struct ferry_value *in)
{
	bool empty = (in->kind == FERRY_STRING && !in->u.s.nbytes) ||
		     (in->kind >= FERRY_LIST && in->kind <= FERRY_FROZENSET &&
		      !in->u.list.n);

	return s->release->pydantic < 2 && empty ? ferry_dict(s->store, 0) :
						   ferry_value_items(in);
}

static int read_section(struct schema *s, const char *class,
			struct ferry_value *in, unsigned depth,
			struct ferry_value **out)
{
	struct ferry_value *spec = at(s->classes, class), *value;
	const struct ferry_value *fields = at(spec, "fields"),
				 *ignore = at(spec, "ignore"),
				 *items = section_items(s, in);
	const struct ferry_pair *field;
	char text[SAID_CAP];
	bool refused = false;
	int rc;

	if (!fields || fields->kind != FERRY_DICT || !ignore ||
	    ignore->kind != FERRY_LIST || depth > SECTIONS_DEPTH)
		return fail_schema(s, class);
	if (!items) {
		violate(s->report, "type", "", "must be a section: it is %s",
			said(s->store, in, text));
		return 0;
	}
	*out = ferry_dict(s->store, fields->u.dict.n);
	for (uint32_t i = 0; *out && i < fields->u.dict.n; i++) {
		field = &fields->u.dict.pairs[i];
		value = NULL;
		rc = read_field(s, field, ferry_dict_find(items, field->key),
				depth, &value);
		if (rc < 0)
			return rc;
		refused |= !rc;
		if (rc && ferry_dict_set(s->store, *out, field->key, value))
			*out = NULL;
	}
	if (!*out)
		return ferry_fail_nomem(s->err, "a config");
	refused |= tell_unexpected(s, fields, ignore, items);
	return !refused;
}

int inference_config(struct ferry_store *store, const struct release *release,
		     struct ferry_value *config, struct report *r,
		     struct ferry_value **out, struct ferry_error *err)
{
	struct schema s = {
		.store = store, .release = release, .report = r, .err = err,
	};
	char name[60];
	int rc;

	snprintf(name, sizeof(name), "inference/%.40s", release->config);
	rc = schema_load(store, name, &s.classes, err);
	if (!rc)
		rc = read_section(&s, "root", config, 0, out);
	if (rc <= 0)
		*out = NULL;
	if (rc >= 0 && r->failed)
		return ferry_fail_nomem(err, "violations");
	return rc < 0 ? rc : 0;
}

static int strict_config(struct ferry_store *store,
			 const struct release *release,
			 struct ferry_value *config, struct ferry_value **out,
			 struct ferry_findings *told, struct ferry_error *err)
{
	struct report r = { .path = "" };
	char what[80];
	int rc = ferry_findings_new(&r.findings, err);

	if (rc)
		return rc;
	rc = inference_config(store, release, config, &r, out, err);
	snprintf(what, sizeof(what), "config for release %.20s", release->name);
	if (!rc && ferry_findings_count_level(r.findings, FERRY_VIOLATION))
		rc = fail_violations(r.findings, what, told, err);
	ferry_findings_free(r.findings);
	return rc;
}

int release_config(struct ferry_store *store, const struct release *release,
		   struct ferry_value *config, struct ferry_value **out,
		   struct ferry_findings *told, struct ferry_error *err)
{
	*out = NULL;
	if (!strcmp(release->config, "none"))
		return 0;
	if (!strcmp(release->config, "whole"))
		return yaml_copy_sorted(store, config, out, err);
	return strict_config(store, release, config, out, told, err);
}

static struct ferry_value *copy_without(struct ferry_store *store,
					struct ferry_value *from,
					const char *key)
{
	const struct ferry_value *items = ferry_value_items(from);
	struct ferry_value *out = ferry_dict(store, items->u.dict.n);
	const struct ferry_pair *pair;

	for (uint32_t i = 0; out && i < items->u.dict.n; i++) {
		pair = &items->u.dict.pairs[i];
		if (!ferry_value_is(pair->key, key) &&
		    ferry_dict_set(store, out, pair->key, pair->value))
			return NULL;
	}
	return out;
}

int without_joint_lr_factor(struct ferry_store *store,
			    struct ferry_value *config,
			    struct ferry_value **out, struct ferry_error *err)
{
	struct ferry_value *rnnt = at(config, "rnnt");
	struct making m;

	*out = config;
	if (!at(rnnt, "joint_lr_factor"))
		return 0;
	m = make(store, config);
	put(&m, "rnnt", copy_without(store, rnnt, "joint_lr_factor"));
	*out = m.dict;
	return m.failed ? ferry_fail_nomem(err, "a config") : 0;
}

/* ---- the conversion --------------------------------------------------------------- */

static int run(const struct ferry_conversion_args *args,
	       struct ferry_error *err)
{
	const struct release *release;
	struct releases all;
	struct ferry_value *out = NULL;
	int rc = releases_load(args->store, &all, err);

	if (!rc)
		rc = release_wanted(&all, args->options, &release, err);
	if (!rc)
		rc = release_config(args->store, release,
				    args->inputs[0]->root, &out, args->findings,
				    err);
	if (!rc && !out)
		rc = ferry_fail(err, FERRY_UNSUPPORTED, "caiman",
				FERRY_NO_OFFSET, "release %s has no inference "
				"config: give 1.2.0 or newer", release->name);
	args->out->root = out;
	return rc;
}

static int losses(const struct ferry_conversion_args *args,
		  struct ferry_findings *out, struct ferry_error *err)
{
	(void)args;
	if (ferry_findings_add(out, FERRY_NOTE, "settings", "", FERRY_NO_OFFSET,
			       "settings of the training are left behind"))
		return ferry_fail_nomem(err, "findings");
	return 0;
}

static const struct ferry_role roles[] = {
	{ .name = "config", .type = "caiman/config",
	  .help = "the YAML config of the training" },
	{ .name = NULL }
};

static const struct ferry_option_spec options[] = {
	RELEASE_OPTION,
	{ NULL }
};

const struct ferry_conversion config_to_inference = {
	.struct_size = sizeof(struct ferry_conversion),
	.name = "caiman-config-to-inference-config",
	.title = "what inference needs of a training config",
	.roles = roles,
	.output = "caiman/inference-config",
	.cost = 1,
	.options = options,
	.losses = losses,
	.run = run,
};
