/*
 * Recipes of migrations: any file is read or refused with a reason, twice
 * alike, and what was read is matched against a file that is there.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <ferry/migrate.h>
#include <ferry/session.h>

#include "tests/fuzz/target.h"

static char folder[] = "/tmp/ferry-fuzz-XXXXXX";
static char source[sizeof(folder) + 16];

static void remove_folder(void)
{
	unlink(source);
	rmdir(folder);
}

/* A session without plugins, and a folder with one file that is migrated. */
static struct ferry_session *set_up(void)
{
	struct ferry_session_options options = {
		.plugin_path = "/nonexistent",
	};
	struct ferry_session *s;
	FILE *file;

	if (ferry_session_new(&s, &options, NULL) || !mkdtemp(folder))
		abort();
	snprintf(source, sizeof(source), "%s/a.pt", folder);
	file = fopen(source, "w");
	if (!file || fputs("no checkpoint\n", file) < 0 || fclose(file) ||
	    atexit(remove_folder))
		abort();
	return s;
}

static int try_recipe(struct ferry_session *s, const char *path,
		      struct ferry_error *err)
{
	const char *const sources[] = { folder };
	struct ferry_migration_options options = {
		.sources = sources, .n_sources = 1, .output = "/nonexistent/o",
		.recipe = path,
	};
	struct ferry_migration *m = NULL;
	int rc = ferry_migration_new(&m, s, &options, err);

	require(rc == err->code);
	require(!rc || err->text[0]);
	if (rc)
		return rc;
	require(ferry_migration_count(m) == 1);
	require(!strcmp(ferry_migration_get(m, 0)->source, source));
	ferry_migration_free(m);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct ferry_session *s;
	struct ferry_error once = FERRY_ERROR_INIT, twice = FERRY_ERROR_INIT;
	const char *path = fuzz_file(data, size);

	if (!path)
		return 0;
	if (!s)
		s = set_up();
	require(try_recipe(s, path, &once) == try_recipe(s, path, &twice));
	require(!strcmp(once.text, twice.text));
	return 0;
}
