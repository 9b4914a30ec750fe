/* Looking a document path up. */
#include "config.h"

#include <ferry/sys/build.h>

#include <string.h>

#include "core/model/child.h"

enum {
	LOOKUPS = 10000,	/* before a path is given up */
	KEY_TEXT = 1024,
};

/* Where keys contain dots a path can be read in several ways; the longest key
 * is tried first, the others when it leads nowhere. */
struct search {
	unsigned lookups;
	struct ferry_buffer text;
};

static struct ferry_value *find(struct search *s, struct ferry_value *v,
				const char *path, int depth);

/* An integer as paths write it, of up to 18 digits. */
static bool parse_int(const char *text, size_t n, int64_t *out)
{
	bool negative = n && *text == '-';
	uint64_t value = 0;
	size_t i = negative;

	if (i == n || n - i > 18 || (text[i] == '0' && n > 1))
		return false;
	for (; i < n; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		value = 10 * value + (uint64_t)(text[i] - '0');
	}
	*out = negative ? -(int64_t)value : (int64_t)value;
	return true;
}

static bool spend(struct search *s)
{
	return s->lookups++ < LOOKUPS;
}

/* The key of n bytes among keys that are text or integers. */
static struct ferry_value *get_plain(const struct ferry_value *dict,
				     const char *key, size_t n)
{
	struct ferry_value k = { .kind = FERRY_STRING };
	struct ferry_value *found;
	int64_t i;

	k.u.s.data = key;
	k.u.s.nbytes = n;
	found = ferry_dict_find(dict, &k);
	if (found || !parse_int(key, n, &i))
		return found;
	k = (struct ferry_value){ .kind = FERRY_INT, .u.i = i };
	return ferry_dict_find(dict, &k);
}

/* What follows a component of n bytes: "" at the end, NULL when the path does
 * not begin with it. */
static const char *rest_of(const char *path, const char *text, size_t n)
{
	if (strncmp(path, text, n))
		return NULL;
	return path[n] == '.' ? path + n + 1 : path[n] ? NULL : path + n;
}

static bool has_plain_text(const struct ferry_value *key)
{
	return (key->kind == FERRY_STRING &&
		(!key->u.s.nbytes ||
		 !memchr(key->u.s.data, '\0', key->u.s.nbytes))) ||
	       (key->kind == FERRY_INT && !(key->flags & FERRY_BIG));
}

/* Other keys by the text that paths have for them. */
static struct ferry_value *find_spelt(struct search *s,
				      struct ferry_value *dict,
				      const char *path, int depth)
{
	struct ferry_value *found = NULL;
	struct ferry_pair *pair;
	const char *rest;

	s->lookups += dict->u.dict.n / 64;
	for (uint32_t i = 0; !found && i < dict->u.dict.n; i++) {
		pair = &dict->u.dict.pairs[i];
		if (has_plain_text(pair->key))
			continue;
		s->text.n = 0;
		ferry_key_text(&s->text, pair->key, i, KEY_TEXT);
		if (s->text.failed)
			return NULL;
		rest = rest_of(path, s->text.data, s->text.n);
		if (rest && spend(s))
			found = find(s, pair->value, rest, depth);
	}
	return found;
}

/* "keys.N": the Nth key itself. */
static struct ferry_value *find_in_keys(struct search *s,
					struct ferry_value *dict,
					const char *path, int depth)
{
	const char *rest;
	int64_t i;
	size_t n;

	path = rest_of(path, "keys", 4);
	if (!path)
		return NULL;
	n = strcspn(path, ".");
	rest = path[n] ? path + n + 1 : path + n;
	if (!parse_int(path, n, &i) || i < 0 || i >= dict->u.dict.n)
		return NULL;
	return find(s, dict->u.dict.pairs[i].key, rest, depth);
}

static struct ferry_value *find_in_dict(struct search *s,
					struct ferry_value *dict,
					const char *path, int depth)
{
	struct ferry_value *value, *found;
	size_t n = strlen(path);
	const char *rest;

	for (;;) {
		if (!spend(s))
			return NULL;
		rest = path[n] ? path + n + 1 : path + n;
		value = get_plain(dict, path, n);
		found = value ? find(s, value, rest, depth) : NULL;
		if (found)
			return found;
		while (n && path[n - 1] != '.')
			n--;
		if (!n)
			break;
		n--;
	}
	found = find_spelt(s, dict, path, depth);
	return found ? found : find_in_keys(s, dict, path, depth);
}

static struct ferry_value *find_in_items(struct search *s,
					 struct ferry_value *list,
					 const char *path, int depth)
{
	size_t n = strcspn(path, ".");
	int64_t i;

	if (!parse_int(path, n, &i) || i < 0 || i >= list->u.list.n)
		return NULL;
	return find(s, list->u.list.items[i], path[n] ? path + n + 1 : path + n,
		    depth);
}

static struct ferry_value *enter(struct search *s, struct ferry_value *v,
				 const char *path, int depth)
{
	return v ? find(s, v, path, depth) : NULL;
}

/* Through the field that has no name in paths. */
static struct ferry_value *find_in_entry(struct search *s,
					 const struct ferry_object *o,
					 const char *path, int depth)
{
	struct ferry_value *found;

	switch (ferry_object_entry(o)) {
	case FERRY_ROLE_DICT:
		return enter(s, o->dict, path, depth);
	case FERRY_ROLE_STATE:
		if (!ferry_object_has_slots(o))
			return enter(s, o->state, path, depth);
		found = enter(s, o->state->u.list.items[0], path, depth);
		if (found)
			return found;
		return enter(s, o->state->u.list.items[1], path, depth);
	case FERRY_ROLE_LIST:
		return enter(s, o->list, path, depth);
	default:
		return enter(s, o->args, path, depth);
	}
}

static struct ferry_value *find_in_object(struct search *s,
					  struct ferry_value *v,
					  const char *path, int depth)
{
	struct ferry_value *payload = ferry_value_payload(v);
	struct ferry_buffer *text = &s->text;
	struct ferry_value *found;
	struct ferry_child child;
	const char *rest;

	found = find_in_entry(s, v->u.object, path, depth);
	if (!found && payload != v)
		found = find(s, payload, path, depth);
	for (uint64_t at = 0; !found && ferry_child_next(v, &at, &child);) {
		text->n = 0;
		if (!ferry_child_name(text, v, &child, KEY_TEXT) ||
		    text->failed)
			continue;
		rest = rest_of(path, text->data, text->n);
		if (rest && spend(s))
			found = find(s, child.value, rest, depth);
	}
	return found;
}

static struct ferry_value *find(struct search *s, struct ferry_value *v,
				const char *path, int depth)
{
	if (!*path)
		return v;
	if (depth == FERRY_MAX_DEPTH || !spend(s))
		return NULL;
	depth++;
	switch (v->kind) {
	case FERRY_DICT:
		return find_in_dict(s, v, path, depth);
	case FERRY_LIST:
	case FERRY_TUPLE:
	case FERRY_SET:
	case FERRY_FROZENSET:
		return find_in_items(s, v, path, depth);
	case FERRY_OBJECT:
		return find_in_object(s, v, path, depth);
	case FERRY_TENSOR:
		if (!v->u.tensor->extra)
			return NULL;
		path = rest_of(path, "extra", 5);
		return path ? find(s, v->u.tensor->extra, path, depth) : NULL;
	default:
		return NULL;
	}
}

struct ferry_value *ferry_value_at(struct ferry_value *from, const char *path)
{
	struct search s = { .text = FERRY_BUFFER_INIT };
	struct ferry_value *found = find(&s, from, path, 0);

	ferry_buffer_release(&s.text);
	return found;
}
