/*
 * The tensors of a document as a table or JSON.
 */
#ifndef CLI_TENSORS_H
#define CLI_TENSORS_H

#include <jansson.h>

#include "cli/survey.h"

/* One row per place; with_stats reads every tensor's data.  0, or a negative
 * code. */
int cli_print_tensors(const struct cli_survey *s, bool with_stats,
		      struct ferry_error *err);
int cli_json_tensors(json_t **out, const struct cli_survey *s, bool with_stats,
		     struct ferry_error *err);

#endif
