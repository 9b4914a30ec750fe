/* SIGINT, SIGTERM and SIGHUP while an output is being written. */
#include "config.h"

#include "cli/interrupt.h"

#include <signal.h>
#include <stdbool.h>
#include <string.h>

#include <ferry/migrate.h>

static const int caught[] = { SIGINT, SIGTERM, SIGHUP };

#define N_CAUGHT (sizeof(caught) / sizeof(caught[0]))

/* What a handler can reach is static by nature. */
static atomic_bool asked;
static atomic_int which, stop;

static void on_signal(int number)
{
	if (!atomic_exchange(&asked, true)) {
		atomic_store(&which, number);
		return;
	}
	ferry_abort_outputs();
	signal(number, SIG_DFL);
	raise(number);
}

static void count_signal(int number)
{
	int none = 0;

	atomic_compare_exchange_strong(&which, &none, number);
	atomic_store(&stop, number == SIGTERM && !none ? FERRY_STOP_AFTER :
		     FERRY_STOP_NOW);
}

static void catch(void (*handler)(int number))
{
	struct sigaction action, old;

	memset(&action, 0, sizeof(action));
	action.sa_handler = handler;
	sigemptyset(&action.sa_mask);
	action.sa_flags = SA_RESTART;
	for (size_t i = 0; i < N_CAUGHT; i++)
		if (!sigaction(caught[i], NULL, &old) &&
		    old.sa_handler != SIG_IGN)
			sigaction(caught[i], &action, NULL);
	signal(SIGPIPE, SIG_IGN);
}

const atomic_bool *cli_interrupt_catch(void)
{
	catch(on_signal);
	return &asked;
}

const atomic_int *cli_interrupt_count(void)
{
	catch(count_signal);
	return &stop;
}

int cli_interrupt_which(void)
{
	return atomic_load(&which);
}

void cli_interrupt_release(void)
{
	struct sigaction old;

	for (size_t i = 0; i < N_CAUGHT; i++)
		if (!sigaction(caught[i], NULL, &old) &&
		    (old.sa_handler == on_signal ||
		     old.sa_handler == count_signal))
			signal(caught[i], SIG_DFL);
	signal(SIGPIPE, SIG_DFL);
}

void cli_interrupt_die(void)
{
	int number = atomic_load(&which);

	if (!number)
		return;
	signal(number, SIG_DFL);
	raise(number);
}
