/*
 * The files of a run, and which of them are wanted.
 *
 * A run's document is {"run_id": text or None, "stages": {stage: {file name:
 * content}}}, a stage being the directories before "checkpoints".
 */
#include "config.h"

#include "plugins/ksuit/ksuit.h"

#include <stdio.h>
#include <stdlib.h>

#define FOLDER "checkpoints/"
#define TAGS_SHOWN 200		/* bytes of a message */

bool stage_of(const char *path, struct slice *out)
{
	const char *slash = strrchr(path, '/');
	size_t n = slash ? (size_t)(slash + 1 - path) : 0;
	size_t folder = strlen(FOLDER);
	struct file_name name;

	*out = slice_of("");
	if (!name_parse(path, &name))
		return false;
	if (!n)
		return true;
	if (n < folder || memcmp(path + n - folder, FOLDER, folder) ||
	    (n > folder && path[n - folder - 1] != '/'))
		return false;
	if (n > folder)
		*out = (struct slice){ path, n - folder - 1 };
	return true;
}

/* As the framework makes them: 2026-02-01_ab12c. */
bool is_run_id(const char *name)
{
	static const char form[] = "0000-00-00_aaaaa";

	if (strlen(name) != sizeof(form) - 1)
		return false;
	for (size_t i = 0; form[i]; i++) {
		bool digit = name[i] >= '0' && name[i] <= '9';
		bool letter = name[i] >= 'a' && name[i] <= 'z';

		if (form[i] == '0' ? !digit : form[i] == 'a' ?
		    !digit && !letter : name[i] != form[i])
			return false;
	}
	return true;
}

/* ---- what is asked for ------------------------------------------------------------ */

static bool is_part(struct slice s, const char *wanted, bool last)
{
	struct slice w = slice_of(wanted);

	if (slice_is(s, w))
		return true;
	if (s.n <= w.n)
		return false;
	if (last)
		return s.p[s.n - w.n - 1] == '/' &&
		       !memcmp(s.p + s.n - w.n, w.p, w.n);
	return s.p[w.n] == '/' && !memcmp(s.p, w.p, w.n);
}

/* The model's own files, and those of what it is made of. */
static bool is_model(struct slice name, const char *wanted)
{
	size_t n = strlen(wanted);

	return name.n >= n && !memcmp(name.p, wanted, n) &&
	       (name.n == n || name.p[n] == '.');
}

/* v1 wrote other information behind the tag. */
static bool is_tag(struct slice tag, struct slice wanted)
{
	return tag_equal(tag, wanted) ||
	       (tag.n > wanted.n && tag.p[wanted.n] == '_' &&
		!memcmp(tag.p, wanted.p, wanted.n) &&
		!(slice_starts(wanted, "best")));
}

static bool takes(const struct choice *c, const char *path,
		  struct file_name *name)
{
	struct slice stage;

	if (!name_parse(path, name) || !stage_of(path, &stage))
		return false;
	return (!c->stage || is_part(stage, c->stage, true)) &&
	       (!c->run || is_part(stage, c->run, false)) &&
	       (!c->model || is_model(name->model, c->model));
}

bool choice_takes(const struct choice *c, const char *path)
{
	struct file_name name;

	return takes(c, path, &name) && (!c->tag.p || is_tag(name.tag, c->tag));
}

static int no_such(const struct choice *c, const char *wanted,
		   const char *const *names, size_t n, struct ferry_error *err)
{
	char shown[80], tags[TAGS_SHOWN + 80] = "", tag[80];
	struct slice last = { NULL, 0 };
	struct file_name name;
	size_t used = 0;

	for (size_t i = 0; i < n && used < TAGS_SHOWN; i++) {
		if (!takes(c, names[i], &name) || slice_is(last, name.tag))
			continue;
		last = name.tag;
		ferry_escape(tag, sizeof(tag), last.p, last.n);
		if (!strstr(tags, tag))
			used += (size_t)snprintf(tags + used,
						 sizeof(tags) - used, "%s%s",
						 used ? ", " : "", tag);
	}
	ferry_escape(shown, sizeof(shown), wanted ? wanted : "",
		     wanted ? strlen(wanted) : 0);
	if (!used)
		return ferry_fail(err, FERRY_NOTFOUND, ORIGIN, FERRY_NO_OFFSET,
				  "the run has no file that model, stage and "
				  "run take: ferry inspect lists them");
	return ferry_fail(err, FERRY_NOTFOUND, ORIGIN, FERRY_NO_OFFSET,
			  "the run has no file of tag '%s'; it has %s%s", shown,
			  tags, used < TAGS_SHOWN ? "" : ", ...");
}

/* The first name, by byte, that has an iteration with the part asked for. */
static bool find_minimal(const struct choice *c, int which, struct slice digits,
			 const char *const *names, size_t n, struct slice *out)
{
	struct file_name name;
	struct iteration it;

	for (size_t i = 0; i < n; i++) {
		if (!takes(c, names[i], &name) ||
		    !iteration_at(name.tag, &it) ||
		    !slice_is(it.digits[which], digits))
			continue;
		*out = it.text;
		return true;
	}
	return false;
}

static bool find_exact(const struct choice *c, struct slice wanted,
		       const char *const *names, size_t n, struct slice *out)
{
	struct file_name name;

	*out = wanted;
	for (size_t i = 0; i < n; i++)
		if (takes(c, names[i], &name) && is_tag(name.tag, wanted))
			return true;
	return false;
}

int choice_make(struct choice *out, const struct ferry_options *options,
		const char *const *names, size_t n, struct ferry_error *err)
{
	const char *tag = ferry_option(options, "tag");
	struct slice digits;
	struct file_name name;
	size_t i = 0;
	bool found;
	int which;

	*out = (struct choice){
		.run = ferry_option(options, "run"),
		.stage = ferry_option(options, "stage"),
		.model = ferry_option(options, "model"),
	};
	if (!tag) {
		while (i < n && !takes(out, names[i], &name))
			i++;
		return i < n ? 0 : no_such(out, NULL, names, n, err);
	}
	if (iteration_minimal(slice_of(tag), &which, &digits))
		found = find_minimal(out, which, digits, names, n, &out->tag);
	else
		found = find_exact(out, slice_of(tag), names, n, &out->tag);
	return found ? 0 : no_such(out, tag, names, n, err);
}

int files_chosen(struct ferry_store *store,
		 const struct ferry_options *options, const char *const *names,
		 size_t n, bool **out, struct ferry_findings *notes,
		 struct ferry_error *err)
{
	bool *taken = ferry_store_array(store, n + 1, sizeof(*taken));
	struct choice choice;
	struct loader loader;
	int rc;

	*out = taken;
	if (!taken)
		return ferry_fail_nomem(err, "a run");
	memset(taken, 0, (n + 1) * sizeof(*taken));
	if (ferry_option(options, "loader")) {
		rc = loader_asked(options, &loader, err);
		return rc ? rc : loader_files(store, &loader, names, n, taken,
					      notes, err);
	}
	rc = choice_make(&choice, options, names, n, err);
	for (size_t i = 0; i < n && !rc; i++)
		taken[i] = choice_takes(&choice, names[i]);
	return rc;
}

/* ---- a document's files -------------------------------------------------------------- */

char *run_path(struct ferry_store *store, struct slice stage, const char *file)
{
	struct ferry_buffer b = FERRY_BUFFER_INIT;
	char *out;

	ferry_buffer_add(&b, stage.p, stage.n);
	if (stage.n)
		ferry_buffer_add_str(&b, "/");
	ferry_buffer_printf(&b, FOLDER "%s", file);
	out = b.failed ? NULL : ferry_store_strndup(store, b.data, b.n);
	ferry_buffer_release(&b);
	return out;
}

static struct ferry_value *stages_of(struct ferry_value *root)
{
	struct ferry_value *stages = root->kind == FERRY_DICT ?
				     ferry_dict_get(root, "stages") : NULL;

	return stages && stages->kind == FERRY_DICT &&
	       ferry_dict_get(root, "run_id") ? stages : NULL;
}

static bool is_file(const struct ferry_pair *pair)
{
	struct slice text = text_of(pair->key);
	struct file_name name;
	char path[300];

	if (!text.p || !text.n || text.n >= sizeof(path) ||
	    memchr(text.p, '/', text.n) || memchr(text.p, '\0', text.n))
		return false;
	memcpy(path, text.p, text.n);
	path[text.n] = '\0';
	return name_parse(path, &name);
}

bool is_run(struct ferry_value *root)
{
	const struct ferry_value *stages = stages_of(root), *files;
	bool any = false;

	for (uint32_t i = 0; stages && i < stages->u.dict.n; i++) {
		files = stages->u.dict.pairs[i].value;
		if (files->kind != FERRY_DICT ||
		    stages->u.dict.pairs[i].key->kind != FERRY_STRING)
			return false;
		for (uint32_t k = 0; k < files->u.dict.n; k++)
			if (!is_file(&files->u.dict.pairs[k]))
				return false;
		any |= files->u.dict.n;
	}
	return any;
}

static size_t count_files(const struct ferry_value *stages)
{
	size_t n = 0;

	for (uint32_t i = 0; i < stages->u.dict.n; i++)
		n += stages->u.dict.pairs[i].value->u.dict.n;
	return n;
}

static int add_file(struct ferry_store *store, struct slice stage,
		    const struct ferry_pair *pair, struct run_file *out)
{
	struct slice text = text_of(pair->key), tag;
	char *file = ferry_store_strndup(store, text.p, text.n);
	char *path = file ? run_path(store, stage, file) : NULL;

	if (!path)
		return FERRY_NOMEM;
	*out = (struct run_file){ .path = path, .stage = stage,
				  .root = pair->value };
	name_parse(path, &out->name);
	tag = text_of(field(pair->value, "checkpoint_tag"));
	if (tag.p)
		name_split_info(&out->name, tag);
	return 0;
}

int run_files(struct ferry_store *store, struct ferry_value *root,
	      struct run_files *out, struct ferry_error *err)
{
	const struct ferry_value *stages = stages_of(root), *files;
	int rc = 0;

	*out = (struct run_files){ .n = 0 };
	if (!is_run(root))
		return ferry_fail(err, FERRY_MALFORMED, ORIGIN, FERRY_NO_OFFSET,
				  "the document is no run: it has no 'stages' "
				  "of files <model>_cp=<tag>_model.th and "
				  "their like");
	out->items = ferry_store_array(store, count_files(stages),
				       sizeof(*out->items));
	rc = out->items ? 0 : FERRY_NOMEM;
	for (uint32_t i = 0; i < stages->u.dict.n && !rc; i++) {
		files = stages->u.dict.pairs[i].value;
		for (uint32_t k = 0; k < files->u.dict.n && !rc; k++)
			rc = add_file(store,
				      text_of(stages->u.dict.pairs[i].key),
				      &files->u.dict.pairs[k],
				      &out->items[out->n++]);
	}
	return rc ? ferry_fail_nomem(err, "a run") : 0;
}

int run_files_choose(struct ferry_store *store, struct run_files *files,
		     const struct ferry_options *options,
		     struct ferry_error *err)
{
	const char **names = ferry_store_array(store, files->n, sizeof(*names));
	bool *taken;
	size_t n = 0;
	int rc;

	if (!names)
		return ferry_fail_nomem(err, "a run");
	for (size_t i = 0; i < files->n; i++)
		names[i] = files->items[i].path;
	rc = files_chosen(store, options, names, files->n, &taken, NULL, err);
	if (rc)
		return rc;
	for (size_t i = 0; i < files->n; i++)
		if (taken[i])
			files->items[n++] = files->items[i];
	files->n = n;
	return 0;
}

/* ---- a document of files ---------------------------------------------------------------- */

static struct ferry_value *id_of(const struct run_files *files)
{
	struct ferry_value *id = NULL, *found;

	for (size_t i = 0; i < files->n; i++) {
		found = field(files->items[i].root, "run_id");
		if (!found || found->kind != FERRY_STRING)
			continue;
		if (id && !slice_is(text_of(id), text_of(found)))
			return ferry_none();
		id = found;
	}
	return id ? id : ferry_none();
}

static struct ferry_value *stage_dict(struct ferry_store *store,
				      struct ferry_value *stages,
				      struct slice stage)
{
	struct ferry_value *key = ferry_string(store, stage.p, stage.n);
	struct ferry_value *dict = key ? ferry_dict_find(stages, key) : NULL;

	if (dict || !key)
		return dict;
	dict = ferry_dict(store, 0);
	return dict && !ferry_dict_set(store, stages, key, dict) ? dict : NULL;
}

static int by_path(const void *a, const void *b)
{
	const struct run_file *x = a, *y = b;

	return strcmp(x->path, y->path);
}

/* As a reader finds them: by byte. */
static struct run_file *sorted(struct ferry_store *store,
			       const struct run_files *files)
{
	struct run_file *items = ferry_store_array(store, files->n + 1,
						   sizeof(*items));

	if (!items || !files->n)
		return items;
	memcpy(items, files->items, files->n * sizeof(*items));
	qsort(items, files->n, sizeof(*items), by_path);
	return items;
}

int run_make(struct ferry_store *store, const struct run_files *files,
	     struct ferry_value **out, struct ferry_error *err)
{
	struct ferry_value *root = ferry_dict(store, 2), *dict;
	struct ferry_value *stages = ferry_dict(store, 0);
	struct run_file *items = sorted(store, files);
	int rc = root && stages && items ? 0 : FERRY_NOMEM;
	const char *file;

	if (!rc)
		rc = files_apart(store, items, files->n, err);
	if (!rc)
		rc = ferry_dict_set_str(store, root, "run_id", id_of(files));
	if (!rc)
		rc = ferry_dict_set_str(store, root, "stages", stages);
	for (size_t i = 0; i < files->n && !rc; i++) {
		file = strrchr(items[i].path, '/');
		file = file ? file + 1 : items[i].path;
		dict = stage_dict(store, stages, items[i].stage);
		if (dict && ferry_dict_get(dict, file))
			return ferry_fail(err, FERRY_UNSUPPORTED, ORIGIN,
					  FERRY_NO_OFFSET, "two files of the "
					  "run would be called %.200s", file);
		rc = dict ? ferry_dict_set_str(store, dict, file,
					       items[i].root) :
		     FERRY_NOMEM;
	}
	*out = root;
	return rc ? ferry_fail_nomem(err, "a run") : 0;
}
