/*
 * safetensors: one file, or shards behind an index.
 *
 * A file without ferry's own metadata reads as a DICT of names to tensors in
 * the order of its header.  What else a document holds is kept as typed JSON in
 * __metadata__["ferry.document"], or in a file beside when that would be too
 * long.  doc/formats/safetensors.md is the specification.
 *
 * Thread: safe on distinct documents.
 */
#ifndef FORMATS_SAFETENSORS_H
#define FORMATS_SAFETENSORS_H

#include <ferry/sys/plugin.h>

/* A score for ferry_format.probe; see there. */
int safetensors_probe(const struct ferry_probe *probe);

/* "document": read what ferry kept (yes), or the tensors alone; "gaps". */
extern const struct ferry_option_spec safetensors_read_options[];

/*
 * Read a file or an index: headers alone, no tensor data.  Fills root and
 * about.  MALFORMED, LIMIT, IO; NOTFOUND for a shard that is not there;
 * UNSUPPORTED for the slices that torch.distributed.checkpoint writes.
 */
int safetensors_read(const struct ferry_input *in, struct ferry_document *doc,
		     struct ferry_error *err);

/* Read every byte of every file, check the file beside. */
int safetensors_verify(const struct ferry_input *in,
		       struct ferry_document *doc, struct ferry_work *work,
		       struct ferry_findings *out, struct ferry_error *err);

/* "shard-size", "header-limit", "document". */
extern const struct ferry_option_spec safetensors_write_options[];

/*
 * Write a whole document.  Its main file is the safetensors file or, when it is
 * to be cut or the output's name ends in .safetensors.index.json, the index.
 */
int safetensors_write(struct ferry_document *doc, struct ferry_output *output,
		      const struct ferry_options *options,
		      struct ferry_findings *out, struct ferry_error *err);

/* What is kept otherwise than as it is: notes. */
int safetensors_losses(struct ferry_document *doc,
		       const struct ferry_options *options,
		       struct ferry_findings *out, struct ferry_error *err);

#endif
