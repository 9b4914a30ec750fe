/* Files' data is written back by several threads, which wait together. */
#include "config.h"

#include "core/io/sync.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "core/io/thread.h"

static void start(const struct ferry_synced *f)
{
	int fd = open(f->path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return;
#ifdef HAVE_SYNC_FILE_RANGE
	sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE);
#endif
	close(fd);
}

static void wait_for(struct ferry_synced *f)
{
	int fd = open(f->path, O_RDONLY | O_CLOEXEC);

	f->error = fd < 0 || fdatasync(fd) ? errno : 0;
	if (fd >= 0)
		close(fd);
}

static void *work(void *arg)
{
	struct ferry_syncing *s = arg;
	size_t i;

	while (s->n > 1 && (i = atomic_fetch_add(&s->started, 1)) < s->n)
		start(&s->files[i]);
	while ((i = atomic_fetch_add(&s->next, 1)) < s->n)
		wait_for(&s->files[i]);
	return NULL;
}

/* Each has a descriptor, of those that what is read and made needs, too. */
static unsigned threads_most(size_t n)
{
	rlim_t most = n < FERRY_SYNC_THREADS ? n : FERRY_SYNC_THREADS;
	struct rlimit limit;

	if (n > 1 && !getrlimit(RLIMIT_NOFILE, &limit) &&
	    limit.rlim_cur / 8 < most)
		most = limit.rlim_cur / 8;
	return (unsigned)most;
}

void ferry_sync_begin(struct ferry_syncing *s, struct ferry_synced *files,
		      size_t n)
{
	unsigned most = threads_most(n);

	*s = (struct ferry_syncing){ .files = files, .n = n };
	while (s->n_threads < most && s->n_threads + 1 < n &&
	       !ferry_thread_start(&s->threads[s->n_threads], work, s))
		s->n_threads++;
}

void ferry_sync_end(struct ferry_syncing *s)
{
	work(s);
	while (s->n_threads)
		pthread_join(s->threads[--s->n_threads], NULL);
}
