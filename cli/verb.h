/*
 * The verbs of the command, one file each.
 */
#ifndef CLI_VERB_H
#define CLI_VERB_H

#include "cli/argument.h"

extern const struct cli_verb cli_average;
extern const struct cli_verb cli_convert;
extern const struct cli_verb cli_conversions;
extern const struct cli_verb cli_diff;
extern const struct cli_verb cli_formats;
extern const struct cli_verb cli_inspect;
extern const struct cli_verb cli_migrate;
extern const struct cli_verb cli_models;
extern const struct cli_verb cli_plan;
extern const struct cli_verb cli_plugins;
extern const struct cli_verb cli_scan;
extern const struct cli_verb cli_types;
extern const struct cli_verb cli_verify;

#endif
