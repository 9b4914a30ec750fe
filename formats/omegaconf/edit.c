/* Changes to a graph of nodes. */
#include "config.h"

#include "formats/omegaconf/node.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <ferry/sys/buffer.h>

struct editing {
	struct ferry_store *store;
	struct omegaconf_kit *kit;
	struct ferry_findings *findings;
	struct ferry_error *err;
	struct ferry_buffer path;	/* of the node at hand */
	bool force;
};

/* A container on the way, and the flags that hold in it. */
struct holder {
	struct ferry_value *node, *content;
	bool is_struct, readonly;
};

static int nomem(struct editing *e)
{
	return ferry_fail_nomem(e->err, "a configuration");
}

static const char *place(struct editing *e, char out[160])
{
	return e->path.n ? ferry_escape(out, 160, e->path.data, e->path.n)
			 : "the configuration";
}

static int refuse(struct editing *e, enum ferry_code code, const char *fmt, ...)
	FERRY_PRINTF(3, 4);

static int refuse(struct editing *e, enum ferry_code code, const char *fmt, ...)
{
	char shown[160], text[400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return ferry_fail(e->err, code, "omegaconf", FERRY_NO_OFFSET, "%s %s",
			  place(e, shown), text);
}

static size_t enter(struct editing *e, const struct ferry_value *key)
{
	size_t n = e->path.n;

	if (n)
		ferry_buffer_add_str(&e->path, ".");
	if (key->kind == FERRY_STRING)
		ferry_buffer_add(&e->path, key->u.s.data, key->u.s.nbytes);
	else
		ferry_buffer_printf(&e->path, "<%s>",
				    ferry_kind_name(key->kind));
	return n;
}

static int note(struct editing *e, const char *text)
{
	char shown[160];

	return ferry_findings_add(e->findings, FERRY_NOTE, "config",
				  e->path.n ? e->path.data : "",
				  FERRY_NO_OFFSET, "%s %s", place(e, shown),
				  text) ? nomem(e) : 0;
}

/* ---- containers ------------------------------------------------------------ */

static bool holds(const struct ferry_value *node, const char *flag,
		  bool inherited)
{
	const struct ferry_value *root = omegaconf_metadata(node, "flags_root");
	int own = omegaconf_flag(node, flag);

	if (own >= 0)
		return own;
	return inherited && !(root && root->kind == FERRY_BOOL && root->u.b);
}

/* A class as a config's type makes it a struct. */
static bool is_typed(const struct ferry_value *node)
{
	const struct ferry_value *type = omegaconf_metadata(node,
							    "object_type");

	return omegaconf_class(node) == NODE_DICT && type &&
	       type->kind == FERRY_GLOBAL &&
	       !ferry_value_is_global(type, "builtins", "dict") &&
	       !ferry_value_is_global(type, "__builtin__", "dict");
}

static int hold(struct editing *e, struct ferry_value *node,
		const struct holder *outer, struct holder *out)
{
	out->node = node;
	out->is_struct = holds(node, "struct", outer && outer->is_struct) ||
			 (is_typed(node) &&
			  omegaconf_flag(node, "struct") != 0);
	out->readonly = holds(node, "readonly", outer && outer->readonly);
	out->content = omegaconf_part(node, "_content");
	if (!out->content)
		return refuse(e, FERRY_MALFORMED, "is a %s without _content",
			      omegaconf_class_name(node));
	if (omegaconf_class(node) == NODE_DICT ?
	    out->content->kind == FERRY_DICT :
	    out->content->kind == FERRY_LIST)
		return 0;
	return refuse(e, FERRY_MISUSE, "is %s: set it as a whole",
		      omegaconf_is_missing(out->content) ? "missing" :
		      out->content->kind == FERRY_NONE ? "null" :
		      "an interpolation");
}

/* An index of a list, or UINT32_MAX when it is none. */
static uint32_t index_of(const struct holder *h, const struct ferry_value *key)
{
	uint64_t i = 0;

	if (key->u.s.nbytes > 9)
		return UINT32_MAX;
	for (uint64_t k = 0; k < key->u.s.nbytes; k++) {
		if (key->u.s.data[k] < '0' || key->u.s.data[k] > '9')
			return UINT32_MAX;
		i = 10 * i + (uint64_t)(key->u.s.data[k] - '0');
	}
	return i < h->content->u.list.n ? (uint32_t)i : UINT32_MAX;
}

/* The place of a child, to read and to set; NULL: none. */
static struct ferry_value *child(const struct holder *h,
				 struct ferry_value *key)
{
	uint32_t i;

	if (h->content->kind == FERRY_DICT)
		return ferry_dict_find(h->content, key);
	i = key->kind == FERRY_STRING ? index_of(h, key) : UINT32_MAX;
	return i == UINT32_MAX ? NULL : h->content->u.list.items[i];
}

static void list_keys(const struct holder *h, struct ferry_buffer *out)
{
	const struct ferry_value *key;
	char shown[80];

	for (uint32_t i = 0; i < h->content->u.dict.n; i++) {
		if (out->n >= 200) {
			ferry_buffer_printf(out, " and %" PRIu32 " more",
					    h->content->u.dict.n - i);
			break;
		}
		key = h->content->u.dict.pairs[i].key;
		if (key->kind == FERRY_STRING)
			ferry_buffer_printf(out, "%s%s", out->n ? ", " : "",
					    ferry_escape(shown, sizeof(shown),
							 key->u.s.data,
							 key->u.s.nbytes));
	}
	if (!out->n)
		ferry_buffer_add_str(out, "nothing");
}

static int absent(struct editing *e, const struct holder *h,
		  enum ferry_code code, const char *what)
{
	struct ferry_buffer keys = FERRY_BUFFER_INIT;
	int rc;

	if (h->content->kind == FERRY_LIST)
		return refuse(e, code, "is no index of the list, which has "
			      "%" PRIu32 " item%s", h->content->u.list.n,
			      h->content->u.list.n == 1 ? "" : "s");
	list_keys(h, &keys);
	rc = refuse(e, code, "%s; beside it there is %s", what,
		    keys.failed ? "something" : keys.data);
	ferry_buffer_release(&keys);
	return rc;
}

/* ---- setting --------------------------------------------------------------- */

static int set_value(struct editing *e, const struct holder *h,
		     struct ferry_value *key, struct ferry_value *value);

/* Put a new node in the place of a child, or beside the others. */
static int put_new(struct editing *e, const struct holder *h,
		   struct ferry_value *key, struct ferry_value *value)
{
	struct ferry_value *node, *name = key;
	bool dict = h->content->kind == FERRY_DICT;
	uint32_t i = 0;
	int rc;

	if (!dict) {
		i = index_of(h, key);
		name = ferry_int(e->store, i);
	}
	rc = name ? omegaconf_make(e->kit, value, h->node, name, &node)
		  : nomem(e);
	if (rc)
		return rc;
	if (!dict)
		h->content->u.list.items[i] = node;
	else if (ferry_dict_set(e->store, h->content, key, node))
		return nomem(e);
	return 0;
}

static bool is_any(const struct ferry_value *type)
{
	return !type || type->kind == FERRY_NONE ||
	       ferry_value_is_global(type, "typing", "Any");
}

static int add_child(struct editing *e, const struct holder *h,
		     struct ferry_value *key, struct ferry_value *value)
{
	int rc;

	if (h->content->kind == FERRY_LIST || (h->is_struct && !e->force))
		return absent(e, h, FERRY_MISUSE, "is not in the configuration, "
			      "which is a struct: --set force-add=yes adds "
			      "what it lacks");
	if (!is_any(omegaconf_metadata(h->node, "element_type")))
		return refuse(e, FERRY_UNSUPPORTED, "would be an element of a "
			      "declared type, which is not made here");
	rc = put_new(e, h, key, value);
	return rc ? rc : note(e, "was not in the configuration: added");
}

/* The member of the node's class with that name. */
static struct ferry_value *new_member(struct editing *e,
				      const struct ferry_value *node,
				      struct ferry_value *name)
{
	struct ferry_value *class = omegaconf_part(node, "enum_type");
	struct ferry_value *fields = omegaconf_part(node, "fields");
	struct ferry_value *args, *v;

	if (!class || class->kind != FERRY_GLOBAL || !fields ||
	    fields->kind != FERRY_DICT)
		return NULL;
	v = ferry_dict_find(fields, name);
	args = ferry_sequence(e->store, FERRY_TUPLE, 1);
	if (!v || !args || ferry_list_add(e->store, args, v))
		return NULL;
	return ferry_object(e->store, FERRY_FORM_CALL, class, args, NULL);
}

/* What a typed node holds for a value; NULL when it takes it not. */
static struct ferry_value *fit(struct editing *e,
			       const struct ferry_value *node,
			       struct ferry_value *v)
{
	const struct ferry_value *optional = omegaconf_metadata(node,
								"optional");
	enum node_class class = omegaconf_class(node);

	if (v->kind == FERRY_NONE)
		return optional && optional->kind == FERRY_BOOL &&
		       !optional->u.b ? NULL : v;
	if (class == NODE_ANY || omegaconf_is_missing(v) ||
	    omegaconf_is_interpolation(v))
		return v;
	switch (class) {
	case NODE_STRING:
		return v->kind == FERRY_STRING ? v : NULL;
	case NODE_INTEGER:
		return v->kind == FERRY_INT ? v : NULL;
	case NODE_BOOLEAN:
		return v->kind == FERRY_BOOL ? v : NULL;
	case NODE_FLOAT:
		if (v->kind == FERRY_INT && !(v->flags & FERRY_BIG))
			return ferry_float(e->store, (double)v->u.i);
		return v->kind == FERRY_FLOAT ? v : NULL;
	case NODE_BYTES:
		return v->kind == FERRY_BYTES ? v : NULL;
	case NODE_PATH:
		return v->kind == FERRY_OBJECT ? v : NULL;
	case NODE_ENUM:
		return v->kind == FERRY_STRING ? new_member(e, node, v) : NULL;
	default:
		return NULL;
	}
}

static bool is_container(const struct ferry_value *plain)
{
	return plain->kind == FERRY_DICT || plain->kind == FERRY_LIST;
}

static int merge_dict(struct editing *e, const struct holder *h,
		      struct ferry_value *value)
{
	size_t n;
	int rc = 0;

	for (uint32_t i = 0; i < value->u.dict.n && !rc; i++) {
		n = enter(e, value->u.dict.pairs[i].key);
		rc = set_value(e, h, value->u.dict.pairs[i].key,
			       value->u.dict.pairs[i].value);
		e->path.n = n;
	}
	return rc;
}

static int renew_list(struct editing *e, const struct holder *h,
		      struct ferry_value *value)
{
	struct ferry_value *key, *node;
	int rc = 0;

	if (h->readonly)
		return refuse(e, FERRY_MISUSE, "is read-only");
	h->content->u.list.n = 0;
	for (uint32_t i = 0; i < value->u.list.n && !rc; i++) {
		key = ferry_int(e->store, i);
		rc = key ? omegaconf_make(e->kit, value->u.list.items[i],
					  h->node, key, &node) : nomem(e);
		if (!rc && ferry_list_add(e->store, h->content, node))
			rc = nomem(e);
	}
	return rc;
}

/* A mapping into a mapping, a list over a list. */
static int merge(struct editing *e, const struct holder *outer,
		 struct ferry_value *node, struct ferry_value *value)
{
	bool dict = value->kind == FERRY_DICT;
	struct holder h;
	int rc;

	if ((omegaconf_class(node) == NODE_DICT) != dict)
		return refuse(e, FERRY_MISUSE, "is a %s: a %s does not merge "
			      "into it; delete it first",
			      dict ? "list" : "mapping",
			      dict ? "mapping" : "list");
	rc = hold(e, node, outer, &h);
	if (rc)
		return rc;
	return dict ? merge_dict(e, &h, value) : renew_list(e, &h, value);
}

static bool is_special(const struct ferry_value *node)
{
	const struct ferry_value *v = omegaconf_part(node, "_content");

	return v && v->kind != FERRY_DICT && v->kind != FERRY_LIST;
}

static int set_scalar(struct editing *e, struct ferry_value *node,
		      struct ferry_value *value)
{
	struct ferry_value *fitted = fit(e, node, value);

	if (!omegaconf_part(node, "_val"))
		return refuse(e, FERRY_MALFORMED, "is a %s without _val",
			      omegaconf_class_name(node));
	if (!fitted)
		return refuse(e, FERRY_MISUSE, "is a %s, which does not take "
			      "a value of kind %s", omegaconf_class_name(node),
			      ferry_kind_name(value->kind));
	return omegaconf_put(e->store, node, "_val", fitted) ? nomem(e) : 0;
}

static int set_value(struct editing *e, const struct holder *h,
		     struct ferry_value *key, struct ferry_value *value)
{
	struct ferry_value *node = child(h, key);
	enum node_class class = node ? omegaconf_class(node) : NODE_NONE;

	if (h->readonly)
		return refuse(e, FERRY_MISUSE, "is read-only");
	if (!node)
		return add_child(e, h, key, value);
	if (class == NODE_NONE || class == NODE_UNION || class == NODE_OTHER)
		return refuse(e, FERRY_UNSUPPORTED, "is a %s, which is not "
			      "changed here", omegaconf_class_name(node));
	if (omegaconf_is(node) && is_container(value) && !is_special(node))
		return merge(e, h, node, value);
	if (!omegaconf_is(node) && !is_container(value))
		return set_scalar(e, node, value);
	if (class > NODE_ANY)
		return refuse(e, FERRY_MISUSE, "is a %s, which takes no "
			      "container", omegaconf_class_name(node));
	return put_new(e, h, key, value);
}

/* ---- walking --------------------------------------------------------------- */

/* What an update makes of a part on the way that is no container. */
static int make_way(struct editing *e, const struct holder *h,
		    struct ferry_value *key, struct ferry_value **node)
{
	struct ferry_value *empty = ferry_dict(e->store, 1);
	const struct ferry_value *v = *node ? omegaconf_value(*node) : NULL;
	int rc;

	if (!empty)
		return nomem(e);
	if (v && omegaconf_is_interpolation(v))
		return refuse(e, FERRY_MISUSE, "is an interpolation: change "
			      "what it refers to");
	if (v && h->is_struct && !e->force)
		return refuse(e, FERRY_MISUSE, "is a value and holds no keys, "
			      "and the configuration is a struct: --set "
			      "force-add=yes makes a mapping of it");
	rc = set_value(e, h, key, empty);
	if (!rc && v)
		rc = note(e, "was a value and became a mapping");
	*node = child(h, key);
	return rc;
}

/* The container of the last part of the key. */
static int walk(struct editing *e, struct ferry_value *config,
		const struct omegaconf_key *key, bool make,
		struct holder *out)
{
	struct ferry_value *node;
	struct holder h;
	int rc = hold(e, config, NULL, out);

	for (size_t i = 0; i + 1 < key->n && !rc; i++) {
		node = child(out, key->parts[i]);
		enter(e, key->parts[i]);
		if (make && (!node || !omegaconf_is(node)))
			rc = make_way(e, out, key->parts[i], &node);
		else if (!node)
			rc = absent(e, out, FERRY_NOTFOUND,
				    "is not in the configuration");
		else if (!omegaconf_is(node))
			rc = refuse(e, FERRY_NOTFOUND, "has nothing below it");
		if (rc)
			return rc;
		h = *out;
		rc = hold(e, node, &h, out);
	}
	if (!rc)
		enter(e, key->parts[key->n - 1]);
	return rc;
}

static int refuse_text(const char *key, const struct ferry_value *bad,
		       struct ferry_error *err)
{
	char name[160], text[160];

	return ferry_fail(err, FERRY_MISUSE, "omegaconf", FERRY_NO_OFFSET,
			  "%s: '%s' begins an interpolation that is none: "
			  "write ${a.b}, or \\${ for the characters",
			  ferry_escape(name, sizeof(name), key, strlen(key)),
			  ferry_escape(text, sizeof(text), bad->u.s.data,
				       bad->u.s.nbytes));
}

int omegaconf_update(struct ferry_store *store, struct ferry_value *config,
		     const char *key, struct ferry_value *value, bool force,
		     struct ferry_findings *findings, struct ferry_error *err)
{
	struct editing e = {
		.store = store, .findings = findings, .err = err,
		.force = force,
	};
	const struct ferry_value *bad = omegaconf_find_no_text(value);
	struct omegaconf_key parts;
	struct holder h;
	int rc = omegaconf_split_key(store, key, &parts, err);

	if (!rc && bad)
		rc = refuse_text(key, bad, err);
	if (!rc)
		rc = omegaconf_kit_new(&e.kit, store,
				       omegaconf_layout_of(config), err);
	if (!rc)
		rc = walk(&e, config, &parts, true, &h);
	if (!rc)
		rc = set_value(&e, &h, parts.parts[parts.n - 1], value);
	ferry_buffer_release(&e.path);
	return rc;
}

/* ---- deleting -------------------------------------------------------------- */

static int drop_pair(struct editing *e, const struct holder *h,
		     struct ferry_value *key)
{
	uint32_t n = h->content->u.dict.n, at = 0;
	const struct ferry_value *other;
	struct ferry_pair *left;

	left = ferry_store_array(e->store, n, sizeof(*left));
	if (!left)
		return nomem(e);
	for (uint32_t i = 0; i < n; i++) {
		other = h->content->u.dict.pairs[i].key;
		if (other->kind != FERRY_STRING ||
		    other->u.s.nbytes != key->u.s.nbytes ||
		    memcmp(other->u.s.data, key->u.s.data, key->u.s.nbytes))
			left[at++] = h->content->u.dict.pairs[i];
	}
	return ferry_dict_replace(e->store, h->content, left, at) ? nomem(e)
								  : 0;
}

/* Items after it move up, and so do the keys they know themselves by. */
static int drop_item(struct editing *e, const struct holder *h,
		     struct ferry_value *key)
{
	struct ferry_value **items = h->content->u.list.items, *metadata;
	uint32_t n = --h->content->u.list.n;
	int rc = 0;

	for (uint32_t i = index_of(h, key); i < n && !rc; i++) {
		items[i] = items[i + 1];
		metadata = omegaconf_part(items[i], "_metadata");
		if (metadata && omegaconf_part(metadata, "key"))
			rc = omegaconf_put(e->store, metadata, "key",
					   ferry_int(e->store, i));
	}
	return rc ? nomem(e) : 0;
}

static int drop_child(struct editing *e, const struct holder *h,
		      struct ferry_value *key)
{
	if (!child(h, key))
		return absent(e, h, FERRY_NOTFOUND,
			      "is not in the configuration");
	if (h->readonly)
		return refuse(e, FERRY_MISUSE, "is read-only");
	return h->content->kind == FERRY_DICT ? drop_pair(e, h, key)
					      : drop_item(e, h, key);
}

int omegaconf_delete(struct ferry_store *store, struct ferry_value *config,
		     const char *key, struct ferry_error *err)
{
	struct editing e = { .store = store, .err = err };
	struct omegaconf_key parts;
	struct holder h;
	int rc = omegaconf_split_key(store, key, &parts, err);

	if (!rc)
		rc = walk(&e, config, &parts, false, &h);
	if (!rc)
		rc = drop_child(&e, &h, parts.parts[parts.n - 1]);
	ferry_buffer_release(&e.path);
	return rc;
}
