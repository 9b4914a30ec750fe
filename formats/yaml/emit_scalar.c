/* Scalars: plain, single-quoted, double-quoted, literal. */
#include "config.h"

#include "formats/yaml/emit.h"

#include <string.h>

/* A text being written: [start, end) is pending. */
struct run {
	struct emitter *e;
	const char *text;
	size_t n;
	size_t start, end;	/* bytes */
	size_t cstart, cend;	/* characters */
	uint32_t c;		/* at end */
	size_t len;		/* of it; 0 behind the last */
};

static bool at_end(const struct run *r)
{
	return r->end == r->n;
}

static void look(struct run *r)
{
	r->c = 0;
	r->len = 0;
	if (!at_end(r))
		r->c = yaml_char(r->text + r->end, r->n - r->end, &r->len);
}

static void step(struct run *r)
{
	r->end += r->len;
	r->cend++;
	look(r);
}

static void flush(struct run *r)
{
	if (r->end > r->start)
		emit_text(r->e, r->text + r->start, r->end - r->start,
			  r->cend - r->cstart);
	r->start = r->end;
	r->cstart = r->cend;
}

static void begin(struct run *r, struct emitter *e, const struct scalar *s)
{
	memset(r, 0, sizeof(*r));
	r->e = e;
	r->text = s->text;
	r->n = s->n;
	look(r);
}

/* A run of spaces has ended: a single one may become a line break. */
static void flush_spaces(struct run *r, bool split)
{
	if (!split || r->start + 1 != r->end || r->e->column <= r->e->width) {
		flush(r);
		return;
	}
	emit_indent(r->e);
	r->start = r->end;
	r->cstart = r->cend;
}

/* Line breaks as they are; a quoted text has one more before them. */
static void flush_breaks(struct run *r, bool one_more)
{
	if (one_more && r->text[r->start] == '\n')
		emit_line_break(r->e);
	while (r->start < r->end) {
		size_t len;

		if (yaml_char(r->text + r->start, r->end - r->start, &len) ==
		    '\n') {
			emit_line_break(r->e);
		} else {
			ferry_buffer_add(r->e->out, r->text + r->start, len);
			r->e->whitespace = r->e->indention = true;
			r->e->column = 0;
		}
		r->start += len;
	}
	r->cstart = r->cend;
}

static void write_plain(struct emitter *e, const struct scalar *s, bool split)
{
	struct run r;

	begin(&r, e, s);
	if (!s->n)
		return;
	if (!e->whitespace)
		emit_text(e, " ", 1, 1);
	e->whitespace = e->indention = false;
	while (!at_end(&r)) {
		while (!at_end(&r) && r.c != ' ')
			step(&r);
		flush(&r);
		while (!at_end(&r) && r.c == ' ')
			step(&r);
		flush_spaces(&r, split);
		e->whitespace = e->indention = false;
	}
}

static void write_single_quoted(struct emitter *e, const struct scalar *s,
				bool split)
{
	struct run r;

	emit_indicator(e, "'", true);
	begin(&r, e, s);
	while (!at_end(&r)) {
		if (r.c == ' ') {
			while (!at_end(&r) && r.c == ' ')
				step(&r);
			flush_spaces(&r, split && r.start && !at_end(&r));
		} else if (yaml_is_break(r.c)) {
			while (!at_end(&r) && yaml_is_break(r.c))
				step(&r);
			flush_breaks(&r, true);
			emit_indent(e);
		} else if (r.c == '\'') {
			emit_text(e, "'", 1, 1);
			step(&r);
			flush(&r);
		} else {
			while (!at_end(&r) && r.c != ' ' && r.c != '\'' &&
			       !yaml_is_break(r.c))
				step(&r);
			flush(&r);
		}
	}
	emit_indicator(e, "'", false);
}

static bool needs_escape(uint32_t c, bool unicode)
{
	if (c >= ' ' && c <= '~')
		return c == '"' || c == '\\';
	if (!unicode || c == 0xfeff || yaml_is_break(c))
		return true;
	return !((c >= 0xa0 && c <= 0xd7ff) || (c >= 0xe000 && c <= 0xfffd));
}

static char short_escape(uint32_t c)
{
	static const struct {
		uint32_t c;
		char escape;
	} known[] = {
		{ 0, '0' }, { 7, 'a' }, { 8, 'b' }, { 9, 't' }, { 10, 'n' },
		{ 11, 'v' }, { 12, 'f' }, { 13, 'r' }, { 27, 'e' },
		{ '"', '"' }, { '\\', '\\' }, { 0x85, 'N' }, { 0xa0, '_' },
		{ 0x2028, 'L' }, { 0x2029, 'P' },
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (known[i].c == c)
			return known[i].escape;
	return 0;
}

static void write_escape(struct emitter *e, uint32_t c)
{
	size_t before = e->out->n;
	char escape = short_escape(c);

	if (escape)
		ferry_buffer_printf(e->out, "\\%c", escape);
	else if (c <= 0xff)
		ferry_buffer_printf(e->out, "\\x%02X", (unsigned)c);
	else if (c <= 0xffff)
		ferry_buffer_printf(e->out, "\\u%04X", (unsigned)c);
	else
		ferry_buffer_printf(e->out, "\\U%08X", (unsigned)c);
	e->column += e->out->n - before;
}

/* A line ends in a backslash; a space that the next begins with has one. */
static void fold(struct run *r)
{
	if (r->start < r->end)
		flush(r);
	emit_text(r->e, "\\", 1, 1);
	emit_indent(r->e);
	r->e->whitespace = r->e->indention = false;
	if (r->text[r->start] == ' ')
		emit_text(r->e, "\\", 1, 1);
}

static void write_double_quoted(struct emitter *e, const struct scalar *s,
				bool split)
{
	struct run r;

	emit_indicator(e, "\"", true);
	begin(&r, e, s);
	for (; !at_end(&r); step(&r)) {
		bool escaped = needs_escape(r.c, e->unicode);

		if (escaped) {
			flush(&r);
			write_escape(e, r.c);
			r.start = r.end + r.len;
			r.cstart = r.cend + 1;
		}
		if (split && r.end && r.end + r.len < r.n &&
		    (r.c == ' ' || r.start >= r.end) &&
		    e->column + r.cend > e->width + r.cstart)
			fold(&r);
	}
	flush(&r);
	emit_indicator(e, "\"", false);
}

static void write_literal(struct emitter *e, const struct scalar *s)
{
	struct run r;

	emit_indicator(e, "|", true);
	emit_line_break(e);
	begin(&r, e, s);
	while (!at_end(&r)) {
		emit_indent(e);
		while (!at_end(&r) && r.c != '\n')
			step(&r);
		flush(&r);
		while (!at_end(&r) && r.c == '\n')
			step(&r);
		flush_breaks(&r, false);
	}
}

enum written {
	PLAIN,
	SINGLE,
	DOUBLE,
	LITERAL,
};

static enum written choose(const struct scalar *s, const struct analysis *a,
			   bool key)
{
	bool key_fits = !key || (!a->empty && !a->multiline);

	if (s->style == STYLE_ANY && s->plain_tag && key_fits && a->plain)
		return PLAIN;
	if (s->style == STYLE_LITERAL)
		return a->literal && !a->empty && !key ? LITERAL : DOUBLE;
	return a->single && !(key && a->multiline) ? SINGLE : DOUBLE;
}

void emit_scalar(struct emitter *e, const struct scalar *s,
		 const struct place *place)
{
	int indent = e->indent;
	bool split = !place->simple_key;
	enum written style;
	struct analysis a;

	yaml_analyze(s->text, s->n, e->unicode, &a);
	style = choose(s, &a, place->simple_key);
	if (!(style == PLAIN ? s->plain_tag : s->quoted_tag))
		emit_indicator(e, s->tag, true);
	e->indent = indent < 0 ? (int)e->step : indent + (int)e->step;
	if (style == PLAIN) {
		e->open_ended |= place->root;
		write_plain(e, s, split);
	} else if (style == SINGLE) {
		write_single_quoted(e, s, split);
	} else if (style == DOUBLE) {
		write_double_quoted(e, s, split);
	} else {
		write_literal(e, s);
	}
	e->indent = indent;
}
