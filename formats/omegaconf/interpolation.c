/* Interpolations in text: what OmegaConf's grammar says of "${". */
#include "config.h"

#include <string.h>

#include "formats/omegaconf/omegaconf.h"

struct scan {
	const char *at, *end;
	unsigned depth;
};

static bool take_interpolation(struct scan *s);

static bool is_space(char c)
{
	return c == ' ' || c == '\t';
}

static void skip_space(struct scan *s)
{
	while (s->at < s->end && is_space(*s->at))
		s->at++;
}

static bool opens(const struct scan *s)
{
	return s->end - s->at >= 2 && s->at[0] == '$' && s->at[1] == '{';
}

/* To the end of a quoted value, which may hold interpolations. */
static bool take_quoted(struct scan *s)
{
	char quote = *s->at++;

	while (s->at < s->end && *s->at != quote) {
		if (*s->at == '\\')
			s->at += s->end - s->at > 1;
		else if (opens(s)) {
			if (!take_interpolation(s))
				return false;
			continue;
		}
		s->at++;
	}
	return s->at < s->end && *s->at++ == quote;
}

/* What a resolver is given, to the brace that ends it. */
static bool take_arguments(struct scan *s)
{
	unsigned open = 0;

	while (s->at < s->end) {
		if (opens(s)) {
			if (!take_interpolation(s))
				return false;
		} else if (*s->at == '\'' || *s->at == '"') {
			if (!take_quoted(s))
				return false;
		} else if (*s->at == '}' && !open) {
			s->at++;
			return true;
		} else {
			open += *s->at == '{';
			open -= *s->at == '}';
			s->at += *s->at == '\\' && s->end - s->at > 1 ? 2 : 1;
		}
	}
	return false;
}

/* Keys of a node, or the name of a resolver. */
static bool take_keys(struct scan *s, bool *named)
{
	while (s->at < s->end && !strchr("}: \t", *s->at)) {
		if (strchr("{()'\"\\", *s->at))
			return false;
		*named |= *s->at != '.';
		if (!opens(s))
			s->at++;
		else if (!take_interpolation(s))
			return false;
	}
	return true;
}

static bool take_interpolation(struct scan *s)
{
	bool named = false, good;

	if (++s->depth > FERRY_MAX_DEPTH)
		return false;
	s->at += 2;
	skip_space(s);
	good = take_keys(s, &named) && s->at < s->end;
	if (good && *s->at == ':') {
		s->at++;
		good = take_arguments(s);
	} else if (good && named) {
		skip_space(s);
		good = s->at < s->end && *s->at++ == '}';
	} else {
		good = false;
	}
	s->depth--;
	return good;
}

/* A dollar after an odd number of backslashes opens nothing. */
static bool is_escaped(const char *from, const char *at)
{
	const char *back = at;

	while (back > from && back[-1] == '\\')
		back--;
	return (at - back) % 2;
}

bool omegaconf_is_text(const struct ferry_value *v)
{
	struct scan s = {
		.at = v->u.s.data, .end = v->u.s.data + v->u.s.nbytes,
	};
	const char *from = s.at;

	while (s.at < s.end) {
		if (!opens(&s) || is_escaped(from, s.at))
			s.at++;
		else if (!take_interpolation(&s))
			return false;
	}
	return true;
}

/* ---- in a whole configuration -------------------------------------------- */

/* *left bounds what aliases make of a few lines. */
static const struct ferry_value *find_below(const struct ferry_value *v,
					    unsigned depth, uint32_t *left)
{
	const struct ferry_value *found = NULL;

	if (depth > OMEGACONF_DEEPEST || !*left)
		return NULL;
	--*left;
	if (v->kind == FERRY_STRING)
		return omegaconf_is_text(v) ? NULL : v;
	if (v->kind == FERRY_DICT)
		for (uint32_t i = 0; i < v->u.dict.n && !found; i++)
			found = find_below(v->u.dict.pairs[i].value, depth + 1,
					   left);
	else if (v->kind == FERRY_LIST)
		for (uint32_t i = 0; i < v->u.list.n && !found; i++)
			found = find_below(v->u.list.items[i], depth + 1, left);
	return found;
}

const struct ferry_value *
omegaconf_find_no_text(const struct ferry_value *plain)
{
	uint32_t left = OMEGACONF_MOST;

	return find_below(plain, 0, &left);
}
