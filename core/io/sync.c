/* Files' data is written back by several threads, which wait together. */
#include "config.h"

#include "core/io/sync.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <unistd.h>

#define THREADS_MOST 32

struct syncing {
	struct ferry_synced *files;
	size_t n;
	atomic_size_t next;
};

static void start(struct ferry_synced *f)
{
	int fd = open(f->path, O_RDONLY | O_CLOEXEC);

	f->error = fd < 0 ? errno : 0;
	if (fd < 0)
		return;
#ifdef HAVE_SYNC_FILE_RANGE
	sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE);
#endif
	close(fd);
}

static void wait_for(struct ferry_synced *f)
{
	int fd;

	if (f->error)
		return;
	fd = open(f->path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fdatasync(fd))
		f->error = errno;
	if (fd >= 0)
		close(fd);
}

static void *wait_for_some(void *arg)
{
	struct syncing *s = arg;
	size_t i;

	while ((i = atomic_fetch_add(&s->next, 1)) < s->n)
		wait_for(&s->files[i]);
	return NULL;
}

void ferry_sync_files(struct ferry_synced *files, size_t n)
{
	struct syncing s = { .files = files, .n = n };
	pthread_t threads[THREADS_MOST - 1];
	unsigned n_threads = 0;

	for (size_t i = 0; n > 1 && i < n; i++)
		start(&files[i]);
	while (n_threads < THREADS_MOST - 1 && n_threads + 1 < n &&
	       !pthread_create(&threads[n_threads], NULL, wait_for_some, &s))
		n_threads++;
	wait_for_some(&s);
	while (n_threads)
		pthread_join(threads[--n_threads], NULL);
}
