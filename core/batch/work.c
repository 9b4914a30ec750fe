/* Directories that outputs are made in, one for each worker. */
#include "config.h"

#include "core/batch/batch.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <ferry/sys/alloc.h>
#include <ferry/sys/buffer.h>

#include "core/io/tree.h"

#define WORK "work-"
#define HOST_MOST 64

static void host_name(char out[HOST_MOST])
{
	if (gethostname(out, HOST_MOST - 1))
		memcpy(out, "host", 5);
	out[HOST_MOST - 1] = '\0';
	for (char *p = out; *p; p++)
		if (*p == '/')
			*p = '_';
}

int ferry__work_open(struct ferry__worker *w, struct ferry_error *err)
{
	struct ferry_buffer path = FERRY_BUFFER_INIT;
	char host[HOST_MOST];
	uint32_t r = 0;

	if (w->work)
		return 0;
	if (getrandom(&r, sizeof(r), 0) != sizeof(r))
		r = (uint32_t)getpid();
	host_name(host);
	ferry_buffer_printf(&path, "%s/" WORK "%s-%ld-%08x", w->m->ledger,
			    host, (long)getpid(), (unsigned)r);
	if (path.failed)
		return ferry_fail_nomem(err, "a file name");
	if (mkdir(path.data, 0777)) {
		int e = errno;

		ferry_buffer_release(&path);
		return ferry_fail_errno(err, e, "%s: can't make a directory to "
					"work in", w->m->ledger);
	}
	w->work = path.data;
	return 0;
}

void ferry__work_close(struct ferry__worker *w)
{
	if (w->work)
		ferry_tree_remove(AT_FDCWD, w->work);
	ferry_alloc_free(w->work);
	w->work = NULL;
}

/* A dead process whose parent has not asked after it is still listed; its state
 * follows its name, which is in parentheses. */
bool ferry__is_alive(long pid)
{
	char path[40], text[512];
	const char *end;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%ld/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return access("/proc/self", F_OK) != 0;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	end = strrchr(text, ')');
	return !end || strncmp(end, ") Z", 3);
}

/* "work-HOST-PID-RANDOM" of a process of this host that is no more. */
static bool is_dead(const char *name, const char *host)
{
	size_t n = strlen(host);
	const char *p = name + strlen(WORK);
	long pid = 0;

	if (strncmp(name, WORK, strlen(WORK)) || strncmp(p, host, n) ||
	    p[n] != '-')
		return false;
	for (p += n + 1; *p >= '0' && *p <= '9' && pid < 100000000; p++)
		pid = pid * 10 + (*p - '0');
	if (!pid || *p != '-' || pid == (long)getpid())
		return false;
	return !ferry__is_alive(pid);
}

void ferry__work_sweep(const char *ledger)
{
	DIR *dir = opendir(ledger);
	const struct dirent *entry;
	char host[HOST_MOST];

	if (!dir)
		return;
	host_name(host);
	while ((entry = readdir(dir)))
		if (is_dead(entry->d_name, host))
			ferry_tree_remove(dirfd(dir), entry->d_name);
	closedir(dir);
}
