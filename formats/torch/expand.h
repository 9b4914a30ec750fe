/*
 * A document on its way into a torch.save() archive: which storages it names,
 * what each will be called, and the calls that stand for its tensors.
 *
 * A storage is written under a storage class where all that look into it have
 * one dtype with a class; else as plain bytes, and its tensors by
 * _rebuild_tensor_v3 (torch 2.1 and later).
 */
#ifndef FORMATS_TORCH_EXPAND_H
#define FORMATS_TORCH_EXPAND_H

#include <ferry/findings.h>
#include <ferry/sys/build.h>

#include "formats/torch/dtype.h"

struct torch_written {
	const struct ferry_storage *storage;	/* NULL: not in the document */
	const struct torch_dtype *dtype;	/* NULL: plain bytes */
	bool mixed;			/* looked at as more than one dtype */
	bool whole;			/* not to be cut */
	uint64_t first, end;		/* bytes written of it */
	struct ferry_value *id;		/* persistent id, once it has a key */
};

struct torch_expander {
	struct ferry_store *store;
	struct torch_written *by_id;	/* storage id -> what is written */
	uint32_t n_ids;
	struct torch_written **written;	/* in the order of their keys */
	uint32_t n_written;
	/* Found on the way through the document. */
	uint64_t n_persistent, n_unquantized, n_script, n_newer;
	/* Values that every tensor shares. */
	struct ferry_value *storage_word, *cpu, *ordered_dict, *no_args;
	struct ferry_value *functions[4];
	struct ferry_value *classes[FERRY_N_DTYPES];
	struct ferry_value *dtypes[FERRY_N_DTYPES];
};

/* Walk the document.  Release it whatever the result. */
int torch_expander_init(struct torch_expander *x, struct ferry_document *doc,
			bool compact, struct ferry_error *err);
void torch_expander_release(struct torch_expander *x);

/* NOTEs for what is kept in another form, WARNINGs for what would not load. */
int torch_expander_report(const struct torch_expander *x,
			  struct ferry_findings *out, struct ferry_error *err);

/* The `replace` callback of the pickle writer; ctx is the expander. */
int torch_expand(void *ctx, struct ferry_store *store,
		 struct ferry_value *value, struct ferry_value **out,
		 struct ferry_error *err);

#endif
