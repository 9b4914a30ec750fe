/* Edits: conversions of a type to itself. */
#include "config.h"

#include <string.h>

#include "core/chain/call.h"

bool ferry__is_edit(const struct ferry_known *c)
{
	return !strcmp(c->conversion->roles[0].type, c->conversion->output);
}

static bool is_upgrade(const struct ferry_known *c)
{
	return ferry__is_edit(c) &&
	       c->conversion->flags & FERRY_CONVERSION_UPGRADE;
}

static bool ran_already(const struct ferry_plan *p, const struct ferry_known *c)
{
	for (size_t i = 0; i < p->n_conversions; i++)
		if (p->conversions[i] == c)
			return true;
	return false;
}

static int run_edit(struct ferry_plan *p, const struct ferry_known *c,
		    struct ferry_error *err)
{
	const char *path = p->doc == p->inputs[0].doc ? p->inputs[0].path :
			   NULL;
	struct ferry_document *made;
	struct ferry__call *call;
	int rc = ferry__call_new(&call, p, c, p->doc, path, err);

	if (!rc)
		return ferry_fail(err, FERRY_NOTFOUND, "plan", FERRY_NO_OFFSET,
				  "%s", call->missing);
	if (rc > 0)
		rc = ferry__call_run(call, &made, err);
	if (!rc)
		rc = ferry__call_take(call, made, "edit", "", err);
	if (rc)
		return rc;
	if (!made->hints)
		made->hints = p->doc->hints;
	p->doc = made;
	return 0;
}

/* Those of the document's type that `wanted` takes, by name. */
static int run_all(struct ferry_plan *p,
		   bool (*wanted)(void *ctx, const struct ferry_known *c),
		   void *ctx, size_t *ran, struct ferry_error *err)
{
	size_t n = ferry_session_count(p->s, FERRY_KNOWN_CONVERSIONS);
	const struct ferry_known *c, **edits;
	int rc = 0;

	*ran = 0;
	edits = ferry_store_array(p->store, n, sizeof(*edits));
	if (!edits)
		return ferry_fail_nomem(err, "a plan");
	for (size_t i = 0; (c = ferry_session_get(p->s,
						  FERRY_KNOWN_CONVERSIONS, i));
	     i++)
		if (ferry__is_edit(c) && !ran_already(p, c) &&
		    !strcmp(c->conversion->output, p->what.type->name) &&
		    wanted(ctx, c))
			edits[(*ran)++] = c;
	for (size_t i = 0; i < *ran && !rc; i++)
		rc = run_edit(p, edits[i], err);
	return rc;
}

/* ---- upgrades ------------------------------------------------------------ */

static bool wants_upgrade(void *ctx, const struct ferry_known *c)
{
	(void)ctx;
	return is_upgrade(c);
}

int ferry__upgrade(struct ferry_plan *p, struct ferry_error *err)
{
	size_t ran;
	int rc;

	if (!p->job.upgrade)
		return 0;
	rc = ferry__need_type(p, err);
	if (rc)
		return rc;
	if (!p->what.type)
		return ferry_fail(err, FERRY_NOTFOUND, "plan", FERRY_NO_OFFSET,
				  "no artifact type here recognises the input, "
				  "so there is no upgrade of it; --from says "
				  "what it is");
	rc = run_all(p, wants_upgrade, NULL, &ran, err);
	if (rc || ran)
		return rc;
	return ferry_findings_add(p->findings, FERRY_NOTE, "upgrade", "",
				  FERRY_NO_OFFSET, "type '%s' has no older "
				  "layouts: there is nothing to upgrade",
				  p->what.type->name) ?
	       ferry_fail_nomem(err, "findings") : 0;
}

/* ---- edits by their options ---------------------------------------------- */

struct wish {
	const struct ferry_plan *p;
	const struct ferry_known *const *chain;
	size_t n;
};

static bool is_claimed(const struct wish *w, const char *setting)
{
	for (size_t i = 0; i < w->n; i++)
		if (ferry__option_known(w->chain[i]->conversion->options,
					setting))
			return true;
	return ferry__setting_known(w->p, setting);
}

static bool is_given(void *ctx, const struct ferry_known *c)
{
	const struct wish *w = ctx;
	const struct ferry_job *job = &w->p->job;

	for (size_t i = 0; i < job->n_settings; i++)
		if (ferry__option_known(c->conversion->options,
					job->settings[i]) &&
		    !is_claimed(w, job->settings[i]))
			return true;
	return false;
}

int ferry__run_edits(struct ferry_plan *p,
		     const struct ferry_known *const *chain, size_t n,
		     bool *ran, struct ferry_error *err)
{
	struct wish w = { p, chain, n };
	size_t count = 0;
	int rc = 0;

	*ran = false;
	if (p->what.type && p->job.n_settings)
		rc = run_all(p, is_given, &w, &count, err);
	*ran = count > 0;
	return rc;
}
