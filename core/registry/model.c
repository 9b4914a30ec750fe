/* Models: rule files below the schema directories, known by their `name`. */
#include "config.h"

#include "core/registry/registry.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <ferry/handling.h>

#include "core/handling/yaml_file.h"

#define DEEPEST 8	/* folders below handling/ */

static char *keep_text(struct ferry_session *s, const char *text)
{
	return text ? ferry_store_strndup(s->store, text, strlen(text)) : NULL;
}

static int add_model(struct ferry_session *s, struct ferry__yaml *y,
		     const char *file, struct ferry_error *err)
{
	yaml_node_t *root = ferry__yaml_root(y);
	const char *name = ferry__yaml_text(ferry__yaml_get(y, root, "name"));
	const char *text = ferry__yaml_text(ferry__yaml_get(y, root,
							    "description"));
	struct ferry_known row = { .name = NULL };

	if (!name || !*name)
		return ferry__yaml_fail(y, root, err, "a rule file of a model "
					"needs a name: add `name: ...`");
	if (ferry__row_named(s, FERRY_KNOWN_MODELS, name))
		return 0;
	row.name = keep_text(s, name);
	row.file = keep_text(s, file);
	row.description = keep_text(s, text);
	row.title = row.description;
	if (!row.name || !row.file || (text && !row.description))
		return ferry_fail_nomem(err, "a model");
	return ferry__add_row(s, FERRY_KNOWN_MODELS, &row, err);
}

static int load_model(struct ferry_session *s, const char *file,
		      struct ferry_error *err)
{
	struct ferry_error why = FERRY_ERROR_INIT;
	struct ferry__yaml y;
	int rc = ferry__yaml_load(&y, file, &why);

	if (!rc) {
		rc = add_model(s, &y, file, &why);
		ferry__yaml_release(&y);
	}
	if (rc == FERRY_NOMEM)
		return ferry_fail_nomem(err, "a model");
	if (rc)
		rc = ferry_findings_add(s->findings, FERRY_WARNING,
					"model-refused", file, FERRY_NO_OFFSET,
					"%s", why.text);
	return rc;
}

static int keep_visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static bool is_yaml(const char *name)
{
	size_t n = strlen(name);

	return n > 5 && !strcmp(name + n - 5, ".yaml");
}

/* What is not a rule file is tried as a folder; a plain file is neither. */
static int load_folder(struct ferry_session *s, const char *dir,
		       unsigned depth, struct ferry_error *err)
{
	struct ferry_buffer path = FERRY_BUFFER_INIT;
	struct dirent **entries;
	int n = depth <= DEEPEST ? scandir(dir, &entries, keep_visible,
					   by_bytes) : 0;
	int rc = 0;

	if (n < 0 && errno == ENOMEM)
		return ferry_fail_nomem(err, "a schema directory");
	for (int i = 0; i < n; i++) {
		path.n = 0;
		if (!rc)
			ferry_buffer_printf(&path, "%s/%s", dir,
					    entries[i]->d_name);
		if (path.failed)
			rc = ferry_fail_nomem(err, "a schema directory");
		if (!rc)
			rc = is_yaml(entries[i]->d_name) ?
			     load_model(s, path.data, err) :
			     load_folder(s, path.data, depth + 1, err);
		free(entries[i]);
	}
	if (n >= 0 && depth <= DEEPEST)
		free(entries);
	ferry_buffer_release(&path);
	return rc;
}

int ferry__load_models(struct ferry_session *s, struct ferry_error *err)
{
	struct ferry_buffer path = FERRY_BUFFER_INIT;
	int rc = 0;

	for (size_t i = 0; i < s->n_schema_dirs && !rc; i++) {
		path.n = 0;
		ferry_buffer_printf(&path, "%s/handling", s->schema_dirs[i]);
		rc = path.failed ? ferry_fail_nomem(err, "the schema path") :
		     load_folder(s, path.data, 0, err);
	}
	ferry_buffer_release(&path);
	return rc;
}

int ferry_rules_load_model(struct ferry_rules *r, struct ferry_session *s,
			   const char *name, const char *const *settings,
			   size_t n, struct ferry_error *err)
{
	const struct ferry_known *model = ferry_session_find(
		s, FERRY_KNOWN_MODELS, name);
	struct ferry_store *store;
	int rc;

	if (!model)
		return ferry__fail_unknown(s, FERRY_KNOWN_MODELS, "model", name,
					   err);
	rc = ferry_store_new(&store, err);
	if (rc)
		return rc;
	rc = ferry__store_know(store, s, err);
	if (!rc)
		rc = ferry_rules_load_for(r, model->file, store, settings, n,
					  err);
	ferry_store_unref(store);
	return rc;
}
