/* Values to JSON text. */
#include "config.h"

#include "formats/json/json.h"

#include <math.h>

#include <ferry/sys/alloc.h>

#include "formats/json/text.h"

struct writer {
	struct ferry_buffer *out;
	unsigned indent;
};

static void new_line(struct writer *w, unsigned depth)
{
	static const char spaces[] = "                                ";
	size_t n = (size_t)depth * w->indent;

	if (!w->indent)
		return;
	ferry_buffer_add(w->out, "\n", 1);
	while (n) {
		size_t run = n < sizeof(spaces) - 1 ? n : sizeof(spaces) - 1;

		ferry_buffer_add(w->out, spaces, run);
		n -= run;
	}
}

static int write_value(struct writer *w, const struct ferry_value *v,
		       unsigned depth, struct ferry_error *err);

static int write_list(struct writer *w, const struct ferry_value *v,
		      unsigned depth, struct ferry_error *err)
{
	ferry_buffer_add(w->out, "[", 1);
	for (uint32_t i = 0; i < v->u.list.n; i++) {
		int rc;

		if (i)
			ferry_buffer_add(w->out, ",", 1);
		new_line(w, depth + 1);
		rc = write_value(w, v->u.list.items[i], depth + 1, err);
		if (rc)
			return rc;
	}
	if (v->u.list.n)
		new_line(w, depth);
	ferry_buffer_add(w->out, "]", 1);
	return 0;
}

static int write_dict(struct writer *w, const struct ferry_value *v,
		      unsigned depth, struct ferry_error *err)
{
	ferry_buffer_add(w->out, "{", 1);
	for (uint32_t i = 0; i < v->u.dict.n; i++) {
		const struct ferry_pair *pair = &v->u.dict.pairs[i];
		int rc;

		if (pair->key->kind != FERRY_STRING)
			return ferry_fail(err, FERRY_UNSUPPORTED, "json",
					  FERRY_NO_OFFSET,
					  "dict has a key of kind %s; JSON "
					  "has only string keys",
					  ferry_kind_name(pair->key->kind));
		if (i)
			ferry_buffer_add(w->out, ",", 1);
		new_line(w, depth + 1);
		json_quote(w->out, pair->key->u.s.data,
			   (size_t)pair->key->u.s.nbytes);
		ferry_buffer_add(w->out, ": ", w->indent ? 2 : 1);
		rc = write_value(w, pair->value, depth + 1, err);
		if (rc)
			return rc;
	}
	if (v->u.dict.n)
		new_line(w, depth);
	ferry_buffer_add(w->out, "}", 1);
	return 0;
}

static int write_value(struct writer *w, const struct ferry_value *v,
		       unsigned depth, struct ferry_error *err)
{
	if (depth > FERRY_MAX_DEPTH)
		return ferry_fail(err, FERRY_LIMIT, "json", FERRY_NO_OFFSET,
				  "document is more than %d deep, or goes "
				  "round in a circle", FERRY_MAX_DEPTH);
	switch (v->kind) {
	case FERRY_NONE:
		ferry_buffer_add_str(w->out, "null");
		return 0;
	case FERRY_BOOL:
		ferry_buffer_add_str(w->out, v->u.b ? "true" : "false");
		return 0;
	case FERRY_INT:
		return json_add_int(w->out, v, err);
	case FERRY_FLOAT:
		if (isfinite(v->u.f))
			return json_add_real(w->out, v->u.f, err);
		break;
	case FERRY_STRING:
		json_quote(w->out, v->u.s.data, (size_t)v->u.s.nbytes);
		return 0;
	case FERRY_LIST:
		return write_list(w, v, depth, err);
	case FERRY_DICT:
		return write_dict(w, v, depth, err);
	default:
		break;
	}
	return ferry_fail(err, FERRY_UNSUPPORTED, "json", FERRY_NO_OFFSET,
			  "JSON has no form for a value of kind %s",
			  v->kind == FERRY_FLOAT ? "float that is not finite" :
						   ferry_kind_name(v->kind));
}

int json_write(const struct ferry_value *root, unsigned indent,
	       struct ferry_buffer *out, struct ferry_error *err)
{
	struct writer w = { .out = out, .indent = indent };
	int rc = write_value(&w, root, 0, err);

	if (!rc && out->failed)
		rc = ferry_fail_nomem(err, "JSON text");
	return rc;
}

/* A bit per id, grown as ids are met. */
struct seen {
	uint8_t *bits;
	size_t n;
};

static bool see(struct seen *seen, uint32_t id)
{
	size_t byte = id / 8;

	if (byte >= seen->n) {
		size_t n = byte * 2 + 64;
		uint8_t *bits = ferry_alloc_resize(seen->bits, n, 1);

		if (!bits)
			return false;
		for (size_t i = seen->n; i < n; i++)
			bits[i] = 0;
		seen->bits = bits;
		seen->n = n;
	}
	if (seen->bits[byte] & 1 << id % 8)
		return false;
	seen->bits[byte] |= (uint8_t)(1 << id % 8);
	return true;
}

static bool is_plain(struct seen *seen, const struct ferry_value *v,
		     unsigned depth);

static bool is_plain_dict(struct seen *seen, const struct ferry_value *v,
			  unsigned depth)
{
	for (uint32_t i = 0; i < v->u.dict.n; i++) {
		const struct ferry_value *key = v->u.dict.pairs[i].key;

		if (key->kind != FERRY_STRING ||
		    !json_is_clean(key->u.s.data, (size_t)key->u.s.nbytes) ||
		    !is_plain(seen, v->u.dict.pairs[i].value, depth + 1))
			return false;
	}
	return true;
}

static bool is_plain(struct seen *seen, const struct ferry_value *v,
		     unsigned depth)
{
	switch (v->kind) {
	case FERRY_NONE:
	case FERRY_BOOL:
		return true;
	case FERRY_INT:
		return !(v->flags & FERRY_BIG) ||
		       v->u.s.nbytes <= JSON_MAX_DECIMAL_BYTES;
	case FERRY_FLOAT:
		return isfinite(v->u.f);
	case FERRY_STRING:
		return json_is_clean(v->u.s.data, (size_t)v->u.s.nbytes);
	case FERRY_LIST:
		if (depth >= FERRY_MAX_DEPTH || !see(seen, v->id))
			return false;
		for (uint32_t i = 0; i < v->u.list.n; i++)
			if (!is_plain(seen, v->u.list.items[i], depth + 1))
				return false;
		return true;
	case FERRY_DICT:
		return depth < FERRY_MAX_DEPTH && see(seen, v->id) &&
		       is_plain_dict(seen, v, depth);
	default:
		return false;
	}
}

bool json_is_plain(const struct ferry_value *root)
{
	struct seen seen = { 0 };
	bool plain;

	if (root->kind == FERRY_DICT && root->u.dict.n &&
	    ferry_value_is(root->u.dict.pairs[0].key, "$ferry"))
		return false;
	plain = is_plain(&seen, root, 0);
	ferry_alloc_free(seen.bits);
	return plain;
}
