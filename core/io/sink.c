/* Bytes into a temporary file: appended, placed, and what a full disk says. */
#include "config.h"

#include "core/io/output.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <ferry/sys/alloc.h>
#include <ferry/sys/ckd.h>

#define HELD_MAX ((size_t)64 << 10)
#define WRITE_MAX ((size_t)1 << 30)

int ferry_sink_fail(const struct ferry_sink *s, int e, uint64_t n,
		    uint64_t offset, struct ferry_error *err)
{
	struct statvfs fs;

	if ((e == ENOSPC || e == EDQUOT) && !fstatvfs(s->fd, &fs))
		return ferry_fail(err, FERRY_IO, "", offset,
				  "%s: %s: %llu bytes more are needed from "
				  "byte %llu, %llu bytes are free; make room "
				  "or write elsewhere", s->text,
				  e == ENOSPC ? "no space left on device" :
				  "disk quota exceeded", (unsigned long long)n,
				  (unsigned long long)offset,
				  (unsigned long long)fs.f_bavail *
				  fs.f_frsize);
	if (e == EFBIG)
		return ferry_fail(err, FERRY_IO, "", offset,
				  "%s: can't write at byte %llu: the file "
				  "would be larger than the file system or the "
				  "process's limit (ulimit -f) allows",
				  s->text, (unsigned long long)offset);
	return ferry_fail_errno(err, e, "%s: can't write at byte %llu",
				s->text, (unsigned long long)offset);
}

int ferry_sink_put(struct ferry_sink *s, const void *data, size_t n,
		   uint64_t offset, struct ferry_error *err)
{
	const char *from = data;
	ssize_t put;

	while (n) {
		if (offset > INT64_MAX - n)
			return ferry_sink_fail(s, EFBIG, n, offset, err);
		put = pwrite(s->fd, from, n < WRITE_MAX ? n : WRITE_MAX,
			     (off_t)offset);
		if (put < 0 && errno == EINTR)
			continue;
		if (put <= 0)
			return ferry_sink_fail(s, put ? errno : EIO, n, offset,
					       err);
		from += put;
		offset += (uint64_t)put;
		n -= (size_t)put;
	}
	return 0;
}

static void grow(struct ferry_sink *s, uint64_t end)
{
	if (s->end < end)
		s->end = end;
}

int ferry_sink_flush(struct ferry_sink *s, struct ferry_error *err)
{
	size_t n = s->n_held;
	int code;

	if (!n)
		return 0;
	code = ferry_sink_wake(s, err);
	if (!code)
		code = ferry_sink_put(s, s->held, n, s->tell - n, err);
	if (!code)
		s->n_held = 0;
	return code;
}

int ferry_sink_append(struct ferry_sink *s, const void *data, size_t n,
		      struct ferry_error *err)
{
	uint64_t end;
	int code;

	if (!n)
		return 0;
	if (ferry_ckd_add(&end, s->tell, n))
		return ferry_sink_fail(s, EFBIG, n, s->tell, err);
	if (n > HELD_MAX - s->n_held) {
		code = ferry_sink_flush(s, err);
		if (code)
			return code;
	}
	code = ferry_sink_wake(s, err);
	if (code)
		return code;
	if (n >= HELD_MAX) {
		code = ferry_sink_put(s, data, n, s->tell, err);
		if (code)
			return code;
	} else {
		if (!s->held)
			s->held = ferry_alloc(HELD_MAX);
		if (!s->held)
			return ferry_fail_nomem(err, "a write buffer");
		memcpy(s->held + s->n_held, data, n);
		s->n_held += n;
	}
	s->tell = end;
	grow(s, end);
	return 0;
}

uint64_t ferry_sink_tell(const struct ferry_sink *s)
{
	return s->tell;
}

int ferry_sink_seek(struct ferry_sink *s, uint64_t offset,
		    struct ferry_error *err)
{
	int code;

	if (offset == s->tell)
		return 0;
	code = ferry_sink_flush(s, err);
	if (!code)
		s->tell = offset;
	return code;
}

int ferry_sink_write_at(struct ferry_sink *s, const void *data, size_t n,
			uint64_t offset, struct ferry_error *err)
{
	int code = ferry_sink_flush(s, err);

	if (!code)
		code = ferry_sink_wake(s, err);
	if (!code)
		code = ferry_sink_put(s, data, n, offset, err);
	if (!code && n)
		grow(s, offset + n);
	return code;
}

int ferry_sink_temp_path(struct ferry_sink *s, const char **out,
			 struct ferry_error *err)
{
	int code = ferry_sink_flush(s, err);

	if (!code)
		*out = s->temp_path;
	return code;
}

const char *ferry_sink_path(const struct ferry_sink *s)
{
	return s->path;
}

uint64_t ferry_sink_nbytes(const struct ferry_sink *s)
{
	return s->end;
}

/*
 * tmpfs would clear every page twice, and btrfs could no longer compress.  What
 * other file systems can't do is no error here.
 */
int ferry_sink_reserve(struct ferry_sink *s, uint64_t offset, uint64_t n,
		       struct ferry_error *err)
{
	int rc;

	if (s->fs.f_type == TMPFS_MAGIC || s->fs.f_type == BTRFS_SUPER_MAGIC)
		return 0;
	do
		rc = fallocate(s->fd, 0, (off_t)offset, (off_t)n);
	while (rc && errno == EINTR);
	if (rc && (errno == ENOSPC || errno == EDQUOT || errno == EFBIG))
		return ferry_sink_fail(s, errno, n, offset, err);
	return 0;
}

void ferry_sink_write_back(struct ferry_sink *s, uint64_t offset, uint64_t n)
{
	sync_file_range(s->fd, (off_t)offset, (off_t)n, SYNC_FILE_RANGE_WRITE);
}

bool ferry_sink_is_remote(const struct ferry_sink *s)
{
	switch ((unsigned long)s->fs.f_type) {
	case NFS_SUPER_MAGIC:
	case CIFS_SUPER_MAGIC:
	case SMB2_SUPER_MAGIC:
	case CEPH_SUPER_MAGIC:
	case FUSE_SUPER_MAGIC:
		return true;
	}
	return false;
}

int ferry_work_check(const struct ferry_work *work, struct ferry_error *err)
{
	if (!work->cancel ||
	    !atomic_load_explicit(work->cancel, memory_order_relaxed))
		return 0;
	return ferry_fail(err, FERRY_CANCELLED, "", FERRY_NO_OFFSET,
			  "cancelled; nothing was written under its final "
			  "name");
}
