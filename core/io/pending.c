/* Temporary files of this process, for ferry_output_abort_all(). */
#include "config.h"

#include "core/io/pending.h"

#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include <ferry/plan.h>
#include <ferry/sys/alloc.h>
#include <ferry/sys/sink.h>

#include "core/io/tree.h"

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
	bool is_tree;
	char name[NAME_MAX + 1];
};

static _Atomic(struct ferry_pending *) first;
/* Where the last one was found: the next is likely behind it. */
static _Atomic(struct ferry_pending *) last;
static atomic_size_t n_free;

static bool take(struct ferry_pending *p)
{
	int expected = FREE;

	if (!atomic_compare_exchange_strong(&p->state, &expected, FILLING))
		return false;
	atomic_fetch_sub(&n_free, 1);
	atomic_store(&last, p);
	return true;
}

static struct ferry_pending *find_free(void)
{
	struct ferry_pending *start = atomic_load(&last), *p;

	if (!atomic_load(&n_free))
		return NULL;
	for (p = start; p; p = p->next)
		if (take(p))
			return p;
	for (p = atomic_load(&first); p && p != start; p = p->next)
		if (take(p))
			return p;
	return NULL;
}

static struct ferry_pending *take_free(void)
{
	struct ferry_pending *p = find_free();

	if (p)
		return p;
	p = ferry_alloc(sizeof(*p));
	if (!p)
		return NULL;
	atomic_init(&p->state, FILLING);
	p->next = atomic_load(&first);
	while (!atomic_compare_exchange_weak(&first, &p->next, p))
		;
	return p;
}

static int add(struct ferry_pending **out, int dirfd, const char *name,
	       bool is_tree, struct ferry_error *err)
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
	p->is_tree = is_tree;
	memcpy(p->name, name, n + 1);
	atomic_store(&p->state, ARMED);
	*out = p;
	return 0;
}

int ferry_pending_add(struct ferry_pending **out, int dirfd, const char *name,
		      struct ferry_error *err)
{
	return add(out, dirfd, name, false, err);
}

int ferry_pending_add_tree(struct ferry_pending **out, int dirfd,
			   const char *name, struct ferry_error *err)
{
	return add(out, dirfd, name, true, err);
}

void ferry_pending_done(struct ferry_pending *p)
{
	if (!p)
		return;
	atomic_store(&p->state, FREE);
	atomic_fetch_add(&n_free, 1);
}

void ferry_output_abort_all(void)
{
	struct ferry_pending *p;
	int saved = errno;

	for (p = atomic_load(&first); p; p = p->next) {
		if (atomic_load(&p->state) != ARMED || p->pid != getpid())
			continue;
		if (p->is_tree)
			ferry_tree_remove(p->dirfd, p->name);
		else
			unlinkat(p->dirfd, p->name, 0);
	}
	errno = saved;
}

void ferry_abort_outputs(void)
{
	ferry_output_abort_all();
}
