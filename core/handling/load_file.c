/*
 * A rule file: options, the pretrained block, the rules, and the procedure that
 * says in which order a framework applies them.
 */
#include "config.h"

#include "core/handling/loader.h"

#include <string.h>

#include <ferry/sys/plugin.h>

#include "core/registry/option.h"

static const char *const fields[] = {
	"name", "description", "options", "procedure", "pretrained",
	"parameter_groups", "source", "rules", "expect",
};

/* Of the pretrained block: a list, or true or false with its default. */
static const struct field {
	const char *name, *fallback;
} metadata[] = {
	{ "drop_params", NULL },
	{ "drop_buffers", NULL },
	{ "supports_module_prefix", "true" },
	{ "interpolate_rel_pos_bias", "false" },
	{ "strict", "false" },
};

static const struct field *find_field(const char *name)
{
	for (size_t i = 0; i < sizeof(metadata) / sizeof(*metadata); i++)
		if (!strcmp(name, metadata[i].name))
			return &metadata[i];
	return NULL;
}

const char *ferry__loading_value(const struct ferry__loading *l,
				 const char *name)
{
	const struct ferry_options options = {
		.specs = l->rules->options, .settings = l->settings,
		.n = l->n_settings,
	};
	const struct ferry_option_spec *spec = l->rules->options;
	const struct field *field = find_field(name);
	const yaml_node_t *node;
	const char *value;

	for (; spec && spec->name; spec++)
		if (!strcmp(spec->name, name)) {
			value = ferry_option(&options, name);
			return value ? value : "";
		}
	if (!field || !field->fallback)
		return NULL;
	node = l->pretrained ? ferry__yaml_get(l->model, l->pretrained, name)
			     : NULL;
	return node ? ferry__yaml_text(node) : field->fallback;
}

const yaml_node_t *ferry__loading_list(const struct ferry__loading *l,
				       const char *name, bool *known)
{
	const struct field *field = find_field(name);

	*known = field && !field->fallback;
	return *known && l->pretrained ?
	       ferry__yaml_get(l->model, l->pretrained, name) : NULL;
}

static int check_pretrained(struct ferry__loading *l, struct ferry_error *err)
{
	const yaml_node_t *node = l->pretrained, *value;
	const struct field *field;
	const char *key, *text;

	if (node && node->type != YAML_MAPPING_NODE)
		return ferry__yaml_fail(l->model, node, err,
					"pretrained: a mapping is expected");
	for (size_t i = 0; i < ferry__yaml_count(node); i++) {
		value = ferry__yaml_pair(l->model, node, i, &key);
		field = key ? find_field(key) : NULL;
		text = ferry__yaml_text(value);
		if (!field)
			return ferry__yaml_fail(l->model, value, err,
						"pretrained has no field "
						"'%.40s'", key ? key : "?");
		if (!field->fallback && value->type != YAML_SEQUENCE_NODE)
			return ferry__yaml_fail(l->model, value, err, "%s: a "
						"list is expected", key);
		if (field->fallback && (!text || (strcmp(text, "true") &&
						  strcmp(text, "false"))))
			return ferry__yaml_fail(l->model, value, err,
						"expected true or false");
	}
	return 0;
}

/* ---- options ------------------------------------------------------------- */

static const char *keep(struct ferry_rules *r, const char *text)
{
	return ferry_store_strndup(r->texts, text, strlen(text));
}

static int check_choice(const struct ferry__loading *l, struct ferry__yaml *y,
			const char *name, const yaml_node_t *values,
			struct ferry_error *err)
{
	const char *given = ferry__loading_value(l, name), *text;
	struct ferry_buffer known = FERRY_BUFFER_INIT;
	char shown[80];

	for (size_t i = 0; i < ferry__yaml_count(values); i++) {
		text = ferry__yaml_text(ferry__yaml_item(y, values, i));
		if (text && !strcmp(text, given)) {
			ferry_buffer_release(&known);
			return 0;
		}
		ferry_buffer_printf(&known, "%s%s", i ? ", " : "",
				    text && *text ? text : "''");
	}
	ferry_escape(shown, sizeof(shown), given, strlen(given));
	ferry_fail(err, FERRY_MISUSE, "handling", FERRY_NO_OFFSET,
		   "option %s is '%s': give one of %.300s", name, shown,
		   known.data ? known.data : "none");
	ferry_buffer_release(&known);
	return FERRY_MISUSE;
}

/* The values that were not chosen, to compare with. */
static int add_others(struct ferry__loading *l, struct ferry__yaml *y,
		      const char *name, const yaml_node_t *values,
		      struct ferry_error *err)
{
	struct ferry_rules *r = l->rules;
	size_t n = ferry__yaml_count(values);
	const char *given = ferry__loading_value(l, name), *text;
	struct ferry_buffer b = FERRY_BUFFER_INIT;
	const char **all;

	all = ferry_store_array(r->texts, r->n_others + n + 1, sizeof(*all));
	for (size_t i = 0; all && i < r->n_others; i++)
		all[i] = r->others[i];
	for (size_t i = 0; all && i < n; i++) {
		text = ferry__yaml_text(ferry__yaml_item(y, values, i));
		if (!text || !strcmp(text, given))
			continue;
		b.n = 0;
		ferry_buffer_printf(&b, "%s=%s", name, text);
		all[r->n_others] = b.failed ? NULL : keep(r, b.data);
		if (!all[r->n_others++])
			all = NULL;
	}
	ferry_buffer_release(&b);
	r->others = all;
	return all ? 0 : ferry_fail_nomem(err, "rules");
}

static int read_option(struct ferry__loading *l, struct ferry__yaml *y,
		       const char *name, const yaml_node_t *node,
		       struct ferry_error *err)
{
	struct ferry_rules *r = l->rules;
	const yaml_node_t *values = NULL, *value;
	struct ferry_option_spec spec = { .help = "" };
	bool compare = false;
	struct ferry_option_spec *specs;
	const char *key, *text;

	if (!name || node->type != YAML_MAPPING_NODE)
		return ferry__yaml_fail(y, node, err, "an option is a name and "
					"a mapping with default, values and "
					"help");
	spec.name = keep(r, name);
	for (size_t i = 0; i < ferry__yaml_count(node); i++) {
		value = ferry__yaml_pair(y, node, i, &key);
		text = ferry__yaml_text(value);
		if (key && !strcmp(key, "values") &&
		    value->type == YAML_SEQUENCE_NODE)
			values = value;
		else if (key && text && !strcmp(key, "default"))
			spec.fallback = keep(r, text);
		else if (key && text && !strcmp(key, "help"))
			spec.help = keep(r, text);
		else if (key && text && !strcmp(key, "compare"))
			compare = !strcmp(text, "true");
		else
			return ferry__yaml_fail(y, value, err, "an option has "
						"default, values (a list), "
						"compare and help");
	}
	specs = ferry_store_array(r->texts, r->n_options + 2, sizeof(*specs));
	if (!specs || !spec.name || !spec.help)
		return ferry_fail_nomem(err, "rules");
	if (r->n_options)
		memcpy(specs, r->options, r->n_options * sizeof(*specs));
	specs[r->n_options++] = spec;
	specs[r->n_options] = (struct ferry_option_spec){ .name = NULL };
	r->options = specs;
	if (!values)
		return 0;
	if (check_choice(l, y, spec.name, values, err))
		return FERRY_MISUSE;
	return compare ? add_others(l, y, spec.name, values, err) : 0;
}

static int read_options(struct ferry__loading *l, struct ferry__yaml *y,
			struct ferry_error *err)
{
	const yaml_node_t *options = ferry__yaml_get(y, ferry__yaml_root(y),
						     "options"), *value;
	const char *name;
	int rc = 0;

	if (options && options->type != YAML_MAPPING_NODE)
		return ferry__yaml_fail(y, options, err,
					"options: a mapping is expected");
	for (size_t i = 0; !rc && i < ferry__yaml_count(options); i++) {
		value = ferry__yaml_pair(y, options, i, &name);
		rc = read_option(l, y, name, value, err);
	}
	return rc;
}

/* ---- the rest ------------------------------------------------------------ */

/* A text, or a mapping with `key` and when it is looked for: 1 when it is. */
static int source_key(const struct ferry__loading *l, struct ferry__yaml *y,
		      const yaml_node_t *item, const char **out,
		      struct ferry_error *err)
{
	const char *key;

	*out = ferry__yaml_text(item);
	if (*out)
		return 1;
	for (size_t i = 0; item->type == YAML_MAPPING_NODE &&
	     i < ferry__yaml_count(item); i++) {
		const yaml_node_t *value = ferry__yaml_pair(y, item, i, &key);

		if (key && !strcmp(key, "key"))
			*out = ferry__yaml_text(value);
		else if (!key || (strcmp(key, "when") && strcmp(key, "unless")))
			return ferry__yaml_fail(y, value, err, "a source has "
						"key, when and unless");
	}
	if (!*out)
		return ferry__yaml_fail(y, item, err,
					"source: a text is expected");
	return ferry__loading_applies(l, y, item, err);
}

static int read_source(struct ferry__loading *l, struct ferry__yaml *y,
		       struct ferry_error *err)
{
	const yaml_node_t *list = ferry__yaml_get(y, ferry__yaml_root(y),
						  "source"), *item;
	struct ferry_rules *r = l->rules;
	size_t n = ferry__yaml_count(list);
	const char *text;
	int rc;

	if (!list)
		return 0;
	if (list->type != YAML_SEQUENCE_NODE || !n)
		return ferry__yaml_fail(y, list, err, "source: a list of keys "
					"is expected, \"\" for the root");
	r->source = ferry_store_array(r->texts, n, sizeof(*r->source));
	if (!r->source)
		return ferry_fail_nomem(err, "rules");
	r->n_source = 0;
	for (size_t i = 0; i < n; i++) {
		item = ferry__yaml_item(y, list, i);
		rc = source_key(l, y, item, &text, err);
		if (rc < 0)
			return rc;
		if (!rc)
			continue;
		r->source[r->n_source] = keep(r, text);
		if (!r->source[r->n_source++])
			return ferry_fail_nomem(err, "rules");
	}
	return 0;
}

static int read_expect(struct ferry__loading *l, struct ferry__yaml *y,
		       struct ferry_error *err)
{
	const yaml_node_t *node = ferry__yaml_get(y, ferry__yaml_root(y),
						  "expect");
	const char *text = node ? ferry__yaml_text(node) : NULL;

	l->rules->strict = !strcmp(ferry__loading_value(l, "strict"), "true");
	if (!node)
		return 0;
	if (!text || !*text)
		return ferry__yaml_fail(y, node, err, "expect: the name of a "
					"tensor schema is expected");
	l->rules->expect = keep(l->rules, text);
	return l->rules->expect ? 0 : ferry_fail_nomem(err, "rules");
}

static int check_root(struct ferry__yaml *y, struct ferry_error *err)
{
	const yaml_node_t *root = ferry__yaml_root(y), *value;
	const char *key;
	size_t k;

	if (!root || root->type != YAML_MAPPING_NODE)
		return ferry__yaml_fail(y, root, err, "a rule file is a "
					"mapping with name, description and "
					"rules");
	for (size_t i = 0; i < ferry__yaml_count(root); i++) {
		value = ferry__yaml_pair(y, root, i, &key);
		for (k = 0; key && k < sizeof(fields) / sizeof(*fields); k++)
			if (!strcmp(key, fields[k]))
				break;
		if (!key || k == sizeof(fields) / sizeof(*fields))
			return ferry__yaml_fail(y, value, err, "field '%.40s' "
						"is not known; a rule file has "
						"name, description, options, "
						"procedure, pretrained, "
						"parameter_groups, source, "
						"rules and expect",
						key ? key : "?");
	}
	return 0;
}

static int read_file(struct ferry__loading *l, struct ferry__yaml *y,
		     struct ferry_error *err)
{
	int rc = check_root(y, err);

	if (!rc)
		rc = read_options(l, y, err);
	if (!rc)
		rc = read_source(l, y, err);
	return rc ? rc : read_expect(l, y, err);
}

/* Where no procedure says otherwise: the file's rules, then what is dropped. */
static int read_plain(struct ferry__loading *l, struct ferry_error *err)
{
	static const char order[] = "- rules\n"
		"- drop: {match: word, pattern: $drop_params}\n"
		"- drop: {match: substring, pattern: $drop_buffers}\n";
	struct ferry_source *src;
	struct ferry__yaml y;
	int rc;

	if (!strcmp(ferry__loading_value(l, "interpolate_rel_pos_bias"),
		    "true"))
		return ferry__yaml_fail(l->model, l->pretrained, err,
					"interpolate_rel_pos_bias needs a "
					"procedure, which says for what images");
	rc = ferry_source_from_memory(&src, order, sizeof(order) - 1,
				      "rules", err);
	if (rc)
		return rc;
	rc = ferry__yaml_read(&y, src, "rules", err);
	ferry_source_unref(src);
	if (rc)
		return rc;
	rc = ferry__load_rules_of(l, &y, ferry__yaml_root(&y), err);
	ferry__yaml_release(&y);
	return rc;
}

static int read_procedure(struct ferry__loading *l, const yaml_node_t *node,
			  struct ferry_error *err)
{
	const char *name = ferry__yaml_text(node);
	const yaml_node_t *rules;
	struct ferry_source *src;
	struct ferry__yaml y;
	int rc;

	if (!name)
		return ferry__yaml_fail(l->model, node, err, "procedure: the "
					"name of a file is expected");
	rc = ferry_schema_open(l->store, name, &src, err);
	if (rc)
		return rc;
	rc = ferry__yaml_read(&y, src, name, err);
	ferry_source_unref(src);
	if (rc)
		return rc;
	rc = read_file(l, &y, err);
	rules = ferry__yaml_get(&y, ferry__yaml_root(&y), "rules");
	if (!rc && !rules)
		rc = ferry__yaml_fail(&y, ferry__yaml_root(&y), err,
				      "rules are missing");
	if (!rc)
		rc = ferry__load_rules_of(l, &y, rules, err);
	ferry__yaml_release(&y);
	return rc;
}

static int read_model(struct ferry__loading *l, struct ferry_error *err)
{
	struct ferry__yaml *y = l->model;
	const yaml_node_t *procedure, *rules;
	int rc = check_root(y, err);

	if (rc)
		return rc;
	l->pretrained = ferry__yaml_get(y, ferry__yaml_root(y), "pretrained");
	l->rules->pretrained |= !!l->pretrained;
	procedure = ferry__yaml_get(y, ferry__yaml_root(y), "procedure");
	rules = ferry__yaml_get(y, ferry__yaml_root(y), "rules");
	rc = check_pretrained(l, err);
	if (!rc)
		rc = read_file(l, y, err);
	if (rc)
		return rc;
	if (procedure)
		return read_procedure(l, procedure, err);
	if (l->pretrained)
		return read_plain(l, err);
	if (!rules)
		return ferry__yaml_fail(y, ferry__yaml_root(y), err,
					"rules: a list is expected");
	return ferry__load_rules_of(l, y, rules, err);
}

int ferry_rules_load_for(struct ferry_rules *r, const char *path,
			 const struct ferry_store *store,
			 const char *const *settings, size_t n,
			 struct ferry_error *err)
{
	struct ferry__yaml y;
	struct ferry__loading l = {
		.rules = r, .model = &y, .store = store, .settings = settings,
		.n_settings = n,
	};
	size_t before = r->n;
	int rc = 0;

	if (!r->texts)
		rc = ferry_store_new(&r->texts, err);
	if (!rc)
		rc = ferry__yaml_load(&y, path, err);
	if (rc)
		return rc;
	rc = read_model(&l, err);
	if (rc)
		ferry__rules_truncate(r, before);
	ferry__yaml_release(&y);
	return rc;
}

int ferry_rules_load(struct ferry_rules *r, const char *path,
		     struct ferry_error *err)
{
	return ferry_rules_load_for(r, path, NULL, NULL, 0, err);
}
