/* Removing a directory where no memory may be taken: in a signal handler. */
#include "config.h"

#include "core/io/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <ferry/sys/plugin.h>

#define PASSES 100		/* of a directory that is still being filled */

/* As the kernel gives it; glibc's readdir() takes memory. */
struct kernel_entry {
	uint64_t ino;
	int64_t offset;
	uint16_t nbytes;
	uint8_t type;
	char name[];
};

static int remove_entries(int fd, unsigned depth);

static int remove_directory(int parent, const char *name, unsigned depth)
{
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW |
			O_CLOEXEC);
	int removed = 0;

	if (fd < 0)
		return 0;
	for (unsigned pass = 0; pass < PASSES; pass++)
		if (!remove_entries(fd, depth))
			break;
	close(fd);
	removed = !unlinkat(parent, name, AT_REMOVEDIR);
	return removed;
}

static int remove_entry(int fd, const char *name, unsigned depth)
{
	if (!strcmp(name, ".") || !strcmp(name, ".."))
		return 0;
	if (!unlinkat(fd, name, 0))
		return 1;
	if (errno != EISDIR && errno != EPERM)
		return 0;
	return depth ? remove_directory(fd, name, depth - 1) : 0;
}

/* How many went. */
static int remove_entries(int fd, unsigned depth)
{
	_Alignas(struct kernel_entry) char data[2048];
	const struct kernel_entry *entry;
	int removed = 0;
	long n;

	lseek(fd, 0, SEEK_SET);
	while ((n = syscall(SYS_getdents64, fd, data, sizeof(data))) > 0)
		for (long at = 0; at < n; at += entry->nbytes) {
			entry = (const struct kernel_entry *)(data + at);
			removed += remove_entry(fd, entry->name, depth);
		}
	return removed;
}

void ferry_tree_remove(int dirfd, const char *name)
{
	remove_directory(dirfd, name, FERRY_DIRECTORY_DEPTH + 1);
}
