/* Which format a file is: every probe is asked, the best score wins. */
#include "config.h"

#include "core/registry/registry.h"

#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "core/io/directory.h"

#define NAME_ONLY 40	/* a score that looked at no content */
#define TEXT_MOST 80	/* of text that says nothing certain of itself */

struct best {
	const struct ferry_known *row, *tied;
	int score;
};

static int read_ends(struct ferry_source *src, uint8_t *head, uint8_t *tail,
		     struct ferry_probe *probe, struct ferry_error *err)
{
	size_t n = src->nbytes < FERRY_PROBE_BYTES ? (size_t)src->nbytes :
		   FERRY_PROBE_BYTES;
	int rc = ferry_source_read(src, head, 0, n, err);

	if (!rc)
		rc = ferry_source_read(src, tail, src->nbytes - n, n, err);
	probe->head = head;
	probe->tail = tail;
	probe->nhead = probe->ntail = n;
	probe->nbytes = src->nbytes;
	return rc;
}

bool ferry__is_directory_format(const struct ferry_known *format)
{
	return format->format->flags & FERRY_FORMAT_DIRECTORY;
}

bool ferry__any_directory_format(const struct ferry_session *s)
{
	const struct ferry_known *row;

	for (size_t i = 0; i < s->n[FERRY_KNOWN_FORMATS]; i++) {
		row = &s->rows[FERRY_KNOWN_FORMATS][i];
		if (row->format->read && ferry__is_directory_format(row))
			return true;
	}
	return false;
}

static void ask_all(const struct ferry_session *s,
		    const struct ferry_probe *probe, struct best *best)
{
	const struct ferry_known *row;
	int score;

	for (size_t i = 0; i < s->n[FERRY_KNOWN_FORMATS]; i++) {
		row = &s->rows[FERRY_KNOWN_FORMATS][i];
		if (!row->format->read ||
		    ferry__is_directory_format(row) != (probe->names != NULL))
			continue;
		score = row->format->probe(probe);
		if (score <= 0 || score < best->score)
			continue;
		best->tied = score == best->score ? best->row : NULL;
		best->row = row;
		best->score = score;
	}
}

static int fail_tied(const struct best *best, const char *path,
		     struct ferry_error *err)
{
	char shown[256];

	ferry_escape(shown, sizeof(shown), path, strlen(path));
	return ferry_fail(err, FERRY_AMBIGUOUS, "identify", FERRY_NO_OFFSET,
			  "%s looks like '%s' and like '%s': choose with "
			  "--from-format=%s or --from-format=%s", shown,
			  best->tied->name, best->row->name, best->tied->name,
			  best->row->name);
}

int ferry__identify(struct ferry_session *s, struct ferry_source *src,
		    const char *path, const struct ferry_known **out,
		    struct ferry_error *err)
{
	struct ferry_error why = FERRY_ERROR_INIT;
	struct ferry_probe probe = { .name = ferry__base_name(path) };
	uint8_t head[FERRY_PROBE_BYTES], tail[FERRY_PROBE_BYTES];
	struct best best = { .row = NULL };
	bool certain;
	int rc = read_ends(src, head, tail, &probe, err);

	if (rc)
		return rc;
	if (!s->n[FERRY_KNOWN_FORMATS])
		return ferry__fail_no_plugins(s, err);
	ask_all(s, &probe, &best);
	if (best.row && best.score <= TEXT_MOST) {
		rc = ferry__diagnose_taken(s, &probe, path, &why);
		if (rc)
			return ferry_fail(err, rc, "identify", why.offset,
					  "%s", why.text);
	}
	if (best.score <= NAME_ONLY) {
		rc = ferry__diagnose(s, &probe, path, &certain, &why);
		if (certain || !best.row)
			return ferry_fail(err, rc, "identify", why.offset,
					  "%s", why.text);
	}
	if (best.tied)
		return fail_tied(&best, path, err);
	*out = best.row;
	return 0;
}

static struct best ask_directory(const struct ferry_session *s,
				 const struct ferry_directory *d,
				 const char *path)
{
	struct ferry_probe probe = { .names = d->names, .n_names = d->n };
	struct best best = { .row = NULL };
	char name[NAME_MAX + 1];

	ferry__directory_name(path, name);
	probe.name = name;
	ask_all(s, &probe, &best);
	return best;
}

int ferry__identify_directory(struct ferry_session *s,
			      const struct ferry_directory *d,
			      const char *path, const struct ferry_known **out,
			      struct ferry_error *err)
{
	struct best best = ask_directory(s, d, path);

	if (!best.row)
		return ferry__diagnose_directory(s, path, err);
	if (best.tied)
		return fail_tied(&best, path, err);
	*out = best.row;
	return 0;
}

bool ferry__is_artifact(struct ferry_session *s,
			const struct ferry_directory *d, const char *path,
			const struct ferry_known **out)
{
	struct best best = ask_directory(s, d, path);

	*out = best.row;
	return best.score > NAME_ONLY && !best.tied;
}

static int identify_directory(struct ferry_session *s, const char *path,
			      const struct ferry_known **out,
			      struct ferry_error *err)
{
	struct ferry_directory d;
	int rc;

	if (!ferry__any_directory_format(s))
		return ferry__diagnose_directory(s, path, err);
	rc = ferry_directory_list(&d, path, NULL, err);
	if (rc)
		return rc;
	rc = ferry__identify_directory(s, &d, path, out, err);
	ferry_directory_release(&d);
	return rc;
}

int ferry_identify(struct ferry_session *s, const char *path,
		   const struct ferry_known **out, struct ferry_error *err)
{
	struct ferry_source *src;
	struct stat st;
	int rc;

	if (!stat(path, &st) && S_ISDIR(st.st_mode))
		return identify_directory(s, path, out, err);
	rc = ferry_source_open_file(&src, path, err);
	if (rc)
		return rc;
	rc = ferry__identify(s, src, path, out, err);
	ferry_source_unref(src);
	return rc;
}
