/* What a run is, and its edits. */
#include "config.h"

#include "plugins/ksuit/ksuit.h"

#include <stdio.h>

#define ROW_MOST 300		/* bytes of a line of a description */
#define STAGES_SHOWN 8		/* of which it is told whether they resume */

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

/* The ids in the files, where they are several. */
static int describe_runs(struct ferry_document *doc, struct ferry_value *out,
			 const struct run_files *files)
{
	struct ferry_map seen = FERRY_MAP_INIT;
	struct ferry_buffer row = FERRY_BUFFER_INIT;
	struct ferry_value *made = NULL;
	struct slice id;
	char shown[100];
	int rc = 0;

	for (size_t i = 0; i < files->n && !rc && row.n < ROW_MOST; i++) {
		id = text_of(field(files->items[i].root, "run_id"));
		if (!id.n || ferry_map_get(&seen, id.p, id.n, NULL))
			continue;
		ferry_buffer_printf(&row, "%s%s", row.n ? ", " : "",
				    ferry_escape(shown, sizeof(shown), id.p,
						 id.n));
		rc = ferry_map_put(&seen, id.p, id.n, 1);
	}
	if (!rc && row.n && !row.failed)
		made = ferry_string(doc->store, row.data, row.n);
	if (made)
		rc = ferry_dict_set_str(doc->store, out, "runs", made);
	ferry_map_release(&seen);
	ferry_buffer_release(&row);
	return rc;
}

/* What a run that resumes takes, or lacks. */
static void say_resumes(struct ferry_store *store, const struct run_file *files,
			size_t n, struct ferry_buffer *b)
{
	const char **names = ferry_store_array(store, n, sizeof(*names));
	bool *taken = ferry_store_array(store, n, sizeof(*taken));
	const struct loader resume = { .resumes = true };
	struct ferry_error err = FERRY_ERROR_INIT;
	size_t models = 0, optimizers = 0, averages = 0;

	if (!names || !taken)
		return;
	for (size_t i = 0; i < n; i++)
		names[i] = files[i].path;
	memset(taken, 0, n * sizeof(*taken));
	if (loader_files(store, &resume, names, n, taken, NULL, &err)) {
		ferry_buffer_printf(b, "no: %s", err.text);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		models += taken[i] && files[i].name.part == PART_MODEL &&
			  !files[i].name.ema.n;
		averages += taken[i] && files[i].name.ema.n;
		optimizers += taken[i] && files[i].name.part == PART_OPTIM;
	}
	ferry_buffer_printf(b, "from latest: models %zu, optimizers %zu, "
			    "averages %zu, and a trainer", models, optimizers,
			    averages);
}

static int describe_stage(struct ferry_document *doc, struct ferry_value *out,
			  const struct run_file *files, size_t n)
{
	struct ferry_buffer key = FERRY_BUFFER_INIT, row = FERRY_BUFFER_INIT;
	struct ferry_value *made = NULL;
	char stage[100];
	int rc = FERRY_NOMEM;

	ferry_escape(stage, sizeof(stage), files->stage.p, files->stage.n);
	ferry_buffer_printf(&key, "resume%s%s", *stage ? " " : "", stage);
	say_resumes(doc->store, files, n, &row);
	if (row.n && !row.failed)
		made = ferry_string(doc->store, row.data, row.n);
	if (made && !key.failed)
		rc = ferry_dict_set_str(doc->store, out, key.data, made);
	ferry_buffer_release(&key);
	ferry_buffer_release(&row);
	return rc;
}

/* Files lie stage by stage. */
static int describe_stages(struct ferry_document *doc, struct ferry_value *out,
			   const struct run_files *files)
{
	size_t n, shown = 0;
	int rc = 0;

	for (size_t i = 0; i < files->n && !rc && shown < STAGES_SHOWN;
	     i += n) {
		for (n = 1; i + n < files->n; n++)
			if (!slice_is(files->items[i].stage,
				      files->items[i + n].stage))
				break;
		rc = describe_stage(doc, out, &files->items[i], n);
		shown++;
	}
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
	else
		rc = describe_runs(doc, out, &files);
	if (!rc)
		rc = ferry_dict_set_str(doc->store, out, "stages", ferry_uint(
			doc->store, ferry_dict_get(doc->root,
						   "stages")->u.dict.n));
	for (size_t i = 0; i < files.n && !rc; i++)
		rc = describe_file(doc, out, &files.items[i]);
	if (!rc)
		rc = describe_stages(doc, out, &files);
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
		if (files->items[i].name.part == PART_MODEL &&
		    !files->items[i].name.ema.n)
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
