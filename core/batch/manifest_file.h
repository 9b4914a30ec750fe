/*
 * A manifest as a file: JSON lines, a frozen one between a head and a tail with
 * the digest of all before it (doc/migrate.md), or a list of files.
 */
#ifndef CORE_BATCH_MANIFEST_FILE_H
#define CORE_BATCH_MANIFEST_FILE_H

#include <jansson.h>

#include "core/batch/digest.h"

#define FERRY__SHARDS_MOST 1000000u

struct ferry__manifest_file {
	/* A frozen one's head, when it is known to be this ferry's. */
	int (*head)(void *ctx, const json_t *line);
	/* A line of a list; of a frozen one, with its shard (0: it has no
	 * work), which is one of those there are. */
	int (*item)(void *ctx, const json_t *line, uint32_t shard);
	void *ctx;

	char path[256];		/* escaped */
	size_t n_lines, n_items;
	bool frozen;		/* the head was read */
	bool ended;
	uint32_t n_shards;
	struct ferry__digest digest;
	char found[FERRY__DIGEST_TEXT];	/* of a frozen one, when ended */
	struct ferry_error *err;
};

/* "PATH line N: WHAT". */
int ferry__manifest_fail(const struct ferry__manifest_file *f,
			 enum ferry_code code, const char *what);
/* To its end.  MALFORMED when a frozen one is not what was written. */
int ferry__manifest_read(struct ferry__manifest_file *f, const char *path,
			 struct ferry_error *err);

#endif
