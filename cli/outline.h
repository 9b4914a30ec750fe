/*
 * A plan as JSON: what plan and convert report alike.
 */
#ifndef CLI_OUTLINE_H
#define CLI_OUTLINE_H

#include <jansson.h>

#include <ferry/plan.h>

/* {"inputs", "output", "from", "to", "steps", "bytes_in", "bytes_out",
 * "losses", "refused", "notes"} */
json_t *cli_json_plan(const struct ferry_job *job, const struct ferry_plan *p);

#endif
