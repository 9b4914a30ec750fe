/*
 * The four members of a tar checkpoint.
 *
 * Source: POSIX.1-2008 pax, "ustar Interchange Format".
 */
#ifndef FORMATS_TORCH_TAR_H
#define FORMATS_TORCH_TAR_H

#include <ferry/sys/source.h>

enum {
	TORCH_TAR_SYS_INFO,
	TORCH_TAR_STORAGES,
	TORCH_TAR_TENSORS,
	TORCH_TAR_PICKLE,
	TORCH_TAR_MEMBERS
};

struct torch_tar_member {
	uint64_t offset, nbytes;
	bool present;
};

/* MALFORMED: a broken header, or storages, tensors or pickle missing. */
int torch_tar_find(struct ferry_source *src,
		   struct torch_tar_member members[TORCH_TAR_MEMBERS],
		   struct ferry_error *err);
/*
 * Call `seen` with every pickle in the archive that torch would load, in that
 * order, before it is decoded.  The tables are pickles with raw bytes between
 * them: they are read (storages' data is not).  Errors of `seen` and of the
 * tables end it.
 */
int torch_tar_each_pickle(struct ferry_source *src,
			  int (*seen)(void *ctx, struct ferry_source *src,
				      uint64_t offset, const char *name,
				      struct ferry_error *err),
			  void *ctx, struct ferry_error *err);
/* Which member a header's name field is, or -1. */
int torch_tar_member_named(const char *name, size_t n);

#endif
