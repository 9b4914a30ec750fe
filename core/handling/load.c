/* One rule of a file, or several that differ in their pattern. */
#include "config.h"

#include "core/handling/loader.h"

#include <stdlib.h>
#include <string.h>

struct verb {
	const char *name;
	int kind;
	const char *subject;		/* what a plain text stands for */
	const char *keys[6];		/* lawful in a mapping */
};

static const struct verb verbs[] = {
	{ "drop", FERRY_EDIT_DROP, "pattern",
		{ "match", "pattern", "optional" } },
	{ "keep", FERRY_EDIT_KEEP, "pattern",
		{ "match", "pattern", "optional" } },
	{ "rename", FERRY_EDIT_RENAME, NULL,
		{ "match", "pattern", "to", "optional" } },
	{ "strip_prefix", FERRY_EDIT_STRIP_PREFIX, "prefix",
		{ "prefix", "required", "optional" } },
	{ "add_prefix", FERRY_EDIT_ADD_PREFIX, "prefix",
		{ "prefix", "unless_present" } },
	{ "cast", FERRY_EDIT_CAST, "dtype",
		{ "match", "pattern", "dtype", "all", "optional" } },
	{ "resize_bias", FERRY__EDIT_RESIZE_BIAS, NULL,
		{ "match", "pattern", "image", "stride", "optional" } },
	{ "require", FERRY__EDIT_REQUIRE, "pattern", { "match", "pattern" } },
};

/* A rule being read: its texts, and a list in the place of its pattern. */
struct body {
	struct ferry__loading *loading;
	struct ferry__yaml *y;
	const struct verb *verb;
	struct ferry__rule_text text;
	struct ferry__yaml *of;		/* the file the list is in */
	const yaml_node_t *list;
	bool listed;			/* a list was given, maybe without one */
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
	for (size_t i = 0; key && i < sizeof(verb->keys) / sizeof(*verb->keys);
	     i++)
		if (verb->keys[i] && !strcmp(key, verb->keys[i]))
			return true;
	return false;
}

/* The text of a scalar, or what a "$NAME" stands for; NULL with an error. */
static const char *resolve(const struct body *b, const yaml_node_t *node,
			   const char *key, struct ferry_error *err)
{
	const char *text = ferry__yaml_text(node), *value;

	if (!text)
		ferry__yaml_fail(b->y, node, err, "%s: a text is expected",
				 key);
	if (!text || *text != '$' || text[1] == '$')
		return text && *text == '$' ? text + 1 : text;
	value = ferry__loading_value(b->loading, text + 1);
	if (!value)
		ferry__yaml_fail(b->y, node, err, "%s: nothing is known as "
				 "'%.60s' here: it is neither an option nor a "
				 "field of the pretrained block", key,
				 text + 1);
	return value;
}

static int read_flag(const struct body *b, const char *key,
		     const yaml_node_t *node, bool *out,
		     struct ferry_error *err)
{
	const char *text = resolve(b, node, key, err);

	if (!text)
		return FERRY_MALFORMED;
	if (!strcmp(text, "true") || !strcmp(text, "false")) {
		*out = *text == 't';
		return 0;
	}
	return ferry__yaml_fail(b->y, node, err, "expected true or false");
}

static int read_match(const struct body *b, const yaml_node_t *node,
		      enum ferry__match *out, struct ferry_error *err)
{
	const char *text = resolve(b, node, "match", err);
	int match = text ? ferry__match_find(text) : -1;

	if (!text)
		return FERRY_MALFORMED;
	if (match < 0)
		return ferry__yaml_fail(b->y, node, err, "match is regex, "
					"word, component, glob, prefix, "
					"substring or exact");
	*out = (enum ferry__match)match;
	return 0;
}

static int read_count(const struct body *b, const char *key,
		      const yaml_node_t *node, uint64_t *out,
		      struct ferry_error *err)
{
	const char *text = resolve(b, node, key, err);
	char *end;

	if (!text)
		return FERRY_MALFORMED;
	*out = strtoull(text, &end, 10);
	if (*text >= '0' && *text <= '9' && !*end && *out <= UINT32_MAX)
		return 0;
	return ferry__yaml_fail(b->y, node, err, "%s is '%.40s': a whole "
				"number is expected%s", key, text,
				*text ? "" : "; give the option");
}

/* A list, or the name of one: it stands for as many rules. */
static bool take_list(struct body *b, const char *key, const yaml_node_t *node)
{
	const char *text = ferry__yaml_text(node);
	bool known = false;

	if (strcmp(key, "pattern"))
		return false;
	if (node->type == YAML_SEQUENCE_NODE) {
		b->list = node;
		b->of = b->y;
		b->listed = true;
		return true;
	}
	if (!text || *text != '$')
		return false;
	b->list = ferry__loading_list(b->loading, text + 1, &known);
	b->of = b->loading->model;
	b->listed = known;
	return known;
}

static int read_field(struct body *b, const char *key, const yaml_node_t *node,
		      struct ferry_error *err)
{
	struct ferry__rule_text *out = &b->text;
	const char *text;

	if (!strcmp(key, "match"))
		return read_match(b, node, &out->match, err);
	if (!strcmp(key, "required"))
		return read_flag(b, key, node, &out->required, err);
	if (!strcmp(key, "optional"))
		return read_flag(b, key, node, &out->optional, err);
	if (!strcmp(key, "unless_present"))
		return read_flag(b, key, node, &out->unless_present, err);
	if (!strcmp(key, "all"))
		return read_flag(b, key, node, &out->all, err);
	if (!strcmp(key, "image"))
		return read_count(b, key, node, &out->image, err);
	if (!strcmp(key, "stride"))
		return read_count(b, key, node, &out->stride, err);
	if (take_list(b, key, node))
		return 0;
	text = resolve(b, node, key, err);
	if (!text)
		return FERRY_MALFORMED;
	if (!strcmp(key, "to"))
		out->to = text;
	else if (!strcmp(key, "dtype"))
		out->dtype = text;
	else
		out->pattern = text;
	return 0;
}

static int read_body(struct body *b, const yaml_node_t *node,
		     struct ferry_error *err)
{
	const struct verb *verb = b->verb;
	const yaml_node_t *value;
	const char *key;
	int rc = 0;

	if (node->type != YAML_MAPPING_NODE && verb->subject)
		return read_field(b, verb->subject, node, err);
	if (node->type != YAML_MAPPING_NODE)
		return ferry__yaml_fail(b->y, node, err, "%s: expected a "
					"mapping", verb->name);
	for (size_t i = 0; i < ferry__yaml_count(node) && !rc; i++) {
		value = ferry__yaml_pair(b->y, node, i, &key);
		rc = has_key(verb, key) ? read_field(b, key, value, err) :
		     ferry__yaml_fail(b->y, value, err, "%s has no field "
				      "'%.40s'", verb->name, key ? key : "?");
	}
	return rc;
}

static int check_complete(const struct body *b, const yaml_node_t *node,
			  struct ferry_error *err)
{
	const struct ferry__rule_text *text = &b->text;

	if (text->kind == FERRY_EDIT_CAST ? !text->dtype :
	    !text->pattern && !b->listed)
		return ferry__yaml_fail(b->y, node, err, "%s: %s is missing",
					b->verb->name, b->verb->subject ?
					b->verb->subject : "pattern");
	if (text->kind == FERRY_EDIT_RENAME && !text->to)
		return ferry__yaml_fail(b->y, node, err,
					"rename: to is missing");
	if (text->kind == FERRY__EDIT_RESIZE_BIAS &&
	    (!text->image || !text->stride))
		return ferry__yaml_fail(b->y, node, err, "resize_bias: %s is "
					"missing", text->image ? "stride" :
					"image");
	return 0;
}

static int append(const struct body *b, const struct ferry__yaml *y,
		  const yaml_node_t *at, struct ferry_error *err)
{
	struct ferry_error why = FERRY_ERROR_INIT;
	int rc = ferry__rules_append(b->loading->rules, &b->text, &why);

	if (rc == FERRY_MISUSE)
		return ferry__yaml_fail(y, at, err, "%s", why.text);
	return rc ? ferry_fail(err, rc, why.origin, why.offset, "%s", why.text)
		  : 0;
}

static int append_all(struct body *b, const yaml_node_t *at,
		      struct ferry_error *err)
{
	const yaml_node_t *item;
	int rc = 0;

	if (!b->listed)
		return append(b, b->y, at, err);
	for (size_t i = 0; !rc && i < ferry__yaml_count(b->list); i++) {
		item = ferry__yaml_item(b->of, b->list, i);
		b->text.pattern = ferry__yaml_text(item);
		rc = b->text.pattern ? append(b, b->of, item, err) :
		     ferry__yaml_fail(b->of, item, err,
				      "pattern: a text is expected");
	}
	return rc;
}

/* A value, or a list of which it is one. */
static bool is_among(struct ferry__yaml *y, const yaml_node_t *wanted,
		     const char *value)
{
	const char *text = ferry__yaml_text(wanted);

	if (text)
		return !strcmp(text, value);
	for (size_t i = 0; i < ferry__yaml_count(wanted); i++) {
		text = ferry__yaml_text(ferry__yaml_item(y, wanted, i));
		if (text && !strcmp(text, value))
			return true;
	}
	return false;
}

int ferry__loading_holds(const struct ferry__loading *l, struct ferry__yaml *y,
			 const yaml_node_t *when, struct ferry_error *err)
{
	const yaml_node_t *wanted;
	const char *name, *value;

	if (when->type != YAML_MAPPING_NODE)
		return ferry__yaml_fail(y, when, err, "when: a "
					"mapping of options to values is "
					"expected");
	for (size_t i = 0; i < ferry__yaml_count(when); i++) {
		wanted = ferry__yaml_pair(y, when, i, &name);
		value = name ? ferry__loading_value(l, name) : NULL;
		if (!value)
			return ferry__yaml_fail(y, wanted, err, "when: "
						"'%.60s' is neither an option "
						"nor a field of the pretrained "
						"block", name ? name : "?");
		if (!is_among(y, wanted, value))
			return 0;
	}
	return 1;
}

int ferry__loading_applies(const struct ferry__loading *l,
			   struct ferry__yaml *y, const yaml_node_t *node,
			   struct ferry_error *err)
{
	const yaml_node_t *when = ferry__yaml_get(y, node, "when");
	const yaml_node_t *unless = ferry__yaml_get(y, node, "unless");
	int rc = when ? ferry__loading_holds(l, y, when, err) : 1;

	if (rc <= 0 || !unless)
		return rc;
	rc = ferry__loading_holds(l, y, unless, err);
	return rc < 0 ? rc : !rc;
}

static bool is_condition(const char *key)
{
	return key && (!strcmp(key, "when") || !strcmp(key, "unless"));
}

static int read_rule(struct ferry__loading *l, struct ferry__yaml *y,
		     const yaml_node_t *node, struct ferry_error *err)
{
	struct body b = { .loading = l, .y = y, .text.match = FERRY__REGEX };
	const yaml_node_t *body = NULL, *value;
	const char *name = NULL, *key;
	size_t verbs_given = 0;
	int rc;

	for (size_t i = 0; node->type == YAML_MAPPING_NODE &&
	     i < ferry__yaml_count(node); i++) {
		value = ferry__yaml_pair(y, node, i, &key);
		if (is_condition(key))
			continue;
		verbs_given++;
		name = key;
		body = value;
	}
	if (verbs_given != 1)
		return ferry__yaml_fail(y, node, err, "a rule is one key, such "
					"as `drop: \"^head\"`, and maybe "
					"`when` or `unless`");
	b.verb = find_verb(name);
	if (!b.verb)
		return ferry__yaml_fail(y, node, err, "rule '%.40s' is not "
					"known; rules are drop, keep, rename, "
					"strip_prefix, add_prefix, cast, "
					"resize_bias, require", name ? name : "?");
	rc = ferry__loading_applies(l, y, node, err);
	if (rc <= 0)
		return rc;
	b.text.kind = b.verb->kind;
	rc = read_body(&b, body, err);
	if (!rc)
		rc = check_complete(&b, node, err);
	return rc ? rc : append_all(&b, body, err);
}

int ferry__load_rules_of(struct ferry__loading *l, struct ferry__yaml *y,
			 const yaml_node_t *list, struct ferry_error *err)
{
	const yaml_node_t *item, *own;
	int rc = 0;

	if (list->type != YAML_SEQUENCE_NODE)
		return ferry__yaml_fail(y, list, err,
					"rules: a list is expected");
	for (size_t i = 0; !rc && i < ferry__yaml_count(list); i++) {
		item = ferry__yaml_item(y, list, i);
		if (y == l->model || !ferry__yaml_text(item) ||
		    strcmp(ferry__yaml_text(item), "rules")) {
			rc = read_rule(l, y, item, err);
			continue;
		}
		own = ferry__yaml_get(l->model, ferry__yaml_root(l->model),
				      "rules");
		if (own)
			rc = ferry__load_rules_of(l, l->model, own, err);
	}
	return rc;
}
