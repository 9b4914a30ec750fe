/* YAML data files: rules, signatures. */
#include "config.h"

#include "core/handling/yaml_file.h"

#include <stdio.h>
#include <string.h>

#include <ferry/sys/alloc.h>
#include <ferry/sys/source.h>

static int read_file(const char *path, char **out, size_t *n,
		     struct ferry_error *err)
{
	struct ferry_source *src;
	char *data;
	int rc = ferry_source_open_file(&src, path, err);

	if (rc)
		return rc;
	data = NULL;
	if (src->nbytes > FERRY__YAML_MOST) {
		rc = ferry_fail(err, FERRY_LIMIT, "yaml", FERRY_NO_OFFSET,
				"%s has %llu bytes; a data file may have %u",
				path, (unsigned long long)src->nbytes,
				FERRY__YAML_MOST);
	} else {
		data = ferry_alloc((size_t)src->nbytes + 1);
		rc = data ? ferry_source_read(src, data, 0,
					      (size_t)src->nbytes, err) :
			    ferry_fail_nomem(err, "a data file");
	}
	*n = (size_t)src->nbytes;
	ferry_source_unref(src);
	if (rc)
		ferry_alloc_free(data);
	else
		*out = data;
	return rc;
}

static int parse_failure(const yaml_parser_t *parser, const char *path,
			 struct ferry_error *err)
{
	char why[160];
	const char *problem = parser->problem ? parser->problem : "not YAML";

	if (parser->error == YAML_MEMORY_ERROR)
		return ferry_fail_nomem(err, "a data file");
	ferry_escape(why, sizeof(why), problem, strlen(problem));
	return ferry_fail(err, FERRY_MALFORMED, "yaml",
			  parser->error == YAML_READER_ERROR ?
			  parser->problem_offset : parser->problem_mark.index,
			  "%s line %zu column %zu: %s", path,
			  parser->problem_mark.line + 1,
			  parser->problem_mark.column + 1, why);
}

int ferry__yaml_load(struct ferry__yaml *out, const char *path,
		     struct ferry_error *err)
{
	yaml_parser_t parser;
	char *data;
	size_t n;
	int rc = read_file(path, &data, &n, err);

	if (rc)
		return rc;
	if (!yaml_parser_initialize(&parser)) {
		ferry_alloc_free(data);
		return ferry_fail_nomem(err, "a data file");
	}
	yaml_parser_set_input_string(&parser, (const unsigned char *)data, n);
	if (!yaml_parser_load(&parser, &out->document))
		rc = parse_failure(&parser, path, err);
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

int ferry__yaml_fail(const struct ferry__yaml *y, const yaml_node_t *at,
		     struct ferry_error *err, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (!at)
		return ferry_fail(err, FERRY_MALFORMED, "yaml",
				  FERRY_NO_OFFSET, "%s: %s", y->path, text);
	return ferry_fail(err, FERRY_MALFORMED, "yaml", at->start_mark.index,
			  "%s line %zu column %zu: %s", y->path,
			  at->start_mark.line + 1, at->start_mark.column + 1,
			  text);
}
