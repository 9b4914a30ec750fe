/* JSON text laid out again. */
#include "config.h"

#include "formats/json/json.h"
#include "formats/json/scan.h"

static void new_line(struct ferry_buffer *out, unsigned columns)
{
	char *line = ferry_buffer_extend(out, (size_t)columns + 1);

	if (!line)
		return;
	line[0] = '\n';
	for (unsigned i = 1; i <= columns; i++)
		line[i] = ' ';
}

/* What stands before a token: a comma, a line, or nothing. */
static void separate(const struct json_scan *s, enum json_token token,
		     enum json_token last, unsigned indent,
		     struct ferry_buffer *out)
{
	bool first = last == JSON_BEGIN_OBJECT || last == JSON_BEGIN_ARRAY;
	bool closes = token == JSON_END_OBJECT || token == JSON_END_ARRAY;
	bool opens = token == JSON_BEGIN_OBJECT || token == JSON_BEGIN_ARRAY;
	unsigned depth = s->depth - (opens ? 1 : 0);

	if (last == JSON_KEY || last == JSON_END || (closes && first))
		return;
	if (!first && !closes)
		ferry_buffer_add(out, ",", 1);
	new_line(out, depth * indent);
}

int json_indent(const char *text, size_t n, unsigned indent,
		struct ferry_buffer *out, struct ferry_error *err)
{
	enum json_token token, last = JSON_END;
	struct json_scan s;
	int rc;

	json_scan_init(&s, text, n, "json");
	while (!(rc = json_scan_next(&s, &token, err)) && token != JSON_END) {
		separate(&s, token, last, indent, out);
		ferry_buffer_add(out, text + s.start, s.pos - s.start);
		if (token == JSON_KEY)
			ferry_buffer_add(out, " ", 1);
		last = token;
	}
	json_scan_release(&s);
	if (!rc && out->failed)
		rc = ferry_fail_nomem(err, "JSON text");
	return rc;
}
