/* Worker processes: who works on what, and what became of it. */
#include "config.h"

#include "core/batch/pool.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <ferry/sys/alloc.h>

#include "core/io/thread.h"

#define MEMORY ((uint64_t)256 << 20)
#define SMALL ((uint64_t)4 << 20)	/* bytes of what is ordered together */
#define TOGETHER ((uint64_t)64 << 20)
#define POLL_MS 100
#define HEARD ((size_t)64 << 10)	/* bytes at a time */

struct worker {
	pid_t pid;		/* 0: none */
	int fd;
	bool busy;
	struct ferry__order order;
	uint32_t answered;
	uint64_t n_failed;	/* of all that it answered */
	uint64_t progress;
	struct ferry_buffer heard;	/* not taken */
};

struct crew {
	struct ferry__pool *p;
	struct ferry__board *board;
	struct worker *workers;
	unsigned n;
	size_t next;			/* of the pool's order */
	uint64_t *again;		/* entries of those who died */
	size_t n_again;
	size_t n_cancelled;
	uint64_t memory;		/* not granted */
	struct timespec begun;
	bool stopping;
	struct ferry_error *err;
};

static uint64_t memory_of(const struct ferry__pool *p)
{
	return p->how->max_memory ? p->how->max_memory : MEMORY;
}

/* ---- starting ------------------------------------------------------------ */

static int start(struct crew *c, struct worker *w)
{
	int ends[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends))
		return ferry_fail_errno(c->err, errno, "no pipe to a worker");
	fflush(NULL);
	pid = fork();
	if (pid < 0) {
		close(ends[0]);
		close(ends[1]);
		return ferry_fail_errno(c->err, errno, "no process for a "
					"worker");
	}
	if (!pid) {
		for (unsigned i = 0; i < c->n; i++)
			if (c->workers[i].pid)
				close(c->workers[i].fd);
		close(ends[0]);
		ferry__work(c->p, c->board, (unsigned)(w - c->workers),
			    ends[1]);
		_exit(0);
	}
	close(ends[1]);
	*w = (struct worker){ .pid = pid, .fd = ends[0] };
	return 0;
}

static unsigned count_workers(const struct ferry__pool *p)
{
	unsigned n = p->how->workers ? p->how->workers : ferry_core_count();

	return p->n < n ? (unsigned)p->n : n;
}

/* ---- orders -------------------------------------------------------------- */

static size_t left(const struct crew *c)
{
	return c->p->n - c->next + c->n_again;
}

static uint64_t take_next(struct crew *c)
{
	return c->n_again ? c->again[--c->n_again] :
	       c->p->order[c->next++];
}

static uint64_t peek(const struct crew *c)
{
	return c->n_again ? c->again[c->n_again - 1] : c->p->order[c->next];
}

static uint64_t nbytes_of(const struct crew *c, uint64_t entry)
{
	return c->p->m->entries[entry].item.nbytes;
}

/* One that is large, or several that are small; not so many that others would
 * have nothing to do. */
static void fill(struct crew *c, struct ferry__order *o)
{
	size_t most = left(c) / (2 * (size_t)c->n) + 1;
	uint64_t sum = 0;

	o->n = 0;
	do {
		sum += nbytes_of(c, peek(c));
		o->entries[o->n++] = take_next(c);
	} while (left(c) && o->n < FERRY__ORDER_MOST && o->n < most &&
		 sum <= TOGETHER && nbytes_of(c, peek(c)) <= SMALL &&
		 nbytes_of(c, o->entries[0]) <= SMALL);
}

static unsigned count_idle(const struct crew *c)
{
	unsigned n = 0;

	for (unsigned i = 0; i < c->n; i++)
		n += !c->workers[i].busy;
	return n;
}

/* What is free goes to those who will share it. */
static void grant(struct crew *c, struct ferry__order *o)
{
	unsigned idle = count_idle(c);
	unsigned share = left(c) + 1 < idle ? (unsigned)left(c) + 1 : idle;
	unsigned cores = count_workers(c->p) ? c->n : 1;

	if (!share)
		share = 1;
	o->memory = c->memory / share;
	if (o->memory < (1 << 20))
		o->memory = 1 << 20;
	c->memory -= o->memory < c->memory ? o->memory : c->memory;
	o->threads = left(c) ? 1 : cores / (c->n - idle + 1);
	if (!o->threads || nbytes_of(c, o->entries[0]) <= SMALL)
		o->threads = 1;
}

static void give(struct crew *c, struct worker *w)
{
	fill(c, &w->order);
	grant(c, &w->order);
	w->busy = true;
	w->answered = 0;
	w->progress = 0;
	/* A worker that is dead already shows when it is heard. */
	while (send(w->fd, &w->order, sizeof(w->order), MSG_NOSIGNAL) < 0 &&
	       errno == EINTR)
		;
}

static void end_order(struct crew *c, struct worker *w)
{
	w->busy = false;
	w->progress = 0;
	c->memory += w->order.memory;
	if (c->memory > memory_of(c->p))
		c->memory = memory_of(c->p);
}

/* ---- answers ------------------------------------------------------------- */

static double seconds_since(const struct timespec *begun)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)(t.tv_sec - begun->tv_sec) +
	       (double)(t.tv_nsec - begun->tv_nsec) / 1e9;
}

static void count(struct crew *c, const struct ferry__entry *e)
{
	struct ferry_totals *t = &c->p->totals;

	t->n[e->item.state]++;
	t->bytes_done += e->item.nbytes;
	c->p->n_failed += e->item.state == FERRY_ITEM_FAILED;
	if (e->item.state == FERRY_ITEM_FAILED ||
	    e->item.state == FERRY_ITEM_SKIPPED)
		return;
	t->bytes_before += e->item.nbytes;
	t->bytes_after += e->item.bytes_out;
}

static void settle(struct crew *c, uint64_t entry, const json_t *record)
{
	struct ferry__entry *e = &c->p->m->entries[entry];

	if (e->item.code == FERRY_CANCELLED) {
		e->item.state = FERRY_ITEM_PENDING;
		e->item.code = 0;
		e->item.reason = NULL;
		c->n_cancelled++;
		return;
	}
	if (c->p->task != FERRY__SURVEY)
		count(c, e);
	if (c->p->settled)
		c->p->settled(c->p->ctx, e, record);
	c->p->totals.seconds = seconds_since(&c->begun);
	if (c->p->how->told && c->p->task != FERRY__SURVEY)
		c->p->how->told(c->p->how->ctx, &e->item, &c->p->totals);
}

static bool take_record(struct crew *c, struct worker *w,
			const struct ferry__answer *a, const char *text)
{
	json_t *record = json_loadb(text, a->nbytes, 0, NULL);
	struct ferry__entry *e;

	if (!record || a->entry >= c->p->m->n) {
		json_decref(record);
		return false;
	}
	e = &c->p->m->entries[a->entry];
	ferry__entry_take(c->p->m, e, record);
	w->answered++;
	w->n_failed += e->item.state == FERRY_ITEM_FAILED &&
		       e->item.code != FERRY_CANCELLED;
	settle(c, a->entry, record);
	json_decref(record);
	if (a->full && !c->p->full.code)
		ferry_fail(&c->p->full, FERRY_IO, "migrate", FERRY_NO_OFFSET,
			   "the disk is full: make room and run it again");
	if (a->last)
		end_order(c, w);
	return true;
}

/* Those that are heard whole. */
static bool take_answers(struct crew *c, struct worker *w)
{
	struct ferry_buffer *heard = &w->heard;
	struct ferry__answer a;
	bool good = true;
	size_t at = 0;

	while (good && heard->n - at >= sizeof(a)) {
		memcpy(&a, heard->data + at, sizeof(a));
		if (heard->n - at - sizeof(a) < a.nbytes)
			break;
		at += sizeof(a);
		if (a.entry == UINT64_MAX)
			w->progress = a.done;
		else
			good = take_record(c, w, &a, heard->data + at);
		at += a.nbytes;
	}
	heard->n -= at;
	memmove(heard->data, heard->data + at, heard->n);
	return good;
}

static bool hear(struct crew *c, struct worker *w)
{
	char *to = ferry_buffer_extend(&w->heard, HEARD);
	ssize_t n;

	if (!to)
		return false;
	do
		n = recv(w->fd, to, HEARD, 0);
	while (n < 0 && errno == EINTR);
	w->heard.n -= HEARD - (size_t)(n > 0 ? n : 0);
	return n > 0 && take_answers(c, w);
}

/* ---- deaths -------------------------------------------------------------- */

static void tell_death(int status, struct ferry_error *why)
{
	int sig = WIFSIGNALED(status) ? WTERMSIG(status) : 0;

	if (sig)
		ferry_fail(why, FERRY_PLUGIN, "migrate", FERRY_NO_OFFSET,
			   "the worker process died of signal %d (%s) at it%s",
			   sig, strsignal(sig), sig == SIGKILL ?
			   ": memory may have run out; fewer workers need less"
			   : "");
	else
		ferry_fail(why, FERRY_PLUGIN, "migrate", FERRY_NO_OFFSET,
			   "the worker process ended with status %d at it",
			   WEXITSTATUS(status));
}

/* What it failed at and did not tell of is done again. */
static void forget_failures(struct crew *c, const struct worker *w)
{
	struct ferry__place *place = &c->board->of[w - c->workers];
	uint64_t n = atomic_exchange(&place->n_failed, 0);

	if (n > w->n_failed)
		atomic_fetch_sub(&c->board->n_failed, n - w->n_failed);
}

/* Those of the order that were not at hand are done again. */
static void blame(struct crew *c, struct worker *w, int status)
{
	uint64_t at = atomic_load(&c->board->of[w - c->workers].at);
	struct ferry_error why = FERRY_ERROR_INIT;
	struct ferry__entry *e;

	/* Before it had looked at any: someone must be it, or it never ends. */
	if (!at && !w->answered)
		at = w->order.entries[0] + 1;
	tell_death(status, &why);
	for (uint32_t i = w->answered; i < w->order.n; i++) {
		if (w->order.entries[i] + 1 != at) {
			c->again[c->n_again++] = w->order.entries[i];
			continue;
		}
		e = &c->p->m->entries[w->order.entries[i]];
		ferry__entry_fail(c->p->m, e, &why);
		atomic_fetch_add(&c->board->n_failed, 1);
		settle(c, w->order.entries[i], NULL);
	}
}

static int bury(struct crew *c, struct worker *w)
{
	int status = 0;

	close(w->fd);
	ferry_buffer_release(&w->heard);
	while (waitpid(w->pid, &status, 0) < 0 && errno == EINTR)
		;
	w->pid = 0;
	forget_failures(c, w);
	if (w->busy && c->p->task == FERRY__RUN)
		ferry__work_sweep(c->p->m->ledger);
	if (w->busy && !c->stopping)
		blame(c, w, status);
	if (w->busy)
		end_order(c, w);
	atomic_store(&c->board->of[w - c->workers].at, 0);
	return left(c) && !c->stopping ? start(c, w) : 0;
}

/* ---- the run ------------------------------------------------------------- */

static bool is_over(struct crew *c)
{
	const struct ferry__pool *p = c->p;
	int stop = p->how->stop ? atomic_load(p->how->stop) : 0;

	if (stop == FERRY_STOP_NOW)
		atomic_store(&c->board->cancel, true);
	return stop || p->full.code ||
	       (p->how->max_failures && p->n_failed >= p->how->max_failures);
}

static unsigned set_to_work(struct crew *c)
{
	unsigned busy = 0;

	c->stopping = c->stopping || is_over(c);
	atomic_store(&c->board->stopping, c->stopping);
	for (unsigned i = 0; i < c->n; i++) {
		struct worker *w = &c->workers[i];

		if (w->pid && !w->busy && left(c) && !c->stopping)
			give(c, w);
		busy += w->pid && w->busy;
	}
	return busy;
}

static void tell_progress(struct crew *c)
{
	struct ferry_totals now = c->p->totals;

	if (!c->p->how->told || c->p->task == FERRY__SURVEY)
		return;
	for (unsigned i = 0; i < c->n; i++)
		now.bytes_done += c->workers[i].progress;
	now.seconds = seconds_since(&c->begun);
	c->p->how->told(c->p->how->ctx, NULL, &now);
}

static int listen_to(struct crew *c, struct pollfd *fds)
{
	int rc = 0;

	for (unsigned i = 0; i < c->n; i++)
		fds[i] = (struct pollfd){
			.fd = c->workers[i].pid ? c->workers[i].fd : -1,
			.events = POLLIN,
		};
	if (poll(fds, c->n, POLL_MS) <= 0)
		return 0;
	for (unsigned i = 0; i < c->n && !rc; i++)
		if (fds[i].revents && !hear(c, &c->workers[i]))
			rc = bury(c, &c->workers[i]);
	return rc;
}

static int work(struct crew *c)
{
	struct pollfd *fds = ferry_alloc_zero(c->n, sizeof(*fds));
	int rc = fds ? 0 : ferry_fail_nomem(c->err, "workers");

	for (unsigned i = 0; i < c->n && !rc; i++)
		rc = start(c, &c->workers[i]);
	while (!rc && set_to_work(c)) {
		rc = listen_to(c, fds);
		tell_progress(c);
	}
	ferry_alloc_free(fds);
	return rc;
}

static void dismiss(struct crew *c)
{
	c->stopping = true;
	for (unsigned i = 0; i < c->n; i++)
		if (c->workers[i].pid && c->workers[i].busy)
			atomic_store(&c->board->cancel, true);
	for (unsigned i = 0; i < c->n; i++)
		if (c->workers[i].pid)
			bury(c, &c->workers[i]);
}

static int conclude(const struct crew *c)
{
	const struct ferry__pool *p = c->p;
	int stop = p->how->stop ? atomic_load(p->how->stop) : 0;
	size_t n = left(c) + c->n_cancelled + p->n_later;

	if (stop && n)
		return ferry_fail(c->err, FERRY_CANCELLED, "migrate",
				  FERRY_NO_OFFSET, "stopped with %zu item%s "
				  "left%s: run it again to go on", n,
				  n == 1 ? "" : "s", p->task == FERRY__RUN ? "" :
				  " to look at, before anything was made");
	if (p->full.code)
		return ferry_fail(c->err, p->full.code, p->full.origin,
				  FERRY_NO_OFFSET, "%s", p->full.text);
	if (p->how->max_failures && p->n_failed >= p->how->max_failures && n)
		return ferry_fail(c->err, FERRY_LIMIT, "migrate",
				  FERRY_NO_OFFSET, "stopped after %llu "
				  "failure%s with %zu item%s left: mend or "
				  "move away what failed, or allow more with "
				  "--max-failures",
				  (unsigned long long)p->n_failed,
				  p->n_failed == 1 ? "" : "s", n,
				  n == 1 ? "" : "s");
	return 0;
}

int ferry__pool_run(struct ferry__pool *p, struct ferry_error *err)
{
	struct crew c = { .p = p, .n = count_workers(p), .err = err,
			  .memory = memory_of(p) };
	size_t size = sizeof(*c.board) + (c.n + 1) * sizeof(c.board->of[0]);
	int rc = 0;

	clock_gettime(CLOCK_MONOTONIC, &c.begun);
	if (!p->n)
		return 0;
	c.board = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	c.workers = ferry_alloc_zero(c.n, sizeof(*c.workers));
	c.again = ferry_alloc_zero(p->n, sizeof(*c.again));
	if (c.board == MAP_FAILED || !c.workers || !c.again)
		rc = ferry_fail_nomem(err, "workers");
	if (!rc)
		atomic_store(&c.board->n_failed, p->n_failed);
	if (!rc)
		rc = work(&c);
	if (c.board != MAP_FAILED && c.workers)
		dismiss(&c);
	if (!rc)
		rc = conclude(&c);
	p->totals.seconds = seconds_since(&c.begun);
	if (c.board != MAP_FAILED)
		munmap(c.board, size);
	ferry_alloc_free(c.again);
	ferry_alloc_free(c.workers);
	return rc;
}
