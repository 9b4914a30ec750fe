/* Find plugins and load them: the only caller of dlopen. */
#include "config.h"

#include "core/registry/registry.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <ferry/sys/alloc.h>

#ifndef PLUGINDIR
#define PLUGINDIR ""
#endif

#define NEWEST_MAJOR 32		/* how far to look to name what was found */

static int refuse_symbol(void *handle, const char *file,
			 struct ferry_error *err)
{
	char other[32];

	for (int major = 0; major <= NEWEST_MAJOR; major++) {
		snprintf(other, sizeof(other), "ferry_plugin_v%d", major);
		if (dlsym(handle, other))
			return ferry_fail(err, FERRY_PLUGIN, "plugin",
					  FERRY_NO_OFFSET,
					  "plugin %s: exports %s; expected "
					  "%s: compile it against this ferry",
					  file, other, FERRY_PLUGIN_SYMBOL);
	}
	return ferry_fail(err, FERRY_PLUGIN, "plugin", FERRY_NO_OFFSET,
			  "plugin %s: exports no symbol %s; a ferry plugin is "
			  "expected", file, FERRY_PLUGIN_SYMBOL);
}

/* The symbol must be data, large enough to hold its own size. */
static int check_symbol(const void *symbol, const char *file,
			struct ferry_error *err)
{
#ifdef __GLIBC__
	const ElfW(Sym) *entry = NULL;
	Dl_info info;

	if (!dladdr1(symbol, &info, (void **)&entry, RTLD_DL_SYMENT) || !entry)
		return 0;
	if ((entry->st_info & 0xf) != STT_OBJECT)
		return ferry_fail(err, FERRY_PLUGIN, "plugin", FERRY_NO_OFFSET,
				  "plugin %s: %s is not a data object; a "
				  "constant struct ferry_plugin is expected",
				  file, FERRY_PLUGIN_SYMBOL);
	if (entry->st_size < sizeof(size_t))
		return ferry_fail(err, FERRY_PLUGIN, "plugin", FERRY_NO_OFFSET,
				  "plugin %s: %s has %zu bytes; expected at "
				  "least %zu", file, FERRY_PLUGIN_SYMBOL,
				  (size_t)entry->st_size,
				  sizeof(struct ferry_plugin));
#else
	(void)symbol;
	(void)file;
	(void)err;
#endif
	return 0;
}

static bool loaded_before(const struct ferry_session *s, const struct stat *st)
{
	for (size_t i = 0; i < s->n_modules; i++)
		if (s->modules[i].dev == st->st_dev &&
		    s->modules[i].ino == st->st_ino)
			return true;
	return false;
}

/* 1: a plugin of that name is there already, and stays. */
static int known_before(struct ferry_session *s, const struct ferry_plugin *p,
			const char *file)
{
	const struct ferry_known *row;

	if (p->struct_size < offsetof(struct ferry_plugin, version) || !p->name)
		return 0;
	row = ferry__row_named(s, FERRY_KNOWN_PLUGINS, p->name);
	if (!row)
		return 0;
	ferry_findings_add(s->findings, FERRY_NOTE, "plugin-shadowed", file,
			   FERRY_NO_OFFSET, "plugin '%s' was loaded from %s "
			   "before; this one is left out", p->name, row->file);
	return 1;
}

static int keep_module(struct ferry_session *s, const struct ferry_plugin *p,
		       const char *file, const struct stat *st,
		       struct ferry_error *err)
{
	struct ferry__module *modules = s->modules;
	size_t cap = s->cap_modules ? 2 * s->cap_modules : 16;

	if (s->n_modules == s->cap_modules) {
		modules = ferry_alloc_resize(modules, cap, sizeof(*modules));
		if (!modules)
			return ferry_fail_nomem(err, "the registry");
		s->modules = modules;
		s->cap_modules = cap;
	}
	s->modules[s->n_modules++] = (struct ferry__module){
		.plugin = p, .file = file,
		.dev = st->st_dev, .ino = st->st_ino,
	};
	return 0;
}

static int register_rows(struct ferry_session *s, const struct ferry_plugin *p,
			 const char *file, struct ferry_error *err)
{
	struct ferry_known row = {
		.name = p->name, .plugin = p->name, .file = file,
		.version = p->version, .description = p->description,
		.license = p->license,
	};
	int rc = ferry__add_row(s, FERRY_KNOWN_PLUGINS, &row, err);

	for (size_t i = 0; p->formats && p->formats[i] && !rc; i++) {
		row = (struct ferry_known){
			.name = p->formats[i]->name, .plugin = p->name,
			.title = p->formats[i]->title, .format = p->formats[i],
		};
		rc = ferry__add_row(s, FERRY_KNOWN_FORMATS, &row, err);
	}
	for (size_t i = 0; p->types && p->types[i] && !rc; i++) {
		row = (struct ferry_known){
			.name = p->types[i]->name, .plugin = p->name,
			.title = p->types[i]->title, .type = p->types[i],
		};
		rc = ferry__add_row(s, FERRY_KNOWN_TYPES, &row, err);
	}
	for (size_t i = 0; p->conversions && p->conversions[i] && !rc; i++) {
		row = (struct ferry_known){
			.name = p->conversions[i]->name, .plugin = p->name,
			.title = p->conversions[i]->title,
			.conversion = p->conversions[i],
		};
		rc = ferry__add_row(s, FERRY_KNOWN_CONVERSIONS, &row, err);
	}
	return rc;
}

static const struct ferry_plugin *open_object(const char *file,
					      struct ferry_error *err)
{
	const struct ferry_plugin *found;
	const char *why;
	void *handle = dlopen(file, RTLD_NOW | RTLD_LOCAL);

	if (!handle) {
		why = dlerror();
		ferry_fail(err, FERRY_PLUGIN, "plugin", FERRY_NO_OFFSET,
			   "plugin %s: can't be loaded: %s", file,
			   why ? why : "unknown error");
		return NULL;
	}
	found = dlsym(handle, FERRY_PLUGIN_SYMBOL);
	if (!found)
		refuse_symbol(handle, file, err);
	else if (!check_symbol(found, file, err))
		return found;
	return NULL;
}

static int load_file(struct ferry_session *s, const char *path,
		     struct ferry_error *err)
{
	const struct ferry_plugin *found, *p;
	char *real = realpath(path, NULL);
	struct stat st;
	char *file;
	int rc;

	if (!real || stat(real, &st)) {
		free(real);
		return ferry_fail(err, FERRY_NOTFOUND, "plugin",
				  FERRY_NO_OFFSET, "plugin %s: %s", path,
				  strerror(errno));
	}
	file = ferry_store_strndup(s->store, real, strlen(real));
	free(real);
	if (!file)
		return ferry_fail_nomem(err, "a plugin");
	if (loaded_before(s, &st))
		return 0;
	found = open_object(file, err);
	if (!found)
		return FERRY_PLUGIN;
	if (known_before(s, found, file))
		return 0;
	rc = ferry__gate(s, found, file, &p, err);
	if (!rc)
		rc = keep_module(s, p, file, &st, err);
	return rc ? rc : register_rows(s, p, file, err);
}

static int is_object(const struct dirent *entry)
{
	size_t n = strlen(entry->d_name);

	return n > 3 && entry->d_name[0] != '.' &&
	       !strcmp(entry->d_name + n - 3, ".so");
}

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int load_entry(struct ferry_session *s, const char *dir,
		      const char *name, struct ferry_error *err)
{
	struct ferry_error why = FERRY_ERROR_INIT;
	struct ferry_buffer path = FERRY_BUFFER_INIT;
	int rc = FERRY_NOMEM;

	ferry_buffer_printf(&path, "%s/%s", dir, name);
	if (!path.failed)
		rc = load_file(s, path.data, &why);
	if (rc == FERRY_NOMEM)
		ferry_fail_nomem(err, "a plugin");
	else if (rc)
		rc = ferry_findings_add(s->findings, FERRY_WARNING,
					"plugin-refused", path.data,
					FERRY_NO_OFFSET, "%s", why.text);
	ferry_buffer_release(&path);
	return rc;
}

static int load_directory(struct ferry_session *s, const char *dir, bool asked,
			  struct ferry_error *err)
{
	struct dirent **entries;
	int n = scandir(dir, &entries, is_object, by_bytes);
	int rc = 0;

	if (n < 0 && errno == ENOMEM)
		return ferry_fail_nomem(err, "a plugin directory");
	if (n < 0)
		return asked ? ferry_findings_add(s->findings, FERRY_WARNING,
						  "plugin-path", dir,
						  FERRY_NO_OFFSET,
						  "plugin directory %s: %s",
						  dir, strerror(errno)) : 0;
	for (int i = 0; i < n; i++) {
		if (!rc)
			rc = load_entry(s, dir, entries[i]->d_name, err);
		free(entries[i]);
	}
	free(entries);
	return rc;
}

static int note_searched(struct ferry_session *s, const char *path,
			 const char *installed, struct ferry_error *err)
{
	struct ferry_buffer text = FERRY_BUFFER_INIT;

	ferry_buffer_printf(&text, "%s%s%s", path, *path && *installed ? ", " :
			    "", installed);
	s->searched = text.failed ? NULL :
		      ferry_store_strndup(s->store, text.data, text.n);
	ferry_buffer_release(&text);
	return s->searched ? 0 : ferry_fail_nomem(err, "a plugin directory");
}

int ferry__load_plugins(struct ferry_session *s,
			const struct ferry_session_options *options,
			struct ferry_error *err)
{
	bool only = secure_getenv("FERRY_PLUGIN_PATH_ONLY");
	const char *path = options->plugin_path;
	const char **dirs;
	size_t n;
	int rc = 0;

	for (size_t i = 0; i < options->n_plugin_files && !rc; i++)
		rc = load_file(s, options->plugin_files[i], err);
	if (!path)
		path = secure_getenv("FERRY_PLUGIN_PATH");
	if (!rc)
		rc = ferry__split_path(s->store, path, &dirs, &n, err);
	for (size_t i = 0; !rc && i < n; i++)
		rc = load_directory(s, dirs[i], true, err);
	if (!rc)
		rc = note_searched(s, path ? path : "", only ? "" : PLUGINDIR,
				   err);
	if (!rc && !only)
		rc = load_directory(s, PLUGINDIR, false, err);
	return rc;
}
