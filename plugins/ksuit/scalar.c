/*
 * numpy scalars: numpy.core.multiarray.scalar(dtype, bytes), the dtype a call
 * of numpy.dtype("f8", ...) whose state tells the byte order.  Paths:
 * pathlib.PosixPath("/", "a", "b"), a call with the parts.
 */
#include "config.h"

#include "plugins/ksuit/scalar.h"

#include <stdio.h>
#include <string.h>

#include <ferry/sys/buffer.h>
#include <ferry/sys/bytes.h>
#include <ferry/sys/ops.h>

#include "plugins/ksuit/ksuit.h"

static bool is_numpy_scalar(const struct ferry_value *v)
{
	return ferry_value_is_global(v, "numpy._core.multiarray", "scalar") ||
	       ferry_value_is_global(v, "numpy.core.multiarray", "scalar");
}

/* "f8", "i4", ... of a dtype call, and whether its bytes are big-endian. */
static bool dtype_code(const struct ferry_value *v, struct slice *code,
		       bool *big)
{
	const struct ferry_object *o;
	const struct ferry_value *state;

	if (v->kind != FERRY_OBJECT)
		return false;
	o = v->u.object;
	if (!ferry_value_is_global(o->callable, "numpy", "dtype") || !o->args ||
	    o->args->kind != FERRY_TUPLE || !o->args->u.list.n)
		return false;
	*code = text_of(o->args->u.list.items[0]);
	state = o->state;
	*big = state && state->kind == FERRY_TUPLE && state->u.list.n > 1 &&
	       ferry_value_is(state->u.list.items[1], ">");
	return code->p && code->n > 1;
}

static uint64_t load(const uint8_t *p, size_t n, bool big)
{
	uint64_t out = 0;

	for (size_t i = 0; i < n; i++)
		out |= (uint64_t)p[big ? n - 1 - i : i] << (8 * i);
	return out;
}

static struct ferry_value *make_float(struct ferry_store *store, uint64_t bits,
				      size_t n)
{
	uint32_t narrow = (uint32_t)bits;
	double d;
	float f;

	if (n == 8) {
		memcpy(&d, &bits, sizeof(d));
		return ferry_float(store, d);
	}
	memcpy(&f, &narrow, sizeof(f));
	return ferry_float(store, (double)f);
}

static struct ferry_value *make_half(struct ferry_store *store, uint64_t bits)
{
	double mantissa = (double)(bits & 0x3ff) / 1024;
	unsigned exponent = (bits >> 10) & 31;
	double value = exponent ? 1 + mantissa : 2 * mantissa;

	if (exponent == 31)
		return ferry_float(store, (bits & 0x3ff ? 0.0 : 1.0) *
				   (bits & 0x8000 ? -1 : 1) *
				   __builtin_inf());
	for (unsigned i = 15; i < exponent; i++)
		value *= 2;
	for (unsigned i = exponent; i < 15; i++)
		value /= 2;
	return ferry_float(store, bits & 0x8000 ? -value : value);
}

static struct ferry_value *make_int(struct ferry_store *store, uint64_t bits,
				    size_t n, bool is_signed)
{
	unsigned shift = 64 - 8 * (unsigned)n;

	if (!is_signed)
		return ferry_uint(store, bits);
	return ferry_int(store, (int64_t)(bits << shift) >> shift);
}

/* UCS-4, padded with zeros. */
static struct ferry_value *make_text(struct ferry_store *store,
				     const uint8_t *p, size_t n, bool big)
{
	struct ferry_buffer b = FERRY_BUFFER_INIT;
	struct ferry_value *out;
	uint32_t c;

	ferry_buffer_add(&b, "", 0);
	while (n >= 4 && !load(p + n - 4, 4, big))
		n -= 4;
	for (size_t i = 0; i + 4 <= n; i += 4) {
		c = (uint32_t)load(p + i, 4, big);
		if (c < 0x80) {
			ferry_buffer_add(&b, (char[]){ (char)c }, 1);
		} else if (c < 0x800) {
			ferry_buffer_add(&b, (char[]){
				(char)(0xc0 | c >> 6),
				(char)(0x80 | (c & 63)) }, 2);
		} else if (c < 0x10000) {
			ferry_buffer_add(&b, (char[]){
				(char)(0xe0 | c >> 12),
				(char)(0x80 | (c >> 6 & 63)),
				(char)(0x80 | (c & 63)) }, 3);
		} else {
			ferry_buffer_add(&b, (char[]){
				(char)(0xf0 | (c >> 18 & 7)),
				(char)(0x80 | (c >> 12 & 63)),
				(char)(0x80 | (c >> 6 & 63)),
				(char)(0x80 | (c & 63)) }, 4);
		}
	}
	out = b.failed ? NULL : ferry_string(store, b.data ? b.data : "", b.n);
	ferry_buffer_release(&b);
	return out;
}

static struct ferry_value *make_scalar(struct ferry_store *store,
				       struct slice code, const uint8_t *p,
				       size_t n, bool big)
{
	char kind = code.p[0];
	char size[24];

	snprintf(size, sizeof(size), "%zu", n);
	if (kind == 'U')
		return make_text(store, p, n, big);
	if (!slice_is((struct slice){ code.p + 1, code.n - 1 },
		      slice_of(size)))
		return NULL;
	if (kind == 'b' && n == 1)
		return ferry_bool(p[0]);
	if ((kind == 'i' || kind == 'u') && n <= 8 && n)
		return make_int(store, load(p, n, big), n, kind == 'i');
	if (kind == 'f' && n == 2)
		return make_half(store, load(p, 2, big));
	if (kind == 'f' && (n == 4 || n == 8))
		return make_float(store, load(p, n, big), n);
	return NULL;
}

int scalar_of_numpy(struct ferry_store *store, const struct ferry_object *call,
		    char *was, size_t cap, struct ferry_value **out)
{
	const struct ferry_value *bytes;
	struct slice code;
	bool big;

	if (!is_numpy_scalar(call->callable) || call->args->u.list.n != 2)
		return 0;
	bytes = call->args->u.list.items[1];
	if (!dtype_code(call->args->u.list.items[0], &code, &big) ||
	    bytes->kind != FERRY_BYTES || bytes->flags & FERRY_RANGE)
		return 0;
	*out = make_scalar(store, code, (const uint8_t *)bytes->u.s.data,
			   bytes->u.s.nbytes, big);
	if (!*out)
		return 0;
	snprintf(was, cap, "a scalar of numpy (%.*s)",
		 (int)(code.n < 20 ? code.n : 20), code.p);
	return 1;
}

/* ---- paths ------------------------------------------------------------------------ */

static bool is_path(const struct ferry_value *class, bool *windows)
{
	const char *name = class->u.global.name;

	if (strcmp(class->u.global.module, "pathlib") &&
	    strncmp(class->u.global.module, "pathlib.", 8))
		return false;
	*windows = strstr(name, "Windows") != NULL;
	return *windows || !strcmp(name, "Path") || !strcmp(name, "PurePath") ||
	       strstr(name, "Posix");
}

/* An absolute part begins anew; separators and "." that say nothing go. */
static void join_posix(struct ferry_buffer *b, struct slice part)
{
	size_t end;

	if (part.n && *part.p == '/') {
		b->n = 0;
		ferry_buffer_add_str(b, part.n > 1 && part.p[1] == '/' &&
				     (part.n == 2 || part.p[2] != '/') ?
				     "//" : "/");
	}
	for (size_t at = 0; at < part.n; at = end + 1) {
		end = slice_find(part, slice_of("/"), at);
		if (end == SIZE_MAX)
			end = part.n;
		if (end == at || (end == at + 1 && part.p[at] == '.'))
			continue;
		if (b->n && b->data[b->n - 1] != '/')
			ferry_buffer_add_str(b, "/");
		ferry_buffer_add(b, part.p + at, end - at);
	}
}

static void join_windows(struct ferry_buffer *b, struct slice part)
{
	if (b->n && b->data[b->n - 1] != '\\')
		ferry_buffer_add_str(b, "\\");
	for (size_t i = 0; i < part.n; i++)
		ferry_buffer_add(b, part.p[i] == '/' ? "\\" : part.p + i, 1);
}

int text_of_path(struct ferry_store *store, const struct ferry_object *call,
		 char *was, size_t cap, struct ferry_value **out)
{
	struct ferry_buffer b = FERRY_BUFFER_INIT;
	const struct ferry_value *args = call->args;
	bool windows;

	if (!is_path(call->callable, &windows))
		return 0;
	for (uint32_t i = 0; i < args->u.list.n; i++)
		if (args->u.list.items[i]->kind != FERRY_STRING)
			return 0;
	for (uint32_t i = 0; i < args->u.list.n; i++)
		(windows ? join_windows : join_posix)
			(&b, text_of(args->u.list.items[i]));
	if (!b.n)
		ferry_buffer_add_str(&b, ".");
	*out = b.failed ? NULL : ferry_string(store, b.data, b.n);
	ferry_buffer_release(&b);
	snprintf(was, cap, "a path of pathlib");
	return *out ? 1 : FERRY_NOMEM;
}
