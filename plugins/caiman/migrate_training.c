/* Training checkpoints of old releases. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "plugins/caiman/migrate.h"
#include "plugins/caiman/number.h"

static struct ferry_value *config_of(const struct migration *m)
{
	return m->args->inputs[1] ? m->args->inputs[1]->root : NULL;
}

/* ---- tokenizer_kw ------------------------------------------------------------------ */

/* What stands in the checkpoint, or in the config, or is the default. */
static struct ferry_value *tokenizer_value(const struct migration *m,
					   struct ferry_value *old,
					   const char *key)
{
	struct ferry_store *store = m->args->store;
	struct ferry_value *v = at(old, key);
	const struct ferry_value *member;
	const char *text;

	if (!strcmp(key, "unk_handling")) {
		member = v ? unk_handling(v) : NULL;
		text = member ? text_of(store, member) : "FAIL";
		return text ? unk_member(store, m->to, text) : NULL;
	}
	if (!v)
		v = at(at(config_of(m), "tokenizer"), key);
	return v || strcmp(key, "sampling") ? v : ferry_float(store, 0);
}

static int migrate_tokenizer(struct migration *m)
{
	struct ferry_value *old = at(m->args->inputs[0]->root, "tokenizer_kw");
	struct making kw = make(m->args->store, NULL);
	bool filled = false;

	if (!m->to->tokenizer_kw->u.list.n)
		return 0;
	if (!is_mapping(old) && !config_of(m))
		return note(m->args, "tokenizer_kw", m->err, "tokenizer_kw is "
			    "missing, which release %s only warns of: --with "
			    "config=FILE fills it in", m->to->name);
	for (uint32_t i = 0; i < m->to->tokenizer_kw->u.list.n; i++) {
		const char *key = list_text(m->args->store,
					    m->to->tokenizer_kw, i);

		if (!key)
			return ferry_fail_nomem(m->err, "a name");
		filled |= !at(old, key);
		put(&kw, key, tokenizer_value(m, old, key));
	}
	if (kw.failed)
		return ferry_fail(m->err, FERRY_MALFORMED, "caiman",
				  FERRY_NO_OFFSET, "tokenizer_kw can't be "
				  "filled in: labels and sentpiece_model are "
				  "in neither the checkpoint nor the config");
	put(&m->out, "tokenizer_kw", kw.dict);
	return filled ? note(m->args, "tokenizer_kw", m->err, "tokenizer_kw "
			     "filled in as of release %s", m->to->name) : 0;
}

/* ---- logmel_norm_weight --------------------------------------------------------------- */

static int migrate_norm_weight(struct migration *m)
{
	struct ferry_value *old = at(m->args->inputs[0]->root,
				     "logmel_norm_weight");
	const char *text = ferry_option(m->args->options, "norm-weight");
	double w;

	if (!list_has(m->to->training, "logmel_norm_weight"))
		return 0;
	if (old && !text) {
		put(&m->out, "logmel_norm_weight", old);
		return 0;
	}
	if (!text)
		return ferry_fail(m->err, FERRY_MISUSE, "caiman",
				  FERRY_NO_OFFSET, "logmel_norm_weight is "
				  "missing, which release %s needs: give it "
				  "with --set norm-weight=W (1.0: the weights "
				  "were trained on features normalised by the "
				  "data set's statistics)", m->to->name);
	if (!number_float(text, strlen(text), false, &w) || !(w >= 0 && w <= 1))
		return ferry_fail(m->err, FERRY_MISUSE, "caiman",
				  FERRY_NO_OFFSET, "norm-weight must be a "
				  "number from 0 to 1");
	put(&m->out, "logmel_norm_weight", ferry_float(m->args->store, w));
	return 0;
}

/* ---- optimizer ---------------------------------------------------------------------------- */

#define OLD_GROUPS 3
#define JOINT_PARTS 3
#define JOINT_PARAMS 6

static struct ferry_value *slice(struct ferry_store *store,
				 const struct ferry_value *list, uint32_t from,
				 uint32_t n)
{
	struct ferry_value *out = ferry_sequence(store, FERRY_LIST, n);

	for (uint32_t i = 0; out && i < n; i++)
		if (ferry_list_add(store, out, list->u.list.items[from + i]))
			return NULL;
	return out;
}

/* All the joint network becomes joint_enc, joint_pred and joint_net. */
static int split_joint(struct migration *m, struct ferry_value *group,
		       struct ferry_value *out)
{
	const struct ferry_value *params = at(group, "params");
	struct making part;

	if (!params || params->kind != FERRY_LIST ||
	    params->u.list.n != JOINT_PARAMS)
		return ferry_fail(m->err, FERRY_MALFORMED, "caiman",
				  FERRY_NO_OFFSET, "optimizer.param_groups.2 "
				  "can't be split: it must have %d params, "
				  "those of joint_enc, joint_pred and "
				  "joint_net", JOINT_PARAMS);
	for (uint32_t i = 0; i < JOINT_PARTS; i++) {
		part = make(m->args->store, group);
		put(&part, "params", slice(m->args->store, params, 2 * i, 2));
		if (part.failed || ferry_list_add(m->args->store, out,
						  part.dict))
			return ferry_fail_nomem(m->err, "groups");
	}
	return 0;
}

static int migrate_groups(struct migration *m, struct ferry_value *optimizer,
			  const struct ferry_value *groups)
{
	struct ferry_store *store = m->args->store;
	struct making out = make(store, optimizer);
	struct ferry_value *list = slice(store, groups, 0, OLD_GROUPS - 1);
	int rc;

	if (!list)
		return ferry_fail_nomem(m->err, "groups");
	rc = split_joint(m, groups->u.list.items[OLD_GROUPS - 1], list);
	put(&out, "param_groups", list);
	put(&m->out, "optimizer", out.dict);
	if (rc || out.failed)
		return rc ? rc : ferry_fail_nomem(m->err, "an optimizer");
	return note(m->args, "optimizer", m->err, "optimizer: the group of the "
		    "joint network split into joint_enc, joint_pred and "
		    "joint_net");
}

static int migrate_optimizer(struct migration *m)
{
	struct ferry_value *old = at(m->args->inputs[0]->root, "optimizer");
	const struct ferry_value *groups = at(old, "param_groups");

	if (groups && groups->kind == FERRY_LIST &&
	    groups->u.list.n == OLD_GROUPS && m->to->groups > OLD_GROUPS)
		return migrate_groups(m, old, groups);
	if (old)
		put(&m->out, "optimizer", old);
	return 0;
}

/* ---- the edit ------------------------------------------------------------------------------ */

static int note_name(const struct migration *m)
{
	const struct ferry_value *step = at(m->args->inputs[0]->root, "step");
	const char *digits;

	if (!m->to->by_step || m->from.first->by_step || !step ||
	    step->kind != FERRY_INT)
		return 0;
	digits = ferry_int_text(m->args->store, step);
	if (!digits)
		return ferry_fail_nomem(m->err, "a name");
	return note(m->args, "", m->err, "release %s names numbered "
		    "checkpoints by step: RNN-T_step%.30s_checkpoint.pt",
		    m->to->name, digits);
}

static int run(const struct ferry_conversion_args *args,
	       struct ferry_error *err)
{
	static const char *const plain[] = { "epoch", "step", "best_wer", NULL };
	struct migration m;
	int rc = migration_begin(&m, origin_of_training, args, err);

	for (size_t i = 0; plain[i] && !rc; i++)
		if (at(args->inputs[0]->root, plain[i]))
			put(&m.out, plain[i], at(args->inputs[0]->root,
						 plain[i]));
	if (!rc)
		rc = migration_weights(&m, "state_dict");
	if (!rc)
		rc = migration_weights(&m, "ema_state_dict");
	if (!rc)
		rc = migrate_optimizer(&m);
	if (!rc)
		rc = migrate_tokenizer(&m);
	if (!rc)
		rc = migrate_norm_weight(&m);
	if (!rc)
		rc = note_name(&m);
	return rc ? rc : migration_end(&m);
}

static const struct ferry_role roles[] = {
	{ .name = "checkpoint", .type = "caiman/training",
	  .help = "the training checkpoint of an older release" },
	{ .name = "config", .type = "caiman/config", .optional = true,
	  .help = "its config, for a tokenizer_kw it lacks" },
	{ .name = NULL }
};

static const struct ferry_option_spec options[] = {
	RELEASE_OPTION,
	{ "norm-weight", NULL, "logmel_norm_weight of a checkpoint that has "
	  "none (of release 1.8 or before)" },
	{ NULL }
};

const struct ferry_conversion upgrade_training = {
	.struct_size = sizeof(struct ferry_conversion),
	.name = "caiman-upgrade-training",
	.title = "bring a training checkpoint to a newer release",
	.roles = roles,
	.output = "caiman/training",
	.cost = 1,
	.options = options,
	.run = run,
	.flags = FERRY_CONVERSION_UPGRADE,
};
