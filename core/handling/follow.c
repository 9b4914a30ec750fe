/*
 * Tables in the state of an object with weights that are keyed by module path (each
 * value a mapping of its own) follow what happened to the names below them.
 */
#include "config.h"

#include "core/handling/rules.h"

#include <string.h>

#include <ferry/sys/alloc.h>
#include <ferry/sys/map.h>

struct span {
	const char *text;
	uint32_t n;
};

struct follower {
	struct ferry_map moved;		/* old module -> index in `to` */
	struct ferry_map alive;		/* modules with a name left as it was */
	struct ferry_map had;		/* modules that had names */
	struct span *to;
	size_t n, cap;
};

/* "a.b.c" -> "a.b", "a" -> ""; false for "". */
static bool outwards(struct span *s)
{
	const char *dot;

	if (!s->n)
		return false;
	dot = memrchr(s->text, '.', s->n);
	s->n = dot ? (uint32_t)(dot - s->text) : 0;
	return true;
}

/* Put a module and those around it, up to one that is there. */
static int put_all(struct ferry_map *map, struct span s)
{
	while (!ferry_map_get(map, s.text, s.n, NULL)) {
		if (ferry_map_put(map, s.text, s.n, 0))
			return FERRY_NOMEM;
		if (!outwards(&s))
			break;
	}
	return 0;
}

static int put_moved(struct follower *f, struct span old, struct span new)
{
	struct span *to = f->to;
	size_t cap = f->cap ? 2 * f->cap : 64;

	if (ferry_map_get(&f->moved, old.text, old.n, NULL))
		return 0;
	if (f->n == f->cap) {
		to = ferry_alloc_resize(to, cap, sizeof(*to));
		if (!to)
			return FERRY_NOMEM;
		f->to = to;
		f->cap = cap;
	}
	f->to[f->n] = new;
	return ferry_map_put(&f->moved, old.text, old.n, f->n++);
}

static bool same_last_key(struct span a, struct span b)
{
	struct span x = a, y = b;

	outwards(&x);
	outwards(&y);
	x.n += x.n != 0;	/* its "." */
	y.n += y.n != 0;
	return a.n - x.n == b.n - y.n &&
	       !memcmp(a.text + x.n, b.text + y.n, a.n - x.n);
}

/* "m.a.w" became "a.w": so "m.a" became "a", and "m" became "". */
static int note_move(struct follower *f, struct span old, struct span new)
{
	int rc;

	do {
		outwards(&old);
		outwards(&new);
		rc = put_moved(f, old, new);
	} while (!rc && old.n && new.n && same_last_key(old, new));
	return rc;
}

static int note_entry(struct follower *f, struct span old, struct span new,
		      bool gone)
{
	struct span module = old;
	int rc;

	outwards(&module);
	rc = put_all(&f->had, module);
	if (rc || gone)
		return rc;
	if (old.n == new.n && !memcmp(old.text, new.text, old.n))
		return put_all(&f->alive, module);
	return note_move(f, old, new);
}

enum rank { GONE, KEPT, MOVED, ALIVE };

/* Where a module path goes: *head (its first `cut` bytes) is replaced. */
static enum rank look_up(const struct follower *f, struct span path,
			 struct span *head, uint32_t *cut)
{
	struct span at = path;
	uint64_t i;

	if (ferry_map_get(&f->alive, path.text, path.n, NULL))
		return ALIVE;
	do {
		if (ferry_map_get(&f->moved, at.text, at.n, &i)) {
			*head = f->to[i];
			*cut = at.n;
			return MOVED;
		}
		if (ferry_map_get(&f->had, at.text, at.n, NULL))
			return ferry_map_get(&f->alive, at.text, at.n, NULL) ?
			       KEPT : GONE;
	} while (outwards(&at));
	return KEPT;
}

/* The path with its first `cut` bytes replaced by head. */
static struct ferry_value *moved_key(struct ferry_store *store,
				     struct span path, struct span head,
				     uint32_t cut)
{
	struct ferry_buffer b = FERRY_BUFFER_INIT;
	struct ferry_value *key = NULL;
	const char *rest = path.text + cut;
	uint32_t n = path.n - cut;

	if (n && *rest == '.') {
		rest++;
		n--;
	}
	ferry_buffer_add(&b, head.text, head.n);
	if (head.n && n)
		ferry_buffer_add_str(&b, ".");
	ferry_buffer_add(&b, rest, n);
	if (!b.failed)
		key = ferry_string(store, b.data ? b.data : "", b.n);
	ferry_buffer_release(&b);
	return key;
}

struct table {
	struct ferry_pair *pairs;
	enum rank *ranks;
	uint32_t n;
	struct ferry_map at;
};

static int table_put(struct table *t, struct ferry_value *key,
		     struct ferry_value *value, enum rank rank)
{
	uint64_t i;

	if (ferry_map_get(&t->at, key->u.s.data, key->u.s.nbytes, &i)) {
		if (rank <= t->ranks[i])
			return 0;
	} else {
		i = t->n++;
		if (ferry_map_put(&t->at, key->u.s.data, key->u.s.nbytes, i))
			return FERRY_NOMEM;
	}
	t->pairs[i] = (struct ferry_pair){ key, value };
	t->ranks[i] = rank;
	return 0;
}

static int fill_table(const struct follower *f, struct ferry_store *store,
		      const struct ferry_value *dict, struct table *t)
{
	struct ferry_value *key;
	struct span path, head;
	enum rank rank;
	uint32_t cut;

	for (uint32_t i = 0; i < dict->u.dict.n; i++) {
		key = dict->u.dict.pairs[i].key;
		path.text = key->u.s.data;
		path.n = (uint32_t)key->u.s.nbytes;
		rank = look_up(f, path, &head, &cut);
		if (rank == GONE)
			continue;
		if (rank == MOVED)
			key = moved_key(store, path, head, cut);
		if (!key || table_put(t, key, dict->u.dict.pairs[i].value,
				      rank))
			return FERRY_NOMEM;
	}
	return 0;
}

static int follow_table(const struct follower *f, struct ferry_store *store,
			struct ferry_value *dict)
{
	struct table t = { .n = 0, .at = FERRY_MAP_INIT };
	int rc = FERRY_NOMEM;

	t.pairs = ferry_alloc_zero(dict->u.dict.n, sizeof(*t.pairs));
	t.ranks = ferry_alloc_zero(dict->u.dict.n, sizeof(*t.ranks));
	if (t.pairs && t.ranks)
		rc = fill_table(f, store, dict, &t);
	if (!rc)
		rc = ferry_dict_replace(store, dict, t.pairs, t.n);
	ferry_map_release(&t.at);
	ferry_alloc_free(t.pairs);
	ferry_alloc_free(t.ranks);
	return rc;
}

/* Keyed by paths, and every value a mapping. */
static bool is_table(const struct ferry_value *dict)
{
	const struct ferry_pair *pairs = dict->u.dict.pairs;

	for (uint32_t i = 0; i < dict->u.dict.n; i++)
		if (pairs[i].key->kind != FERRY_STRING ||
		    pairs[i].key->u.s.nbytes > UINT32_MAX ||
		    !ferry_value_items(pairs[i].value))
			return false;
	return dict->u.dict.n > 0;
}

static int follow_state(const struct follower *f, struct ferry_store *store,
			struct ferry_value *state)
{
	struct ferry_value *items;
	int rc = 0;

	if (state->kind == FERRY_TUPLE)
		for (uint32_t i = 0; i < state->u.list.n && !rc; i++)
			if (state->u.list.items[i]->kind == FERRY_DICT)
				rc = follow_state(f, store,
						  state->u.list.items[i]);
	if (state->kind != FERRY_DICT)
		return rc;
	for (uint32_t i = 0; i < state->u.dict.n && !rc; i++) {
		items = ferry_value_items(state->u.dict.pairs[i].value);
		if (items && is_table(items))
			rc = follow_table(f, store, items);
	}
	return rc;
}

bool ferry__names_changed(const struct ferry__names *names)
{
	for (size_t i = 0; i < names->n; i++)
		if (names->entries[i].dropped ||
		    names->entries[i].name != names->entries[i].old)
			return true;
	return false;
}

static struct ferry_value *state_of(const struct ferry__node *node)
{
	return node->value->kind == FERRY_OBJECT ? node->value->u.object->state
						 : NULL;
}

/* Where a mapping is now: itself, or the one that took its place. */
static uint32_t new_place(const struct ferry__names *names, uint32_t at)
{
	return names->nodes[at].became ? names->nodes[at].became : at;
}

static bool is_inside(const struct ferry__names *names, uint32_t at,
		      uint32_t outer)
{
	while (names->nodes[at].depth > names->nodes[outer].depth)
		at = names->nodes[at].parent;
	return at == outer;
}

/* Names below a mapping without what names the mapping. */
static int note_in(struct follower *f, const struct ferry__names *names,
		   const struct ferry__entry *e, uint32_t at)
{
	uint32_t to = new_place(names, at);
	uint32_t cut = names->nodes[at].n_name;
	struct span old = { e->old + cut, e->n_old - cut }, new = { "", 0 };
	bool gone = e->dropped || !is_inside(names, e->home, to);

	if (!gone) {
		cut = names->nodes[to].n_name;
		new = (struct span){ e->name + cut, e->n_name - cut };
	}
	return note_entry(f, old, new, gone);
}

static int note_all(struct follower *all, const struct ferry__names *names)
{
	const struct ferry__entry *e;
	uint32_t at;
	int rc = 0;

	for (size_t i = 0; i < names->n && !rc; i++) {
		e = &names->entries[i];
		if (!e->old)
			continue;
		for (at = e->node; !rc; at = names->nodes[at].parent) {
			if (state_of(&names->nodes[at]))
				rc = note_in(&all[at], names, e, at);
			if (!at)
				break;
		}
	}
	return rc;
}

static void release_all(struct follower *all, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		ferry_map_release(&all[i].moved);
		ferry_map_release(&all[i].alive);
		ferry_map_release(&all[i].had);
		ferry_alloc_free(all[i].to);
	}
	ferry_alloc_free(all);
}

int ferry__follow(const struct ferry__names *names, struct ferry_document *doc,
		  struct ferry_error *err)
{
	struct follower *all;
	int rc;

	if (!ferry__names_changed(names))
		return 0;
	all = ferry_alloc_zero(names->n_nodes, sizeof(*all));
	rc = all ? note_all(all, names) : FERRY_NOMEM;
	for (size_t i = 0; i < names->n_nodes && !rc; i++)
		if (all[i].had.n)
			rc = follow_state(&all[i], doc->store,
					  state_of(&names->nodes[i]));
	if (all)
		release_all(all, names->n_nodes);
	return rc ? ferry_fail_nomem(err, "names") : 0;
}
