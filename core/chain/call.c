/* Calling conversions. */
#include "config.h"

#include "core/chain/call.h"

#include <stdio.h>
#include <string.h>

#include <ferry/sys/alloc.h>

static bool is_taken(const struct ferry__call *call,
		     const struct ferry__input *in)
{
	for (size_t i = 0; i < call->n_roles; i++)
		if (call->taken[i] == in)
			return true;
	return false;
}

static struct ferry__input *find_input(const struct ferry__call *call,
				       const struct ferry_role *role)
{
	struct ferry_plan *p = call->p;
	struct ferry__input *in;

	for (size_t i = 1; i < p->n_inputs; i++) {
		in = &p->inputs[i];
		if (in->role && !strcmp(in->role, role->name))
			return in;
	}
	for (size_t i = 1; role->type && i < p->n_inputs; i++) {
		in = &p->inputs[i];
		if (!in->role && in->what.type && !is_taken(call, in) &&
		    !strcmp(in->what.type->name, role->type))
			return in;
	}
	return NULL;
}

/* NULL: any. */
static const char *wanted(const struct ferry_role *role)
{
	return strcmp(role->type, FERRY_ANY_TYPE) ? role->type : NULL;
}

static void note_missing(struct ferry__call *call,
			 const struct ferry_role *role)
{
	bool typed = role->type && wanted(role);

	snprintf(call->missing, sizeof(call->missing), "conversion '%s' needs "
		 "%s%s%s%s: give it with --with %s=FILE",
		 call->conversion->name, typed ? "a '" : "a file as ",
		 typed ? role->type : role->name,
		 typed ? "' as " : "", typed ? role->name : "",
		 role->name);
}

/* 1 when every role that must be is filled, 0 when not. */
static int bind_roles(struct ferry__call *call, struct ferry_error *err)
{
	const struct ferry_role *roles = call->conversion->conversion->roles;
	struct ferry__input *in;
	int rc = 0;

	for (size_t i = 1; i < call->n_roles && !rc; i++) {
		in = find_input(call, &roles[i]);
		if (!in && roles[i].optional)
			continue;
		if (!in) {
			note_missing(call, &roles[i]);
			return 0;
		}
		call->taken[i] = in;
		call->paths[i] = in->path;
		if (roles[i].type) {
			rc = ferry__read_role(call->p, in, wanted(&roles[i]),
					      err);
			call->inputs[i] = in->doc;
		} else {
			rc = ferry__open_role(call->p, in, err);
			call->files[i] = in->source;
		}
	}
	return rc ? rc : 1;
}

static void *zeros(struct ferry_store *store, size_t n, size_t size)
{
	void *p = ferry_store_array(store, n, size);

	if (p)
		memset(p, 0, n * size);
	return p;
}

int ferry__call_new(struct ferry__call **out, struct ferry_plan *p,
		    const struct ferry_known *conversion,
		    struct ferry_document *main, const char *path,
		    struct ferry_error *err)
{
	struct ferry__call *call = zeros(p->store, 1, sizeof(*call));
	const struct ferry_conversion *c = conversion->conversion;
	size_t n = 0;

	while (c->roles[n].name)
		n++;
	if (!call)
		return ferry_fail_nomem(err, "a plan");
	*out = call;
	call->p = p;
	call->conversion = conversion;
	call->n_roles = n;
	call->inputs = zeros(p->store, n, sizeof(*call->inputs));
	call->files = zeros(p->store, n, sizeof(*call->files));
	call->paths = zeros(p->store, n, sizeof(*call->paths));
	call->taken = zeros(p->store, n, sizeof(*call->taken));
	if (!call->inputs || !call->files || !call->paths || !call->taken)
		return ferry_fail_nomem(err, "a plan");
	call->inputs[0] = main;
	call->paths[0] = path;
	call->options.specs = c->options;
	call->options.settings = p->job.settings;
	call->options.n = p->job.n_settings;
	call->args.inputs = call->inputs;
	call->args.files = call->files;
	call->args.paths = call->paths;
	call->args.options = &call->options;
	call->args.store = p->store;
	call->args.priv = call;
	return bind_roles(call, err);
}

int ferry__call_losses(struct ferry__call *call, struct ferry_findings **out,
		       struct ferry_error *err)
{
	const struct ferry_conversion *c = call->conversion->conversion;
	int rc = ferry_findings_new(out, err);

	if (rc || !c->losses)
		return rc;
	call->args.findings = *out;
	rc = ferry__callback_result(c->losses(&call->args, *out, err),
				    "losses", c->name, err);
	if (rc)
		ferry_findings_free(*out);
	return rc;
}

int ferry__keep_made(struct ferry_plan *p, struct ferry_document *doc,
		     struct ferry_error *err)
{
	void *made = ferry_alloc_resize(p->made, p->n_made + 1,
					sizeof(*p->made));

	if (!made)
		return ferry_fail_nomem(err, "a plan");
	p->made = made;
	p->made[p->n_made++] = doc;
	return 0;
}

/* The error stands, whether or not memory is left to say more. */
static void tell_found(const struct ferry_plan *p,
		       const struct ferry_findings *found)
{
	const struct ferry_finding *f;

	for (size_t i = 0; p->job.found && (f = ferry_findings_get(found, i));
	     i++)
		if (f->level == FERRY_VIOLATION &&
		    ferry_findings_add(p->job.found, f->level, f->code,
				       f->path, f->offset, "%s", f->text))
			return;
}

int ferry__call_run(struct ferry__call *call, struct ferry_document **out,
		    struct ferry_error *err)
{
	const struct ferry_known *c = call->conversion;
	struct ferry_document *doc;
	int rc = ferry_document_new(&doc, call->p->store, err);

	if (rc)
		return rc;
	rc = ferry__keep_made(call->p, doc, err);
	if (rc) {
		ferry_document_free(doc);
		return rc;
	}
	*out = doc;
	call->args.out = doc;
	call->args.findings = doc->findings;
	rc = ferry__callback_result(c->conversion->run(&call->args, err),
				    "conversion", c->name, err);
	if (rc)
		tell_found(call->p, doc->findings);
	if (!rc && !doc->root)
		rc = ferry_fail(err, FERRY_PLUGIN, "plugin", FERRY_NO_OFFSET,
				"conversion '%s' (plugin %s) gave no document; "
				"this is a bug of the plugin", c->name,
				c->plugin);
	return rc ? rc : ferry_document_check(doc, err);
}

/* The files of its roles, and those it found by itself, have a part. */
static int take_inputs(struct ferry__call *call, struct ferry_error *err)
{
	int rc = 0;

	for (size_t i = 1; i < call->n_roles; i++)
		if (call->taken[i])
			call->taken[i]->used = true;
	for (size_t i = 0; i < call->n_named && !rc; i++)
		rc = ferry__tell_input(call->p, call->named[i], err);
	return rc;
}

int ferry__call_take(struct ferry__call *call,
		     const struct ferry_document *made, const char *what,
		     const char *detail, struct ferry_error *err)
{
	struct ferry_plan *p = call->p;
	struct ferry_findings *losses;
	int rc = ferry__call_losses(call, &losses, err);

	if (rc)
		return rc;
	rc = take_inputs(call, err);
	if (!rc)
		rc = ferry__take_losses(p, losses, p->job.weights, err);
	ferry_findings_free(losses);
	if (!rc)
		rc = ferry__take_notes(p, made->findings, err);
	p->conversions[p->n_conversions++] = call->conversion;
	return rc ? rc : ferry__add_step(p, what, call->conversion->name, err,
					 "%s%s", call->conversion->title,
					 detail);
}
