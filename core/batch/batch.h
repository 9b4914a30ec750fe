/*
 * A migration, as the files of this room share it.
 *
 *	discover.c   sources to entries
 *	beside.c     files that a rule names beside each source
 *	survey.c     an entry read by index: what it is, where it goes
 *	sets.c       shards that no whole was made of
 *	collisions.c entries that get into each other's way
 *	make.c       an entry's outputs made aside
 *	contents.c   what is in them, for the record
 *	settle.c     outputs moved to their names, with their sidecars; settling.h
 *	replacement.c	sets of files that are replaced in place
 *	pool.c       processes that do so for many
 *	journal.c    what is told of it
 *	manifest.c   all of it frozen; manifest_file.c reads it
 */
#ifndef CORE_BATCH_BATCH_H
#define CORE_BATCH_BATCH_H

#include <ferry/migrate.h>
#include <ferry/sys/map.h>

#include "core/batch/digest.h"
#include "core/batch/recipe.h"

#define FERRY__SIDECAR ".ferry.json"
#define FERRY__LEDGER ".ferry"
#define FERRY__BACKUP ".ferry-backup"
#define FERRY__SIDECAR_MOST ((size_t)256 << 20)

struct ferry__entry {
	struct ferry_item item;
	const char *path;	/* below its root, or its base name */
	const char *wanted;	/* output below DST that a list gave, or NULL */
	const char **members;	/* files beside it that belong to it */
	size_t n_members;
	const struct ferry__rule *rule;
	enum ferry__action action;
	bool found;		/* a file whose format is to be looked at */
	bool directory;		/* an artifact that is a directory */
	bool matched;		/* rule, action and output are known */
	bool planned;		/* by a survey in full */
	bool tensors;		/* its format holds some */
	bool shards;		/* its format may be several files */
	bool elsewhere;		/* of another shard */
	bool rest;		/* of a source that was removed */
	bool early;		/* a link to the source of another */
	const char *held;	/* a link to it that failed, or NULL */
};

struct ferry_migration {
	struct ferry_session *s;
	struct ferry_store *store;	/* every string and list */
	struct ferry_migration_options o;	/* its texts in the store */
	const char *output;		/* NULL: in place */
	const char *ledger;		/* directory of the journals */
	const char *template;
	const char *manifest;		/* digest of a frozen one, or NULL */
	struct ferry__recipe recipe;
	struct ferry__entry *entries;	/* by source, once found */
	size_t n, cap;
	struct ferry_map by_source;	/* while finding; then index */
	struct ferry_findings *findings;
	json_t *rules;			/* the recipe's, for a manifest */
	struct ferry_item like;		/* the last that was told of, whose */
					/* texts others have, too */
};

/* ---- discover.c ---------------------------------------------------------- */

int ferry__discover(struct ferry_migration *m, struct ferry_error *err);
/* Append a file or directory artifact; `path` lies in the store, `below` in
 * it. */
int ferry__add_entry(struct ferry_migration *m, const char *source,
		     const char *below, struct ferry__entry **out,
		     struct ferry_error *err);

/* ---- sniff.c ------------------------------------------------------------- */

/* It has an ending that formats of tensors have. */
bool ferry__looks_like_one(const struct ferry_session *s, const char *name);
/* The formats of all that is `found`, by content, or the failures they are. */
int ferry__sniff(struct ferry_migration *m, struct ferry_error *err);

/* ---- survey.c ------------------------------------------------------------ */

/* A name for texts that live on. */
const char *ferry__keep(struct ferry_migration *m, const char *text);
/* A message without the file name that it begins with: items are told with
 * theirs. */
const char *ferry__beside_name(const char *text, const char *source);
void ferry__entry_fail(struct ferry_migration *m, struct ferry__entry *e,
		       const struct ferry_error *why);
/* It is no checkpoint, or none that is wanted: copied where others are. */
void ferry__entry_skip(struct ferry_migration *m, struct ferry__entry *e,
		       const char *reason);
/* By what is known without reading: false when it must be read. */
bool ferry__match_early(struct ferry_migration *m, struct ferry__entry *e);
/* In a worker: read, match and, when `full`, plan.  The result goes over as a
 * record: ferry__entry_tell(), ferry__entry_take(). */
void ferry__survey_entry(struct ferry_migration *m, struct ferry__entry *e,
			 bool full, json_t *members);
/* MISUSE for a field that there is none of; NULL is one. */
int ferry__check_template(const char *template, struct ferry_error *err);
/* The path of the output by the templates. */
int ferry__name_output(struct ferry_migration *m, struct ferry__entry *e,
		       struct ferry_error *err);
/* The job of an entry, its strings borrowed. */
void ferry__job_of(const struct ferry_migration *m,
		   const struct ferry__entry *e, const char *const *input,
		   const char *output, struct ferry_job *out);
/* Its output is a directory. */
bool ferry__makes_directory(const struct ferry_migration *m,
			    const struct ferry__entry *e);
/* A plan; an upgrade that the type has none of is left out. */
int ferry__plan_entry(struct ferry_migration *m, const struct ferry__entry *e,
		      const char *output, struct ferry_plan **out,
		      struct ferry_error *err);
/* Kinds of losses, each once; refused: those not allowed, with their texts. */
void ferry__tell_losses(const struct ferry_migration *m,
			struct ferry__entry *e, const struct ferry_plan *p,
			struct ferry_buffer *refused);

/* ---- migration.c, sets.c ------------------------------------------------- */

#define FERRY__BELONGS "belongs to another item"

void ferry__make_member(struct ferry_migration *m, struct ferry__entry *e,
			const char *reason);
/* Shards that are no item's: what is left of a source that was removed is one
 * item, with the output it has; of a set that is not whole, all fail. */
int ferry__check_sets(struct ferry_migration *m, struct ferry_error *err);
/* Appends the path that an index of the file's set has where the file is named
 * as a shard: "model.safetensors.index.json" of
 * "model-00001-of-00002.safetensors".  False: it is not. */
bool ferry__index_name(const char *path, struct ferry_buffer *out);

/* ---- collisions.c -------------------------------------------------------- */

/* Which entries write the same file: all of them fail.  In place, links to what
 * others replace are skipped. */
int ferry__find_collisions(struct ferry_migration *m, struct ferry_error *err);
/* What links lead to of which nothing could be made is not removed. */
int ferry__hold_targets(struct ferry_migration *m, struct ferry_error *err);

/* ---- beside.c ------------------------------------------------------------ */

/* The files of a rule for one entry, {here} the directory of its source. */
int ferry__with_of(struct ferry_store *store, const struct ferry__entry *e,
		   const char *const **out, struct ferry_error *err);
/* Those that lie beside it, which make it what it is, too. */
int ferry__each_beside(const struct ferry__entry *e,
		       int (*each)(void *ctx, const char *path), void *ctx,
		       struct ferry_error *err);

/* ---- entries as records -------------------------------------------------- */

json_t *ferry__entry_tell(const struct ferry__entry *e);
void ferry__entry_take(struct ferry_migration *m, struct ferry__entry *e,
		       const json_t *record);

/* ---- make.c, settle.c ---------------------------------------------------- */

/* What a worker made of an entry, not yet under its name. */
struct ferry__made {
	struct ferry__entry *entry;
	char *aside;		/* directory that holds the files, or NULL */
	json_t *before;		/* sidecar of what is replaced, or NULL */
	json_t *sidecar;
	struct ferry_error err;	/* why not */
	bool full;		/* the disk is */
	bool replaced;		/* as a set in place: nothing is left to do */
};

struct ferry__worker {
	struct ferry_migration *m;
	const struct ferry_migration_run *how;
	char *work;		/* its directory; made when needed */
	unsigned slot;		/* its directory's name */
	uint64_t memory;	/* granted for what is at hand */
	unsigned threads;
	const atomic_bool *cancel;
	void (*progress)(void *ctx, uint64_t done, uint64_t total);
	void *progress_ctx;
};

void ferry__make(struct ferry__worker *w, struct ferry__entry *e,
		 struct ferry__made *out);
/* The files that were made aside, in the sidecar: sizes and digests, and those
 * of the tensors of the main one, which begins with `base`; `format` NULL: it
 * has none. */
int ferry__tell_outputs(const struct ferry__worker *w,
			const struct ferry__made *made, const char *base,
			const char *format, bool directory,
			struct ferry_error *err);
/* The directory that outputs are made in, kept by a lock on it. */
int ferry__work_open(struct ferry__worker *w, struct ferry_error *err);
void ferry__work_close(struct ferry__worker *w);
/* A process of this host. */
bool ferry__is_alive(long pid);
/* Those of dead processes of this host. */
void ferry__work_sweep(const char *ledger);

/* Identity of the files an entry is made of, as the sidecar has it; of the rest
 * of a source, of those that are there. */
int ferry__identify_source(const struct ferry__entry *e, json_t **out,
			   uint64_t *nbytes, struct ferry_error *err);
/* A file of an output is there, as its row of a sidecar has it. */
bool ferry__is_as_told(const char *dir, const json_t *file);
/* With every byte of it. */
bool ferry__is_proved(const char *dir, const json_t *file,
		      const atomic_bool *cancel);
/* A file of the source is what the sidecar tells of, by its i-th row most
 * likely, or gone. */
bool ferry__is_source_told(const struct ferry__entry *e, const char *path,
			   const json_t *sidecar, size_t i);
/* What an item is done by: ferry's version, its source, the rule and the name of
 * its output. */
int ferry__key_of(const char *ferry, json_t *source, json_t *rule,
		  const char *output, char key[FERRY__DIGEST_TEXT],
		  struct ferry_error *err);
/* What a sidecar has to tell for its item to be done. */
struct ferry__wanted {
	const char *key;
	const json_t *source;
	bool verified;		/* the output was compared with the source */
	bool proved;		/* every byte of it is as told, still */
	const atomic_bool *cancel;
};

/* Its sidecar says that it is done.  *before is the sidecar, the caller's, or
 * NULL: there is none, or it is that of another output. */
bool ferry__is_done(struct ferry__entry *e, const struct ferry__wanted *wanted,
		    json_t **before);
/* A run that removes sources was stopped while it did: what is left is some of
 * what the output was made of. */
bool ferry__is_rest(const json_t *source, const json_t *sidecar);
/* It takes the place of its source. */
bool ferry__in_place(const struct ferry__entry *e);

/* ---- pool.c -------------------------------------------------------------- */

enum ferry__task { FERRY__SURVEY, FERRY__PLAN, FERRY__RUN };

/* Entries to work on, in order; told() is called for each that is settled. */
struct ferry__pool {
	struct ferry_migration *m;
	const struct ferry_migration_run *how;
	enum ferry__task task;
	const size_t *order;
	size_t n;
	size_t n_later;			/* that follow when these are done */
	struct ferry_totals totals;
	uint64_t n_failed;
	struct ferry_error full;	/* the disk is */
	void (*settled)(void *ctx, struct ferry__entry *e,
			const json_t *record);
	void *ctx;
};

/* CANCELLED, LIMIT after too many failures, IO; else 0. */
int ferry__pool_run(struct ferry__pool *p, struct ferry_error *err);

/* ---- journal.c, manifest.c ----------------------------------------------- */

struct ferry__journal;

int ferry__journal_open(struct ferry__journal **out,
			const struct ferry_migration *m,
			const struct ferry_migration_run *how,
			uint64_t n_items, uint64_t nbytes,
			struct ferry_error *err);
void ferry__journal_item(struct ferry__journal *j,
			 const struct ferry__entry *e);
/* Close it; IO when some line could not be written. */
int ferry__journal_close(struct ferry__journal *j,
			 const struct ferry_totals *totals,
			 const char *stopped, struct ferry_error *err);

/* A manifest by its first line. */
bool ferry__is_manifest(const char *path);
int ferry__manifest_load(struct ferry_migration *m, const char *path,
			 struct ferry_error *err);

#endif
