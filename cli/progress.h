/*
 * One line of progress on stderr, when that is a terminal: bytes, share, rate,
 * time left; at most ten times a second, cleared at the end.
 */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct cli_progress {
	bool shown;		/* stderr is a terminal and -q was not given */
	bool dirty;		/* a line stands there */
	uint64_t begun, last;	/* ns */
};

void cli_progress_init(struct cli_progress *p, bool quiet);
/* struct ferry_run_options' progress; ctx is the struct cli_progress. */
void cli_progress_step(void *ctx, uint64_t done, uint64_t total);
/* The same for a batch of files. */
struct ferry_totals;
void cli_progress_batch(struct cli_progress *p, const struct ferry_totals *t,
			uint64_t n_files);
void cli_progress_clear(struct cli_progress *p);

/* Seconds since cli_progress_init(). */
double cli_progress_seconds(const struct cli_progress *p);

#endif
