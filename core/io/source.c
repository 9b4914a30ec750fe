/* Sources of plain bytes: files, memory, ranges of others, zeros. */
#include "config.h"

#include <ferry/sys/source.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <ferry/sys/alloc.h>
#include <ferry/sys/ckd.h>

/* One system call at most; Linux itself stops at 2 GiB - 4 KiB. */
#define READ_MAX ((size_t)1 << 30)

/* A pipe without a writer would block an open without O_NONBLOCK. */
#define OPEN_FLAGS (O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)

/* Descriptors below need no look at how many there may be. */
#define LOW 16

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
};

struct memory_source {
	struct ferry_source base;
	const unsigned char *data;
	void *owned;
};

struct range_source {
	struct ferry_source base;
	struct ferry_source *parent;
	uint64_t offset;
	bool has_crc32;
	uint32_t crc32;
};

int ferry_source_init(struct ferry_source *src,
		      const struct ferry_source_ops *ops, uint64_t nbytes,
		      const char *name, struct ferry_error *err)
{
	char *copy = ferry_alloc_strdup(name ? name : "");

	if (!copy)
		return ferry_fail_nomem(err, "a source's name");
	src->ops = ops;
	src->nbytes = nbytes;
	src->name = copy;
	src->reads = 0;
	atomic_init(&src->refs, 1);
	return 0;
}

struct ferry_source *ferry_source_ref(struct ferry_source *src)
{
	atomic_fetch_add_explicit(&src->refs, 1, memory_order_relaxed);
	return src;
}

void ferry_source_unref(struct ferry_source *src)
{
	const char *name;

	if (!src || atomic_fetch_sub_explicit(&src->refs, 1,
					      memory_order_acq_rel) != 1)
		return;
	name = src->name;
	if (src->ops->free)
		src->ops->free(src);
	else
		ferry_alloc_free(src);
	ferry_alloc_free((void *)name);
}

static int fail_outside(const struct ferry_source *src, uint64_t offset,
			uint64_t n, struct ferry_error *err)
{
	char name[256];

	ferry_escape(name, sizeof(name), src->name, strlen(src->name));
	return ferry_fail(err, FERRY_MALFORMED, "", offset,
			  "%s: ends at byte %llu, but %llu bytes at byte %llu "
			  "are needed; the file is truncated or its index is "
			  "wrong", name, (unsigned long long)src->nbytes,
			  (unsigned long long)n, (unsigned long long)offset);
}

int ferry_source_read(struct ferry_source *src, void *buf, uint64_t offset,
		      size_t n, struct ferry_error *err)
{
	if (ferry_ckd_outside(offset, n, src->nbytes))
		return fail_outside(src, offset, n, err);
	if (!n)
		return 0;
	return src->ops->read(src, buf, offset, n, err);
}

bool ferry_source_file_range(struct ferry_source *src, uint64_t offset,
			     uint64_t n, int *fd, uint64_t *file_offset)
{
	if (!src->ops->file_range ||
	    ferry_ckd_outside(offset, n, src->nbytes))
		return false;
	return src->ops->file_range(src, offset, n, fd, file_offset);
}

bool ferry_source_crc32(struct ferry_source *src, uint64_t offset, uint64_t n,
			uint32_t *out)
{
	if (!src->ops->crc32 || ferry_ckd_outside(offset, n, src->nbytes))
		return false;
	return src->ops->crc32(src, offset, n, out);
}

const void *ferry_source_memory(struct ferry_source *src, uint64_t offset,
				size_t n)
{
	if (!src->ops->memory || ferry_ckd_outside(offset, n, src->nbytes))
		return NULL;
	return src->ops->memory(src, offset, n);
}

size_t ferry_source_chunk(struct ferry_source *src)
{
	return src->ops->chunk ? src->ops->chunk(src) : 0;
}

bool ferry_source_grid(struct ferry_source *src, uint64_t offset, uint64_t n,
		       size_t most, struct ferry_grid *out)
{
	return src->ops->grid && !offset && n == src->nbytes &&
	       src->ops->grid(src, most, out);
}

int ferry_source_read_block(struct ferry_source *src, void *buf,
			    const uint64_t *first, const uint64_t *count,
			    struct ferry_error *err)
{
	return src->ops->read_block(src, buf, first, count, err);
}

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

static int file_read(struct ferry_source *src, void *buf, uint64_t offset,
		     size_t n, struct ferry_error *err)
{
	struct file_source *file = (struct file_source *)src;
	int fd = file->fd;
	int code = fd < 0 ? open_again(file, &fd, err) : 0;

	if (code)
		return code;
	code = read_at(src, fd, buf, offset, n, err);
	if (file->fd < 0)
		close(fd);
	return code;
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

	if (fd >= 0)
		close(fd);
	ferry_alloc_free(src);
}

static const struct ferry_source_ops file_ops = {
	.read = file_read,
	.file_range = file_file_range,
	.free = file_free,
};

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

static int memory_read(struct ferry_source *src, void *buf, uint64_t offset,
		       size_t n, struct ferry_error *err)
{
	(void)err;
	memcpy(buf, ((struct memory_source *)src)->data + offset, n);
	return 0;
}

static const void *memory_memory(struct ferry_source *src, uint64_t offset,
				 size_t n)
{
	(void)n;
	return ((struct memory_source *)src)->data + offset;
}

static void memory_free(struct ferry_source *src)
{
	ferry_alloc_free(((struct memory_source *)src)->owned);
	ferry_alloc_free(src);
}

static const struct ferry_source_ops memory_ops = {
	.read = memory_read,
	.memory = memory_memory,
	.free = memory_free,
};

static int memory_new(struct ferry_source **out, const void *data, void *owned,
		      size_t n, const char *name, struct ferry_error *err)
{
	struct memory_source *m = ferry_alloc(sizeof(*m));
	int code;

	if (!m)
		return ferry_fail_nomem(err, "a memory source");
	code = ferry_source_init(&m->base, &memory_ops, n, name, err);
	if (code) {
		ferry_alloc_free(m);
		return code;
	}
	m->data = data;
	m->owned = owned;
	*out = &m->base;
	return 0;
}

int ferry_source_from_memory(struct ferry_source **out, const void *data,
			     size_t n, const char *name,
			     struct ferry_error *err)
{
	return memory_new(out, data, NULL, n, name, err);
}

int ferry_source_take_memory(struct ferry_source **out, void *data, size_t n,
			     const char *name, struct ferry_error *err)
{
	return memory_new(out, data, data, n, name, err);
}

static int range_read(struct ferry_source *src, void *buf, uint64_t offset,
		      size_t n, struct ferry_error *err)
{
	struct range_source *r = (struct range_source *)src;

	return r->parent->ops->read(r->parent, buf, r->offset + offset, n,
				    err);
}

static bool range_file_range(struct ferry_source *src, uint64_t offset,
			     uint64_t n, int *fd, uint64_t *file_offset)
{
	struct range_source *r = (struct range_source *)src;

	return ferry_source_file_range(r->parent, r->offset + offset, n, fd,
				       file_offset);
}

static bool range_crc32(struct ferry_source *src, uint64_t offset, uint64_t n,
			uint32_t *out)
{
	struct range_source *r = (struct range_source *)src;

	if (r->has_crc32 && offset == 0 && n == src->nbytes) {
		*out = r->crc32;
		return true;
	}
	return ferry_source_crc32(r->parent, r->offset + offset, n, out);
}

static const void *range_memory(struct ferry_source *src, uint64_t offset,
				size_t n)
{
	struct range_source *r = (struct range_source *)src;

	return ferry_source_memory(r->parent, r->offset + offset, n);
}

static size_t range_chunk(struct ferry_source *src)
{
	return ferry_source_chunk(((struct range_source *)src)->parent);
}

static bool range_grid(struct ferry_source *src, size_t most,
		       struct ferry_grid *out)
{
	struct range_source *r = (struct range_source *)src;

	return ferry_source_grid(r->parent, r->offset, src->nbytes, most, out);
}

static int range_read_block(struct ferry_source *src, void *buf,
			    const uint64_t *first, const uint64_t *count,
			    struct ferry_error *err)
{
	return ferry_source_read_block(((struct range_source *)src)->parent,
				       buf, first, count, err);
}

static void range_free(struct ferry_source *src)
{
	ferry_source_unref(((struct range_source *)src)->parent);
	ferry_alloc_free(src);
}

static const struct ferry_source_ops range_ops = {
	.read = range_read,
	.file_range = range_file_range,
	.crc32 = range_crc32,
	.memory = range_memory,
	.chunk = range_chunk,
	.grid = range_grid,
	.read_block = range_read_block,
	.free = range_free,
};

static int range_new(struct ferry_source **out, struct ferry_source *src,
		     uint64_t offset, uint64_t n, const uint32_t *crc32,
		     const char *name, struct ferry_error *err)
{
	struct range_source *r;
	int code;

	if (ferry_ckd_outside(offset, n, src->nbytes))
		return fail_outside(src, offset, n, err);
	r = ferry_alloc(sizeof(*r));
	if (!r)
		return ferry_fail_nomem(err, "a range source");
	code = ferry_source_init(&r->base, &range_ops, n,
				 name ? name : src->name, err);
	if (code) {
		ferry_alloc_free(r);
		return code;
	}
	r->has_crc32 = crc32 != NULL;
	r->crc32 = crc32 ? *crc32 : 0;
	r->offset = offset;
	/* A range of a plain range needs no second hop per read. */
	while (src->ops == &range_ops &&
	       !((struct range_source *)src)->has_crc32) {
		r->offset += ((struct range_source *)src)->offset;
		src = ((struct range_source *)src)->parent;
	}
	r->parent = ferry_source_ref(src);
	*out = &r->base;
	return 0;
}

int ferry_source_range(struct ferry_source **out, struct ferry_source *src,
		       uint64_t offset, uint64_t n, const char *name,
		       struct ferry_error *err)
{
	return range_new(out, src, offset, n, NULL, name, err);
}

int ferry_source_range_crc32(struct ferry_source **out,
			     struct ferry_source *src, uint64_t offset,
			     uint64_t n, uint32_t crc32, const char *name,
			     struct ferry_error *err)
{
	return range_new(out, src, offset, n, &crc32, name, err);
}

static int zero_read(struct ferry_source *src, void *buf, uint64_t offset,
		     size_t n, struct ferry_error *err)
{
	(void)src;
	(void)offset;
	(void)err;
	memset(buf, 0, n);
	return 0;
}

static const struct ferry_source_ops zero_ops = {
	.read = zero_read,
};

int ferry_source_zero(struct ferry_source **out, uint64_t nbytes,
		      struct ferry_error *err)
{
	struct ferry_source *src = ferry_alloc(sizeof(*src));
	int code;

	if (!src)
		return ferry_fail_nomem(err, "a zero source");
	code = ferry_source_init(src, &zero_ops, nbytes, "zeros", err);
	if (code) {
		ferry_alloc_free(src);
		return code;
	}
	*out = src;
	return 0;
}
