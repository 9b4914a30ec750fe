/*
 * The lower half of the writer: scalars in the style that PyYAML's pure-Python
 * emitter chooses, indentation, and where lines are folded.  Block style only;
 * columns count characters.
 */
#ifndef FORMATS_YAML_EMIT_H
#define FORMATS_YAML_EMIT_H

#include "formats/yaml/yaml.h"

struct emitter {
	struct ferry_buffer *out;
	unsigned step, width;
	bool unicode;		/* else all but ASCII is escaped */
	int indent;		/* -1: outside of the root */
	size_t column;
	bool whitespace;	/* the last character separates */
	bool indention;		/* nothing but indentation on this line */
	bool open_ended;	/* the document needs "..." behind it */
};

struct analysis {
	size_t chars;
	bool empty, multiline;
	bool plain, single, literal;	/* styles it allows (block context) */
};

enum scalar_style {
	STYLE_ANY,
	STYLE_SINGLE,
	STYLE_LITERAL,		/* text ends in a line break */
};

struct scalar {
	const char *text;
	size_t n;
	const char *tag;	/* "!!str" */
	bool plain_tag;		/* written plain, it is read with this tag */
	bool quoted_tag;	/* written quoted, likewise */
	enum scalar_style style;	/* asked for */
};

/* Where a node stands. */
struct place {
	bool root, mapping, simple_key;
};

/* ---- analyze.c ---- */

/* The character at p, and its length; never past p + n. */
uint32_t yaml_char(const char *p, size_t n, size_t *len);
bool yaml_is_break(uint32_t c);
void yaml_analyze(const char *text, size_t n, bool unicode,
		  struct analysis *out);

/* ---- emit.c ---- */

void emit_indicator(struct emitter *e, const char *text, bool need_space);
/* "-", "?" or an explicit ":", which count as indentation. */
void emit_marker(struct emitter *e, const char *text);
void emit_line_break(struct emitter *e);
void emit_indent(struct emitter *e);
/* Raw text that is `chars` characters long. */
void emit_text(struct emitter *e, const char *text, size_t n, size_t chars);

/* ---- emit_scalar.c ---- */

void emit_scalar(struct emitter *e, const struct scalar *s,
		 const struct place *place);

#endif
