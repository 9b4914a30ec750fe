/* What the files that were found are, by their content: several at a time. */
#include "config.h"

#include "core/batch/batch.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include <ferry/sys/alloc.h>

#include "core/io/thread.h"
#include "core/registry/registry.h"

#define THREADS_MOST 8
#define EACH 64			/* files worth a thread */

struct answer {
	const struct ferry_known *format;
	struct ferry_error *why;	/* why not */
};

struct sniffing {
	const struct ferry_migration *m;
	struct answer *answers;		/* by entry */
	atomic_size_t next;
	atomic_bool failed;		/* memory is out */
};

/* ---- looking ------------------------------------------------------------- */

static void ask(struct sniffing *s, size_t i)
{
	struct answer *a = &s->answers[i];
	struct ferry_error why = FERRY_ERROR_INIT;

	if (!ferry_identify(s->m->s, s->m->entries[i].item.source, &a->format,
			    &why))
		return;
	a->why = ferry_alloc(sizeof(*a->why));
	if (a->why)
		*a->why = why;
	else
		atomic_store(&s->failed, true);
}

static void *ask_some(void *arg)
{
	struct sniffing *s = arg;
	size_t i;

	while ((i = atomic_fetch_add(&s->next, 1)) < s->m->n)
		if (s->m->entries[i].found)
			ask(s, i);
	return NULL;
}

static void ask_all(struct sniffing *s)
{
	pthread_t threads[THREADS_MOST - 1];
	size_t most = s->m->n / EACH, others = ferry_core_count() - 1, n = 0;

	if (most > others)
		most = others;
	if (most > THREADS_MOST - 1)
		most = THREADS_MOST - 1;
	while (n < most && !ferry_thread_start(&threads[n], ask_some, s))
		n++;
	ask_some(s);
	while (n)
		pthread_join(threads[--n], NULL);
}

/* ---- taking -------------------------------------------------------------- */

bool ferry__looks_like_one(const struct ferry_session *s, const char *name)
{
	const struct ferry_format *f;

	for (size_t i = 0; i < s->n[FERRY_KNOWN_FORMATS]; i++) {
		f = s->rows[FERRY_KNOWN_FORMATS][i].format;
		if (!(f->flags & FERRY_FORMAT_TENSORS) ||
		    f->flags & FERRY_FORMAT_DIRECTORY)
			continue;
		for (const char *const *end = f->suffixes; end && *end; end++)
			if (ferry__ends_with(name, *end))
				return true;
	}
	return false;
}

static void take(struct ferry_migration *m, struct ferry__entry *e,
		 const struct answer *a)
{
	const struct ferry_error *why = a->why;

	if (!why) {
		e->item.format = a->format->name;
		e->tensors = a->format->format->flags & FERRY_FORMAT_TENSORS;
		e->shards = a->format->format->flags & FERRY_FORMAT_SHARDS;
		return;
	}
	if ((why->code != FERRY_UNSUPPORTED && e->item.nbytes) ||
	    ferry__looks_like_one(m->s, ferry__base_name(e->item.source))) {
		ferry__entry_fail(m, e, why);
		return;
	}
	e->matched = true;
	ferry__entry_skip(m, e, ferry__beside_name(why->text, e->item.source));
}

int ferry__sniff(struct ferry_migration *m, struct ferry_error *err)
{
	struct sniffing s = { .m = m };
	bool failed;

	s.answers = ferry_alloc_zero(m->n + 1, sizeof(*s.answers));
	if (!s.answers)
		return ferry_fail_nomem(err, "a migration");
	ask_all(&s);
	failed = atomic_load(&s.failed);
	for (size_t i = 0; i < m->n; i++) {
		if (m->entries[i].found && !failed)
			take(m, &m->entries[i], &s.answers[i]);
		m->entries[i].found = false;
		ferry_alloc_free(s.answers[i].why);
	}
	ferry_alloc_free(s.answers);
	return failed ? ferry_fail_nomem(err, "a migration") : 0;
}
