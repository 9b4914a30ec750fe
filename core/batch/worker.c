/* A worker process: takes orders, answers with records. */
#include "config.h"

#include "core/batch/pool.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <ferry/sys/alloc.h>

#include "core/batch/record.h"
#include "core/batch/settle.h"

#define INTERVAL 100000000	/* ns between words on progress */
#define SETTLE_AFTER 100000000	/* ns of work that is settled together */

/* Of an order: items that are settled together. */
struct portion {
	struct ferry__group group;
	const uint64_t *entries;
	bool failed[FERRY__GROUP_MOST];	/* before that */
};

struct hand {
	struct ferry__pool *p;
	struct ferry__board *board;
	struct ferry__worker worker;
	unsigned index;
	int fd;
	uint64_t told;		/* ns, of the last progress */
	bool full;		/* the disk is: nothing more is begun */
	struct ferry_buffer answers;	/* not sent */
	struct portion *portions;	/* two: one is written back while */
					/* the other is made */
};

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static bool receive(int fd, void *data, size_t n)
{
	char *p = data;

	while (n) {
		ssize_t k = recv(fd, p, n, 0);

		if (k < 0 && errno == EINTR)
			continue;
		if (k <= 0)
			return false;
		p += k;
		n -= (size_t)k;
	}
	return true;
}

static void tell_progress(void *ctx, uint64_t done, uint64_t total)
{
	struct hand *h = ctx;
	struct ferry__answer a = { .entry = UINT64_MAX, .done = done };
	uint64_t ns = now();

	(void)total;
	if (ns - h->told < INTERVAL)
		return;
	h->told = ns;
	ferry__write_all(h->fd, &a, sizeof(a));
}

static void answer(struct hand *h, uint64_t entry, json_t *members, bool full,
		   bool last)
{
	json_t *record = ferry__entry_tell(&h->p->m->entries[entry]);
	struct ferry__answer a = { .entry = entry, .full = full,
				   .last = last };
	char *text;

	if (members)
		json_object_set(record, "members", members);
	text = json_dumps(record, JSON_COMPACT);
	json_decref(record);
	if (!text)
		_exit(70);
	a.nbytes = (uint32_t)strlen(text);
	ferry_buffer_add(&h->answers, &a, sizeof(a));
	ferry_buffer_add(&h->answers, text, a.nbytes);
	free(text);
}

static void send_answers(struct hand *h)
{
	if (h->answers.failed)
		_exit(70);
	if (ferry__write_all(h->fd, h->answers.data, h->answers.n))
		_exit(0);
	h->answers.n = 0;
}

static void survey(struct hand *h, const struct ferry__order *o)
{
	struct ferry_migration *m = h->p->m;

	for (uint32_t i = 0; i < o->n; i++) {
		json_t *members = json_array();

		atomic_store(&h->board->of[h->index].at, o->entries[i] + 1);
		ferry__survey_entry(m, &m->entries[o->entries[i]],
				    h->p->task == FERRY__PLAN, members);
		answer(h, o->entries[i], members, false, i + 1 == o->n);
		send_answers(h);
		json_decref(members);
	}
}

static void count_failure(struct hand *h)
{
	atomic_fetch_add(&h->board->n_failed, 1);
	atomic_fetch_add(&h->board->of[h->index].n_failed, 1);
}

/* So many failed, here and elsewhere, that none is begun any more. */
static bool is_enough(const struct hand *h)
{
	uint64_t most = h->p->how->max_failures;

	return most && atomic_load(&h->board->n_failed) >= most;
}

static void make(struct hand *h, uint64_t entry, struct ferry__made *out)
{
	struct ferry__entry *e = &h->p->m->entries[entry];

	atomic_store(&h->board->of[h->index].at, entry + 1);
	if (h->full || atomic_load(&h->board->stopping) || is_enough(h)) {
		*out = (struct ferry__made){ .entry = e,
					     .err = FERRY_ERROR_INIT };
		ferry_fail(&out->err, FERRY_CANCELLED, "migrate",
			   FERRY_NO_OFFSET, "was not begun");
		return;
	}
	ferry__make(&h->worker, e, out);
	h->full = out->full;
	if (out->err.code && out->err.code != FERRY_CANCELLED)
		count_failure(h);
}

/* As many of the entries as are made in a short while: what is not settled is
 * lost to who kills the run. */
static void make_some(struct hand *h, struct portion *p,
		      const uint64_t *entries, uint32_t n)
{
	struct ferry__group *g = &p->group;
	uint64_t begun = now();

	p->entries = entries;
	g->n = 0;
	do {
		h->worker.slot = (unsigned)(p - h->portions) *
				 FERRY__GROUP_MOST + (unsigned)g->n;
		make(h, entries[g->n], &g->made[g->n]);
		p->failed[g->n] = g->made[g->n].err.code != 0;
		g->n++;
	} while (g->n < n && g->n < FERRY__GROUP_MOST &&
		 now() - begun < SETTLE_AFTER);
}

static void end_portion(struct hand *h, struct portion *p, bool last)
{
	struct ferry__group *g = &p->group;

	ferry__settle_end(&h->worker, g);
	for (size_t i = 0; i < g->n; i++)
		if (!p->failed[i] && h->p->m->entries[p->entries[i]].item.state
				     == FERRY_ITEM_FAILED)
			count_failure(h);
	for (size_t i = 0; i < g->n; i++)
		answer(h, p->entries[i], NULL, g->made[i].full,
		       last && i + 1 == g->n);
	send_answers(h);
}

static void run(struct hand *h, const struct ferry__order *o)
{
	struct portion *before = NULL, *p;

	for (uint32_t at = 0; at < o->n; at += (uint32_t)p->group.n) {
		p = before == h->portions ? h->portions + 1 : h->portions;
		make_some(h, p, o->entries + at, o->n - at);
		if (before)
			end_portion(h, before, false);
		ferry__settle_begin(&h->worker, &p->group);
		before = p;
	}
	if (before)
		end_portion(h, before, true);
}

/* Signals are the parent's to hear; when it dies, so does the worker. */
static void set_signals(void)
{
	pid_t parent = getppid();

	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(0);
}

void ferry__work(struct ferry__pool *p, struct ferry__board *board,
		 unsigned index, int fd)
{
	struct hand h = {
		.p = p, .board = board, .index = index, .fd = fd,
		.worker = { .m = p->m, .how = p->how,
			    .cancel = &board->cancel,
			    .progress = tell_progress },
	};
	struct ferry__order order;

	h.worker.progress_ctx = &h;
	set_signals();
	h.portions = ferry_alloc_zero(2, sizeof(*h.portions));
	while (h.portions && receive(fd, &order, sizeof(order)) &&
	       order.n <= FERRY__ORDER_MOST) {
		h.worker.memory = order.memory;
		h.worker.threads = order.threads;
		if (p->task != FERRY__RUN)
			survey(&h, &order);
		else
			run(&h, &order);
		atomic_store(&board->of[index].at, 0);
	}
	ferry__work_close(&h.worker);
	ferry_buffer_release(&h.answers);
	ferry_alloc_free(h.portions);
}
