/* A run's config: CfgNode objects become plain mappings. */
#include "config.h"

#include "plugins/linnaeus/linnaeus.h"

/* A graph may be shared without end; a config is small. */
#define VALUES_MOST 1000000

struct copying {
	struct ferry_store *store;
	size_t values, tuples;
	struct ferry_error *err;
};

static struct ferry_value *plain(struct copying *c, struct ferry_value *v,
				 unsigned depth);

static struct ferry_value *plain_mapping(struct copying *c,
					 const struct ferry_value *items,
					 unsigned depth)
{
	struct ferry_value *out = ferry_dict(c->store, items->u.dict.n), *v;

	for (uint32_t i = 0; out && i < items->u.dict.n; i++) {
		v = plain(c, items->u.dict.pairs[i].value, depth + 1);
		if (!v || ferry_dict_set(c->store, out,
					 items->u.dict.pairs[i].key, v))
			return NULL;
	}
	return out;
}

static struct ferry_value *plain_list(struct copying *c,
				      const struct ferry_value *list,
				      unsigned depth)
{
	struct ferry_value *out = ferry_sequence(c->store, FERRY_LIST,
						 list->u.list.n), *v;

	c->tuples += list->kind == FERRY_TUPLE;
	for (uint32_t i = 0; out && i < list->u.list.n; i++) {
		v = plain(c, list->u.list.items[i], depth + 1);
		if (!v || ferry_list_add(c->store, out, v))
			return NULL;
	}
	return out;
}

/* As yacs dumps it: nodes are mappings, tuples lists. */
static struct ferry_value *plain(struct copying *c, struct ferry_value *v,
				 unsigned depth)
{
	struct ferry_value *items = ferry_value_items(v);

	if (depth >= FERRY_MAX_DEPTH || ++c->values > VALUES_MOST) {
		ferry_fail(c->err, FERRY_LIMIT, "linnaeus", FERRY_NO_OFFSET,
			   "the config has more than %d values or is nested "
			   "more than %d deep", VALUES_MOST, FERRY_MAX_DEPTH);
		return NULL;
	}
	if (!items && is_cfg_node(v))
		return ferry_dict(c->store, 0);
	if (items && (v->kind == FERRY_DICT || is_cfg_node(v)))
		return plain_mapping(c, items, depth);
	if (v->kind == FERRY_LIST || v->kind == FERRY_TUPLE)
		return plain_list(c, v, depth);
	return v;
}

static int run(const struct ferry_conversion_args *args,
	       struct ferry_error *err)
{
	struct copying c = { .store = args->store, .err = err };
	struct ferry_value *config = entry(args->inputs[0]->root, "config");

	if (!config || !ferry_value_items(config))
		return ferry_fail(err, FERRY_UNSUPPORTED, "linnaeus",
				  FERRY_NO_OFFSET, "the checkpoint has no "
				  "config");
	args->out->root = plain(&c, config, 0);
	if (!args->out->root)
		return err && err->code ? err->code :
		       ferry_fail_nomem(err, "a config");
	if (c.tuples && ferry_findings_add(args->findings, FERRY_NOTE, "tuples",
					   "", FERRY_NO_OFFSET, "%zu tuple%s "
					   "of the config became list%s",
					   c.tuples, c.tuples == 1 ? "" : "s",
					   c.tuples == 1 ? "" : "s"))
		return ferry_fail_nomem(err, "findings");
	return 0;
}

static int losses(const struct ferry_conversion_args *args,
		  struct ferry_findings *out, struct ferry_error *err)
{
	(void)args;
	if (ferry_findings_add(out, FERRY_NOTE, "values", "", FERRY_NO_OFFSET,
			       "the config alone is taken; weights, optimizer "
			       "and progress are left behind"))
		return ferry_fail_nomem(err, "findings");
	return 0;
}

static const struct ferry_role roles[] = {
	{ .name = "training", .type = "linnaeus/training",
	  .help = "the checkpoint to take the config of" },
	{ .name = NULL }
};

const struct ferry_conversion training_to_config = {
	.struct_size = sizeof(struct ferry_conversion),
	.name = "linnaeus-training-to-config",
	.title = "take the config out of a checkpoint",
	.roles = roles,
	.output = "linnaeus/config",
	.cost = 1,
	.losses = losses,
	.run = run,
};
