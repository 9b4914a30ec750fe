/* Tensor schemas from YAML: the chain of base files, and dimensions. */
#include "config.h"

#include "core/handling/schema_loader.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <ferry/sys/alloc.h>

int ferry__loader_fail(struct loader *l, const struct ferry__yaml *y,
		       const yaml_node_t *node)
{
	return l->scope.exhausted ?
	       ferry__yaml_limit(y, node, l->err, "%s", l->scope.why) :
	       ferry__yaml_fail(y, node, l->err, "%s", l->scope.why);
}

int ferry__loader_number(struct loader *l, const struct ferry__yaml *y,
			  const yaml_node_t *node, int64_t *out)
{
	const char *text = ferry__yaml_text(node);

	if (!text)
		return ferry__yaml_fail(y, node, l->err, "an integer or a "
					"formula is expected");
	if (ferry__formula_value(&l->scope, text, strlen(text), out))
		return 0;
	return ferry__loader_fail(l, y, node);
}

int ferry__loader_size(struct loader *l, const struct ferry__yaml *y,
		       const yaml_node_t *node, const char *what, uint64_t *out)
{
	int64_t value;
	int rc = ferry__loader_number(l, y, node, &value);

	if (rc)
		return rc;
	if (value < 0)
		return ferry__yaml_fail(y, node, l->err, "%s would be %" PRId64
					"; it can't be negative", what, value);
	*out = (uint64_t)value;
	return 0;
}

/* ---- the chain of files ----------------------------------------------- */

static bool leaves(const char *name)
{
	return *name == '/' || !strncmp(name, "../", 3) ||
	       strstr(name, "/../") || !strcmp(name, "..");
}

/* The name beside the file that names it. */
static char *beside(const char *file, const char *name)
{
	const char *slash = strrchr(file, '/');
	struct ferry_buffer b = FERRY_BUFFER_INIT;

	if (slash)
		ferry_buffer_add(&b, file, (size_t)(slash - file) + 1);
	ferry_buffer_add_str(&b, name);
	if (!b.failed)
		return b.data;
	ferry_buffer_release(&b);
	return NULL;
}

/* Takes `name` over. */
static int open_layer(struct loader *l, char *name, bool named,
		      struct ferry_error *err)
{
	struct layer *layer = &l->layers[l->n_layers];
	struct ferry_source *src;
	int rc;

	if (!name)
		return ferry_fail_nomem(err, "a tensor schema");
	rc = ferry__schema_open(l->store, name, named, &src, err);
	if (!rc) {
		rc = ferry__yaml_read(&layer->yaml, src, name, err);
		ferry_source_unref(src);
	}
	if (rc) {
		ferry_alloc_free(name);
		return rc;
	}
	layer->name = name;
	layer->named = named;
	l->n_layers++;
	return 0;
}

/* A base file stands beside the file that names it, or below the schema
 * directories. */
static int open_base(struct loader *l, const struct layer *from,
		     const yaml_node_t *node)
{
	const char *name = ferry__yaml_text(node);
	struct ferry_error why = FERRY_ERROR_INIT;
	int rc;

	if (!name || !*name || leaves(name))
		return ferry__yaml_fail(&from->yaml, node, l->err, "base: the "
					"name of a schema file is expected, "
					"beside this one or below it");
	if (l->n_layers == FERRY__SCHEMA_DEPTH)
		return ferry__yaml_limit(&from->yaml, node, l->err, "base: "
					 "more than %d files are based on each "
					 "other; they may go in a circle",
					 FERRY__SCHEMA_DEPTH);
	rc = open_layer(l, beside(from->name, name), from->named, &why);
	if (rc == FERRY_NOTFOUND) {
		ferry_error_clear(&why);
		rc = open_layer(l, ferry_alloc_strdup(name), true, &why);
	}
	if (rc == FERRY_NOTFOUND)
		return ferry__yaml_fail(&from->yaml, node, l->err, "base: %s "
					"is neither beside this file nor in a "
					"schema directory", name);
	return rc ? ferry_fail(l->err, rc, why.origin, why.offset, "%s",
			       why.text) : 0;
}

static int check_fields(struct loader *l, struct ferry__yaml *y)
{
	static const char *const fields[] = {
		"name", "description", "base", "dims", "tensors",
	};
	const yaml_node_t *root = ferry__yaml_root(y), *value;
	const char *key;
	size_t k;

	if (!root || root->type != YAML_MAPPING_NODE)
		return ferry__yaml_fail(y, root, l->err, "a tensor schema is a "
					"mapping with name, description, base, "
					"dims and tensors");
	for (size_t i = 0; i < ferry__yaml_count(root); i++) {
		value = ferry__yaml_pair(y, root, i, &key);
		for (k = 0; key && k < sizeof(fields) / sizeof(*fields); k++)
			if (!strcmp(key, fields[k]))
				break;
		if (!key || k == sizeof(fields) / sizeof(*fields))
			return ferry__yaml_fail(y, value, l->err, "field "
						"'%.40s' is not known; a "
						"tensor schema has name, "
						"description, base, dims and "
						"tensors",
						key ? key : "?");
	}
	return 0;
}

static int open_layers(struct loader *l, const char *name, bool named)
{
	const yaml_node_t *base;
	struct layer *layer;
	int rc = open_layer(l, ferry_alloc_strdup(name), named, l->err);

	while (!rc) {
		layer = &l->layers[l->n_layers - 1];
		rc = check_fields(l, &layer->yaml);
		base = ferry__yaml_get(&layer->yaml,
				       ferry__yaml_root(&layer->yaml), "base");
		if (rc || !base)
			break;
		rc = open_base(l, layer, base);
	}
	return rc;
}

/* ---- dimensions ------------------------------------------------------- */

static struct definition *find_dim(struct loader *l, const char *name, size_t n)
{
	for (size_t i = 0; i < l->n_dims; i++)
		if (strlen(l->dims[i].name) == n &&
		    !memcmp(l->dims[i].name, name, n))
			return &l->dims[i];
	return NULL;
}

static int define(struct loader *l, struct ferry__yaml *y, const char *name,
		  const yaml_node_t *node)
{
	struct definition *d;

	if (!name || !ferry__formula_is_name(name, strlen(name)))
		return ferry__yaml_fail(y, node, l->err, "dims: '%.40s' can't "
					"be the name of a dimension; it may "
					"have letters, digits and _",
					name ? name : "?");
	d = find_dim(l, name, strlen(name));
	if (d && d->yaml == y)
		return ferry__yaml_fail(y, node, l->err, "dims: %s is given "
					"twice", name);
	if (!d && l->n_dims == FERRY__SCHEMA_DIMS)
		return ferry__yaml_limit(y, node, l->err, "dims: more than %d "
					 "are given", FERRY__SCHEMA_DIMS);
	if (!d) {
		d = &l->dims[l->n_dims++];
		d->name = name;
	}
	d->yaml = y;
	d->node = node;
	return 0;
}

/* Those of the deepest base file first; a name given again keeps its place. */
static int define_all(struct loader *l)
{
	struct ferry__yaml *y;
	const yaml_node_t *dims, *value;
	const char *name;
	int rc = 0;

	for (size_t k = l->n_layers; k-- && !rc; ) {
		y = &l->layers[k].yaml;
		dims = ferry__yaml_get(y, ferry__yaml_root(y), "dims");
		if (dims && dims->type != YAML_MAPPING_NODE)
			rc = ferry__yaml_fail(y, dims, l->err, "dims: a "
					      "mapping of names to integers or "
					      "formulas is expected");
		for (size_t i = 0; i < ferry__yaml_count(dims) && !rc; i++) {
			value = ferry__yaml_pair(y, dims, i, &name);
			rc = define(l, y, name, value);
		}
	}
	return rc;
}

static int fail_given(struct loader *l, const char *text, const char *why)
{
	struct ferry_buffer known = FERRY_BUFFER_INIT;
	char shown[80];
	int rc;

	ferry_escape(shown, sizeof(shown), text, strlen(text));
	for (size_t i = 0; i < l->n_dims; i++)
		ferry_buffer_printf(&known, "%s%s", i ? ", " : "",
				    l->dims[i].name);
	rc = ferry_fail(l->err, FERRY_MISUSE, "schema", FERRY_NO_OFFSET,
			"dimension '%s': %s; %s has %s", shown, why,
			l->layers[0].name, known.n && !known.failed ?
			known.data : "no dimensions");
	ferry_buffer_release(&known);
	return rc;
}

static int take_given(struct loader *l, const char *text)
{
	const char *equals = strchr(text, '=');
	struct definition *d = equals ? find_dim(l, text,
						 (size_t)(equals - text)) :
			       NULL;

	if (!equals)
		return fail_given(l, text, "NAME=INTEGER is expected");
	if (!d)
		return fail_given(l, text, "there is no such name");
	equals++;
	if (!*equals || strspn(equals, "0123456789") != strlen(equals) ||
	    strlen(equals) > 18)
		return fail_given(l, text, "the value is an integer of up to "
				  "18 digits");
	d->given = equals;
	return 0;
}

static bool is_empty(const yaml_node_t *node)
{
	const char *text = ferry__yaml_text(node);

	return text && (!*text || !strcmp(text, "~") || !strcmp(text, "null"));
}

static int compute_dim(struct loader *l, const struct definition *d)
{
	struct ferry__dim *to = &l->schema->dims[l->schema->n_dims];
	int rc = 0;

	if (d->given)
		to->value = strtoull(d->given, NULL, 10);
	else if (is_empty(d->node))
		rc = ferry__yaml_fail(d->yaml, d->node, l->err, "dimension %s "
				      "has no value: give it, as in %s=1024",
				      d->name, d->name);
	else
		rc = ferry__loader_size(l, d->yaml, d->node, "the dimension",
					&to->value);
	if (rc)
		return rc;
	to->name = ferry_store_strndup(l->schema->store, d->name,
				       strlen(d->name));
	if (!to->name || !ferry__scope_push(&l->scope, d->name,
					    strlen(d->name),
					    (int64_t)to->value))
		return ferry_fail_nomem(l->err, "a tensor schema");
	l->schema->n_dims++;
	return 0;
}

static int read_dims(struct loader *l, const char *const *given, size_t n)
{
	int rc = define_all(l);

	for (size_t i = 0; i < n && !rc; i++)
		rc = take_given(l, given[i]);
	if (rc)
		return rc;
	l->schema->dims = ferry_store_array(l->schema->store, l->n_dims,
					    sizeof(*l->schema->dims));
	if (!l->schema->dims)
		return ferry_fail_nomem(l->err, "a tensor schema");
	for (size_t i = 0; i < l->n_dims && !rc; i++)
		rc = compute_dim(l, &l->dims[i]);
	return rc;
}

/* ---- all of it -------------------------------------------------------- */

static int read_title(struct loader *l)
{
	struct ferry__yaml *y = &l->layers[0].yaml;
	const yaml_node_t *node = ferry__yaml_get(y, ferry__yaml_root(y),
						  "name");
	const char *name = node ? ferry__yaml_text(node) : l->layers[0].name;

	if (!name || !*name)
		return ferry__yaml_fail(y, node, l->err, "name: a text is "
					"expected");
	l->schema->name = ferry_store_strndup(l->schema->store, name,
					      strlen(name));
	return l->schema->name ? 0 : ferry_fail_nomem(l->err, "a name");
}

int ferry__schema_load(struct ferry_tensor_schema **out,
		       const struct ferry_store *store, const char *name,
		       bool named, const char *const *dims, size_t n_dims,
		       struct ferry_error *err)
{
	struct loader *l = ferry_alloc_zero(1, sizeof(*l));
	int rc;

	if (!l)
		return ferry_fail_nomem(err, "a tensor schema");
	l->err = err;
	l->scope.most = FERRY__SCHEMA_WORK;
	rc = ferry__schema_new(&l->schema, err);
	/* Any store knows the environment's directories. */
	l->store = store || rc ? store : l->schema->store;
	if (!rc)
		rc = open_layers(l, name, named);
	if (!rc)
		rc = read_title(l);
	if (!rc)
		rc = read_dims(l, dims, n_dims);
	if (!rc)
		rc = ferry__loader_tensors(l);
	if (rc)
		ferry_tensor_schema_free(l->schema);
	else
		*out = l->schema;
	for (size_t k = 0; k < l->n_layers; k++) {
		ferry__yaml_release(&l->layers[k].yaml);
		ferry_alloc_free(l->layers[k].name);
	}
	ferry__scope_release(&l->scope);
	ferry_buffer_release(&l->text);
	ferry_alloc_free(l);
	return rc;
}
