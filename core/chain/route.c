/*
 * The chain of conversions: Dijkstra over artifact types, by losses, then
 * length, then cost.  A conversion runs when its output is settled, so what it
 * would lose is asked of the real documents.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include <ferry/sys/alloc.h>

#include "core/chain/call.h"

#define NO_NODE SIZE_MAX

struct cost {
	uint64_t losses, length, sum;
};

struct node {
	const struct ferry_known *type;
	struct ferry_document *doc;	/* once settled */
	struct ferry__call *call;	/* what made it */
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
	bool missing_last;		/* of a conversion to the target */
	struct ferry_error *err;
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

/* Whether conversions lead from a node to the target, whatever they need; 1, 0
 * or FERRY_NOMEM. */
static int leads_on(const struct route *r, size_t at)
{
	bool *leads = ferry_alloc_zero(r->n, sizeof(*leads)), grew = true, is;
	const struct ferry_known *c;
	size_t from, to;

	if (!leads)
		return FERRY_NOMEM;
	leads[r->target] = true;
	while (grew) {
		grew = false;
		for (size_t i = 0; (c = ferry_session_get(
			     r->p->s, FERRY_KNOWN_CONVERSIONS, i)); i++) {
			from = node_named(r, c->conversion->roles[0].type);
			to = node_named(r, c->conversion->output);
			if (from == NO_NODE || leads[from] || to == NO_NODE ||
			    !leads[to])
				continue;
			leads[from] = grew = true;
		}
	}
	is = at != NO_NODE && leads[at];
	ferry_alloc_free(leads);
	return is;
}

/* Why a conversion has no part: the first is told when there is no way. */
static int close_way(struct route *r, size_t to, const struct ferry_error *why,
		     int rc)
{
	int on = leads_on(r, to);

	if (rc == FERRY_NOMEM || on < 0)
		return ferry_fail_nomem(r->err, "a conversion");
	if (!on)
		return 0;
	ferry_fail(to == r->target ? &r->failure : &r->detour, rc, why->origin,
		   why->offset, "%s", why->text);
	return 0;
}

/* What is told is missing: of a conversion to the target before others. */
static int note_missing(struct route *r, const struct ferry_known *c,
			const char *what)
{
	size_t to = node_named(r, c->conversion->output);
	bool last = to == r->target;
	int rc = !*r->missing || (last && !r->missing_last) ? leads_on(r, to) :
		 0;

	if (rc < 0)
		return ferry_fail_nomem(r->err, "a plan");
	if (rc) {
		snprintf(r->missing, sizeof(r->missing), "%s", what);
		r->missing_last = last;
	}
	return 0;
}

/* 1 when it can be called. */
static int prepare(struct route *r, size_t from, const struct ferry_known *c,
		   struct ferry__call **out)
{
	const struct ferry__input *main = &r->p->inputs[0];
	const struct ferry_document *doc = r->nodes[from].doc;
	int rc = ferry__call_new(out, r->p, c, r->nodes[from].doc,
				 doc == main->doc ? main->path : NULL, r->err);

	if (!rc)
		rc = note_missing(r, c, (*out)->missing);
	return rc;
}

static int weigh(struct route *r, size_t from, size_t to,
		 const struct ferry_known *c, struct ferry__call *call)
{
	struct ferry_error why = FERRY_ERROR_INIT;
	struct cost cost = r->nodes[from].cost;
	struct ferry_findings *losses;
	int rc = ferry__call_losses(call, &losses, &why);

	if (rc)
		return close_way(r, to, &why, rc);
	cost.losses += ferry_findings_count_level(losses, FERRY_WARNING);
	cost.length++;
	cost.sum += c->conversion->cost;
	ferry_findings_free(losses);
	offer(r, from, to, c, &cost);
	return 0;
}

static int try_conversion(struct route *r, size_t from,
			  const struct ferry_known *c)
{
	size_t to = node_named(r, c->conversion->output);
	struct ferry__call *call;
	int rc;

	if (to == NO_NODE || r->nodes[to].settled || ferry__is_edit(c) ||
	    strcmp(c->conversion->roles[0].type, r->nodes[from].type->name))
		return 0;
	rc = prepare(r, from, c, &call);
	return rc <= 0 ? rc : weigh(r, from, to, c, call);
}

/* Run the conversion that leads to a node.  A failure closes this way. */
static int settle(struct route *r, size_t at)
{
	struct node *node = &r->nodes[at];
	struct ferry_error why = FERRY_ERROR_INIT;
	int rc;

	node->settled = true;
	if (at == r->start)
		return 0;
	rc = prepare(r, node->from, node->way, &node->call);
	if (rc <= 0)
		return rc;
	rc = ferry__call_run(node->call, &node->doc, &why);
	node->dead = rc != 0;
	return rc ? close_way(r, at, &why, rc) : 0;
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

/* What to do about two ways to a node: the types before it tell them apart,
 * unless both ways come from the input. */
static void name_ways(const struct route *r, const struct node *node, char *out,
		      size_t cap)
{
	if (node->from == node->tied_from)
		snprintf(out, cap, "go by way of an intermediate type, one "
			 "conversion at a time");
	else
		snprintf(out, cap, "choose with --to %s or --to %s, and "
			 "convert on from there",
			 r->nodes[node->from].type->name,
			 r->nodes[node->tied_from].type->name);
}

static int check_tie(struct route *r)
{
	struct ferry_buffer a = FERRY_BUFFER_INIT, b = FERRY_BUFFER_INIT;
	const struct node *node;
	char ways[200];
	int rc = 0;

	for (size_t at = r->target; at != r->start && !rc;
	     at = r->nodes[at].from) {
		node = &r->nodes[at];
		if (!node->tied)
			continue;
		name_chain(r, node->way, node->from, &a);
		name_chain(r, node->tied, node->tied_from, &b);
		name_ways(r, node, ways, sizeof(ways));
		rc = ferry_fail(r->err, FERRY_AMBIGUOUS, "plan",
				FERRY_NO_OFFSET, "two chains lead to '%s' and "
				"are equally good: %.200s; and %.200s: %s",
				node->type->name, a.data ? a.data : "",
				b.data ? b.data : "", ways);
	}
	ferry_buffer_release(&a);
	ferry_buffer_release(&b);
	return rc;
}

static int take_step(struct route *r, size_t at)
{
	const struct node *node = &r->nodes[at];
	const struct node *from = &r->nodes[node->from];
	char detail[320];

	snprintf(detail, sizeof(detail), ": '%.140s' to '%.140s'",
		 from->type->name, node->type->name);
	return ferry__call_take(node->call, node->doc, "convert", detail,
				r->err);
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
	int rc = take_chain(r, r->target);

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

/* The whole way is known and has been gone; no step is told yet. */
static int find_route(struct route *r, struct ferry_plan *p,
		      struct ferry_error *err)
{
	const struct node *target;
	int rc;

	*r = (struct route){ .p = p, .failure = FERRY_ERROR_INIT,
			     .detour = FERRY_ERROR_INIT, .err = err };
	rc = start_route(r);
	if (!rc)
		rc = search(r);
	if (rc)
		return rc;
	target = &r->nodes[r->target];
	if (!target->settled || target->dead)
		return fail_unreached(r);
	return check_tie(r);
}

/* Edits before the chain: those with options that the chain leaves. */
static int edit_before(struct route *r, bool *ran)
{
	const struct ferry_known **chain;
	size_t n = 0;

	chain = ferry_store_array(r->p->store, r->n, sizeof(*chain));
	if (!chain)
		return ferry_fail_nomem(r->err, "a plan");
	for (size_t at = r->target; at != r->start; at = r->nodes[at].from)
		chain[n++] = r->nodes[at].way;
	return ferry__run_edits(r->p, chain, n, ran, r->err);
}

/* The chain is found first, for its conversions claim their options; where
 * edits then change the document, it is gone again from there. */
static int go(struct ferry_plan *p, struct ferry_error *err)
{
	struct route r;
	bool ran = false;
	int rc = find_route(&r, p, err);

	if (!rc)
		rc = edit_before(&r, &ran);
	if (!rc && ran) {
		ferry_alloc_free(r.nodes);
		rc = find_route(&r, p, err);
	}
	if (!rc)
		rc = take_route(&r);
	ferry_alloc_free(r.nodes);
	return rc ? rc : ferry__run_edits(p, NULL, 0, &ran, err);
}

static int check_ends(struct ferry_plan *p, struct ferry_error *err)
{
	int rc;

	if (!ferry_session_find(p->s, FERRY_KNOWN_TYPES, p->job.to))
		return ferry__fail_unknown(p->s, FERRY_KNOWN_TYPES,
					   "artifact type", p->job.to, err);
	rc = ferry__need_type(p, err);
	if (rc || p->what.type)
		return rc;
	return ferry_fail(err, FERRY_NOTFOUND, "plan", FERRY_NO_OFFSET,
			  "no artifact type here recognises the input, so "
			  "there is no way to '%s'; --from says what it is, "
			  "ferry inspect what is in it", p->job.to);
}

int ferry__convert(struct ferry_plan *p, struct ferry_error *err)
{
	size_t n = ferry_session_count(p->s, FERRY_KNOWN_CONVERSIONS);
	bool ran;
	int rc = p->job.to ? check_ends(p, err) : 0;

	if (rc)
		return rc;
	p->conversions = ferry_store_array(p->store, n + 1,
					   sizeof(*p->conversions));
	if (!p->conversions)
		return ferry_fail_nomem(err, "a plan");
	rc = ferry__upgrade(p, err);
	if (rc)
		return rc;
	if (!p->job.to || !strcmp(p->what.type->name, p->job.to))
		return ferry__run_edits(p, NULL, 0, &ran, err);
	return go(p, err);
}
