/*
 * The names of a weights mapping: taken apart into leaves and mappings, and put
 * together again under the names the rules gave.
 */
#include "config.h"

#include "core/handling/rules.h"

#include <string.h>

#include <ferry/sys/alloc.h>
#include <ferry/sys/map.h>

struct collector {
	struct ferry__names *names;
	struct ferry_marks marks;
	struct ferry_error *err;
};

static void *grown(void *array, size_t n, size_t *cap, size_t size)
{
	size_t wanted = *cap ? 2 * *cap : 64;

	if (n < *cap)
		return array;
	array = ferry_alloc_resize(array, wanted, size);
	if (array)
		*cap = wanted;
	return array;
}

static struct ferry__node *add_node(struct ferry__names *names)
{
	struct ferry__node *nodes = grown(names->nodes, names->n_nodes,
					  &names->cap_nodes, sizeof(*nodes));

	if (!nodes)
		return NULL;
	names->nodes = nodes;
	nodes += names->n_nodes++;
	memset(nodes, 0, sizeof(*nodes));
	return nodes;
}

static struct ferry__entry *add_entry(struct ferry__names *names)
{
	struct ferry__entry *entries = grown(names->entries, names->n,
					     &names->cap, sizeof(*entries));

	if (!entries)
		return NULL;
	names->entries = entries;
	entries += names->n++;
	memset(entries, 0, sizeof(*entries));
	return entries;
}

/* False: a key that is part of no name. */
static bool key_text(struct ferry__names *names, const struct ferry_value *key,
		     const char **text, size_t *n)
{
	if (key->kind == FERRY_STRING) {
		*text = key->u.s.data;
		*n = key->u.s.nbytes;
		return true;
	}
	if (key->kind != FERRY_INT)
		return false;
	*text = ferry_int_text(names->scratch, key);
	*n = *text ? strlen(*text) : 0;
	return true;
}

/* The mapping's name and the key, and `end` unless it is 0. */
static int join(struct collector *c, uint32_t node, const char *key, size_t n,
		char end, const char **out, uint32_t *n_out)
{
	const struct ferry__node *at = &c->names->nodes[node];
	size_t total = at->n_name + n + (end != 0);
	char *text;

	if (total >= UINT32_MAX)
		return ferry_fail(c->err, FERRY_LIMIT, "handling",
				  FERRY_NO_OFFSET, "a name has %zu bytes",
				  total);
	if (!at->n_name && !end) {
		*out = key;
		*n_out = (uint32_t)n;
		return 0;
	}
	text = ferry_store_alloc(c->names->scratch, total + 1);
	if (!text)
		return ferry_fail_nomem(c->err, "names");
	memcpy(text, at->name, at->n_name);
	memcpy(text + at->n_name, key, n);
	text[total - 1] = end ? end : text[total - 1];
	text[total] = '\0';
	*out = text;
	*n_out = (uint32_t)total;
	return 0;
}

static int collect(struct collector *c, uint32_t at);

static int collect_mapping(struct collector *c, uint32_t at,
			   const struct ferry_pair *pair,
			   struct ferry_value *items, const char *key, size_t n)
{
	struct ferry__node *node;
	uint32_t id;
	int rc;

	if (c->names->nodes[at].depth + 1 >= FERRY_MAX_DEPTH)
		return ferry_fail(c->err, FERRY_LIMIT, "handling",
				  FERRY_NO_OFFSET, "mappings are nested more "
				  "than %d deep", FERRY_MAX_DEPTH);
	node = add_node(c->names);
	if (!node)
		return ferry_fail_nomem(c->err, "names");
	id = (uint32_t)(c->names->n_nodes - 1);
	node->value = pair->value;
	node->items = items;
	node->key = pair->key;
	node->parent = at;
	node->depth = c->names->nodes[at].depth + 1;
	rc = join(c, at, key, n, '.', &node->name, &node->n_name);
	return rc ? rc : collect(c, id);
}

static int collect_pair(struct collector *c, uint32_t at,
			const struct ferry_pair *pair)
{
	struct ferry_value *items = ferry_value_items(pair->value);
	struct ferry__entry *e;
	const char *key = NULL;
	bool named;
	size_t n = 0;
	int rc;

	named = key_text(c->names, pair->key, &key, &n);
	if (named && !key)
		return ferry_fail_nomem(c->err, "names");
	if (named && items && items->u.dict.n && !ferry_mark(&c->marks, items))
		return collect_mapping(c, at, pair, items, key, n);
	e = add_entry(c->names);
	if (!e)
		return ferry_fail_nomem(c->err, "names");
	e->key = pair->key;
	e->value = pair->value;
	e->node = at;
	if (!named)
		return 0;
	rc = join(c, at, key, n, '\0', &e->old, &e->n_old);
	e->name = e->old;
	e->n_name = e->n_old;
	return rc;
}

static int collect(struct collector *c, uint32_t at)
{
	const struct ferry_value *items = c->names->nodes[at].items;
	int rc = 0;

	for (uint32_t i = 0; i < items->u.dict.n && !rc; i++)
		rc = collect_pair(c, at, &items->u.dict.pairs[i]);
	return rc;
}

int ferry__names_collect(struct ferry__names *out, struct ferry_document *doc,
			 struct ferry_value *weights, struct ferry_error *err)
{
	struct collector c = { .names = out, .err = err };
	struct ferry__node *root;
	int rc;

	memset(out, 0, sizeof(*out));
	rc = ferry_store_new(&out->scratch, err);
	if (rc)
		return rc;
	root = add_node(out);
	if (!root || ferry_marks_init(&c.marks, doc->store)) {
		ferry__names_release(out);
		return ferry_fail_nomem(err, "names");
	}
	root->value = weights;
	root->items = ferry_value_items(weights);
	root->name = "";
	if (root->items) {
		ferry_mark(&c.marks, root->items);
		rc = collect(&c, 0);
	} else {
		rc = ferry_fail(err, FERRY_MISUSE, "handling", FERRY_NO_OFFSET,
				"rules apply to a mapping of names; this is a "
				"%s", ferry_kind_name(weights->kind));
	}
	ferry_marks_release(&c.marks);
	if (rc)
		ferry__names_release(out);
	return rc;
}

void ferry__names_release(struct ferry__names *names)
{
	for (size_t i = 0; i < names->n_nodes; i++)
		ferry_alloc_free(names->nodes[i].pairs);
	ferry_alloc_free(names->nodes);
	ferry_alloc_free(names->entries);
	ferry_store_unref(names->scratch);
	memset(names, 0, sizeof(*names));
}

/* ---- putting together ---------------------------------------------------- */

struct builder {
	struct ferry__names *names;
	struct ferry_store *store;
	struct ferry_map paths;		/* a mapping's name -> its number */
	struct ferry_error *err;
};

static int add_pair(struct builder *b, uint32_t at, struct ferry_value *key,
		    struct ferry_value *value)
{
	struct ferry__node *node = &b->names->nodes[at];
	size_t cap = node->cap;
	struct ferry_pair *pairs = grown(node->pairs, node->n, &cap,
					 sizeof(*pairs));

	if (!pairs || cap > UINT32_MAX)
		return ferry_fail_nomem(b->err, "names");
	node->pairs = pairs;
	node->cap = (uint32_t)cap;
	node->pairs[node->n++] = (struct ferry_pair){ key, value };
	return 0;
}

/* A mapping stands in its parent from the first leaf it gets. */
static int use_node(struct builder *b, uint32_t at)
{
	struct ferry__node *node = &b->names->nodes[at];
	int rc;

	if (node->used)
		return 0;
	node->used = true;
	if (!at)
		return 0;
	rc = use_node(b, node->parent);
	node = &b->names->nodes[at];
	node->at = b->names->nodes[node->parent].n;
	return rc ? rc : add_pair(b, node->parent, node->key, node->value);
}

static int make_node(struct builder *b, uint32_t parent, const char *name,
		     uint32_t n_name, const char *key, uint32_t n_key,
		     uint32_t *out)
{
	struct ferry__node *node = add_node(b->names);

	if (!node)
		return ferry_fail_nomem(b->err, "names");
	*out = (uint32_t)(b->names->n_nodes - 1);
	node->value = ferry_dict(b->store, 0);
	node->items = node->value;
	node->key = ferry_string(b->store, key, n_key);
	node->name = name;
	node->n_name = n_name;
	node->parent = parent;
	node->depth = b->names->nodes[parent].depth + 1;
	if (!node->value || !node->key ||
	    ferry_map_put(&b->paths, name, n_name, *out))
		return ferry_fail_nomem(b->err, "names");
	return 0;
}

/* The mapping that the first `n` bytes of a name, up to and with a ".", name;
 * `from` of them name its parent. */
static int step_into(struct builder *b, const char *name, uint32_t from,
		     uint32_t n, uint32_t was, uint32_t *at)
{
	uint64_t found;
	int rc;

	if (ferry_map_get(&b->paths, name, n, &found)) {
		*at = (uint32_t)found;
		return 0;
	}
	rc = make_node(b, *at, name, n, name + from, n - from - 1, at);
	if (!rc)
		b->names->nodes[*at].was = was;
	return rc;
}

/* The mapping at a depth of those that an entry stood in. */
static uint32_t outer_node(const struct ferry__names *names, uint32_t at,
			   uint32_t depth)
{
	while (names->nodes[at].depth > depth)
		at = names->nodes[at].parent;
	return at;
}

/* starts[i] is where key i of the old name begins; starts[0] is 0. */
static uint32_t old_keys(const struct ferry__names *names,
			 const struct ferry__entry *e, uint32_t *starts)
{
	const struct ferry__node *node = &names->nodes[e->node];
	uint32_t depth = node->depth;

	for (; node->depth; node = &names->nodes[node->parent])
		starts[node->depth] = node->n_name;
	starts[0] = 0;
	return depth;
}

/*
 * Where the keys of a changed name begin, but for the first: keys unchanged at
 * the front and at the back stay keys; what is between them is split at its
 * first dots into as many keys as were there, or fewer.
 */
static uint32_t find_cuts(const struct ferry__names *names,
			  const struct ferry__entry *e, uint32_t *cuts)
{
	uint32_t starts[FERRY_MAX_DEPTH + 1];
	uint32_t depth = old_keys(names, e, starts);
	uint32_t front = depth, back = depth + 1, end = e->n_name, n = 0, tail;
	const char *dot;
	bool all;	/* nothing is left before what is unchanged */

	while (front && (starts[front] > e->n_name ||
			 memcmp(e->name, e->old, starts[front])))
		front--;
	for (; back > front + 1; back--) {
		tail = e->n_old - starts[back - 1] + 1;
		all = tail - 1 == e->n_name - starts[front];
		tail -= all;
		if (tail > e->n_name - starts[front] ||
		    memcmp(e->name + e->n_name - tail,
			   e->old + e->n_old - tail, tail))
			break;
		end = e->n_name - tail;
		if (all)
			break;
	}
	for (uint32_t i = 1; i <= front; i++)
		cuts[n++] = starts[i];
	for (uint32_t i = front + 1, from = starts[front]; i < back; i++) {
		dot = memchr(e->name + from, '.', end - from);
		if (!dot)
			break;
		from = (uint32_t)(dot - e->name) + 1;
		cuts[n++] = from;
	}
	for (uint32_t i = back; i <= depth; i++)
		cuts[n++] = e->n_name - (e->n_old - starts[i]);
	return n;
}

/* Walk (and make) the mappings of a changed name; *key is where its last key
 * begins. */
static int find_home(struct builder *b, const struct ferry__entry *e,
		     uint32_t *at, uint32_t *key)
{
	uint32_t cuts[FERRY_MAX_DEPTH + 1];
	uint32_t n = find_cuts(b->names, e, cuts), was;
	bool whole = n == b->names->nodes[e->node].depth;
	int rc = 0;

	*at = 0;
	*key = 0;
	for (uint32_t i = 0; i < n && !rc; i++) {
		was = whole ? outer_node(b->names, e->node, i + 1) : 0;
		rc = step_into(b, e->name, *key, cuts[i], was, at);
		*key = cuts[i];
	}
	return rc;
}

static int place(struct builder *b, struct ferry__entry *e)
{
	struct ferry_value *key = e->key;
	uint32_t at = e->node, from;
	int rc = 0;

	if (e->name != e->old) {
		rc = find_home(b, e, &at, &from);
		if (rc)
			return rc;
		key = ferry_string(b->store, e->name + from,
				   e->n_name - from);
		if (!key)
			return ferry_fail_nomem(b->err, "names");
	}
	e->home = at;
	rc = use_node(b, at);
	return rc ? rc : add_pair(b, at, key, e->value);
}

/* A mapping that took what was in another, which is left empty, is that one
 * under another name: of its class, with its state. */
static void take_values(struct builder *b)
{
	struct ferry__node *nodes = b->names->nodes, *from;

	for (size_t i = 1; i < b->names->n_nodes; i++) {
		from = &nodes[nodes[i].was];
		if (!nodes[i].was || from->used || from->became)
			continue;
		from->became = (uint32_t)i;
		nodes[i].value = from->value;
		nodes[i].items = from->items;
		nodes[nodes[i].parent].pairs[nodes[i].at].value = from->value;
	}
}

static int check_unique(struct builder *b, const struct ferry__node *node)
{
	struct ferry_map seen = FERRY_MAP_INIT;
	const struct ferry_value *key;
	char shown[200];
	int rc = 0;

	for (uint32_t i = 0; i < node->n && !rc; i++) {
		key = node->pairs[i].key;
		if (key->kind != FERRY_STRING)
			continue;
		if (ferry_map_get(&seen, key->u.s.data, key->u.s.nbytes,
				  NULL)) {
			ferry_escape(shown, sizeof(shown), key->u.s.data,
				     key->u.s.nbytes);
			rc = ferry_fail(b->err, FERRY_MISUSE, "handling",
					FERRY_NO_OFFSET, "'%s' would be a "
					"tensor and a mapping of tensors at "
					"once: change the rename rule", shown);
		} else if (ferry_map_put(&seen, key->u.s.data, key->u.s.nbytes,
					 i)) {
			rc = ferry_fail_nomem(b->err, "names");
		}
	}
	ferry_map_release(&seen);
	return rc;
}

static int commit(struct builder *b)
{
	struct ferry__node *node;
	int rc = 0;

	for (size_t i = 0; i < b->names->n_nodes && !rc; i++) {
		node = &b->names->nodes[i];
		if (node->used || !i)
			rc = ferry_dict_replace(b->store, node->items,
						node->pairs, node->n);
	}
	return rc ? ferry_fail_nomem(b->err, "names") : 0;
}

int ferry__names_put(struct ferry__names *names, struct ferry_document *doc,
		     struct ferry_error *err)
{
	struct builder b = {
		.names = names, .store = doc->store, .err = err,
	};
	int rc = 0;

	for (size_t i = 1; i < names->n_nodes && !rc; i++)
		if (!ferry_map_get(&b.paths, names->nodes[i].name,
				   names->nodes[i].n_name, NULL) &&
		    ferry_map_put(&b.paths, names->nodes[i].name,
				  names->nodes[i].n_name, i))
			rc = ferry_fail_nomem(err, "names");
	for (size_t i = 0; i < names->n && !rc; i++)
		if (!names->entries[i].dropped)
			rc = place(&b, &names->entries[i]);
	for (size_t i = 0; i < names->n_nodes && !rc && names->n_nodes > 1; i++)
		rc = check_unique(&b, &names->nodes[i]);
	if (!rc) {
		take_values(&b);
		rc = commit(&b);
	}
	ferry_map_release(&b.paths);
	return rc;
}
