/*
 * The chain of conversions: Dijkstra over artifact types, by losses, then
 * length, then cost.  A conversion runs when its output is settled, so what it
 * would lose is asked of the real documents.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include <ferry/sys/alloc.h>

#include "core/chain/plan.h"

#define NO_NODE SIZE_MAX

struct cost {
	uint64_t losses, length, sum;
};

struct node {
	const struct ferry_known *type;
	struct ferry_document *doc;	/* once settled */
	struct cost cost;
	const struct ferry_known *way;	/* the conversion that leads here */
	const struct ferry_known *tied;	/* another one that is as good */
	size_t from, tied_from;
	bool reached, settled, dead;
};

struct route {
	struct ferry_plan *p;
	struct node *nodes;
	size_t n, start, target;
	struct ferry_error failure;	/* of the last conversion */
	struct ferry_error detour;	/* of one on the way, the first */
	char missing[320];		/* a role nobody filled */
	struct ferry_error *err;
};

/* What a conversion is called with. */
struct call {
	struct ferry_conversion_args args;
	struct ferry_document **inputs;
	const struct ferry_source **files;
	struct ferry__input **taken;	/* by role */
	struct ferry_options options;
	size_t n_roles;
};

static int compare(const struct cost *a, const struct cost *b)
{
	if (a->losses != b->losses)
		return a->losses < b->losses ? -1 : 1;
	if (a->length != b->length)
		return a->length < b->length ? -1 : 1;
	return a->sum < b->sum ? -1 : a->sum > b->sum;
}

static size_t node_named(const struct route *r, const char *type)
{
	for (size_t i = 0; i < r->n; i++)
		if (!strcmp(r->nodes[i].type->name, type))
			return i;
	return NO_NODE;
}

static bool is_taken(const struct call *call, const struct ferry__input *in)
{
	for (size_t i = 0; i < call->n_roles; i++)
		if (call->taken[i] == in)
			return true;
	return false;
}

static struct ferry__input *find_input(struct route *r, const struct call *call,
				       const struct ferry_role *role)
{
	struct ferry__input *in;

	for (size_t i = 1; i < r->p->n_inputs; i++) {
		in = &r->p->inputs[i];
		if (in->role && !strcmp(in->role, role->name))
			return in;
	}
	for (size_t i = 1; role->type && i < r->p->n_inputs; i++) {
		in = &r->p->inputs[i];
		if (!in->role && in->what.type && !is_taken(call, in) &&
		    !strcmp(in->what.type->name, role->type))
			return in;
	}
	return NULL;
}

static void note_missing(struct route *r, const struct ferry_known *c,
			 const struct ferry_role *role)
{
	if (*r->missing)
		return;
	snprintf(r->missing, sizeof(r->missing), "conversion '%s' needs %s%s%s"
		 "%s: give it with --with %s=FILE", c->name,
		 role->type ? "a '" : "a file as ",
		 role->type ? role->type : role->name,
		 role->type ? "' as " : "", role->type ? role->name : "",
		 role->name);
}

/* 1 when every role that must be is filled, 0 when not. */
static int bind_roles(struct route *r, const struct ferry_known *c,
		      struct call *call)
{
	const struct ferry_role *roles = c->conversion->roles;
	struct ferry__input *in;
	int rc = 0;

	for (size_t i = 1; i < call->n_roles && !rc; i++) {
		in = find_input(r, call, &roles[i]);
		if (!in && roles[i].optional)
			continue;
		if (!in) {
			note_missing(r, c, &roles[i]);
			return 0;
		}
		call->taken[i] = in;
		if (roles[i].type) {
			rc = ferry__read_role(r->p, in, roles[i].type, r->err);
			call->inputs[i] = in->doc;
		} else {
			rc = ferry__open_role(r->p, in, r->err);
			call->files[i] = in->source;
		}
	}
	return rc ? rc : 1;
}

/* 1 when it can be called. */
static int prepare(struct route *r, size_t from, const struct ferry_known *c,
		   struct call *call)
{
	struct ferry_store *store = r->p->store;
	size_t n = 0;

	while (c->conversion->roles[n].name)
		n++;
	memset(call, 0, sizeof(*call));
	call->n_roles = n;
	call->inputs = ferry_store_array(store, n, sizeof(*call->inputs));
	call->files = ferry_store_array(store, n, sizeof(*call->files));
	call->taken = ferry_store_array(store, n, sizeof(*call->taken));
	if (!call->inputs || !call->files || !call->taken)
		return ferry_fail_nomem(r->err, "a plan");
	memset(call->inputs, 0, n * sizeof(*call->inputs));
	memset(call->files, 0, n * sizeof(*call->files));
	memset(call->taken, 0, n * sizeof(*call->taken));
	call->inputs[0] = r->nodes[from].doc;
	call->options.specs = c->conversion->options;
	call->options.settings = r->p->job.settings;
	call->options.n = r->p->job.n_settings;
	call->args.inputs = call->inputs;
	call->args.files = call->files;
	call->args.options = &call->options;
	call->args.store = store;
	return bind_roles(r, c, call);
}

static int ask_losses(struct route *r, const struct ferry_known *c,
		      struct call *call, struct ferry_findings **out)
{
	int rc = ferry_findings_new(out, r->err);

	if (rc || !c->conversion->losses)
		return rc;
	call->args.findings = *out;
	rc = ferry__callback_result(c->conversion->losses(&call->args, *out,
							  r->err),
				    "losses", c->name, r->err);
	if (rc)
		ferry_findings_free(*out);
	return rc;
}

static void offer(struct route *r, size_t from, size_t to,
		  const struct ferry_known *c, const struct cost *cost)
{
	struct node *node = &r->nodes[to];
	int order = node->reached ? compare(cost, &node->cost) : -1;

	if (node->settled || order > 0)
		return;
	if (!order) {
		node->tied = c;
		node->tied_from = from;
		return;
	}
	node->reached = true;
	node->cost = *cost;
	node->way = c;
	node->from = from;
	node->tied = NULL;
}

static int try_conversion(struct route *r, size_t from,
			  const struct ferry_known *c)
{
	struct cost cost = r->nodes[from].cost;
	size_t to = node_named(r, c->conversion->output);
	struct ferry_findings *losses;
	struct call call;
	int rc;

	if (to == NO_NODE || r->nodes[to].settled || r->nodes[to].dead ||
	    strcmp(c->conversion->roles[0].type, r->nodes[from].type->name))
		return 0;
	rc = prepare(r, from, c, &call);
	if (rc <= 0)
		return rc;
	rc = ask_losses(r, c, &call, &losses);
	if (rc)
		return rc;
	cost.losses += ferry_findings_count_level(losses, FERRY_WARNING);
	cost.length++;
	cost.sum += c->conversion->cost;
	ferry_findings_free(losses);
	offer(r, from, to, c, &cost);
	return 0;
}

static int keep_made(struct ferry_plan *p, struct ferry_document *doc,
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

static int call_run(const struct ferry_known *c, struct call *call,
		    struct ferry_error *err)
{
	int rc = ferry__callback_result(c->conversion->run(&call->args, err),
					"conversion", c->name, err);

	if (!rc && !call->args.out->root)
		rc = ferry_fail(err, FERRY_PLUGIN, "plugin", FERRY_NO_OFFSET,
				"conversion '%s' (plugin %s) gave no document; "
				"this is a bug of the plugin", c->name,
				c->plugin);
	return rc ? rc : ferry_document_check(call->args.out, err);
}

/* Run the conversion that leads to a node.  A failure closes this way. */
static int settle(struct route *r, size_t at)
{
	struct node *node = &r->nodes[at];
	struct ferry_error why = FERRY_ERROR_INIT;
	struct ferry_document *doc;
	struct call call;
	int rc;

	node->settled = true;
	if (at == r->start)
		return 0;
	rc = prepare(r, node->from, node->way, &call);
	if (rc <= 0)
		return rc;
	rc = ferry_document_new(&doc, r->p->store, r->err);
	if (rc)
		return rc;
	rc = keep_made(r->p, doc, r->err);
	if (rc) {
		ferry_document_free(doc);
		return rc;
	}
	call.args.out = doc;
	call.args.findings = doc->findings;
	rc = call_run(node->way, &call, &why);
	node->doc = doc;
	if (rc == FERRY_NOMEM)
		return ferry_fail_nomem(r->err, "a conversion");
	if (rc) {
		node->dead = true;
		ferry_fail(at == r->target ? &r->failure : &r->detour, rc,
			   why.origin, why.offset, "%s", why.text);
	}
	return 0;
}

static size_t next_node(const struct route *r)
{
	size_t best = NO_NODE;

	for (size_t i = 0; i < r->n; i++)
		if (r->nodes[i].reached && !r->nodes[i].settled &&
		    (best == NO_NODE || compare(&r->nodes[i].cost,
						&r->nodes[best].cost) < 0))
			best = i;
	return best;
}

static int search(struct route *r)
{
	const struct ferry_known *c;
	size_t at;
	int rc = 0;

	while (!rc && (at = next_node(r)) != NO_NODE) {
		rc = settle(r, at);
		if (rc || r->nodes[at].dead)
			continue;
		if (at == r->target)
			return 0;
		for (size_t i = 0; !rc && (c = ferry_session_get(
			     r->p->s, FERRY_KNOWN_CONVERSIONS, i)); i++)
			rc = try_conversion(r, at, c);
	}
	return rc;
}

/* ---- what came of it ----------------------------------------------------- */

static int fail_unreached(struct route *r)
{
	struct ferry_buffer reach = FERRY_BUFFER_INIT;
	const char *from = r->nodes[r->start].type->name;
	const char *to = r->nodes[r->target].type->name;

	if (r->failure.code)
		return ferry_fail(r->err, r->failure.code, r->failure.origin,
				  r->failure.offset, "%s", r->failure.text);
	if (*r->missing)
		return ferry_fail(r->err, FERRY_NOTFOUND, "plan",
				  FERRY_NO_OFFSET, "no way from '%s' to '%s': "
				  "%s", from, to, r->missing);
	if (r->detour.code)
		return ferry_fail(r->err, r->detour.code, r->detour.origin,
				  r->detour.offset, "no way from '%s' to '%s' "
				  "that works: %s", from, to, r->detour.text);
	for (size_t i = 0; i < r->n; i++)
		if (r->nodes[i].settled && i != r->start)
			ferry_buffer_printf(&reach, " '%s'",
					    r->nodes[i].type->name);
	ferry_fail(r->err, FERRY_NOTFOUND, "plan", FERRY_NO_OFFSET,
		   "no conversion leads from '%s' to '%s'; %s%.400s", from, to,
		   reach.n ? "from it ferry reaches" : "none begins at it",
		   reach.n ? reach.data : "");
	ferry_buffer_release(&reach);
	return FERRY_NOTFOUND;
}

/* The names of a chain that ends in `way`, the first first. */
static void name_chain(const struct route *r, const struct ferry_known *way,
		       size_t from, struct ferry_buffer *out)
{
	if (from != r->start)
		name_chain(r, r->nodes[from].way, r->nodes[from].from, out);
	ferry_buffer_printf(out, "%s%s", out->n ? " > " : "", way->name);
}

static int check_tie(struct route *r)
{
	struct ferry_buffer a = FERRY_BUFFER_INIT, b = FERRY_BUFFER_INIT;
	const struct node *node;
	int rc = 0;

	for (size_t at = r->target; at != r->start && !rc;
	     at = r->nodes[at].from) {
		node = &r->nodes[at];
		if (!node->tied)
			continue;
		name_chain(r, node->way, node->from, &a);
		name_chain(r, node->tied, node->tied_from, &b);
		rc = ferry_fail(r->err, FERRY_AMBIGUOUS, "plan",
				FERRY_NO_OFFSET, "two chains lead to '%s' and "
				"are equally good: %.200s; and %.200s: go by "
				"way of an intermediate type, one conversion "
				"at a time", node->type->name,
				a.data ? a.data : "", b.data ? b.data : "");
	}
	ferry_buffer_release(&a);
	ferry_buffer_release(&b);
	return rc;
}

static int take_step(struct route *r, size_t at)
{
	const struct node *node = &r->nodes[at];
	struct ferry_plan *p = r->p;
	struct ferry_findings *losses;
	struct call call;
	int rc = prepare(r, node->from, node->way, &call);

	if (rc <= 0)
		return rc;
	rc = ask_losses(r, node->way, &call, &losses);
	if (rc)
		return rc;
	for (size_t i = 1; i < call.n_roles; i++)
		if (call.taken[i])
			call.taken[i]->used = true;
	rc = ferry__take_losses(p, losses, p->job.weights, r->err);
	ferry_findings_free(losses);
	if (!rc)
		rc = ferry__take_notes(p, node->doc->findings, r->err);
	p->conversions[p->n_conversions++] = node->way;
	if (!rc)
		rc = ferry__add_step(p, "convert", node->way->name, r->err,
				     "%s: '%s' to '%s'", node->way->title,
				     r->nodes[node->from].type->name,
				     node->type->name);
	return rc;
}

static int take_chain(struct route *r, size_t at)
{
	int rc = 0;

	if (at == r->start)
		return 0;
	rc = take_chain(r, r->nodes[at].from);
	return rc ? rc : take_step(r, at);
}

static int take_route(struct route *r)
{
	struct ferry_plan *p = r->p;
	const struct node *target = &r->nodes[r->target];
	size_t n = (size_t)target->cost.length;
	int rc;

	if (!target->settled || target->dead)
		return fail_unreached(r);
	rc = check_tie(r);
	if (rc)
		return rc;
	p->conversions = ferry_store_array(p->store, n,
					   sizeof(*p->conversions));
	if (!p->conversions)
		return ferry_fail_nomem(r->err, "a plan");
	rc = take_chain(r, r->target);
	p->doc = target->doc;
	p->what = (struct ferry_recognised){ .type = target->type };
	snprintf(p->what.reason, sizeof(p->what.reason), "made by %s",
		 target->way->name);
	return rc;
}

static int start_route(struct route *r)
{
	struct ferry_plan *p = r->p;
	size_t n = ferry_session_count(p->s, FERRY_KNOWN_TYPES);

	r->nodes = ferry_alloc_zero(n, sizeof(*r->nodes));
	if (!r->nodes)
		return ferry_fail_nomem(r->err, "a plan");
	r->n = n;
	for (size_t i = 0; i < n; i++)
		r->nodes[i].type = ferry_session_get(p->s, FERRY_KNOWN_TYPES,
						     i);
	r->start = node_named(r, p->what.type->name);
	r->target = node_named(r, p->job.to);
	r->nodes[r->start].reached = true;
	r->nodes[r->start].doc = p->doc;
	return 0;
}

int ferry__convert(struct ferry_plan *p, struct ferry_error *err)
{
	struct route r = { .p = p, .failure = FERRY_ERROR_INIT,
			   .detour = FERRY_ERROR_INIT, .err = err };
	int rc;

	if (!p->job.to)
		return 0;
	if (!ferry_session_find(p->s, FERRY_KNOWN_TYPES, p->job.to))
		return ferry__fail_unknown(p->s, FERRY_KNOWN_TYPES,
					   "artifact type", p->job.to, err);
	rc = ferry__need_type(p, err);
	if (rc)
		return rc;
	if (!p->what.type)
		return ferry_fail(err, FERRY_NOTFOUND, "plan", FERRY_NO_OFFSET,
				  "no artifact type here recognises the input, "
				  "so there is no way to '%s'; --from says what "
				  "it is, ferry inspect what is in it",
				  p->job.to);
	if (!strcmp(p->what.type->name, p->job.to))
		return 0;
	rc = start_route(&r);
	if (!rc)
		rc = search(&r);
	if (!rc)
		rc = take_route(&r);
	ferry_alloc_free(r.nodes);
	return rc;
}
