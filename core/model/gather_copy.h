/* Strided copies in memory. */
#ifndef CORE_MODEL_GATHER_COPY_H
#define CORE_MODEL_GATHER_COPY_H

#include "core/model/gather_box.h"

/* All elements of the box, from its origin at `from` to its origin at `to`. */
void box_copy(const struct box *b, const void *from, void *to);

#endif
