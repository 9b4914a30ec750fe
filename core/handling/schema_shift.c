/* Names that differ from those expected by a prefix. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include <ferry/schema.h>
#include <ferry/sys/map.h>

#define TRIED 16	/* names of a kind of which prefixes are taken */

static bool is_kind(const struct ferry_finding *f, const char *kind)
{
	return !strcmp(f->code, kind);
}

/* The text ends in the other, and a dot is before that: how much is more. */
static size_t excess(const char *text, const char *end)
{
	size_t n = strlen(text), m = strlen(end);

	return n > m + 1 && text[n - m - 1] == '.' &&
	       !strcmp(text + n - m, end) ? n - m : 0;
}

static int index_names(struct ferry_map *names,
		       const struct ferry_findings *misfits, const char *kind)
{
	const struct ferry_finding *f;
	int rc = 0;

	for (size_t i = 0; (f = ferry_findings_get(misfits, i)) && !rc; i++)
		if (is_kind(f, kind))
			rc = ferry_map_put(names, f->path, strlen(f->path), i);
	return rc;
}

/* How many names of the kind begin so, and are others' without it. */
static size_t count_shifted(const struct ferry_map *others,
			    const struct ferry_findings *misfits,
			    const char *kind, const char *prefix, size_t n)
{
	const struct ferry_finding *f;
	uint64_t at;
	size_t sum = 0;

	for (size_t i = 0; (f = ferry_findings_get(misfits, i)); i++)
		sum += is_kind(f, kind) && !strncmp(f->path, prefix, n) &&
		       ferry_map_get(others, f->path + n, strlen(f->path + n),
				     &at);
	return sum;
}

/* The prefix that names of the kind have before names of the other; its
 * length, 0 for none.  It has to explain half of either. */
static size_t find_prefix(const struct ferry_findings *misfits,
			  const char *kind, const char *other,
			  const char **prefix)
{
	const struct ferry_finding *f, *g;
	struct ferry_map others = FERRY_MAP_INIT;
	size_t n = 0, tried = 0;

	if (index_names(&others, misfits, other)) {
		ferry_map_release(&others);
		return 0;
	}
	for (size_t i = 0; !n && tried < TRIED &&
	     (f = ferry_findings_get(misfits, i)); i++) {
		if (!is_kind(f, other))
			continue;
		tried++;
		for (size_t k = 0; !n && (g = ferry_findings_get(misfits, k));
		     k++)
			if (is_kind(g, kind) &&
			    (n = excess(g->path, f->path)))
				*prefix = g->path;
		if (n && 2 * count_shifted(&others, misfits, kind, *prefix, n)
		    < others.n)
			n = 0;
	}
	ferry_map_release(&others);
	return n;
}

int ferry_tensor_schema_shift(const struct ferry_findings *misfits, char *out,
			      size_t cap)
{
	const char *prefix = NULL;
	int sign = 1;
	size_t n = find_prefix(misfits, "unexpected", "missing", &prefix);

	if (!n) {
		n = find_prefix(misfits, "missing", "unexpected", &prefix);
		sign = -1;
	}
	if (!n || n >= cap)
		return 0;
	snprintf(out, cap, "%.*s", (int)n, prefix);
	return sign;
}
