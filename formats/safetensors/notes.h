/* What a file will hold otherwise than the document does. */
#ifndef FORMATS_SAFETENSORS_NOTES_H
#define FORMATS_SAFETENSORS_NOTES_H

#include "formats/safetensors/inventory.h"

/* Notes for `out`. */
int st_notes(const struct st_inventory *inv, struct ferry_findings *out,
	     struct ferry_error *err);

#endif
