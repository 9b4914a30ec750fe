/* From plain values to nodes. */
#include "config.h"

#include "formats/omegaconf/node.h"

#include <inttypes.h>
#include <string.h>

/* Names of attributes, each one object in a graph, as Python has them. */
enum name {
	METADATA, PARENT, CONTENT, VAL, REF_TYPE, OBJECT_TYPE, OPTIONAL, KEY,
	FLAGS, FLAGS_ROOT, RESOLVER_CACHE, KEY_TYPE, ELEMENT_TYPE, STRUCT,
	N_NAMES
};

static const char *const names[N_NAMES] = {
	"_metadata", "_parent", "_content", "_val", "ref_type", "object_type",
	"optional", "key", "flags", "flags_root", "resolver_cache", "key_type",
	"element_type", "struct",
};

enum class {
	DICT_CONFIG, LIST_CONFIG, ANY_NODE, CONTAINER_METADATA, PLAIN_METADATA,
	TYPING_ANY, PY_DICT, PY_LIST, PY_INT, DEFAULTDICT, N_CLASSES
};

static const char *const classes[N_CLASSES][2] = {
	{ "omegaconf.dictconfig", "DictConfig" },
	{ "omegaconf.listconfig", "ListConfig" },
	{ "omegaconf.nodes", "AnyNode" },
	{ "omegaconf.base", "ContainerMetadata" },
	{ "omegaconf.base", "Metadata" },
	{ "typing", "Any" },
	{ "builtins", "dict" },
	{ "builtins", "list" },
	{ "builtins", "int" },
	{ "collections", "defaultdict" },
};

struct omegaconf_kit {
	struct ferry_store *store;
	struct ferry_error *err;
	enum omegaconf_layout layout;
	struct ferry_value *names[N_NAMES];
	struct ferry_value *classes[N_CLASSES];
	struct ferry_value *letters[256];	/* texts of one character */
	struct ferry_value *empty;		/* the text of none */
	uint32_t nodes, depth;
	bool is_struct;			/* of the root that is made next */
};

static int nomem(struct omegaconf_kit *k)
{
	return ferry_fail_nomem(k->err, "a configuration");
}

int omegaconf_kit_new(struct omegaconf_kit **out, struct ferry_store *store,
		      enum omegaconf_layout layout, struct ferry_error *err)
{
	struct omegaconf_kit *k = ferry_store_alloc(store, sizeof(*k));
	bool failed = !k;

	if (k)
		*k = (struct omegaconf_kit){
			.store = store, .err = err,
			.layout = layout ? layout : OMEGACONF_2_2,
		};
	for (int i = 0; i < N_NAMES && !failed; i++) {
		k->names[i] = ferry_cstring(store, names[i]);
		failed = !k->names[i];
	}
	for (int i = 0; i < N_CLASSES && !failed; i++) {
		k->classes[i] = ferry_global(store, classes[i][0],
					     strlen(classes[i][0]),
					     classes[i][1],
					     strlen(classes[i][1]));
		failed = !k->classes[i];
	}
	*out = k;
	return failed ? ferry_fail_nomem(err, "a configuration") : 0;
}

/* Python has one object for the text of one character of Latin-1. */
static struct ferry_value *canonical(struct omegaconf_kit *k,
				     struct ferry_value *v)
{
	struct ferry_value **one = NULL;
	const uint8_t *text;

	if (v->kind != FERRY_STRING || v->u.s.nbytes > 2)
		return v;
	text = (const uint8_t *)v->u.s.data;
	if (!v->u.s.nbytes)
		one = &k->empty;
	else if (v->u.s.nbytes == 1)
		one = &k->letters[text[0]];
	else if ((text[0] & 0xfe) == 0xc2)
		one = &k->letters[(text[0] & 3) << 6 | (text[1] & 0x3f)];
	if (!one)
		return v;
	if (!*one)
		*one = v;
	return *one;
}

/* ---- parts of a node ----------------------------------------------------- */

struct parts {
	struct omegaconf_kit *k;
	struct ferry_value *dict;
	bool failed;
};

static void add(struct parts *p, enum name name, struct ferry_value *v)
{
	p->failed = p->failed || !v ||
		    ferry_dict_set(p->k->store, p->dict, p->k->names[name], v);
}

/* An object of a class that is made without arguments, and its state. */
static struct ferry_value *new_object(struct omegaconf_kit *k, enum class class,
				      struct parts *state)
{
	struct ferry_value *args = ferry_sequence(k->store, FERRY_TUPLE, 0);
	struct ferry_value *v;

	*state = (struct parts){ .k = k, .dict = ferry_dict(k->store, 13) };
	if (!args || !state->dict)
		return NULL;
	v = ferry_object(k->store, FERRY_FORM_NEW, k->classes[class], args,
			 NULL);
	if (v)
		v->u.object->state = state->dict;
	return v;
}

static struct ferry_value *new_cache(struct omegaconf_kit *k)
{
	struct ferry_value *args = ferry_sequence(k->store, FERRY_TUPLE, 1);

	if (!args || ferry_list_add(k->store, args, k->classes[PY_DICT]))
		return NULL;
	return ferry_object(k->store, FERRY_FORM_CALL, k->classes[DEFAULTDICT],
			    args, NULL);
}

static struct ferry_value *new_flags(struct omegaconf_kit *k, bool root)
{
	struct ferry_value *flags = ferry_dict(k->store, 1);

	if (flags && root && k->is_struct &&
	    ferry_dict_set(k->store, flags, k->names[STRUCT], ferry_bool(true)))
		return NULL;
	return flags;
}

static struct ferry_value *ref_type(struct omegaconf_kit *k, enum class class,
				    bool root)
{
	bool dict = k->layout == OMEGACONF_2_0 && root && class == DICT_CONFIG;

	return k->classes[dict ? PY_DICT : TYPING_ANY];
}

static struct ferry_value *object_type(struct omegaconf_kit *k,
				       enum class class)
{
	if (class == LIST_CONFIG)
		return k->classes[PY_LIST];
	return class == DICT_CONFIG && k->layout >= OMEGACONF_2_2 ?
	       k->classes[PY_DICT] : ferry_none();
}

static void add_types(struct parts *p, enum class class)
{
	struct omegaconf_kit *k = p->k;
	struct ferry_value *any = k->layout == OMEGACONF_2_0 ?
				  ferry_none() : k->classes[TYPING_ANY];

	if (class == ANY_NODE)
		return;
	add(p, KEY_TYPE, class == LIST_CONFIG ? k->classes[PY_INT] : any);
	add(p, ELEMENT_TYPE, any);
}

static struct ferry_value *new_metadata(struct omegaconf_kit *k,
					enum class class, bool root,
					struct ferry_value *key)
{
	struct parts p;
	struct ferry_value *v = new_object(k, class == ANY_NODE ?
					   PLAIN_METADATA : CONTAINER_METADATA,
					   &p);

	if (!v)
		return NULL;
	add(&p, REF_TYPE, ref_type(k, class, root));
	add(&p, OBJECT_TYPE, object_type(k, class));
	add(&p, OPTIONAL, ferry_bool(true));
	add(&p, KEY, key);
	add(&p, FLAGS, new_flags(k, root));
	if (k->layout != OMEGACONF_2_0)
		add(&p, FLAGS_ROOT, ferry_bool(false));
	add(&p, RESOLVER_CACHE, new_cache(k));
	add_types(&p, class);
	return p.failed ? NULL : v;
}

/* A node with everything but its content or value. */
static struct ferry_value *new_node(struct omegaconf_kit *k, enum class class,
				    struct ferry_value *parent,
				    struct ferry_value *key,
				    struct parts *state)
{
	struct ferry_value *v = new_object(k, class, state);

	if (!v)
		return NULL;
	add(state, METADATA, new_metadata(k, class, !parent, key));
	add(state, PARENT, parent ? parent : ferry_none());
	return state->failed ? NULL : v;
}

/* ---- values -------------------------------------------------------------- */

static bool is_key(const struct ferry_value *key)
{
	return key->kind == FERRY_STRING || key->kind == FERRY_INT ||
	       key->kind == FERRY_FLOAT || key->kind == FERRY_BOOL ||
	       (key->kind == FERRY_BYTES && !(key->flags & FERRY_MUTABLE));
}

static bool is_path(const struct ferry_value *v)
{
	const struct ferry_value *class;

	if (v->kind != FERRY_OBJECT || v->u.object->form != FERRY_FORM_CALL)
		return false;
	class = v->u.object->callable;
	return class && class->kind == FERRY_GLOBAL &&
	       !strncmp(class->u.global.module, "pathlib", 7);
}

static bool is_scalar(const struct ferry_value *v)
{
	switch (v->kind) {
	case FERRY_NONE:
	case FERRY_BOOL:
	case FERRY_INT:
	case FERRY_FLOAT:
	case FERRY_STRING:
		return true;
	case FERRY_BYTES:
		return !(v->flags & (FERRY_MUTABLE | FERRY_PY2));
	default:
		return is_path(v);
	}
}

static int fill_dict(struct omegaconf_kit *k, struct ferry_value *plain,
		     struct ferry_value *node, struct parts *state)
{
	struct ferry_value *content = ferry_dict(k->store, plain->u.dict.n);
	struct ferry_value *key, *v;
	int rc = 0;

	add(state, CONTENT, content);
	for (uint32_t i = 0; i < plain->u.dict.n && !rc && !state->failed;
	     i++) {
		key = canonical(k, plain->u.dict.pairs[i].key);
		if (!is_key(key))
			return ferry_fail(k->err, FERRY_UNSUPPORTED,
					  "omegaconf", FERRY_NO_OFFSET,
					  "a key of kind %s: keys of a "
					  "configuration are text, numbers, "
					  "booleans or bytes",
					  ferry_kind_name(key->kind));
		rc = omegaconf_make(k, plain->u.dict.pairs[i].value, node, key,
				    &v);
		if (!rc && ferry_dict_set(k->store, content, key, v))
			rc = nomem(k);
	}
	return rc;
}

static int fill_list(struct omegaconf_kit *k, struct ferry_value *plain,
		     struct ferry_value *node, struct parts *state)
{
	struct ferry_value *content = ferry_sequence(k->store, FERRY_LIST,
						     plain->u.list.n);
	struct ferry_value *key, *v;
	int rc = 0;

	add(state, CONTENT, content);
	for (uint32_t i = 0; i < plain->u.list.n && !rc && !state->failed;
	     i++) {
		key = ferry_int(k->store, i);
		rc = key ? omegaconf_make(k, plain->u.list.items[i], node, key,
					  &v) : nomem(k);
		if (!rc && ferry_list_add(k->store, content, v))
			rc = nomem(k);
	}
	return rc;
}

static int too_many(struct omegaconf_kit *k)
{
	return ferry_fail(k->err, FERRY_LIMIT, "omegaconf", FERRY_NO_OFFSET,
			  "a configuration has more than %u nodes or is more "
			  "than %u deep", OMEGACONF_MOST, OMEGACONF_DEEPEST);
}

static int make_container(struct omegaconf_kit *k, struct ferry_value *plain,
			  struct ferry_value *parent, struct ferry_value *key,
			  struct ferry_value **out)
{
	bool dict = plain->kind == FERRY_DICT;
	struct parts state;
	int rc;

	if (k->depth >= OMEGACONF_DEEPEST)
		return too_many(k);
	*out = new_node(k, dict ? DICT_CONFIG : LIST_CONFIG, parent, key,
			&state);
	if (!*out)
		return nomem(k);
	k->depth++;
	rc = dict ? fill_dict(k, plain, *out, &state)
		  : fill_list(k, plain, *out, &state);
	k->depth--;
	return rc ? rc : state.failed ? nomem(k) : 0;
}

int omegaconf_make(struct omegaconf_kit *k, struct ferry_value *plain,
		   struct ferry_value *parent, struct ferry_value *key,
		   struct ferry_value **out)
{
	struct parts state;
	char shown[80] = "the root";

	*out = NULL;
	if (++k->nodes > OMEGACONF_MOST)
		return too_many(k);
	if (plain->kind == FERRY_DICT || plain->kind == FERRY_LIST ||
	    plain->kind == FERRY_TUPLE)
		return make_container(k, plain, parent, key, out);
	if (key->kind == FERRY_STRING)
		ferry_escape(shown, sizeof(shown), key->u.s.data,
			     key->u.s.nbytes);
	if (!is_scalar(plain) || !parent)
		return ferry_fail(k->err, FERRY_UNSUPPORTED, "omegaconf",
				  FERRY_NO_OFFSET, "%s: a value of kind %s has "
				  "no place in a configuration", shown,
				  ferry_kind_name(plain->kind));
	*out = new_node(k, ANY_NODE, parent, key, &state);
	if (!*out)
		return nomem(k);
	add(&state, VAL, canonical(k, plain));
	return state.failed ? nomem(k) : 0;
}

int omegaconf_create(struct ferry_store *store, struct ferry_value *plain,
		     const struct omegaconf_maker *maker,
		     struct ferry_value **out, struct ferry_error *err)
{
	struct omegaconf_kit *k;
	int rc = omegaconf_kit_new(&k, store,
				   maker ? maker->layout : OMEGACONF_NONE, err);

	if (rc)
		return rc;
	k->is_struct = maker && maker->is_struct;
	return omegaconf_make(k, plain, NULL, ferry_none(), out);
}
