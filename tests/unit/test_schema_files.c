/* Data files of plugins, found by name below the schema directories. */
#include "config.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <ferry/session.h>
#include <ferry/sys/plugin.h>

static char scratch[] = "/tmp/ferry-schemas-XXXXXX";

static void put(const char *path, const char *text)
{
	FILE *f = fopen(path, "wb");

	cr_assert_not_null(f, "%s", path);
	cr_assert_eq(fwrite(text, 1, strlen(text), f), strlen(text));
	fclose(f);
}

/* one/ and two/ have a file in common; outside lies beside them. */
static void enter(void)
{
	setenv("FERRY_PLUGIN_PATH_ONLY", "1", 1);
	cr_assert_not_null(mkdtemp(scratch));
	cr_assert_eq(chdir(scratch), 0);
	cr_assert_eq(mkdir("one", 0777) | mkdir("two", 0777) |
		     mkdir("one/set", 0777) | mkdir("two/set", 0777) |
		     mkdir("two/set/below", 0777), 0);
	put("outside", "secret");
	put("one/a.yaml", "first");
	put("two/a.yaml", "second");
	put("two/b.yaml", "of two");
	put("one/set/z.yaml", "");
	put("one/set/m.yaml", "");
	put("two/set/m.yaml", "");
	put("two/set/c.yaml", "");
	put("two/set/.hidden", "");
	cr_assert_eq(symlink("c.yaml", "two/set/link.yaml"), 0);
	cr_assert_eq(symlink("nowhere", "two/set/dangling.yaml"), 0);
}

static void leave(void)
{
	char command[64];

	cr_assert_eq(chdir("/"), 0);
	snprintf(command, sizeof(command), "rm -rf %s", scratch);
	cr_assert_eq(system(command), 0);
}

TestSuite(schema_files, .init = enter, .fini = leave);

static struct ferry_session *session(void)
{
	const char *top = getenv("abs_top_builddir");
	const char *dir = getenv("FERRY_MOCKS");
	char file[1024];
	const char *files[] = { file };
	struct ferry_session_options options = {
		.plugin_path = "", .schema_path = "one:two",
		.plugin_files = files, .n_plugin_files = 1,
	};
	struct ferry_error err = FERRY_ERROR_INIT;
	struct ferry_session *s = NULL;

	snprintf(file, sizeof(file), dir ? "%s/mock_good.so" :
		 "%s/tests/plugins/.libs/mock_good.so",
		 dir ? dir : top ? top : ".");
	cr_assert_eq(ferry_session_new(&s, &options, &err), 0, "%s", err.text);
	return s;
}

static struct ferry_document *open_any(struct ferry_session *s)
{
	struct ferry_error err = FERRY_ERROR_INIT;
	struct ferry_document *doc = NULL;

	put("file", "WORD text");
	cr_assert_eq(ferry_open(s, "file", NULL, &doc, &err), 0, "%s",
		     err.text);
	return doc;
}

static void holds(const struct ferry_store *store, const char *name,
		  const char *text)
{
	struct ferry_error err = FERRY_ERROR_INIT;
	struct ferry_source *src = NULL;
	char data[64] = "";

	cr_assert_eq(ferry_schema_open(store, name, &src, &err), 0, "%s",
		     err.text);
	cr_assert_eq(src->nbytes, strlen(text));
	cr_assert_eq(ferry_source_read(src, data, 0, strlen(text), &err), 0);
	cr_assert_str_eq(data, text);
	ferry_source_unref(src);
}

Test(schema_files, first_directory_wins)
{
	struct ferry_session *s = session();
	struct ferry_document *doc = open_any(s);
	struct ferry_error err = FERRY_ERROR_INIT;
	struct ferry_source *src;

	/* A store outlives the session whose directories it knows. */
	ferry_session_free(s);
	holds(doc->store, "a.yaml", "first");
	holds(doc->store, "b.yaml", "of two");
	cr_assert_eq(ferry_schema_open(doc->store, "c.yaml", &src, &err),
		     FERRY_NOTFOUND);
	cr_assert_not_null(strstr(err.text, "one, two"), "%s", err.text);
	ferry_document_free(doc);
}

Test(schema_files, environment_serves_a_store_without_session)
{
	struct ferry_error err = FERRY_ERROR_INIT;
	struct ferry_store *store;

	cr_assert_eq(ferry_store_new(&store, &err), 0);
	setenv("FERRY_SCHEMA_PATH", "two", 1);
	holds(store, "a.yaml", "second");
	setenv("FERRY_SCHEMA_PATH", "one", 1);
	holds(store, "a.yaml", "first");
	ferry_store_unref(store);
}

Test(schema_files, names_stay_inside)
{
	static const char *const bad[] = {
		"../outside", "/etc/passwd", "", ".", "..", "set/../../outside",
		"set//m.yaml", "set/", "./a.yaml",
	};
	const char *const *names;
	struct ferry_source *src;
	struct ferry_store *store;
	size_t n;

	cr_assert_eq(ferry_store_new(&store, NULL), 0);
	setenv("FERRY_SCHEMA_PATH", "one:two", 1);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		cr_expect_eq(ferry_schema_open(store, bad[i], &src, NULL),
			     FERRY_MISUSE, "%s", bad[i]);
		cr_expect_eq(ferry_schema_list(store, bad[i], &names, &n,
					       NULL), FERRY_MISUSE, "%s",
			     bad[i]);
	}
	ferry_store_unref(store);
}

Test(schema_files, listed_sorted_and_once)
{
	static const char *const want[] = {
		"c.yaml", "link.yaml", "m.yaml", "z.yaml",
	};
	struct ferry_session *s = session();
	struct ferry_document *doc = open_any(s);
	struct ferry_error err = FERRY_ERROR_INIT;
	const char *const *names = NULL;
	size_t n = 0;

	cr_assert_eq(ferry_schema_list(doc->store, "set", &names, &n, &err), 0,
		     "%s", err.text);
	cr_assert_eq(n, sizeof(want) / sizeof(*want));
	for (size_t i = 0; i < n; i++)
		cr_expect_str_eq(names[i], want[i]);
	cr_assert_eq(ferry_schema_list(doc->store, "none", &names, &n, &err),
		     0);
	cr_assert_eq(n, 0);
	ferry_document_free(doc);
	ferry_session_free(s);
}
