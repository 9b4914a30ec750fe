/*
 * Threads that do a part of the work at hand.
 */
#ifndef FERRY_IO_THREAD_H
#define FERRY_IO_THREAD_H

#include <pthread.h>

/* pthread_create(); signals are the calling thread's business, never its. */
int ferry_thread_start(pthread_t *out, void *(*run)(void *arg), void *arg);
/* Cores that are on line: 1 at the least. */
unsigned ferry_core_count(void);

#endif
