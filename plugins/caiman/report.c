/* Violations and how they are told. */
#include "config.h"

#include "plugins/caiman/report.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <ferry/sys/buffer.h>

#include "plugins/caiman/number.h"

#define PATH_CAP 300
#define TEXT_CAP 400

static void add(struct report *r, enum ferry_level level, const char *code,
		const char *name, const char *fmt, va_list ap)
{
	char path[PATH_CAP], text[TEXT_CAP];

	snprintf(path, sizeof(path), "%s%s%s", r->path,
		 *r->path && *name ? "." : "", name);
	vsnprintf(text, sizeof(text), fmt, ap);
	if (ferry_findings_add(r->findings, level, code, path, FERRY_NO_OFFSET,
			       "%s", text))
		r->failed = true;
}

void violate(struct report *r, const char *code, const char *name,
	     const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add(r, FERRY_VIOLATION, code, name, fmt, ap);
	va_end(ap);
}

void remark(struct report *r, const char *code, const char *name,
	    const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add(r, FERRY_NOTE, code, name, fmt, ap);
	va_end(ap);
}

void violate_key(struct report *r, const char *code,
		 const struct ferry_value *key, const char *fmt, ...)
{
	char name[PATH_CAP / 2];
	va_list ap;

	if (key->kind == FERRY_STRING)
		snprintf(name, sizeof(name), "%.*s",
			 (int)(key->u.s.nbytes < sizeof(name) ?
			       key->u.s.nbytes : sizeof(name)),
			 key->u.s.data);
	else if (key->kind == FERRY_INT && !(key->flags & FERRY_BIG))
		snprintf(name, sizeof(name), "%" PRId64, key->u.i);
	else
		snprintf(name, sizeof(name), "(a %s)",
			 ferry_kind_name(key->kind));
	va_start(ap, fmt);
	add(r, FERRY_VIOLATION, code, name, fmt, ap);
	va_end(ap);
}

const char *said(struct ferry_store *store, const struct ferry_value *v,
		 char out[SAID_CAP])
{
	char text[SAID_CAP - 10];
	const char *digits;

	switch (v->kind) {
	case FERRY_STRING:
		ferry_escape(text, sizeof(text), v->u.s.data, v->u.s.nbytes);
		snprintf(out, SAID_CAP, "text '%s'", text);
		break;
	case FERRY_INT:
		digits = ferry_int_text(store, v);
		snprintf(out, SAID_CAP, "%.40s", digits ? digits : "integer");
		break;
	case FERRY_FLOAT:
		number_repr(v->u.f, text);
		snprintf(out, SAID_CAP, "%s", text);
		break;
	case FERRY_BOOL:
		snprintf(out, SAID_CAP, "%s", v->u.b ? "true" : "false");
		break;
	case FERRY_NONE:
		snprintf(out, SAID_CAP, "null");
		break;
	default:
		snprintf(out, SAID_CAP, "a %s", ferry_kind_name(v->kind));
		break;
	}
	return out;
}

#define TOLD_AT_ONCE 540

/* "a is missing; b is not known", each added to `told`. */
static int tell(const struct ferry_findings *f, struct ferry_buffer *text,
		struct ferry_findings *told)
{
	const struct ferry_finding *one;
	size_t first = 0;

	for (size_t i = 0; (one = ferry_findings_get(f, i)); i++) {
		if (one->level != FERRY_VIOLATION)
			continue;
		ferry_buffer_printf(text, "%s%s %s", text->n ? "; " : "",
				    one->path, one->text);
		first = first ? first : text->n;
		if (ferry_findings_add(told, one->level, one->code, one->path,
				       one->offset, "%s", one->text))
			return FERRY_NOMEM;
	}
	if (text->n > TOLD_AT_ONCE && !text->failed)
		text->data[first] = '\0';
	return text->failed ? FERRY_NOMEM : 0;
}

int fail_violations(const struct ferry_findings *f, const char *what,
		    struct ferry_findings *told, struct ferry_error *err)
{
	struct ferry_buffer text = FERRY_BUFFER_INIT;
	size_t n = ferry_findings_count_level(f, FERRY_VIOLATION);
	int rc = tell(f, &text, told);

	if (rc)
		rc = ferry_fail_nomem(err, "violations");
	else
		rc = ferry_fail(err, FERRY_MALFORMED, "caiman",
				FERRY_NO_OFFSET, "%s: %zu violation%s%s: %s",
				what, n, n == 1 ? "" : "s",
				strlen(text.data) < text.n ? ", the first" : "",
				text.data);
	ferry_buffer_release(&text);
	return rc;
}
