/*
 * What a session holds, and what the rooms of the core share of it.
 */
#ifndef CORE_REGISTRY_REGISTRY_H
#define CORE_REGISTRY_REGISTRY_H

#include <sys/types.h>

#include <ferry/session.h>
#include <ferry/sys/buffer.h>
#include <ferry/sys/plugin.h>

#define FERRY__N_KNOWN (FERRY_KNOWN_MODELS + 1)

/* A plugin that passed the gate.  Its object is never unloaded. */
struct ferry__module {
	const struct ferry_plugin *plugin;	/* the session's copy */
	const char *file;
	dev_t dev;
	ino_t ino;
};

struct ferry_session {
	struct ferry_store *store;		/* every string and copy */
	struct ferry_findings *findings;
	struct ferry_known *rows[FERRY__N_KNOWN];	/* sorted by name */
	size_t n[FERRY__N_KNOWN];
	size_t cap[FERRY__N_KNOWN];
	struct ferry__module *modules;
	size_t n_modules, cap_modules;
	const char **schema_dirs;
	size_t n_schema_dirs;
	const char *searched;		/* where plugins were looked for */
};

/* Split "a:b", without empty parts, into the store; NULL text: none. */
int ferry__split_path(struct ferry_store *store, const char *text,
		      const char ***out, size_t *n, struct ferry_error *err);
/* Append a row (copied); ferry__sort_rows() comes when all are in. */
int ferry__add_row(struct ferry_session *s, enum ferry_known_kind kind,
		   const struct ferry_known *row, struct ferry_error *err);
const struct ferry_known *ferry__row_named(const struct ferry_session *s,
					   enum ferry_known_kind kind,
					   const char *name);

/* loader.c: what the options name, then the directories. */
int ferry__load_plugins(struct ferry_session *s,
			const struct ferry_session_options *options,
			struct ferry_error *err);
/* gate.c: check everything in the descriptor, without calling anything, and
 * make the session's copy of it.  PLUGIN: refused. */
int ferry__gate(struct ferry_session *s, const struct ferry_plugin *found,
		const char *file, const struct ferry_plugin **out,
		struct ferry_error *err);
/* session.c: NOTFOUND, with where plugins were looked for. */
int ferry__fail_no_plugins(const struct ferry_session *s,
			   struct ferry_error *err);
/* schema.c: "a:b" (NULL: of the environment), then the installed one. */
int ferry__schema_dirs(struct ferry_store *store, const char *given,
		       const char ***out, size_t *n, struct ferry_error *err);
/* The store keeps a copy of the session's schema directories, unless it knows
 * some already. */
int ferry__store_know(struct ferry_store *store, const struct ferry_session *s,
		      struct ferry_error *err);
/* model.c: the rule files below the schema directories. */
int ferry__load_models(struct ferry_session *s, struct ferry_error *err);

/* nearest.c: the names most like `name`, as " (did you mean 'x' or 'y'?)", or
 * nothing.  Feed it names, then ask. */
struct ferry__nearest {
	const char *name;
	size_t n;
	unsigned distance[3];
	char text[3][96];
};

void ferry__nearest_init(struct ferry__nearest *near, const char *name);
void ferry__nearest_offer(struct ferry__nearest *near, const char *candidate);
void ferry__nearest_text(const struct ferry__nearest *near, char *out,
			 size_t cap);
/* schema.c: the same of the recipes that ship, and of the tensor schemas beside
 * "folder/name". */
void ferry__nearest_recipe(const struct ferry_store *store, const char *name,
			   char *out, size_t cap);
void ferry__nearest_schema(const struct ferry_store *store, const char *name,
			   char *out, size_t cap);
/* NOTFOUND: "<what> 'name' is not known (did you mean ...?)". */
int ferry__fail_unknown(const struct ferry_session *s,
			enum ferry_known_kind kind, const char *what,
			const char *name, struct ferry_error *err);

/*
 * open.c: reading with what the planner knows beside the public options.
 *
 * `settings` are not checked against the reader's list.  Files opened as
 * siblings are appended to `paths` (NUL-terminated strings, one after another)
 * when it is not NULL.  `output` is where a sibling is looked for first: the
 * temporary files of an output that is being verified.
 */
struct ferry__reading {
	const struct ferry_known *format;	/* NULL: identify */
	const char *const *settings;
	size_t n_settings;
	struct ferry_store *store;		/* NULL: a new one */
	struct ferry_buffer *paths;
	struct ferry_output *output;
	struct ferry_findings *proof;	/* NULL: no check of the content */
	struct ferry_work *work;	/* of the check */
	unsigned depth;		/* documents being read that led here */
};

int ferry__read_document(struct ferry_session *s, const char *path,
			 const struct ferry__reading *how,
			 struct ferry_document **out, struct ferry_error *err);
/* identify.c */
int ferry__identify(struct ferry_session *s, struct ferry_source *src,
		    const char *path, const struct ferry_known **out,
		    struct ferry_error *err);
struct ferry_directory;
int ferry__identify_directory(struct ferry_session *s,
			      const struct ferry_directory *d,
			      const char *path, const struct ferry_known **out,
			      struct ferry_error *err);
/* The directory as a whole is an artifact of *out's, and does not merely have
 * some below it. */
bool ferry__is_artifact(struct ferry_session *s,
			const struct ferry_directory *d, const char *path,
			const struct ferry_known **out);
bool ferry__is_directory_format(const struct ferry_known *format);
bool ferry__any_directory_format(const struct ferry_session *s);
/* diagnose.c: always an error, UNSUPPORTED or MALFORMED.  `certain` when one of
 * the signatures took it. */
int ferry__diagnose(struct ferry_session *s, const struct ferry_probe *probe,
		    const char *path, bool *certain, struct ferry_error *err);
/* What a format took by its first bytes, and yet is something else; 0: not. */
int ferry__diagnose_taken(struct ferry_session *s,
			  const struct ferry_probe *probe, const char *path,
			  struct ferry_error *err);
int ferry__diagnose_directory(struct ferry_session *s, const char *path,
			      struct ferry_error *err);
/* open.c: append findings; with a `member`, as findings of it. */
int ferry__copy_findings(const struct ferry_findings *from, const char *member,
			 struct ferry_findings *to, struct ferry_error *err);
/* A callback broke its contract, or failed: its code, with *err filled. */
int ferry__callback_result(int rc, const char *what, const char *name,
			   struct ferry_error *err);
/* The last component of a path, less the slashes at its end; "" for those that
 * tell nothing ("..").  What is too long is cut; cap NAME_MAX + 1. */
void ferry__directory_name(const char *path, char *out);
/* The last component of a path. */
const char *ferry__base_name(const char *path);
/* The name ends so, and is not that alone. */
bool ferry__ends_with(const char *name, const char *end);

#endif
