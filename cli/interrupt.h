/*
 * SIGINT, SIGTERM and SIGHUP while an output is being written.
 *
 * The first asks the run to stop, which removes its temporary files; a second
 * removes them at once and ends the process.  Either way the process dies of
 * the signal, so that a shell sees what happened.
 */
#ifndef CLI_INTERRUPT_H
#define CLI_INTERRUPT_H

#include <stdatomic.h>

/* Catch from now on, and ignore SIGPIPE.  A signal that was ignored stays so.
 * The flag becomes true at the first signal. */
const atomic_bool *cli_interrupt_catch(void);

/* Back to how it was. */
void cli_interrupt_release(void);

/*
 * For a batch: the first SIGTERM asks to finish what is at hand, SIGINT and
 * SIGHUP to abandon it, as does any second signal.  The number is one of
 * enum ferry_stop.
 */
const atomic_int *cli_interrupt_count(void);
/* The first signal that was caught, or 0. */
int cli_interrupt_which(void);

/* Die of the signal that was caught; returns when none was. */
void cli_interrupt_die(void);

#endif
