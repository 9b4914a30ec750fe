/* Sessions: made once, read-only afterwards. */
#include "config.h"

#include "core/registry/registry.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ferry/sys/alloc.h>

static size_t count_parts(const char *text)
{
	size_t n = 1;

	for (; *text; text++)
		n += *text == ':';
	return n;
}

int ferry__split_path(struct ferry_store *store, const char *text,
		      const char ***out, size_t *n, struct ferry_error *err)
{
	const char **parts;
	size_t len, used = 0;

	*out = NULL;
	*n = 0;
	if (!text)
		return 0;
	parts = ferry_store_array(store, count_parts(text), sizeof(*parts));
	if (!parts)
		return ferry_fail_nomem(err, "a search path");
	while (*text) {
		len = strcspn(text, ":");
		if (len) {
			parts[used] = ferry_store_strndup(store, text, len);
			if (!parts[used++])
				return ferry_fail_nomem(err, "a search path");
		}
		text += len + (text[len] == ':');
	}
	*out = parts;
	*n = used;
	return 0;
}

int ferry__add_row(struct ferry_session *s, enum ferry_known_kind kind,
		   const struct ferry_known *row, struct ferry_error *err)
{
	struct ferry_known *rows;
	size_t cap = s->cap[kind];

	if (s->n[kind] == cap) {
		cap = cap ? 2 * cap : 16;
		rows = ferry_alloc_resize(s->rows[kind], cap, sizeof(*rows));
		if (!rows)
			return ferry_fail_nomem(err, "the registry");
		s->rows[kind] = rows;
		s->cap[kind] = cap;
	}
	s->rows[kind][s->n[kind]++] = *row;
	return 0;
}

const struct ferry_known *ferry__row_named(const struct ferry_session *s,
					   enum ferry_known_kind kind,
					   const char *name)
{
	for (size_t i = 0; i < s->n[kind]; i++)
		if (!strcmp(s->rows[kind][i].name, name))
			return &s->rows[kind][i];
	return NULL;
}

static int by_name(const void *a, const void *b)
{
	const struct ferry_known *x = a, *y = b;

	return strcmp(x->name, y->name);
}

int ferry_session_new(struct ferry_session **out,
		      const struct ferry_session_options *options,
		      struct ferry_error *err)
{
	static const struct ferry_session_options none;
	struct ferry_session *s = ferry_alloc_zero(1, sizeof(*s));
	int rc;

	if (!s)
		return ferry_fail_nomem(err, "a session");
	if (!options)
		options = &none;
	rc = ferry_store_new(&s->store, err);
	if (!rc)
		rc = ferry_findings_new(&s->findings, err);
	if (!rc)
		rc = ferry__load_plugins(s, options, err);
	if (!rc)
		rc = ferry__schema_dirs(s->store, options->schema_path,
					&s->schema_dirs, &s->n_schema_dirs,
					err);
	if (!rc)
		rc = ferry__load_models(s, err);
	if (rc) {
		ferry_session_free(s);
		return rc;
	}
	for (int kind = 0; kind < FERRY__N_KNOWN; kind++)
		if (s->n[kind])
			qsort(s->rows[kind], s->n[kind], sizeof(**s->rows),
			      by_name);
	*out = s;
	return 0;
}

void ferry_session_free(struct ferry_session *s)
{
	if (!s)
		return;
	for (int kind = 0; kind < FERRY__N_KNOWN; kind++)
		ferry_alloc_free(s->rows[kind]);
	ferry_alloc_free(s->modules);
	ferry_findings_free(s->findings);
	ferry_store_unref(s->store);
	ferry_alloc_free(s);
}

const struct ferry_findings *
ferry_session_findings(const struct ferry_session *s)
{
	return s->findings;
}

size_t ferry_session_count(const struct ferry_session *s,
			   enum ferry_known_kind kind)
{
	return (unsigned)kind < FERRY__N_KNOWN ? s->n[kind] : 0;
}

const struct ferry_known *ferry_session_get(const struct ferry_session *s,
					    enum ferry_known_kind kind,
					    size_t i)
{
	if (i >= ferry_session_count(s, kind))
		return NULL;
	return &s->rows[kind][i];
}

const struct ferry_known *ferry_session_find(const struct ferry_session *s,
					     enum ferry_known_kind kind,
					     const char *name)
{
	struct ferry_known key = { .name = name };

	if (!ferry_session_count(s, kind))
		return NULL;
	return bsearch(&key, s->rows[kind], s->n[kind], sizeof(key), by_name);
}

int ferry__fail_no_plugins(const struct ferry_session *s,
			   struct ferry_error *err)
{
	return ferry_fail(err, FERRY_NOTFOUND, "registry", FERRY_NO_OFFSET,
			  "no plugins found in %.600s: set FERRY_PLUGIN_PATH "
			  "or install ferry", *s->searched ? s->searched :
			  "any directory (none is set)");
}

int ferry__fail_unknown(const struct ferry_session *s,
			enum ferry_known_kind kind, const char *what,
			const char *name, struct ferry_error *err)
{
	static const char *const listing[] = {
		[FERRY_KNOWN_PLUGINS] = "plugins",
		[FERRY_KNOWN_FORMATS] = "formats",
		[FERRY_KNOWN_TYPES] = "types",
		[FERRY_KNOWN_CONVERSIONS] = "conversions",
		[FERRY_KNOWN_MODELS] = "models",
	};
	struct ferry__nearest near;
	char shown[96], hint[320];

	if (kind == FERRY_KNOWN_FORMATS && !s->n[kind])
		return ferry__fail_no_plugins(s, err);
	ferry__nearest_init(&near, name);
	for (size_t i = 0; i < s->n[kind]; i++)
		ferry__nearest_offer(&near, s->rows[kind][i].name);
	ferry__nearest_text(&near, hint, sizeof(hint));
	ferry_escape(shown, sizeof(shown), name, strlen(name));
	return ferry_fail(err, FERRY_NOTFOUND, "registry", FERRY_NO_OFFSET,
			  "%s '%s' is not known%s; ferry %s lists them", what,
			  shown, hint, listing[kind]);
}

const char *ferry__base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

bool ferry__ends_with(const char *name, const char *end)
{
	size_t n = strlen(name), m = strlen(end);

	return m && n > m && !memcmp(name + n - m, end, m);
}

void ferry__directory_name(const char *path, char *out)
{
	size_t n = strlen(path), at;

	while (n && path[n - 1] == '/')
		n--;
	for (at = n; at && path[at - 1] != '/'; at--)
		;
	n = n - at < NAME_MAX ? n - at : NAME_MAX;
	memcpy(out, path + at, n);
	out[n] = '\0';
	if (!strcmp(out, ".") || !strcmp(out, ".."))
		*out = '\0';
}
