/* The tensors of schema files, loops unrolled. */
#include "config.h"

#include "core/handling/schema_loader.h"

#include <inttypes.h>
#include <string.h>

#include <ferry/sys/ckd.h>

/* What a turn of a loop, or a tensor, costs beside its formulas. */
#define TURN 16

static int read_shape(struct loader *l, const yaml_node_t *node,
		      uint64_t *shape, unsigned *ndim)
{
	size_t n = ferry__yaml_count(node);
	uint64_t total = 1;
	bool over = false;
	int rc = 0;

	if (!node || node->type != YAML_SEQUENCE_NODE || n > FERRY_MAX_RANK)
		return ferry__yaml_fail(l->yaml, node, l->err, "shape: a list "
					"of up to %d sizes is expected",
					FERRY_MAX_RANK);
	for (size_t i = 0; i < n && !rc; i++) {
		rc = ferry__loader_size(l, l->yaml,
					ferry__yaml_item(l->yaml, node, i),
					"the size", &shape[i]);
		over = over || (!rc && ferry_ckd_mul(&total, total, shape[i]));
	}
	if (!rc && (over || total > INT64_MAX / 16))
		rc = ferry__yaml_fail(l->yaml, node, l->err, "shape: the "
				      "number of elements overflows 63 bits");
	*ndim = (unsigned)n;
	return rc;
}

static int read_dtype(struct loader *l, const yaml_node_t *node, uint64_t *out)
{
	const char *text = ferry__yaml_text(node);
	enum ferry_dtype dtype = text ? ferry_dtype_find(text) :
				 FERRY_DTYPE_NONE;

	if (!dtype)
		return ferry__yaml_fail(l->yaml, node, l->err, "dtype: '%.40s' "
					"is no dtype; float32 is one",
					text ? text : "?");
	*out |= FERRY_DTYPE_BIT(dtype);
	return 0;
}

static int read_dtypes(struct loader *l, const yaml_node_t *node, uint64_t *out)
{
	int rc = 0;

	if (node->type != YAML_SEQUENCE_NODE)
		return read_dtype(l, node, out);
	for (size_t i = 0; i < ferry__yaml_count(node) && !rc; i++)
		rc = read_dtype(l, ferry__yaml_item(l->yaml, node, i), out);
	return rc;
}

static int read_optional(struct loader *l, const yaml_node_t *node, bool *out)
{
	const char *text = ferry__yaml_text(node);

	if (!text || (strcmp(text, "true") && strcmp(text, "false")))
		return ferry__yaml_fail(l->yaml, node, l->err, "optional: true "
					"or false is expected");
	*out = *text == 't';
	return 0;
}

static int read_name(struct loader *l, const yaml_node_t *node)
{
	const char *text = ferry__yaml_text(node);

	if (!text || !*text)
		return ferry__yaml_fail(l->yaml, node, l->err, "name: a text "
					"is expected");
	l->text.n = 0;
	if (!ferry__formula_fill(&l->scope, text, &l->text))
		return ferry__loader_fail(l, l->yaml, node);
	if (l->text.n > FERRY__SCHEMA_NAME)
		return ferry__yaml_limit(l->yaml, node, l->err, "name: has %zu "
					 "bytes; it may have %d", l->text.n,
					 FERRY__SCHEMA_NAME);
	return l->text.failed ? ferry_fail_nomem(l->err, "a name") : 0;
}

static int read_field(struct loader *l, const char *key,
		      const yaml_node_t *value, struct ferry_tensor_spec *spec,
		      uint64_t *shape)
{
	if (key && !strcmp(key, "name"))
		return read_name(l, value);
	if (key && !strcmp(key, "shape"))
		return read_shape(l, value, shape, &spec->ndim);
	if (key && !strcmp(key, "dtype"))
		return read_dtypes(l, value, &spec->dtypes);
	if (key && !strcmp(key, "optional"))
		return read_optional(l, value, &spec->optional);
	return ferry__yaml_fail(l->yaml, value, l->err, "field '%.40s' is not "
				"known; a tensor has name, shape, dtype and "
				"optional", key ? key : "?");
}

static int read_tensor(struct loader *l, const yaml_node_t *node)
{
	uint64_t shape[FERRY_MAX_RANK];
	struct ferry_tensor_spec spec = { .shape = shape };
	const yaml_node_t *value;
	const char *key;
	char name[80];
	int rc = 0;

	if (l->schema->n == FERRY__SCHEMA_TENSORS)
		return ferry__yaml_limit(l->yaml, node, l->err, "the schema "
					 "has more than %d tensors",
					 FERRY__SCHEMA_TENSORS);
	l->text.n = 0;
	for (size_t i = 0; i < ferry__yaml_count(node) && !rc; i++) {
		value = ferry__yaml_pair(l->yaml, node, i, &key);
		rc = read_field(l, key, value, &spec, shape);
	}
	if (!rc && (!l->text.n || !ferry__yaml_get(l->yaml, node, "shape")))
		rc = ferry__yaml_fail(l->yaml, node, l->err, "a tensor needs a "
				      "name and a shape");
	if (rc)
		return rc;
	l->names_nbytes += l->text.n;
	if (l->names_nbytes > FERRY__SCHEMA_NAMES)
		return ferry__yaml_limit(l->yaml, node, l->err, "the names of "
					 "the schema have more than %d bytes",
					 FERRY__SCHEMA_NAMES);
	spec.name = l->text.data;
	rc = ferry__schema_add(l->schema, &spec, l->text.n, l->err);
	if (rc <= 0)
		return rc;
	return ferry__yaml_fail(l->yaml, node, l->err, "a second tensor is "
				"called '%s'", ferry_escape(name, sizeof(name),
							    l->text.data,
							    l->text.n));
}

static int read_list(struct loader *l, const yaml_node_t *list, unsigned depth);

static int check_loop(struct loader *l, const yaml_node_t *range,
		      const char *name)
{
	if (!name || !ferry__formula_is_name(name, strlen(name)))
		return ferry__yaml_fail(l->yaml, range, l->err, "for: '%.40s' "
					"can't be the name of a loop; it may "
					"have letters, digits and _",
					name ? name : "?");
	if (ferry__scope_find(&l->scope, name, strlen(name)))
		return ferry__yaml_fail(l->yaml, range, l->err, "for: '%.40s' "
					"is a dimension or an outer loop "
					"already", name);
	if (range->type != YAML_SEQUENCE_NODE || ferry__yaml_count(range) != 2)
		return ferry__yaml_fail(l->yaml, range, l->err, "for: a range "
					"[first, end] is expected, and ends "
					"before its end");
	return 0;
}

static int charge(struct loader *l, const yaml_node_t *node)
{
	l->scope.work += TURN;
	if (l->scope.work <= l->scope.most)
		return 0;
	return ferry__yaml_limit(l->yaml, node, l->err, "loops and formulas of "
				 "this schema take more than %" PRIu64 " steps",
				 l->scope.most);
}

/* The k-th and later loops of a `for`, then its body. */
static int run_loops(struct loader *l, const yaml_node_t *loops, size_t k,
		     const yaml_node_t *body, unsigned depth)
{
	const yaml_node_t *range;
	const char *name;
	int64_t i, end;
	int rc;

	if (k == ferry__yaml_count(loops))
		return read_list(l, body, depth);
	range = ferry__yaml_pair(l->yaml, loops, k, &name);
	if (depth >= FERRY__SCHEMA_DEPTH)
		return ferry__yaml_limit(l->yaml, range, l->err, "for: loops "
					 "are nested more than %d deep",
					 FERRY__SCHEMA_DEPTH);
	rc = check_loop(l, range, name);
	if (!rc)
		rc = ferry__loader_number(l, l->yaml,
					  ferry__yaml_item(l->yaml, range, 0),
					  &i);
	if (!rc)
		rc = ferry__loader_number(l, l->yaml,
					  ferry__yaml_item(l->yaml, range, 1),
					  &end);
	if (!rc && !ferry__scope_push(&l->scope, name, strlen(name), 0))
		rc = ferry_fail_nomem(l->err, "a tensor schema");
	if (rc)
		return rc;
	for (; i < end && !rc; i++) {
		l->scope.items[l->scope.n - 1].value = i;
		rc = charge(l, range);
		if (!rc)
			rc = run_loops(l, loops, k + 1, body, depth + 1);
	}
	l->scope.n--;
	return rc;
}

static int read_loop(struct loader *l, const yaml_node_t *node, unsigned depth)
{
	const yaml_node_t *loops = ferry__yaml_get(l->yaml, node, "for");
	const yaml_node_t *body = ferry__yaml_get(l->yaml, node, "tensors");

	if (loops->type != YAML_MAPPING_NODE || !body ||
	    ferry__yaml_count(node) != 2)
		return ferry__yaml_fail(l->yaml, node, l->err, "a loop is "
					"written `for: {i: [0, N]}` with "
					"`tensors: [...]` beside it");
	return run_loops(l, loops, 0, body, depth);
}

/* Depth bounds the recursion, also where an alias names what it stands in. */
static int read_list(struct loader *l, const yaml_node_t *list, unsigned depth)
{
	const yaml_node_t *node;
	int rc = 0;

	if (list->type != YAML_SEQUENCE_NODE)
		return ferry__yaml_fail(l->yaml, list, l->err, "tensors: a "
					"list is expected");
	if (depth > FERRY__SCHEMA_DEPTH)
		return ferry__yaml_limit(l->yaml, list, l->err, "tensors: "
					 "lists are nested more than %d deep",
					 FERRY__SCHEMA_DEPTH);
	for (size_t i = 0; i < ferry__yaml_count(list) && !rc; i++) {
		node = ferry__yaml_item(l->yaml, list, i);
		rc = charge(l, node);
		if (rc)
			break;
		if (node->type != YAML_MAPPING_NODE)
			rc = ferry__yaml_fail(l->yaml, node, l->err, "a tensor "
					      "{name, shape} or a loop is "
					      "expected");
		else if (ferry__yaml_get(l->yaml, node, "for"))
			rc = read_loop(l, node, depth + 1);
		else
			rc = read_tensor(l, node);
	}
	return rc;
}

int ferry__loader_tensors(struct loader *l)
{
	const yaml_node_t *list;
	bool any = false;
	int rc = 0;

	for (size_t k = l->n_layers; k-- && !rc; ) {
		l->yaml = &l->layers[k].yaml;
		list = ferry__yaml_get(l->yaml, ferry__yaml_root(l->yaml),
				       "tensors");
		any = any || list;
		if (list)
			rc = read_list(l, list, 0);
	}
	if (!rc && !any)
		rc = ferry__yaml_fail(l->yaml, NULL, l->err, "neither this "
				      "schema nor its base has tensors");
	return rc;
}
