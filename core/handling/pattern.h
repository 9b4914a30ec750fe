/*
 * Patterns over names, and the texts that replace what they matched.
 *
 * A pattern is compiled once and read-only; what a match needs to work lies in
 * a matcher, one per thread.
 */
#ifndef CORE_HANDLING_PATTERN_H
#define CORE_HANDLING_PATTERN_H

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <ferry/error.h>
#include <ferry/sys/buffer.h>

/* Steps one match may take: what no sane pattern needs on a name. */
#define FERRY__MATCH_STEPS 1000000
#define FERRY__PATTERN_MOST 65536	/* bytes of a pattern */

enum ferry__match {
	FERRY__REGEX,
	FERRY__GLOB,		/* compiled to a regex; wildcards are groups */
	FERRY__PREFIX,
	FERRY__SUBSTRING,
	FERRY__EXACT,
	FERRY__WORD,		/* a regex; then \b, unless it ends in "." */
	FERRY__COMPONENT,	/* "x." whole components that end so; else
				 * as SUBSTRING */
};

struct ferry__pattern {
	enum ferry__match match;
	char *text;
	size_t n;
	pcre2_code *code;	/* REGEX, WORD, COMPONENT and GLOB */
	uint32_t n_groups;
};

/* A literal (group -1) or what a group matched. */
struct ferry__piece {
	const char *text;
	size_t n;
	int group;
};

struct ferry__template {
	char *text;		/* the literals' bytes */
	struct ferry__piece *pieces;
	size_t n;
};

struct ferry__matcher {
	pcre2_match_data *data;
	pcre2_match_context *context;
};

/* FERRY__REGEX for "regex", ...; -1 when it is no such word. */
int ferry__match_find(const char *word);

int ferry__pattern_compile(struct ferry__pattern *out, enum ferry__match match,
			   const char *text, struct ferry_error *err);
void ferry__pattern_release(struct ferry__pattern *p);

/* \1 or $1 (one or two digits), \g<1>, \g<name>, ${1}, ${name}; $$ and \\ are
 * the characters themselves.  MISUSE for a group the pattern does not have. */
int ferry__template_parse(struct ferry__template *out, const char *text,
			  const struct ferry__pattern *p,
			  struct ferry_error *err);
void ferry__template_release(struct ferry__template *t);

int ferry__matcher_init(struct ferry__matcher *m, struct ferry_error *err);
void ferry__matcher_release(struct ferry__matcher *m);

/* 1: matches, 0: does not, else a ferry_code: LIMIT when the pattern takes too
 * many steps. */
int ferry__pattern_match(const struct ferry__pattern *p,
			 struct ferry__matcher *m, const char *name, size_t n,
			 struct ferry_error *err);
/* As match; on 1 the name with every match replaced (a prefix, glob or exact
 * name has one) was appended.  Check out->failed. */
int ferry__pattern_replace(const struct ferry__pattern *p,
			   struct ferry__matcher *m,
			   const struct ferry__template *t, const char *name,
			   size_t n, struct ferry_buffer *out,
			   struct ferry_error *err);

#endif
