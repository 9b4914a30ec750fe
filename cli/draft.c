/* A text file in the making. */
#include "config.h"

#include "cli/draft.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/memory.h"

static char *temp_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *base = slash ? slash + 1 : path;

	return cli_text("%.*s.%s.%ld.ferry-tmp", (int)(base - path), path,
			base, (long)getpid());
}

int cli_draft_open(struct cli_draft *d, const char *path,
		   struct ferry_error *err)
{
	int fd, e;

	d->f = NULL;
	d->path = path;
	d->temp = temp_name(path);
	fd = open(d->temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (fd >= 0)
		d->f = fdopen(fd, "w");
	if (d->f)
		return 0;
	e = errno;
	if (fd >= 0)
		close(fd);
	free(d->temp);
	return ferry_fail_errno(err, e, "cannot write %s", path);
}

static int finish(struct cli_draft *d, struct ferry_error *err)
{
	struct stat st;

	if (fflush(d->f) || ferror(d->f) || fsync(fileno(d->f)))
		return ferry_fail_errno(err, errno, "cannot write %s",
					d->path);
	if (!lstat(d->path, &st) && !S_ISREG(st.st_mode) &&
	    !S_ISLNK(st.st_mode))
		return ferry_fail(err, FERRY_EXISTS, "cli", FERRY_NO_OFFSET,
				  "%s is no regular file: name another",
				  d->path);
	if (rename(d->temp, d->path))
		return ferry_fail_errno(err, errno, "cannot rename to %s",
					d->path);
	return 0;
}

int cli_draft_close(struct cli_draft *d, bool keep, struct ferry_error *err)
{
	int rc = keep ? finish(d, err) : 0;

	if (!keep || rc)
		unlink(d->temp);
	fclose(d->f);
	free(d->temp);
	d->f = NULL;
	return rc;
}
