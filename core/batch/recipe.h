/*
 * Recipes: rules that say what is done with which item (doc/migrate.md).
 *
 * A rule has one form, a tree of texts: what a recipe file, a manifest and the
 * command line say is made into it, and a job out of it.
 */
#ifndef CORE_BATCH_RECIPE_H
#define CORE_BATCH_RECIPE_H

#include <jansson.h>

#include <ferry/migrate.h>
#include <ferry/sys/build.h>

#include "core/handling/pattern.h"

enum ferry__action {
	FERRY__CONVERT,
	FERRY__COPY,
	FERRY__SKIP,
	FERRY__FAIL,		/* of items, not of rules */
};

/* Shell patterns, of which one must match; n 0: any. */
struct ferry__globs {
	const char **items;
	size_t n;
};

struct ferry__rule {
	const char *name;
	enum ferry__action action;
	struct ferry__globs type, format, version, path;
	struct ferry__pattern *regex;
	uint64_t size_least, size_most;
	const char *output;	/* template, or NULL */
	struct ferry_job job;
	const char *text;	/* what it does, canonically */
	json_t *tree;		/* all of it */
};

struct ferry__recipe {
	struct ferry_store *store;
	struct ferry__rule *rules;
	size_t n;
	bool by_type;		/* some rule asks for type or version */
};

/* MALFORMED, MISUSE: "<path>: rule N ('name'): ...". */
int ferry__recipe_load(struct ferry__recipe *out, const struct ferry_session *s,
		       const char *path, struct ferry_error *err);
int ferry__recipe_from_job(struct ferry__recipe *out,
			   const struct ferry_job *job,
			   struct ferry_error *err);
/* `rules` is borrowed; `where` is for messages. */
int ferry__recipe_from_tree(struct ferry__recipe *out, json_t *rules,
			    const char *where, struct ferry_error *err);
void ferry__recipe_release(struct ferry__recipe *r);

/* What is known of an item; NULL: nothing. */
struct ferry__traits {
	const char *path, *type, *format, *version;
	uint64_t nbytes;
};

/* The first rule that takes it: *out NULL for none. */
int ferry__recipe_match(const struct ferry__recipe *r,
			const struct ferry__traits *item,
			const struct ferry__rule **out,
			struct ferry_error *err);

/* "convert", "copy", "skip", "fail". */
const char *ferry__action_name(enum ferry__action action);

#endif
