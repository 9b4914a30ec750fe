/* The type of a plain scalar: PyYAML's implicit resolvers, YAML 1.1. */
#include "config.h"

#include <string.h>

#include "formats/yaml/scalar.h"

/* A text being matched; a matcher moves past what it takes. */
struct cursor {
	const char *p, *end;
};

static bool at_end(const struct cursor *c)
{
	return c->p == c->end;
}

static bool take(struct cursor *c, const char *set)
{
	if (at_end(c) || !*c->p || !strchr(set, *c->p))
		return false;
	c->p++;
	return true;
}

static size_t take_all(struct cursor *c, const char *set)
{
	size_t n = 0;

	while (take(c, set))
		n++;
	return n;
}

static bool take_word(struct cursor *c, const char *const *words)
{
	size_t n = (size_t)(c->end - c->p);

	for (; *words; words++)
		if (strlen(*words) == n && !memcmp(c->p, *words, n)) {
			c->p = c->end;
			return true;
		}
	return false;
}

#define DIGITS "0123456789"

/* (:[0-5]?[0-9])+ */
static bool take_sixties(struct cursor *c)
{
	bool any = false;

	while (take(c, ":")) {
		const char *from = c->p;
		size_t n = take_all(c, DIGITS);

		if (!n || n > 2 || (n == 2 && *from > '5'))
			return false;
		any = true;
	}
	return any;
}

static bool is_bool(struct cursor c)
{
	static const char *const words[] = {
		"yes", "Yes", "YES", "no", "No", "NO", "true", "True", "TRUE",
		"false", "False", "FALSE", "on", "On", "ON", "off", "Off",
		"OFF", NULL,
	};

	return take_word(&c, words);
}

static bool is_null(struct cursor c)
{
	static const char *const words[] = {
		"", "~", "null", "Null", "NULL", NULL,
	};

	return take_word(&c, words);
}

static bool is_int(struct cursor c)
{
	take(&c, "-+");
	if (!take(&c, "0")) {
		if (!take(&c, "123456789"))
			return false;
		take_all(&c, DIGITS "_");
		return at_end(&c) || (take_sixties(&c) && at_end(&c));
	}
	if (take(&c, "b"))
		return take_all(&c, "01_") && at_end(&c);
	if (take(&c, "x"))
		return take_all(&c, DIGITS "abcdefABCDEF_") && at_end(&c);
	take_all(&c, "01234567_");
	return at_end(&c);
}

static bool is_special(struct cursor c, bool sign)
{
	static const char *const infinities[] = { "inf", "Inf", "INF", NULL };
	static const char *const nans[] = { "nan", "NaN", "NAN", NULL };

	return take_word(&c, infinities) || (!sign && take_word(&c, nans));
}

/* ([eE][-+][0-9]+)?; loose: the sign may be missing. */
static bool ends_in_exponent(struct cursor c, bool loose)
{
	if (at_end(&c))
		return true;
	return take(&c, "eE") && (take(&c, "-+") || loose) &&
	       take_all(&c, DIGITS) && at_end(&c);
}

static bool is_float(struct cursor c)
{
	bool sign = take(&c, "-+");

	if (take(&c, ".")) {
		if (is_special(c, sign))
			return true;
		if (sign || !take(&c, DIGITS))
			return false;
		take_all(&c, DIGITS "_");
		return ends_in_exponent(c, false);
	}
	if (!take(&c, DIGITS))
		return false;
	take_all(&c, DIGITS "_");
	if (take(&c, ".")) {
		take_all(&c, DIGITS "_");
		return ends_in_exponent(c, false);
	}
	if (!take_sixties(&c) || !take(&c, "."))
		return false;
	take_all(&c, DIGITS "_");
	return at_end(&c);
}

/* What OmegaConf adds: an exponent without a sign, or without a dot before. */
static bool is_loose_float(struct cursor c)
{
	take(&c, "-+");
	do {
		if (!take_all(&c, DIGITS))
			return false;
	} while (take(&c, "_"));
	if (take(&c, "."))
		take_all(&c, DIGITS "_");
	return !at_end(&c) && ends_in_exponent(c, true);
}

enum yaml_tag yaml_resolve(const char *text, size_t n,
			   enum yaml_schema schema)
{
	const struct cursor c = { text, text + n };
	struct yaml_time t;

	if (is_null(c))
		return TAG_NULL;
	if (!memchr("-+.0123456789", *text, 13)) {
		if (n == 2 && !memcmp(text, "<<", 2))
			return TAG_MERGE;
		if (n == 1 && *text == '=')
			return TAG_VALUE;
		return is_bool(c) ? TAG_BOOL : TAG_STR;
	}
	if (is_float(c))
		return TAG_FLOAT;
	if (is_int(c))
		return TAG_INT;
	if (schema == YAML_OMEGACONF)
		return is_loose_float(c) ? TAG_FLOAT : TAG_STR;
	if (yaml_scan_time(text, n, &t) && (t.has_time || n == 10))
		return TAG_TIMESTAMP;
	return TAG_STR;
}
