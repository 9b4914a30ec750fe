/* Sources that are files. */
#include "config.h"

#include "core/io/file_source.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <ferry/sys/alloc.h>

/* One system call at most; Linux itself stops at 2 GiB - 4 KiB. */
#define READ_MAX ((size_t)1 << 30)

/* A pipe without a writer would block an open without O_NONBLOCK. */
#define OPEN_FLAGS (O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)

/* Descriptors below need no look at how many there may be. */
#define LOW 16

/* Of an index most lies in so many bytes at either end of its file. */
#define END ((size_t)16 << 10)

struct held {
	pthread_mutex_t lock;
	bool known[2];			/* the head, the tail */
	unsigned char ends[2][END];
};

/*
 * Descriptors are few: a file that is given a high one, because many are open,
 * is closed again and opened for each read, and must be the same file then.
 */
struct file_source {
	struct ferry_source base;
	int fd;			/* -1: opened for each read */
	dev_t dev;
	ino_t ino;
	struct timespec modified;
	struct held *held;	/* NULL: nothing is */
};

static int fail_read(const struct ferry_source *src, uint64_t offset, int e,
		     struct ferry_error *err)
{
	char name[256];

	ferry_escape(name, sizeof(name), src->name, strlen(src->name));
	if (e)
		return ferry_fail_errno(err, e,
					"%s: can't read at byte %llu", name,
					(unsigned long long)offset);
	return ferry_fail(err, FERRY_IO, "", offset,
			  "%s: file shrank while it was read: it ends at or "
			  "before byte %llu, and had %llu bytes", name,
			  (unsigned long long)offset,
			  (unsigned long long)src->nbytes);
}

static int read_at(struct ferry_source *src, int fd, void *buf,
		   uint64_t offset, size_t n, struct ferry_error *err)
{
	char *to = buf;
	ssize_t got;

	while (n) {
		got = pread(fd, to, n < READ_MAX ? n : READ_MAX,
			    (off_t)offset);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return fail_read(src, offset, got ? errno : 0, err);
		to += got;
		offset += (uint64_t)got;
		n -= (size_t)got;
	}
	return 0;
}

static bool is_same(const struct file_source *file, const struct stat *st)
{
	return st->st_dev == file->dev && st->st_ino == file->ino &&
	       (uint64_t)st->st_size == file->base.nbytes &&
	       st->st_mtim.tv_sec == file->modified.tv_sec &&
	       st->st_mtim.tv_nsec == file->modified.tv_nsec;
}

static int open_again(const struct file_source *file, int *out,
		      struct ferry_error *err)
{
	int fd = open(file->base.name, OPEN_FLAGS);
	char name[256];
	struct stat st;

	ferry_escape(name, sizeof(name), file->base.name,
		     strlen(file->base.name));
	if (fd < 0)
		return ferry_fail_errno(err, errno, "%s: can't open it again",
					name);
	if (fstat(fd, &st) || !is_same(file, &st)) {
		close(fd);
		return ferry_fail(err, FERRY_IO, "", FERRY_NO_OFFSET,
				  "%s: file was changed or replaced while it "
				  "was read", name);
	}
	*out = fd;
	return 0;
}

static int read_file(struct file_source *file, void *buf, uint64_t offset,
		     size_t n, struct ferry_error *err)
{
	int fd = file->fd;
	int code = fd < 0 ? open_again(file, &fd, err) : 0;

	if (code)
		return code;
	code = read_at(&file->base, fd, buf, offset, n, err);
	if (file->fd < 0)
		close(fd);
	return code;
}

/* False: the bytes are not of one end, or that can't be read. */
static bool read_held(struct file_source *file, void *buf, uint64_t offset,
		      size_t n)
{
	struct held *h = file->held;
	size_t most = file->base.nbytes < END ? (size_t)file->base.nbytes : END;
	bool tail = offset + n > most;
	uint64_t from = tail ? file->base.nbytes - most : 0;
	bool known;

	if (offset < from)
		return false;
	pthread_mutex_lock(&h->lock);
	if (!h->known[tail])
		h->known[tail] = !read_file(file, h->ends[tail], from, most,
					    NULL);
	known = h->known[tail];
	if (known)
		memcpy(buf, h->ends[tail] + (offset - from), n);
	pthread_mutex_unlock(&h->lock);
	return known;
}

static int file_read(struct ferry_source *src, void *buf, uint64_t offset,
		     size_t n, struct ferry_error *err)
{
	struct file_source *file = (struct file_source *)src;

	return file->held && read_held(file, buf, offset, n) ? 0 :
	       read_file(file, buf, offset, n, err);
}

static bool file_file_range(struct ferry_source *src, uint64_t offset,
			    uint64_t n, int *fd, uint64_t *file_offset)
{
	(void)n;
	*fd = ((struct file_source *)src)->fd;
	*file_offset = offset;
	return *fd >= 0;
}

static void file_free(struct ferry_source *src)
{
	int fd = ((struct file_source *)src)->fd;

	ferry_source_let_go(src);
	if (fd >= 0)
		close(fd);
	ferry_alloc_free(src);
}

static const struct ferry_source_ops file_ops = {
	.read = file_read,
	.file_range = file_file_range,
	.free = file_free,
};

void ferry_source_hold(struct ferry_source *src)
{
	struct file_source *file = (struct file_source *)src;

	if (src->ops != &file_ops || file->held)
		return;
	file->held = ferry_alloc(sizeof(*file->held));
	if (!file->held)
		return;
	pthread_mutex_init(&file->held->lock, NULL);
	memset(file->held->known, 0, sizeof(file->held->known));
}

void ferry_source_let_go(struct ferry_source *src)
{
	struct file_source *file = (struct file_source *)src;

	if (src->ops != &file_ops || !file->held)
		return;
	pthread_mutex_destroy(&file->held->lock);
	ferry_alloc_free(file->held);
	file->held = NULL;
}

static int check_regular(const struct stat *st, const char *name,
			 struct ferry_error *err)
{
	const char *kind;

	if (S_ISREG(st->st_mode))
		return 0;
	kind = S_ISDIR(st->st_mode) ? "a directory" :
	       S_ISFIFO(st->st_mode) ? "a pipe" :
	       S_ISSOCK(st->st_mode) ? "a socket" : "a device";
	return ferry_fail(err, FERRY_UNSUPPORTED, "", FERRY_NO_OFFSET,
			  "%s: is %s; a regular file is needed, for its index "
			  "is read before its data", name, kind);
}

static int fail_open(const char *name, int e, struct ferry_error *err)
{
	if (e != ENOENT && e != ENOTDIR)
		return ferry_fail_errno(err, e, "%s: can't open", name);
	return ferry_fail(err, FERRY_NOTFOUND, "", FERRY_NO_OFFSET,
			  "%s: %s", name, e == ENOENT ?
			  "no such file" :
			  "a part of the path is no directory");
}

/* The lowest number that is free is given, so that it tells how many are not.
 * Half of them are left to whoever else needs some. */
static bool is_high(int fd)
{
	struct rlimit limit;

	return fd >= LOW && !getrlimit(RLIMIT_NOFILE, &limit) &&
	       (rlim_t)fd >= limit.rlim_cur / 2;
}

int ferry_source_open_file(struct ferry_source **out, const char *path,
			   struct ferry_error *err)
{
	struct file_source *file = NULL;
	char name[512];
	struct stat st;
	int code;
	int fd;

	ferry_escape(name, sizeof(name), path, strlen(path));
	fd = open(path, OPEN_FLAGS);
	if (fd < 0)
		return fail_open(name, errno, err);
	if (fstat(fd, &st))
		code = ferry_fail_errno(err, errno, "%s: can't stat", name);
	else
		code = check_regular(&st, name, err);
	if (code)
		goto out;
	code = FERRY_NOMEM;
	file = ferry_alloc(sizeof(*file));
	if (!file) {
		ferry_fail_nomem(err, "a file source");
		goto out;
	}
	code = ferry_source_init(&file->base, &file_ops,
				 (uint64_t)st.st_size, path, err);
	if (code)
		goto out;
	file->held = NULL;
	file->dev = st.st_dev;
	file->ino = st.st_ino;
	file->modified = st.st_mtim;
	file->fd = is_high(fd) ? -1 : fd;
	if (file->fd < 0)
		close(fd);
	*out = &file->base;
	return 0;
out:
	ferry_alloc_free(file);
	close(fd);
	return code;
}
