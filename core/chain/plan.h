/* A plan from the inside, and the parts that make it. */
#ifndef CORE_CHAIN_PLAN_H
#define CORE_CHAIN_PLAN_H

#include <ferry/handling.h>
#include <ferry/plan.h>
#include <ferry/sys/buffer.h>
#include <ferry/tensor.h>

#include "core/registry/option.h"
#include "core/registry/registry.h"

/* A file of the job. */
struct ferry__input {
	const char *role;		/* given by ROLE=FILE, or NULL */
	const char *path;
	const struct ferry_known *format;
	struct ferry_document *doc;	/* NULL: not read as a document */
	struct ferry_source *source;	/* NULL: not opened as a plain file */
	struct ferry_recognised what;
	bool used;
	bool told;			/* as a step */
};

struct ferry_plan {
	struct ferry_session *s;
	struct ferry_store *store;	/* of all documents */
	struct ferry_job job;		/* texts are in the store */
	struct ferry__input *inputs;	/* job.inputs, then job.with */
	size_t n_inputs;
	struct ferry__input **named;	/* files that documents name */
	size_t n_named, cap_named;
	struct ferry_document **made;	/* results of conversions */
	size_t n_made;
	struct ferry_document *doc;	/* where the chain stands */
	struct ferry_recognised what;	/* and what that is */
	struct ferry_error unclear;	/* why it is not known */
	struct ferry_recognised input_type;
	struct ferry_rules *rules;	/* NULL: none */
	bool handled;			/* they are applied */
	struct ferry_step *steps;
	size_t n_steps, cap_steps;
	struct ferry_findings *findings;
	struct ferry_findings *warnings;	/* no losses */
	size_t n_refused;
	size_t n_losses;		/* allowed ones too */
	const struct ferry_known *writer;
	struct ferry_options write_options;
	const char **settings;		/* the job's, and the core's own */
	size_t n_settings;
	const struct ferry_known **conversions;	/* and edits, as they ran */
	size_t n_conversions;
	const struct ferry_option_spec *average_options;	/* in use */
	struct ferry_buffer paths;	/* files read, NUL-terminated each */
	uint64_t bytes_in, bytes_out;
	uint64_t tensors_in;
};

/* amount.c: tensors and bytes of a document, each counted once. */
struct ferry__amount {
	uint64_t tensors;
	uint64_t nbytes;		/* laid out densely, the same part of a
					 * storage once */
	uint64_t storage_nbytes;
	uint64_t reads, storage_reads;	/* of sources, for either */
	uint64_t values;		/* leaves that are not tensors */
};

int ferry__measure(struct ferry_document *doc, struct ferry__amount *out,
		   struct ferry_error *err);
/* What lies below `root` and was not marked before. */
int ferry__measure_below(struct ferry_store *store, struct ferry_marks *marks,
			 struct ferry_value *root, struct ferry__amount *out,
			 struct ferry_error *err);

/* plan.c */
int ferry__add_step(struct ferry_plan *p, const char *what, const char *name,
		    struct ferry_error *err, const char *fmt, ...)
	FERRY_PRINTF(5, 6);
/* Take losses over: WARNINGs that are not allowed are counted as refused;
 * `asked` when the user asked for what loses them. */
int ferry__take_losses(struct ferry_plan *p, const struct ferry_findings *from,
		       bool asked, struct ferry_error *err);
bool ferry__is_allowed(const struct ferry_plan *p, const char *kind);
/* Take over what readers and rules say: NOTEs, and warnings. */
int ferry__take_remarks(struct ferry_plan *p, const struct ferry_findings *from,
			struct ferry_error *err);
/* Take over what is no loss: everything becomes a NOTE. */
int ferry__take_notes(struct ferry_plan *p, const struct ferry_findings *from,
		      struct ferry_error *err);
/* Recognise p->doc anew; an ambiguous one is unclear, no error. */
int ferry__plan_recognise(struct ferry_plan *p, const char *type,
			  struct ferry_error *err);
/* The type is needed now: AMBIGUOUS when it is unclear. */
int ferry__need_type(const struct ferry_plan *p, struct ferry_error *err);

/* input.c: read the inputs, recognise, select. */
int ferry__read_inputs(struct ferry_plan *p, struct ferry_error *err);
/* Read a ROLE=FILE as a document of that type (NULL: any), once. */
int ferry__read_role(struct ferry_plan *p, struct ferry__input *in,
		     const char *type, struct ferry_error *err);
int ferry__open_role(struct ferry_plan *p, struct ferry__input *in,
		     struct ferry_error *err);
/* A file that a document names, of that type (NULL: any); told when what reads
 * it is a part of the plan. */
int ferry__read_named(struct ferry_plan *p, struct ferry__input *in,
		      const char *type, struct ferry_error *err);
/* Its step, and what its reader found: once. */
int ferry__tell_input(struct ferry_plan *p, struct ferry__input *in,
		      struct ferry_error *err);
/* --from names a type that the content is not. */
int ferry__fail_unlike(const char *type, struct ferry_error *err);
int ferry__select(struct ferry_plan *p, struct ferry_error *err);

/* handle.c */
int ferry__load_rules(struct ferry_plan *p, struct ferry_error *err);
/* Apply p->rules to the weights; with `wait`, put it off when the weights are
 * not a mapping inside of the document, or are those of several models that a
 * conversion may make one. */
int ferry__handle(struct ferry_plan *p, bool wait, struct ferry_error *err);

/* weights.c */
/* The document becomes the weights alone. */
int ferry__take_weights(struct ferry_plan *p, struct ferry_error *err);

/* named.c: every --map-path is FROM=TO. */
int ferry__check_maps(const struct ferry_plan *p, struct ferry_error *err);

/* call.c: what a callback made is freed with the plan. */
int ferry__keep_made(struct ferry_plan *p, struct ferry_document *doc,
		     struct ferry_error *err);

/* route.c: conversions to job.to, and the edits around them. */
int ferry__convert(struct ferry_plan *p, struct ferry_error *err);

/* average.c: the inputs' mean, in the place of the main one. */
int ferry__average(struct ferry_plan *p, struct ferry_error *err);

/* edit.c: conversions of a type to itself. */
bool ferry__is_edit(const struct ferry_known *c);
/* The upgrades of the document's type, when the job wants them. */
int ferry__upgrade(struct ferry_plan *p, struct ferry_error *err);
/* Edits of the document's type that have an option which the job gives and
 * nothing else in the plan knows, nor the n conversions of a chain to come.
 * *ran: there was one. */
int ferry__run_edits(struct ferry_plan *p,
		     const struct ferry_known *const *chain, size_t n,
		     bool *ran, struct ferry_error *err);

/* shared.c */
int ferry__share(struct ferry_plan *p, struct ferry_error *err);

/* target.c: the writer, its options, and what it can't hold. */
int ferry__choose_writer(struct ferry_plan *p, struct ferry_error *err);
int ferry__check_settings(struct ferry_plan *p, struct ferry_error *err);
/* A reader, writer or conversion of the plan has the option. */
bool ferry__setting_known(const struct ferry_plan *p, const char *setting);
/* The writer's options, the document's hints among them. */
int ferry__set_options(struct ferry_plan *p, struct ferry_error *err);
int ferry__check_target(struct ferry_plan *p, struct ferry_error *err);

/* dtype.c: tensors of a dtype that is not in the mask are cast to one that is:
 * a loss each; UNSUPPORTED when there is none. */
int ferry__fit_dtypes(struct ferry_plan *p, uint64_t mask, const char *holder,
		      struct ferry_error *err);

/* expect.c: the weights fit the schema that the job names, or lose. */
int ferry__expect(struct ferry_plan *p, struct ferry_error *err);

/* kept.c: what a format of tensors keeps beside the weights. */
int ferry__note_kept(struct ferry_plan *p, struct ferry_error *err);
/* What the weights alone leave behind. */
int ferry__note_left(struct ferry_plan *p, struct ferry_value *weights,
		     struct ferry_error *err);

#endif
