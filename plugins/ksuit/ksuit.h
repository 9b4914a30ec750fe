/*
 * What ksuit and its successor noether write into a run's checkpoints folder:
 * model, optimizer, trainer and EMA files, one torch.save() each.
 *
 * Sources of facts: noether's checkpoint_writer.py, initializers, trainers and
 * callbacks of v1.0.0, v1.1.0 and its head of March 2026; ksuit's page of
 * documentation.
 *
 * Generations, oldest first: files of ksuit have members of an enum for keys;
 * trainer files have the layouts T0 (before v1.0), T1 (v1.0, v1.1), T2 (after).
 */
#ifndef PLUGINS_KSUIT_H
#define PLUGINS_KSUIT_H

#include <string.h>

#include <ferry/sys/buffer.h>
#include <ferry/sys/map.h>
#include <ferry/sys/plugin.h>

#define ORIGIN "ksuit"

/* Text that is borrowed and not terminated. */
struct slice {
	const char *p;
	size_t n;
};

static inline struct slice slice_of(const char *text)
{
	return (struct slice){ text, strlen(text) };
}

static inline bool slice_is(struct slice a, struct slice b)
{
	return a.n == b.n && (!a.n || !memcmp(a.p, b.p, a.n));
}

static inline bool slice_starts(struct slice a, const char *with)
{
	size_t n = strlen(with);

	return a.n >= n && !memcmp(a.p, with, n);
}

/* Where `what` stands first in `in`, from `at` on; SIZE_MAX when it does not. */
size_t slice_find(struct slice in, struct slice what, size_t at);

/* ---- names.c: what a file is called --------------------------------------- */

enum part {
	PART_NONE,
	PART_MODEL,
	PART_OPTIM,
	PART_TRAINER,
};

/* "<model>[_ema=<factor>]_cp=<tag>_model.th", or with the factor after the tag
 * (v1.0, v1.1); "_optim" and "_trainer" likewise. */
struct file_name {
	struct slice model, tag;
	struct slice ema;	/* the factor's text, or empty */
	struct slice info;	/* what else stood behind the tag, see below */
	enum part part;
	bool old;		/* as v1.0 and v1.1 spell it */
};

/* The last part of a path; false when it is no such name.  Slices are of it. */
bool name_parse(const char *path, struct file_name *out);
/* v1 wrote other information behind the tag too; the content's tag tells it
 * apart. */
void name_split_info(struct file_name *name, struct slice tag);
/* The name as the head spells it, or v1; NULL when memory is out. */
char *name_build(struct ferry_store *store, const struct file_name *name,
		 bool head);
const char *part_name(enum part part);
/* "best_model.M.tolerance5" was what "best_model.M.tolerance=5" is at the head;
 * NULL when memory is out. */
char *tag_spelled(struct ferry_store *store, struct slice tag, bool head);
/* One tag, spelled in any way: best.M is best_model.M. */
bool tag_equal(struct slice a, struct slice b);

/* E<epoch>_U<update>_S<sample>: the digits, without zeros in front. */
struct iteration {
	struct slice digits[3];
	struct slice text;	/* all of it, as it stands */
};

/* At the start of text, other text may follow. */
bool iteration_at(struct slice text, struct iteration *out);
/* The first one anywhere in text. */
bool iteration_find(struct slice text, struct iteration *out);
/* "E10", "U200", "S800": one of the three alone. */
bool iteration_minimal(struct slice text, int *which, struct slice *digits);

/* ---- keys.c: keys as text, members of an enum or plain --------------------- */

enum spelling {
	SPELLING_PLAIN,
	SPELLING_VALUE,		/* CheckpointKeys("state_dict") */
	SPELLING_MEMBER,	/* getattr(CheckpointKeys, "STATE_DICT") */
};

/* The text of a key; p is NULL when it has none. */
struct slice key_text(const struct ferry_value *key, enum spelling *out);
/* What stands under a key of a mapping, however the key is spelled; or NULL. */
struct ferry_value *field(struct ferry_value *mapping, const char *key);
/* How the keys of a mapping are spelled: any of them. */
enum spelling keys_spelling(struct ferry_value *mapping);
struct slice text_of(const struct ferry_value *v);

/* ---- plain.c: what weights_only=True loads ---------------------------------- */

struct plain {
	struct ferry_store *store;
	const struct ferry_options *options;	/* "enum", "without" */
	struct ferry_findings *findings;
	struct ferry_map done;
	struct ferry_buffer path;
	struct ferry_error *err;
};

/*
 * Make a value of plain types: members of enums, paths, numpy scalars, classes,
 * arrays and frozen sets become what they stand for, each told as a note.  What
 * has no plain form is UNSUPPORTED.  `path` names it in messages.
 */
int plain_value(struct plain *p, struct ferry_value *v, const char *path,
		struct ferry_value **out);
void plain_release(struct plain *p);

/* ---- parts.c: what a document is --------------------------------------------- */

enum generation {
	GEN_KSUIT,
	GEN_T0,
	GEN_T1,
	GEN_T2,
};

enum layout {
	LAYOUT_NONE,
	LAYOUT_T0,
	LAYOUT_T1,
	LAYOUT_T2,
};

/* "T0", "T1", "v1.0", "v1.1", "T2", "head" of option "generation". */
int generation_wanted(const struct ferry_options *o, enum generation *out,
		      struct ferry_error *err);
enum layout trainer_layout(struct ferry_value *root);
/* A mapping whose keys are text and whose values are tensors. */
bool is_state_dict(struct ferry_value *v);
bool is_optimizer_dict(struct ferry_value *v);
/* All four fields of a BestCheckpointCallback's state. */
bool is_best_state(struct ferry_value *v);
/* "epoch 10, update 200, sample 800" of a mapping with those keys. */
bool iteration_text(struct ferry_value *v, char *out, size_t cap);
enum part document_part(struct ferry_value *root);

/* ---- ordered.c: a mapping under Python's rules of order ---------------------- */

struct ordered_entry {
	struct ferry_value *key, *value;
	bool gone;
};

struct ordered {
	struct ferry_store *store;
	struct ordered_entry *entries;
	size_t n, cap;
	struct ferry_map at;	/* name to index */
	struct ferry_error *err;
};

int ordered_init(struct ordered *o, struct ferry_store *store,
		 struct ferry_value *mapping, struct ferry_error *err);
void ordered_release(struct ordered *o);
struct ferry_value *ordered_get(const struct ordered *o, struct slice name);
/* False when there was none. */
bool ordered_remove(struct ordered *o, struct slice name);
/* An existing name keeps its place, a new one goes to the end. */
int ordered_set(struct ordered *o, struct slice name,
		struct ferry_value *value);
/* A mapping of the class and with the state of `like`. */
int ordered_make(const struct ordered *o, struct ferry_value *like,
		 struct ferry_value **out);

/* A mapping of another's class and state, with other items. */
struct ferry_value *mapping_like(struct ferry_store *store,
				 struct ferry_value *like,
				 struct ferry_value *items);

/* ---- previous.c: what a PreviousRunInitializer does --------------------------- */

extern const struct ferry_option_spec previous_options[];
/* A removed key must exist only when `strict`; `target` may be NULL. */
int previous_apply(struct ordered *o, const struct ferry_options *options,
		   struct ferry_value *target, bool strict,
		   struct ferry_findings *findings);
/* What is done to a file's weights, or to the names in an optimizer's file. */
int previous_model(const struct ferry_conversion_args *args,
		   struct ferry_value *root, struct ferry_value *target,
		   struct ferry_value **out, struct ferry_error *err);
int previous_optimizer(const struct ferry_conversion_args *args,
		       struct ferry_value *root, struct ferry_value **out,
		       struct ferry_error *err);

/* The names in an optimizer's file, name to index; each must be text, and
 * stand there once. */
int optimizer_names(struct ferry_store *store, struct ferry_value *names,
		    struct ordered *o, struct ferry_error *err);
/* An optimizer with other names, a mapping as param_idx_to_name is: parameters
 * that have none any more go, with their states.  FERRY_NOMEM or 0. */
int optimizer_with_names(struct ferry_store *store, struct ferry_value *root,
			 struct ferry_value *names, struct ferry_value **out);

/* ---- follow.c: what rules of handling act on, and what follows ----------------- */

int names_handled(struct ferry_document *doc, struct ferry_value **out,
		  struct ferry_error *err);
int optimizer_renamed(struct ferry_document *doc,
		      const struct ferry_renaming *changes, size_t n,
		      struct ferry_findings *out, struct ferry_error *err);
int run_handled(struct ferry_document *doc, struct ferry_value **out,
		struct ferry_error *err);
int run_renamed(struct ferry_document *doc, const struct ferry_renaming *changes,
		size_t n, struct ferry_findings *out, struct ferry_error *err);

/* ---- upgrade.c, trainer.c ------------------------------------------------------ */

extern const struct ferry_option_spec upgrade_options[];
/* The root of a file of any part, made anew for a generation. */
int upgrade_root(const struct ferry_conversion_args *args,
		 struct ferry_value *root, struct ferry_value **out,
		 struct ferry_error *err);
int upgrade_trainer(struct plain *p, struct ferry_value *root,
		    enum generation wanted, struct ferry_value **out);

/* ---- run_*.c: the files of a run ------------------------------------------------ */

extern const struct ferry_format run_format;
extern const struct ferry_artifact_type run_type;

/*
 * What "run", "stage", "tag" and "model" ask for, among the names of a run:
 * paths "<stage>/checkpoints/<file>", or the file alone, sorted by byte.
 */
struct choice {
	const char *run, *stage, *model;
	struct slice tag;	/* as the files spell it; p NULL: all */
};

#define CHOICE_OPTIONS \
	{ .name = "tag", \
	  .help = "latest, last, best_model.<metric>, E10_U200_S800, or E10, " \
		  "U200 or S800: the first such" }, \
	{ .name = "model", .help = "the model, and what is in it" }, \
	{ .name = "stage", .help = "the stage's directory" }, \
	{ .name = "run", .help = "the run's directory, of several" }, \
	{ .name = "loader", \
	  .help = "resume or previous-run: the files that such an " \
		  "initializer reads, and no other" }, \
	{ .name = "info", \
	  .help = "the model_info of that initializer, such as ema=0.99" }

/* NOTFOUND says which tags there are. */
int choice_make(struct choice *out, const struct ferry_options *options,
		const char *const *names, size_t n, struct ferry_error *err);
bool choice_takes(const struct choice *c, const char *path);
/* What stands before "checkpoints/"; false when the path is no file of a run. */
bool stage_of(const char *path, struct slice *out);
/* The name of a run's directory, where its run was not named by hand. */
bool is_run_id(const char *name);

/* ---- resolver.c: what noether's initializers would read ------------------------ */

struct loader {
	bool resumes;		/* ResumeInitializer, or PreviousRun... */
	const char *run, *stage;
	const char *model;	/* NULL: the only one */
	const char *info;	/* model_info, or NULL */
	const char *tag;	/* NULL: latest, of one that resumes */
};

/* What "loader" (which is given), "tag" and the others ask for. */
int loader_asked(const struct ferry_options *options, struct loader *out,
		 struct ferry_error *err);
/* Sets taken[] of the files that it reads; NOTFOUND names one that it would
 * miss.  notes may be NULL. */
int loader_files(struct ferry_store *store, const struct loader *loader,
		 const char *const *names, size_t n, bool *taken,
		 struct ferry_findings *notes, struct ferry_error *err);

/* By either: n flags, in the store. */
int files_chosen(struct ferry_store *store,
		 const struct ferry_options *options, const char *const *names,
		 size_t n, bool **out, struct ferry_findings *notes,
		 struct ferry_error *err);

/* One file of a run's document. */
struct run_file {
	const char *path;	/* "<stage>/checkpoints/<file>" */
	struct slice stage;
	struct file_name name;	/* of `path` */
	struct ferry_value *root;
};

struct run_files {
	struct run_file *items;	/* in the store */
	size_t n;
};

/* All files, in the document's order; MALFORMED when it is no run. */
int run_files(struct ferry_store *store, struct ferry_value *root,
	      struct run_files *out, struct ferry_error *err);
/* Those that the options choose, in the same array. */
int run_files_choose(struct ferry_store *store, struct run_files *files,
		     const struct ferry_options *options,
		     struct ferry_error *err);
/* Files that share nothing: from the second on, what an earlier one has too is
 * made anew, data and all but its bytes. */
int files_apart(struct ferry_store *store, struct run_file *items, size_t n,
		struct ferry_error *err);
/* A run's document, its files apart and in the order in which they are read;
 * the run's id is that of its files. */
int run_make(struct ferry_store *store, const struct run_files *files,
	     struct ferry_value **out, struct ferry_error *err);
/* "<stage>/checkpoints/<file>", in the store. */
char *run_path(struct ferry_store *store, struct slice stage,
	       const char *file);
bool is_run(struct ferry_value *root);

/* ---- conversions ------------------------------------------------------------------ */

extern const struct ferry_artifact_type *const ksuit_types[];
extern const struct ferry_conversion *const ksuit_conversions[];
extern const struct ferry_conversion model_upgrade, ema_upgrade,
	optimizer_upgrade, trainer_upgrade, run_upgrade;
extern const struct ferry_conversion model_previous, ema_previous,
	optimizer_previous, run_previous;
extern const struct ferry_conversion model_to_state_dict, ema_to_state_dict,
	state_dict_to_model, state_dict_to_ema, ema_to_model;
extern const struct ferry_conversion run_to_model, run_to_ema, model_to_run,
	ema_to_run;

int ksuit_describe(struct ferry_document *doc, struct ferry_value *out,
		   struct ferry_error *err);
int ksuit_check(struct ferry_document *doc, struct ferry_findings *out,
		struct ferry_error *err);
int ksuit_recognise(struct ferry_document *doc, const char *file_name,
		    enum part part, bool ema, struct ferry_match *out);

#endif
