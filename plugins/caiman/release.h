/*
 * What each release of CAIMAN-ASR writes: schemas/caiman/releases.yaml, whose
 * words hold here, and the schemas of its inference config.
 */
#ifndef PLUGINS_CAIMAN_RELEASE_H
#define PLUGINS_CAIMAN_RELEASE_H

#include <ferry/sys/plugin.h>

struct release {
	size_t index;
	const char *name;		/* "1.14.0" */
	const char *version;		/* NULL: none, or to be told */
	const struct ferry_value *training, *tokenizer_kw, *hardware;
	const struct ferry_value *variants;	/* LISTs of STRINGs */
	const char *unk_handling;	/* "module class", or NULL */
	const char *config;		/* "none", "whole", or a schema */
	const char *protocol;
	bool by_step, lstm_layers, melalpha_fixed, norm_weight, stats_path;
	bool has_version;		/* its hardware files say one */
	double melalpha;
	unsigned groups, pydantic;
};

struct releases {
	struct release *items;
	size_t n, newest;
};

/* All in the store.  NOTFOUND: no schema directory has it; MALFORMED: what is
 * missing in which row. */
int releases_load(struct ferry_store *store, struct releases *out,
		  struct ferry_error *err);
/* By the option "release" ("1.9", "v1.9.0"), the newest when not given. */
int release_wanted(const struct releases *all,
		   const struct ferry_options *options,
		   const struct release **out, struct ferry_error *err);
/* A schema as it stands in the file caiman/<name>.yaml. */
int schema_load(struct ferry_store *store, const char *name,
		struct ferry_value **out, struct ferry_error *err);

/* Its rnnt_config is what a schema makes of a config. */
bool has_schema(const struct release *release);

bool list_has(const struct ferry_value *list, const char *text);
/* The STRING of an item of a LIST, NUL-terminated, in the store. */
const char *list_text(struct ferry_store *store,
		      const struct ferry_value *list, size_t i);

#define RELEASE_OPTION \
	{ "release", NULL, "release to write for, as 1.9.0; default: the newest" }
#define RELEASE_CHECK \
	{ "release", NULL, "release whose rules hold, as 1.9.0; default: those " \
	  "of all, or of the one that wrote the file" }

#endif
