/*
 * The records of a zip checkpoint: one folder, whatever its name, with
 * data.pkl in it.
 *
 * Source: torch/csrc/jit/serialization (caffe2/serialize/inline_container.cc):
 * names are looked up below the folder of the first entry, letter case ignored.
 * Read more leniently here: the folder is where data.pkl is.
 */
#ifndef FORMATS_TORCH_ARCHIVE_H
#define FORMATS_TORCH_ARCHIVE_H

#include <ferry/findings.h>
#include <ferry/sys/buffer.h>
#include <ferry/sys/map.h>
#include <ferry/sys/source.h>

#include "formats/zip/zip.h"

struct torch_archive {
	struct zip *zip;
	const char *prefix;		/* "archive/" or ""; borrowed from zip */
	size_t nprefix;
	bool script;			/* has constants.pkl: TorchScript */
	bool fold;			/* names matched whatever their case */
	struct ferry_map folded;	/* lower-case name -> member */
	struct ferry_buffer names;	/* what the keys of folded lie in */
	struct ferry_buffer wanted;	/* the name looked up last */
};

/*
 * Read the directory and find the folder.  What torch itself would refuse and
 * ferry reads is a WARNING.  MALFORMED: no data.pkl or two; UNSUPPORTED: an
 * archive of another kind, by name.
 */
int torch_archive_open(struct torch_archive *a, struct ferry_source *src,
		       struct ferry_findings *findings,
		       struct ferry_error *err);
void torch_archive_close(struct torch_archive *a);

/* The record folder + key[0..n) below the prefix; NULL when absent (or when
 * memory is out). */
const struct zip_member *torch_archive_find(struct torch_archive *a,
					    const char *folder,
					    const char *key, size_t n);
/* The first bytes of a small record, at most cap, into buf; *n is how many, or
 * SIZE_MAX when there is no such record. */
int torch_archive_text(struct torch_archive *a, const char *record, char *buf,
		       size_t cap, size_t *n, struct ferry_error *err);

#endif
