/* From nodes to plain values. */
#include "config.h"

#include "formats/omegaconf/node.h"

#include <inttypes.h>
#include <string.h>

#include <ferry/sys/buffer.h>

struct reading {
	struct ferry_store *store;
	struct omegaconf_survey *survey;
	struct ferry_findings *findings;
	struct ferry_error *err;
	struct ferry_buffer path;
	uint32_t nodes, depth;
};

static int read_node(struct reading *r, const struct ferry_value *node,
		     struct ferry_value **out);

static int nomem(struct reading *r)
{
	return ferry_fail_nomem(r->err, "a configuration");
}

/* Where it is, for a message; "the configuration" for its root. */
static const char *place(struct reading *r, char out[160])
{
	if (!r->path.n)
		return "the configuration";
	return ferry_escape(out, 160, r->path.data, r->path.n);
}

/* Returns the length to cut back to. */
static size_t enter(struct reading *r, const struct ferry_value *key,
		    uint32_t index)
{
	size_t n = r->path.n;

	if (!key)
		ferry_buffer_printf(&r->path, "[%" PRIu32 "]", index);
	else if (n)
		ferry_buffer_add_str(&r->path, ".");
	if (key && key->kind == FERRY_STRING)
		ferry_buffer_add(&r->path, key->u.s.data, key->u.s.nbytes);
	else if (key && key->kind == FERRY_INT && !(key->flags & FERRY_BIG))
		ferry_buffer_printf(&r->path, "%" PRId64, key->u.i);
	else if (key)
		ferry_buffer_printf(&r->path, "<%s>",
				    ferry_kind_name(key->kind));
	return n;
}

static void leave(struct reading *r, size_t n)
{
	r->path.n = n;
}

static int lacks(struct reading *r, const struct ferry_value *node,
		 const char *what)
{
	char shown[160];

	return ferry_fail(r->err, FERRY_MALFORMED, "omegaconf",
			  FERRY_NO_OFFSET, "%s: a %s %s",
			  place(r, shown), omegaconf_class_name(node), what);
}

/* ---- enum members -------------------------------------------------------- */

static bool same_scalar(const struct ferry_value *a,
			const struct ferry_value *b)
{
	if (a == b)
		return true;
	if (a->kind != b->kind || (a->flags | b->flags) & FERRY_BIG)
		return false;
	switch (a->kind) {
	case FERRY_NONE:
		return true;
	case FERRY_BOOL:
		return a->u.b == b->u.b;
	case FERRY_INT:
		return a->u.i == b->u.i;
	case FERRY_FLOAT:
		return a->u.f == b->u.f;
	case FERRY_STRING:
		return a->u.s.nbytes == b->u.s.nbytes &&
		       !memcmp(a->u.s.data, b->u.s.data, a->u.s.nbytes);
	default:
		return false;
	}
}

static bool is_pathlib(const struct ferry_value *v)
{
	const struct ferry_value *class = v->u.object->callable;

	return class && class->kind == FERRY_GLOBAL &&
	       !strncmp(class->u.global.module, "pathlib", 7);
}

/* Class(value), or getattr(Class, name): how Python pickles a member. */
static bool is_member(const struct ferry_value *v)
{
	const struct ferry_object *o;

	if (v->kind != FERRY_OBJECT || is_pathlib(v))
		return false;
	o = v->u.object;
	return o->form == FERRY_FORM_CALL && o->callable &&
	       o->callable->kind == FERRY_GLOBAL && o->args &&
	       o->args->kind == FERRY_TUPLE && !o->state && !o->dict &&
	       !o->list && (o->args->u.list.n == 1 || o->args->u.list.n == 2);
}

static bool is_getattr(const struct ferry_value *class)
{
	return ferry_value_is_global(class, "builtins", "getattr") ||
	       ferry_value_is_global(class, "__builtin__", "getattr");
}

/* A member's name, where the file tells: in the pickle, or in a node's table
 * of names and values. */
static struct ferry_value *member_name(const struct ferry_value *v,
				       const struct ferry_value *fields)
{
	const struct ferry_object *o = v->u.object;
	const struct ferry_pair *pair;

	if (o->args->u.list.n == 2)
		return is_getattr(o->callable) &&
		       o->args->u.list.items[1]->kind == FERRY_STRING ?
		       o->args->u.list.items[1] : NULL;
	for (uint32_t i = 0; fields && fields->kind == FERRY_DICT &&
			     i < fields->u.dict.n; i++) {
		pair = &fields->u.dict.pairs[i];
		if (pair->key->kind == FERRY_STRING &&
		    same_scalar(pair->value, o->args->u.list.items[0]))
			return pair->key;
	}
	return NULL;
}

static int read_member(struct reading *r, struct ferry_value *v,
		       const struct ferry_value *fields,
		       struct ferry_value **out)
{
	struct ferry_value *name = member_name(v, fields);
	char shown[160];

	if (r->survey)
		r->survey->enums++;
	if (name || v->u.object->args->u.list.n == 2) {
		*out = name ? name : v;
		return 0;
	}
	*out = v->u.object->args->u.list.items[0];
	if (ferry_findings_add(r->findings, FERRY_WARNING, "enum",
			       r->path.n ? r->path.data : "", FERRY_NO_OFFSET,
			       "%s is a member of %s whose name the file does "
			       "not tell: its value stands for it",
			       place(r, shown),
			       v->u.object->callable->u.global.name))
		return nomem(r);
	return 0;
}

/* ---- nodes --------------------------------------------------------------- */

static void survey_text(struct reading *r, const struct ferry_value *v)
{
	if (!r->survey)
		return;
	r->survey->missing += omegaconf_is_missing(v);
	r->survey->interpolations += omegaconf_is_interpolation(v);
}

static void survey_node(struct reading *r, const struct ferry_value *node,
			enum node_class class)
{
	const struct ferry_value *flags, *cache;

	if (!r->survey)
		return;
	flags = omegaconf_metadata(node, "flags");
	cache = omegaconf_metadata(node, "resolver_cache");
	r->survey->dicts += class == NODE_DICT;
	r->survey->lists += class == NODE_LIST;
	r->survey->scalars += class > NODE_LIST;
	r->survey->typed += class == NODE_UNION || class > NODE_ANY;
	r->survey->flags += flags && flags->kind == FERRY_DICT &&
			    flags->u.dict.n;
	cache = cache ? ferry_value_items((struct ferry_value *)cache) : NULL;
	if (cache)
		r->survey->cached += cache->u.dict.n;
}

static int read_scalar(struct reading *r, const struct ferry_value *node,
		       struct ferry_value **out)
{
	struct ferry_value *v = omegaconf_part(node, "_val");

	if (!v)
		return lacks(r, node, "has no _val");
	survey_text(r, v);
	if (is_member(v))
		return read_member(r, v, omegaconf_part(node, "fields"), out);
	*out = v;
	return 0;
}

static int read_dict(struct reading *r, const struct ferry_value *content,
		     struct ferry_value **out)
{
	struct ferry_value *dict = ferry_dict(r->store, content->u.dict.n);
	struct ferry_value *key, *value;
	size_t n;
	int rc = 0;

	if (!dict)
		return nomem(r);
	for (uint32_t i = 0; i < content->u.dict.n && !rc; i++) {
		key = content->u.dict.pairs[i].key;
		n = enter(r, key, 0);
		if (is_member(key))
			rc = read_member(r, key, NULL, &key);
		if (!rc)
			rc = read_node(r, content->u.dict.pairs[i].value,
				       &value);
		if (!rc && ferry_dict_set(r->store, dict, key, value))
			rc = nomem(r);
		leave(r, n);
	}
	*out = dict;
	return rc;
}

static int read_list(struct reading *r, const struct ferry_value *content,
		     struct ferry_value **out)
{
	struct ferry_value *list = ferry_sequence(r->store, FERRY_LIST,
						  content->u.list.n);
	struct ferry_value *value;
	size_t n;
	int rc = 0;

	if (!list)
		return nomem(r);
	for (uint32_t i = 0; i < content->u.list.n && !rc; i++) {
		n = enter(r, NULL, i);
		rc = read_node(r, content->u.list.items[i], &value);
		if (!rc && ferry_list_add(r->store, list, value))
			rc = nomem(r);
		leave(r, n);
	}
	*out = list;
	return rc;
}

/* Content of a container: its own kind, or what stands for the whole. */
static int read_content(struct reading *r, const struct ferry_value *node,
			enum node_class class, struct ferry_value **out)
{
	struct ferry_value *content = omegaconf_part(node, "_content");

	if (!content)
		return lacks(r, node, "has no _content");
	if (class == NODE_DICT && content->kind == FERRY_DICT)
		return read_dict(r, content, out);
	if (class == NODE_LIST && content->kind == FERRY_LIST)
		return read_list(r, content, out);
	if (class == NODE_UNION && omegaconf_class(content) != NODE_NONE)
		return read_node(r, content, out);
	if (content->kind != FERRY_NONE && !omegaconf_is_missing(content) &&
	    !omegaconf_is_interpolation(content))
		return lacks(r, node, "has content of another kind");
	survey_text(r, content);
	*out = content;
	return 0;
}

static int read_node(struct reading *r, const struct ferry_value *node,
		     struct ferry_value **out)
{
	enum node_class class = omegaconf_class(node);
	char shown[160];
	int rc;

	if (class == NODE_NONE)
		return ferry_fail(r->err, FERRY_MALFORMED, "omegaconf",
				  FERRY_NO_OFFSET, "%s: a value of kind %s "
				  "stands where a node of OmegaConf must",
				  place(r, shown), ferry_kind_name(node->kind));
	if (++r->nodes > OMEGACONF_MOST || r->depth >= OMEGACONF_DEEPEST)
		return ferry_fail(r->err, FERRY_LIMIT, "omegaconf",
				  FERRY_NO_OFFSET, "%s: a configuration has "
				  "more than %u nodes, is more than %u deep or "
				  "contains itself", place(r, shown),
				  OMEGACONF_MOST, OMEGACONF_DEEPEST);
	survey_node(r, node, class);
	if (class > NODE_UNION)
		return read_scalar(r, node, out);
	r->depth++;
	rc = read_content(r, node, class, out);
	r->depth--;
	return rc;
}

int omegaconf_plain(struct ferry_store *store, const struct ferry_value *config,
		    struct omegaconf_survey *survey,
		    struct ferry_findings *findings, struct ferry_value **out,
		    struct ferry_error *err)
{
	struct reading r = {
		.store = store, .survey = survey, .findings = findings,
		.err = err,
	};
	int rc;

	if (survey)
		memset(survey, 0, sizeof(*survey));
	rc = read_node(&r, config, out);
	ferry_buffer_release(&r.path);
	return rc;
}

/* ---- looking up ---------------------------------------------------------- */

/* What a container holds: a DICT or a LIST, or NULL. */
static struct ferry_value *content_of(struct ferry_value *v)
{
	struct ferry_value *content;

	for (unsigned i = 0; i < 2 && omegaconf_class(v) == NODE_UNION; i++) {
		content = omegaconf_part(v, "_content");
		if (!content)
			return NULL;
		v = content;
	}
	content = omegaconf_is(v) ? omegaconf_part(v, "_content") : v;
	return content && (content->kind == FERRY_DICT ||
			   content->kind == FERRY_LIST) ? content : NULL;
}

static struct ferry_value *child(struct ferry_value *content, const char *key,
				 size_t n)
{
	struct ferry_value text = { .kind = FERRY_STRING };
	uint32_t i = 0;

	if (content->kind == FERRY_DICT) {
		text.u.s.data = key;
		text.u.s.nbytes = n;
		return ferry_dict_find(content, &text);
	}
	if (!n || n > 6)
		return NULL;
	for (size_t k = 0; k < n; k++) {
		if (key[k] < '0' || key[k] > '9')
			return NULL;
		i = 10 * i + (uint32_t)(key[k] - '0');
	}
	return i < content->u.list.n ? content->u.list.items[i] : NULL;
}

struct ferry_value *omegaconf_at(struct ferry_value *config, const char *keys)
{
	struct ferry_value *v = config;
	size_t n;

	while (v && *keys) {
		n = strcspn(keys, ".");
		v = content_of(v);
		if (v)
			v = child(v, keys, n);
		keys += n + (keys[n] == '.');
	}
	return v;
}

struct ferry_value *omegaconf_value(struct ferry_value *node)
{
	struct ferry_value *v;

	if (omegaconf_class(node) == NODE_UNION) {
		v = omegaconf_part(node, "_content");
		if (v && omegaconf_class(v) != NODE_UNION)
			node = v;
	}
	if (omegaconf_class(node) > NODE_UNION) {
		v = omegaconf_part(node, "_val");
		return v ? v : node;
	}
	if (omegaconf_is(node)) {
		v = omegaconf_part(node, "_content");
		if (v && v->kind != FERRY_DICT && v->kind != FERRY_LIST)
			return v;
	}
	return node;
}
