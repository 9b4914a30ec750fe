/* Where recipes come from: YAML files, and jobs. */
#include "config.h"

#include "core/batch/recipe.h"

#include <stdio.h>
#include <string.h>

#include "core/handling/yaml_file.h"
#include "core/registry/registry.h"

/* ---- YAML ---------------------------------------------------------------- */

static json_t *tree_of(struct ferry__yaml *y, yaml_node_t *node);

static json_t *scalar_of(const yaml_node_t *node)
{
	const char *text = ferry__yaml_text(node);

	if (!text)
		return NULL;
	if (node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE) {
		if (!strcmp(text, "true") || !strcmp(text, "yes"))
			return json_true();
		if (!strcmp(text, "false") || !strcmp(text, "no"))
			return json_false();
	}
	return json_string(text);
}

static json_t *list_of(struct ferry__yaml *y, yaml_node_t *node)
{
	json_t *list = json_array();

	for (size_t i = 0; i < ferry__yaml_count(node); i++)
		if (json_array_append_new(list, tree_of(y, ferry__yaml_item(
							y, node, i)))) {
			json_decref(list);
			return NULL;
		}
	return list;
}

static json_t *mapping_of(struct ferry__yaml *y, yaml_node_t *node)
{
	json_t *mapping = json_object();
	yaml_node_t *value;
	const char *key;

	for (size_t i = 0; i < ferry__yaml_count(node); i++) {
		value = ferry__yaml_pair(y, node, i, &key);
		if (!key || json_object_get(mapping, key) ||
		    json_object_set_new(mapping, key, tree_of(y, value))) {
			json_decref(mapping);
			return NULL;
		}
	}
	return mapping;
}

/* NULL for what is no tree of texts.  The depth of a data file is bounded, with
 * its aliases followed. */
static json_t *tree_of(struct ferry__yaml *y, yaml_node_t *node)
{
	if (!node)
		return NULL;
	if (node->type == YAML_MAPPING_NODE)
		return mapping_of(y, node);
	if (node->type == YAML_SEQUENCE_NODE)
		return list_of(y, node);
	return scalar_of(node);
}

static int load_yaml(struct ferry__recipe *out, struct ferry__yaml *y,
		     const char *path, struct ferry_error *err)
{
	yaml_node_t *root = ferry__yaml_root(y);
	yaml_node_t *rules = ferry__yaml_get(y, root, "rules");
	json_t *tree;
	int rc;

	if (!rules || rules->type != YAML_SEQUENCE_NODE)
		return ferry__yaml_fail(y, root, err, "a recipe has a list "
					"under 'rules'");
	tree = tree_of(y, rules);
	if (!tree)
		return ferry__yaml_fail(y, rules, err, "the rules are not "
					"mappings, lists and texts alone, or "
					"have a key twice");
	rc = ferry__recipe_from_tree(out, tree, path, err);
	json_decref(tree);
	return rc;
}

static int fail_unknown(const struct ferry_store *store, const char *name,
			struct ferry_error *err)
{
	char near[300], shown[200];

	ferry__nearest_recipe(store, name, near, sizeof(near));
	ferry_escape(shown, sizeof(shown), name, strlen(name));
	return ferry_fail(err, FERRY_NOTFOUND, "recipe", FERRY_NO_OFFSET,
			  "no recipe named '%s' ships with ferry%s; name a "
			  "file of your own by its path, as in ./%s.yaml",
			  shown, near, shown);
}

/* A name without a slash or an ending is one of the shipped. */
static int open_recipe(const struct ferry_session *s, const char *path,
		       struct ferry_source **out, struct ferry_error *err)
{
	struct ferry_buffer name = FERRY_BUFFER_INIT;
	struct ferry_error why = FERRY_ERROR_INIT;
	struct ferry_store *store;
	int rc;

	if (strchr(path, '/') || strchr(path, '.'))
		return ferry_source_open_file(out, path, err);
	rc = ferry_store_new(&store, err);
	if (rc)
		return rc;
	ferry_buffer_printf(&name, "recipes/%s.yaml", path);
	rc = name.failed ? ferry_fail_nomem(err, "a recipe") :
	     ferry__store_know(store, s, err);
	if (!rc)
		rc = ferry_schema_open(store, name.data, out, &why);
	if (rc == FERRY_NOTFOUND)
		fail_unknown(store, path, err);
	else if (why.code)
		ferry_fail(err, why.code, why.origin, why.offset, "%s",
			   why.text);
	ferry_buffer_release(&name);
	ferry_store_unref(store);
	return rc;
}

int ferry__recipe_load(struct ferry__recipe *out, const struct ferry_session *s,
		       const char *path, struct ferry_error *err)
{
	struct ferry_source *src;
	struct ferry__yaml y;
	int rc = open_recipe(s, path, &src, err);

	if (rc)
		return rc;
	rc = ferry__yaml_read(&y, src, path, err);
	if (!rc) {
		rc = load_yaml(out, &y, path, err);
		ferry__yaml_release(&y);
	}
	ferry_source_unref(src);
	return rc;
}

/* ---- jobs ---------------------------------------------------------------- */

static void put_text(json_t *rule, const char *key, const char *text)
{
	if (text)
		json_object_set_new(rule, key, json_string(text));
}

static void put_list(json_t *rule, const char *key, const char *const *list,
		     size_t n)
{
	json_t *array;

	if (!n)
		return;
	array = json_array();
	for (size_t i = 0; i < n; i++)
		json_array_append_new(array, json_string(list[i]));
	json_object_set_new(rule, key, array);
}

static json_t *edit_of(const struct ferry_edit *e)
{
	switch (e->kind) {
	case FERRY_EDIT_DROP:
		return json_pack("{ss}", "drop", e->a);
	case FERRY_EDIT_KEEP:
		return json_pack("{ss}", "keep", e->a);
	case FERRY_EDIT_RENAME:
		return json_pack("{ss++}", "rename", e->a, "=>",
				 e->b ? e->b : "");
	case FERRY_EDIT_STRIP_PREFIX:
		return json_pack("{ss}", "strip-prefix", e->a);
	case FERRY_EDIT_ADD_PREFIX:
		return json_pack("{ss}", "add-prefix", e->a);
	case FERRY_EDIT_CAST:
		return e->b ? json_pack("{ss++}", "cast", e->a, ":", e->b) :
		       json_pack("{ss}", "cast", e->a);
	}
	return NULL;
}

static void put_flags(json_t *rule, const struct ferry_job *job)
{
	static const char *const shared[] = { "keep", "copy", "first",
					      "error" };

	if (job->upgrade)
		json_object_set_new(rule, "upgrade", json_true());
	if (job->weights)
		json_object_set_new(rule, "weights", json_true());
	if (job->shared != FERRY_SHARED_KEEP)
		put_text(rule, "shared", shared[job->shared]);
	if (job->allow_all_losses)
		json_object_set_new(rule, "allow-loss", json_true());
	else
		put_list(rule, "allow-loss", job->allow_loss,
			 job->n_allow_loss);
}

static json_t *rule_of(const struct ferry_job *job)
{
	json_t *rule = json_object(), *edits;

	put_text(rule, "from", job->from);
	put_text(rule, "to", job->to);
	put_text(rule, "from-format", job->from_format);
	put_text(rule, "to-format", job->to_format);
	put_text(rule, "model", job->model);
	put_text(rule, "rules", job->rules);
	put_text(rule, "expect", job->expect);
	put_list(rule, "select", job->select, job->n_select);
	put_list(rule, "with", job->with, job->n_with);
	put_list(rule, "map-path", job->map_paths, job->n_map_paths);
	put_list(rule, "set", job->settings, job->n_settings);
	put_flags(rule, job);
	if (job->n_edits) {
		edits = json_array();
		for (size_t i = 0; i < job->n_edits; i++)
			json_array_append_new(edits, edit_of(&job->edits[i]));
		json_object_set_new(rule, "edits", edits);
	}
	put_text(rule, "name", "command line");
	return rule;
}

int ferry__recipe_from_job(struct ferry__recipe *out,
			   const struct ferry_job *job, struct ferry_error *err)
{
	json_t *rules = json_array();
	int rc;

	if (!rules || json_array_append_new(rules, rule_of(job))) {
		json_decref(rules);
		return ferry_fail(err, FERRY_MISUSE, "recipe", FERRY_NO_OFFSET,
				  "the options have a text that is not UTF-8, "
				  "which the ledger can't note");
	}
	rc = ferry__recipe_from_tree(out, rules, "options", err);
	json_decref(rules);
	return rc;
}
