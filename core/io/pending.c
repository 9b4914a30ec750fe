/* Temporary files of this process, for ferry_output_abort_all(). */
#include "config.h"

#include "core/io/pending.h"

#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include <ferry/plan.h>
#include <ferry/sys/alloc.h>
#include <ferry/sys/sink.h>

enum {
	FREE,
	FILLING,
	ARMED,
};

/* Entries are reused and never freed: a handler may stand on any of them. */
struct ferry_pending {
	struct ferry_pending *next;
	atomic_int state;
	int dirfd;
	pid_t pid;
	char name[NAME_MAX + 1];
};

static _Atomic(struct ferry_pending *) first;

static struct ferry_pending *take_free(void)
{
	struct ferry_pending *p = atomic_load(&first);
	int expected;

	for (; p; p = p->next) {
		expected = FREE;
		if (atomic_compare_exchange_strong(&p->state, &expected,
						   FILLING))
			return p;
	}
	p = ferry_alloc(sizeof(*p));
	if (!p)
		return NULL;
	atomic_init(&p->state, FILLING);
	p->next = atomic_load(&first);
	while (!atomic_compare_exchange_weak(&first, &p->next, p))
		;
	return p;
}

int ferry_pending_add(struct ferry_pending **out, int dirfd, const char *name,
		      struct ferry_error *err)
{
	size_t n = strlen(name);
	struct ferry_pending *p;

	if (n > NAME_MAX)
		return ferry_fail(err, FERRY_IO, "", FERRY_NO_OFFSET,
				  "temporary name of %zu bytes is too long", n);
	p = take_free();
	if (!p)
		return ferry_fail_nomem(err, "an output");
	p->dirfd = dirfd;
	p->pid = getpid();
	memcpy(p->name, name, n + 1);
	atomic_store(&p->state, ARMED);
	*out = p;
	return 0;
}

void ferry_pending_done(struct ferry_pending *p)
{
	if (p)
		atomic_store(&p->state, FREE);
}

void ferry_output_abort_all(void)
{
	struct ferry_pending *p;
	int saved = errno;

	for (p = atomic_load(&first); p; p = p->next)
		if (atomic_load(&p->state) == ARMED && p->pid == getpid())
			unlinkat(p->dirfd, p->name, 0);
	errno = saved;
}

void ferry_abort_outputs(void)
{
	ferry_output_abort_all();
}
