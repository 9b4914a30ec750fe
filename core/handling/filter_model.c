/* What a model's handling file says of its parameters: parameter_groups. */
#include "config.h"

#include "core/handling/filter_loader.h"

#include <string.h>
#include <strings.h>

#define STAGES "stages"

bool ferry__filter_is_null(const yaml_node_t *node)
{
	const char *text = ferry__yaml_text(node);

	return text && (!*text || !strcmp(text, "~") ||
			!strcasecmp(text, "null") || !strcmp(text, "None"));
}

int ferry__filter_stages(struct filter_loader *l, const yaml_node_t *at)
{
	struct filter_stage *stage;
	const yaml_node_t *value;
	const char *name;
	int rc = 0;

	if (!at || ferry__filter_is_null(at))
		return 0;
	if (at->type != YAML_MAPPING_NODE)
		return ferry__yaml_fail(&l->yaml, at, l->err, "stages: a "
					"mapping of stages to parts of names "
					"is expected");
	l->filters->stages = ferry_store_array(l->filters->store,
					       ferry__yaml_count(at),
					       sizeof(*stage));
	if (!l->filters->stages)
		return ferry_fail_nomem(l->err, "a filter");
	for (size_t i = 0; i < ferry__yaml_count(at) && !rc; i++) {
		value = ferry__yaml_pair(&l->yaml, at, i, &name);
		if (!name)
			return ferry__yaml_fail(&l->yaml, value, l->err,
						"stages: a name is expected");
		stage = &l->filters->stages[i];
		stage->name = ferry_store_strndup(l->filters->store, name,
						  strlen(name));
		if (!stage->name)
			return ferry_fail_nomem(l->err, "a filter");
		rc = ferry__filter_texts(l, value, &stage->parts);
		l->filters->n_stages += !rc;
	}
	return rc;
}

bool ferry__filter_is_model(struct filter_loader *l, const yaml_node_t *root)
{
	static const char *const keys[] = {
		"pretrained", "procedure", "rules",
	};

	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++)
		if (ferry__yaml_get(&l->yaml, root, keys[i]))
			return true;
	return false;
}

static size_t count_groups(struct filter_loader *l, const yaml_node_t *kinds)
{
	const yaml_node_t *value;
	const char *key;
	size_t n = 0;

	for (size_t i = 0; i < ferry__yaml_count(kinds); i++) {
		value = ferry__yaml_pair(&l->yaml, kinds, i, &key);
		n += value->type == YAML_MAPPING_NODE ?
		     ferry__yaml_count(value) : 1;
	}
	return n;
}

static const char *name_group(struct filter_loader *l, const char *kind,
			      const char *name)
{
	struct ferry_buffer b = FERRY_BUFFER_INIT;
	const char *out = NULL;

	ferry_buffer_printf(&b, "%s%s%s", kind, name ? "." : "",
			    name ? name : "");
	if (!b.failed)
		out = ferry_store_strndup(l->filters->store, b.data, b.n);
	ferry_buffer_release(&b);
	return out;
}

/* Parts of names; a stage is what filters take for it. */
static int add_group(struct filter_loader *l, const char *kind,
		     const char *name, const yaml_node_t *parts)
{
	struct filter_group *g = &l->filters->groups[l->filters->n_groups];
	struct filter *f;
	int rc = ferry__filter_new(l, parts, &f);

	if (rc)
		return rc;
	*g = (struct filter_group){
		.name = name_group(l, kind, name), .filter = f,
	};
	if (!g->name)
		return ferry_fail_nomem(l->err, "a filter");
	f->kind = FILTER_NAME;
	rc = ferry__filter_texts(l, parts, &f->patterns);
	if (!rc && name && !strcmp(kind, STAGES)) {
		f->kind = FILTER_STAGE_BASED;
		f->stages.items = ferry_store_array(l->filters->store, 1,
						    sizeof(char *));
		if (!f->stages.items)
			return ferry_fail_nomem(l->err, "a filter");
		f->stages.items[0] = g->name + strlen(STAGES ".");
		f->stages.n = 1;
	}
	l->filters->n_groups += !rc;
	return rc;
}

static int add_kind(struct filter_loader *l, const char *kind,
		    const yaml_node_t *value)
{
	const yaml_node_t *parts;
	const char *name;
	int rc = 0;

	if (value->type != YAML_MAPPING_NODE)
		return add_group(l, kind, NULL, value);
	for (size_t i = 0; i < ferry__yaml_count(value) && !rc; i++) {
		parts = ferry__yaml_pair(&l->yaml, value, i, &name);
		rc = name ? add_group(l, kind, name, parts) :
		     ferry__yaml_fail(&l->yaml, parts, l->err, "%s: a name is "
				      "expected", kind);
	}
	return rc;
}

int ferry__filter_model(struct filter_loader *l, const yaml_node_t *root)
{
	const yaml_node_t *kinds = ferry__yaml_get(&l->yaml, root,
						   "parameter_groups");
	const yaml_node_t *value;
	const char *kind;
	int rc;

	if (!kinds || kinds->type != YAML_MAPPING_NODE)
		return ferry__yaml_fail(&l->yaml, kinds ? kinds : root, l->err,
					"the handling file has no mapping "
					"parameter_groups");
	l->filters->groups = ferry_store_array(l->filters->store,
					       count_groups(l, kinds) + 1,
					       sizeof(*l->filters->groups));
	if (!l->filters->groups)
		return ferry_fail_nomem(l->err, "a filter");
	rc = ferry__filter_stages(l, ferry__yaml_get(&l->yaml, kinds, STAGES));
	for (size_t i = 0; i < ferry__yaml_count(kinds) && !rc; i++) {
		value = ferry__yaml_pair(&l->yaml, kinds, i, &kind);
		rc = kind ? add_kind(l, kind, value) :
		     ferry__yaml_fail(&l->yaml, value, l->err,
				      "parameter_groups: a name is expected");
	}
	if (!rc)
		l->filters->groups[l->filters->n_groups++] =
			(struct filter_group){ .name = FERRY__DEFAULT_GROUP };
	return rc;
}

int ferry_filters_take_stages(struct ferry_filters *f, const char *path,
			      struct ferry_error *err)
{
	struct filter_loader l = { .filters = f, .err = err };
	const yaml_node_t *root, *stages;
	int rc = ferry__yaml_load(&l.yaml, path, err);

	if (rc)
		return rc;
	root = ferry__yaml_root(&l.yaml);
	stages = ferry__yaml_get(&l.yaml, ferry__yaml_get(&l.yaml, root,
							  "parameter_groups"),
				 STAGES);
	f->n_stages = 0;
	rc = stages ? ferry__filter_stages(&l, stages) :
	     ferry__yaml_fail(&l.yaml, root, err, "the handling file has no "
			      "stages in its parameter_groups");
	ferry__yaml_release(&l.yaml);
	return rc;
}
