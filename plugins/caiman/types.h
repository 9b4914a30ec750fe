/*
 * The artifact types of CAIMAN-ASR.
 */
#ifndef PLUGINS_CAIMAN_TYPES_H
#define PLUGINS_CAIMAN_TYPES_H

#include <ferry/sys/plugin.h>

extern const struct ferry_artifact_type *const caiman_types[];

#endif
