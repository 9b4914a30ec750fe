/* The place of an output on the disk. */
#include "config.h"

#include "cli/outlet.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#include "cli/memory.h"
#include "cli/text.h"

static bool is_file(const char *path, const struct stat *st)
{
	struct stat other;

	return !stat(path, &other) && other.st_dev == st->st_dev &&
	       other.st_ino == st->st_ino;
}

static bool is_input(const struct ferry_job *job, const struct stat *st)
{
	for (size_t i = 0; i < job->n_inputs; i++)
		if (is_file(job->inputs[i], st))
			return true;
	for (size_t i = 0; i < job->n_with; i++)
		if (is_file(strchr(job->with[i], '=') + 1, st))
			return true;
	return false;
}

static int check_dir(const char *path, const char *shown,
		     struct ferry_error *err)
{
	const char *slash = strrchr(path, '/');
	char *dir = !slash ? cli_copy(".") :
		    cli_text("%.*s", (int)(slash - path) + 1, path);
	int failed = access(dir, W_OK | X_OK) ? errno : 0;

	free(dir);
	return failed ? ferry_fail_errno(err, failed, "%s: can't open its "
					 "directory", shown) : 0;
}

static int check_file(const struct ferry_job *job, const struct stat *st,
		      const char *shown, struct ferry_error *err)
{
	if (!S_ISREG(st->st_mode))
		return ferry_fail(err, FERRY_UNSUPPORTED, "", FERRY_NO_OFFSET,
				  "%s: is %s and can't be replaced by a file; "
				  "name another output", shown,
				  S_ISDIR(st->st_mode) ? "a directory" :
				  "no regular file");
	if (is_input(job, st))
		return ferry_fail(err, FERRY_MISUSE, "", FERRY_NO_OFFSET,
				  "%s: is one of the inputs, which are never "
				  "written to; name another output", shown);
	if (!job->overwrite)
		return ferry_fail(err, FERRY_EXISTS, "", FERRY_NO_OFFSET,
				  "%s: exists already; use --overwrite to "
				  "replace it", shown);
	return check_dir(job->output, shown, err);
}

/* What is in a directory that is there is looked at when it is written. */
static int check_directory(const char *path, const struct stat *st,
			   const char *shown, struct ferry_error *err)
{
	char *within;
	int rc;

	if (!S_ISDIR(st->st_mode))
		return ferry_fail(err, FERRY_EXISTS, "", FERRY_NO_OFFSET,
				  "%s: is there and is no directory; name "
				  "another output", shown);
	within = cli_text("%s/", path);
	rc = check_dir(within, shown, err);
	free(within);
	return rc;
}

/* The slashes at the end say no more than that it is a directory. */
static int check_new(const char *path, const char *shown,
		     struct ferry_error *err)
{
	size_t n = strlen(path);
	char *plain;
	int rc;

	while (n > 1 && path[n - 1] == '/')
		n--;
	plain = cli_text("%.*s", (int)n, path);
	rc = check_dir(plain, shown, err);
	free(plain);
	return rc;
}

int cli_outlet_check(const struct ferry_job *job, bool directory,
		     struct ferry_error *err)
{
	struct stat st;
	char shown[512];

	if (!job->output)
		return 0;
	ferry_escape(shown, sizeof(shown), job->output, strlen(job->output));
	if (stat(job->output, &st))
		return errno == ENOENT || errno == ENOTDIR ?
		       check_new(job->output, shown, err) :
		       ferry_fail_errno(err, errno, "%s: can't write there",
					shown);
	return directory ? check_directory(job->output, &st, shown, err) :
	       check_file(job, &st, shown, err);
}

static bool is_older(const struct stat *a, const struct stat *b)
{
	return a->st_mtim.tv_sec != b->st_mtim.tv_sec ?
	       a->st_mtim.tv_sec < b->st_mtim.tv_sec :
	       a->st_mtim.tv_nsec < b->st_mtim.tv_nsec;
}

/* Files that an index names; 0 when it is none. */
static size_t count_shards(const char *path)
{
	json_t *index = json_load_file(path, 0, NULL);
	json_t *files = json_object(), *file;
	const char *name;
	size_t n;

	json_object_foreach(json_object_get(index, "weight_map"), name, file)
		if (json_is_string(file))
			json_object_set_new(files, json_string_value(file),
					    json_true());
	n = json_object_size(files);
	json_decref(files);
	json_decref(index);
	return n;
}

void cli_outlet_print(FILE *f, const char *path)
{
	char *index = cli_text("%s.index.json", path);
	struct stat st, left;
	size_t n = 0;

	/* What an earlier run left under the plain name is older. */
	if (!stat(index, &st) && (stat(path, &left) || is_older(&left, &st)))
		n = count_shards(index);
	cli_puts(f, n ? index : path);
	if (n)
		fprintf(f, " and %zu shard%s", n, cli_plural(n));
	free(index);
}
