/*
 * Memory of the command itself: running out ends the process with a message,
 * which is safe because the library removes its temporary files in that case
 * only if asked: cli_out_of_memory() asks.
 */
#ifndef CLI_MEMORY_H
#define CLI_MEMORY_H

#include <stddef.h>

#include <ferry/api.h>

_Noreturn void cli_out_of_memory(void);

/* n * size zeroed bytes; free with free(). */
void *cli_array(size_t n, size_t size);

/* Room for one more: *cap grows and `old` moves when n == *cap. */
void *cli_grow(void *old, size_t n, size_t *cap, size_t size);

/* A copy of a string; free with free(). */
char *cli_copy(const char *text);

/* A formatted string; free with free(). */
char *cli_text(const char *fmt, ...) FERRY_PRINTF(1, 2);

#endif
