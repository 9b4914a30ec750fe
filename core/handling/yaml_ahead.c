/* How deep a data file is, and how large with its aliases written out. */
#include "config.h"

#include "core/handling/yaml_ahead.h"

#include <limits.h>
#include <string.h>

#include <ferry/sys/alloc.h>
#include <ferry/sys/build.h>
#include <ferry/sys/map.h>

#include "core/handling/yaml_file.h"

#define OPEN UINT_MAX		/* height of what has not ended */
#define NODE_NBYTES 16		/* that a node counts beside its text */

struct node {
	uint64_t nbytes;
	unsigned height;	/* levels in it */
	unsigned anchor;	/* number of its own, from 1; 0: none */
};

struct ahead {
	yaml_parser_t parser;
	const char *path;
	struct node levels[FERRY__YAML_DEPTH + 1];
	unsigned depth;
	struct node anchors[FERRY__YAML_ANCHORS + 1];
	unsigned n_anchors;
	struct ferry_map names;		/* of anchors, to their numbers */
	struct ferry_store *texts;
	uint64_t given;			/* bytes that aliases gave again */
	struct ferry_error *err;
};

int ferry__yaml_stopped(const yaml_parser_t *parser, const char *path,
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

static int too_many(struct ahead *a, const yaml_event_t *event, unsigned most,
		    const char *what)
{
	return ferry_fail(a->err, FERRY_LIMIT, "yaml", FERRY_NO_OFFSET,
			  "%s line %zu column %zu: more than %u %s", a->path,
			  event->start_mark.line + 1,
			  event->start_mark.column + 1, most, what);
}

static int too_deep(struct ahead *a, const yaml_event_t *event)
{
	return too_many(a, event, FERRY__YAML_DEPTH, "levels of nesting");
}

static int set_anchor(struct ahead *a, const yaml_event_t *event,
		      const yaml_char_t *anchor, unsigned *out)
{
	const char *name = (const char *)anchor, *kept;

	*out = 0;
	if (!name)
		return 0;
	if (a->n_anchors == FERRY__YAML_ANCHORS)
		return too_many(a, event, FERRY__YAML_ANCHORS, "anchors");
	kept = ferry_store_strndup(a->texts, name, strlen(name));
	*out = ++a->n_anchors;
	a->anchors[*out].height = OPEN;
	if (!kept || ferry_map_put(&a->names, kept, strlen(kept), *out))
		return ferry_fail_nomem(a->err, "a data file");
	return 0;
}

/* A node is whole: it counts for what it is in, and for its anchor. */
static void end_node(struct ahead *a, struct node node)
{
	struct node *around = &a->levels[a->depth];

	if (node.anchor)
		a->anchors[node.anchor] = node;
	around->nbytes += node.nbytes;
	if (around->height < node.height + 1)
		around->height = node.height + 1;
}

static int begin(struct ahead *a, const yaml_event_t *event,
		 const yaml_char_t *anchor)
{
	struct node node = { .nbytes = NODE_NBYTES };
	int rc;

	if (a->depth == FERRY__YAML_DEPTH)
		return too_deep(a, event);
	rc = set_anchor(a, event, anchor, &node.anchor);
	if (!rc)
		a->levels[++a->depth] = node;
	return rc;
}

static void end(struct ahead *a)
{
	struct node node = a->levels[a->depth--];

	end_node(a, node);
}

static int scalar(struct ahead *a, const yaml_event_t *event)
{
	struct node node = {
		.nbytes = NODE_NBYTES + event->data.scalar.length,
	};
	int rc = set_anchor(a, event, event->data.scalar.anchor, &node.anchor);

	if (!rc)
		end_node(a, node);
	return rc;
}

/* One of no anchor is for the parser to refuse. */
static int alias(struct ahead *a, const yaml_event_t *event)
{
	const char *name = (const char *)event->data.alias.anchor;
	struct node node;
	uint64_t number;
	char shown[80];

	if (!ferry_map_get(&a->names, name, strlen(name), &number))
		return 0;
	node = a->anchors[number];
	if (node.height == OPEN)
		return ferry_fail(a->err, FERRY_MALFORMED, "yaml",
				  event->start_mark.index,
				  "%s line %zu column %zu: '*%s' stands in what "
				  "it names", a->path,
				  event->start_mark.line + 1,
				  event->start_mark.column + 1,
				  ferry_escape(shown, sizeof(shown), name,
					       strlen(name)));
	if (a->depth + node.height > FERRY__YAML_DEPTH)
		return too_deep(a, event);
	a->given += node.nbytes;
	if (a->given > FERRY__YAML_MOST)
		return too_many(a, event, FERRY__YAML_MOST,
				"bytes are given again by aliases");
	node.anchor = 0;
	end_node(a, node);
	return 0;
}

static int look_at(struct ahead *a, const yaml_event_t *event)
{
	switch (event->type) {
	case YAML_SEQUENCE_START_EVENT:
		return begin(a, event, event->data.sequence_start.anchor);
	case YAML_MAPPING_START_EVENT:
		return begin(a, event, event->data.mapping_start.anchor);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		end(a);
		return 0;
	case YAML_SCALAR_EVENT:
		return scalar(a, event);
	case YAML_ALIAS_EVENT:
		return alias(a, event);
	default:
		return 0;
	}
}

static int look_at_all(struct ahead *a)
{
	yaml_event_t event;
	bool last = false;
	int rc = 0;

	while (!rc && !last) {
		if (!yaml_parser_parse(&a->parser, &event))
			return ferry__yaml_stopped(&a->parser, a->path,
						   a->err);
		last = event.type == YAML_STREAM_END_EVENT;
		rc = look_at(a, &event);
		yaml_event_delete(&event);
	}
	return rc;
}

int ferry__yaml_look_ahead(const char *data, size_t n, const char *path,
			   struct ferry_error *err)
{
	struct ahead *a = ferry_alloc_zero(1, sizeof(*a));
	int rc = a ? ferry_store_new(&a->texts, err) :
		 ferry_fail_nomem(err, "a data file");

	if (rc)
		goto out;
	a->path = path;
	a->err = err;
	if (yaml_parser_initialize(&a->parser)) {
		yaml_parser_set_input_string(&a->parser,
					     (const unsigned char *)data, n);
		rc = look_at_all(a);
		yaml_parser_delete(&a->parser);
	} else {
		rc = ferry_fail_nomem(err, "a data file");
	}
	ferry_map_release(&a->names);
	ferry_store_unref(a->texts);
out:
	ferry_alloc_free(a);
	return rc;
}
