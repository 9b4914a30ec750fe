/* Data files of plugins: below the schema directories, by name. */
#include "config.h"

#include "core/registry/registry.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <ferry/sys/alloc.h>

#include "core/io/target.h"
#include "core/model/store.h"

#ifndef SCHEMADIR
#define SCHEMADIR ""
#endif

struct directories {
	const char *const *paths;
	size_t n;
	struct ferry_store *own;	/* NULL: borrowed from a store */
};

int ferry__schema_dirs(struct ferry_store *store, const char *given,
		       const char ***out, size_t *n, struct ferry_error *err)
{
	struct ferry_buffer path = FERRY_BUFFER_INIT;
	int rc;

	if (!given)
		given = secure_getenv("FERRY_SCHEMA_PATH");
	ferry_buffer_printf(&path, "%s:%s", given ? given : "", SCHEMADIR);
	rc = path.failed ? ferry_fail_nomem(err, "the schema path") :
	     ferry__split_path(store, path.data, out, n, err);
	ferry_buffer_release(&path);
	return rc;
}

int ferry__store_know(struct ferry_store *store, const struct ferry_session *s,
		      struct ferry_error *err)
{
	const char **dirs;

	if (store->schema_dirs)
		return 0;
	dirs = ferry_store_array(store, s->n_schema_dirs + 1, sizeof(*dirs));
	if (!dirs)
		return ferry_fail_nomem(err, "the schema path");
	for (size_t i = 0; i < s->n_schema_dirs; i++) {
		dirs[i] = ferry_store_strndup(store, s->schema_dirs[i],
					      strlen(s->schema_dirs[i]));
		if (!dirs[i])
			return ferry_fail_nomem(err, "the schema path");
	}
	store->schema_dirs = dirs;
	store->n_schema_dirs = s->n_schema_dirs;
	return 0;
}

static int directories_of(const struct ferry_store *store,
			  struct directories *out, struct ferry_error *err)
{
	const char **paths;
	int rc;

	*out = (struct directories){ .paths = NULL };
	if (store && store->schema_dirs) {
		out->paths = store->schema_dirs;
		out->n = store->n_schema_dirs;
		return 0;
	}
	rc = ferry_store_new(&out->own, err);
	if (!rc)
		rc = ferry__schema_dirs(out->own, NULL, &paths, &out->n, err);
	if (rc) {
		ferry_store_unref(out->own);
		return rc;
	}
	out->paths = paths;
	return 0;
}

static int fail_name(const char *name, struct ferry_error *err)
{
	char shown[256];

	ferry_escape(shown, sizeof(shown), name, strlen(name));
	return ferry_fail(err, FERRY_MISUSE, "schema", FERRY_NO_OFFSET,
			  "schema name '%s' leaves the schema directories; a "
			  "name below them is expected", shown);
}

static int fail_absent(const struct directories *dirs, const char *name,
		       struct ferry_error *err)
{
	struct ferry_buffer list = FERRY_BUFFER_INIT;
	char shown[256];

	for (size_t i = 0; i < dirs->n; i++)
		ferry_buffer_printf(&list, "%s%s", i ? ", " : "",
				    dirs->paths[i]);
	ferry_escape(shown, sizeof(shown), name, strlen(name));
	ferry_fail(err, FERRY_NOTFOUND, "schema", FERRY_NO_OFFSET,
		   "%s is in none of the schema directories (%.400s): set "
		   "FERRY_SCHEMA_PATH or install ferry", shown,
		   list.n ? list.data : "none is set");
	ferry_buffer_release(&list);
	return FERRY_NOTFOUND;
}

/* NOTFOUND, with nothing filled in, when no directory has it. */
static int open_first(const struct directories *dirs, const char *name,
		      struct ferry_source **out, struct ferry_error *err)
{
	struct ferry_buffer path = FERRY_BUFFER_INIT;
	struct ferry_error why;
	int rc = FERRY_NOTFOUND;

	for (size_t i = 0; i < dirs->n && rc == FERRY_NOTFOUND; i++) {
		path.n = 0;
		ferry_error_clear(&why);
		ferry_buffer_printf(&path, "%s/%s", dirs->paths[i], name);
		rc = path.failed ? ferry_fail_nomem(&why, "a schema") :
		     ferry_source_open_file(out, path.data, &why);
	}
	if (rc && rc != FERRY_NOTFOUND)
		ferry_fail(err, rc, why.origin, why.offset, "%s", why.text);
	ferry_buffer_release(&path);
	return rc;
}

int ferry_schema_open(const struct ferry_store *store, const char *name,
		      struct ferry_source **out, struct ferry_error *err)
{
	struct directories dirs;
	int rc;

	if (!ferry_stays_inside(name))
		return fail_name(name, err);
	rc = directories_of(store, &dirs, err);
	if (rc)
		return rc;
	rc = open_first(&dirs, name, out, err);
	if (rc == FERRY_NOTFOUND)
		fail_absent(&dirs, name, err);
	ferry_store_unref(dirs.own);
	return rc;
}

/* ---- listing ------------------------------------------------------------- */

struct listing {
	struct ferry_store *store;
	const char **names;
	size_t n, cap;
};

static int keep_name(struct listing *l, const char *name,
		     struct ferry_error *err)
{
	size_t cap = l->cap ? 2 * l->cap : 16;
	const char **names;

	if (l->n == FERRY_DIRECTORY_MOST)
		return ferry_fail(err, FERRY_LIMIT, "schema", FERRY_NO_OFFSET,
				  "a schema directory has more than %d files",
				  FERRY_DIRECTORY_MOST);
	if (l->n == l->cap) {
		names = ferry_alloc_resize(l->names, cap, sizeof(*names));
		if (!names)
			return ferry_fail_nomem(err, "a list of schemas");
		l->names = names;
		l->cap = cap;
	}
	l->names[l->n] = ferry_store_strndup(l->store, name, strlen(name));
	if (!l->names[l->n])
		return ferry_fail_nomem(err, "a list of schemas");
	l->n++;
	return 0;
}

static bool is_file(DIR *dir, const struct dirent *entry)
{
	struct stat st;

	return entry->d_name[0] != '.' &&
	       !fstatat(dirfd(dir), entry->d_name, &st, 0) &&
	       S_ISREG(st.st_mode);
}

static int list_one(struct listing *l, const char *root, const char *directory,
		    struct ferry_error *err)
{
	struct ferry_buffer path = FERRY_BUFFER_INIT;
	const struct dirent *entry;
	DIR *dir;
	int rc = 0;

	ferry_buffer_printf(&path, "%s/%s", root, directory);
	dir = path.failed ? NULL : opendir(path.data);
	if (path.failed || (!dir && errno == ENOMEM))
		rc = ferry_fail_nomem(err, "a schema directory");
	else if (!dir && errno != ENOENT && errno != ENOTDIR)
		rc = ferry_fail_errno(err, errno, "schema directory %s",
				      path.data);
	while (dir && !rc && (entry = readdir(dir)))
		if (is_file(dir, entry))
			rc = keep_name(l, entry->d_name, err);
	if (dir)
		closedir(dir);
	ferry_buffer_release(&path);
	return rc;
}

static int by_bytes(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static size_t drop_repeats(const char **names, size_t n)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++)
		if (!kept || strcmp(names[kept - 1], names[i]))
			names[kept++] = names[i];
	return kept;
}

static int list_all(struct listing *l, const char *directory,
		    const char *const **names, size_t *n,
		    struct ferry_error *err)
{
	struct directories dirs;
	const char **kept;
	int rc = directories_of(l->store, &dirs, err);

	if (rc)
		return rc;
	for (size_t i = 0; i < dirs.n && !rc; i++)
		rc = list_one(l, dirs.paths[i], directory, err);
	ferry_store_unref(dirs.own);
	if (rc)
		return rc;
	if (l->n)
		qsort(l->names, l->n, sizeof(*l->names), by_bytes);
	*n = drop_repeats(l->names, l->n);
	kept = ferry_store_array(l->store, *n + 1, sizeof(*kept));
	if (!kept)
		return ferry_fail_nomem(err, "a list of schemas");
	if (*n)
		memcpy(kept, l->names, *n * sizeof(*kept));
	kept[*n] = NULL;
	*names = kept;
	return 0;
}

int ferry_schema_list(struct ferry_store *store, const char *directory,
		      const char *const **names, size_t *n,
		      struct ferry_error *err)
{
	struct listing l = { .store = store };
	int rc;

	if (!ferry_stays_inside(directory))
		return fail_name(directory, err);
	rc = list_all(&l, directory, names, n, err);
	ferry_alloc_free(l.names);
	return rc;
}

/* ---- names that are like another ------------------------------------------ */

static int is_yaml(const struct dirent *entry)
{
	size_t n = strlen(entry->d_name);

	return n > 5 && !strcmp(entry->d_name + n - 5, ".yaml");
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

/* The YAML files of a directory, as "prefix" and their names. */
static void offer_files(struct ferry__nearest *near, const char *dir,
			const char *prefix)
{
	struct ferry_buffer text = FERRY_BUFFER_INIT;
	struct dirent **entries = NULL;
	int n = scandir(dir, &entries, is_yaml, by_name);

	for (int i = 0; i < n; i++) {
		text.n = 0;
		ferry_buffer_printf(&text, "%s%.*s", prefix,
				    (int)strlen(entries[i]->d_name) - 5,
				    entries[i]->d_name);
		if (!text.failed)
			ferry__nearest_offer(near, text.data);
		free(entries[i]);
	}
	if (n >= 0)
		free(entries);
	ferry_buffer_release(&text);
}

static void find_nearest(const struct ferry_store *store, const char *name,
			 const char *folder, const char *prefix, char *out,
			 size_t cap)
{
	struct ferry_buffer dir = FERRY_BUFFER_INIT;
	struct ferry__nearest near;
	struct directories dirs;

	*out = '\0';
	if (directories_of(store, &dirs, NULL))
		return;
	ferry__nearest_init(&near, name);
	for (size_t i = 0; i < dirs.n; i++) {
		dir.n = 0;
		ferry_buffer_printf(&dir, "%s/%s", dirs.paths[i], folder);
		if (!dir.failed)
			offer_files(&near, dir.data, prefix);
	}
	ferry__nearest_text(&near, out, cap);
	ferry_buffer_release(&dir);
	ferry_store_unref(dirs.own);
}

void ferry__nearest_recipe(const struct ferry_store *store, const char *name,
			   char *out, size_t cap)
{
	find_nearest(store, name, "recipes", "", out, cap);
}

void ferry__nearest_schema(const struct ferry_store *store, const char *name,
			   char *out, size_t cap)
{
	struct ferry_buffer folder = FERRY_BUFFER_INIT;
	struct ferry_buffer prefix = FERRY_BUFFER_INIT;
	const char *slash = strrchr(name, '/');

	*out = '\0';
	if (!slash || !ferry_stays_inside(name))
		return;
	ferry_buffer_printf(&prefix, "%.*s/", (int)(slash - name), name);
	ferry_buffer_printf(&folder, "%.*s/tensors", (int)(slash - name), name);
	if (!folder.failed && !prefix.failed)
		find_nearest(store, name, folder.data, prefix.data, out, cap);
	ferry_buffer_release(&folder);
	ferry_buffer_release(&prefix);
}
