/* What a run is, and its edits. */
#include "config.h"

#include "plugins/ksuit/ksuit.h"

#include <stdio.h>

#define ROW_MOST 300		/* bytes of a line of a description */

static int recognise(struct ferry_document *doc, const char *file_name,
		     struct ferry_match *out)
{
	struct run_files files;

	(void)file_name;
	if (!is_run(doc->root) ||
	    run_files(doc->store, doc->root, &files, NULL))
		return 0;
	out->score = 95;
	snprintf(out->reason, sizeof(out->reason), "%zu file%s called "
		 "<model>_cp=<tag>_...", files.n, files.n == 1 ? "" : "s");
	return 0;
}

/* ---- describe ------------------------------------------------------------------------ */

/* "encoder optim", "encoder model ema=0.99" */
static void name_file(struct ferry_buffer *b, const struct file_name *name)
{
	char model[100];

	ferry_escape(model, sizeof(model), name->model.p, name->model.n);
	ferry_buffer_printf(b, "%s %s", model,
			    name->ema.n ? "ema=" : part_name(name->part));
	ferry_buffer_add(b, name->ema.p ? name->ema.p : "", name->ema.n);
}

/* "train latest": stages and tags may have any characters. */
static void name_row(struct ferry_buffer *b, const struct run_file *file)
{
	char stage[100], tag[100];

	ferry_escape(stage, sizeof(stage), file->stage.p, file->stage.n);
	ferry_escape(tag, sizeof(tag), file->name.tag.p, file->name.tag.n);
	ferry_buffer_printf(b, "%s%s%s", stage, *stage ? " " : "", tag);
}

static struct ferry_value *extend(struct ferry_store *store,
				  const struct ferry_value *row,
				  const struct run_file *file)
{
	struct ferry_buffer b = FERRY_BUFFER_INIT;
	struct ferry_value *out;
	char iteration[120];

	if (row) {
		ferry_buffer_add(&b, row->u.s.data, row->u.s.nbytes);
		ferry_buffer_add_str(&b, ", ");
	} else if (iteration_text(field(file->root, "training_iteration"),
				  iteration, sizeof(iteration))) {
		ferry_buffer_printf(&b, "%s: ", iteration);
	}
	if (b.n > ROW_MOST)
		ferry_buffer_add_str(&b, "...");
	else
		name_file(&b, &file->name);
	out = b.failed ? NULL : ferry_string(store, b.data, b.n);
	ferry_buffer_release(&b);
	return out;
}

static int describe_file(struct ferry_document *doc, struct ferry_value *out,
			 const struct run_file *file)
{
	struct ferry_buffer key = FERRY_BUFFER_INIT;
	struct ferry_value *row, *made;
	int rc = 0;

	name_row(&key, file);
	row = key.failed ? NULL : ferry_dict_get(out, key.data);
	if (!row || row->u.s.nbytes <= ROW_MOST) {
		made = key.failed ? NULL : extend(doc->store, row, file);
		rc = made ? ferry_dict_set_str(doc->store, out, key.data,
					       made) : FERRY_NOMEM;
	}
	ferry_buffer_release(&key);
	return rc;
}

static int describe(struct ferry_document *doc, struct ferry_value *out,
		    struct ferry_error *err)
{
	struct ferry_value *id = ferry_dict_get(doc->root, "run_id");
	struct run_files files;
	int rc = run_files(doc->store, doc->root, &files, err);

	if (rc)
		return rc;
	if (id && id->kind == FERRY_STRING)
		rc = ferry_dict_set_str(doc->store, out, "run", id);
	if (!rc)
		rc = ferry_dict_set_str(doc->store, out, "stages", ferry_uint(
			doc->store, ferry_dict_get(doc->root,
						   "stages")->u.dict.n));
	for (size_t i = 0; i < files.n && !rc; i++)
		rc = describe_file(doc, out, &files.items[i]);
	return rc ? ferry_fail_nomem(err, "a description") : 0;
}

/* ---- check --------------------------------------------------------------------------- */

static int check_file(struct ferry_document *doc, const struct run_file *file,
		      struct ferry_findings *out, struct ferry_error *err)
{
	struct ferry_document member = { .store = doc->store,
					 .root = file->root };
	const struct ferry_finding *f;
	struct ferry_findings *found;
	char path[400];
	int rc = ferry_findings_new(&found, err);

	if (rc)
		return rc;
	rc = ksuit_check(&member, found, err);
	if (!rc && document_part(file->root) &&
	    document_part(file->root) != file->name.part)
		rc = ferry_findings_add(found, FERRY_VIOLATION, "name", "",
					FERRY_NO_OFFSET, "the name is that of "
					"a %s file, the content that of a %s "
					"file", part_name(file->name.part),
					part_name(document_part(file->root)));
	for (size_t i = 0; !rc && (f = ferry_findings_get(found, i)); i++) {
		snprintf(path, sizeof(path), "%.200s%s%.150s", file->path,
			 *f->path ? ": " : "", f->path);
		rc = ferry_findings_add(out, f->level, f->code, path, f->offset,
					"%s", f->text);
	}
	ferry_findings_free(found);
	return rc == FERRY_NOMEM ? ferry_fail_nomem(err, "findings") : rc;
}

/* A run resumes from the files of one tag: models, and a trainer. */
static int check_resume(const struct run_files *files,
			struct ferry_findings *out)
{
	const struct run_file *model = NULL;
	bool trainer = false;

	for (size_t i = 0; i < files->n; i++) {
		if (!slice_is(files->items[i].name.tag, slice_of("latest")))
			continue;
		trainer |= files->items[i].name.part == PART_TRAINER;
		if (files->items[i].name.part == PART_MODEL)
			model = &files->items[i];
	}
	if (!model || trainer)
		return 0;
	return ferry_findings_add(out, FERRY_NOTE, "no-trainer", "",
				  FERRY_NO_OFFSET, "there is no trainer's file "
				  "of tag 'latest': no run resumes from it");
}

static int check(struct ferry_document *doc, struct ferry_findings *out,
		 struct ferry_error *err)
{
	struct run_files files;
	int rc = run_files(doc->store, doc->root, &files, err);

	for (size_t i = 0; i < files.n && !rc; i++)
		rc = check_file(doc, &files.items[i], out, err);
	if (!rc && check_resume(&files, out))
		rc = ferry_fail_nomem(err, "findings");
	return rc;
}

/* ---- weights --------------------------------------------------------------------------- */

/* Those of the one model, as they stand; else "<path>:<name>" of all. */
static int merge(struct ferry_store *store, const struct run_file *file,
		 struct ferry_value *out)
{
	const struct ferry_value *items;
	struct ferry_buffer b = FERRY_BUFFER_INIT;
	struct ferry_value *key;
	struct slice text;
	int rc = 0;

	items = ferry_value_items(field(file->root, "state_dict"));
	for (uint32_t i = 0; items && i < items->u.dict.n && !rc; i++) {
		text = text_of(items->u.dict.pairs[i].key);
		b.n = 0;
		ferry_buffer_printf(&b, "%s:", file->path);
		ferry_buffer_add(&b, text.p ? text.p : "", text.n);
		key = b.failed ? NULL : ferry_string(store, b.data, b.n);
		rc = key ? ferry_dict_set(store, out, key,
					  items->u.dict.pairs[i].value) :
		     FERRY_NOMEM;
	}
	ferry_buffer_release(&b);
	return rc;
}

static int weights(struct ferry_document *doc, struct ferry_value **out,
		   struct ferry_error *err)
{
	struct run_files files;
	struct ferry_value *one = NULL, *all;
	size_t n = 0;
	int rc = run_files(doc->store, doc->root, &files, err);

	for (size_t i = 0; i < files.n && !rc; i++)
		if (document_part(files.items[i].root) == PART_MODEL) {
			one = field(files.items[i].root, "state_dict");
			n++;
		}
	*out = one;
	if (rc || n < 2)
		return rc;
	*out = all = ferry_dict(doc->store, 0);
	rc = all ? 0 : FERRY_NOMEM;
	for (size_t i = 0; i < files.n && !rc; i++)
		if (document_part(files.items[i].root) == PART_MODEL)
			rc = merge(doc->store, &files.items[i], all);
	return rc ? ferry_fail_nomem(err, "weights") : 0;
}

const struct ferry_artifact_type run_type = {
	.struct_size = sizeof(struct ferry_artifact_type),
	.name = "ksuit/run",
	.title = "the files of a run of ksuit or noether",
	.recognise = recognise,
	.describe = describe,
	.check = check,
	.weights = weights,
	.handled = run_handled,
	.renamed = run_renamed,
};
