/* Names of outputs, by templates. */
#include "config.h"

#include "core/batch/batch.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include <ferry/sys/buffer.h>

#include "core/batch/replacement.h"
#include "core/io/directory.h"
#include "core/registry/registry.h"

#define DEFAULT_TEMPLATE "{dir}/{stem}{ending}"

static const struct ferry_format *format_named(const struct ferry_migration *m,
					       const char *name)
{
	const struct ferry_known *row = !name ? NULL :
		ferry_session_find(m->s, FERRY_KNOWN_FORMATS, name);

	return row ? row->format : NULL;
}

/* The longest of the format's endings that the name has, or NULL. */
static const char *ending_in(const struct ferry_format *f, const char *name)
{
	const char *longest = NULL;

	for (const char *const *end = f ? f->suffixes : NULL; end && *end;
	     end++)
		if (ferry__ends_with(name, *end) &&
		    (!longest || strlen(*end) > strlen(longest)))
			longest = *end;
	return longest;
}

/* The ending of the source: one of its format's, else from the last dot. */
static const char *suffix_of(const struct ferry_migration *m,
			     const struct ferry__entry *e)
{
	const char *name = ferry__base_name(e->path);
	const char *end = e->directory ? "" :
			  ending_in(format_named(m, e->item.format), name);
	const char *dot = strrchr(name, '.');

	if (!end)
		end = dot && dot != name ? dot : "";
	return name + strlen(name) - strlen(end);
}

static const char *ending_of(const struct ferry_migration *m,
			     const struct ferry__entry *e)
{
	const struct ferry_job *job = &e->rule->job;
	const struct ferry_format *to = format_named(m, job->to_format);
	const struct ferry_known *type = !job->to ? NULL :
		ferry_session_find(m->s, FERRY_KNOWN_TYPES, job->to);
	const char *end;

	if (type && type->type->output_suffix)
		return type->type->output_suffix;
	if (e->action != FERRY__CONVERT || !to || !to->suffixes ||
	    !*to->suffixes)
		return suffix_of(m, e);
	end = ending_in(to, e->path);
	return end && !strcmp(end, suffix_of(m, e)) ? end : *to->suffixes;
}

static void put_field(const struct ferry_migration *m,
		      const struct ferry__entry *e, const char *name, size_t n,
		      struct ferry_buffer *out)
{
	const struct ferry_item *i = &e->item;
	const char *base = ferry__base_name(e->path);
	const struct { const char *name, *text; } plain[] = {
		{ "name", base }, { "suffix", suffix_of(m, e) },
		{ "ending", ending_of(m, e) },
		{ "type", i->type ? i->type : "unknown" },
		{ "format", i->format ? i->format : "unknown" },
		{ "version", i->version ? i->version : "unknown" },
	};

	if (n == 3 && !memcmp(name, "dir", n)) {
		ferry_buffer_add(out, e->path, (size_t)(base - e->path));
		return;
	}
	if (n == 4 && !memcmp(name, "stem", n)) {
		ferry_buffer_add(out, base, (size_t)(suffix_of(m, e) - base));
		return;
	}
	for (size_t k = 0; k < sizeof(plain) / sizeof(plain[0]); k++)
		if (strlen(plain[k].name) == n &&
		    !memcmp(plain[k].name, name, n)) {
			ferry_buffer_add_str(out, plain[k].text);
			return;
		}
}

static bool is_field(const char *name, size_t n)
{
	static const char *const names[] = {
		"dir", "name", "stem", "suffix", "ending", "type", "format",
		"version",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strlen(names[i]) == n && !memcmp(names[i], name, n))
			return true;
	return false;
}

int ferry__check_template(const char *template, struct ferry_error *err)
{
	const char *end;

	for (; template && *template; template++) {
		end = *template == '{' ? strchr(template, '}') : NULL;
		if (end && !is_field(template + 1,
				     (size_t)(end - template) - 1))
			return ferry_fail(err, FERRY_MISUSE, "migrate",
					  FERRY_NO_OFFSET, "output template: "
					  "no field %.*s: dir, name, stem, "
					  "suffix, ending, type, format and "
					  "version are",
					  (int)(end - template) + 1, template);
	}
	return 0;
}

static int expand(struct ferry_migration *m, const struct ferry__entry *e,
		  const char *template, struct ferry_buffer *out,
		  struct ferry_error *err)
{
	const char *end;

	while (*template) {
		end = *template == '{' ? strchr(template, '}') : NULL;
		if (!end) {
			ferry_buffer_add(out, template++, 1);
			continue;
		}
		put_field(m, e, template + 1, (size_t)(end - template) - 1,
			  out);
		template = end + 1;
	}
	return out->failed ? ferry_fail_nomem(err, "a file name") : 0;
}

/* Append a relative path without "." and doubled slashes; false for what
 * leads out. */
static bool add_clean(struct ferry_buffer *out, const char *path)
{
	bool any = false;
	size_t n;

	for (; *path; path += n) {
		path += strspn(path, "/");
		n = strcspn(path, "/");
		if (!n || (n == 1 && *path == '.'))
			continue;
		if (n == 2 && !memcmp(path, "..", 2))
			return false;
		ferry_buffer_printf(out, "%s%.*s", any ? "/" : "", (int)n,
				    path);
		any = true;
	}
	return any;
}

/* Where outputs lie: DST, or the source's root. */
static void add_base(const struct ferry_migration *m,
		     const struct ferry__entry *e, struct ferry_buffer *out)
{
	size_t n = m->output ? strlen(m->output) :
		   (size_t)(e->path - e->item.source);

	ferry_buffer_add(out, m->output ? m->output : e->item.source, n);
	if (n && out->data && out->data[n - 1] != '/')
		ferry_buffer_add_str(out, "/");
}

/* ---- names that can't be ------------------------------------------------- */

/* Those of sidecars, ledgers and temporary files: the next run would take the
 * output for one. */
static bool is_reserved(const char *name, size_t n)
{
	char copy[NAME_MAX + 1];
	size_t end = sizeof(FERRY__SIDECAR) - 1;

	if (n > NAME_MAX)
		return false;
	memcpy(copy, name, n);
	copy[n] = '\0';
	return !strcmp(copy, FERRY__LEDGER) || strstr(copy, FERRY__BACKUP) ||
	       strstr(copy, FERRY__MOVING) ||
	       (n >= end && !strcmp(copy + n - end, FERRY__SIDECAR)) ||
	       ferry_is_temporary(copy);
}

static int fail_reserved(const char *path, struct ferry_error *err)
{
	char shown[256];

	return ferry_fail(err, FERRY_MISUSE, "migrate", FERRY_NO_OFFSET,
			  "output '%s' has a name that ferry gives to its own "
			  "files: give it another",
			  ferry_escape(shown, sizeof(shown), path,
				       strlen(path)));
}

static int fail_long(const char *what, size_t n, size_t most,
		     const char *beside, struct ferry_error *err)
{
	return ferry_fail(err, FERRY_LIMIT, "migrate", FERRY_NO_OFFSET,
			  "the %s of its output is too long: %zu bytes, and "
			  "%zu is the most that leaves room for NAME%s: give "
			  "it a shorter one with --name or the recipe's output",
			  what, n, most - strlen(beside), beside);
}

/* Of what lies below DST, from `at` on; what is replaced in place needs names
 * for itself and for what it was. */
static int check_names(const struct ferry__entry *e, const char *path,
		       size_t at, struct ferry_error *err)
{
	const char *beside = strcmp(path, e->item.source) ? FERRY__SIDECAR :
							    FERRY__BACKUP;
	size_t n = 0, most;

	for (const char *p = path + at; *p; p += n) {
		p += strspn(p, "/");
		n = strcspn(p, "/");
		most = p[n] ? NAME_MAX : NAME_MAX - strlen(beside);
		if (is_reserved(p, n))
			return fail_reserved(path, err);
		if (n > most)
			return fail_long("name", n, NAME_MAX,
					 p[n] ? "" : beside, err);
	}
	n = strlen(path);
	most = PATH_MAX - 1;
	return n <= most - strlen(beside) ? 0 :
	       fail_long("path", n, most, beside, err);
}

int ferry__name_output(struct ferry_migration *m, struct ferry__entry *e,
		       struct ferry_error *err)
{
	const char *template = e->rule && e->rule->output ? e->rule->output :
			       m->template ? m->template : DEFAULT_TEMPLATE;
	struct ferry_buffer raw = FERRY_BUFFER_INIT, out = FERRY_BUFFER_INIT;
	char shown[256];
	size_t base;
	int rc = 0;

	if (e->wanted)
		ferry_buffer_add_str(&raw, e->wanted);
	else if (e->action == FERRY__COPY)
		ferry_buffer_add_str(&raw, e->path);
	else
		rc = expand(m, e, template, &raw, err);
	add_base(m, e, &out);
	base = out.n;
	if (!rc && (!raw.data || !add_clean(&out, raw.data)))
		rc = ferry_fail(err, FERRY_MISUSE, "migrate", FERRY_NO_OFFSET,
				"output '%s' does not lie below the "
				"destination", ferry_escape(shown,
				sizeof(shown), raw.data ? raw.data : "",
				raw.n));
	if (!rc && !out.failed)
		rc = check_names(e, out.data, base, err);
	if (!rc && !out.failed)
		e->item.output = ferry_store_strndup(m->store, out.data, out.n);
	if (!rc && !e->item.output)
		rc = ferry_fail_nomem(err, "a file name");
	ferry_buffer_release(&raw);
	ferry_buffer_release(&out);
	return rc;
}
