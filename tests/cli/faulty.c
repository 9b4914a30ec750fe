/*
 * A disk that fails, to be preloaded: the FAULT_AT-th write to a regular file,
 * counted over all processes in the file FAULT_COUNT, fails with FAULT_ERRNO;
 * so do those after it when FAULT_STAYS is set.  With FAULT_NAME, only writes to
 * files whose path has that in it count.  With FAULT_RUN, a shell runs that
 * command before the write, which goes well.  With FAULT_SYNC, writes go well
 * and directories can't be synced.  With FAULT_KILL, all processes are killed
 * before the FAULT_KILL-th change of a name (a rename, a link, a removal, a
 * directory made); with FAULT_RUN, that runs instead.  Without FAULT_COUNT
 * nothing happens.
 */
#include "config.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

/* What all processes share. */
struct board {
	atomic_ulong writes, names;
	atomic_long first;	/* process */
};

static struct board *board(void)
{
	static struct board *shared;
	const char *path = getenv("FAULT_COUNT");
	int fd = shared || !path ? -1 : open(path, O_RDWR | O_CLOEXEC);
	void *at;

	if (fd < 0)
		return shared;
	at = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		  0);
	close(fd);
	shared = at == MAP_FAILED ? NULL : at;
	return shared;
}

__attribute__((constructor)) static void note_first(void)
{
	long none = 0;

	if (board())
		atomic_compare_exchange_strong(&board()->first, &none,
					       (long)getpid());
}

static unsigned long setting(const char *name)
{
	const char *text = getenv(name);

	return text ? strtoul(text, NULL, 10) : 0;
}

static int is_meant(int fd)
{
	const char *name = getenv("FAULT_NAME");
	char link[40], path[4096];
	ssize_t n;

	if (!name)
		return 1;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	path[n > 0 ? n : 0] = '\0';
	return strstr(path, name) != NULL;
}

/* The command's own writes are none of those that count. */
static int intervenes(void)
{
	const char *command = getenv("FAULT_RUN");

	if (!command)
		return 0;
	unsetenv("LD_PRELOAD");
	if (system(command))
		abort();
	return 1;
}

static int fails(int fd)
{
	unsigned long at = setting("FAULT_AT"), n;
	struct stat st;

	if (fd <= 2 || !board() || fstat(fd, &st) || !S_ISREG(st.st_mode) ||
	    !is_meant(fd))
		return 0;
	n = atomic_fetch_add(&board()->writes, 1) + 1;
	if (!at || n < at || (n > at && !getenv("FAULT_STAYS")))
		return 0;
	if (intervenes())
		return 0;
	errno = (int)setting("FAULT_ERRNO");
	return 1;
}

static void before_name(void)
{
	unsigned long at = setting("FAULT_KILL");

	if (!board() || atomic_fetch_add(&board()->names, 1) + 1 != at ||
	    intervenes())
		return;
	kill((pid_t)atomic_load(&board()->first), SIGKILL);
	kill(getpid(), SIGKILL);
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

typedef int two_names(const char *from, const char *to);
typedef int one_name(const char *name);

EXPORT int rename(const char *from, const char *to)
{
	before_name();
	return REAL(two_names *, "rename")(from, to);
}

EXPORT int link(const char *from, const char *to)
{
	before_name();
	return REAL(two_names *, "link")(from, to);
}

EXPORT int unlink(const char *name)
{
	before_name();
	return REAL(one_name *, "unlink")(name);
}

EXPORT int rmdir(const char *name)
{
	before_name();
	return REAL(one_name *, "rmdir")(name);
}

EXPORT int mkdir(const char *name, mode_t mode)
{
	before_name();
	return REAL(int (*)(const char *, mode_t), "mkdir")(name, mode);
}
