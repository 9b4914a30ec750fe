/*
 * The transformations of noether's PreviousRunInitializer, in its order: names
 * that must be there removed, then names with a pattern in them, then patterns
 * renamed one after the other, then weights of the target taken.  A pattern is
 * text, never a regular expression.
 */
#include "config.h"

#include "plugins/ksuit/ksuit.h"

#include <stdio.h>

#define NAME_MOST 65536		/* bytes that a renamed name may have */
#define SHOWN 120

const struct ferry_option_spec previous_options[] = {
	{ .name = "keys-to-remove",
	  .help = "a name to remove, which must be there (repeatable)" },
	{ .name = "patterns-to-remove",
	  .help = "remove every name with this text in it (repeatable)" },
	{ .name = "patterns-to-rename",
	  .help = "SRC=>DST or SRC: put DST, or nothing, for every SRC in "
		  "names (repeatable, in order)" },
	{ .name = "patterns-to-instantiate",
	  .help = "take every weight of the target with this text in its name "
		  "(repeatable)" },
	{ .name = NULL }
};

struct previous {
	struct ordered *o;
	const struct ferry_options *options;
	struct ferry_findings *findings;
	struct ferry_error *err;
	struct ferry_buffer name;
};

static const char *shown(char *out, struct slice text)
{
	return ferry_escape(out, SHOWN, text.p ? text.p : "", text.n);
}

static struct slice name_at(const struct previous *v, size_t i)
{
	return text_of(v->o->entries[i].key);
}

/* "'from' <does something to> 'to'"; `to` may be empty. */
static int tell(struct previous *v, const char *code, struct slice from,
		const char *does, struct slice to)
{
	char a[SHOWN], b[SHOWN];
	const char *quote = to.n ? "'" : "";

	shown(a, from);
	shown(b, to);
	if (ferry_findings_add(v->findings, FERRY_NOTE, code, a,
			       FERRY_NO_OFFSET, "'%s' %s%s%s%s%s", a, does,
			       to.n ? " " : "", quote, b, quote))
		return ferry_fail_nomem(v->err, "findings");
	return 0;
}

static int remove_keys(struct previous *v, bool strict)
{
	const char *key;
	char text[SHOWN];

	for (size_t i = 0; (key = ferry_option_nth(v->options, "keys-to-remove",
						   i)); i++) {
		if (ordered_remove(v->o, slice_of(key))) {
			if (tell(v, "removed", slice_of(key), "is removed",
				 slice_of("")))
				return FERRY_NOMEM;
		} else if (strict) {
			return ferry_fail(v->err, FERRY_NOTFOUND, ORIGIN,
					  FERRY_NO_OFFSET, "keys-to-remove: "
					  "'%s' is no name of the weights",
					  shown(text, slice_of(key)));
		}
	}
	return 0;
}

static int remove_patterns(struct previous *v)
{
	const char *text;
	struct slice name;

	for (size_t i = 0; (text = ferry_option_nth(
		     v->options, "patterns-to-remove", i)); i++)
		for (size_t at = 0; at < v->o->n; at++) {
			name = name_at(v, at);
			if (v->o->entries[at].gone ||
			    slice_find(name, slice_of(text), 0) == SIZE_MAX)
				continue;
			ordered_remove(v->o, name);
			if (tell(v, "removed", name, "is removed by pattern",
				 slice_of(text)))
				return FERRY_NOMEM;
		}
	return 0;
}

/* Nothing stands between any two characters: there the text is put. */
static void spread(struct ferry_buffer *b, struct slice name, struct slice dst)
{
	for (size_t i = 0; i < name.n && b->n <= NAME_MOST; i++) {
		if (((unsigned char)name.p[i] & 0xc0) != 0x80)
			ferry_buffer_add(b, dst.p, dst.n);
		ferry_buffer_add(b, name.p + i, 1);
	}
	ferry_buffer_add(b, dst.p, dst.n);
}

static int replace(struct previous *v, struct slice name, struct slice src,
		   struct slice dst)
{
	struct ferry_buffer *b = &v->name;
	size_t at = 0, next;
	char text[SHOWN];

	b->n = 0;
	ferry_buffer_add(b, "", 0);
	if (!src.n)
		spread(b, name, dst);
	while (src.n && b->n <= NAME_MOST) {
		next = slice_find(name, src, at);
		ferry_buffer_add(b, name.p + at,
				 (next == SIZE_MAX ? name.n : next) - at);
		if (next == SIZE_MAX)
			break;
		ferry_buffer_add(b, dst.p, dst.n);
		at = next + src.n;
	}
	if (b->failed)
		return ferry_fail_nomem(v->err, "a name");
	if (b->n > NAME_MOST)
		return ferry_fail(v->err, FERRY_LIMIT, ORIGIN, FERRY_NO_OFFSET,
				  "'%s' renamed has more than %d bytes",
				  shown(text, name), NAME_MOST);
	return 0;
}

static int rename_name(struct previous *v, size_t at, struct slice src,
		       struct slice dst)
{
	struct slice name = name_at(v, at), to;
	struct ferry_value *value = ordered_get(v->o, name);
	const char *does = "is renamed";
	int rc = replace(v, name, src, dst);

	if (rc)
		return rc;
	to = (struct slice){ v->name.data, v->name.n };
	ordered_remove(v->o, name);
	if (ordered_get(v->o, to))
		does = "overwrites";
	rc = ordered_set(v->o, to, value);
	return rc ? rc : tell(v, "renamed", name, does, to);
}

static int rename_pattern(struct previous *v, struct slice src,
			  struct slice dst)
{
	size_t n = v->o->n;
	struct slice name;
	int rc = 0;

	for (size_t i = 0; i < n && !rc; i++) {
		name = name_at(v, i);
		if (!v->o->entries[i].gone &&
		    slice_find(name, src, 0) != SIZE_MAX)
			rc = rename_name(v, i, src, dst);
	}
	return rc;
}

static int rename_patterns(struct previous *v)
{
	const char *text, *arrow;
	struct slice src, dst;
	int rc = 0;

	for (size_t i = 0; !rc && (text = ferry_option_nth(
		     v->options, "patterns-to-rename", i)); i++) {
		arrow = strstr(text, "=>");
		src = slice_of(text);
		dst = slice_of("");
		if (arrow) {
			src.n = (size_t)(arrow - text);
			dst = slice_of(arrow + 2);
		}
		rc = rename_pattern(v, src, dst);
	}
	return rc;
}

static int instantiate(struct previous *v, struct ferry_value *target)
{
	const struct ferry_value *items = target ? ferry_value_items(target) :
					  NULL;
	const struct ferry_pair *pair;
	const char *text;
	int rc = 0;

	for (size_t i = 0; !rc && (text = ferry_option_nth(
		     v->options, "patterns-to-instantiate", i)); i++) {
		if (!items)
			return ferry_fail(v->err, FERRY_MISUSE, ORIGIN,
					  FERRY_NO_OFFSET,
					  "patterns-to-instantiate takes "
					  "weights of a target: give it with "
					  "--with target=FILE");
		for (uint32_t k = 0; k < items->u.dict.n && !rc; k++) {
			pair = &items->u.dict.pairs[k];
			if (slice_find(text_of(pair->key), slice_of(text), 0) ==
			    SIZE_MAX || pair->key->kind != FERRY_STRING)
				continue;
			rc = ordered_set(v->o, text_of(pair->key),
					 pair->value);
			if (!rc)
				rc = tell(v, "instantiated", text_of(pair->key),
					  "is the target's", slice_of(""));
		}
	}
	return rc;
}

int previous_apply(struct ordered *o, const struct ferry_options *options,
		   struct ferry_value *target, bool strict,
		   struct ferry_findings *findings)
{
	struct previous v = { .o = o, .options = options,
			      .findings = findings, .err = o->err,
			      .name = FERRY_BUFFER_INIT };
	int rc = remove_keys(&v, strict);

	if (!rc)
		rc = remove_patterns(&v);
	if (!rc)
		rc = rename_patterns(&v);
	if (!rc && (target || strict))
		rc = instantiate(&v, target);
	ferry_buffer_release(&v.name);
	return rc;
}

/* ---- files -------------------------------------------------------------------- */

/* The root with another value under a key. */
static int root_with(struct ferry_store *store, struct ferry_value *root,
		     const struct ferry_value *was, struct ferry_value *is,
		     struct ferry_value **out)
{
	const struct ferry_value *items = ferry_value_items(root);
	struct ferry_value *dict = ferry_dict(store, items->u.dict.n);
	int rc = dict ? 0 : FERRY_NOMEM;

	for (uint32_t i = 0; i < items->u.dict.n && !rc; i++)
		rc = ferry_dict_set(store, dict, items->u.dict.pairs[i].key,
				    items->u.dict.pairs[i].value == was ? is :
				    items->u.dict.pairs[i].value);
	if (!rc)
		*out = mapping_like(store, root, dict);
	return rc || !*out ? FERRY_NOMEM : 0;
}

int previous_model(const struct ferry_conversion_args *args,
		   struct ferry_value *root, struct ferry_value *target,
		   struct ferry_value **out, struct ferry_error *err)
{
	struct ferry_value *weights = field(root, "state_dict"), *made = NULL;
	struct ordered o;
	int rc;

	if (!weights || !ferry_value_items(weights))
		return ferry_fail(err, FERRY_MALFORMED, ORIGIN, FERRY_NO_OFFSET,
				  "the model has no 'state_dict'");
	rc = ordered_init(&o, args->store, weights, err);
	if (!rc)
		rc = previous_apply(&o, args->options, target, true,
				    args->findings);
	if (!rc)
		rc = ordered_make(&o, weights, &made);
	if (!rc && root_with(args->store, root, weights, made, out))
		rc = ferry_fail_nomem(err, "a model");
	ordered_release(&o);
	return rc;
}

int optimizer_names(struct ferry_store *store, struct ferry_value *names,
		    struct ordered *o, struct ferry_error *err)
{
	const struct ferry_value *items = ferry_value_items(names);
	const struct ferry_pair *pair;
	char text[SHOWN];
	int rc = ordered_init(o, store, ferry_none(), err);

	for (uint32_t i = 0; i < items->u.dict.n && !rc; i++) {
		pair = &items->u.dict.pairs[i];
		if (pair->value->kind != FERRY_STRING)
			return ferry_fail(err, FERRY_MALFORMED, ORIGIN,
					  FERRY_NO_OFFSET, "name %u of "
					  "'param_idx_to_name' is of kind %s, "
					  "not text", i,
					  ferry_kind_name(pair->value->kind));
		if (ordered_get(o, text_of(pair->value)))
			return ferry_fail(err, FERRY_MALFORMED, ORIGIN,
					  FERRY_NO_OFFSET,
					  "'param_idx_to_name' has '%s' twice",
					  shown(text, text_of(pair->value)));
		rc = ordered_set(o, text_of(pair->value), pair->key);
	}
	return rc;
}

/* Indices that still have a name, in the order the file had. */
static int names_left(struct ferry_store *store, struct ferry_value *was,
		      const struct ordered *o, struct ferry_value **out)
{
	const struct ferry_value *items = ferry_value_items(was);
	struct ferry_value *by_index = ferry_dict(store, 0), *name;
	int rc = by_index ? 0 : FERRY_NOMEM;

	*out = ferry_dict(store, 0);
	for (size_t i = 0; i < o->n && !rc; i++)
		if (!o->entries[i].gone)
			rc = ferry_dict_set(store, by_index,
					    o->entries[i].value,
					    o->entries[i].key);
	for (uint32_t i = 0; i < items->u.dict.n && !rc && *out; i++) {
		name = ferry_dict_find(by_index, items->u.dict.pairs[i].key);
		if (name)
			rc = ferry_dict_set(store, *out,
					    items->u.dict.pairs[i].key, name);
	}
	return *out ? rc : FERRY_NOMEM;
}

/* What `names` has of a mapping by index, or of a list of indices; an index
 * that had no name to lose stays. */
static bool is_kept(const struct ferry_value *was,
		    const struct ferry_value *names,
		    const struct ferry_value *index)
{
	return ferry_dict_find(names, index) || !ferry_dict_find(was, index);
}

static struct ferry_value *keep_pairs(struct ferry_store *store,
				      struct ferry_value *mapping,
				      const struct ferry_value *was,
				      const struct ferry_value *names)
{
	const struct ferry_value *items = ferry_value_items(mapping);
	struct ferry_value *dict = ferry_dict(store, items->u.dict.n);

	for (uint32_t i = 0; dict && i < items->u.dict.n; i++)
		if (is_kept(was, names, items->u.dict.pairs[i].key) &&
		    ferry_dict_set(store, dict, items->u.dict.pairs[i].key,
				   items->u.dict.pairs[i].value))
			return NULL;
	return dict ? mapping_like(store, mapping, dict) : NULL;
}

static struct ferry_value *keep_items(struct ferry_store *store,
				      const struct ferry_value *list,
				      const struct ferry_value *was,
				      const struct ferry_value *names)
{
	struct ferry_value *made = ferry_sequence(store, FERRY_LIST,
						  list->u.list.n);

	for (uint32_t i = 0; made && i < list->u.list.n; i++)
		if (is_kept(was, names, list->u.list.items[i]) &&
		    ferry_list_add(store, made, list->u.list.items[i]))
			return NULL;
	return made;
}

static struct ferry_value *keep_groups(struct ferry_store *store,
				       const struct ferry_value *groups,
				       const struct ferry_value *was,
				       const struct ferry_value *names)
{
	struct ferry_value *made = ferry_sequence(store, FERRY_LIST,
						  groups->u.list.n);
	struct ferry_value *group, *params, *left;

	for (uint32_t i = 0; made && i < groups->u.list.n; i++) {
		group = groups->u.list.items[i];
		params = field(group, "params");
		if (params && params->kind == FERRY_LIST) {
			left = keep_items(store, params, was, names);
			if (!left || root_with(store, group, params, left,
					       &group))
				return NULL;
		}
		if (ferry_list_add(store, made, group))
			return NULL;
	}
	return made;
}

int optimizer_with_names(struct ferry_store *store, struct ferry_value *root,
			 struct ferry_value *names, struct ferry_value **out)
{
	struct ferry_value *was = field(root, "param_idx_to_name");
	struct ferry_value *state = field(root, "state");
	struct ferry_value *groups = field(root, "param_groups");
	struct ferry_value *of = ferry_value_items(was);
	struct ferry_value *s = keep_pairs(store, state, of, names);
	struct ferry_value *g = keep_groups(store, groups, of, names);

	if (!s || !g || root_with(store, root, was, names, out) ||
	    root_with(store, *out, state, s, out))
		return FERRY_NOMEM;
	return root_with(store, *out, groups, g, out);
}

int previous_optimizer(const struct ferry_conversion_args *args,
		       struct ferry_value *root, struct ferry_value **out,
		       struct ferry_error *err)
{
	struct ferry_value *was = field(root, "param_idx_to_name"), *names;
	struct ordered o;
	int rc;

	*out = root;
	if (!is_optimizer_dict(root))
		return ferry_fail(err, FERRY_MALFORMED, ORIGIN, FERRY_NO_OFFSET,
				  "the optimizer has no 'state' or "
				  "'param_groups'");
	if (!was || !ferry_value_items(was))
		return 0;
	rc = optimizer_names(args->store, was, &o, err);
	if (!rc)
		rc = previous_apply(&o, args->options, NULL, false,
				    args->findings);
	if (!rc && (names_left(args->store, was, &o, &names) ||
		    optimizer_with_names(args->store, root, names, out)))
		rc = ferry_fail_nomem(err, "an optimizer");
	ordered_release(&o);
	return rc;
}
