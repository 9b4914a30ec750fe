/* Files that an index named before it was replaced. */
#ifndef FORMATS_SAFETENSORS_STALE_H
#define FORMATS_SAFETENSORS_STALE_H

#include <ferry/findings.h>
#include <ferry/sys/build.h>

/*
 * A note of the files that the index at `path` names, that lie beside it, and
 * that `map` (the "weight_map" to come) does not name.  They are left where they
 * are: another index may name them.  An index that can't be read is passed over.
 */
int st_note_stale(const char *path, const struct ferry_value *map,
		  struct ferry_findings *out, struct ferry_error *err);

#endif
