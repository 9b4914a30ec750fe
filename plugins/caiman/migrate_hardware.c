/* Hardware checkpoints of old releases. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "plugins/caiman/inference.h"
#include "plugins/caiman/migrate.h"
#include "plugins/caiman/variant.h"

static struct ferry_value *old_config(const struct ferry_conversion_args *args)
{
	struct ferry_value *config = at(args->inputs[0]->root, "rnnt_config");

	if (is_mapping(config))
		return config;
	return args->inputs[1] ? args->inputs[1]->root : NULL;
}

static int migrate_config(struct migration *m)
{
	struct ferry_value *config = old_config(m->args), *bare, *out;
	int rc;

	if (!strcmp(m->to->config, "none"))
		return 0;
	if (!config)
		return ferry_fail(m->err, FERRY_MISUSE, "caiman",
				  FERRY_NO_OFFSET, "the checkpoint has no "
				  "rnnt_config (release 1.1 or before): give "
				  "the config it was trained by with --with "
				  "config=FILE");
	rc = without_joint_lr_factor(m->args->store, config, &bare, m->err);
	if (!rc && bare != config)
		rc = note(m->args, "rnnt_config", m->err, "joint_lr_factor of "
			  "the config is left behind: it is of use in training "
			  "only");
	if (!rc)
		rc = release_config(m->args->store, m->to, bare, &out,
				    m->args->findings, m->err);
	if (!rc)
		put(&m->out, "rnnt_config", out);
	return rc;
}

static int migrate_melalpha(struct migration *m)
{
	struct ferry_value *old = at(m->args->inputs[0]->root, "melalpha");
	double value;

	if (!old || !m->to->melalpha_fixed) {
		if (old)
			put(&m->out, "melalpha", old);
		return 0;
	}
	put(&m->out, "melalpha", ferry_float(m->args->store, 0));
	if (!number(old, &value) || value == 0)
		return 0;
	return note(m->args, "melalpha", m->err, "melalpha %g becomes 0.0: "
		    "release %s normalises by the statistics alone", value,
		    m->to->name);
}

static int migrate_ngram(struct migration *m)
{
	struct ferry_value *old = at(m->args->inputs[0]->root, "ngram");
	struct making ngram = make(m->args->store, NULL);

	if (!list_has(m->to->hardware, "ngram"))
		return 0;
	put(&ngram, "binary", ferry_none());
	put(&ngram, "scale_factor", ferry_none());
	put(&m->out, "ngram", old ? old : ngram.dict);
	m->out.failed |= ngram.failed;
	return old ? 0 : note(m->args, "ngram", m->err, "ngram says that there "
			      "is none, as release %s has it", m->to->name);
}

static int migrate_version(struct migration *m)
{
	const char *version;
	int rc = version_to_write(m->args, m->to, &version, m->err);

	if (rc || !version)
		return rc;
	put(&m->out, "version", ferry_cstring(m->args->store, version));
	return 0;
}

static int run(const struct ferry_conversion_args *args,
	       struct ferry_error *err)
{
	static const char *const plain[] = {
		"epoch", "step", "best_wer", "melmeans", "melvars", NULL
	};
	struct ferry_value *root = args->inputs[0]->root;
	struct migration m;
	int rc = migration_begin(&m, origin_of_hardware, args, err);

	if (!rc)
		rc = migration_weights(&m, "state_dict");
	for (size_t i = 0; plain[i] && !rc; i++)
		if (at(root, plain[i]))
			put(&m.out, plain[i], at(root, plain[i]));
	if (!rc)
		rc = migrate_melalpha(&m);
	if (!rc && at(root, "sentpiece_model"))
		put(&m.out, "sentpiece_model", at(root, "sentpiece_model"));
	if (!rc)
		rc = migrate_ngram(&m);
	if (!rc)
		rc = migrate_version(&m);
	if (!rc)
		rc = migrate_config(&m);
	return rc ? rc : migration_end(&m);
}

/* ---- losses -------------------------------------------------------------------------- */

static int note_hard(const struct ferry_conversion_args *args,
		     struct ferry_findings *out)
{
	const struct ferry_value *v = at(at(old_config(args), "rnnt"),
					 "hard_activation_functions");

	if (!v || v->kind != FERRY_BOOL || !v->u.b)
		return 0;
	return ferry_findings_add(out, FERRY_WARNING, "hard-activations",
				  "rnnt_config.rnnt.hard_activation_functions",
				  FERRY_NO_OFFSET, "the weights were trained "
				  "for hard activation functions, which no "
				  "newer release has or can be told of");
}

/* A variant that the old release took and the new one does not. */
static int note_variant(const struct ferry_conversion_args *args,
			struct ferry_findings *out, struct ferry_error *err)
{
	struct ferry_document *doc = args->inputs[0];
	const struct release *to;
	struct releases all = { .n = 0 };
	const char *found = NULL;
	int rc = releases_load(args->store, &all, err);

	if (!rc)
		rc = release_wanted(&all, args->options, &to, err);
	for (size_t i = 0; i < all.n && !rc && !found; i++)
		if (all.items[i].variants->u.list.n &&
		    (!i || all.items[i].variants->u.list.n !=
		     all.items[i - 1].variants->u.list.n))
			rc = find_variant(doc, at(doc->root, "state_dict"),
					  &all.items[i], &found, err);
	if (rc || !found || list_has(to->variants, found) ||
	    !to->variants->u.list.n)
		return rc;
	if (ferry_findings_add(out, FERRY_WARNING, "variant", "state_dict",
			       FERRY_NO_OFFSET, "release %s takes no model of "
			       "variant '%s'", to->name, found))
		return ferry_fail_nomem(err, "findings");
	return 0;
}

static int losses(const struct ferry_conversion_args *args,
		  struct ferry_findings *out, struct ferry_error *err)
{
	if (note_hard(args, out))
		return ferry_fail_nomem(err, "findings");
	return note_variant(args, out, err);
}

static const struct ferry_role roles[] = {
	{ .name = "checkpoint", .type = "caiman/hardware",
	  .help = "the hardware checkpoint of an older release" },
	{ .name = "config", .type = "caiman/config", .optional = true,
	  .help = "the training config, where the checkpoint has none" },
	{ .name = NULL }
};

static const struct ferry_option_spec options[] = {
	RELEASE_OPTION,
	VERSION_OPTION,
	{ NULL }
};

const struct ferry_conversion upgrade_hardware = {
	.struct_size = sizeof(struct ferry_conversion),
	.name = "caiman-upgrade-hardware",
	.title = "bring a hardware checkpoint to a newer release",
	.roles = roles,
	.output = "caiman/hardware",
	.cost = 1,
	.options = options,
	.losses = losses,
	.run = run,
	.flags = FERRY_CONVERSION_UPGRADE,
};
