/*
 * A disk that fails, to be preloaded: the FAULT_AT-th write to a regular file,
 * counted over all processes in the file FAULT_COUNT, fails with FAULT_ERRNO;
 * so do those after it when FAULT_STAYS is set.  With FAULT_SYNC, writes go
 * well and directories can't be synced.  Without FAULT_COUNT nothing happens.
 */
#include "config.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

static atomic_ulong *counter(void)
{
	static atomic_ulong *count;
	const char *path = getenv("FAULT_COUNT");
	int fd = count || !path ? -1 : open(path, O_RDWR | O_CLOEXEC);
	void *at;

	if (fd < 0)
		return count;
	at = mmap(NULL, sizeof(*count), PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		  0);
	close(fd);
	count = at == MAP_FAILED ? NULL : at;
	return count;
}

static unsigned long setting(const char *name)
{
	const char *text = getenv(name);

	return text ? strtoul(text, NULL, 10) : 0;
}

static int fails(int fd)
{
	unsigned long at = setting("FAULT_AT"), n;
	struct stat st;

	if (fd <= 2 || !counter() || fstat(fd, &st) || !S_ISREG(st.st_mode))
		return 0;
	n = atomic_fetch_add(counter(), 1) + 1;
	if (!at || n < at || (n > at && !getenv("FAULT_STAYS")))
		return 0;
	errno = (int)setting("FAULT_ERRNO");
	return 1;
}

#define REAL(type, name) ((type)dlsym(RTLD_NEXT, name))

EXPORT ssize_t write(int fd, const void *data, size_t n)
{
	ssize_t (*real)(int, const void *, size_t) =
		REAL(ssize_t (*)(int, const void *, size_t), "write");

	return fails(fd) ? -1 : real(fd, data, n);
}

typedef ssize_t put_at(int fd, const void *data, size_t n, off64_t at);

/* One function, by either name. */
EXPORT ssize_t pwrite64(int fd, const void *data, size_t n, off64_t at)
{
	return fails(fd) ? -1 : REAL(put_at *, "pwrite64")(fd, data, n, at);
}

EXPORT ssize_t pwrite(int fd, const void *data, size_t n, off_t at)
{
	return fails(fd) ? -1 : REAL(put_at *, "pwrite64")(fd, data, n, at);
}

EXPORT ssize_t copy_file_range(int from, off64_t *in, int to, off64_t *out,
			       size_t n, unsigned flags)
{
	ssize_t (*real)(int, off64_t *, int, off64_t *, size_t, unsigned) =
		REAL(ssize_t (*)(int, off64_t *, int, off64_t *, size_t,
				 unsigned), "copy_file_range");

	return fails(to) ? -1 : real(from, in, to, out, n, flags);
}

EXPORT int fsync(int fd)
{
	int (*real)(int) = REAL(int (*)(int), "fsync");
	struct stat st;

	if (getenv("FAULT_SYNC") && !fstat(fd, &st) && S_ISDIR(st.st_mode)) {
		errno = EIO;
		return -1;
	}
	return real(fd);
}
