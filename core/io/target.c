/* Where an output file really lies. */
#include "config.h"

#include "core/io/target.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include <ferry/sys/alloc.h>

#define LINKS_MAX 40

size_t ferry_target_dir(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? (size_t)(slash - path) + 1 : 0;
}

char *ferry_target_sibling(const char *path, const char *name)
{
	size_t dir = name[0] == '/' ? 0 : ferry_target_dir(path);
	size_t n = strlen(name);
	char *out = ferry_alloc(dir + n + 1);

	if (!out)
		return NULL;
	memcpy(out, path, dir);
	memcpy(out + dir, name, n + 1);
	return out;
}

bool ferry_stays_inside(const char *name)
{
	size_t n;

	if (!*name || *name == '/')
		return false;
	while (*name) {
		n = strcspn(name, "/");
		if (!n || (n == 1 && *name == '.') ||
		    (n == 2 && !memcmp(name, "..", 2)))
			return false;
		name += n;
		if (*name == '/' && !*++name)
			return false;
	}
	return true;
}

static int fail_path(const char *path, int e, struct ferry_error *err)
{
	char text[512];

	ferry_escape(text, sizeof(text), path, strlen(path));
	return ferry_fail_errno(err, e, "%s: can't write there", text);
}

static int fail_kind(const char *path, const struct stat *st,
		     struct ferry_error *err)
{
	char text[512];

	ferry_escape(text, sizeof(text), path, strlen(path));
	return ferry_fail(err, FERRY_UNSUPPORTED, "", FERRY_NO_OFFSET,
			  "%s: is %s and can't be replaced by a file; name "
			  "another output", text, S_ISDIR(st->st_mode) ?
			  "a directory" : "no regular file");
}

int ferry_target_fail_exists(const char *path, struct ferry_error *err)
{
	char text[512];

	ferry_escape(text, sizeof(text), path, strlen(path));
	return ferry_fail(err, FERRY_EXISTS, "", FERRY_NO_OFFSET,
			  "%s: exists already; use --overwrite to replace it",
			  text);
}

/* Replace *path by what the link there points to. */
static int follow(char **path, struct ferry_error *err)
{
	char link[PATH_MAX];
	ssize_t n = readlink(*path, link, sizeof(link));
	char *next;

	if (n < 0 || (size_t)n == sizeof(link))
		return fail_path(*path, n < 0 ? errno : ENAMETOOLONG, err);
	link[n] = '\0';
	next = ferry_target_sibling(*path, link);
	if (!next)
		return ferry_fail_nomem(err, "a path");
	ferry_alloc_free(*path);
	*path = next;
	return 0;
}

int ferry_target_init(struct ferry_target *out, const char *path,
		      bool overwrite, struct ferry_error *err)
{
	struct ferry_target t = { 0 };
	unsigned links = 0;
	int code;

	t.path = ferry_alloc_strdup(path);
	if (!t.path)
		return ferry_fail_nomem(err, "a path");
	for (;;) {
		t.exists = !lstat(t.path, &t.st);
		if (!t.exists && errno != ENOENT) {
			code = fail_path(path, errno, err);
			goto out;
		}
		if (!t.exists || !S_ISLNK(t.st.st_mode))
			break;
		if (links++ == LINKS_MAX) {
			code = fail_path(path, ELOOP, err);
			goto out;
		}
		code = follow(&t.path, err);
		if (code)
			goto out;
	}
	code = 0;
	if (t.exists && !S_ISREG(t.st.st_mode))
		code = fail_kind(path, &t.st, err);
	else if (!t.path[ferry_target_dir(t.path)])
		code = fail_path(path, EISDIR, err);
	else if (t.exists && !overwrite)
		code = ferry_target_fail_exists(path, err);
out:
	if (code)
		ferry_target_release(&t);
	else
		*out = t;
	return code;
}

void ferry_target_release(struct ferry_target *t)
{
	ferry_alloc_free(t->path);
	t->path = NULL;
}
