/*
 * JSON text as a run of tokens: a pull scanner that checks the grammar of
 * RFC 8259 as it goes and builds nothing, so a header of a hundred megabytes
 * costs its text and what the caller keeps.
 *
 *	json_scan_init(&s, text, n, "json");
 *	while (!(rc = json_scan_next(&s, &token, err)) && token != JSON_END)
 *		...
 *	json_scan_release(&s);
 */
#ifndef FORMATS_JSON_SCAN_H
#define FORMATS_JSON_SCAN_H

#include <ferry/error.h>
#include <ferry/sys/buffer.h>

/* Deeper than any document: a level of typed JSON costs two of these. */
#define JSON_MAX_NESTING 4096

enum json_token {
	JSON_END,		/* after the one value */
	JSON_BEGIN_OBJECT,
	JSON_END_OBJECT,
	JSON_BEGIN_ARRAY,
	JSON_END_ARRAY,
	JSON_KEY,		/* str, nstr; the colon is consumed */
	JSON_TEXT,		/* str, nstr */
	JSON_NUMBER,		/* str, nstr: as it stands in the text */
	JSON_LITERAL_TRUE,
	JSON_LITERAL_FALSE,
	JSON_LITERAL_NULL,
};

struct json_scan {
	const char *text;
	size_t n, pos;
	size_t start;		/* of the last token */
	/*
	 * Of KEY, TEXT and NUMBER.  Points into text where there was nothing
	 * to unescape; then it lives as long as text, else until the next call.
	 */
	const char *str;
	size_t nstr;
	bool borrowed;		/* str points into text */
	bool is_real;		/* NUMBER with a fraction or an exponent */
	/*
	 * Refuse escapes that are half of a surrogate pair; otherwise they
	 * become three bytes, as ferry/value.h has them.
	 */
	bool refuse_surrogates;
	const char *origin;	/* of errors */
	uint64_t base;		/* added to offsets in errors */
	struct ferry_buffer unescaped;
	unsigned state;
	unsigned depth;		/* containers that are open */
	unsigned char open[JSON_MAX_NESTING];
};

void json_scan_init(struct json_scan *s, const char *text, size_t n,
		    const char *origin);
void json_scan_release(struct json_scan *s);

/* The next token.  MALFORMED with the offset, LIMIT for nesting. */
int json_scan_next(struct json_scan *s, enum json_token *token,
		   struct ferry_error *err);
/* The same, but it must be `want`: MALFORMED saying `what` was expected. */
int json_scan_expect(struct json_scan *s, enum json_token want,
		     const char *what, struct ferry_error *err);
/* The rest of the value that `token` began. */
int json_scan_skip(struct json_scan *s, enum json_token token,
		   struct ferry_error *err);
/* MALFORMED at the last token. */
int json_scan_fail(const struct json_scan *s, struct ferry_error *err,
		   const char *fmt, ...) FERRY_PRINTF(3, 4);

/* The last token as an integer; false when it is none or does not fit. */
bool json_scan_u64(const struct json_scan *s, enum json_token token,
		   uint64_t *out);
/* The last token, a key or text, against a C string. */
bool json_scan_is(const struct json_scan *s, const char *str);

#endif
