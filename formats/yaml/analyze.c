/* What a string is made of, and so in which styles it can be written. */
#include "config.h"

#include <string.h>

#include "formats/yaml/emit.h"

#define REPLACEMENT 0xfffd

uint32_t yaml_char(const char *p, size_t n, size_t *len)
{
	const unsigned char *u = (const unsigned char *)p;
	unsigned more = u[0] < 0xc0 ? 0 : u[0] < 0xe0 ? 1 : u[0] < 0xf0 ? 2 : 3;
	uint32_t c = u[0];

	*len = 1;
	if (u[0] < 0x80)
		return c;
	if (!more || more >= n)
		return REPLACEMENT;
	c &= 0x3fu >> more;
	for (unsigned i = 1; i <= more; i++) {
		if ((u[i] & 0xc0) != 0x80)
			return REPLACEMENT;
		c = c << 6 | (u[i] & 0x3f);
	}
	*len = more + 1;
	return c;
}

bool yaml_is_break(uint32_t c)
{
	return c == '\n' || c == 0x85 || c == 0x2028 || c == 0x2029;
}

static bool is_space_or_end(const char *p, size_t n)
{
	uint32_t c;
	size_t len;

	if (!n)
		return true;
	c = yaml_char(p, n, &len);
	return !c || c == ' ' || c == '\t' || c == '\r' || yaml_is_break(c);
}

static bool is_special(uint32_t c, bool unicode)
{
	if (c == '\n' || (c >= ' ' && c <= '~'))
		return false;
	if (c == 0x85 || (c >= 0xa0 && c <= 0xd7ff) ||
	    (c >= 0xe000 && c <= 0xfffd && c != 0xfeff) ||
	    (c >= 0x10000 && c < 0x10ffff))
		return !unicode;
	return true;
}

/* What would be read as more than text in a plain scalar. */
static bool is_indicator(uint32_t c, bool first, bool after_space,
			 bool before_space)
{
	if (first)
		return (c && c < 0x80 && strchr("#,[]{}&*!|>'\"%@`", (int)c)) ||
		       ((c == '?' || c == ':' || c == '-') && before_space);
	return (c == ':' && before_space) || (c == '#' && after_space);
}

struct traits {
	bool indicators, breaks, special;
	bool edge_space, trailing_space, edge_break;
	bool break_space, space_break;
};

static void scan(const char *text, size_t n, bool unicode, struct traits *t,
		 size_t *chars)
{
	bool after_space = true, last_space = false, last_break = false;
	size_t len;

	for (size_t i = 0; i < n; i += len, (*chars)++) {
		uint32_t c = yaml_char(text + i, n - i, &len);
		bool edge = !i || i + len == n, is_break = yaml_is_break(c);

		if (is_indicator(c, !i, after_space,
				 is_space_or_end(text + i + len,
						 n - i - len)))
			t->indicators = true;
		t->breaks |= is_break;
		t->special |= is_special(c, unicode);
		t->edge_space |= edge && c == ' ';
		t->trailing_space |= i + len == n && c == ' ';
		t->edge_break |= edge && is_break;
		t->break_space |= last_break && c == ' ';
		t->space_break |= last_space && is_break;
		last_space = c == ' ';
		last_break = is_break;
		after_space = is_space_or_end(text + i, n - i);
	}
}

void yaml_analyze(const char *text, size_t n, bool unicode,
		  struct analysis *out)
{
	struct traits t = { 0 };

	memset(out, 0, sizeof(*out));
	if (!n) {
		out->empty = out->plain = out->single = true;
		return;
	}
	t.indicators = n >= 3 && (!memcmp(text, "---", 3) ||
				  !memcmp(text, "...", 3));
	scan(text, n, unicode, &t, &out->chars);
	out->multiline = t.breaks;
	out->single = !t.break_space && !t.space_break && !t.special;
	out->plain = out->single && !t.indicators && !t.breaks &&
		     !t.edge_space && !t.edge_break;
	out->literal = !t.trailing_space && !t.space_break && !t.special;
}
