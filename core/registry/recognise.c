/* What a document means: artifact types are asked, the best score wins. */
#include "config.h"

#include "core/registry/registry.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

static int ask(const struct ferry_known *row, struct ferry_document *doc,
	       const char *path, struct ferry_match *match,
	       struct ferry_error *err)
{
	const struct ferry_artifact_type *t = row->type;
	char name[NAME_MAX + 1];

	ferry__directory_name(path, name);
	memset(match, 0, sizeof(*match));
	return ferry__callback_result(t->recognise(doc, name, match),
				      "recognise", t->name, err);
}

static void take(struct ferry_recognised *out, const struct ferry_known *row,
		 const struct ferry_match *match)
{
	out->type = row;
	out->score = match->score;
	snprintf(out->reason, sizeof(out->reason), "%.*s",
		 (int)sizeof(match->reason) - 1, match->reason);
}

static int force(struct ferry_session *s, struct ferry_document *doc,
		 const char *path, const char *type,
		 struct ferry_recognised *out, struct ferry_error *err)
{
	const struct ferry_known *row;
	struct ferry_match match;
	int rc;

	row = ferry_session_find(s, FERRY_KNOWN_TYPES, type);
	if (!row)
		return ferry__fail_unknown(s, FERRY_KNOWN_TYPES,
					   "artifact type", type, err);
	rc = ask(row, doc, path, &match, err);
	if (rc)
		return rc;
	take(out, row, &match);
	if (match.score <= 0)
		snprintf(out->reason, sizeof(out->reason),
			 "as told; it does not look like one");
	return 0;
}

int ferry_recognise(struct ferry_session *s, struct ferry_document *doc,
		    const char *path, const char *type,
		    struct ferry_recognised *out, struct ferry_error *err)
{
	struct ferry_recognised best = { .type = NULL };
	const struct ferry_known *row, *tied = NULL;
	struct ferry_match match;
	int rc;

	path = path ? path : "";
	if (type)
		return force(s, doc, path, type, out, err);
	for (size_t i = 0; i < s->n[FERRY_KNOWN_TYPES]; i++) {
		row = &s->rows[FERRY_KNOWN_TYPES][i];
		rc = ask(row, doc, path, &match, err);
		if (rc)
			return rc;
		if (match.score <= 0 || match.score < best.score)
			continue;
		tied = match.score == best.score ? best.type : NULL;
		take(&best, row, &match);
	}
	if (tied)
		return ferry_fail(err, FERRY_AMBIGUOUS, "recognise",
				  FERRY_NO_OFFSET, "the content may be '%s' or "
				  "'%s': choose with --from=%s or --from=%s",
				  tied->name, best.type->name, tied->name,
				  best.type->name);
	*out = best;
	return 0;
}

int ferry_describe(struct ferry_session *s, struct ferry_document *doc,
		   const struct ferry_known *type, struct ferry_value **out,
		   struct ferry_error *err)
{
	struct ferry_value *facts = ferry_dict(doc->store, 0);
	int rc = 0;

	(void)s;
	if (!facts)
		return ferry_fail_nomem(err, "a description");
	if (type && type->type && type->type->describe)
		rc = ferry__callback_result(type->type->describe(doc, facts,
								 err),
					    "describe", type->name, err);
	if (!rc)
		*out = facts;
	return rc;
}

int ferry_weights(struct ferry_session *s, struct ferry_document *doc,
		  const struct ferry_known *type, struct ferry_value **out,
		  struct ferry_error *err)
{
	struct ferry_value *found = NULL;
	int rc = 0;

	(void)s;
	if (type && type->type && type->type->weights)
		rc = ferry__callback_result(type->type->weights(doc, &found,
								err),
					    "weights", type->name, err);
	if (!rc && found && !ferry_value_items(found))
		rc = ferry_fail(err, FERRY_PLUGIN, "plugin", FERRY_NO_OFFSET,
				"weights of '%s' are not a mapping; this is a "
				"bug of the plugin", type->name);
	if (!rc)
		*out = found;
	return rc;
}
