/* Small ranges in the order they lie in their files, read in windows. */
#include "config.h"

#include "core/io/fragment.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What lies between two fragments and is read for nothing costs less than a
 * system call, up to about here. */
#define GAP_MAX 4096

static int by_place(const void *a, const void *b)
{
	const struct ferry_fragment *x = a, *y = b;

	if (x->fd != y->fd)
		return x->fd < y->fd ? -1 : 1;
	if (x->at != y->at)
		return x->at < y->at ? -1 : 1;
	return x->to < y->to ? -1 : x->to > y->to;
}

/* The end of those that one window takes from f[first] on, and how long the
 * window is. */
static size_t window_end(const struct ferry_fragment *f, size_t first,
			 size_t n, size_t cap, size_t *nbytes)
{
	uint64_t start = f[first].at, end = start + f[first].n, next;
	size_t i;

	for (i = first + 1; i < n && f[i].fd == f[first].fd; i++) {
		if (f[i].at > end && f[i].at - end > GAP_MAX)
			break;
		next = f[i].at + f[i].n > end ? f[i].at + f[i].n : end;
		if (next - start > cap)
			break;
		end = next;
	}
	*nbytes = (size_t)(end - start);
	return i;
}

/* False when that failed for whatever cause: the sources know how to put it. */
static bool read_window(struct ferry_fragment *f, size_t n,
			unsigned char *window, size_t nbytes)
{
	uint64_t start = f[0].at;
	ssize_t got;
	size_t i;

	do
		got = pread(f[0].fd, window, nbytes, (off_t)start);
	while (got < 0 && errno == EINTR);
	if (got != (ssize_t)nbytes)
		return false;
	for (i = 0; i < n; i++)
		memcpy(f[i].to, window + (f[i].at - start), f[i].n);
	return true;
}

int ferry_fragments_read(struct ferry_fragment *f, size_t n,
			 unsigned char *window, size_t cap,
			 struct ferry_error *err)
{
	size_t i, end, nbytes;
	int code = 0;

	for (i = 0; i < n; i++)
		if (!ferry_source_file_range(f[i].source, f[i].offset, f[i].n,
					     &f[i].fd, &f[i].at)) {
			f[i].fd = -1;
			f[i].at = 0;
		}
	qsort(f, n, sizeof(*f), by_place);
	for (i = 0; i < n && !code; i = end) {
		end = i + 1;
		if (f[i].fd >= 0)
			end = window_end(f, i, n, cap, &nbytes);
		if (end - i > 1 && read_window(f + i, end - i, window, nbytes))
			continue;
		for (; i < end && !code; i++)
			code = ferry_source_read(f[i].source, f[i].to,
						 f[i].offset, f[i].n, err);
	}
	return code;
}
