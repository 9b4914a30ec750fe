/* Rules from YAML. */
#include "config.h"

#include "core/handling/rules.h"

#include <string.h>

#include "core/handling/yaml_file.h"

struct verb {
	const char *name;
	enum ferry_edit_kind kind;
	const char *subject;		/* what a plain text stands for */
	const char *keys[5];		/* lawful in a mapping */
};

static const struct verb verbs[] = {
	{ "drop", FERRY_EDIT_DROP, "pattern", { "match", "pattern" } },
	{ "keep", FERRY_EDIT_KEEP, "pattern", { "match", "pattern" } },
	{ "rename", FERRY_EDIT_RENAME, NULL, { "match", "pattern", "to" } },
	{ "strip_prefix", FERRY_EDIT_STRIP_PREFIX, "prefix",
		{ "prefix", "required" } },
	{ "add_prefix", FERRY_EDIT_ADD_PREFIX, "prefix", { "prefix" } },
	{ "cast", FERRY_EDIT_CAST, "dtype",
		{ "match", "pattern", "dtype", "all" } },
};

static const struct verb *find_verb(const char *name)
{
	for (size_t i = 0; name && i < sizeof(verbs) / sizeof(*verbs); i++)
		if (!strcmp(name, verbs[i].name))
			return &verbs[i];
	return NULL;
}

static bool has_key(const struct verb *verb, const char *key)
{
	for (size_t i = 0; key && verb->keys[i]; i++)
		if (!strcmp(key, verb->keys[i]))
			return true;
	return false;
}

static int read_flag(const struct ferry__yaml *y, const yaml_node_t *node,
		     bool *out, struct ferry_error *err)
{
	const char *text = ferry__yaml_text(node);

	if (text && (!strcmp(text, "true") || !strcmp(text, "false"))) {
		*out = *text == 't';
		return 0;
	}
	return ferry__yaml_fail(y, node, err, "expected true or false");
}

static int read_match(const struct ferry__yaml *y, const yaml_node_t *node,
		      enum ferry__match *out, struct ferry_error *err)
{
	const char *text = ferry__yaml_text(node);
	int match = text ? ferry__match_find(text) : -1;

	if (match < 0)
		return ferry__yaml_fail(y, node, err, "match is regex, glob, "
					"prefix, substring or exact");
	*out = (enum ferry__match)match;
	return 0;
}

static int read_field(const struct ferry__yaml *y, const char *key,
		      const yaml_node_t *node, struct ferry__rule_text *out,
		      struct ferry_error *err)
{
	const char *text = ferry__yaml_text(node);

	if (!strcmp(key, "match"))
		return read_match(y, node, &out->match, err);
	if (!strcmp(key, "required"))
		return read_flag(y, node, &out->required, err);
	if (!strcmp(key, "all"))
		return read_flag(y, node, &out->all, err);
	if (!text)
		return ferry__yaml_fail(y, node, err, "%s: a text is expected",
					key);
	if (!strcmp(key, "to"))
		out->to = text;
	else if (!strcmp(key, "dtype"))
		out->dtype = text;
	else
		out->pattern = text;
	return 0;
}

static int read_body(struct ferry__yaml *y, const struct verb *verb,
		     const yaml_node_t *node, struct ferry__rule_text *out,
		     struct ferry_error *err)
{
	const yaml_node_t *value;
	const char *key;
	int rc = 0;

	if (ferry__yaml_text(node) && verb->subject)
		return read_field(y, verb->subject, node, out, err);
	if (node->type != YAML_MAPPING_NODE)
		return ferry__yaml_fail(y, node, err, "%s: expected %sa "
					"mapping", verb->name,
					verb->subject ? "a text or " : "");
	for (size_t i = 0; i < ferry__yaml_count(node) && !rc; i++) {
		value = ferry__yaml_pair(y, node, i, &key);
		rc = has_key(verb, key) ?
		     read_field(y, key, value, out, err) :
		     ferry__yaml_fail(y, value, err, "%s has no field '%.40s'",
				      verb->name, key ? key : "?");
	}
	return rc;
}

static int check_complete(const struct ferry__yaml *y, const struct verb *verb,
			  const yaml_node_t *node,
			  const struct ferry__rule_text *text,
			  struct ferry_error *err)
{
	if (text->kind == FERRY_EDIT_CAST ? !text->dtype : !text->pattern)
		return ferry__yaml_fail(y, node, err, "%s: %s is missing",
					verb->name, verb->subject ?
					verb->subject : "pattern");
	if (text->kind == FERRY_EDIT_RENAME && !text->to)
		return ferry__yaml_fail(y, node, err, "rename: to is missing");
	return 0;
}

static int read_rule(struct ferry_rules *r, struct ferry__yaml *y,
		     const yaml_node_t *node, struct ferry_error *err)
{
	struct ferry_error why = FERRY_ERROR_INIT;
	struct ferry__rule_text text = { .match = FERRY__REGEX };
	const struct verb *verb;
	const yaml_node_t *body;
	const char *name;
	int rc;

	if (node->type != YAML_MAPPING_NODE || ferry__yaml_count(node) != 1)
		return ferry__yaml_fail(y, node, err, "a rule is one key, such "
					"as `drop: \"^head\"`");
	body = ferry__yaml_pair(y, node, 0, &name);
	verb = find_verb(name);
	if (!verb)
		return ferry__yaml_fail(y, node, err, "rule '%.40s' is not "
					"known; rules are drop, keep, rename, "
					"strip_prefix, add_prefix, cast",
					name ? name : "?");
	text.kind = verb->kind;
	rc = read_body(y, verb, body, &text, err);
	if (!rc)
		rc = check_complete(y, verb, node, &text, err);
	if (rc)
		return rc;
	rc = ferry__rules_append(r, &text, &why);
	if (rc == FERRY_MISUSE)
		return ferry__yaml_fail(y, body, err, "%s", why.text);
	return rc ? ferry_fail(err, rc, why.origin, why.offset, "%s", why.text)
		  : 0;
}

static int read_root(struct ferry_rules *r, struct ferry__yaml *y,
		     struct ferry_error *err)
{
	const yaml_node_t *root = ferry__yaml_root(y), *value;
	const char *key;
	int rc = 0;

	if (!root || root->type != YAML_MAPPING_NODE)
		return ferry__yaml_fail(y, root, err, "a rule file is a "
					"mapping with name, description and "
					"rules");
	for (size_t i = 0; i < ferry__yaml_count(root) && !rc; i++) {
		value = ferry__yaml_pair(y, root, i, &key);
		if (key && !strcmp(key, "rules"))
			continue;
		if (!key || (strcmp(key, "name") && strcmp(key, "description")))
			rc = ferry__yaml_fail(y, value, err, "field '%.40s' is "
					      "not known; a rule file has name, "
					      "description and rules",
					      key ? key : "?");
	}
	value = ferry__yaml_get(y, root, "rules");
	if (!rc && (!value || value->type != YAML_SEQUENCE_NODE))
		rc = ferry__yaml_fail(y, value ? value : root, err,
				      "rules: a list is expected");
	for (size_t i = 0; !rc && i < ferry__yaml_count(value); i++)
		rc = read_rule(r, y, ferry__yaml_item(y, value, i), err);
	return rc;
}

int ferry_rules_load(struct ferry_rules *r, const char *path,
		     struct ferry_error *err)
{
	struct ferry__yaml y;
	size_t before = r->n;
	int rc = ferry__yaml_load(&y, path, err);

	if (rc)
		return rc;
	rc = read_root(r, &y, err);
	if (rc)
		ferry__rules_truncate(r, before);
	ferry__yaml_release(&y);
	return rc;
}
