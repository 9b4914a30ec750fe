/*
 * One zip checkpoint being read: shared by the reader of torch.save() archives
 * and that of TorchScript.
 */
#ifndef FORMATS_TORCH_READER_H
#define FORMATS_TORCH_READER_H

#include <ferry/sys/build.h>
#include <ferry/sys/map.h>

#include "formats/torch/archive.h"
#include "formats/torch/rebuild.h"

struct torch_reader {
	struct torch_rebuild rebuild;
	struct torch_archive archive;
	struct ferry_document *doc;
	const char *folder;		/* of the storages: "data/" */
	struct ferry_map storages;	/* key -> struct torch_known */
	bool *opened;			/* by member: holds a storage */
	bool warned_class;
	uint64_t offsets;		/* of stored data, ORed together */
	size_t n_stored, n_deflated;
};

/*
 * Decode the pickle `record`; its storages lie in r->folder.  *protocol is the
 * one it declares, 0 when it declares none.
 */
int torch_reader_pickle(struct torch_reader *r, const char *record,
			struct ferry_value **out, unsigned *protocol,
			struct ferry_error *err);

/*
 * Read what a TorchScript archive has beside data.pkl: constants become the
 * root's attribute CONSTANTS (c0, c1, ..., as its code names them), and about
 * gets "parameters" and "buffers", lists of attribute paths, as its code tells.
 */
int torch_script_complete(struct torch_reader *r, struct ferry_error *err);

/* WARNINGs "files" and "program" of the records that nothing read so far came
 * from; to be called before the storages of constants are named. */
int torch_records_report(struct torch_reader *r, struct ferry_error *err);

#endif
