/* Journals: what became of every item, a line each, as it happens. */
#include "config.h"

#include "core/batch/batch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <ferry/sys/alloc.h>
#include <ferry/sys/buffer.h>

#include "core/batch/record.h"

#define HOST_MOST 64

struct ferry__journal {
	int fd;
	int failed;		/* errno of the first line that was not kept */
	char *path;
};

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (double)t.tv_sec + (double)(t.tv_nsec / 1000) / 1e6;
}

/* One write for one line, so that none is torn but the last. */
static void put(struct ferry__journal *j, json_t *line)
{
	struct ferry_buffer text = FERRY_BUFFER_INIT;
	char *dump;

	json_object_set_new(line, "time", json_real(now()));
	dump = json_dumps(line, JSON_COMPACT);
	json_decref(line);
	ferry_buffer_printf(&text, "%s\n", dump ? dump : "");
	free(dump);
	for (size_t at = 0; !j->failed && !text.failed && at < text.n; ) {
		ssize_t n = write(j->fd, text.data + at, text.n - at);

		if (n < 0 && errno != EINTR)
			j->failed = errno;
		if (n > 0)
			at += (size_t)n;
	}
	ferry_buffer_release(&text);
}

static void name_journal(struct ferry_buffer *path, const char *ledger)
{
	char host[HOST_MOST] = "host", stamp[32];
	struct timespec t;
	struct tm tm;

	gethostname(host, sizeof(host) - 1);
	host[HOST_MOST - 1] = '\0';
	for (char *p = host; *p; p++)
		if (*p == '/')
			*p = '_';
	clock_gettime(CLOCK_REALTIME, &t);
	gmtime_r(&t.tv_sec, &tm);
	strftime(stamp, sizeof(stamp), "%Y%m%dT%H%M%S", &tm);
	ferry_buffer_printf(path, "%s/journal-%s.%06ldZ-%s-%ld.jsonl", ledger,
			    stamp, t.tv_nsec / 1000, host, (long)getpid());
}

/* Items that are told of without being worked on. */
static uint64_t count_settled(const struct ferry_migration *m)
{
	uint64_t n = 0;

	for (size_t i = 0; i < m->n; i++)
		n += !m->entries[i].elsewhere &&
		     (m->entries[i].item.state == FERRY_ITEM_SKIPPED ||
		      m->entries[i].item.state == FERRY_ITEM_FAILED ||
		      m->entries[i].item.state == FERRY_ITEM_MEMBER);
	return n;
}

static json_t *roots_of(const struct ferry_migration *m)
{
	json_t *roots = json_array();

	for (size_t i = 0; i < m->o.n_sources; i++)
		json_array_append_new(roots,
				      ferry__record_name(m->o.sources[i]));
	return roots;
}

static void begin(struct ferry__journal *j, const struct ferry_migration *m,
		  const struct ferry_migration_run *how, uint64_t n_items,
		  uint64_t nbytes)
{
	json_t *line = json_pack("{ss sI ss sI sI sI sI}", "event", "begin",
				 "pid", (json_int_t)getpid(), "ferry",
				 PACKAGE_VERSION, "items", (json_int_t)n_items,
				 "settled", (json_int_t)count_settled(m),
				 "nbytes", (json_int_t)nbytes, "workers",
				 (json_int_t)how->workers);
	char text[HOST_MOST] = "host";

	gethostname(text, sizeof(text) - 1);
	json_object_set_new(line, "host", ferry__record_name(text));
	json_object_set_new(line, "manifest",
			    ferry__record_name(m->manifest));
	snprintf(text, sizeof(text), "%u/%u", m->o.shard.index,
		 m->o.shard.count);
	json_object_set_new(line, "shard",
			    ferry__record_name(m->o.shard.count ? text : NULL));
	json_object_set_new(line, "roots", roots_of(m));
	put(j, line);
}

int ferry__journal_open(struct ferry__journal **out,
			const struct ferry_migration *m,
			const struct ferry_migration_run *how,
			uint64_t n_items, uint64_t nbytes,
			struct ferry_error *err)
{
	struct ferry_buffer path = FERRY_BUFFER_INIT;
	struct ferry__journal *j = ferry_alloc_zero(1, sizeof(*j));

	name_journal(&path, m->ledger);
	if (!j || path.failed) {
		ferry_buffer_release(&path);
		ferry_alloc_free(j);
		return ferry_fail_nomem(err, "a journal");
	}
	j->path = path.data;
	j->fd = open(j->path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND |
		     O_CLOEXEC, 0666);
	if (j->fd < 0) {
		int e = errno;

		ferry_fail_errno(err, e, "%s: can't make the journal",
				 j->path);
		ferry_alloc_free(j->path);
		ferry_alloc_free(j);
		return FERRY_IO;
	}
	begin(j, m, how, n_items, nbytes);
	*out = j;
	return 0;
}

void ferry__journal_item(struct ferry__journal *j,
			 const struct ferry__entry *e)
{
	json_t *line = ferry__entry_tell(e);

	json_object_set_new(line, "event", json_string("item"));
	json_object_del(line, "plan");
	put(j, line);
}

int ferry__journal_close(struct ferry__journal *j,
			 const struct ferry_totals *totals,
			 const char *stopped, struct ferry_error *err)
{
	json_t *line = json_pack("{ss}", "event", "end");
	json_t *states = json_object();
	int rc = 0;

	for (int i = 0; i < FERRY_ITEM_N_STATES; i++)
		if (totals->n[i])
			json_object_set_new(states, ferry_item_state_name(
					    (enum ferry_item_state)i),
					    json_integer((json_int_t)
							 totals->n[i]));
	json_object_set_new(line, "states", states);
	json_object_set_new(line, "stopped", ferry__record_name(stopped));
	put(j, line);
	if (close(j->fd) && !j->failed)
		j->failed = errno;
	if (j->failed)
		rc = ferry_fail_errno(err, j->failed, "%s: can't write the "
				      "journal", j->path);
	ferry_alloc_free(j->path);
	ferry_alloc_free(j);
	return rc;
}
