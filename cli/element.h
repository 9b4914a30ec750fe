/*
 * Elements as doubles, for statistics and tolerances.
 */
#ifndef CLI_ELEMENT_H
#define CLI_ELEMENT_H

#include <stdbool.h>
#include <stddef.h>

#include <ferry/dtype.h>

/* Numbers one element is: 1, 2 (complex), or 0 when it is not a plain number
 * (quantised, packed and bit dtypes). */
unsigned cli_element_numbers(enum ferry_dtype dtype);

/* Decode nelem elements (little-endian) to nelem * cli_element_numbers()
 * doubles.  Integers beyond 2^53 are rounded. */
void cli_elements(enum ferry_dtype dtype, const void *data, size_t nelem,
		  double *out);

#endif
