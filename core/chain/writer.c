/* Which format writes: by name, by suffix, or of directories. */
#include "config.h"

#include "core/chain/hold.h"

#include <string.h>

static bool ends_with(const char *name, size_t n, const char *suffix)
{
	size_t m = strlen(suffix);

	return m && n >= m && !memcmp(name + n - m, suffix, m);
}

struct choice {
	const struct ferry_known *row, *tied;
	size_t length;		/* of the suffix */
};

static void offer_suffixes(struct choice *c, const struct ferry_known *row,
			   const char *name, size_t n)
{
	const char *const *suffix = row->format->suffixes;
	size_t longest = 0;

	for (; suffix && *suffix; suffix++)
		if (ends_with(name, n, *suffix) &&
		    strlen(*suffix) > longest)
			longest = strlen(*suffix);
	if (!longest || longest < c->length)
		return;
	c->tied = longest == c->length ? c->row : NULL;
	c->row = row;
	c->length = longest;
}

static int fail_suffix(struct ferry_session *s, const char *name,
		       struct ferry_error *err)
{
	struct ferry_buffer known = FERRY_BUFFER_INIT;
	const struct ferry_known *row;
	char shown[200];

	if (!ferry_session_count(s, FERRY_KNOWN_FORMATS))
		return ferry__fail_no_plugins(s, err);
	for (size_t i = 0; (row = ferry_session_get(s, FERRY_KNOWN_FORMATS,
						    i)); i++)
		if (row->format->write)
			ferry_buffer_printf(&known, "%s%s", known.n ? ", " : "",
					    row->name);
	ferry_escape(shown, sizeof(shown), name, strlen(name));
	ferry_fail(err, FERRY_UNSUPPORTED, "plan", FERRY_NO_OFFSET,
		   "output '%s' has no ending that says its format: choose "
		   "with --to-format (%.300s)", shown,
		   known.data ? known.data : "no format here can be written");
	ferry_buffer_release(&known);
	return FERRY_UNSUPPORTED;
}

/* Less ".1", the rank of a shard: bytes. */
static size_t without_rank(const char *name)
{
	size_t n = strlen(name), end = n;

	while (end && name[end - 1] >= '0' && name[end - 1] <= '9')
		end--;
	return end < n && end > 1 && name[end - 1] == '.' ? end - 1 : n;
}

int ferry__writer_of(struct ferry_session *s, const char *name,
		     const struct ferry_known **out, struct ferry_error *err)
{
	struct choice c = { .row = NULL };
	const struct ferry_known *row;
	char shown[200];
	size_t n;

	name = ferry__base_name(name);
	n = without_rank(name);
	for (size_t i = 0; (row = ferry_session_get(s, FERRY_KNOWN_FORMATS,
						    i)); i++)
		if (row->format->write)
			offer_suffixes(&c, row, name, n);
	if (!c.row)
		return fail_suffix(s, name, err);
	ferry_escape(shown, sizeof(shown), name, strlen(name));
	if (c.tied)
		return ferry_fail(err, FERRY_AMBIGUOUS, "plan",
				  FERRY_NO_OFFSET, "output '%s' may be '%s' or "
				  "'%s': choose with --to-format", shown,
				  c.tied->name, c.row->name);
	*out = c.row;
	return 0;
}

int ferry__writer_named(struct ferry_session *s, const char *format,
			const struct ferry_known **out,
			struct ferry_error *err)
{
	const struct ferry_known *row;

	row = ferry_session_find(s, FERRY_KNOWN_FORMATS, format);
	if (!row)
		return ferry__fail_unknown(s, FERRY_KNOWN_FORMATS, "format",
					   format, err);
	if (!row->format->write)
		return ferry_fail(err, FERRY_UNSUPPORTED, "plan",
				  FERRY_NO_OFFSET, "format %s can be read but "
				  "not written", row->name);
	*out = row;
	return 0;
}

static bool writes_directories(const struct ferry_known *format)
{
	return ferry__is_directory_format(format) && format->format->write;
}

static int fail_directory(const char *name, const char *writers,
			  struct ferry_error *err)
{
	char shown[200];

	ferry_escape(shown, sizeof(shown), name, strlen(name));
	return ferry_fail(err, FERRY_UNSUPPORTED, "plan", FERRY_NO_OFFSET,
			  "output '%s' is a directory: name a file in it%s"
			  "%.300s%s", shown, *writers ? ", or choose a format "
			  "of directories with --to-format (" : "", writers,
			  *writers ? ")" : "");
}

int ferry__writer_of_directory(struct ferry_session *s, const char *name,
			       const struct ferry_known *own, bool asked,
			       const struct ferry_known **out,
			       struct ferry_error *err)
{
	struct ferry_buffer names = FERRY_BUFFER_INIT;
	const struct ferry_known *row, *found = NULL;
	size_t n = 0;
	int rc = 0;

	if (own && writes_directories(own)) {
		*out = own;
		return 0;
	}
	for (size_t i = 0; (row = ferry_session_get(s, FERRY_KNOWN_FORMATS,
						    i)); i++)
		if (writes_directories(row)) {
			ferry_buffer_printf(&names, "%s%s", n++ ? ", " : "",
					    row->name);
			found = row;
		}
	if (n == 1 && asked)
		*out = found;
	else
		rc = fail_directory(name, names.data ? names.data : "", err);
	ferry_buffer_release(&names);
	return rc;
}
