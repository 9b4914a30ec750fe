/* Patterns: PCRE2 for regular expressions and globs, memcmp for the rest. */
#include "config.h"

#include "core/handling/pattern.h"

#include <ctype.h>
#include <string.h>

#include <ferry/sys/alloc.h>

#define HEAP_MOST 65536		/* KiB one match may use */
#define GROUPS_MOST 100

static void *regex_alloc(size_t n, void *unused)
{
	(void)unused;
	return ferry_alloc(n);
}

static void regex_free(void *p, void *unused)
{
	(void)unused;
	ferry_alloc_free(p);
}

int ferry__match_find(const char *word)
{
	static const char *const words[] = {
		[FERRY__REGEX] = "regex", [FERRY__GLOB] = "glob",
		[FERRY__PREFIX] = "prefix", [FERRY__SUBSTRING] = "substring",
		[FERRY__EXACT] = "exact", [FERRY__WORD] = "word",
		[FERRY__COMPONENT] = "component",
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (!strcmp(word, words[i]))
			return (int)i;
	return -1;
}

static void glob_to_regex(const char *glob, struct ferry_buffer *out)
{
	ferry_buffer_add_str(out, "\\A(?s:");
	for (; *glob; glob++) {
		if (*glob == '*') {
			if (glob[1] != '*')
				ferry_buffer_add_str(out, "(.*)");
		} else if (*glob == '?') {
			ferry_buffer_add_str(out, "(.)");
		} else {
			if (ispunct((unsigned char)*glob))
				ferry_buffer_add_str(out, "\\");
			ferry_buffer_add(out, glob, 1);
		}
	}
	ferry_buffer_add_str(out, ")\\z");
}

/* What ends in a dot begins where a word does. */
static void component_to_regex(const char *text, size_t n,
			       struct ferry_buffer *out)
{
	if (n > 1 && text[n - 1] == '.')
		ferry_buffer_add_str(out, "\\b");
	for (; *text; text++) {
		if (ispunct((unsigned char)*text))
			ferry_buffer_add_str(out, "\\");
		ferry_buffer_add(out, text, 1);
	}
}

static int compile_regex(struct ferry__pattern *p, const char *regex, size_t n,
			 struct ferry_error *err)
{
	pcre2_general_context *general;
	pcre2_compile_context *context;
	char why[160], shown[200];
	PCRE2_SIZE at = 0;
	int code = 0;

	general = pcre2_general_context_create(regex_alloc, regex_free, NULL);
	context = general ? pcre2_compile_context_create(general) : NULL;
	if (context)
		p->code = pcre2_compile((PCRE2_SPTR)regex, n,
					PCRE2_UTF | PCRE2_UCP |
					PCRE2_MATCH_INVALID_UTF |
					PCRE2_NEVER_BACKSLASH_C,
					&code, &at, context);
	pcre2_compile_context_free(context);
	pcre2_general_context_free(general);
	if (p->code) {
		/* Where it can't be had, matching is only slower. */
		pcre2_jit_compile(p->code, PCRE2_JIT_COMPLETE);
		pcre2_pattern_info(p->code, PCRE2_INFO_CAPTURECOUNT,
				   &p->n_groups);
		return 0;
	}
	if (!context || code == PCRE2_ERROR_HEAP_FAILED ||
	    code == PCRE2_ERROR_NOMEMORY)
		return ferry_fail_nomem(err, "a pattern");
	pcre2_get_error_message(code, (PCRE2_UCHAR *)why, sizeof(why));
	ferry_escape(shown, sizeof(shown), p->text, p->n);
	return ferry_fail(err, FERRY_MISUSE, "handling", FERRY_NO_OFFSET,
			  "pattern '%s' at character %zu: %s", shown,
			  (size_t)at + 1, why);
}

int ferry__pattern_compile(struct ferry__pattern *out, enum ferry__match match,
			   const char *text, struct ferry_error *err)
{
	struct ferry_buffer regex = FERRY_BUFFER_INIT;
	int rc = 0;

	memset(out, 0, sizeof(*out));
	out->match = match;
	out->n = strlen(text);
	if (out->n > FERRY__PATTERN_MOST)
		return ferry_fail(err, FERRY_LIMIT, "handling",
				  FERRY_NO_OFFSET, "a pattern has %zu bytes; "
				  "it may have %d", out->n,
				  FERRY__PATTERN_MOST);
	out->text = ferry_alloc_strdup(text);
	if (!out->text)
		return ferry_fail_nomem(err, "a pattern");
	if (match == FERRY__WORD) {
		ferry_buffer_printf(&regex, "%s%s", text, out->n &&
				    text[out->n - 1] == '.' ? "" : "\\b");
		rc = regex.failed ? ferry_fail_nomem(err, "a pattern") :
		     compile_regex(out, regex.data, regex.n, err);
		ferry_buffer_release(&regex);
	} else if (match == FERRY__REGEX) {
		rc = compile_regex(out, text, out->n, err);
	} else if (match == FERRY__GLOB || match == FERRY__COMPONENT) {
		ferry_buffer_add_str(&regex, "");
		if (match == FERRY__GLOB)
			glob_to_regex(text, &regex);
		else
			component_to_regex(text, out->n, &regex);
		rc = regex.failed ? ferry_fail_nomem(err, "a pattern") :
		     compile_regex(out, regex.data, regex.n, err);
		ferry_buffer_release(&regex);
	}
	if (rc)
		ferry__pattern_release(out);
	return rc;
}

void ferry__pattern_release(struct ferry__pattern *p)
{
	pcre2_code_free(p->code);
	ferry_alloc_free(p->text);
	p->code = NULL;
	p->text = NULL;
}

/* ---- templates ----------------------------------------------------------- */

static int bad_template(const char *text, const char *why,
			struct ferry_error *err)
{
	char shown[200];

	ferry_escape(shown, sizeof(shown), text, strlen(text));
	return ferry_fail(err, FERRY_MISUSE, "handling", FERRY_NO_OFFSET,
			  "replacement '%s': %s", shown, why);
}

/* One or two digits. */
static int read_number(const char **at)
{
	int n = *(*at)++ - '0';

	if (isdigit((unsigned char)**at))
		n = 10 * n + (*(*at)++ - '0');
	return n;
}

static int find_group(const struct ferry__pattern *p, const char *name,
		      size_t n)
{
	char copy[64];
	int group = 0;

	if (!n || n >= sizeof(copy))
		return -1;
	memcpy(copy, name, n);
	copy[n] = '\0';
	if (strspn(copy, "0123456789") == n) {
		for (size_t i = 0; i < n && group < 10000; i++)
			group = 10 * group + copy[i] - '0';
		return group;
	}
	return p->code ? pcre2_substring_number_from_name(p->code,
							  (PCRE2_SPTR)copy) :
	       -1;
}

/* At a '\' or '$': the group it names, -1 for a plain character, -2 when it is
 * nothing lawful.  *at moves behind it. */
static int read_reference(const struct ferry__pattern *p, const char **at,
			  char *plain)
{
	const char *s = *at + 1, *end;
	bool dollar = **at == '$';
	bool named = dollar ? *s == '{' : s[0] == 'g' && s[1] == '<';
	int group;

	if (named) {
		s += dollar ? 1 : 2;
		end = strchr(s, dollar ? '}' : '>');
		if (!end)
			return -2;
		*at = end + 1;
		group = find_group(p, s, (size_t)(end - s));
		return group < 0 ? -2 : group;
	}
	if (isdigit((unsigned char)*s)) {
		*at = s;
		return read_number(at);
	}
	*plain = **at;
	if (*s == **at) {
		*at = s + 1;
		return -1;
	}
	*at = s;
	return dollar ? -1 : -2;
}

static void add_literal(struct ferry__template *t, size_t *used, char c)
{
	struct ferry__piece *last = t->n ? &t->pieces[t->n - 1] : NULL;

	if (!last || last->group >= 0) {
		last = &t->pieces[t->n++];
		*last = (struct ferry__piece){
			.text = t->text + *used, .group = -1,
		};
	}
	t->text[(*used)++] = c;
	last->n++;
}

int ferry__template_parse(struct ferry__template *out, const char *text,
			  const struct ferry__pattern *p,
			  struct ferry_error *err)
{
	size_t n = strlen(text), used = 0;
	const char *at = text;
	int group;
	char c;

	memset(out, 0, sizeof(*out));
	out->text = ferry_alloc(n + 1);
	out->pieces = ferry_alloc_zero(n + 1, sizeof(*out->pieces));
	if (!out->text || !out->pieces) {
		ferry__template_release(out);
		return ferry_fail_nomem(err, "a replacement");
	}
	while (*at) {
		group = -1;
		c = *at;
		if (c == '\\' || c == '$')
			group = read_reference(p, &at, &c);
		else
			at++;
		if (group == -1) {
			add_literal(out, &used, c);
		} else if (group == -2 || group >= GROUPS_MOST ||
			   (uint32_t)group > p->n_groups) {
			ferry__template_release(out);
			return bad_template(text, "names a group that the "
					    "pattern does not have (write \\\\ "
					    "for a backslash)", err);
		} else {
			out->pieces[out->n++].group = group;
		}
	}
	return 0;
}

void ferry__template_release(struct ferry__template *t)
{
	ferry_alloc_free(t->text);
	ferry_alloc_free(t->pieces);
	t->text = NULL;
	t->pieces = NULL;
	t->n = 0;
}

/* ---- matching ------------------------------------------------------------ */

int ferry__matcher_init(struct ferry__matcher *m, struct ferry_error *err)
{
	pcre2_general_context *general;

	general = pcre2_general_context_create(regex_alloc, regex_free, NULL);
	m->data = general ? pcre2_match_data_create(GROUPS_MOST, general) :
		  NULL;
	m->context = general ? pcre2_match_context_create(general) : NULL;
	pcre2_general_context_free(general);
	if (!m->data || !m->context) {
		ferry__matcher_release(m);
		return ferry_fail_nomem(err, "a pattern");
	}
	pcre2_set_match_limit(m->context, FERRY__MATCH_STEPS);
	pcre2_set_depth_limit(m->context, FERRY__MATCH_STEPS);
	pcre2_set_heap_limit(m->context, HEAP_MOST);
	return 0;
}

void ferry__matcher_release(struct ferry__matcher *m)
{
	pcre2_match_data_free(m->data);
	pcre2_match_context_free(m->context);
	m->data = NULL;
	m->context = NULL;
}

static int too_hard(const struct ferry__pattern *p, const char *name, size_t n,
		    int code, struct ferry_error *err)
{
	char shown[160], subject[160], why[120];

	if (code == PCRE2_ERROR_NOMEMORY)
		return ferry_fail_nomem(err, "a match");
	pcre2_get_error_message(code, (PCRE2_UCHAR *)why, sizeof(why));
	ferry_escape(shown, sizeof(shown), p->text, p->n);
	ferry_escape(subject, sizeof(subject), name, n);
	return ferry_fail(err, FERRY_LIMIT, "handling", FERRY_NO_OFFSET,
			  "pattern '%s' on name '%s': %s; write it without "
			  "nested repetition", shown, subject, why);
}

/* 1 with the match in m->data, 0, or a ferry_code. */
static int search(const struct ferry__pattern *p, struct ferry__matcher *m,
		  const char *name, size_t n, size_t from, uint32_t options,
		  struct ferry_error *err)
{
	int rc = pcre2_match(p->code, (PCRE2_SPTR)name, n, from, options,
			     m->data, m->context);

	if (rc == PCRE2_ERROR_JIT_STACKLIMIT)
		rc = pcre2_match(p->code, (PCRE2_SPTR)name, n, from,
				 options | PCRE2_NO_JIT, m->data, m->context);
	if (rc >= 0)
		return 1;
	if (rc == PCRE2_ERROR_NOMATCH)
		return 0;
	return too_hard(p, name, n, rc, err);
}

int ferry__pattern_match(const struct ferry__pattern *p,
			 struct ferry__matcher *m, const char *name, size_t n,
			 struct ferry_error *err)
{
	switch (p->match) {
	case FERRY__PREFIX:
		return n >= p->n && !memcmp(name, p->text, p->n);
	case FERRY__EXACT:
		return n == p->n && !memcmp(name, p->text, n);
	case FERRY__SUBSTRING:
		return memmem(name, n, p->text, p->n) != NULL;
	default:
		return search(p, m, name, n, 0, 0, err);
	}
}

static void expand(const struct ferry__template *t, const char *name,
		   const PCRE2_SIZE *ovector, uint32_t n_groups,
		   struct ferry_buffer *out)
{
	const struct ferry__piece *piece;

	for (size_t i = 0; i < t->n; i++) {
		piece = &t->pieces[i];
		if (piece->group < 0) {
			ferry_buffer_add(out, piece->text, piece->n);
			continue;
		}
		if ((uint32_t)piece->group >= n_groups ||
		    ovector[2 * piece->group] == PCRE2_UNSET)
			continue;
		ferry_buffer_add(out, name + ovector[2 * piece->group],
				 ovector[2 * piece->group + 1] -
				 ovector[2 * piece->group]);
	}
}

/*
 * As Python's re.sub(): every match from the left, empty ones too, but no empty
 * one where an empty one just was.
 */
static int replace_all(const struct ferry__pattern *p,
		       struct ferry__matcher *m,
		       const struct ferry__template *t, const char *name,
		       size_t n, struct ferry_buffer *out,
		       struct ferry_error *err)
{
	const PCRE2_SIZE *ovector = pcre2_get_ovector_pointer(m->data);
	uint32_t n_groups = pcre2_get_ovector_count(m->data);
	uint32_t options = 0;
	size_t done = 0;
	int any = 0, rc;

	for (;;) {
		rc = search(p, m, name, n, done, options, err);
		if (rc < 0)
			return rc;
		if (!rc || ovector[0] < done || ovector[1] < ovector[0])
			break;
		any = 1;
		ferry_buffer_add(out, name + done, ovector[0] - done);
		expand(t, name, ovector, n_groups, out);
		done = ovector[1];
		options = ovector[1] == ovector[0] ? PCRE2_NOTEMPTY_ATSTART : 0;
	}
	if (any)
		ferry_buffer_add(out, name + done, n - done);
	return any;
}

static int replace_text(const struct ferry__pattern *p,
			const struct ferry__template *t, const char *name,
			size_t n, struct ferry_buffer *out)
{
	const char *at;
	int any = 0;

	while (p->n && (at = memmem(name, n, p->text, p->n))) {
		any = 1;
		ferry_buffer_add(out, name, (size_t)(at - name));
		expand(t, name, NULL, 0, out);
		n -= (size_t)(at - name) + p->n;
		name = at + p->n;
	}
	if (any)
		ferry_buffer_add(out, name, n);
	return any;
}

int ferry__pattern_replace(const struct ferry__pattern *p,
			   struct ferry__matcher *m,
			   const struct ferry__template *t, const char *name,
			   size_t n, struct ferry_buffer *out,
			   struct ferry_error *err)
{
	int rc;

	if (p->match == FERRY__REGEX || p->match == FERRY__WORD ||
	    p->match == FERRY__COMPONENT)
		return replace_all(p, m, t, name, n, out, err);
	if (p->match == FERRY__SUBSTRING)
		return replace_text(p, t, name, n, out);
	rc = ferry__pattern_match(p, m, name, n, err);
	if (rc <= 0)
		return rc;
	expand(t, name, p->code ? pcre2_get_ovector_pointer(m->data) : NULL,
	       p->code ? pcre2_get_ovector_count(m->data) : 0, out);
	if (p->match == FERRY__PREFIX)
		ferry_buffer_add(out, name + p->n, n - p->n);
	return 1;
}
