/*
 * Which files of a run noether's initializers would read: those of a model, or
 * of all its parts, by exact name; for one that resumes also optimizers,
 * averages and the trainer.
 */
#include "config.h"

#include "plugins/ksuit/ksuit.h"

#define PARTS_MOST 256		/* of a model: each looks at all files */

struct resolving {
	struct ferry_store *store;
	const struct loader *loader;
	const char *const *names;
	size_t n;
	bool *taken;
	struct slice folder;		/* up to and with "checkpoints/" */
	struct slice model, info, tag;
	struct ferry_findings *notes;
	struct ferry_error *err;
};

static const char *loader_name(const struct resolving *r)
{
	return r->loader->resumes ? "ResumeInitializer" : "PreviousRunInitializer";
}

static struct slice folder_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return (struct slice){ path, slash ? (size_t)(slash + 1 - path) : 0 };
}

/* The i-th file, when it lies where the model is. */
static bool get(const struct resolving *r, size_t i, struct file_name *out)
{
	return slice_is(folder_of(r->names[i]), r->folder) &&
	       name_parse(r->names[i], out);
}

static bool is_below(struct slice name, struct slice model)
{
	return name.n > model.n && name.p[model.n] == '.' &&
	       !memcmp(name.p, model.p, model.n);
}

/* ---- where, and of which model ---------------------------------------------- */

static int find_folder(struct resolving *r)
{
	struct choice c = { .run = r->loader->run, .stage = r->loader->stage,
			    .model = r->loader->model };
	bool found = false;

	for (size_t i = 0; i < r->n; i++) {
		if (!choice_takes(&c, r->names[i]))
			continue;
		if (found && !slice_is(folder_of(r->names[i]), r->folder))
			return ferry_fail(r->err, FERRY_MISUSE, ORIGIN,
					  FERRY_NO_OFFSET, "the run has several "
					  "stages, and a loader reads of one: "
					  "choose with --set stage=NAME or "
					  "run=NAME");
		r->folder = folder_of(r->names[i]);
		found = true;
	}
	return found ? 0 :
	       ferry_fail(r->err, FERRY_NOTFOUND, ORIGIN, FERRY_NO_OFFSET,
			  "the run has no file that model, stage and run take: "
			  "ferry inspect lists them");
}

/* The one name before all dots, of trainers or else of models: of a trainer it
 * is the whole model's. */
static bool one_root(const struct resolving *r, enum part part,
		     struct slice *out)
{
	struct slice root = { NULL, 0 };
	struct file_name name;
	size_t dot;

	for (size_t i = 0; i < r->n; i++) {
		if (!get(r, i, &name) || name.part != part)
			continue;
		dot = slice_find(name.model, slice_of("."), 0);
		if (dot != SIZE_MAX)
			name.model.n = dot;
		if (root.p && !slice_is(root, name.model))
			return false;
		root = name.model;
	}
	*out = root;
	return root.p;
}

static int find_model(struct resolving *r)
{
	if (r->loader->model)
		r->model = slice_of(r->loader->model);
	else if (!one_root(r, PART_TRAINER, &r->model) &&
		 !one_root(r, PART_MODEL, &r->model))
		return ferry_fail(r->err, FERRY_MISUSE, ORIGIN, FERRY_NO_OFFSET,
				  "the run has several models, and a loader "
				  "reads one: choose with --set model=NAME");
	return 0;
}

/* ---- the tag ------------------------------------------------------------------- */

/* "E10_U200": neither one part nor all. */
static bool is_two_parts(struct slice tag)
{
	size_t n = slice_find(tag, slice_of("_"), 0);
	struct slice a = tag, b = tag, digits;
	int first, second;

	if (n == SIZE_MAX)
		return false;
	a.n = n;
	b.p += n + 1;
	b.n -= n + 1;
	return iteration_minimal(a, &first, &digits) &&
	       iteration_minimal(b, &second, &digits);
}

static int find_tag(struct resolving *r)
{
	const char *text = r->loader->tag;
	struct slice digits;
	char shown[80];
	int which;

	if (!text && !r->loader->resumes)
		return ferry_fail(r->err, FERRY_MISUSE, ORIGIN, FERRY_NO_OFFSET,
				  "a PreviousRunInitializer is told the tag: "
				  "give it with --set tag=TAG");
	r->tag = slice_of(text ? text : "latest");
	if (is_two_parts(r->tag))
		return ferry_fail(r->err, FERRY_MISUSE, ORIGIN, FERRY_NO_OFFSET,
				  "tag '%s' has two of epoch, update and "
				  "sample, which no loader takes: give one, or "
				  "all three", ferry_escape(shown, sizeof(shown),
							    r->tag.p,
							    r->tag.n));
	if (!r->loader->resumes || !r->tag.n || !strchr("EUS", r->tag.p[0]) ||
	    iteration_minimal(r->tag, &which, &digits) || !r->notes)
		return 0;
	if (ferry_findings_add(r->notes, FERRY_WARNING, "resume-tag", "",
			       FERRY_NO_OFFSET, "noether's command line takes "
			       "a tag that begins with E, U or S for a number "
			       "behind the letter, and refuses '%s' to resume "
			       "from; its configuration takes it",
			       ferry_escape(shown, sizeof(shown), r->tag.p,
					    r->tag.n)))
		return ferry_fail_nomem(r->err, "findings");
	return 0;
}

/* ---- files by name ----------------------------------------------------------------- */

/* The file of that very name, in either grammar; SIZE_MAX when there is none.
 * *wanted is what the head calls it. */
static size_t find_file(struct resolving *r, const struct file_name *name,
			char **wanted)
{
	size_t found = SIZE_MAX;
	const char *file;
	char *spelled;

	for (int old = 0; old < 2 && found == SIZE_MAX; old++) {
		spelled = name_build(r->store, name, !old);
		if (!old)
			*wanted = spelled;
		for (size_t i = 0; spelled && i < r->n; i++) {
			file = r->names[i] + r->folder.n;
			if (slice_is(folder_of(r->names[i]), r->folder) &&
			    !strcmp(file, spelled))
				found = i;
		}
	}
	return found;
}

/* A file that must be there. */
static int need_file(struct resolving *r, const struct file_name *name)
{
	char *wanted = NULL, shown[200];
	size_t i = find_file(r, name, &wanted);

	if (i != SIZE_MAX) {
		r->taken[i] = true;
		return 0;
	}
	return wanted ? ferry_fail(r->err, FERRY_NOTFOUND, ORIGIN,
				   FERRY_NO_OFFSET, "a %s reads '%s', and there "
				   "is none: choose another tag or model",
				   loader_name(r),
				   ferry_escape(shown, sizeof(shown), wanted,
						strlen(wanted))) :
	       ferry_fail_nomem(r->err, "a name");
}

/* "best." is what pages of documentation call "best_model.". */
static struct slice full_tag(struct resolving *r)
{
	struct ferry_buffer b = FERRY_BUFFER_INIT;
	struct slice out = r->tag;
	char *text;

	if (!slice_starts(r->tag, "best."))
		return out;
	ferry_buffer_add_str(&b, "best_model.");
	ferry_buffer_add(&b, r->tag.p + 5, r->tag.n - 5);
	text = b.failed ? NULL : ferry_store_strndup(r->store, b.data, b.n);
	ferry_buffer_release(&b);
	return text ? slice_of(text) : out;
}

/* An iteration of which one part is given: that of the first file by byte. */
static bool find_iteration(struct resolving *r, struct slice model,
			   struct slice *out)
{
	struct slice digits;
	struct iteration it;
	struct file_name name;
	int which;

	if (!iteration_minimal(r->tag, &which, &digits))
		return false;
	for (size_t i = 0; i < r->n; i++) {
		if (!get(r, i, &name) || name.part != PART_MODEL ||
		    name.ema.n || !slice_is(name.model, model) ||
		    !iteration_find(name.tag, &it) ||
		    !slice_is(it.digits[which], digits))
			continue;
		*out = it.text;
		return true;
	}
	return false;
}

/* ---- what is read --------------------------------------------------------------------- */

/* Averages are kept up to date under the tag "latest" alone. */
static void take_averages(struct resolving *r, struct slice model)
{
	struct file_name name;

	for (size_t i = 0; i < r->n; i++)
		if (get(r, i, &name) && name.part == PART_MODEL &&
		    name.ema.n && slice_is(name.model, model) &&
		    slice_is(name.tag, slice_of("latest")))
			r->taken[i] = true;
}

static int take_part(struct resolving *r, struct slice model)
{
	struct file_name name = { .model = model, .tag = full_tag(r),
				  .info = r->info, .part = PART_MODEL };
	char *wanted;
	size_t i;
	int rc;

	find_iteration(r, model, &name.tag);
	rc = need_file(r, &name);
	if (rc || !r->loader->resumes)
		return rc;
	name.info = slice_of("");
	name.part = PART_OPTIM;
	i = find_file(r, &name, &wanted);
	if (i != SIZE_MAX)
		r->taken[i] = true;
	take_averages(r, model);
	return 0;
}

static int take_trainer(struct resolving *r)
{
	struct file_name name = { .model = r->model, .tag = full_tag(r),
				  .part = PART_TRAINER };
	size_t dot = slice_find(r->model, slice_of("."), 0);
	struct file_name part;

	for (size_t i = 0; i < r->n; i++)
		if (r->taken[i] && get(r, i, &part) &&
		    part.part == PART_MODEL && !part.ema.n)
			find_iteration(r, part.model, &name.tag);
	if (dot != SIZE_MAX)
		name.model.n = dot;
	return need_file(r, &name);
}

/* Names of parts, but not "<part>_<other information>". */
static bool is_part(const struct resolving *r, struct slice model)
{
	struct slice rest;
	struct file_name name;

	for (size_t i = 0; i < r->n; i++) {
		if (!get(r, i, &name) || name.part != PART_MODEL ||
		    name.model.n >= model.n ||
		    memcmp(name.model.p, model.p, name.model.n))
			continue;
		rest = (struct slice){ model.p + name.model.n,
				       model.n - name.model.n };
		if (slice_starts(rest, "_"))
			return false;
	}
	return true;
}

static int take_parts(struct resolving *r)
{
	struct ferry_map seen = FERRY_MAP_INIT;
	struct file_name name;
	bool any = false;
	int rc = 0;

	for (size_t i = 0; i < r->n && !rc; i++) {
		if (!get(r, i, &name) || name.part != PART_MODEL ||
		    !is_below(name.model, r->model) ||
		    ferry_map_get(&seen, name.model.p, name.model.n, NULL))
			continue;
		if (seen.n == PARTS_MOST)
			rc = ferry_fail(r->err, FERRY_LIMIT, ORIGIN,
					FERRY_NO_OFFSET, "the model has more "
					"than %d parts", PARTS_MOST);
		else if (ferry_map_put(&seen, name.model.p, name.model.n, 1))
			rc = ferry_fail_nomem(r->err, "a run");
		else if (is_part(r, name.model))
			rc = take_part(r, name.model);
		any = true;
	}
	ferry_map_release(&seen);
	return rc || any ? rc : take_part(r, r->model);
}

/* A model that is no composite has files of its own name. */
static bool has_own(const struct resolving *r)
{
	struct file_name name;

	for (size_t i = 0; i < r->n; i++)
		if (get(r, i, &name) && name.part == PART_MODEL &&
		    slice_is(name.model, r->model))
			return true;
	return false;
}

int loader_files(struct ferry_store *store, const struct loader *loader,
		 const char *const *names, size_t n, bool *taken,
		 struct ferry_findings *notes, struct ferry_error *err)
{
	struct resolving r = {
		.store = store, .loader = loader, .names = names, .n = n,
		.taken = taken, .notes = notes, .err = err,
		.info = slice_of(loader->info ? loader->info : ""),
	};
	int rc = find_folder(&r);

	if (!rc)
		rc = find_model(&r);
	if (!rc)
		rc = find_tag(&r);
	if (!rc)
		rc = has_own(&r) ? take_part(&r, r.model) : take_parts(&r);
	return rc || !loader->resumes ? rc : take_trainer(&r);
}

int loader_asked(const struct ferry_options *options, struct loader *out,
		 struct ferry_error *err)
{
	const char *kind = ferry_option(options, "loader");
	char shown[80];

	*out = (struct loader){
		.resumes = !strcmp(kind, "resume"),
		.run = ferry_option(options, "run"),
		.stage = ferry_option(options, "stage"),
		.model = ferry_option(options, "model"),
		.info = ferry_option(options, "info"),
		.tag = ferry_option(options, "tag"),
	};
	if (out->resumes || !strcmp(kind, "previous-run"))
		return 0;
	return ferry_fail(err, FERRY_MISUSE, ORIGIN, FERRY_NO_OFFSET,
			  "option loader is '%s': give resume or previous-run",
			  ferry_escape(shown, sizeof(shown), kind,
				       strlen(kind)));
}
