/*
 * What differs between two documents, by path: for people, so containers are
 * matched by what they hold.  ferry_document_compare() is the stricter sister,
 * which also sees strides and sharing.
 */
#ifndef CLI_CONTRAST_H
#define CLI_CONTRAST_H

#include <ferry/tensor.h>

struct cli_contrast_how {
	bool data;		/* values of scalars, data of tensors */
	bool containers;	/* an OrderedDict is no dict, a list no tuple */
	double atol, rtol;	/* 0, 0: bit by bit */
};

enum cli_mark {
	CLI_ONLY_A,
	CLI_ONLY_B,
	CLI_CHANGED,
};

struct cli_contrast {
	struct cli_contrast_how how;
	/* Called for each difference; text is one line, safe for a terminal;
	 * the path is raw. */
	void (*differs)(void *ctx, enum cli_mark mark, const char *path,
			const char *text);
	void *ctx;
	/* counts */
	uint64_t tensors_equal, tensors_changed;
	uint64_t values_equal, values_changed;
	uint64_t only_a, only_b;
	uint64_t nbytes;	/* of tensor data compared, of one side */

	struct cli_pairs *pairs;	/* private */
	char *path;
	size_t path_len, path_cap;
	unsigned depth;
};

/* Zeroed but for how, differs and ctx.  Whether they are equal: see
 * cli_contrast_equal(). */
int cli_contrast_documents(struct cli_contrast *c, struct ferry_document *a,
			   struct ferry_document *b, struct ferry_error *err);

/* Only the tensors below two mappings (values of a and b), by dotted name. */
int cli_contrast_weights(struct cli_contrast *c, struct ferry_document *a,
			 struct ferry_value *weights_a,
			 struct ferry_document *b,
			 struct ferry_value *weights_b,
			 struct ferry_error *err);

/* For the two above: the path grows by a label and shrinks to what push gave;
 * two tensors that stand at it are compared and counted. */
size_t cli_contrast_push(struct cli_contrast *c, const char *label);
void cli_contrast_pop(struct cli_contrast *c, size_t before);
int cli_contrast_tensors(struct cli_contrast *c, const struct ferry_tensor *a,
			 const struct ferry_tensor *b, bool *equal,
			 struct ferry_error *err);

bool cli_contrast_equal(const struct cli_contrast *c);
void cli_contrast_release(struct cli_contrast *c);

#endif
