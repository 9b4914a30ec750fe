/* Nodes to values, as PyYAML's SafeLoader and OmegaConf's loader do. */
#include "config.h"

#include <string.h>

#include "formats/yaml/node.h"
#include "formats/yaml/scalar.h"

static int fail_nomem(struct yaml_load *y)
{
	return ferry_fail_nomem(y->err, "a YAML document");
}

static bool is_omegaconf(const struct yaml_load *y)
{
	return y->options->schema == YAML_OMEGACONF;
}

/* ---- scalars ------------------------------------------------------------- */

static const char *quoted(const struct node *node, char out[64])
{
	return ferry_escape(out, 64, node->u.text.data, node->u.text.n);
}

static int fail_scalar(struct yaml_load *y, const struct node *node, int rc,
		       const char *what)
{
	char shown[64];

	if (rc == FERRY_NOMEM)
		return fail_nomem(y);
	if (rc == FERRY_LIMIT)
		return yaml_fail_at(y, node, FERRY_LIMIT,
				    "%s of %zu characters is too long", what,
				    node->u.text.n);
	return yaml_fail_at(y, node, FERRY_MALFORMED, "'%s' is no %s",
			    quoted(node, shown), what);
}

/* The scalar of a node; a mapping's is the one under its key "=". */
static int scalar_of(struct yaml_load *y, struct node *node,
		     struct node **out)
{
	struct node *at = node;

	for (unsigned depth = 0; at->shape == SHAPE_MAPPING &&
	     depth < FERRY_MAX_DEPTH; depth++) {
		uint32_t i = 0;

		while (i < at->n && at->u.entries[i].key->tag != TAG_VALUE)
			i++;
		if (i == at->n)
			break;
		at = at->u.entries[i].value;
	}
	if (at->shape != SHAPE_SCALAR)
		return yaml_fail_at(y, node, FERRY_MALFORMED,
				    "a scalar is expected, but this is a %s",
				    at->shape == SHAPE_MAPPING ? "mapping" :
								 "sequence");
	*out = at;
	return 0;
}

static int make_bool(struct yaml_load *y, const struct node *node,
		     struct ferry_value **out)
{
	static const char *const words[] = {
		"no", "yes", "false", "true", "off", "on",
	};
	char word[8];
	size_t n = node->u.text.n;

	for (size_t i = 0; i < n && i < sizeof(word); i++) {
		char c = node->u.text.data[i];

		word[i] = c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
	}
	for (unsigned i = 0; i < 6; i++)
		if (strlen(words[i]) == n && !memcmp(words[i], word, n)) {
			*out = ferry_bool(i & 1);
			return 0;
		}
	return fail_scalar(y, node, FERRY_MALFORMED, "boolean");
}

static int make_float(struct yaml_load *y, const struct node *node,
		      struct ferry_value **out)
{
	double f = 0;
	int rc = yaml_parse_float(node->u.text.data, node->u.text.n, &f);

	if (rc)
		return fail_scalar(y, node, rc, "float");
	*out = ferry_float(y->store, f);
	return *out ? 0 : fail_nomem(y);
}

static int make_time(struct yaml_load *y, const struct node *node,
		     struct ferry_value **out)
{
	struct yaml_time t;
	int rc = FERRY_MALFORMED;

	if (is_omegaconf(y))
		return yaml_fail_at(y, node, FERRY_UNSUPPORTED,
				    "OmegaConf holds no dates; write a string");
	if (yaml_scan_time(node->u.text.data, node->u.text.n, &t))
		rc = yaml_make_time(y->store, &t, out);
	return rc ? fail_scalar(y, node, rc, "date") : 0;
}

static int make_scalar(struct yaml_load *y, enum yaml_tag tag,
		       struct node *node, struct ferry_value **out)
{
	const char *text = node->u.text.data;
	size_t n = node->u.text.n;
	int rc;

	switch (tag) {
	case TAG_NULL:
		*out = ferry_none();
		return 0;
	case TAG_BOOL:
		return make_bool(y, node, out);
	case TAG_INT:
		rc = yaml_parse_int(y->store, text, n, out);
		return rc ? fail_scalar(y, node, rc, "integer") : 0;
	case TAG_FLOAT:
		return make_float(y, node, out);
	case TAG_BINARY:
		rc = yaml_parse_binary(y->store, text, n, out);
		return rc ? fail_scalar(y, node, rc, "base64") : 0;
	case TAG_TIMESTAMP:
		return make_time(y, node, out);
	default:
		*out = ferry_string(y->store, text, n);
		return *out ? 0 : fail_nomem(y);
	}
}

/* ---- mappings ------------------------------------------------------------ */

static bool is_key(const struct yaml_load *y, const struct ferry_value *v)
{
	switch (v->kind) {
	case FERRY_LIST:
	case FERRY_DICT:
	case FERRY_SET:
		return false;
	case FERRY_NONE:
	case FERRY_OBJECT:
		return !is_omegaconf(y);
	default:
		return true;
	}
}

static int report_duplicate(struct yaml_load *y, const struct node *key)
{
	enum yaml_duplicates how = y->options->duplicates;
	char shown[64] = "";

	if (key->shape == SHAPE_SCALAR)
		quoted(key, shown);
	if (how == YAML_DUPLICATES_REFUSE ||
	    (is_omegaconf(y) && key->tag == TAG_STR))
		return yaml_fail_at(y, key, FERRY_MALFORMED,
				    "key '%s' stands twice in one mapping",
				    shown);
	if (how == YAML_DUPLICATES_WARN &&
	    ferry_findings_add(y->options->findings, FERRY_WARNING,
			       "duplicate-key", "",
			       yaml_offset_of(y, key->index),
			       "line %u column %u: key '%s' stands twice in "
			       "one mapping; the last value holds",
			       key->line + 1, key->column + 1, shown))
		return fail_nomem(y);
	return 0;
}

/* own: the keys met so far that did not come by merging; may be NULL. */
static int set_entry(struct yaml_load *y, struct ferry_value *dict,
		     struct ferry_value *own, const struct yaml_entry *entry,
		     unsigned depth)
{
	struct ferry_value *key, *value;
	uint32_t n;
	int rc = yaml_construct(y, entry->key, depth + 1, &key);

	if (!rc && !is_key(y, key))
		rc = yaml_fail_at(y, entry->key, FERRY_MALFORMED,
				  "a %s can't be a key", key->kind ==
				  FERRY_NONE ? "null" :
				  ferry_kind_name(key->kind));
	if (!rc && own) {
		n = own->u.dict.n;
		rc = ferry_dict_set(y->scratch, own, key, key);
		if (rc)
			return fail_nomem(y);
		if (own->u.dict.n == n)
			rc = report_duplicate(y, entry->key);
	}
	if (!rc)
		rc = yaml_construct(y, entry->value, depth + 1, &value);
	if (rc)
		return rc;
	rc = ferry_dict_set(y->store, dict, key, value);
	return rc == FERRY_LIMIT ? yaml_fail_at(y, entry->key, rc,
						"mapping is too long") :
	       rc ? fail_nomem(y) : 0;
}

static int fill_dict(struct yaml_load *y, struct node *node,
		     struct ferry_value *dict, unsigned depth)
{
	struct ferry_value *own = NULL;
	int rc;

	if (node->shape != SHAPE_MAPPING)
		return yaml_fail_at(y, node, FERRY_MALFORMED,
				    "a mapping is expected here");
	rc = yaml_merge(y, node, 0);
	for (uint32_t i = 0; i < node->n && !rc; i++) {
		if (i == node->n_merged) {
			own = ferry_dict(y->scratch, 0);
			if (!own)
				return fail_nomem(y);
		}
		rc = set_entry(y, dict, own, &node->u.entries[i], depth);
	}
	return rc;
}

static int fill_set(struct yaml_load *y, struct node *node,
		    struct ferry_value *set, unsigned depth)
{
	struct ferry_value *dict;
	int rc;

	if (is_omegaconf(y))
		return yaml_fail_at(y, node, FERRY_UNSUPPORTED,
				    "OmegaConf holds no sets; write a list");
	dict = ferry_dict(y->scratch, 0);
	if (!dict)
		return fail_nomem(y);
	rc = fill_dict(y, node, dict, depth);
	for (uint32_t i = 0; i < dict->u.dict.n && !rc; i++)
		if (ferry_list_add(y->store, set, dict->u.dict.pairs[i].key))
			rc = fail_nomem(y);
	return rc;
}

/* ---- sequences ----------------------------------------------------------- */

static int add_item(struct yaml_load *y, struct ferry_value *list,
		    struct node *item, unsigned depth)
{
	struct ferry_value *value = NULL;
	int rc = yaml_construct(y, item, depth, &value);

	if (!rc && ferry_list_add(y->store, list, value))
		rc = fail_nomem(y);
	return rc;
}

static int fill_list(struct yaml_load *y, struct node *node,
		     struct ferry_value *list, unsigned depth)
{
	int rc = 0;

	if (node->shape != SHAPE_SEQUENCE)
		return yaml_fail_at(y, node, FERRY_MALFORMED,
				    "a sequence is expected here");
	for (uint32_t i = 0; i < node->n && !rc; i++)
		rc = add_item(y, list, node->u.items[i], depth + 1);
	return rc;
}

/* !!omap and !!pairs: tuples, which OmegaConf makes lists of. */
static int fill_pairs(struct yaml_load *y, struct node *node,
		      struct ferry_value *list, unsigned depth)
{
	enum ferry_kind kind = is_omegaconf(y) ? FERRY_LIST : FERRY_TUPLE;
	int rc = 0;

	if (node->shape != SHAPE_SEQUENCE)
		return yaml_fail_at(y, node, FERRY_MALFORMED,
				    "a sequence of pairs is expected here");
	for (uint32_t i = 0; i < node->n && !rc; i++) {
		struct node *item = node->u.items[i];
		struct ferry_value *pair;

		if (item->shape != SHAPE_MAPPING || item->n != 1)
			return yaml_fail_at(y, item, FERRY_MALFORMED,
					    "a mapping of one key is expected "
					    "here");
		pair = ferry_sequence(y->store, kind, 2);
		if (!pair)
			return fail_nomem(y);
		rc = add_item(y, pair, item->u.entries->key, depth + 2);
		if (!rc)
			rc = add_item(y, pair, item->u.entries->value,
				      depth + 2);
		if (!rc && ferry_list_add(y->store, list, pair))
			rc = fail_nomem(y);
	}
	return rc;
}

static int make_path(struct yaml_load *y, struct node *node, unsigned depth,
		     struct ferry_value **out)
{
	static const char *const names[] = {
		"Path", "PosixPath", "WindowsPath",
	};
	const char *name = names[node->tag - TAG_PATH];
	struct ferry_value *callable, *args;
	int rc;

	callable = ferry_global(y->store, "pathlib", strlen("pathlib"), name,
				strlen(name));
	args = ferry_sequence(y->store, FERRY_TUPLE, node->n);
	if (!callable || !args)
		return fail_nomem(y);
	rc = fill_list(y, node, args, depth);
	for (uint32_t i = 0; i < args->u.list.n && !rc; i++)
		if (args->u.list.items[i]->kind != FERRY_STRING)
			rc = yaml_fail_at(y, node->u.items[i], FERRY_MALFORMED,
					  "a part of a path must be a string");
	if (rc)
		return rc;
	*out = ferry_object(y->store, FERRY_FORM_CALL, callable, args, NULL);
	return *out ? 0 : fail_nomem(y);
}

/* ---- any node ------------------------------------------------------------ */

static int fail_tag(struct yaml_load *y, const struct node *node)
{
	const char *tag = node->tag_text ? node->tag_text :
			  node->tag == TAG_MERGE ? "tag:yaml.org,2002:merge" :
						   "tag:yaml.org,2002:value";
	char shown[128];

	ferry_escape(shown, sizeof(shown), tag, strlen(tag));
	return yaml_fail_at(y, node, FERRY_UNSUPPORTED,
			    "nothing is known of the tag '%s'; nothing was "
			    "executed", shown);
}

/* The empty container of a node that may be reached from within itself. */
static struct ferry_value *container(struct yaml_load *y,
				     const struct node *node)
{
	switch ((enum yaml_tag)node->tag) {
	case TAG_MAP:
		return ferry_dict(y->store, node->shape == SHAPE_MAPPING ?
				  node->n : 0);
	case TAG_SET:
		return ferry_sequence(y->store, FERRY_SET, 0);
	default:
		return ferry_sequence(y->store, FERRY_LIST,
				      node->shape == SHAPE_SEQUENCE ?
				      node->n : 0);
	}
}

static int fill(struct yaml_load *y, struct node *node, unsigned depth)
{
	switch ((enum yaml_tag)node->tag) {
	case TAG_MAP:
		return fill_dict(y, node, node->value, depth);
	case TAG_SET:
		return fill_set(y, node, node->value, depth);
	case TAG_SEQ:
		return fill_list(y, node, node->value, depth);
	default:
		return fill_pairs(y, node, node->value, depth);
	}
}

static int build(struct yaml_load *y, struct node *node, unsigned depth)
{
	struct node *scalar = node;
	int rc;

	switch ((enum yaml_tag)node->tag) {
	case TAG_MAP:
	case TAG_SET:
	case TAG_SEQ:
	case TAG_OMAP:
	case TAG_PAIRS:
		node->value = container(y, node);
		return node->value ? fill(y, node, depth) : fail_nomem(y);
	case TAG_PATH:
	case TAG_POSIX_PATH:
	case TAG_WINDOWS_PATH:
		return make_path(y, node, depth, &node->value);
	case TAG_MERGE:
	case TAG_VALUE:
	case TAG_OTHER:
		return fail_tag(y, node);
	default:
		rc = scalar_of(y, node, &scalar);
		return rc ? rc : make_scalar(y, (enum yaml_tag)node->tag,
					     scalar, &node->value);
	}
}

int yaml_construct(struct yaml_load *y, struct node *node, unsigned depth,
		   struct ferry_value **out)
{
	int rc = 0;

	if (node->building == STATE_BUSY && (!node->value || is_omegaconf(y)))
		return yaml_fail_at(y, node, FERRY_MALFORMED,
				    "this node contains itself");
	if (depth > FERRY_MAX_DEPTH)
		return yaml_fail_at(y, node, FERRY_LIMIT,
				    "nested more than %d deep",
				    FERRY_MAX_DEPTH);
	if (node->building == STATE_NEW) {
		node->building = STATE_BUSY;
		rc = build(y, node, depth);
		node->building = STATE_DONE;
	}
	*out = node->value;
	return rc;
}
