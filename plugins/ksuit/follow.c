/*
 * Optimizers know their parameters by name, in param_idx_to_name: where rules
 * rename weights these names follow.
 */
#include "config.h"

#include "plugins/ksuit/ksuit.h"

#include <inttypes.h>

/* What an optimizer's parameters were called, and are now. */
struct following {
	struct ferry_store *store;
	struct ferry_map at;		/* was -> index of `names` */
	const struct ferry_renamed *names;
	uint32_t renamed, dropped;
};

static int know(struct following *f, struct ferry_store *store,
		const struct ferry_renaming *change, struct ferry_error *err)
{
	*f = (struct following){ .store = store, .at = FERRY_MAP_INIT,
				 .names = change->names };
	for (size_t i = 0; i < change->n; i++)
		if (ferry_map_put(&f->at, change->names[i].was,
				  change->names[i].n_was, i)) {
			ferry_map_release(&f->at);
			return ferry_fail_nomem(err, "names");
		}
	return 0;
}

/* The name now; itself when no rule saw it, NULL when it is gone. */
static struct ferry_value *name_now(struct following *f,
				    struct ferry_value *name,
				    struct ferry_error *err)
{
	struct slice was = text_of(name);
	const struct ferry_renamed *r;
	struct ferry_value *now;
	uint64_t i;

	if (!was.p || !ferry_map_get(&f->at, was.p, was.n, &i))
		return name;
	r = &f->names[i];
	if (!r->is) {
		f->dropped++;
		return NULL;
	}
	if (slice_is(was, (struct slice){ r->is, r->n_is }))
		return name;
	f->renamed++;
	now = ferry_string(f->store, r->is, r->n_is);
	if (!now)
		ferry_fail_nomem(err, "names");
	return now;
}

static int follow_names(struct following *f, const struct ferry_value *was,
			struct ferry_value *is, struct ferry_error *err)
{
	struct ferry_value *now;
	uint32_t dropped;

	for (uint32_t i = 0; i < was->u.dict.n; i++) {
		dropped = f->dropped;
		now = name_now(f, was->u.dict.pairs[i].value, err);
		if (!now && f->dropped == dropped)
			return err->code;
		if (now && ferry_dict_set(f->store, is,
					  was->u.dict.pairs[i].key, now))
			return ferry_fail_nomem(err, "names");
	}
	return 0;
}

static int tell(const struct following *f, const char *path,
		struct ferry_findings *out, struct ferry_error *err)
{
	int rc = 0;

	if (f->renamed)
		rc = ferry_findings_add(out, FERRY_NOTE, "renamed", path,
					FERRY_NO_OFFSET, "names of %" PRIu32
					" parameters of the optimizer follow",
					f->renamed);
	if (!rc && f->dropped)
		rc = ferry_findings_add(out, FERRY_NOTE, "dropped", path,
					FERRY_NO_OFFSET, "%" PRIu32 " parameters "
					"leave the optimizer, with their "
					"states", f->dropped);
	return rc ? ferry_fail_nomem(err, "findings") : 0;
}

/* *root becomes an optimizer with the names of now. */
static int follow(struct ferry_store *store, const struct ferry_renaming *change,
		  struct ferry_value **root, const char *path,
		  struct ferry_findings *out, struct ferry_error *err)
{
	struct ferry_value *was = field(*root, "param_idx_to_name"), *is;
	struct following f;
	int rc;

	if (!was || !ferry_value_items(was) || !is_optimizer_dict(*root))
		return 0;
	is = ferry_dict(store, 0);
	rc = is ? know(&f, store, change, err) : ferry_fail_nomem(err, "names");
	if (rc)
		return rc;
	rc = follow_names(&f, ferry_value_items(was), is, err);
	ferry_map_release(&f.at);
	if (!rc && f.renamed + f.dropped &&
	    optimizer_with_names(store, *root, is, root))
		rc = ferry_fail_nomem(err, "an optimizer");
	return rc ? rc : tell(&f, path, out, err);
}

/* ---- an optimizer's file ---------------------------------------------------- */

/* Its names, as a mapping for rules to act on: to the index of each.  A trainer
 * has none. */
int names_handled(struct ferry_document *doc, struct ferry_value **out,
		  struct ferry_error *err)
{
	struct ferry_value *names = field(doc->root, "param_idx_to_name");
	struct ferry_value *dict = NULL;
	struct ordered o;
	int rc;

	*out = ferry_sequence(doc->store, FERRY_LIST, 1);
	if (!*out)
		return ferry_fail_nomem(err, "names");
	if (!names || !ferry_value_items(names) ||
	    !is_optimizer_dict(doc->root))
		return 0;
	rc = optimizer_names(doc->store, names, &o, err);
	if (!rc)
		rc = ordered_make(&o, NULL, &dict);
	ordered_release(&o);
	if (!rc && ferry_list_add(doc->store, *out, dict))
		rc = ferry_fail_nomem(err, "names");
	return rc;
}

int optimizer_renamed(struct ferry_document *doc,
		      const struct ferry_renaming *changes, size_t n,
		      struct ferry_findings *out, struct ferry_error *err)
{
	(void)n;
	return follow(doc->store, changes, &doc->root, "", out, err);
}

/* ---- a run -------------------------------------------------------------------- */

static struct ferry_value *weights_of(const struct run_file *file)
{
	struct ferry_value *found = NULL;

	if (document_part(file->root) == PART_MODEL)
		found = field(file->root, "state_dict");
	return found && ferry_value_items(found) ? found : NULL;
}

int run_handled(struct ferry_document *doc, struct ferry_value **out,
		struct ferry_error *err)
{
	struct run_files files;
	struct ferry_value *found;
	int rc = run_files(doc->store, doc->root, &files, err);

	*out = rc ? NULL : ferry_sequence(doc->store, FERRY_LIST, files.n);
	for (size_t i = 0; i < files.n && *out; i++) {
		found = weights_of(&files.items[i]);
		if (found && ferry_list_add(doc->store, *out, found))
			*out = NULL;
	}
	return rc || *out ? rc : ferry_fail_nomem(err, "names");
}

/* Which weights tell what an optimizer's parameters are called: those of its
 * model and tag, else any of its model. */
struct models {
	struct ferry_map files;		/* stage, model and tag, to a file */
	struct ferry_map changes;	/* address of a mapping, to a change */
	struct ferry_buffer key;
};

static void name_model(struct models *m, const struct run_file *file, bool tag)
{
	m->key.n = 0;
	ferry_buffer_add(&m->key, file->stage.p, file->stage.n);
	ferry_buffer_add(&m->key, "/", 1);
	ferry_buffer_add(&m->key, file->name.model.p, file->name.model.n);
	ferry_buffer_add(&m->key, "/", 1);
	if (tag)
		ferry_buffer_add(&m->key, file->name.tag.p, file->name.tag.n);
}

static int put_model(struct models *m, const struct run_file *file, size_t at,
		     bool tag)
{
	name_model(m, file, tag);
	if (m->key.failed)
		return FERRY_NOMEM;
	if (ferry_map_get(&m->files, m->key.data, m->key.n, NULL))
		return 0;
	return ferry_map_put(&m->files, m->key.data, m->key.n, at);
}

static int know_models(struct models *m, const struct run_files *files,
		       const struct ferry_renaming *changes, size_t n)
{
	const struct run_file *file;
	int rc = 0;

	for (size_t i = 0; i < n && !rc; i++)
		rc = ferry_map_put(&m->changes, &changes[i].weights,
				   sizeof(changes[i].weights), i);
	for (size_t i = 0; i < files->n && !rc; i++) {
		file = &files->items[i];
		if (!weights_of(file))
			continue;
		rc = put_model(m, file, i, false);
		if (!rc && !file->name.ema.n)
			rc = put_model(m, file, i, true);
	}
	return rc;
}

/* The weights that go with an optimizer, or NULL. */
static const struct ferry_value *find_weights(struct models *m,
					      const struct run_files *files,
					      const struct run_file *optim)
{
	uint64_t at;

	name_model(m, optim, true);
	if (!m->key.failed &&
	    ferry_map_get(&m->files, m->key.data, m->key.n, &at))
		return weights_of(&files->items[at]);
	name_model(m, optim, false);
	if (!m->key.failed &&
	    ferry_map_get(&m->files, m->key.data, m->key.n, &at))
		return weights_of(&files->items[at]);
	return NULL;
}

/* No file of its model tells: its names stay. */
static int tell_alone(const struct run_file *optim, struct ferry_findings *out,
		      struct ferry_error *err)
{
	return ferry_findings_add(out, FERRY_NOTE, "optimizer", optim->path,
				  FERRY_NO_OFFSET, "the run has no weights of "
				  "this optimizer's model: its names stay") ?
	       ferry_fail_nomem(err, "findings") : 0;
}

static int follow_file(struct models *m, const struct run_files *files,
		       size_t at, const struct ferry_renaming *changes,
		       struct ferry_store *store, struct ferry_findings *out,
		       struct ferry_error *err)
{
	struct run_file *optim = &files->items[at];
	const struct ferry_value *weights = find_weights(m, files, optim);
	uint64_t i;

	if (!weights)
		return tell_alone(optim, out, err);
	if (!ferry_map_get(&m->changes, &weights, sizeof(weights), &i))
		return 0;
	return follow(store, &changes[i], &optim->root, optim->path, out, err);
}

int run_renamed(struct ferry_document *doc, const struct ferry_renaming *changes,
		size_t n, struct ferry_findings *out, struct ferry_error *err)
{
	struct models m = { .files = FERRY_MAP_INIT, .changes = FERRY_MAP_INIT,
			    .key = FERRY_BUFFER_INIT };
	struct run_files files;
	int rc = run_files(doc->store, doc->root, &files, err);

	if (!rc && know_models(&m, &files, changes, n))
		rc = ferry_fail_nomem(err, "names");
	for (size_t i = 0; i < files.n && !rc; i++)
		if (document_part(files.items[i].root) == PART_OPTIM)
			rc = follow_file(&m, &files, i, changes, doc->store,
					 out, err);
	ferry_map_release(&m.files);
	ferry_map_release(&m.changes);
	ferry_buffer_release(&m.key);
	return rc ? rc : run_make(doc->store, &files, &doc->root, err);
}
