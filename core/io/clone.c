/* Sharing extents with the source's file, where both lie on one file system
 * that can. */
#include "config.h"

#include "core/io/output.h"

#include <errno.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <ferry/sys/ckd.h>

#define ALIGN_DEFAULT 4096
#define ALIGN_MAX (1 << 20)

static uint64_t round_up(uint64_t v, uint64_t align)
{
	return (v + align - 1) & ~(align - 1);
}

/* The file system's block size, which clones must be aligned to. */
static uint32_t block_nbytes(const struct ferry_sink *s)
{
	long n = s->fs.f_bsize;

	if (n < ALIGN_DEFAULT || n > ALIGN_MAX || (n & (n - 1)))
		return ALIGN_DEFAULT;
	return (uint32_t)n;
}

static bool clone_range(struct ferry_sink *s, int fd, uint64_t from,
			uint64_t n, uint64_t to)
{
	struct file_clone_range range = {
		.src_fd = fd,
		.src_offset = from,
		.src_length = n,
		.dest_offset = to,
	};

	return !ioctl(s->fd, FICLONERANGE, &range);
}

/* True when an earlier trial on the device of fd failed. */
static bool known_not_to(struct ferry_sink *s, int fd, dev_t *dev)
{
	struct stat st;

	if (fstat(fd, &st))
		return true;
	*dev = st.st_dev;
	return s->clone_known && s->clone_dev == st.st_dev && !s->clone_works;
}

static void learn(struct ferry_sink *s, dev_t dev, bool works)
{
	s->clone_known = true;
	s->clone_dev = dev;
	s->clone_works = works;
}

bool ferry_sink_clone(struct ferry_sink *s, int fd, uint64_t from, uint64_t n,
		      uint64_t to, uint64_t *head, uint64_t *tail)
{
	uint64_t align = block_nbytes(s);
	uint64_t first, end;
	dev_t dev;

	if (ferry_sink_work(s)->no_clone || (from ^ to) & (align - 1) ||
	    from + n > INT64_MAX - align)
		return false;
	first = round_up(from, align);
	end = (from + n) & ~(align - 1);
	if (end <= first || known_not_to(s, fd, &dev))
		return false;
	if (!clone_range(s, fd, first, end - first, to + (first - from))) {
		/* EINVAL may be about these two files only. */
		if (errno != EINVAL)
			learn(s, dev, false);
		return false;
	}
	learn(s, dev, true);
	*head = first - from;
	*tail = from + n - end;
	return true;
}

/*
 * Clone one block past the end of the temporary file, and cut it off again:
 * what the file systems say of themselves is not to be trusted.
 */
static bool trial(struct ferry_sink *s, int fd, uint64_t from, uint32_t align)
{
	uint64_t end = round_up(s->end, align);
	bool works = clone_range(s, fd, from, align, end);

	if (ferry_sink_flush(s, NULL) || ftruncate(s->fd, (off_t)s->end))
		return false;
	return works;
}

bool ferry_sink_can_clone(struct ferry_sink *s, struct ferry_source *source,
			  uint64_t offset, uint64_t n, uint32_t *align,
			  uint32_t *phase)
{
	uint32_t block = block_nbytes(s);
	uint64_t from, first;
	dev_t dev;
	int fd;

	if (ferry_sink_work(s)->no_clone ||
	    !ferry_source_file_range(source, offset, n, &fd, &from) ||
	    from > INT64_MAX / 2 || n > INT64_MAX / 2)
		return false;
	first = round_up(from, block);
	if (first + block > from + n || known_not_to(s, fd, &dev) ||
	    ferry_sink_wake(s, NULL))
		return false;
	if (!s->clone_known || s->clone_dev != dev)
		learn(s, dev, trial(s, fd, first, block));
	if (!s->clone_works)
		return false;
	*align = block;
	*phase = (uint32_t)(from & (block - 1));
	return true;
}
