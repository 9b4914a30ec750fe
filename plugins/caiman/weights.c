/* Weights under their lasting names. */
#include "config.h"

#include "plugins/caiman/weights.h"

#include <stdio.h>
#include <string.h>

#include <ferry/sys/alloc.h>

#include "plugins/caiman/shape.h"

/* ---- equal data -------------------------------------------------------------------- */

#define PIECE_ELEMENTS 16384

static bool same_shape(const struct ferry_tensor *a,
		       const struct ferry_tensor *b)
{
	return a->dtype == b->dtype && a->ndim == b->ndim &&
	       !memcmp(a->shape, b->shape, a->ndim * sizeof(*a->shape));
}

static bool same_view(const struct ferry_tensor *a,
		      const struct ferry_tensor *b)
{
	return a->storage == b->storage && a->offset == b->offset &&
	       a->flags == b->flags &&
	       !memcmp(a->strides, b->strides, a->ndim * sizeof(*a->strides));
}

static int compare_pieces(const struct ferry_tensor *a,
			  const struct ferry_tensor *b, char *buf, size_t size,
			  struct ferry_error *err)
{
	uint64_t n = ferry_tensor_nelem(a), now;
	char *other = buf + PIECE_ELEMENTS * size;
	int rc = 0;

	for (uint64_t i = 0; i < n && !rc; i += now) {
		now = n - i < PIECE_ELEMENTS ? n - i : PIECE_ELEMENTS;
		rc = ferry_tensor_read(a, i, now, buf, err);
		if (!rc)
			rc = ferry_tensor_read(b, i, now, other, err);
		if (!rc && memcmp(buf, other, now * size))
			return 0;
	}
	return rc ? rc : 1;
}

int same_data(const struct ferry_tensor *a, const struct ferry_tensor *b,
	      struct ferry_error *err)
{
	size_t size = ferry_dtype_size(a->dtype);
	char *buf;
	int rc;

	if (!same_shape(a, b) || ((a->flags | b->flags) & FERRY_META))
		return 0;
	if (same_view(a, b))
		return 1;
	if (!size)
		return ferry_fail(err, FERRY_UNSUPPORTED, "caiman",
				  FERRY_NO_OFFSET, "tensors of dtype %s can't "
				  "be compared", ferry_dtype_name(a->dtype));
	buf = ferry_alloc(2 * PIECE_ELEMENTS * size);
	if (!buf)
		return ferry_fail_nomem(err, "a comparison");
	rc = compare_pieces(a, b, buf, size, err);
	ferry_alloc_free(buf);
	return rc;
}

/* ---- names ----------------------------------------------------------------------------- */

struct cleaning {
	struct ferry_store *store;
	const struct ferry_value *items;	/* the old ones */
	struct ferry_value *out;
	const char *path;
	unsigned layers, joint_fc, renamed, stripped;
	struct ferry_error *err;
};

#define NAME_CAP 256
#define WRAPPER "module."

static bool key_text(const struct ferry_value *key, char out[NAME_CAP])
{
	if (key->kind != FERRY_STRING || key->u.s.nbytes >= NAME_CAP ||
	    memchr(key->u.s.data, '\0', key->u.s.nbytes))
		return false;
	memcpy(out, key->u.s.data, key->u.s.nbytes);
	out[key->u.s.nbytes] = '\0';
	return true;
}

/* "net.lstm.layers.0.weight_ih" is "net.lstm.weight_ih_l0". */
static bool layer_name(const char *name, char out[NAME_CAP])
{
	const char *layers = strstr(name, ".lstm.layers."), *number, *kind;
	size_t digits;

	if (!layers)
		return false;
	number = layers + strlen(".lstm.layers.");
	digits = strspn(number, "0123456789");
	kind = number + digits + 1;
	if (!digits || digits > 6 || number[digits] != '.' || !*kind ||
	    strchr(kind, '.'))
		return false;
	snprintf(out, NAME_CAP, "%.*s.lstm.%s_l%.*s", (int)(layers - name),
		 name, kind, (int)digits, number);
	return true;
}

static bool joint_name(const char *name, char out[NAME_CAP])
{
	if (strcmp(name, "joint_fc.weight") && strcmp(name, "joint_fc.bias"))
		return false;
	snprintf(out, NAME_CAP, "joint_net.2.%s", name + strlen("joint_fc."));
	return true;
}

/* The old value that stands under a lasting name. */
static struct ferry_value *counterpart(const struct cleaning *c,
				       const char *name)
{
	char wrapped[NAME_CAP + sizeof(WRAPPER)];
	struct ferry_value *v = ferry_dict_get(c->items, name);

	snprintf(wrapped, sizeof(wrapped), WRAPPER "%s", name);
	return v ? v : ferry_dict_get(c->items, wrapped);
}

static int require_same(struct cleaning *c, const char *name,
			struct ferry_value *value, const char *lasting,
			struct ferry_value *other)
{
	struct ferry_value *a = ferry_value_payload(value),
			   *b = ferry_value_payload(other);
	char quoted[2][NAME_CAP];
	int same = 0;

	if (a->kind == FERRY_TENSOR && b->kind == FERRY_TENSOR)
		same = same_data(a->u.tensor, b->u.tensor, c->err);
	if (same)
		return same < 0 ? same : 0;
	ferry_escape(quoted[0], NAME_CAP, name, strlen(name));
	ferry_escape(quoted[1], NAME_CAP, lasting, strlen(lasting));
	return ferry_fail(c->err, FERRY_MALFORMED, "caiman", FERRY_NO_OFFSET,
			  "%s.%s should be a second name of %s, but their data "
			  "differ: drop the wrong one first (--drop)", c->path,
			  quoted[0], quoted[1]);
}

static int take(struct cleaning *c, const char *name, struct ferry_value *value)
{
	char quoted[NAME_CAP];

	if (ferry_dict_get(c->out, name)) {
		ferry_escape(quoted, sizeof(quoted), name, strlen(name));
		return ferry_fail(c->err, FERRY_MALFORMED, "caiman",
				  FERRY_NO_OFFSET, "%s has '%s' twice, with "
				  "and without a wrapper's prefix", c->path,
				  quoted);
	}
	if (ferry_dict_set_str(c->store, c->out, name, value))
		return ferry_fail_nomem(c->err, "weights");
	return 0;
}

static int clean_one(struct cleaning *c, const struct ferry_pair *pair)
{
	char text[NAME_CAP], lasting[NAME_CAP], *name = text;
	struct ferry_value *other;
	bool layer;

	if (!key_text(pair->key, text))
		return ferry_dict_set(c->store, c->out, pair->key,
				      pair->value) ?
		       ferry_fail_nomem(c->err, "weights") : 0;
	if (!strncmp(name, WRAPPER, strlen(WRAPPER))) {
		name += strlen(WRAPPER);
		c->stripped++;
	}
	layer = layer_name(name, lasting);
	if (!layer && !joint_name(name, lasting))
		return take(c, name, pair->value);
	other = counterpart(c, lasting);
	if (other) {
		c->layers += layer;
		c->joint_fc += !layer;
		return require_same(c, name, pair->value, lasting, other);
	}
	c->renamed += layer;
	return take(c, layer ? lasting : name, pair->value);
}

static int note(const struct cleaning *c, struct ferry_findings *f, unsigned n,
		const char *what)
{
	return n ? ferry_findings_add(f, FERRY_NOTE, "names", c->path,
				      FERRY_NO_OFFSET, "%s: %u %s", c->path, n,
				      what) : 0;
}

static int tell(const struct cleaning *c, struct ferry_findings *f)
{
	if (note(c, f, c->layers, "second names of LSTM weights dropped") ||
	    note(c, f, c->renamed, "LSTM weights renamed") ||
	    note(c, f, c->joint_fc, "copies of joint_net.2 dropped") ||
	    note(c, f, c->stripped, "names freed of the prefix module."))
		return ferry_fail_nomem(c->err, "findings");
	return 0;
}

int canonical_weights(struct ferry_store *store, struct ferry_value *weights,
		      const char *path, struct ferry_findings *findings,
		      struct ferry_value **out, struct ferry_error *err)
{
	struct cleaning c = {
		.store = store, .items = ferry_value_items(weights),
		.path = path, .err = err,
	};
	int rc = 0;

	*out = weights;
	if (!c.items)
		return 0;
	c.out = ferry_dict(store, c.items->u.dict.n);
	if (!c.out)
		return ferry_fail_nomem(err, "weights");
	for (uint32_t i = 0; i < c.items->u.dict.n && !rc; i++)
		rc = clean_one(&c, &c.items->u.dict.pairs[i]);
	if (rc || !(c.layers | c.joint_fc | c.renamed | c.stripped))
		return rc;
	*out = mapping_like(store, weights, c.out);
	if (*out && c.stripped && (*out)->kind == FERRY_OBJECT)
		(*out)->u.object->state = NULL;
	return *out ? tell(&c, findings) : ferry_fail_nomem(err, "weights");
}
