/*
 * AudioCraft's checkpoints: what a solver saves while it trains, and what is
 * exported of it for inference.
 *
 * Source of facts: doc/audiocraft.md.
 */
#ifndef PLUGINS_AUDIOCRAFT_H
#define PLUGINS_AUDIOCRAFT_H

#include <ferry/sys/plugin.h>

#define AUDIOCRAFT_NEWEST "1.4.0a2"
/* In front of a model's name in configurations, and nowhere else. */
#define REFERENCE "//pretrained/"

/* ---- what a document is (shape.c) ----------------------------------------- */

enum artifact {
	ARTIFACT_OTHER,
	ARTIFACT_TRAINING,
	ARTIFACT_EXPORT_LM,
	ARTIFACT_EXPORT_COMPRESSION,
	ARTIFACT_DIFFUSION,
	ARTIFACT_AUDIOSEAL,
};

/* What the solver trains; what a configuration or names of tensors say. */
enum family {
	FAMILY_UNKNOWN,
	FAMILY_LM,
	FAMILY_COMPRESSION,
	FAMILY_DIFFUSION,
	FAMILY_WATERMARK,
};

/* A document has one, so that the types never tie. */
enum artifact document_artifact(struct ferry_document *doc,
				const char *file_name, struct ferry_match *out);
/* By the solver's name, else by names of tensors; *solver (may be NULL) is the
 * STRING, or NULL. */
enum family family_of(struct ferry_store *store, struct ferry_value *config,
		      struct ferry_value *weights,
		      const struct ferry_value **solver);
const char *family_name(enum family family);

/* Half of a watermarking model, by names of its tensors (watermark.c). */
enum seal {
	SEAL_NONE,
	SEAL_GENERATOR,
	SEAL_DETECTOR,
};
enum seal seal_of(const struct ferry_value *root);
/* Of its message; 0: none, or they can't be told. */
uint64_t seal_bits(const struct ferry_value *root);

/* A mapping at a key of the root (or any mapping), or NULL. */
struct ferry_value *part(const struct ferry_value *holder, const char *key);
/* The same when it is a mapping: its DICT of items. */
struct ferry_value *mapping(const struct ferry_value *holder, const char *key);
/* best_state['model'], or fsdp_best_state['model'] where that one counts. */
struct ferry_value *best_model(const struct ferry_value *root);
bool is_truthy(const struct ferry_value *v);

/* ---- the configuration (config.c) ------------------------------------------- */

/*
 * xp.cfg as plain values: of a DictConfig, of YAML text, or of a plain DICT.
 * Errors are about 'xp.cfg'.
 */
int config_plain(struct ferry_store *store, struct ferry_value *config,
		 struct ferry_findings *findings, struct ferry_value **out,
		 struct ferry_error *err);
/* The scalar at keys joined by ".", references to other keys followed; NULL
 * when it is not there or is a container. */
const struct ferry_value *config_find(struct ferry_value *plain,
				      const char *keys);
/* An INT of at least 1 there, else 0. */
uint64_t config_count(struct ferry_value *plain, const char *keys);
/* OmegaConf.to_yaml(): a STRING. */
int config_text(struct ferry_store *store, struct ferry_value *config,
		struct ferry_findings *findings, struct ferry_value **out,
		struct ferry_error *err);
/* OmegaConf.create(): a DictConfig of the layout that the option "omegaconf"
 * names. */
int config_object(struct ferry_store *store, struct ferry_value *config,
		  const struct ferry_options *options, bool is_struct,
		  struct ferry_value **out, struct ferry_error *err);
/* A value as yaml.load() reads the text after the "=" of a setting. */
int config_value(struct ferry_store *store, const char *text,
		 struct ferry_value **out, struct ferry_error *err);

/* ---- file names and saves cut off (name.c, unfinished.c) --------------------- */

enum stage {
	STAGE_FINAL,
	STAGE_TMP,		/* .tmp: being written */
	STAGE_TOKEN,		/* .tmp.done: all of .tmp was written */
	STAGE_OLD,		/* .old: of a replacement that was cut off */
};

/* checkpoint[_NAME].th[.RANK][.tmp[.done]|.old] */
struct file_name {
	const char *name;	/* in the text: "best", "12"; not terminated */
	size_t nname;		/* 0: the last checkpoint */
	size_t nfinal;		/* bytes of the name when it is final */
	size_t nrank0;		/* .. and without its rank */
	unsigned rank;
	bool has_rank;
	enum stage stage;
};

bool parse_file_name(const char *base, struct file_name *out);
/* The part after the last slash. */
const char *base_name(const char *path);

/*
 * Whether a document read from such a file is not a good one.  Fills text (300
 * bytes) with what it is and what would make it good.
 */
enum save {
	SAVE_GOOD,
	SAVE_UNMARKED,		/* .tmp without its token */
	SAVE_COMPLETE,		/* .tmp with its token */
	SAVE_OLD,
	SAVE_BLOCKED,		/* good, but an .old beside it */
	SAVE_OVERTAKEN,		/* good, but a complete .tmp beside it */
};
enum save judge_save(const char *path, char text[300]);
extern const struct ferry_format unfinished_format;

/* ---- types ------------------------------------------------------------------ */

extern const struct ferry_artifact_type *const audiocraft_types[];

int audiocraft_describe(struct ferry_document *doc, struct ferry_value *out,
			struct ferry_error *err);
int admit_save(struct ferry_document *doc, struct ferry_findings *out,
	       struct ferry_error *err);
int check_training(struct ferry_document *doc, struct ferry_findings *out,
		   struct ferry_error *err);
int check_export_lm(struct ferry_document *doc, struct ferry_findings *out,
		    struct ferry_error *err);
int check_export_compression(struct ferry_document *doc,
			     struct ferry_findings *out,
			     struct ferry_error *err);
int check_diffusion(struct ferry_document *doc, struct ferry_findings *out,
		    struct ferry_error *err);
int check_audioseal(struct ferry_document *doc, struct ferry_findings *out,
		    struct ferry_error *err);
/* Names and tensors in a mapping, and nothing else. */
int check_weights(struct ferry_value *weights, const char *path,
		  struct ferry_findings *out, struct ferry_error *err);
/* Names and shapes of a language model against its configuration. */
int check_lm_tensors(struct ferry_value *plain, struct ferry_value *weights,
		     const char *path, struct ferry_findings *out,
		     struct ferry_error *err);

/* A projection for each conditioner of the configuration: loaders for inference
 * ask for it, a run begins what is missing anew. */
int check_lm_conditioners(struct ferry_value *plain,
			  struct ferry_value *weights, const char *path,
			  struct ferry_findings *out, struct ferry_error *err);

/* Names and shapes of a compression model against its configuration. */
int check_codec_tensors(struct ferry_document *doc, struct ferry_value *plain,
			struct ferry_value *weights, const char *path,
			struct ferry_findings *out, struct ferry_error *err);

/* One finding; a failure to add it is NOMEM. */
int tell(struct ferry_findings *out, enum ferry_level level, const char *code,
	 const char *path, struct ferry_error *err, const char *fmt, ...)
	FERRY_PRINTF(6, 7);

/* ---- conversions -------------------------------------------------------------- */

extern const struct ferry_conversion *const audiocraft_conversions[];

#define CONVERSION(name) \
	int name(const struct ferry_conversion_args *args, \
		 struct ferry_error *err)
#define LOSSES(name) \
	int name(const struct ferry_conversion_args *args, \
		 struct ferry_findings *out, struct ferry_error *err)

CONVERSION(run_export_lm);
CONVERSION(run_export_compression);
CONVERSION(run_reference);
CONVERSION(run_wrap);
CONVERSION(run_training_state);
CONVERSION(run_export_state);
CONVERSION(run_state_export_lm);
CONVERSION(run_state_export_compression);
CONVERSION(run_audioseal_state);
CONVERSION(run_edit_training);
CONVERSION(run_edit_export);
CONVERSION(run_upgrade_training);
CONVERSION(run_upgrade_export);
LOSSES(export_lm_losses);
LOSSES(export_compression_losses);
LOSSES(wrap_losses);
LOSSES(training_state_losses);
LOSSES(export_state_losses);
LOSSES(audioseal_state_losses);
LOSSES(reference_losses);

/* UNSUPPORTED, with what to convert to, where a run is known to train something
 * else than is wanted. */
int require_family(enum family family, enum family wanted,
		   struct ferry_error *err);
/* Whether to do what exporters of 0.0.x did, as later legacy ones do. */
int is_legacy(const struct ferry_conversion_args *args, bool *out,
	      struct ferry_error *err);
/* Why nothing can be taken of a state whose fsdp_best_state has no model. */
int refuse_shard(const struct ferry_document *doc, struct ferry_error *err);
/* The four keys of an export, or the two of 0.0.x, as options say. */
int build_export(const struct ferry_conversion_args *args,
		 struct ferry_value *weights, struct ferry_value *config,
		 struct ferry_error *err);
/* {'pretrained': name, 'exported': True, 'version': ...} */
int build_reference(const struct ferry_conversion_args *args, const char *name,
		    struct ferry_error *err);
/* The input's xp.cfg as a graph that is this job's own, to be changed. */
int own_config(const struct ferry_conversion_args *args,
	       struct ferry_value **out, struct ferry_error *err);
/* A mapping anew with the same pairs; an OBJECT stays what it is. */
struct ferry_value *same_pairs(struct ferry_store *store,
			       struct ferry_value *mapping);
/* Names of Hugging Face's EnCodec; and the same weights under AudioCraft's. */
bool is_hf_encodec(const struct ferry_value *weights);
int rename_hf_encodec(struct ferry_store *store,
		      const struct ferry_value *weights,
		      struct ferry_value **out, struct ferry_error *err);

/* A DICT built key by key: the first failure is kept. */
struct entries {
	struct ferry_store *store;
	struct ferry_value *dict;
	bool failed;
};
void entries_begin(struct entries *e, struct ferry_store *store);
void entries_add(struct entries *e, const char *key, struct ferry_value *v);
/* Set it as the result's root. */
int entries_root(struct entries *e, struct ferry_document *out,
		 struct ferry_error *err);

#endif
