/*
 * The places of tensors, by one walk with its own stack: every container is
 * entered once, so the walk is linear however the graph is shared.
 *
 * Names are bounded, for they repeat the keys above them: a file of a few
 * megabytes could ask for gigabytes of names.  Those above LONG_NAME bytes are
 * kept while their sum is below LONG_NAMES, then they are cut.
 */
#include "config.h"

#include <ferry/tensor.h>

#include <inttypes.h>
#include <string.h>

#include <ferry/sys/alloc.h>
#include <ferry/sys/build.h>
#include <ferry/sys/map.h>

#include "core/base/utf8.h"
#include "core/model/child.h"

enum {
	LONGEST_NAME = 16 << 10,
	LONG_NAME = 1 << 10,
	LONG_NAMES = 64 << 20,
};

/* A value on the way down. */
struct level {
	struct ferry_step step;
	size_t path_n;		/* bytes of its path */
	bool named;		/* the path has a component */
	bool silent;		/* its items have no names */
	bool told;		/* its payload is listed already */
	int payload;		/* the item that stands at .. */
	size_t outer_n;		/* .. the path of the object around, or -1 */
	bool outer_named;
};

struct walk {
	struct ferry_places *out;
	size_t cap;
	struct ferry_store *names;	/* the arena of the names */
	struct ferry_marks marks;
	struct ferry_map taken;		/* name: the next suffix to try */
	struct ferry_map first;		/* id of a leaf: its first place */
	struct level *levels;
	size_t n, levels_cap;
	struct ferry_buffer path, name;
	uint64_t long_bytes;		/* of the long names kept */
};

static bool is_leaf(const struct ferry_value *v)
{
	return v->kind == FERRY_TENSOR || v->kind == FERRY_STORAGE;
}

/* Neither a leaf nor a way to one. */
static bool is_barren(const struct ferry_value *v)
{
	return v->kind < FERRY_LIST || v->kind == FERRY_GLOBAL;
}

/* The path as it is, or cut to what is affordable. */
static void fit_path(struct walk *w)
{
	size_t n = w->path.n;

	if (n > LONG_NAME && w->long_bytes + n > LONG_NAMES)
		n = ferry_utf8_cut(w->path.data, LONG_NAME);
	else if (n > LONG_NAME)
		w->long_bytes += n;
	w->name.n = 0;
	ferry_buffer_add(&w->name, w->path.data, n);
	if (n < w->path.n || n > LONGEST_NAME - 4)
		ferry_buffer_add_str(&w->name, "...");
}

static char *keep_name(struct walk *w)
{
	if (w->name.failed)
		return NULL;
	return ferry_store_strndup(w->names, w->name.data, w->name.n);
}

/*
 * The name of the path, with the first "#n" that is free when it is taken.  The
 * next n is kept with the name, so that one met again and again costs no more
 * than the first time.
 */
static const char *take_name(struct walk *w)
{
	struct ferry_buffer *name = &w->name;
	uint64_t suffix;
	char *kept;
	size_t n;
	int code;

	fit_path(w);
	n = name->n;
	kept = keep_name(w);
	code = kept ? ferry_map_add(&w->taken, kept, n, 2, &suffix) :
		      FERRY_NOMEM;
	if (code <= 0)
		return code ? NULL : kept;
	do {
		name->n = n;
		ferry_buffer_printf(name, "#%" PRIu64, suffix++);
	} while (!name->failed &&
		 ferry_map_get(&w->taken, name->data, name->n, NULL));
	if (ferry_map_put(&w->taken, kept, n, suffix))
		return NULL;
	kept = keep_name(w);
	if (!kept || ferry_map_put(&w->taken, kept, name->n, 2))
		return NULL;
	return kept;
}

static int reserve_place(struct walk *w)
{
	size_t cap = w->cap ? 2 * w->cap : 64;
	struct ferry_place *items;

	if (w->out->n < w->cap)
		return 0;
	items = ferry_alloc_resize(w->out->items, cap, sizeof(*items));
	if (!items)
		return FERRY_NOMEM;
	w->out->items = items;
	w->cap = cap;
	return 0;
}

static int add_place(struct walk *w, struct ferry_value *leaf,
		     struct ferry_value *holder)
{
	const char *name = take_name(w);
	uint64_t same = w->out->n;

	if (!name || reserve_place(w))
		return FERRY_NOMEM;
	if (ferry_map_add(&w->first, &leaf->id, sizeof(leaf->id), same,
			  &same) < 0)
		return FERRY_NOMEM;
	w->out->items[w->out->n++] = (struct ferry_place){
		.name = name, .value = leaf, .holder = holder,
		.same = (uint32_t)same,
	};
	return 0;
}

static int push(struct walk *w, const struct level *level)
{
	size_t cap = w->levels_cap ? 2 * w->levels_cap : 64;
	struct level *levels;

	if (w->n == w->levels_cap) {
		levels = ferry_alloc_resize(w->levels, cap, sizeof(*levels));
		if (!levels)
			return FERRY_NOMEM;
		w->levels = levels;
		w->levels_cap = cap;
	}
	w->levels[w->n++] = *level;
	return 0;
}

/* List what stands at the path, and enter it unless it was entered before. */
static int visit(struct walk *w, struct level *level, bool told)
{
	struct ferry_value *v = level->step.value;
	struct ferry_value *payload = ferry_value_payload(v);

	if (is_leaf(payload) && !told && add_place(w, payload, v))
		return FERRY_NOMEM;
	if (ferry_mark(&w->marks, v))
		return 0;
	if (v->kind == FERRY_OBJECT)
		level->told = is_leaf(payload);
	level->path_n = w->path.n;
	return push(w, level);
}

/* Append a component; true when there is one. */
static bool add_component(struct walk *w, const struct level *at)
{
	struct ferry_buffer *path = &w->path;
	size_t before = path->n;
	bool named;

	if (at->silent && at->step.child.role == FERRY_ROLE_ITEM)
		return false;
	if (before >= LONGEST_NAME)
		return true;
	if (at->named)
		ferry_buffer_add_str(path, ".");
	named = ferry_child_name(path, at->step.value, &at->step.child,
				 LONGEST_NAME - before);
	if (!named)
		path->n = before;
	if (path->n > LONGEST_NAME)
		path->n = ferry_utf8_cut(path->data, LONGEST_NAME);
	return named;
}

/* What an OBJECT's fields must know of it. */
static void inherit(struct level *to, const struct level *from)
{
	const struct ferry_object *o;

	if (from->step.value->kind != FERRY_OBJECT)
		return;
	o = from->step.value->u.object;
	if (from->step.child.role == FERRY_ROLE_ARGS) {
		to->payload = o->payload;
		to->outer_n = from->path_n;
		to->outer_named = from->named;
		to->told = from->told;
	}
	to->silent = from->step.child.role == FERRY_ROLE_STATE &&
		     ferry_object_entry(o) == FERRY_ROLE_STATE &&
		     ferry_object_has_slots(o);
}

static int descend(struct walk *w)
{
	const struct level at = w->levels[w->n - 1];
	struct level next = {
		.step.value = at.step.child.value, .payload = -1,
	};
	bool told = false;

	if (is_barren(next.step.value))
		return 0;
	if (at.payload >= 0 && at.step.child.role == FERRY_ROLE_ITEM &&
	    at.step.child.index == (uint32_t)at.payload) {
		w->path.n = at.outer_n;
		next.named = at.outer_named;
		told = at.told;
	} else {
		w->path.n = at.path_n;
		next.named = add_component(w, &at) || at.named;
	}
	if (w->path.failed)
		return FERRY_NOMEM;
	inherit(&next, &at);
	return visit(w, &next, told);
}

static int walk_all(struct walk *w, struct ferry_value *root)
{
	struct level first = { .step.value = root, .payload = -1 };
	struct ferry_step *step;
	int code = is_barren(root) ? 0 : visit(w, &first, false);

	while (!code && w->n) {
		step = &w->levels[w->n - 1].step;
		if (ferry_child_next(step->value, &step->at, &step->child))
			code = descend(w);
		else
			w->n--;
	}
	return code;
}

int ferry_places_init(struct ferry_places *out, struct ferry_document *doc,
		      struct ferry_error *err)
{
	struct ferry_places places = { 0 };
	struct walk w = { .out = &places };
	int code = ferry_store_new(&w.names, err);

	if (code)
		return code;
	places.owner = w.names;
	if (ferry_marks_init(&w.marks, doc->store) || walk_all(&w, doc->root))
		code = ferry_fail_nomem(err, "the names of the tensors");
	ferry_marks_release(&w.marks);
	ferry_map_release(&w.taken);
	ferry_map_release(&w.first);
	ferry_buffer_release(&w.path);
	ferry_buffer_release(&w.name);
	ferry_alloc_free(w.levels);
	if (code)
		ferry_places_release(&places);
	else
		*out = places;
	return code;
}

void ferry_places_release(struct ferry_places *places)
{
	ferry_alloc_free(places->items);
	ferry_store_unref(places->owner);
	*places = (struct ferry_places){ 0 };
}
