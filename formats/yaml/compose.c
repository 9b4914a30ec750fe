/* libyaml's events to nodes. */
#include "config.h"

#include <string.h>

#include <yaml.h>

#include <ferry/sys/map.h>

#include "formats/yaml/node.h"
#include "formats/yaml/scalar.h"

#define PREFIX "tag:yaml.org,2002:"
#define PATH_PREFIX PREFIX "python/object/apply:pathlib."
#define MOST_DIRECTIVES 64

struct composer {
	struct yaml_load *load;
	yaml_parser_t parser;
	struct ferry_map anchors;	/* name -> struct node */
};

/* ---- errors -------------------------------------------------------------- */

uint64_t yaml_offset_of(const struct yaml_load *y, size_t index)
{
	const unsigned char *p = (const unsigned char *)y->text;
	size_t i = 0;

	if (y->n >= 2 && ((p[0] == 0xff && p[1] == 0xfe) ||
			  (p[0] == 0xfe && p[1] == 0xff)))
		return FERRY_NO_OFFSET;
	if (y->n >= 3 && !memcmp(p, "\xef\xbb\xbf", 3))
		i = 3;
	for (; index && i < y->n; index--)
		do
			i++;
		while (i < y->n && (p[i] & 0xc0) == 0x80);
	return i;
}

static int fail_mark(struct yaml_load *y, size_t line, size_t column,
		     uint64_t offset, enum ferry_code code, const char *why)
{
	return ferry_fail(y->err, code, "yaml", offset,
			  "line %zu column %zu: %s", line + 1, column + 1,
			  why);
}

int yaml_fail_at(struct yaml_load *y, const struct node *at,
		 enum ferry_code code, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return fail_mark(y, at->line, at->column, yaml_offset_of(y, at->index),
			 code, text);
}

static int fail_event(struct composer *c, const yaml_event_t *event,
		      enum ferry_code code, const char *why)
{
	const yaml_mark_t *m = &event->start_mark;

	return fail_mark(c->load, m->line, m->column,
			 yaml_offset_of(c->load, m->index), code, why);
}

/* Bytes that are no text: libyaml tells the byte, not the line. */
static int fail_bytes(struct composer *c)
{
	const struct yaml_load *y = c->load;
	size_t offset = c->parser.problem_offset, line = 0, start = 0;
	char why[128];

	for (size_t i = 0; i < offset && i < y->n; i++)
		if (y->text[i] == '\n') {
			line++;
			start = i + 1;
		}
	snprintf(why, sizeof(why), "%s (0x%x)", c->parser.problem ?
		 c->parser.problem : "not a text",
		 (unsigned)c->parser.problem_value);
	for (char *p = why; *p; p++)
		if (*p >= 'A' && *p <= 'Z' && (p[1] < 'A' || p[1] > 'Z'))
			*p = (char)(*p - 'A' + 'a');
	return fail_mark(c->load, line, offset > start ? offset - start : 0,
			 offset, FERRY_MALFORMED, why);
}

static int fail_parse(struct composer *c)
{
	const yaml_parser_t *p = &c->parser;
	const yaml_mark_t *m = &p->problem_mark;
	char why[320];

	if (p->error == YAML_MEMORY_ERROR)
		return ferry_fail_nomem(c->load->err, "a YAML text");
	if (p->error == YAML_READER_ERROR)
		return fail_bytes(c);
	snprintf(why, sizeof(why), "%s%s%s", p->problem ? p->problem :
		 "not YAML", p->context ? " " : "",
		 p->context ? p->context : "");
	return fail_mark(c->load, m->line, m->column,
			 yaml_offset_of(c->load, m->index), FERRY_MALFORMED,
			 why);
}

static int next_event(struct composer *c, yaml_event_t *event)
{
	return yaml_parser_parse(&c->parser, event) ? 0 : fail_parse(c);
}

/* ---- nodes --------------------------------------------------------------- */

static int fail_nomem(struct composer *c)
{
	return ferry_fail_nomem(c->load->err, "a YAML document");
}

static enum yaml_tag find_tag(const char *text, enum yaml_schema schema)
{
	static const struct {
		const char *name;
		enum yaml_tag tag;
	} known[] = {
		{ "null", TAG_NULL },
		{ "bool", TAG_BOOL },
		{ "int", TAG_INT },
		{ "float", TAG_FLOAT },
		{ "binary", TAG_BINARY },
		{ "timestamp", TAG_TIMESTAMP },
		{ "omap", TAG_OMAP },
		{ "pairs", TAG_PAIRS },
		{ "set", TAG_SET },
		{ "str", TAG_STR },
		{ "seq", TAG_SEQ },
		{ "map", TAG_MAP },
		{ "merge", TAG_MERGE },
		{ "value", TAG_VALUE },
	};
	static const char *const paths[] = {
		"Path", "PosixPath", "WindowsPath",
	};
	size_t n = strlen(PREFIX), m = strlen(PATH_PREFIX);

	if (schema == YAML_OMEGACONF && !strncmp(text, PATH_PREFIX, m))
		for (unsigned i = 0; i < 3; i++)
			if (!strcmp(text + m, paths[i]))
				return TAG_PATH + i;
	if (!strncmp(text, PREFIX, n))
		for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
			if (!strcmp(text + n, known[i].name))
				return known[i].tag;
	return TAG_OTHER;
}

/* implicit: the tag where the text says none. */
static int set_tag(struct composer *c, struct node *node,
		   const yaml_char_t *tag, enum yaml_tag implicit)
{
	const char *text = (const char *)tag;

	node->tag = (uint8_t)implicit;
	if (!text || !strcmp(text, "!"))
		return 0;
	node->tag = (uint8_t)find_tag(text, c->load->options->schema);
	if (node->tag != TAG_OTHER)
		return 0;
	node->tag_text = ferry_store_strndup(c->load->scratch, text,
					     strlen(text));
	return node->tag_text ? 0 : fail_nomem(c);
}

static int add_anchor(struct composer *c, const yaml_event_t *event,
		      const yaml_char_t *anchor, struct node *node)
{
	const char *name = (const char *)anchor;
	size_t n;

	if (!name)
		return 0;
	n = strlen(name);
	if (ferry_map_get(&c->anchors, name, n, NULL)) {
		char shown[64], why[128];

		ferry_escape(shown, sizeof(shown), name, n);
		snprintf(why, sizeof(why), "anchor '%s' stands twice", shown);
		return fail_event(c, event, FERRY_MALFORMED, why);
	}
	name = ferry_store_strndup(c->load->scratch, name, n);
	if (!name || ferry_map_put(&c->anchors, name, n, (uintptr_t)node))
		return fail_nomem(c);
	return 0;
}

static int make_node(struct composer *c, const yaml_event_t *event,
		     enum yaml_shape shape, struct node **out)
{
	const yaml_mark_t *m = &event->start_mark;
	struct node *node;

	if (c->load->nodes++ >= YAML_MAX_NODES) {
		char why[64];

		snprintf(why, sizeof(why), "more than %u values",
			 YAML_MAX_NODES);
		return fail_event(c, event, FERRY_LIMIT, why);
	}
	node = ferry_store_alloc(c->load->scratch, sizeof(*node));
	if (!node)
		return fail_nomem(c);
	memset(node, 0, sizeof(*node));
	node->shape = (uint8_t)shape;
	node->line = (uint32_t)m->line;
	node->column = (uint32_t)m->column;
	node->index = (uint32_t)m->index;
	*out = node;
	return 0;
}

/* Room for one more of `size` bytes behind *items. */
static int grow(struct composer *c, struct node *node, void **items,
		size_t size)
{
	uint32_t cap = node->cap ? node->cap * 2 : 4;
	void *more;

	if (node->n < node->cap)
		return 0;
	more = ferry_store_array(c->load->scratch, cap, size);
	if (!more)
		return fail_nomem(c);
	if (node->n)
		memcpy(more, *items, node->n * size);
	*items = more;
	node->cap = cap;
	return 0;
}

/* ---- events to nodes ----------------------------------------------------- */

static int compose(struct composer *c, yaml_event_t *event, unsigned depth,
		   struct node **out);

static int compose_alias(struct composer *c, const yaml_event_t *event,
			 struct node **out)
{
	const char *name = (const char *)event->data.alias.anchor;
	char shown[64], why[160];
	uint64_t known;

	if (ferry_map_get(&c->anchors, name, strlen(name), &known)) {
		*out = (struct node *)(uintptr_t)known;
		return 0;
	}
	ferry_escape(shown, sizeof(shown), name, strlen(name));
	snprintf(why, sizeof(why), "alias '%s' names no anchor above", shown);
	return fail_event(c, event, FERRY_MALFORMED, why);
}

static int compose_scalar(struct composer *c, const yaml_event_t *event,
			  struct node **out)
{
	const char *text = (const char *)event->data.scalar.value;
	const char *tag = (const char *)event->data.scalar.tag;
	size_t n = event->data.scalar.length;
	enum yaml_tag implicit = TAG_STR;
	struct node *node;
	int rc = make_node(c, event, SHAPE_SCALAR, &node);

	if (rc)
		return rc;
	if (event->data.scalar.plain_implicit || (tag && !strcmp(tag, "!")))
		implicit = yaml_resolve(text, n, c->load->options->schema);
	rc = set_tag(c, node, event->data.scalar.tag, implicit);
	if (!rc)
		rc = add_anchor(c, event, event->data.scalar.anchor, node);
	if (rc)
		return rc;
	node->u.text.data = ferry_store_strndup(c->load->scratch, text, n);
	node->u.text.n = n;
	*out = node;
	return node->u.text.data ? 0 : fail_nomem(c);
}

static int compose_items(struct composer *c, struct node *node, unsigned depth)
{
	for (;;) {
		yaml_event_t event;
		struct node *item;
		void *items = node->u.items;
		int rc = next_event(c, &event);

		if (rc)
			return rc;
		if (event.type == YAML_SEQUENCE_END_EVENT) {
			yaml_event_delete(&event);
			return 0;
		}
		rc = compose(c, &event, depth + 1, &item);
		if (!rc)
			rc = grow(c, node, &items, sizeof(*node->u.items));
		if (rc)
			return rc;
		node->u.items = items;
		node->u.items[node->n++] = item;
	}
}

static int compose_entries(struct composer *c, struct node *node,
			   unsigned depth)
{
	for (;;) {
		struct yaml_entry entry;
		void *entries = node->u.entries;
		yaml_event_t event;
		int rc = next_event(c, &event);

		if (rc)
			return rc;
		if (event.type == YAML_MAPPING_END_EVENT) {
			yaml_event_delete(&event);
			return 0;
		}
		rc = compose(c, &event, depth + 1, &entry.key);
		if (!rc)
			rc = next_event(c, &event);
		if (!rc)
			rc = compose(c, &event, depth + 1, &entry.value);
		if (!rc)
			rc = grow(c, node, &entries, sizeof(entry));
		if (rc)
			return rc;
		node->u.entries = entries;
		node->u.entries[node->n++] = entry;
	}
}

/* Open a sequence or mapping; the event is of its start. */
static int begin(struct composer *c, const yaml_event_t *event, unsigned depth,
		 struct node **out)
{
	bool list = event->type == YAML_SEQUENCE_START_EVENT;
	char why[64];
	int rc;

	if (depth >= FERRY_MAX_DEPTH) {
		snprintf(why, sizeof(why), "nested more than %d deep",
			 FERRY_MAX_DEPTH);
		return fail_event(c, event, FERRY_LIMIT, why);
	}
	rc = make_node(c, event, list ? SHAPE_SEQUENCE : SHAPE_MAPPING, out);
	if (!rc)
		rc = set_tag(c, *out, list ? event->data.sequence_start.tag :
					     event->data.mapping_start.tag,
			     list ? TAG_SEQ : TAG_MAP);
	if (!rc)
		rc = add_anchor(c, event, list ?
				event->data.sequence_start.anchor :
				event->data.mapping_start.anchor, *out);
	return rc;
}

/* The node that an event starts; the event is deleted. */
static int compose(struct composer *c, yaml_event_t *event, unsigned depth,
		   struct node **out)
{
	yaml_event_type_t type = event->type;
	int rc;

	if (type == YAML_ALIAS_EVENT)
		rc = compose_alias(c, event, out);
	else if (type == YAML_SCALAR_EVENT)
		rc = compose_scalar(c, event, out);
	else
		rc = begin(c, event, depth, out);
	yaml_event_delete(event);
	if (!rc && type == YAML_SEQUENCE_START_EVENT)
		rc = compose_items(c, *out, depth);
	if (!rc && type == YAML_MAPPING_START_EVENT)
		rc = compose_entries(c, *out, depth);
	return rc;
}

/* Skip to the next event that is not the end of a document. */
static int skip_to(struct composer *c, yaml_event_t *event)
{
	int rc = next_event(c, event);

	while (!rc && (event->type == YAML_STREAM_START_EVENT ||
		       event->type == YAML_DOCUMENT_END_EVENT)) {
		yaml_event_delete(event);
		rc = next_event(c, event);
	}
	return rc;
}

static int compose_stream(struct composer *c, struct node **out)
{
	yaml_event_t event;
	bool more;
	int rc = skip_to(c, &event);

	*out = NULL;
	if (rc)
		return rc;
	more = event.type == YAML_DOCUMENT_START_EVENT;
	yaml_event_delete(&event);
	if (!more)
		return 0;
	rc = next_event(c, &event);
	if (!rc)
		rc = compose(c, &event, 0, out);
	if (!rc)
		rc = skip_to(c, &event);
	if (rc)
		return rc;
	if (event.type == YAML_DOCUMENT_START_EVENT)
		rc = fail_event(c, &event, FERRY_MALFORMED,
				"a second document begins; only one is read");
	yaml_event_delete(&event);
	return rc;
}

/* libyaml compares every %TAG with all before it. */
static int check_directives(struct yaml_load *y)
{
	const char *p = y->text, *end = y->text + y->n;
	unsigned n = 0;

	while (p < end && n <= MOST_DIRECTIVES) {
		if (end - p > 4 && !memcmp(p, "%TAG", 4))
			n++;
		p = memchr(p, '\n', (size_t)(end - p));
		if (!p)
			break;
		p++;
	}
	return n <= MOST_DIRECTIVES ? 0 :
	       ferry_fail(y->err, FERRY_LIMIT, "yaml", FERRY_NO_OFFSET,
			  "text has more than %d lines with %%TAG",
			  MOST_DIRECTIVES);
}

int yaml_compose(struct yaml_load *y, struct node **out)
{
	struct composer c = { .load = y };
	int rc = check_directives(y);

	if (rc)
		return rc;
	if (!yaml_parser_initialize(&c.parser))
		return fail_nomem(&c);
	yaml_parser_set_input_string(&c.parser, (const unsigned char *)y->text,
				     y->n);
	rc = compose_stream(&c, out);
	yaml_parser_delete(&c.parser);
	ferry_map_release(&c.anchors);
	return rc;
}
