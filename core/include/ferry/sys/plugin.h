/*
 * The plugin contract.
 *
 * A plugin is a shared object that exports one constant data object named
 * ferry_plugin_v1 (FERRY_PLUGIN_SYMBOL).  It is checked before anything in it
 * is called; loaded once, in sorted file order, RTLD_NOW | RTLD_LOCAL; never
 * unloaded.  It includes from ferry only <ferry/...> and <ferry/sys/...>,
 * links libferry, and calls no other plugin.  No callback may print, exit,
 * change the locale or keep global state that changes.
 *
 * Every struct starts with struct_size = sizeof the struct as the plugin was
 * compiled with; fields may be appended under the same ABI major, and a field
 * beyond struct_size counts as zero.  Optional callbacks are NULL.
 */
#ifndef FERRY_SYS_PLUGIN_H
#define FERRY_SYS_PLUGIN_H

#include <ferry/abilities.h>
#include <ferry/findings.h>
#include <ferry/sys/build.h>
#include <ferry/sys/sink.h>
#include <ferry/sys/source.h>
#include <ferry/tensor.h>
#include <ferry/value.h>

FERRY_BEGIN

#define FERRY_PLUGIN_SYMBOL "ferry_plugin_v1"
#define FERRY_ABI_MAJOR 1
#define FERRY_ABI_MINOR 0

/* ---- options (struct ferry_option_spec: ferry/abilities.h) ---------------- */

struct ferry_options;
/* The text given, else the fallback, else NULL. */
FERRY_API const char *ferry_option(const struct ferry_options *o,
				   const char *name);
/* The i-th text given for an option that may be given several times, in the
 * order given; NULL past the last.  The fallback does not count. */
FERRY_API const char *ferry_option_nth(const struct ferry_options *o,
				       const char *name, size_t i);
/* Parsed: "5GB", "5GiB", "512M", "1024"; MISUSE when it is not a size. */
FERRY_API int ferry_option_bytes(const struct ferry_options *o,
				 const char *name, uint64_t *out,
				 struct ferry_error *err);
/* yes/no/true/false/1/0; MISUSE otherwise. */
FERRY_API int ferry_option_bool(const struct ferry_options *o,
				const char *name, bool *out,
				struct ferry_error *err);

/* ---- formats ------------------------------------------------------------ */

#define FERRY_PROBE_BYTES 4096

struct ferry_probe {
	const uint8_t *head;	/* the first bytes, at most FERRY_PROBE_BYTES */
	size_t nhead;
	const uint8_t *tail;	/* the last bytes, likewise (may overlap) */
	size_t ntail;
	uint64_t nbytes;	/* of the whole file */
	const char *name;	/* base name as a hint; may be "" */
	/* A directory: the files below it, "a/b.th", sorted by byte; then there
	 * are no head and tail.  NULL for a file. */
	const char *const *names;
	size_t n_names;
};

/* Scores: 0 not mine; up to 40 by name only; 60-90 magic; 100 magic and
 * structure checked.  An equal top score is AMBIGUOUS, never settled by order.
 * Of a directory: up to 40 when artifacts lie somewhere below it, several
 * perhaps or among other things; 60 and more when it is one.  A batch takes a
 * directory as one item only when it is one. */

/* One file to read, and its neighbours; or a directory. */
struct ferry_input {
	struct ferry_source *source;	/* NULL for a directory */
	const char *path;		/* as the user named it; may be "" */
	const struct ferry_options *options;
	void *priv;			/* the core's */
	/* A directory, for formats with FERRY_FORMAT_DIRECTORY: its files as in
	 * struct ferry_probe, and their sizes. */
	const char *const *names;
	const uint64_t *sizes;
	size_t n_names;
};

/* Files below a directory that are looked at; more is LIMIT. */
#define FERRY_DIRECTORY_MOST 100000
#define FERRY_DIRECTORY_DEPTH 8

/*
 * Open a file beside the input by a name that came from inside it.  The name
 * must be relative and must not leave the directory: MALFORMED otherwise, and
 * NOTFOUND says which file is missing.  *out is the caller's reference.
 */
FERRY_API int ferry_input_sibling(const struct ferry_input *in,
				  const char *name, struct ferry_source **out,
				  struct ferry_error *err);

/*
 * Read a file by its name as a document of whatever format it has, into
 * `store`: one of a directory's names, or a sibling as ferry_input_sibling()
 * allows it.  Free it with ferry_document_free(); its values live on.  Errors
 * name the file.
 */
FERRY_API int ferry_input_document(const struct ferry_input *in,
				   const char *name, struct ferry_store *store,
				   struct ferry_document **out,
				   struct ferry_error *err);

/*
 * Write doc as the file `name` of an output, by the format of its suffix or
 * the one named: how a writer of a directory writes its members.  `name` may
 * have directories in it ("checkpoints/a.th"), which are made.  Settings are
 * "NAME=VALUE" for the member's writer.  What that writer
 * can't hold is LOSSY.
 */
FERRY_API int ferry_output_document(struct ferry_output *output,
				    const char *name,
				    struct ferry_document *doc,
				    const char *format,
				    const char *const *settings, size_t n,
				    struct ferry_findings *out,
				    struct ferry_error *err);

struct ferry_format {
	size_t struct_size;
	const char *name;		/* "torch"; [a-z][a-z0-9-]* */
	const char *title;		/* "PyTorch zip archive" */
	const char *const *suffixes;	/* ".pt", ...; NULL-terminated */
	uint32_t flags;
	uint64_t dtypes;		/* mask of what write can hold */
	uint8_t max_rank;		/* 0: FERRY_MAX_RANK */

	int (*probe)(const struct ferry_probe *probe);	/* a score */

	/* Fill doc (empty, with a store and findings): root, about; the core
	 * sets format and calls ferry_document_check().  WARNINGs of the kinds
	 * "sidecar", "stale-document", "records", "program", "calls" and
	 * "files" tell what the file has and the document has not: they are
	 * losses of every output (the last three not of --weights, --select
	 * and --to). */
	const struct ferry_option_spec *read_options;
	int (*read)(const struct ferry_input *in, struct ferry_document *doc,
		    struct ferry_error *err);

	/* Write the whole document.  The core has checked dtypes and rank.
	 * What is kept otherwise than as it is goes to `out` as notes. */
	const struct ferry_option_spec *write_options;
	int (*write)(struct ferry_document *doc, struct ferry_output *output,
		     const struct ferry_options *options,
		     struct ferry_findings *out, struct ferry_error *err);

	/*
	 * What writing this document would lose or change, without reading
	 * tensor data: WARNING findings are losses (code = the loss kind for
	 * --allow-loss), NOTEs are changes of form.  Optional.
	 */
	int (*losses)(struct ferry_document *doc,
		      const struct ferry_options *options,
		      struct ferry_findings *out, struct ferry_error *err);

	/* Integrity beyond a successful read (checksums, overlaps): read every
	 * byte; VIOLATIONs and WARNINGs.  Optional. */
	int (*verify)(const struct ferry_input *in, struct ferry_document *doc,
		      struct ferry_work *work, struct ferry_findings *out,
		      struct ferry_error *err);

	/*
	 * Classes and calls the file names, without building the document:
	 * a DICT for the report (see doc/formats/pickle.md).  Optional.
	 */
	int (*scan)(const struct ferry_input *in, struct ferry_store *store,
		    struct ferry_value **out, struct ferry_error *err);
};

/* ---- artifact types ------------------------------------------------------ */

struct ferry_match {
	int score;		/* 0 not mine; 100 certain */
	char reason[160];	/* "dict of 12 tensors and nothing else" */
};

/* What became of a name: not terminated; `is` is NULL when it was dropped. */
struct ferry_renamed {
	const char *was, *is;
	size_t n_was, n_is;
};

/* All n names that a mapping had, in their order. */
struct ferry_renaming {
	struct ferry_value *weights;
	const struct ferry_renamed *names;
	size_t n;
};

struct ferry_artifact_type {
	size_t struct_size;
	const char *name;	/* "state-dict", "caiman/training" */
	const char *title;
	const char *const *suffixes;	/* usual file-name endings; may be NULL */

	int (*recognise)(struct ferry_document *doc, const char *file_name,
			 struct ferry_match *out);
	/* Facts a person wants first: set keys of `out`, a DICT.  Optional. */
	int (*describe)(struct ferry_document *doc, struct ferry_value *out,
			struct ferry_error *err);
	/* Every violation, with its path.  Optional. */
	int (*check)(struct ferry_document *doc, struct ferry_findings *out,
		     struct ferry_error *err);
	/*
	 * The mapping of names to tensors that is the model's weights: a DICT,
	 * or an OBJECT with dict items.  A value inside doc is edited in place
	 * by handling; where the weights are not one mapping, make one in
	 * doc's store.  *out NULL when there is none.  Optional.
	 */
	int (*weights)(struct ferry_document *doc, struct ferry_value **out,
		       struct ferry_error *err);
	uint64_t dtypes;	/* of tensors it may hold; 0: any */

	/* Put in the place of the main input's last suffix when no output is
	 * named: ".hw.pt"; NULL: an output must be named. */
	const char *output_suffix;
	/*
	 * The mean of n documents of this type (n >= 1): set out->root, in
	 * out->store, which is that of all docs.  Tensors by ferry_op_mean().
	 * Optional: without it the weights are averaged and all else is the
	 * first document's, which is told.
	 */
	int (*average)(struct ferry_document *const *docs, size_t n,
		       const struct ferry_options *options,
		       struct ferry_document *out,
		       struct ferry_findings *findings,
		       struct ferry_error *err);
	const struct ferry_option_spec *average_options;
	/*
	 * The mappings of names that rules of handling act on, each by itself,
	 * where that is not the one of `weights`: a LIST, empty when there is
	 * none.  A document of several models has one for each; one that is no
	 * value inside doc is made in doc's store, for `renamed` to take over
	 * what became of it.  Optional.
	 */
	int (*handled)(struct ferry_document *doc, struct ferry_value **out,
		       struct ferry_error *err);
	/*
	 * Rules changed names of n of the mappings that `handled` (or
	 * `weights`) gave, at least one: what else in doc goes by them
	 * follows, in place, and is told by NOTEs.  Called once, after all
	 * rules.  Optional.
	 */
	int (*renamed)(struct ferry_document *doc,
		       const struct ferry_renaming *changes, size_t n,
		       struct ferry_findings *out, struct ferry_error *err);

	/*
	 * Whether the file that a document of this type was read from is one
	 * to take, by its name and by what lies beside it: a save that was cut
	 * off is not.  Asked of each input before anything is made of it, and
	 * of what is verified.  A violation is a loss, which stops a
	 * conversion unless its code is allowed; the rest is told.  Optional.
	 */
	int (*admit)(struct ferry_document *doc, struct ferry_findings *out,
		     struct ferry_error *err);

	/*
	 * What `check` does, as options say: asked in its place by ferry
	 * verify where at least one of check_options is given.  Both or none.
	 */
	int (*check_by)(struct ferry_document *doc,
			const struct ferry_options *options,
			struct ferry_findings *out, struct ferry_error *err);
	const struct ferry_option_spec *check_options;

	/*
	 * Beside a file NAME of this type, NAME.1, NAME.2, ... are what other
	 * ranks of a sharded training saved, and NAME has the weights of all:
	 * a batch that takes the weights makes nothing of the others.
	 */
	bool ranks;
};

/* ---- conversions ---------------------------------------------------------- */

struct ferry_conversion_args {
	struct ferry_document *const *inputs;	/* by role; NULL: not given */
	const struct ferry_source *const *files;	/* for plain-file roles */
	const struct ferry_options *options;
	struct ferry_store *store;	/* build the result here */
	struct ferry_document *out;	/* set root (and about, hints) */
	/* Notes, and before run() fails each VIOLATION that makes it fail:
	 * the error has room for a few. */
	struct ferry_findings *findings;
	const char *const *paths;	/* by role, as the user named them;
					 * NULL: not given */
	void *priv;			/* the core's */
};

/*
 * Files that a document names, for roles that nobody gave: `path` as it stands
 * in the document, the longest FROM of --map-path that is a leading part of it
 * (whole components) put as TO; a relative one is sought beside the main
 * input, then in the working directory.  NOTFOUND names the file sought and
 * what to give instead (--map-path, --with).  A file is opened and read once,
 * is told as a step of the plan, and is never written to.
 *
 * open: a plain file, *out borrowed until the plan ends.  read: a document of
 * an artifact type (NULL: any), borrowed.  exists: 1, 0, or an error; a
 * directory exists too.  map: the path that would be opened, in the store.
 */
FERRY_API int ferry_args_open(const struct ferry_conversion_args *args,
			      const char *path,
			      const struct ferry_source **out,
			      struct ferry_error *err);
FERRY_API int ferry_args_read(const struct ferry_conversion_args *args,
			      const char *path, const char *type,
			      struct ferry_document **out,
			      struct ferry_error *err);
FERRY_API int ferry_args_exists(const struct ferry_conversion_args *args,
				const char *path, struct ferry_error *err);
FERRY_API char *ferry_args_map(const struct ferry_conversion_args *args,
			       const char *path);

/* conversion.flags */
enum ferry_conversion_flags {
	/* Of a type to itself: brings an old document to the newest layout.
	 * --upgrade runs it. */
	FERRY_CONVERSION_UPGRADE = 1 << 0,
	/* Makes one model's weights of several inputs': handling rules are for
	 * the result, so they wait for it where another input of it is given. */
	FERRY_CONVERSION_MERGES = 1 << 1,
};

struct ferry_conversion {
	size_t struct_size;
	const char *name;	/* "checkpoint-to-state-dict" */
	const char *title;
	const struct ferry_role *roles;	/* the first is the main input */
	const char *output;	/* artifact type */
	uint32_t cost;		/* 1 = rearranges a few values */
	const struct ferry_option_spec *options;
	/* What it drops: WARNING findings, code = loss kind; when it is the
	 * purpose of the conversion and asked for by its output type, NOTE. */
	int (*losses)(const struct ferry_conversion_args *args,
		      struct ferry_findings *out, struct ferry_error *err);
	/* Rearrange values and lazy tensors; copy no tensor data.  The inputs
	 * stay as they are: what changes is made anew in args->store. */
	int (*run)(const struct ferry_conversion_args *args,
		   struct ferry_error *err);
	uint32_t flags;		/* enum ferry_conversion_flags */
};

/*
 * A conversion of a type to itself is an edit: it is no part of a chain by
 * itself, but runs, before the chain when the main input has the type and else
 * after it, when the job gives one of its options and nothing in the chain
 * knows that option.  Edits of one type run in the order of their names.
 */

/* ---- data of plugins ---------------------------------------------------------- */

/*
 * A file of the schema directories by its name below them
 * ("caiman/inference.yaml"); the first directory that has it wins.  A store of
 * a session knows the session's directories; any other the environment's and
 * the installed one.  *out is the caller's.
 */
FERRY_API int ferry_schema_open(const struct ferry_store *store,
				const char *name, struct ferry_source **out,
				struct ferry_error *err);
/* The files directly below a directory of them ("caiman/tensors"), by name,
 * sorted, each once; all in the store. */
FERRY_API int ferry_schema_list(struct ferry_store *store,
				const char *directory,
				const char *const **names, size_t *n,
				struct ferry_error *err);

/* ---- the plugin ------------------------------------------------------------ */

struct ferry_plugin {
	size_t struct_size;
	uint32_t abi_minor;	/* FERRY_ABI_MINOR it was compiled with */
	const char *name;	/* [a-z][a-z0-9-]* */
	const char *version;
	const char *license;	/* SPDX */
	const char *description;
	const struct ferry_format *const *formats;	/* NULL-terminated */
	const struct ferry_artifact_type *const *types;
	const struct ferry_conversion *const *conversions;
};

#define FERRY_PLUGIN_EXPORT \
	FERRY_API extern const struct ferry_plugin ferry_plugin_v1; \
	const struct ferry_plugin ferry_plugin_v1

FERRY_END

#endif
