/* One line of progress on stderr. */
#include "config.h"

#include "cli/progress.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <ferry/migrate.h>

#include "cli/text.h"

#define INTERVAL UINT64_C(100000000)

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

void cli_progress_init(struct cli_progress *p, bool quiet)
{
	const char *term = getenv("TERM");

	memset(p, 0, sizeof(*p));
	p->begun = p->last = now();
	p->shown = !quiet && isatty(STDERR_FILENO) &&
		   !(term && !strcmp(term, "dumb"));
}

double cli_progress_seconds(const struct cli_progress *p)
{
	return (double)(now() - p->begun) / 1e9;
}

static void put_left(double seconds)
{
	if (seconds < 3600)
		fprintf(stderr, ", %d:%02d left", (int)seconds / 60,
			(int)seconds % 60);
	else if (seconds < 360000)
		fprintf(stderr, ", %d h %02d min left", (int)seconds / 3600,
			(int)seconds / 60 % 60);
}

void cli_progress_step(void *ctx, uint64_t done, uint64_t total)
{
	struct cli_progress *p = ctx;
	char a[CLI_NUMBER_CAP], b[CLI_NUMBER_CAP], c[CLI_NUMBER_CAP];
	uint64_t t;
	double rate;

	if (!p->shown)
		return;
	t = now();
	if (t - p->last < INTERVAL)
		return;
	p->last = t;
	p->dirty = true;
	rate = (double)done / ((double)(t - p->begun) / 1e9);
	fprintf(stderr, "\r\033[K%s of %s (%d%%), %s/s",
		ferry_bytes_text(done, a), ferry_bytes_text(total, b),
		total ? (int)(100.0 * (double)done / (double)total) : 100,
		ferry_bytes_text((uint64_t)rate, c));
	if (rate > 0 && total >= done)
		put_left((double)(total - done) / rate);
	fflush(stderr);
}

void cli_progress_batch(struct cli_progress *p, const struct ferry_totals *t,
			uint64_t n_files)
{
	char a[CLI_NUMBER_CAP], b[CLI_NUMBER_CAP];
	char c[CLI_NUMBER_CAP], d[CLI_NUMBER_CAP], e[CLI_NUMBER_CAP];
	uint64_t at = now(), n = t->n[FERRY_ITEM_DONE] + t->n[FERRY_ITEM_KEPT] +
				 t->n[FERRY_ITEM_COPIED] +
				 t->n[FERRY_ITEM_PLANNED] +
				 t->n[FERRY_ITEM_FAILED];
	double rate;

	if (!p->shown || at - p->last < INTERVAL)
		return;
	p->last = at;
	p->dirty = true;
	rate = t->seconds > 0 ? (double)t->bytes_done / t->seconds : 0;
	fprintf(stderr, "\r\033[K%s of %s files, %s of %s, %s/s",
		cli_count(a, n), cli_count(b, n_files),
		ferry_bytes_text(t->bytes_done, c),
		ferry_bytes_text(t->bytes_total, d),
		ferry_bytes_text((uint64_t)rate, e));
	if (rate > 0 && t->bytes_total >= t->bytes_done)
		put_left((double)(t->bytes_total - t->bytes_done) / rate);
	if (t->n[FERRY_ITEM_FAILED])
		fprintf(stderr, ", %s failed",
			cli_count(a, t->n[FERRY_ITEM_FAILED]));
	fflush(stderr);
}

void cli_progress_clear(struct cli_progress *p)
{
	if (p->dirty)
		fputs("\r\033[K", stderr);
	p->dirty = false;
}
