/* What a graph holds, counted before it is written. */
#include "config.h"

#include "formats/pickle/graph.h"

#include <string.h>

#include <ferry/sys/alloc.h>

enum {
	SHORT_TEXT = 256,	/* longer strings are told apart by identity */
};

struct pending {
	const struct ferry_value **values;
	size_t n, cap;
};

static const char latin1[] = "latin1";

static int nomem(struct pickle_graph *g)
{
	return ferry_fail_nomem(g->err, "what a pickle refers to");
}

static int push(struct pickle_graph *g, struct pending *p,
		const struct ferry_value *v)
{
	const struct ferry_value **values;
	size_t cap = p->cap ? 2 * p->cap : 256;

	if (p->n == p->cap) {
		values = ferry_alloc_resize(p->values, cap,
					    sizeof(struct ferry_value *));
		if (!values)
			return nomem(g);
		p->values = values;
		p->cap = cap;
	}
	p->values[p->n++] = v;
	return 0;
}

static struct pickle_node *node(struct pickle_graph *g,
				const struct ferry_value *v)
{
	uint32_t n = g->n_nodes ? g->n_nodes : 1024;
	struct pickle_node *nodes;

	while (n <= v->id)
		n = n > UINT32_MAX / 2 ? UINT32_MAX : 2 * n;
	if (v->id >= g->n_nodes) {
		nodes = ferry_alloc_resize(g->nodes, n, sizeof(*nodes));
		if (!nodes) {
			nomem(g);
			return NULL;
		}
		memset(nodes + g->n_nodes, 0,
		       (n - g->n_nodes) * sizeof(*nodes));
		g->nodes = nodes;
		g->n_nodes = n;
	}
	return &g->nodes[v->id];
}

static struct pickle_entry *add_entry(struct pickle_graph *g)
{
	uint32_t cap = g->cap_entries ? 2 * g->cap_entries : 64;
	struct pickle_entry *entries;

	if (g->n_entries == g->cap_entries) {
		entries = ferry_alloc_resize(g->entries, cap, sizeof(*entries));
		if (!entries) {
			nomem(g);
			return NULL;
		}
		g->entries = entries;
		g->cap_entries = cap;
	}
	g->entries[g->n_entries] = (struct pickle_entry){ 0 };
	return &g->entries[g->n_entries++];
}

static int count_string(struct pickle_graph *g, const char *text, size_t n,
			uint32_t *out)
{
	uint64_t at;

	if (!ferry_map_get(&g->strings, text, n, &at)) {
		if (!add_entry(g))
			return FERRY_NOMEM;
		at = g->n_entries;
		if (ferry_map_put(&g->strings, text, n, at))
			return nomem(g);
	}
	g->entries[at - 1].refs++;
	*out = (uint32_t)at;
	return 0;
}

static bool is_surrogate_free(const char *text, size_t n)
{
	const uint8_t *p = (const uint8_t *)text;

	for (size_t i = 0; i + 1 < n; i++)
		if (p[i] == 0xed && p[i + 1] >= 0xa0)
			return false;
	return true;
}

/* What one line of GLOBAL can hold. */
static bool fits_line(const char *text, size_t n)
{
	return n && !memchr(text, '\n', n) && is_surrogate_free(text, n);
}

/*
 * How a name is written.  Python looks a dotted name up only from protocol 4
 * on, and renames modules below 3; a name that needs the one or is spoilt by
 * the other is written under protocol 4, to which the pickle switches for it.
 */
static struct ferry_name spell(const struct pickle_graph *g,
				struct ferry_name given,
				struct ferry_name modern,
				enum pickle_spelling *spelling)
{
	struct ferry_name name = modern;
	bool old = !ferry_name_equal(given, modern), later = false, line;

	*spelling = PICKLE_STACK;
	if (g->protocol >= 4)
		return name;
	if (modern.name_len && memchr(modern.name, '.', modern.name_len))
		later = true;
	else if (old)
		name = given;
	else
		later = !ferry_name_old(modern, &name);
	line = fits_line(name.module, name.module_len) &&
	       fits_line(name.name, name.name_len);
	if (line)
		*spelling = later ? PICKLE_SWITCH : PICKLE_PLAIN;
	else
		*spelling = later ? PICKLE_STACK_SWITCH : PICKLE_STACK;
	return name;
}

/* A name in the map, its key in one piece with it: "module\0name". */
static struct pickle_spelled *new_spelled(struct ferry_name name,
					  enum pickle_spelling spelling)
{
	size_t n = name.module_len + name.name_len + 1;
	struct pickle_spelled *spelled;

	spelled = n < SIZE_MAX - sizeof(*spelled)
			  ? ferry_alloc(sizeof(*spelled) + n) : NULL;
	if (!spelled)
		return NULL;
	spelled->spelling = spelling;
	spelled->name = name;
	if (name.module_len)
		memcpy(spelled->key, name.module, name.module_len);
	spelled->key[name.module_len] = '\0';
	if (name.name_len)
		memcpy(spelled->key + name.module_len + 1, name.name,
		       name.name_len);
	return spelled;
}

static int add_name(struct pickle_graph *g, struct pickle_spelled *spelled,
		    size_t n)
{
	struct pickle_entry *entry = add_entry(g);

	if (!entry)
		return FERRY_NOMEM;
	if (ferry_map_put(&g->names, spelled->key, n, g->n_entries))
		return nomem(g);
	entry->spelled = spelled;
	return 0;
}

static int count_name(struct pickle_graph *g, struct ferry_name given,
		      struct ferry_name modern, uint32_t *out)
{
	enum pickle_spelling spelling;
	struct ferry_name name = spell(g, given, modern, &spelling);
	struct pickle_spelled *spelled = new_spelled(name, spelling);
	size_t n = name.module_len + name.name_len + 1;
	uint64_t at;

	if (!spelled)
		return nomem(g);
	if (ferry_map_get(&g->names, spelled->key, n, &at)) {
		ferry_alloc_free(spelled);
	} else {
		if (add_name(g, spelled, n)) {
			ferry_alloc_free(spelled);
			return FERRY_NOMEM;
		}
		at = g->n_entries;
	}
	g->entries[at - 1].refs++;
	*out = (uint32_t)at;
	return 0;
}

static int count_builtin(struct pickle_graph *g, enum pickle_builtin which)
{
	static const char *const names[PICKLE_N_BUILTINS][2] = {
		[PICKLE_SET] = { "builtins", "set" },
		[PICKLE_FROZENSET] = { "builtins", "frozenset" },
		[PICKLE_COMPLEX] = { "builtins", "complex" },
		[PICKLE_BYTEARRAY] = { "builtins", "bytearray" },
		[PICKLE_ENCODE] = { "_codecs", "encode" },
	};
	struct ferry_name name = {
		names[which][0], names[which][1],
		strlen(names[which][0]), strlen(names[which][1]),
	};

	if (g->builtins[which]) {
		g->entries[g->builtins[which] - 1].refs++;
		return 0;
	}
	return count_name(g, name, name, &g->builtins[which]);
}

static int count_bytes(struct pickle_graph *g, const struct ferry_value *v)
{
	int ret = 0;

	if (v->flags & FERRY_PY2)
		return 0;
	if (v->flags & FERRY_MUTABLE && g->protocol < 5)
		ret = count_builtin(g, PICKLE_BYTEARRAY);
	if (!ret && g->protocol < 4)
		ret = count_builtin(g, PICKLE_ENCODE);
	if (!ret && g->protocol < 4)
		ret = count_string(g, latin1, sizeof(latin1) - 1, &g->latin1);
	return ret;
}

static int count_global(struct pickle_graph *g, const struct ferry_value *v,
			uint32_t *entry)
{
	struct ferry_name given = {
		v->u.global.module, v->u.global.name,
		v->u.global.module_len, v->u.global.name_len,
	};

	if (*entry) {
		g->entries[*entry - 1].refs++;
		return 0;
	}
	return count_name(g, given, ferry_name_of(v), entry);
}

/* What a value that has no children, or beside them, names. */
static int count_names(struct pickle_graph *g, const struct ferry_value *v,
		       struct pickle_node *n)
{
	switch (v->kind) {
	case FERRY_STRING:
		if (v->u.s.nbytes > SHORT_TEXT || g->options->store_all)
			return 0;
		return count_string(g, v->u.s.data, v->u.s.nbytes, &n->entry);
	case FERRY_GLOBAL:
		return count_global(g, v, &n->entry);
	case FERRY_BYTES:
		return count_bytes(g, v);
	case FERRY_COMPLEX:
		return count_builtin(g, PICKLE_COMPLEX);
	case FERRY_SET:
		return g->protocol < 4 ? count_builtin(g, PICKLE_SET) : 0;
	case FERRY_FROZENSET:
		return g->protocol < 4 ? count_builtin(g, PICKLE_FROZENSET) : 0;
	default:
		return 0;
	}
}

static int push_items(struct pickle_graph *g, struct pending *p,
		      const struct ferry_value *list)
{
	int ret = 0;

	for (uint32_t i = list->u.list.n; i-- && !ret;)
		ret = push(g, p, list->u.list.items[i]);
	return ret;
}

static int push_pairs(struct pickle_graph *g, struct pending *p,
		      const struct ferry_value *dict)
{
	int ret = 0;

	for (uint32_t i = dict->u.dict.n; i-- && !ret;) {
		ret = push(g, p, dict->u.dict.pairs[i].value);
		if (!ret)
			ret = push(g, p, dict->u.dict.pairs[i].key);
	}
	return ret;
}

static int push_state(struct pickle_graph *g, struct pending *p,
		      const struct ferry_object *o)
{
	if (!o->state)
		return 0;
	if (o->flags & FERRY_STATES)
		return push_items(g, p, o->state);
	return push(g, p, o->state);
}

/* The last to be written is pushed first, so that values are met, and replaced,
 * in the order in which they are written. */
static int push_object(struct pickle_graph *g, struct pending *p,
		       const struct ferry_object *o)
{
	bool first = o->flags & FERRY_STATE_FIRST;
	int ret = 0;

	if (!first)
		ret = push_state(g, p, o);
	if (!ret && o->dict)
		ret = push_pairs(g, p, o->dict);
	if (!ret && o->list)
		ret = push_items(g, p, o->list);
	if (!ret && first)
		ret = push_state(g, p, o);
	if (!ret && o->kwargs)
		ret = push(g, p, o->kwargs);
	if (!ret && o->args && o->form != FERRY_FORM_EXTENSION) {
		if (o->form == FERRY_FORM_INSTANCE ||
		    o->form == FERRY_FORM_SELF)
			ret = push_items(g, p, o->args);
		else
			ret = push(g, p, o->args);
	}
	if (!ret && o->callable)
		ret = push(g, p, o->callable);
	return ret;
}

static int push_children(struct pickle_graph *g, struct pending *p,
			 const struct ferry_value *v)
{
	switch (v->kind) {
	case FERRY_LIST:
	case FERRY_TUPLE:
	case FERRY_SET:
	case FERRY_FROZENSET:
		return push_items(g, p, v);
	case FERRY_DICT:
		return push_pairs(g, p, v);
	case FERRY_OBJECT:
		return push_object(g, p, v->u.object);
	default:
		return 0;
	}
}

/* What is written for v: asked once, and never for what was the answer. */
static int replaced(struct pickle_graph *g, const struct ferry_value **v)
{
	struct ferry_value *given = (struct ferry_value *)*v, *out = NULL;
	const struct pickle_writer_options *options = g->options;
	struct pickle_node *n;
	int ret;

	if (!options->replace ||
	    (given->kind != FERRY_TENSOR && given->kind != FERRY_STORAGE &&
	     given->kind != FERRY_OBJECT))
		return 0;
	n = node(g, given);
	if (!n)
		return FERRY_NOMEM;
	if (!n->asked) {
		n->asked = true;
		ret = options->replace(options->ctx, options->store, given,
				       &out, g->err);
		if (ret)
			return ret;
		if (out && out->id) {
			n = node(g, out);
			if (!n)
				return FERRY_NOMEM;
			n->asked = true;
		}
		g->nodes[given->id].instead = out == given ? NULL : out;
	}
	if (g->nodes[given->id].instead)
		*v = g->nodes[given->id].instead;
	return 0;
}

static int count(struct pickle_graph *g, struct pending *p,
		 const struct ferry_value *v)
{
	struct pickle_node *n;
	int ret;

	g->edges++;
	ret = replaced(g, &v);
	if (ret || !v->id)
		return ret;
	n = node(g, v);
	if (!n)
		return FERRY_NOMEM;
	/* a string or name counts every time: others may say the same */
	if (v->kind == FERRY_GLOBAL)
		return count_names(g, v, n);
	if (n->entry) {
		g->entries[n->entry - 1].refs++;
		return 0;
	}
	if (n->refs++)
		return 0;
	ret = count_names(g, v, n);
	return ret ? ret : push_children(g, p, v);
}

int pickle_graph_init(struct pickle_graph *g, const struct ferry_value *root)
{
	struct pending p = { 0 };
	int ret = push(g, &p, root);

	while (!ret && p.n)
		ret = count(g, &p, p.values[--p.n]);
	ferry_alloc_free(p.values);
	return ret;
}

void pickle_graph_release(struct pickle_graph *g)
{
	for (uint32_t i = 0; i < g->n_entries; i++)
		ferry_alloc_free(g->entries[i].spelled);
	ferry_alloc_free(g->entries);
	ferry_alloc_free(g->nodes);
	ferry_map_release(&g->strings);
	ferry_map_release(&g->names);
}
