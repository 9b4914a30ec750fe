/* Filters from YAML. */
#include "config.h"

#include "core/handling/filter_loader.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <ferry/sys/alloc.h>

static const struct {
	const char *name;
	const char *fields[5];
} types[N_FILTERS] = {
	[FILTER_DIMENSION] = { "dimension", { "type", "dimensions" } },
	[FILTER_CONVOLUTIONAL] = { "convolutional", { "type", "name_patterns",
						      "layer_types" } },
	[FILTER_NAME] = { "name", { "type", "patterns", "match_type" } },
	[FILTER_LAYER_TYPE] = { "layer_type", { "type", "layer_types" } },
	[FILTER_INITIALIZATION] = { "initialization", { "type" } },
	[FILTER_STAGE_BASED] = { "stage_based", { "type", "stages" } },
	[FILTER_AND] = { "and", { "type", "filters" } },
	[FILTER_OR] = { "or", { "type", "filters" } },
	[FILTER_NOT] = { "not", { "type", "filter" } },
	[FILTER_ALL_EXCEPT] = { "all_except", { "type", "except" } },
};

static int read_filter(struct filter_loader *l, const yaml_node_t *node,
		       unsigned depth, struct filter **out);

static int need(struct filter_loader *l, const yaml_node_t *at,
		const char *key, yaml_node_t **out)
{
	*out = ferry__filter_get(l, at, key);
	return *out ? 0 : ferry__yaml_fail(&l->yaml, at, l->err, "the filter "
					   "needs %s", key);
}

static int read_rank(struct filter_loader *l, const yaml_node_t *node,
		     uint64_t *out)
{
	const char *text = ferry__yaml_text(node);
	size_t n = text ? strlen(text) : 0;
	unsigned long rank = FERRY_MAX_RANK;

	if (n && n <= 2 && strspn(text, "0123456789") == n)
		rank = strtoul(text, NULL, 10);
	if (rank >= FERRY_MAX_RANK)
		return ferry__yaml_fail(&l->yaml, node, l->err, "dimensions: "
					"numbers of dimensions below %d are "
					"expected", FERRY_MAX_RANK);
	*out |= UINT64_C(1) << rank;
	return 0;
}

static int read_ranks(struct filter_loader *l, const yaml_node_t *at,
		      uint64_t *out)
{
	yaml_node_t *node;
	int rc = need(l, at, "dimensions", &node);

	if (rc)
		return rc;
	if (node->type != YAML_SEQUENCE_NODE)
		return read_rank(l, node, out);
	for (size_t i = 0; i < ferry__yaml_count(node) && !rc; i++)
		rc = read_rank(l, ferry__yaml_item(&l->yaml, node, i), out);
	return rc;
}

static int read_texts(struct filter_loader *l, const yaml_node_t *at,
		      const char *key, bool needed, struct filter_texts *out)
{
	yaml_node_t *node = ferry__filter_get(l, at, key);

	if (!node)
		return needed ? need(l, at, key, &node) : 0;
	return ferry__filter_texts(l, node, out);
}

static int compile_regexes(struct filter_loader *l, const yaml_node_t *at,
			   struct filter *f)
{
	struct ferry_error why = FERRY_ERROR_INIT;
	int rc = 0;

	f->regexes = ferry_alloc_zero(f->patterns.n, sizeof(*f->regexes));
	if (!f->regexes)
		return ferry_fail_nomem(l->err, "a filter");
	for (size_t i = 0; i < f->patterns.n && !rc; i++)
		rc = ferry__pattern_compile(&f->regexes[i], FERRY__REGEX,
					    f->patterns.items[i], &why);
	if (rc == FERRY_MISUSE)
		return ferry__yaml_fail(&l->yaml, at, l->err, "%s", why.text);
	return rc ? ferry_fail(l->err, rc, why.origin, why.offset, "%s",
			       why.text) : 0;
}

static int read_name(struct filter_loader *l, const yaml_node_t *at,
		     struct filter *f)
{
	static const char *const words[] = {
		[FILTER_CONTAINS] = "contains",
		[FILTER_STARTSWITH] = "startswith",
		[FILTER_ENDSWITH] = "endswith", [FILTER_REGEX] = "regex",
	};
	yaml_node_t *node = ferry__filter_get(l, at, "match_type");
	const char *text = node ? ferry__yaml_text(node) : "contains";
	size_t i;
	int rc = read_texts(l, at, "patterns", true, &f->patterns);

	if (rc)
		return rc;
	for (i = 0; text && i < sizeof(words) / sizeof(*words); i++)
		if (!strcasecmp(text, words[i]))
			break;
	if (!text || i == sizeof(words) / sizeof(*words))
		return ferry__yaml_fail(&l->yaml, node, l->err, "match_type is "
					"contains, startswith, endswith or "
					"regex");
	f->match = (enum filter_match)i;
	return f->match == FILTER_REGEX ? compile_regexes(l, at, f) : 0;
}

static int add_part(struct filter_loader *l, const yaml_node_t *node,
		    unsigned depth, struct filter *f)
{
	int rc = read_filter(l, node, depth + 1, &f->parts[f->n_parts]);

	f->n_parts += !rc;
	return rc;
}

static int read_parts(struct filter_loader *l, const yaml_node_t *at,
		      const char *key, unsigned depth, struct filter *f)
{
	bool one = f->kind == FILTER_NOT || f->kind == FILTER_ALL_EXCEPT;
	yaml_node_t *node;
	size_t n;
	int rc = need(l, at, key, &node);

	if (rc)
		return rc;
	if (!one && node->type != YAML_SEQUENCE_NODE)
		return ferry__yaml_fail(&l->yaml, node, l->err, "%s: a list of "
					"filters is expected", key);
	n = one ? 1 : ferry__yaml_count(node);
	f->parts = ferry_store_array(l->filters->store, n, sizeof(*f->parts));
	if (!f->parts)
		return ferry_fail_nomem(l->err, "a filter");
	if (one)
		return add_part(l, node, depth, f);
	for (size_t i = 0; i < n && !rc; i++)
		rc = add_part(l, ferry__yaml_item(&l->yaml, node, i), depth,
			      f);
	return rc;
}

static int read_body(struct filter_loader *l, const yaml_node_t *at,
		     unsigned depth, struct filter *f)
{
	int rc;

	switch (f->kind) {
	case FILTER_DIMENSION:
		return read_ranks(l, at, &f->ranks);
	case FILTER_CONVOLUTIONAL:
		rc = read_texts(l, at, "name_patterns", false, &f->patterns);
		return rc ? rc : read_texts(l, at, "layer_types", false,
					    &f->types);
	case FILTER_NAME:
		return read_name(l, at, f);
	case FILTER_LAYER_TYPE:
		return read_texts(l, at, "layer_types", true, &f->types);
	case FILTER_STAGE_BASED:
		return read_texts(l, at, "stages", true, &f->stages);
	case FILTER_AND:
	case FILTER_OR:
		return read_parts(l, at, "filters", depth, f);
	case FILTER_NOT:
		return read_parts(l, at, "filter", depth, f);
	case FILTER_ALL_EXCEPT:
		return read_parts(l, at, "except", depth, f);
	default:
		return 0;
	}
}

static int fail_type(struct filter_loader *l, const yaml_node_t *at,
		     const char *text)
{
	struct ferry_buffer known = FERRY_BUFFER_INIT;
	int rc;

	for (int i = 0; i < N_FILTERS; i++)
		ferry_buffer_printf(&known, "%s%s", i ? ", " : "",
				    types[i].name);
	rc = ferry__yaml_fail(&l->yaml, at, l->err, "a filter's type is one "
			      "of %s; this has %.40s",
			      known.failed ? "those known" : known.data,
			      text ? text : "none");
	ferry_buffer_release(&known);
	return rc;
}

int ferry__filter_new(struct filter_loader *l, const yaml_node_t *node,
		      struct filter **out)
{
	struct filter *f;

	if (++l->n_filters > FERRY__FILTERS)
		return ferry__yaml_limit(&l->yaml, node, l->err, "more than %d "
					 "filters are given", FERRY__FILTERS);
	f = ferry_store_alloc(l->filters->store, sizeof(*f));
	if (!f)
		return ferry_fail_nomem(l->err, "a filter");
	memset(f, 0, sizeof(*f));
	f->next = l->filters->all;
	l->filters->all = f;
	*out = f;
	return 0;
}

/* Depth bounds the recursion, also where an alias names what it stands in. */
static int read_filter(struct filter_loader *l, const yaml_node_t *node,
		       unsigned depth, struct filter **out)
{
	const char *text;
	struct filter *f = NULL;
	int i, rc;

	if (depth > FERRY__FILTER_DEPTH)
		return ferry__yaml_limit(&l->yaml, node, l->err, "filters are "
					 "nested more than %d deep",
					 FERRY__FILTER_DEPTH);
	if (node->type != YAML_MAPPING_NODE)
		return ferry__yaml_fail(&l->yaml, node, l->err, "a filter is a "
					"mapping with a type");
	text = ferry__yaml_text(ferry__filter_get(l, node, "type"));
	for (i = 0; text && i < N_FILTERS; i++)
		if (!strcasecmp(text, types[i].name))
			break;
	if (!text || i == N_FILTERS)
		return fail_type(l, node, text);
	rc = ferry__filter_new(l, node, &f);
	if (!rc)
		rc = ferry__filter_fields(l, node, types[i].fields);
	if (rc)
		return rc;
	f->kind = (enum filter_kind)i;
	*out = f;
	return read_body(l, node, depth, f);
}

int ferry__filter_read(struct filter_loader *l, const yaml_node_t *node,
		       struct filter **out)
{
	return read_filter(l, node, 0, out);
}
