/* One line about what a format of tensors keeps beside the weights. */
#include "config.h"

#include <inttypes.h>
#include <string.h>

#include "core/chain/plan.h"

#define SHOWN_GROUPS 3
#define DEPTH_MOST 6		/* of mappings around the weights */

struct groups {
	struct ferry_plan *p;
	struct ferry_marks marks;
	struct ferry_buffer text;	/* "optimizer, 1.4 GB" */
	struct ferry_buffer path;	/* of where it is */
	uint64_t n;			/* with tensors */
	uint64_t more_nbytes;		/* of those not shown */
	uint64_t values;
	struct ferry_error *err;
};

static bool is_marked(const struct ferry_marks *m, const struct ferry_value *v)
{
	return v->id && v->id <= m->n && m->bits[v->id >> 6] >> (v->id & 63) & 1;
}

/* Some of the weights are among what is here, or below. */
static bool holds_weights(const struct groups *g, struct ferry_value *v,
			  unsigned depth)
{
	const struct ferry_value *items = ferry_value_items(v);

	if (is_marked(&g->marks, ferry_value_payload(v)))
		return true;
	if (!items || depth == DEPTH_MOST)
		return false;
	for (uint32_t i = 0; i < items->u.dict.n; i++)
		if (holds_weights(g, items->u.dict.pairs[i].value, depth + 1))
			return true;
	return false;
}

/* "stages.train" of the keys on the way; "tensors" for one that is no text. */
static size_t enter(struct groups *g, const struct ferry_value *key)
{
	size_t n = g->path.n;
	char name[100];

	if (key->kind == FERRY_STRING)
		ferry_escape(name, sizeof(name), key->u.s.data,
			     key->u.s.nbytes);
	ferry_buffer_printf(&g->path, "%s%s", n ? "." : "",
			    key->kind != FERRY_STRING ? "tensors" :
			    *name || n ? name : "''");
	return n;
}

static int add_group(struct groups *g, struct ferry_value *v)
{
	struct ferry__amount amount;
	char size[32];
	int rc = ferry__measure_below(g->p->store, &g->marks, v, &amount,
				      g->err);

	if (rc)
		return rc;
	g->values += amount.values;
	if (!amount.tensors)
		return 0;
	if (g->n++ >= SHOWN_GROUPS) {
		g->more_nbytes += amount.nbytes;
		return 0;
	}
	ferry_buffer_printf(&g->text, "%s%s, %s", g->n > 1 ? "; " : "",
			    g->path.data ? g->path.data : "",
			    ferry_bytes_text(amount.nbytes, size));
	return 0;
}

/* A group is the most that has none of the weights in it. */
static int add_below(struct groups *g, const struct ferry_pair *pair,
		     unsigned depth)
{
	const struct ferry_value *items = ferry_value_items(pair->value);
	const struct ferry_value *v = pair->value;
	size_t n;
	int rc = 0;

	if (is_marked(&g->marks, v))
		return 0;
	n = enter(g, pair->key);
	if (!items || depth == DEPTH_MOST ||
	    !holds_weights(g, pair->value, depth))
		rc = add_group(g, pair->value);
	else
		for (uint32_t i = 0; i < items->u.dict.n && !rc; i++)
			rc = add_below(g, &items->u.dict.pairs[i], depth + 1);
	if (!rc && v->kind == FERRY_OBJECT && v->u.object->state)
		rc = add_group(g, v->u.object->state);
	g->path.n = n;
	return rc;
}

static int say(struct groups *g, const char *code, const char *head,
	       const char *tail)
{
	char size[32];

	if (g->n > SHOWN_GROUPS)
		ferry_buffer_printf(&g->text, "; %" PRIu64 " more, %s",
				    g->n - SHOWN_GROUPS,
				    ferry_bytes_text(g->more_nbytes, size));
	if (g->values)
		ferry_buffer_printf(&g->text, "%s%" PRIu64 " value%s",
				    g->n ? ", and " : "", g->values,
				    g->values == 1 ? "" : "s");
	if (g->text.failed || g->path.failed ||
	    (g->text.n && ferry_findings_add(g->p->findings, FERRY_NOTE,
					     code, "", FERRY_NO_OFFSET,
					     "%s%s%s", head, g->text.data,
					     tail)))
		return ferry_fail_nomem(g->err, "findings");
	return 0;
}

/* The root's entries, without what belongs to the weights. */
static int add_groups(struct groups *g, struct ferry_value *weights)
{
	const struct ferry_value *root = ferry_value_items(g->p->doc->root);
	struct ferry_value *items = ferry_value_items(weights);
	int rc = 0;

	if (!root || !items || items == root)
		return 0;
	if (ferry_marks_init(&g->marks, g->p->store))
		return ferry_fail_nomem(g->err, "a plan");
	for (uint32_t i = 0; i < items->u.dict.n; i++)
		ferry_mark(&g->marks, ferry_value_payload(
				   items->u.dict.pairs[i].value));
	ferry_mark(&g->marks, weights);
	ferry_mark(&g->marks, items);
	for (uint32_t i = 0; i < root->u.dict.n && !rc; i++)
		rc = add_below(g, &root->u.dict.pairs[i], 0);
	ferry_marks_release(&g->marks);
	return rc;
}

int ferry__note_left(struct ferry_plan *p, struct ferry_value *weights,
		     struct ferry_error *err)
{
	struct groups g = { .p = p, .err = err };
	int rc = add_groups(&g, weights);

	if (!rc)
		rc = say(&g, "left", "", " left out");
	ferry_buffer_release(&g.text);
	ferry_buffer_release(&g.path);
	return rc;
}

int ferry__note_kept(struct ferry_plan *p, struct ferry_error *err)
{
	const uint32_t tree = FERRY_FORMAT_NESTED | FERRY_FORMAT_OBJECTS;
	const uint32_t by_nature = FERRY_FORMAT_TENSORS | FERRY_FORMAT_LOSSLESS;
	uint32_t flags = p->writer->format->flags;
	struct groups g = { .p = p, .err = err };
	struct ferry_value *weights = NULL;
	int rc;

	if ((flags & (tree | by_nature)) != by_nature)
		return 0;
	rc = ferry_weights(p->s, p->doc, p->what.type, &weights, err);
	if (rc || !weights)
		return rc;
	rc = add_groups(&g, weights);
	if (!rc)
		rc = say(&g, "kept", "also kept: ",
			 "; --weights takes the model only");
	ferry_buffer_release(&g.text);
	ferry_buffer_release(&g.path);
	return rc;
}
