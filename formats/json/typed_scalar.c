/* Values without parts as typed JSON. */
#include "config.h"

#include "formats/json/typed_out.h"

#include <math.h>
#include <string.h>

#include <ferry/sys/base64.h>

#include "formats/json/text.h"
#include "formats/json/typed.h"

/* A double in words where JSON has none: "nan", "inf", "-inf", "nan:<bits>". */
static int put_double(struct typed_out *w, double f)
{
	uint64_t bits;

	if (isfinite(f))
		return json_add_real(w->out, f, w->err);
	memcpy(&bits, &f, sizeof(bits));
	if (!isnan(f))
		typed_add(w, f > 0 ? "\"inf\"" : "\"-inf\"");
	else if (bits == UINT64_C(0x7ff8000000000000))
		typed_add(w, "\"nan\"");
	else
		ferry_buffer_printf(w->out, "\"nan:%016llx\"",
				    (unsigned long long)bits);
	return 0;
}

static int put_float(struct typed_out *w, double f)
{
	int rc;

	if (isfinite(f))
		return put_double(w, f);
	typed_add(w, "{\"$float\":");
	rc = put_double(w, f);
	typed_add(w, "}");
	return rc;
}

static int put_complex(struct typed_out *w, const struct ferry_value *v)
{
	int rc;

	typed_add(w, "{\"$complex\":[");
	rc = put_double(w, v->u.c.re);
	typed_add(w, ",");
	if (!rc)
		rc = put_double(w, v->u.c.im);
	typed_add(w, "]}");
	return rc;
}

/* Long integers in hexadecimal, two's complement, most significant first: a
 * decimal text would take quadratic time to read. */
static int put_int(struct typed_out *w, const struct ferry_value *v)
{
	if (!(v->flags & FERRY_BIG))
		return json_add_int(w->out, v, w->err);
	if (v->u.s.nbytes <= TYPED_SMALL_BYTES) {
		int rc;

		typed_add(w, "{\"$int\":\"");
		rc = json_add_int(w->out, v, w->err);
		typed_add(w, "\"}");
		return rc;
	}
	typed_add(w, "{\"$int\":\"0x");
	for (uint64_t i = v->u.s.nbytes; i--;)
		ferry_buffer_printf(w->out, "%02x",
				    (unsigned char)v->u.s.data[i]);
	typed_add(w, "\"}");
	return 0;
}

static void put_text(struct typed_out *w, const char *text, size_t n)
{
	if (json_is_clean(text, n)) {
		json_quote(w->out, text, n);
		return;
	}
	typed_add(w, "{\"$str\":\"");
	ferry_base64_add(w->out, text, n);
	typed_add(w, "\"}");
}

void typed_put_global(struct typed_out *w, const struct ferry_value *v,
		      bool callable)
{
	bool py2 = v->flags & FERRY_PY2;
	const char *module = v->u.global.module, *name = v->u.global.name;
	size_t nm = v->u.global.module_len, nn = v->u.global.name_len;
	bool brief = json_is_clean(module, nm) && json_is_clean(name, nn) &&
		     !memchr(module, ':', nm);
	bool tagged = !callable || !brief || py2;

	if (tagged)
		typed_add(w, py2 ? "{\"$py2global\":" : "{\"$global\":");
	if (brief) {
		w->fields.n = 0;
		ferry_buffer_add(&w->fields, module, nm);
		ferry_buffer_add(&w->fields, ":", 1);
		ferry_buffer_add(&w->fields, name, nn);
		if (!w->fields.failed)
			json_quote(w->out, w->fields.data, w->fields.n);
	} else {
		typed_add(w, "[");
		put_text(w, module, nm);
		typed_add(w, ",");
		put_text(w, name, nn);
		typed_add(w, "]");
	}
	if (tagged)
		typed_add(w, "}");
}

int typed_put_leaf(struct typed_out *w, const struct ferry_value *v)
{
	switch (v->kind) {
	case FERRY_NONE:
		typed_add(w, "null");
		return 0;
	case FERRY_BOOL:
		typed_add(w, v->u.b ? "true" : "false");
		return 0;
	case FERRY_INT:
		return put_int(w, v);
	case FERRY_FLOAT:
		return put_float(w, v->u.f);
	case FERRY_COMPLEX:
		return put_complex(w, v);
	case FERRY_STRING:
		put_text(w, v->u.s.data, (size_t)v->u.s.nbytes);
		return 0;
	case FERRY_GLOBAL:
		typed_put_global(w, v, false);
		return 0;
	default:
		return ferry_fail(w->err, FERRY_UNSUPPORTED, "json",
				  FERRY_NO_OFFSET,
				  "value has the unknown kind %d", v->kind);
	}
}

/* ---- what has an identity ------------------------------------------------ */

void typed_open_tag(struct typed_out *w, const struct ferry_value *v,
		    const char *tag)
{
	typed_add(w, "{");
	if (typed_is_shared(w, v)) {
		w->marks[v->id] = TYPED_NUMBERED + ++w->nids;
		ferry_buffer_printf(w->out, "\"$id\":%u,", w->nids);
	}
	typed_add(w, "\"");
	typed_add(w, tag);
	typed_add(w, "\":");
}

static int put_range(struct typed_out *w, const struct ferry_value *v)
{
	struct ferry_buffer data = FERRY_BUFFER_INIT;
	uint64_t nbytes = v->u.range.nbytes;
	char *to = NULL;
	int rc = 0;

	if (nbytes < SIZE_MAX)
		to = ferry_buffer_extend(&data, (size_t)nbytes);
	if (!to)
		rc = ferry_fail_nomem(w->err, "bytes of a document");
	else
		rc = ferry_source_read(v->u.range.source, to,
				       v->u.range.offset, (size_t)nbytes,
				       w->err);
	if (!rc)
		ferry_base64_add(w->out, to, (size_t)nbytes);
	ferry_buffer_release(&data);
	return rc;
}

int typed_put_bytes(struct typed_out *w, const struct ferry_value *v)
{
	const char *tag = "$bytes", *name = NULL;
	int rc = 0;

	if (v->flags & FERRY_MUTABLE)
		tag = "$bytearray";
	else if (v->flags & FERRY_PY2)
		tag = "$py2str";
	if (w->options->bytes_name)
		rc = w->options->bytes_name(w->options->ctx, v, &name, w->err);
	if (rc)
		return rc;
	typed_open_tag(w, v, tag);
	if (name) {
		typed_add(w, "{\"stored\":");
		json_quote(w->out, name, strlen(name));
		typed_add(w, "}}");
		return 0;
	}
	typed_add(w, "\"");
	if (v->flags & FERRY_RANGE)
		rc = put_range(w, v);
	else
		ferry_base64_add(w->out, v->u.s.data, (size_t)v->u.s.nbytes);
	typed_add(w, "\"}");
	return rc;
}
