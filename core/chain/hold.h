/* What a format can hold of a document. */
#ifndef CORE_CHAIN_HOLD_H
#define CORE_CHAIN_HOLD_H

#include "core/registry/option.h"
#include "core/registry/registry.h"

struct ferry__holding {
	uint64_t tensors, storages, objects, strided;
};

/*
 * What writing the document would lose or change: the writer's own word, then
 * what its flags, dtypes and rank tell.  WARNINGs are losses.  UNSUPPORTED for
 * more dimensions than the format has.
 */
int ferry__hold(const struct ferry_known *writer, struct ferry_document *doc,
		const struct ferry_options *options,
		struct ferry__holding *out, struct ferry_findings *found,
		struct ferry_error *err);

/* writer.c: the writer that the name's suffix says, and one by its name. */
int ferry__writer_of(struct ferry_session *s, const char *name,
		     const struct ferry_known **out, struct ferry_error *err);
int ferry__writer_named(struct ferry_session *s, const char *format,
			const struct ferry_known **out,
			struct ferry_error *err);
/* The writer of the directory `name`: `own` when that is one, else the only
 * one where a type is asked for, for a file is meant more often. */
int ferry__writer_of_directory(struct ferry_session *s, const char *name,
			       const struct ferry_known *own, bool asked,
			       const struct ferry_known **out,
			       struct ferry_error *err);

#endif
