/*
 * Planning and running a conversion.
 *
 * A job says what is wanted; a plan is the chain that does it, with its losses
 * and sizes, made without reading tensor data; running it writes the output,
 * all or nothing.
 */
#ifndef FERRY_PLAN_H
#define FERRY_PLAN_H

#include <ferry/session.h>

FERRY_BEGIN

enum ferry_shared {
	FERRY_SHARED_KEEP,	/* as the target can: aliases recorded */
	FERRY_SHARED_COPY,	/* each name gets its own data */
	FERRY_SHARED_FIRST,	/* the first name stays, the others go */
	FERRY_SHARED_ERROR,	/* refuse */
};

/* Handling given on the command line, in the order it was given. */
enum ferry_edit_kind {
	FERRY_EDIT_DROP,	/* pattern */
	FERRY_EDIT_KEEP,	/* pattern: the rest goes */
	FERRY_EDIT_RENAME,	/* pattern => replacement with \1 or $1 */
	FERRY_EDIT_STRIP_PREFIX,
	FERRY_EDIT_ADD_PREFIX,
	FERRY_EDIT_CAST,	/* floating tensors to dtype `a`; `b`: only
				 * names that match it, or NULL */
};

struct ferry_edit {
	enum ferry_edit_kind kind;
	const char *a;		/* pattern, prefix or dtype */
	const char *b;		/* replacement, or NULL */
};

/* "NAME=FILE" of --with, "NAME=VALUE" of --set: given as text. */
struct ferry_job {
	const char *const *inputs;	/* paths; the first is the main one */
	size_t n_inputs;
	const char *output;		/* path; NULL: plan to a type only;
					 * ending in "/": a directory */
	const char *from;		/* artifact type, or NULL: recognise */
	const char *to;			/* artifact type, or NULL: keep */
	const char *from_format;	/* or NULL: probe */
	const char *to_format;		/* or NULL: by the output's suffix */
	const char *const *with;	/* "ROLE=FILE" */
	size_t n_with;
	const char *const *settings;	/* "KEY=VALUE" */
	size_t n_settings;
	const char *model;		/* handling by model name */
	const char *rules;		/* handling from a file */
	const struct ferry_edit *edits;
	size_t n_edits;
	const char *const *select;	/* document paths; several keep a DICT */
	size_t n_select;
	bool weights;			/* the model's weights alone */
	bool allow_all_losses;
	const char *const *allow_loss;	/* kinds */
	size_t n_allow_loss;
	/* "FROM=TO": where paths that documents name lie here. */
	const char *const *map_paths;
	size_t n_map_paths;
	bool upgrade;			/* run the type's upgrade */
	/* All inputs are of one type (or `from`): their mean, by the type's
	 * rule, takes the place of the main input. */
	bool average;
	const char *expect;		/* a tensor schema (name or file) or a
					 * checkpoint that the weights must fit;
					 * violations are losses */
	enum ferry_shared shared;
	bool overwrite;
	bool verify;			/* re-read and compare after writing */
	/* Where ferry_plan_new() puts what a conversion found that failed,
	 * such as every violation in an input; NULL: nobody asks. */
	struct ferry_findings *found;
};

struct ferry_step {
	const char *what;	/* "read", "average", "select", "handle",
				 * "edit", "convert", "check", "write" */
	const char *name;	/* format, conversion or rule name */
	const char *detail;	/* one line for a person */
};

struct ferry_plan;

/*
 * Read the inputs' indices, recognise, find the chain, apply it to the values
 * (lazily) and list what would be lost.
 *
 * A plan with losses is still a plan: see ferry_plan_refused().
 * AMBIGUOUS lists equal chains; NOTFOUND says which types can be reached.
 */
FERRY_API int ferry_plan_new(struct ferry_plan **out, struct ferry_session *s,
			     const struct ferry_job *job,
			     struct ferry_error *err);
FERRY_API void ferry_plan_free(struct ferry_plan *p);

FERRY_API size_t ferry_plan_n_steps(const struct ferry_plan *p);
FERRY_API const struct ferry_step *ferry_plan_step(const struct ferry_plan *p,
						   size_t i);
/* NOTEs: changes of form, what else was kept, what rules did; WARNINGs: losses, allowed ones too, and violations in what
 * a conversion made. */
FERRY_API const struct ferry_findings *
ferry_plan_findings(const struct ferry_plan *p);
/* What the reader, the rules and (after the run) the writer warned of: no
 * losses, nothing is refused for them. */
FERRY_API const struct ferry_findings *
ferry_plan_warnings(const struct ferry_plan *p);
/* Losses not allowed: their number; the run refuses when it is not 0. */
FERRY_API size_t ferry_plan_refused(const struct ferry_plan *p);
/* The document that will be written (borrowed). */
FERRY_API struct ferry_document *ferry_plan_document(const struct ferry_plan *p);
/* What the main input is, what the result is. */
FERRY_API const struct ferry_recognised *
ferry_plan_input_type(const struct ferry_plan *p);
FERRY_API const char *ferry_plan_output_type(const struct ferry_plan *p);
FERRY_API const char *ferry_plan_input_format(const struct ferry_plan *p);
FERRY_API const char *ferry_plan_output_format(const struct ferry_plan *p);
/* Bytes of tensor data read and written, by the index. */
FERRY_API uint64_t ferry_plan_bytes_in(const struct ferry_plan *p);
FERRY_API uint64_t ferry_plan_bytes_out(const struct ferry_plan *p);

struct ferry_run_options {
	uint64_t max_memory;	/* 0: 256 MiB */
	unsigned threads;	/* 0: one per core */
	bool no_sync;
	bool no_clone;
	const atomic_bool *cancel;
	void (*progress)(void *ctx, uint64_t done, uint64_t total);
	void *progress_ctx;
};

/*
 * Write the output.  LOSSY when losses are not allowed (nothing is written),
 * EXISTS, IO, CANCELLED, ...: then no file has the final name that did not
 * have it before.  With job.verify the output is re-read and compared before it
 * gets its name, and the format's own checks are run on it; a difference or a
 * violation is MALFORMED.
 */
FERRY_API int ferry_plan_run(struct ferry_plan *p,
			     const struct ferry_run_options *options,
			     struct ferry_error *err);

/* Unlink every temporary file of this process; async-signal-safe. */
FERRY_API void ferry_abort_outputs(void);

FERRY_END

#endif
