/* Which format a file is: every probe is asked, the best score wins. */
#include "config.h"

#include "core/registry/registry.h"

#include <string.h>
#include <sys/stat.h>

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

static void ask_all(const struct ferry_session *s,
		    const struct ferry_probe *probe, struct best *best)
{
	const struct ferry_known *row;
	int score;

	for (size_t i = 0; i < s->n[FERRY_KNOWN_FORMATS]; i++) {
		row = &s->rows[FERRY_KNOWN_FORMATS][i];
		if (!row->format->read)
			continue;
		score = row->format->probe(probe);
		if (score <= 0 || score < best->score)
			continue;
		best->tied = score == best->score ? best->row : NULL;
		best->row = row;
		best->score = score;
	}
}

int ferry__identify(struct ferry_session *s, struct ferry_source *src,
		    const char *path, const struct ferry_known **out,
		    struct ferry_error *err)
{
	struct ferry_error why = FERRY_ERROR_INIT;
	struct ferry_probe probe = { .name = ferry__base_name(path) };
	uint8_t head[FERRY_PROBE_BYTES], tail[FERRY_PROBE_BYTES];
	struct best best = { .row = NULL };
	char shown[256];
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
	if (best.tied) {
		ferry_escape(shown, sizeof(shown), path, strlen(path));
		return ferry_fail(err, FERRY_AMBIGUOUS, "identify",
				  FERRY_NO_OFFSET, "%s looks like '%s' and "
				  "like '%s': choose with --from-format=%s or "
				  "--from-format=%s", shown,
				  best.tied->name, best.row->name,
				  best.tied->name, best.row->name);
	}
	*out = best.row;
	return 0;
}

int ferry_identify(struct ferry_session *s, const char *path,
		   const struct ferry_known **out, struct ferry_error *err)
{
	struct ferry_source *src;
	struct stat st;
	int rc;

	if (!stat(path, &st) && S_ISDIR(st.st_mode))
		return ferry__diagnose_directory(s, path, err);
	rc = ferry_source_open_file(&src, path, err);
	if (rc)
		return rc;
	rc = ferry__identify(s, src, path, out, err);
	ferry_source_unref(src);
	return rc;
}
