/*
 * Which pairs of values, one of each document, were compared already.
 */
#ifndef CLI_PAIRS_H
#define CLI_PAIRS_H

#include <stdbool.h>
#include <stdint.h>

struct cli_pairs;

struct cli_pairs *cli_pairs_new(void);
void cli_pairs_free(struct cli_pairs *p);

/*
 * Where the result for (a, b) is kept: 0 the first time.  Ids of 0 have no
 * memory: NULL.  Valid until the next call.
 */
unsigned char *cli_pairs_at(struct cli_pairs *p, uint32_t a, uint32_t b);

#endif
