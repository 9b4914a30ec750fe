/* Paths of outputs, and what is done with them. */
#include "config.h"

#include "core/batch/path.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <ferry/sys/buffer.h>

#include "core/batch/batch.h"

int ferry__path_fail(struct ferry_error *err, const char *path,
		     const char *what, int e)
{
	char shown[256];

	ferry_escape(shown, sizeof(shown), path, strlen(path));
	return ferry_fail_errno(err, e, "%s: can't %s it", shown, what);
}

int ferry__sync_directory(const char *path, struct ferry_error *err)
{
	int fd = open(*path ? path : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc = 0;

	if (fd < 0)
		return ferry__path_fail(err, path, "open", errno);
	if (fsync(fd) && errno != EINVAL)
		rc = ferry__path_fail(err, path, "sync", errno);
	close(fd);
	return rc;
}

void ferry__remove_empty(const char *path, size_t root)
{
	struct ferry_buffer dir = FERRY_BUFFER_INIT;

	ferry_buffer_add_str(&dir, path);
	for (char *slash; !dir.failed && (slash = strrchr(dir.data, '/')) &&
	     (size_t)(slash - dir.data) >= root;) {
		*slash = '\0';
		if (rmdir(dir.data))
			break;
	}
	ferry_buffer_release(&dir);
}

bool ferry__has_sidecar(const char *path)
{
	struct ferry_buffer name = FERRY_BUFFER_INIT;
	struct stat st;
	bool has;

	ferry_buffer_printf(&name, "%s" FERRY__SIDECAR, path);
	has = name.failed || !lstat(name.data, &st);
	ferry_buffer_release(&name);
	return has;
}
