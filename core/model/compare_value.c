/* Comparing values themselves, and saying how they differ. */
#include "config.h"

#include "core/model/compare.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <ferry/tensor.h>

#include "core/base/utf8.h"
#include "core/model/key.h"

enum {
	PATH_BYTES = 1000,
	SHOWN = 80, /* bytes of a value in a sentence */
};

int ferry_compare_nomem(struct comparison *c)
{
	return ferry_fail_nomem(c->err, "comparing documents");
}

int ferry_differ(struct comparison *c, const char *code, const char *fmt, ...)
{
	struct ferry_buffer path = FERRY_BUFFER_INIT;
	char text[600];
	va_list args;
	int failed;

	if (c->differences++ >= c->most)
		return 0;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	ferry_steps_path(&path, c->steps, c->n, PATH_BYTES);
	failed =
		path.failed || ferry_findings_add(c->out, FERRY_VIOLATION, code,
						  path.data ? path.data : "",
						  FERRY_NO_OFFSET, "%s", text);
	ferry_buffer_release(&path);
	return failed ? ferry_compare_nomem(c) : 0;
}

/* A value as a sentence shows it. */
static const char *show(char out[SHOWN], const struct ferry_value *v)
{
	struct ferry_buffer text = FERRY_BUFFER_INIT;
	const char *quote = v->kind == FERRY_STRING ? "'" : "";

	if (v->kind == FERRY_COMPLEX)
		ferry_buffer_printf(&text, "(%.17g%+.17gj)", v->u.c.re,
				    v->u.c.im);
	else
		ferry_key_text(&text, v, 0, SHOWN - 8);
	if (text.n > SHOWN - 8)
		text.n = ferry_utf8_cut(text.data, SHOWN - 8);
	snprintf(out, SHOWN, "%s%.*s%s", quote, (int)text.n,
		 text.data ? text.data : "", quote);
	ferry_buffer_release(&text);
	return out;
}

static int differ_in_value(struct comparison *c, const struct ferry_value *a,
			   const struct ferry_value *b)
{
	char first[SHOWN], second[SHOWN];

	return ferry_differ(
		c, "value", "%s is %s in the first, %s in the second",
		ferry_kind_name(a->kind), show(first, a), show(second, b));
}

int ferry_compare_pair(const struct pairing *p, uint32_t a, uint32_t b)
{
	if (p->to_b[a] == b)
		return 1;
	if (p->to_b[a] || p->to_a[b])
		return 2;
	p->to_b[a] = b;
	p->to_a[b] = a;
	return 0;
}

static int compare_texts(struct comparison *c, const struct ferry_value *a,
			 const struct ferry_value *b)
{
	struct ferry_bytes_at x = { .memory = a->u.s.data };
	struct ferry_bytes_at y = { .memory = b->u.s.data };
	uint64_t n = a->u.s.nbytes, m = b->u.s.nbytes;
	struct ferry_difference d;
	int code;

	if (a->flags & FERRY_RANGE) {
		x = (struct ferry_bytes_at){ NULL, a->u.range.source,
					     a->u.range.offset };
		n = a->u.range.nbytes;
	}
	if (b->flags & FERRY_RANGE) {
		y = (struct ferry_bytes_at){ NULL, b->u.range.source,
					     b->u.range.offset };
		m = b->u.range.nbytes;
	}
	if ((a->flags ^ b->flags) & ~FERRY_RANGE)
		return ferry_differ(c, "value", "bytes are of another kind");
	if (x.memory && y.memory)
		return n == m && (!n || !memcmp(x.memory, y.memory, n))
			       ? 0
			       : differ_in_value(c, a, b);
	if (n != m)
		return ferry_differ(c, "value",
				    "bytes are %" PRIu64 " in the first, "
				    "%" PRIu64 " in the second",
				    n, m);
	code = ferry_compare_bytes(&x, &y, n, &d, c->err);
	if (code || !d.n)
		return code;
	return ferry_differ(c, "value",
			    "%" PRIu64 " of %" PRIu64 " bytes differ, "
			    "the first at %" PRIu64,
			    d.n, n, d.first);
}

static bool same_ints(const struct ferry_value *a, const struct ferry_value *b)
{
	if ((a->flags | b->flags) & FERRY_BIG)
		return a->flags == b->flags && a->u.s.nbytes == b->u.s.nbytes &&
		       !memcmp(a->u.s.data, b->u.s.data, a->u.s.nbytes);
	return a->u.i == b->u.i;
}

/* What is neither text nor has children. */
static bool same_scalars(const struct ferry_value *a,
			 const struct ferry_value *b)
{
	switch (a->kind) {
	case FERRY_BOOL:
		return a->u.b == b->u.b;
	case FERRY_INT:
		return same_ints(a, b);
	case FERRY_FLOAT:
		return !memcmp(&a->u.f, &b->u.f, sizeof(a->u.f));
	case FERRY_COMPLEX:
		return !memcmp(&a->u.c, &b->u.c, sizeof(a->u.c));
	case FERRY_GLOBAL:
		return ferry_value_same_global(a, b);
	default:
		return true;
	}
}

static int compare_storage_ids(struct comparison *c,
			       const struct ferry_storage *a,
			       const struct ferry_storage *b)
{
	if (!c->how->strides || !a || !b || a->id > c->storages.n_a ||
	    b->id > c->storages.n_b)
		return 0;
	if (ferry_compare_pair(&c->storages, a->id, b->id) < 2)
		return 0;
	return ferry_differ(c, "storage",
			    "storage is shared with another tensor in "
			    "one of the two only");
}

static int compare_storages(struct comparison *c, const struct ferry_storage *a,
			    const struct ferry_storage *b)
{
	struct ferry_bytes_at x = { NULL, a->source, a->offset };
	struct ferry_bytes_at y = { NULL, b->source, b->offset };
	struct ferry_difference d;
	int code = compare_storage_ids(c, a, b);

	if (code)
		return code;
	if (a->dtype != b->dtype)
		return ferry_differ(c, "dtype",
				    "dtype is %s in the first, %s in the "
				    "second",
				    ferry_dtype_name(a->dtype),
				    ferry_dtype_name(b->dtype));
	if (a->nbytes != b->nbytes)
		return ferry_differ(c, "shape",
				    "storage has %" PRIu64 " bytes in "
				    "the first, %" PRIu64 " in the second",
				    a->nbytes, b->nbytes);
	if (!c->how->data)
		return 0;
	code = ferry_compare_bytes(&x, &y, a->nbytes, &d, c->err);
	if (code || !d.n)
		return code;
	return ferry_differ(c, "data",
			    "%" PRIu64 " of %" PRIu64 " bytes differ, the "
			    "first at %" PRIu64,
			    d.n, a->nbytes, d.first);
}

static void show_dims(char out[SHOWN], const uint64_t *dims, unsigned n)
{
	size_t at = 0;

	out[at++] = '[';
	for (unsigned i = 0; i < n && at < SHOWN - 26; i++)
		at += (size_t)snprintf(out + at, SHOWN - at, "%s%" PRIu64,
				       i ? ", " : "", dims[i]);
	snprintf(out + at, SHOWN - at, "]");
}

static int compare_shapes(struct comparison *c, const struct ferry_tensor *a,
			  const struct ferry_tensor *b, bool *same)
{
	char first[SHOWN], second[SHOWN];
	int code;

	*same = false;
	if (a->dtype != b->dtype) {
		code = ferry_differ(c, "dtype",
				    "dtype is %s in the first, %s in the "
				    "second",
				    ferry_dtype_name(a->dtype),
				    ferry_dtype_name(b->dtype));
		if (code)
			return code;
	}
	if (a->ndim == b->ndim &&
	    (!a->ndim ||
	     !memcmp(a->shape, b->shape, a->ndim * sizeof(*a->shape)))) {
		*same = a->dtype == b->dtype;
		return 0;
	}
	show_dims(first, a->shape, a->ndim);
	show_dims(second, b->shape, b->ndim);
	return ferry_differ(c, "shape",
			    "shape is %s in the first, %s in the second", first,
			    second);
}

static bool same_strides(const struct ferry_tensor *a,
			 const struct ferry_tensor *b)
{
	for (unsigned i = 0; i < a->ndim; i++)
		if (a->shape[i] != 1 && a->strides[i] != b->strides[i])
			return false;
	return a->offset == b->offset;
}

static int compare_layouts(struct comparison *c, const struct ferry_tensor *a,
			   const struct ferry_tensor *b)
{
	char first[SHOWN], second[SHOWN];
	int code = compare_storage_ids(c, a->storage, b->storage);

	if (code || !c->how->strides || same_strides(a, b))
		return code;
	show_dims(first, (const uint64_t *)a->strides, a->ndim);
	show_dims(second, (const uint64_t *)b->strides, b->ndim);
	return ferry_differ(c, "strides",
			    "strides are %s from element %" PRIu64
			    " in the first, %s from element %" PRIu64
			    " in the second",
			    first, a->offset, second, b->offset);
}

static int compare_flags(struct comparison *c, const struct ferry_tensor *a,
			 const struct ferry_tensor *b)
{
	unsigned differing = a->flags ^ b->flags;
	unsigned layout = c->how->strides ? FERRY_CONJ | FERRY_NEG : 0;
	int code = 0;

	if (differing & FERRY_REQUIRES_GRAD)
		code = ferry_differ(c, "requires-grad",
				    "tensor requires gradients in "
				    "the %s only",
				    a->flags & FERRY_REQUIRES_GRAD ? "first"
								   : "second");
	if (!code && differing & FERRY_META)
		code = ferry_differ(c, "data", "tensor has data in the %s only",
				    a->flags & FERRY_META ? "second" : "first");
	if (!code && differing & layout)
		code = ferry_differ(c, "strides",
				    "tensor is to be conjugated or "
				    "negated when read in one of the two only");
	return code;
}

/* Element `first` in C order as a position. */
static void show_position(char out[SHOWN], const struct ferry_tensor *a,
			  const struct ferry_tensor *b, uint64_t first)
{
	uint64_t at[FERRY_MAX_RANK];
	uint64_t dim;

	for (unsigned i = a->ndim; i--;) {
		dim = !a->strides[i] && !b->strides[i] ? 1 : a->shape[i];
		at[i] = first % dim;
		first /= dim;
	}
	show_dims(out, at, a->ndim);
}

static int differ_in_data(struct comparison *c, const struct ferry_tensor *a,
			  const struct ferry_tensor *b,
			  const struct ferry_difference *d)
{
	char at[SHOWN], values[100] = "", most[60] = "";

	if (!ferry_dtype_size(a->dtype))
		return ferry_differ(c, "data",
				    "%" PRIu64 " bytes differ, the first "
				    "at %" PRIu64,
				    d->n, d->first);
	show_position(at, a, b, d->first);
	if (d->known)
		snprintf(values, sizeof(values), " (%.9g and %.9g)", d->a,
			 d->b);
	if (d->measured)
		snprintf(most, sizeof(most), "; the largest difference is %.3g",
			 d->most);
	return ferry_differ(c, "data",
			    "%" PRIu64 " of %" PRIu64 " elements differ, "
			    "the first at %s%s%s",
			    d->n, ferry_tensor_nelem(a), at, values, most);
}

/* A field that one of two has, and not the other. */
static int compare_presence(struct comparison *c, const struct ferry_value *a,
			    const struct ferry_value *b, const char *name)
{
	if (!a == !b)
		return 0;
	return ferry_differ(c, a ? "missing" : "unexpected",
			    "%s: in the %s only", name,
			    a ? "first" : "second");
}

static int compare_tensors(struct comparison *c, const struct ferry_value *va,
			   const struct ferry_value *vb)
{
	const struct ferry_tensor *a = va->u.tensor, *b = vb->u.tensor;
	struct ferry_difference d;
	bool same;
	int code = compare_shapes(c, a, b, &same);

	if (!code)
		code = compare_flags(c, a, b);
	if (!code && !c->how->bare)
		code = compare_presence(c, a->extra, b->extra, "extra");
	if (code || !same)
		return code;
	code = compare_layouts(c, a, b);
	if (code || !c->how->data || (a->flags | b->flags) & FERRY_META)
		return code;
	code = ferry_compare_tensors(va, vb, c->how, &d, c->err);
	return code || !d.n ? code : differ_in_data(c, a, b, &d);
}

static int compare_objects(struct comparison *c, const struct ferry_object *a,
			   const struct ferry_object *b)
{
	int code = 0;

	if (a->form != b->form || a->flags != b->flags)
		code = ferry_differ(c, "form", "object is made in another way");
	if (!code)
		code = compare_presence(c, a->callable, b->callable, "class");
	if (!code)
		code = compare_presence(c, a->args, b->args, "arguments");
	if (!code)
		code = compare_presence(c, a->kwargs, b->kwargs,
					"keyword arguments");
	if (!code)
		code = compare_presence(c, a->list, b->list, "list items");
	if (!code)
		code = compare_presence(c, a->dict, b->dict, "dict items");
	if (!code)
		code = compare_presence(c, a->state, b->state, "state");
	return code;
}

/* What does not lie in children. */
int ferry_compare_selves(struct comparison *c, const struct ferry_value *a,
			 const struct ferry_value *b)
{
	switch (a->kind) {
	case FERRY_STRING:
	case FERRY_BYTES:
		return compare_texts(c, a, b);
	case FERRY_TENSOR:
		return compare_tensors(c, a, b);
	case FERRY_STORAGE:
		return compare_storages(c, a->u.st.storage, b->u.st.storage);
	case FERRY_OBJECT:
		return compare_objects(c, a->u.object, b->u.object);
	default:
		return same_scalars(a, b) ? 0 : differ_in_value(c, a, b);
	}
}
