/*
 * Migrating many checkpoints: a tree, several, or a manifest of files.
 *
 *	struct ferry_migration *m;
 *	ferry_migration_new(&m, session, &options, &err);
 *	ferry_migration_run(m, &how, &totals, &err);
 *
 * A migration is a list of items, one per artifact (a file, or the files that
 * make one together), and a recipe that says what is done with each.  It is
 * surveyed (read by index, matched, planned) or run by worker processes, so
 * that one bad file can neither crash nor starve the rest.
 *
 * Every output that was made has a sidecar beside it, OUTPUT.ferry.json: what
 * it was made of, how, and digests of it.  The sidecar is the truth: an item is
 * done when its sidecar names the same source, recipe and ferry and the output
 * has the size and ends it tells.  Journals below DST/.ferry only report.
 * doc/migrate.md describes both, and manifests.
 *
 * The bytes of outputs and sidecars depend on the source, the recipe and this
 * ferry alone: not on workers, order, shards, restarts, time or host.
 *
 * Thread: a migration belongs to one thread.  Survey and run fork; the process
 * should have no other threads then.
 */
#ifndef FERRY_MIGRATE_H
#define FERRY_MIGRATE_H

#include <ferry/plan.h>

FERRY_BEGIN

/* XXH3 of 128 bits tells damage and tells files apart, at the speed of memory;
 * SHA-256 tells fraud too, and takes longer than a copy. */
enum ferry_digest_kind {
	FERRY_DIGEST_XXH128,
	FERRY_DIGEST_SHA256,
	FERRY_DIGEST_CRC32,	/* as zip archives have it */
};

/* "xxh128", ...; NULL beyond the last. */
FERRY_API const char *ferry_digest_kind_name(enum ferry_digest_kind kind);

/* Part `index` of `count`; count 0: all. */
struct ferry_shard {
	uint32_t index, count;
};

/* Everything is copied. */
struct ferry_migration_options {
	/* Files, directories, and manifests (JSON lines; told by their first
	 * line).  A frozen manifest stands alone and brings its own recipe,
	 * output and name template: those here must be NULL. */
	const char *const *sources;
	size_t n_sources;
	/* DST, a directory; NULL: in place, each output beside its source. */
	const char *output;
	/* One of: a recipe file, or the name of a shipped one ("upgrade");
	 * or what to do with every artifact.  Of the job, inputs, output,
	 * average and overwrite do not count; upgrade is no error for a type
	 * without one. */
	const char *recipe;
	const struct ferry_job *job;
	const char *name;	/* template of output paths below DST */
	bool copy_others;	/* what is no checkpoint is copied */
	bool overwrite;		/* replace files that no sidecar knows */
	bool remove_source;	/* after its output was verified: job->verify,
				 * or MISUSE */
	bool verify;		/* each output is read again and compared */
	/* Sets of files that a run in place was killed at are put right while
	 * looking; else they fail. */
	bool resume;
	enum ferry_digest_kind digest;	/* of outputs and their tensors */
	struct ferry_shard shard;
};

enum ferry_item_state {
	FERRY_ITEM_PENDING,	/* not looked at yet, or not reached */
	FERRY_ITEM_PLANNED,	/* surveyed: would be converted */
	FERRY_ITEM_DONE,	/* converted by this run */
	FERRY_ITEM_KEPT,	/* was done before, and still is */
	FERRY_ITEM_COPIED,	/* no checkpoint, or the recipe says so */
	FERRY_ITEM_SKIPPED,	/* likewise, and nothing was written */
	FERRY_ITEM_MEMBER,	/* belongs to another item */
	FERRY_ITEM_FAILED,	/* code and reason say why */
	FERRY_ITEM_N_STATES
};

/* "pending", "planned", ...: stable words, used in JSON. */
FERRY_API const char *ferry_item_state_name(enum ferry_item_state state);

/* Strings are borrowed from the migration; NULL where unknown. */
struct ferry_item {
	const char *source;	/* the path it was found by */
	const char *output;	/* where it goes; NULL: nowhere (yet) */
	enum ferry_item_state state;
	int code;		/* enum ferry_code of a failure; else 0 */
	const char *reason;	/* of a failure or a skip, or what is to be
				 * known of one done: one sentence */
	const char *format;	/* of the source */
	const char *type;
	const char *version;	/* as the type describes itself */
	const char *to_format, *to_type;
	const char *rule;	/* the recipe's rule that took it, by name */
	const char *plan;	/* "read torch, convert x, write safetensors" */
	const char *losses;	/* kinds lost by leave, joined by "," */
	uint64_t nbytes;	/* of all its files */
	uint64_t bytes_out;	/* of the outputs: by the plan, then real */
	uint32_t n_files;	/* that it is made of */
	uint32_t shard;		/* of a frozen manifest */
	double seconds;		/* the conversion took */
};

struct ferry_migration;

/*
 * Find the items and load the recipe; looks at the start and end of files, and
 * at nothing else of them.  What can't be read is an item that failed.
 */
FERRY_API int ferry_migration_new(struct ferry_migration **out,
				  struct ferry_session *s,
				  const struct ferry_migration_options *options,
				  struct ferry_error *err);
FERRY_API void ferry_migration_free(struct ferry_migration *m);

/* Items by path, in the order of their bytes; NULL past the end. */
FERRY_API size_t ferry_migration_count(const struct ferry_migration *m);
FERRY_API const struct ferry_item *
ferry_migration_get(const struct ferry_migration *m, size_t i);
/* What was passed over while looking for items: links, ledgers, leftovers. */
FERRY_API const struct ferry_findings *
ferry_migration_findings(const struct ferry_migration *m);
/* DST as given or as the manifest has it; NULL: in place. */
FERRY_API const char *ferry_migration_output(const struct ferry_migration *m);

struct ferry_totals {
	uint64_t n[FERRY_ITEM_N_STATES];	/* items by state */
	uint64_t bytes_before;	/* of the sources planned, done or kept */
	uint64_t bytes_after;	/* of their outputs */
	uint64_t bytes_total;	/* of all that is to be worked on */
	uint64_t bytes_done;	/* of them, worked on so far */
	double seconds;
};

enum ferry_stop {
	FERRY_STOP_NOT = 0,
	FERRY_STOP_AFTER = 1,	/* finish the items at hand, begin no other */
	FERRY_STOP_NOW = 2,	/* abandon the items at hand */
};

/* Zeroed fields mean the default. */
struct ferry_migration_run {
	unsigned workers;	/* 0: one per core */
	uint64_t max_memory;	/* bytes for buffers of all; 0: 256 MiB */
	uint64_t max_failures;	/* stop when so many failed; 0: never */
	bool no_sync;
	const atomic_int *stop;	/* enum ferry_stop; polled; may be NULL */
	/* Called when an item's state was settled, and (item NULL) now and
	 * then for progress.  May be NULL. */
	void (*told)(void *ctx, const struct ferry_item *item,
		     const struct ferry_totals *so_far);
	void *ctx;
	/* Of the room that is left, before anything is made; NULL: not told. */
	void (*warn)(void *ctx, const char *what, const char *text);
};

/*
 * Read every item by its index, match it against the recipe and plan it: no
 * tensor data is read and nothing is written.  Needed before a manifest is
 * frozen; a run does for itself what it needs of it.
 */
FERRY_API int ferry_migration_survey(struct ferry_migration *m,
				     const struct ferry_migration_run *how,
				     struct ferry_totals *out,
				     struct ferry_error *err);

/*
 * Write a manifest of what was surveyed: items with sizes and outputs, their
 * shards (n_shards, 0: 1; largest first to the least loaded), the recipe, and a
 * digest over all, which whoever runs a part of it checks.
 */
FERRY_API int ferry_migration_freeze(struct ferry_migration *m,
				     const char *path, uint32_t n_shards,
				     struct ferry_error *err);

/* What is in a frozen manifest. */
struct ferry_manifest_summary {
	uint32_t n_shards;
	uint64_t n_items, nbytes;	/* to be converted or copied */
	uint64_t largest_item, largest_shard;	/* bytes */
	char digest[72];		/* of all that is in it */
};

/*
 * Read one without making a migration of it.  `each` gets DST, or each root of
 * one in place.  MALFORMED when it is none, or not what was written;
 * UNSUPPORTED when another ferry froze it.
 */
FERRY_API int ferry_manifest_sum(const char *path,
				 struct ferry_manifest_summary *out,
				 void (*each)(void *ctx, const char *output),
				 void *ctx, struct ferry_error *err);

/*
 * Make all outputs that are not done.  Failures of items are no error: see
 * out->n.  CANCELLED when it was stopped, LIMIT after max_failures, IO when
 * the disk is full or the ledger can't be written; out is filled then, too.
 */
FERRY_API int ferry_migration_run(struct ferry_migration *m,
				  const struct ferry_migration_run *how,
				  struct ferry_totals *out,
				  struct ferry_error *err);

/*
 * The shard that the environment names, for --shard auto: Open MPI's rank,
 * Slurm's array task times its step, PMI's rank, or Kubernetes' completion
 * index, whose count the environment does not tell: `count` or FERRY_SHARDS; of
 * the others, `count` is what there are to be, where not 0.  MISUSE when none is
 * set, when two disagree, or when the indices there are not 0 to count - 1.
 * `get` looks a variable up (NULL: getenv); one that is empty is not set.
 */
FERRY_API int ferry_shard_from_environment(struct ferry_shard *out,
					   uint32_t count,
					   const char *(*get)(void *ctx,
							      const char *name),
					   void *ctx, struct ferry_error *err);

/* ---- the ledger ---------------------------------------------------------- */

/* What the journals below DST tell, the latest word on each source. */
struct ferry_journal_entry {
	const char *source, *output, *state, *code, *reason;
	const char *type, *version, *format, *rule, *losses;
	uint64_t nbytes, bytes_out;
	double seconds;
	double time;		/* seconds since 1970 */
	const char *attempt;	/* the journal's name */
};

struct ferry_journal_summary {
	size_t n_journals, n_torn;	/* files; lines that a crash cut */
	size_t n_running;		/* without an end, process still there */
	size_t n_stopped;		/* without an end */
	uint64_t n_items;		/* that the attempts set out to do */
	uint64_t n_left;		/* that the last did not come to */
	double first, last;		/* seconds since 1970 */
};

/* Entries come sorted by source; strings live during the call. */
FERRY_API int
ferry_journal_read(const char *dst, struct ferry_journal_summary *out,
		   void (*each)(void *ctx, const struct ferry_journal_entry *e),
		   void *ctx, struct ferry_error *err);

/*
 * Every sidecar below DST against the files it tells of: their size and
 * digests.  `each` gets the output, and NULL or what is wrong with it.
 */
FERRY_API int
ferry_ledger_verify(const char *dst, const atomic_bool *cancel,
		    void (*each)(void *ctx, const char *output,
				 uint64_t nbytes, const char *wrong),
		    void *ctx, struct ferry_error *err);

FERRY_END

#endif
