/*
 * A frozen manifest as a cluster sees it: how many parts, and how much is in
 * them.  doc/migrate.md describes the file.
 */
#ifndef CLI_WORKLOAD_H
#define CLI_WORKLOAD_H

#include <stddef.h>
#include <stdint.h>

#include <ferry/migrate.h>

struct cli_workload {
	char *manifest;		/* absolute path */
	char *folder, *stem;	/* of it: "/a", "work" of "/a/work.jsonl" */
	char **outputs;		/* DST; in place: the roots */
	size_t n_outputs;
	struct ferry_manifest_summary sum;
};

/* What one part asks a cluster for. */
struct cli_request {
	unsigned cpus;
	uint64_t memory;	/* bytes */
	unsigned minutes;
	unsigned grace;		/* seconds that the largest item may take */
	unsigned verify_minutes;	/* for a last pass over the whole */
};

/* MALFORMED when it is no manifest or not whole.  Release in either case. */
int cli_workload_read(struct cli_workload *w, const char *path,
		      struct ferry_error *err);
void cli_workload_release(struct cli_workload *w);

/*
 * From the sizes: 25 MB/s are taken for granted, and double the time that
 * takes is asked for, for a limit that is too short costs more.  workers 0: 2;
 * max_memory 0: 256 MiB, to which come 128 MiB a worker and for the parent.
 */
void cli_workload_request(const struct cli_workload *w, unsigned workers,
			  uint64_t max_memory, struct cli_request *out);

#endif
