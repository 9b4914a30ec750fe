/* Which values of a document are met more than once. */
#include "config.h"

#include "formats/json/typed_out.h"

#include <string.h>

#include <ferry/sys/alloc.h>

#include "formats/json/typed.h"

bool typed_is_tracked(const struct ferry_value *v)
{
	if (!v->id)
		return false;
	switch (v->kind) {
	case FERRY_LIST:
	case FERRY_SET:
	case FERRY_DICT:
	case FERRY_STORAGE:
	case FERRY_OBJECT:
	case FERRY_TENSOR:
		return true;
	case FERRY_TUPLE:
	case FERRY_FROZENSET:
		return v->u.list.n;
	case FERRY_BYTES:
		return v->flags & (FERRY_MUTABLE | FERRY_RANGE) ||
		       v->u.s.nbytes >= TYPED_SMALL_BYTES;
	default:
		return false;
	}
}

static uint32_t *mark_of(struct typed_out *w, const struct ferry_value *v)
{
	if (v->id >= w->nmarks) {
		uint32_t n = v->id < UINT32_MAX / 2 ? v->id * 2 + 64 :
						      UINT32_MAX;
		uint32_t *marks = ferry_alloc_resize(w->marks, n,
						     sizeof(*marks));

		if (!marks) {
			ferry_fail_nomem(w->err, "marks of a document");
			return NULL;
		}
		memset(marks + w->nmarks, 0,
		       (n - w->nmarks) * sizeof(*marks));
		w->marks = marks;
		w->nmarks = n;
	}
	return &w->marks[v->id];
}

int typed_fail_depth(struct typed_out *w)
{
	return ferry_fail(w->err, FERRY_LIMIT, "json", FERRY_NO_OFFSET,
			  "document is more than %d deep", TYPED_MAX_DEPTH);
}

static int count_object(struct typed_out *w, const struct ferry_object *o,
			unsigned depth)
{
	const struct ferry_value *parts[] = {
		o->callable, o->args, o->kwargs, o->list, o->dict, o->state,
	};
	int rc = 0;

	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts) && !rc; i++)
		if (parts[i])
			rc = typed_count(w, parts[i], depth + 1);
	return rc;
}

static int count_children(struct typed_out *w, const struct ferry_value *v,
			  unsigned depth)
{
	int rc = 0;

	switch (v->kind) {
	case FERRY_LIST:
	case FERRY_TUPLE:
	case FERRY_SET:
	case FERRY_FROZENSET:
		for (uint32_t i = 0; i < v->u.list.n && !rc; i++)
			rc = typed_count(w, v->u.list.items[i], depth + 1);
		return rc;
	case FERRY_DICT:
		for (uint32_t i = 0; i < v->u.dict.n && !rc; i++) {
			rc = typed_count(w, v->u.dict.pairs[i].key, depth + 1);
			if (!rc)
				rc = typed_count(w, v->u.dict.pairs[i].value,
					   depth + 1);
		}
		return rc;
	case FERRY_OBJECT:
		return count_object(w, v->u.object, depth);
	case FERRY_TENSOR:
		return v->u.tensor->extra ?
			typed_count(w, v->u.tensor->extra, depth + 1) : 0;
	default:
		return 0;
	}
}

int typed_count(struct typed_out *w, const struct ferry_value *v,
		unsigned depth)
{
	if (depth > TYPED_MAX_DEPTH)
		return typed_fail_depth(w);
	if (typed_is_tracked(v)) {
		uint32_t *mark = mark_of(w, v);

		if (!mark)
			return FERRY_NOMEM;
		if (*mark != TYPED_UNSEEN) {
			*mark = TYPED_SHARED;
			return 0;
		}
		*mark = TYPED_ONCE;
	}
	return count_children(w, v, depth);
}
