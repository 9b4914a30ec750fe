/*
 * What is in a document, counted: tensors, parameters, bytes by dtype,
 * storages and what of them no tensor reaches, names that share data.
 */
#ifndef CLI_SURVEY_H
#define CLI_SURVEY_H

#include <ferry/tensor.h>

/* A tensor's place in its storage, in bytes. */
struct cli_span {
	const struct ferry_storage *storage;
	uint64_t first, end;
	uint32_t place;		/* index in places */
};

/* Places whose tensors look into one storage: spans [at, at + n). */
struct cli_tie {
	size_t at, n;
	bool same;		/* all look at the same bytes */
};

struct cli_sum {
	uint64_t n_names;	/* places; those of equal data too */
	uint64_t n_tensors, nelem, nbytes;
};

struct cli_survey {
	struct ferry_places places;
	struct cli_sum all;			/* distinct tensors */
	struct cli_sum distinct;		/* distinct bytes of data */
	struct cli_sum by_dtype[FERRY_N_DTYPES];	/* of distinct */
	uint64_t n_storages, storage_nbytes;
	uint64_t unreached_nbytes;		/* no tensor looks at them */
	struct cli_span *spans;			/* by storage, then place */
	size_t n_spans;
	struct cli_tie *ties;			/* by storage */
	size_t n_ties, ties_cap;
};

int cli_survey_init(struct cli_survey *s, struct ferry_document *doc,
		    struct ferry_error *err);
void cli_survey_release(struct cli_survey *s);

/* A byte per place, 1 where its storage has other places too; free() it. */
unsigned char *cli_survey_shared(const struct cli_survey *s);

/* Count what is below one value of doc: all tensors, and distinct data.  Either
 * may be NULL. */
int cli_sum_below(struct cli_sum *all, struct cli_sum *distinct,
		  const struct ferry_document *doc, struct ferry_value *root,
		  struct ferry_error *err);

#endif
