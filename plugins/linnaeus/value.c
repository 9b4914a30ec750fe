/* Parts of documents, and lists of names. */
#include "config.h"

#include "plugins/linnaeus/linnaeus.h"

#include <stdio.h>
#include <string.h>

struct ferry_value *entry(struct ferry_value *in, const char *key)
{
	struct ferry_value *items = in ? ferry_value_items(in) : NULL;

	return items ? ferry_dict_get(items, key) : NULL;
}

struct ferry_value *entry_at(struct ferry_value *in, const char *path)
{
	char key[64];
	size_t n;

	for (; in && *path; path += n + (path[n] == '.')) {
		n = strcspn(path, ".");
		if (n >= sizeof(key))
			return NULL;
		memcpy(key, path, n);
		key[n] = '\0';
		in = entry(in, key);
	}
	return in;
}

const struct ferry_tensor *tensor_of(struct ferry_value *v)
{
	v = v ? ferry_value_payload(v) : NULL;
	return v && v->kind == FERRY_TENSOR ? v->u.tensor : NULL;
}

bool whole(const struct ferry_value *v, int64_t *out)
{
	if (!v || v->kind != FERRY_INT || v->flags & FERRY_BIG)
		return false;
	*out = v->u.i;
	return true;
}

bool is_wrapped(struct ferry_value *weights)
{
	const struct ferry_value *items = weights ? ferry_value_items(weights) :
					  NULL, *key;

	for (uint32_t i = 0; items && i < items->u.dict.n; i++) {
		key = items->u.dict.pairs[i].key;
		if (key->kind != FERRY_STRING || key->u.s.nbytes < 7 ||
		    memcmp(key->u.s.data, "module.", 7))
			return false;
	}
	return items && items->u.dict.n;
}

bool is_cfg_node(const struct ferry_value *v)
{
	return v && v->kind == FERRY_OBJECT && v->u.object->callable &&
	       ferry_value_is_global(v->u.object->callable, "yacs.config",
				     "CfgNode");
}

void names_add(struct names *n, const char *fmt, ...)
{
	char text[256], shown[300];
	va_list ap;

	if (n->n++ >= SHOWN_NAMES)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	ferry_escape(shown, sizeof(shown), text, strlen(text));
	ferry_buffer_printf(&n->text, "%s%s", n->n > 1 ? ", " : "", shown);
}

const char *names_text(struct names *n)
{
	if (n->n > SHOWN_NAMES) {
		ferry_buffer_add_str(&n->text, ", ...");
		n->n = SHOWN_NAMES;
	}
	return n->text.data ? n->text.data : "";
}
