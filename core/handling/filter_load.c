/* Filter files: groups, tables, and what gradient normalisation leaves out. */
#include "config.h"

#include "core/handling/filter_loader.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <ferry/sys/alloc.h>

#define DEFAULT_MULTIPLIER "1.0"
#define DEFAULT_OPTIMIZER "adamw"
#define DEFAULT_DECAY "0.05"

yaml_node_t *ferry__filter_get(struct filter_loader *l,
			       const yaml_node_t *mapping, const char *key)
{
	yaml_node_t *value;
	const char *name;

	if (!mapping || mapping->type != YAML_MAPPING_NODE)
		return NULL;
	for (size_t i = 0; i < ferry__yaml_count(mapping); i++) {
		value = ferry__yaml_pair(&l->yaml, mapping, i, &name);
		if (name && !strcasecmp(name, key))
			return value;
	}
	return NULL;
}

static const char *keep(struct filter_loader *l, const char *text)
{
	return ferry_store_strndup(l->filters->store, text, strlen(text));
}

static int add_text(struct filter_loader *l, const yaml_node_t *node,
		    struct filter_texts *to)
{
	const char *text = ferry__yaml_text(node);

	if (!text)
		return ferry__yaml_fail(&l->yaml, node, l->err, "a text is "
					"expected");
	if (++l->n_texts > FERRY__FILTER_TEXTS)
		return ferry__yaml_limit(&l->yaml, node, l->err, "more than %d "
					 "patterns and names are given",
					 FERRY__FILTER_TEXTS);
	to->items[to->n] = keep(l, text);
	if (!to->items[to->n])
		return ferry_fail_nomem(l->err, "a filter");
	to->n++;
	return 0;
}

int ferry__filter_texts(struct filter_loader *l, const yaml_node_t *node,
			struct filter_texts *out)
{
	bool list = node->type == YAML_SEQUENCE_NODE;
	size_t n = list ? ferry__yaml_count(node) : 1;
	int rc = 0;

	out->n = 0;
	out->items = ferry_store_array(l->filters->store, n,
				       sizeof(*out->items));
	if (!out->items)
		return ferry_fail_nomem(l->err, "a filter");
	if (!list)
		return add_text(l, node, out);
	for (size_t i = 0; i < n && !rc; i++)
		rc = add_text(l, ferry__yaml_item(&l->yaml, node, i), out);
	return rc;
}

static int note(struct filter_loader *l, const yaml_node_t *at,
		const char *code, const char *fmt, ...) FERRY_PRINTF(4, 5);

static int note(struct filter_loader *l, const yaml_node_t *at,
		const char *code, const char *fmt, ...)
{
	char text[300];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (!ferry_findings_add(l->notes, FERRY_WARNING, code, l->yaml.path,
				FERRY_NO_OFFSET, "line %zu: %s",
				at->start_mark.line + 1, text))
		return 0;
	return ferry_fail_nomem(l->err, "a note");
}

int ferry__filter_fields(struct filter_loader *l, const yaml_node_t *mapping,
			 const char *const *known)
{
	const yaml_node_t *value;
	const char *key;
	size_t k;
	int rc = 0;

	for (size_t i = 0; i < ferry__yaml_count(mapping) && !rc; i++) {
		value = ferry__yaml_pair(&l->yaml, mapping, i, &key);
		for (k = 0; key && known[k]; k++)
			if (!strcasecmp(key, known[k]))
				break;
		if (!key || !known[k])
			rc = note(l, value, "unknown-field", "field '%.80s' is "
				  "not known here, and is passed over",
				  key ? key : "?");
	}
	return rc;
}

/* Where a file has what. */
struct sections {
	const yaml_node_t *groups, *gradnorm;
	bool foreign;		/* other fields are no concern of filters */
};

/* ---- groups ------------------------------------------------------------- */

static int read_text(struct filter_loader *l, const yaml_node_t *at,
		     const char *key, const char *fallback, const char **out)
{
	const yaml_node_t *node = ferry__filter_get(l, at, key);
	const char *text = node ? ferry__yaml_text(node) : fallback;

	if (!text)
		return ferry__yaml_fail(&l->yaml, node, l->err, "%s: a text or "
					"a number is expected", key);
	*out = keep(l, text);
	return *out ? 0 : ferry_fail_nomem(l->err, "a filter");
}

/* The group that takes what is left, with what the others fall back to. */
static int read_default(struct filter_loader *l, const yaml_node_t *groups,
			struct filter_group *to)
{
	const yaml_node_t *at = ferry__filter_get(l, groups, FERRY__DEFAULT_GROUP);
	int rc = read_text(l, at, "optimizer", DEFAULT_OPTIMIZER,
			   &to->optimizer);

	to->name = FERRY__DEFAULT_GROUP;
	to->filter = NULL;
	to->lr_multiplier = DEFAULT_MULTIPLIER;
	return rc ? rc : read_text(l, at, "weight_decay", DEFAULT_DECAY,
				   &to->weight_decay);
}

static int read_group(struct filter_loader *l, const char *name,
		      const yaml_node_t *at, const struct filter_group *rest)
{
	static const char *const fields[] = {
		"filter", "lr_multiplier", "optimizer", "weight_decay", NULL,
	};
	struct filter_group *g = &l->filters->groups[l->filters->n_groups];
	const yaml_node_t *filter = ferry__filter_get(l, at, "filter");
	int rc;

	if (!filter)
		return note(l, at, "no-filter", "group '%.80s' has no filter, "
			    "and is passed over", name);
	rc = ferry__filter_fields(l, at, fields);
	if (!rc)
		rc = ferry__filter_read(l, filter, &g->filter);
	if (!rc)
		rc = read_text(l, at, "lr_multiplier", DEFAULT_MULTIPLIER,
			       &g->lr_multiplier);
	if (!rc)
		rc = read_text(l, at, "optimizer", rest->optimizer,
			       &g->optimizer);
	if (!rc)
		rc = read_text(l, at, "weight_decay", rest->weight_decay,
			       &g->weight_decay);
	if (rc)
		return rc;
	g->name = keep(l, name);
	if (!g->name)
		return ferry_fail_nomem(l->err, "a filter");
	l->filters->n_groups++;
	return 0;
}

static int read_groups(struct filter_loader *l, const yaml_node_t *groups)
{
	struct filter_group rest;
	const yaml_node_t *at;
	const char *name;
	int rc;

	if (groups && groups->type != YAML_MAPPING_NODE)
		return ferry__yaml_fail(&l->yaml, groups, l->err, "groups: a "
					"mapping of names to groups is "
					"expected");
	l->filters->groups = ferry_store_array(l->filters->store,
					       ferry__yaml_count(groups) + 1,
					       sizeof(rest));
	if (!l->filters->groups)
		return ferry_fail_nomem(l->err, "a filter");
	rc = read_default(l, groups, &rest);
	for (size_t i = 0; i < ferry__yaml_count(groups) && !rc; i++) {
		at = ferry__yaml_pair(&l->yaml, groups, i, &name);
		if (at->type != YAML_MAPPING_NODE ||
		    (name && !strcasecmp(name, FERRY__DEFAULT_GROUP)))
			continue;
		rc = name ? read_group(l, name, at, &rest) :
		     ferry__yaml_fail(&l->yaml, at, l->err, "groups: a name "
				      "is expected");
	}
	if (!rc)
		l->filters->groups[l->filters->n_groups++] = rest;
	return rc;
}

/* ---- tables ------------------------------------------------------------- */

static int read_layer_types(struct filter_loader *l, const yaml_node_t *at)
{
	const yaml_node_t *value;
	const char *path, *type;

	if (!at || ferry__filter_is_null(at))
		return 0;
	if (at->type != YAML_MAPPING_NODE)
		return ferry__yaml_fail(&l->yaml, at, l->err, "layer_types: a "
					"mapping of module paths to class "
					"names is expected");
	l->filters->has_layer_types = true;
	for (size_t i = 0; i < ferry__yaml_count(at); i++) {
		value = ferry__yaml_pair(&l->yaml, at, i, &path);
		type = ferry__yaml_text(value);
		if (!path || !type)
			return ferry__yaml_fail(&l->yaml, value, l->err,
						"layer_types: a module path "
						"and a class name are "
						"expected");
		path = keep(l, path);
		type = keep(l, type);
		if (!path || !type ||
		    ferry_map_put(&l->filters->layer_types, path, strlen(path),
				  (uintptr_t)type))
			return ferry_fail_nomem(l->err, "a filter");
	}
	return 0;
}

static int check_gradnorm(struct filter_loader *l, const yaml_node_t *at,
			  bool foreign)
{
	static const char *const fields[] = {
		"exclude_config", "exclude_patterns", NULL,
	};

	if (at->type != YAML_MAPPING_NODE && !ferry__filter_is_null(at))
		return ferry__yaml_fail(&l->yaml, at, l->err, "gradnorm: a "
					"mapping with exclude_config or "
					"exclude_patterns is expected");
	return foreign ? 0 : ferry__filter_fields(l, at, fields);
}

/* What is left out when nothing is said: heads, which a new task changes. */
static int exclude_usual(struct filter_loader *l)
{
	static const char *usual[] = { "head", "meta_" };
	struct filter *f = ferry_store_alloc(l->filters->store, sizeof(*f));

	l->filters->exclude_patterns = (struct filter_texts){ usual, 2 };
	if (!f)
		return ferry_fail_nomem(l->err, "a filter");
	*f = (struct filter){ .kind = FILTER_NAME, .patterns = { usual, 2 } };
	l->filters->exclude = f;
	return 0;
}

/* A filter; where it is null or not given, parts of names, if there are. */
static int read_gradnorm(struct filter_loader *l, const yaml_node_t *at,
			 bool foreign)
{
	struct filter_texts *texts = &l->filters->exclude_patterns;
	const yaml_node_t *config, *patterns;
	int rc;

	if (!at)
		return 0;
	l->filters->has_gradnorm = true;
	config = ferry__filter_get(l, at, "exclude_config");
	patterns = ferry__filter_get(l, at, "exclude_patterns");
	rc = check_gradnorm(l, at, foreign);
	if (!rc)
		rc = exclude_usual(l);
	if (rc || (!config && !patterns))
		return rc;
	l->filters->exclude = NULL;
	if (config && !ferry__filter_is_null(config))
		return ferry__filter_read(l, config, &l->filters->exclude);
	if (patterns && ferry__filter_is_null(patterns))
		texts->n = 0;
	else if (patterns)
		rc = ferry__filter_texts(l, patterns, texts);
	if (rc || texts->n)
		return rc;
	return ferry__yaml_fail(&l->yaml, at, l->err, "gradnorm: neither "
				"exclude_config nor exclude_patterns is given");
}

static int read_one(struct filter_loader *l, const yaml_node_t *root,
		    const char *key, struct filter **out)
{
	const yaml_node_t *node = ferry__filter_get(l, root, key);

	return node && !ferry__filter_is_null(node) ? ferry__filter_read(l, node, out) : 0;
}

/* What stands under a path of keys, joined by dots; or NULL. */
static const yaml_node_t *find(struct filter_loader *l,
			       const yaml_node_t *at, const char *path)
{
	char key[40];
	size_t n;

	for (; at && *path; path += n + !!path[n]) {
		n = strcspn(path, ".");
		snprintf(key, sizeof(key), "%.*s", (int)n, path);
		at = ferry__filter_get(l, at, key);
	}
	return at;
}

/* A run's config has the sections at places of its own. */
static void find_sections(struct filter_loader *l, const yaml_node_t *root,
			  struct sections *out)
{
	out->groups = find(l, root, "groups");
	if (!out->groups)
		out->groups = find(l, root, "parameter_groups");
	out->gradnorm = find(l, root, "gradnorm");
	if (out->groups || out->gradnorm)
		return;
	out->groups = find(l, root, "optimizer.parameter_groups");
	out->gradnorm = find(l, root, "loss.grad_weighting.task");
	if (!find(l, out->gradnorm, "exclude_config") &&
	    !find(l, out->gradnorm, "exclude_patterns"))
		out->gradnorm = NULL;
	out->foreign = out->groups || out->gradnorm;
}

static int read_sections(struct filter_loader *l, const yaml_node_t *root)
{
	static const char *const fields[] = {
		"name", "description", "groups", "parameter_groups", "stages",
		"layer_types", "gradnorm", "buffers", "frozen", NULL,
	};
	struct sections s = { .groups = NULL };
	int rc = 0;

	find_sections(l, root, &s);
	if (!s.foreign)
		rc = ferry__filter_fields(l, root, fields);
	if (!rc)
		rc = read_groups(l, s.groups);
	if (!rc)
		rc = ferry__filter_stages(l, find(l, root, "stages"));
	if (!rc)
		rc = read_layer_types(l, find(l, root, "layer_types"));
	if (!rc)
		rc = read_gradnorm(l, s.gradnorm, s.foreign);
	if (!rc)
		rc = read_one(l, root, "buffers", &l->filters->buffers);
	return rc ? rc : read_one(l, root, "frozen", &l->filters->frozen);
}

static int read_root(struct filter_loader *l)
{
	const yaml_node_t *root = ferry__yaml_root(&l->yaml);

	if (!root || root->type != YAML_MAPPING_NODE)
		return ferry__yaml_fail(&l->yaml, root, l->err, "a filter file "
					"is a mapping with groups");
	return ferry__filter_is_model(l, root) ? ferry__filter_model(l, root) :
	       read_sections(l, root);
}

int ferry_filters_load(struct ferry_filters **out, const char *path,
		       struct ferry_findings *notes, struct ferry_error *err)
{
	struct filter_loader l = { .notes = notes, .err = err };
	int rc = ferry__yaml_load(&l.yaml, path, err);

	if (rc)
		return rc;
	l.filters = ferry_alloc_zero(1, sizeof(*l.filters));
	rc = l.filters ? ferry_store_new(&l.filters->store, err) :
	     ferry_fail_nomem(err, "filters");
	if (!rc)
		rc = read_root(&l);
	if (rc)
		ferry_filters_free(l.filters);
	else
		*out = l.filters;
	ferry__yaml_release(&l.yaml);
	return rc;
}

void ferry_filters_free(struct ferry_filters *f)
{
	if (!f)
		return;
	for (const struct filter *at = f->all; at; at = at->next) {
		for (size_t i = 0; at->regexes && i < at->patterns.n; i++)
			ferry__pattern_release(&at->regexes[i]);
		ferry_alloc_free(at->regexes);
	}
	ferry_map_release(&f->layer_types);
	ferry_store_unref(f->store);
	ferry_alloc_free(f);
}
