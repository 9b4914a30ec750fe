/* YAML data files (libyaml), with errors that say line and column. */
#ifndef CORE_HANDLING_YAML_FILE_H
#define CORE_HANDLING_YAML_FILE_H

#include <stdbool.h>

#include <yaml.h>

#include <ferry/error.h>
#include <ferry/sys/source.h>

#define FERRY__YAML_MOST (16u << 20)	/* bytes of a data file; and of what
					 * its aliases give again */
#define FERRY__YAML_DEPTH 64		/* levels of nesting in it */
#define FERRY__YAML_ANCHORS 1000

struct ferry__yaml {
	yaml_document_t document;
	const char *path;	/* borrowed */
};

/* MALFORMED with line and column; LIMIT above what these say.  With aliases
 * followed the document is no deeper, and no alias is inside of what it names. */
int ferry__yaml_load(struct ferry__yaml *out, const char *path,
		     struct ferry_error *err);
/* As load; messages call the source `path` (borrowed). */
int ferry__yaml_read(struct ferry__yaml *out, struct ferry_source *src,
		     const char *path, struct ferry_error *err);
void ferry__yaml_release(struct ferry__yaml *y);

/* NULL for an empty document. */
yaml_node_t *ferry__yaml_root(struct ferry__yaml *y);
/* The node under a key of a mapping, or NULL. */
yaml_node_t *ferry__yaml_get(struct ferry__yaml *y, const yaml_node_t *mapping,
			     const char *key);
/* Items of a sequence, pairs of a mapping, 0 for anything else; the getters
 * give NULL past the end and for the wrong kind of node. */
size_t ferry__yaml_count(const yaml_node_t *node);
yaml_node_t *ferry__yaml_item(struct ferry__yaml *y, const yaml_node_t *node,
			      size_t i);
yaml_node_t *ferry__yaml_pair(struct ferry__yaml *y, const yaml_node_t *node,
			      size_t i, const char **key);
/* The text of a scalar, NUL-terminated; NULL for anything else, and for a
 * scalar with a NUL inside. */
const char *ferry__yaml_text(const yaml_node_t *node);

/* MALFORMED: "<path> line L column C: ...". */
int ferry__yaml_fail(const struct ferry__yaml *y, const yaml_node_t *at,
		     struct ferry_error *err, const char *fmt, ...)
	FERRY_PRINTF(4, 5);
/* As fail, with LIMIT. */
int ferry__yaml_limit(const struct ferry__yaml *y, const yaml_node_t *at,
		      struct ferry_error *err, const char *fmt, ...)
	FERRY_PRINTF(4, 5);

#endif
