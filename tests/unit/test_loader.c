/* Loading plugins: what is taken, what is refused and what is said. */
#include "config.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <ferry/session.h>
#include <ferry/sys/alloc.h>

/* Mocks in the build tree; the environment may say where. */
static const char *mock(const char *name)
{
	static char path[2][1024];
	static int turn;
	const char *top = getenv("abs_top_builddir");
	const char *dir = getenv("FERRY_MOCKS");
	char *out = path[turn = !turn];

	if (dir)
		snprintf(out, sizeof(path[0]), "%s/mock_%s.so", dir, name);
	else
		snprintf(out, sizeof(path[0]),
			 "%s/tests/plugins/.libs/mock_%s.so", top ? top : ".",
			 name);
	return out;
}

static struct ferry_session *load(const char *const *names, size_t n,
				  struct ferry_error *err)
{
	const char *files[8];
	char kept[8][1024];
	struct ferry_session_options options = {
		.plugin_path = "", .plugin_files = files, .n_plugin_files = n,
	};
	struct ferry_session *s = NULL;

	for (size_t i = 0; i < n; i++) {
		snprintf(kept[i], sizeof(kept[i]), "%s", mock(names[i]));
		files[i] = kept[i];
	}
	setenv("FERRY_PLUGIN_PATH_ONLY", "1", 1);
	if (ferry_session_new(&s, &options, err))
		return NULL;
	return s;
}

static void refused(const char *name, const char *const *words)
{
	struct ferry_error err = FERRY_ERROR_INIT;
	struct ferry_session *s = load(&name, 1, &err);

	cr_assert_null(s, "mock_%s was taken", name);
	cr_assert_eq(err.code, FERRY_PLUGIN, "%s: %s", name, err.text);
	for (; *words; words++)
		cr_assert(strstr(err.text, *words), "'%s' is not in: %s",
			  *words, err.text);
}

#define REFUSED(name, ...) \
	refused(name, (const char *const[]){ __VA_ARGS__, NULL })

Test(loader, takes_a_good_plugin)
{
	struct ferry_error err = FERRY_ERROR_INIT;
	const char *names[] = { "good" };
	struct ferry_session *s = load(names, 1, &err);
	const struct ferry_known *row;

	cr_assert_not_null(s, "%s", err.text);
	cr_assert_eq(ferry_session_count(s, FERRY_KNOWN_PLUGINS), 1);
	row = ferry_session_find(s, FERRY_KNOWN_FORMATS, "word");
	cr_assert_not_null(row);
	cr_assert_str_eq(row->plugin, "good");
	row = ferry_session_get(s, FERRY_KNOWN_PLUGINS, 0);
	cr_assert_str_eq(row->version, "1");
	cr_assert_str_eq(row->license, "Apache-2.0");
	cr_assert(strstr(row->file, "mock_good.so"));
	cr_assert_null(ferry_session_get(s, FERRY_KNOWN_PLUGINS, 1));
	ferry_session_free(s);
}

Test(loader, a_file_named_twice_is_loaded_once)
{
	struct ferry_error err = FERRY_ERROR_INIT;
	const char *names[] = { "good", "good" };
	struct ferry_session *s = load(names, 2, &err);

	cr_assert_not_null(s, "%s", err.text);
	cr_assert_eq(ferry_session_count(s, FERRY_KNOWN_PLUGINS), 1);
	cr_assert_eq(ferry_findings_count(ferry_session_findings(s)), 0);
	ferry_session_free(s);
}

Test(loader, says_found_and_expected)
{
	REFUSED("no_symbol", "mock_no_symbol.so", "ferry_plugin_v1");
	REFUSED("major", "ferry_plugin_v2", "ferry_plugin_v1");
	REFUSED("function", "not a data object", "struct ferry_plugin");
	REFUSED("size", "struct_size 16", "at least");
	REFUSED("minor", "1.7", "1.0");
	REFUSED("name", "Bad Name", "lower-case");
	REFUSED("no_probe", "unprobed", "probe");
	REFUSED("no_work", "idle", "read", "write");
	REFUSED("half_check", "mock/half", "check_by", "check_options");
}

Test(loader, a_missing_file_that_was_named_is_an_error)
{
	struct ferry_error err = FERRY_ERROR_INIT;
	const char *names[] = { "that_is_not_there" };

	cr_assert_null(load(names, 1, &err));
	cr_assert_eq(err.code, FERRY_NOTFOUND);
}

Test(loader, what_is_no_shared_object_is_refused)
{
	const char *files[] = { "/etc/passwd" };
	struct ferry_session_options options = {
		.plugin_path = "", .plugin_files = files, .n_plugin_files = 1,
	};
	struct ferry_error err = FERRY_ERROR_INIT;
	struct ferry_session *s;

	cr_assert_eq(ferry_session_new(&s, &options, &err), FERRY_PLUGIN);
	cr_assert(strstr(err.text, "/etc/passwd"), "%s", err.text);
}

Test(loader, a_format_brought_twice_is_refused_and_both_are_named)
{
	struct ferry_error err = FERRY_ERROR_INIT;
	const char *names[] = { "good", "format_taken" };

	cr_assert_null(load(names, 2, &err));
	cr_assert_eq(err.code, FERRY_PLUGIN);
	cr_assert(strstr(err.text, "'word'"), "%s", err.text);
	cr_assert(strstr(err.text, "'good'"), "%s", err.text);
	cr_assert(strstr(err.text, "'taker'"), "%s", err.text);
}

Test(loader, the_first_plugin_of_a_name_wins_with_a_note)
{
	struct ferry_error err = FERRY_ERROR_INIT;
	const char *names[] = { "good", "good_again" };
	struct ferry_session *s = load(names, 2, &err);
	const struct ferry_finding *f;

	cr_assert_not_null(s, "%s", err.text);
	cr_assert_not_null(ferry_session_find(s, FERRY_KNOWN_FORMATS, "word"));
	cr_assert_null(ferry_session_find(s, FERRY_KNOWN_FORMATS,
					  "word-again"));
	f = ferry_findings_get(ferry_session_findings(s), 0);
	cr_assert_not_null(f);
	cr_assert_eq(f->level, FERRY_NOTE);
	cr_assert_str_eq(f->code, "plugin-shadowed");
	ferry_session_free(s);
}

/* A directory with links to some of the mocks, named in an order. */
static void fill_directory(char *dir, const char *const *names)
{
	char from[1024], to[1200];

	cr_assert_not_null(mkdtemp(dir));
	for (int i = 0; names[i]; i++) {
		snprintf(from, sizeof(from), "%s", mock(names[i]));
		snprintf(to, sizeof(to), "%s/%d-%s.so", dir, i, names[i]);
		cr_assert_eq(symlink(from, to), 0);
	}
}

static void empty_directory(const char *dir, const char *const *names)
{
	char path[1200];

	for (int i = 0; names[i]; i++) {
		snprintf(path, sizeof(path), "%s/%d-%s.so", dir, i, names[i]);
		unlink(path);
	}
	rmdir(dir);
}

Test(loader, a_bad_plugin_in_a_directory_is_a_warning)
{
	static const char *const names[] = { "minor", "good", "size", NULL };
	char dir[] = "/tmp/ferry-loader-XXXXXX";
	struct ferry_session_options options = { .plugin_path = dir };
	struct ferry_error err = FERRY_ERROR_INIT;
	const struct ferry_findings *found;
	struct ferry_session *s;

	fill_directory(dir, names);
	setenv("FERRY_PLUGIN_PATH_ONLY", "1", 1);
	cr_assert_eq(ferry_session_new(&s, &options, &err), 0, "%s", err.text);
	cr_assert_eq(ferry_session_count(s, FERRY_KNOWN_PLUGINS), 1);
	found = ferry_session_findings(s);
	cr_assert_eq(ferry_findings_count_level(found, FERRY_WARNING), 2);
	cr_assert(strstr(ferry_findings_get(found, 0)->text, "mock_minor.so"));
	cr_assert(strstr(ferry_findings_get(found, 1)->text, "mock_size.so"));
	ferry_session_free(s);
	empty_directory(dir, names);
}

Test(loader, the_environment_names_directories)
{
	static const char *const names[] = { "good", NULL };
	char dir[] = "/tmp/ferry-loader-XXXXXX", path[64];
	struct ferry_error err = FERRY_ERROR_INIT;
	struct ferry_session *s;

	fill_directory(dir, names);
	snprintf(path, sizeof(path), ":/nonexistent-ferry:%s:", dir);
	setenv("FERRY_PLUGIN_PATH", path, 1);
	setenv("FERRY_PLUGIN_PATH_ONLY", "1", 1);
	cr_assert_eq(ferry_session_new(&s, NULL, &err), 0, "%s", err.text);
	cr_assert_eq(ferry_session_count(s, FERRY_KNOWN_PLUGINS), 1);
	cr_assert_eq(ferry_findings_count_level(ferry_session_findings(s),
						FERRY_WARNING), 1);
	ferry_session_free(s);
	empty_directory(dir, names);
}

Test(loader, rows_are_sorted_by_name)
{
	struct ferry_error err = FERRY_ERROR_INIT;
	const char *names[] = { "tree", "null", "chain", "good" };
	struct ferry_session *s = load(names, 4, &err);
	const struct ferry_known *row, *last;

	cr_assert_not_null(s, "%s", err.text);
	for (int kind = 0; kind <= FERRY_KNOWN_MODELS; kind++) {
		last = NULL;
		for (size_t i = 0; (row = ferry_session_get(s, kind, i));
		     i++) {
			cr_assert(!last || strcmp(last->name, row->name) < 0);
			cr_assert_eq(ferry_session_find(s, kind, row->name),
				     row);
			last = row;
		}
	}
	ferry_session_free(s);
}

Test(loader, memory_that_is_out_is_an_error, .timeout = 120)
{
	static const char *const names[] = { "chain", "good", "tree", NULL };
	char dir[] = "/tmp/ferry-loader-XXXXXX";
	struct ferry_session_options options = { .plugin_path = dir };
	struct ferry_error err = FERRY_ERROR_INIT;
	struct ferry_session *s;
	int rc = FERRY_NOMEM, n;

	fill_directory(dir, names);
	setenv("FERRY_PLUGIN_PATH_ONLY", "1", 1);
	for (n = 1; rc && n < 5000; n++) {
		s = NULL;
		ferry_error_clear(&err);
		ferry_alloc_fail_at((uint64_t)n);
		rc = ferry_session_new(&s, &options, &err);
		ferry_alloc_fail_at(0);
		cr_assert(rc == FERRY_NOMEM || !rc, "%d: %d %s", n, rc,
			  err.text);
		cr_assert_eq(rc != 0, s == NULL);
		ferry_session_free(s);
	}
	cr_assert_eq(rc, 0);
	empty_directory(dir, names);
}
