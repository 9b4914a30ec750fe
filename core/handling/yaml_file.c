/* YAML data files: rules, signatures. */
#include "config.h"

#include "core/handling/yaml_file.h"

#include <stdio.h>
#include <string.h>

#include <ferry/sys/alloc.h>
#include <ferry/sys/source.h>

#include "core/handling/yaml_ahead.h"

static int read_source(struct ferry_source *src, const char *path, char **out,
		       size_t *n, struct ferry_error *err)
{
	char *data;
	int rc;

	if (src->nbytes > FERRY__YAML_MOST)
		return ferry_fail(err, FERRY_LIMIT, "yaml", FERRY_NO_OFFSET,
				  "%s has %llu bytes; a data file may have %u",
				  path, (unsigned long long)src->nbytes,
				  FERRY__YAML_MOST);
	data = ferry_alloc((size_t)src->nbytes + 1);
	if (!data)
		return ferry_fail_nomem(err, "a data file");
	rc = ferry_source_read(src, data, 0, (size_t)src->nbytes, err);
	if (rc) {
		ferry_alloc_free(data);
		return rc;
	}
	*n = (size_t)src->nbytes;
	*out = data;
	return 0;
}

int ferry__yaml_load(struct ferry__yaml *out, const char *path,
		     struct ferry_error *err)
{
	struct ferry_source *src;
	int rc = ferry_source_open_file(&src, path, err);

	if (rc)
		return rc;
	rc = ferry__yaml_read(out, src, path, err);
	ferry_source_unref(src);
	return rc;
}

int ferry__yaml_read(struct ferry__yaml *out, struct ferry_source *src,
		     const char *path, struct ferry_error *err)
{
	yaml_parser_t parser;
	char *data = NULL;
	size_t n = 0;
	int rc = read_source(src, path, &data, &n, err);

	if (rc)
		return rc;
	rc = ferry__yaml_look_ahead(data, n, path, err);
	if (rc) {
		ferry_alloc_free(data);
		return rc;
	}
	if (!yaml_parser_initialize(&parser)) {
		ferry_alloc_free(data);
		return ferry_fail_nomem(err, "a data file");
	}
	yaml_parser_set_input_string(&parser, (const unsigned char *)data, n);
	if (!yaml_parser_load(&parser, &out->document))
		rc = ferry__yaml_stopped(&parser, path, err);
	out->path = path;
	yaml_parser_delete(&parser);
	ferry_alloc_free(data);
	return rc;
}

void ferry__yaml_release(struct ferry__yaml *y)
{
	yaml_document_delete(&y->document);
}

yaml_node_t *ferry__yaml_root(struct ferry__yaml *y)
{
	return yaml_document_get_root_node(&y->document);
}

yaml_node_t *ferry__yaml_get(struct ferry__yaml *y, const yaml_node_t *mapping,
			     const char *key)
{
	yaml_node_t *found;
	const char *name;

	for (size_t i = 0; mapping && mapping->type == YAML_MAPPING_NODE &&
	     i < ferry__yaml_count(mapping); i++) {
		found = ferry__yaml_pair(y, mapping, i, &name);
		if (name && !strcmp(name, key))
			return found;
	}
	return NULL;
}

size_t ferry__yaml_count(const yaml_node_t *node)
{
	if (node && node->type == YAML_SEQUENCE_NODE)
		return (size_t)(node->data.sequence.items.top -
				node->data.sequence.items.start);
	if (node && node->type == YAML_MAPPING_NODE)
		return (size_t)(node->data.mapping.pairs.top -
				node->data.mapping.pairs.start);
	return 0;
}

yaml_node_t *ferry__yaml_item(struct ferry__yaml *y, const yaml_node_t *node,
			      size_t i)
{
	if (!node || node->type != YAML_SEQUENCE_NODE ||
	    i >= ferry__yaml_count(node))
		return NULL;
	return yaml_document_get_node(&y->document,
				      node->data.sequence.items.start[i]);
}

yaml_node_t *ferry__yaml_pair(struct ferry__yaml *y, const yaml_node_t *node,
			      size_t i, const char **key)
{
	const yaml_node_pair_t *pair;

	*key = NULL;
	if (!node || node->type != YAML_MAPPING_NODE ||
	    i >= ferry__yaml_count(node))
		return NULL;
	pair = &node->data.mapping.pairs.start[i];
	*key = ferry__yaml_text(yaml_document_get_node(&y->document,
						       pair->key));
	return yaml_document_get_node(&y->document, pair->value);
}

const char *ferry__yaml_text(const yaml_node_t *node)
{
	const char *text;

	if (!node || node->type != YAML_SCALAR_NODE)
		return NULL;
	text = (const char *)node->data.scalar.value;
	return strlen(text) == node->data.scalar.length ? text : NULL;
}

static int fail_at(const struct ferry__yaml *y, const yaml_node_t *at,
		   enum ferry_code code, struct ferry_error *err,
		   const char *fmt, va_list ap)
{
	char text[512];

	vsnprintf(text, sizeof(text), fmt, ap);
	if (!at)
		return ferry_fail(err, code, "yaml", FERRY_NO_OFFSET, "%s: %s",
				  y->path, text);
	return ferry_fail(err, code, "yaml", at->start_mark.index,
			  "%s line %zu column %zu: %s", y->path,
			  at->start_mark.line + 1, at->start_mark.column + 1,
			  text);
}

int ferry__yaml_fail(const struct ferry__yaml *y, const yaml_node_t *at,
		     struct ferry_error *err, const char *fmt, ...)
{
	va_list ap;
	int rc;

	va_start(ap, fmt);
	rc = fail_at(y, at, FERRY_MALFORMED, err, fmt, ap);
	va_end(ap);
	return rc;
}

int ferry__yaml_limit(const struct ferry__yaml *y, const yaml_node_t *at,
		      struct ferry_error *err, const char *fmt, ...)
{
	va_list ap;
	int rc;

	va_start(ap, fmt);
	rc = fail_at(y, at, FERRY_LIMIT, err, fmt, ap);
	va_end(ap);
	return rc;
}
