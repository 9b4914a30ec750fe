/*
 * What tensors by name can't say: the document as typed JSON.
 */
#ifndef FORMATS_SAFETENSORS_KEPT_H
#define FORMATS_SAFETENSORS_KEPT_H

#include <ferry/sys/buffer.h>

#include "formats/safetensors/inventory.h"

/*
 * True when a file of the tensors alone reads back as this document: a DICT of
 * whole tensors, in the order in which they lie in the file (`order`), then the
 * names that repeat one.
 */
bool st_is_plain(const struct st_inventory *inv,
		 struct st_item *const *order);

/* Append the typed JSON.  BYTES of at least ST_LONG_BYTES become items. */
int st_kept_write(struct st_inventory *inv, struct ferry_buffer *out,
		  struct ferry_error *err);

#define ST_LONG_BYTES (UINT64_C(1) << 20)

#endif
