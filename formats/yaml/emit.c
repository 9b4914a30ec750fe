/* Indicators, indentation and line breaks. */
#include "config.h"

#include "formats/yaml/emit.h"

#include <string.h>

void emit_text(struct emitter *e, const char *text, size_t n, size_t chars)
{
	ferry_buffer_add(e->out, text, n);
	e->column += chars;
}

void emit_indicator(struct emitter *e, const char *text, bool need_space)
{
	size_t n = strlen(text);

	if (need_space && !e->whitespace)
		emit_text(e, " ", 1, 1);
	emit_text(e, text, n, n);
	e->whitespace = false;
	e->indention = false;
	e->open_ended = false;
}

void emit_marker(struct emitter *e, const char *text)
{
	bool indention = e->indention;

	emit_indicator(e, text, true);
	e->indention = indention;
}

void emit_line_break(struct emitter *e)
{
	ferry_buffer_add(e->out, "\n", 1);
	e->whitespace = true;
	e->indention = true;
	e->column = 0;
}

void emit_indent(struct emitter *e)
{
	static const char spaces[] = "                                ";
	size_t indent = e->indent < 0 ? 0 : (size_t)e->indent;

	if (!e->indention || e->column > indent ||
	    (e->column == indent && !e->whitespace))
		emit_line_break(e);
	if (e->column < indent)
		e->whitespace = true;
	while (e->column < indent) {
		size_t n = indent - e->column;

		if (n > sizeof(spaces) - 1)
			n = sizeof(spaces) - 1;
		emit_text(e, spaces, n, n);
	}
}
