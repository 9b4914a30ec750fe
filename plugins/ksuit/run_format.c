/* A directory of files as a run, and back. */
#include "config.h"

#include "formats/torch/torch.h"
#include "plugins/ksuit/ksuit.h"

static const struct ferry_option_spec read_options[] = {
	CHOICE_OPTIONS, { .name = NULL }
};

/* A directory is a run when it has the name of one or "checkpoints" right below
 * it; above that lie several runs, or a run among other things. */
static int probe(const struct ferry_probe *probe)
{
	bool named = is_run_id(probe->name), any = false, one = true;
	struct slice stage;

	for (size_t i = 0; i < probe->n_names; i++) {
		if (!stage_of(probe->names[i], &stage))
			continue;
		any = true;
		one = one && strchr(probe->names[i], '/') &&
		      (!stage.n || (named && !memchr(stage.p, '/', stage.n)));
	}
	return !any ? 0 : one ? 90 : 40;
}

static int read_file(const struct ferry_input *in, const char *name,
		     struct ferry_document *doc, struct run_file *out,
		     struct ferry_error *err)
{
	struct ferry_document *member = NULL;
	int rc = ferry_input_document(in, name, doc->store, &member, err);

	if (rc)
		return rc;
	out->path = ferry_store_strndup(doc->store, name, strlen(name));
	out->root = member->root;
	ferry_document_free(member);
	if (!out->path)
		return ferry_fail_nomem(err, "a run");
	stage_of(out->path, &out->stage);
	return 0;
}

static int read_run(const struct ferry_input *in, struct ferry_document *doc,
		    struct ferry_error *err)
{
	struct run_files files = { .n = 0 };
	bool *taken;
	int rc = files_chosen(doc->store, in->options, in->names, in->n_names,
			      &taken, doc->findings, err);

	if (rc)
		return rc;
	files.items = ferry_store_array(doc->store, in->n_names,
					sizeof(*files.items));
	if (!files.items)
		return ferry_fail_nomem(err, "a run");
	for (size_t i = 0; i < in->n_names && !rc; i++)
		if (taken[i])
			rc = read_file(in, in->names[i], doc,
				       &files.items[files.n++], err);
	return rc ? rc : run_make(doc->store, &files, &doc->root, err);
}

static int write_file(struct ferry_output *output, struct ferry_store *store,
		      const struct run_file *file, struct ferry_findings *out,
		      struct ferry_error *err)
{
	struct ferry_document *member;
	int rc = ferry_document_new(&member, store, err);

	if (rc)
		return rc;
	member->root = file->root;
	rc = ferry_output_document(output, file->path, member, "torch", NULL, 0,
				   out, err);
	ferry_document_free(member);
	return rc;
}

static int write_run(struct ferry_document *doc, struct ferry_output *output,
		     const struct ferry_options *options,
		     struct ferry_findings *out, struct ferry_error *err)
{
	struct run_files files;
	int rc;

	(void)options;
	if (!is_run(doc->root))
		return ferry_fail(err, FERRY_UNSUPPORTED, ORIGIN,
				  FERRY_NO_OFFSET, "a directory is made of a "
				  "run's files, and this is none of them: give "
				  "the output the name of a file");
	rc = run_files(doc->store, doc->root, &files, err);
	for (size_t i = 0; i < files.n && !rc; i++)
		rc = write_file(output, doc->store, &files.items[i], out, err);
	return rc;
}

const struct ferry_format run_format = {
	.struct_size = sizeof(struct ferry_format),
	.name = "ksuit-run",
	.title = "checkpoints of a run of ksuit or noether",
	.flags = FERRY_FORMAT_NESTED | FERRY_FORMAT_SHARED |
		 FERRY_FORMAT_STRIDED | FERRY_FORMAT_OBJECTS |
		 FERRY_FORMAT_TENSORS | FERRY_FORMAT_DIRECTORY,
	.dtypes = TORCH_DTYPES,
	.probe = probe,
	.read_options = read_options,
	.read = read_run,
	.write = write_run,
};
