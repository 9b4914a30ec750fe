/* Listing directories: by descriptor, so that nothing moves underneath. */
#include "config.h"

#include "core/io/directory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <ferry/sys/alloc.h>
#include <ferry/sys/buffer.h>
#include <ferry/sys/plugin.h>

#include "core/io/output.h"

/* Entries of any kind: directories need not have a file in them. */
#define SEEN_MOST (2 * FERRY_DIRECTORY_MOST)

struct entry {
	const char *name;
	uint64_t nbytes;
};

struct listing {
	struct ferry_store *store;
	struct ferry_findings *found;
	struct ferry_buffer path;	/* below the root */
	struct entry *entries;
	size_t n, cap;
	size_t n_seen;			/* entries of any kind */
	unsigned depth;
	const char *root;		/* as messages name it */
	struct ferry_error *err;
};

bool ferry_is_temporary(const char *name)
{
	size_t n = strlen(name), m = strlen(FERRY_TEMP_SUFFIX);

	return *name == '.' && n > m && !strcmp(name + n - m,
						FERRY_TEMP_SUFFIX);
}

static int note(struct listing *l, enum ferry_level level, const char *code,
		const char *text)
{
	return ferry_findings_add(l->found, level, code, l->path.data,
				  FERRY_NO_OFFSET, "%s", text) ?
	       ferry_fail_nomem(l->err, "findings") : 0;
}

static int note_errno(struct listing *l, int e)
{
	return ferry_findings_add(l->found, FERRY_WARNING,
				  "unreadable-directory", l->path.data,
				  FERRY_NO_OFFSET, "can't be looked into: %s",
				  strerror(e)) ?
	       ferry_fail_nomem(l->err, "findings") : 0;
}

static int fail_many(struct listing *l)
{
	return ferry_fail(l->err, FERRY_LIMIT, "", FERRY_NO_OFFSET,
			  "%s: has more than %d files below it; name a file "
			  "in it", l->root, FERRY_DIRECTORY_MOST);
}

static int keep(struct listing *l, uint64_t nbytes)
{
	size_t cap = l->cap ? 2 * l->cap : 64;
	struct entry *entries;
	char *name;

	if (l->n == FERRY_DIRECTORY_MOST)
		return fail_many(l);
	if (l->n == l->cap) {
		entries = ferry_alloc_resize(l->entries, cap, sizeof(*entries));
		if (!entries)
			return ferry_fail_nomem(l->err, "a directory");
		l->entries = entries;
		l->cap = cap;
	}
	name = ferry_store_strndup(l->store, l->path.data, l->path.n);
	if (!name)
		return ferry_fail_nomem(l->err, "a directory");
	l->entries[l->n++] = (struct entry){ name, nbytes };
	return 0;
}

static int list(struct listing *l, DIR *dir);

static int enter(struct listing *l, int parent, const char *name)
{
	DIR *dir;
	int fd, rc;

	if (l->depth == FERRY_DIRECTORY_DEPTH)
		return note(l, FERRY_WARNING, "deep-directory", "lies too deep "
			    "and was not looked into");
	fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW |
		    O_CLOEXEC);
	if (fd < 0)
		return note_errno(l, errno);
	dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return ferry_fail_nomem(l->err, "a directory");
	}
	l->depth++;
	rc = list(l, dir);
	l->depth--;
	return rc;
}

static int take(struct listing *l, int dir, const char *name)
{
	struct stat st, linked;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW))
		return errno == ENOENT ? 0 : note_errno(l, errno);
	if (S_ISDIR(st.st_mode))
		return enter(l, dir, name);
	if (S_ISREG(st.st_mode))
		return keep(l, (uint64_t)st.st_size);
	if (!S_ISLNK(st.st_mode) || fstatat(dir, name, &linked, 0))
		return 0;
	if (S_ISREG(linked.st_mode))
		return keep(l, (uint64_t)linked.st_size);
	return S_ISDIR(linked.st_mode) ?
	       note(l, FERRY_NOTE, "linked-directory", "is a link to a "
		    "directory, which is not followed") : 0;
}

static int take_entry(struct listing *l, int dir, const char *name)
{
	size_t n = l->path.n;
	int rc;

	if (!strcmp(name, ".") || !strcmp(name, "..") ||
	    ferry_is_temporary(name))
		return 0;
	if (l->n_seen++ == SEEN_MOST)
		return fail_many(l);
	ferry_buffer_printf(&l->path, "%s%s", n ? "/" : "", name);
	if (l->path.failed)
		return ferry_fail_nomem(l->err, "a directory");
	rc = take(l, dir, name);
	l->path.n = n;
	if (n)
		l->path.data[n] = '\0';
	return rc;
}

/* Closes it. */
static int list(struct listing *l, DIR *dir)
{
	const struct dirent *entry;
	int rc = 0;

	for (errno = 0; !rc && (entry = readdir(dir)); errno = 0)
		rc = take_entry(l, dirfd(dir), entry->d_name);
	if (!rc && errno)
		rc = ferry_fail_errno(l->err, errno, "%s: can't list it",
				      l->root);
	closedir(dir);
	return rc;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct entry *)a)->name,
		      ((const struct entry *)b)->name);
}

static int hand_over(struct listing *l, struct ferry_directory *out)
{
	const char **names = ferry_store_array(l->store, l->n + 1,
					       sizeof(*names));
	uint64_t *sizes = ferry_store_array(l->store, l->n + 1,
					    sizeof(*sizes));

	if (!names || !sizes)
		return ferry_fail_nomem(l->err, "a directory");
	if (l->n)
		qsort(l->entries, l->n, sizeof(*l->entries), by_name);
	for (size_t i = 0; i < l->n; i++) {
		names[i] = l->entries[i].name;
		sizes[i] = l->entries[i].nbytes;
	}
	names[l->n] = NULL;
	*out = (struct ferry_directory){
		.store = l->store, .names = names, .sizes = sizes, .n = l->n,
	};
	return 0;
}

int ferry_directory_list(struct ferry_directory *out, const char *path,
			 struct ferry_findings *found, struct ferry_error *err)
{
	char root[512];
	struct listing l = { .found = found, .root = root, .err = err };
	DIR *dir;
	int rc;

	ferry_escape(root, sizeof(root), path, strlen(path));
	dir = opendir(path);
	if (!dir)
		return ferry_fail_errno(err, errno, "%s: can't look into it",
					root);
	rc = ferry_store_new(&l.store, err);
	if (rc)
		closedir(dir);
	else
		rc = list(&l, dir);
	if (!rc)
		rc = hand_over(&l, out);
	if (rc)
		ferry_store_unref(l.store);
	ferry_buffer_release(&l.path);
	ferry_alloc_free(l.entries);
	return rc;
}

void ferry_directory_release(struct ferry_directory *d)
{
	ferry_store_unref(d->store);
	d->store = NULL;
}

size_t ferry_directory_find(const struct ferry_directory *d, const char *name)
{
	size_t low = 0, high = d->n, middle;
	int order;

	while (low < high) {
		middle = low + (high - low) / 2;
		order = strcmp(d->names[middle], name);
		if (!order)
			return middle;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return d->n;
}
