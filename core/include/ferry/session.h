/*
 * A session: the plugins, and the formats, artifact types, conversions and
 * models they brought.
 *
 *	struct ferry_session *s;
 *	struct ferry_document *doc;
 *	ferry_session_new(&s, NULL, &err);
 *	ferry_open(s, "model.pt", NULL, &doc, &err);
 *
 * Thread: a session is read-only after it is made and may be shared.
 */
#ifndef FERRY_SESSION_H
#define FERRY_SESSION_H

#include <ferry/findings.h>
#include <ferry/value.h>

FERRY_BEGIN

struct ferry_session;
struct ferry_format;
struct ferry_artifact_type;
struct ferry_conversion;

struct ferry_session_options {
	/* Directories, colon-separated, searched first; NULL: the environment's
	 * FERRY_PLUGIN_PATH. The install directory comes last, unless
	 * FERRY_PLUGIN_PATH_ONLY is set in the environment. */
	const char *plugin_path;
	/* Files that must load: a refusal is an error, not a warning. */
	const char *const *plugin_files;
	size_t n_plugin_files;
	/* Schema directories (handling rules, ...): as plugin_path, with
	 * FERRY_SCHEMA_PATH and the install directory. */
	const char *schema_path;
};

FERRY_API int ferry_session_new(struct ferry_session **out,
				const struct ferry_session_options *options,
				struct ferry_error *err);
FERRY_API void ferry_session_free(struct ferry_session *s);

/* Warnings of loading: plugins refused and why. */
FERRY_API const struct ferry_findings *
ferry_session_findings(const struct ferry_session *s);

/* One row of what a session knows; fields that do not apply are NULL. */
struct ferry_known {
	const char *name;
	const char *title;
	const char *plugin;		/* name of the plugin that brought it */
	const char *file;		/* plugins, models: where it lies */
	const char *version;		/* plugins */
	const char *description;	/* plugins, models */
	const char *license;		/* plugins */
	const struct ferry_format *format;
	const struct ferry_artifact_type *type;
	const struct ferry_conversion *conversion;
};

enum ferry_known_kind {
	FERRY_KNOWN_PLUGINS,
	FERRY_KNOWN_FORMATS,
	FERRY_KNOWN_TYPES,
	FERRY_KNOWN_CONVERSIONS,
	FERRY_KNOWN_MODELS,
};

FERRY_API size_t ferry_session_count(const struct ferry_session *s,
				     enum ferry_known_kind kind);
/* Sorted by name; borrowed from the session; NULL past the end. */
FERRY_API const struct ferry_known *
ferry_session_get(const struct ferry_session *s, enum ferry_known_kind kind,
		  size_t i);
FERRY_API const struct ferry_known *
ferry_session_find(const struct ferry_session *s, enum ferry_known_kind kind,
		   const char *name);

struct ferry_open_options {
	const char *format;		/* NULL: probe the content */
	const char *const *settings;	/* "NAME=VALUE" for the reader */
	size_t n_settings;
	/* NULL: a new store. */
	struct ferry_store *store;
};

/*
 * Which format a file is: the best probe.  UNSUPPORTED with a diagnosis (HTML
 * page, Git LFS pointer, gzip, empty file, truncated zip, ...) when none takes
 * it, AMBIGUOUS naming both on a tie.
 */
FERRY_API int ferry_identify(struct ferry_session *s, const char *path,
			     const struct ferry_known **out,
			     struct ferry_error *err);

/* Read the index of a file: no tensor data.  options may be NULL. */
FERRY_API int ferry_open(struct ferry_session *s, const char *path,
			 const struct ferry_open_options *options,
			 struct ferry_document **out, struct ferry_error *err);

/* What an open document is. */
struct ferry_recognised {
	const struct ferry_known *type;	/* NULL: nothing recognised it */
	int score;
	char reason[160];
};

/*
 * The best artifact type for a document; `type` forces one by name (NOTFOUND).
 * A tie is AMBIGUOUS.  Nothing matching is not an error: out->type is NULL.
 */
FERRY_API int ferry_recognise(struct ferry_session *s,
			      struct ferry_document *doc, const char *path,
			      const char *type, struct ferry_recognised *out,
			      struct ferry_error *err);

/* Facts for a person, by the type's describe: keys set in a DICT made in the
 * document's store.  type NULL: an empty DICT. */
FERRY_API int ferry_describe(struct ferry_session *s,
			     struct ferry_document *doc,
			     const struct ferry_known *type,
			     struct ferry_value **out, struct ferry_error *err);

/* The weights mapping by the type's rule; *out NULL when it has none. */
FERRY_API int ferry_weights(struct ferry_session *s, struct ferry_document *doc,
			    const struct ferry_known *type,
			    struct ferry_value **out, struct ferry_error *err);

struct ferry_work;

/*
 * Prove a file: the format's integrity check over every byte, then the artifact
 * type's check.  Violations are findings, not errors.  work may be NULL.
 * Settings are those of the reader and of the type's check; others are MISUSE.
 */
FERRY_API int ferry_verify(struct ferry_session *s, const char *path,
			   const struct ferry_open_options *options,
			   const char *type, struct ferry_work *work,
			   struct ferry_findings *out, struct ferry_error *err);

/*
 * Classes and calls a file names.  *out is a DICT in a new store that *doc (a
 * document whose root it is) owns.  UNSUPPORTED when the format has none.
 */
FERRY_API int ferry_scan(struct ferry_session *s, const char *path,
			 const struct ferry_open_options *options,
			 struct ferry_document **out, struct ferry_error *err);

FERRY_END

#endif
