/*
 * The files of an input: one, or those that an index names.
 */
#ifndef FORMATS_SAFETENSORS_FILES_H
#define FORMATS_SAFETENSORS_FILES_H

#include <ferry/sys/plugin.h>

#include "formats/safetensors/header.h"

struct st_file {
	const char *name;		/* as the index has it, or "" */
	struct ferry_source *source;	/* one reference */
	struct st_header header;
	size_t first;			/* tensors of the files before */
};

struct st_files {
	struct ferry_store *store;	/* of names */
	struct st_file *files;
	size_t n;
	size_t n_tensors;
	bool is_index;
	struct ferry_map index;		/* of an index: name to file */
	/* What stands beside the tensors: text, or of an index any JSON, by
	 * key, in order. */
	struct ferry_value *metadata;	/* DICT in `store` */
};

/* True when the text begins as an index does and not as a tensor file. */
bool st_is_index(const uint8_t *head, size_t n);

int st_files_open(struct st_files *out, const struct ferry_input *in,
		  struct ferry_findings *findings, struct ferry_error *err);
void st_files_release(struct st_files *files);

/* Where a tensor stands. */
struct st_at {
	const struct st_file *file;
	const struct st_tensor *tensor;
	size_t ordinal;			/* among the tensors of all files */
};

/* False when there is none of that name. */
bool st_files_find(const struct st_files *files, const char *name, size_t n,
		   struct st_at *out);

/* The text of a metadata key, or NULL. */
const struct ferry_value *st_files_text(const struct st_files *files,
					const char *key);

/* The file that "ferry.sidecar" names. */
struct st_sidecar {
	char *name;			/* in the store of the files */
	uint64_t nbytes;
	char sha256[65];
};

/* MALFORMED when the text isn't what the writer puts there. */
int st_sidecar_parse(struct st_sidecar *out, const struct st_files *files,
		     const struct ferry_value *text, struct ferry_error *err);

#endif
