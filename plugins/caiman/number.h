/*
 * Numbers as Python and pydantic read and write them as text.
 *
 * Thread: no state; the process's locale doesn't matter.
 */
#ifndef PLUGINS_CAIMAN_NUMBER_H
#define PLUGINS_CAIMAN_NUMBER_H

#include <stdbool.h>
#include <stddef.h>

#include <ferry/sys/build.h>

/* Digits of a text that is read as an integer; Python refuses more. */
#define NUMBER_MAX_DIGITS 4300

/* text[0..n) without Python's white space at both ends. */
void number_strip(const char **text, size_t *n);

/* int(text), and pydantic 2's reading of an integer: "8.00", "0_8".  *out is
 * NULL when it is none.  NOMEM. */
int number_python_int(struct ferry_store *store, const char *text, size_t n,
		      struct ferry_value **out);
int number_pydantic_int(struct ferry_store *store, const char *text, size_t n,
			struct ferry_value **out);

/* float(text): loose takes pydantic 2's underscores.  False: it is none. */
bool number_float(const char *text, size_t n, bool loose, double *out);

/* The integer part of a finite number; NULL: out of memory. */
struct ferry_value *number_truncate(struct ferry_store *store, double f);

/* repr(f), into out. */
#define NUMBER_REPR_CAP 40
void number_repr(double f, char out[NUMBER_REPR_CAP]);

#endif
