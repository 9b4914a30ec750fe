/* Edits of a run: each of its files, and their names. */
#include "config.h"

#include "plugins/ksuit/ksuit.h"

/* The file's error, with its name before it. */
static int name_error(const struct run_file *file, int rc,
		      const struct ferry_error *why, struct ferry_error *err)
{
	return ferry_fail(err, rc, why->origin, why->offset, "%.200s: %s",
			  file->path, why->text);
}

/* The findings of a file, placed in it. */
static int name_findings(const char *path, const struct ferry_findings *from,
			 struct ferry_findings *to, struct ferry_error *err)
{
	const struct ferry_finding *f;

	for (size_t i = 0; (f = ferry_findings_get(from, i)); i++)
		if (ferry_findings_add(to, f->level, f->code, path, f->offset,
				       "%s", f->text))
			return ferry_fail_nomem(err, "findings");
	return 0;
}

typedef int (*change)(const struct ferry_conversion_args *args,
		      struct run_file *file, struct ferry_error *err);

static int on_file(const struct ferry_conversion_args *args,
		   struct run_file *file, change work,
		   struct ferry_error *err)
{
	struct ferry_conversion_args part = *args;
	struct ferry_error why = FERRY_ERROR_INIT;
	const char *path = file->path;
	int rc = ferry_findings_new(&part.findings, err);

	if (rc)
		return rc;
	rc = work(&part, file, &why);
	if (rc)
		rc = name_error(file, rc, &why, err);
	else
		rc = name_findings(path, part.findings, args->findings, err);
	ferry_findings_free(part.findings);
	return rc;
}

static int on_files(const struct ferry_conversion_args *args, change work,
		    struct ferry_error *err)
{
	struct run_files files;
	int rc = run_files(args->store, args->inputs[0]->root, &files, err);

	for (size_t i = 0; i < files.n && !rc; i++)
		rc = on_file(args, &files.items[i], work, err);
	return rc ? rc : run_make(args->store, &files, &args->out->root, err);
}

/* ---- generations ----------------------------------------------------------------------- */

static int upgrade_file(const struct ferry_conversion_args *args,
			struct run_file *file, struct ferry_error *err)
{
	enum generation wanted;
	const char *old;
	char *name;
	int rc = generation_wanted(args->options, &wanted, err);

	if (!rc)
		rc = upgrade_root(args, file->root, &file->root, err);
	if (rc)
		return rc;
	old = strrchr(file->path, '/') + 1;
	name = name_build(args->store, &file->name, wanted == GEN_T2);
	if (!name)
		return ferry_fail_nomem(err, "a name");
	if (!strcmp(old, name))
		return 0;
	if (ferry_findings_add(args->findings, FERRY_NOTE, "name", old,
			       FERRY_NO_OFFSET, "the file is called %s", name))
		return ferry_fail_nomem(err, "findings");
	file->path = run_path(args->store, file->stage, name);
	return file->path ? 0 : ferry_fail_nomem(err, "a name");
}

static int upgrade(const struct ferry_conversion_args *args,
		   struct ferry_error *err)
{
	return on_files(args, upgrade_file, err);
}

/* ---- names of weights --------------------------------------------------------------------- */

static int previous_file(const struct ferry_conversion_args *args,
			 struct run_file *file, struct ferry_error *err)
{
	struct ferry_value *target = NULL;

	for (size_t i = 1; i < 3; i++)
		if (args->inputs[i])
			target = i == 2 ? args->inputs[i]->root :
				 field(args->inputs[i]->root, "state_dict");
	switch (document_part(file->root)) {
	case PART_MODEL:
		return previous_model(args, file->root, target, &file->root,
				      err);
	case PART_OPTIM:
		return previous_optimizer(args, file->root, &file->root, err);
	default:
		return 0;
	}
}

static int previous(const struct ferry_conversion_args *args,
		    struct ferry_error *err)
{
	return on_files(args, previous_file, err);
}

static const struct ferry_role upgrade_roles[] = {
	{ .name = "run", .type = "ksuit/run", .help = "the run" },
	{ .name = NULL }
};

static const struct ferry_role previous_roles[] = {
	{ .name = "run", .type = "ksuit/run",
	  .help = "the run whose models and optimizers are changed" },
	{ .name = "target", .type = "ksuit/model", .optional = true,
	  .help = "the model whose weights patterns-to-instantiate takes" },
	{ .name = "target-weights", .type = "state-dict", .optional = true,
	  .help = "the same, as a state dict" },
	{ .name = NULL }
};

const struct ferry_conversion run_upgrade = {
	.struct_size = sizeof(struct ferry_conversion),
	.name = "ksuit-run-upgrade",
	.title = "bring the files of a run, and their names, to a newer "
		 "generation",
	.roles = upgrade_roles,
	.output = "ksuit/run",
	.cost = 1,
	.options = upgrade_options,
	.run = upgrade,
	.flags = FERRY_CONVERSION_UPGRADE,
};

const struct ferry_conversion run_previous = {
	.struct_size = sizeof(struct ferry_conversion),
	.name = "ksuit-run-previous-run",
	.title = "change names in models and optimizers as a "
		 "PreviousRunInitializer does",
	.roles = previous_roles,
	.output = "ksuit/run",
	.cost = 1,
	.options = previous_options,
	.run = previous,
};
