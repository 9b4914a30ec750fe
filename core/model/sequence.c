/* Lists, tuples and sets. */
#include "config.h"

#include <ferry/sys/build.h>

#include "core/model/store.h"

struct ferry_value *ferry_sequence(struct ferry_store *s, enum ferry_kind kind,
				   uint32_t cap)
{
	struct ferry_value *v = store_value(s, kind);

	if (!v || !cap)
		return v;
	v->u.list.items = ferry_store_grow_array(s, NULL, 0, cap,
						 sizeof(struct ferry_value *));
	v->u.list.cap = cap;
	return v->u.list.items ? v : NULL;
}

static int grow(struct ferry_store *s, struct ferry_value *list)
{
	uint64_t cap = list->u.list.cap ? 2 * (uint64_t)list->u.list.cap : 4;
	struct ferry_value **items;

	if (list->u.list.n == UINT32_MAX)
		return FERRY_LIMIT;
	if (cap > UINT32_MAX)
		cap = UINT32_MAX;
	items = ferry_store_grow_array(s, list->u.list.items,
				       list->u.list.cap, cap,
				       sizeof(struct ferry_value *));
	if (!items)
		return FERRY_NOMEM;
	list->u.list.items = items;
	list->u.list.cap = (uint32_t)cap;
	return 0;
}

int ferry_list_add(struct ferry_store *s, struct ferry_value *list,
		   struct ferry_value *item)
{
	int code;

	if (list->u.list.n == list->u.list.cap) {
		code = grow(s, list);
		if (code)
			return code;
	}
	list->u.list.items[list->u.list.n++] = item;
	list->u.list.hash = 0;
	return 0;
}
