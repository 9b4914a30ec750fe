/* Weights against a tensor schema. */
#include "config.h"

#include "core/handling/schema.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <ferry/sys/alloc.h>
#include <ferry/sys/buffer.h>
#include <ferry/tensor.h>

#include "core/handling/rules.h"

struct check {
	const struct ferry_tensor_schema *schema;
	uint32_t flags;
	struct ferry_findings *out;
	struct ferry_error *err;
	bool *seen;			/* by number of a spec */
	size_t last;			/* the number seen last, and .. */
	bool moved, any;		/* .. whether one stood too late */
	uint64_t violations;
	struct ferry_buffer name, want, have;	/* texts of messages */
};

static int violation(struct check *c, const char *code, const char *fmt, ...)
	FERRY_PRINTF(3, 4);

static int violation(struct check *c, const char *code, const char *fmt, ...)
{
	char text[1100];
	va_list ap;

	c->violations++;
	if (c->name.failed || c->want.failed || c->have.failed)
		return ferry_fail_nomem(c->err, "a finding");
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (ferry_findings_add(c->out, FERRY_VIOLATION, code, c->name.data,
			       FERRY_NO_OFFSET, "%s", text))
		return ferry_fail_nomem(c->err, "a finding");
	return 0;
}

static void put_shape(struct ferry_buffer *b, const uint64_t *shape,
		      unsigned ndim)
{
	b->n = 0;
	ferry_buffer_add_str(b, "[");
	for (unsigned i = 0; i < ndim; i++)
		ferry_buffer_printf(b, "%s%" PRIu64, i ? ", " : "", shape[i]);
	ferry_buffer_add_str(b, "]");
}

static void put_dtypes(struct ferry_buffer *b, uint64_t dtypes)
{
	const char *between = "";

	b->n = 0;
	ferry_buffer_add_str(b, "");
	for (int d = 1; d < FERRY_N_DTYPES; d++) {
		if (!(dtypes & FERRY_DTYPE_BIT(d)))
			continue;
		ferry_buffer_printf(b, "%s%s", between, ferry_dtype_name(d));
		between = " or ";
	}
}

static void put_name(struct check *c, const char *name, size_t n)
{
	c->name.n = 0;
	ferry_buffer_add(&c->name, name, n);
}

static int check_tensor(struct check *c, const struct ferry_tensor_spec *spec,
			const struct ferry_tensor *t)
{
	int rc = 0;

	if (t->ndim != spec->ndim ||
	    memcmp(t->shape, spec->shape, t->ndim * sizeof(t->shape[0]))) {
		put_shape(&c->want, spec->shape, spec->ndim);
		put_shape(&c->have, t->shape, t->ndim);
		rc = violation(c, "shape", "shape is %s, but %s is expected",
			       c->have.data, c->want.data);
	}
	if (rc || !spec->dtypes || spec->dtypes & FERRY_DTYPE_BIT(t->dtype))
		return rc;
	put_dtypes(&c->want, spec->dtypes);
	return violation(c, "dtype", "dtype is %s, but %s is expected",
			 ferry_dtype_name(t->dtype), c->want.data);
}

/* One finding for the order: after the first, most others follow from it. */
static int check_order(struct check *c, size_t i)
{
	bool late = c->any && i < c->last;
	const char *after = late ? c->schema->specs[c->last].name : NULL;

	if (!late) {
		c->last = i;
		c->any = true;
	}
	if (!late || c->moved || !(c->flags & FERRY_SCHEMA_ORDER))
		return 0;
	c->moved = true;
	return violation(c, "order", "stands after %s, but is expected before "
			 "it", after);
}

static int check_entry(struct check *c, const struct ferry__entry *e)
{
	const struct ferry_value *v = ferry_value_payload(e->value);
	uint64_t i;
	int rc;

	if (!e->name || v->kind != FERRY_TENSOR)
		return 0;
	put_name(c, e->name, e->n_name);
	if (!ferry_map_get(&c->schema->index, e->name, e->n_name, &i)) {
		put_shape(&c->have, v->u.tensor->shape, v->u.tensor->ndim);
		return c->flags & FERRY_SCHEMA_ALLOW_UNEXPECTED ? 0 :
		       violation(c, "unexpected", "no such tensor is expected; "
				 "it is %s of shape %s",
				 ferry_dtype_name(v->u.tensor->dtype),
				 c->have.data);
	}
	if (c->seen[i])
		return violation(c, "unexpected", "a second tensor has this "
				 "name");
	c->seen[i] = true;
	rc = check_tensor(c, &c->schema->specs[i], v->u.tensor);
	return rc ? rc : check_order(c, i);
}

static int check_missing(struct check *c, size_t i)
{
	const struct ferry_tensor_spec *spec = &c->schema->specs[i];

	if (c->seen[i] || spec->optional ||
	    c->flags & FERRY_SCHEMA_ALLOW_MISSING)
		return 0;
	put_name(c, spec->name, strlen(spec->name));
	put_shape(&c->want, spec->shape, spec->ndim);
	put_dtypes(&c->have, spec->dtypes);
	return violation(c, "missing", "is missing; %s of shape %s is "
			 "expected", c->have.n ? c->have.data : "a tensor",
			 c->want.data);
}

int ferry_tensor_schema_check(const struct ferry_tensor_schema *s,
			      struct ferry_document *doc,
			      struct ferry_value *weights, uint32_t flags,
			      struct ferry_findings *out,
			      struct ferry_error *err)
{
	struct check c = {
		.schema = s, .flags = flags, .out = out, .err = err,
	};
	struct ferry__names names;
	int rc = ferry__names_collect(&names, doc, weights, err);

	if (rc)
		return rc;
	c.seen = ferry_alloc_zero(s->n, sizeof(*c.seen));
	if (!c.seen)
		rc = ferry_fail_nomem(err, "a check");
	for (size_t i = 0; i < names.n && !rc; i++)
		rc = check_entry(&c, &names.entries[i]);
	for (size_t i = 0; i < s->n && !rc; i++)
		rc = check_missing(&c, i);
	ferry_alloc_free(c.seen);
	ferry_buffer_release(&c.name);
	ferry_buffer_release(&c.want);
	ferry_buffer_release(&c.have);
	ferry__names_release(&names);
	return rc ? rc : !c.violations;
}
