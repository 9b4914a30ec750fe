/*
 * What torch.save() and torch.jit.save() wrote: the zip archive of 1.6 and
 * later, the stream of pickles before it, the tar of the first releases, and
 * TorchScript archives; and the weights in torch.export.save()'s.
 *
 * Each function is a callback of struct ferry_format (ferry/sys/plugin.h),
 * whose words hold here.  Sources of facts: doc/formats/torch.md, torch-legacy.md,
 * torch-tar.md, torchscript.md.
 *
 * Thread: safe on distinct documents.
 */
#ifndef FORMATS_TORCH_H
#define FORMATS_TORCH_H

#include <ferry/sys/plugin.h>

/* What torch_write() can hold; the packed dtypes without a torch name are
 * missing. */
#define TORCH_DTYPES \
	(~(FERRY_DTYPE_BIT(FERRY_DTYPE_NONE) | \
	   FERRY_DTYPE_BIT(FERRY_F6_E2M3) | FERRY_DTYPE_BIT(FERRY_F6_E3M2) | \
	   FERRY_DTYPE_BIT(FERRY_F4_E2M1)) & \
	 (FERRY_DTYPE_BIT(FERRY_N_DTYPES) - 1))

/* ---- zip archives ------------------------------------------------------ */

int torch_probe(const struct ferry_probe *probe);
int torch_script_probe(const struct ferry_probe *probe);

/* Both kinds: the records tell which it is, and about says so. */
int torch_read(const struct ferry_input *in, struct ferry_document *doc,
	       struct ferry_error *err);
int torch_verify(const struct ferry_input *in, struct ferry_document *doc,
		 struct ferry_work *work, struct ferry_findings *out,
		 struct ferry_error *err);

/* "protocol": 2, 4 or 5; "compact": write only the bytes that tensors reach. */
extern const struct ferry_option_spec torch_write_options[];

int torch_write(struct ferry_document *doc, struct ferry_output *output,
		const struct ferry_options *options,
		struct ferry_findings *out, struct ferry_error *err);
int torch_losses(struct ferry_document *doc,
		 const struct ferry_options *options,
		 struct ferry_findings *out, struct ferry_error *err);

/* ---- programs ---------------------------------------------------------- */

/*
 * What torch.export.save() wrote (.pt2): a DICT of "state_dict" and, if there
 * are any, "constants", both by name; of several models, a DICT of such by the
 * model's name.  The program is not read, and a finding says so.
 */
int torch_export_probe(const struct ferry_probe *probe);
int torch_export_read(const struct ferry_input *in, struct ferry_document *doc,
		      struct ferry_error *err);

/* ---- the stream and the tar -------------------------------------------- */

int torch_legacy_probe(const struct ferry_probe *probe);
int torch_legacy_read(const struct ferry_input *in, struct ferry_document *doc,
		      struct ferry_error *err);
/* Of both. */
int torch_stream_verify(const struct ferry_input *in,
			struct ferry_document *doc, struct ferry_work *work,
			struct ferry_findings *out, struct ferry_error *err);

int torch_tar_probe(const struct ferry_probe *probe);
int torch_tar_read(const struct ferry_input *in, struct ferry_document *doc,
		   struct ferry_error *err);

/* ---- what the pickles name --------------------------------------------- */

/*
 * The report is a DICT:
 *
 *	"protocol"	INT, of the main pickle
 *	"globals"	LIST of DICTs: those of pickle_scan(), with
 *			"pickle" (which of the file's pickles),
 *			"weights_only" and "weights_only_1_13" ("allowed" or
 *			"refused" by torch.load(weights_only=True) of torch
 *			2.13 and 1.13), "dangerous" (BOOL: names a way to run
 *			code or reach the system)
 *	"opcodes_refused"	LIST of DICTs: "pickle", "opcode", "count",
 *			"offset" (of the first), "weights_only" and
 *			"weights_only_1_13" as above
 *	"weights_only", "weights_only_1_13"	"loads" or "refused", by names
 *			and opcodes
 *	"dangerous"	INT: how many of the globals are
 */
int torch_scan(const struct ferry_input *in, struct ferry_store *store,
	       struct ferry_value **out, struct ferry_error *err);
int torch_export_scan(const struct ferry_input *in, struct ferry_store *store,
		      struct ferry_value **out, struct ferry_error *err);
int torch_legacy_scan(const struct ferry_input *in, struct ferry_store *store,
		      struct ferry_value **out, struct ferry_error *err);
int torch_tar_scan(const struct ferry_input *in, struct ferry_store *store,
		   struct ferry_value **out, struct ferry_error *err);
/* A file that is one plain pickle. */
int torch_pickle_scan(const struct ferry_input *in, struct ferry_store *store,
		      struct ferry_value **out, struct ferry_error *err);

#endif
