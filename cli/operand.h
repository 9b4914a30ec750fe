/*
 * An input that stands where the output does.
 */
#ifndef CLI_OPERAND_H
#define CLI_OPERAND_H

#include <ferry/plan.h>

#include "cli/argument.h"

/*
 * Where the output is a file that is there, and a conversion of the first input
 * could take it as another one (a config beside a checkpoint): say on stderr
 * what to type, and return true.
 */
bool cli_hint_operand(const struct cli *c, const struct ferry_job *job);

/*
 * The inputs are shards of one checkpoint ("x-00001-of-00003.safetensors"): say
 * which file stands for all of them.  False: they are not.
 */
bool cli_hint_shards(const struct ferry_job *job);

#endif
