/*
 * A document out of opened files: what ferry kept, or a plain DICT of tensors.
 */
#ifndef FORMATS_SAFETENSORS_RESTORE_H
#define FORMATS_SAFETENSORS_RESTORE_H

#include "formats/safetensors/files.h"

/* The tensor as every loader sees it; its storage is the range of the file. */
int st_plain_tensor(struct ferry_store *store, const struct st_at *at,
		    struct ferry_value **out, struct ferry_error *err);

/*
 * Restore what typed JSON says of the tensors in the files.
 *
 * Returns 0; 1, with *out left alone, when the text speaks of other tensors than
 * the files have (they were changed by something that kept the text): `stale`
 * says how; or MALFORMED for text that is broken, and LIMIT for a storage that
 * is nearly all gaps, unless any_gaps.
 */
int st_restore(struct ferry_document *doc, const struct st_files *files,
	       const char *text, size_t n, bool any_gaps,
	       struct ferry_value **out, char stale[256],
	       struct ferry_error *err);

#endif
