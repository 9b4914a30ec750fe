/* Tensor schemas: a list of what tensors are, with an index by name. */
#include "config.h"

#include "core/handling/schema.h"

#include <string.h>

#include <ferry/sys/alloc.h>
#include <ferry/tensor.h>

#include "core/handling/rules.h"

int ferry__schema_new(struct ferry_tensor_schema **out,
		      struct ferry_error *err)
{
	struct ferry_tensor_schema *s = ferry_alloc_zero(1, sizeof(*s));
	int rc;

	if (!s)
		return ferry_fail_nomem(err, "a tensor schema");
	s->name = "";
	rc = ferry_store_new(&s->store, err);
	if (rc)
		ferry_alloc_free(s);
	else
		*out = s;
	return rc;
}

void ferry_tensor_schema_free(struct ferry_tensor_schema *s)
{
	if (!s)
		return;
	ferry_map_release(&s->index);
	ferry_alloc_free(s->specs);
	ferry_store_unref(s->store);
	ferry_alloc_free(s);
}

static struct ferry_tensor_spec *add_room(struct ferry_tensor_schema *s)
{
	size_t cap = s->cap ? 2 * s->cap : 64;
	struct ferry_tensor_spec *specs = s->specs;

	if (s->n == s->cap) {
		specs = ferry_alloc_resize(specs, cap, sizeof(*specs));
		if (!specs)
			return NULL;
		s->specs = specs;
		s->cap = cap;
	}
	return &specs[s->n];
}

int ferry__schema_add(struct ferry_tensor_schema *s,
		      const struct ferry_tensor_spec *spec, size_t n_name,
		      struct ferry_error *err)
{
	struct ferry_tensor_spec *to = add_room(s);
	uint64_t *shape;

	if (ferry_map_get(&s->index, spec->name, n_name, NULL))
		return 1;
	shape = ferry_store_array(s->store, spec->ndim, sizeof(*shape));
	if (!to || !shape)
		return ferry_fail_nomem(err, "a tensor schema");
	*to = *spec;
	to->name = ferry_store_strndup(s->store, spec->name, n_name);
	if (!to->name || ferry_map_put(&s->index, to->name, n_name, s->n))
		return ferry_fail_nomem(err, "a tensor schema");
	if (spec->ndim)
		memcpy(shape, spec->shape, spec->ndim * sizeof(*shape));
	to->shape = shape;
	s->n++;
	return 0;
}

const char *ferry_tensor_schema_name(const struct ferry_tensor_schema *s)
{
	return s->name;
}

uint64_t ferry_tensor_schema_dim(const struct ferry_tensor_schema *s,
				 const char *name)
{
	size_t i;

	for (i = 0; i < s->n_dims; i++)
		if (!strcmp(s->dims[i].name, name))
			return s->dims[i].value;
	return 0;
}

size_t ferry_tensor_schema_count(const struct ferry_tensor_schema *s)
{
	return s->n;
}

const struct ferry_tensor_spec *
ferry_tensor_schema_get(const struct ferry_tensor_schema *s, size_t i)
{
	return i < s->n ? &s->specs[i] : NULL;
}

const struct ferry_tensor_spec *
ferry_tensor_schema_at(const struct ferry_tensor_schema *s, const char *name)
{
	uint64_t i;

	return ferry_map_get(&s->index, name, strlen(name), &i) ?
	       &s->specs[i] : NULL;
}

/* The tensor of an entry of a weights mapping, or NULL. */
static const struct ferry_tensor *entry_tensor(const struct ferry__entry *e)
{
	const struct ferry_value *v = ferry_value_payload(e->value);

	return e->name && v->kind == FERRY_TENSOR ? v->u.tensor : NULL;
}

static int add_entry(struct ferry_tensor_schema *s,
		     const struct ferry__entry *e, struct ferry_error *err)
{
	const struct ferry_tensor *t = entry_tensor(e);
	struct ferry_tensor_spec spec = { .name = e->name };
	char text[200];
	int rc;

	if (!t)
		return 0;
	spec.shape = t->shape;
	spec.ndim = t->ndim;
	spec.dtypes = FERRY_DTYPE_BIT(t->dtype);
	rc = memchr(e->name, '\0', e->n_name) ? 2 :
	     ferry__schema_add(s, &spec, e->n_name, err);
	if (rc <= 0)
		return rc;
	ferry_escape(text, sizeof(text), e->name, e->n_name);
	return ferry_fail(err, FERRY_UNSUPPORTED, "schema", FERRY_NO_OFFSET,
			  rc == 2 ? "tensor %s: a name with a NUL can't be in "
			  "a schema" : "two tensors are called %s, which no "
			  "schema can tell apart; rename one of them", text);
}

int ferry_tensor_schema_of(struct ferry_tensor_schema **out,
			   struct ferry_document *doc,
			   struct ferry_value *weights, struct ferry_error *err)
{
	struct ferry_tensor_schema *s;
	struct ferry__names names;
	int rc = ferry__names_collect(&names, doc, weights, err);

	if (rc)
		return rc;
	rc = ferry__schema_new(&s, err);
	if (rc)
		goto out;
	for (size_t i = 0; i < names.n && !rc; i++)
		rc = add_entry(s, &names.entries[i], err);
	if (rc)
		ferry_tensor_schema_free(s);
	else
		*out = s;
out:
	ferry__names_release(&names);
	return rc;
}
